"""Entropies of rows of probabilities in bits, and their mean.

*Error.* The logarithm of the most probable token's p is taken as log1p(-(sum of the
others)), which keeps its digits where p is nearly one. Sums over the states are made by
halving, so that a million terms cost twenty roundings. Logarithms are trusted to four units
in the last place.

*Roundings.* Let u = 2**-53 and let a row have V entries. Its probabilities are right to V u. A
logarithm of p <= 1/2 turns that into at most 1.45 V u, since 1 / |log p| <= 1 / log 2; log1p of
a sum of V - 1 others, at most 1/2, turns 2 V u into at most 2.9 V u. With the factor p in front
and the sum over the row, an entropy is right to 5 V u and a dozen more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers, objects

__all__ = [
    "Mean",
    "Rows",
    "exact_entropy",
    "log2_ratio",
    "mean_entropy",
    "row_entropies",
    "surprise",
    "surprise_in_groups",
    "with_rounding",
]

Ids: TypeAlias = npt.NDArray[np.int64]

_UNIT = 2.0**-53
#: Entropies are averaged over so many entries of rows at a time, to bound the memory.
BLOCK = 2**18
#: Rows of so many entries in all are worth loading the compiled loop for.
COMPILED_FROM = 2**18
#: Below this, products may have lost digits to underflow.
_SMALLEST = 1e-280


def log2_ratio(a: Numbers, b: Numbers) -> Numbers:
    """log2(a / b) of positive floats, also where the quotient is none.

    >>> log2_ratio(np.array([1.0, 5e-324]), np.array([2.0, 1.0]))
    array([-1.000e+00, -1.074e+03])
    >>> log2_ratio(np.array([1.0]), np.array([5e-324]))
    array([1074.])
    """
    with np.errstate(over="ignore", under="ignore"):
        ratio = a / b
    usual = (ratio >= _SMALLEST) & (ratio <= 1 / _SMALLEST)
    found = np.log2(np.where(usual, ratio, 1.0))
    return np.asarray(np.where(usual, found, np.log2(a) - np.log2(b)))


def row_entropies(rows: Numbers) -> Numbers:
    """The entropy of each row in bits, shape (n,); rows need not sum to one.

    Rationals and expressions give sympy expressions.

    >>> row_entropies(np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([1., 0.])
    """
    if rows.dtype == object:
        return objects((exact_entropy(row) for row in rows), (len(rows),))
    return _entropies(_starts(rows), rows.ravel())


def surprise(p: Numbers) -> Numbers:
    """-log2 of every entry of rows that sum to one, its digits kept where p is nearly one.

    >>> float(surprise(np.array([[1e-20, 1.0]]))[0, 1]) > 0
    True
    """
    return surprise_in_groups(_starts(p), p.ravel()).reshape(p.shape)


def _starts(rows: Numbers) -> Ids:
    """Where each row of a table begins when they are written one after the other."""
    n, V = rows.shape
    return np.asarray(np.arange(n + 1, dtype=np.int64) * V)


def surprise_in_groups(start: Ids, p: Numbers) -> Numbers:
    """The same for rows ``p[start[s]:start[s + 1]]``, none of them empty."""
    with np.errstate(divide="ignore"):
        bits = -np.log2(p)
    likely = p > 0.5  # one entry of a row at most
    rest = np.add.reduceat(np.where(likely, 0.0, p), start[:-1])
    sharp = np.flatnonzero(likely)
    row = np.searchsorted(start, sharp, side="right") - 1
    bits[sharp] = -np.log1p(-rest[row]) / np.log(2)
    return np.asarray(bits)


def _entropies(start: Ids, weight: Numbers) -> Numbers:
    """The entropy in bits of each row ``weight[start[s]:start[s + 1]]``, none of them empty."""
    weight = weight.astype(np.float64)
    sums = np.add.reduceat(weight, start[:-1])
    p = weight / np.repeat(np.where(sums == 0, 1.0, sums), np.diff(start))
    with np.errstate(invalid="ignore"):
        terms = np.where(p > 0, p * surprise_in_groups(start, p), 0.0)
    return np.asarray(np.add.reduceat(terms, start[:-1]))


class Mean(NamedTuple):
    """A mean entropy in bits, and whether its digits are safe from underflow."""

    bits: float
    safe: bool


class Rows(NamedTuple):
    """Rows of weights, given in blocks: where each row of a block begins, and its weights."""

    n_rows: int
    n_entries: int
    block: Callable[[int, int], tuple[Ids, Numbers]]

    @classmethod
    def of_table(cls, table: Numbers) -> Rows:
        """The rows of an array of shape (n, V)."""
        return cls(
            len(table), table.size, lambda a, b: (_starts(table[a:b]), table[a:b].reshape(-1))
        )

    @classmethod
    def of_groups(cls, group: Ids, weight: Numbers) -> Rows:
        """Weights whose row is given one by one, ascending, no row left out."""
        n = int(group[-1]) + 1
        start = np.searchsorted(group, np.arange(n + 1)).astype(np.int64)
        return cls(
            n,
            len(weight),
            lambda a, b: (start[a : b + 1] - start[a], weight[start[a] : start[b]]),
        )

    @classmethod
    def of_chain(cls, chain: Chain) -> Rows:
        """The next-token probabilities of every state, zeros left out where there are edges."""
        if chain.is_window:
            N, V = chain.n_states, chain.n_tokens

            def block(a: int, b: int) -> tuple[Ids, Numbers]:
                rows = chain.rows(a, b)
                return _starts(rows), rows.reshape(-1)

            return cls(N, N * V, block)
        edges = chain.raw_edges()
        return cls.of_groups(edges.source, edges.probability)


def mean_entropy(rows: Rows, mass: Numbers | None = None) -> Mean:
    """sum_s mass(s) H(row s) in bits; a row's mass is its own sum if none is given.

    Relative to its masses and rows it is right to 5 V + 40 roundings, V the length of a row.
    """
    entropies = _entropies
    if rows.n_entries >= COMPILED_FROM:
        from fsm_gpt.kernels.entropy import row_entropies as entropies
    step = max(1, BLOCK * rows.n_rows // rows.n_entries)
    totals, any_bits = [], False
    for first in range(0, rows.n_rows, step):
        last = min(first + step, rows.n_rows)
        start, weight = rows.block(first, last)
        weight = weight.astype(np.float64)
        own = np.add.reduceat(weight, start[:-1]) if mass is None else mass[first:last]
        bits = np.where(own > 0, entropies(start, weight), 0.0)
        any_bits = any_bits or bool(bits.any())
        totals.append(_by_halves(own * bits))
    total = math.fsum(totals)
    return Mean(total, total >= _SMALLEST or not any_bits)


def _by_halves(values: Numbers) -> float:
    """The sum of n values in rounds of pairs: log2(n) roundings, rounded up.

    >>> _by_halves(np.arange(7.0))
    21.0
    """
    while len(values) > 1:
        half = (len(values) + 1) // 2
        head = values[:half].copy()
        head[: len(values) - half] += values[half:]
        values = head
    return float(values[0])


def exact_entropy(row: Numbers) -> Any:
    """The entropy in bits of a row of rationals or expressions, as an expression."""
    import sympy

    terms = [sympy.sympify(p) for p in row if p != 0]
    return sum((-p * sympy.log(p) / sympy.log(2) for p in terms), sympy.Integer(0))


def with_rounding(
    bound: Bound, roundings: int, *, safe: bool, reason: str, converted: float = 0.0
) -> tuple[Bound, str]:
    """A relative bound after so many further roundings of non-negative terms, and its reason."""
    if bound == UNCERTIFIED:
        return bound, reason
    if not safe:
        return UNCERTIFIED, f"it is below {_SMALLEST:g} bits, where products underflow"
    extra = roundings * _UNIT * (1 + 1e-9) + converted
    return (1 + float(bound)) * (1 + extra) - 1 + _UNIT, ""
