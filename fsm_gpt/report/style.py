"""One visual language for every figure and for the page.

What is meant by what one sees, the same everywhere (the gallery of the docs says it in pictures):

- A *token* has a hue, in lines and cells. The six hues are those of Okabe and Ito (2008, "Color
  universal design"); a vocabulary of more than six tokens gives them to the six most frequent
  and a grey to the rest. The name of the token stands beside the hue wherever space allows.
- *Probability* is width: a line that is taken more often is wider. In the flow ring it is
  weighted by how much of the time it could be taken.
- *Mass* (how much of the time a state is visited) is area, and one blue: that of discs, of maps of
  mass, and of curves that tell of the chain as a whole. A token is a line or a cell, never a disc.
- *Sureness* is strength: a cell has the hue of the likeliest next token and is the stronger, the
  surer that token is.
- A *class* is an outline: solid for a closed class, in a colour of its own where there are
  several, double for an absorbing state, dashed for transient states.
- *Time* runs from left to right, be it tokens, steps of training or years; so do last tokens.
- *What is known besides* (a rate that a curve falls to, a threshold) is a broken grey line.
  *What cannot be told* is a hollow red mark.

Within the hues of tokens, and within the colours of classes, no two come nearer than a bound that
a test states, for eyes without long, middle or short cones as well (simulated after Machado,
Oliveira & Fernandes 2009, IEEE Trans. Vis. Comput. Graph. 15, 1291-1298).

Each colour has a name and two values, for light and for dark; print has those of light. Tints
are made with opacity, never with a colour of their own, so that the SVG of the page can carry the
names and follow the reader's preference.

Figures are matplotlib's, made with its object interface: no global state is touched.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import atomic_write
from fsm_gpt.report.fonts import own_words, tell_once, text_size, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fsm_gpt.chain import Chain

__all__ = ["DARK", "LIGHT", "Palette", "axes_for", "palette", "save_figure", "token_colours"]

FORMATS = (".png", ".svg")


@dataclass(frozen=True)
class Palette:
    """The colours of one theme, by role. No two roles share a value: the page tells them apart."""

    paper: str
    panel: str
    ink: str
    muted: str
    faint: str
    mass: str
    alert: str
    #: Lines and areas of a token; the seventh is for all further tokens.
    tokens: tuple[str, ...]
    #: The same hues, dark (or light) enough for small text.
    token_inks: tuple[str, ...]
    #: Outlines of closed classes, where there are several.
    classes: tuple[str, ...]

    def named(self) -> dict[str, str]:
        """Every colour with its name as the page's style sheet has it."""
        names = {
            name: getattr(self, name)
            for name in ("paper", "panel", "ink", "muted", "faint", "mass", "alert")
        }
        for prefix, group in (
            ("token", self.tokens),
            ("token-ink", self.token_inks),
            ("class", self.classes),
        ):
            names |= {f"{prefix}-{i}": colour for i, colour in enumerate(group)}
        return names


LIGHT = Palette(
    paper="#ffffff",
    panel="#f5f6f8",
    ink="#14181f",
    muted="#59626e",
    faint="#d9dde3",
    mass="#1273b0",
    alert="#b3261e",
    tokens=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b737d"),
    token_inks=("#00598c", "#a54600", "#00694d", "#94406c", "#7d5600", "#1c6a97", "#5a636f"),
    classes=("#256648", "#671f69", "#bd8c02", "#3f99db", "#924509", "#012621"),
)

DARK = Palette(
    paper="#12161c",
    panel="#1a2028",
    ink="#e9edf2",
    muted="#9ca7b4",
    faint="#323b47",
    mass="#4aa8e0",
    alert="#ff8a80",
    tokens=("#56b4e9", "#f0883e", "#2fc49a", "#de9cc0", "#e6b422", "#f0e442", "#7d8794"),
    token_inks=("#7cc6f2", "#f7a468", "#5bd6b3", "#eab6d2", "#efc95a", "#f4ec7e", "#a3adb9"),
    classes=("#7ff4a2", "#e6dafc", "#feba38", "#2580b7", "#b14f02", "#837c75"),
)

#: How much of the hue the heaviest state or the surest cell gets; ink stays readable on it.
STRONGEST = 0.62


def palette(dark: bool) -> Palette:
    """The colours of the light or the dark theme.

    >>> palette(dark=True).ink
    '#e9edf2'
    """
    return DARK if dark else LIGHT


def token_colours(chain: Chain) -> list[int]:
    """Which colour each token has: its place in ``Palette.tokens``.

    The first six tokens by id, or the six most probable where there are more.

    >>> from fsm_gpt.chain import Chain
    >>> token_colours(Chain([[0.5, 0.5], [0.25, 0.75]]))
    [0, 1]
    """
    hues = len(LIGHT.tokens) - 1
    if chain.n_tokens <= hues or chain.kind == "symbolic":
        return [min(t, hues) for t in range(chain.n_tokens)]
    edges = chain.edges()
    weight = np.bincount(edges.token, edges.probability.astype(float), chain.n_tokens)
    colours = [hues] * chain.n_tokens
    for colour, token in enumerate(sorted(np.argsort(-weight, kind="stable")[:hues].tolist())):
        colours[token] = colour
    return colours


def percent(p: Any) -> str:
    """A probability as a person writes it; only 1 is 100% and only 0 is 0%.

    >>> percent(0.7929), percent(1.0), percent(0.9999), percent(1e-300)
    ('79%', '100%', '>99%', '<1%')
    """
    if hasattr(p, "free_symbols") and p.free_symbols:
        return str(p)
    if p in (0, 1):
        return f"{int(p) * 100}%"
    if p < 0.005:
        return "<1%"
    return ">99%" if p >= 0.995 else f"{float(p):.0%}"


def short(name: str, limit: int = 12) -> str:
    """A name cut to a length that a figure has room for.

    >>> short("a state with a long name")
    'a state wit…'
    """
    return name if len(name) <= limit else name[: limit - 1] + "…"


@contextmanager
def quiet_fonts() -> Iterator[None]:
    """Without warnings about signs that the bundled font lacks: they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def axes_for(ax: Axes | None, size: tuple[float, float], *, dark: bool, bare: bool = False) -> Axes:
    """The axes given, or new ones on a figure of this size in inches, in the theme's colours."""
    colours = palette(dark)
    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, facecolor=colours.paper)
        if bare:
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        else:
            figure.set_layout_engine("constrained")
            ax = figure.add_subplot()
    ax.set_facecolor(colours.paper)
    if bare:
        ax.set_axis_off()
        return ax
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colours.faint)
        spine.set_linewidth(1.0)
    ax.tick_params(colors=colours.muted, labelsize=9, length=3, width=0.8)
    ax.xaxis.label.set(color=colours.muted, fontsize=10)
    ax.yaxis.label.set(color=colours.muted, fontsize=10)
    ax.grid(visible=True, axis="y", color=colours.faint, linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def set_title(ax: Axes, title: str | None, *, dark: bool) -> None:
    """A title in the theme's ink, at the left, in one line that fits the figure."""
    if title:
        room = 72 * float(ax.figure.figure.get_size_inches()[0]) * 0.88
        size = max(8.0, min(11.0, 11.0 * room / _bold(title, 11.0)))
        if _bold(title, size) > room:
            whole = title
            while len(title) > 1 and _bold(f"{title}…", size) > room:
                title = whole[: len(title) - 1].rstrip()
            title += "…"
        text = ax.set_title("", loc="left", color=palette(dark).ink, fontsize=size, weight="bold")
        write(text, title)


def _bold(words: str, size: float) -> float:
    return max(1.0, float(text_size(words, size, weight="bold")[0]))


def render(figure: Figure, suffix: str, *, dpi: float = 200) -> bytes:
    """A figure as PNG or SVG. The same figure gives the same bytes."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "fsm_gpt", "path.simplify": False}
    metadata = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
    if suffix == ".png":
        tell_once(figure)
    meant = own_words(figure) if suffix == ".svg" else nullcontext()
    with rc_context(settings), quiet_fonts(), meant:
        figure.savefig(
            stream,
            format=suffix[1:],
            dpi=dpi,
            metadata=metadata,
            facecolor=figure.get_facecolor(),
        )
    return stream.getvalue()


def save_figure(figure: Figure | Axes, path: str | os.PathLike[str], *, dpi: float = 200) -> Path:
    """Write a figure as PNG or SVG, by the suffix of the path; whole, or not at all.

    Raises
    ------
    InvalidArgument
        The suffix is neither .png nor .svg.
    FileProblem
        The file cannot be written.

    >>> from matplotlib.figure import Figure
    >>> save_figure(Figure(), "picture.gif")
    Traceback (most recent call last):
    fsm_gpt.errors.InvalidArgument: figure: 'picture.gif' ends neither in .png nor in .svg...
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise InvalidArgument(
            f"figure: {os.fspath(path)!r} ends neither in .png nor in .svg, the two formats that "
            f"are written. Change the end of the name."
        )
    whole = figure if hasattr(figure, "savefig") else figure.figure
    picture = render(whole, suffix, dpi=dpi)  # type: ignore[arg-type]
    with atomic_write(target) as file:
        file.write(picture)
    return target
