"""Prompts: what a search or a greedy run starts from.

A prompt is a text, which is read with the model's vocabulary; or a sequence of token ids; or
a sequence of tokens by name. The model sees the last L tokens of it, and these are the state
that the run begins in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fsm_gpt.errors import InvalidArgument, InvalidText
from fsm_gpt.space import Vocabulary

__all__ = ["Prompt", "Prompts", "read_prompts"]

Prompt: TypeAlias = str | Sequence[int] | Sequence[str]
Prompts: TypeAlias = str | Sequence[Prompt]


def read_prompts(
    prompts: Prompts, vocabulary: Vocabulary, length: int, *, where: str
) -> tuple[tuple[int, ...], ...]:
    """The last ``length`` token ids of each prompt; one text alone is one prompt.

    Raises
    ------
    InvalidText
        A word is not in the vocabulary.
    InvalidArgument
        There is no prompt, one is empty, or a token id is out of range.

    >>> named = Vocabulary.of("ab")
    >>> read_prompts(["abab", [1, 0], ["a", "b"]], named, 3, where="explore")
    ((1, 0, 1), (1, 0), (0, 1))
    """
    several = [prompts] if isinstance(prompts, str) else list(prompts)
    if not several:
        raise InvalidArgument(
            f"{where}: there is no prompt, so there is nothing to start from. Give a text, or a "
            f"list of texts."
        )
    return tuple(
        _read(prompt, f"{where}: prompt {number}", vocabulary)[-length:]
        for number, prompt in enumerate(several, 1)
    )


def _read(prompt: Prompt, which: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The token ids of one prompt."""
    if not isinstance(prompt, (str, Iterable)):
        raise InvalidArgument(
            f"{which} is {prompt!r}, and a prompt is a text, a list of token ids or a list of "
            f"tokens. Put the ids of one prompt into a list of their own: [[0, 1]]."
        )
    items: str | list[Any] = prompt if isinstance(prompt, str) else list(prompt)
    if not len(items):
        raise InvalidArgument(
            f"{which} is empty, and a model that has seen no token says nothing: the states are "
            f"contexts of one token or more. Give at least the token that texts begin with."
        )
    if all(isinstance(item, str) for item in items):
        ids = _encoded(items, which, vocabulary)
    else:
        ids = _checked(list(items), which, len(vocabulary))
    if not ids:
        raise InvalidArgument(f"{which} is {prompt!r}, which has no token. Give at least one.")
    return ids


def _encoded(items: str | list[Any], which: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    try:
        return tuple(vocabulary.encode(items).tolist())
    except InvalidText as problem:
        word = _unknown_word(items, vocabulary)
        named = "" if word is None else f" the word {word!r} cannot be read,"
        said = str(problem).removeprefix("text: ")
        raise InvalidText(f"{which}:{named} {said}") from None


def _unknown_word(items: str | list[str], vocabulary: Vocabulary) -> str | None:
    """The first word between blanks that cannot be read, where a text is cut into smaller parts."""
    for word in items.split() if isinstance(items, str) else ():
        try:
            vocabulary.encode(word)
        except InvalidText:
            return word
    return None


def _checked(items: list[Any], which: str, V: int) -> tuple[int, ...]:
    for item in items:
        whole = isinstance(item, (int, np.integer)) and not isinstance(item, bool)
        if not whole or not 0 <= item < V:
            raise InvalidArgument(
                f"{which} has the entry {item!r}, and the token ids of this vocabulary go from 0 "
                f"to {V - 1:,}. Give ids in this range, or the tokens as strings."
            )
    return tuple(int(item) for item in items)
