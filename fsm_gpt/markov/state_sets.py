"""Sets of states, and starts, as a person names them.

A set is given by ids and names, by a mask, by a question that is asked of every label, or by a
text: then it is all states whose context ends with that text. A text is in the state as long as
the state remembers it; one that is longer than the context needs an automaton beside the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.compound import END, Pairs, WithEnd
from fsm_gpt.errors import InvalidArgument, InvalidText
from fsm_gpt.markov.limiting import start_distribution
from fsm_gpt.rows import Numbers, objects
from fsm_gpt.space import UNEXPLORED, ContextSpace, SomeContexts, States

__all__ = [
    "StateSet",
    "begin",
    "by_state",
    "in_words",
    "mean_of",
    "start_in_words",
    "state_set",
    "summing_error",
]

Mask = npt.NDArray[np.bool_]
StateSet: TypeAlias = "int | str | Sequence[int | str] | Mask | Callable[[str], bool]"


def state_set(chain: Chain, given: StateSet, where: str) -> Mask:
    """Which states belong to a set, shape (N,).

    Parameters
    ----------
    given
        An id; a label; a text, for all states whose context ends with it; several of these; a
        mask of shape (N,); or a function that says of a label whether its state belongs.
    where
        The question, for an error.

    Raises
    ------
    StateOutOfRange
        There is no such state.
    InvalidText
        A symbol of a text is no token.
    InvalidArgument
        The text is longer than a context, the mask has another shape, the list is empty, or the
        state ``unexplored`` is named, which is no context.

    Examples
    --------
    >>> windows = Chain([[0.5, 0.5]] * 4, vocabulary="ab")
    >>> state_set(windows, "b", "reach").tolist()
    [False, True, False, True]
    >>> state_set(windows, [0, "bb"], "reach").tolist()
    [True, False, False, True]
    >>> state_set(windows, lambda label: label[0] == label[1], "reach").tolist()
    [True, False, False, True]
    """
    N = chain.n_states
    if callable(given):
        inside = np.fromiter((bool(given(chain.label(s))) for s in range(N)), bool, N)
        return _known(chain, inside, where, named=False)
    if isinstance(given, (int, np.integer, str)):
        return _known(chain, _one(chain, given, where), where)
    names: list[Any] = list(given)
    if names and all(isinstance(name, (bool, np.bool_)) for name in names):
        if len(names) != N:
            raise InvalidArgument(
                f"{where}: the mask has {len(names):,} entries and the chain has {N:,} states. It "
                f"needs one entry for each state."
            )
        return _known(chain, np.array(names, dtype=bool), where, named=False)
    if not names:
        raise InvalidArgument(f"{where}: the set has no state. Name at least one.")
    inside = np.zeros(N, dtype=bool)
    for name in names:
        inside |= _one(chain, name, where)
    return _known(chain, inside, where)


def _known(chain: Chain, inside: Mask, where: str, *, named: bool = True) -> Mask:
    """The set without what was not looked at, which no mask and no question is about."""
    if chain.unexplored is None or not inside[chain.unexplored]:
        return inside
    if named:
        raise InvalidArgument(
            f"{where}: the set has the state {chain.label(chain.unexplored)!r}, which is no "
            f"context: it stands for all that was not looked at. Name explored states."
        )
    inside = inside.copy()
    inside[chain.unexplored] = False
    return inside


def _one(chain: Chain, name: int | str | Sequence[int], where: str) -> Mask:
    """The states of one name."""
    if isinstance(name, str):
        return _of_text(chain, chain.states, name, where)
    inside = np.zeros(chain.n_states, dtype=bool)
    inside[chain.state(name)] = True
    return inside


def _of_text(chain: Chain, states: States, text: str, where: str) -> Mask:
    """The states of a text: of this name, or whose context ends with it."""
    inside = np.zeros(len(states), dtype=bool)
    match states:
        case WithEnd() if text != END:
            inside[:-1] = _of_text(chain, states.base, text, where)
            return inside
        case Pairs() if " | " not in text:
            return _of_text(chain, states.base, text, where)[states.first]
    contexts = isinstance(states, (ContextSpace, SomeContexts))
    if not contexts or (text == UNEXPLORED and chain.unexplored is not None):
        inside[states.find(text)] = True
        return inside
    if isinstance(states, ContextSpace):
        ids = _encoded(chain, text, states.length, where)
        V, value = len(states.vocabulary), 0
        for token in ids:
            value = value * V + token
        for length in range(max(states.shortest, len(ids)), states.length + 1):
            first = states.offset(length)
            inside[first + value : first + V**length : V ** len(ids)] = True
        return inside
    assert isinstance(states, SomeContexts)
    ids = _encoded(chain, text, states.table.shape[1], where)
    return np.asarray((states.table[:, -len(ids) :] == ids).all(axis=1))


def _encoded(chain: Chain, text: str, L: int, where: str) -> list[int]:
    """The tokens of a text that a context can end with."""
    try:
        ids: list[int] = chain.vocabulary.encode(text).tolist()
    except InvalidText as problem:
        raise InvalidText(f"{where}: {str(problem).removeprefix('text: ')}") from None
    if not ids:
        raise InvalidArgument(
            f"{where}: the text {text!r} has no token, and every context ends with nothing. Give a "
            f"text of one token or more."
        )
    if len(ids) > L:
        raise InvalidArgument(
            f"{where}: the text {text!r} has {len(ids)} tokens, and a state of this chain holds "
            f"the last {L}, so no state says whether it was written. Ask pattern(), which reads "
            f"along with an automaton."
        )
    return ids


def begin(chain: Chain, start: Any) -> Numbers:
    """The distribution of the start: a state, a prompt, whose last L tokens count, or itself.

    Raises
    ------
    StateOutOfRange, InvalidText
        There is no such state, or a sign of the prompt is no token.

    >>> begin(Chain([[0.5, 0.5]] * 4, vocabulary="ab"), "aaab").tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    if isinstance(start, str) and chain.context is not None and start not in (END, UNEXPLORED):
        ids = chain.vocabulary.encode(start).tolist()
        if len(ids) > chain.context:
            start = chain.state(ids[-chain.context :])
    given = start_distribution(chain, start)
    if chain.dtype != object:
        return given
    return objects((Fraction(v) if isinstance(v, float) else v for v in given), given.shape)


#: Names of states in a sentence have about so many letters together at most.
LONGEST = 80


def in_words(chain: Chain, inside: Mask, limit: int = 8) -> str:
    """The first states of a set by name, and how many there are.

    >>> in_words(Chain([[0.5, 0.5]] * 4, vocabulary="ab"), np.array([True, False, True, True]), 2)
    'aa, ba, ... (3 states)'
    """
    states = np.flatnonzero(inside)
    if not len(states):
        return "no state"
    names = chain.labels(states[:limit])
    while len(names) > 1 and sum(map(len, names)) > LONGEST:
        names.pop()
    some = ", ".join(names)
    return f"{some}, ... ({len(states):,} states)" if len(states) > len(names) else some


def start_in_words(chain: Chain, weights: Numbers) -> str:
    """A start as a person says it: a state, or how many there are."""
    states = np.flatnonzero(weights != 0)
    if len(states) == 1:
        return chain.label(int(states[0]))
    return f"a distribution over {len(states):,} states"


def by_state(chain: Chain, say: Callable[[int], str], limit: int = 16) -> list[str]:
    """What is said of the first states, a line each, and how many more there are.

    >>> by_state(Chain([[0.5, 0.5]] * 2, vocabulary="ab"), lambda s: f"{s + 1} steps", 1)
    ['  from a: 1 steps', '  ... and 1 more states']
    """
    N = chain.n_states
    lines = [f"  from {chain.label(s)}: {say(s)}" for s in range(min(limit, N))]
    return [*lines, f"  ... and {N - limit:,} more states"] if N > limit else lines


def mean_of(weights: Numbers, values: Numbers) -> Any:
    """The mean of a function of the state under a distribution; no state without weight counts.

    >>> mean_of(np.array([0.5, 0.5, 0.0]), np.array([1.0, 2.0, np.inf]))
    1.5
    """
    some = np.flatnonzero(weights != 0)
    if len(some) == 1:
        value = values[some[0]] * (1 if weights[some[0]] == 1 else weights[some[0]])
    else:
        value = (weights[some] * values[some]).sum()
    return value if values.dtype == object else float(value)


def summing_error(weights: Numbers) -> float:
    """The relative rounding of :func:`mean_of`, for numbers that are not negative."""
    n = np.count_nonzero(weights)
    return 0.0 if weights.dtype == object or n == 1 else (n + 1) * 2.0**-53 * (1 + 2.0**-20)
