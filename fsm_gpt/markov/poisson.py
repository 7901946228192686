"""Poisson's equation: what it is worth to be in a state, beyond the mean.

On an irreducible chain let rho(s) be the mean of what a token earns in state s and
mu = sum_s pi(s) rho(s). The *relative values* g solve

    g - P g = rho - mu,

and are unique up to a constant: g(s) - g(s') is how much more is earned in all from s than from
s'. With the deviation matrix D, g = D rho (Meyer's group inverse of I - P).

References
----------
Meyer (1975), SIAM Review 17, 443-464 (the group inverse). Kemeny & Snell (1976), Finite Markov
Chains, section 4.6. Puterman (1994), Markov Decision Processes, section 8.2 (relative values).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

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

__all__ = ["Solved", "ToOneState", "exactly", "in_floats"]

Floats = npt.NDArray[np.float64]

#: Products tried on a class too large to eliminate; after them rounds of GMRES, of 60 each.
_PRODUCTS, _ROUNDS = 2000, 10


#: Solves first-step equations among all states but one: the state, what each step gains there,
#: to what is gained in all before that state, with a bound on its relative error.
ToOneState: TypeAlias = Callable[[int, Floats], tuple[Floats, Bound]]


class Solved(NamedTuple):
    """A solution of Poisson's equation."""

    g: Numbers
    time: float
    """The longest mean time to reach some one state, where it is known, else infinite."""
    method: str
    error: Floats | None = None
    """A bound on the error of every value but for a constant, where one is known."""


def _dense(earning: Earning) -> Numbers:
    P = np.zeros((earning.n, earning.n), dtype=earning.probability.dtype)
    np.add.at(
        P, (np.repeat(np.arange(earning.n), earning.lengths), earning.target), earning.probability
    )
    return P


def _others(n: int, j: int) -> npt.NDArray[np.int64]:
    return np.delete(np.arange(n, dtype=np.int64), j)


def exactly(earning: Earning, pi: Numbers) -> Numbers:
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


def in_floats(
    earning: Earning,
    pi: Floats,
    period: int,
    *,
    pi_error: Bound = UNCERTIFIED,
    to_one_state: ToOneState | None = None,
) -> Solved:
    """G in floats: by elimination, by products, or, where those do not settle, by other means.

    Parameters
    ----------
    pi, pi_error
        The stationary distribution of the class, and the bound on its entries' relative error.
    period
        Its period.
    to_one_state
        Solves first-step equations of the class; GMRES is used where it is not given.

    Raises
    ------
    NotConverged
        Nothing settles.
    """
    n = earning.n
    if n == 1:
        return Solved(earning.zeros(), 1.0, "one state")
    if n <= ELIMINATION_LIMIT:
        return _by_elimination(earning, pi)
    found = _by_products(earning, period)
    if found is None and n <= DENSE_LIMIT:
        return _by_elimination(earning, pi)
    if found is None and to_one_state is not None:
        return _by_first_steps(earning, pi, pi_error, to_one_state)
    if found is None:
        found = _by_krylov(earning, pi)
    if found is None:
        raise NotConverged(f"neither products nor GMRES settle on its {n:,} states.")
    return found


def _by_elimination(earning: Earning, pi: Floats) -> Solved:
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
    g = _centred(g)
    error = np.full(earning.n, longest * _residual(earning, g, mean))
    return Solved(g, longest, "Poisson's equation by elimination", error)


def _by_first_steps(
    earning: Earning, pi: Floats, pi_error: Bound, to_one_state: ToOneState
) -> Solved:
    """What is earned above and below the mean until the heaviest state, each side proven.

    A little is added to both, so that every step gains something; the sum of it cancels.
    """
    j = int(np.argmax(pi))
    rest = _others(earning.n, j)
    mean = earning.step(earning.zeros())[0]
    beyond = (mean - math.fsum((pi * mean).tolist()))[rest]
    little = 1e-3 * float(np.abs(beyond).max())
    if little == 0:
        return Solved(
            earning.zeros(), math.inf, "nothing is earned beyond the mean", earning.zeros()
        )
    above, wrong = to_one_state(j, np.maximum(beyond, 0) + little)
    below, also = to_one_state(j, np.maximum(-beyond, 0) + little)
    g = earning.zeros()
    g[rest] = above - below
    g = _centred(g)
    error = None
    if UNCERTIFIED not in (wrong, also):
        # Each step gained at least ``little`` on both sides: so long it takes at most.
        time = (above + below) / (2 * little) * (1 + float(wrong) + float(also))
        error = np.full(earning.n, float(time.max()) * _residual(earning, g, mean))
        if pi_error != UNCERTIFIED:  # that of the mean of all counts at every step
            off = (float(pi_error) + earning.rounding) * float(np.abs(mean).max())
            proven = earning.zeros()
            proven[rest] = float(wrong) * above + float(also) * below + off * time
            error = np.minimum(error, proven)
    return Solved(g, math.inf, "Poisson's equation in reversed time", error)


def _centred(g: Floats) -> Floats:
    """A constant changes nothing, and small numbers round better."""
    return np.asarray(g - (g.max() + g.min()) / 2)


def _residual(earning: Earning, g: Floats, mean: Floats) -> float:
    """How much a step may gain beyond g, more than another.

    The error of g solves Poisson's equation for that: it is earned until one state is reached.
    """
    _, spread, _ = _settled(earning, g, mean)
    size = float(np.abs(g).max() + np.abs(earning.value).max())
    return spread + 4 * (earning.rounding * size + earning.value_error)


def _settled(earning: Earning, g: Floats, mean: Floats) -> tuple[Floats, float, bool]:
    """What a step gains beyond g, its spread, and whether that is rounding alone."""
    gain = mean + earning.expect(g) - g
    spread = float(gain.max() - gain.min())
    size = float(np.abs(g).max() + np.abs(earning.value).max())
    return gain, spread, spread <= 2 * earning.rounding * size


def _by_products(earning: Earning, period: int) -> Solved | None:
    """G as the sum of P^k (rho - mu); the mean of it and the step before where there is a period.

    None where it does not come to rest.
    """
    mean = earning.step(earning.zeros())[0]
    part = 1.0 if period == 1 else 0.5
    g, spreads = _centred(part * mean), [math.inf]
    for _ in range(_PRODUCTS):
        gain, spread, done = _settled(earning, g, mean)
        if done:
            return Solved(g, math.inf, "Poisson's equation by products")
        spreads.append(spread)
        if len(spreads) > 100 and spread > 0.5 * spreads[-100]:
            return None  # it would take too many
        g = _centred(g + part * gain)
    return None


def _by_krylov(earning: Earning, pi: Floats) -> Solved | None:
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
            return Solved(g, math.inf, "Poisson's equation by GMRES")
    return None
