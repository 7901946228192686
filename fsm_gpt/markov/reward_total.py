"""What some tokens earn in all: mean and variance, and the distribution where values allow it.

Let m_n(s) be the mean of what n tokens earn from state s and v_n(s) its variance. A step at a
time, s' the next state,

    m_n(s) = E_s(r + m_{n-1}(s')),      v_n(s) = Var_s(r + m_{n-1}(s')) + E_s v_{n-1}(s')

(the law of total variance, so that nothing is subtracted from anything). From a start that is
drawn, the variance of m_n over the start comes on top. Until the end of a text the same equations
hold without the n, and are solved among the states that lead to the end:
(I - Q) m = rho, (I - Q) v = Var_s(r + m').

*Error.* With sup norms: a step adds to the error of m the rounding of one sum, and to that of v
2 sqrt(Var_s) eta + eta^2, eta what r + m' and its mean may be wrong by. Until the end, what is
left over of the equations counts for as many steps as the text still takes.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, section 3.3 and theorem 3.3.5; Puterman (1994), Markov
Decision Processes, section 4.2 (values over a horizon). Sobel (1982), Journal of Applied
Probability 19, 794-802 (their variance).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, StateSpaceTooLarge
from fsm_gpt.markov.algebra import EXACT_LIMIT
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.reward_lattice import RewardDistribution, reward_distribution
from fsm_gpt.markov.reward_values import Earning, simplified
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers

__all__ = ["TotalReward", "after_tokens", "until_end"]

Mask = npt.NDArray[np.bool_]

_UNIT = 2.0**-53
#: Products made at most for what is earned until the end, where there are too many states to
#: eliminate.
_PRODUCTS = 20_000


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TotalReward(Bounded):
    """What is earned in all, over some tokens or until the text ends, from a start."""

    error_meaning = "absolute error of the mean"
    _hidden = ("chain", "start", "earning")

    chain: Chain = field(repr=False)
    earning: Earning = field(repr=False)
    start: Numbers = field(repr=False)
    """The distribution of the state before the first token, shape (N,)."""
    tokens: int | None
    """How many tokens; None until the end of the text."""
    unit: str
    mean: Any
    variance: Any
    variance_error: Bound
    """A bound on the absolute error of the variance."""

    def distribution(self) -> RewardDistribution:
        """The probability of each total, where the values lie on a lattice.

        Raises
        ------
        NotDefined
            The total is that until the end, which has no largest value.
        StateSpaceTooLarge
            There are too many possible totals, as where values are floats with many digits.
        """
        return reward_distribution(self.chain, self.earning, self.start, self.tokens)

    def __str__(self) -> str:
        when = "until the end" if self.tokens is None else f"over {self.tokens:,} tokens"
        mean, variance = format_number(self.mean), format_number(self.variance)
        return (
            f"{when}: mean {mean} {self.unit}, variance {variance} "
            f"({self.method}; {self.error_sentence})"
        )


@dataclass(eq=False)
class _Errors:
    """Bounds on the absolute errors of means and variances so far."""

    earning: Earning
    mean: float = 0.0
    variance: float = 0.0

    def step(self, before: Numbers, spread: Numbers, variance: Numbers) -> None:
        """One step further back; ``before`` is what the targets' means were."""
        size = float(np.abs(self.earning.value).max() + np.abs(before).max())
        lost = self.earning.rounding * size + self.earning.value_error
        eta = 2 * (self.mean + lost)
        most = float(spread.max())
        self.variance += (2 * math.sqrt(most) + eta) * eta
        self.variance += self.earning.rounding * (most + float(variance.max()))
        self.mean += lost


def after_tokens(
    chain: Chain, earning: Earning, start: Numbers, n: int, *, start_error: Bound, unit: str
) -> TotalReward:
    """Mean and variance over n tokens; ``start_error`` bounds the relative error of the start.

    Raises
    ------
    InvalidArgument
        ``n`` is not a whole number of 0 or more.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
        raise InvalidArgument(f"reward: n={n!r} is not a whole number of 0 or more.")
    exact = earning.value.dtype == object
    mean, variance = earning.zeros(), earning.zeros()
    errors = _Errors(earning)
    for _ in range(int(n)):
        before, (mean, spread) = mean, earning.step(mean)
        variance = spread + earning.expect(variance)
        if not exact:
            errors.step(before, spread, variance)
    return _total(
        chain,
        earning,
        start,
        (mean, variance),
        errors,
        tokens=int(n),
        start_error=start_error,
        unit=unit,
        method="means and variances a token at a time",
    )


def until_end(
    chain: Chain, earning: Earning, start: Numbers, among: Mask, *, unit: str
) -> TotalReward:
    """The same until the text ends, among states from which it surely does.

    Raises
    ------
    StateSpaceTooLarge
        More states than exact elimination serves.
    NotConverged
        Texts are too long for the products that take its place.
    """
    end = chain.end
    assert end is not None
    kept = among.copy()
    kept[end] = True
    states = np.flatnonzero(kept)
    part = earning.inside(states)
    n, exact = part.n - 1, earning.value.dtype == object
    solved, method = _solver(part, n, exact)
    mean = solved(part.step(part.zeros())[0])
    again, spread = part.step(mean)
    variance = solved(spread)
    errors = _Errors(part)
    if not exact and n:
        one = np.append(np.ones(n), 0.0)
        steps = solved(one)
        slack = part.rounding * 2 * float(steps.max())
        worst = float(np.abs(steps - part.expect(steps) - one).max()) + slack
        longest = float(steps.max()) / (1 - worst) if worst < 1 else math.inf
        lost = part.rounding * float(np.abs(mean).max() + np.abs(part.value).max())
        errors.mean = (float(np.abs(again - mean).max()) + 2 * (lost + part.value_error)) * longest
        left = float(np.abs(spread + part.expect(variance) - variance).max())
        errors.step(mean, spread, variance)
        errors.variance = (2 * errors.variance + left) * longest
    whole = earning.zeros(), earning.zeros()
    whole[0][states], whole[1][states] = mean, variance
    return _total(
        chain,
        earning,
        start,
        whole,
        errors,
        tokens=None,
        start_error=0.0,
        unit=unit,
        method=f"first-step equations by {method}",
    )


def _solver(part: Earning, n: int, exact: bool) -> tuple[Callable[[Numbers], Numbers], str]:
    """What solves (I - Q) x = b among n states, b of either sign; END comes last, with zero."""
    if exact and n > EXACT_LIMIT:
        raise StateSpaceTooLarge(
            f"reward: the total until the end is asked among {n:,} states, above the "
            f"{EXACT_LIMIT:,} for which exact elimination is offered. Give n=... for the total "
            f"over some tokens, or ask without exact."
        )
    if n > DENSE_LIMIT:
        return lambda b: _by_products(part, b), "products"
    P = np.zeros((n + 1, n + 1), dtype=part.probability.dtype)
    np.add.at(P, (np.repeat(np.arange(n + 1), part.lengths), part.target), part.probability)
    factors = eliminate(P[:-1, :-1], P[:-1, -1]) if n else None

    def solved(b: Numbers) -> Numbers:
        x = np.zeros(n + 1, dtype=b.dtype)
        if factors is not None and exact:
            x[:-1] = factors.solve(b[:-1])
        elif factors is not None:  # without subtraction where nothing is negative
            sides = factors.solve(np.column_stack([np.maximum(b, 0), np.maximum(-b, 0)])[:-1])
            x[:-1] = sides[:, 0] - sides[:, 1]
        return x

    return solved, "elimination"


def _by_products(part: Earning, b: Numbers) -> Numbers:
    """The sum of Q^k b, until nothing is added any more."""
    x, term = b.copy(), b
    for _ in range(_PRODUCTS):
        term = part.expect(term)
        x = x + term
        if float(np.abs(term).max()) <= 2**-60 * float(np.abs(x).max()):
            return np.asarray(x)
    raise NotConverged(
        f"after {_PRODUCTS:,} tokens texts go on that are not rare enough to be left out. Give "
        f"n=... for the total over some tokens."
    )


def _total(
    chain: Chain,
    earning: Earning,
    start: Numbers,
    moments: tuple[Numbers, Numbers],
    errors: _Errors,
    *,
    tokens: int | None,
    start_error: Bound,
    unit: str,
    method: str,
) -> TotalReward:
    """The moments from a start, by the law of total variance once more."""
    mean, variance = moments
    here = np.flatnonzero(start != 0)
    x, mean, variance = start[here], mean[here], variance[here]
    if earning.value.dtype == object:
        centre = simplified((x * mean).sum())
        spread = simplified((x * (variance + (mean - centre) ** 2)).sum())
        return TotalReward(
            chain=chain,
            earning=earning,
            start=start,
            tokens=tokens,
            unit=unit,
            mean=centre,
            variance=spread,
            variance_error=0.0,
            method=method,
            error_bound=0.0,
        )
    centre = math.fsum((x * mean).tolist())
    within, between = (math.fsum((x * part).tolist()) for part in (variance, (mean - centre) ** 2))
    bound: Bound = UNCERTIFIED
    variance_bound: Bound = UNCERTIFIED
    reason = "the start is uncertified"
    if start_error != UNCERTIFIED:
        relative = float(start_error) + 8 * _UNIT
        bound = errors.mean + relative * math.fsum((x * np.abs(mean)).tolist())
        eta = 2 * bound
        variance_bound = (
            errors.variance + relative * (within + between) + (2 * math.sqrt(between) + eta) * eta
        )
        reason = ""
        if not math.isfinite(variance_bound):
            bound = variance_bound = UNCERTIFIED
            reason = "the roundings of logarithms or times are not bounded"
    return TotalReward(
        chain=chain,
        earning=earning,
        start=start,
        tokens=tokens,
        unit=unit,
        mean=centre,
        variance=within + between,
        variance_error=variance_bound,
        method=method,
        error_bound=bound,
        uncertified_because=reason,
    )
