"""The probability of a step from each state into each block of a partition.

Rationals and expressions are added exactly. Of floats with at most d transitions a state, each
divided by its row's sum, a sum is right to 2 (d + 1) units of 2**-53, so two that are equal differ
by less than 4 (d + 2) of them in floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.algebra import workable
from fsm_gpt.markov.refinement import by_position, numbered
from fsm_gpt.rows import Numbers
from fsm_gpt.storage import Edges

__all__ = ["BlockSums"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53


class BlockSums:
    """Sums of transitions by state and block, and partitions split by them."""

    def __init__(self, chain: Chain) -> None:
        self.edges = chain.edges()
        floats = chain.kind == "float"
        self.numbers, self.back = workable(self.edges.probability)
        if floats:
            self.numbers = self.numbers.astype(np.float64)
        degree = int(np.bincount(self.edges.source).max())
        #: Sums that differ by no more may be equal.
        self.tolerance = 4 * (degree + 2) * _UNIT if floats else 0.0

    def into(self, block: Ids) -> tuple[Ids, Ids, Numbers]:
        """State, block and probability of every step between them, sorted."""
        K = int(block.max()) + 1
        key = self.edges.source * K + block[self.edges.target]
        pairs, place = np.unique(key, return_inverse=True)
        place = place.reshape(-1)
        if self.numbers.dtype == object:
            sums = np.full(len(pairs), 0 * self.numbers[0], dtype=object)
            np.add.at(sums, place, self.numbers)
        else:
            sums = np.bincount(place, weights=self.numbers, minlength=len(pairs))
        return pairs // K, pairs % K, sums

    def refined(self, block: Ids) -> Ids:
        """States of a block that go into every block with the same probability stay together."""
        state, into, sums = self.into(block)
        number = self._number(sums)
        return by_position(state, into * (int(number.max()) + 1) + number, block)

    def _number(self, sums: Numbers) -> Ids:
        if self.tolerance == 0:
            return numbered(sums)
        order = np.argsort(sums, kind="stable")
        number = np.empty(len(sums), dtype=np.int64)
        apart = np.diff(sums[order], prepend=sums[order[0]]) > self.tolerance
        number[order] = np.cumsum(apart)
        return number

    def lumped(self, block: Ids) -> tuple[Edges, float]:
        """The steps of the blocks' first states, and how far any member's are from them."""
        state, into, sums = self.into(block)
        first = np.unique(block, return_index=True)[1]
        chosen = first[block[state]] == state
        edges = Edges(block[state[chosen]], into[chosen], into[chosen], self.back(sums[chosen]))
        if self.tolerance == 0:
            return edges, 0.0
        K = len(first)
        own = np.searchsorted(edges.source * K + edges.token, block[state] * K + into)
        return edges, float(np.abs(sums - edges.probability[own]).max()) + self.tolerance

    def differ(self, one: Any, other: Any) -> bool:
        """Whether two sums are told apart."""
        if self.tolerance == 0:  # expressions are not ordered
            return bool(one != other)
        return bool(abs(one - other) > self.tolerance)
