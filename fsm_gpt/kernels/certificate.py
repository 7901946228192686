"""The flow certificate at scale: a spanning tree, and sums in four times the working precision.

A sum is kept as four floats, its parts: what rounding takes from one is added to the next,
exactly, and only the last one rounds. That loss, some u**4 of the largest partial sum, is
bounded as it happens. So flows of 1e-60 are told apart from zero beside others of 1.
See :mod:`fsm_gpt.markov.certificate` for what is proven with it.

References
----------
Ogita, Rump & Oishi (2005), SIAM J. Sci. Comput. 26, 1955-1988 (sums in K-fold precision).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from fsm_gpt.kernels.aggregation import find, strongest_first
from fsm_gpt.kernels.error_free import two_product, two_sum

__all__ = ["log_factor"]

Ids: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]

_UNIT = 2.0**-53
_PARTS = 4
_SMALLEST = 1e-290  # below this a product's rounding error may itself underflow


@njit(cache=True, nogil=True)
def _add(parts: Floats, more: float) -> float:
    """Adds a float to a sum held in parts; returns a bound on what is lost."""
    for k in range(_PARTS - 1):
        parts[k], more = two_sum(parts[k], more)
    parts[_PARTS - 1] += more
    rounding: float = _UNIT * abs(parts[_PARTS - 1])
    return rounding


@njit(cache=True, nogil=True)
def _size(parts: Floats) -> float:
    """A bound on the absolute value of a sum held in parts, which it renormalises."""
    for _ in range(_PARTS):
        for k in range(_PARTS - 1, 0, -1):
            parts[k - 1], parts[k] = two_sum(parts[k - 1], parts[k])
    total = 0.0
    for k in range(_PARTS):
        total += abs(parts[k])
    return total * (1.0 + 4.0 * _PARTS * _UNIT)


@njit(cache=True, nogil=True)
def _imbalances(
    start: Ids, target: Places, rate: Floats, x: Floats
) -> tuple[Floats, Floats, Floats]:
    """Inflow minus outflow of every state in parts, what was lost, and the rounded flows."""
    n = len(x)
    parts, lost = np.zeros((n, _PARTS)), np.zeros(n)
    flow = np.empty(len(rate))
    for i in range(n):
        for e in range(start[i], start[i + 1]):
            product, rest = two_product(x[i], rate[e])
            flow[e] = product
            j = target[e]
            lost[j] += _add(parts[j], product) + _add(parts[j], rest)
            lost[i] += _add(parts[i], -product) + _add(parts[i], -rest)
    return parts, lost, flow


@njit(cache=True, nogil=True)
def _spanning_tree(
    start: Ids, target: Places, flow: Floats, root: int
) -> tuple[Places, Places, Floats]:
    """A spanning tree of heavy flows (Kruskal): parent, order from the root, flow to the parent.

    Flows are taken in descending order to within one part in 16, so that across each cut the
    tree has an edge at most that much lighter than the heaviest.
    """
    n = len(start) - 1
    source = np.empty(len(target), np.int32)
    for i in range(n):
        source[start[i] : start[i + 1]] = i
    merged = np.arange(n).astype(np.int32)
    chosen = np.empty(max(n - 1, 1), np.int64)
    count = 0
    for e in strongest_first(flow):
        a, b = find(merged, source[e]), find(merged, target[e])
        if a != b:
            merged[a] = b
            chosen[count] = e
            count += 1
            if count == n - 1:
                break
    if count < n - 1:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)

    degree = np.zeros(n + 1, np.int64)
    for k in range(count):
        degree[source[chosen[k]] + 1] += 1
        degree[target[chosen[k]] + 1] += 1
    for i in range(n):
        degree[i + 1] += degree[i]
    place = degree.copy()
    beside = np.empty(2 * count, np.int64)
    for k in range(count):
        for end in (source[chosen[k]], target[chosen[k]]):
            beside[place[end]] = chosen[k]
            place[end] += 1

    parent = np.full(n, -1, np.int32)
    order = np.empty(n, np.int32)
    above = np.zeros(n)
    order[0], parent[root] = root, root
    reached = 1
    for k in range(n):
        i = order[k]
        for p in range(degree[i], degree[i + 1]):
            e = beside[p]
            j = target[e] if source[e] == i else source[e]
            if parent[j] < 0:
                parent[j] = i
                above[j] = flow[e]
                order[reached] = j
                reached += 1
    return parent, order, above


@njit(cache=True, nogil=True)
def _busiest(start: Ids, target: Places, flow: Floats) -> int:
    """The state through which most flows."""
    through = np.zeros(len(start) - 1)
    for i in range(len(through)):
        for e in range(start[i], start[i + 1]):
            through[i] += flow[e]
            through[target[e]] += flow[e]
    return int(np.argmax(through))


@njit(cache=True, nogil=True)
def log_factor(start: Ids, target: Places, rate: Floats, x: Floats) -> float:
    """The sum of log((1 + eta) / (1 - eta)) over tree edges, rounded up.

    The changes eta of the flows on a spanning tree balance all flows. Infinite where a flow is
    too small for its rounding error to be known, where one would have to vanish, or where the
    transitions do not connect the states.
    """
    parts, lost, flow = _imbalances(start, target, rate, x)
    for f in flow:
        if f < _SMALLEST:
            return np.inf
    # From the busiest state, the flows in subtrees are small and so is what is lost in them.
    parent, order, above = _spanning_tree(start, target, flow, _busiest(start, target, flow))
    if len(parent) == 0:
        return np.inf
    total = 0.0
    for k in range(len(x) - 1, 0, -1):  # leaves first: a subtree is complete before its edge
        i = order[k]
        up = parent[i]
        carried = _size(parts[i]) + lost[i] * (1.0 + 1e-6)
        eta = carried / above[i] * (1.0 + 8.0 * _UNIT)  # the flow below is rounded, too
        if eta >= 1.0:
            return np.inf
        total += np.log1p(eta) - np.log1p(-eta)
        lost[up] += lost[i]
        for part in parts[i]:
            lost[up] += _add(parts[up], part)
    return total * (1.0 + (len(x) + 16.0) * _UNIT)
