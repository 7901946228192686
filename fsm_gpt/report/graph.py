"""The state graph: every state a disc, every transition an arrow that says token(probability).

Area and tint of a disc are the share of time spent there; the width and the hue of an
arrow are the probability and the token. Transitions of probability zero are not
there. Outlines tell the classes: solid for a closed class, double for an absorbing
state, dashed for transient states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotUnique, StateSpaceTooLarge
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.report.layout import positions
from fsm_gpt.report.pen import (
    LABEL_SIZE,
    NAME_SIZE,
    PADDING,
    Entry,
    Pen,
    Plan,
    names_of,
    text_size,
)
from fsm_gpt.report.routing import place_labels, route
from fsm_gpt.report.style import (
    Palette,
    axes_for,
    palette,
    percent,
    quiet_fonts,
    short,
    token_colours,
)

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes

__all__ = ["GRAPH_LIMIT", "as_networkx", "state_graph"]

Points: TypeAlias = npt.NDArray[np.float64]

#: A graph of more states is not readable; the context table is.
GRAPH_LIMIT = 32
#: Of more transitions than this only the most travelled are drawn, and the figure says so.
MOST_EDGES = 80

STEP = 122.0
MARGIN = 8.0


def as_networkx(chain: Chain) -> networkx.MultiDiGraph[str]:
    """The chain as a networkx graph: nodes are labels, edges carry token and probability.

    >>> as_networkx(Chain([[0.5, 0.5], [0, 1]])).number_of_edges()
    3
    """
    import networkx

    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    names = chain.labels()
    graph.add_nodes_from(names)
    edges = chain.edges()
    for u, t, v, p in zip(*(column.tolist() for column in edges), strict=True):
        graph.add_edge(names[u], names[v], token=chain.vocabulary[t], probability=p)
    return graph


def state_graph(
    chain: Chain | MinimalMachine,
    *,
    pi: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    dark: bool = False,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the chain as a directed graph, each edge labelled token(probability).

    Parameters
    ----------
    chain
        The chain, or a machine of :func:`fsm_gpt.minimize`, whose states are called by what
        the contexts that they stand for end in ("…01"), and how many more there are.
    pi
        The mass of each state, shape (N,); the stationary distribution where it is
        unique and nothing is given.
    ax
        Axes to draw on; a new figure if not given (``.figure`` of what is returned).

    Raises
    ------
    StateSpaceTooLarge
        More than 32 states.

    >>> ax = state_graph(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> sorted(text.get_text() for text in ax.texts if text.get_gid().startswith("edge-label"))
    ['0(25%)', '0(50%)', '1(50%)', '1(75%)']
    """
    chain = chain.chain if isinstance(chain, MinimalMachine) else chain
    N = chain.n_states
    if N > GRAPH_LIMIT:
        raise StateSpaceTooLarge(
            f"state_graph: {N:,} states are too many to be read as a graph; it stops at "
            f"{GRAPH_LIMIT}. Use context_table(chain), which shows hundreds of contexts at once."
        )
    classes = communicating_classes(chain)
    mass = _mass(chain, pi)
    plan = _plan(chain, mass)
    dropped = len(chain.edges().source) - len(plan.kept)
    unlabelled = sum(place is None for place in plan.places)
    with quiet_fonts():
        return _draw(chain, plan, mass, classes, ax, dark, title, legend, (dropped, unlabelled))


def _mass(chain: Chain, pi: npt.ArrayLike | None) -> Points | None:
    if pi is not None:
        return np.asarray(pi, dtype=float)
    if chain.kind == "symbolic":
        return None
    try:
        return np.asarray(stationary_distribution(chain).pi, dtype=float)
    except NotUnique:
        return None


def _plan(chain: Chain, mass: Points | None) -> Plan:
    """Positions, curves and labels; the canvas grows until every label finds room."""
    edges = chain.edges()
    symbolic = chain.kind == "symbolic"
    weight = np.ones(len(edges.source)) if symbolic else edges.probability.astype(float)
    flow = weight if mass is None else weight * (mass[edges.source] + 1e-9)
    kept = sorted(np.argsort(-flow, kind="stable")[:MOST_EDGES].tolist())
    radii = _radii(chain, mass)
    labels = [
        f"{short(chain.vocabulary.shown[int(edges.token[i])], 8)}"
        f"({short(percent(edges.probability[i]), 14)})"
        for i in kept
    ]
    widths = [0.8 if symbolic else 0.7 + 3.1 * float(weight[i]) for i in kept]
    sizes = np.array([text_size(t, LABEL_SIZE, weight="bold") for t in labels]) + PADDING
    pairs = [(int(edges.source[i]), int(edges.target[i])) for i in kept]
    unit = positions(chain)
    step = STEP * max(1.0, float(radii.mean()) / 30)
    growths = (1.0, 1.15, 1.35, 1.6, 1.9) if len(kept) <= 48 else (1.0, 1.6)
    for growth in growths:
        centres = unit * step * growth
        curves = route(centres, radii, pairs)
        places = place_labels(curves, sizes.reshape(-1, 2), centres, radii, flow[kept])
        if all(place is not None for place in places):
            break
    return Plan(centres, radii, curves, widths, labels, places, sizes.reshape(-1, 2), kept)


def _radii(chain: Chain, mass: Points | None) -> Points:
    """Radius of each disc: room for the name, and an area that grows with the mass."""
    least = np.array(
        [
            max(20.0, float(text_size(name, NAME_SIZE, weight="bold", mono=True)[0]) / 2 + 5)
            for name in names_of(chain)
        ]
    )
    if mass is None:
        return least
    share = mass / max(float(mass.max()), 1e-300)
    return np.asarray(np.sqrt(least**2 + share * (35.0**2 - 20.0**2)))


def _bounds(plan: Plan) -> tuple[Points, Points]:
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


def _draw(
    chain: Chain,
    plan: Plan,
    mass: Points | None,
    classes: CommunicatingClasses,
    ax: Axes | None,
    dark: bool,
    title: str | None,
    legend: bool,
    missing: tuple[int, int],
) -> Axes:
    colours = palette(dark)
    low, high = _bounds(plan)
    entries = _legend_entries(chain, classes, missing, colours) if legend else []
    top = 26.0 if title else 0.0
    widest = max(
        (text_size(title, 11, weight="bold")[0] + 2 * MARGIN if title else 0.0),
        min(440.0, sum(e.width for e in entries)) + 2 * MARGIN,
        high[0] - low[0],
    )
    slack = widest - (high[0] - low[0])
    low[0], high[0] = low[0] - slack / 2, high[0] + slack / 2
    rows = _legend_rows(entries, widest - 2 * MARGIN)
    bottom = 17.0 * len(rows) + (8.0 if rows else 0.0)
    width, height = high - low + (0, top + bottom)
    ax = axes_for(ax, (width / 72, height / 72), dark=dark, bare=True)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1] - bottom, high[1] + top)
    ax.set_aspect("equal")
    pen = Pen(ax, colours, _scale(ax, width, height))
    pen.edges(chain, plan)
    pen.states(chain, plan, mass, classes)
    if title:
        pen.text(low[0] + MARGIN, high[1] + top - 15, title, 11, colours.ink, bold=True, left=True)
    y = low[1] - 8
    for row in rows:
        x = low[0] + MARGIN
        for entry in row:
            pen.legend_entry(x, y, entry)
            x += entry.width
        y -= 17
    return ax


def _scale(ax: Axes, width: float, height: float) -> float:
    """Points on paper for each point of the plan."""
    box = ax.get_position()
    figure = ax.get_figure(root=True)
    assert figure is not None
    inches = figure.get_size_inches() * (box.width, box.height)
    return float(min(inches[0] * 72 / width, inches[1] * 72 / height))


def _legend_entries(
    chain: Chain, classes: CommunicatingClasses, missing: tuple[int, int], colours: Palette
) -> list[Entry]:
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


def _legend_rows(entries: list[Entry], width: float) -> list[list[Entry]]:
    rows: list[list[Entry]] = []
    left = 0.0
    for entry in entries:
        if not rows or entry.width > left:
            rows.append([])
            left = width
        rows[-1].append(entry)
        left -= entry.width
    return rows
