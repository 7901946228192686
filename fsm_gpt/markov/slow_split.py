"""States split into sets by slow functions: PCCA+ on an invariant subspace.

If a chain has n sets that are seldom left, the functions f of its n slowest modes (P f = lambda f,
the constant one among them) hardly change within a set. Written side by side as the rows of
a table, shape (N, n), the states of a set lie close together, and all of them nearly in a
simplex with a set at each corner. Only the span of the functions matters, and no reversibility
is asked for: on the leading real Schur vectors of P, which have the same span, this is GenPCCA.

1. The functions are made orthonormal in the mean square under pi.
2. *Corners*: the state farthest out, then each time the one farthest from the flat that goes
   through those chosen (the inner simplex algorithm). A state belongs where its membership, its
   coordinate in the simplex, is largest.
3. A rare state may be far out by itself. So corners are also moved to the pi-means of their
   sets until nothing changes (k-means in slow coordinates), from those corners and from corners
   at which the distance counts by the root of pi. Of all splits found that is kept whose sets
   are stayed in most: the largest sum over sets of the probability to stay for the next token.

It is a heuristic: another split may be stayed in more.

References
----------
Weber & Galliat (2002), ZIB-Report 02-12 (the inner simplex algorithm). Deuflhard & Weber (2005),
Linear Algebra and its Applications 398, 161-184. Roeblitz & Weber (2013), Advances in Data
Analysis and Classification 7, 147-179 (PCCA+). Reuter, Weber, Fackeldey, Roeblitz & Garcia
(2018), J. Chem. Theory Comput. 14, 3579-3594 (GenPCCA, chains that are not reversible). Lafon &
Lee (2006), IEEE Trans. Pattern Anal. Mach. Intell. 28, 1393-1403 (k-means in slow coordinates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

__all__ = ["orthonormal", "split"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Moves of the corners, of which a handful are enough.
MOST_MOVES = 60


def split(functions: Floats, pi: Floats, stay: Callable[[Ids], float]) -> Ids | None:
    """The set of each state, 0 to n - 1 and none empty; None where no split into n is found.

    Parameters
    ----------
    functions
        Real functions that span those of the n - 1 slow modes, shape (N, n - 1).
    pi
        The stationary distribution, positive, shape (N,).
    stay
        Of the sets of all states the sum of the probabilities to stay.

    Examples
    --------
    >>> f = np.array([[1.0], [0.9], [-1.0]])
    >>> split(f, np.full(3, 1 / 3), lambda sets: 0.0).tolist()
    [0, 0, 1]
    """
    X = orthonormal(functions, pi)
    n = X.shape[1]
    best, most = None, -np.inf
    for sets in _splits(X, pi):
        if len(np.unique(sets)) < n:
            continue
        kept = stay(sets)
        if kept > most * (1 + 1e-12) or best is None:
            best, most = sets, kept
    return None if best is None else _in_order(best)


def orthonormal(functions: Floats, pi: Floats) -> Floats:
    """The constant function and these, made orthonormal in the mean square under pi."""
    table = np.column_stack([np.ones(len(pi)), functions])
    table /= np.abs(table).max(axis=0)
    root = np.sqrt(pi)[:, None]
    _, R = np.linalg.qr(root * table)
    if not (np.abs(np.diag(R)) > 1e-12).all():
        return table
    return np.asarray(np.linalg.solve(R.T, table.T).T)


def _splits(X: Floats, pi: Floats) -> Iterator[Ids]:
    corners = X[_corners(X, np.ones(len(X)))]
    with suppress(np.linalg.LinAlgError):
        yield np.argmax(np.linalg.solve(corners.T, X.T), axis=0)
    yield _moved(X, pi, corners)
    yield _moved(X, pi, X[_corners(X, np.sqrt(pi))])


def _corners(X: Floats, weight: Floats) -> Ids:
    """States far out, one a set: distances from the flat through those chosen, by weight."""
    chosen = [int(np.argmax(np.linalg.norm(X[:, 1:], axis=1) * weight))]
    left = X - X[chosen[0]]
    for _ in range(X.shape[1] - 1):
        size = np.linalg.norm(left, axis=1)
        chosen.append(int(np.argmax(size * weight)))
        largest = size[chosen[-1]]
        if largest == 0:
            break
        along = left[chosen[-1]] / largest
        left = left - np.outer(left @ along, along)
    return np.array(chosen)


def _moved(X: Floats, pi: Floats, corners: Floats) -> Ids:
    """Each state with the nearest corner, and corners at the means of their states, in turn."""
    sets = _nearest(X, corners)
    for _ in range(MOST_MOVES):
        mass = np.bincount(sets, pi, len(corners))
        if not (mass > 0).all():
            break
        means = [np.bincount(sets, pi * X[:, k], len(corners)) / mass for k in range(X.shape[1])]
        again = _nearest(X, np.column_stack(means))
        if (again == sets).all():
            break
        sets = again
    return sets


def _nearest(X: Floats, corners: Floats) -> Ids:
    return np.asarray(np.argmin((corners**2).sum(axis=1) - 2 * X @ corners.T, axis=1))


def _in_order(sets: Ids) -> Ids:
    """Sets numbered in the order in which their first states come."""
    _, first, place = np.unique(sets, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[place])
