"""States merged two at a time, with all that must be merged then: a greedy search.

Merging two states merges the states that their tokens lead to, and so on, or else a block and a
token would not decide the next block (as in the state merging of ALERGIA: Carrasco & Oncina
1994). Each round merges the pair whose closure raises the KL rate least. This is greedy: a dear
first step may open cheaper ones later, and then the machine of a size is not the best there is.

Merging two blocks of weights J (J(s, t) is the stationary probability of s and then t) raises the
KL rate by g(J_1 + J_2) - g(J_1) - g(J_2) >= 0, with g(J) = sum_t J(t) log2(sum J / J(t)). So a
closure costs at least what any pair in it costs alone, and pairs whose bound is above the best
closure found are passed over.

References
----------
Carrasco & Oncina (1994), "Learning stochastic regular grammars by means of a state merging
method", ICGI, Lecture Notes in Computer Science 862, 139-152.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fsm_gpt.rows import Numbers

__all__ = ["merged_step_by_step"]

Ids = npt.NDArray[np.int64]


def merged_step_by_step(successor: Ids, joint: Numbers) -> Iterator[Ids]:
    """Partitions of ever fewer blocks, down to one, each as the block of every state.

    Parameters
    ----------
    successor
        The next state of each state and token, -1 where there is none, shape (M, V).
    joint
        The weight of each state and next token, shape (M, V); all zero for states that are left
        for ever.

    >>> to = np.array([[0, 1], [0, 1], [0, 1]])
    >>> J = np.array([[0.1, 0.1], [0.1, 0.1], [0.0, 0.6]])
    >>> [block.tolist() for block in merged_step_by_step(to, J)]
    [[0, 0, 1], [0, 0, 0]]
    """
    block = np.arange(len(successor))
    successor, joint = successor.copy(), joint.astype(np.float64)
    alone = _alone(joint, np.arange(len(joint)))
    while len(joint) > 1:
        group = _cheapest(successor, joint, alone)
        number, first = _compact(group)
        merged = np.zeros((len(first), joint.shape[1]))
        np.add.at(merged, number, joint)
        ahead = np.full((len(first), joint.shape[1]), -1, dtype=np.int64)
        led = successor >= 0
        where = np.broadcast_to(number[:, None], led.shape)[led]
        ahead[where, np.nonzero(led)[1]] = number[successor[led]]
        alone = alone[np.ix_(first, first)]
        changed = np.flatnonzero(np.bincount(number) > 1)
        alone[changed] = _alone(merged, changed)
        alone[:, changed] = alone[changed].T
        successor, joint, block = ahead, merged, number[block]
        yield block


def _compact(group: Ids) -> tuple[Ids, Ids]:
    """Numbers for the groups in the order of their first members, and these."""
    first = np.flatnonzero(group == np.arange(len(group)))
    place = np.full(len(group), -1, dtype=np.int64)
    place[first] = np.arange(len(first))
    return place[group], first


def _g(joint: Numbers) -> Numbers:
    """sum_t J(t) log2(sum J / J(t)) over the last axis."""
    total = joint.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log2(joint), 0.0).sum(axis=-1)
        return np.asarray(np.where(total > 0, total * np.log2(total), 0.0) - terms)


def _alone(joint: Numbers, some: Ids) -> Numbers:
    """What it costs to merge each of some states with each state, no more than these two."""
    own = _g(joint)
    cost = np.empty((len(some), len(joint)))
    for place, state in enumerate(some.tolist()):
        cost[place] = _g(joint + joint[state]) - own - own[state]
    weightless = joint.sum(axis=1) == 0
    cost[:, weightless] = 0.0
    cost[weightless[some]] = 0.0
    return np.maximum(cost, 0.0)


def _at_least(successor: Ids, alone: Numbers) -> Numbers:
    """For each pair the dearest of the pairs that it forces to be merged."""
    least = alone
    while True:
        forced = least.copy()
        for column in successor.T:
            led = np.flatnonzero(column >= 0)
            at = np.ix_(led, led)
            forced[at] = np.maximum(forced[at], least[np.ix_(column[led], column[led])])
        if (forced == least).all():
            return forced
        least = forced


def _cheapest(successor: Ids, joint: Numbers, alone: Numbers) -> Ids:
    """The groups of the cheapest closure: of each state the lowest state of its group."""
    least = _at_least(successor, alone)
    ones, others = np.triu_indices(len(joint), 1)
    bound = least[ones, others]
    order = np.argsort(bound, kind="stable")
    best, found = np.inf, np.zeros(len(joint), dtype=np.int64)
    for pair in order.tolist():
        if bound[pair] >= best:
            break
        cost, group = _closure(successor, joint, int(ones[pair]), int(others[pair]), best)
        if cost < best:
            best, found = cost, group
    return found


def _closure(successor: Ids, joint: Numbers, i: int, j: int, best: float) -> tuple[float, Ids]:
    """What it costs to merge two states and all that follows; given up where it is not the best."""
    root = np.arange(len(joint))
    rows: dict[int, Numbers] = {}
    ahead: dict[int, Ids] = {}
    cost = 0.0
    left = [(i, j)]
    while left:
        a, b = (_root(root, state) for state in left.pop())
        if a == b:
            continue
        a, b = min(a, b), max(a, b)
        one, other = rows.pop(a, joint[a]), rows.pop(b, joint[b])
        both = one + other
        if one.any() and other.any():
            cost += max(float(_g(both) - _g(one) - _g(other)), 0.0)
        if cost >= best:
            return np.inf, root
        to, too = ahead.pop(a, successor[a]), ahead.pop(b, successor[b])
        for token in np.flatnonzero((to >= 0) & (too >= 0) & (to != too)).tolist():
            left.append((int(to[token]), int(too[token])))
        rows[a], ahead[a] = both, np.where(to >= 0, to, too)
        root[b] = a
    return cost, np.array([_root(root, s) for s in range(len(root))])


def _root(root: Ids, state: int) -> int:
    while root[state] != state:
        root[state] = root[root[state]]
        state = int(root[state])
    return state
