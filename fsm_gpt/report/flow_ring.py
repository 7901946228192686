"""The flow ring: how the time runs through some hundreds of states.

States stand on a circle in their own order, that of contexts read as numbers, clockwise from the
top. An arc leads from s to s' for each token, as wide as the *stationary flow* pi(s) P(s, s'),
the share of all steps that take it, and of the token's hue. Discs have the area and the tint of
the share of time, as in the state graph. What flows in flows out, so where the arcs are wide a
text runs round.

The widest arcs are as wide as their flow exactly. The others are drawn together in steps of
width, so that thousands of them make a small file; what would be thinner than a line can be is
fainter instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidChain, StateSpaceTooLarge
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.report.fonts import text_size, write
from fsm_gpt.report.pen import Entry, Pen
from fsm_gpt.report.sheet import MARGIN, Sheet, sheet
from fsm_gpt.report.style import (
    STRONGEST,
    Palette,
    axes_for,
    palette,
    percent,
    quiet_fonts,
    short,
    token_colours,
)
from fsm_gpt.rows import Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RING_LIMIT", "flow_ring"]

Points: TypeAlias = npt.NDArray[np.float64]

#: A ring of more states cannot be told from a disc.
RING_LIMIT = 512
#: At most so many arcs are drawn, those with the most flow.
MOST_ARCS = 4000
#: So many arcs are drawn one by one, each as wide as its flow.
EXACT = 160
#: Radius of the ring, the widest arc, the thinnest, and the largest disc, in points.
RADIUS, WIDEST, THINNEST, DISC = 190.0, 9.0, 0.22, 11.0
#: All arcs together, laid side by side, are at most so wide.
TOGETHER = 210.0
#: Steps of width below the thinnest line, after which an arc is no fainter.
FAINTEST = -20
#: Letters of names, and how far apart they stand along the ring.
LETTERS, SPACING = 8.0, 8.6
#: How far an arc bends to its right, as a part of its length, so that there and back differ.
ASIDE = 0.07


@dataclass(frozen=True, eq=False)
class _Arcs:
    """The arcs that are drawn, the least flow first."""

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    token: npt.NDArray[np.int64]
    flow: Points
    #: How many there are besides, and how much of the flow they have.
    n_left_out: int
    left_out: float


def flow_ring(
    chain: Chain,
    *,
    pi: Numbers | None = None,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """States on a circle, and arcs as wide as the share of steps that take them.

    Parameters
    ----------
    pi
        The mass of each state, shape (N,); the stationary distribution if not given.

    Raises
    ------
    StateSpaceTooLarge
        More than 512 states.
    NotUnique
        The chain has several closed classes.
    InvalidChain
        The rows hold symbols.

    >>> ax = flow_ring(Chain([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.1, 0.9]]))
    >>> sorted(p.get_gid() for p in ax.patches if (p.get_gid() or "").startswith("flow"))[:2]
    ['flow-0-0', 'flow-0-1']
    """
    from fsm_gpt.report.room import keep_apart

    N = chain.n_states
    if N > RING_LIMIT:
        raise StateSpaceTooLarge(
            f"flow_ring: {N:,} states are too many for a ring; it stops at {RING_LIMIT}. Use "
            f"mass_map(chain) and suffixes(chain), which show any number of contexts."
        )
    if chain.kind == "symbolic":
        raise InvalidChain(
            "flow_ring: the rows hold symbols, which have no size. Put numbers in for them."
        )
    mass = np.asarray(stationary_distribution(chain).pi if pi is None else pi, dtype=float)
    arcs = _arcs(chain, mass)
    colours = palette(dark)
    names = [short(name, 16) for name in chain.labels()]
    named = _named(mass)
    around = max((_width(names[s]) for s in named), default=0.0)
    reach = RADIUS + DISC + 4 + 1.12 * around + MARGIN
    corner = np.array([reach, reach])
    entries = _entries(chain, arcs, N - len(named), colours) if legend else []
    paper = sheet(-corner, corner, [title] if title else [], entries)
    with quiet_fonts():
        ax, pen = _paper(ax, paper, colours, dark=dark)
        place = _places(N)
        _draw_arcs(pen, place, arcs, token_colours(chain))
        _draw_discs(pen, place, mass)
        _draw_names(pen, place, names, named)
        _draw_frame(pen, paper, title)
        keep_apart(ax, planned=pen.scale)
    return ax


def _arcs(chain: Chain, mass: Points) -> _Arcs:
    edges = chain.edges()
    flow = mass[edges.source] * edges.probability.astype(float)
    there = np.flatnonzero(flow > 0)
    order = there[np.argsort(flow[there], kind="stable")]
    left, kept = order[: max(0, len(order) - MOST_ARCS)], order[-MOST_ARCS:]
    return _Arcs(
        np.asarray(edges.source[kept], dtype=np.int64),
        np.asarray(edges.target[kept], dtype=np.int64),
        np.asarray(edges.token[kept], dtype=np.int64),
        flow[kept],
        len(left),
        float(flow[left].sum()),
    )


def _width(name: str) -> float:
    return float(text_size(name, LETTERS, mono=True)[0])


def _places(n: int) -> Points:
    """Where the states stand: clockwise from the top."""
    angle = math.pi / 2 - 2 * math.pi * np.arange(n) / n
    return RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _named(mass: Points) -> list[int]:
    """The states whose names find room: the heaviest first, each apart from those before."""
    n = len(mass)
    step = 2 * math.pi * RADIUS / n
    apart = max(1, math.ceil(SPACING / step))
    if apart == 1:
        return list(range(n))
    free = np.ones(n, dtype=bool)
    found = []
    for s in np.argsort(-mass, kind="stable").tolist():
        if free[s]:
            found.append(s)
            free[np.arange(s - apart + 1, s + apart) % n] = False
    return sorted(found)


def _paper(ax: Axes | None, paper: Sheet, colours: Palette, *, dark: bool) -> tuple[Axes, Pen]:
    width, height = (float(v) for v in paper.high - paper.low + (0, paper.top + paper.bottom))
    ax = axes_for(ax, (width / 72, height / 72), dark=dark, bare=True)
    ax.set_xlim(paper.low[0], paper.high[0])
    ax.set_ylim(paper.low[1] - paper.bottom, paper.high[1] + paper.top)
    ax.set_aspect("equal")
    return ax, Pen.on(ax, colours, width, height)


def _draw_frame(pen: Pen, paper: Sheet, title: str | None) -> None:
    pen.caption(paper.low[0] + MARGIN, paper.high[1] + paper.top - 15, title)
    pen.legend(paper.low[0] + MARGIN, paper.low[1] - 8, paper.rows)


# ---- arcs ----


def _points_per_flow(flow: Points) -> float:
    """The width of an arc that all steps take: the widest is not too wide, nor all together."""
    return min(WIDEST / float(flow[-1]), TOGETHER / float(flow.sum()))


def _curve(a: Points, b: Points, beside: int) -> Points:
    """Control points of an arc inside the ring, from one state to another.

    The nearer the two, the nearer the arc keeps to the ring; that to the state itself is a drop
    that hangs inwards.
    """
    if np.array_equal(a, b):
        inwards = -a / RADIUS
        across = np.array([-inwards[1], inwards[0]])
        depth = 40.0 + 6 * beside
        sides = depth * (inwards + 0.9 * across), depth * (inwards - 0.9 * across)
        return np.array([a, a + sides[0], a + sides[1], a])
    middle, way = (a + b) / 2, b - a
    far = float(np.hypot(*way)) / (2 * RADIUS)  # 1 for states that lie opposite
    right = np.array([way[1], -way[0]])
    control = middle * (1 - 0.75 * far) + (ASIDE + 0.06 * beside) * right
    if far < 0.3:  # neighbours: deep enough to be seen
        control = control * (1 - 0.45 * (1 - far / 0.3))
    return np.array([a, control, b])


def _draw_arcs(pen: Pen, place: Points, arcs: _Arcs, hues: Sequence[int]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not len(arcs.flow):
        return
    widths = _points_per_flow(arcs.flow) * arcs.flow
    # Steps of a quarter of a doubling; what is much thinner than the thinnest line is faint.
    with np.errstate(divide="ignore"):
        steps = np.clip(np.round(4 * np.log2(widths / THINNEST)), FAINTEST, None).astype(int)
    seen: dict[tuple[int, int], int] = {}
    together: dict[tuple[int, int], list[Points]] = {}
    single: list[tuple[int, Points]] = []
    for i in range(len(arcs.flow) - 1, -1, -1):
        pair = int(arcs.source[i]), int(arcs.target[i])
        beside = seen[pair] = seen.get(pair, -1) + 1
        curve = _curve(place[pair[0]], place[pair[1]], beside)
        if i >= len(arcs.flow) - EXACT:
            single.append((i, curve))
        else:
            key = int(steps[i]), hues[int(arcs.token[i])]
            together.setdefault(key, []).append(curve)

    codes_of = {3: [Path.MOVETO, *[Path.CURVE3] * 2], 4: [Path.MOVETO, *[Path.CURVE4] * 3]}

    def draw(curves: Sequence[Points], width: float, hue: int, gid: str | None) -> None:
        codes = [code for curve in curves for code in codes_of[len(curve)]]
        strength = min(0.9, 0.36 + 0.54 * width)
        if width < THINNEST:
            strength, width = strength * math.sqrt(width / THINNEST), THINNEST
        patch = PathPatch(
            Path(np.concatenate(list(curves)), codes),
            facecolor="none",
            edgecolor=pen.colours.tokens[hue],
            linewidth=width * pen.scale,
            alpha=round(strength, 3),
            capstyle="butt",
            zorder=2,
            gid=gid,
        )
        patch.set_in_layout(False)
        pen.ax.add_patch(patch)

    for (step, hue), curves in sorted(together.items()):
        draw(curves, THINNEST * 2 ** (step / 4), hue, None)
    for i, curve in reversed(single):
        hue, width = hues[int(arcs.token[i])], float(widths[i])
        draw([curve], width, hue, f"flow-{arcs.source[i]}-{arcs.token[i]}")
        if width > 1.6 and len(curve) == 3:
            _head(pen, curve, width, pen.colours.tokens[hue])


def _head(pen: Pen, curve: Points, width: float, colour: str) -> None:
    """Three quarters along a wide arc, an arrow says which way it goes."""
    from matplotlib.patches import Polygon

    def at(t: float) -> Points:
        points = curve
        while len(points) > 1:
            points = points[:-1] * (1 - t) + points[1:] * t
        return np.asarray(points[0])

    ahead = at(0.74) - at(0.72)
    ahead = ahead / (np.hypot(*ahead) + 1e-12)
    side = np.array([-ahead[1], ahead[0]])
    tip, half = at(0.73) + ahead * (5 + 0.6 * width), 3.4 + 0.72 * width
    foot = tip - ahead * (7 + 1.3 * width)
    head = Polygon(
        np.array([tip, foot + side * half, foot - side * half]),
        facecolor=colour,
        edgecolor="none",
        zorder=3,
    )
    head.set_in_layout(False)
    pen.ax.add_patch(head)


# ---- states ----


def _draw_discs(pen: Pen, place: Points, mass: Points) -> None:
    """Area and tint are the share of time; the heaviest lie on top."""
    from matplotlib.patches import Circle

    most = float(mass.max()) or 1.0
    apart = 2 * math.pi * RADIUS / len(mass)
    least, largest = min(2.0, 0.42 * apart), min(DISC, max(5.0, 1.2 * apart))
    for s in np.argsort(mass, kind="stable").tolist():
        share = float(mass[s]) / most
        radius = math.sqrt(least**2 + share * (largest**2 - least**2))
        centre = (float(place[s, 0]), float(place[s, 1]))
        tint = round(0.04 + (STRONGEST - 0.04) * share, 3) if share else 0.0
        for colour, alpha, gid in (
            (pen.colours.paper, 1.0, f"disc-{s}"),
            (pen.colours.mass, tint, None),
        ):
            disc = Circle(centre, radius, facecolor=colour, alpha=alpha, edgecolor="none", zorder=4)
            disc.set_gid(gid)
            pen.ax.add_patch(disc)
        pen.ax.add_patch(
            Circle(
                centre,
                radius,
                facecolor="none",
                edgecolor=pen.colours.ink if share else pen.colours.muted,
                linewidth=min(0.7, 0.12 * apart) * pen.scale,
                zorder=5,
            )
        )


def _draw_names(pen: Pen, place: Points, names: Sequence[str], named: Sequence[int]) -> None:
    """Names outside the ring, turned outwards, upside down nowhere."""
    for s in named:
        x, y = place[s] * (RADIUS + DISC + 4) / RADIUS
        angle = math.degrees(math.atan2(y, x))
        left = abs(angle) > 90.001
        text = pen.ax.text(
            float(x),
            float(y),
            "",
            fontsize=LETTERS * pen.scale,
            color=pen.colours.ink,
            rotation=angle + 180 if left else angle,
            rotation_mode="anchor",
            ha="right" if left else "left",
            va="center",
            zorder=6,
            gid=f"name-{s}",
        )
        write(text, names[s], mono=True)


def _entries(chain: Chain, arcs: _Arcs, n_unnamed: int, colours: Palette) -> list[Entry]:
    hues, others = token_colours(chain), len(colours.tokens) - 1
    drawn = sorted(set(arcs.token.tolist()))
    entries = [
        Entry("line", colours.tokens[hues[t]], f"token {short(chain.vocabulary.shown[t])}")
        for t in drawn
        if hues[t] < others
    ]
    if any(hues[t] == others for t in drawn):
        entries.append(Entry("line", colours.tokens[others], "other tokens"))
    if len(arcs.flow):
        most = percent(float(arcs.flow[-1]))
        entries.append(Entry("", colours.muted, f"widest arc: {most} of all steps"))
    if arcs.n_left_out:
        share = percent(arcs.left_out)
        entries.append(Entry("", colours.muted, f"{arcs.n_left_out:,} arcs with {share} not drawn"))
    if n_unnamed:
        entries.append(Entry("", colours.muted, f"{n_unnamed:,} states without room for a name"))
    return entries
