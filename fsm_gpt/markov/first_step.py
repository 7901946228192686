"""First-step equations (I - Q) x = b among some states, solved and proven.

For a set of states that the chain surely leaves, Q holds the transition probabilities among them
and I - Q is an M-matrix: its inverse N = I + Q + Q^2 + ... is non-negative, and N[i, j] is the mean
number of visits to j from i (Kemeny & Snell 1976, theorem 3.2.4). Reaching probabilities, times and
their variances, and visits are all x = N b for some b >= 0.

Up to some thousand states x is found by elimination without subtraction. Its error is proven
afterwards from the residual r = |(I - Q) x - b|, evaluated in twice the working precision:

- where b > 0 and r <= e b with e < 1, N b lies between x / (1 + e) and x / (1 - e);
- for any b >= 0, r <= e x leads to |x - N b| <= e N x, and N x is bounded by the first rule, since
  x > 0. So each entry of x is right to a factor within 1 +- e (N x) / x.

Where there are more states, or where x is so large that rounding hides its differences, the
equations are solved and proven as two stationary distributions
(:mod:`fsm_gpt.markov.reversed_time`). Each bound is one on the relative error of every entry.

References
----------
Norris (1997), Markov Chains, section 1.3. Berman & Plemmons (1994), Nonnegative Matrices in
the Mathematical Sciences, chapter 6 (M-matrices).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers, objects
from fsm_gpt.subchain import reached

if TYPE_CHECKING:
    from fsm_gpt.markov.reversed_time import Equations

__all__ = ["ACCURACY", "FirstStep", "decided", "indicator", "leads_to"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: The relative error that is asked for.
ACCURACY = 1e-8


def decided(chain: Chain, goal: Mask, avoid: Mask | None = None) -> tuple[Mask, Mask]:
    """States that never reach the goal, and states that surely do, by the graph alone.

    Where there are states to avoid, whoever enters one of them first never does.
    """
    edges = chain.raw_edges()
    ends = goal if avoid is None else goal | avoid
    on = ~ends[edges.source]  # what happens after the goal does not matter
    source, target = edges.source[on], edges.target[on]
    never = ~leads_to(source, target, goal)
    sure = ~leads_to(source, target, never)
    return never, sure


def leads_to(source: Ids, target: Ids, start: Mask) -> Mask:
    """The states from which some path ends in ``start``."""
    return reached(target, source, start)  # against the arrows


def indicator(chain: Chain, inside: Mask) -> Numbers:
    """1 in the set and 0 elsewhere, in the chain's own numbers, shape (N,)."""
    if chain.dtype == object:
        return objects((Fraction(int(s)) for s in inside), inside.shape)
    return inside.astype(np.float64)


def _step_into(chain: Chain, unknown: Ids, into: Mask) -> Numbers:
    """Probability of stepping into a set from each of some states."""
    edges = chain.edges()
    place = np.full(chain.n_states, -1, dtype=np.int64)
    place[unknown] = np.arange(len(unknown))
    on = (place[edges.source] >= 0) & into[edges.target]
    if chain.dtype == object:
        total = np.full(len(unknown), Fraction(0))
        np.add.at(total, place[edges.source[on]], edges.probability[on])
        return total
    return np.bincount(
        place[edges.source[on]], weights=edges.probability[on], minlength=len(unknown)
    )


@dataclass(eq=False)
class FirstStep:
    """Solves first-step equations of one chain, and remembers how."""

    chain: Chain
    methods: dict[str, None] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """How the equations were solved, in words."""
        return "; ".join(self.methods) or "by the graph alone"

    def solve(
        self, unknown: Ids, step: Numbers, into: Mask | None = None
    ) -> tuple[Numbers, Bound, str]:
        """The x with x(i) = step(i) + sum_j P[i, j] x(j) for the unknown states i.

        Parameters
        ----------
        unknown
            The states, ascending; from each, some path leads out of them.
        step
            What each step gains, 0 or more, shape (n,). From each of the states a path has to
            lead to one that gains something, or into ``into``.
        into
            The states outside in which x is 1; it is 0 in the others.

        Returns
        -------
        x of shape (n,), a bound on the relative error of every entry, and the reason where
        there is none.
        """
        b = step if into is None else step + _step_into(self.chain, unknown, into)
        found = self._large(unknown, b)
        if found is not None:
            return found
        x = self.eliminated(unknown, b)
        if self.chain.dtype == object:
            return x, 0.0, ""
        e = self._error(unknown, x, step, into)
        if e > ACCURACY:
            with suppress(NotConverged):
                other, bound, reason = self.backward(unknown, b)
                if bound != UNCERTIFIED and float(bound) < e:
                    return other, bound, reason
        if e < math.inf:
            return x, e, ""
        return x, UNCERTIFIED, "the equations hold too poorly to bound what solves them"

    def eliminated(self, unknown: Ids, b: Numbers) -> Numbers:
        """N b by elimination."""
        self.methods["elimination without subtraction"] = None
        both = np.column_stack([dense_block(self.chain, unknown), self._leaving(unknown)[1], b])
        numbers, back = workable(both)
        return back(eliminate(numbers[:, :-2], numbers[:, -2]).solve(numbers[:, -1]))

    @np.errstate(all="ignore")  # what leaves the range of floats has no bound
    def _error(self, unknown: Ids, x: Numbers, step: Numbers, into: Mask | None) -> float:
        """The proofs of the module's text."""
        wrong = self._residual(unknown, x, step, into)
        if wrong is None or not (x > 0).all():
            return math.inf
        if into is None and (step > 0).all():
            return _relative(float((wrong / step).max()))
        try:
            among = self.eliminated(unknown, x)
        except NotConverged:
            return math.inf
        again = self._residual(unknown, among, x, None)
        if again is None:
            return math.inf
        longest = float((among / x).max()) * (1 + _relative(float((again / x).max())))
        return _relative(float((wrong / x).max()) * longest)

    def _residual(
        self, unknown: Ids, x: Numbers, step: Numbers, into: Mask | None
    ) -> Numbers | None:
        """How far x is from solving its equations, at most."""
        N = self.chain.n_states
        whole, gained = np.zeros((N, 1)) if into is None else into[:, None] * 1.0, np.zeros((N, 1))
        whole[unknown, 0], gained[unknown, 0] = x, step
        wrong = residual(self.chain, whole, gained)
        return None if wrong is None else wrong[unknown, 0]

    def _large(self, unknown: Ids, b: Numbers) -> tuple[Numbers, Bound, str] | None:
        """In reversed time where elimination would take long; None where it is to be used."""
        if self.chain.dtype == object or len(unknown) <= ELIMINATION_LIMIT:
            return None
        try:
            return self.backward(unknown, b)
        except NotConverged:
            if len(unknown) > DENSE_LIMIT:
                raise
            return None

    def _leaving(self, unknown: Ids) -> tuple[Mask, Numbers]:
        """All other states, and the probability of stepping there from each unknown one."""
        outside = np.ones(self.chain.n_states, dtype=bool)
        outside[unknown] = False
        return outside, _step_into(self.chain, unknown, outside)

    def _equations(self, unknown: Ids, b: Numbers) -> Equations:
        """(I - Q) f = b among the unknown states, by rates."""
        from fsm_gpt.markov.reversed_time import Equations

        leaving = self._leaving(unknown)[1]
        Q = self.chain.sparse()[unknown][:, unknown].tocoo()
        off = Q.row != Q.col
        source, target = Q.row[off].astype(np.int64), Q.col[off].astype(np.int64)
        order = np.argsort(source, kind="stable")
        # A row is divided by its sum, and what leads to one state or out is added up.
        roundings = 3 * int(np.bincount(self.chain.raw_edges().source).max())
        return Equations(source[order], target[order], Q.data[off][order], leaving, b, roundings)

    def visits(self, unknown: Ids, start: int) -> tuple[Numbers, Bound, str]:
        """The mean number of visits to each of some states before they are left, from one of them.

        Each has to be reached from the start within them. With a bound on the relative error of
        every entry.
        """
        from fsm_gpt.markov.reversed_time import solve_forward

        begin = (unknown == start).astype(np.float64)
        found = solve_forward(self._equations(unknown, begin), begin, accuracy=ACCURACY)
        self.methods["multilevel cycles from a start"] = None
        return found

    def backward(self, unknown: Ids, b: Numbers) -> tuple[Numbers, Bound, str]:
        """In reversed time, with a bound on the relative error of every entry.

        What is stationary for the whole chain serves as forward vector if it is positive.
        """
        from fsm_gpt.markov.reversed_time import solve_backward

        outside, _ = self._leaving(unknown)
        equations = self._equations(unknown, b)
        share = stationary_distribution(self.chain).dense().sum(axis=0)
        known = bool((share[unknown] > 0).all())
        try:
            found = solve_backward(
                equations,
                c=self.chain.push(share * outside)[unknown] if known else None,
                x=share[unknown] if known else None,
                accuracy=ACCURACY,
            )
        except NotConverged as problem:
            raise NotConverged(
                f"first-step equations: the cycles for {len(unknown):,} states did not settle "
                f"({problem}) Use a shorter context, or a target nearer by."
            ) from None
        self.methods["multilevel cycles in reversed time"] = None
        return found


def _relative(e: float) -> float:
    """A bound on |x - true| in units of x, as one in units of both."""
    return e / (1 - e) * (1 + 2.0**-40) if e < 1 else math.inf
