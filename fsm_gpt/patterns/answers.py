r"""The numbers of a pattern, on the product of a chain and its automaton.

Let x be the distribution of the pair in which the text begins. Until the first match the product
has one absorbing state m for it, so that

    P(match within n tokens) = (x A^n)(m),    P(match ever) = x h,    E(tokens until then) = x k,

h and k being the probability of hitting m and the mean time to it from each pair. If the automaton
goes on after a match, let r(i) be the mean number of occurrences that end in the token emitted in
pair i. Then sum_{k<n} x B^k r occurrences are expected to end in n tokens, and in the long run
sum_c w_c pi_c r of them a token, where w_c is the probability of ending in the closed class c and
pi_c its stationary distribution (Norris 1997, theorems 1.10.2 and 1.3.2).

*Error.* Nothing is subtracted. Sums over states are of numbers of one sign: if their terms are
right to a relative error e, so are they, up to a rounding for each term. After k steps an entry
of x B^k is right to a factor within exp(+- k (V + d + 1) u) (:mod:`fsm_gpt.markov.steps`).

References
----------
Guibas & Odlyzko (1981), String overlaps, pattern matching, and nontransitive games, Journal of
Combinatorial Theory A 30, 183-208. Norris (1997), Markov Chains, sections 1.3 and 1.10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.hitting import hitting
from fsm_gpt.markov.limiting import class_weights
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.steps import distribution_after
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.patterns.product import Product
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers, kind_of

__all__ = ["Number", "ever", "expected_ends", "frequency", "within", "worst"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
#: Products above this keep all their digits.
_SMALLEST = 1e-300


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


def within(made: Product, x: Numbers, steps: int, place: int | None) -> Number:
    """The probability of being in an absorbing state after some tokens, its error absolute."""
    if place is None or (made.begins == place).all():
        return Number(_zero(made.chain) + (place is not None), certain=True)
    if made.chain.kind == "symbolic":  # symbols are not held against zero, as a start would be
        for _ in range(steps):
            x = made.chain.push(x)
        return Number(_plain(x[place]))
    found = distribution_after(made.chain, steps, start=x)
    value, bound = _plain(found.probabilities[place]), found.error_bound
    if bound != UNCERTIFIED:  # it is relative
        bound = float(bound) * float(value) if bound else 0.0
    return Number(value, bound, found.uncertified_because, found.method)


def ever(made: Product, x: Numbers, places: Sequence[int | None]) -> tuple[Number, Number]:
    """The probability of ever reaching some states, and the mean time to them.

    The error of the probability is absolute, that of the time relative.
    """
    goal = [place for place in places if place is not None]
    if not goal:
        return Number(_zero(made.chain), certain=True), Number(math.inf, certain=True)
    found = hitting(made.chain, goal)
    begin = np.flatnonzero(x != 0)
    h, k = found.probabilities[begin], found.mean_steps[begin]
    bound = found.error_bound
    if bound != UNCERTIFIED and made.chain.dtype != object:
        bound = float(bound) + (len(begin) + 2) * _UNIT
    said = (found.uncertified_because, found.method)
    if (k == 0).all():
        return Number(_zero(made.chain) + 1, certain=True), Number(_zero(made.chain), certain=True)
    if all(steps != math.inf for steps in k):  # the graph has decided that it is certain
        mean = Number(_plain((x[begin] * k).sum()), bound, *said)
        return Number(_zero(made.chain) + 1, certain=True), mean
    probability = Number(_plain((x[begin] * h).sum()), bound, *said)
    return probability, Number(math.inf, certain=True)


def ends_of(made: Product, machine: Automaton) -> Numbers:
    """The mean number of occurrences that end in the token emitted in each state of a product."""
    edges = made.chain.edges()
    on = (edges.source < made.n_pairs) & (edges.target < made.n_pairs)
    source, token = edges.source[on], edges.token[on]
    ends = machine.ends[made.second[source], machine.column[token]]
    if made.chain.dtype == object:
        total = np.array([_zero(made.chain)] * made.chain.n_states, dtype=object)
        np.add.at(total, source, edges.probability[on] * ends)
        return total
    weights = edges.probability[on].astype(np.float64) * ends
    return np.bincount(source, weights=weights, minlength=made.chain.n_states)


def expected_ends(made: Product, x: Numbers, r: Numbers, steps: int) -> Number:
    """How many occurrences are expected to end in some tokens, its error relative."""
    chain, exact = made.chain, made.chain.dtype == object
    edges = chain.raw_edges()
    smallest = math.inf if exact else _least(edges.probability)
    total, least = _zero(chain), math.inf
    for _ in range(steps):
        total = total + (x * r).sum()
        if not exact:
            least = min(least, _least(x) * min(smallest, _least(r)))
        x = chain.push(x)
    if exact:
        return Number(_plain(total))
    if least < _SMALLEST:
        return Number(float(total), UNCERTIFIED, f"products below {_SMALLEST:g} lose digits")
    into = int(np.bincount(edges.target).max())
    roundings = steps * (chain.n_tokens + into + 2) + chain.n_states + chain.n_tokens + 4
    return Number(float(total), math.expm1(roundings * _UNIT * (1 + 1e-4)))


def frequency(made: Product, x: Numbers, r: Numbers) -> Number:
    """How many occurrences end a token in the long run, its error absolute."""
    chain = made.chain
    structure = communicating_classes(chain)
    parts = stationary_distribution(chain)
    rates = np.array([(pi * r[states]).sum() for states, pi in parts.classes], dtype=r.dtype)
    if len(rates) == 1:
        weights: Numbers = np.array([_zero(chain) + 1], dtype=r.dtype)
        error: Bound = 0.0
    else:
        weights, error = class_weights(chain, structure, x)
    value = _plain((weights * rates).sum())
    if chain.dtype == object:
        return Number(value, 0.0, "", parts.method)
    if UNCERTIFIED in (parts.error_bound, error):
        reason = parts.uncertified_because or "where the chain ends is not certified"
        return Number(value, UNCERTIFIED, reason, parts.method)
    roundings = chain.n_states + chain.n_tokens + 4
    relative = float(parts.error_bound) + roundings * _UNIT
    bound = (float(error) * float(rates.sum()) + relative * float(value)) * (1 + 1e-4)
    return Number(value, bound, "", parts.method)


def _least(values: Numbers) -> float:
    """The smallest value above zero."""
    return float(np.min(values, where=values > 0, initial=np.inf))


def _zero(chain: Chain) -> Any:
    from fractions import Fraction

    return Fraction(0) if chain.dtype == object else 0.0


def _plain(value: Any) -> Any:
    """A number of Python's own, or an expression as simple as it gets."""
    if isinstance(value, (float, np.floating)):
        return float(value)
    if kind_of(np.array([value], dtype=object)) == "symbolic":
        import sympy

        return sympy.factor(value)
    return value
