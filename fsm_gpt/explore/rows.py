"""Decoded rows of windows: asked of a model, kept, and taken again instead of asked.

A row is kept as its tokens of non-zero probability. What an earlier exploration knows is not
asked again; but a batch that is not known whole is asked whole. So a model whose last bits
depend on what else is in a batch gives the same bits whether a search was stopped and continued
or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt import asking
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import InvalidArgument, InvalidChain
from fsm_gpt.explore.windows import Growing, Ids, Index, Table, Windows

__all__ = ["Asker", "Block", "Known", "RowStore", "batch_of", "decoded", "one_or_more"]

Floats = npt.NDArray[np.float64]


class Block(NamedTuple):
    """The rows of some windows."""

    #: The number of transitions of each, shape (n,).
    counts: Ids
    #: Token and probability of each transition, row after row.
    token: npt.NDArray[np.int32]
    probability: Floats
    #: Of each row, shape (n, 4): probabilities masked by the model, probabilities lost to
    #: underflow, whether a rule chose between equals, whether a rule lost some to underflow.
    facts: Ids


class RowStore:
    """Rows one after the other, in the order in which they came.

    >>> store = RowStore()
    >>> one = Block(np.array([2]), np.array([0, 1]), np.array([0.5, 0.5]), np.zeros((1, 4)))
    >>> store.append(one); store.append(one._replace(counts=np.array([1]), token=np.array([1]),
    ...                                              probability=np.array([1.0])))
    >>> store.take(np.array([1])).token, store.n_transitions
    (array([1], dtype=int32), 3)
    """

    def __init__(self) -> None:
        self.start = Growing(np.int64)
        self.start.extend([0])
        self.token = Growing(np.int32)
        self.probability = Growing(np.float64)
        self.facts = Growing(np.int64, 4)

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def n_transitions(self) -> int:
        """The number of transitions of all rows."""
        return len(self.token)

    def append(self, rows: Block) -> None:
        """Add rows at the end."""
        self.start.extend(self.n_transitions + np.cumsum(rows.counts))
        self.token.extend(rows.token)
        self.probability.extend(rows.probability)
        self.facts.extend(rows.facts)

    def take(self, which: Ids) -> Block:
        """Some rows, in the order asked for."""
        start = self.start.held
        counts = start[which + 1] - start[which]
        place = np.repeat(start[which] - (np.cumsum(counts) - counts), counts)
        place += np.arange(len(place))
        return Block(
            counts, self.token.held[place], self.probability.held[place], self.facts.held[which]
        )

    def cut(self, n_rows: int) -> None:
        """Forget all but the first rows."""
        self.start.cut(n_rows + 1)
        self.token.cut(int(self.start.held[-1]))
        self.probability.cut(len(self.token))
        self.facts.cut(n_rows)


@dataclass(frozen=True, eq=False)
class Known:
    """Rows that need not be asked for again."""

    index: Index = field(default_factory=Index)
    rows: RowStore = field(default_factory=RowStore)


@dataclass(frozen=True, eq=False)
class Asker:
    """The decoded rows of windows, from what is known or from the model."""

    windows: Windows
    rules: tuple[Rule, ...]
    rows_of: Callable[[Ids], asking.Rows]
    batch: int
    known: Known = field(default_factory=Known)
    #: The function that asks, for errors.
    where: str = "explore"

    def batches(self, table: Table) -> list[slice]:
        """The rows of a table cut into batches, each of windows of one size.

        The windows must be sorted by their number of tokens.
        """
        sizes = self.windows.sizes(table)
        borders = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(table)]
        return [
            slice(first, min(first + self.batch, last))
            for begin, last in itertools.pairwise(borders)
            for first in range(begin, last, self.batch)
        ]

    def __call__(self, table: Table) -> Block:
        """The rows of windows of one size."""
        if len(self.known.rows):
            places = self.known.index.find(self.windows.keys(table))
            if (places >= 0).all():
                return self.known.rows.take(places)
        return self.ask(table)

    def ask(self, table: Table) -> Block:
        """The rows of windows of one size, from the model."""
        return decoded(self.given(table), self.rules)

    def given(self, table: Table) -> asking.Rows:
        """The model's own rows of windows of one size."""
        l = int(self.windows.sizes(table[:1])[0])  # noqa: E741
        ids = table[:, self.windows.length - l :].astype(np.int64)
        try:
            return self.rows_of(ids)
        except (InvalidArgument, InvalidChain) as problem:  # which speak of extract
            said = str(problem).replace("extract:", f"{self.where}:", 1)
            raise type(problem)(said) from problem.__cause__


def decoded(given: asking.Rows, rules: tuple[Rule, ...]) -> Block:
    """What rules make of a model's rows, as transitions.

    >>> from fsm_gpt.decoding import Greedy
    >>> given = asking.Rows(np.array([[0.25, 0.75]]), 0, 0, np.zeros((1, 2)))
    >>> decoded(given, (Greedy(),)).token
    array([1], dtype=int32)
    """
    rows = given.probabilities
    tied, lost = np.zeros((2, len(rows)), dtype=bool)
    for rule in rules:
        rows, tie, less = rule(rows)
        tied |= tie
        lost |= less
    row, token = np.nonzero(rows != 0)
    return Block(
        np.bincount(row, minlength=len(rows)),
        token.astype(np.int32),
        np.asarray(rows[row, token], dtype=np.float64),
        np.column_stack([given.zeros, tied, lost]).astype(np.int64),
    )


def batch_of(windows: Windows, batch: int | None, *, where: str) -> int:
    """How many windows are asked about in one call of the model, at most."""
    if batch is None:
        return max(1, min(1024, 2**21 // (windows.length * windows.n_tokens)))
    return one_or_more(batch, "batch", where=where)


def one_or_more(value: int, name: str, *, where: str) -> int:
    """An option that is a whole number of 1 or more.

    >>> one_or_more(3, "max_states", where="explore")
    3
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1:
        raise InvalidArgument(
            f"{where}: {name} is {value!r}, and it is a whole number of 1 or more: with less, "
            f"nothing would be done."
        )
    return int(value)
