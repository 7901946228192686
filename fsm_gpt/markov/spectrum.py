"""Eigenvalues of the transition matrix, and how far each can be trusted.

The eigenvalues of a stochastic matrix lie in the closed unit disc, 1 among them. The
*spectral gap* is 1 - |second|, by decreasing modulus; a closed class of period d has d
eigenvalues of modulus 1, and each further closed class adds another 1.

A window chain is far from normal: appending a token forgets the oldest one, so much of P
is nilpotent, and a plain eigenvalue routine spreads an exact zero of multiplicity m over a
circle of radius about u**(1/m). Independent tokens at V = 2, L = 12 have the eigenvalues 1
and 0 alone, and a plain routine reports 0.03. Two things are done about it.

*Exact reduction.* If every row depends on the last k < L tokens only, the spectrum of P is
that of the order-k chain and zeros. For P maps functions of the last m tokens to functions
of the last max(m - 1, k), so P is nilpotent modulo the functions of the last k.

*Conditioning and discs.* The condition of a simple eigenvalue with right and left
eigenvectors x, y is |x| |y| / |y* x|: a change of size e in P moves it by about that times
e. Beyond this first-order estimate, discs are proven: with computed eigenvectors X and
Y close to X^-1, the matrix X^-1 P X is diag(lambda) + E with
|E| <= |Y| |P X - X diag(lambda)| up to a factor from |I - Y X|, and Gershgorin's theorem
places an eigenvalue in the disc of radius sum_j |E[i, j]| about lambda[i] if it meets no
other, and m eigenvalues in the union of m discs that do; such discs are widened to hold the
whole union. Rounding is bounded and included.

References
----------
Golub & Van Loan (2013), Matrix Computations, sections 7.2.1 and 7.2.2. Rump (2001), Linear
Algebra and its Applications 324, 133-146 (verified eigenvalues). Levin & Peres (2017),
chapter 12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, read_only
from fsm_gpt.space import ContextSpace

__all__ = ["Spectrum", "eigenpairs", "exact_order", "spectrum"]

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Spectrum(Bounded):
    """Eigenvalues by decreasing modulus, with their conditioning."""

    error_meaning = "distance of every eigenvalue from a true one"

    chain: Chain = field(repr=False)
    eigenvalues: Complexes
    """Those of the chain reduced to its exact order; shape (n,)."""
    condition: Floats
    """Condition number of each, infinite where the eigenvectors are parallel; shape (n,)."""
    radius: Floats
    """Radius of the disc that is proven to hold each, infinite where there is none; shape (n,)."""
    order: int | None
    """The number of last tokens that the rows depend on; None where states are not windows."""
    n_zero: int
    """How many further eigenvalues are exactly zero."""

    @property
    def gap(self) -> float:
        """1 - |second eigenvalue|; 1 where the only other eigenvalue is zero."""
        if len(self.eigenvalues) > 1:
            return max(0.0, 1.0 - float(abs(self.eigenvalues[1])))
        return 1.0

    @property
    def uncertain(self) -> npt.NDArray[np.bool_]:
        """Which eigenvalues cannot be told from zero by first-order conditioning."""
        return self.condition * len(self.eigenvalues) * _UNIT >= np.abs(self.eigenvalues)

    def __str__(self) -> str:
        lines = [f"spectrum ({self.method}; {self.error_sentence})", f"  gap {self.gap:.6g}"]
        for value, condition in list(zip(self.eigenvalues, self.condition, strict=True))[:12]:
            number = f"{value.real:.6g}"
            if abs(value.imag) > 0:
                number += f" {'+' if value.imag > 0 else '-'} {abs(value.imag):.6g}i"
            lines.append(f"  {number}  (modulus {abs(value):.6g}, condition {condition:.1e})")
        if len(self.eigenvalues) > 12:
            lines.append(f"  ... and {len(self.eigenvalues) - 12:,} more")
        if self.n_zero:
            lines.append(f"  and exactly 0, {self.n_zero:,} times")
        return "\n".join(lines)


def exact_order(chain: Chain) -> int | None:
    """The smallest k such that every row depends on the last k tokens only.

    None where the states are not all windows.

    >>> exact_order(Chain([[0.5, 0.5]] * 8)), exact_order(Chain([[0.5, 0.5], [0, 1]] * 4))
    (0, 1)
    """
    if not chain.is_window or not isinstance(chain.states, ContextSpace):
        return None
    rows, V = chain.next_token, chain.n_tokens
    order = chain.states.length
    while order and bool((rows.reshape(V, -1, V) == rows[: len(rows) // V]).all()):
        rows, order = rows[: len(rows) // V], order - 1
    return order


def spectrum(chain: Chain) -> Spectrum:
    """All eigenvalues, by decreasing modulus, each with its condition number.

    Raises
    ------
    StateSpaceTooLarge
        More states than dense methods serve, after reduction to the exact order.

    Examples
    --------
    Independent tokens have no second eigenvalue but zero:

    >>> found = spectrum(Chain([[0.3, 0.7]] * 16))
    >>> found.eigenvalues.real, found.n_zero, found.gap
    (array([1.]), 15, 1.0)
    """
    require_complete(chain, "spectrum")
    chain = chain.floats()
    order = exact_order(chain)
    reduced = chain
    if order is not None and order < (chain.context or 0):
        rows = chain.next_token[: chain.n_tokens ** max(order, 1)]
        reduced = Chain(rows, vocabulary=chain.vocabulary, context=max(order, 1))
    if order == 0:
        values = np.ones(1, dtype=np.complex128)
        condition, radius = np.ones(1), np.zeros(1)
    else:
        values, _, condition, radius = eigenpairs(reduced.matrix())
    worst = float(radius.max())
    bound: Bound = worst if math.isfinite(worst) else UNCERTIFIED
    method = "dense eigenvalues"
    if order is not None and order < (chain.context or 0):
        method += f" of the chain reduced to its exact order {order}"
    return Spectrum(
        chain=chain,
        eigenvalues=read_only(values),
        condition=read_only(condition),
        radius=read_only(radius),
        order=order,
        n_zero=chain.n_states - len(values),
        method=method,
        error_bound=bound,
        uncertified_because=""
        if bound != UNCERTIFIED
        else "some eigenvectors are nearly parallel; see the condition numbers",
    )


def eigenpairs(P: Floats) -> tuple[Complexes, Complexes, Floats, Floats]:
    """Eigenvalues by decreasing modulus, functions, condition numbers and radii of discs.

    Function k is column k.
    """
    from scipy.linalg import eig

    answer: Any = eig(P, left=True, right=True)
    values, left, right = answer
    with np.errstate(divide="ignore", over="ignore"):
        condition = 1 / np.abs((left.conj() * right).sum(axis=0))
    radius = _radii(P, values, right)
    # By modulus, then by real part and sign of the imaginary one, so that the order is fixed.
    keys = (-values.imag, -values.real, -np.round(np.abs(values), 12))
    order = np.lexsort(keys)
    return values[order], right[:, order], np.asarray(condition)[order], radius[order]


def _radii(P: Floats, values: Complexes, X: Complexes) -> Floats:
    """Gershgorin radii of X^-1 P X about the computed eigenvalues, rounding included."""
    n = len(P)
    unknown = np.full(n, np.inf)
    try:
        Y = np.linalg.inv(X)
    except np.linalg.LinAlgError:
        return unknown
    gamma = 4 * (n + 8) * _UNIT  # of a complex product, and of P's own last place
    size_X, size_Y = np.abs(X), np.abs(Y)
    if not (np.isfinite(size_Y).all()):
        return unknown
    wrong = np.abs(P @ X - X * values) + gamma * (P @ size_X + size_X * np.abs(values))
    off = np.abs(np.eye(n) - Y @ X) + gamma * (size_Y @ size_X + np.eye(n))
    # |X^-1| <= (I - off)^-1 |Y| where the norm of off is below one.
    E = size_Y @ wrong * (1 + gamma)
    norm = float(off.sum(axis=1).max())
    if not norm < 0.5:
        return unknown
    spread = off @ np.broadcast_to(E.sum(axis=1).max(), (n,)) / (1 - norm)
    return _around_clusters(values, (E.sum(axis=1) + spread) * (1 + gamma))


def _around_clusters(values: Complexes, radius: Floats) -> Floats:
    """Radii that also hold every disc connected to one's own.

    A disc that meets others may hold no eigenvalue; their union holds as many as it has discs.
    """
    from scipy.sparse.csgraph import connected_components

    apart = np.abs(values[:, None] - values[None, :])
    touching = apart <= radius[:, None] + radius[None, :]
    _, cluster = connected_components(touching, directed=False)
    together = cluster[:, None] == cluster[None, :]
    return np.asarray(np.where(together, apart + radius[None, :], 0.0).max(axis=1))
