"""Making the storage of a chain: every check, once, on the way in.

Negative and non-finite entries, rows that do not sum to one, ids out of range and
transitions that share a state and a token are refused here, each with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.errors import InvalidChain
from fsm_gpt.result import frozen, read_only
from fsm_gpt.rows import Numbers, bad_sum_error, bad_sums, check_entries
from fsm_gpt.space import ContextSpace, NamedStates, SomeContexts, States, Vocabulary
from fsm_gpt.storage import EdgeList, Edges, WindowRows, row_sums

__all__ = ["edge_list", "edges_of_rows", "ids", "names_of", "space_for", "window_rows"]

Ids = npt.NDArray[np.int64]


def space_for(
    N: int, vocabulary: Vocabulary, context: int | None, short_contexts: bool
) -> ContextSpace:
    """The space whose number of states is N."""
    length = context
    if length is None:
        length, space = 1, ContextSpace(vocabulary, 1, shortest=1 if short_contexts else 0)
        while space.size < N and len(vocabulary) > 1:
            length += 1
            space = ContextSpace(vocabulary, length, shortest=1 if short_contexts else 0)
    space = ContextSpace(vocabulary, length, shortest=1 if short_contexts else 0)
    if space.size != N:
        V = len(vocabulary)
        hint = " For a transition matrix use Chain.from_matrix()." if context is None else ""
        raise InvalidChain(
            f"rows: {N:,} rows of {V} columns are no window chain: with {V} tokens and a context "
            f"of {length} there are {space.size:,} contexts.{hint}"
        )
    return space


def window_rows(numbers: Numbers, space: ContextSpace, *, normalize: bool) -> WindowRows:
    """Checked rows of every window; they are kept, not copied."""
    _check_rows(numbers, space)
    sums = row_sums(numbers)
    if normalize:
        _refuse_bad_sums(_indivisible(sums), numbers.dtype, space, where="rows")
        numbers = _divided(numbers, sums[:, None], where="rows")
        sums = row_sums(numbers)
    _refuse_bad_sums(sums, numbers.dtype, space, where="rows")
    return WindowRows(frozen(numbers))


def edges_of_rows(numbers: Numbers, space: ContextSpace, *, normalize: bool) -> EdgeList:
    """The edges of the chain over all contexts of 1 to L tokens, rows in the space's order."""
    _check_rows(numbers, space)
    V = numbers.shape[1]
    source, token = np.nonzero(numbers != 0)
    target = np.empty(len(numbers), dtype=np.int64)  # the successor under token 0
    for length in range(1, space.length + 1):
        first, last = space.offset(length), space.offset(length + 1)
        values = np.arange(last - first, dtype=np.int64)
        longer = min(length + 1, space.length)
        target[first:last] = space.offset(longer) + values % V ** (longer - 1) * V
    edges = Edges(source, token, target[source] + token, numbers[source, token])
    return edge_list(edges, space, space.vocabulary, normalize=normalize, where="rows")


#: Entries that are checked at a time, so that checking takes little memory beside them.
_CHECKED = 2**22


def _check_rows(numbers: Numbers, space: ContextSpace) -> None:
    N, V = numbers.shape
    step = N if numbers.dtype == object else max(1, _CHECKED // V)

    def name(first: int, i: int) -> str:
        token, state = space.vocabulary.shown[i % V], space.label(first + i // V)
        return f"the probability of token {token!r} in state {state}"

    for first in range(0, N, step):
        check_entries(numbers[first : first + step], partial(name, first), where="rows")


def edge_list(
    edges: Edges, names: States, vocabulary: Vocabulary, *, normalize: bool, where: str = "edges"
) -> EdgeList:
    """Checked, sorted transitions; ``where`` is what an error speaks of."""
    N, V = len(names), len(vocabulary)
    for column, what, size in (
        (edges.source, "state", N),
        (edges.target, "state", N),
        (edges.token, "token", V),
    ):
        if len(column) and not (column.min() >= 0 and column.max() < size):
            bad = int(column.min() if column.min() < 0 else column.max())
            raise InvalidChain(
                f"edges: {what} {bad} is out of range; the chain has {size:,} {what}s, "
                f"from 0 to {size - 1:,}."
            )
    check_entries(
        edges.probability,
        lambda i: f"the probability of edge {i} (from state {names.label(int(edges.source[i]))})",
        where="edges",
    )
    kept = edges.probability != 0
    order = np.lexsort((edges.token[kept], edges.source[kept]))
    source, token, target, probability = (column[kept][order] for column in edges)
    twice = (source[1:] == source[:-1]) & (token[1:] == token[:-1])
    if twice.any():
        i = int(np.flatnonzero(twice)[0])
        raise InvalidChain(
            f"edges: state {names.label(int(source[i]))} has two transitions with token "
            f"{vocabulary.shown[int(token[i])]!r}, to {names.label(int(target[i]))} and to "
            f"{names.label(int(target[i + 1]))}. A state and a token decide the next state; "
            f"add the probabilities if both lead to one state, or give them different tokens."
        )
    start = np.zeros(N + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=N), out=start[1:])
    if probability.dtype == object:
        sums = np.zeros(N, dtype=object)
        np.add.at(sums, source, probability)
    else:
        sums = np.bincount(source, weights=probability, minlength=N)
    if normalize:
        _refuse_bad_sums(_indivisible(sums), probability.dtype, names, where=where)
        probability = _divided(probability, sums[source], where=where)
        edges = Edges(source, token, target, probability)
        return edge_list(edges, names, vocabulary, normalize=False, where=where)
    _refuse_bad_sums(sums, probability.dtype, names, where=where)
    return EdgeList(
        read_only(start), read_only(token), read_only(target), read_only(probability), sums, V
    )


def _indivisible(sums: Numbers) -> Numbers:
    """The sums that no row can be divided by; 1 for the others."""
    return np.where((sums == 0) | (sums == np.inf), sums, sums.dtype.type(1))


def _divided(numbers: Numbers, divisor: Numbers, *, where: str) -> Numbers:
    """Rows divided by their sums; a transition that would be lost by that is an error."""
    divided = np.asarray(numbers / divisor, dtype=numbers.dtype)
    lost = (divided == 0) & (numbers != 0)
    if lost.any():
        raise InvalidChain(
            f"{where}: divided by its row's sum, the entry {numbers[lost][0]} becomes zero by "
            f"underflow, and its transition would be lost. Give the rows as Fractions."
        )
    return divided


def _refuse_bad_sums(sums: Numbers, dtype: np.dtype[Any], names: States, *, where: str) -> None:
    bad = bad_sums(sums, dtype)
    if len(bad):
        s = int(bad[0])
        raise bad_sum_error(names.label(s), sums[s], dtype, where=where)


def ids(values: npt.ArrayLike, name: str) -> Ids:
    """A column of an edge list as int64."""
    array = np.asarray(values)
    if array.shape == (0,):
        return array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InvalidChain(
            f"edges: {name} is not a list of whole numbers (shape {array.shape}, {array.dtype})."
        )
    return array.astype(np.int64)


def names_of(states: States | Sequence[str] | None, n_states: int) -> States:
    """Names for the states of an edge list: those given, or their ids."""
    if states is None:
        return NamedStates(tuple(str(i) for i in range(n_states)))
    if isinstance(states, (ContextSpace, SomeContexts, NamedStates, WithEnd, Pairs)):
        return states
    return NamedStates(tuple(str(name) for name in states))  # type: ignore[union-attr]
