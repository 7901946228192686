"""Where the chain is after a given number of tokens.

If x is the distribution of the state now, that after n tokens is x P^n (Norris 1997, theorem
1.1.3), and it takes n products of a vector with P; no power of P is made.

*Error.* No number is negative, so each operation changes every entry by a factor within
1 +- u, u = 2**-53, and nothing cancels. In one step a row's sum takes V - 1 roundings, the
division by it two at most and the product with a probability one, and the sum over the d states
that lead to one state d - 1: V + d + 1 in all, d = V in a window chain. So after n steps every
entry is right to a factor within exp(+- n (V + d + 1) u), as long as no product underflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import factored
from fsm_gpt.markov.limiting import start_distribution
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers, kind_of

__all__ = [
    "SMALLEST",
    "StepDistribution",
    "distribution_after",
    "least_positive",
    "rounded",
]

_UNIT = 2.0**-53
#: Products above this keep all their digits.
SMALLEST = 1e-300


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StepDistribution(Bounded):
    """Where the chain is after some tokens, from a given start."""

    chain: Chain = field(repr=False)
    steps: int
    """How many tokens."""
    probabilities: Numbers
    """Shape (N,)."""

    def __str__(self) -> str:
        tokens = "1 token" if self.steps == 1 else f"{self.steps:,} tokens"
        lines = [f"distribution after {tokens} ({self.method}; {self.error_sentence})"]
        reached = np.flatnonzero(self.probabilities != 0)
        if kind_of(self.probabilities) == "symbolic":
            shown = reached[:16]
        else:
            shown = reached[heaviest(self.probabilities[reached], 16)]
        for state in shown:
            value = format_number(self.probabilities[state])
            lines.append(f"  {self.chain.label(int(state))}  {value}")
        if len(reached) > 16:
            lines.append(f"  ... and {len(reached) - 16:,} more states")
        return "\n".join(lines)


def distribution_after(
    chain: Chain, steps: int, *, start: Any, exact: bool = False
) -> StepDistribution:
    """The distribution of the state after so many tokens.

    Parameters
    ----------
    steps
        How many tokens, 0 or more; each takes one pass over the transitions.
    start
        A state (id, label or token ids) or a distribution of shape (N,).
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    InvalidArgument
        ``steps`` is not a whole number of 0 or more, or the start is no distribution.

    References
    ----------
    Norris (1997), Markov Chains, theorem 1.1.3.

    Examples
    --------
    The Land of Oz two days after rain (Grinstead & Snell, example 11.2):

    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(*distribution_after(oz, 2, start=0).probabilities)
    7/16 3/16 3/8
    """
    if not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InvalidArgument(
            f"distribution_after: {steps!r} steps is not a whole number of 0 or more. For the "
            f"long run ask limiting_distribution()."
        )
    chain = chain.exact() if exact else chain
    x = start_distribution(chain, start)
    smallest = math.inf if chain.dtype == object else chain.least_probability
    product = math.inf
    for _ in range(steps):
        product = min(product, least_positive(x) * smallest) if chain.dtype != object else product
        x = chain.push(x)
    bound, reason = _bound(chain, int(steps), product)
    return StepDistribution(
        chain=chain,
        steps=int(steps),
        probabilities=read_only(factored(x)),
        method="products of a vector with P",
        error_bound=bound,
        uncertified_because=reason,
    )


def least_positive(values: Numbers) -> float:
    """The smallest value above zero; infinite where there is none.

    >>> least_positive(np.array([0.5, 0.0, 0.25]))
    0.25
    """
    return float(np.min(values, where=values > 0, initial=np.inf))


def rounded(roundings: float) -> float:
    """How far so many roundings change a number to which nothing of another sign is added.

    As a bound on the relative error; a row's sum is 1 within 1e-5, which is allowed for.

    >>> rounded(0), 8e-15 < rounded(81) < 9e-15
    (0.0, True)
    """
    return math.expm1(roundings * _UNIT * (1 + 1e-4))


def _bound(chain: Chain, steps: int, product: float) -> tuple[Bound, str]:
    if chain.dtype == object or steps == 0:
        return 0.0, ""
    if product < SMALLEST:
        return UNCERTIFIED, f"products below {SMALLEST:g} lose digits by underflow"
    into = chain.n_tokens if chain.is_window else int(np.bincount(chain.raw_edges().target).max())
    return rounded(steps * (chain.n_tokens + into + 1)), ""
