"""A quantity that a report does not give, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError

__all__ = ["COSTLIEST_LIMIT", "COSTLY_LIMIT", "Absent", "ask", "unless_larger"]

T = TypeVar("T")

#: Above so many states a report leaves out what takes a few products of dense matrices.
COSTLY_LIMIT = 1024
#: And above these, what takes a hundred such products or more: about a second at this size.
COSTLIEST_LIMIT = 512


@dataclass(frozen=True)
class Absent:
    """A quantity that was not given, and why."""

    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """The reason, under a key that no answer has."""
        return {"absent": self.sentence}

    def __str__(self) -> str:
        return self.sentence


def ask(question: Callable[[], T]) -> T | Absent:
    """The answer, or why there is none."""
    try:
        return question()
    except FsmGptError as problem:
        return Absent(_sentence(problem))


def unless_larger(chain: Chain, limit: int, question: Callable[[Chain], T]) -> T | Absent:
    """The answer for a chain of at most so many states, or the sentence that says so.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> print(unless_larger(chain, 1, lambda chain: chain.n_states))
    Left out here: it takes long for 2 states, and a report stops at 1.
    """
    if chain.n_states > limit:
        return Absent(
            f"Left out here: it takes long for {chain.n_states:,} states, and a report stops at "
            f"{limit:,}."
        )
    return ask(lambda: question(chain))


def _sentence(problem: FsmGptError) -> str:
    """The first sentence of an error without the name of the function that raised it."""
    first = str(problem).split(". ")[0].removesuffix(".")
    where, colon, rest = first.partition(": ")
    said = rest if colon and len(where) < 30 else first
    return said[:1].upper() + said[1:] + "."
