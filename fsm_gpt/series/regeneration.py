"""A mean from cycles between visits to one state: the regenerative method.

Whenever a Markov chain is in the state r it begins anew, so its cycles from visit to visit are
independent and alike, and need neither burn-in nor batches. With Y the sum of a quantity over a
cycle and T its length, the long-run mean is E[Y] / E[T], estimated by the ratio of the sums; its
standard error is the standard deviation of Y - mean T, times the square root of the number of
cycles, over the sum of T.

The state is the one visited most. Of each stream the *same number* of first cycles is taken: all
that fit would leave out the cycle in progress, which is longer than others, a bias that on slow
chains is as large as the standard error. Where some stream was away from the state for more than a
fifth of its length, a few long cycles decide the mean, and more may be missing: nothing is said.

References
----------
Asmussen & Glynn (2007), Stochastic Simulation, section IV.4. Meketon & Heidelberger (1982),
Management Science 28, 173-181 (the bias of stopping within a cycle).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST_CYCLES", "Cycles", "mean_of_cycles"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Fewer cycles than this say little about their own variance.
FEWEST_CYCLES = 100
#: The longest time without a visit, as a share of a stream.
LONGEST_ABSENCE = 0.2


class Cycles(NamedTuple):
    """A mean from cycles."""

    mean: float
    standard_error: float
    n_cycles: int
    mean_length: float
    #: Stream and time of a visit to the state.
    visit: tuple[int, int]


def mean_of_cycles(series: Floats, states: Ids) -> Cycles | None:
    """The long-run mean from the cycles of the state visited most; None where they are too few.

    Parameters
    ----------
    series, states
        The quantity in each state visited, and the state's number, both of shape (K, n).

    Examples
    --------
    Heads in a row, tails a return:

    >>> coins = np.random.default_rng(0).integers(0, 2, (8, 500))
    >>> found = mean_of_cycles(coins.astype(float), coins)
    >>> bool(abs(found.mean - 0.5) < 3 * found.standard_error)
    True
    >>> mean_of_cycles(coins.astype(float), np.arange(4000).reshape(8, 500)) is None
    True
    """
    numbers = np.unique(states, return_inverse=True)[1].reshape(states.shape)
    most = int(np.bincount(numbers.ravel()).argmax())
    visits = [np.flatnonzero(row == most) for row in numbers]
    each = min(len(times) for times in visits) - 1
    n_cycles = each * len(visits)
    if n_cycles < FEWEST_CYCLES or _longest_absence(visits, series.shape[1]) > LONGEST_ABSENCE:
        return None
    sums = np.concatenate([np.zeros((len(series), 1)), np.cumsum(series, axis=1)], axis=1)
    Y = np.concatenate(
        [np.diff(row[times[: each + 1]]) for row, times in zip(sums, visits, strict=True)]
    )
    T = np.concatenate([np.diff(times[: each + 1]) for times in visits])
    mean = float(Y.sum() / T.sum())
    error = float((Y - mean * T).std(ddof=1)) * math.sqrt(n_cycles) / float(T.sum())
    return Cycles(mean, error, n_cycles, float(T.mean()), (0, int(visits[0][0])))


def _longest_absence(visits: list[Ids], n: int) -> float:
    """Before the first visit, between two, or after the last one, of any stream."""
    return max(int(np.diff(times, prepend=-1, append=n).max()) for times in visits) / n
