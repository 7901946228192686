"""The mixing time of a chain of any size, between two proven bounds.

d(t) is the largest total variation distance over all starts between the distribution after t
tokens and pi; the mixing time is the first t with d(t) <= epsilon. With N starts it cannot be
worked out at millions of states. What can:

*At least.* From one start the distance is worked out exactly, one product a token, and d(t)
is no smaller. Starts are the heaviest states, and those from which one token is most and
least likely for longest, found by products P f, which hold for every start at once. Where
none has come close in the end, the leading eigenvalues prove more (:mod:`.leading`).

*At most, by regeneration.* Let A be some states, D(t) the largest distance from a start in
A, and S(k) the largest probability, over all starts, of not having met A within k tokens.
Split a path where it first meets A: d(t + k) <= D(t) + S(k). S is found by products P f, and
beyond those that were made by S(j + k) <= S(j) S(k).

*At most, by coupling* (window chains). Let q(r, t) be the smallest probability of token t over
all contexts that end in r. Two texts whose last tokens are both r can be continued so that
with probability sum_t q(r, t) both get the same token. If not, count from nothing in common.
Once L tokens in a row agree the texts have met. The numbers of tokens until they first differ
are independent and alike, so the time of meeting is a renewal process with a known law, and
the distance between any two starts after t tokens is at most the probability u(t) of not
having met; nor is it more than u(t)^k after k t. Where what is long ago hardly matters this
bound is close, and where the oldest token decides it says nothing.

References
----------
Levin & Peres (2017), Markov Chains and Mixing Times, sections 4.4 (distances) and 5.1
(coupling). Bressaud, Fernandez & Galves (1999), Electronic Journal of Probability 4, paper 3
(the house-of-cards coupling). Aldous & Fill (2002), Reversible Markov Chains and Random Walks
on Graphs, section 4.3 (mixing and hitting).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.leading import leading_eigenvalues
from fsm_gpt.markov.mixing import refuse_what_never_mixes, total_variation
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bounded, format_steps, read_only
from fsm_gpt.storage import row_sums

__all__ = ["MixingBounds", "mixing_bounds"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_UNIT = 2.0**-53
#: States to regenerate in, and tokens whose last and first starts are tried.
_HEAVY, _TOKENS = 16, 4
#: Terms of the law of meeting; after them powers of it serve.
_LONGEST_LAW = 4096


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MixingBounds(Bounded):
    """Steps until every start is within epsilon of the stationary distribution, from both sides."""

    error_meaning = "error of both bounds"

    chain: Chain = field(repr=False)
    epsilon: float
    at_least_steps: int
    """The mixing time is no smaller."""
    at_most_steps: int | None
    """The mixing time is no larger; None where nothing is proven."""
    estimate_steps: int
    """What the slowest start tried takes, extrapolated where it takes longer than was tried."""
    slowest_start: int
    """That start."""
    distances: Floats
    """Its total variation distance from pi after 0, 1, 2, ... tokens: lower bounds of d."""

    @property
    def error_sentence(self) -> str:
        """Whether the bounds are proven."""
        return "both bounds proven" if self.certified else super().error_sentence

    def __str__(self) -> str:
        most = "no upper bound"
        if self.at_most_steps is not None:
            most = f"at most {format_steps(self.at_most_steps)}"
        least = format_steps(self.at_least_steps)
        start = self.chain.label(self.slowest_start)
        return (
            f"mixing time to {self.epsilon:g} in total variation: at least {least} "
            f"steps, {most}; the slowest start tried, {start}, takes about "
            f"{format_steps(self.estimate_steps)} ({self.method}; {self.error_sentence})"
        )


def mixing_bounds(
    chain: Chain,
    *,
    epsilon: float = 0.25,
    most_steps: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> MixingBounds:
    """Two proven bounds on the mixing time of a chain of any size, and an estimate.

    :func:`fsm_gpt.mixing_time` gives the number itself up to some thousand states.

    Parameters
    ----------
    epsilon
        Distance in total variation, in (0, 1).
    most_steps
        Products made at most for each start, and for each set that is to be met.
    progress
        Called with the number of starts followed, and of all.

    Raises
    ------
    NotDefined
        The closed class is periodic: its distribution never settles.
    NotUnique
        Several closed classes: where the chain settles depends on the start.
    InvalidArgument
        ``epsilon`` is not between 0 and 1, or ``most_steps`` is below 1.

    Examples
    --------
    Independent tokens are forgotten after one window, and not before its last token:

    >>> found = mixing_bounds(Chain([[0.5, 0.5]] * 16), epsilon=0.01)
    >>> found.at_least_steps, found.at_most_steps
    (4, 4)
    """
    if not 0 < epsilon < 1:
        raise InvalidArgument(f"mixing bounds: epsilon {epsilon} is not between 0 and 1.")
    if most_steps < 1:
        raise InvalidArgument(f"mixing bounds: most_steps is {most_steps}; give 1 or more.")
    require_complete(chain, "mixing bounds")
    converted = conversion_error(chain)
    chain = chain.floats()
    refuse_what_never_mixes(chain, "mixing bounds")
    stationary = stationary_distribution(chain)
    pi = stationary.pi
    #: What rounding does to a distance, for each token: see fsm_gpt.markov.steps.
    each = (2 * chain.n_tokens + _most_into(chain) + 4) * _UNIT + converted
    known = stationary.error_bound != UNCERTIFIED
    slack = (float(stationary.error_bound) if known else 0.0) + 64 * _UNIT
    heavy, _ = stationary.top(_HEAVY)
    starts = np.unique(np.concatenate([heavy, _extreme_starts(chain, most_steps)]))
    followed: dict[int, Floats] = {}
    for number, start in enumerate(starts.tolist()):
        followed[start] = _distances(chain, pi, start, epsilon / 4, most_steps)
        if progress is not None:
            progress(number + 1, len(starts))
    slowest = max(starts.tolist(), key=lambda s: _first_below(followed[s], epsilon))
    far = followed[slowest]
    at_least = max(
        int(np.sum(one - each * np.arange(len(one)) - slack > epsilon)) for one in followed.values()
    )
    by_meeting = _by_regeneration(
        chain, heavy, [followed[s] for s in heavy.tolist()], epsilon, each, slack, most_steps
    )
    if at_least > most_steps:  # no start was followed to the end
        with suppress(NotConverged):
            eigenvalues = leading_eigenvalues(chain, most=3)
            at_least = max(at_least, eigenvalues.mixing_steps_at_least(epsilon=epsilon))
    ways = {"coupling": _by_coupling(chain, epsilon, converted), "regeneration": by_meeting}
    found = {way: steps for way, steps in ways.items() if steps is not None}
    way = min(found, key=lambda name: found[name], default=None)
    return MixingBounds(
        chain=chain,
        epsilon=epsilon,
        at_least_steps=at_least if known else 0,
        at_most_steps=found[way] if known and way else None,
        estimate_steps=max(at_least, _estimate(far, epsilon)),
        slowest_start=slowest,
        distances=read_only(far),
        method=f"distances from {len(starts)} starts" + (f", {way}" if known and way else ""),
        error_bound=0.0 if known else UNCERTIFIED,
        uncertified_because="" if known else "the stationary distribution is uncertified",
    )


def _most_into(chain: Chain) -> int:
    """The most transitions that lead to one state."""
    return chain.n_tokens if chain.is_window else int(np.bincount(chain.raw_edges().target).max())


# ---- at least ----


def _distances(chain: Chain, pi: Floats, start: int, enough: float, most_steps: int) -> Floats:
    """The distance from pi after 0, 1, ... tokens, until it is small enough."""
    x, spare = np.zeros(chain.n_states), np.empty(chain.n_states)
    x[start] = 1.0
    found = [float(total_variation(x, pi))]
    while found[-1] > enough and len(found) <= most_steps:
        x, spare = chain.push(x, out=spare), x
        found.append(float(total_variation(x, pi)))
    return np.array(found)


def _extreme_starts(chain: Chain, most_steps: int) -> Ids:
    """Starts from which a token is most and least likely after twice as many as a window has."""
    starts = []
    V = chain.n_tokens
    edges = None if chain.is_window else chain.edges()
    for token in range(min(V, _TOKENS)):
        if edges is None:
            f = np.array(chain.next_token[:, token], dtype=np.float64)
        else:
            here = edges.token == token
            f = np.zeros(chain.n_states)
            np.add.at(f, edges.source[here], edges.probability[here])
        spare = np.empty(chain.n_states)
        for _ in range(min(most_steps, 2 * (chain.context or 8))):
            f, spare = chain.expect(f, out=spare), f
        starts += [int(f.argmin()), int(f.argmax())]
    return np.array(starts, dtype=np.int64)


def _first_below(distances: Floats, epsilon: float) -> float:
    """The first time with a distance of at most epsilon; beyond the last one, by that."""
    below = np.flatnonzero(distances <= epsilon)
    return float(below[0]) if len(below) else len(distances) + float(distances[-1])


def _estimate(distances: Floats, epsilon: float) -> int:
    """When the distance reaches epsilon, if it goes on to shrink as it did last."""
    first = _first_below(distances, epsilon)
    if first < len(distances):
        return int(first)
    half = len(distances) // 2
    rate = math.log(distances[half] / distances[-1]) / (len(distances) - 1 - half)
    if not rate > 0:
        return len(distances)
    return len(distances) - 1 + math.ceil(math.log(distances[-1] / epsilon) / rate)


# ---- at most ----


def _by_regeneration(
    chain: Chain,
    heavy: Ids,
    distances: list[Floats],
    epsilon: float,
    each: float,
    slack: float,
    most_steps: int,
) -> int | None:
    """The smallest t + k with D(t) + S(k) <= epsilon."""
    length = max(map(len, distances))
    D = np.zeros(length)
    for one in distances:  # a distance never grows, so the last one holds from then on
        D = np.maximum(D, np.append(one, np.full(length - len(one), one[-1])))
    D = np.minimum.accumulate(D + each * np.arange(length) + slack)
    S = _not_met(chain, heavy, epsilon / 16, most_steps)
    S = np.minimum.accumulate(S * (1 + each * np.arange(len(S))))
    best = math.inf
    for t in np.flatnonzero(epsilon > D).tolist():
        k = _first_tail_below(S, epsilon - D[t])
        best = min(best, t + k)
    return int(best) if best < math.inf else None


def _not_met(chain: Chain, states: Ids, enough: float, most_steps: int) -> Floats:
    """The largest probability over starts of not having met the states within 0, 1, ... tokens."""
    f, spare = np.ones(chain.n_states), np.empty(chain.n_states)
    f[states] = 0.0
    found = [float(f.max())]
    while found[-1] > enough and len(found) <= most_steps:
        f, spare = chain.expect(f, out=spare), f
        f[states] = 0.0
        found.append(float(f.max()))
    return np.array(found)


def _first_tail_below(S: Floats, wanted: float) -> float:
    """The first k with S(k) <= wanted, beyond the last one by S(j n + k) <= S(j)^n S(k)."""
    below = np.flatnonzero(S <= wanted)
    if len(below):
        return float(below[0])
    last, j = float(S[-1]), len(S) - 1
    if not last < 1 - 1e-9:
        return math.inf
    rounds = math.floor(math.log(wanted) / math.log(last))
    rest = np.flatnonzero(S * last**rounds * (1 + 1e-9) <= wanted)
    return float(rounds * j + (rest[0] if len(rest) else 2 * j))


def _by_coupling(chain: Chain, epsilon: float, converted: float) -> int | None:
    """The first time at which two texts have met with probability 1 - epsilon, from any starts."""
    if not chain.is_window or chain.n_tokens < 2:
        return None
    agreed = _runs(chain)
    L = len(agreed) - 1
    # Probabilities are a little smaller, by what the sums of rows and rounding can make of them:
    # texts that agree less often than they could meet all the same.
    off = float(np.abs(row_sums(chain.next_token) - 1).max())
    agreed *= (1 - off - (4 * chain.n_tokens + 256) * _UNIT - converted) ** np.arange(L + 1)
    if not agreed[L] > 0:
        return None
    ends = agreed[:-1] - agreed[1:]  # a run ends at its token 1, ..., L
    apart = np.ones(_LONGEST_LAW + 1)
    for t in range(1, len(apart)):
        reach = min(t, L)
        apart[t] = ends[:reach] @ apart[t - reach : t][::-1] + (agreed[t] if t < L else 0.0)
        if apart[t] <= epsilon / 2:
            apart = apart[: t + 1]
            break
    apart *= 1 + 4 * L * len(apart) * _UNIT
    best = math.inf
    for t in range(1, len(apart)):
        if apart[t] < 1 - 1e-9:
            powers = max(1, math.ceil(math.log(epsilon) / math.log(apart[t]) * (1 - 1e-12)))
            if apart[t] ** powers * (1 + 1e-9) > epsilon:
                powers += 1
            best = min(best, powers * t)
    return int(best) if best < math.inf else None


def _runs(chain: Chain) -> Floats:
    """The probability that two texts agree on their first 0, 1, ..., L tokens, at least."""
    V = chain.n_tokens
    least = [np.asarray(chain.next_token, dtype=np.float64)]
    while len(least[-1]) > 1:  # the smallest over the oldest token, then over the next, ...
        least.append(least[-1].reshape(V, -1, V).min(axis=0))
    weight = np.ones(1)
    found = [1.0]
    for q in reversed(least[1:]):
        weight = (weight[:, None] * q).ravel()
        found.append(float(weight.sum()))
    return np.array(found)
