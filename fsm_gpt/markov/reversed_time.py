"""First-step equations solved, and proven, in reversed time.

The equations (I - Q) f = b, with Q among n unknown states and b >= 0, ask for f: a time or
a probability. Where f is 1e20, its differences from state to state are lost in rounding and
no residual proves anything. This module turns the question into two stationary
distributions, which are found without subtraction and proven entry by entry.

*Forward.* Let the chain, whenever it leaves the unknown states, start again in state i at
rate c(i) > 0 from one more state, the origin. Let x be stationary for that, x = 1 at the
origin: x(j) out(j) = c(j) + sum_i x(i) Q[i, j], where out(j) is the rate of leaving j.

*Backward.* Go from i to j at rate x(j) Q[j, i] / x(i), to the origin at rate c(i) / x(i), and
from the origin to i at rate x(i) b(i). The rates out of i are out(i) again, because x
balances. If y is stationary for that, y = 1 at the origin, then f = y / x:
y(j) out(j) = x(j) b(j) + sum_i y(i) x(j) Q[j, i] / x(i), divided by x(j), is the equation.

*Proof.* The certificate of :mod:`fsm_gpt.markov.certificate` shows that x is exactly
stationary for forward rates of which n, on a tree, are changed. Reversing those, instead of
the rates themselves, changes the backward rates by as much, and it shows that y is exactly
stationary for backward rates of which n are changed. Every f(i), like every ratio of
stationary probabilities, is a quotient of two sums of products of at most n rates, none
twice (the tree theorem), so each of these three changes multiplies it by at most the product
of (1 + eta) / (1 - eta) over its tree, however large it is.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, section 5.3 (the reverse process). O'Cinneide
(1993), Numerische Mathematik 65, 109-120.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.kernels import aggregation as loops
from fsm_gpt.kernels.certificate import log_factor
from fsm_gpt.markov.backoff import BOTTOM
from fsm_gpt.markov.certificate import growth, log_change
from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.multilevel import solve
from fsm_gpt.result import UNCERTIFIED, Bound

__all__ = ["Equations", "prove", "solve_backward", "solve_forward"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]
Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
#: Products above this keep all their digits.
_SMALLEST = 1e-290

#: Of the smoother: through the origin all states are near one another, and two halve the
#: error of a cycle where four divide it by six.
_SWEEPS = 4


@dataclass(frozen=True, eq=False)
class Equations:
    """(I - Q) f = b, its rates by source, without those from a state to itself."""

    source: Ids
    target: Ids
    rate: Floats
    leaving: Floats
    b: Floats
    roundings: int
    """That each rate, each probability of leaving and each b went through, at most."""

    @property
    def n(self) -> int:
        """The number of unknown states."""
        return len(self.b)


@dataclass(frozen=True, eq=False)
class _Rates:
    """Positive rates of a chain on the unknown states and the origin, which is the last one."""

    start: Ids
    target: Places
    rate: Floats

    @classmethod
    def of(cls, source: Ids, target: Ids, rate: Floats, into: Floats, out_of: Floats) -> _Rates:
        """Rates among states, from each ``into`` the origin, and ``out_of`` the origin to each."""
        n = len(into)
        ends, begins = np.flatnonzero(into), np.flatnonzero(out_of)
        sources = np.concatenate([source, ends, np.full(len(begins), n)])
        targets = np.concatenate([target, np.full(len(ends), n), begins])
        rates = np.concatenate([rate, into[ends], out_of[begins]])
        order = np.argsort(sources, kind="stable")
        start = np.searchsorted(sources[order], np.arange(n + 2)).astype(np.int64)
        return cls(start, targets[order].astype(np.int32), rates[order])

    def stationary(self, enough: Callable[[Floats], bool], guess: Floats | None = None) -> Floats:
        """The stationary distribution relative to the origin's, shape (n,)."""
        if len(self.start) - 1 <= BOTTOM:
            x = eliminate(loops.to_dense(self.start, self.target, self.rate)).left_null_vector()
        else:
            rates = ClassRates(self.start, self.target, self.rate)
            x = solve(rates, enough=enough, guess=guess, sweeps=_SWEEPS).x
        return np.asarray(x[:-1] / x[-1])

    def log_factor(self, x: Floats) -> float:
        """How far rates must change for x, and 1 at the origin, to be exactly stationary.

        As the logarithm of the factor by which that can change a ratio of probabilities.
        """
        if not (np.isfinite(x).all() and (x > 0).all()):
            return math.inf
        return float(log_factor(self.start, self.target, self.rate, np.append(x, 1.0)))


def _forward(equations: Equations, c: Floats) -> _Rates:
    return _Rates.of(equations.source, equations.target, equations.rate, equations.leaving, c)


def _backward(equations: Equations, c: Floats, x: Floats, per: Floats) -> _Rates:
    """The reversed chain, each rate out of state i divided by ``per`` of i."""
    flow = x[equations.source] * equations.rate
    restart = x * equations.b
    return _Rates.of(
        equations.target,
        equations.source,
        flow / per[equations.target],
        c / per,
        restart / restart.sum() if per is x else restart,
    )


@np.errstate(all="ignore")  # what leaves the range of floats is refused
def prove(equations: Equations, c: Floats, x: Floats, f: Floats) -> tuple[Bound, str]:
    """A bound on the relative error of every entry of f, and what stands in its way.

    Parameters
    ----------
    c
        Rates out of the origin, any positive numbers or zeros.
    x, f
        The two vectors of the module's text, as they were computed, shape (n,).
    """
    n = equations.n
    rounding = (equations.roundings + 4) * _UNIT  # and one of each product with x
    flows = x[equations.source] * equations.rate, x * equations.b
    for factors in (equations.rate, equations.leaving, equations.b, *flows):
        if ((factors < _SMALLEST) & (factors != 0)).any():
            return UNCERTIFIED, f"products below {_SMALLEST:g} lose digits by underflow"
    if (flows[0] == 0).any() or ((flows[1] == 0) & (equations.b != 0)).any():
        return UNCERTIFIED, "a flow underflows to zero"
    forward = _forward(equations, c).log_factor(x)
    backward = _backward(equations, c, x, np.ones(n)).log_factor(f)
    bound = growth(2 * forward + backward + 3 * (n + 1) * log_change(rounding))
    if not bound < 1:
        return UNCERTIFIED, "no equations close to these are solved exactly by what was found"
    return bound * (1 + 1e-9), ""


@np.errstate(all="ignore")  # what leaves the range of floats has no bound
def solve_forward(equations: Equations, c: Floats, *, accuracy: float) -> tuple[Floats, Bound, str]:
    """x of x (I - Q) = c with a bound on its relative error, or the reason why there is none.

    Of a c that is 1 in one state, x is the mean number of visits to each when started there.
    From the states where c is positive all others have to be reached.

    Raises
    ------
    NotConverged
        The stationary distribution does not settle.
    """
    forward = _forward(equations, c)
    x = forward.stationary(lambda v: forward.log_factor(v[:-1] / v[-1]) <= accuracy / 2)
    rounding = (equations.roundings + 4) * _UNIT
    for factors in (equations.rate, equations.leaving, x[equations.source] * equations.rate):
        if ((factors < _SMALLEST) & (factors != 0)).any():
            return x, UNCERTIFIED, f"products below {_SMALLEST:g} lose digits by underflow"
    bound = growth(forward.log_factor(x) + (equations.n + 1) * log_change(rounding))
    if not bound < 1:
        return x, UNCERTIFIED, "no equations close to these are solved exactly by what was found"
    return x, bound * (1 + 1e-9), ""


@np.errstate(all="ignore")  # what leaves the range of floats is looked for in the answer
def solve_backward(
    equations: Equations, *, c: Floats | None = None, x: Floats | None = None, accuracy: float
) -> tuple[Floats, Bound, str]:
    """f of (I - Q) f = b with a bound on its relative error, or the reason why there is none.

    Parameters
    ----------
    c, x
        Restart rates and the vector that belongs to them, where known; otherwise all states
        are restarted in at the same rate.
    accuracy
        Cycles go on until this is proven, or until nothing changes.

    Raises
    ------
    NotConverged
        One of the two stationary distributions does not settle.
    """
    n = equations.n
    most = accuracy / 8.0
    if c is None or x is None:
        c = np.full(n, 1.0 / n)
        forward = _forward(equations, c)
        x = forward.stationary(lambda v: forward.log_factor(v[:-1] / v[-1]) <= most)
    backward = _backward(equations, c, x, x)
    if not (np.isfinite(backward.rate).all() and (backward.rate > 0).all()):
        raise NotConverged(
            f"first-step equations: among {n:,} states some are visited too rarely for floats "
            f"(below 1e-308 of the others), so the time from them is not found. A decoding rule "
            f"such as MinP(1e-12) removes what leads to them."
        )
    plain = _backward(equations, c, x, np.ones(n))
    scale = float((x * equations.b).sum())
    known = x

    def enough(y: Floats) -> bool:
        return plain.log_factor(y[:-1] / y[-1] / known * scale) <= most

    # Where all f are alike, y is x, and as much flows out of the origin as into it.
    guess = np.append(x, c.sum())
    f = backward.stationary(enough, guess) / x * scale
    if not (np.isfinite(f).all() and (f > 0).all()):
        raise NotConverged(
            f"first-step equations: among {n:,} states an answer leaves the range of floats "
            f"(1e-308 to 1e308). Ask for exact=True where the chain is small."
        )
    return f, *prove(equations, c, x, f)
