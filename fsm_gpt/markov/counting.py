"""Counting along a text: sums of x P^k r over its tokens, and their mean in the long run.

Let r(i) >= 0 be what a token emitted in state i counts for and x the distribution of the first
state. Then sum_{k<n} x P^k r is expected in n tokens, and in the long run sum_c w_c pi_c r a token,
where w_c is the probability of ending in the closed class c and pi_c its stationary distribution
(Norris 1997, theorem 1.10.2).

*Error.* Nothing is subtracted. Sums over states are of numbers of one sign: if their terms are
right to a relative error e, so are they, up to the roundings that a term takes part in. After k
steps an entry of x P^k is right to a factor within exp(+- k (V + d + 1) u) if d transitions at
most lead to one state (:mod:`fsm_gpt.markov.steps`). A product that underflows loses 2^-1022 at
most, and what would have come of it is no more.

References
----------
Norris (1997), Markov Chains, section 1.10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.algebra import factored
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.limiting import class_weights
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["PRODUCTS", "Number", "accumulated", "added", "long_run_mean", "plain", "worst", "zero"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
_BLOCK = 256
#: How sums over tokens are found, in words.
PRODUCTS = "products of a vector with P"


@dataclass(frozen=True, eq=False)
class Number:
    """A value, a bound on its error, and how it was found."""

    value: Any
    bound: Bound = 0.0
    reason: str = ""
    method: str = ""
    certain: bool = False
    """Whether it is so from every start, whatever their weights."""


def worst(numbers: Sequence[Number]) -> tuple[Bound, str]:
    """The largest bound, and why there is none if one of them has none."""
    refused = [number for number in numbers if number.bound == UNCERTIFIED]
    if refused:
        return UNCERTIFIED, refused[0].reason
    return max((float(number.bound) for number in numbers), default=0.0), ""


def added(chain: Chain, source: Ids, values: Numbers) -> Numbers:
    """The sum of the values of each state."""
    if chain.dtype == object:
        total = np.array([zero(chain)] * chain.n_states, dtype=object)
        np.add.at(total, source, values)
        return total
    return np.bincount(source, weights=values.astype(np.float64), minlength=chain.n_states)


def accumulated(
    chain: Chain, x: Numbers, r: Numbers, steps: int, *, n_passed: int
) -> tuple[Any, float, float]:
    """sum_{k < steps} x P^k r, a bound on its relative error, and what underflow may take away.

    Only the first ``n_passed`` states may be left again, and r is zero in the others.
    """
    exact = chain.dtype == object
    total, some = zero(chain), np.flatnonzero(r != 0)
    x = x.copy()
    spare = None if exact else np.empty_like(x)  # a new vector at each step takes longer
    for _ in range(steps):
        total = total + _sum(x[some] * r[some])
        x, spare = chain.push(x, out=spare), None if exact else x
    if exact:
        return total, 0.0, 0.0
    edges = chain.raw_edges()
    # What is absorbed does not come back to the states that count.
    into = int(np.bincount(edges.target, minlength=1)[:n_passed].max(initial=0))
    degrees = steps * (chain.n_tokens + into + 2)
    roundings = degrees + 2 * chain.n_tokens + _BLOCK + chain.n_states // _BLOCK + 8
    lost = 2.0 * steps**2 * (len(edges.target) + chain.n_states) * max(1.0, float(r.max()))
    return float(total), math.expm1(roundings * _UNIT * (1 + 1e-4)), lost * 2.0**-1022


def _sum(values: Numbers) -> Any:
    """The sum, in blocks, so that each value takes part in few additions."""
    whole = len(values) // _BLOCK * _BLOCK
    blocks = values[:whole].reshape(-1, _BLOCK).sum(axis=1)
    return blocks.sum() + values[whole:].sum()


def long_run_mean(chain: Chain, x: Numbers, r: Numbers) -> Number:
    """sum_c w_c pi_c r, the mean of r per token in the long run from x, its error absolute."""
    structure = communicating_classes(chain)
    parts = stationary_distribution(chain)
    if not any((r[states] != 0).any() for states, _ in parts.classes):  # as where every text ends
        return Number(zero(chain), 0.0, "", "by the graph alone")
    rates = np.array([(pi * r[states]).sum() for states, pi in parts.classes], dtype=r.dtype)
    weights, error = class_weights(chain, structure, None if len(rates) == 1 else x)
    value = plain((weights * rates).sum())
    if chain.dtype == object:
        return Number(value, 0.0, "", parts.method)
    if UNCERTIFIED in (parts.error_bound, error):
        reason = parts.uncertified_because or "where the chain ends is not certified"
        return Number(value, UNCERTIFIED, reason, parts.method)
    roundings = chain.n_states + chain.n_tokens + 4
    relative = float(parts.error_bound) + roundings * _UNIT
    bound = (float(error) * float(rates.sum()) + relative * float(value)) * (1 + 1e-4)
    return Number(value, bound, "", parts.method)


def zero(chain: Chain) -> Any:
    """Nothing, in the numbers of the chain."""
    return Fraction(0) if chain.dtype == object else 0.0


def plain(value: Any) -> Any:
    """A number of Python's own, or an expression as simple as it gets."""
    if isinstance(value, (float, np.floating)):
        return float(value)
    return factored(np.array([value], dtype=object))[0]
