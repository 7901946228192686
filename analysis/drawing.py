"""Charts of numbers that are there already, in the colours of the report's figures.

What is worked out here is where ink goes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fsm_gpt.report.style import axes_for, palette, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Curve",
    "bars",
    "curves",
    "level",
    "log_counts",
    "plain",
    "post",
    "samples",
    "spread",
    "whole",
]

#: A curve: horizontal places, and a value at each.
Curve = tuple[Sequence[float], Sequence[float]]

#: The colours of series, by place: what was before, what is asked about, what it is held against.
_MARKERS = ("o", "s", "D", "^", "v")


def _colours(n: int) -> list[str]:
    light = palette(dark=False)
    if n == 1:
        return [light.mass]
    return [light.tokens[6], light.mass, light.tokens[1], light.tokens[2], light.tokens[3]][:n]


def samples(last: int, *, about: int = 200) -> list[int]:
    """Whole numbers from 0 to ``last``, evenly spread.

    >>> samples(7, about=3)
    [0, 2, 4, 6, 7]
    """
    return [*range(0, last, max(1, last // about)), last]


def plain(ax: Axes, title: str, x: str, y: str) -> Axes:
    """Axes in the common style, with a title and the names of both directions."""
    axes_for(ax, (0, 0), dark=False)
    set_title(ax, title, dark=False)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def _legend(ax: Axes, n: int) -> None:
    if n > 1:
        ax.legend(loc="best", frameon=False, fontsize=9, labelcolor=palette(dark=False).ink)


def curves(ax: Axes, series: Mapping[str, Curve], *, marks: bool = True) -> None:
    """Lines with a dot at each value."""
    colours = _colours(len(series))
    for i, (name, (x, y)) in enumerate(series.items()):
        ax.plot(
            x,
            y,
            color=colours[i],
            label=name,
            linewidth=1.8,
            marker=_MARKERS[i] if marks else None,
            markersize=5,
            zorder=3,
        )
    _legend(ax, len(series))


def level(ax: Axes, value: float, words: str, *, above: bool = True) -> None:
    """A dashed line across, with words at its right end."""
    muted = palette(dark=False).muted
    ax.axhline(value, color=muted, linewidth=1.2, dashes=(4, 3), zorder=2)
    ax.annotate(
        words,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3 if above else -4),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        fontsize=9,
        color=muted,
        parse_math=False,
    )


def log_counts(ax: Axes) -> None:
    """A logarithmic upward axis that says 10, 20, 50, 100 and so on."""
    from matplotlib.ticker import LogLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.minorticks_off()


def post(ax: Axes, place: float, words: str) -> None:
    """A dotted line upright, with words beside its top."""
    muted = palette(dark=False).muted
    ax.axvline(place, color=muted, linewidth=1.2, dashes=(1, 2), zorder=2)
    ax.annotate(
        words,
        (place, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -3),
        textcoords="offset points",
        va="top",
        fontsize=9,
        color=muted,
    )


def bars(ax: Axes, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
    """Bars side by side, one group a name."""
    colours = _colours(len(series))
    width = 0.8 / len(series)
    for i, (label, values) in enumerate(series.items()):
        places = [k + (i - (len(series) - 1) / 2) * width for k in range(len(names))]
        ax.bar(places, values, width=width * 0.92, color=colours[i], label=label, zorder=3)
    long = max(len(name) for name in names) > 5
    ax.set_xticks(range(len(names)), names, family="DejaVu Sans Mono", rotation=90 if long else 0)
    for text in ax.get_xticklabels():
        text.set_parse_math(False)
    _legend(ax, len(series))


def spread(
    ax: Axes,
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    chosen: Sequence[float],
    *,
    chosen_name: str,
    others_name: str,
) -> None:
    """For each name a row of dots, one a value, and a larger one for the chosen value."""
    light = palette(dark=False)
    rows = range(len(names))
    for row, some in zip(rows, values, strict=True):
        ax.plot(
            [min(some), max(some)],
            [row, row],
            solid_capstyle="butt",
            color=light.faint,
            linewidth=22,
            zorder=1,
        )
        ax.plot(
            some,
            [row + 0.09 * (k % 5 - 2) for k in range(len(some))],  # side by side, not hidden
            linestyle="",
            marker="o",
            markersize=5,
            color=light.muted,
            alpha=0.55,
            markeredgewidth=0,
            zorder=3,
            label=others_name if row == 0 else None,
        )
    ax.plot(
        chosen,
        list(rows),
        linestyle="",
        marker="D",
        markersize=8,
        markeredgecolor=light.paper,
        color=light.tokens[1],
        zorder=4,
        label=chosen_name,
    )
    ax.set_yticks(list(rows), names, family="DejaVu Sans Mono")
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=light.faint, linewidth=0.7)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=light.ink,
    )


def whole(figure: Figure) -> Axes:
    """Bare axes that fill the figure, but for a title."""
    figure.set_layout_engine("none")
    return figure.add_axes((0.0, 0.0, 1.0, 0.94))


def ladder(ax: Axes, ours: Mapping[str, float], theirs: Mapping[str, float], title: str) -> None:
    """Two kinds of things by size, on one logarithmic scale, a line each."""
    light = palette(dark=False)
    plain(ax, title, "bytes", "")
    marked = [(size, name, True) for name, size in ours.items()]
    lines = sorted(marked + [(size, name, False) for name, size in theirs.items()])
    for place, (size, name, own) in enumerate(lines):
        colour = light.mass if own else light.muted
        ax.plot([size], [place], marker="o" if own else "s", markersize=7, color=colour, zorder=3)
        ax.annotate(
            f"{name}: {size:,.0f}" if size >= 1 else f"{name}: {size:.3g}",
            (size, place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=light.ink if own else light.muted,
            weight="bold" if own else "normal",
            parse_math=False,
        )
    ax.set_xscale("log")
    ax.set_yticks([])
    ax.set_xlim(right=max(size for size, _, _ in lines) * 300)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=light.faint, linewidth=0.7)
