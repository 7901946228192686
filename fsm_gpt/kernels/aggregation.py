"""Loops of the multilevel solver: grouping states, adding up their rates, smoothing.

Transitions between different states are kept by source: those of state i are
``start[i]`` to ``start[i + 1]``, with ``target`` and ``rate``. Self-loops are left out; no
loop subtracts.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "add_rates",
    "coarse_pattern",
    "correct",
    "lengthen",
    "merge_pairs",
    "push_off_diagonal",
    "rates_out",
    "relax",
    "shorten",
    "smooth",
    "strongest_first",
    "strongest_target",
    "to_dense",
]

Ids: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.floating]

#: Windows in a strip that is finished while it is in the cache, times V.
_STRIP = 8192


@njit(cache=True, nogil=True)
def rates_out(start: Ids, rate: Floats) -> Floats:
    """The sum of each state's rates to other states, shape (n,)."""
    total = np.zeros(len(start) - 1)
    for i in range(len(total)):
        for e in range(start[i], start[i + 1]):
            total[i] += rate[e]
    return total


@njit(cache=True, nogil=True)
def push_off_diagonal(start: Ids, target: Places, rate: Floats, x: Floats, into: Floats) -> None:
    """Writes sum_i x[i] rate[i, j] to ``into``."""
    into[:] = 0.0
    for i in range(len(x)):
        for e in range(start[i], start[i + 1]):
            into[target[e]] += x[i] * rate[e]


@njit(cache=True, nogil=True)
def smooth(
    start: Ids, target: Places, rate: Floats, out: Floats, x: Floats, work: Floats, sweeps: int
) -> None:
    """Damped Jacobi: x_j becomes 0.3 x_j + 0.7 (inflow of j) / (rate out of j), normalised."""
    for _ in range(sweeps):
        push_off_diagonal(start, target, rate, x, work)
        relax(work, out, x)


@njit(cache=True, nogil=True)
def relax(inflow: Floats, out: Floats, x: Floats) -> None:
    """One sweep of :func:`smooth`, given what flows into each state from others."""
    total = 0.0
    for j in range(len(x)):
        x[j] = 0.3 * x[j] + 0.7 * inflow[j] / out[j]
        total += x[j]
    for j in range(len(x)):
        x[j] /= total


@njit(cache=True, nogil=True)
def strongest_target(start: Ids, target: Places, rate: Floats) -> tuple[Places, Floats]:
    """The state to which each goes with the highest rate, and that rate."""
    n = len(start) - 1
    best = np.full(n, -1, np.int32)
    strength = np.zeros(n)
    for i in range(n):
        for e in range(start[i], start[i + 1]):
            if rate[e] > strength[i]:
                strength[i] = rate[e]
                best[i] = target[e]
    return best, strength


@njit(cache=True, nogil=True)
def strongest_first(strength: Floats) -> Places:
    """Places in descending order of positive numbers, to within one part in 16.

    A counting sort on the exponent and the four leading bits of the mantissa.
    """
    key = (strength.view(np.uint64) >> np.uint64(48)).astype(np.int64)
    first = np.zeros(2**16 + 1, np.int64)
    for k in key:
        first[2**16 - k] += 1
    for k in range(2**16):
        first[k + 1] += first[k]
    order = np.empty(len(key), np.int32)
    for i in range(len(key)):
        k = 2**16 - 1 - key[i]
        order[first[k]] = i
        first[k] += 1
    return order


@njit(cache=True, nogil=True)
def find(parent: Places, i: int) -> int:
    """The representative of i's set, with path halving."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def merge_pairs(best: Places, order: Places) -> tuple[Places, int]:
    """Groups of states: each joined to its strongest target, strongest first, two at most.

    Where that merges fewer than 40% of the states (many point to one hub) the limit on a
    group's size doubles, again and again. Returns the group of each state and their number.
    """
    n = len(best)
    parent = np.arange(n).astype(np.int32)
    size = np.ones(n, np.int32)
    groups, most = n, 2
    while True:
        for i in order:
            if best[i] < 0:
                continue
            a, b = find(parent, i), find(parent, best[i])
            if a != b and size[a] + size[b] <= most:
                parent[a] = b
                size[b] += size[a]
                groups -= 1
        if groups <= 0.6 * n or most > n:
            break
        most *= 2
    number = np.full(n, -1, np.int32)
    group = np.empty(n, np.int32)
    count = 0
    for i in range(n):
        root = find(parent, i)
        if number[root] < 0:
            number[root] = count
            count += 1
        group[i] = number[root]
    return group, count


@njit(cache=True, nogil=True)
def coarse_pattern(
    start: Ids, target: Places, group: Places, groups: int
) -> tuple[Places, Ids, Places]:
    """Which coarse transition each transition adds to (-1 inside a group), and the coarse pattern.

    Returns ``slot``, and ``start`` and ``target`` of the coarse chain.
    """
    n = len(start) - 1
    first = np.zeros(groups + 1, np.int64)
    for i in range(n):
        first[group[i] + 1] += 1
    for g in range(groups):
        first[g + 1] += first[g]
    members = np.empty(n, np.int32)
    place = first.copy()
    for i in range(n):
        members[place[group[i]]] = i
        place[group[i]] += 1

    slot = np.full(len(target), -1, np.int32)
    seen = np.full(groups, -1, np.int64)  # where this group's transition to another one stands
    coarse_start = np.zeros(groups + 1, np.int64)
    coarse_target = np.empty(len(target), np.int32)
    count = 0
    for g in range(groups):
        begin = count
        for m in range(first[g], first[g + 1]):
            i = members[m]
            for e in range(start[i], start[i + 1]):
                h = group[target[e]]
                if h == g:
                    continue
                if seen[h] < begin:
                    seen[h] = count
                    coarse_target[count] = h
                    count += 1
                slot[e] = seen[h]
        coarse_start[g + 1] = count
    return slot, coarse_start, coarse_target[:count].copy()


@njit(cache=True, nogil=True)
def add_rates(
    start: Ids, rate: Floats, x: Floats, group: Places, slot: Places, coarse_start: Ids, edges: int
) -> tuple[Floats, Floats]:
    """Rates between groups, weighted by x, and the weight of each group."""
    groups = len(coarse_start) - 1
    coarse = np.zeros(edges)
    weight = np.zeros(groups)
    for i in range(len(x)):
        weight[group[i]] += x[i]
        for e in range(start[i], start[i + 1]):
            if slot[e] >= 0:
                coarse[slot[e]] += x[i] * rate[e]
    for g in range(groups):
        for e in range(coarse_start[g], coarse_start[g + 1]):
            coarse[e] /= weight[g]
    return coarse, weight


@njit(cache=True, nogil=True)
def correct(x: Floats, group: Places, solved: Floats, weight: Floats) -> None:
    """Multiplies each x by what the coarse solution says of its group."""
    for i in range(len(x)):
        x[i] *= solved[group[i]] / weight[group[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def shorten(rows: Numbers, sums: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """The windows without their oldest token, weighted by x.

    With R = V**(L-1) windows [r] of one token less: the flow from r to each token, shape (R, V),
    its sum over tokens, and the weight of r, shape (R,). Rows are divided by their sums.
    """
    N, V = rows.shape
    R = N // V
    flow, out, weight = np.zeros((R, V)), np.zeros(R), np.zeros(R)
    strip = max(1, _STRIP // V)
    for begin in range(0, R, strip):
        for a in range(V):
            for r in range(begin, min(begin + strip, R)):
                s = a * R + r
                share = x[s] / sums[s]
                weight[r] += x[s]
                for t in range(V):
                    flow[r, t] += share * rows[s, t]
        for r in range(begin, min(begin + strip, R)):
            for t in range(V):
                out[r] += flow[r, t]
    return flow, out, weight


@njit(cache=True, nogil=True, error_model="numpy")
def lengthen(flow: Floats, out: Floats, solved: Floats) -> Floats:
    """Windows [r, t] from shorter ones: what r has goes where its flow goes, shape (R V,)."""
    R, V = flow.shape
    x = np.empty(R * V)
    for r in range(R):
        share = solved[r] / out[r]
        for t in range(V):
            x[r * V + t] = flow[r, t] * share
    return x


@njit(cache=True, nogil=True)
def to_dense(start: Ids, target: Places, rate: Floats) -> Floats:
    """The rates as a matrix of shape (n, n)."""
    n = len(start) - 1
    matrix = np.zeros((n, n))
    for i in range(n):
        for e in range(start[i], start[i + 1]):
            matrix[i, target[e]] += rate[e]
    return matrix
