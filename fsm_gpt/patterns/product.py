"""A chain and a pattern's automaton side by side: one chain, whose states are pairs.

The chain is in state s, the automaton in state q. Token t has the probability that it has in s, and
leads to the pair of successor(s, t) and the state that the automaton moves to. Only pairs that some
path leads to are made, beginning with the automaton's first state.

Some pairs need not be told apart, and become one absorbing state each:

- MATCHED, where the first match is all that is asked for;
- OVER, where no occurrence can end any more: the text has ended, or the automaton has no hope;
- WHOLE, where the text has ended and, as a whole, matches;
- LEFT, where a part of a chain leads to what was not explored.

The stop token that leads to END says that the text is over and is no part of it, so that the
automaton does not move. Neither does it move in END.

References
----------
Baier & Katoen (2008), Principles of Model Checking, section 10.3 (the product of a chain and a
deterministic automaton).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.build import edge_list
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.rows import Numbers
from fsm_gpt.storage import Edges

__all__ = ["LEFT", "MATCHED", "OVER", "WHOLE", "Product", "product"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MATCHED, OVER, WHOLE, LEFT = range(4)
_NAMES = ("matched", "over", "whole", "left")

#: Bytes that a transition and a pair take while products are made, measured at 2**20 windows of 2.
EDGE_BYTES, PAIR_BYTES = 220, 200


@dataclass(frozen=True, eq=False)
class Product:
    """The chain of pairs, and where things are in it."""

    chain: Chain
    places: tuple[int | None, ...]
    """The states MATCHED, OVER, WHOLE and LEFT; None where no path leads there."""
    begins: Ids
    """The pair in which each start begins, shape (starts,)."""
    n_pairs: int
    """How many states are pairs; those above are among MATCHED to LEFT."""
    second: Ids
    """Of each pair the automaton's state; the number of its states for "matched"."""

    def start(self, weights: Numbers) -> Numbers:
        """The distribution over pairs in which a text begins, from one over the starts."""
        kind = object if self.chain.dtype == object else np.float64
        x = np.zeros(self.chain.n_states, dtype=kind)
        np.add.at(x, self.begins, weights)
        return x


def product(
    chain: Chain,
    machine: Automaton,
    starts: Ids,
    *,
    until_match: bool,
    follow: bool = False,
    max_memory_gib: float = 8.0,
) -> Product:
    """The product of a chain and an automaton, from some states of the chain on.

    Parameters
    ----------
    starts
        States of the chain in which the text may begin.
    until_match
        Whether matching once is matching for good; otherwise the automaton goes on.
    follow
        With ``until_match``: go on with the chain after the match, in pairs with the state
        "matched", rather than end in the one state MATCHED.
    max_memory_gib
        Refuse a product that would take more.

    Raises
    ------
    StateSpaceTooLarge
        The product would take more memory than is allowed.

    >>> from fsm_gpt.patterns.automaton import automaton
    >>> coin = Chain([[0.5, 0.5]] * 2, vocabulary="ht")
    >>> made = product(coin, automaton("hh", coin.vocabulary), np.array([0]), until_match=True)
    >>> made.chain.n_states, made.places[MATCHED], made.begins.tolist()
    (4, 3, [0])
    """
    moves = _Moves(chain, machine, until_match, follow)
    mask = _reachable(moves, moves.arrived(starts, np.zeros_like(starts)), max_memory_gib)
    codes = np.flatnonzero(mask)
    pairs = codes[codes < moves.n_codes]
    source, edge, target = moves.onward(pairs)
    edges = chain.raw_edges()
    absorbing = np.arange(len(pairs), len(codes))
    one = edges.probability[:1] * 0 + 1  # of the same kind: a float, or a rational
    joined = Edges(
        np.append(np.searchsorted(pairs, source), absorbing),
        np.append(edges.token[edge], np.zeros_like(absorbing)),
        np.append(np.searchsorted(codes, target), absorbing),
        np.append(edges.probability[edge], np.repeat(one, len(absorbing))),
    )
    first = np.append(pairs // moves.width, np.zeros_like(absorbing))
    kinds = codes[len(pairs) :] - moves.n_codes
    second = np.append(pairs % moves.width, moves.width + kinds)
    states = Pairs(chain.states, moves.names, first, second)
    storage = edge_list(joined, states, chain.vocabulary, normalize=False)
    found = {int(kind): len(pairs) + i for i, kind in enumerate(kinds)}
    begins = np.searchsorted(codes, moves.arrived(starts, np.zeros_like(starts)))
    return Product(
        chain=chain._with(storage=storage, states=states, tied=np.empty(0, dtype=np.int64)),
        places=tuple(found.get(kind) for kind in range(len(_NAMES))),
        begins=begins,
        n_pairs=len(pairs),
        second=second[: len(pairs)],
    )


class _Moves:
    """Codes of pairs and how they follow each other.

    The code of a pair is s * width + q, q being the automaton's state or, last, "matched". Above
    all pairs stand the four states that many pairs become.
    """

    def __init__(self, chain: Chain, machine: Automaton, until_match: bool, follow: bool) -> None:
        self.chain, self.machine = chain, machine
        self.until_match, self.follow = until_match, follow
        Q = machine.n_states
        self.width = Q + 1
        self.n_codes = chain.n_states * self.width
        self.names = (*map(str, range(Q)), "matched", *_NAMES)
        self._edges = chain.raw_edges()
        self._begin = np.searchsorted(self._edges.source, np.arange(chain.n_states + 1))
        self._final = np.append(machine.accepting, False)
        # A text that matches as a whole may end, even where no longer one matches.
        self._hopeless = np.append(machine.hopeless(), False) & ~self._final

    def onward(self, pairs: Ids) -> tuple[Ids, Ids, Ids]:
        """The transitions of some pairs: the pair, the chain's transition, the code it leads to."""
        s, q = pairs // self.width, pairs % self.width
        size = self._begin[s + 1] - self._begin[s]
        source = np.repeat(pairs, size)
        edge = np.arange(len(source)) + np.repeat(self._begin[s] - np.cumsum(size) + size, size)
        q = np.repeat(q, size)
        target = self._edges.target[edge]
        after = q.copy()
        Q = self.machine.n_states
        moved = (q < Q) & ~self._silent(target)
        column = self.machine.column[self._edges.token[edge[moved]]]
        after[moved] = self.machine.next[q[moved], column]
        if self.until_match:
            after[moved] = np.where(self.machine.ends[q[moved], column] > 0, Q, after[moved])
        return source, edge, self._code(target, after)

    def arrived(self, states: Ids, q: Ids) -> Ids:
        """The code in which a text begins."""
        if self.until_match and self.machine.matches_empty:
            q = np.full_like(q, self.machine.n_states)
        return self._code(states, q)

    def _silent(self, states: Ids) -> Mask:
        """Whether nothing that is known is emitted on the way to a state."""
        quiet = [s for s in (self.chain.end, self.chain.unexplored) if s is not None]
        return np.isin(states, quiet)

    def _code(self, s: Ids, q: Ids) -> Ids:
        matched = q == self.machine.n_states
        ended, left = (
            np.zeros(len(s), dtype=bool) if state is None else s == state
            for state in (self.chain.end, self.chain.unexplored)
        )
        code = s * self.width + q
        code = np.where(self._hopeless[q] | ended, self.n_codes + OVER, code)
        code = np.where(ended & self._final[q], self.n_codes + WHOLE, code)
        code = np.where(left, self.n_codes + LEFT, code)
        first = s * self.width + q if self.follow else np.full_like(s, self.n_codes + MATCHED)
        return np.where(matched, first, code)


def _reachable(moves: _Moves, starts: Ids, max_memory_gib: float) -> Mask:
    """The codes that some path from the starts leads to."""
    limit = max_memory_gib * 2**30
    n_codes = moves.n_codes + len(_NAMES)
    _refuse_above(limit, n_codes, moves, "even to mark which of its pairs are reached takes")
    mask = np.zeros(n_codes, dtype=bool)
    frontier = np.unique(starts)
    mask[frontier] = True
    need = float(n_codes)
    while len(frontier):
        pairs = frontier[frontier < moves.n_codes]
        _, _, target = moves.onward(pairs)
        need += EDGE_BYTES * len(target) + PAIR_BYTES * len(pairs)
        _refuse_above(limit, need, moves, "what is reached of it takes more than")
        frontier = np.unique(target[~mask[target]])
        mask[frontier] = True
    return mask


def _refuse_above(limit: float, need: float, moves: _Moves, what: str) -> None:
    if need > limit:
        N, Q = moves.chain.n_states, moves.machine.n_states
        raise StateSpaceTooLarge(
            f"pattern: the product of {N:,} states and an automaton of {Q:,} does not fit: {what} "
            f"{need / 2**30:.2g} GiB, above the limit of {limit / 2**30:.2g} GiB. Use a shorter "
            f"pattern or a shorter context, or raise max_memory_gib where there is more memory."
        )
