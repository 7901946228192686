"""How fast what is left of a set of states dies away: its largest eigenvalue, proven.

Q holds the transition probabilities among some states that can be left. Its spectral radius r is
an eigenvalue, the largest of those of its communicating classes, each of which has a positive
vector f with Q f = r f (Perron and Frobenius). For any f > 0 on a class

    min (Q f)(i) / f(i)  <=  r  <=  max (Q f)(i) / f(i)

(Collatz 1942, Wielandt 1950), and the same with f Q. So whatever the way on which f was found,
these two numbers prove where r is, once rounding is allowed for: a row of D transitions makes
2 D + 1 roundings, and a column into which D lead makes two more for each row's sum.

Up to some thousand states f is found by Noda's iteration, f <- (m - Q)^-1 f with m the upper
bound, which converges quadratically and keeps f positive; above, by products alone.

References
----------
Seneta (1981), Non-negative Matrices and Markov Chains, sections 1.1 and 1.2. Noda (1971),
Numerische Mathematik 17, 382-386.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.algebra import dense_block
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded

__all__ = ["Decay", "decay", "left_vector"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Product = Callable[[Floats], Floats]

_UNIT = 2.0**-53

#: Products at most, and how many may bring less than a tenth.
_MOST, _PATIENCE = 4096, 256


@dataclass(frozen=True, eq=False)
class Decay:
    """Between which numbers the spectral radius of Q on some states lies, and a vector."""

    low: float
    high: float
    vector: Floats
    """Positive, with the sum one; shape (n,)."""
    method: str
    refused: str = ""
    """Why the two numbers are not proven."""

    @property
    def rate(self) -> float:
        """In the middle."""
        return self.low + (self.high - self.low) / 2


def decay(chain: Chain, states: Ids, *, before: int = 0) -> Decay:
    """The spectral radius of Q among some states that communicate, and f with Q f = r f.

    Parameters
    ----------
    chain
        In floats.
    before
        Roundings that its probabilities have gone through.

    Examples
    --------
    >>> found = decay(Chain.from_matrix([[0.25, 0.25, 0.5], [0.25, 0.25, 0.5], [0, 0, 1]]),
    ...               np.array([0, 1]))
    >>> found.low < 0.5 < found.high < found.low + 1e-14
    True
    """
    longest = int(np.bincount(chain.raw_edges().source).max())
    return _found(chain, states, chain.expect, 2 * longest + 1 + before, turned=False)


def left_vector(chain: Chain, states: Ids, *, before: int = 0) -> Decay:
    """The same with x Q = r x.

    The states may be several classes, where the one with the largest eigenvalue leads to all of
    them.
    """
    edges = chain.raw_edges()
    into = np.bincount(edges.target, minlength=chain.n_states)[states].max()
    longest = int(np.bincount(edges.source).max())
    return _found(chain, states, chain.push, longest + int(into) + 1 + before, turned=True)


def _found(chain: Chain, states: Ids, product: Product, roundings: int, *, turned: bool) -> Decay:
    everywhere = np.zeros(chain.n_states)
    f, method = np.ones(len(states)), "products"
    if len(states) <= ELIMINATION_LIMIT:
        Q = dense_block(chain, states)
        f, method = _noda(Q.T if turned else Q), "Noda's iteration"
    smallest = least_positive(chain.raw_edges().probability)
    low, high, kept, since = 0.0, math.inf, f, 0
    for _ in range(_MOST):
        everywhere[states] = f
        g = product(everywhere)[states]
        ratio = g / f
        a, b = float(ratio.min()), float(ratio.max())
        since += 1
        if b - a < high - low:
            since = 0 if b - a < 0.9 * (high - low) else since
            low, high, kept = a, b, f
        if high - low <= 4 * rounded(roundings) * high or since > _PATIENCE:
            break
        f = g + (a + b) / 20 * f  # which no period keeps from settling
        f /= f.max()
        if not f.min() * smallest >= SMALLEST:
            break
    refused = ""
    if not least_positive(kept) * smallest >= SMALLEST:
        refused = f"products below {SMALLEST:g} lose digits by underflow"
    room = rounded(roundings + 2)
    return Decay(low * (1 - room), high * (1 + room), kept / kept.sum(), method, refused)


def _noda(Q: Floats) -> Floats:
    """A positive vector near the one with Q f = r f."""
    f = best = np.ones(len(Q))
    narrow, lost = math.inf, 0
    while lost < 3:
        ratio = (Q @ f) / f
        top, width = float(ratio.max()), float(ratio.max() - ratio.min())
        lost += 1
        if width < narrow:
            best, narrow, lost = f, width, 0
        if width <= 4 * _UNIT * top:
            break
        try:
            f = np.abs(np.linalg.solve(np.diag(np.full(len(Q), top)) - Q, f))
        except np.linalg.LinAlgError:  # the bound is the eigenvalue itself
            break
        if not np.isfinite(f).all() or not f.any():
            break
        f = f / f.max()
        if not (f > 0).all():
            break
    return best
