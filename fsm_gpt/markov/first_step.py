"""First-step equations (I - Q) f = b on large chains.

Q holds transitions among n unknown states, and e(i) is the probability of leaving them. The
equations are solved by GMRES, preconditioned by a multilevel cycle: the hierarchy of
:mod:`fsm_gpt.markov.multilevel`, used the other way round. There, x is corrected by a
factor for each group of states; here f is corrected by a constant for each group, because
from states that lead to one another quickly the future looks nearly the same. Rates between
groups are the same weighted sums, with x the stationary distribution of the whole chain.

References
----------
Saad & Schultz (1986), SIAM J. Sci. Stat. Comput. 7, 856-869 (GMRES). Vanek, Mandel & Brezina
(1996), Computing 56, 179-196 (aggregation as a preconditioner).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.kernels import aggregation as loops
from fsm_gpt.markov.elimination import Elimination, eliminate
from fsm_gpt.markov.multilevel import BOTTOM

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["solve_first_step"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]
Ids = npt.NDArray[np.int64]


@dataclass(eq=False)
class _Level:
    """One level: its rates, how its states are grouped, and how much each weighs."""

    start: Ids
    target: Places
    rate: Floats
    out: Floats
    x: Floats
    group: Places
    weight: Floats
    work: Floats


@dataclass(eq=False)
class _Cycle:
    """An approximate inverse of I - Q: one V-cycle."""

    levels: list[_Level]
    bottom: Elimination

    def __call__(self, b: Floats, depth: int = 0) -> Floats:
        if depth == len(self.levels):
            return np.asarray(self.bottom.solve(b))
        level = self.levels[depth]
        f = 0.7 * b / level.out
        self._sweep(level, b, f, 1)
        missing = loops.missing_of(level.start, level.target, level.rate, level.out, b, f)
        coarse = loops.average(missing, level.x, level.group, level.weight)
        f += self(coarse, depth + 1)[level.group]
        self._sweep(level, b, f, 2)
        return f

    @staticmethod
    def _sweep(level: _Level, b: Floats, f: Floats, sweeps: int) -> None:
        for _ in range(sweeps):
            loops.relax(level.start, level.target, level.rate, level.out, b, f, level.work)


def _build(start: Ids, target: Places, rate: Floats, leaving: Floats, x: Floats) -> _Cycle:
    levels: list[_Level] = []
    while len(leaving) > BOTTOM:
        out = loops.rates_out(start, rate) + leaving
        best, strength = loops.strongest_target(start, target, rate)
        group, groups = loops.merge_pairs(best, loops.strongest_first(strength))
        if groups > 0.95 * len(leaving):
            break
        slot, coarse_start, coarse_target = loops.coarse_pattern(start, target, group, groups)
        coarse, weight = loops.add_rates(
            start, rate, x, group, slot, coarse_start, len(coarse_target)
        )
        levels.append(_Level(start, target, rate, out, x, group, weight, np.empty(len(x))))
        leaving = loops.average(leaving, x, group, weight)
        start, target, rate, x = coarse_start, coarse_target, coarse, weight
    return _Cycle(levels, eliminate(loops.to_dense(start, target, rate), leaving))


def solve_first_step(Q: csr_array, leaving: Floats, b: Floats, x: Floats) -> Floats | None:
    """A positive solution of (I - Q) f = b, or None where the iteration does not settle.

    Parameters
    ----------
    leaving
        Probability of leaving the unknown states, shape (n,).
    x
        Positive weights of the states, such as their stationary probabilities.

    Each round of GMRES solves for what is still missing. What is missing cannot fall below
    the rounding of f itself, so it is not asked to: rounds end when it no longer halves.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    entries = Q.tocoo()
    off = entries.row != entries.col
    order = np.lexsort((entries.col[off], entries.row[off]))
    source, target = entries.row[off][order], entries.col[off][order].astype(np.int32)
    rate = entries.data[off][order]
    n = len(b)
    start = np.searchsorted(source, np.arange(n + 1)).astype(np.int64)
    out = loops.rates_out(start, rate) + leaving
    cycle = _build(start, target, rate, leaving, x)
    nothing = np.zeros(n)

    def apply(f: Floats) -> Floats:
        return -loops.missing_of(start, target, rate, out, nothing, np.asarray(f))

    A: Any = LinearOperator((n, n), matvec=apply, dtype=np.float64)
    M: Any = LinearOperator((n, n), matvec=cycle, dtype=np.float64)
    f, missing = np.zeros(n), b
    size = float(np.abs(b).max())
    for _ in range(20):
        f = f + gmres(A, missing, rtol=1e-5, restart=30, maxiter=2, M=M)[0]
        missing = loops.missing_of(start, target, rate, out, b, f)
        before, size = size, float(np.abs(missing).max())
        if not np.isfinite(size) or size > before / 2:
            break
    rounding = 64 * 2.0**-53 * float(np.abs(f).max())
    settled = size <= max(rounding, 1e-9 * float(np.abs(b).max()))
    return f if settled and bool((f > 0).all()) else None
