"""Block entropies, the memory curve and the excess entropy, in bits.

The *memory curve* is h_k = H(next token | last k tokens), the entropy rate of the best
guess that looks back k tokens: h_0 >= h_1 >= ... >= h_L = h. The *block entropies* are
H(k) = h_0 + ... + h_{k-1}, and the *excess entropy* E = sum_k (h_k - h) is what the past
tells of the future.

*One pass.* Let J_k be the probabilities of k tokens and the next, shape (V**k, V). Then
h_k = sum_c J_k(c) H(J_k(c, .)), and J_{k-1} is J_k summed over its oldest token. In a window
chain pi is itself the law of L tokens in a row, so J_{L-1} is pi, written as (V**(L-1), V), and
all levels together cost V / (V - 1) times the first.

*Error.* As a function of J, sum_{c,t} J(c, t) log(J(c) / J(c, t)) is homogeneous of degree one,
and its derivatives are log(J(c) / J(c, t)) >= 0: it grows in every entry. So if every entry is
right to a factor within 1 +- e, so is h_k. The error is that of pi, plus rounding.

References
----------
Crutchfield & Feldman (2003), Chaos 13, 25-54 (block entropies, excess entropy).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.row_entropy import Mean, Rows, mean_entropy, with_rounding
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.suffixes import shortened
from fsm_gpt.result import Bounded, read_only
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace, SomeContexts

__all__ = ["MemoryCurve", "memory_curve", "token_law"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MemoryCurve(Bounded):
    """How the uncertainty of the next token falls as more of the past is known."""

    error_meaning = "relative error of every h_k and H(k), not of their differences,"

    chain: Chain = field(repr=False)
    bits_per_token: Numbers
    """h_k = H(next | last k tokens) for k = 0 to L, shape (L + 1,)."""
    block_bits: Numbers
    """H(k), the entropy of k tokens in a row, for k = 0 to L + 1, shape (L + 2,)."""
    excess_bits: float
    """Excess entropy, sum of h_k - h over k < L, in bits."""

    @property
    def entropy_rate(self) -> float:
        """h = h_L, in bits per token."""
        return float(self.bits_per_token[-1])

    def __str__(self) -> str:
        lines = [f"memory curve in bits per token ({self.method}; {self.error_sentence})"]
        lines += [f"  last {k} tokens: {h:.6g}" for k, h in enumerate(self.bits_per_token)]
        lines.append(f"  excess entropy: {self.excess_bits:.6g} bits")
        return "\n".join(lines)


def memory_curve(chain: Chain) -> MemoryCurve:
    """The memory curve h_k, the block entropies and the excess entropy.

    Raises
    ------
    NotDefined
        The states are not contexts.
    NotUnique
        The chain has several closed classes.

    Examples
    --------
    A fair coin remembers nothing:

    >>> memory_curve(Chain([[0.5, 0.5]] * 4)).bits_per_token
    array([1., 1., 1.])
    """
    require_complete(chain, "memory curve")
    states = chain.states
    if not isinstance(states, (ContextSpace, SomeContexts)):
        raise NotDefined(
            "memory curve: the states of this chain are not contexts, so there are no last k "
            "tokens to look at. It is defined for window chains and for the chain of a text."
        )
    converted = conversion_error(chain)
    chain = chain.floats()
    pi, bound, reason = long_run(chain, None, "memory curve")
    if isinstance(states, ContextSpace):
        levels = list(_folded(chain, states, pi))
    else:
        levels = list(_sorted(chain, states, pi))
    levels.reverse()
    V, L = chain.n_tokens, len(levels) - 1
    roundings = (0 if chain.is_window else chain.n_states + V) + L * V + 6 * V + 40
    bound, reason = with_rounding(
        bound,
        roundings,
        safe=all(level.safe for level in levels),
        reason=reason,
        converted=converted,
    )
    curve = np.array([level.bits for level in levels])
    h = curve[-1]
    return MemoryCurve(
        chain=chain,
        bits_per_token=read_only(curve),
        block_bits=read_only(np.concatenate([[0.0], np.cumsum(curve)])),
        excess_bits=float(np.maximum(curve[:-1] - h, 0).sum()),
        method="marginals of the stationary distribution",
        error_bound=bound,
        uncertified_because=reason,
    )


def token_law(chain: Chain) -> Numbers:
    """The share of each token among those drawn in the long run, shape (V,).

    It is sum_s pi(s) next_token[s]; where the states are windows, pi of their newest token.

    Raises
    ------
    NotUnique
        The chain has several closed classes.

    Examples
    --------
    >>> token_law(Chain([["1/2", "1/2"], ["1/4", "3/4"]]))
    array([Fraction(1, 3), Fraction(2, 3)], dtype=object)
    """
    pi = stationary_distribution(chain).pi
    if chain.is_window:
        return np.asarray(pi.reshape(-1, chain.n_tokens).sum(axis=0))
    edges = chain.edges()
    law = np.zeros(chain.n_tokens, dtype=np.result_type(pi, edges.probability))
    np.add.at(law, edges.token, pi[edges.source] * edges.probability)
    return law


def _folded(chain: Chain, space: ContextSpace, pi: Numbers) -> Iterator[Mean]:
    """h_L, h_{L-1}, ..., h_0 where the full contexts are numbered in base V."""
    V, L = chain.n_tokens, space.length
    shorter = space.offset(L)
    if pi[:shorter].any():
        raise _too_short()
    yield mean_entropy(Rows.of_chain(chain), pi)
    if chain.is_window:
        joint = pi.reshape(-1, V)  # of L - 1 tokens and the next
    else:
        edges = chain.edges()
        inside = edges.source >= shorter
        newest = (edges.source[inside] - shorter) % V ** (L - 1)
        weight = pi[edges.source[inside]] * edges.probability[inside]
        joint = np.bincount(newest * V + edges.token[inside], weight, V**L).reshape(-1, V)
    yield from (mean_entropy(Rows.of_table(law)) for law in shortened(joint, V, L - 1))


def _sorted(chain: Chain, states: SomeContexts, pi: Numbers) -> Iterator[Mean]:
    """h_L, h_{L-1}, ..., h_0 of contexts in any order."""
    edges = chain.edges()
    inside = pi[edges.source] > 0
    source, token = edges.source[inside], edges.token[inside]
    weight = pi[source] * edges.probability[inside]
    L = states.table.shape[1]
    order = np.lexsort(states.table.T)  # by the newest token, then by the one before it
    table = states.table[order]
    if (table[pi[order] > 0] == PAD).any():
        raise _too_short()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    for k in range(L, -1, -1):
        # The last k tokens of neighbours differ where a new suffix begins.
        new = (table[1:, L - k :] != table[:-1, L - k :]).any(axis=1)
        suffix = np.concatenate([[0], np.cumsum(new)])
        key = suffix[place[source]] * chain.n_tokens + token
        pairs, joint_of = np.unique(key, return_inverse=True)
        joint = np.bincount(joint_of, weight)
        group = np.unique(pairs // chain.n_tokens, return_inverse=True)[1]
        yield mean_entropy(Rows.of_groups(group, joint))


def _too_short() -> NotDefined:
    return NotDefined("memory curve: a recurrent state has fewer than L tokens.")
