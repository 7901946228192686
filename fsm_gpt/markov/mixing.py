"""How long until the start is forgotten.

The distance between two distributions is *total variation*, half the sum of |mu - nu|.
d(t) is the largest distance over all starts between the distribution after t tokens and
pi; it never grows. The *mixing time* at epsilon is the first t with d(t) <= epsilon.

It is found exactly: P is squared until d <= epsilon, then bisected with the squares. A
product of non-negative matrices has small relative errors in every entry, so the error of
d(t) is known; the step found is certain where d clears epsilon by more than that on both
sides.

References
----------
Levin & Peres (2017), Markov Chains and Mixing Times, sections 4.1 to 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, NotDefined, StateSpaceTooLarge
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.stationary import not_unique, stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, read_only

__all__ = ["MixingTime", "mixing_time", "refuse_what_never_mixes", "total_variation"]

Floats = npt.NDArray[np.float64]

_UNIT = 2.0**-53

#: Longer times are not told apart from rounding.
_MOST_DOUBLINGS = 45


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MixingTime(Bounded):
    """Steps until every start is within epsilon of the stationary distribution."""

    error_meaning = "error of the step count"

    chain: Chain = field(repr=False)
    epsilon: float
    steps: int
    """First t at which the distance from the worst start is at most epsilon."""
    average_steps: int
    """First t at which the distance, averaged over all starts, is at most epsilon."""
    times: npt.NDArray[np.int64]
    """Times at which the distance was worked out, ascending."""
    distances: Floats
    """d(t) at those times: total variation from the worst start."""

    def __str__(self) -> str:
        return (
            f"mixing time: {self.steps:,} steps to {self.epsilon:g} in total variation from the "
            f"worst start, {self.average_steps:,} averaged over starts "
            f"({self.method}; {self.error_sentence})"
        )


@dataclass(frozen=True, eq=False)
class _Distances:
    """Distances from each start at chosen times, from powers of P kept on the way."""

    pi: Floats
    squares: list[Floats]
    worst: dict[int, float]
    mean: dict[int, float]

    def record(self, t: int, power: Floats) -> None:
        """Keep the distances at time t."""
        each = total_variation(power, self.pi)
        self.worst[t] = float(each.max())
        self.mean[t] = float(each.mean())

    def first(self, distance: dict[int, float], epsilon: float) -> int:
        """The first t with distance at most epsilon, by bisection between powers of two."""
        if distance[0] <= epsilon:
            return 0
        if distance[1] <= epsilon:
            return 1
        top = next(k for k in range(len(self.squares)) if distance[1 << k] <= epsilon)
        t, power = 1 << (top - 1), self.squares[top - 1]
        for k in range(top - 2, -1, -1):
            further = power @ self.squares[k]
            self.record(t + (1 << k), further)
            if distance[t + (1 << k)] > epsilon:
                t, power = t + (1 << k), further
        return t + 1


def total_variation(mu: Floats, nu: Floats) -> Floats:
    """The distance of two distributions, or of each row of a table from one.

    >>> float(total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75])))
    0.25
    """
    return np.asarray(0.5 * np.abs(mu - nu).sum(axis=-1))


def refuse_what_never_mixes(chain: Chain, what: str) -> None:
    """Refuse a chain whose distribution does not settle, or whose start decides where.

    Raises
    ------
    NotUnique, NotDefined
        It has several closed classes, or a periodic one.
    """
    structure = communicating_classes(chain)
    if len(structure.closed) > 1:
        raise not_unique(what, structure.closed)
    if not structure.aperiodic:
        raise NotDefined(
            f"{what}: the closed class has period {structure.periods[0]}, so the distribution "
            f"goes round for ever and no start is forgotten. Ask for the chain that stays put with "
            f"probability 1/2, or for limiting_distribution(..., time_average=True)."
        )


def mixing_time(chain: Chain, *, epsilon: float = 0.25) -> MixingTime:
    """The first number of steps after which every start is within epsilon of pi.

    Parameters
    ----------
    epsilon
        Distance in total variation, in (0, 1).

    Raises
    ------
    NotDefined
        The closed class is periodic: its distribution never settles.
    NotUnique
        Several closed classes: where the chain settles depends on the start.
    NotConverged
        More than 2**45 steps.
    StateSpaceTooLarge
        More than 4,096 states: see :func:`fsm_gpt.mixing_bounds`.

    Examples
    --------
    Two states that change with probability 1/4: d(t) = 1/2**(t + 1).

    >>> chain = Chain.from_matrix([[0.75, 0.25], [0.25, 0.75]])
    >>> mixing_time(chain, epsilon=0.01).steps
    6
    """
    require_complete(chain, "mixing time")
    if not 0 < epsilon < 1:
        raise InvalidArgument(f"mixing time: epsilon {epsilon} is not between 0 and 1.")
    converted = conversion_error(chain)
    chain = chain.floats()
    refuse_what_never_mixes(chain, "mixing time")
    if chain.n_states > DENSE_LIMIT:
        raise StateSpaceTooLarge(
            f"mixing time: {chain.n_states:,} starts are followed by powers of the matrix up to "
            f"{DENSE_LIMIT:,} states. Ask mixing_bounds(chain), which proves how long it takes at "
            f"least and at most, or cut the context (truncate_to)."
        )
    P = chain.matrix()
    stationary = stationary_distribution(chain)
    found = _Distances(stationary.pi, [P], {}, {})
    found.record(0, np.eye(len(P)))
    found.record(1, P)
    for k in range(1, _MOST_DOUBLINGS + 1):
        if found.worst[1 << (k - 1)] <= epsilon:
            break
        square = found.squares[-1] @ found.squares[-1]
        square /= square.sum(axis=1, keepdims=True)
        found.squares.append(square)
        found.record(1 << k, square)
    else:
        raise NotConverged(
            f"mixing time: after 2**{_MOST_DOUBLINGS} steps the worst start is still "
            f"{found.worst[1 << _MOST_DOUBLINGS]:.3g} away from pi, above {epsilon:g}; rounding "
            f"hides anything slower. The chain is nearly decomposable or nearly periodic: look at "
            f"spectrum(chain)."
        )
    steps = found.first(found.worst, epsilon)
    average = found.first(found.mean, epsilon)
    bound, reason = _certainty(found, steps, average, epsilon, stationary.error_bound, converted)
    times = sorted(found.worst)
    return MixingTime(
        chain=chain,
        epsilon=epsilon,
        steps=steps,
        average_steps=average,
        times=read_only(times, np.int64),
        distances=read_only([found.worst[t] for t in times]),
        method="powers of the transition matrix",
        error_bound=bound,
        uncertified_because=reason,
    )


def _certainty(
    found: _Distances,
    steps: int,
    average: int,
    epsilon: float,
    pi_bound: Bound,
    converted: float,
) -> tuple[Bound, str]:
    """Exact where the distances clear epsilon by more than their error."""
    if pi_bound == UNCERTIFIED:
        return UNCERTIFIED, "the stationary distribution is uncertified"
    n = len(found.pi)
    for t, distance in ((steps, found.worst), (average, found.mean)):
        # Each of up to 2 t products adds (n + 2) roundings; renormalising doubles them.
        error = 4 * max(t, 1) * (n + 4) * _UNIT + float(pi_bound) + converted + (n + 4) * _UNIT
        before = distance.get(t - 1, 1.0)
        if not (distance[t] + error <= epsilon < before - error or t == 0):
            return UNCERTIFIED, f"rounding of {error:.1e} in the distance may shift the step found"
    return 0.0, ""
