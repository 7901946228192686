"""How far a model is from n-grams: its own and the reference's.

With G_k the order-k approximation of a chain (:mod:`fsm_gpt.markov.n_gram`), J its law of k + 1
tokens in a row and h_k its memory curve,

    KL(P || G_k of P)  =  h_k(P) - h(P),
    KL(Q || G_k of P)  =  sum_{c,t} J_Q(c t) log2(1 / G_k[c, t]) - h(Q),

since an order-k chain sees k tokens alone. The first is what a source has that k tokens do not
show. The second splits into the model's distance to its own n-gram and the distance of that
from the reference's:

    KL(Q || G_k of P)  =  KL(Q || G_k of Q)  +  KL(G_k of Q || G_k of P).

A model in training is near the unigram first and then near the bigram (Edelman et al. 2024, who
measure how far the model is from the two by KL; Makkuva et al. 2024, by the loss).

*Error.* The h are right to the relative error e of their laws. A conditional probability G is a
quotient of two laws, which moves its logarithm by 2 e / log 2 bits at most.

References
----------
Cover & Thomas (2006), Elements of Information Theory, theorem 2.5.3. Edelman et al. (2024), arXiv
2402.11004. Makkuva et al. (2024), arXiv 2402.04161.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.compare import measured
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.n_gram import n_gram_of
from fsm_gpt.markov.paired import Law, context_length, of_one_vocabulary
from fsm_gpt.markov.row_entropy import Rows, mean_entropy
from fsm_gpt.markov.token_blocks import BlockLaw, block_law, check_order
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["NGramDistances", "n_gram_distances"]

_UNIT = 2.0**-53
_WHAT = "n-gram distances"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NGramDistances(Bounded):
    """KL rates between a reference, a model and their n-grams, in bits per token."""

    _hidden: ClassVar[tuple[str, ...]] = ("chain", "reference")
    error_meaning = "absolute error in bits per token of every distance that is not infinite"

    chain: Chain = field(repr=False)
    """The model."""
    reference: Chain = field(repr=False)
    orders: tuple[int, ...]
    """k: 0 for the unigram, 1 for the bigram."""
    reference_to_its_own_bits: Numbers
    """KL(reference || its n-gram), for each order."""
    model_to_its_own_bits: Numbers
    """KL(model || its n-gram)."""
    reference_n_gram_to_model_bits: Numbers
    """KL(the reference's n-gram || model), zero where the model is that n-gram."""
    model_to_reference_n_gram_bits: Numbers
    """KL(model || the reference's n-gram), infinite where the model does what that never does."""

    def __str__(self) -> str:
        lines = [
            f"KL rates to n-grams in bits per token ({self.method}; {self.error_sentence})",
            "  order  reference || own  model || own  reference's || model  model || reference's",
        ]
        for i, k in enumerate(self.orders):
            numbers = (
                self.reference_to_its_own_bits[i],
                self.model_to_its_own_bits[i],
                self.reference_n_gram_to_model_bits[i],
                self.model_to_reference_n_gram_bits[i],
            )
            shown = (
                f"{format_number(x):>{width}}"
                for x, width in zip(numbers, (16, 13, 21, 21), strict=True)
            )
            lines.append(f"  {k:>5}{' '.join(shown)}")
        return "\n".join(lines)


def n_gram_distances(
    reference: Chain, model: Chain, *, orders: Sequence[int] = (0, 1)
) -> NGramDistances:
    """KL rates between a reference, a model and the n-grams of both, in bits per token.

    Parameters
    ----------
    reference, model
        As in :func:`compare`; each with one closed class.
    orders
        Tokens that the n-grams look back on: 0 for the unigram, 1 for the bigram.

    Raises
    ------
    InvalidArgument
        An order is not a whole number of 0 or more, or what compare() refuses.
    NotUnique
        One of the two has several closed classes.
    NotDefined
        What compare() refuses.
    StateSpaceTooLarge
        There are too many contexts of so many tokens.

    References
    ----------
    Edelman et al. (2024), arXiv 2402.11004. Makkuva et al. (2024), arXiv 2402.04161.

    Examples
    --------
    A fair coin beside a chain that repeats a token of two ago with probability 3/4:

    >>> coin = Chain([[0.5, 0.5]] * 4)
    >>> again = Chain([[0.75, 0.25], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75]])
    >>> found = n_gram_distances(coin, again)
    >>> found.model_to_its_own_bits.round(6)
    array([0.188722, 0.188722])
    >>> found.reference_n_gram_to_model_bits.round(6)
    array([0.207519, 0.207519])
    """
    for chain in (reference, model):
        require_complete(chain, _WHAT)
    of_one_vocabulary(reference, model, _WHAT)
    orders = tuple(check_order(order, _WHAT) for order in orders)
    if not orders:
        raise InvalidArgument("n-gram distances: no order was given. Give some, such as (0, 1).")
    converted = conversion_error(reference) + conversion_error(model)
    reference, model = reference.floats(), model.floats()
    rates = [entropy_rate(chain) for chain in (reference, model)]
    h_P, h_Q = (float(rate.bits_per_token) for rate in rates)
    columns: list[tuple[float, ...]] = []
    errors: list[Bound] = []
    reasons = [rate.uncertified_because for rate in rates]
    for order in orders:
        of_P, of_Q = laws = [block_law(chain, order + 1, _WHAT) for chain in (reference, model)]
        (p, p_safe), (q, q_safe) = (_conditional(law, model.n_tokens) for law in laws)
        p = h_P if _sees_all(reference, order) else p
        q = h_Q if _sees_all(model, order) else q
        across = _cross(of_P, of_Q, model.n_tokens)
        towards, its_bound, reason = _towards(reference, model, order, of_P, converted)
        columns.append((p - h_P, q - h_Q, towards, across - h_Q))
        reasons += [law.reason for law in laws]
        reasons += [reason, "" if p_safe and q_safe else "entropies so small lose digits"]
        bounds = [law.bound for law in laws] + [rate.error_bound for rate in rates]
        if UNCERTIFIED in (*bounds, its_bound) or not (p_safe and q_safe):
            errors.append(UNCERTIFIED)
            continue
        e = max(map(float, bounds)) + converted + (6 * model.n_tokens + 60) * _UNIT
        scale = max(p + h_P, q + h_Q, (across if math.isfinite(across) else 0.0) + h_Q)
        errors.append(max(e * scale + 2.1 * e / math.log(2), float(its_bound)))
    table = np.maximum(np.array(columns), 0.0)
    certain = UNCERTIFIED not in errors
    return NGramDistances(
        chain=model,
        reference=reference,
        orders=orders,
        reference_to_its_own_bits=read_only(table[:, 0]),
        model_to_its_own_bits=read_only(table[:, 1]),
        reference_n_gram_to_model_bits=read_only(table[:, 2]),
        model_to_reference_n_gram_bits=read_only(table[:, 3]),
        method="laws of tokens in the long run",
        error_bound=max(map(float, errors)) if certain else UNCERTIFIED,
        uncertified_because="" if certain else next(filter(None, reasons), ""),
    )


def _sees_all(chain: Chain, order: int) -> bool:
    """Whether so many tokens are all that the chain looks back on, and h_k is h."""
    length = context_length(chain)
    return length is not None and length <= order


def _conditional(law: BlockLaw, V: int) -> tuple[float, bool]:
    """h_k, from the law of k + 1 tokens."""
    group = np.unique(law.number // V, return_inverse=True)[1].reshape(-1)
    return mean_entropy(Rows.of_groups(group, law.weight))


def _cross(P: BlockLaw, Q: BlockLaw, V: int) -> float:
    """What the n-gram of P needs for the texts of Q, in bits per token."""
    place = np.minimum(np.searchsorted(P.number, Q.number), len(P.number) - 1)
    if (P.number[place] != Q.number).any():
        return math.inf
    group = np.unique(P.number // V, return_inverse=True)[1].reshape(-1)
    conditional = P.weight / np.bincount(group, P.weight)[group]
    return float(Q.weight @ -np.log2(conditional[place]))


def _towards(
    reference: Chain, model: Chain, order: int, law: BlockLaw, converted: float
) -> tuple[float, Bound, str]:
    """KL(the reference's n-gram || model), in the n-gram's own long run, which is known."""
    gram = n_gram_of(reference, order, law)
    V = gram.n_tokens
    pi = np.bincount(np.unique(law.number // V, return_inverse=True)[1].reshape(-1), law.weight)
    long_run, wrong = Law(pi, law.bound, law.reason), 0.0
    if law.bound != UNCERTIFIED:
        e = float(law.bound) + converted
        wrong = 2.1 * e + (V + 4) * _UNIT
        longer = (model.context or 0) + 1  # steps from the n-gram's contexts to the model's
        long_run = Law(pi, e + longer * wrong, "")
    found = measured(gram, model, law=long_run, rows_error=wrong)
    return found.kl_bits_per_token, found.error_bound, found.uncertified_because
