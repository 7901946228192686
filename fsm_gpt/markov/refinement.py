"""Partitions of states refined until no token tells two states of a block apart.

A partition is *consistent under successors* if a block and a possible token decide the next
block. The coarsest such partition that refines a given one is found by splitting the blocks by
those that their tokens lead to until nothing splits any more (Moore's algorithm). Tokens of
probability zero lead nowhere and tell nothing apart.

References
----------
Hopcroft & Ullman (1979), Introduction to Automata Theory, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.result import frozen
from fsm_gpt.rows import Numbers

__all__ = [
    "by_position",
    "consistent",
    "exact_blocks",
    "joined",
    "numbered",
    "numbered_rows",
    "refined_to_stability",
    "suffix_numbers",
]

Ids = npt.NDArray[np.int64]

#: From so many values on they are numbered by a compiled loop.
COMPILED_FROM = 2**14


def refined_to_stability(
    chain: Chain, block: Ids, *, formal: bool = False, most: int | None = None
) -> tuple[Ids, int] | None:
    """A given partition split until it is consistent, and in how many rounds.

    States with different possible tokens are told apart, unless ``formal``: then each token of a
    window counts as possible, and every partition by last tokens is consistent as it is. Where
    all states of a block can emit the same tokens it is the coarsest such refinement. None if it
    has more than ``most`` blocks.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]] * 2)
    >>> refined_to_stability(chain, np.array([0, 1, 0, 1]))
    (array([0, 1, 0, 1]), 0)
    """
    block, rounds = numbered(block), 0
    if most is not None and block.max() >= most:
        return None
    whole = chain.is_window and (formal or _no_zero(chain))
    refined = _by_suffix(chain) if whole else _by_edges(chain)
    while True:
        finer = refined(block)
        if finer.max() == block.max():
            return block, rounds
        if most is not None and finer.max() >= most:
            return None
        block, rounds = finer, rounds + 1


def consistent(chain: Chain, block: Ids) -> bool:
    """Whether a block and a possible token decide the next block.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]] * 2)
    >>> consistent(chain, np.array([0, 0, 1, 1])), consistent(chain, np.array([0, 1, 1, 0]))
    (False, False)
    """
    edges = chain.raw_edges()
    pairs = joined(block[edges.source], edges.token)
    return int(pairs.max()) == int(joined(pairs, block[edges.target]).max())


def suffix_numbers(chain: Chain) -> Iterator[Ids]:
    """For k = 0, 1, ... to L: states whose last k tokens are the same have one number.

    Nothing where the states are not contexts. Shorter contexts are padded in front.

    >>> [ids.tolist() for ids in suffix_numbers(Chain([[0.5, 0.5]] * 4))]
    [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3]]
    """
    if chain.is_window:
        V = chain.n_tokens
        ids = np.arange(chain.n_states, dtype=np.int64)
        for k in range((chain.context or 0) + 1):
            yield ids % V**k
        return
    table = chain.states.contexts()
    if table is None:
        return
    number = np.zeros(len(table), dtype=np.int64)
    yield number
    for column in table.T[::-1]:
        number = joined(number, column + 1)
        yield number


def numbered(values: Numbers) -> Ids:
    """Equal values get one number, in the order in which they come first."""
    if values.dtype == object:  # rationals and expressions
        numbers: dict[object, int] = {}
        found = (numbers.setdefault(value, len(numbers)) for value in values)
        return np.fromiter(found, dtype=np.int64, count=len(values))
    if len(values) >= COMPILED_FROM:
        from fsm_gpt.kernels.numbering import number_by_value

        # Equal floats have equal bits, but for the two zeros, of which this leaves one.
        bits = values if values.dtype == np.int64 else (values.astype(np.float64) + 0.0)
        return number_by_value(np.ascontiguousarray(bits).view(np.int64))
    _, first, place = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[place.reshape(-1)])


def joined(one: Ids, other: Ids) -> Ids:
    """Equal pairs get one number."""
    return numbered(one * (int(other.max(initial=0)) + 1) + other)


def numbered_rows(chain: Chain) -> Ids:
    """States with equal rows get one number.

    >>> numbered_rows(Chain([[0.5, 0.5], [0.25, 0.75]] * 2))
    array([0, 1, 0, 1])
    """
    return remembered(chain, "rows by number", lambda: frozen(_by_rows(chain)))


def exact_blocks(chain: Chain) -> tuple[Ids, int]:
    """The states of the exact minimal machine, and in how many rounds they were found."""

    def found() -> tuple[Ids, int]:
        stable = refined_to_stability(chain, numbered_rows(chain))
        assert stable is not None
        return frozen(stable[0]), stable[1]

    return remembered(chain, "exact blocks", found)


def _by_rows(chain: Chain) -> Ids:
    block = np.zeros(chain.n_states, dtype=np.int64)
    if chain.is_window:
        for token in range(chain.n_tokens):
            block = joined(block, numbered(chain.next_token[:, token]))
        return block
    edges = chain.raw_edges()
    number = numbered(edges.probability)
    what = edges.token * (int(number.max()) + 1) + number
    return by_position(edges.source, what, block)


def by_position(source: Ids, what: Ids, block: Ids) -> Ids:
    """States of a block whose transitions carry the same, one by one, get one number.

    Transitions are sorted by source and token.
    """
    begin = np.searchsorted(source, np.arange(len(block) + 1))
    degree = np.diff(begin)
    for position in range(int(degree.max())):
        there = degree > position
        here = np.zeros(len(block), dtype=np.int64)
        here[there] = 1 + what[begin[:-1][there] + position]
        block = joined(block, numbered(here))
    return block


def _by_suffix(chain: Chain) -> Callable[[Ids], Ids]:
    """Splits blocks of windows by the blocks that follow; these depend on L - 1 tokens alone."""
    V = chain.n_tokens
    R = chain.n_states // V

    def refined(block: Ids) -> Ids:
        after = np.zeros(R, dtype=np.int64)
        for token in range(V):
            after = joined(after, block.reshape(R, V)[:, token])
        return joined(block, np.tile(after, V))

    return refined


def _by_edges(chain: Chain) -> Callable[[Ids], Ids]:
    """Splits blocks by their tokens and the blocks that these lead to."""
    edges = chain.raw_edges()

    def refined(block: Ids) -> Ids:
        what = edges.token * (int(block.max()) + 1) + block[edges.target]
        return by_position(edges.source, what, block)

    return refined


def _no_zero(chain: Chain) -> bool:
    return bool((chain.next_token != 0).all())
