"""Communicating classes, and which of them can be left.

State j is *accessible* from i if some path of transitions of non-zero probability
leads from i to j; i and j *communicate* if each is accessible from the other. The
communicating classes partition the states. A class is *closed* if no transition
leaves it; a closed class of one state is *absorbing*; states in no closed class are
*transient*. The *period* of a class is the greatest common divisor of the lengths of
its cycles, and a class of period d splits into d *cyclic classes* that the chain
visits in turn.

With levels by breadth-first search from one state, the period is the greatest common divisor
of level[u] + 1 - level[v] over all transitions u -> v of the class. Large chains are searched
by compiled loops that need no list of transitions (:mod:`fsm_gpt.kernels.graph`).

All of this is decided by which probabilities are exactly zero: a state that stays
with probability 0.99999 is not absorbing.

References
----------
Norris (1997), Markov Chains, sections 1.2 and 1.8. Kemeny & Snell (1976), chapter 2.
Denardo (1977), Operations Research 25, 356-358 (the period from breadth-first levels).
Tarjan (1972), SIAM J. Comput. 1, 146-160 (strong components).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.result import Result, frozen, read_only, to_json
from fsm_gpt.storage import Edges

__all__ = ["CommunicatingClasses", "communicating_classes"]

Ids: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]

#: Above so many states the compiled loops are worth loading.
COMPILED_ABOVE = 20_000


@dataclass(frozen=True, eq=False, repr=False)
class CommunicatingClasses(Result):
    """The classes of a chain; each class is an array of state ids in ascending order.

    Classes are ordered by their lowest state.
    """

    chain: Chain = field(repr=False)
    member: Places
    """The number of each state's communicating class, shape (N,)."""
    n_classes: int
    closed: tuple[Ids, ...]
    transient: Ids
    absorbing: Ids
    periods: tuple[int, ...]
    """The period of each closed class."""
    cyclic_classes: tuple[tuple[Ids, ...], ...]
    """The cyclic classes of each closed class, in the order in which they are visited."""

    @cached_property
    def classes(self) -> tuple[Ids, ...]:
        """Every communicating class."""
        return tuple(_parts(self.member, self.n_classes))

    @property
    def irreducible(self) -> bool:
        """Whether all states communicate."""
        return self.n_classes == 1

    @property
    def aperiodic(self) -> bool:
        """Whether every closed class has period 1."""
        return all(period == 1 for period in self.periods)

    def to_dict(self) -> dict[str, Any]:
        """The structure as plain lists and numbers, ready for JSON."""
        return {**super().to_dict(), "classes": to_json(self.classes)}

    def __str__(self) -> str:
        n, m, k = self.chain.n_states, self.n_classes, len(self.closed)
        classes = "1 communicating class" if m == 1 else f"{m:,} communicating classes"
        transient = len(self.transient)
        lines = [f"{n:,} states in {classes}: {k:,} closed, {transient:,} transient states"]
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
    require_complete(chain, "communicating classes")
    return remembered(chain, "communicating classes", lambda: _find(chain))


def _find(chain: Chain) -> CommunicatingClasses:
    if _goes_anywhere(chain):
        every = frozen(np.arange(chain.n_states))
        one, none = np.zeros(1, dtype=np.int32), read_only([], np.int64)
        member = np.broadcast_to(one, (chain.n_states,))  # which takes no memory
        alone = read_only(every[:1] if len(every) == 1 else [], np.int64)
        return CommunicatingClasses(chain, member, 1, (every,), none, alone, (1,), ((every,),))
    compiled = chain.n_states > COMPILED_ABOVE or chain.on_disk
    search = _Compiled(chain) if compiled else _Listed(chain)
    member, count, leaving = search.components()
    closed_numbers = np.flatnonzero(~leaving)
    if count == 1:
        closed = [np.arange(chain.n_states)]
    else:
        inside = np.flatnonzero(~leaving[member])
        number = np.searchsorted(closed_numbers, member[inside])
        closed = [inside[part] for part in _parts(number, len(closed_numbers))]
    closed = [frozen(states) for states in closed]
    with_loop = set(member[_can_follow_themselves(chain)].tolist())  # these have period 1
    cyclic = tuple(
        (states,) if int(member[states[0]]) in with_loop else search.cyclic_classes(states)
        for states in closed
    )
    return CommunicatingClasses(
        chain,
        frozen(member),
        count,
        tuple(closed),
        frozen(np.flatnonzero(leaving[member])),
        read_only([states[0] for states in closed if len(states) == 1], np.int64),
        tuple(len(parts) for parts in cyclic),
        cyclic,
    )


def _goes_anywhere(chain: Chain) -> bool:
    """Whether every token can follow every window, as under a softmax.

    Then L tokens lead from any window to any other, and a window of one token repeated can
    follow itself: a single class, of period 1.
    """
    if chain.on_disk:
        return chain.n_edges == chain.n_states * chain.n_tokens
    return chain.is_window and bool((chain.next_token != 0).all())


def _positive(chain: Chain) -> npt.NDArray[np.bool_]:
    """Which tokens can follow each window, shape (N, V)."""
    N, V = chain.n_states, chain.n_tokens
    chain.require_memory(N * (V + 30), "communicating classes")
    allowed = np.empty((N, V), dtype=bool)
    for first, rows in chain.row_blocks():
        np.not_equal(rows, 0, out=allowed[first : first + len(rows)])
    return allowed


def _can_follow_themselves(chain: Chain) -> Ids:
    """The states with a transition to themselves; among windows only those of one token can."""
    if not chain.is_window:
        edges = chain.raw_edges()
        return np.asarray(edges.source[edges.source == edges.target])
    N, V = chain.n_states, chain.n_tokens
    tokens = np.arange(V)
    windows = tokens * ((N - 1) // max(V - 1, 1))  # token (1 + V + V^2 + ...)
    own = [chain.rows(s, s + 1)[0, t] != 0 for t, s in enumerate(windows.tolist())]
    return np.asarray(windows[own])


def _parts(number: npt.NDArray[Any], count: int) -> list[Ids]:
    """The places of each number from 0 to count - 1, ascending."""
    if count == 1:
        return [np.arange(len(number))]
    order = np.argsort(number, kind="stable")
    return np.split(order, np.searchsorted(number[order], np.arange(1, count)))


def _by_phase(states: Ids, level: npt.NDArray[Any], period: int) -> tuple[Ids, ...]:
    if period == 1:
        return (states,)
    return tuple(frozen(states[level % period == phase]) for phase in range(period))


class _Listed:
    """Structure from a list of all transitions, by scipy: for chains of thousands of states."""

    def __init__(self, chain: Chain) -> None:
        self.edges: Edges = chain.raw_edges()
        self.n_states = chain.n_states

    def components(self) -> tuple[Places, int, npt.NDArray[np.bool_]]:
        """Each state's class, their number, and which of them can be left."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        source, target = self.edges.source, self.edges.target
        ones = np.ones(len(source), dtype=np.int8)
        graph = csr_array((ones, (source, target)), shape=(self.n_states, self.n_states))
        count, found = connected_components(graph, directed=True, connection="strong")
        # Numbered in the order of their lowest state.
        _, first = np.unique(found, return_index=True)
        number = np.empty(count, dtype=np.int32)
        number[np.argsort(first)] = np.arange(count)
        member = number[found]
        leaving = np.zeros(count, dtype=bool)
        leaving[member[source[member[source] != member[target]]]] = True
        return member, int(count), leaving

    def cyclic_classes(self, states: Ids) -> tuple[Ids, ...]:
        """The cyclic classes of a closed class; their number is its period."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order

        place = np.full(self.n_states, -1, dtype=np.int64)
        place[states] = np.arange(len(states))
        inside = place[self.edges.source] >= 0
        source, target = place[self.edges.source[inside]], place[self.edges.target[inside]]
        ones = np.ones(len(source), dtype=np.int8)
        graph = csr_array((ones, (source, target)), shape=(len(states), len(states)))
        order, parent = breadth_first_order(graph, 0, directed=True)
        level = np.zeros(len(states), dtype=np.int64)
        for state in order[1:].tolist():
            level[state] = level[parent[state]] + 1
        period = math.gcd(*np.unique(np.abs(level[source] + 1 - level[target])).tolist())
        return _by_phase(states, level, period)


class _Compiled:
    """The same by compiled loops, without a list of transitions where windows imply them."""

    def __init__(self, chain: Chain) -> None:
        nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
        self.graph: tuple[bool, npt.NDArray[np.bool_], Ids, Places]
        if chain.is_window:
            self.graph = (True, _positive(chain), *nothing)
        else:
            edges = chain.raw_edges()
            start = np.searchsorted(edges.source, np.arange(chain.n_states + 1)).astype(np.int64)
            self.graph = (False, np.zeros((0, 0), bool), start, edges.target.astype(np.int32))
        self.level = np.full(chain.n_states, -1, dtype=np.int32)

    def components(self) -> tuple[Places, int, npt.NDArray[np.bool_]]:
        """Each state's class, their number, and which of them can be left."""
        from fsm_gpt.kernels.graph import leaving, strong_components

        member, count = strong_components(*self.graph)
        return member, count, leaving(*self.graph, member, count)

    def cyclic_classes(self, states: Ids) -> tuple[Ids, ...]:
        """The cyclic classes of a closed class; their number is its period."""
        from fsm_gpt.kernels.graph import levels, period

        reached = levels(*self.graph, int(states[0]), self.level)
        return _by_phase(states, self.level[states], int(period(*self.graph, reached, self.level)))
