"""The third way in which a chain keeps its rows: elsewhere, and read block by block.

:class:`StreamedRows` are the rows of every window, as :class:`fsm_gpt.storage.WindowRows` has
them, where they do not fit into memory. A :class:`RowSource` has them, on a disk for instance. One
block of rows after the other is read, used and forgotten; x P and P f need no more of them than
that, since a block meets one slice of each vector. Blocks are taken by the rest of their windows,
so that such a slice is used V times while it is in the processor's cache.

What asks for all rows at once is refused, and so is a vector too large for the memory allowed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.rows import SUM_TOLERANCE, Numbers, bad_sum_error, bad_sums, check_entries
from fsm_gpt.storage import COMPILED_FROM, Edges, row_sums

__all__ = ["RowSource", "StreamedRows", "Survey"]

Ids = npt.NDArray[np.int64]


class RowSource(Protocol):
    """Where the rows of all windows are, in blocks of one size."""

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        ...

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """float64 or float32."""
        ...

    @property
    def block(self) -> int:
        """Rows in a block: it divides N, and divides N / V or is a multiple of it."""
        ...

    def blocks(self, numbers: Sequence[int]) -> Iterator[Numbers]:
        """The blocks of these numbers, in this order, each until the next is asked for."""
        ...


@dataclass(frozen=True)
class Survey:
    """What one pass over all rows tells."""

    least: float
    """The smallest probability above zero."""
    count: int
    """How many are not zero."""
    off: float
    """The largest distance of a row's sum from one."""


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """Rows of every full window, read when they are needed.

    Each block is checked, as any rows of a chain are, when it is first read.
    """

    source: RowSource
    budget: int
    """How much memory an answer may take, in bytes."""
    label: Callable[[int], str]
    """The name of a state, for an error."""
    token: Callable[[int], str]
    """The name of a token, for an error."""
    widened: bool = False
    """Whether rows are given in float64 and divided by their sums, whatever is read."""

    @property
    def n_states(self) -> int:
        """V**L."""
        return self.source.shape[0]

    @property
    def n_tokens(self) -> int:
        """V."""
        return self.source.shape[1]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the probabilities."""
        return np.dtype(np.float64) if self.widened else self.source.dtype

    @cached_property
    def _seen(self) -> dict[int, Survey]:
        """What the blocks that were read tell."""
        return {}

    @cached_property
    def survey(self) -> Survey:
        """What all rows tell; those that were not read yet are."""
        count = self.n_states // self.source.block
        for _ in self.blocks(missing for missing in range(count) if missing not in self._seen):
            pass
        known = self._seen.values()
        return Survey(
            min(one.least for one in known),
            sum(one.count for one in known),
            max(one.off for one in known),
        )

    @cached_property
    def scale(self) -> Numbers | None:
        """What each row is divided by, or None where all rows sum to 1."""
        if self.widened or self.survey.off == 0.0:
            return None
        self.require(8 * self.n_states, "the sums of all rows")
        sums = np.empty(self.n_states)
        for first, rows in self.blocks():
            sums[first : first + len(rows)] = row_sums(rows)
        return sums

    def require(self, size: float, what: str) -> None:
        """Refuse what would take more memory than is allowed.

        Raises
        ------
        StateSpaceTooLarge
            It would.
        """
        if size > self.budget:
            raise StateSpaceTooLarge(
                f"{what}: about {size / 2**30:,.2g} GiB of memory are needed, and this chain was "
                f"opened with {self.budget / 2**30:.2g} GiB. Open it with more, by max_memory_gib "
                f"of load(), or take a shorter context."
            )

    def whole(self, what: str) -> NoReturn:
        """Refuse a question that wants all rows in memory at once."""
        N, V = self.source.shape
        size = N * V * self.dtype.itemsize
        raise StateSpaceTooLarge(
            f"{what}: this needs all {N:,} rows in memory at once, {size / 2**30:,.2g} GiB and "
            f"more, and this chain stays on disk, because it was opened with "
            f"{self.budget / 2**30:.2g} GiB. Open it with more than {2 * size / 2**30:,.2g} GiB, "
            f"by max_memory_gib of load(), or ask what is answered from a disk: the page on large "
            f"chains lists it."
        )

    # ---- rows ----

    def blocks(self, numbers: Any = None) -> Iterator[tuple[int, Numbers]]:
        """The first state of each block, and its rows, which are good until the next is asked."""
        size = self.source.block
        chosen = list(range(self.n_states // size) if numbers is None else numbers)
        for number, rows in zip(chosen, self.source.blocks(chosen), strict=True):
            if number not in self._seen:
                self._seen[number] = self._looked(number * size, rows)
            if self.widened:
                rows = rows.astype(np.float64)
                rows /= rows.sum(axis=1, keepdims=True)
            yield number * size, rows

    def _looked(self, first: int, rows: Numbers) -> Survey:
        """What a block tells; one that holds no probabilities is refused."""
        if rows.size >= COMPILED_FROM:
            from fsm_gpt.kernels.blocks import look

            right, *told = look(rows)
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                right = bool((rows >= 0).all())
                off = np.abs(row_sums(rows) - 1).max()
            least = np.min(rows, where=rows > 0, initial=np.inf)
            told = [float(least), int(np.count_nonzero(rows)), float(off)]
        seen = Survey(float(told[0]), int(told[1]), float(told[2]))
        if not right or not seen.off <= SUM_TOLERANCE[rows.dtype]:
            self._refuse(first, rows)
        return seen

    def _refuse(self, first: int, rows: Numbers) -> NoReturn:
        def name(i: int) -> str:
            row, token = divmod(i, self.n_tokens)
            return f"the probability of token {self.token(token)!r} in state " + self.label(
                first + row
            )

        check_entries(rows, name, where="rows")
        with np.errstate(over="ignore"):
            sums = row_sums(rows)
        bad = int(bad_sums(sums, rows.dtype)[0])
        raise bad_sum_error(self.label(first + bad), sums[bad], rows.dtype, where="rows")

    def rows(self, first: int, last: int) -> Numbers:
        """Rows of states first to last - 1, as given; the block read last is kept."""
        size = self.source.block
        found = np.empty((last - first, self.n_tokens), dtype=self.dtype)
        numbers = list(range(first // size, -(-last // size)))
        held = self._held.get(numbers[0]) if numbers else None
        blocks = self.blocks(numbers if held is None else numbers[1:])
        if held is not None:
            blocks = itertools.chain([(numbers[0] * size, held)], blocks)
        for begin, rows in blocks:
            a, b = max(first, begin), min(last, begin + len(rows))
            found[a - first : b - first] = rows[a - begin : b - begin]
            if begin // size == numbers[-1] and rows is not held:
                self._held.clear()
                self._held[numbers[-1]] = rows.copy()
        return found

    @cached_property
    def _held(self) -> dict[int, Numbers]:
        """The block that was read last by :meth:`rows`."""
        return {}

    def edges(self) -> Edges:
        """Refused: a list of all transitions is larger than the rows."""
        self.whole("transitions")

    # ---- products ----

    def _by_rest(self) -> Iterator[tuple[int, int, Numbers]]:
        """Pieces of blocks: the first state, its rest r of the window, and the rows.

        Those of one rest come one after the other, the oldest token 0 first.
        """
        R = self.n_states // self.n_tokens
        size = self.source.block
        numbers = np.arange(self.n_states // size)
        if size <= R:
            numbers = numbers.reshape(-1, R // size).T.ravel()
        for begin, rows in self.blocks(numbers.tolist()):
            for part in range(0, len(rows), min(size, R)):
                first = begin + part
                yield first, first % R, rows[part : part + min(size, R)]

    def _compiled(self) -> bool:
        return self.n_states * self.n_tokens >= COMPILED_FROM

    def push(self, x: Numbers, out: Numbers | None = None) -> Numbers:
        """X P, one pass over the rows."""
        x = x.astype(np.float64, copy=False)
        V, R = self.n_tokens, self.n_states // self.n_tokens
        into = np.empty(self.n_states) if out is None else out
        for first, r, rows in self._by_rest():
            weights, here = x[first : first + len(rows)], into[r * V : (r + len(rows)) * V]
            if self._compiled():
                from fsm_gpt.kernels.blocks import push_block

                push_block(_still(weights), _still(rows), here, first < R)
                continue
            added = (weights / row_sums(rows))[:, None] * rows
            here[:] = added.ravel() + (0.0 if first < R else here)
        return into

    def expect(self, f: Numbers, out: Numbers | None = None) -> Numbers:
        """P f, one pass over the rows."""
        f = f.astype(np.float64, copy=False)
        V = self.n_tokens
        into = np.empty(self.n_states) if out is None else out
        for first, r, rows in self._by_rest():
            values, here = f[r * V : (r + len(rows)) * V], into[first : first + len(rows)]
            if self._compiled():
                from fsm_gpt.kernels.blocks import expect_block

                expect_block(_still(values), _still(rows), here)
                continue
            here[:] = (rows * values.reshape(-1, V)).sum(axis=1) / row_sums(rows)
        return into

    def in_float64(self) -> StreamedRows:
        """The same rows in float64, each divided by its sum."""
        return self if self.source.dtype == np.float64 else replace(self, widened=True)


def _still(array: Numbers) -> Numbers:
    """A view that is not written to, so that a loop is compiled once."""
    view = array.view()
    view.setflags(write=False)
    return view
