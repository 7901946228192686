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
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT
from fsm_gpt.errors import FsmGptError, NotConverged
from fsm_gpt.markov.algebra import workable
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.reward_values import Earning
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers, kind_of

__all__ = ["Fluctuation", "asymptotic_variance"]

Floats = npt.NDArray[np.float64]

#: Products tried on a class too large to eliminate; after them rounds of GMRES, of 60 each.
_PRODUCTS, _ROUNDS = 2000, 10


class Fluctuation(NamedTuple):
    """The variance constant of a class, or None, with its error and what made it."""

    variance: Any
    error: Bound
    because: str
    method: str


class _Solved(NamedTuple):
    """A solution of Poisson's equation, and T of the module's text where it is known."""

    g: Numbers
    time: float
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
        g = _exactly(earning, pi)
        variance = (pi * earning.step(g)[1]).sum()
        return Fluctuation(variance, 0.0, "", "Poisson's equation by elimination")
    try:
        solved = _in_floats(earning, pi, period)
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


def _dense(earning: Earning) -> Numbers:
    P = np.zeros((earning.n, earning.n), dtype=earning.probability.dtype)
    np.add.at(
        P, (np.repeat(np.arange(earning.n), earning.lengths), earning.target), earning.probability
    )
    return P


def _others(n: int, j: int) -> npt.NDArray[np.int64]:
    return np.delete(np.arange(n, dtype=np.int64), j)


def _exactly(earning: Earning, pi: Numbers) -> Numbers:
    """G in rationals or expressions, zero in the first state."""
    mean = earning.step(earning.zeros())[0]
    g = earning.zeros()
    if earning.n == 1:
        return g
    rest = _others(earning.n, 0)
    P, wanted = _dense(earning), mean[rest] - (pi * mean).sum()
    back: Callable[[Numbers], Numbers] = np.asarray
    if kind_of(P) == "symbolic":
        both, back = workable(np.append(P.ravel(), wanted))
        P, wanted = both[: P.size].reshape(P.shape), both[P.size :]
    g[rest] = back(eliminate(P[np.ix_(rest, rest)], P[rest, 0]).solve(wanted))
    return g


def _in_floats(earning: Earning, pi: Floats, period: int) -> _Solved:
    n = earning.n
    if n == 1:
        return _Solved(earning.zeros(), 1.0, "one state")
    if n <= ELIMINATION_LIMIT:
        return _by_elimination(earning, pi)
    found = _by_products(earning, period)
    if found is None and n <= DENSE_LIMIT:
        return _by_elimination(earning, pi)
    if found is None:
        found = _by_krylov(earning, pi)
    if found is None:
        raise NotConverged(f"neither products nor GMRES settle on its {n:,} states.")
    return found


def _by_elimination(earning: Earning, pi: Floats) -> _Solved:
    """Without subtraction: what is earned above and below the mean until the heaviest state."""
    j = int(np.argmax(pi))
    rest = _others(earning.n, j)
    P = _dense(earning)
    mean = earning.step(earning.zeros())[0]
    beyond = (mean - math.fsum((pi * mean).tolist()))[rest]
    sides = np.column_stack([np.maximum(beyond, 0), np.maximum(-beyond, 0), np.ones(len(rest))])
    above, below, steps = eliminate(P[np.ix_(rest, rest)], P[rest, j]).solve(sides).T
    g, time = earning.zeros(), earning.zeros()
    g[rest], time[rest] = above - below, steps
    worst = np.abs(time - earning.expect(time) - 1)[rest].max()
    worst += 2 * earning.rounding * float(time.max())
    longest = float(time.max()) / (1 - float(worst)) if worst < 1 else math.inf
    return _Solved(_centred(g), longest, "Poisson's equation by elimination")


def _centred(g: Floats) -> Floats:
    """A constant changes nothing, and small numbers round better."""
    return np.asarray(g - (g.max() + g.min()) / 2)


def _settled(earning: Earning, g: Floats, mean: Floats) -> tuple[Floats, float, bool]:
    """What a step gains beyond g, its spread, and whether that is rounding alone."""
    gain = mean + earning.expect(g) - g
    spread = float(gain.max() - gain.min())
    size = float(np.abs(g).max() + np.abs(earning.value).max())
    return gain, spread, spread <= 2 * earning.rounding * size


def _by_products(earning: Earning, period: int) -> _Solved | None:
    """G as the sum of P^k (rho - mu); the mean of it and the step before where there is a period.

    None where it does not come to rest.
    """
    mean = earning.step(earning.zeros())[0]
    part = 1.0 if period == 1 else 0.5
    g, spreads = _centred(part * mean), [math.inf]
    for _ in range(_PRODUCTS):
        gain, spread, done = _settled(earning, g, mean)
        if done:
            return _Solved(g, math.inf, "Poisson's equation by products")
        spreads.append(spread)
        if len(spreads) > 100 and spread > 0.5 * spreads[-100]:
            return None  # it would take too many
        g = _centred(g + part * gain)
    return None


def _by_krylov(earning: Earning, pi: Floats) -> _Solved | None:
    """G by GMRES, taken as it is where its spread is small beside the values'."""
    from scipy.sparse.linalg import LinearOperator, gmres

    mean = earning.step(earning.zeros())[0]
    beyond = mean - math.fsum((pi * mean).tolist())
    A: Any = LinearOperator(
        (earning.n, earning.n), matvec=lambda g: g - earning.expect(g), dtype=np.float64
    )
    with suppress(FsmGptError):
        g, _ = gmres(A, beyond, rtol=1e-13, atol=0.0, restart=60, maxiter=_ROUNDS)
        g = _centred(np.asarray(g))
        _, spread, _ = _settled(earning, g, mean)
        if spread <= 1e-8 * float(np.ptp(earning.value)):
            return _Solved(g, math.inf, "Poisson's equation by GMRES")
    return None
