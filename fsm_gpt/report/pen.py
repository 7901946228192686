"""The artists of a state graph: discs, arrows, labels, legend.

The only part of the graph that knows matplotlib's patches. Lengths are points of the
plan; ``scale`` turns them into points on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.classes import CommunicatingClasses
from fsm_gpt.report.fonts import text_size, write
from fsm_gpt.report.routing import HEAD, Curve
from fsm_gpt.report.style import STRONGEST, Palette, percent, short, token_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Entry", "Pen", "Plan", "names_of"]

Points: TypeAlias = npt.NDArray[np.float64]

LABEL_SIZE = 11.5
NAME_SIZE = 13.0
MASS_SIZE = 9.0
LEGEND_SIZE = 10.0
TITLE_SIZE = 11
#: Added to the width and height of an edge label.
PADDING = np.array([5.0, 1.0])


@dataclass(frozen=True, eq=False)
class Plan:
    """A graph ready to be drawn, in points."""

    centres: Points
    radii: Points
    curves: list[Curve]
    widths: list[float]
    labels: list[str]
    places: list[Points | None]
    sizes: Points
    kept: list[int]
    #: The mass that has the full tint; the largest there is where nothing is said.
    most: float | None = None


def names_of(chain: Chain) -> list[str]:
    """Names of the states, cut to what a disc has room for."""
    return [short(name) for name in chain.labels()]


@dataclass(frozen=True)
class Entry:
    """A line of the legend: a sign and what it means."""

    sign: str
    colour: str
    words: str

    @property
    def width(self) -> float:
        """The room it takes in its row."""
        sign = 26 if self.sign else 0
        return float(text_size(self.words, LEGEND_SIZE)[0]) + sign + 16


class Pen:
    """Draws the parts of a plan; the only place here that knows matplotlib's artists."""

    def __init__(self, ax: Axes, colours: Palette, scale: float) -> None:
        self.ax, self.colours, self.scale = ax, colours, scale

    @classmethod
    def on(cls, ax: Axes, colours: Palette, width: float, height: float) -> Self:
        """A pen for a plan of this size in points, which fills the axes."""
        box = ax.get_position()
        figure = ax.get_figure(root=True)
        assert figure is not None
        inches = figure.get_size_inches() * (box.width, box.height)
        return cls(ax, colours, float(min(inches[0] * 72 / width, inches[1] * 72 / height)))

    def caption(self, x: float, y: float, title: str | None) -> None:
        """Write the title of the whole, where there is one."""
        if title:
            self.text(x, y, title, TITLE_SIZE, self.colours.ink, bold=True, left=True)

    def legend(self, left: float, y: float, rows: Sequence[Sequence[Entry]]) -> None:
        """Draw the rows of a legend, from this height downwards."""
        for row in rows:
            x = left
            for entry in row:
                self.legend_entry(x, y, entry)
                x += entry.width
            y -= 17

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        colour: str,
        *,
        bold: bool = False,
        mono: bool = False,
        left: bool = False,
        gid: str | None = None,
    ) -> None:
        """Write words; dollar signs in them are dollar signs."""
        text = self.ax.text(
            x,
            y,
            "",
            fontsize=size * self.scale,
            color=colour,
            weight="bold" if bold else "normal",
            ha="left" if left else "center",
            va="center_baseline",
            gid=gid,
            zorder=6,
        )
        write(text, words, mono=mono)

    def edges(self, chain: Chain, plan: Plan, hues: list[int] | None = None) -> None:
        """Draw every arrow with its label; ``hues`` are the colours of the tokens."""
        from matplotlib.patches import PathPatch, Polygon, Rectangle
        from matplotlib.path import Path

        hues = token_colours(chain) if hues is None else hues
        edges = chain.edges()
        tokens = edges.token[plan.kept]
        sources = edges.source[plan.kept]
        for i, curve in enumerate(plan.curves):
            colour = self.colours.tokens[hues[int(tokens[i])]]
            name = f"{sources[i]}-{tokens[i]}"
            width = plan.widths[i]
            length, half = HEAD[0] + 1.6 * width, HEAD[1] + 0.9 * width
            back = curve.back_from_tip(length)
            tip, foot = curve.at([curve.tip, back])
            piece = curve.piece(curve.start, curve.back_from_tip(length * 0.8))
            code = Path.LINETO if curve.is_loop else Path.CURVE3
            path = Path(piece, [Path.MOVETO, *[code] * (len(piece) - 1)])
            self.ax.add_patch(
                PathPatch(
                    path,
                    facecolor="none",
                    edgecolor=colour,
                    linewidth=width * self.scale,
                    capstyle="butt",
                    zorder=2,
                    gid=f"edge-{name}",
                )
            )
            ahead = (tip - foot) / (np.hypot(*(tip - foot)) + 1e-12)
            side = np.array([-ahead[1], ahead[0]]) * half
            head = np.array([tip, foot + side, foot - side])
            self.ax.add_patch(Polygon(head, facecolor=colour, edgecolor="none", zorder=3))
            place = plan.places[i]
            if place is not None:
                box = plan.sizes[i]
                self.ax.add_patch(
                    Rectangle(
                        tuple(place - box / 2),
                        *box,
                        facecolor=self.colours.paper,
                        edgecolor="none",
                        zorder=4,
                    )
                )
                ink = self.colours.token_inks[hues[int(tokens[i])]]
                self.text(
                    float(place[0]),
                    float(place[1]),
                    plan.labels[i],
                    LABEL_SIZE,
                    ink,
                    bold=True,
                    gid=f"edge-label-{name}",
                )

    def states(
        self, chain: Chain, plan: Plan, mass: Points | None, classes: CommunicatingClasses
    ) -> None:
        """Draw every disc: tint, outline, name, share of time."""
        from matplotlib.patches import Circle

        ring = np.full(chain.n_states, -1)
        for c, states in enumerate(classes.closed):
            ring[states] = c
        several = len(classes.closed) > 1
        absorbing = set(classes.absorbing.tolist())
        most = plan.most or (1.0 if mass is None else float(mass.max())) or 1e-300
        for s, name in enumerate(names_of(chain)):
            centre, radius = tuple(plan.centres[s]), float(plan.radii[s])
            transient = ring[s] < 0
            outline = self.colours.muted if transient else self.colours.ink
            if several and not transient:
                outline = self.colours.classes[int(ring[s]) % len(self.colours.classes)]
            base = Circle(
                centre,
                radius,
                facecolor=self.colours.paper,
                edgecolor="none",
                zorder=4,
                gid=f"disc-{s}",
            )
            self.ax.add_patch(base)
            tint = 0.0 if mass is None else float(mass[s]) / most
            if tint > 0:
                self.ax.add_patch(
                    Circle(
                        centre,
                        radius,
                        facecolor=self.colours.mass,
                        edgecolor="none",
                        alpha=round(0.04 + (STRONGEST - 0.04) * tint, 3),
                        zorder=4,
                    )
                )
            self._ring(centre, radius, outline, dashed=transient)
            if s in absorbing:
                self._ring(centre, radius - 3.5, outline, dashed=False)
            y = centre[1] + (5.0 if mass is not None else 0.0)
            self.text(
                centre[0],
                y,
                name,
                NAME_SIZE,
                self.colours.ink,
                bold=True,
                mono=True,
                gid=f"name-{s}",
            )
            if mass is not None:
                words = "transient" if transient and radius > 27 else percent(float(mass[s]))
                self.text(
                    centre[0], centre[1] - 9, words, MASS_SIZE, self.colours.ink, gid=f"mass-{s}"
                )

    def _ring(
        self, centre: tuple[float, float], radius: float, colour: str, *, dashed: bool
    ) -> None:
        from matplotlib.patches import Circle

        self.ax.add_patch(
            Circle(
                centre,
                radius,
                facecolor="none",
                edgecolor=colour,
                zorder=5,
                linewidth=1.3 * self.scale,
                linestyle=(0, (3, 2)) if dashed else "solid",
            )
        )

    def legend_entry(self, x: float, y: float, entry: Entry) -> None:
        """Draw one sign of the legend and what it means."""
        from matplotlib.lines import Line2D

        if entry.sign == "line":
            self.ax.add_line(
                Line2D([x, x + 20], [y, y], color=entry.colour, linewidth=2.6 * self.scale)
            )
        elif entry.sign:
            self._ring((x + 10, y), 6, entry.colour, dashed=entry.sign == "dashed")
            if entry.sign == "double":
                self._ring((x + 10, y), 3.5, entry.colour, dashed=False)
        at = x + (26 if entry.sign else 0)
        self.text(
            at,
            y,
            entry.words,
            LEGEND_SIZE,
            self.colours.muted,
            left=True,
            gid=f"legend-{x:.0f}-{y:.0f}",
        )
