"""A model measured against a reference, state by state.

Both are chains over the same contexts. In the long run of the reference, with
stationary distribution pi and rows P, a model with rows Q has the cross-entropy

    sum_s pi(s) sum_t P[s, t] log2(1 / Q[s, t])    bits per token,

which is the reference's own entropy rate plus the KL rate sum_s pi(s) KL(P_s || Q_s) >= 0,
zero only where the model has the reference's rows. The reference comes first:
KL(reference || model). Where the model gives probability zero to what the reference does,
both are infinite.

References
----------
Cover & Thomas (2006), Elements of Information Theory, sections 2.3 and 4.2. Rached,
Alajaji & Campbell (2004), IEEE Trans. Inf. Theory 50, 917-921 (the rate for chains).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.row_entropy import row_entropies, surprise
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace

__all__ = ["Comparison", "compare", "matching_states"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Comparison(Bounded):
    """How well a model predicts a reference, in bits per token."""

    error_meaning = "absolute error in bits per token"

    chain: Chain = field(repr=False)
    kl_bits_per_token: float
    """Bits wasted on each token by using the model, KL(reference || model)."""
    cross_entropy_bits_per_token: float
    reference_bits_per_token: float
    """The entropy rate of the reference: the least any model can reach."""
    states: tuple[str, ...]
    """The recurrent contexts of the reference."""
    pi: Numbers
    """Their stationary probabilities under the reference."""
    kl_by_state: Numbers
    """KL(P_s || Q_s) in bits, shape (len(states),)."""
    missing: tuple[str, ...]
    """Contexts of the reference in which the model rules out something that happens."""

    @property
    def share_by_state(self) -> Numbers:
        """pi(s) KL_s, each state's part of the KL rate, in bits per token."""
        return read_only(np.where(self.pi > 0, self.pi * self.kl_by_state, 0.0))

    def __str__(self) -> str:
        lines = [
            f"model against reference ({self.method}; {self.error_sentence})",
            f"  KL(reference || model)  {format_number(self.kl_bits_per_token)} bits per token",
            f"  cross-entropy           {format_number(self.cross_entropy_bits_per_token)}",
            f"  reference entropy rate  {format_number(self.reference_bits_per_token)}",
        ]
        order = np.argsort(-self.share_by_state, kind="stable")[:8]
        lines += [
            f"  {self.states[i]}: pi {self.pi[i]:.4g}, KL {self.kl_by_state[i]:.4g} bits"
            for i in order
        ]
        if self.missing:
            lines.append(f"  ruled out by the model, yet seen: {', '.join(self.missing[:8])}")
        return "\n".join(lines)


def compare(reference: Chain, model: Chain) -> Comparison:
    """KL rate and cross-entropy of a model under a reference, the reference first.

    Parameters
    ----------
    reference, model
        Chains over contexts of the same vocabulary and length; the reference may have only
        some of the contexts, such as the chain of a text.

    Raises
    ------
    InvalidArgument
        The two have different vocabularies or contexts, or the model lacks a context that
        the reference visits.
    NotUnique
        The reference has several closed classes.

    Examples
    --------
    >>> data = Chain.from_text("0101010", context=1)
    >>> compare(data, Chain([[0.5, 0.5], [0.5, 0.5]])).kl_bits_per_token
    1.0
    """
    for chain in (reference, model):
        require_complete(chain, "compare")
    _comparable(reference, model)
    exact_reference = reference.dtype == object
    converted = conversion_error(reference)
    reference, model = reference.floats(), model.floats()
    pi, pi_bound, reason = long_run(reference, None, "comparison")
    states = np.flatnonzero(pi > 0)
    pi = pi[states]
    P = _rows_of(reference, states)
    Q = _rows_of(model, matching_states(reference, model, states))
    with np.errstate(invalid="ignore"):
        cross = np.where(P > 0, P * surprise(Q), 0.0).sum(axis=1)
    own = row_entropies(P)
    kl = np.where(np.isinf(cross), np.inf, np.maximum(cross - own, 0))
    labels = reference.labels(states)
    impossible = np.flatnonzero(np.isinf(cross))
    total, floor = float(pi @ cross), float(pi @ own)
    bound: Bound = UNCERTIFIED
    if pi_bound != UNCERTIFIED and math.isfinite(total):
        roundings = (len(pi) + 6 * P.shape[1] + 24) * _UNIT + converted
        bound = (float(pi_bound) + roundings) * (total + floor) * (1 + 2.0**-40)
    elif pi_bound != UNCERTIFIED:
        bound = 0.0
    return Comparison(
        chain=model,
        kl_bits_per_token=max(total - floor, 0.0),
        cross_entropy_bits_per_token=total,
        reference_bits_per_token=floor,
        states=tuple(labels),
        pi=read_only(pi),
        kl_by_state=read_only(kl),
        missing=tuple(labels[i] for i in impossible),
        method="exact counts" if exact_reference else "stationary distribution of the reference",
        error_bound=bound,
        uncertified_because=reason,
    )


def _comparable(reference: Chain, model: Chain) -> None:
    if reference.context is None or model.context is None:
        raise InvalidArgument(
            "compare: a chain whose states are plain names cannot be matched by context. Compare "
            "chains over contexts: a model's, or a text's."
        )
    if reference.vocabulary.tokens != model.vocabulary.tokens:
        raise InvalidArgument(
            f"compare: the vocabularies differ: {' '.join(reference.vocabulary.shown[:12])} in the "
            f"reference, {' '.join(model.vocabulary.shown[:12])} in the model. Give the text's "
            f"chain the model's vocabulary: Chain.from_text(..., vocabulary=model.vocabulary)."
        )
    if reference.context != model.context:
        raise InvalidArgument(
            f"compare: the reference has contexts of {reference.context} tokens and the model of "
            f"{model.context}. Make both with the same context (truncate_to=k for a model)."
        )


def _rows_of(chain: Chain, states: Ids) -> Numbers:
    rows = chain.next_token[states].astype(np.float64)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def matching_states(reference: Chain, model: Chain, states: Ids) -> Ids:
    """The model's states for the same contexts as some of the reference's, in their order.

    Raises
    ------
    InvalidArgument
        The two have different vocabularies or contexts, or the model lacks one of the contexts.
    """
    _comparable(reference, model)
    contexts = reference.states.contexts()
    assert contexts is not None
    tokens = [[int(t) for t in context if t != PAD] for context in contexts[states]]
    if isinstance(model.states, ContextSpace):
        places = [model.states.id_of(context) for context in tokens]
    else:
        places = [_find(model, context, reference) for context in tokens]
    return np.array(places, dtype=np.int64)


def _find(model: Chain, context: list[int], reference: Chain) -> int:
    from fsm_gpt.errors import StateOutOfRange

    try:
        return model.states.find(context)
    except StateOutOfRange:
        label = reference.vocabulary.label(context)
        raise InvalidArgument(
            f"compare: the reference visits context {label!r}, which the model does not have, so "
            f"its prediction there is unknown. Compare with a model of every context."
        ) from None
