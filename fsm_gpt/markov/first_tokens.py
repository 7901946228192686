"""What is true of the first tokens of a text, where a part of the chain is not known.

A search that stops early leaves one absorbing state u, ``unexplored``, for all that it did not look
at. Let X be the whole chain, Y the explored one, and x_n the law of Y after n tokens, x_n = x_0
P^n. Until u is entered the two are one, so that for every explored state s

    x_n(s)  <=  P(X_n = s)  <=  x_n(s) + x_n(u).

Summed over the first T tokens: s is visited at least sum_n x_n(s) times, n from 0 to T - 1, and
sum_n x_n(u) times more at most. Of the next token's entropy H(X_n) = sum_s P(X_n = s) H(row s) only
the part of the explored states is known, and no row has more than log2(V) bits:

    sum_s x_n(s) H(row s)  <=  the mean entropy of token n + 1  <=  the same + x_n(u) log2(V),

V the number of tokens of the model, without the one that u writes. In a chain without such a state
both sides are one number. (The texts of length n that a chain writes have law x_0 P^n: Norris 1997,
theorem 1.1.3.)

*Error.* Nothing is subtracted. An entry of x_n is right to a factor within exp(+- n (V + d + 1)
2**-53),
d the most states that lead to one (:mod:`fsm_gpt.markov.steps`); the sums and the entropies take
T + 5 V + 40 roundings more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.limiting import start_distribution
from fsm_gpt.markov.row_entropy import Rows, mean_entropy
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, frozen, read_only
from fsm_gpt.subchain import reached

__all__ = ["FirstTokens", "first_tokens"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FirstTokens(Bounded):
    """Where a text is in its first tokens, and how uncertain each of them is."""

    error_meaning = "relative error of every number"

    chain: Chain = field(repr=False)
    left: Floats
    """The probability that the explored part was left after n tokens, n from 0 to T, shape
    (T + 1,); all zero where nothing is unexplored."""
    surely: int
    """After so many tokens, at most T, no text can have left: a matter of the graph alone."""
    visits: Floats
    """How many of the first T tokens are drawn in each explored state, on average, at least;
    shape (N,), zero for the unexplored state."""
    visits_left_open: float
    """How many are drawn after the explored part was left, on average: each explored state may
    have so many visits more."""
    bits_low: Floats
    """The mean entropy of each token in bits, at least, shape (T,)."""
    bits_high: Floats
    """The same, at most."""

    @property
    def tokens(self) -> int:
        """T."""
        return len(self.bits_low)

    @property
    def bits_per_token(self) -> tuple[float, float]:
        """The mean of the first T tokens' entropy in bits, from both sides."""
        return float(self.bits_low.mean()), float(self.bits_high.mean())

    def __str__(self) -> str:
        T = self.tokens
        low, high = self.bits_per_token
        lines = [
            f"the first {T:,} token{'s' * (T != 1)} ({self.method}; {self.error_sentence})",
            f"  left the explored part by then: {self.left[-1]:.6g}; none within {self.surely:,} "
            f"token{'s' * (self.surely != 1)}",
            f"  bits per token: {low:.6g} to {high:.6g}",
        ]
        seen = np.flatnonzero(self.visits)
        for s in seen[heaviest(self.visits[seen], 8)].tolist():
            more = self.visits[s] + self.visits_left_open
            lines.append(f"  visits of {self.chain.label(s)}: {self.visits[s]:.4g} to {more:.4g}")
        return "\n".join(lines)


def first_tokens(chain: Chain, tokens: int, *, start: Any) -> FirstTokens:
    """Where a text is in its first tokens, also where only a part of the chain is known.

    Parameters
    ----------
    chain
        A chain of floats; of an exploration that stopped early, its ``chain``.
    tokens
        T, one or more; each takes one pass over the transitions.
    start
        A state or a distribution of shape (N,), such as the exploration's ``start``.

    Raises
    ------
    InvalidArgument
        ``tokens`` is no whole number of 1 or more, or the start is no distribution.
    InvalidChain
        The rows hold symbols.

    References
    ----------
    Norris (1997), Markov Chains, theorem 1.1.3.

    Examples
    --------
    >>> found = first_tokens(Chain([[0.5, 0.5], [0, 1]]), 2, start=0)
    >>> found.visits.tolist(), found.bits_low.tolist(), found.surely
    ([1.5, 0.5], [1.0, 0.5], 2)
    """
    if isinstance(tokens, bool) or not isinstance(tokens, (int, np.integer)) or tokens < 1:
        raise InvalidArgument(
            f"first_tokens: {tokens!r} tokens is not a whole number of 1 or more. Give how many "
            f"tokens of a text are asked about."
        )
    chain, T, u = chain.floats(), int(tokens), chain.unexplored
    x = np.asarray(start_distribution(chain, start), dtype=np.float64)
    began = x > 0
    rows = Rows.of_chain(chain)
    smallest, least, safe = chain.least_probability, np.inf, True
    visits, left, low = np.zeros(chain.n_states), np.zeros(T + 1), np.empty(T)
    for n in range(T):
        visits += x
        found = mean_entropy(rows, x)  # of the unexplored state it is zero
        low[n], safe = found.bits, safe and found.safe
        left[n] = 0.0 if u is None else x[u]
        least = min(least, least_positive(x) * smallest)
        x = chain.push(x)
    left[T] = 0.0 if u is None else x[u]
    open_visits = 0.0
    if u is not None:
        open_visits, visits[u] = float(visits[u]), 0.0
    V = chain.n_tokens - (u is not None)
    into = V if chain.is_window else int(np.bincount(chain.raw_edges().target).max())
    bound: Bound = rounded(T * (chain.n_tokens + into + 2) + 5 * chain.n_tokens + 50)
    reason = ""
    if least < SMALLEST or not safe:
        bound, reason = UNCERTIFIED, f"products below {SMALLEST:g} lose digits by underflow"
    return FirstTokens(
        chain=chain,
        left=frozen(left),
        surely=_surely(chain, began, T),
        visits=read_only(visits),
        visits_left_open=open_visits,
        bits_low=frozen(low),
        bits_high=read_only(low + left[:T] * math.log2(max(V, 1))),
        method="products of a vector with P",
        error_bound=bound,
        uncertified_because=reason,
    )


def _surely(chain: Chain, began: npt.NDArray[np.bool_], most: int) -> int:
    """For how many tokens no path leads to the unexplored state."""
    u = chain.unexplored
    if u is None:
        return most
    if began[u]:
        return 0
    edges = chain.raw_edges()
    if not reached(edges.source, edges.target, began)[u]:
        return most
    seen, newest = began.copy(), began
    for n in range(most):
        after = np.zeros_like(seen)
        after[edges.target[newest[edges.source]]] = True
        if after[u]:
            return n
        newest = after & ~seen
        seen |= after
    return most
