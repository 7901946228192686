"""The state graph: every state a disc, every transition an arrow that says token(probability).

Area and tint of a disc are the share of time spent there; the width and the hue of an
arrow are the probability and the token. Transitions of probability zero are not
there. Outlines tell the classes: solid for a closed class, double for an absorbing
state, dashed for transient states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotUnique, StateSpaceTooLarge
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.report.fonts import isolated, text_size
from fsm_gpt.report.layout import positions
from fsm_gpt.report.pen import LABEL_SIZE, NAME_SIZE, PADDING, Plan, names_of
from fsm_gpt.report.routing import Curve, place_labels, route
from fsm_gpt.report.sheet import bounds, draw_graph, legend_entries, sheet
from fsm_gpt.report.style import palette, percent, quiet_fonts, short

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes

__all__ = [
    "GRAPH_LIMIT",
    "MOST_EDGES",
    "arranged",
    "as_networkx",
    "edge_label",
    "edge_width",
    "label_sizes",
    "mass_of",
    "radii_of",
    "state_graph",
]

Points: TypeAlias = npt.NDArray[np.float64]

#: A graph of more states is not readable; the context table is.
GRAPH_LIMIT = 32
#: Of more transitions than this only the most travelled are drawn, and the figure says so.
MOST_EDGES = 80

STEP = 122.0


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
    mass = mass_of(chain, pi)
    plan = _plan(chain, mass)
    dropped = len(chain.edges().source) - len(plan.kept)
    unlabelled = sum(place is None for place in plan.places)
    entries = legend_entries(chain, classes, (dropped, unlabelled), palette(dark))
    paper = sheet(*bounds(plan), [title] if title else [], entries if legend else [])
    with quiet_fonts():
        return draw_graph(chain, plan, mass, classes, paper, ax=ax, dark=dark, title=title)


def mass_of(chain: Chain, pi: npt.ArrayLike | None = None) -> Points | None:
    """The mass of each state: the stationary distribution where nothing else is given."""
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
    radii = radii_of(chain, mass)
    labels = [edge_label(chain, int(edges.token[i]), edges.probability[i]) for i in kept]
    widths = [0.8 if symbolic else edge_width(float(weight[i])) for i in kept]
    sizes = label_sizes(labels)
    pairs = [(int(edges.source[i]), int(edges.target[i])) for i in kept]
    centres, curves, places = arranged(positions(chain), radii, pairs, sizes, flow[kept])
    return Plan(centres, radii, curves, widths, labels, places, sizes, kept)


def edge_label(chain: Chain, token: int, probability: Any) -> str:
    """What stands on an arrow: token(probability)."""
    name = isolated(short(chain.vocabulary.shown[token], 8))
    return f"{name}({short(percent(probability), 14)})"


def edge_width(probability: float) -> float:
    """The width of an arrow, in points."""
    return 0.7 + 3.1 * probability


def label_sizes(labels: Sequence[str]) -> Points:
    """Width and height of each label with the room around it, shape (n, 2)."""
    sizes = np.array([text_size(t, LABEL_SIZE, weight="bold") for t in labels])
    return np.asarray(sizes.reshape(-1, 2) + PADDING)


def arranged(
    unit: Points,
    radii: Points,
    pairs: Sequence[tuple[int, int]],
    sizes: Points,
    importance: Points,
) -> tuple[Points, list[Curve], list[Points | None]]:
    """Where discs, arrows and labels stand: the canvas grows until every label finds room."""
    step = STEP * max(1.0, float(radii.mean()) / 30)
    growths = (1.0, 1.15, 1.35, 1.6, 1.9) if len(pairs) <= 48 else (1.0, 1.6)
    for growth in growths:
        centres = unit * step * growth
        curves = route(centres, radii, pairs)
        places = place_labels(curves, sizes, centres, radii, importance)
        if all(place is not None for place in places):
            break
    return centres, curves, places


def radii_of(chain: Chain, mass: Points | None, most: float | None = None) -> Points:
    """Radius of each disc: room for the name, and an area that grows with the mass.

    ``most`` is the mass of the largest disc, the largest of this chain if not given.
    """
    least = np.array(
        [
            max(20.0, float(text_size(name, NAME_SIZE, weight="bold", mono=True)[0]) / 2 + 5)
            for name in names_of(chain)
        ]
    )
    if mass is None:
        return least
    share = mass / max(float(mass.max()) if most is None else most, 1e-300)
    return np.asarray(np.sqrt(least**2 + share * (35.0**2 - 20.0**2)))
