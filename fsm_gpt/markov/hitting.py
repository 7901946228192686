"""Reaching a set of states: how likely, and how long it takes, from every start.

For a set A of states, h(i) is the probability that the chain, started in i, ever enters A,
and k(i) the mean number of steps until it does (infinite where h(i) < 1). They are the
smallest non-negative solutions of

    h = 1 on A,  h(i) = sum_j P[i, j] h(j) elsewhere;
    k = 0 on A,  k(i) = 1 + sum_j P[i, j] k(j) elsewhere

(Norris 1997, theorems 1.3.2 and 1.3.5). Which h(i) are exactly 0 or 1 is decided on the
graph. The rest are found, and their error is proven, by :mod:`fsm_gpt.markov.first_step`.

References
----------
Norris (1997), Markov Chains, section 1.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.first_step import FirstStep, decided, indicator
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.state_sets import by_state
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Hitting", "ever", "hitting"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Hitting(Bounded):
    """Probability of reaching a set, and mean number of steps to it, from every state."""

    error_meaning = "relative error of the times and absolute error of the probabilities"

    chain: Chain = field(repr=False)
    target: Ids
    """The set, ascending."""
    probabilities: Numbers
    """Of ever reaching the set, shape (N,)."""
    mean_steps: Numbers
    """Until it is reached, shape (N,); infinite where that is not certain."""

    def __str__(self) -> str:
        some = ", ".join(self.chain.labels(self.target[:8]))
        more = f", ... ({len(self.target):,} states)" if len(self.target) > 8 else ""
        lines = [f"reaching {some}{more} ({self.method}; {self.error_sentence})"]
        h, k = self.probabilities, self.mean_steps
        lines += by_state(
            self.chain, lambda s: f"probability {format_number(h[s])}, {format_number(k[s])} steps"
        )
        return "\n".join(lines)


def hitting(
    chain: Chain, target: int | str | Sequence[int | str], *, exact: bool = False
) -> Hitting:
    """The probability of reaching a set of states and the mean time to it, from every state.

    Parameters
    ----------
    target
        A state, or several, by id or label.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    StateOutOfRange
        There is no such state.
    NotConverged
        The chain is too large to eliminate and too stiff for the iteration.

    Examples
    --------
    The gambler's ruin (Norris, example 1.3.3):

    >>> walk = Chain.from_matrix([[1, 0, 0, 0], ["1/2", 0, "1/2", 0],
    ...                           [0, "1/2", 0, "1/2"], [0, 0, 0, 1]])
    >>> print(*hitting(walk, 3).probabilities)
    0 1/3 2/3 1
    >>> print(*hitting(walk, [0, 3]).mean_steps)
    0 2 2 0
    """
    require_complete(chain, "hitting")
    chain = chain.exact() if exact else chain
    goal = _goal(chain, target)
    never, sure = decided(chain, goal)
    steps = FirstStep(chain)
    probabilities, one, why = _probabilities(steps, never, sure)
    mean_steps, other, reason = _times(steps, goal, sure)
    refused = UNCERTIFIED in (one, other)
    return Hitting(
        chain=chain,
        target=np.flatnonzero(goal),
        probabilities=read_only(probabilities),
        mean_steps=read_only(mean_steps),
        method=steps.method,
        error_bound=UNCERTIFIED if refused else max(float(one), float(other)),
        uncertified_because=why or reason,
    )


def _goal(chain: Chain, target: Any) -> Mask:
    several = isinstance(target, (list, tuple, np.ndarray)) and np.ndim(target) > 0
    names = list(target) if several else [target]
    if not names:
        raise InvalidArgument("hitting: the target has no state. Give at least one.")
    goal = np.zeros(chain.n_states, dtype=bool)
    goal[[chain.state(name) for name in names]] = True
    return goal


def ever(steps: FirstStep, never: Mask, sure: Mask) -> tuple[Numbers, Bound, str]:
    """Hitting probabilities from every state, with a bound on their relative error.

    ``never`` and ``sure`` are the two answers of :func:`fsm_gpt.markov.first_step.decided`.
    """
    h = indicator(steps.chain, sure)
    unknown = np.flatnonzero(~never & ~sure)
    if not len(unknown):
        return h, 0.0, ""
    h[unknown], bound, reason = steps.solve(unknown, 0 * h[unknown], into=sure)
    return h, bound, reason


def _probabilities(steps: FirstStep, never: Mask, sure: Mask) -> tuple[Numbers, Bound, str]:
    """Hitting probabilities, with a bound on their absolute error."""
    h, bound, reason = ever(steps, never, sure)
    unknown = np.flatnonzero(~never & ~sure)
    if bound != UNCERTIFIED or not len(unknown) or len(unknown) > ELIMINATION_LIMIT:
        return h, bound, reason
    return h, *_bound(steps, unknown, h)


def _times(steps: FirstStep, goal: Mask, sure: Mask) -> tuple[Numbers, Bound, str]:
    """Mean steps, with a bound on their relative error."""
    exact = steps.chain.dtype == object
    k = np.full(len(goal), math.inf, dtype=object if exact else np.float64)
    k[goal] = Fraction(0) if exact else 0.0
    unknown = np.flatnonzero(sure & ~goal)
    if not len(unknown):
        return k, 0.0, ""
    ones = np.full(len(unknown), Fraction(1)) if exact else np.ones(len(unknown))
    k[unknown], bound, reason = steps.solve(unknown, ones)
    return k, bound, reason


def _bound(steps: FirstStep, unknown: Ids, h: Numbers) -> tuple[Bound, str]:
    """Where entries are too small for a relative error: the mean time bounds an absolute one."""
    try:
        stay, error, _ = steps.solve(unknown, np.ones(len(unknown)))
    except NotConverged:
        error = UNCERTIFIED
    wrong = residual(steps.chain, h[:, None], np.zeros(1))
    if wrong is None or error == UNCERTIFIED:
        return UNCERTIFIED, "the time spent among the undecided states cannot be bounded"
    return float(wrong[unknown].max()) * float(stay.max()) * (1 + float(error)) * (1 + 2.0**-40), ""
