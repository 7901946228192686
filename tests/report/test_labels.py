"""No label of any picture meets another or leaves the figure, at any size; no box, no warning."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fsm_gpt import plot
from tests.report.chains import AFTER, of_ones
from tests.report.pictures import PICTURES


@contextmanager
def drawn_texts(found: list[tuple[str, np.ndarray]]) -> Iterator[None]:
    """While this lasts, each text that is drawn is noted: its words, and its corners in pixels."""
    before = Text.draw

    def draw(self: Text, renderer: Any, *rest: Any, **more: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append((self.get_text(), corners(self, renderer)))
        before(self, renderer, *rest, **more)

    Text.draw = draw  # type: ignore[method-assign]
    try:
        yield
    finally:
        Text.draw = before  # type: ignore[method-assign]


def corners(text: Text, renderer: Any) -> np.ndarray:
    """The corners of the letters' own box, turned as the text is, shape (4, 2)."""
    turn = text.get_rotation()
    if turn % 90 == 0:
        x0, y0, x1, y1 = Text.get_window_extent(text, renderer).extents
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    # A turned text is measured upright, and its box turned about its anchor.
    text.set_rotation(0)
    x0, y0, x1, y1 = Text.get_window_extent(text, renderer).extents
    text.set_rotation(turn)
    x, y = text.get_transform().transform(text.get_unitless_position())
    angle = np.radians(turn)
    around = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - (x, y)
    return box @ around.T + (x, y)


def meet(a: np.ndarray, b: np.ndarray, least: float = 0.6) -> bool:
    """Whether two rectangles overlap by more than some pixels (separating axes)."""
    for box in (a, b):
        for side in (box[1] - box[0], box[3] - box[0]):
            axis = side / (np.hypot(*side) + 1e-12)
            one, other = a @ axis, b @ axis
            if min(one.max(), other.max()) - max(one.min(), other.min()) <= least:
                return False
    return True


def troubles(figure: Figure) -> list[str]:
    """Each pair of texts that meet, and each text that leaves the figure, as it is drawn."""
    found: list[tuple[str, np.ndarray]] = []
    canvas = FigureCanvasAgg(figure)
    with drawn_texts(found):
        canvas.draw()
    # A layout engine may draw more than once: what counts is the last time.
    wide, high = figure.bbox.width, figure.bbox.height
    said = []
    for i, (words, box) in enumerate(found):
        low, top = box.min(axis=0), box.max(axis=0)
        if low.min() < -1.0 or top[0] > wide + 1.0 or top[1] > high + 1.0:
            said.append(f"{words!r} leaves the figure")
        said += [f"{words!r} meets {other!r}" for other, b in found[i + 1 :] if meet(box, b)]
    return said


SIZES = {"own": None, "phone": (3.3, 2.6), "slide": (9.6, 5.4), "tall": (3.0, 6.0)}


#: Words of these are the hardest to place; they are looked at in every size.
HARD = re.compile("scripts|long|letters|capacity|hostile|512")


@pytest.mark.parametrize(
    ("name", "size"),
    [(n, s) for n in PICTURES for s in SIZES if HARD.search(n) or s in ("own", "phone")],
)
def test_labels_keep_apart(name: str, size: str) -> None:
    title = f"{name}: a title that is longer than a small picture is wide"
    if SIZES[size] is None:
        ax = PICTURES[name](title=title)
    else:
        figure = Figure(figsize=SIZES[size], layout="constrained")
        ax = PICTURES[name](ax=figure.add_subplot(), title=title)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert troubles(ax.figure) == []  # type: ignore[arg-type]


def test_trouble_would_be_seen() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "two")
    figure.text(0.99, 0.1, "out of here")
    assert troubles(figure) == ["'one' meets 'two'", "'out of here' leaves the figure"]
    turned = Figure()
    turned.text(0.5, 0.5, "long words up", rotation=45, rotation_mode="anchor")
    turned.text(0.5, 0.62, "beside", ha="right")  # within the upright box, not the turned one
    assert troubles(turned) == []


def test_a_picture_that_is_drawn_again_at_another_size_begins_anew() -> None:
    figure = Figure(figsize=(1.4, 1.4), layout="constrained")
    ax = plot.context_table(of_ones(AFTER), ax=figure.add_subplot())
    counts = []
    for size in ((9, 6), (1.4, 1.4), (9, 6)):
        figure.set_size_inches(*size)
        found: list[tuple[str, np.ndarray]] = []
        with drawn_texts(found):
            FigureCanvasAgg(figure).draw()
        counts.append(len(found))
        assert all(text.get_visible() for text in ax.texts)
    assert counts[0] == counts[2] > counts[1]
