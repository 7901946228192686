"""What a chain earns: a number for each state and token, in the long run and over some tokens.

The *long-run mean* of a reward r is mu = sum_s pi(s) sum_t next_token[s, t] r(s, t) per token. By
the ergodic theorem the mean over n tokens tends to it, from any start that ends in the class of pi;
by the central limit theorem it is then wrong by about sigma / sqrt(n), sigma^2 the *variance
constant* (:mod:`fsm_gpt.markov.fluctuation`). The total over n tokens has a mean, a variance and,
where the values are whole numbers or fractions, a distribution that is listed
(:mod:`fsm_gpt.markov.reward_total`, :mod:`fsm_gpt.markov.reward_lattice`).

With the surprisal -log2 p as reward, mu is the entropy rate, sigma^2 the *varentropy* rate, and the
total is minus the log-likelihood of the text.

*Error.* The mean is a sum of pi(s) rho(s), whose terms may have either sign: it is wrong by the
relative error of pi times the mean of |r| at most, plus rounding.

References
----------
Norris (1997), Markov Chains, theorem 1.10.2 (ergodic theorem). Kemeny & Snell (1976), Finite Markov
Chains, section 4.6 (central limit theorem). Kontoyiannis & Verdu (2014), IEEE Transactions on
Information Theory 60, 777-795 (varentropy).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, NotUnique, StateSpaceTooLarge
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.first_step import decided
from fsm_gpt.markov.limiting import class_weights
from fsm_gpt.markov.reward_class import ClassReward, class_reward
from fsm_gpt.markov.reward_total import TotalReward, after_tokens, until_end
from fsm_gpt.markov.reward_values import Earning, Of, Values, earning, simplified
from fsm_gpt.markov.state_sets import begin
from fsm_gpt.markov.stationary import StationaryDistribution, not_unique, stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers
from fsm_gpt.subchain import reachable

__all__ = ["Reward", "reward"]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Reward(Bounded):
    """What a chain earns per token in the long run, and in all over some tokens."""

    error_meaning = "absolute error of the mean"

    chain: Chain = field(repr=False)
    unit: str
    """Of the reward: bits for the surprisal."""
    mean_per_token: Any
    """In the long run."""
    variance_per_token: Any
    """Sigma squared: the variance of the total over n tokens is about n times that. None where
    several closed classes can be reached, each with its own, or where it was not found."""
    variance_error: Bound
    """A bound on the absolute error of the variance."""
    variance_uncertified_because: str
    by_class: tuple[ClassReward, ...]
    """What is earned in each closed class."""
    weights: Numbers
    """The probability of ending in each of them."""
    total: TotalReward | None
    """Over n tokens, where n is given."""
    until_end: TotalReward | None
    """Until the text ends, where it surely does and a start is given."""
    no_end_because: str
    """Why there is no total until the end."""

    def __str__(self) -> str:
        mean = format_number(self.mean_per_token)
        lines = [f"reward: {mean} {self.unit} per token ({self.method}; {self.error_sentence})"]
        if self.variance_per_token is not None:
            if self.variance_error == UNCERTIFIED:
                sure = f"uncertified ({self.variance_uncertified_because})"
            elif self.variance_error == 0:
                sure = "exact"
            else:
                sure = f"absolute error at most {self.variance_error:.1e}, proven"
            value = format_number(self.variance_per_token)
            lines.append(f"  variance of the total per token, in the long run: {value} ({sure})")
        else:
            lines.append(f"  no variance per token: {self.variance_uncertified_because}")
        for part in (self.total, self.until_end):
            lines += [] if part is None else [f"  {part}"]
        if self.chain.end is not None and self.until_end is None:
            lines.append(f"  no total until the end: {self.no_end_because}")
        return "\n".join(lines)


def reward(
    chain: Chain,
    values: Values,
    *,
    start: Any = None,
    n: int | None = None,
    of: Of | None = None,
    exact: bool = False,
) -> Reward:
    """What a reward comes to: per token in the long run, and in all over some tokens.

    Parameters
    ----------
    values
        The reward: an array of shape (N, V) for each state and token, (N,) for each state that
        emits, (V,) for each token; a function of the state's label and the token's text; or
        "surprisal", -log2 p of the token that is emitted, in bits. Floats, whole numbers,
        Fractions, or strings such as "1/3". Rewards of END count as zero.
    start
        A state, a prompt, or a distribution. Needed where the chain has several closed classes,
        and for the total until the end; the total over n tokens starts in the stationary
        distribution where none is given.
    n
        A number of tokens, for the total over them.
    of
        "state" or "token", where there are as many states as tokens and values could be either.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    NotUnique
        Several closed classes and no ``start``.
    InvalidArgument
        The values do not fit the chain, could be of states and of tokens, or are not finite.
    NotDefined
        The chain is a part of a larger one, or the surprisal of symbols is asked for.

    References
    ----------
    Norris (1997), theorem 1.10.2; Kemeny & Snell (1976), section 4.6.

    Examples
    --------
    How often it rains, with probability 1/2 after sun and 3/4 after rain, and how widely the number
    of rainy days of a year scatters; a b = 1/8, sigma^2 = a b (2 - a - b) / (a + b)^3:

    >>> weather = Chain.from_matrix([["1/2", "1/2"], ["1/4", "3/4"]], vocabulary=["sun", "rain"])
    >>> found = reward(weather, [0, 1], of="token", start="sun", n=2)
    >>> print(found.mean_per_token, found.variance_per_token)
    2/3 10/27
    >>> print(*found.total.distribution().probabilities)
    1/4 3/8 3/8
    """
    require_complete(chain, "reward")
    chain = chain.exact() if exact else chain
    structure = communicating_classes(chain)
    start = None if start is None else begin(chain, start)
    if start is None and len(structure.closed) > 1:
        raise not_unique("reward", list(structure.closed))
    earned = earning(chain, values, of)
    named = isinstance(values, str)
    unit = "bits" if named else "reward"
    stationary = stationary_distribution(chain)
    weights, weight_error = class_weights(chain, structure, start)
    classes = tuple(
        class_reward(chain, earned.inside(states), stationary, k)
        for k, (states, _) in enumerate(stationary.classes)
    )
    mean, bound, reason = _mean(weights, weight_error, classes)
    method = "rewards weighted by the stationary distribution"
    if named:  # one number, in one place
        rate = entropy_rate(chain, start=start)
        mean, method = rate.bits_per_token, rate.method
        reason = rate.uncertified_because
        relative = rate.error_bound
        bound = UNCERTIFIED if relative == UNCERTIFIED else 0.0
        if chain.dtype != object and bound != UNCERTIFIED:
            bound = float(relative) * float(mean) * (1 + float(relative))
    variance, variance_error, why = _variance(weights, classes)
    ended, never = _until_end(chain, earned, start, unit)
    return Reward(
        chain=chain,
        unit=unit,
        mean_per_token=mean,
        variance_per_token=variance,
        variance_error=variance_error,
        variance_uncertified_because=why,
        by_class=classes,
        weights=weights,
        total=None if n is None else _total(chain, earned, start, n, stationary, unit),
        until_end=ended,
        no_end_because=never,
        method=method,
        error_bound=bound,
        uncertified_because=reason,
    )


def _mean(
    weights: Numbers, weight_error: Bound, classes: tuple[ClassReward, ...]
) -> tuple[Any, Bound, str]:
    """The mean over where the chain ends."""
    mean = sum(w * c.mean_per_token for w, c in zip(weights, classes, strict=True))
    if weights.dtype == object:
        return simplified(mean), 0.0, ""
    reached = [c for w, c in zip(weights, classes, strict=True) if w > 0]
    refused = [c.uncertified_because for c in reached if c.error_bound == UNCERTIFIED]
    if refused or weight_error == UNCERTIFIED:
        return float(mean), UNCERTIFIED, (refused or ["where the chain ends is uncertified"])[0]
    sizes = math.fsum(abs(float(c.mean_per_token)) for c in classes)
    bound = max(float(c.error_bound) for c in reached)
    bound += (float(weight_error) + 4 * len(classes) * _UNIT) * sizes if len(classes) > 1 else 0.0
    return float(mean), bound, ""


def _variance(weights: Numbers, classes: tuple[ClassReward, ...]) -> tuple[Any, Bound, str]:
    """The variance constant, where only one closed class can be reached."""
    reached = [c for w, c in zip(weights, classes, strict=True) if w != 0]
    if len(reached) > 1:
        why = f"{len(reached)} closed classes can be reached, each with its own (by_class)"
        return None, UNCERTIFIED, why
    (one,) = reached
    return one.variance_per_token, one.variance_error, one.variance_uncertified_because


def _total(
    chain: Chain,
    earned: Earning,
    start: Any,
    n: int,
    stationary: StationaryDistribution,
    unit: str,
) -> TotalReward:
    """Over n tokens, from a start or from the stationary distribution."""
    error: Bound
    if start is not None:
        x, error = start, 0.0
    elif chain.end is not None:
        raise NotUnique(
            "reward: a text that ends has no stationary start before its END, so what it earns "
            "over n tokens depends on where it begins. Give a start."
        )
    else:
        x, error = stationary.dense()[0], stationary.error_bound
    return after_tokens(chain, earned, x, n, start_error=error, unit=unit)


def _until_end(
    chain: Chain, earned: Earning, start: Any, unit: str
) -> tuple[TotalReward | None, str]:
    """Until END where it surely comes, or why there is no such total."""
    if chain.end is None:
        return None, "no token ends a text"
    if start is None:
        return None, "no start is given"
    from_here = reachable(chain, start != 0)
    goal = np.zeros(chain.n_states, dtype=bool)
    goal[chain.end] = True
    _, sure = decided(chain, goal)
    if not sure[from_here].all():
        return None, "from this start a text may go on for ever"
    try:
        return until_end(chain, earned, start, from_here & ~goal, unit=unit), ""
    except (NotConverged, StateSpaceTooLarge) as problem:
        return None, str(problem)
