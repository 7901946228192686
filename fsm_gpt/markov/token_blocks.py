"""The law of n tokens in a row, in the long run of any chain.

A *block* of n tokens w has the probability

    sum_s pi(s) P[s, w_1] P[s w_1, w_2] ... ,

the sum over the states s in which it may begin, pi the stationary distribution. Where the
states are windows of L >= n tokens, that is pi summed over all but their newest n tokens.

Blocks are numbered in base V, the oldest token most significant.

*Error.* No number is negative, so relative errors add up and do not grow: that of a block is at
most that of pi, plus V + 3 roundings for each token and one for each number in a sum.

References
----------
Crutchfield & Feldman (2003), Chaos 13, 25-54 (laws of blocks).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, StateSpaceTooLarge
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded
from fsm_gpt.markov.suffixes import suffix_laws
from fsm_gpt.pairing import joined
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["MOST_BLOCKS", "BlockLaw", "Words", "block_law", "check_order", "extended"]

Ids = npt.NDArray[np.int64]

#: More blocks than this are not listed.
MOST_BLOCKS = 2**24


class BlockLaw(NamedTuple):
    """The blocks of n tokens that occur, and how often."""

    number: Ids
    """The block as a base-V number, ascending."""
    weight: Numbers
    """Its probability; they sum to one."""
    bound: Bound
    """Of every probability, relative."""
    reason: str


class Words(NamedTuple):
    """Texts so far: what was written as a base-V number, the state after it, how often."""

    number: Ids
    state: Ids
    weight: Numbers


def block_law(chain: Chain, n_tokens: int, what: str = "blocks") -> BlockLaw:
    """The law of so many tokens in a row, exact where the chain is.

    Raises
    ------
    NotUnique
        The chain has several closed classes.
    StateSpaceTooLarge
        There are too many blocks to list.

    Examples
    --------
    >>> law = block_law(Chain.from_matrix([["1/2", "1/2"], ["1/4", "3/4"]]), 2)
    >>> law.number.tolist(), [str(p) for p in law.weight]
    ([0, 1, 2, 3], ['1/6', '1/6', '1/6', '1/2'])
    """
    V = chain.n_tokens
    if n_tokens * math.log2(max(V, 2)) >= 62:
        raise _too_many(what, V, n_tokens)
    pi, bound, reason = long_run(chain, None, what)
    L = chain.context
    if chain.is_window and L is not None and 1 <= n_tokens <= L + 1:
        law = next(suffix_laws(chain, pi, n_tokens - 1)).reshape(-1)
        number = np.flatnonzero(law != 0)
        weight = law[number]
        roundings = chain.n_states + V + 3
    else:
        seen = np.flatnonzero(pi != 0)
        begin = Words(np.zeros(len(seen), dtype=np.int64), seen, pi[seen])
        words = extended(chain, begin, n_tokens, what)
        number, place = np.unique(words.number, return_inverse=True)
        weight = np.zeros(len(number), dtype=words.weight.dtype)
        np.add.at(weight, place.reshape(-1), words.weight)
        roundings = n_tokens * (V + 3 + chain.n_states) + len(words.number)
    if chain.dtype == object:
        return BlockLaw(number, weight, 0.0, "")
    if bound != UNCERTIFIED and least_positive(weight) < SMALLEST:
        return BlockLaw(number, weight, UNCERTIFIED, "blocks so rare lose digits by underflow")
    if bound != UNCERTIFIED:
        bound = float(bound) + rounded(roundings)
    return BlockLaw(number, weight, bound, reason)


def extended(chain: Chain, words: Words, n_tokens: int, what: str = "blocks") -> Words:
    """Every way to write so many more tokens; what has one number and one state is added up.

    Raises
    ------
    StateSpaceTooLarge
        There are too many.
    """
    edges = chain.edges()
    start = np.searchsorted(edges.source, np.arange(chain.n_states + 1))
    V = chain.n_tokens
    number, state, weight = words
    for _ in range(n_tokens):
        counts = start[state + 1] - start[state]
        if int(counts.sum()) > MOST_BLOCKS:
            raise _too_many(what, V, n_tokens)
        which, edge = joined(start, state)
        weight = weight[which] * edges.probability[edge]
        number = number[which] * V + edges.token[edge]
        state = edges.target[edge]
        kept = weight != 0  # but for underflow all are kept
        number, state, weight = number[kept], state[kept], weight[kept]
        order = np.lexsort((state, number))
        number, state, weight = number[order], state[order], weight[order]
        new = np.append(True, (number[1:] != number[:-1]) | (state[1:] != state[:-1]))
        if not new.all():
            first = np.flatnonzero(new)
            number, state = number[first], state[first]
            weight = np.add.reduceat(weight, first)
    return Words(number, state, weight)


def _too_many(what: str, V: int, n_tokens: int) -> StateSpaceTooLarge:
    return StateSpaceTooLarge(
        f"{what}: there are more than {MOST_BLOCKS:,} blocks of {n_tokens} tokens over {V:,} to be "
        f"listed. Ask for shorter ones, or cut the context (truncate_to)."
    )


def check_order(order: object, what: str) -> int:
    """An order of 0 or more.

    Raises
    ------
    InvalidArgument
        It is something else.
    """
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < 0:
        raise InvalidArgument(
            f"{what}: order {order!r} is not a whole number of 0 or more, the number of tokens "
            f"that are looked back on: 0 for unigrams, 1 for bigrams."
        )
    return int(order)
