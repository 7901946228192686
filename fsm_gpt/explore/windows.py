"""Windows as rows of a table, as keys, and where each key stands.

A window is a row of L token ids, padded in front with -1 where there were fewer tokens.
Its key is exact: read in base V + 1 with padding as the digit 0 where that fits into 63 bits,
and its ids side by side as bytes where it does not. Two windows are one state exactly where
their keys are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.space import PAD

__all__ = ["Growing", "Index", "Windows"]

Ids = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]
#: Keys compare and sort: whole numbers, or bytes of one length.
Keys = npt.NDArray[Any]


@dataclass(frozen=True)
class Windows:
    """The windows of up to ``length`` tokens over ``n_tokens``.

    >>> windows = Windows(2, 3)
    >>> table = windows.table([(0, 1, 1), (1,)])
    >>> windows.keys(table), windows.follow(table, np.array([0, 1]))
    (array([17,  2]), array([[ 1,  1,  0],
           [-1,  1,  1]], dtype=int32))
    """

    n_tokens: int
    length: int

    def table(self, contexts: Sequence[Sequence[int]]) -> Table:
        """A row for each context of at most ``length`` token ids."""
        table = np.full((len(contexts), self.length), PAD, dtype=np.int32)
        for row, context in zip(table, contexts, strict=True):
            row[self.length - len(context) :] = context
        return table

    def follow(self, table: Table, token: npt.NDArray[np.integer[Any]]) -> Table:
        """The window after each row and token."""
        return np.column_stack([table[:, 1:], token.astype(np.int32)]).astype(np.int32, copy=False)

    def sizes(self, table: Table) -> Ids:
        """The number of tokens in each row."""
        return np.asarray((table != PAD).sum(axis=1), dtype=np.int64)

    @property
    def key_bytes(self) -> int:
        """The bytes of one key."""
        if self._in_a_number:
            return 8
        return self.length * self._digit.itemsize

    def keys(self, table: Table) -> Keys:
        """The key of each row, shape (n,)."""
        if self._in_a_number:
            keys = np.zeros(len(table), dtype=np.int64)
            for k in range(self.length):
                keys = keys * (self.n_tokens + 1) + (table[:, k] + 1)
            return keys
        digits = np.ascontiguousarray((table + 1).astype(self._digit))
        return digits.view(f"S{self.key_bytes}").ravel()

    @property
    def _in_a_number(self) -> bool:
        return bool((self.n_tokens + 1) ** self.length < 2**63)

    @property
    def _digit(self) -> np.dtype[Any]:
        return np.dtype(">u2" if self.n_tokens < 2**16 - 1 else ">u4")


@dataclass(eq=False)
class Index:
    """Where each of some keys stands, in sorted runs that are merged as they grow.

    A run is merged with the one before it when it is half as long, so that each key is moved
    a logarithmic number of times however the keys come.

    >>> index = Index()
    >>> index.add(np.array([7, 3]), np.array([0, 1]))
    >>> index.find(np.array([3, 4, 7]))
    array([ 1, -1,  0])
    """

    _runs: list[tuple[Keys, Ids]] = field(default_factory=list)

    def add(self, keys: Keys, places: Ids) -> None:
        """Add keys that are not there yet, each once."""
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        run = keys[order], places[order]
        kept = list(self._runs)
        while kept and 2 * len(run[0]) >= len(kept[-1][0]):
            older = kept.pop()
            both = np.concatenate([older[0], run[0]])
            order = np.argsort(both, kind="stable")
            run = both[order], np.concatenate([older[1], run[1]])[order]
        self._runs = [*kept, run]  # at once, so that Ctrl-C loses no key

    def find(self, keys: Keys) -> Ids:
        """The place of each key, or -1 where it is not there."""
        found = np.full(len(keys), -1, dtype=np.int64)
        for known, places in self._runs:
            near = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            here = known[near] == keys
            found[here] = places[near[here]]
        return found


class Growing:
    """An array that grows at its end; its first axis is counted.

    >>> numbers = Growing(np.int64)
    >>> numbers.extend(np.array([1, 2])); numbers.extend(np.array([3]))
    >>> numbers.held, len(numbers)
    (array([1, 2, 3]), 3)
    """

    def __init__(self, dtype: Any, *more: int) -> None:
        self._room = np.empty((1024, *more), dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def held(self) -> npt.NDArray[Any]:
        """What it holds; a view, until it grows."""
        return self._room[: self._size]

    def extend(self, values: npt.ArrayLike) -> None:
        """Add values at the end."""
        array = np.asarray(values)
        size = self._size + len(array)
        if size > len(self._room):
            larger = max(size, 2 * len(self._room))
            room = np.empty((larger, *self._room.shape[1:]), dtype=self._room.dtype)
            room[: self._size] = self.held
            self._room = room
        self._room[self._size : size] = array
        self._size = size

    def cut(self, size: int) -> None:
        """Forget all but the first."""
        self._size = min(size, self._size)
