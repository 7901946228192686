"""Names of states that are made of other states: one more for the end, or pairs.

A chain with a stop token has the states of the chain without it and one more, END
(:class:`WithEnd`). What runs two machines side by side, a chain and an automaton or a chain
and its environment, has states that are pairs (:class:`Pairs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.space import PAD, ContextSpace, NamedStates, SomeContexts, States, visible

__all__ = ["END", "Pairs", "WithEnd", "some_of"]

Ids = npt.NDArray[np.int64]

#: The name of the state in which a text has ended.
END = "END"


@dataclass(frozen=True, eq=False)
class WithEnd:
    """The states of a chain and, last, END: the text is over.

    The name END means that state; a context that happens to be spelled so is found by its
    token ids.

    >>> from fsm_gpt.space import NamedStates
    >>> states = WithEnd(NamedStates(("rain", "sun")), tokens=(1,))
    >>> len(states), states.label(0), states.label(2), states.find("END")
    (3, 'rain', 'END', 2)
    """

    base: States
    """The states before the end."""
    tokens: tuple[int, ...]
    """The tokens that end a text."""

    @cached_property
    def end(self) -> int:
        """The state END."""
        return len(self.base)

    def __len__(self) -> int:
        return len(self.base) + 1

    def label(self, state: int) -> str:
        """The name of a state."""
        return END if state == self.end else self.base.label(state)

    def find(self, name: str | Sequence[int]) -> int:
        """The state with this name, or with these tokens where states are contexts."""
        return self.end if isinstance(name, str) and name == END else self.base.find(name)

    def contexts(self) -> Ids | None:
        """Token ids of each state, padded in front with -1: padding alone for END."""
        table = self.base.contexts()
        if table is None:
            return None
        return np.vstack([table, np.full((1, table.shape[1]), PAD, dtype=table.dtype)])


@dataclass(frozen=True, eq=False)
class Pairs:
    """States that are pairs: a state of a chain, and a state of what runs beside it.

    >>> from fsm_gpt.space import NamedStates
    >>> weather = NamedStates(("rain", "sun"))
    >>> pairs = Pairs(weather, ("in", "out"), first=np.array([0, 1]), second=np.array([1, 0]))
    >>> len(pairs), pairs.label(0), pairs.find("sun | in")
    (2, 'rain | out', 1)
    """

    base: States
    """The states of the chain."""
    names: Sequence[str]
    """The states of what runs beside it."""
    first: Ids
    """Of each pair the state of the chain, shape (N,)."""
    second: Ids
    """Of each pair the state beside it, as its place in ``names``, shape (N,)."""

    def __post_init__(self) -> None:
        if len(self.first) != len(self.second):
            raise InvalidArgument(
                f"pairs: there are {len(self.first):,} first and {len(self.second):,} second "
                f"states. Each pair has one of both."
            )
        for column in ("first", "second"):
            held = np.array(getattr(self, column), dtype=np.int64)
            held.setflags(write=False)
            object.__setattr__(self, column, held)

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def _index(self) -> dict[tuple[int, int], int]:
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return {pair: place for place, pair in enumerate(pairs)}

    def label(self, state: int) -> str:
        """Both names."""
        beside = visible(self.names[int(self.second[state])])
        return f"{self.base.label(int(self.first[state]))} | {beside}"

    def find(self, name: str | Sequence[int]) -> int:
        """The pair of this name, "first | second", or of two places."""
        if isinstance(name, str):
            first, bar, second = name.rpartition(" | ")
            shown = [visible(n) for n in self.names]
            if not bar or second not in shown:
                raise self._missing(name)
            pair = (self.base.find(first), shown.index(second))
        else:
            pair = tuple(int(part) for part in name)  # type: ignore[assignment]
        place = self._index.get(pair)
        if place is None:
            raise self._missing(name)
        return place

    def _missing(self, name: object) -> StateOutOfRange:
        some = ", ".join(self.label(s) for s in range(min(8, len(self))))
        return StateOutOfRange(
            f"state: the chain has no state {name!r}. It has {len(self):,} pairs, among them "
            f"{some}."
        )

    def contexts(self) -> None:
        """Pairs are not contexts."""


def some_of(states: States, kept: Ids) -> States:
    """Some of the states, ascending, under their own names.

    >>> from fsm_gpt.space import Vocabulary
    >>> some = some_of(WithEnd(ContextSpace(Vocabulary.of("ab"), 2), (1,)), np.array([1, 3, 4]))
    >>> [some.label(s) for s in range(len(some))]
    ['ab', 'bb', 'END']
    """
    match states:
        case WithEnd():
            before = kept[kept != states.end]
            base = some_of(states.base, before)
            return WithEnd(base, states.tokens) if len(before) < len(kept) else base
        case Pairs():
            return Pairs(states.base, states.names, states.first[kept], states.second[kept])
        case ContextSpace():
            return SomeContexts(states.vocabulary, _tokens_of(states, kept))
        case SomeContexts():
            return SomeContexts(states.vocabulary, states.table[kept])
        case NamedStates():
            return NamedStates(tuple(states.names[int(s)] for s in kept))
    return NamedStates(tuple(states.label(int(s)) for s in kept))


def _tokens_of(space: ContextSpace, kept: Ids) -> Ids:
    """The tokens of some contexts; of millions of windows only theirs are worked out."""
    if space.shortest < space.length:
        return space.contexts()[kept]
    V = len(space.vocabulary)
    place = V ** np.arange(space.length - 1, -1, -1, dtype=np.int64)
    return np.asarray(kept[:, None] // place % V)
