"""Which windows of sequences are equal, without comparing them one by one.

Windows of 1 token are numbered by their token. A window of 2 w tokens is the pair of its halves,
so the distinct pairs of numbers number the longer windows; where the length is no power of two,
two windows that overlap name one. log2(L) sorts, whatever L: the prefix doubling by which suffix
arrays are made.

References
----------
Karp, Miller & Rosenberg (1972), STOC '72, 125-136.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["numbered_windows"]

Ids = npt.NDArray[np.int64]


def numbered_windows(sequences: Ids, length: int) -> Ids:
    """A number for each window, equal where the windows are: (K, n) to (K, n - length + 1).

    >>> numbered_windows(np.array([[0, 1, 0, 1, 1], [1, 1, 0, 1, 0]]), 3).tolist()
    [[0, 1, 2], [3, 1, 0]]
    """
    numbers, width = _numbered(sequences), 1
    while width < length:
        step = min(width, length - width)
        first, second = numbers[:, :-step], numbers[:, step:]
        numbers = _numbered(first * (int(numbers.max()) + 1) + second)
        width += step
    return _by_appearance(numbers)


def _numbered(values: Ids) -> Ids:
    return np.asarray(np.unique(values, return_inverse=True)[1].reshape(values.shape))


def _by_appearance(numbers: Ids) -> Ids:
    """The same numbers, given in the order of first appearance."""
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[place].reshape(numbers.shape))
