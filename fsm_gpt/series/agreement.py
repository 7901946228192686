"""Whether streams agree, and how slow the slowest thing in them is.

Cut each stream into a batches. Let S2 be the variance between the means of the streams, and
W the variance of batch means inside a stream, averaged over the streams. Were batches
independent, S2 would be W / a, so that

    disagreement = a S2 / W

is about 1 for streams that have mixed and large for streams that are stuck in parts of
their own: it is Gelman and Rubin's comparison, of batch means instead of single values. Single
values would hide a slow mode under fast noise, which batch means average away.

A mode with relaxation time tau (its correlation falls as exp(-t / tau)) gives the mean of m tau
tokens the variance v(m) = 2/m - 2/m**2 (1 - exp(-m)), in units of its own. So a disagreement is a
relaxation time, and :func:`relaxation` finds it.

That holds for one mode. A few streams that are stuck for good, under the noise of the others,
disagree as little as a mode that relaxes well. They are told apart by their memory: the
correlation, over the streams, of the mean of the first third with that of the last
(:func:`memory`). What relaxes has forgotten by then, what is stuck has not.

References
----------
Gelman & Rubin (1992), Statistical Science 7, 457-472. Vats & Knudson (2021), Statistical
Science 36, 518-529 (the ratio as an effective sample size). Priestley (1981), Spectral
Analysis and Time Series, section 5.3 (the variance of a mean).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

__all__ = ["BATCHES", "disagreement", "in_batches", "memory", "relaxation", "variance_of_mean"]

Floats = npt.NDArray[np.float64]

#: Batches of a stream: few, so that each is long; enough to estimate their variance.
BATCHES = 10


def in_batches(series: Floats) -> Floats:
    """The means of ``BATCHES`` batches of each stream, shape (K, BATCHES).

    What does not fill the last batch is left out, fewer than ``BATCHES`` numbers.

    >>> in_batches(np.arange(20.0)[None, :])[0, :3].tolist()
    [0.5, 2.5, 4.5]
    """
    K, n = series.shape
    size = n // BATCHES
    return np.asarray(series[:, : size * BATCHES].reshape(K, BATCHES, size).mean(axis=2))


def disagreement(batches: Floats, *, rounding: float = 0.0) -> float:
    """a S2 / W of batch means of shape (K, a), or (K, a, J) for J quantities whose variances add.

    Standard deviations of up to ``rounding`` count as none.

    >>> disagreement(np.array([[0.0, 1.0], [1.0, 0.0]]))
    0.0
    >>> disagreement(np.array([[0.0, 0.0], [1.0, 1.0]]))
    inf
    """
    a = batches.shape[1]
    between = batches.mean(axis=1).var(axis=0, ddof=1)
    within = batches.var(axis=1, ddof=1).mean(axis=0)
    S2, W = (float(v.sum()) if v.max() > rounding**2 else 0.0 for v in (between, within))
    if W == 0.0:
        return math.inf if S2 > 0.0 else 0.0
    return float(a * S2 / W)


def memory(batches: Floats, *, rounding: float = 0.0) -> float:
    """The probability that streams remember as much by chance, from batch means as above.

    Student's t for the correlation of the first and last three of ten batches; that of J
    quantities is the sum of their covariances over that of their variances. Standard
    deviations of up to ``rounding`` count as none.

    >>> stuck = np.repeat(np.arange(16.0)[:, None], BATCHES, axis=1)
    >>> memory(stuck), memory(np.random.default_rng(0).normal(size=(16, BATCHES))) > 0.01
    (0.0, True)
    """
    K, third = len(batches), 3 * BATCHES // 10
    first, last = (part.mean(axis=1) for part in (batches[:, :third], batches[:, -third:]))
    first, last = (part - part.mean(axis=0) for part in (first, last))
    size = math.sqrt(float((first**2).sum()) * float((last**2).sum()))
    if size <= K * rounding**2:
        return 1.0
    r = float((first * last).sum()) / size
    if r * r >= 1.0:
        return 0.0 if r > 0.0 else 1.0
    return float(student.sf(r * math.sqrt((K - 2) / (1 - r * r)), K - 2))


def variance_of_mean(m: float) -> float:
    """v(m), the variance of a mean over m relaxation times, in units of a single value's.

    >>> round(variance_of_mean(1e-9), 4), round(variance_of_mean(100.0), 4)
    (1.0, 0.0198)
    """
    if m < 1e-3:
        return 1.0 - m / 3
    return 2 / m + 2 / m**2 * math.expm1(-m)


@cache
def _table() -> tuple[Floats, Floats]:
    """Relaxation times from 1/10,000 of a stream to 1,000 streams, and their disagreement."""
    shares = np.logspace(-4, 3, 500)
    expected = []
    for share in shares.tolist():
        stream = variance_of_mean(1 / share)
        batch = variance_of_mean(1 / (BATCHES * share))
        expected.append((BATCHES - 1) * stream / (batch - stream))
    return shares, np.array(expected)


def relaxation(ratio: float) -> float:
    """The relaxation time behind a disagreement, as a share of a stream's length.

    Zero up to a ratio of 1, which batches without correlation give; infinite above what a
    thousand streams' length gives.

    >>> relaxation(0.9), round(relaxation(1.8), 3), relaxation(math.inf)
    (0.0, 0.05, inf)
    """
    shares, expected = _table()
    if ratio <= 1.0:
        return 0.0
    if ratio > expected[-1]:
        return math.inf
    return float(np.interp(ratio, expected, shares))
