"""x P and P f of a large chain, one block of its rows after the other.

A block are the rows of neighbouring windows that share their oldest token a: those of
[a, r0] to [a, r1 - 1]. What it adds to x P goes to the windows r0 V to r1 V - 1, and what it needs
of f stands there, so that a block meets two slices of vectors and nothing else. Rows are divided by
their sums as in :mod:`fsm_gpt.kernels.products`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from fsm_gpt.kernels.products import excess_of, inverse

__all__ = ["expect_block", "look", "push_block"]

Floats: TypeAlias = npt.NDArray[np.float64]
Probabilities: TypeAlias = npt.NDArray[np.floating]

_SUMS = {"reassoc", "contract", "nsz"}


@njit(inline="always", error_model="numpy")
def _push_rows(x: Floats, p: Probabilities, into: Floats, first: bool, V: Any) -> None:
    """For a V that may be a constant of the program."""
    if first:
        for s in range(np.uint64(len(x))):
            weight = x[s] * inverse(excess_of(p, s, V))
            for t in range(V):
                into[s * V + t] = weight * p[s * V + t]
    else:
        for s in range(np.uint64(len(x))):
            weight = x[s] * inverse(excess_of(p, s, V))
            for t in range(V):
                into[s * V + t] += weight * p[s * V + t]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def push_block(x: Floats, rows: Probabilities, into: Floats, first: bool) -> None:
    """What the windows of a block add to x P, shape (n V,); the first one of a slice sets it."""
    p = rows.ravel()
    if rows.shape[1] == 2:
        _push_rows(x, p, into, first, np.uint64(2))
    elif rows.shape[1] == 3:
        _push_rows(x, p, into, first, np.uint64(3))
    else:
        _push_rows(x, p, into, first, np.uint64(rows.shape[1]))


@njit(inline="always", error_model="numpy")
def _expect_rows(f: Floats, p: Probabilities, into: Floats, V: Any) -> None:
    for s in range(np.uint64(len(into))):
        total = 0.0
        for t in range(V):
            total += p[s * V + t] * f[s * V + t]
        into[s] = total * inverse(excess_of(p, s, V))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def expect_block(f: Floats, rows: Probabilities, into: Floats) -> None:
    """P f of the windows of a block, shape (n,)."""
    p = rows.ravel()
    if rows.shape[1] == 2:
        _expect_rows(f, p, into, np.uint64(2))
    elif rows.shape[1] == 3:
        _expect_rows(f, p, into, np.uint64(3))
    else:
        _expect_rows(f, p, into, np.uint64(rows.shape[1]))


@njit(cache=True, nogil=True, error_model="numpy")
def look(rows: Probabilities) -> tuple[bool, float, int, float]:
    """What is to be known of rows.

    Whether no entry is negative or undefined; the smallest entry above zero, infinite where there
    is none; how many entries are not zero; and the largest distance of a row's sum from one.
    """
    right, least, count, off = True, np.inf, 0, 0.0
    for s in range(len(rows)):
        total = 0.0
        for t in range(rows.shape[1]):
            p = np.float64(rows[s, t])
            total += p
            if p > 0.0:
                count += 1
                if p < least:
                    least = p
            elif p != 0.0:  # undefined ones, too
                right = False
        d = abs(total - 1.0)
        if not d <= off:
            off = d
    return right, least, count, off
