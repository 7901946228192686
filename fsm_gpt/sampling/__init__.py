"""Questions that are answered by sampling, for models too large to enumerate.

Many streams of a model or of a chain are drawn at once, and what is said of the long run carries
a confidence interval and never a proven bound.
"""

from __future__ import annotations

from fsm_gpt.sampling.curve import EntropyCurve
from fsm_gpt.sampling.entropy import sample_entropy_rate
from fsm_gpt.sampling.result import RegenerativeEstimate, SampledEntropyRate
from fsm_gpt.sampling.texts import SampledMean, SampledTexts, sample_texts

__all__ = [
    "EntropyCurve",
    "RegenerativeEstimate",
    "SampledEntropyRate",
    "SampledMean",
    "SampledTexts",
    "sample_entropy_rate",
    "sample_texts",
]
