"""How many tokens it takes to know the state of a machine.

Of a machine whose state and token decide the next state, a word *synchronises* if all states from
which it can be written lead to one state by it. The *Markov order* is the least R such that every
word of R tokens that occurs does; it is infinite where some word, however long, leaves a doubt. A
machine is *exactly synchronisable* if some word does.

Both are questions about pairs of different states. A token leads a pair to the pair of next states;
where they are one state, or where one of the two cannot emit it, there is no doubt left. So the
order is one more than the longest path among pairs, infinite if that has a cycle; and some word
synchronises exactly if every pair has a path to no doubt, because such a word can be found for
the states that are still possible as long as there are two.

References
----------
James, Mahoney, Ellison & Crutchfield (2014), J. Phys.: Conf. Ser. "Many roads to synchrony",
arXiv 1010.5545 (Markov order by pairs). Travers & Crutchfield (2011), J. Stat. Phys. 145, 1181-1201
(exact synchronisation).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.subchain import reached

__all__ = ["MOST_STATES", "Synchrony", "order_of_windows", "synchrony"]

Ids = npt.NDArray[np.int64]

#: Pairs are looked at up to so many states.
MOST_STATES = 1024


class Synchrony(NamedTuple):
    """The Markov order, an integer or infinite, and whether some word synchronises."""

    order: float
    exact: bool


def synchrony(successors: Ids) -> Synchrony | None:
    """The order of an irreducible machine without two equivalent states; None if it is too large.

    Parameters
    ----------
    successors
        The next state for each state and token, -1 where the token cannot be emitted, (n, V).

    Examples
    --------
    The golden mean process, no two zeros in a row, has order 1; in the even process, ones between
    zeros come in pairs, and a run of ones leaves a doubt:

    >>> synchrony(np.array([[1, 0], [-1, 0]]))
    Synchrony(order=1, exact=True)
    >>> synchrony(np.array([[0, 1], [-1, 0]]))
    Synchrony(order=inf, exact=True)
    """
    n, V = successors.shape
    if n > MOST_STATES:
        return None
    if n == 1:
        return Synchrony(0, True)
    low, high = np.triu_indices(n, 1)
    number = np.full((n, n), -1, dtype=np.int64)
    number[low, high] = number[high, low] = np.arange(len(low))
    source, target, clear = [], [], np.zeros(len(low), dtype=bool)
    for token in range(V):
        a, b = successors[low, token], successors[high, token]
        doubt = (a >= 0) & (b >= 0) & (a != b)
        source.append(np.flatnonzero(doubt))
        target.append(number[a[doubt], b[doubt]])
        clear |= ((a >= 0) | (b >= 0)) & ~doubt
    edges = np.concatenate(source), np.concatenate(target)
    exact = bool(reached(edges[1], edges[0], clear).all())
    return Synchrony(_longest_path(len(low), *edges), exact)


def _longest_path(n: int, source: Ids, target: Ids) -> float:
    """Vertices on the longest path; infinite where there is a cycle."""
    pairs = np.unique(source * n + target)
    source, target = pairs // n, pairs % n
    start = np.searchsorted(source, np.arange(n + 1))
    left = np.bincount(target, minlength=n)  # arrows in that were not looked at yet
    ready = np.flatnonzero(left == 0)
    done = rounds = 0
    while len(ready):
        rounds += 1
        done += len(ready)
        sizes = start[ready + 1] - start[ready]
        first = np.repeat(start[ready] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        into = target[first + np.arange(int(sizes.sum()))]
        left -= np.bincount(into, minlength=n)
        ready = np.unique(into[left[into] == 0])
    return rounds if done == n else math.inf


def order_of_windows(block: Ids, V: int) -> int:
    """The least k such that windows that end with the same k tokens are in one block.

    Parameters
    ----------
    block
        The block of each window, by its base-V number; -1 for a window that never occurs.

    >>> order_of_windows(np.array([0, 1, 0, 1]), 2)
    1
    """
    found, k = block, 0
    levels = [block]
    while len(levels[0]) > 1 and V > 1:
        table = levels[0].reshape(V, -1)
        largest = table.max(axis=0)
        same = ((table == largest) | (table == -1)).all(axis=0) & (largest >= -1)
        shorter = np.where(same, largest, -2)  # two blocks: the older token matters
        if (table == -2).any():
            shorter[(table == -2).any(axis=0)] = -2
        levels.insert(0, shorter)
    for k, found in enumerate(levels):
        if (found != -2).all():
            return k
    return len(levels) - 1
