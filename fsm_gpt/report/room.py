"""Labels that keep apart at every size.

A picture may be drawn into axes of any size, which may change afterwards. So what finds no room
is decided while it is drawn: before anything else of the axes, some labels are made smaller or
left out; after everything else they are as before, so that the next size begins anew.

In this order: of the names along an axis every second, third, ... is kept, as many as stand
apart; titles, names of axes and legends are made smaller until they lie in the figure; a number
beside a curve is left out where it would meet any of these, or another number, or the edge.
A picture that was planned as a whole, as a state graph is, grows and shrinks as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from matplotlib.artist import Artist
from matplotlib.text import Annotation, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import BboxBase

__all__ = ["give_room", "keep_apart"]

#: Space between two labels, in points, and the smallest letters of titles and legends.
APART, SMALLEST = 1.5, 4.0
#: Smaller letters in the cells of a table are left out.
SMALLEST_CELL = 3.6
#: Nobody reads these letters of a planned picture, and they are wider than planned.
SMALLEST_PLANNED = 2.5


def keep_apart(ax: Axes, *, planned: float | None = None) -> None:
    """From now on the labels of these axes find room whenever they are drawn.

    ``planned`` says how many points on paper a point of the plan had, in a picture that was
    planned as a whole.
    """
    first, last = _First(planned), _Last()
    last.first = first
    for artist in (first, last):
        artist.set_in_layout(False)
        ax.add_artist(artist)
    if planned is not None:  # it fills the room that it has, and asks for none
        for text in ax.texts:
            text.set_in_layout(False)


def give_room(text: Text, width: float) -> None:
    """A label is left out where it is wider than this, in the units of the axes."""
    text._room = width  # type: ignore[attr-defined]


class _First(Artist):
    """Drawn before all else: it makes room."""

    zorder = -1e9

    def __init__(self, planned: float | None) -> None:
        super().__init__()
        self.planned = planned
        self.undo: list[Callable[[], Any]] = []

    def draw(self, renderer: Any) -> None:
        """Make room, and remember what was before."""
        self.restore()
        ax = self.axes
        assert ax is not None
        if self.planned is not None:
            self._rescale(ax)  # type: ignore[arg-type]
        else:
            self._spread(ax, renderer)  # type: ignore[arg-type]

    def restore(self) -> None:
        """Put everything back."""
        while self.undo:
            self.undo.pop()()

    # ---- changes, each with its way back ----

    def _hide(self, artist: Artist) -> None:
        self.undo.append(lambda: artist.set_visible(True))
        artist.set_visible(False)

    def _resize(self, text: Text, size: float) -> None:
        before = _size(text)
        self.undo.append(lambda: text.set_fontsize(before))
        text.set_fontsize(size)

    # ---- a picture that was planned as a whole ----

    def _rescale(self, ax: Axes) -> None:
        assert self.planned is not None
        box = ax.get_window_extent()
        left, right = ax.get_xlim()
        low, high = ax.get_ylim()
        pixels = min(box.width / abs(right - left), box.height / abs(high - low))
        ratio = pixels * 72 / ax.figure.dpi / self.planned
        for text in ax.texts:
            size = _size(text) * ratio
            if size < SMALLEST_PLANNED and text.get_visible():
                self._hide(text)
            self._resize(text, size)
        drawn: list[Any] = [*ax.patches, *ax.lines]
        for one in drawn:
            wide = one.get_linewidth()
            self.undo.append(partial(one.set_linewidth, wide))
            one.set_linewidth(wide * ratio)

    # ---- labels of all other pictures ----

    def _spread(self, ax: Axes, renderer: Any) -> None:
        pad = APART * ax.figure.dpi / 72
        whole = ax.figure.figure.bbox
        taken: list[BboxBase] = []
        for axis in (ax.xaxis, ax.yaxis):
            taken += self._thinned(axis.get_ticklabels(), renderer, pad, whole, list(taken))
            axis.get_tightbbox(renderer)  # its name goes where it now has room
        head = [text for text in (ax.title, ax._left_title, ax._right_title) if text.get_text()]  # type: ignore[attr-defined]
        for text in (*head, ax.xaxis.label, ax.yaxis.label):
            if text.get_text() and text.get_visible():
                taken += self._smaller([text], text, renderer, whole, taken)
        legend = ax.get_legend()
        if legend is not None and legend.get_visible():
            self._smaller(legend.get_texts(), legend, renderer, whole, [])
            taken += [text.get_window_extent(renderer) for text in legend.get_texts()]
        self._cells(ax, renderer, pad)
        for text in ax.texts:
            if not text.get_visible() or not text.get_text():
                continue
            box = _letters(text, renderer)
            if _wider(text, box, ax) or not _inside(box, whole) or _meets(box, taken, pad):
                self._hide(text)
            else:
                taken.append(box)

    def _thinned(
        self,
        labels: Sequence[Text],
        renderer: Any,
        pad: float,
        whole: BboxBase,
        taken: list[BboxBase],
    ) -> list[BboxBase]:
        """Of the names along an axis every k-th, for the smallest k that keeps them apart."""
        named = [label for label in labels if label.get_text() and label.get_visible()]
        boxes = [label.get_window_extent(renderer) for label in named]
        step = 1
        while step < len(named) and any(
            _meets(a, [b], pad) for a, b in zip(boxes[::step], boxes[step::step], strict=False)
        ):
            step += 1
        kept: list[BboxBase] = []
        for i, (label, box) in enumerate(zip(named, boxes, strict=True)):
            if i % step or not _inside(box, whole) or _meets(box, taken, 0.0):
                self._hide(label)
            else:
                kept.append(box)
        return kept

    def _smaller(
        self,
        texts: Sequence[Text],
        whole: Any,
        renderer: Any,
        figure: BboxBase,
        taken: list[BboxBase],
    ) -> list[BboxBase]:
        """Smaller letters until all lies in the figure and meets nothing; else nothing at all."""
        while True:
            box = whole.get_window_extent(renderer)
            if _inside(box, figure) and not _meets(box, taken, 0.0):
                return [box]
            size = min(_size(text) for text in texts)
            if size <= SMALLEST:
                self._hide(whole)
                return []
            for text in texts:
                self._resize(text, max(SMALLEST, _size(text) * 0.92))

    def _cells(self, ax: Axes, renderer: Any, pad: float) -> None:
        """The words in the cells of a table: all as large as the widest allows."""
        cells = [t for t in ax.texts if (t.get_gid() or "").startswith("cell") and t.get_visible()]
        if not cells:
            return
        (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
        boxes = [text.get_window_extent(renderer) for text in cells]
        wide, high = max(b.width for b in boxes), max(b.height for b in boxes)
        ratio = min(1.0, (abs(x1 - x0) - 2 * pad) / wide, (abs(y1 - y0) - pad) / high)
        small = min(_size(text) for text in cells) * ratio < SMALLEST_CELL
        for text in cells:
            if small:
                self._hide(text)
            elif ratio < 1:
                self._resize(text, _size(text) * ratio)


class _Last(Artist):
    """Drawn after all else: everything is as it was."""

    zorder = 1e9
    first: _First

    def draw(self, renderer: Any) -> None:
        """Put everything back."""
        self.first.restore()


def _size(text: Text) -> float:
    return float(text.get_fontsize())


def _letters(text: Text, renderer: Any) -> BboxBase:
    """The box of the letters, without an arrow that leads to them."""
    if isinstance(text, Annotation):
        text.update_positions(renderer)
    return Text.get_window_extent(text, renderer)


def _wider(text: Text, box: BboxBase, ax: Axes) -> bool:
    room = getattr(text, "_room", None)
    if room is None:
        return False
    ends = ax.transData.transform([(0, 0), (room, 0)])
    return bool(box.width > abs(ends[1, 0] - ends[0, 0]))


def _inside(box: BboxBase, whole: BboxBase) -> bool:
    return bool(
        box.x0 >= whole.x0 - 0.5
        and box.y0 >= whole.y0 - 0.5
        and box.x1 <= whole.x1 + 0.5
        and box.y1 <= whole.y1 + 0.5
    )


def _meets(box: BboxBase, others: Sequence[BboxBase], pad: float) -> bool:
    return any(
        box.x0 < other.x1 + pad
        and other.x0 < box.x1 + pad
        and box.y0 < other.y1 + pad / 3
        and other.y0 < box.y1 + pad / 3
        for other in others
    )
