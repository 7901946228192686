"""Bits of state over the years, with historic memories as lines.

A dot is a model: the year in which it came out, and log2(V) L bits on a logarithmic scale.
The years are all that is known of when, so where a dot stands within its year says nothing;
dots are put beside each other where they would cover each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from fsm_gpt.capacity import Capacity, Memory
from fsm_gpt.errors import NotDefined
from fsm_gpt.report.style import axes_for, palette, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

    from fsm_gpt.report.capacity_report import CapacityReport

__all__ = ["capacity_plot"]

#: A dot: its model, and how far from the middle of its year it stands, in years.
_Dot: TypeAlias = tuple[Capacity, float]

#: How far from the middle of its year a dot may stand, and how far apart two dots are in points.
_EDGE, _APART = 0.44, 7.2
#: Names of memories are so many points apart, at least.
_LINE = 11.0
#: More names than this are not put beside dots.
_MOST_NAMES = 32


def capacity_plot(
    report: CapacityReport,
    *,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
) -> Axes:
    """Bits of state of the models of a report, by year, on a logarithmic scale.

    The historic memories of the report are lines across, named at the right. Dots that set a
    record and those at the ends of their year are named first, as far as names find room.

    Raises
    ------
    NotDefined
        No model of the report has both a figure and a year.

    Examples
    --------
    >>> from fsm_gpt.report.capacity_report import capacity_report
    >>> ax = capacity_plot(capacity_report(["gpt2", "gpt-3"]))
    >>> [text.get_text() for text in ax.texts][-2:]
    ['GPT-3 175B', 'GPT-2 small']
    """
    from fsm_gpt.report.room import keep_apart

    rows = [row for row in report.rows if isinstance(row, Capacity) and row.year]
    if not rows:
        raise NotDefined(
            "capacity figure: no model of this report has both a figure and a year, so there is "
            "nothing to draw over the years. Name a model of the table, such as gpt2."
        )
    colours = palette(dark)
    ax = axes_for(ax, (9.6, 5.8), dark=dark)
    years = [row.year or 0 for row in rows]
    ax.set_yscale("log")
    sizes = [row.bits for row in rows] + [8.0 * memory.bytes for memory in report.memories]
    ax.set_ylim(min(sizes) / 3, max(sizes) * 4)
    ax.set_xlim(min(years) - 0.55, max(years) + 0.55)
    ax.set_xticks(range(min(years), max(years) + 1))
    for edge in range(min(years), max(years)):
        ax.axvline(edge + 0.5, color=colours.faint, linewidth=0.7, zorder=0)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="x", length=0)
    ax.minorticks_off()
    _ticks(ax)
    ax.set_ylabel("bits of state, log2(V) L")
    _lines(ax, report.memories, dark=dark, named=ax.figure.figure.get_size_inches()[0] >= 5.5)
    dots = _beside(rows, *_points(ax))
    ax.scatter(
        [(row.year or 0) + shift for row, shift in dots],
        [row.bits for row, _ in dots],
        s=30,
        color=colours.mass,
        edgecolors=colours.paper,
        linewidths=0.7,
        zorder=3,
    )
    set_title(ax, title, dark=dark)
    _names(ax, rows, dots, dark=dark)
    keep_apart(ax)
    return ax


def _points(ax: Axes) -> tuple[float, float]:
    """How wide a point is in years, and how high it is in powers of ten."""
    ax.figure.figure.draw_without_rendering()  # only then is it known how large the axes are
    box = ax.get_window_extent()
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    inch = ax.figure.dpi / 72
    return (right - left) / box.width * inch, math.log10(high / low) / box.height * inch


def _beside(rows: Iterable[Capacity], wide: float, high: float) -> list[_Dot]:
    """Each model with its place in its year, so that no dot covers another while there is room.

    Years come in order; in a year the smallest state comes first.
    """
    found: list[_Dot] = []
    placed: list[tuple[int, float, float]] = []
    step = _APART * wide
    whole = [step * n for n in range(-int(_EDGE / step), int(_EDGE / step) + 1)]
    halves = [place + step / 2 for place in whole[:-1]]  # dots that touch, where a year is full
    shifts = sorted(whole, key=abs) + sorted(halves, key=abs)
    for row in sorted(rows, key=lambda row: (row.year or 0, row.bits, row.name)):
        height, year = math.log10(row.bits), row.year or 0
        near = [s for y, s, h in placed if y == year and abs(h - height) < _APART * high]
        shift = min(shifts, key=near.count)
        placed.append((year, shift, height))
        found.append((row, shift))
    return found


def _ticks(ax: Axes) -> None:
    """A tick at each power of ten, in words that need no exponent up to millions."""
    low, high = ax.get_ylim()
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    units = ("", " thousand", " million", " billion", " trillion")
    ticks = [10.0**power for power in powers]
    words = [
        f"{10 ** (power % 3)}{units[power // 3]}" if 0 <= power < 15 else f"1e{power}"
        for power in powers
    ]
    ax.set_yticks(ticks, words)


def _lines(ax: Axes, memories: Sequence[Memory], *, dark: bool, named: bool) -> None:
    """A line across for each size of memory; its names at the right end, where there is room."""
    colours = palette(dark)
    groups = [
        (8.0 * size, list(same))
        for size, same in groupby(sorted(memories, key=lambda m: m.bytes), lambda m: m.bytes)
    ]
    wanted = [math.log10(bits) for bits, _ in groups]
    places = _spread(wanted, _LINE * _points(ax)[1])
    for (bits, same), place in zip(groups, places, strict=True):
        ax.axhline(bits, color=colours.muted, linewidth=0.7, dashes=(5, 3), alpha=0.6, zorder=1)
        if not named:
            continue
        words = ", ".join(_shorter(one.name) for one in same)
        words += f" ({same[0].year})" if len(same) == 1 else ""
        ax.annotate(
            f"{words}: {same[0].bytes:,} B",
            (1.0, bits),
            xycoords=("axes fraction", "data"),
            xytext=(1.045, 10**place),
            textcoords=("axes fraction", "data"),
            va="center",
            ha="left",
            fontsize=8,
            color=colours.muted,
            annotation_clip=False,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colours.muted,
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def _shorter(name: str) -> str:
    """A memory's name for a line of small print.

    >>> _shorter("Apollo Guidance Computer (Block II) erasable")
    'Apollo computer, erasable'
    """
    name = name.replace("Apollo Guidance Computer", "Apollo computer")
    return name.replace(" (Block II) erasable", ", erasable").replace(" fixed rope", ", rope")


def _spread(wanted: Sequence[float], least: float) -> list[float]:
    """Places in the order of those wanted, at least so far apart and as near to them as groups.

    >>> [round(place, 2) for place in _spread([0.0, 0.1, 5.0], 1.0)]
    [-0.45, 0.55, 5.0]
    """
    groups: list[list[float]] = []  # sum of what is wanted less the place in the group, and count
    for place in wanted:
        groups.append([place, 1])
        while len(groups) > 1:
            (above, many), (below, few) = groups[-1], groups[-2]
            if below / few + few * least <= above / many + 1e-12:
                break
            groups[-2:] = [[below + above - many * few * least, few + many]]
    return [total / count + i * least for total, count in groups for i in range(int(count))]


def _names(ax: Axes, rows: Sequence[Capacity], dots: Sequence[_Dot], *, dark: bool) -> None:
    """Names beside dots, the most telling first, each only where it covers nothing."""
    from matplotlib.transforms import Bbox

    colours = palette(dark)
    points = [ax.transData.transform(((row.year or 0) + shift, row.bits)) for row, shift in dots]
    dot = 3.6 * ax.figure.dpi / 72
    taken = [Bbox([[x - dot, y - dot], [x + dot, y + dot]]) for x, y in points]
    inside = ax.get_window_extent()
    where = {id(row): i for i, (row, _) in enumerate(dots)}
    named = 0
    for row in _telling(rows):
        if named == _MOST_NAMES:
            break
        for dx, dy, ha, va in (
            (6, 0, "left", "center"),
            (-6, 0, "right", "center"),
            (0, 6, "center", "bottom"),
            (0, -6, "center", "top"),
            (4, 5, "left", "bottom"),
            (-4, 5, "right", "bottom"),
            (4, -5, "left", "top"),
            (-4, -5, "right", "top"),
        ):
            text = ax.annotate(
                row.name.partition(" (")[0],
                (float(row.year or 0) + dots[where[id(row)]][1], row.bits),
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize=8,
                color=colours.ink,
                parse_math=False,
                zorder=4,
            )
            box: Bbox = text.get_window_extent().padded(1.5)
            own = taken[where[id(row)]]
            within = inside.x0 <= box.x0 and box.x1 <= inside.x1
            within = within and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if within and not any(box.overlaps(other) for other in taken if other is not own):
                text.set_bbox(
                    {"facecolor": colours.paper, "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
                )
                taken.append(box)
                named += 1
                break
            text.remove()


def _telling(rows: Iterable[Capacity]) -> Iterator[Capacity]:
    """The models in the order in which a reader would ask for their names.

    First those whose state is larger than any of an earlier year or of their own, latest first;
    then the ends of each year; then the rest as they come.
    """
    every = list(rows)
    years = sorted({row.year or 0 for row in every})
    of = {year: [row for row in every if row.year == year] for year in years}
    largest = [max(of[year], key=lambda row: row.bits) for year in years]
    records = [
        row for i, row in enumerate(largest) if all(row.bits > other.bits for other in largest[:i])
    ]
    smallest = [min(of[year], key=lambda row: row.bits) for year in reversed(years)]
    seen: set[int] = set()
    for row in (*reversed(records), *smallest, *reversed(largest), *every):
        if id(row) not in seen:
            seen.add(id(row))
            yield row
