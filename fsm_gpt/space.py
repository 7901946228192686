"""Names of tokens and of states.

A *token* is one symbol of a vocabulary of V symbols; a *context* is a short
sequence of tokens, oldest first. A language model with a context length L sees a
*window*: the last L tokens. Read as a base-V number, oldest token most
significant, a window is an integer from 0 to V**L - 1, and appending token t to
window s gives the window

    successor(s, t) = (s mod V**(L-1)) * V + t.

Before L tokens have been produced the model sees a shorter context. Contexts of
1 to L tokens are V + V**2 + ... + V**L = V (V**L - 1) / (V - 1) in number; the
empty context is not counted (Zekri et al. 2024, arXiv 2410.02724, section 3).

States are named by one of three small classes that answer the same questions
(:class:`States`): every context of a space, some contexts, or plain names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument, InvalidText, StateOutOfRange

__all__ = ["UNEXPLORED", "ContextSpace", "NamedStates", "SomeContexts", "States", "Vocabulary"]

Ids = npt.NDArray[np.int64]

#: Marks the missing oldest tokens of a context shorter than L.
PAD = -1

#: The name of the one state in which a search puts every context that it did not look at.
UNEXPLORED = "unexplored"

_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "": "∅"}


def visible(token: str) -> str:
    r"""A token as it can be printed: blanks get a sign, control characters an escape.

    >>> visible("a"), visible(" "), visible("\n"), visible("\x00"), visible("\u202e")
    ('a', '␣', '⏎', '\\x00', '\\u202e')
    """
    if token in _VISIBLE:
        return _VISIBLE[token]
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in token
    )


#: A ``repr`` names so many tokens or states.
MOST_NAMED = 32


def _some(names: tuple[str, ...]) -> str:
    """Names as Python writes them; of many, the first ones and the number."""
    if len(names) <= MOST_NAMED:
        return repr(names)
    first = ", ".join(map(repr, names[:MOST_NAMED]))
    return f"({first}, ... {len(names):,} in all)"


@dataclass(frozen=True)
class Vocabulary:
    """The V symbols that a model reads and writes; a token's id is its place here.

    A string gives one token for each of its characters, a number n the tokens
    "0" to "n-1", a sequence of strings the tokens themselves.

    >>> Vocabulary.of("01").encode("0110")
    array([0, 1, 1, 0])
    >>> Vocabulary.of(["the", "cat"]).encode("the cat the")
    array([0, 1, 0])
    >>> Vocabulary.of(["to", " ", "be"]).encode("to be to")
    array([0, 1, 2, 1, 0])
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.tokens:
            raise InvalidArgument("vocabulary: it has no token. Give at least one symbol.")
        seen: dict[str, int] = {}
        for i, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise InvalidArgument(
                    f"vocabulary: token {i} is {token!r}, not a string. Give the tokens as strings."
                )
            if token in seen:
                raise InvalidArgument(
                    f"vocabulary: token {token!r} stands at {seen[token]} and again at {i}. "
                    f"Two ids with one name cannot be told apart; rename one."
                )
            seen[token] = i

    @classmethod
    def of(cls, source: Vocabulary | str | int | Sequence[str]) -> Vocabulary:
        """A vocabulary from characters, a size, or a sequence of tokens."""
        if isinstance(source, Vocabulary):
            return source
        if isinstance(source, (int, np.integer)):
            return cls(tuple(str(i) for i in range(source)))
        return cls(tuple(source))

    @classmethod
    def of_text(cls, text: str) -> Vocabulary:
        """The distinct characters of a text, sorted.

        >>> "".join(Vocabulary.of_text("banana"))
        'abn'
        """
        if not text:
            raise InvalidText("text: it is empty, so it has no vocabulary. Give some text.")
        return cls(tuple(sorted(set(text))))

    def __repr__(self) -> str:
        return f"Vocabulary(tokens={_some(self.tokens)})"

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __getitem__(self, token_id: int) -> str:
        return self.tokens[token_id]

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def separator(self) -> str:
        """What stands between two tokens of a text.

        A blank between words; nothing between characters, nor where a token has a
        blank in it.
        """
        words = any(len(token) != 1 for token in self.tokens)
        return " " if words and not any(" " in token for token in self.tokens) else ""

    def _symbols(self, text: str) -> Iterable[str]:
        """A text cut into symbols: words at blanks, else the longest token that fits."""
        if self.separator:
            if any(c.isspace() for token in self.tokens for c in token):
                return filter(None, text.split(" "))  # a line break may be a token
            return text.split()
        if all(len(token) == 1 for token in self.tokens):
            return text
        longest_first = sorted(filter(None, self.tokens), key=len, reverse=True)
        pattern = "|".join(re.escape(token) for token in longest_first)
        return re.findall(f"{pattern}|.", text, flags=re.DOTALL)

    def encode(self, text: str | Iterable[str]) -> Ids:
        """Token ids of a text (or of a sequence of tokens), shape (n,).

        Raises
        ------
        InvalidText
            A symbol is not in the vocabulary.
        """
        symbols = self._symbols(text) if isinstance(text, str) else text
        ids = []
        for position, symbol in enumerate(symbols):
            token_id = self.ids.get(symbol)
            if token_id is None:
                some = " ".join(visible(token) for token in self.tokens[:20])
                more = f" and {len(self) - 20} more" if len(self) > 20 else ""
                raise InvalidText(
                    f"text: {symbol!r} at position {position} is not in the vocabulary "
                    f"({some}{more}). Remove it, or give a vocabulary that has it."
                )
            ids.append(token_id)
        return np.array(ids, dtype=np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of token ids.

        >>> Vocabulary.of("01").decode([1, 1, 0])
        '110'
        """
        return self.separator.join(self.tokens[int(i)] for i in ids)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Each token in printable form."""
        return tuple(visible(token) for token in self.tokens)

    def label(self, ids: Iterable[int]) -> str:
        """A context in printable form; padding is left out.

        >>> Vocabulary.of("01").label([-1, 0, 1]), Vocabulary.of(12).label([10, 3])
        ('01', '10 3')
        """
        separator = "" if all(len(token) == 1 for token in self.shown) else " "
        return separator.join(self.shown[int(i)] for i in ids if i != PAD)


class States(Protocol):
    """What a chain asks of the names of its states."""

    def __len__(self) -> int: ...

    def label(self, state: int) -> str:
        """The name of a state, printable."""
        ...

    def find(self, name: str | Sequence[int]) -> int:
        """The state with this name, or with these tokens where states are contexts."""
        ...

    def contexts(self) -> Ids | None:
        """Token ids of each state, shape (N, L), padded in front with -1; None for plain names."""
        ...


def _missing(name: object, known: str) -> StateOutOfRange:
    return StateOutOfRange(f"state: the chain has no state {name!r}. {known}")


def _tokens(vocabulary: Vocabulary, name: str | Sequence[int]) -> tuple[int, ...]:
    """The token ids of a context given as text or as token ids."""
    try:
        return tuple(int(t) for t in (vocabulary.encode(name) if isinstance(name, str) else name))
    except (InvalidText, TypeError, ValueError):
        raise _missing(
            name,
            f"Name it by its id, by its text, or by token ids from 0 to {len(vocabulary) - 1}.",
        ) from None


@dataclass(frozen=True)
class ContextSpace:
    """All contexts of ``shortest`` to ``length`` tokens, by length, then in base V.

    With ``shortest == length`` (the windows alone) a state's id is its base-V number.

    >>> windows = ContextSpace(Vocabulary.of("01"), 3)
    >>> len(windows), windows.label(6), windows.find("110")
    (8, '110', 6)
    >>> every = ContextSpace(Vocabulary.of("01"), 3, shortest=1)
    >>> len(every), [every.label(s) for s in (0, 1, 2, 13)]
    (14, ['0', '1', '00', '111'])
    """

    vocabulary: Vocabulary
    length: int
    shortest: int = 0

    def __post_init__(self) -> None:
        if self.length < 1:
            raise InvalidArgument(
                f"context: length {self.length} is not at least 1. A model that sees no token "
                f"has one state and no chain; give a context of 1 or more."
            )
        if self.shortest == 0:
            object.__setattr__(self, "shortest", self.length)
        if not 1 <= self.shortest <= self.length:
            raise InvalidArgument(
                f"context: the shortest length {self.shortest} is not between 1 and {self.length}."
            )

    @property
    def n_windows(self) -> int:
        """V**L, the number of full contexts."""
        return int(len(self.vocabulary) ** self.length)

    def offset(self, length: int) -> int:
        """The number of states that stand before the contexts of this length."""
        V = len(self.vocabulary)
        return sum(int(V**k) for k in range(self.shortest, length))

    @property
    def size(self) -> int:
        """The number of states; a Python int of any size, where ``len`` may overflow."""
        return self.offset(self.length + 1)

    def __len__(self) -> int:
        return self.size

    def id_of(self, tokens: Sequence[int]) -> int:
        """The state of a context given as token ids, oldest first."""
        V = len(self.vocabulary)
        if not self.shortest <= len(tokens) <= self.length:
            raise _missing(
                list(tokens), f"Its contexts have {self.shortest} to {self.length} tokens."
            )
        value = 0
        for token in tokens:
            if not 0 <= token < V:
                raise _missing(list(tokens), f"Token ids go from 0 to {V - 1}.")
            value = value * V + int(token)
        return self.offset(len(tokens)) + value

    def tokens_of(self, state: int) -> tuple[int, ...]:
        """The token ids of a state, oldest first."""
        if not 0 <= state < self.size:
            raise _missing(state, f"Its states go from 0 to {self.size - 1}.")
        V = len(self.vocabulary)
        length = self.shortest
        while state >= V**length:
            state -= V**length
            length += 1
        return tuple(state // V ** (length - 1 - k) % V for k in range(length))

    def label(self, state: int) -> str:
        """The context as text."""
        return self.vocabulary.label(self.tokens_of(state))

    def find(self, name: str | Sequence[int]) -> int:
        """The state of a context given as text or as token ids."""
        return self.id_of(_tokens(self.vocabulary, name))

    def contexts(self) -> Ids:
        """Token ids of every state, shape (N, L), padded in front with -1."""
        V, L = len(self.vocabulary), self.length
        table = np.full((self.size, L), PAD, dtype=np.int64)
        for length in range(self.shortest, L + 1):
            block = table[self.offset(length) : self.offset(length + 1)]
            values = np.arange(V**length)
            for k in range(length):
                block[:, L - 1 - k] = values // V**k % V
        return table


@dataclass(frozen=True, eq=False)
class SomeContexts:
    """Some contexts of a space, in a given order: the ones that a text or a search reached.

    A row of padding alone is no context: it is the state named ``unexplored``, which stands
    for all contexts that a search stopped short of.

    >>> table = np.array([[0, 1, 1], [1, 1, 0], [-1, -1, -1]])
    >>> some = SomeContexts(Vocabulary.of("01"), table)
    >>> some.find("110"), some.unexplored, some.label(2)
    (1, 2, 'unexplored')
    """

    vocabulary: Vocabulary
    table: Ids

    def __post_init__(self) -> None:
        table = np.array(self.table, dtype=np.int64)
        table.setflags(write=False)
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def _index(self) -> dict[tuple[int, ...], int]:
        return {tuple(row[row != PAD].tolist()): i for i, row in enumerate(self.table)}

    @cached_property
    def unexplored(self) -> int | None:
        """The state that stands for the contexts not looked at; None where there is none."""
        empty = np.flatnonzero(self.table[:, -1] == PAD)  # padding stands in front
        return int(empty[0]) if len(empty) else None

    def label(self, state: int) -> str:
        """The context as text."""
        return self.vocabulary.label(self.table[state]) or UNEXPLORED

    def find(self, name: str | Sequence[int]) -> int:
        """The state of a context given as text or as token ids."""
        if name == UNEXPLORED and self.unexplored is not None:
            return self.unexplored
        state = self._index.get(_tokens(self.vocabulary, name))
        if state is None:
            some = ", ".join(self.label(s) for s in range(min(8, len(self))))
            raise _missing(name, f"It has {len(self)} contexts, among them {some}.")
        return state

    def contexts(self) -> Ids:
        """Token ids of every state, shape (N, L), padded in front with -1."""
        return self.table


@dataclass(frozen=True)
class NamedStates:
    """States with plain names.

    >>> NamedStates(("rain", "nice", "snow")).find("nice")
    1
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        first: dict[str, int] = {}
        for i, name in enumerate(self.names):
            if first.setdefault(name, i) != i:
                raise InvalidArgument(
                    f"states: name {name!r} stands at {first[name]} and again at {i}. "
                    f"Two states with one name cannot be told apart; rename one."
                )

    def __repr__(self) -> str:
        return f"NamedStates(names={_some(self.names)})"

    def __len__(self) -> int:
        return len(self.names)

    def label(self, state: int) -> str:
        """The name."""
        return visible(self.names[state])

    def find(self, name: str | Sequence[int]) -> int:
        """The state with this name."""
        if isinstance(name, str) and name in self.names:
            return self.names.index(name)
        some = ", ".join(visible(n) for n in self.names[:8])
        raise _missing(name, f"It has {len(self)} states, among them {some}.")

    def contexts(self) -> None:
        """Plain names are not contexts."""
