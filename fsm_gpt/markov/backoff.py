"""What window chains make easy for the multilevel solver.

*Backoff cycles.* Contexts that agree in all but the oldest token are one group. Weighted by a
guess x, the chain of groups is again a window chain, with one token of context less:
P'[r, t] = sum_a x[a r] P[a r, t] / sum_a x[a r]. It is solved the same way, down to a few hundred
windows, and its solution x' is prolonged by a step of the chain: x[r t] = x'[r] P'[r, t]. A
cycle costs V / (V - 1) products x P.

*Flows.* What flows into each window comes from one product.

References
----------
Katz (1987), IEEE Trans. ASSP 35, 400-401 (backing off to shorter contexts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.kernels import aggregation as loops
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.rows import Numbers

__all__ = ["BOTTOM", "Push", "backoff", "backoff_by_product", "inflow_of_windows"]

Floats = npt.NDArray[np.float64]
#: A product of the first vector, written to the second.
Push: TypeAlias = Callable[[Floats, Floats], Floats]

#: Chains of at most this many states are solved by elimination.
BOTTOM = 256


def inflow_of_windows(push: Push, rows: Numbers, sums: Floats) -> Push | None:
    """What flows into each window from others, by the product x P.

    Only the V windows of one token repeated flow into themselves. What flows into them from
    others is added up anew; nothing is subtracted.
    """
    N, V = rows.shape
    if N <= V * V:
        return None
    token = np.arange(V)
    repeated = token * (N - 1) // (V - 1) if V > 1 else token
    before = (repeated % (N // V))[:, None] + token * (N // V)
    share = rows[before, token[:, None]] / sums[before]
    share[token, token] = 0.0

    def inflow(x: Floats, into: Floats) -> Floats:
        into = push(x, into)
        into[repeated] = (x[before] * share).sum(axis=1)
        return into

    return inflow


def backoff(rows: Numbers, sums: Floats, x: Floats) -> Floats:
    """One backoff cycle on the windows with these rows, shape (V**L, V), divided by their sums."""
    N, V = rows.shape
    if N == 1:  # no context is left, as below one token of more than BOTTOM
        return np.ones(1)
    if N <= BOTTOM:
        matrix = np.zeros((N, N))
        states = np.arange(N)
        for token in range(V):
            matrix[states, states % (N // V) * V + token] = rows[:, token] / sums
        found = eliminate(matrix).left_null_vector()
        return np.asarray(found / found.sum())
    flow, out, weight = loops.shorten(rows, sums, x)
    solved = backoff(flow, out, weight)
    return loops.lengthen(flow, out, solved)


def backoff_by_product(push: Push, V: int, x: Floats, into: Floats) -> Floats:
    """One backoff cycle where there is a product x P and no array of rows; x and into are used up.

    Seen as (R, V), x P holds the flows from each shorter context r to each token, and their sums
    are its weight: that is what :func:`backoff` makes of the rows on its first level.
    """
    flow = push(x, into).reshape(-1, V)
    weight = x.reshape(V, -1).sum(axis=0)
    out = flow.sum(axis=1)
    solved = backoff(flow, out, weight)
    solved /= out
    flow *= solved[:, None]
    return flow.reshape(-1)
