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
from fsm_gpt.storage import Edges

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["reachable", "subchain"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def reachable(chain: Chain, start: Mask) -> Mask:
    """The states that some path from these states leads to, and these.

    >>> from fsm_gpt.chain import Chain
    >>> walk = Chain.from_matrix([[0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]])
    >>> reachable(walk, np.array([True, False, False])).tolist()
    [True, True, False]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    edges, N = chain.raw_edges(), chain.n_states
    first = np.flatnonzero(start)
    # One more state, from which the search begins, leads to all of them.
    rows = np.concatenate([edges.source, np.full(len(first), N)])
    columns = np.concatenate([edges.target, first])
    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(N + 1, N + 1))
    found = np.zeros(N + 1, dtype=bool)
    found[breadth_first_order(graph, N, return_predecessors=False)] = True
    return np.asarray(found[:N])


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
    edges = chain.raw_edges()
    numbers = edges.probability if probability is None else probability
    inside = kept[edges.source]
    leaves = inside & ~kept[edges.target] & (numbers != 0)
    if probability is None and leaves.any():
        source, target = (int(c[np.argmax(leaves)]) for c in (edges.source, edges.target))
        raise InvalidArgument(
            f"subchain: from {chain.label(source)}, which is kept, a transition leads to "
            f"{chain.label(target)}, which is not. Keep what can be reached, too."
        )
    place = np.cumsum(kept) - 1
    on = inside & kept[edges.target]
    part = Edges(place[edges.source[on]], edges.token[on], place[edges.target[on]], numbers[on])
    states = some_of(chain.states, np.flatnonzero(kept))
    storage = edge_list(part, states, chain.vocabulary, normalize=probability is not None)
    tied = place[chain.tied[kept[chain.tied]]]
    return chain._with(storage=storage, states=states, tied=read_only(tied, np.int64))
