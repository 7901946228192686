"""Whether the moves of an environment make sense: every check, once, on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.errors import InvalidArgument, InvalidChain
from fsm_gpt.rows import Numbers, as_numbers, bad_sums, check_entries

if TYPE_CHECKING:
    from fsm_gpt.environment import Environment

__all__ = ["check_moves", "numbers", "place_of"]


def check_moves(environment: Environment) -> None:
    """Refuse moves that do not say, for each state, what it does.

    Raises
    ------
    InvalidArgument
        A state listens and speaks or has no move for some token, names are not distinct, or
        probabilities are negative or do not sum to one.
    """
    known, names = environment.vocabulary, environment.names
    E, V = len(names), len(known)
    if len(set(names)) != E or not E:
        raise InvalidArgument(
            f"environment: its {E} states need names that differ. Give each its own."
        )

    def place(i: int) -> str:
        heard = int(environment.heard[i])
        after = "" if heard < 0 else f" after {known.shown[heard]!r}"
        return f"in state {names[int(environment.state[i])]!r}{after}"

    try:
        check_entries(
            environment.probability,
            lambda i: f"the probability of a move {place(i)}",
            where="environment",
        )
    except InvalidChain as problem:
        raise InvalidArgument(str(problem)) from None
    key = environment.key(environment.state, environment.heard)
    total = np.zeros(E * (V + 1), dtype=environment.probability.dtype)
    np.add.at(total, key, environment.probability)
    given = np.zeros(E * (V + 1), dtype=bool)
    given[key] = True
    speaks, listens = given.reshape(E, V + 1)[:, 0], given.reshape(E, V + 1)[:, 1:]
    both = speaks & listens.any(axis=1)
    if both.any():
        raise InvalidArgument(
            f"environment: in state {names[int(np.argmax(both))]!r} it listens and speaks. Whose "
            f"turn it is has to be known from the state; make two states of it."
        )
    deaf = ~speaks & ~listens.all(axis=1)
    if deaf.any():
        e = int(np.argmax(deaf))
        raise InvalidArgument(
            f"environment: in state {names[e]!r} it has no move for the token "
            f"{known.shown[int(np.argmin(listens[e]))]!r}. Where it listens, say for each token "
            f"what enters the text and what comes next."
        )
    bad = bad_sums(total[given], environment.probability.dtype)
    if len(bad):
        where = int(np.flatnonzero(given)[bad[0]])
        raise InvalidArgument(
            f"environment: {place(int(np.argmax(key == where)))} its moves have probabilities "
            f"that sum to {total[where]}, not to 1. Mend them."
        )


def numbers(values: Any) -> Numbers:
    """Probabilities of one kind; of what is none an error about the environment."""
    try:
        return as_numbers(values, where="environment")
    except InvalidChain as problem:
        raise InvalidArgument(str(problem)) from None


def place_of(name: int | str, known: Sequence[str], what: str) -> int:
    """The place of a state or token given by its name or its place."""
    if isinstance(name, str) and name in known:
        return known.index(name)
    if isinstance(name, (int, np.integer)) and 0 <= name < len(known):
        return int(name)
    some = ", ".join(known[:8])
    raise InvalidArgument(
        f"environment: there is no {what} {name!r} among its {len(known)} {what}s ({some})."
    )
