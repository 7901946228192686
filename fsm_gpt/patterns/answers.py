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

How these sums are added up and what their errors are: :mod:`fsm_gpt.markov.counting`.

References
----------
Guibas & Odlyzko (1981), String overlaps, pattern matching, and nontransitive games, Journal of
Combinatorial Theory A 30, 183-208. Norris (1997), Markov Chains, sections 1.3 and 1.10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fsm_gpt.markov.counting import PRODUCTS, Number, accumulated, added, plain, zero
from fsm_gpt.markov.hitting import hitting
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.patterns.product import Product
from fsm_gpt.result import UNCERTIFIED
from fsm_gpt.rows import Numbers

__all__ = ["ends_of", "ever", "expected_ends", "within"]

_UNIT = 2.0**-53


def within(made: Product, x: Numbers, steps: int, place: int | None) -> Number:
    """The probability of being in an absorbing state after some tokens, its error absolute."""
    if place is None or (made.begins == place).all():
        return Number(zero(made.chain) + (place is not None), certain=True)
    edges = made.chain.edges()
    on = (edges.target == place) & (edges.source != place)
    r = added(made.chain, edges.source[on], edges.probability[on])
    value, relative, lost = accumulated(made.chain, x, r, steps, n_passed=made.n_pairs)
    value = value + x[place]
    if made.chain.dtype == object:
        return Number(plain(value), method=PRODUCTS)
    return Number(plain(value), relative * float(value) + lost, method=PRODUCTS)


def ever(made: Product, x: Numbers, places: Sequence[int | None]) -> tuple[Number, Number]:
    """The probability of ever reaching some states, and the mean time to them.

    The error of the probability is absolute, that of the time relative.
    """
    goal = [place for place in places if place is not None]
    if not goal:
        return Number(zero(made.chain), certain=True), Number(math.inf, certain=True)
    found = hitting(made.chain, goal)
    begin = np.flatnonzero(x != 0)
    h, k = found.probabilities[begin], found.mean_steps[begin]
    bound = found.error_bound
    if bound != UNCERTIFIED and made.chain.dtype != object:
        bound = float(bound) + (len(begin) + 2) * _UNIT
    said = (found.uncertified_because, found.method)
    if (k == 0).all():
        return Number(zero(made.chain) + 1, certain=True), Number(zero(made.chain), certain=True)
    if all(steps != math.inf for steps in k):  # the graph has decided that it is certain
        mean = Number(plain((x[begin] * k).sum()), bound, *said)
        return Number(zero(made.chain) + 1, certain=True), mean
    probability = Number(plain((x[begin] * h).sum()), bound, *said)
    return probability, Number(math.inf, certain=True)


def ends_of(made: Product, machine: Automaton) -> Numbers:
    """The mean number of occurrences that end in the token emitted in each state of a product."""
    edges = made.chain.edges()
    on = (edges.source < made.n_pairs) & (edges.target < made.n_pairs)
    source, token = edges.source[on], edges.token[on]
    ends = machine.ends[made.second[source], machine.column[token]]
    return added(made.chain, source, edges.probability[on] * ends)


def expected_ends(made: Product, x: Numbers, r: Numbers, steps: int) -> Number:
    """How many occurrences are expected to end in some tokens, its error relative."""
    value, relative, lost = accumulated(made.chain, x, r, steps, n_passed=made.n_pairs)
    if made.chain.dtype == object:
        return Number(plain(value), method=PRODUCTS)
    if value > 0:
        return Number(value, relative + lost / value, method=PRODUCTS)
    y = x > 0  # whether nothing can end in these tokens, or what does is too rare for floats
    for _ in range(steps):
        if (y & (r > 0)).any():
            return Number(value, UNCERTIFIED, "what it adds up is lost by underflow", PRODUCTS)
        y = made.chain.push(y.astype(np.float64)) > 0
    return Number(value, method=PRODUCTS)
