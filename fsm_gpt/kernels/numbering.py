"""Equal numbers get one small number, in the order in which they come first."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["number_by_value"]

Ids: TypeAlias = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def number_by_value(values: Ids) -> Ids:
    """A table of places, found by a multiplicative hash and searched on from there.

    >>> number_by_value(np.array([7, 3, 7, 9, 3])).tolist()
    [0, 1, 0, 2, 1]
    """
    size = 16
    while size < 2 * len(values):
        size *= 2
    shift = np.uint64(64)
    while size >> (64 - int(shift)) > 1:
        shift -= np.uint64(1)
    mask = np.int64(size - 1)
    held = np.full(size, -1, np.int64)  # the first place of the value that is kept here
    number = np.empty(len(values), np.int64)
    count = 0
    for i in range(len(values)):
        mixed = np.uint64(values[i]) * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64(mixed >> shift) & mask
        while held[slot] >= 0 and values[held[slot]] != values[i]:
            slot = (slot + 1) & mask
        if held[slot] < 0:
            held[slot] = i
            number[i] = count
            count += 1
        else:
            number[i] = number[held[slot]]
    return number
