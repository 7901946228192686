"""Loops over the graph of a chain: strong components, breadth-first levels, cycles of a map.

A graph is given in one of two ways. *Implicit*: ``allowed`` of shape (N, V) says which
tokens can follow each window, and the successor of s under t is (s mod N / V) V + t.
*Explicit*: the successors of s are ``target[start[s]:start[s + 1]]``. The other arguments
are then empty; ``implicit`` says which.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["follow", "leaving", "levels", "period", "strong_components"]

Ids: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: Marks of a search there and back.
_THERE, _BOTH_WAYS = 1, 2


@njit(cache=True, nogil=True, inline="always")
def _degree(implicit: bool, allowed: Mask, start: Ids, v: int) -> int:
    return allowed.shape[1] if implicit else start[v + 1] - start[v]


@njit(cache=True, nogil=True, inline="always")
def _rests(allowed: Mask) -> int:
    """R, the number of windows without their oldest token."""
    return allowed.shape[0] // max(allowed.shape[1], 1)


@njit(cache=True, nogil=True, inline="always")
def _neighbour(
    implicit: bool, allowed: Mask, start: Ids, target: Places, R: int, v: int, k: int
) -> int:
    """The k-th successor of v, or -1 where the token cannot follow."""
    if not implicit:
        return target[start[v] + k]
    if not allowed[v, k]:
        return -1
    rest = v & (R - 1) if R & (R - 1) == 0 else v % R  # a division takes longer than all else
    return rest * allowed.shape[1] + k


@njit(cache=True, nogil=True)
def strong_components(
    implicit: bool, allowed: Mask, start: Ids, target: Places
) -> tuple[Places, int]:
    """The number of each state's strongly connected component, and how many there are.

    Tarjan's algorithm in the form of Pearce (2016), Information Processing Letters 116,
    47-52, with one stack that grows from both ends: 13 bytes a state. Among windows one
    component, mostly the largest, is found before and in a fraction of the time by two
    searches in breadth, there and back (Fleischer, Hendrickson & Pinar 2000, IPDPS 2000
    Workshops, LNCS 1800, 505-511). Components are numbered in the order of their lowest state.
    """
    N = allowed.shape[0] if implicit else len(start) - 1
    R = _rests(allowed)
    rindex = np.zeros(N, np.int32)
    stack = np.empty(N, np.int32)  # the path from the left, finished states from the right
    path, done = 0, N
    index, component = 1, N - 1
    if implicit:
        mark = _component_of(allowed, _led_to(allowed, 0), stack)
        for v in range(N):
            if mark[v] == _BOTH_WAYS:
                rindex[v] = component
        component -= 1
    at = np.zeros(N, np.int32)
    is_root = np.ones(N, np.bool_)
    for first in range(N):
        if rindex[first]:
            continue
        stack[0], path = first, 1
        rindex[first] = index
        index += 1
        while path:
            v = stack[path - 1]
            if at[v] < _degree(implicit, allowed, start, v):
                w = _neighbour(implicit, allowed, start, target, R, v, at[v])
                if w < 0:
                    at[v] += 1
                elif rindex[w] == 0:
                    rindex[w] = index
                    index += 1
                    stack[path] = w
                    path += 1
                else:
                    if rindex[w] < rindex[v]:
                        rindex[v] = rindex[w]
                        is_root[v] = False
                    at[v] += 1
                continue
            path -= 1
            if is_root[v]:
                index -= 1
                while done < N and rindex[v] <= rindex[stack[done]]:
                    rindex[stack[done]] = component
                    done += 1
                    index -= 1
                rindex[v] = component
                component -= 1
            else:
                done -= 1
                stack[done] = v
    return _renumber(rindex)


@njit(cache=True, nogil=True)
def _led_to(allowed: Mask, v: int) -> int:
    """Where some hundred tokens lead to: mostly a state of a closed class."""
    V, R = allowed.shape[1], _rests(allowed)
    for step in range(128):
        for k in range(V):
            token = (step + k) % V  # in turn, so that it does not stop at the first loop
            if allowed[v, token]:
                v = v % R * V + token
                break
    return v


@njit(cache=True, nogil=True)
def _component_of(allowed: Mask, pivot: int, queue: Places) -> npt.NDArray[np.uint8]:
    """Marks the states that the pivot leads to, and those of them that lead to it."""
    N, V = allowed.shape
    R = _rests(allowed)
    binary = R & (R - 1) == 0
    mark = np.zeros(N, np.uint8)
    mark[pivot], queue[0] = _THERE, pivot
    head, tail = 0, 1
    while head < tail:
        v = queue[head]
        head += 1
        first = (v & (R - 1) if binary else v % R) * V
        for k in range(V):
            if allowed[v, k] and mark[first + k] == 0:
                mark[first + k] = _THERE
                queue[tail] = first + k
                tail += 1
    mark[pivot], queue[0] = _BOTH_WAYS, pivot
    head, tail = 0, 1
    while head < tail:
        v = queue[head]
        head += 1
        rest, token = v // V, v % V
        for a in range(V):
            u = a * R + rest
            if mark[u] == _THERE and allowed[u, token]:
                mark[u] = _BOTH_WAYS
                queue[tail] = u
                tail += 1
    return mark


@njit(cache=True, nogil=True)
def _renumber(rindex: Places) -> tuple[Places, int]:
    """Numbers from 0 in the order of first appearance."""
    N = len(rindex)
    number = np.full(N, -1, np.int32)
    count = 0
    for v in range(N):
        c = rindex[v]
        if number[c] < 0:
            number[c] = count
            count += 1
        rindex[v] = number[c]
    return rindex, count


@njit(cache=True, nogil=True)
def leaving(
    implicit: bool, allowed: Mask, start: Ids, target: Places, member: Places, count: int
) -> Mask:
    """Which components have a transition to another one, shape (count,)."""
    R = _rests(allowed)
    out = np.zeros(count, np.bool_)
    for v in range(len(member)):
        if out[member[v]]:
            continue
        for k in range(_degree(implicit, allowed, start, v)):
            w = _neighbour(implicit, allowed, start, target, R, v, k)
            if w >= 0 and member[w] != member[v]:
                out[member[v]] = True
                break
    return out


@njit(cache=True, nogil=True)
def levels(
    implicit: bool, allowed: Mask, start: Ids, target: Places, root: int, level: Places
) -> Places:
    """Writes breadth-first distances from the root to ``level``; returns what was reached.

    ``level`` must hold -1 for every state that can be reached.
    """
    R = _rests(allowed)
    queue = np.empty(len(level), np.int32)
    queue[0], level[root] = root, 0
    head, tail = 0, 1
    while head < tail:
        v = queue[head]
        head += 1
        for k in range(_degree(implicit, allowed, start, v)):
            w = _neighbour(implicit, allowed, start, target, R, v, k)
            if w >= 0 and level[w] < 0:
                level[w] = level[v] + 1
                queue[tail] = w
                tail += 1
    return queue[:tail]


@njit(cache=True, nogil=True)
def period(
    implicit: bool, allowed: Mask, start: Ids, target: Places, reached: Places, level: Places
) -> int:
    """The greatest common divisor of level[u] + 1 - level[v] over transitions u to v."""
    R = _rests(allowed)
    divisor = 0
    for v in reached:
        for k in range(_degree(implicit, allowed, start, v)):
            w = _neighbour(implicit, allowed, start, target, R, v, k)
            if w >= 0:
                divisor = math.gcd(divisor, abs(level[v] + 1 - level[w]))
                if divisor == 1:
                    return 1
    return divisor


@njit(cache=True, nogil=True)
def follow(successor: Places) -> tuple[Places, Places, int]:
    """Where a map leads: the cycle that each state ends in, its distance to it, how many cycles.

    A state on a cycle has distance 0. Cycles are numbered in the order of the lowest state
    that leads to each.
    """
    N = len(successor)
    cycle = np.full(N, -1, np.int32)
    tail = np.zeros(N, np.int32)
    path = np.empty(N, np.int32)
    seen = np.full(N, -1, np.int32)  # the state from which this one was first met
    count = 0
    for first in range(N):
        length = 0
        v = first
        while cycle[v] < 0 and seen[v] != first:
            seen[v] = first
            path[length] = v
            length += 1
            v = successor[v]
        if cycle[v] < 0:  # a new cycle: go round it once
            w = v
            while True:
                cycle[w], tail[w] = count, 0
                w = successor[w]
                if w == v:
                    break
            count += 1
        for k in range(length - 1, -1, -1):
            u = path[k]
            if cycle[u] < 0:
                cycle[u] = cycle[successor[u]]
                tail[u] = tail[successor[u]] + 1
    return cycle, tail, count
