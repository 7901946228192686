"""Answers that a chain keeps: it never changes, and many questions begin with the same one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from fsm_gpt.chain import Chain

__all__ = ["forget", "remembered"]

T = TypeVar("T")


def remembered(chain: Chain, question: Hashable, answer: Callable[[], T]) -> T:
    """The answer to a question about a chain, worked out once.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> remembered(chain, "a number", lambda: 7), remembered(chain, "a number", lambda: 8)
    (7, 7)
    """
    known: dict[Any, Any] = chain.__dict__.setdefault("_answers", {})
    if question not in known:
        known[question] = answer()
    found: T = known[question]
    return found


def forget(chain: Chain) -> None:
    """Give up the answers that a chain keeps, for one that is put away: they take memory.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> first = remembered(chain, "a number", lambda: 7)
    >>> forget(chain)
    >>> remembered(chain, "a number", lambda: 8)
    8
    """
    chain.__dict__.pop("_answers", None)
