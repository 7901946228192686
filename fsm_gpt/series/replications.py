"""The mean of streams as independent replications, with an interval that slow mixing widens.

The K means of the streams are independent of each other, so their variance is that of the mean
whatever the correlation inside a stream, and Student's t with K - 1 degrees of freedom gives
the interval. Batch means inside a stream would give more degrees of freedom, and too small a
variance where batches are shorter than the memory of the process; the larger of the two would
be too wide where both are right. So the streams decide alone, and batch means tell whether they
agree (:mod:`fsm_gpt.series.agreement`) and stand beside as a cross-check.

What replications cannot see is a bias that they share, from their beginnings. It is kept below a
tenth of the standard error by the burn-in. Where half of the run is not enough for that, what
bias may be left is added to the interval; where it could exceed the sampling error itself, or
where streams remember at their end how they began, there is no honest interval, and
:class:`fsm_gpt.errors.NotConverged` is raised.

No statistic of a run knows of what none of its streams has met.

References
----------
Asmussen & Glynn (2007), Stochastic Simulation, chapter IV. Whitt (1991), Management Science
37, 645-666 (one long run or independent replications). Flegal & Jones (2010), Annals of
Statistics 38, 1034-1070 (batch means).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from fsm_gpt.errors import NotConverged
from fsm_gpt.series.agreement import BATCHES, disagreement, in_batches, memory, relaxation
from fsm_gpt.series.burn_in import bias_left, burn_in_for, drift, drift_burn_in

__all__ = ["Interval", "mean_of_streams", "student_quantile"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Streams that drift after the burn-in, or remember how they began, more than chance lets one
#: honest run in a thousand, are refused.
REFUSED_BELOW = 0.001
#: Labels that are counted one by one; rarer ones count as one.
COUNTED = 64


@dataclass(frozen=True)
class Interval:
    """A mean, how far it may be off, and what was seen on the way."""

    mean: float
    half_width: float
    standard_error: float
    """Of the mean, from the variance between the streams."""
    batch_means_error: float
    """The same from batch means inside the streams; smaller where the streams are slow."""
    effective_size: float
    """Independent values that would give this standard error."""
    burn_in: int
    disagreement: float
    """The variance between streams over what batches inside them let expect."""
    relaxation: float
    """The slowest relaxation time that shows, in tokens."""
    bias_allowed: float
    """The part of the half-width that is for the streams' beginnings."""


def student_quantile(confidence: float, freedom: int) -> float:
    """How many standard errors an interval of this confidence reaches to each side.

    >>> round(student_quantile(0.95, 31), 3)
    2.04
    """
    return float(student.isf((1 - confidence) / 2, freedom))


def mean_of_streams(
    series: Floats, labels: Ids, *, confidence: float, rounding: float = 0.0
) -> Interval:
    """The long-run mean of a process, from K streams of it from dispersed starts.

    Parameters
    ----------
    series
        The values, shape (K, n).
    labels
        What else shows where a stream is, shape (K, n): streams that are stuck may agree in
        their values and differ here.
    confidence
        Of the interval, such as 0.95.
    rounding
        Differences up to this are none.

    Raises
    ------
    NotConverged
        The streams disagree, drift or walk in step, so that no interval would be honest.

    Examples
    --------
    >>> coins = np.random.default_rng(0).integers(0, 2, (32, 400))
    >>> found = mean_of_streams(coins.astype(float), coins, confidence=0.95)
    >>> bool(abs(found.mean - 0.5) < found.half_width < 0.02)
    True
    """
    K, n_all = series.shape
    if np.ptp(series) <= rounding:
        return Interval(float(series.mean()), 0.0, 0.0, 0.0, float(series.size), 0, 0.0, 0.0, 0.0)
    if np.ptp(series, axis=0).max() <= rounding:
        raise NotConverged(
            f"sampling: all {K} streams went through the same values in step, so they are one "
            f"run and not {K}. Let them start apart."
        )
    burn_in = drift_burn_in(series, rounding=rounding)
    counted = _most_frequent(labels)
    while True:
        kept = series[:, burn_in:]
        n = kept.shape[1]
        batches, frequencies = in_batches(kept), _frequencies(counted[:, burn_in:])
        ratio = max(disagreement(batches, rounding=rounding), disagreement(frequencies))
        tau = relaxation(ratio) * n
        wanted = burn_in_for(tau, n, K)
        if wanted <= burn_in or burn_in == n_all // 2:
            break
        burn_in = math.ceil(min(wanted, n_all // 2))
    means = kept.mean(axis=1)
    error = float(means.std(ddof=1)) / math.sqrt(K)
    reach = student_quantile(confidence, K - 1)
    bias = bias_left(burn_in, tau, n, K) if wanted > burn_in else 0.0
    # A token more or less at the ends of a third, as the phase of a cycle has it, is no memory.
    token = BATCHES / (3.0 * n)
    remembered = 2 * min(
        memory(batches, rounding=max(rounding, float(np.ptp(kept)) * token)),
        memory(frequencies, rounding=token),
    )
    _refuse_disagreement(means, ratio, stuck=bias > reach or remembered < REFUSED_BELOW)
    _refuse_drift(kept, burn_in, rounding)
    spread = float(kept.var())
    return Interval(
        mean=float(means.mean()),
        half_width=(reach + bias) * error,
        standard_error=error,
        batch_means_error=math.sqrt(float(batches.var(axis=1, ddof=1).mean()) / (BATCHES * K)),
        effective_size=spread / error**2 if error > 0 else math.inf,
        burn_in=burn_in,
        disagreement=ratio,
        relaxation=tau,
        bias_allowed=bias * error,
    )


def _most_frequent(labels: Ids) -> Ids:
    """Labels as numbers from 0 to ``COUNTED``, the last one for all rarer labels."""
    found, place, count = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(found))
    return np.asarray(np.minimum(rank, COUNTED)[place].reshape(labels.shape))


def _frequencies(labels: Ids) -> Floats:
    """How frequent each label is in each batch, shape (K, BATCHES, COUNTED + 1)."""
    K, n = labels.shape
    size = n // BATCHES
    batch = np.arange(K * BATCHES).reshape(K, BATCHES, 1)
    cut = labels[:, : size * BATCHES].reshape(K, BATCHES, size)
    J = COUNTED + 1
    counts = np.bincount((batch * J + cut).ravel(), minlength=K * BATCHES * J)
    return np.asarray(counts.reshape(K, BATCHES, J) / size)


def _refuse_disagreement(means: Floats, ratio: float, *, stuck: bool) -> None:
    if not stuck:
        return
    more = "although each stays the same" if math.isinf(ratio) else f"{ratio:.3g} times as much as"
    more += "" if math.isinf(ratio) else " batches inside a stream let expect, in variance"
    raise NotConverged(
        f"sampling: the {len(means)} streams disagree. Their means go from {means.min():.4g} to "
        f"{means.max():.4g}, {more}; so each still remembers where it began, or they have ended in "
        f"different closed classes, and no interval would be honest. Draw more tokens in each "
        f"stream, or start all of them in one class."
    )


def _refuse_drift(kept: Floats, burn_in: int, rounding: float) -> None:
    chance = drift(kept, [max(1, kept.shape[1] // 10)], rounding=rounding)
    if chance >= REFUSED_BELOW:
        return
    raise NotConverged(
        f"sampling: the mean over the streams still drifts after {burn_in:,} of "
        f"{burn_in + kept.shape[1]:,} tokens were left out (p = {chance:.1g}). No interval would "
        f"be honest. Draw more tokens in each stream."
    )
