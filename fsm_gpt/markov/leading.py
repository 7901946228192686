"""The leading eigenvalues of a chain of any size, and what they prove about its mixing.

Where a matrix of N by N does not fit, the eigenvalues of largest modulus are found by Arnoldi's
method from products P f alone (ARPACK). What comes out is pairs of a number and a function
with P f = lambda f + r, and r is measured. So lambda is an exact eigenvalue of a matrix at a
distance of |r| / |f| from P. How far it is from an eigenvalue of P itself depends on the chain's
condition, which is not known.

Mixing needs no more than r. Let |f| <= 1 be attained and |r| <= delta everywhere. By repetition
P^t f is within delta (1 - |lambda|^t) / (1 - |lambda|) of lambda^t f, and pi f is within
delta / |1 - lambda| of zero. A function of modulus at most one differs in mean by at most
2 d(t) between the distribution after t steps and pi, so

    2 d(t) >= |lambda|^t - delta (1 - |lambda|^t) / (1 - |lambda|) - delta / |1 - lambda|,

and until that falls below 2 epsilon the chain has not mixed.

References
----------
Lehoucq, Sorensen & Yang (1998), ARPACK Users' Guide. Levin & Peres (2017), Markov Chains and
Mixing Times, section 12.2 (eigenfunctions and mixing). Golub & Van Loan (2013), Matrix
Computations, section 7.1 (residuals as backward errors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.result import Bounded, read_only

__all__ = ["LeadingEigenvalues", "arnoldi", "leading_eigenvalues"]

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

_UNIT = 2.0**-53

#: Up to so many states all eigenvalues are worked out, and the leading ones kept.
_DENSE = 256


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LeadingEigenvalues(Bounded):
    """The eigenvalues of largest modulus, each exact for a matrix near the chain's."""

    error_meaning = "distance of P, in the spectral norm, from a matrix with each eigenvalue,"

    chain: Chain = field(repr=False)
    eigenvalues: Complexes
    """By decreasing modulus, 1 among the first; shape (k,)."""
    residuals: Floats
    """Largest |P f - lambda f| in any state where |f| is at most 1; upper bounds, shape (k,)."""

    def mixing_steps_at_least(self, *, epsilon: float = 0.25) -> int:
        """A proven lower bound on the mixing time, in steps; 0 where these prove nothing.

        It holds for a chain with one stationary distribution.
        """
        if not 0 < epsilon < 1:
            raise InvalidArgument(f"mixing time: epsilon {epsilon} is not between 0 and 1.")
        pairs = zip(self.eigenvalues, self.residuals, strict=True)
        return max((_steps(complex(one), float(delta), epsilon) for one, delta in pairs), default=0)

    def __str__(self) -> str:
        lines = [f"leading eigenvalues ({self.method}; {self.error_sentence})"]
        for value in self.eigenvalues:
            sign = "+" if value.imag > 0 else "-"
            turn = f" {sign} {abs(value.imag):.6g}i" if value.imag else ""
            lines.append(f"  {value.real:.6g}{turn}  (modulus {abs(value):.6g})")
        return "\n".join(lines)


def _steps(value: complex, delta: float, epsilon: float) -> int:
    """Steps during which the inequality of the module's text keeps d(t) above epsilon."""
    size, apart = abs(value), abs(1 - value)
    if not 0 < size < 1 or apart == 0:
        return 0
    # |lambda|**t (1 + drift) > 2 epsilon + drift + delta / |1 - lambda|, each rounded outwards.
    drift = delta / (1 - size) * (1 + 1e-9)
    needed = (2 * epsilon + drift + delta / apart) * (1 + 1e-9) / (1 + drift)
    return 0 if needed >= 1 else math.floor(math.log(needed) / math.log(size) * (1 - 1e-9))


def leading_eigenvalues(chain: Chain, *, most: int = 6) -> LeadingEigenvalues:
    """The eigenvalues of largest modulus, for chains of any size.

    :func:`fsm_gpt.spectrum` gives all of them, with discs that surely hold them, up to some
    thousand states.

    Parameters
    ----------
    most
        How many.

    Raises
    ------
    InvalidArgument
        ``most`` is not between 1 and 64.
    NotConverged
        Arnoldi's method does not settle: too many eigenvalues are nearly as large.

    Examples
    --------
    >>> chain = Chain.from_matrix([[0.75, 0.25], [0.25, 0.75]])
    >>> leading_eigenvalues(chain).eigenvalues.real.round(12)
    array([1. , 0.5])
    """
    require_complete(chain, "leading eigenvalues")
    if not 1 <= most <= 64:
        raise InvalidArgument(f"leading eigenvalues: most is {most}; give a number from 1 to 64.")
    converted = conversion_error(chain)
    chain = chain.floats()
    if chain.n_states <= max(_DENSE, 2 * most + 2):
        values, functions = np.linalg.eig(np.asarray(chain.matrix(), dtype=np.float64))
        method = "dense eigenvalues"
    else:
        values, functions = arnoldi(chain, most)
        method = "Arnoldi's method (ARPACK)"
    order = np.lexsort((-values.imag, -values.real, -np.round(np.abs(values), 12)))[:most]
    values = values[order].astype(np.complex128)
    widest, spectral = np.empty(len(values)), np.empty(len(values))
    # A product P f with |f| <= 1 is rounded by at most this in every state.
    rounding = 4 * (2 * chain.n_tokens + 12) * _UNIT + 2 * converted
    for k, place in enumerate(order):
        f = functions[:, place].astype(np.complex128)
        f = f / np.abs(f).max()
        r = chain.expect(f.real.copy()) + 1j * chain.expect(f.imag.copy()) - values[k] * f
        widest[k] = float(np.abs(r).max()) + rounding
        size = float(np.linalg.norm(f))
        spectral[k] = float(np.linalg.norm(r)) / size + rounding * math.sqrt(len(f)) / size
    return LeadingEigenvalues(
        chain=chain,
        eigenvalues=read_only(values),
        residuals=read_only(widest),
        method=method,
        error_bound=float(spectral.max()) * (1 + 1e-9),
    )


def arnoldi(chain: Chain, most: int, *, accuracy: float = 0.0) -> tuple[Any, Any]:
    """The eigenvalues of largest modulus, in any order, and functions of shape (N, most).

    Parameters
    ----------
    accuracy
        Relative, at which an eigenvalue is taken to be found; 0 is that of floats. Those apart
        from others are far more accurate by the time that the last of a crowd is.

    Raises
    ------
    NotConverged
        They do not settle.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    N = chain.n_states
    P: Any = LinearOperator((N, N), matvec=lambda f: chain.expect(np.ravel(f)), dtype=np.float64)
    begin = np.random.default_rng(0).uniform(0.5, 1.5, N)  # fixed, so that answers repeat
    try:
        ncv = max(4 * most, 20)
        found: Any = eigs(P, k=most, which="LM", v0=begin, ncv=ncv, maxiter=200, tol=accuracy)
    except ArpackNoConvergence as problem:
        raise NotConverged(
            f"leading eigenvalues: Arnoldi's method found {len(problem.eigenvalues)} of {most} in "
            f"200 rounds; others are nearly as large. Ask for fewer or for more with most=..., or "
            f"take a shorter context, where spectrum() gives all of them."
        ) from None
    values, functions = found
    return values, functions
