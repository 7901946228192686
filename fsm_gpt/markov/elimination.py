"""Gaussian elimination without subtraction.

Let Q hold the transition probabilities among n states and e(i) the probability of
leaving them from i. The matrix A = I - Q has diagonal entries 1 - Q[i, i], and that
difference is the sum of everything else in the row:

    A[i, i] = sum_{j != i} Q[i, j] + e(i).

Grassmann, Taksar and Heyman's observation is that elimination can keep it so: to
eliminate state k is to watch the chain only while it is elsewhere (censoring), which
adds Q[i, k] Q[k, j] / s(k) to Q[i, j], with s(k) the probability of leaving k, again a
sum. Nothing is ever subtracted, so no digit is lost: each entry of the answer has a
small relative error whatever the condition of the chain. The diagonal of Q is never
read.

The same code works on arrays of floats, of rationals, of elements of a field of rational
functions, and on intervals (:mod:`fsm_gpt.markov.intervals`).

References
----------
Grassmann, Taksar & Heyman (1985), Operations Research 33, 1107-1116 (GTH).
O'Cinneide (1993), Numerische Mathematik 65, 109-120 (its entrywise accuracy).
Alfa, Xue & Ye (2002), Mathematics of Computation 71, 217-236 (A X = B likewise).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.intervals import Intervals

__all__ = ["Elimination", "Entries", "eliminate", "zeros"]

#: An array of anything that can be added, multiplied and divided.
Entries: TypeAlias = Any

#: Columns eliminated between two updates of the rest, which are matrix products.
_BLOCK = 48


def zeros(like: Entries, shape: int | tuple[int, ...]) -> Entries:
    """Zeros of the same kind of number."""
    return like.zeros(shape) if isinstance(like, Intervals) else np.zeros(shape, like.dtype)


def _is_zero(number: Entries) -> bool:
    return number.is_zero() if isinstance(number, Intervals) else bool(number == 0)


def _add_product(target: Entries, left: Entries, right: Entries) -> None:
    """Adds left @ right to target in place; rationals skip rows and columns of zeros."""
    if target.dtype != object:
        target[...] = target + left @ right
        return
    rows = np.flatnonzero((left != 0).any(axis=1))
    columns = np.flatnonzero((right != 0).any(axis=0))
    if len(rows) and len(columns):
        target[np.ix_(rows, columns)] += left[rows] @ right[:, columns]


def _beyond_floats() -> np.errstate:
    """What leaves the range of floats is looked for in the answer, once."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")


@dataclass(frozen=True, eq=False)
class Elimination:
    """I - Q = (I - U) (diag(s) - L), with U strictly upper and L strictly lower, all >= 0.

    ``factors`` holds U above its diagonal and L below it.
    """

    factors: Entries
    leaving: Entries

    def _blocks(self) -> list[tuple[int, int]]:
        n = len(self.leaving)
        step = 1 if self.factors.dtype == object else _BLOCK
        return [(max(0, last - step), last) for last in range(n, 0, -step)]

    def solve(self, B: Entries) -> Entries:
        """The X >= 0 with (I - Q) X = B, for B >= 0 of shape (n,) or (n, m).

        Raises
        ------
        NotConverged
            A float of it would be above 1e308, or is lost below 1e-308.
        """
        with _beyond_floats():
            X = self._solved((B[:, None] if B.ndim == 1 else B).copy())
        if isinstance(X, np.ndarray) and X.dtype != object and not np.isfinite(X).all():
            raise NotConverged(
                f"elimination: with {len(X):,} states an answer is beyond the floats, above 1e308: "
                f"some state is left too rarely. Ask for exact=True, which has no largest number."
            )
        return X[:, 0] if B.ndim == 1 else X

    def _solved(self, X: Entries) -> Entries:
        F, s = self.factors, self.leaving
        for first, last in self._blocks():
            for k in range(last - 1, first - 1, -1):
                _add_product(X[first:k], F[first:k, k : k + 1], X[k : k + 1])
            _add_product(X[:first], F[:first, first:last], X[first:last])
        for first, last in reversed(self._blocks()):
            _add_product(X[first:last], F[first:last, :first], X[:first])
            for k in range(first, last):
                _add_product(X[k : k + 1], F[k : k + 1, first:k], X[first:k])
                X[k] = X[k] / s[k]
        return X

    def left_null_vector(self) -> Entries:
        """The x > 0 with x (I - Q) = 0 and x[0] = 1, where nothing leaves the n states.

        Floats beyond their range are infinite or undefined.
        """
        F = self.factors
        x = F[0].copy()
        x[0] = 1
        with _beyond_floats():
            for k in range(1, len(x)):
                x[k] = (x[:k] * F[:k, k]).sum()
        return x


def eliminate(Q: Entries, leaving: Entries | None = None) -> Elimination:
    """Eliminates the last state, the one before it, and so on down to the first.

    Parameters
    ----------
    Q
        Non-negative, shape (n, n); its diagonal is not read.
    leaving
        Probability of leaving the n states from each, shape (n,); every state must have
        a way out. Left out, nothing leaves: the first state is left over and
        :meth:`Elimination.left_null_vector` is the answer.

    Raises
    ------
    NotConverged
        A state's probability of going on to the remaining ones underflows to zero.
    """
    with _beyond_floats():
        return _eliminated(Q.copy(), leaving)


def _eliminated(F: Entries, leaving: Entries | None) -> Elimination:
    n = len(F)
    e = zeros(F, n) if leaving is None else leaving.copy()
    s = e.copy()
    step = 1 if F.dtype == object else _BLOCK
    for last in range(n, 0, -step):
        first = max(0, last - step)
        for k in range(last - 1, first - 1, -1):
            s[k] = F[k, :k].sum() + e[k]
            if _is_zero(s[k]):
                if k == 0 and leaving is None:
                    break
                raise NotConverged(
                    f"elimination: the probability of leaving state {k} of {n} underflows to zero, "
                    f"so its entries cannot be told apart. Ask for exact=True, which has no "
                    f"smallest number."
                )
            F[:k, k] = F[:k, k] / s[k]
            e[first:k] = e[first:k] + F[first:k, k] * e[k]
            _add_product(F[:k, first:k], F[:k, k : k + 1], F[k : k + 1, first:k])
            _add_product(F[first:k, :first], F[first:k, k : k + 1], F[k : k + 1, :first])
        _add_product(F[:first, :first], F[:first, first:last], F[first:last, :first])
        e[:first] = e[:first] + (F[:first, first:last] * e[first:last]).sum(axis=1)
    return Elimination(F, s)
