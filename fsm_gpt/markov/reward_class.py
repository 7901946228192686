"""What a chain earns in the long run once it has come to one closed class.

The mean is sum_s pi(s) rho(s), pi the class's own stationary distribution and rho(s) what a token
earns in state s on average; the variance constant is that of :mod:`fsm_gpt.markov.fluctuation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError
from fsm_gpt.markov.fluctuation import asymptotic_variance
from fsm_gpt.markov.mixing_bounds import mixing_bounds
from fsm_gpt.markov.reward_values import Earning, simplified
from fsm_gpt.markov.stationary import StationaryDistribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number

__all__ = ["ClassReward", "class_reward"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ClassReward(Bounded):
    """What is earned in the long run by a chain that has come to one closed class."""

    error_meaning = "absolute error of the mean"

    states: Ids
    mean_per_token: Any
    variance_per_token: Any
    """Sigma squared of the central limit theorem; None where it was not found."""
    variance_error: Bound
    """A bound on the absolute error of the variance."""
    variance_uncertified_because: str
    variance_method: str

    def __str__(self) -> str:
        mean, variance = (
            format_number(value) for value in (self.mean_per_token, self.variance_per_token)
        )
        return (
            f"closed class of {len(self.states):,} states: mean {mean} per token, variance "
            f"{variance} ({self.method}; {self.error_sentence})"
        )


def class_reward(
    chain: Chain, part: Earning, stationary: StationaryDistribution, k: int
) -> ClassReward:
    """Mean and variance constant of the k-th closed class."""
    states, pi = stationary.classes[k]
    error, reason = stationary.error_bound, stationary.uncertified_because
    each = part.step(part.zeros())[0]
    found = asymptotic_variance(
        part,
        pi,
        error,
        period=stationary.periods[k],
        mixed_by=_mixed_by(chain, len(stationary.classes), stationary.periods[k]),
    )
    variance = found.variance
    bound: Bound = UNCERTIFIED
    if part.value.dtype == object:
        mean, bound = simplified((pi * each).sum()), 0.0
        variance = simplified(variance)
    else:
        mean = math.fsum((pi * each).tolist())
        sizes = part.sum(part.probability * np.abs(part.value))
        if error != UNCERTIFIED:
            relative = (float(error) + part.rounding + 2 * _UNIT) * (1 + float(error))
            wrong = relative * math.fsum((pi * sizes).tolist()) + part.value_error
            bound, reason = wrong, ""
            if not math.isfinite(wrong):
                bound, reason = UNCERTIFIED, "logarithms of numbers below 1e-300 lose digits"
    return ClassReward(
        states=states,
        mean_per_token=mean,
        variance_per_token=variance,
        variance_error=found.error,
        variance_uncertified_because=found.because,
        variance_method=found.method,
        method=stationary.method,
        error_bound=bound,
        uncertified_because=reason if bound == UNCERTIFIED else "",
    )


def _mixed_by(chain: Chain, n_classes: int, period: int) -> Callable[[], int | None]:
    """How the number of tokens is found after which all starts are within 1/4 of pi."""

    def steps() -> int | None:
        if n_classes > 1 or period > 1:
            return None
        with suppress(FsmGptError):
            found = mixing_bounds(chain, epsilon=0.25)
            return found.at_most_steps if found.certified else None
        return None

    return steps
