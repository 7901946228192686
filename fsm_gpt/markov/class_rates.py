"""The transitions between different states of one closed class, by source.

What a state does to itself decides neither a stationary distribution nor its proof: the
diagonal is left out. The rest stands in arrays as compiled loops like it, the transitions of
state i from ``start[i]`` to ``start[i + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.rows import Numbers

__all__ = ["ClassRates"]

Ids = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassRates:
    """Rates from each of n states to others; the class is irreducible."""

    start: Ids
    target: Places
    rate: Floats

    @classmethod
    def of(cls, source: Ids, target: Ids, rate: Numbers, n: int) -> ClassRates:
        """From transitions sorted by source, those of a state to itself left out.

        >>> ClassRates.of(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.1, 1]), 2).rate
        array([0.1, 1. ])
        """
        off = source != target
        counts = np.bincount(source[off], minlength=n)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return cls(start, target[off].astype(np.int32), rate[off].astype(np.float64, copy=False))

    @property
    def n(self) -> int:
        """The number of states."""
        return len(self.start) - 1

    def source(self) -> Ids:
        """The state that each transition leaves."""
        return np.repeat(np.arange(self.n), np.diff(self.start))

    def divided(self, sums: Floats) -> ClassRates:
        """With the rates of each state divided by a number of its own."""
        if bool((sums == 1).all()):
            return self
        return ClassRates(self.start, self.target, self.rate / np.repeat(sums, np.diff(self.start)))
