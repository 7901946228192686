"""The sheet that a state graph is drawn on: its edges, its caption, its legend.

Several graphs can share one sheet, so that they lie on each other point by point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.classes import CommunicatingClasses
from fsm_gpt.report.pen import Entry, Pen, Plan, text_size
from fsm_gpt.report.style import Palette, axes_for, palette, short, token_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Sheet", "bounds", "draw_graph", "legend_entries", "scale_of", "sheet"]

Points: TypeAlias = npt.NDArray[np.float64]

MARGIN = 8.0
TITLE_SIZE = 11


@dataclass(frozen=True, eq=False)
class Sheet:
    """The corners of what is drawn, the room for a caption above, and the rows of the legend."""

    low: Points
    high: Points
    top: float
    rows: list[list[Entry]]

    @property
    def bottom(self) -> float:
        """The room for the legend below."""
        return 17.0 * len(self.rows) + (8.0 if self.rows else 0.0)


def bounds(plan: Plan) -> tuple[Points, Points]:
    """The lower left and upper right corner of everything that is drawn."""
    low = [(plan.centres - plan.radii[:, None]).min(axis=0)]
    high = [(plan.centres + plan.radii[:, None]).max(axis=0)]
    for curve in plan.curves:
        low.append(curve.visible().min(axis=0))
        high.append(curve.visible().max(axis=0))
    for place, size in zip(plan.places, plan.sizes, strict=True):
        if place is not None:
            low.append(place - size / 2)
            high.append(place + size / 2)
    return np.min(low, axis=0) - MARGIN, np.max(high, axis=0) + MARGIN


def sheet(low: Points, high: Points, titles: Sequence[str], entries: Sequence[Entry]) -> Sheet:
    """A sheet with room for what lies between two corners, any of the titles, and a legend."""
    low, high = low.copy(), high.copy()
    widest = max(
        max((text_size(t, TITLE_SIZE, weight="bold")[0] + 2 * MARGIN for t in titles), default=0.0),
        min(440.0, sum(e.width for e in entries)) + 2 * MARGIN,
        high[0] - low[0],
    )
    slack = widest - (high[0] - low[0])
    low[0], high[0] = low[0] - slack / 2, high[0] + slack / 2
    return Sheet(low, high, 26.0 if titles else 0.0, _rows(entries, widest - 2 * MARGIN))


def draw_graph(
    chain: Chain,
    plan: Plan,
    mass: Points | None,
    classes: CommunicatingClasses,
    paper: Sheet,
    *,
    ax: Axes | None,
    dark: bool,
    title: str | None,
) -> Axes:
    """Draw a planned graph on its sheet."""
    colours = palette(dark)
    low, high = paper.low, paper.high
    width, height = high - low + (0, paper.top + paper.bottom)
    ax = axes_for(ax, (width / 72, height / 72), dark=dark, bare=True)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1] - paper.bottom, high[1] + paper.top)
    ax.set_aspect("equal")
    pen = Pen(ax, colours, scale_of(ax, width, height))
    pen.edges(chain, plan)
    pen.states(chain, plan, mass, classes)
    if title:
        y = high[1] + paper.top - 15
        pen.text(low[0] + MARGIN, y, title, TITLE_SIZE, colours.ink, bold=True, left=True)
    y = low[1] - 8
    for row in paper.rows:
        x = low[0] + MARGIN
        for entry in row:
            pen.legend_entry(x, y, entry)
            x += entry.width
        y -= 17
    return ax


def scale_of(ax: Axes, width: float, height: float) -> float:
    """Points on paper for each point of the plan."""
    box = ax.get_position()
    figure = ax.get_figure(root=True)
    assert figure is not None
    inches = figure.get_size_inches() * (box.width, box.height)
    return float(min(inches[0] * 72 / width, inches[1] * 72 / height))


def legend_entries(
    chain: Chain, classes: CommunicatingClasses, missing: tuple[int, int], colours: Palette
) -> list[Entry]:
    """What the signs of a graph mean; ``missing`` counts edges left out, and without a label."""
    dropped, unlabelled = missing
    entries = []
    hue = token_colours(chain)
    if chain.n_tokens <= 6:
        names = chain.vocabulary.shown
        entries += [
            Entry("line", colours.tokens[hue[t]], f"token {short(names[t])}")
            for t in range(chain.n_tokens)
        ]
    if len(classes.closed) > 1:
        entries += [
            Entry("solid", colours.classes[c % len(colours.classes)], f"closed class {c + 1}")
            for c, states in enumerate(classes.closed[:6])
            if len(states) > 1
        ]
    if len(classes.absorbing):
        entries.append(Entry("double", colours.ink, "absorbing"))
    if len(classes.transient):
        entries.append(Entry("dashed", colours.muted, "transient"))
    if dropped:
        entries.append(Entry("", colours.muted, f"{dropped:,} less travelled edges not drawn"))
    if unlabelled:
        entries.append(Entry("", colours.muted, f"{unlabelled:,} edges without room for a label"))
    return entries


def _rows(entries: Sequence[Entry], width: float) -> list[list[Entry]]:
    rows: list[list[Entry]] = []
    left = 0.0
    for entry in entries:
        if not rows or entry.width > left:
            rows.append([])
            left = width
        rows[-1].append(entry)
        left -= entry.width
    return rows
