"""Both sides of a probability, where a part of the chain is not known.

A search that stops early leaves one absorbing state u, ``unexplored``, for all that it did not
look at. Until the chain enters u it is the whole chain, step by step. So for a set A of
explored states, with X the whole chain and Y the explored one,

    P(Y_n in A)  <=  P(X_n in A)  <=  P(Y_n in A) + P(Y_n = u),
    P(Y ever in A)  <=  P(X ever in A)  <=  P(Y ever in A or u):

on the left what enters u never comes to A, on the right it always does. Neither side can be
mended without looking further: what u stands for may do either. Where nothing is unexplored the
two sides are one number.

Both sides are widened by the proven error of what they are computed from, so that the truth
lies between them in spite of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.first_step import decided
from fsm_gpt.markov.hitting import Hitting, hitting
from fsm_gpt.markov.limiting import start_distribution
from fsm_gpt.markov.steps import distribution_after
from fsm_gpt.result import UNCERTIFIED, Bounded, read_only
from fsm_gpt.space import NamedStates

__all__ = ["AfterBounds", "HittingBounds", "bounds_after", "closed_off", "hitting_bounds"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AfterBounds(Bounded):
    """Between which numbers the probability of being in a set after some tokens lies."""

    error_meaning = "relative rounding error, by which both sides are widened,"

    chain: Chain = field(repr=False)
    steps: int
    """How many tokens."""
    target: Ids
    """The set, ascending."""
    lower: float
    upper: float
    unexplored: float
    """The probability that the unexplored state has been entered by then."""

    def __str__(self) -> str:
        tokens = "1 token" if self.steps == 1 else f"{self.steps:,} tokens"
        return (
            f"after {tokens} in {_named(self.chain, self.target)}: probability between "
            f"{self.lower:.6g} and {self.upper:.6g}, left the explored part {self.unexplored:.6g} "
            f"({self.method}; {self.error_sentence})"
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HittingBounds(Bounded):
    """Between which numbers the probability of ever reaching a set lies, from every state."""

    error_meaning = "absolute rounding error, by which both sides are widened,"

    chain: Chain = field(repr=False)
    target: Ids
    """The set, ascending."""
    lower: Floats
    """Shape (N,)."""
    upper: Floats
    """Shape (N,)."""

    def from_start(self, start: Any) -> tuple[float, float]:
        """Both sides from a state, or from a distribution of shape (N,) over the starts."""
        weights = np.asarray(start_distribution(self.chain, start), dtype=np.float64)
        room = 2.0**-52 * (np.count_nonzero(weights) + 2)  # of the sum's own rounding
        low, high = float(weights @ self.lower), float(weights @ self.upper)
        return max(0.0, low * (1 - room)), min(1.0, high * (1 + room))

    def __str__(self) -> str:
        lines = [
            f"ever reaching {_named(self.chain, self.target)} "
            f"({self.method}; {self.error_sentence})"
        ]
        shown = [s for s in range(self.chain.n_states) if s != self.chain.unexplored][:16]
        lines += [
            f"  from {self.chain.label(s)}: probability between {self.lower[s]:.6g} and "
            f"{self.upper[s]:.6g}"
            for s in shown
        ]
        if self.chain.n_states > 17:
            lines.append(f"  ... and {self.chain.n_states - len(shown):,} more states")
        return "\n".join(lines)


def bounds_after(
    chain: Chain, steps: int, target: int | str | Sequence[int | str], *, start: Any
) -> AfterBounds:
    """The probability of being in a set after so many tokens, from both sides.

    Parameters
    ----------
    chain
        Any finite chain; of an exploration that stopped early, its ``chain``.
    steps
        How many tokens, 0 or more.
    target
        An explored state, or several, by id or label.
    start
        A state or a distribution of shape (N,), such as the exploration's ``start``.

    Raises
    ------
    StateOutOfRange
        There is no such state, or it was not explored.
    InvalidArgument
        ``steps`` is no whole number of 0 or more, the target is empty or ``unexplored``.

    Examples
    --------
    >>> walk = Chain.from_matrix([[0.5, 0.5], [0.25, 0.75]])
    >>> found = bounds_after(walk, 1, 1, start=0)
    >>> round(found.lower, 12), round(found.upper, 12), found.unexplored
    (0.5, 0.5, 0.0)
    """
    goal = _target(chain, target, "bounds_after")
    found = distribution_after(chain, steps, start=start)
    x = np.asarray(found.probabilities, dtype=np.float64)
    e = 0.0 if found.error_bound == UNCERTIFIED else float(found.error_bound)
    e += (len(goal) + 2) * 2.0**-52  # of adding up and of rounding to floats
    inside = float(x[goal].sum())
    rest = 0.0 if chain.unexplored is None else float(x[chain.unexplored])
    return AfterBounds(
        chain=chain,
        steps=found.steps,
        target=goal,
        lower=inside / (1 + e) if found.certified else inside,
        upper=min(1.0, (inside + rest) * (1 + e)) if found.certified else inside + rest,
        unexplored=rest,
        method=found.method,
        error_bound=e if found.certified else UNCERTIFIED,
        uncertified_because=found.uncertified_because,
    )


def hitting_bounds(chain: Chain, target: int | str | Sequence[int | str]) -> HittingBounds:
    """The probability of ever reaching a set, from both sides and from every state.

    Parameters
    ----------
    chain
        Any finite chain; of an exploration that stopped early, its ``chain``.
    target
        An explored state, or several, by id or label.

    Raises
    ------
    StateOutOfRange
        There is no such state, or it was not explored.
    InvalidArgument
        The target is empty or ``unexplored``.
    NotConverged
        The chain is too large to eliminate and too stiff for the iteration.

    Examples
    --------
    >>> ruin = Chain.from_matrix([[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]])
    >>> found = hitting_bounds(ruin, 2)
    >>> [round(float(p), 12) for p in found.lower], [round(float(p), 12) for p in found.upper]
    ([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])

    References
    ----------
    Norris (1997), Markov Chains, theorem 1.3.2.
    """
    goal = _target(chain, target, "hitting_bounds")
    plain = closed_off(chain)
    below = hitting(plain, goal.tolist())
    above = below
    if chain.unexplored is not None:
        above = hitting(plain, [*goal.tolist(), chain.unexplored])
    certified = below.certified and above.certified
    errors = [float(h.error_bound) if certified else 0.0 for h in (below, above)]
    return HittingBounds(
        chain=chain,
        target=goal,
        lower=read_only(_widened(below, -errors[0], certified)),
        upper=read_only(_widened(above, errors[1], certified)),
        method=" and ".join(dict.fromkeys((below.method, above.method))),
        error_bound=max(errors) if certified else UNCERTIFIED,
        uncertified_because=below.uncertified_because or above.uncertified_because,
    )


def _target(chain: Chain, target: Any, where: str) -> Ids:
    """The states asked for, ascending."""
    several = isinstance(target, (list, tuple, np.ndarray)) and np.ndim(target) > 0
    names = list(target) if several else [target]
    if not names:
        raise InvalidArgument(f"{where}: the target has no state. Give at least one.")
    found = np.unique([chain.state(name) for name in names]).astype(np.int64)
    if chain.unexplored is not None and chain.unexplored in found:
        raise InvalidArgument(
            f"{where}: the target has the state {chain.label(chain.unexplored)!r}, which is no "
            f"context: it stands for all that was not looked at. Ask for explored states."
        )
    return found


def closed_off(chain: Chain) -> Chain:
    """The same transitions between states without a meaning, so that nothing is refused."""
    if chain.unexplored is None:
        return chain
    return chain._with(states=NamedStates(tuple(str(s) for s in range(chain.n_states))))


def _widened(found: Hitting, by: float, certified: bool) -> Floats:
    """Probabilities with room for their error; what the graph decides to be 0 or 1 stays."""
    goal = np.zeros(found.chain.n_states, dtype=bool)
    goal[found.target] = True
    never, sure = decided(found.chain, goal)
    h = np.asarray(found.probabilities, dtype=np.float64)
    wide = h
    if certified:  # one float further, so that the sum is not rounded back
        wide = np.clip(np.nextafter(h + by, math.copysign(math.inf, by)), 0.0, 1.0)
    return np.where(never | sure, h, wide)


def _named(chain: Chain, states: Ids) -> str:
    some = ", ".join(chain.labels(states[:8]))
    return f"{some}, ... ({len(states):,} states)" if len(states) > 8 else some
