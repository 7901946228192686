"""A part of a chain that is a chain of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fsm_gpt.build import edge_list
from fsm_gpt.compound import some_of
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.result import read_only
from fsm_gpt.rows import Numbers
from fsm_gpt.storage import EdgeList, Edges

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["reachable", "reached", "subchain"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Above so many states a compiled search is worth loading, from so few of them.
COMPILED_ABOVE, FEW = 20_000, 1000


def reachable(chain: Chain, start: Mask) -> Mask:
    """The states that some path from these states leads to, and these.

    >>> from fsm_gpt.chain import Chain
    >>> walk = Chain.from_matrix([[0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]])
    >>> reachable(walk, np.array([True, False, False])).tolist()
    [True, True, False]
    """
    first = np.flatnonzero(start)
    storage = chain._parts.storage
    if isinstance(storage, EdgeList) and chain.n_states > COMPILED_ABOVE and len(first) <= FEW:
        return _searched(storage, first)
    edges = chain.raw_edges()
    return reached(edges.source, edges.target, start)


def reached(source: Ids, target: Ids, start: Mask) -> Mask:
    """The states that some path of these arrows leads to from ``start``, and these.

    >>> reached(np.array([0, 1]), np.array([1, 2]), np.array([False, True, False])).tolist()
    [False, True, True]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    N = len(start)
    # One more state, from which the search begins, leads to all of them.
    first = np.flatnonzero(start)
    rows = np.concatenate([source, np.full(len(first), N)])
    columns = np.concatenate([target, first])
    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(N + 1, N + 1))
    found = np.zeros(N + 1, dtype=bool)
    found[breadth_first_order(graph, N, return_predecessors=False)] = True
    return np.asarray(found[:N])


def _searched(storage: EdgeList, first: Ids) -> Mask:
    """The same by a compiled search, which looks at nothing but what it reaches."""
    from fsm_gpt.kernels.graph import levels

    level = np.full(storage.n_states, -1, dtype=np.int32)
    start, target = storage.start.astype(np.int64), storage.target.astype(np.int32)
    for state in first.tolist():
        if level[state] < 0:
            levels(False, np.zeros((0, 0), bool), start, target, state, level)
    return np.asarray(level >= 0)


def _leaving(chain: Chain, kept: Mask) -> Ids:
    """Where in ``chain.raw_edges()`` the transitions from these states stand."""
    storage = chain._parts.storage
    if not isinstance(storage, EdgeList):
        return np.flatnonzero(kept[chain.raw_edges().source])
    rows = np.flatnonzero(kept)
    first, size = storage.start[rows], storage.start[rows + 1] - storage.start[rows]
    before = np.cumsum(size) - size  # those of the rows ahead
    return np.asarray(np.repeat(first - before, size) + np.arange(int(size.sum())))


def subchain(chain: Chain, kept: Mask, *, probability: Numbers | None = None) -> Chain:
    """The chain on some of its states, under their own names.

    Parameters
    ----------
    kept
        Which states; with the probabilities of the chain itself, a set that is never left.
    probability
        New numbers for the transitions of ``chain.raw_edges()``, such as those of the chain
        given what it comes to; rows are divided by their sums, and transitions to other
        states are left out.

    Raises
    ------
    InvalidArgument
        No state is kept, or the set is left and no new numbers are given.

    >>> from fsm_gpt.chain import Chain
    >>> walk = Chain([[0.5, 0.5], [0.0, 1.0]], vocabulary="ab")
    >>> print(subchain(walk, np.array([False, True])).listing())
    input [b] ---> [0.000, 1.000]
    """
    if not kept.any():
        raise InvalidArgument("subchain: no state is kept. Keep at least one.")
    edges, at = chain.raw_edges(), _leaving(chain, kept)
    numbers = (edges.probability if probability is None else probability)[at]
    source, token, target = edges.source[at], edges.token[at], edges.target[at]
    on = kept[target]
    if probability is None and not on.all():
        place = int(np.argmin(on))
        raise InvalidArgument(
            f"subchain: from {chain.label(int(source[place]))}, which is kept, a transition leads "
            f"to {chain.label(int(target[place]))}, which is not. Keep what can be reached, too."
        )
    renamed = np.cumsum(kept) - 1
    part = Edges(renamed[source[on]], token[on], renamed[target[on]], numbers[on])
    states = some_of(chain.states, np.flatnonzero(kept))
    storage = edge_list(part, states, chain.vocabulary, normalize=probability is not None)
    tied = renamed[chain.tied[kept[chain.tied]]]
    return chain._with(storage=storage, states=states, tied=read_only(tied, np.int64))
