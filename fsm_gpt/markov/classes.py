"""Communicating classes, and which of them can be left.

State j is *accessible* from i if some path of transitions of non-zero probability
leads from i to j; i and j *communicate* if each is accessible from the other. The
communicating classes partition the states. A class is *closed* if no transition
leaves it; a closed class of one state is *absorbing*; states in no closed class are
*transient*. The *period* of a class is the greatest common divisor of the lengths of
its cycles, and a class of period d splits into d *cyclic classes* that the chain
visits in turn.

All of this is decided by which probabilities are exactly zero: a state that stays
with probability 0.99999 is not absorbing.

References
----------
Norris (1997), Markov Chains, sections 1.2 and 1.8. Kemeny & Snell (1976), chapter 2.
Denardo (1977), Operations Research 25, 356-358 (the period from breadth-first levels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.result import Result, read_only
from fsm_gpt.storage import Edges

__all__ = ["CommunicatingClasses", "communicating_classes"]

Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class CommunicatingClasses(Result):
    """The classes of a chain; each class is an array of state ids in ascending order.

    Classes are ordered by their lowest state.
    """

    chain: Chain = field(repr=False)
    classes: tuple[Ids, ...]
    closed: tuple[Ids, ...]
    transient: Ids
    absorbing: Ids
    periods: tuple[int, ...]
    """The period of each closed class."""
    cyclic_classes: tuple[tuple[Ids, ...], ...]
    """The cyclic classes of each closed class, in the order in which they are visited."""

    @property
    def irreducible(self) -> bool:
        """Whether all states communicate."""
        return len(self.classes) == 1

    @property
    def aperiodic(self) -> bool:
        """Whether every closed class has period 1."""
        return all(period == 1 for period in self.periods)

    def __str__(self) -> str:
        n, k = self.chain.n_states, len(self.closed)
        m = len(self.classes)
        classes = "1 communicating class" if m == 1 else f"{m:,} communicating classes"
        lines = [
            f"{n:,} states in {classes}: {k:,} closed, {len(self.transient):,} transient states"
        ]
        for states, period in list(zip(self.closed, self.periods, strict=True))[:8]:
            what = "absorbing state" if len(states) == 1 else f"closed class of {len(states):,}"
            how = "" if len(states) == 1 else f", period {period}"
            lines.append(f"  {what}{how}: {_some(self.chain, states)}")
        if k > 8:
            lines.append(f"  ... and {k - 8:,} more closed classes")
        return "\n".join(lines)


def _some(chain: Chain, states: Ids, limit: int = 8) -> str:
    more = f", ... ({len(states):,} in all)" if len(states) > limit else ""
    return ", ".join(chain.labels(states[:limit])) + more


def communicating_classes(chain: Chain) -> CommunicatingClasses:
    """Which states communicate, which classes are closed, and their periods.

    >>> walk = Chain.from_matrix([[1, 0, 0], ["1/2", 0, "1/2"], [0, 0, 1]])
    >>> found = communicating_classes(walk)
    >>> found.absorbing, found.transient, found.periods
    (array([0, 2]), array([1]), (1, 1))
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    edges = chain.raw_edges()
    ones = np.ones(len(edges.source), dtype=np.int8)
    N = chain.n_states
    graph = csr_array((ones, (edges.source, edges.target)), shape=(N, N))
    count, member = connected_components(graph, directed=True, connection="strong")
    leaving = np.zeros(count, dtype=bool)
    leaving[member[edges.source[member[edges.source] != member[edges.target]]]] = True
    by_class = np.argsort(member, kind="stable")
    parts = np.split(by_class, np.flatnonzero(np.diff(member[by_class])) + 1)
    classes = sorted((part.astype(np.int64) for part in parts), key=lambda part: int(part[0]))
    closed = tuple(read_only(part) for part in classes if not leaving[member[part[0]]])
    transient = np.flatnonzero(leaving[member])
    cyclic = tuple(_cyclic_classes(edges, states, N) for states in closed)
    return CommunicatingClasses(
        chain,
        tuple(read_only(part) for part in classes),
        closed,
        read_only(transient, np.int64),
        read_only([part[0] for part in closed if len(part) == 1], np.int64),
        tuple(len(parts) for parts in cyclic),
        cyclic,
    )


def _cyclic_classes(edges: Edges, states: Ids, n_states: int) -> tuple[Ids, ...]:
    """The cyclic classes of a closed class; their number is its period.

    With levels by breadth-first search from one state, the period is the greatest
    common divisor of level[u] + 1 - level[v] over all transitions u -> v.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    place = np.full(n_states, -1, dtype=np.int64)
    place[states] = np.arange(len(states))
    inside = place[edges.source] >= 0
    source, target = place[edges.source[inside]], place[edges.target[inside]]
    ones = np.ones(len(source), dtype=np.int8)
    graph = csr_array((ones, (source, target)), shape=(len(states), len(states)))
    order, parent = breadth_first_order(graph, 0, directed=True)
    level = np.zeros(len(states), dtype=np.int64)
    for state in order[1:].tolist():
        level[state] = level[parent[state]] + 1
    period = math.gcd(*np.unique(np.abs(level[source] + 1 - level[target])).tolist())
    return tuple(read_only(states[level % period == phase]) for phase in range(period))
