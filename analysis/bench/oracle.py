"""References that answers are held against, written apart from fsm_gpt.

Two are Grassmann, Taksar and Heyman's elimination, which never subtracts. In extended
precision (64 bits, on processors that have it) it is right to about 1e-18 in every entry;
states are eliminated in the order in which they touch the fewest others, so that a sparse
chain of some thousand states is done in seconds. In rationals it is exact. The third, for the
entropy rate of a million states, is power iteration: on random rows, which forget their start
within some hundred steps, it is right.

References
----------
Grassmann, Taksar & Heyman (1985), Operations Research 33, 1107-1116. O'Cinneide (1993),
Numerische Mathematik 65, 109-120 (its error, entry by entry).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["entropy_by_powers", "exact", "extended", "has_extended_precision"]

Ids = npt.NDArray[np.int64]
Long = npt.NDArray[np.longdouble]
Floats = npt.NDArray[np.float64]


def has_extended_precision() -> bool:
    """Whether numpy's long double is longer than a double here."""
    return bool(np.finfo(np.longdouble).eps < 1e-18)


def extended(source: Ids, target: Ids, probability: npt.NDArray[Any], n: int) -> Long:
    """The stationary distribution of an irreducible chain, in extended precision.

    >>> ids, p = np.array([0, 0, 1, 1]), np.array([0.5, 0.5, 0.25, 0.75])
    >>> [float(x) for x in 3 * extended(ids, np.array([0, 1, 0, 1]), p, 2)]
    [1.0, 2.0]
    """
    A = np.zeros((n, n), dtype=np.longdouble)
    np.add.at(A, (source, target), probability.astype(np.longdouble))
    np.fill_diagonal(A, 0)
    into, out = (A != 0).sum(axis=0), (A != 0).sum(axis=1)
    left = np.ones(n, dtype=bool)
    steps: list[tuple[int, Ids, Long]] = []
    for _ in range(n - 1):
        open_states = np.flatnonzero(left)
        k = int(open_states[np.argmin(into[open_states] * out[open_states])])
        left[k] = False
        before = np.flatnonzero(left & (A[:, k] != 0))
        after = np.flatnonzero(left & (A[k] != 0))
        weight = A[before, k] / A[k, after].sum()
        steps.append((k, before, weight))
        _censor(A, before, after, weight[:, None] * A[k, after], into, out)
        into[after] -= 1
        out[before] -= 1
    x = np.zeros(n, dtype=np.longdouble)
    x[np.flatnonzero(left)] = 1
    for k, before, weight in reversed(steps):
        x[k] = x[before] @ weight
    return np.asarray(x / x.sum())


def _censor(A: Long, before: Ids, after: Ids, detour: Long, into: Ids, out: Ids) -> None:
    """Add the detours through a state, and count the transitions that are new."""
    block = np.ix_(before, after)
    old = A[block]
    new = (old == 0) & (detour != 0) & (before[:, None] != after[None, :])
    into[after] += new.sum(axis=0)
    out[before] += new.sum(axis=1)
    A[block] = np.where(before[:, None] == after[None, :], 0, old + detour)


def exact(rows: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """The stationary distribution of an irreducible matrix of rationals, exactly.

    >>> exact([[Fraction(1, 2), Fraction(1, 2)], [Fraction(1, 4), Fraction(3, 4)]])
    [Fraction(1, 3), Fraction(2, 3)]
    """
    A = [list(row) for row in rows]
    n = len(A)
    for k in range(n - 1, 0, -1):
        leaving = sum(A[k][:k], Fraction(0))
        for i in range(k):
            A[i][k] /= leaving
            for j in range(k):
                A[i][j] += A[i][k] * A[k][j]
    x = [Fraction(1)]
    for k in range(1, n):
        x.append(sum((x[i] * A[i][k] for i in range(k)), Fraction(0)))
    total = sum(x, Fraction(0))
    return [entry / total for entry in x]


def entropy_by_powers(rows: Floats, *, steps: int = 1000) -> float:
    """Bits per token of a window chain with positive rows that mixes fast, shape (N, V).

    x P is repeated until it changes by less than 1e-15 in all.

    >>> entropy_by_powers(np.array([[0.5, 0.5], [0.5, 0.5]]))
    1.0
    """
    N, V = rows.shape
    p = rows / rows.sum(axis=1, keepdims=True)
    by_oldest = p.reshape(V, N // V, V)
    x = np.full(N, 1 / N)
    for _ in range(steps):
        after = np.einsum("ar,arv->rv", x.reshape(V, N // V), by_oldest).ravel()
        change = np.abs(after - x).sum()
        x = after
        if change < 1e-15:
            break
    return float((x * -(p * np.log2(p)).sum(axis=1)).sum() / x.sum())
