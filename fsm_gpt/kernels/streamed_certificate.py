"""The flow certificate of windows whose rows come block by block.

Three parts: imbalances in twice the working precision; a spanning tree of heavy flows, which may
take several looks at the rows, each at flows of one range; and sums over subtrees, which need no
rows. A state takes some thirty bytes. See :mod:`fsm_gpt.markov.streamed_certificate` for the proof.

The successor of window s under t is (s mod R) V + t, R = N / V.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from fsm_gpt.kernels.error_free import two_product, two_sum

__all__ = ["add_imbalances", "heaviest_links", "sum_up"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.floating]
Places: TypeAlias = npt.NDArray[np.int32]

_UNIT = 2.0**-53


@njit(inline="always")
def _share(x: float, rows: Rows, s: int) -> float:
    """X of a state, divided by the sum of its row."""
    total = 0.0
    for t in range(rows.shape[1]):
        total += rows[s, t]
    return x / total


@njit(cache=True, nogil=True)
def add_imbalances(
    x: Floats, rows: Rows, first: int, R: int, high: Floats, low: Floats
) -> tuple[float, float]:
    """What the flows of a block add to inflow minus outflow of every state, held in two parts.

    Returns the smallest flow, infinite where there is none, and the largest.
    """
    V = rows.shape[1]
    smallest, largest = np.inf, 0.0
    for s in range(len(rows)):
        i = first + s
        share = _share(x[i], rows, s)
        rest = i % R * V
        own_high, own_low = high[i], low[i]  # no other transition of i touches them
        for t in range(V):
            p = np.float64(rows[s, t])
            j = rest + t
            if p == 0.0 or i == j:
                continue
            product, error = two_product(share, p)
            if product < smallest:
                smallest = product
            if product > largest:
                largest = product
            high[j], more = two_sum(high[j], product)
            low[j] += more + error
            own_high, more = two_sum(own_high, -product)
            own_low += more - error
        high[i], low[i] = own_high, own_low
    return smallest, largest


@njit(inline="always")
def _root(group: Places, i: int) -> int:
    """The representative of i's set; that of a set has minus its size."""
    while group[i] >= 0:
        if group[group[i]] >= 0:
            group[i] = group[group[i]]
        i = group[i]
    return i


@njit(cache=True, nogil=True)
def heaviest_links(
    x: Floats,
    rows: Rows,
    first: int,
    R: int,
    least: float,
    below: float,
    group: Places,
    parent: Places,
    above: Rows,
) -> int:
    """Join trees by flows of ``least`` and more, less than ``below``; how many were joined.

    ``parent`` of a state is -1 at the root of its tree, and ``above`` a lower bound on the flow
    between it and its parent. The smaller of two trees is turned to hang from the larger.
    """
    V = rows.shape[1]
    joined = 0
    down = 1.0 - 2.0**-22 if above.itemsize == 4 else 1.0
    for s in range(len(rows)):
        i = first + s
        share = _share(x[i], rows, s)
        rest = i % R * V
        for t in range(V):
            flow = share * np.float64(rows[s, t])
            j = rest + t
            if not least <= flow < below or i == j:
                continue
            a, b = _root(group, i), _root(group, j)
            if a == b:
                continue
            hangs, holds = i, j
            if group[a] < group[b]:  # a's tree is the larger one
                a, b = b, a
                hangs, holds = j, i
            group[b] += group[a]
            group[a] = b
            carried = flow * down
            while True:
                before, flow_before = parent[hangs], above[hangs]
                parent[hangs], above[hangs] = holds, carried
                if before < 0:
                    break
                holds, carried, hangs = hangs, flow_before, before
            joined += 1
    return joined


@njit(cache=True, nogil=True)
def sum_up(r: Floats, lost: npt.NDArray[np.float32], parent: Places, above: Rows) -> float:
    """The sum of log((1 + eta) / (1 - eta)) over tree edges, rounded up; r and lost are used up.

    eta of an edge is the imbalance of the subtree below it by the flow through it. ``lost`` bounds
    the error of r in units of 2^-120.
    """
    n = len(r)
    below = np.zeros(n, np.int32)
    for i in range(n):
        if parent[i] >= 0:
            below[parent[i]] += 1
    total, unit = 0.0, 2.0**-120
    for start in range(n):
        i = start
        while below[i] == 0 and parent[i] >= 0:
            below[i] = -1
            up = parent[i]
            carried = abs(r[i]) + lost[i] * unit
            eta = carried / above[i] * (1.0 + 16.0 * _UNIT) if above[i] > 0.0 else np.inf
            if not eta < 1.0:
                return np.inf
            total += np.log1p(eta) - np.log1p(-eta)
            r[up] += r[i]
            more = (np.float64(lost[up]) + np.float64(lost[i])) + abs(r[up]) * _UNIT / unit
            lost[up] = np.float32(more * (1.0 + 2.0**-22) + 1e-37)
            below[up] -= 1
            if below[up] == 0 and up < start:
                i = up
            else:
                break
    return total * (1.0 + (n + 16.0) * _UNIT)
