"""Whether a text ends, and the first two moments of its length.

With Q among the live states, s the probabilities of stopping, x the start, and N the number of
tokens before the stop token, P(N = n) = x Q^n s. So

    h  = (I - Q)^-1 s         P(it ends)            = x h,
    m  = (I - Q)^-1 Q h       E[N; it ends]         = x m,
    m' = (I - Q)^-1 2 Q m     E[N (N - 1); it ends] = x m',

since the sums over n of Q^n, n Q^n and n (n - 1) Q^n are (I - Q)^-1, Q (I - Q)^-2 and
2 Q^2 (I - Q)^-3. The three systems are solved without a subtraction.

*Proof of the error.* I - Q is an M-matrix: its inverse is non-negative. So a computed f with
|(I - Q) f - b| <= e is wrong by at most e t, with t the mean times among the live states, which
are bounded as in :mod:`fsm_gpt.markov.hitting`. Where that is too weak, or the states are too
many, the equations are solved and proven in reversed time. An error of b by d adds d t, and one
by a factor the same factor.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, theorem 3.3.5 (mean and variance). Neuts (1981),
Matrix-Geometric Solutions in Stochastic Models, chapter 2 (phase type, factorial moments).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.before_end import BeforeEnd
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.first_step import ACCURACY, FirstStep
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.steps import rounded
from fsm_gpt.result import UNCERTIFIED
from fsm_gpt.rows import Numbers

__all__ = ["Near", "Sums", "by_equations", "from_start"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


class Near(NamedTuple):
    """A number of 0 or more, and how far it may be from the truth."""

    value: Any
    error: float

    @property
    def ends(self) -> tuple[float, float]:
        """Between which numbers the truth lies."""
        return max(float(self.value) - self.error, 0.0), float(self.value) + self.error

    @property
    def relative(self) -> float:
        """The error as a share of the truth, at most."""
        low = self.ends[0]
        return 0.0 if not self.error else self.error / low if low else math.inf


@dataclass(frozen=True, eq=False)
class Sums:
    """P(it ends), E[N; it ends] and E[N (N - 1); it ends]."""

    ending: Near
    first: Near
    second: Near
    method: str
    refused: str = ""
    """Why one of them is not bounded."""

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(one.relative for one in (self.ending, self.first, self.second))

    def mean(self) -> Near:
        """E[N | it ends]."""
        value = self.first.value / self.ending.value
        return _between(value, _ratio(self.first, self.ending))

    def variance(self) -> Near:
        """The variance of N, given that it ends; the only difference that is taken."""
        mean = self.mean()
        value = self.second.value / self.ending.value + mean.value - mean.value * mean.value
        low, high = _ratio(self.second, self.ending)
        (a, b), room = mean.ends, 16 * rounded(1)
        found = _between(value, (low + a - b * b - room * (high + b * b), high + b - a * a))
        return Near(
            max(value, value * 0), found.error + (room * (high + b * b) if found.error else 0.0)
        )


def _ratio(above: Near, below: Near) -> tuple[float, float]:
    (a, b), (c, d) = above.ends, below.ends
    return (a / d, b / c) if c else (0.0, math.inf)


def _between(value: Any, ends: tuple[float, float]) -> Near:
    """A number that was rounded a few times, and the two sides of the truth."""
    low, high = ends
    if isinstance(value, Fraction):
        return Near(value, 0.0)
    room = 4 * rounded(1) * abs(value)
    return Near(value, max(value - low, high - value) + room)


def from_start(x: Numbers, f: Numbers, wrong: Floats | None = None) -> Near:
    """The sum of x f and its error, where entries of f may be ``wrong`` by so much."""
    held = np.flatnonzero(x != 0)
    if x.dtype == object:
        return Near((x[held] * f[held]).sum(), 0.0)
    value = float(x[held] @ f[held])
    error = value * rounded(len(held)) if len(held) > 1 else 0.0
    return Near(
        value, error + (0.0 if wrong is None else float(x[held] @ wrong[held]) * (1 + 1e-9))
    )


def by_equations(known: BeforeEnd) -> Sums:
    """The three sums, by solving for them from every live state.

    Raises
    ------
    NotConverged
        There are too many live states to eliminate, and they are too stiff for the cycles.
    """
    system = _System(known)
    live, once = system.live, rounded(2 * known.longest + 2)
    f, wrong = known.zeros(), np.zeros(known.part.n_states)
    if known.sure:
        f[live] = Fraction(1) if known.exact else 1.0
        one = Near(f[live[0]], 0.0)
    else:
        s = known.stopping()[live]
        f[live], wrong[live] = system.solve(s, s * once)
        one = from_start(known.start, f, wrong)
    sums = [one]
    for times in (1, 2):
        b = known.within(f)[live] * times
        of_b = (
            wrong[live]
            if known.exact
            else known.within(wrong)[live] * times * (1 + once) + b * once
        )
        f[live], wrong[live] = system.solve(b, of_b)
        sums.append(from_start(known.start, f, wrong))
    method = system.solver.method
    return Sums(sums[0], sums[1], sums[2], method, system.refused)


@dataclass(eq=False)
class _System:
    """(I - Q) f = b among the live states, for several b."""

    known: BeforeEnd
    refused: str = ""
    solver: FirstStep = field(init=False)
    live: Ids = field(init=False)

    def __post_init__(self) -> None:
        self.solver = FirstStep(self.known.part)
        self.live = np.flatnonzero(self.known.live)

    def solve(self, b: Numbers, wrong: Numbers) -> tuple[Numbers, Floats]:
        """F, and how far each entry may be from the truth where b may be ``wrong`` by so much."""
        if self.known.exact:
            return self.solver.eliminated(self.live, b), np.zeros(len(b))
        if not b.any():
            return np.zeros(len(b)), np.zeros(len(b))
        if len(self.live) > ELIMINATION_LIMIT:
            return self._backward(b, wrong)
        f = self.solver.eliminated(self.live, b)
        if not f.max() < 1e300:
            raise NotConverged(
                "length: the mean or the square of the length is beyond 1e300 tokens, and so "
                "beyond the floats. Ask for exact=True."
            )
        with np.errstate(over="ignore"):
            error = np.where(f > 0, (self._residual(f, b) + wrong.max()) * self._times, 0.0)
        if _worst(f, error) > ACCURACY:
            with suppress(NotConverged):
                g, less = self._backward(b, wrong)
                if _worst(g, less) < _worst(f, error):
                    f, error = g, less
        if not np.isfinite(error).all():
            self.refused = "the equations hold too poorly to bound their solution"
        return f, error

    def _residual(self, f: Floats, b: Floats) -> float:
        """A bound on |(I - Q) f - b| in every live state."""
        everywhere = self.known.zeros()
        everywhere[self.live] = f
        after = self.known.within(everywhere)[self.live]
        rounding = rounded(2 * self.known.longest + 6) * (f + after + b)
        return float((np.abs(f - after - b) + rounding).max())

    @cached_property
    def _times(self) -> Floats:
        """Upper bounds on the mean times among the live states; infinite where none is proven."""
        t = np.zeros(self.known.part.n_states)
        t[self.live] = self.solver.eliminated(self.live, np.ones(len(self.live)))
        wrong = residual(self.known.part, t[:, None], np.ones(1))
        e = math.inf if wrong is None else float(wrong[self.live].max())
        return (
            np.full(len(self.live), math.inf) if e >= 0.5 else t[self.live] / (1 - e) * (1 + 1e-9)
        )

    def _backward(self, b: Floats, wrong: Floats) -> tuple[Floats, Floats]:
        f, bound, reason = self.solver.backward(self.live, b)
        if bound == UNCERTIFIED:
            self.refused = reason
            return f, np.full(len(f), math.inf)
        held = b > 0
        with np.errstate(over="ignore"):
            of_b = float((wrong[held] / b[held]).max())
        if not of_b < math.inf:
            self.refused = "sums below the normal floats have lost their digits"
            return f, np.full(len(f), math.inf)
        return f, f * ((1 + float(bound)) * (1 + of_b) - 1) * (1 + 1e-9)


def _worst(f: Floats, error: Floats) -> float:
    held = f > 0
    with np.errstate(over="ignore"):
        return float((error[held] / f[held]).max(initial=0.0))
