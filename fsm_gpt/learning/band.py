"""A number over several trainings: its median and two quantiles at each step.

A quantile q of n values is read off between the order statistics, at place q (n - 1) from 0,
linearly (Hyndman & Fan 1996, definition 7).

References
----------
Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50,
361-365.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.learning.measure import MEASURES
from fsm_gpt.result import Result, read_only

__all__ = ["Band", "band"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Band(Result):
    """A number over all trainings, at each step."""

    measure: str
    unit: str
    steps: tuple[int, ...]
    median: Floats
    """Shape (steps,); not a number where no training has one."""
    low: Floats
    """The lower quantile."""
    high: Floats
    """The upper one."""
    quantiles: tuple[float, float]
    """Which two."""
    n_runs: Ids
    """How many trainings have a number at each step, shape (steps,)."""

    def __str__(self) -> str:
        low, high = self.quantiles
        lines = [
            f"{MEASURES[self.measure].words} in {self.unit}: median, and quantiles {low:g} and "
            f"{high:g} over {int(self.n_runs.max())} trainings"
        ]
        rows = zip(self.steps, self.median, self.low, self.high, strict=True)
        lines += [f"  step {s:>5,}: {m:.6g}  [{a:.6g}, {b:.6g}]" for s, m, a, b in rows]
        return "\n".join(lines)


def band(
    measure: str, values: Floats, steps: tuple[int, ...], *, low: float = 0.1, high: float = 0.9
) -> Band:
    """The band of values of shape (runs, steps); what is not a number takes no part.

    Raises
    ------
    InvalidArgument
        The quantiles are not 0 <= low <= high <= 1.

    >>> found = band("loss", np.array([[1.0], [2.0], [4.0]]), (0,), low=0.25, high=1)
    >>> found.median, found.low, found.high
    (array([2.]), array([1.5]), array([4.]))
    """
    if not 0 <= low <= high <= 1:
        raise InvalidArgument(
            f"watched: a band from {low!r} to {high!r} is none. Quantiles are between 0 and 1, "
            f"the lower one first, such as low=0.1, high=0.9."
        )
    there = ~np.isnan(values)
    three = np.full((3, values.shape[1]), np.nan)
    for s in range(values.shape[1]):
        some = values[there[:, s], s]
        if len(some):
            three[:, s] = [_quantile(some, q) for q in (0.5, low, high)]
    return Band(
        measure=measure,
        unit=MEASURES[measure].unit,
        steps=steps,
        median=read_only(three[0]),
        low=read_only(three[1]),
        high=read_only(three[2]),
        quantiles=(low, high),
        n_runs=read_only(there.sum(axis=0)),
    )


def _quantile(values: Floats, q: float) -> float:
    """Between the order statistics, linearly; infinite as soon as an infinite one takes part."""
    ordered = np.sort(values)
    place = q * (len(ordered) - 1)
    below, share = int(place), place - int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    if share == 0.0 or low == high:
        return low
    return high if math.isinf(high) else low + share * (high - low)
