"""Stationary distributions of large classes: multilevel aggregation without subtraction.

*Aggregation.* Put states in groups I, J, ... and let x > 0 be a guess. The coarse chain
moves from I to J with probability sum_{i in I, j in J} x(i) P[i, j] / sum_{i in I} x(i). If
X is its stationary distribution, x(i) is multiplied by X(I) / sum_{i' in I} x(i'): mass is
right between groups, and two sweeps of damped Jacobi before and after, which only add,
multiply and divide, set it right within them. The coarse chain is solved the same way, down
to a few hundred states, where elimination without subtraction ends the recursion. Nothing
is subtracted anywhere, so each entry keeps its own relative accuracy.

Two hierarchies take turns in a cycle:

- *Backoff*, for window chains whose every state is in the class: contexts that agree in all
  but the oldest token are one group (:mod:`fsm_gpt.markov.backoff`).
- *Strength*, for any chain: each state joins its most probable other successor, strongest
  first, two by two. Pairs, rather than larger groups, keep the number of cycles small: on a
  chain that emits its oldest token again, groups of up to four take over a hundred cycles
  to do what pairs do in thirty. Groups are formed anew in cycles 1, 3 and 6.

*Before the first cycle* come products x P, each a small part of the work of a cycle. On a
chain that forgets fast they are all that is needed, and how the change shrinks from one to
the next tells soon whether they will be. They serve only where the certificate then proves
what was asked for: a nearly decomposable chain looks settled to them and is not.

*When to stop.* A small residual says little. Cycles go on until no entry changes by more
than rounding or until the certificate of :mod:`fsm_gpt.markov.certificate` proves what was
asked for.

References
----------
Horton & Leutenegger (1994), SIGMETRICS '94, 191-200 (the multilevel method). De Sterck,
Manteuffel, McCormick, Nguyen & Ruge (2008), SIAM J. Sci. Comput. 30, 2235-2262. Stewart
(1994), Introduction to the Numerical Solution of Markov Chains, chapter 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.kernels import aggregation as loops
from fsm_gpt.markov.backoff import BOTTOM, Push, backoff, inflow_of_windows
from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.markov.closed_class import Progress
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.rows import Numbers

__all__ = ["Cycles", "solve"]

Ids = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

#: Cycles in which groups are formed anew.
_REGROUP = (1, 3, 6)

#: Changes of an entry that are rounding: always, and once they no longer halve.
_ROUNDING, _NEARLY = 5e-15, 1e-12

#: Products come in blocks of so many, and so many blocks take no longer than four cycles.
_BLOCK, _MOST_BLOCKS = 16, 32


@dataclass(frozen=True, eq=False)
class Cycles:
    """What the solver found, and what it did."""

    x: Floats
    count: int
    #: The number of states on each level of the strength hierarchy.
    levels: tuple[int, ...]
    #: The largest relative change of an entry in each cycle.
    changes: tuple[float, ...]
    #: The residual, sum |x P - x|, at the end; infinite where no products are given.
    residual: float = math.inf
    #: Products x P before the first cycle, and the largest relative change in the last one.
    products: int = 0
    last_product: float = math.inf

    def __str__(self) -> str:
        if not self.count:
            return f"power iteration, {self.products} products, last change {self.last_product:.0e}"
        left = f", residual {self.residual:.0e}" if math.isfinite(self.residual) else ""
        return (
            f"multilevel aggregation, {self.count} cycles on {len(self.levels)} levels, last "
            f"change {self.changes[-1]:.0e}{left}"
        )


def _settled(changes: Sequence[float]) -> bool:
    if changes[-1] <= _ROUNDING:
        return True
    return len(changes) > 2 and changes[-1] <= _NEARLY and changes[-1] > max(changes[-3:-1]) / 2


@dataclass(eq=False)
class _Level:
    """One chain of the strength hierarchy, and how its states are grouped."""

    start: Ids
    target: Places
    rate: Floats
    out: Floats
    work: Floats
    group: Places = field(default_factory=lambda: np.empty(0, np.int32))
    slot: Places = field(default_factory=lambda: np.empty(0, np.int32))
    #: What flows into each state from others, written to the second argument, if that is
    #: known faster than from the transitions.
    inflow: Push | None = None

    @classmethod
    def of(cls, start: Ids, target: Places, rate: Floats) -> _Level:
        return cls(start, target, rate, loops.rates_out(start, rate), np.empty(len(start) - 1))

    def smooth(self, x: Floats, sweeps: int) -> None:
        if self.inflow is None:
            loops.smooth(self.start, self.target, self.rate, self.out, x, self.work, sweeps)
            return
        for _ in range(sweeps):
            loops.relax(self.inflow(x, self.work), self.out, x)

    def solve_dense(self) -> Floats:
        x = eliminate(loops.to_dense(self.start, self.target, self.rate)).left_null_vector()
        return np.asarray(x / x.sum())


@dataclass(eq=False)
class _Hierarchy:
    """The strength hierarchy; level 0 is the chain itself."""

    levels: list[_Level]
    sweeps: int = 2
    repeats: int = 1
    """How often a coarse chain is cycled for each cycle of the finer one: 1 is a V, 2 a W."""

    def cycle(self, x: Floats, *, regroup: bool, depth: int = 0) -> Floats:
        """One cycle from this level down; x is changed in place or replaced."""
        level = self.levels[depth]
        if len(x) <= BOTTOM:
            return level.solve_dense()
        level.smooth(x, self.sweeps)
        coarse, weight = self._coarsen(depth, x, regroup)
        solved = weight.copy()
        for repeat in range(self.repeats if depth else 1):
            solved = self.cycle(solved, regroup=regroup and repeat == 0, depth=depth + 1)
            if len(coarse.out) <= BOTTOM:
                break
        loops.correct(x, level.group, solved, weight)
        level.smooth(x, self.sweeps)
        return x

    def _coarsen(self, depth: int, x: Floats, regroup: bool) -> tuple[_Level, Floats]:
        """The next level with rates weighted by x, and the weight of each of its states."""
        level = self.levels[depth]
        if regroup or depth + 1 == len(self.levels):
            best, strength = loops.strongest_target(level.start, level.target, level.rate)
            order = loops.strongest_first(strength)
            level.group, groups = loops.merge_pairs(best, order)
            level.slot, start, target = loops.coarse_pattern(
                level.start, level.target, level.group, groups
            )
            del self.levels[depth + 1 :]
            self.levels.append(_Level.of(start, target, np.zeros(len(target))))
        coarse = self.levels[depth + 1]
        coarse.rate, weight = loops.add_rates(
            level.start, level.rate, x, level.group, level.slot, coarse.start, len(coarse.target)
        )
        coarse.out = loops.rates_out(coarse.start, coarse.rate)
        return coarse, weight


def solve(
    rates: ClassRates,
    *,
    enough: Callable[[Floats], bool],
    ask_at: float = 1e-12,
    push: Push | None = None,
    products_first: bool = False,
    window: tuple[Numbers, Floats] | None = None,
    guess: Floats | None = None,
    sweeps: int = 2,
    most_cycles: int = 200,
    progress: Progress | None = None,
) -> Cycles:
    """The stationary distribution of one closed class of more than one state.

    Parameters
    ----------
    enough
        Asked now and then whether a vector is good enough; true ends the cycles.
    ask_at
        It is asked once a cycle changes no entry by more than this, and again each time the
        change has shrunk by another factor of 30.
    push
        x to x P in the class, written to its second argument, for the residual.
    products_first
        Whether products alone are tried before the first cycle; that takes ``push``.
    window
        The rows of a window chain whose states are all in the class, and their sums.
    guess
        Positive numbers to begin with, shape (n,); by default all states are alike.
    sweeps
        Of the smoother, before and after each coarse chain.
    most_cycles
        After so many the answer must have settled.
    progress
        Called with the number of cycles, 0 after products, the largest relative change of an
        entry, and the residual.

    Raises
    ------
    NotConverged
        Entries still change, and the vector is not good enough.
    """
    n = rates.n
    x = np.full(n, 1.0 / n) if guess is None else guess / guess.sum()
    if products_first and push is not None:
        y, products, change, residual = _by_products(push, x)
        if progress is not None:
            progress(0, change, residual)
        if change <= _NEARLY and bool((y > 0).all()) and enough(y):
            return Cycles(y, 0, (n,), (), residual, products, change)
    whole = _Level.of(rates.start, rates.target, rates.rate)
    if push is not None and window is not None:
        whole.inflow = inflow_of_windows(push, *window)
    hierarchy = _Hierarchy([whole], sweeps)
    changes: list[float] = []
    residual = math.inf
    for count in range(1, most_cycles + 1):
        before = x.copy()
        if window is not None:
            x = backoff(*window, x)
        x = hierarchy.cycle(x, regroup=count in _REGROUP)
        if not (np.isfinite(x).all() and (x > 0).all()):
            raise NotConverged(
                f"stationary distribution: in cycle {count} an entry of {n:,} left the range of "
                f"floats (below 1e-308). Some states are too rare to be told from impossible ones; "
                f"a decoding rule such as MinP(1e-12) removes what leads to them."
            )
        change = float(np.abs(x / before - 1).max())
        changes.append(change)
        if push is not None:
            residual = _distance(push(x, before), x)
        if progress is not None:
            progress(count, change, residual)
        settled = _settled(changes)
        if settled or change < ask_at:
            if enough(x) or settled:
                break
            ask_at = change / 30
        _work_harder_if_slow(hierarchy, changes)
    else:
        if not enough(x):
            raise NotConverged(
                f"stationary distribution: after {most_cycles} cycles an entry of {n:,} still "
                f"changes by {changes[-1]:.1e} of itself. The chain mixes too slowly for this "
                f"method, as long one-dimensional walks do. Use exact=True up to a few hundred "
                f"states, or a shorter context."
            )
    sizes = tuple(len(level.out) for level in hierarchy.levels)
    return Cycles(x, len(changes), sizes, tuple(changes), residual)


def _distance(y: Floats, x: Floats) -> float:
    """Sum |y - x|; y is used up."""
    np.subtract(y, x, out=y)
    return float(np.abs(y, out=y).sum())


def _by_products(push: Push, x: Floats) -> tuple[Floats, int, float, float]:
    """Products from x on, as long as the change shrinks fast enough.

    Returns the last vector, the number of products, the largest relative change of an entry
    in the last one, and its residual.
    """
    changes: list[float] = []
    x, before = x.copy(), np.empty(len(x))
    with np.errstate(all="ignore"):  # entries that underflow to zero are seen by the caller
        while True:
            for _ in range(_BLOCK):
                before, x = x, push(x, before)
            change = float(np.abs(x / before - 1).max())
            residual = _distance(before, x)
            x /= x.sum()
            changes.append(change)
            if not math.isfinite(change) or change <= _ROUNDING / 5:
                break
            if len(changes) > 1:
                shrinks = change / changes[-2]
                if shrinks >= 1 or len(changes) > _MOST_BLOCKS:
                    break
                needed = math.log(_ROUNDING / change) / math.log(shrinks)
                if len(changes) + needed > _MOST_BLOCKS:
                    break
    return x, _BLOCK * len(changes), changes[-1], residual


def _work_harder_if_slow(hierarchy: _Hierarchy, changes: list[float]) -> None:
    """From V-cycles to W-cycles, and to more sweeps, where ten cycles gained less than 30."""
    if len(changes) % 15 or len(changes) < 30 or changes[-1] < changes[-11] / 30:
        return
    if hierarchy.repeats == 1:
        hierarchy.repeats = 2
    else:
        hierarchy.sweeps = min(2 * hierarchy.sweeps, 16)
