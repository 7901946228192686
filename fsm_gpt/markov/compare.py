"""A model measured against a reference, state by state.

In the long run of the reference, with stationary distribution pi and rows P, a model with rows
Q has the cross-entropy

    sum_s pi(s) sum_t P[s, t] log2(1 / Q[s, t])    bits per token,

which is the reference's own entropy rate plus the KL rate sum_s pi(s) KL(P_s || Q_s) >= 0,
zero only where the model has the reference's rows. The reference comes first:
KL(reference || model). Where the model gives probability zero to what the reference does,
both are infinite.

The two read the same tokens, and s is what both are in: a context of the longer of the two, or
a pair of states (:mod:`fsm_gpt.markov.paired`).

References
----------
Cover & Thomas (2006), Elements of Information Theory, sections 2.3 and 4.2. Rached,
Alajaji & Campbell (2004), IEEE Trans. Inf. Theory 50, 917-921 (the rate for chains).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.paired import Law, context_length, of_one_vocabulary, pair, rows_of
from fsm_gpt.markov.row_entropy import row_entropies, surprise
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.result import (
    UNCERTIFIED,
    Bound,
    Bounded,
    format_number,
    frozen,
    read_only,
    to_json,
)
from fsm_gpt.rows import Numbers
from fsm_gpt.space import States

__all__ = ["Comparison", "compare", "measured"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53

#: So many probabilities are compared at a time.
_BLOCK = 2**22


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Comparison(Bounded):
    """How well a model predicts a reference, in bits per token."""

    _hidden: ClassVar[tuple[str, ...]] = ("chain", "reference", "compared", "ids")
    error_meaning = "absolute error in bits per token"

    chain: Chain = field(repr=False)
    """The model."""
    reference: Chain = field(repr=False)
    kl_bits_per_token: float
    """Bits wasted on each token by using the model, KL(reference || model)."""
    cross_entropy_bits_per_token: float
    reference_bits_per_token: float
    """The entropy rate of the reference: the least any model can reach."""
    compared: States = field(repr=False)
    """What both may be in: contexts of the longer of the two, or pairs."""
    ids: Ids = field(repr=False)
    """What of it occurs in the long run of the reference, shape (n,)."""
    pi: Numbers
    """The stationary probabilities of these under the reference, shape (n,)."""
    kl_by_state: Numbers
    """KL(P_s || Q_s) in bits, shape (n,)."""

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The n names of what both are in, which are the recurrent contexts of the longer."""
        return tuple(self.compared.label(s) for s in self.ids.tolist())

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Contexts of the reference in which the model rules out something that happens."""
        ruled_out = self.ids[np.isinf(self.kl_by_state)]
        return tuple(self.compared.label(s) for s in ruled_out.tolist())

    @property
    def share_by_state(self) -> Numbers:
        """pi(s) KL_s, each state's part of the KL rate, in bits per token."""
        return read_only(np.where(self.pi > 0, self.pi * self.kl_by_state, 0.0))

    def worst(self, most: int = 8) -> Ids:
        """Where those stand in ``pi`` and ``kl_by_state`` that cost most, the worst first."""
        return heaviest(self.share_by_state, most)

    def label(self, place: int) -> str:
        """The name of what stands at this place in ``pi``."""
        return self.compared.label(int(self.ids[place]))

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain lists, numbers and strings, with what its bound means."""
        return {
            **super().to_dict(),
            "states": to_json(self.states),
            "missing": to_json(self.missing),
        }

    def __str__(self) -> str:
        lines = [
            f"model against reference ({self.method}; {self.error_sentence})",
            f"  KL(reference || model)  {format_number(self.kl_bits_per_token)} bits per token",
            f"  cross-entropy           {format_number(self.cross_entropy_bits_per_token)}",
            f"  reference entropy rate  {format_number(self.reference_bits_per_token)}",
        ]
        lines += [
            f"  {self.label(i)}: pi {self.pi[i]:.4g}, KL {format_number(self.kl_by_state[i], 4)} "
            f"bits"
            for i in self.worst()
        ]
        ruled_out = np.flatnonzero(np.isinf(self.kl_by_state))
        if len(ruled_out):
            some = ", ".join(self.label(i) for i in ruled_out[:8])
            lines.append(f"  ruled out by the model, yet seen: {some}")
        return "\n".join(lines)


def compare(reference: Chain, model: Chain) -> Comparison:
    """KL rate and cross-entropy of a model under a reference, the reference first.

    Parameters
    ----------
    reference, model
        Chains over the same vocabulary: a model's, a text's, an n-gram, a minimal machine.
        Contexts may be of different lengths. The reference may have only some of the contexts,
        such as the chain of a text.

    Raises
    ------
    InvalidArgument
        The two have different vocabularies, or the model lacks a context that the reference
        visits.
    NotUnique
        The reference has several closed classes, or its tokens do not tell in which state a
        model is whose states are plain names.
    NotDefined
        One of the two ends, or a model whose states are plain names rules out what it does.

    References
    ----------
    Rached, Alajaji & Campbell (2004), theorem 1.

    Examples
    --------
    >>> data = Chain.from_text("0101010", context=1)
    >>> compare(data, Chain([[0.5, 0.5], [0.5, 0.5]])).kl_bits_per_token
    1.0
    >>> compare(data, Chain([[0.5, 0.5], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])).states
    ('01', '10')
    """
    for chain in (reference, model):
        require_complete(chain, "compare")
    return measured(reference, model)


def measured(
    reference: Chain, model: Chain, *, law: Law | None = None, rows_error: float = 0.0
) -> Comparison:
    """The same, where the long run of the reference may be known already.

    ``rows_error`` is the relative error of its probabilities.
    """
    of_one_vocabulary(reference, model, "compare")
    exact_reference = reference.dtype == object
    converted = conversion_error(reference)
    reference, model = reference.floats(), model.floats()
    both = pair(reference, model, "compare", law=law)
    n, V = len(both.weight), reference.n_tokens
    pi = both.weight.astype(np.float64)
    cross, own = np.empty(n), np.empty(n)
    step = max(1, _BLOCK // V)
    for first in range(0, n, step):
        here = slice(first, first + step)
        P, Q = rows_of(reference, both.reference[here]), rows_of(model, both.model[here])
        with np.errstate(invalid="ignore"):
            cross[here] = np.where(P > 0, P * surprise(Q), 0.0).sum(axis=1)
        own[here] = row_entropies(P)
    kl = np.where(np.isinf(cross), np.inf, np.maximum(cross - own, 0))
    total, floor = float(pi @ cross), float(pi @ own)
    bound: Bound = UNCERTIFIED
    if both.bound != UNCERTIFIED and math.isfinite(total):
        roundings = (n + 6 * V + 24) * _UNIT + converted + 6 * rows_error
        if None in (context_length(reference), context_length(model)):
            roundings += 2 * n * rows_error  # which moves the long run of pairs
        bound = (float(both.bound) + roundings) * (total + floor) * (1 + 2.0**-40)
    elif both.bound != UNCERTIFIED:
        bound = 0.0
    return Comparison(
        chain=model,
        reference=reference,
        kl_bits_per_token=max(total - floor, 0.0),
        cross_entropy_bits_per_token=total,
        reference_bits_per_token=floor,
        compared=both.states,
        ids=read_only(both.ids),
        pi=read_only(pi),
        kl_by_state=frozen(kl),
        method="exact counts" if exact_reference else "stationary distribution of the reference",
        error_bound=bound,
        uncertified_because=both.reason,
    )
