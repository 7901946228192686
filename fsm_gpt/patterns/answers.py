r"""The numbers of a pattern, on the product of a chain and its automaton.

Let x be the distribution of the pair in which the text begins. Until the first match the product
has one absorbing state m for it, so that

    P(match within n tokens) = (x A^n)(m) = sum_{k<n} x A^k a,
    P(match ever) = x h,    E(tokens until then) = x k,

a, h and k being the probability of going to m with the next token, that of ever hitting it, and
the mean time to it, from each pair. If the automaton goes on after a match, let r(i) be the mean
number of occurrences that end in the token emitted in pair i. Then sum_{k<n} x B^k r occurrences
are expected to end in n tokens, and in the long run sum_c w_c pi_c r of them a token, where w_c is
the probability of ending in the closed class c and pi_c its stationary distribution (Norris 1997,
theorems 1.10.2 and 1.3.2).

*Error.* Nothing is subtracted. Sums over states are of numbers of one sign: if their terms are
right to a relative error e, so are they, up to the roundings that a term takes part in. After k
steps an entry of x B^k is right to a factor within exp(+- k (V + d + 1) u) if d transitions at
most lead to one pair (:mod:`fsm_gpt.markov.steps`). A product that underflows loses 2^-1022 at
most, and what would have come of it is no more.

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
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.patterns.product import Product
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers, kind_of

__all__ = ["Number", "ever", "expected_ends", "frequency", "within", "worst"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
_BLOCK = 256
_PRODUCTS = "products of a vector with P"


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
    edges = made.chain.edges()
    on = (edges.target == place) & (edges.source != place)
    r = _added(made.chain, edges.source[on], edges.probability[on])
    value, relative, lost = _accumulated(made, x, r, steps)
    value = value + x[place]
    if made.chain.dtype == object:
        return Number(_plain(value), method=_PRODUCTS)
    return Number(_plain(value), relative * float(value) + lost, method=_PRODUCTS)


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
    return _added(made.chain, source, edges.probability[on] * ends)


def _added(chain: Chain, source: Ids, values: Numbers) -> Numbers:
    """The sum of the values of each state."""
    if chain.dtype == object:
        total = np.array([_zero(chain)] * chain.n_states, dtype=object)
        np.add.at(total, source, values)
        return total
    return np.bincount(source, weights=values.astype(np.float64), minlength=chain.n_states)


def expected_ends(made: Product, x: Numbers, r: Numbers, steps: int) -> Number:
    """How many occurrences are expected to end in some tokens, its error relative."""
    value, relative, lost = _accumulated(made, x, r, steps)
    if made.chain.dtype == object:
        return Number(_plain(value), method=_PRODUCTS)
    if value > 0:
        return Number(value, relative + lost / value, method=_PRODUCTS)
    y = x > 0  # whether nothing can end in these tokens, or what does is too rare for floats
    for _ in range(steps):
        if (y & (r > 0)).any():
            return Number(value, UNCERTIFIED, "what it adds up is lost by underflow", _PRODUCTS)
        y = made.chain.push(y.astype(np.float64)) > 0
    return Number(value, method=_PRODUCTS)


def _accumulated(made: Product, x: Numbers, r: Numbers, steps: int) -> tuple[Any, float, float]:
    """sum_{k < steps} x A^k r, a bound on its relative error, and what underflow may take away."""
    chain, exact = made.chain, made.chain.dtype == object
    total, some = _zero(chain), np.flatnonzero(r != 0)
    x = x.copy()
    spare = None if exact else np.empty_like(x)  # a new vector at each step takes longer
    for _ in range(steps):
        total = total + _sum(x[some] * r[some])
        x, spare = chain.push(x, out=spare), None if exact else x
    if exact:
        return total, 0.0, 0.0
    edges = chain.raw_edges()
    # Pairs alone count: what is absorbed does not come back to them.
    into = int(np.bincount(edges.target, minlength=1)[: made.n_pairs].max(initial=0))
    degrees = steps * (chain.n_tokens + into + 2)
    roundings = degrees + 2 * chain.n_tokens + _BLOCK + chain.n_states // _BLOCK + 8
    lost = 2.0 * steps**2 * (len(edges.target) + chain.n_states) * max(1.0, float(r.max()))
    return float(total), math.expm1(roundings * _UNIT * (1 + 1e-4)), lost * 2.0**-1022


def _sum(values: Numbers) -> Any:
    """The sum, in blocks, so that each value takes part in few additions."""
    whole = len(values) // _BLOCK * _BLOCK
    blocks = values[:whole].reshape(-1, _BLOCK).sum(axis=1)
    return blocks.sum() + values[whole:].sum()


def frequency(made: Product, x: Numbers, r: Numbers) -> Number:
    """How many occurrences end a token in the long run, its error absolute."""
    chain = made.chain
    structure = communicating_classes(chain)
    parts = stationary_distribution(chain)
    rates = np.array([(pi * r[states]).sum() for states, pi in parts.classes], dtype=r.dtype)
    if not (rates != 0).any():  # as where every text ends
        return Number(_zero(chain), 0.0, "", "by the graph alone")
    weights, error = class_weights(chain, structure, None if len(rates) == 1 else x)
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
