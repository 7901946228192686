"""Whether a model's probabilities are what happens: calibration, by state and in bins.

In a state s of both chains the reference draws with P_s and the model states Q_s. The model's
*confidence* c(s) is its largest probability, and its *accuracy* a(s) is how often the reference
draws that token, P[s, argmax Q_s]. With pi the long run of the reference,

    ECE = sum_b | sum_{s in b} pi(s) (a(s) - c(s)) |

over bins b of equal width of the confidence is the *expected calibration error* (Guo et al.
2017, equations 2 and 3), here without samples. Too high and too low confidences of one bin cancel
in it. Where each level of confidence is a bin of its own they cancel only there, and state by
state they do not at all:

    binned  <=  by confidence  <=  by state = sum_s pi(s) |a(s) - c(s)|.

All probabilities count in the total variation of the rows, sum_s pi(s) 1/2 sum_t |P[s, t] -
Q[s, t]|, which is at least the last of these. (Braverman et al. 2020 call a model calibrated whose
texts have its cross-entropy as entropy rate; that is :mod:`fsm_gpt.markov.drift`.)

*Error.* Each sum is at most the last one, and pi enters it by factors within 1 +- e; a
confidence and an accuracy are right to V + 2 roundings. Bins are those of the confidences as
computed.

References
----------
Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML, arXiv
1706.04599, section 2. Kumar, Liang & Ma (2019), NeurIPS, arXiv 1909.10155 (bins hide errors).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.paired import pair, rows_of
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, frozen, read_only
from fsm_gpt.rows import Numbers
from fsm_gpt.space import States

__all__ = ["Calibration", "calibration"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53

#: So many probabilities are read at a time.
_BLOCK = 2**22


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Calibration(Bounded):
    """What a model states beside what the reference does."""

    _hidden: ClassVar[tuple[str, ...]] = (
        *("chain", "reference", "compared", "ids", "reference_state", "model_state"),
    )
    error_meaning = "absolute error of each of the four numbers"

    chain: Chain = field(repr=False)
    """The model."""
    reference: Chain = field(repr=False)
    binned: float
    """Expected calibration error in bins of equal width, between 0 and 1."""
    by_confidence: float
    """The same with a bin for each level of confidence."""
    by_state: float
    """The same state by state."""
    total_variation: float
    """Of the rows, in the mean over the reference's long run: between 0 and 1."""
    bin_edges: Numbers
    """Confidences between which the bins lie, shape (bins + 1,); the upper belongs to it."""
    bin_mass: Numbers
    """The share of time in each bin, shape (bins,)."""
    bin_confidence: Numbers
    """The mean confidence in each bin; zero where it is empty."""
    bin_accuracy: Numbers
    """The mean accuracy in each bin; zero where it is empty."""
    compared: States = field(repr=False)
    ids: Ids = field(repr=False)
    pi: Numbers
    """The share of time of each state, shape (n,)."""
    confidence_by_state: Numbers
    """The model's largest probability in each, shape (n,)."""
    accuracy_by_state: Numbers
    """How often the reference draws the token that has it, shape (n,)."""
    reference_state: Ids = field(repr=False)
    model_state: Ids = field(repr=False)

    def rows(self, place: int) -> tuple[Numbers, Numbers]:
        """The reference's probabilities and those the model states, each of shape (V,).

        ``place`` is where the state stands in ``pi``.
        """
        here = slice(place, place + 1)
        P = rows_of(self.reference, self.reference_state[here])
        return P[0], rows_of(self.chain, self.model_state[here])[0]

    def label(self, place: int) -> str:
        """The name of the state that stands at this place in ``pi``."""
        return self.compared.label(int(self.ids[place]))

    def __str__(self) -> str:
        bins = len(self.bin_mass)
        lines = [
            f"calibration ({self.method}; {self.error_sentence})",
            f"  expected calibration error, {bins} bins: {format_number(self.binned)}",
            f"  with a bin for each confidence: {format_number(self.by_confidence)}",
            f"  state by state: {format_number(self.by_state)}",
            f"  total variation of the rows: {format_number(self.total_variation)}",
        ]
        gap = self.pi * np.abs(self.confidence_by_state - self.accuracy_by_state)
        for i in heaviest(gap, 8):
            stated, true = self.confidence_by_state[i], self.accuracy_by_state[i]
            lines.append(f"  {self.label(i)}: stated {stated:.4g}, happens {true:.4g}")
        return "\n".join(lines)


def calibration(reference: Chain, model: Chain, *, bins: int = 10) -> Calibration:
    """Whether what a model states with a probability happens that often in the reference.

    Parameters
    ----------
    reference, model
        As in :func:`compare`.
    bins
        Bins of equal width of the confidence, from 1.

    Raises
    ------
    InvalidArgument
        ``bins`` is not a whole number of 1 or more, or what compare() refuses.
    NotUnique, NotDefined
        What compare() refuses.

    References
    ----------
    Guo et al. (2017), arXiv 1706.04599, equation 3.

    Examples
    --------
    A model that is too sure after 0 and too unsure after 1: in one bin that cancels.

    >>> data = Chain([[0.75, 0.25], [0.25, 0.75]])
    >>> found = calibration(data, Chain([[0.875, 0.125], [0.375, 0.625]]), bins=1)
    >>> found.binned, found.by_confidence, found.by_state
    (0.0, 0.125, 0.125)
    """
    for chain in (reference, model):
        require_complete(chain, "calibration")
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InvalidArgument(f"calibration: {bins!r} bins is not a whole number of 1 or more.")
    converted = conversion_error(reference)
    reference, model = reference.floats(), model.floats()
    both = pair(reference, model, "calibration")
    n, V = len(both.weight), reference.n_tokens
    pi = both.weight.astype(np.float64)
    confidence, accuracy, apart = np.empty(n), np.empty(n), np.empty(n)
    step = max(1, _BLOCK // V)
    for first in range(0, n, step):
        here = slice(first, first + step)
        P, Q = rows_of(reference, both.reference[here]), rows_of(model, both.model[here])
        likeliest = Q.argmax(axis=1)[:, None]
        confidence[here] = np.take_along_axis(Q, likeliest, axis=1)[:, 0]
        accuracy[here] = np.take_along_axis(P, likeliest, axis=1)[:, 0]
        apart[here] = 0.5 * np.abs(P - Q).sum(axis=1)
    gap = accuracy - confidence
    # A bin holds what is above its lower edge up to the upper one, as those of Guo et al.
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    level = np.unique(confidence, return_inverse=True)[1].reshape(-1)
    mass = np.bincount(place, pi, bins)
    filled = np.where(mass > 0, mass, 1.0)
    by_state, rows_apart = float(pi @ np.abs(gap)), float(pi @ apart)
    bound: Bound = UNCERTIFIED
    if both.bound != UNCERTIFIED:
        share = float(both.bound) + converted + (n + 8) * _UNIT
        bound = share * (max(by_state, rows_apart) + 2.0**-40) + 3 * (V + 2) * _UNIT
    return Calibration(
        chain=model,
        reference=reference,
        binned=float(np.abs(np.bincount(place, pi * gap, bins)).sum()),
        by_confidence=float(np.abs(np.bincount(level, pi * gap)).sum()),
        by_state=by_state,
        total_variation=rows_apart,
        bin_edges=read_only(edges),
        bin_mass=read_only(mass),
        bin_confidence=read_only(np.bincount(place, pi * confidence, bins) / filled),
        bin_accuracy=read_only(np.bincount(place, pi * accuracy, bins) / filled),
        compared=both.states,
        ids=read_only(both.ids),
        pi=read_only(pi),
        confidence_by_state=frozen(confidence),
        accuracy_by_state=frozen(accuracy),
        reference_state=read_only(both.reference),
        model_state=read_only(both.model),
        method="rows of the two, weighted by the long run of the reference",
        error_bound=bound,
        uncertified_because=both.reason,
    )
