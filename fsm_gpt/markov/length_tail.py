"""A proven geometric tail: probabilities that repeat a block, each time a factor smaller.

Between which numbers the factor lies is proven in :mod:`fsm_gpt.markov.length_series`. Sums over
all later lengths then follow from those of geometric series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.markov.steps import rounded

__all__ = ["Tail"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tail:
    """Probabilities from a length on: a block that is repeated, each time by a factor smaller."""

    first: int
    block: Floats
    """The probabilities of ``first``, ``first`` + 1, ..., of d lengths."""
    low: float
    high: float
    """The factor from one block to the next lies between these, and is below one."""

    @property
    def factor(self) -> float:
        """In the middle of both."""
        return math.sqrt(self.low) * math.sqrt(self.high)

    @property
    def drift(self) -> float:
        """How far the logarithm of a probability is off after one more block, at most."""
        return (math.log(self.high) - math.log(self.low)) / 2 + 4 * rounded(1)

    @property
    def period(self) -> int:
        """The lengths of a block."""
        return len(self.block)

    @property
    def rate_between(self) -> tuple[float, float]:
        """Between which numbers the factor from one length to the next lies in the long run."""
        power = 1 / self.period
        return self.low**power * (1 - rounded(4)), min(1.0, self.high**power * (1 + rounded(4)))

    @cached_property
    def _rest(self) -> Floats:
        """Sums of the block from each place on."""
        return np.append(np.cumsum(self.block[::-1])[::-1], 0.0)

    def at(self, lengths: Any) -> Floats:
        """The probabilities of some lengths from ``first`` on."""
        again, place = np.divmod(np.asarray(lengths) - self.first, self.period)
        return np.asarray(self.block[place] * self.factor**again)

    def from_length(self, n: int, factor: float | None = None) -> float:
        """The probability of n tokens or more, for n of at least ``first``."""
        q = self.factor if factor is None else factor
        again, place = divmod(n - self.first, self.period)
        whole = float(self._rest[0])
        return float(q**again * (self._rest[place] + q / (1 - q) * whole))

    def length_with(self, most: float) -> int:
        """The smallest n, of ``first`` - 1 or more, such that longer ones have at most this."""
        n = self.first - 1
        there = self.from_length(self.first)
        if there > most:
            n += self.period * max(0, int(math.log(most / there) / math.log(self.factor)) - 1)
        while n >= self.first and self.from_length(n) <= most:
            n -= 1
        while self.from_length(n + 1) > most:
            n += 1
        return n

    def sums(self, q: float) -> Floats:
        """Of 1, n and n^2 over all these lengths, for a factor q."""
        n, d, rest = self.first + np.arange(self.period), self.period, 1 - q
        return np.array(
            [
                (self.block / rest).sum(),
                (self.block * (n / rest + d * q / rest**2)).sum(),
                (
                    self.block
                    * (n**2 / rest + 2.0 * n * d * q / rest**2 + d**2 * q * (1 + q) / rest**3)
                ).sum(),
            ]
        )
