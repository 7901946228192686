"""How long it takes to reach a set: mean and variance, for certain or given that it is reached.

Let T be the first time in a set A, h(i) the probability that T is finite, and Q the transition
probabilities among states outside A with h > 0. Given that A is reached, the chain goes from i to j
with probability P[i, j] h(j) / h(i) (Doob), so the mean m and the variance v of T satisfy

    h m = Q (h m) + h,
    h v = Q (h v) + g,   g(i) = sum_j P[i, j] h(j) d(i, j)^2,   d(i, j) = m(j) + 1 - m(i).

The first is the usual equation of the mean where h = 1. The second is the law of total variance: T
is one step and what is left, and d is by how much the next state changes what is expected. With
E[T^2] - m^2 one would subtract nearly equal numbers where T hardly varies; here d itself is small,
and squares are added.

*Proof.* The equations are solved with a proven relative error (:mod:`fsm_gpt.markov.first_step`).
With e the relative error of m and e' that of h, d(i, j) is wrong by at most

    delta = (e + 2u) (m(i) + m(j) + 1),

so g is wrong by at most Delta = sum_j P h (2 |d| delta + delta^2), and by its own roundings, each
relative. The inverse of I - Q being non-negative, hv is then wrong by at most
c (h v) + c' (h m) if Delta <= c g + c' h in every state; the best of three such pairs is taken. The
error of a variance is therefore an absolute one, for each state its own. Where m is so large that
delta hides d, that says little; but there T mostly varies as much as it lasts, and E[T^2] - m^2 is
taken in the states where its error is smaller, with h E[T^2] = Q (h E[T^2]) + h (2m - 1).

References
----------
Kemeny & Snell (1976), Finite Markov Chains, theorem 3.3.5 (variances). Levin, Peres & Wilmer
(2017), Markov Chains and Mixing Times, section 17.6.1 (Doob's transform).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.first_step import FirstStep, indicator, leads_to
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers
from fsm_gpt.storage import Edges

__all__ = ["Times", "times"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_UNIT = 2.0**-53
#: Variances whose error is proven to be less, relatively, are not worked out again.
ENOUGH = 1e-6


#: Squares of longer times, and differences of such, are no floats.
LONGEST = 1e145


class Times(NamedTuple):
    """Mean and variance of the time of reaching a set, from every state, shape (N,)."""

    mean: Numbers
    """In steps; infinite where the set is not reached for certain."""
    variance: Numbers
    """In steps squared; infinite there, too."""
    mean_error: Bound
    """Relative, of every mean."""
    variance_error: Numbers | None
    """Absolute, of each variance; None where it is not known."""
    uncertified_because: str


def times(steps: FirstStep, goal: Mask, h: Numbers, h_error: Bound, among: Mask) -> Times:
    """Mean and variance of the time until a set is reached, given that it is.

    Parameters
    ----------
    h, h_error
        The probability of reaching the set, and its relative error.
    among
        The states outside the set whose times are asked for: those with h = 1, from which no
        others are entered, or all with h > 0.
    """
    chain, unknown = steps.chain, np.flatnonzero(among)
    mean, variance = (indicator(chain, goal) * 0 for _ in range(2))
    outside = ~among & ~goal
    if not len(unknown):
        return _infinite(Times(mean, variance, 0.0, np.zeros(len(goal)), ""), outside)
    weight = h[unknown]
    hm, error, reason = steps.solve(unknown, weight)
    mean[unknown] = hm / weight
    if chain.dtype == object:
        g, _ = _spread(chain.edges(), mean, h, 0.0, among)
        hv, _, _ = steps.solve(unknown, g[unknown])
        variance[unknown] = hv / weight
        return _infinite(Times(mean, variance, 0.0, np.zeros(len(goal)), ""), outside)
    if not mean.max() < LONGEST:
        raise NotConverged(
            f"reach: the mean time is {mean.max():.1e} tokens from one of the states, and the "
            f"square of that, for the variance, is beyond the floats. Ask hitting() for the mean "
            f"alone, or reach() for exact=True."
        )
    e = _both(error, h_error)
    g, wrong = _spread(chain.edges(), mean, h, e if e < math.inf else 0.0, among)
    # States from which the time is certain have no variance.
    edges = chain.raw_edges()
    on = among[edges.source]
    varies = np.flatnonzero(leads_to(edges.source[on], edges.target[on], (g > 0) & among) & among)
    hv = np.zeros(len(goal))
    solved: Bound = 0.0
    if len(varies):
        hv[varies], solved, why = steps.solve(varies, g[varies])
        reason = reason or why
    variance[unknown] = hv[unknown] / weight
    found = Times(mean, variance, UNCERTIFIED, None, reason or "the probabilities are uncertified")
    if e < math.inf:
        found = found._replace(mean_error=e, uncertified_because="")
        if solved != UNCERTIFIED:
            c, c_mean = _share(g[unknown], wrong[unknown], weight)
            c = (c + float(solved) * (1 + c)) * (1 + e) + e + 8 * _UNIT
            with np.errstate(over="ignore"):  # what is beyond the floats is not known
                off = (c * variance + c_mean * (1 + e) ** 2 * mean) * (1 + 1e-6)
            if (off > ENOUGH * variance).any():
                _by_second_moment(steps, unknown, weight, mean, e, variance, off)
            found = found._replace(variance_error=off)
        else:
            found = found._replace(uncertified_because=reason)
    return _infinite(found, outside)


def _by_second_moment(
    steps: FirstStep,
    unknown: Ids,
    weight: Numbers,
    mean: Numbers,
    e: float,
    variance: Numbers,
    off: Numbers,
) -> None:
    """Variances as E[T^2] - m^2 and their errors, where these are smaller."""
    m = mean[unknown]
    squares, error, _ = steps.solve(unknown, weight * (2 * m - 1))
    if error == UNCERTIFIED:
        return
    second = squares / weight
    other = second - m**2
    wrong = second * (float(error) + 3 * e + 8 * _UNIT) + m**2 * (2 * e + e**2 + 2 * _UNIT)
    better = wrong * (1 + 1e-6) < off[unknown]
    variance[unknown[better]] = np.maximum(other[better], 0.0)
    off[unknown[better]] = wrong[better] * (1 + 1e-6)


def _both(error: Bound, h_error: Bound) -> float:
    """The relative error of h m / h."""
    if UNCERTIFIED in (error, h_error):
        return math.inf
    a, b = float(error), float(h_error)
    if b == 0:
        return a + 2 * _UNIT
    total = a + 2 * b + 2 * _UNIT  # of the right side, and of the division
    return total * (1 + 4 * total) if total < 0.01 else math.inf


def _spread(
    edges: Edges, mean: Numbers, h: Numbers, e: float, among: Mask
) -> tuple[Numbers, Numbers]:
    """g of the module's text and how wrong it can be, shape (N,)."""
    on = among[edges.source] & (h[edges.target] != 0)
    source, target = edges.source[on], edges.target[on]
    change = mean[target] - mean[source] + 1
    flow = edges.probability[on] * h[target]
    if mean.dtype == object:
        g = mean * 0
        np.add.at(g, source, flow * change * change)
        return g, g
    most = int(np.bincount(edges.source).max())
    delta = (e + 3 * _UNIT) * (mean[target] + mean[source] + 1)
    g = np.bincount(source, weights=flow * change**2, minlength=len(mean))
    off = flow * (2 * np.abs(change) * delta + delta**2)
    wrong = np.bincount(source, weights=off, minlength=len(mean))
    return g, (wrong + ((2 * most + 8) * _UNIT + 2 * e) * g) * (1 + 1e-6)


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def _share(g: Numbers, wrong: Numbers, weight: Numbers) -> tuple[float, float]:
    """The c and c' with wrong <= c g + c' weight that come out smallest.

    Either may do alone; or g serves where it is well known, and the weights elsewhere.
    """
    ratio = np.where(g > 0, wrong / np.where(g > 0, g, 1.0), math.inf)
    per = wrong / weight
    mixed = ratio <= 1e-3
    pairs = [
        (float(ratio.max()), 0.0),
        (float(ratio[mixed].max(initial=0.0)), float(per[~mixed].max(initial=0.0))),
        (0.0, float(per.max())),
    ]
    scale = float((g / weight).max()) or 1.0
    return min(pairs, key=lambda pair: pair[0] * scale + pair[1])


def _infinite(found: Times, outside: Mask) -> Times:
    """The times with those that are not asked for infinite."""
    for values in (found.mean, found.variance):
        values[outside] = math.inf
    return found
