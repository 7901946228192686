"""Until, eventually and always: the path formulas of PCTL, from every state.

For sets S and G of states, the path formula *S until G* holds on a path X_0, X_1, ... if some X_m
is in G and X_0, ..., X_{m-1} are all in S; *S until G within n* asks for m <= n. *Eventually G* is
"any state until G", *always S* says that no X_m leaves S, within n for m <= n. X_0 counts: a state
in G has reached G in no step. Their probabilities are the numbers of PCTL's P operator.

How they are computed and proven: :mod:`fsm_gpt.markov.constrained`.

References
----------
Hansson & Jonsson (1994), A logic for reasoning about time and reliability, Formal Aspects of
Computing 6, 512-535 (PCTL). Baier & Katoen (2008), Principles of Model Checking, sections 10.1 and
10.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.constrained import Chances, check_steps, reaching, staying
from fsm_gpt.markov.state_sets import (
    StateSet,
    begin,
    by_state,
    in_words,
    mean_of,
    start_in_words,
    state_set,
    summing_error,
)
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Until", "always", "answered", "eventually", "until"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Until(Bounded):
    """The probability of a path formula, from every state and from a start."""

    error_meaning = "relative error of every probability"

    chain: Chain = field(repr=False)
    formula: str
    """What is asked, with PCTL's letters U (until), F (eventually) and G (always)."""
    within: int | None
    """The number of steps; None for ever."""
    probabilities: Numbers
    """Shape (N,). Of an explored part of a chain, what holds wherever the rest may lead."""
    upper_probabilities: Numbers | None
    """Where a part is unexplored: what may hold at most, shape (N,); None where nothing is."""
    start: str | None = None
    """Where the chain begins, in words; None if that was not said."""
    probability: Any = None
    """From the start."""
    upper_probability: Any = None
    """From the start, where a part is unexplored."""

    def __str__(self) -> str:
        lines = [f"P({self.formula}) ({self.method}; {self.error_sentence})"]
        return "\n".join([*lines, *self.lines()])

    def lines(self) -> list[str]:
        """The probabilities, a line each: from the start, or from the first states."""
        if self.start is not None:
            return [f"  from {self.start}: {_shown(self.probability, self.upper_probability)}"]
        upper = self.upper_probabilities
        return by_state(
            self.chain,
            lambda s: _shown(self.probabilities[s], None if upper is None else upper[s]),
        )


def _shown(low: Any, high: Any) -> str:
    if high is not None and high != low:
        return f"probability between {format_number(low)} and {format_number(high)}"
    return f"probability {format_number(low)}" + (" (it cannot happen)" if low == 0 else "")


def until(
    chain: Chain,
    stay: StateSet,
    goal: StateSet,
    *,
    within: int | None = None,
    start: Any = None,
    exact: bool = False,
) -> Until:
    """The probability of staying in a set until another is reached, from every state.

    Parameters
    ----------
    stay, goal
        Sets of states: ids, labels, texts (all contexts that end with it), a mask of shape (N,),
        or a function that says of a label whether its state belongs.
    within
        In so many steps at most; without it, ever.
    start
        A state, a prompt, or a distribution of shape (N,), for one number.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    StateOutOfRange, InvalidText, InvalidArgument
        A set or the start names what is not there, or ``within`` is no number of steps.
    NotConverged
        Without ``within``: the chain is too large to eliminate and too stiff for the iteration.

    References
    ----------
    Hansson & Jonsson (1994), section 3. Baier & Katoen (2008), section 10.1.1.

    Examples
    --------
    From 1, reach 3 without stepping on 0 (the gambler's ruin; Norris, example 1.3.3):

    >>> walk = Chain.from_matrix([[1, 0, 0, 0], ["1/2", 0, "1/2", 0],
    ...                           [0, "1/2", 0, "1/2"], [0, 0, 0, 1]])
    >>> print(until(walk, [1, 2], 3, start=1))
    P(1, 2 U 3) (elimination without subtraction; exact)
      from 1: probability 1/3
    >>> print(*until(walk, [1, 2], 3, within=2).probabilities)
    0 1/4 1/2 1
    """
    S, G = state_set(chain, stay, "until"), state_set(chain, goal, "until")
    words = f"{in_words(chain, S, 4)} U{_at_most(within)} {in_words(chain, G, 4)}"
    return _until(chain, S, G, within, start, exact, words, "until")


def eventually(
    chain: Chain,
    goal: StateSet,
    *,
    within: int | None = None,
    start: Any = None,
    exact: bool = False,
) -> Until:
    """The probability that a set of states is ever reached, from every state.

    Parameters, errors and sources are those of :func:`until`, whose paths may go through any state.

    Examples
    --------
    >>> coin = Chain([["1/2", "1/2"]] * 4, vocabulary="HT")
    >>> print(*eventually(coin, "HH", within=2).probabilities)
    1 1/4 1/2 1/4
    """
    S, G = np.ones(chain.n_states, dtype=bool), state_set(chain, goal, "eventually")
    words = f"F{_at_most(within)} {in_words(chain, G, 4)}"
    return _until(chain, S, G, within, start, exact, words, "eventually")


def always(
    chain: Chain,
    stay: StateSet,
    *,
    within: int | None = None,
    start: Any = None,
    exact: bool = False,
) -> Until:
    """The probability that a set of states is never left, from every state.

    Parameters, errors and sources are those of :func:`until`. The answer is no difference from
    one, so it keeps its relative accuracy where it is small.

    Examples
    --------
    No heads in three throws:

    >>> coin = Chain([["1/2", "1/2"]] * 2, vocabulary="HT")
    >>> print(*always(coin, "T", within=3).probabilities)
    0 1/8
    """
    S = state_set(chain, stay, "always")

    def ask(part: Chain, unexplored: Mask) -> Chances:
        return staying(part, S | unexplored, within)

    words = f"G{_at_most(within)} {in_words(chain, S, 4)}"
    return answered(chain, ask, within, start, exact, words, "always")


def _at_most(within: int | None) -> str:
    return "" if within is None else f"<={within}"


def _until(
    chain: Chain,
    stay: Mask,
    goal: Mask,
    within: int | None,
    start: Any,
    exact: bool,
    words: str,
    where: str,
) -> Until:
    def ask(part: Chain, unexplored: Mask) -> Chances:
        return reaching(part, stay, goal | unexplored, within)

    return answered(chain, ask, within, start, exact, words, where)


def answered(
    chain: Chain,
    ask: Callable[[Chain, Mask], Chances],
    within: int | None,
    start: Any,
    exact: bool,
    words: str,
    where: str,
) -> Until:
    """A question asked of the chain; where a part is unexplored, from both sides."""
    check_steps(within, where)
    chain = chain.exact() if exact else chain
    weights = None if start is None else begin(chain, start)
    unexplored = np.zeros(chain.n_states, dtype=bool)
    low, high = ask(chain, unexplored), None
    if chain.unexplored is not None:
        unexplored[chain.unexplored] = True
        high = ask(chain, unexplored)
    bounds = [low.error_bound] + ([] if high is None else [high.error_bound])
    bound: Bound = UNCERTIFIED if UNCERTIFIED in bounds else max(map(float, bounds))
    if weights is not None and bound != UNCERTIFIED:
        bound = float(bound) + summing_error(weights)
    upper = None if high is None else read_only(high.probabilities)
    return Until(
        chain=chain,
        formula=words,
        within=within,
        probabilities=read_only(low.probabilities),
        upper_probabilities=upper,
        start=None if weights is None else start_in_words(chain, weights),
        probability=None if weights is None else mean_of(weights, low.probabilities),
        upper_probability=None if weights is None or upper is None else mean_of(weights, upper),
        method=low.method,
        error_bound=bound,
        uncertified_because=low.uncertified_because or (high.uncertified_because if high else ""),
    )
