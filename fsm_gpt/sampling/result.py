"""What is said of an entropy rate that was sampled."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fsm_gpt.result import Bounded, Result
from fsm_gpt.sampling.curve import EntropyCurve

__all__ = ["RegenerativeEstimate", "SampledEntropyRate"]


@dataclass(frozen=True, eq=False, repr=False)
class RegenerativeEstimate(Result):
    """The entropy rate from cycles between visits to one state."""

    bits_per_token: float
    low: float
    high: float
    standard_error: float
    state: str
    """The state visited most, at which the chain begins anew."""
    n_cycles: int
    mean_cycle_tokens: float

    def __str__(self) -> str:
        return (
            f"{self.bits_per_token:.5g}, interval {self.low:.5g} to {self.high:.5g} "
            f"({self.n_cycles:,} cycles of {self.mean_cycle_tokens:.3g} tokens between visits to "
            f"{self.state!r})"
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SampledEntropyRate(Bounded):
    """The entropy rate by sampling, with a confidence interval.

    The interval is statistical, so ``error_bound`` is "uncertified": a proven bound would
    hold always, a confidence interval in that share of runs.
    """

    error_meaning = "none is proven: see low, high and confidence"

    bits_per_token: float
    low: float
    """The interval's lower end, in bits per token; never below zero."""
    high: float
    """Its upper end; never above log2(V)."""
    confidence: float
    standard_error: float
    """Of the mean over the streams, in bits per token, from the variance between them."""
    batch_means_standard_error: float
    """The same from batches inside the streams; smaller where mixing is slow."""
    effective_sample_size: float
    """Independent rows that would give the same standard error."""
    streams: int
    n_tokens: int
    """Tokens of each stream, the burn-in among them."""
    burn_in: int
    """Tokens of each stream that were left out."""
    disagreement: float
    """Variance between streams over what batches inside them let expect; about 1 if mixed."""
    relaxation_tokens: float
    """The slowest relaxation time that shows."""
    bias_allowed: float
    """The part of the interval's half-width that is for what the streams may remember."""
    surprise_bits_per_token: float
    """The mean of -log2 p of the tokens drawn: the same in the long run, and noisier."""
    surprise_standard_error: float
    regenerative: RegenerativeEstimate | None
    """A second opinion; None where no state recurs often in every stream."""
    token_frequencies: npt.NDArray[np.float64]
    """How often each token was drawn after the burn-in, shape (V,)."""
    token_standard_errors: npt.NDArray[np.float64]
    """Of each frequency, from the variance between the streams."""
    curve: EntropyCurve
    """The entropy by position, from the first token drawn."""
    decoding: str
    seed: int
    notes: tuple[str, ...]
    provenance: MappingProxyType[str, str]

    @property
    def perplexity(self) -> float:
        """Two to the power of the entropy rate."""
        return float(2.0**self.bits_per_token)

    def __str__(self) -> str:
        again = "no state recurs often enough" if self.regenerative is None else self.regenerative
        lines = [
            f"entropy rate by sampling: {self.bits_per_token:.5g} bits per token",
            f"{100 * self.confidence:g}% interval: {self.low:.5g} to {self.high:.5g} "
            f"({self.method}; {self.error_sentence})",
            f"streams: {self.streams:,} of {self.n_tokens:,} tokens, the first {self.burn_in:,} of "
            f"each left out; worth {self.effective_sample_size:,.0f} independent rows; seed "
            f"{self.seed}, decoding {self.decoding}",
            f"slowest relaxation that shows: {self.relaxation_tokens:.3g} tokens (disagreement of "
            f"the streams {self.disagreement:.3g}, about 1 where they have mixed)",
            f"-log2 p of the tokens drawn: {self.surprise_bits_per_token:.5g} "
            f"+- {self.surprise_standard_error:.2g}",
            f"regenerative: {again}",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
