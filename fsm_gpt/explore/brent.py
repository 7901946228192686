"""Brent's algorithm for many starts at once: the cycle that each ends in, nothing stored.

A map f of a finite set into itself sends every start x along a tail of mu steps onto a cycle of
lambda elements. A tortoise waits at step 2**k - 1 while a hare goes on for up to 2**k steps; as
soon as the hare meets the tortoise, the steps since then are lambda. Then two walkers, lambda
steps apart from the start on, meet for the first time at step mu. All starts share one schedule,
so a step is one application of f to those that have not met yet.

The hare has met the tortoise after 3 max(mu + 1, lambda) steps at the latest: the tortoise is on
the cycle and given time for a round as soon as 2**k >= max(mu + 1, lambda), so 2**k is less than
twice that, and they meet at step 2**k - 1 + lambda.

References
----------
Brent (1980), An improved Monte Carlo factorization algorithm, BIT 20, 176-184.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.explore.windows import Ids, Table

__all__ = ["cycle_lengths", "tails"]

Follow = Callable[[Table], Table]


def cycle_lengths(
    follow: Follow, starts: Table, most: int, progress: Callable[[int, int], None] | None = None
) -> Ids:
    """The length of the cycle that each start ends in, 0 where none was noticed in ``most`` steps.

    >>> def modulo(table):
    ...     return (table * table + 1) % 255  # 3, 10, 101, 2, 5, 26, 167, 95, 101, ...
    >>> cycle_lengths(modulo, np.array([[3], [0]], dtype=np.int32), 100)
    array([6, 6])
    """
    lengths = np.zeros(len(starts), dtype=np.int64)
    walking = np.arange(len(starts))
    tortoise, hare = starts, starts
    since = wait = 0
    for step in range(1, most + 1):
        if since == wait:
            tortoise, since, wait = hare, 0, max(1, 2 * wait)
        hare = follow(hare)
        since += 1
        met = (tortoise == hare).all(axis=1)
        lengths[walking[met]] = since
        walking, tortoise, hare = walking[~met], tortoise[~met], hare[~met]
        if progress is not None:
            progress(step, len(walking))
        if not len(walking):
            break
    return lengths


def tails(follow: Follow, starts: Table, lengths: Ids, most: int) -> tuple[Ids, Table]:
    """The steps from each start to its cycle, and the element there that it comes to first.

    >>> def modulo(table):
    ...     return (table * table + 1) % 255
    >>> tails(modulo, np.array([[3]], dtype=np.int32), np.array([6]), 100)  # 3, 10, 101, 2, 5, ...
    (array([2]), array([[101]], dtype=int32))
    """
    ahead = starts.copy()
    for step in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > step)
        ahead[going] = follow(ahead[going])
    behind, steps = starts.copy(), np.zeros(len(starts), dtype=np.int64)
    for _ in range(most + 1):
        apart = np.flatnonzero((behind != ahead).any(axis=1))
        if not len(apart):
            return steps, behind
        both = follow(np.concatenate([behind[apart], ahead[apart]]))
        behind[apart], ahead[apart] = both[: len(apart)], both[len(apart) :]
        steps[apart] += 1
    raise unsteady()


def unsteady() -> InvalidArgument:
    """The error where a map is none: it gave two answers to one question."""
    return InvalidArgument(
        "greedy_cycles: asked twice about one window, the model did not choose the same token, so "
        "there is no cycle to speak of. The usual cause is dropout or other randomness inside it, "
        "or two tokens so close that rounding decides; use it in evaluation mode and in float64."
    )
