"""One state graph at many steps, drawn so that what moves is what changed.

Every state and every label stands in one place in all frames (that of a loop stays beside it); the
sheet is the same, and so is the scale of masses. What changes from frame to frame is what the chain
says: widths and percentages of arrows, areas and tints of discs, outlines of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.report.graph import (
    GRAPH_LIMIT,
    MOST_EDGES,
    arranged,
    edge_label,
    edge_width,
    label_sizes,
    mass_of,
    radii_of,
)
from fsm_gpt.report.layout import positions
from fsm_gpt.report.pen import Entry, Plan
from fsm_gpt.report.routing import Curve, fitted
from fsm_gpt.report.sheet import Sheet, bounds, draw_graph, legend_entries, sheet
from fsm_gpt.report.style import palette, quiet_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Reel", "reel"]

Points: TypeAlias = npt.NDArray[np.float64]
#: A transition: its state and its token.
Key: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Reel:
    """Frames that are ready to be drawn."""

    chains: tuple[Chain, ...]
    masses: tuple[Points | None, ...]
    plans: tuple[Plan, ...]
    titles: tuple[str, ...]
    sheets: tuple[Sheet, Sheet]
    """In light and dark."""

    def frame(self, i: int, *, ax: Axes | None = None, dark: bool = False) -> Axes:
        """Draw one frame, on the axes given or on a new figure."""
        with quiet_fonts():
            return draw_graph(
                self.chains[i],
                self.plans[i],
                self.masses[i],
                communicating_classes(self.chains[i]),
                self.sheets[dark],
                ax=ax,
                dark=dark,
                title=self.titles[i],
            )


def reel(chains: Sequence[Chain], titles: Sequence[str]) -> Reel:
    """Plan the graphs of chains over the same contexts as frames of one picture.

    Raises
    ------
    StateSpaceTooLarge
        More than 32 states.

    >>> two = [Chain([[0.5, 0.5], [p, 1 - p]]) for p in (0.5, 0.1)]
    >>> frames = reel(two, ["before", "after"])
    >>> [plan.labels[2] for plan in frames.plans]
    ['0(50%)', '0(10%)']
    >>> frames.plans[0].places[2].tolist() == frames.plans[1].places[2].tolist()
    True
    """
    first = chains[0]
    if first.n_states > GRAPH_LIMIT:
        raise StateSpaceTooLarge(
            f"movie: {first.n_states:,} states are too many to be read as a graph; it stops at "
            f"{GRAPH_LIMIT}. Watch a shorter context, or draw the numbers against the step with "
            f"learning_figure(watched)."
        )
    masses = [mass_of(chain) for chain in chains]
    most = max((float(mass.max()) for mass in masses if mass is not None), default=1.0)
    radii = [radii_of(chain, mass, most) for chain, mass in zip(chains, masses, strict=True)]
    widest = np.max(radii, axis=0)
    flows, sizes, target = _edges(chains, masses)
    by_flow = sorted(flows, key=lambda key: (-flows[key], key))
    keys = sorted(by_flow[:MOST_EDGES])
    pairs = [(source, target[source, token]) for source, token in keys]
    importance = np.array([flows[key] for key in keys])
    most_room = np.array([sizes[key] for key in keys]).reshape(-1, 2)
    centres, curves, places = arranged(positions(first), widest, pairs, most_room, importance)
    plans = tuple(
        _plan(chain, keys, pairs, centres, curves, places, most_room, radius, most)
        for chain, radius in zip(chains, radii, strict=True)
    )
    whole = Plan(centres, widest, curves, [], [], places, most_room, [])
    unlabelled = sum(place is None for place in places)
    sheets = []
    for dark in (False, True):
        entries: dict[tuple[str, str], Entry] = {}
        for chain in chains:
            missing = (len(flows) - len(keys), unlabelled)
            for one in legend_entries(chain, communicating_classes(chain), missing, palette(dark)):
                entries.setdefault((one.sign, one.words), one)
        sheets.append(sheet(*bounds(whole), [t for t in titles if t], list(entries.values())))
    return Reel(tuple(chains), tuple(masses), plans, tuple(titles), (sheets[0], sheets[1]))


def _edges(
    chains: Sequence[Chain], masses: Sequence[Points | None]
) -> tuple[dict[Key, float], dict[Key, Points], dict[Key, int]]:
    """Every transition of any frame: its largest flow, its largest label, where it leads."""
    flows: dict[Key, float] = {}
    sizes: dict[Key, Points] = {}
    targets: dict[Key, int] = {}
    for chain, mass in zip(chains, masses, strict=True):
        edges = chain.edges()
        weight = edges.probability.astype(float)
        flow = weight if mass is None else weight * (mass[edges.source] + 1e-9)
        labels = [
            edge_label(chain, int(t), p)
            for t, p in zip(edges.token, edges.probability, strict=True)
        ]
        room = label_sizes(labels)
        for i, (s, t, v) in enumerate(zip(*(column.tolist() for column in edges[:3]), strict=True)):
            flows[s, t] = max(flows.get((s, t), 0.0), float(flow[i]))
            sizes[s, t] = np.maximum(sizes.get((s, t), room[i]), room[i])
            targets[s, t] = v
    return flows, sizes, targets


def _plan(
    chain: Chain,
    keys: list[Key],
    pairs: list[tuple[int, int]],
    centres: Points,
    curves: list[Curve],
    places: list[Points | None],
    sizes: Points,
    radii: Points,
    most: float,
) -> Plan:
    """One frame: the transitions that it has, cut at the rims of its own discs."""
    edges = chain.edges()
    row = {key: i for i, key in enumerate(_keys(chain))}
    there = [k for k, key in enumerate(keys) if key in row]
    kept = [row[keys[k]] for k in there]
    labels = [edge_label(chain, int(edges.token[i]), edges.probability[i]) for i in kept]
    planned = [curves[k] for k in there]
    now = fitted(planned, [pairs[k] for k in there], centres, radii)
    stand = [
        _with_loop(places[k], old, new) for k, old, new in zip(there, planned, now, strict=True)
    ]
    widths = [edge_width(float(edges.probability[i])) for i in kept]
    frame = Plan(centres, radii, now, widths, labels, stand, sizes[there], kept)
    return replace(frame, most=most)


def _keys(chain: Chain) -> list[Key]:
    edges = chain.edges()
    return list(zip(edges.source.tolist(), edges.token.tolist(), strict=True))


def _with_loop(place: Points | None, planned: Curve, now: Curve) -> Points | None:
    """The label of a loop moves with it where its disc is smaller than planned."""
    if place is None or not now.is_loop:
        return place
    return np.asarray(place + now.at(0.5)[0] - planned.at(0.5)[0])
