"""One eigenvalue proven at a time, whatever the others are like.

A computed pair (lambda, x), its largest entry x_k = 1, is a near zero of

    F(x, lambda) = ((P - lambda I) x, x_k - 1).

Let J be the matrix of derivatives there and R nearly its inverse. F is quadratic, so a change
d = (dx, dl) of the pair is a zero if d = -R F + (I - R J) d + R (dl dx, 0). Let beta = |R F|,
alpha = |I - R J| < 1 and kappa = |R|, in the norm of largest entries. The right-hand side takes
the ball of radius rho into itself if

    beta + alpha rho + kappa rho^2 <= rho,

and then Brouwer's theorem gives a zero in it: a true eigenvalue of P is within rho of lambda.
The last row of R says more sharply how far lambda itself can move. Nothing is said of how many
eigenvalues are in there, and all other eigenvalues may be as defective as they like, as those
of window chains are, where discs of the whole spectrum (:mod:`fsm_gpt.markov.spectrum`) fail.
It fails itself where another eigenvalue is nearer than about 1e-7.

The nearest one is often 1. So it is taken away first: whatever w is, P - 1 w^T has the
eigenvalues of P, but for 1, which becomes 1 - (sum of w) (Brauer). Here w is pi.

References
----------
Brauer (1952), Duke Mathematical Journal 19, 75-91. Rump (2001), Linear Algebra and its
Applications 324, 133-146. Krawczyk (1969), Computing 4, 187-201 (the operator). Yamamoto (1980),
Numerische Mathematik 34, 189-199 (one eigenpair).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["distance_to_an_eigenvalue"]

Floats = npt.NDArray[np.float64]

_UNIT = 2.0**-53


def distance_to_an_eigenvalue(P: Floats, pi: Floats, value: complex, f: npt.NDArray[Any]) -> float:
    """A proven bound on the distance from ``value`` to an eigenvalue of P; infinite where none is.

    Parameters
    ----------
    P
        A stochastic matrix, shape (n, n), each entry right to n + 4 roundings.
    pi
        Its stationary distribution, shape (n,); the better, the sharper the bound.
    value, f
        A computed eigenvalue other than 1 and its function, shape (n,).

    >>> P, half = np.array([[0.75, 0.25], [0.25, 0.75]]), np.array([0.5, 0.5])
    >>> distance_to_an_eigenvalue(P, half, 0.5, np.array([1.0, -1.0])) < 1e-13
    True
    """
    n, away = len(P), abs(1 - float(pi.sum()))
    k = int(np.argmax(np.abs(f)))
    x = f / f[k]
    lam: Any = value
    if not np.iscomplexobj(f) or (value.imag == 0 and not x.imag.any()):
        x, lam = x.real, value.real
    J = np.zeros((n + 1, n + 1), dtype=x.dtype)
    J[:n, :n] = P - pi
    J[np.arange(n), np.arange(n)] -= lam
    J[:n, n] = -x
    J[n, k] = 1
    try:
        R = np.linalg.inv(J)
    except np.linalg.LinAlgError:
        return math.inf
    if not np.isfinite(R).all():
        return math.inf
    # Of complex products of n + 1 terms, of P's own last places, and of the sums over rows.
    gamma = 8 * (n + 12) * _UNIT
    size_R = np.abs(R)
    F = np.append(np.abs(J[:n, :n] @ x), 0.0)
    F[:n] += gamma * (P @ np.abs(x) + pi @ np.abs(x) + abs(lam) * np.abs(x))
    beta = size_R @ F * (1 + gamma)
    # sizes of J, without a second matrix: |J| <= P + 1 pi + |lam| I, the column |x|, the row e_k
    of_rows = np.append(P.sum(axis=1) + pi.sum() + abs(lam) + np.abs(x), 1.0)
    off = np.abs(np.eye(n + 1) - R @ J).sum(axis=1) + gamma * (size_R @ of_rows + 1)
    off *= 1 + gamma
    spread = size_R.sum(axis=1) * (1 + gamma)
    radius = _moved(beta, off, spread)
    # What 1 has become is no eigenvalue of P.
    return radius if radius + away + n * _UNIT < abs(value) else math.inf


def _moved(beta: Floats, off: Floats, spread: Floats) -> float:
    """How far the last unknown can move; the arguments are |R F|, |I - R J| and |R| by rows."""
    widest, alpha, kappa = float(beta.max()), float(off.max()), float(spread.max())
    below = (1 - alpha) ** 2 - 4 * kappa * widest
    if not (alpha < 1 and below > 0):
        return math.inf
    rho = 2 * widest / (1 - alpha + math.sqrt(below)) * (1 + 2.0**-40)
    if not (widest + alpha * rho + kappa * rho**2) * (1 + 2.0**-48) <= rho:
        return math.inf
    last = float(beta[-1]) + float(off[-1]) * rho + float(spread[-1]) * rho**2
    return min(rho, last * (1 + 2.0**-40))
