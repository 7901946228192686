"""How the uncertainty of a model's own texts drifts away from where the reference left it.

The model is given a context as the reference writes it, then goes on alone. With mu_0 the law of
its state after what the reference wrote, and Q its transitions, the entropy of token t + 1 is

    H_t = sum_s (mu_0 Q^t)(s) H(Q_s)    bits,    t = 0, 1, 2, ...

H_0 is the model's mean uncertainty on the reference's texts, and in the mean over a long time
H_t tends to the entropy rate of what the model writes. A model is *calibrated* in this sense if
that is its cross-entropy on the reference: if its texts surprise it as much as the reference's
do. Language models are found to drift upward (Braverman et al. 2020), here without sampling.

*Error.* No term is negative, and an entry of mu_0 Q^t is right to the error of mu_0 and as many
roundings as :mod:`fsm_gpt.markov.steps` counts in t steps.

References
----------
Braverman, Chen, Kakade, Narasimhan, Zhang & Zhang (2020), Calibration, entropy rates, and memory
in language models, ICML, arXiv 1906.05664.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.compare import compare
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.paired import pair
from fsm_gpt.markov.row_entropy import Rows, mean_entropy
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["EntropyDrift", "entropy_drift"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EntropyDrift(Bounded):
    """The entropy of a model's own texts, by the number of tokens that it has gone on alone."""

    _hidden: ClassVar[tuple[str, ...]] = ("chain", "reference")
    error_meaning = "relative error of every H_t and of the rate in the long run"

    chain: Chain = field(repr=False)
    """The model."""
    reference: Chain = field(repr=False)
    bits_by_step: Numbers
    """H_t in bits for t = 0 to ``steps``, shape (steps + 1,)."""
    cross_entropy_bits_per_token: float
    """What the model needs for the reference's texts, as :func:`compare` gives it."""
    reference_bits_per_token: float
    """The entropy rate of the reference."""
    long_run_bits_per_token: float
    """The entropy rate of what the model writes when it goes on for ever."""

    @property
    def steps(self) -> int:
        """How many tokens the model goes on for."""
        return len(self.bits_by_step) - 1

    @property
    def drift_bits_per_token(self) -> float:
        """The entropy rate of the model's texts less its cross-entropy on the reference's.

        Zero for a calibrated model, positive where its texts become less certain.
        """
        return self.long_run_bits_per_token - self.cross_entropy_bits_per_token

    def __str__(self) -> str:
        lines = [f"entropy of the model's own texts ({self.method}; {self.error_sentence})"]
        shown = sorted({0, *(2**k for k in range(self.steps.bit_length())), self.steps})
        lines += [
            f"  after {t:,} of its tokens: {format_number(self.bits_by_step[t])} bits per token"
            for t in shown
            if t <= self.steps
        ]
        lines += [
            f"  in the long run: {format_number(self.long_run_bits_per_token)}",
            f"  its cross-entropy on the reference: "
            f"{format_number(self.cross_entropy_bits_per_token)}",
        ]
        return "\n".join(lines)


def entropy_drift(reference: Chain, model: Chain, *, steps: int = 32) -> EntropyDrift:
    """The entropy of the tokens that a model writes on its own, after a context of the reference.

    Parameters
    ----------
    reference, model
        As in :func:`compare`.
    steps
        How many tokens the model goes on for; each takes one pass over its rows.

    Raises
    ------
    InvalidArgument
        ``steps`` is not a whole number of 0 or more, or what compare() refuses.
    NotUnique, NotDefined
        What compare() refuses.

    References
    ----------
    Braverman et al. (2020), arXiv 1906.05664, section 3.

    Examples
    --------
    Data that alternates, and a model that mostly does: what it writes is what it has seen.

    >>> data = Chain.from_text("0101010", context=1)
    >>> found = entropy_drift(data, Chain([[0.25, 0.75], [0.75, 0.25]]), steps=3)
    >>> found.bits_by_step.round(6).tolist(), round(found.cross_entropy_bits_per_token, 6)
    ([0.811278, 0.811278, 0.811278, 0.811278], 0.415037)
    """
    for chain in (reference, model):
        require_complete(chain, "entropy drift")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InvalidArgument(
            f"entropy drift: {steps!r} steps is not a whole number of 0 or more, the tokens for "
            f"which the model goes on alone."
        )
    against = compare(reference, model)
    converted, moved = conversion_error(reference), conversion_error(model)
    changed = model.n_tokens + 2 if moved else 0
    reference, model = against.reference, against.chain
    both = pair(reference, model, "entropy drift")
    mu = np.bincount(both.model, both.weight, model.n_states)
    begin = mu / mu.sum()
    rows = Rows.of_chain(model)
    smallest = model.least_probability
    least, safe, bits = np.inf, True, []
    for t in range(steps + 1):
        if t:
            least = min(least, least_positive(mu) * smallest)
            mu = model.push(mu)
        found = mean_entropy(rows, mu)
        safe = safe and found.safe
        bits.append(found.bits)
    rate = entropy_rate(model, start=begin)
    bound: Bound = UNCERTIFIED
    reason = both.reason or rate.uncertified_because
    if UNCERTIFIED not in (both.bound, rate.error_bound):
        reason = f"products below {SMALLEST:g} lose digits by underflow"
        if least >= SMALLEST and safe:
            V = model.n_tokens
            into = V if model.is_window else int(np.bincount(model.raw_edges().target).max())
            n = steps * (V + into + 1 + changed) + 6 * (V + changed) + 40 + len(both.weight)
            bound = float(both.bound) + converted + rounded(n)
            bound += float(rate.error_bound) + moved  # the rate's, whatever class it ends in
    return EntropyDrift(
        chain=model,
        reference=reference,
        bits_by_step=read_only(bits),
        cross_entropy_bits_per_token=against.cross_entropy_bits_per_token,
        reference_bits_per_token=against.reference_bits_per_token,
        long_run_bits_per_token=float(rate.bits_per_token),
        method="products of a vector with Q",
        error_bound=bound,
        uncertified_because=reason if bound == UNCERTIFIED else "",
    )
