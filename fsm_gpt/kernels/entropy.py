"""Entropies of rows of weights, one loop over them."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["row_entropies"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ids: TypeAlias = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def row_entropies(start: Ids, weight: Floats) -> Floats:
    """The entropy in bits of each row ``weight[start[s]:start[s + 1]]``, divided by its sum.

    The logarithm of a token that is likelier than not is log1p of what is missing to one. A row
    of zeros has no entropy.
    """
    n = len(start) - 1
    bits = np.zeros(n)
    for s in range(n):
        total = 0.0
        for k in range(start[s], start[s + 1]):
            total += weight[k]
        if total == 0.0:
            continue
        others, likely, nats = 0.0, 0.0, 0.0
        for k in range(start[s], start[s + 1]):
            p = weight[k] / total
            if p > 0.5:
                likely = p
            elif p > 0.0:
                others += p
                nats -= p * math.log(p)
        if likely > 0.0:
            nats -= likely * math.log1p(-others)
        bits[s] = nats / math.log(2.0)
    return bits
