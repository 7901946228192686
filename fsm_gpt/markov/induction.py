"""Induction: how likely a chain is to go on as its context went on before.

An *induction head* completes [A][B] ... [A] with [B]: it looks for an earlier place in the context
where the newest token stood, and copies what came after it (Olsson et al. 2022). What comes of
that can be asked of the chain alone. In a context w = w_1 ... w_L whose newest token stands there
before, let j < L be the last place with w_j = w_L, and B(w) = w_{j+1}. With pi the long run of the
chain and R the contexts of this kind,

    score = sum_{w in R} pi(w) P[w, B(w)] / pi(R),

the probability of copying where there is something to copy. Much of it may be due to tokens that
are likely anyway. So beside it stands what the same tokens get from the chain's own bigram G_1 and
unigram G_0, which see nothing of the context but its newest token, or not even that. The *gain*
is the score less that of the bigram. It is zero for a chain that looks back one token.

A gain says that the context is used, and in which direction; it does not say by which mechanism.
A chain that repeats one cycle has a gain, too, where its newest token alone does not tell what is
next.

*Error.* Every number is a quotient of sums without a negative term. An entry of pi that is right
to a factor within 1 +- e enters the score twice and a conditional probability of the bigram twice
more, so that four e and the roundings bound the relative error.

References
----------
Olsson et al. (2022), In-context learning and induction heads, Transformer Circuits Thread, arXiv
2209.11895. Edelman, Edelman, Goel, Malach & Tsilivis (2024), The evolution of statistical induction
heads, arXiv 2402.11004 (models on the way from unigrams to bigrams in context).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace

__all__ = ["InductionScore", "induction_score"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
#: Contexts are taken apart so many at a time.
_BLOCK = 2**16
#: Sums below this may have lost digits to underflow.
_SMALLEST = 1e-280


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class InductionScore(Bounded):
    """How likely the token is that followed the last time, and how likely it is anyway."""

    error_meaning = "relative error of each probability and of the share, not of the gain,"

    chain: Chain = field(repr=False)
    probability: Any
    """The score: of the token that came after the newest one when it stood there before."""
    bigram_probability: Any
    """The mean probability of the same tokens under the chain's own bigram."""
    unigram_probability: Any
    """And under its unigram."""
    repeat_share: Any
    """The share of time, pi(R), in contexts that hold their newest token before."""

    @property
    def gain(self) -> Any:
        """The score less the bigram's: what the rest of the context does for copying."""
        return self.probability - self.bigram_probability

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain numbers and strings, the gain among them."""
        gain = self.gain
        return {**super().to_dict(), "gain": gain if isinstance(gain, float) else str(gain)}

    def __str__(self) -> str:
        return "\n".join(
            [
                f"induction score: {format_number(self.probability)} "
                f"({self.method}; {self.error_sentence})",
                f"  by its own bigram   {format_number(self.bigram_probability)}",
                f"  by its own unigram  {format_number(self.unigram_probability)}",
                f"  gain over the bigram {format_number(self.gain)}, in the "
                f"{float(self.repeat_share):.2%} of time with something to copy",
            ]
        )


def induction_score(chain: Chain) -> InductionScore:
    """The probability of the token that followed the newest one where it stood before.

    Exact where the chain is rational.

    Raises
    ------
    NotDefined
        The states are not contexts of two tokens or more, or none that occurs in the long run
        holds its newest token twice.
    NotUnique
        The chain has several closed classes.
    InvalidArgument
        The rows hold symbols.

    References
    ----------
    Olsson et al. (2022), arXiv 2209.11895. Edelman et al. (2024), arXiv 2402.11004.

    Examples
    --------
    A text that repeats one token, or two in turn, and goes over to the other one time in ten; and
    a fair coin, which copies nothing:

    >>> rows = [["9/10", "1/10"], ["9/10", "1/10"], ["1/10", "9/10"], ["1/10", "9/10"]]
    >>> found = induction_score(Chain(rows))
    >>> print(found.probability, found.bigram_probability, found.gain, found.repeat_share)
    9/10 1/2 2/5 1/2
    >>> print(induction_score(Chain([["1/2", "1/2"]] * 4)).gain)
    0
    """
    what = "induction score"
    require_complete(chain, what)
    if chain.kind == "symbolic":
        raise InvalidArgument(
            "induction score: the rows hold symbols, so which contexts occur is not known. Put "
            "numbers in for them first."
        )
    contexts = chain.states.contexts() if not chain.is_window else None
    if (contexts is None and not chain.is_window) or (chain.context or 0) < 2:
        raise NotDefined(
            "induction score: the states of this chain are not contexts of two tokens or more, so "
            "there is no earlier place at which the newest token could stand. It is defined for "
            "chains of models and texts with a context of 2 or more."
        )
    converted = conversion_error(chain)
    chain = chain if chain.dtype == object else chain.floats()
    pi, pi_bound, reason = long_run(chain, None, what)
    joint, newest = _bigram_law(chain, pi)
    single = joint.sum(axis=1)
    total = single.sum()
    share = score = by_bigram = by_unigram = 0 * total
    impossible = True
    law = joint.sum(axis=0)
    for first, table in _tables(chain, contexts):
        copied = _followed(table)
        here = np.flatnonzero((copied != PAD) & (pi[first : first + len(table)] != 0))
        if not len(here):
            continue
        weight, token = pi[first + here], copied[here]
        now = newest[first + here]
        p = _probabilities(chain, first + here, token)
        impossible = impossible and not p.any()
        share = share + weight.sum()
        score = score + weight @ p
        by_bigram = by_bigram + weight @ (joint[now, token] / single[now])
        by_unigram = by_unigram + weight @ (law[token] / total)
    if share == 0:
        raise NotDefined(
            "induction score: no context that occurs in the long run holds its newest token "
            "twice, so there is nothing to copy. Ask a chain with a longer context."
        )
    bound, reason = _bound(chain, pi_bound, converted, reason)
    if bound not in (0.0, UNCERTIFIED) and (
        min(share, by_bigram, by_unigram) < _SMALLEST or (score < _SMALLEST and not impossible)
    ):
        bound, reason = UNCERTIFIED, "probabilities so small lose digits by underflow"
    numbers = [score / share, by_bigram / share, by_unigram / share, share]
    exact = chain.dtype == object
    probability, bigram, unigram, repeat = numbers if exact else map(float, numbers)
    return InductionScore(
        chain=chain,
        probability=probability,
        bigram_probability=bigram,
        unigram_probability=unigram,
        repeat_share=repeat,
        method="means over the stationary distribution",
        error_bound=bound,
        uncertified_because=reason,
    )


def _bound(chain: Chain, pi: Bound, converted: float, reason: str) -> tuple[Bound, str]:
    """Four times the error of pi, and the roundings of rows, quotients and sums."""
    if chain.dtype == object:
        return 0.0, ""
    if pi == UNCERTIFIED:
        return UNCERTIFIED, reason
    bound = 4 * (float(pi) + converted) + (4 * chain.n_states + 6 * chain.n_tokens + 40) * _UNIT
    if bound > 0.01:
        return UNCERTIFIED, "the stationary distribution is known too roughly"
    return bound * 1.1, ""  # products of factors near one


def _bigram_law(chain: Chain, pi: Numbers) -> tuple[Numbers, Ids]:
    """The law of two tokens in a row, shape (V, V), and the newest token of each state."""
    V, N = chain.n_tokens, chain.n_states
    if chain.is_window:
        newest = np.arange(N, dtype=np.int64) % V
        rows, joint = chain.next_token, np.zeros((V, V), dtype=pi.dtype)
        step = max(1, _BLOCK // V) * V
        for first in range(0, N, step):
            flow = pi[first : first + step, None] * rows[first : first + step]
            joint = joint + flow.reshape(-1, V, V).sum(axis=0)
        return joint, newest
    contexts = chain.states.contexts()
    assert contexts is not None
    newest = np.asarray(contexts[:, -1], dtype=np.int64)
    edges = chain.edges()
    joint = np.zeros((V, V), dtype=np.result_type(pi, edges.probability))
    np.add.at(joint, (newest[edges.source], edges.token), pi[edges.source] * edges.probability)
    return joint, newest


def _tables(chain: Chain, contexts: Ids | None) -> Iterator[tuple[int, Ids]]:
    """The contexts of all states, a block at a time: the first state, and shape (n, L)."""
    for first in range(0, chain.n_states, _BLOCK):
        last = min(first + _BLOCK, chain.n_states)
        if contexts is not None:
            yield first, contexts[first:last]
            continue
        space = chain.states
        assert isinstance(space, ContextSpace)
        V = chain.n_tokens
        powers = V ** np.arange(space.length - 1, -1, -1, dtype=np.int64)
        yield first, np.arange(first, last, dtype=np.int64)[:, None] // powers % V


def _followed(table: Ids) -> Ids:
    """What came after the newest token when it stood there last, or PAD where it did not."""
    newest = table[:, -1]
    copied = np.full(len(table), PAD, dtype=np.int64)
    for place in range(table.shape[1] - 1):  # later places win
        there = (table[:, place] == newest) & (newest != PAD)
        copied[there] = table[there, place + 1]
    return copied


def _probabilities(chain: Chain, state: Ids, token: Ids) -> Numbers:
    """P[s, t] for pairs of a state and a token; the states ascend."""
    if chain.is_window:
        return np.asarray(chain.next_token[state, token])
    edges = chain.edges()
    key = edges.source * chain.n_tokens + edges.token  # ascending
    wanted = state * chain.n_tokens + token
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    p = edges.probability[place]
    return np.asarray(np.where(key[place] == wanted, p, 0 * p))
