"""How long a sampler of low temperature stays in a greedy loop.

At temperature T the tokens of a window are drawn in proportion to p ** (1 / T). In the loop's
i-th window, with g its greedy token and q_i = sum over t != g of (p_t / p_g) ** (1 / T), another
token than g is drawn with probability q_i / (1 + q_i). So a round is completed with probability
prod 1 / (1 + q_i), and the loop is *left* when another token is drawn for the first time. (The
window that follows may lie on the loop again; leaving means the first other token.) From the
loop's first window on,

    mean rounds begun = 1 / (1 - stay),
    mean tokens = sum_i prod_{j < i} 1 / (1 + q_j) / (1 - stay),

the token that leaves counted. 1 - stay is found as -expm1(-sum log1p(q_i)), without cancellation:
at low temperatures it is 1e-20 as often as not.

References
----------
Norris (1997), Markov Chains, section 1.3 (the mean of a geometric time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.result import Bounded, format_number

__all__ = ["Escape", "escape", "odds_of_leaving"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Escape(Bounded):
    """How long a sampler at one temperature stays in a loop, from the loop's first window on."""

    temperature: float
    leaving_probability: float
    """Of drawing another token than the loop's within one round."""
    mean_rounds: float
    """Rounds begun, the one in which the loop is left among them; infinite where leaving is so
    improbable that floats have no number for it."""
    mean_tokens: float
    """Tokens drawn, the first other one among them."""

    def __str__(self) -> str:
        return (
            f"at temperature {self.temperature:g}: left after {format_number(self.mean_tokens)} "
            f"tokens or {format_number(self.mean_rounds)} rounds on average "
            f"({self.error_sentence})"
        )


def odds_of_leaving(rows: Floats, token: npt.NDArray[np.int64], temperature: float) -> Floats:
    """q of each row: the weight of all other tokens where that of the given one is 1.

    >>> odds_of_leaving(np.array([[0.25, 0.75]]), np.array([1]), 0.5).round(12)
    array([0.11111111])
    """
    with np.errstate(divide="ignore"):
        logs = np.log(rows)
    weights = np.exp((logs - np.take_along_axis(logs, token[:, None], axis=1)) / temperature)
    np.put_along_axis(weights, token[:, None], 0.0, axis=1)
    return np.asarray(weights.sum(axis=1))


def escape(odds: Floats, temperature: float) -> Escape:
    """The figures of a loop from the odds of leaving in each of its windows.

    A loop of one window that is left with probability 1/4 at each token:

    >>> round(escape(np.array([1 / 3]), 1.0).mean_tokens, 12)
    4.0
    """
    stays = -np.log1p(odds)  # logarithms of the probabilities of the loop's tokens
    leaving = float(-np.expm1(stays.sum()))
    before = np.exp(np.concatenate([[0.0], np.cumsum(stays)[:-1]])).sum()
    with np.errstate(divide="ignore"):
        rounds, tokens = np.divide(1.0, leaving), np.divide(before, leaving)
    return Escape(
        temperature=temperature,
        leaving_probability=leaving,
        mean_rounds=float(rounds),
        mean_tokens=float(tokens),
        method="logarithms of the odds of leaving, added up over a round",
        uncertified_because="the rounding of powers of the model's floats is not bounded",
    )
