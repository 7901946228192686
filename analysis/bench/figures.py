"""Time, memory and error of the stationary distribution against the number of states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.bench.results import Point, Results
from analysis.drawing import level, plain
from analysis.study import Picture
from fsm_gpt.report.style import palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["QUANTITIES", "picture", "sheet"]

#: What is drawn: its name, its axis, and the value of a point.
QUANTITIES: dict[str, tuple[str, Callable[[Point], float | None]]] = {
    "time": ("seconds", lambda point: point.seconds),
    "memory": ("megabytes", lambda point: (point.peak_bytes or 0) / 1e6 or None),
    "error": ("largest relative error", lambda point: point.error),
}
#: Each method's place in the palette, and its mark.
_STYLES = {
    "fsm_gpt": (None, "o"),
    "QuantEcon GTH": (1, "s"),
    "sparse LU": (2, "D"),
    "ARPACK": (3, "^"),
    "power iteration": (4, "v"),
    "Storm": (6, "P"),
}
#: Errors beyond these are drawn at these: no digit is right, or all are.
_WORST, _BEST = 1e2, 1e-16
#: Dots of errors stand this much apart, so that those that are equal can be seen.
_APART = 1.09


def _clamped(value: float, quantity: str) -> float:
    return min(max(value, _BEST), _WORST) if quantity == "error" else value


def _panel(ax: Axes, points: Sequence[Point], quantity: str, *, title: str, labels: bool) -> None:
    light = palette(dark=False)
    unit, value = QUANTITIES[quantity]
    plain(ax, title, "states", unit if labels else "")
    for order, (peer, (place, mark)) in enumerate(_STYLES.items()):
        apart = _APART ** (order - 2) if quantity == "error" else 1.0
        some = [
            (point.n_states * apart, _clamped(found, quantity))
            for point in points
            if point.peer == peer and (found := value(point)) is not None
        ]
        colour = light.mass if place is None else light.tokens[place]
        name = "fsm_gpt (its proven bound)" if place is None and quantity == "error" else peer
        if some:
            ax.plot(
                *zip(*some, strict=True),
                color=colour,
                marker=mark,
                markersize=5 if place is not None else 6,
                linewidth=1.4 if place is not None else 2.4,
                label=name,
                zorder=4 if place is None else 3,
            )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.minorticks_off()
    if quantity == "error":
        level(ax, 1.0, "above: no digit is right", above=False)


def _sizes(ax: Axes, points: Sequence[Point]) -> None:
    """Powers of two on the axis, every other one, as far as there are points."""
    sizes = sorted({point.n_states for point in points})
    shown = sizes[::2] if len(sizes) > 4 else sizes
    ax.set_xticks(shown, [f"2^{n.bit_length() - 1}" for n in shown])
    for text in ax.get_xticklabels():
        text.set_parse_math(False)


def _draw_row(figure: Figure, axes: Sequence[Axes], results: Results, quantity: str) -> None:
    families = list(dict.fromkeys(point.family for point in results.points)) or [""]
    for place, (ax, family) in enumerate(zip(axes, families, strict=True)):
        points = [point for point in results.points if point.family == family]
        _panel(ax, points, quantity, title=family, labels=place == 0)
        _sizes(ax, results.points)


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend under all panels: each method once, from the panel that has most of them."""
    handles: dict[str, Artist] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=6 if len(axes) > 2 else 3,
        frameon=False,
        fontsize=9,
        labelcolor=palette(dark=False).ink,
    )


def picture(results: Results, quantity: str) -> Picture:
    """One quantity, a panel for each family."""
    n = len({point.family for point in results.points}) or 1
    unit = QUANTITIES[quantity][0]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, n, sharey=True, squeeze=False)[0]
        _draw_row(figure, axes, results, quantity)
        _legend(figure, axes)

    title = f"Stationary distribution by method: {unit} against the number of states"
    return Picture(title, draw, size=(max(4.8, 3.2 * n), 3.4))


def sheet(results: Results) -> Picture:
    """All three quantities on one sheet."""
    n = len({point.family for point in results.points}) or 1

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(QUANTITIES), n, sharey="row", squeeze=False)
        for axes, quantity in zip(grid, QUANTITIES, strict=True):
            _draw_row(figure, axes, results, quantity)
        _legend(figure, grid[0])

    title = "Stationary distribution by method: time, memory and error against the number of states"
    return Picture(title, draw, size=(max(4.8, 3.2 * n), 8.6))
