"""What of its context a model uses: which positions, and after which words the oldest token.

Let X_{-1}, X_{-2}, ... be the tokens before the next one, Y, in the long run. Of the token i places
back

- *alone*: I(X_{-i}; Y), what it tells by itself;
- *after the newer ones*: I(X_{-i}; Y | X_{-1} ... X_{-i+1}) = h_{i-1} - h_i, by how much the memory
  curve falls there; these add up to h_0 - h;
- *beside all others*: I(X_{-i}; Y | the other tokens of the window), what nothing else in it
  tells. It is zero exactly where a model of all contexts gives equal rows whatever stands there.

The *effective order* is the least k with h_k - h at most some tolerance: so many tokens are enough
to predict as well, to so many bits per token.

What the oldest token of the window tells, h_{L-1} - h, is a sum over the words of L - 1 tokens:
after the word r it is sum_a pi(a r) KL(P[a r] || mean row after r), never negative.

*Errors.* Each mutual information is a difference of two conditional entropies, each of which is
right to the relative error of pi and rounding (:mod:`fsm_gpt.markov.memory`); their sum bounds it.

References
----------
Cover & Thomas (2006), Elements of Information Theory, section 2.5 (chain rule). Crutchfield &
Feldman (2003), Chaos 13, 25-54.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.row_entropy import Rows, mean_entropy, row_entropies
from fsm_gpt.markov.stationary import heaviest, stationary_distribution
from fsm_gpt.markov.suffixes import suffix_laws
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only

__all__ = ["ContextUse", "context_use"]

Floats = npt.NDArray[np.float64]

#: Words after which the oldest token matters most are listed up to so many.
MOST_WORDS = 16


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ContextUse(Bounded):
    """How much each position of the context tells of the next token, in bits."""

    error_meaning = "absolute error in bits of every mutual information"

    chain: Chain = field(repr=False)
    alone_bits: Floats
    """I(X_{-i}; Y) for i = 1 to L, shape (L,)."""
    after_newer_bits: Floats
    """I(X_{-i}; Y | the newer tokens) = h_{i-1} - h_i, shape (L,)."""
    beside_others_bits: Floats
    """I(X_{-i}; Y | all other tokens of the window), shape (L,)."""
    memory_bits: Floats
    """h_k, the uncertainty of the next token after the last k, for k = 0 to L."""
    tolerance_bits: float
    effective_order: int
    """The least k with h_k - h at most the tolerance."""
    oldest_matters: tuple[tuple[str, float], ...]
    """Words of L - 1 tokens with their part, in bits per token, of what the oldest token before
    them tells; the largest first."""

    def __str__(self) -> str:
        h = float(self.memory_bits[-1])
        lines = [
            f"what of the context is used, in bits of information on the next token "
            f"({self.method}; {self.error_sentence})",
            f"  {self.effective_order} tokens are enough to within {self.tolerance_bits:g} bits "
            f"(h = {format_number(h)} bits per token)",
            "  token back    alone  after newer  beside all others",
        ]
        for i in range(len(self.alone_bits)):
            lines.append(
                f"  {i + 1:>10}  {self.alone_bits[i]:7.4f}  {self.after_newer_bits[i]:11.4f}  "
                f"{self.beside_others_bits[i]:17.4f}"
            )
        total = float(self.after_newer_bits[-1])
        if self.oldest_matters and total > 0:
            lines.append(f"  the oldest token tells {total:.4g} bits, most of it before")
            lines += [
                f"    …{word}  {part:.4g} bits ({part / total:.1%})"
                for word, part in self.oldest_matters[:8]
                if part > 0
            ]
        return "\n".join(lines)


def context_use(chain: Chain, *, tolerance: float = 0.01) -> ContextUse:
    """How much each position of the context tells of the next token.

    Parameters
    ----------
    tolerance
        Bits per token that may be missed by the effective order.

    Raises
    ------
    NotDefined
        The states are not all windows of one length.
    NotUnique
        The chain has several closed classes.
    InvalidArgument
        The tolerance is negative, or so large that no token is needed.

    References
    ----------
    Cover & Thomas (2006), section 2.5.

    Examples
    --------
    The next token is the one two places back, whatever stands between:

    >>> copy = Chain([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    >>> found = context_use(copy)
    >>> found.effective_order, found.beside_others_bits.round(6).tolist()
    (2, [0.0, 0.531004])
    """
    require_complete(chain, "context use")
    if not chain.is_window or chain.kind == "symbolic":
        raise NotDefined(
            "context use: it is asked of chains of all windows of one length, with numbers for "
            "probabilities. extract() and Chain(rows) make such chains."
        )
    if not 0 <= tolerance < math.inf:
        raise InvalidArgument(
            f"context use: the tolerance is {tolerance}, and it has to be a number of bits of 0 or "
            f"more."
        )
    curve = memory_curve(chain)
    h = np.asarray(curve.bits_per_token, dtype=float)
    if tolerance >= h[0] - h[-1] > 0:
        raise InvalidArgument(
            f"context use: a tolerance of {tolerance:g} bits is no less than all that the context "
            f"tells, h_0 - h = {h[0] - h[-1]:.4g} bits, so no token would be needed. Give less."
        )
    chain = chain.floats()
    V, L = chain.n_tokens, chain.context or 1
    pi = np.asarray(stationary_distribution(chain).pi, dtype=float)
    joint = next(suffix_laws(chain, pi, L))
    beside = np.array([_without(joint, V, i) for i in range(1, L + 1)]) - h[-1]
    alone = h[0] - np.array([_only(joint, V, i) for i in range(1, L + 1)])
    return ContextUse(
        chain=chain,
        alone_bits=read_only(np.maximum(alone, 0.0)),
        after_newer_bits=read_only(np.maximum(h[:-1] - h[1:], 0.0)),
        beside_others_bits=read_only(np.maximum(beside, 0.0)),
        memory_bits=read_only(h),
        tolerance_bits=float(tolerance),
        effective_order=int(np.flatnonzero(h - h[-1] <= tolerance)[0]),
        oldest_matters=_oldest(chain, joint, V, L),
        method="marginals of the stationary distribution",
        error_bound=_bound(curve.error_bound, float(h[0])),
        uncertified_because=curve.uncertified_because,
    )


def _bound(relative: Bound, h_0: float) -> Bound:
    """Two entropies of h_0 at most, each right to a relative error."""
    return UNCERTIFIED if relative == UNCERTIFIED else 2 * float(relative) * h_0 + 2.0**-50 * h_0


def _without(joint: Floats, V: int, i: int) -> float:
    """H(Y | the window without the token i places back)."""
    table = joint.reshape(-1, V, V ** (i - 1), V).sum(axis=1)
    return mean_entropy(Rows.of_table(table.reshape(-1, V))).bits


def _only(joint: Floats, V: int, i: int) -> float:
    """H(Y | the token i places back)."""
    table = joint.reshape(-1, V, V ** (i - 1), V).sum(axis=(0, 2))
    return mean_entropy(Rows.of_table(table)).bits


def _oldest(chain: Chain, joint: Floats, V: int, L: int) -> tuple[tuple[str, float], ...]:
    """What the oldest token tells, by the word after it."""
    table = joint.reshape(V, -1, V)
    together = table.sum(axis=0)  # (R, V)
    told = together.sum(axis=1) * row_entropies(together)
    for rows in table:
        told -= rows.sum(axis=1) * row_entropies(rows)
    told = np.maximum(told, 0.0)
    places = heaviest(told, min(MOST_WORDS, len(told)))
    digits = [[int(r) // V ** (L - 2 - j) % V for j in range(L - 1)] for r in places]
    return tuple(
        (chain.vocabulary.label(word) if word else "", float(told[r]))
        for word, r in zip(digits, places, strict=True)
    )
