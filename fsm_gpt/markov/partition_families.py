"""Where machines of merged states come from: families of partitions, each consistent.

Each gives the name of the search, the block of every state, and a way to make that again, so that
the partitions of a million states need not be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.refinement import (
    by_position,
    consistent,
    joined,
    numbered,
    refined_to_stability,
    suffix_numbers,
)
from fsm_gpt.markov.suffix_tree import costs_of_forgetting, leaf_of_windows, prunings
from fsm_gpt.rows import Numbers

__all__ = ["families"]

Ids: TypeAlias = npt.NDArray[np.int64]

#: Grids stop where they leave so many blocks, in chains of more states.
MOST_CELLS = 2**12
#: The widths of cells, in the square root of a probability.
WIDTHS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)

Family: TypeAlias = Iterator[tuple[str, Ids, Callable[[], Ids]]]


def families(chain: Chain, pi: Numbers, most: int) -> list[Family]:
    """One state, the last k tokens, trees of suffixes, cells of rows, of ``most`` blocks or less.

    In each family the number of blocks grows.
    """
    every = [_constant(chain), _last_tokens(chain), _trees(chain, pi), _cells(chain, most)]
    return [takewhile(lambda found: found[1].max() < most, family) for family in every]


def _constant(chain: Chain) -> Family:
    def make() -> Ids:
        return np.zeros(chain.n_states, dtype=np.int64)

    yield "one state", make(), make


def _last_tokens(chain: Chain) -> Family:
    def make(k: int) -> Callable[[], Ids]:
        return lambda: numbered(next(ids for j, ids in enumerate(suffix_numbers(chain)) if j == k))

    for k, ids in enumerate(suffix_numbers(chain)):
        if k > 0 and (chain.is_window or consistent(chain, ids)):
            yield f"last {k} token{'s' if k > 1 else ''}", numbered(ids), make(k)


def _trees(chain: Chain, pi: Numbers) -> Family:
    if not chain.is_window:
        return
    V = chain.n_tokens
    costs = costs_of_forgetting(chain, pi)

    def make(inner: list[npt.NDArray[np.bool_]]) -> Callable[[], Ids]:
        packed = [(np.packbits(words), len(words)) for words in inner]
        return lambda: leaf_of_windows(
            [np.unpackbits(bits, count=n).astype(bool) for bits, n in packed], V
        )[0]

    for inner in prunings(costs, V):
        yield "suffix tree", leaf_of_windows(inner, V)[0], make(inner)


def _cells(chain: Chain, most: int) -> Family:
    most = min(most, MOST_CELLS) if chain.n_states > MOST_CELLS else most

    def cells(width: float) -> Ids | None:
        stable = refined_to_stability(chain, _cell_of_rows(chain, width), formal=True, most=most)
        return None if stable is None else stable[0]

    def make(width: float) -> Callable[[], Ids]:
        def again() -> Ids:
            block = cells(width)
            assert block is not None
            return block

        return again

    for width in WIDTHS:
        block = cells(width)
        if block is None:  # finer cells leave more blocks still
            return
        yield f"cells of 1/{round(1 / width)}", block, make(width)


def _cell_of_rows(chain: Chain, width: float) -> Ids:
    """States whose rows fall into one cell of a grid get one number."""
    block = np.zeros(chain.n_states, dtype=np.int64)
    if chain.is_window:
        for token in range(chain.n_tokens):
            cell = np.sqrt(chain.next_token[:, token].astype(np.float64)) // width
            block = joined(block, cell.astype(np.int64))
        return block
    edges = chain.edges()
    place: Ids = (np.sqrt(edges.probability) // width).astype(np.int64)
    return by_position(edges.source, edges.token * (round(1 / width) + 2) + place, block)
