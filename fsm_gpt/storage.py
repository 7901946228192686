"""The two ways in which a chain keeps its transitions.

:class:`WindowRows` keeps only ``next_token`` of shape (N, V), N = V**L: the
successor of window s under token t is (s mod V**(L-1)) * V + t, so no index is stored.
Seen as (V, R, V) with R = V**(L-1), axis 0 is the oldest token, axis 1 the rest of
the window, axis 2 the next token, and the successor of [a, r, t] is r * V + t.

:class:`EdgeList` keeps one (source, token, target, probability) for each transition,
sorted by source, then token.

Both answer the same four questions. Rows of floats mean each row divided by its
sum; ``scale`` holds those sums where one of them is not 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.rows import Numbers

__all__ = ["EdgeList", "Edges", "Storage", "WindowRows", "row_sums"]

Ids = npt.NDArray[np.int64]

#: Products over so many probabilities are compiled.
COMPILED_FROM = 2**18
#: Rows of so many tokens are added up and divided by the compiled loops themselves.
SUMMED_BY_LOOPS = (2, 3)


class Edges(NamedTuple):
    """Every transition of non-zero probability, sorted by source, then token."""

    source: Ids
    token: Ids
    target: Ids
    probability: Numbers


class Storage(Protocol):
    """What a chain asks of its storage."""

    @property
    def n_states(self) -> int:
        """N."""
        ...

    @property
    def n_tokens(self) -> int:
        """V."""
        ...

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the probabilities."""
        ...

    @property
    def scale(self) -> Numbers | None:
        """What each row is divided by, or None where all rows sum to 1."""
        ...

    def edges(self) -> Edges:
        """Every transition as given, not divided by the row's sum."""
        ...

    def rows(self, first: int, last: int) -> Numbers:
        """Next-token probabilities of states first to last - 1, as given."""
        ...

    def push(self, x: Numbers, out: Numbers | None = None) -> Numbers:
        """X P, where x has one entry a state, written to ``out`` if that is given."""
        ...

    def expect(self, f: Numbers, out: Numbers | None = None) -> Numbers:
        """P f, where f has one entry a state, written to ``out`` if that is given."""
        ...


def row_sums(numbers: Numbers) -> Numbers:
    """The sum of each row, of floats in float64."""
    with np.errstate(over="ignore"):  # an infinite sum is for the caller to refuse
        return np.asarray(
            numbers.sum(axis=1, dtype=None if numbers.dtype == object else np.float64)
        )


def _scale(sums: Numbers) -> Numbers | None:
    """The sums that rows must be divided by, or None where all are 1."""
    return None if sums.dtype == object or bool((sums == 1.0).all()) else sums


def _compiled(vector: Numbers, probabilities: Numbers) -> bool:
    """Whether the compiled products are worth loading."""
    return probabilities.size >= COMPILED_FROM and object not in (vector.dtype, probabilities.dtype)


def _into(out: Numbers | None, values: Numbers) -> Numbers:
    """The values, in the array that was given for them."""
    if out is None:
        return np.asarray(values)
    out[:] = values
    return out


def _dtype_for(numbers: Numbers, other: Numbers) -> np.dtype[np.generic]:
    objects = numbers.dtype == object or other.dtype == object
    return np.dtype(object) if objects else np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class WindowRows:
    """Rows of every full window, in the order of their base-V numbers."""

    next_token: Numbers

    @property
    def n_states(self) -> int:
        """V**L."""
        return len(self.next_token)

    @property
    def n_tokens(self) -> int:
        """V."""
        return int(self.next_token.shape[1])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the probabilities."""
        return self.next_token.dtype

    @cached_property
    def scale(self) -> Numbers | None:
        """Row sums to divide by; they are worked out when they are first asked for."""
        return _scale(row_sums(self.next_token))

    @cached_property
    def _excess(self) -> Numbers | None:
        """Row sums less one, as the compiled products take them; None where they need none.

        Sums of float64 rows are multiples of 2^-53, no more than some thousand of which are
        within the tolerance: they are kept in two bytes each.
        """
        if self.n_tokens in SUMMED_BY_LOOPS:
            return None
        excess = row_sums(self.next_token) - 1.0
        if not excess.any():
            return None
        return (excess * 2.0**53).astype(np.int16) if self.dtype == np.float64 else excess

    def targets(self, first: int, last: int) -> Ids:
        """Successors of states first to last - 1, shape (n, V)."""
        V = self.n_tokens
        suffix = np.arange(first, last, dtype=np.int64) % max(self.n_states // V, 1)
        return suffix[:, None] * V + np.arange(V, dtype=np.int64)

    def edges(self) -> Edges:
        """Every transition of non-zero probability.

        Raises
        ------
        StateSpaceTooLarge
            The list does not fit in memory.
        """
        try:
            source, token = np.nonzero(self.next_token != 0)
            target = self.targets(0, self.n_states)[source, token]
            return Edges(source, token, target, self.next_token[source, token])
        except MemoryError:
            N, V = self.next_token.shape
            raise StateSpaceTooLarge(
                f"transitions: a list of up to {N * V:,} takes about {N * V * 40 / 2**30:,.0f} GiB "
                f"while it is made, more than there is. Ask what needs no list (push(), expect()), "
                f"apply a rule that keeps few tokens, such as TopK(40), or cut the context "
                f"(truncate_to)."
            ) from None

    def rows(self, first: int, last: int) -> Numbers:
        """Rows as given, read-only."""
        return self.next_token[first:last]

    def push(self, x: Numbers, out: Numbers | None = None) -> Numbers:
        """X P, one pass over the rows."""
        if _compiled(x, self.next_token):
            from fsm_gpt.kernels.products import push_window

            x = x.astype(np.float64, copy=False)
            return push_window(x, self.next_token, self._excess, out)
        V = self.n_tokens
        weights = x if self.scale is None else x / self.scale
        rows = self.next_token.reshape(V, -1, V)
        if _dtype_for(x, rows) == object:
            return _into(out, (weights.reshape(V, -1, 1) * rows).sum(axis=0).ravel())
        return _into(out, np.einsum("ar,arv->rv", weights.reshape(V, -1), rows).ravel())

    def expect(self, f: Numbers, out: Numbers | None = None) -> Numbers:
        """P f, one pass over the rows."""
        if _compiled(f, self.next_token):
            from fsm_gpt.kernels.products import expect_window

            f = f.astype(np.float64, copy=False)
            return expect_window(f, self.next_token, self._excess, out)
        V = self.n_tokens
        rows = self.next_token.reshape(V, -1, V)
        if _dtype_for(f, rows) == object:
            values = (rows * f.reshape(1, -1, V)).sum(axis=2).ravel()
        else:
            values = np.einsum("arv,rv->ar", rows, f.reshape(-1, V)).ravel()
        return _into(out, values if self.scale is None else values / self.scale)


@dataclass(frozen=True, eq=False)
class EdgeList:
    """Transitions one by one; ``start[s]`` to ``start[s + 1]`` are those of state s."""

    start: Ids
    token: Ids
    target: Ids
    probability: Numbers
    sums: Numbers
    n_tokens: int

    @property
    def n_states(self) -> int:
        """N."""
        return len(self.start) - 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the probabilities."""
        return self.probability.dtype

    @cached_property
    def scale(self) -> Numbers | None:
        """Row sums to divide by."""
        return _scale(self.sums)

    @cached_property
    def source(self) -> Ids:
        """The state that each transition leaves."""
        source = np.repeat(np.arange(self.n_states, dtype=np.int64), np.diff(self.start))
        source.setflags(write=False)
        return source

    def edges(self) -> Edges:
        """Every transition of non-zero probability."""
        return Edges(self.source, self.token, self.target, self.probability)

    def rows(self, first: int, last: int) -> Numbers:
        """Next-token probabilities of states first to last - 1, made dense."""
        block = np.zeros((last - first, self.n_tokens), dtype=self.dtype)
        here = slice(self.start[first], self.start[last])
        block[self.source[here] - first, self.token[here]] = self.probability[here]
        return block

    def push(self, x: Numbers, out: Numbers | None = None) -> Numbers:
        """X P, one pass over the transitions."""
        if _compiled(x, self.probability):
            from fsm_gpt.kernels.products import push_edges

            x = x.astype(np.float64, copy=False)
            return push_edges(x, self.start, self.target, self.probability, self.scale, out)
        weights = x if self.scale is None else x / self.scale
        return _into(out, self._sum(self.target, weights[self.source] * self.probability))

    def expect(self, f: Numbers, out: Numbers | None = None) -> Numbers:
        """P f, one pass over the transitions."""
        if _compiled(f, self.probability):
            from fsm_gpt.kernels.products import expect_edges

            f = f.astype(np.float64, copy=False)
            return expect_edges(f, self.start, self.target, self.probability, self.scale, out)
        values = self._sum(self.source, self.probability * f[self.target])
        return _into(out, values if self.scale is None else values / self.scale)

    def _sum(self, group: Ids, values: Numbers) -> Numbers:
        """The sum of the values of each state."""
        if values.dtype != object:
            return np.bincount(group, weights=values, minlength=self.n_states)
        total = np.zeros(self.n_states, dtype=object)
        np.add.at(total, group, values)
        return total
