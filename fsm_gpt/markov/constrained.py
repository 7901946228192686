"""Reaching one set of states while staying in another: how it is computed, and proven.

Let S and G be sets of states. G is reached *through* S if some X_m is in G and X_0, ..., X_{m-1}
are all in S; X_0 counts, so a state in G has reached it.

*Within n.* f_0 = 1 on G and 0 elsewhere; f_{k+1} = 1 on G, P f_k on S without G, 0 elsewhere.
For *staying* in S, g_0 = 1 on S and g_{k+1} = P g_k on S. No number is negative and nothing is
subtracted: the sum over a state's D transitions takes D - 1 roundings, as does its row's sum, the
product with a probability one, and the division by the row's sum two at most. So after n steps
every entry is right to a factor within exp(+- n (2D + 1) u), u = 2**-53, as long as no product
underflows. f_k only grows with k and g_k only shrinks, and once no entry appears or vanishes in a
step, none ever does: until then the smallest numbers multiplied are looked at in each step, and at
the end. Once no float changes, none ever will.

*Ever.* Which probabilities are 0 and 1 is decided on the graph, where the states outside S and G
are dead ends; the rest solve first-step equations (:mod:`fsm_gpt.markov.hitting`). *Staying* in S
for ever is not computed as one minus anything: a finite chain almost surely either leaves S or
comes to states from which it never can, and the probability of these, through S, is asked for. So
small probabilities keep their relative accuracy.

References
----------
Baier & Katoen (2008), Principles of Model Checking, sections 10.1.1 (constrained reachability) and
10.1.2 (theorem 10.27: closed classes are entered almost surely).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import factored
from fsm_gpt.markov.bounds import closed_off
from fsm_gpt.markov.first_step import FirstStep, decided, indicator
from fsm_gpt.markov.hitting import ever
from fsm_gpt.markov.steps import SMALLEST, least_positive
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["Chances", "check_steps", "reaching", "staying"]

Mask = npt.NDArray[np.bool_]

_UNIT = 2.0**-53
#: Steps between two looks at whether anything still changes.
_LOOK = 16


class Chances(NamedTuple):
    """Probabilities from every state, and how they were found."""

    probabilities: Numbers
    """Shape (N,)."""
    error_bound: Bound
    """On the relative error of every entry."""
    uncertified_because: str
    method: str


def check_steps(within: int | None, where: str) -> None:
    """Refuse what is no number of steps."""
    whole = isinstance(within, (int, np.integer)) and not isinstance(within, bool)
    if within is not None and not (whole and within >= 0):
        raise InvalidArgument(
            f"{where}: within={within!r} is not a whole number of steps, 0 or more. Leave it out "
            f"to ask for ever."
        )


def reaching(chain: Chain, stay: Mask, goal: Mask, within: int | None) -> Chances:
    """The probability of reaching a set through another, from every state."""
    if within is not None:
        return _within(chain, goal, stay & ~goal, within)
    return _ever(closed_off(chain), goal, ~stay & ~goal)


def staying(chain: Chain, stay: Mask, within: int | None) -> Chances:
    """The probability of never leaving a set, from every state."""
    if within is not None:
        return _within(chain, stay, stay, within)
    plain = closed_off(chain)
    safe, _ = decided(plain, ~stay)
    return _ever(plain, safe, ~stay)


def _ever(chain: Chain, goal: Mask, avoid: Mask) -> Chances:
    steps = FirstStep(chain)
    h, bound, reason = ever(steps, *decided(chain, goal, avoid))
    return Chances(h, bound, reason, steps.method)


def _within(chain: Chain, first: Mask, through: Mask, n: int) -> Chances:
    """f_n, where f_0 is 1 on ``first``, and f_{k+1} is P f_k on ``through`` and f_0 elsewhere."""
    method = f"{n:,} products of P with a vector" if n != 1 else "a product of P with a vector"
    f = begins = indicator(chain, first)
    if chain.dtype == object:
        for _ in range(n):
            f = np.where(through, chain.expect(f), begins)
        return Chances(factored(f), 0.0, "", method)
    f, least = _repeated(chain, begins, through, n)
    if n and least * chain.least_probability < SMALLEST:
        why = f"products below {SMALLEST:g} lose digits by underflow"
        return Chances(f, UNCERTIFIED, why, method)
    most = chain.n_tokens if chain.is_window else int(np.bincount(chain.raw_edges().source).max())
    # A row sums to one within 1e-5.
    return Chances(f, math.expm1(n * (2 * most + 1) * _UNIT * (1 + 1e-4)), "", method)


def _repeated(chain: Chain, f: Numbers, through: Mask, n: int) -> tuple[Numbers, float]:
    """f_n, and the smallest positive number that was multiplied on the way."""
    ends, held = np.flatnonzero(~through), f[~through]
    g = np.empty_like(f)
    count, least, growing = np.count_nonzero(f), math.inf, True
    if not n:
        return f, least
    for k in range(1, n + 1):
        chain.expect(f, out=g)
        g[ends] = held
        if growing:
            now = np.count_nonzero(g)
            growing = now != count
            count, least = now, min(least, least_positive(f))
        elif k % _LOOK == 0 and np.array_equal(f, g):
            break
        f, g = g, f
    if np.count_nonzero(g) != count and not growing:
        return f, 0.0  # what was positive is lost
    return f, min(least, least_positive(g))  # g was multiplied last
