"""How much of the beginning to leave out: the burn-in.

Two questions are asked, and the longer answer counts.

*Does a drift show?* The beginning of what is kept is compared with its last half, at all scales:
its first token, the first 2, 4, 8 and so on up to a tenth, each as a mean over the streams. The
spread of such means is known from pieces of the same length in the last half, of all streams, and
Student's t with K - 1 degrees of freedom decides, at one percent for all scales together. Until no
drift shows, 0, 1, 2, 4, ... tokens and then twentieths of the run are left out. This is Geweke's
comparison, with variances from the streams instead of from a spectrum.

*Could one be hidden?* A slow mode that starts three of its standard deviations away biases a
mean over n tokens, after d tokens of burn-in, by 3 exp(-d / tau) (tau / n) (1 - exp(-n / tau)) of
them, while the standard error of the mean of K streams is sqrt(v(n / tau) / K) of them
(:mod:`fsm_gpt.series.agreement`). :func:`bias_left` is the ratio of the two; enough is left out
for it to fall below a tenth.

MSER (White 1997) was tried and left: on slow chains it takes swings of the streams' mean for a
beginning and cuts where the rest happens to look calm, and its intervals covered too seldom.

References
----------
Geweke (1992), Bayesian Statistics 4, 169-193. White (1997), Simulation 69, 323-334. Asmussen &
Glynn (2007), Stochastic Simulation, section IV.6 (bias of the initial transient).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from fsm_gpt.series.agreement import variance_of_mean

__all__ = ["DRIFT_LEVEL", "bias_left", "burn_in_for", "drift", "drift_burn_in", "scales"]

Floats = npt.NDArray[np.float64]

#: A drift is one that chance shows so rarely.
DRIFT_LEVEL = 0.01
#: The bias that may stay, in standard errors: it takes a 95% interval to 94.9%.
BIAS_ALLOWED = 0.1
#: How far away a slow mode may start, in its standard deviations.
START = 3.0


def drift(series: Floats, sizes: Sequence[int], *, rounding: float = 0.0) -> float:
    """The probability of a beginning as far from the last half, were there no drift.

    Beginnings of so many tokens are compared, each an nth of the series or less; the
    probability is for all of them together (Bonferroni).

    >>> calm = np.random.default_rng(0).normal(size=(16, 200))
    >>> drift(calm, [1, 20]) > DRIFT_LEVEL, drift(calm + np.arange(200) / 50, [1, 20]) < DRIFT_LEVEL
    (True, True)
    """
    K, n = series.shape
    late = series[:, n // 2 :]
    chances = [1.0]
    for size in sizes:
        n_pieces = late.shape[1] // size
        pieces = late[:, : n_pieces * size].reshape(K, n_pieces, size).mean(axis=2)
        off = abs(float(series[:, :size].mean() - late.mean()))
        spread = math.sqrt(float(pieces.var()) + float(pieces.mean(axis=1).var(ddof=1)))
        if off > rounding:
            t = off * math.sqrt(K) / spread if spread > rounding else math.inf
            chances.append(float(2 * student.sf(t, K - 1)) * len(sizes))
    return min(chances)


def scales(n: int) -> list[int]:
    """1, 2, 4, ... and a tenth of n.

    >>> scales(100)
    [1, 2, 4, 8, 10]
    """
    longest = max(1, n // 10)
    return [*(2**k for k in range((longest - 1).bit_length())), longest]


def drift_burn_in(series: Floats, *, rounding: float = 0.0) -> int:
    """Tokens after which no drift shows; half of the series at most, whether or not one does."""
    n = int(series.shape[1])
    short = [cut for cut in scales(n) if 20 * cut < n]
    for cut in [0, *short, *(k * n // 20 for k in range(1, 10))]:
        kept = series[:, cut:]
        if drift(kept, scales(kept.shape[1]), rounding=rounding) >= DRIFT_LEVEL:
            return cut
    return n // 2


def bias_left(burn_in: float, tau: float, n: int, K: int) -> float:
    """The bias that a slow mode may leave, in standard errors of the mean of K streams of n.

    >>> round(bias_left(0, 100, 2000, 32), 2), round(bias_left(300, 100, 2000, 32), 2)
    (2.75, 0.14)
    """
    if tau == 0.0:
        return 0.0
    if math.isinf(tau):
        return START * math.sqrt(K)
    part = tau / n * -math.expm1(-n / tau)
    left = START * math.exp(-burn_in / tau) * part
    return left * math.sqrt(K / variance_of_mean(n / tau))


def burn_in_for(tau: float, n: int, K: int) -> float:
    """Tokens of burn-in that leave at most ``BIAS_ALLOWED``.

    >>> burn_in_for(0.0, 2000, 32), round(burn_in_for(100, 2000, 32))
    (0.0, 332)
    """
    start = bias_left(0, tau, n, K)
    if start <= BIAS_ALLOWED:
        return 0.0
    return tau * math.log(start / BIAS_ALLOWED)
