"""How widely a reward summed over many tokens scatters: the variance of the central limit theorem.

Let S_n be what n tokens earn on an irreducible chain, rho(s) the mean of a token's reward in
state s and mu = sum_s pi(s) rho(s). Then (S_n - n mu) / sqrt(n) tends to a normal law with mean
zero and a variance sigma^2 that no start changes,

    sigma^2 = Var_pi(r) + 2 sum_k Cov_pi(r_0, r_k).

*Poisson's equation.* Let g solve g - P g = rho - mu. What token k earns beyond the mean is
r(s, t) - mu = [r(s, t) + g(s') - E_s(r + g')] + [g(s) - g(s')], s' the next state; the second
brackets cancel along a path, the first are uncorrelated. So

    sigma^2 = sum_s pi(s) Var_s(r + g'),

a sum in which nothing is subtracted from anything: Var_s is the variance over the one token
that leaves s. It is zero on a cycle without choice.

*Proof of the error.* Take any g, and let delta(s) = E_s(r + g') - g(s). Summed over n tokens,
the reward is what g explains, plus the sum of delta. Standard deviations obey the triangle
inequality, so sigma differs from the root of the formula by sigma_delta at most. That of a
function of the state is 2 sum_s pi(s) delta(s) h(s) less its variance, h being its own solution,
and |h| is at most T osc(delta), osc the difference of the largest and the smallest value, where

- T is the longest mean time to reach some state j: h is what is earned on the way to it; or
- T is 2 m, where after m tokens all starts are within 1/4 of pi: P^m halves osc.

So sigma_delta <= sqrt(2 T) osc(delta). Variances whose terms are wrong by eta are wrong by eta
in the standard deviation as well, and pi's relative error stays one.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, section 4.6. Asmussen & Glynn (2007), Stochastic
Simulation, section IV.3d and proposition I.7.1 (Poisson's equation). Meyn & Tweedie (2009), Markov
Chains and Stochastic Stability, section 17.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.poisson import exactly, in_floats
from fsm_gpt.markov.reward_values import Earning
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["Fluctuation", "asymptotic_variance"]

Floats = npt.NDArray[np.float64]


class Fluctuation(NamedTuple):
    """The variance constant of a class, or None, with its error and what made it."""

    variance: Any
    error: Bound
    because: str
    method: str


def asymptotic_variance(
    earning: Earning,
    pi: Numbers,
    pi_error: Bound,
    *,
    period: int,
    mixed_by: Callable[[], int | None],
) -> Fluctuation:
    """Sigma squared of a closed class, with a proven bound on its error.

    Parameters
    ----------
    earning
        The transitions of the class.
    pi, pi_error
        Its stationary distribution, and the bound on the relative error of its entries.
    mixed_by
        For a class too large to eliminate: the tokens after which all starts are within 1/4 of
        pi, None where that is not known.
    """
    if earning.value.dtype == object:
        g = exactly(earning, pi)
        variance = (pi * earning.step(g)[1]).sum()
        return Fluctuation(variance, 0.0, "", "Poisson's equation by elimination")
    try:
        solved = in_floats(earning, pi, period)
    except NotConverged as problem:
        why = f"Poisson's equation was not solved ({problem})"
        return Fluctuation(None, UNCERTIFIED, why, "none")
    mean, variances = earning.step(solved.g)
    variance = math.fsum((pi * variances).tolist())
    if pi_error == UNCERTIFIED:
        return Fluctuation(variance, UNCERTIFIED, "pi is uncertified", solved.method)
    time = solved.time
    if math.isinf(time):
        steps = mixed_by()
        time = math.inf if steps is None else 2.0 * steps
    bound = _bound(earning, solved.g, mean, variance, float(pi_error), time)
    if not math.isfinite(bound):
        return Fluctuation(
            variance, UNCERTIFIED, "no bound on how fast the chain forgets is known", solved.method
        )
    return Fluctuation(variance, bound, "", solved.method)


def _bound(
    earning: Earning, g: Floats, mean: Floats, variance: float, pi_error: float, time: float
) -> float:
    """The absolute error of the variance, by the proof of the module's text."""
    away = mean - g
    size = float(np.abs(g).max() + np.abs(earning.value).max())
    lost = earning.rounding * size + earning.value_error  # of a mean, of a value, of a difference
    spread = float(away.max() - away.min()) + 4 * lost
    sigma = math.sqrt(variance)
    wrong = math.sqrt(2 * time) * spread + 4 * lost + sigma * (pi_error + earning.rounding)
    underflow = 1e-300 if size > 0 else 0.0
    return (2 * sigma + wrong) * wrong * (1 + 1e-9) + underflow
