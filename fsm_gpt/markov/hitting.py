"""Reaching a set of states: how likely, and how long it takes, from every start.

For a set A of states, h(i) is the probability that the chain, started in i, ever enters A,
and k(i) the mean number of steps until it does (infinite where h(i) < 1). They are the
smallest non-negative solutions of

    h = 1 on A,  h(i) = sum_j P[i, j] h(j) elsewhere;
    k = 0 on A,  k(i) = 1 + sum_j P[i, j] k(j) elsewhere

(Norris 1997, theorems 1.3.2 and 1.3.5). Which h(i) are exactly 0 or 1 is decided on the
graph; the rest are unknowns in (0, 1), and between them I - Q is an M-matrix.

Up to some thousand unknowns they are found by elimination without subtraction. The error
is proven afterwards: if |(I - Q) k - 1| <= e < 1 in every row, the true times lie between
k / (1 + e) and k / (1 - e); and if |(I - Q) h - b| <= e', then h is wrong by at most e' times
the mean number of steps spent among the unknowns, which is bounded in the same way. Where
there are more unknowns, or where times are so long that rounding hides (I - Q) k, they are
found and proven as two stationary distributions (:mod:`fsm_gpt.markov.reversed_time`).

References
----------
Norris (1997), Markov Chains, section 1.3. Berman & Plemmons (1994), Nonnegative Matrices in
the Mathematical Sciences, chapter 6 (M-matrices).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["ACCURACY", "Hitting", "Solver", "decided", "hitting"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: The relative error of times that is asked for.
ACCURACY = 1e-8


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Hitting(Bounded):
    """Probability of reaching a set, and mean number of steps to it, from every state."""

    error_meaning = "relative error of the times and absolute error of the probabilities"

    chain: Chain = field(repr=False)
    target: Ids
    """The set, ascending."""
    probabilities: Numbers
    """Of ever reaching the set, shape (N,)."""
    mean_steps: Numbers
    """Until it is reached, shape (N,); infinite where that is not certain."""

    def __str__(self) -> str:
        some = ", ".join(self.chain.labels(self.target[:8]))
        more = f", ... ({len(self.target):,} states)" if len(self.target) > 8 else ""
        lines = [f"reaching {some}{more} ({self.method}; {self.error_sentence})"]
        for state in range(min(16, self.chain.n_states)):
            p, k = self.probabilities[state], self.mean_steps[state]
            label = self.chain.label(state)
            lines.append(
                f"  from {label}: probability {format_number(p)}, {format_number(k)} steps"
            )
        if self.chain.n_states > 16:
            lines.append(f"  ... and {self.chain.n_states - 16:,} more states")
        return "\n".join(lines)


def hitting(
    chain: Chain, target: int | str | Sequence[int | str], *, exact: bool = False
) -> Hitting:
    """The probability of reaching a set of states and the mean time to it, from every state.

    Parameters
    ----------
    target
        A state, or several, by id or label.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    StateOutOfRange
        There is no such state.
    NotConverged
        The chain is too large to eliminate and too stiff for the iteration.

    Examples
    --------
    The gambler's ruin (Norris, example 1.3.3):

    >>> walk = Chain.from_matrix([[1, 0, 0, 0], ["1/2", 0, "1/2", 0],
    ...                           [0, "1/2", 0, "1/2"], [0, 0, 0, 1]])
    >>> print(*hitting(walk, 3).probabilities)
    0 1/3 2/3 1
    >>> print(*hitting(walk, [0, 3]).mean_steps)
    0 2 2 0
    """
    require_complete(chain, "hitting")
    chain = chain.exact() if exact else chain
    goal = _goal(chain, target)
    never, sure = decided(chain, goal)
    solve = Solver(chain)
    probabilities, one, why = _probabilities(chain, never, sure, solve)
    mean_steps, other, reason = _times(chain, goal, sure, solve)
    refused = UNCERTIFIED in (one, other)
    return Hitting(
        chain=chain,
        target=np.flatnonzero(goal),
        probabilities=read_only(probabilities),
        mean_steps=read_only(mean_steps),
        method="; ".join(solve.methods) or "by the graph alone",
        error_bound=UNCERTIFIED if refused else max(float(one), float(other)),
        uncertified_because=why or reason,
    )


def _goal(chain: Chain, target: Any) -> Mask:
    several = isinstance(target, (list, tuple, np.ndarray)) and np.ndim(target) > 0
    names = list(target) if several else [target]
    if not names:
        raise InvalidArgument("hitting: the target has no state. Give at least one.")
    goal = np.zeros(chain.n_states, dtype=bool)
    goal[[chain.state(name) for name in names]] = True
    return goal


def decided(chain: Chain, goal: Mask) -> tuple[Mask, Mask]:
    """States that never reach the goal, and states that surely do, by the graph alone."""
    edges = chain.raw_edges()
    on = ~goal[edges.source]  # what happens after the goal does not matter
    source, target = edges.source[on], edges.target[on]
    never = ~_leads_to(source, target, goal)
    sure = ~_leads_to(source, target, never)
    return never, sure


def _leads_to(source: Ids, target: Ids, start: Mask) -> Mask:
    """The states from which some path ends in ``start``."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    N = len(start)
    # One more state, from which the search begins, leads to all of them; arrows are reversed.
    extra = np.flatnonzero(start)
    rows = np.concatenate([target, np.full(len(extra), N)])
    columns = np.concatenate([source, extra])
    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(N + 1, N + 1))
    reached = np.zeros(N + 1, dtype=bool)
    reached[breadth_first_order(graph, N, return_predecessors=False)] = True
    return np.asarray(reached[:N])


def _probabilities(
    chain: Chain, never: Mask, sure: Mask, solve: Solver
) -> tuple[Numbers, Bound, str]:
    """Hitting probabilities, with a bound on their absolute error."""
    exact = chain.dtype == object
    h = np.array([Fraction(int(s)) for s in sure]) if exact else sure.astype(np.float64)
    unknown = np.flatnonzero(~never & ~sure)
    if not len(unknown):
        return h, 0.0, ""
    b = _step_into(chain, unknown, sure)
    found = solve.large(unknown, b)
    if found is not None:
        h[unknown], bound, reason = found
        return h, bound, reason
    h[unknown] = solve(unknown, b)
    return (h, 0.0, "") if exact else (h, *_bound(chain, unknown, h, solve))


def _times(chain: Chain, goal: Mask, sure: Mask, solve: Solver) -> tuple[Numbers, Bound, str]:
    """Mean steps, with a bound on their relative error."""
    exact = chain.dtype == object
    k = np.full(chain.n_states, math.inf, dtype=object if exact else np.float64)
    k[goal] = Fraction(0) if exact else 0.0
    unknown = np.flatnonzero(sure & ~goal)
    if not len(unknown):
        return k, 0.0, ""
    ones = np.full(len(unknown), Fraction(1)) if exact else np.ones(len(unknown))
    found = solve.large(unknown, ones)
    if found is not None:
        k[unknown], bound, reason = found
        return k, bound, reason
    k[unknown] = solve(unknown, ones)
    if exact:
        return k, 0.0, ""
    wrong = residual(chain, np.where(np.isinf(k), 0.0, k)[:, None], np.ones(1))
    e = math.inf if wrong is None else float(wrong[unknown].max())
    if e <= ACCURACY:
        return k, e / (1 - e), ""
    with suppress(NotConverged):
        times, bound, reason = solve.backward(unknown, ones)
        if bound != UNCERTIFIED and (e >= 0.5 or float(bound) < e):
            k[unknown] = times
            return k, bound, ""
    if e < 1:
        return k, e / (1 - e), ""
    return k, UNCERTIFIED, "the equations of the times hold too poorly to bound them"


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
class Solver:
    """Solves (I - Q) x = b among some states, and remembers how."""

    chain: Chain
    methods: dict[str, None] = field(default_factory=dict)

    def large(self, unknown: Ids, b: Numbers) -> tuple[Numbers, Bound, str] | None:
        """In reversed time where elimination would take long; None where it is to be used."""
        if self.chain.dtype == object or len(unknown) <= ELIMINATION_LIMIT:
            return None
        try:
            return self.backward(unknown, b)
        except NotConverged:
            if len(unknown) > DENSE_LIMIT:
                raise
            return None

    def leaving(self, unknown: Ids) -> tuple[Mask, Numbers]:
        """All other states, and the probability of stepping there from each unknown one."""
        outside = np.ones(self.chain.n_states, dtype=bool)
        outside[unknown] = False
        return outside, _step_into(self.chain, unknown, outside)

    def __call__(self, unknown: Ids, b: Numbers) -> Numbers:
        """By elimination."""
        self.methods["elimination without subtraction"] = None
        both = np.column_stack([dense_block(self.chain, unknown), self.leaving(unknown)[1], b])
        numbers, back = workable(both)
        return back(eliminate(numbers[:, :-2], numbers[:, -2]).solve(numbers[:, -1]))

    def backward(self, unknown: Ids, b: Numbers) -> tuple[Numbers, Bound, str]:
        """In reversed time, with a bound on the relative error of every entry.

        What is stationary for the whole chain serves as forward vector if it is positive.
        """
        from fsm_gpt.markov.reversed_time import Equations, solve_backward

        outside, leaving = self.leaving(unknown)
        Q = self.chain.sparse()[unknown][:, unknown].tocoo()
        off = Q.row != Q.col
        source, target = Q.row[off].astype(np.int64), Q.col[off].astype(np.int64)
        order = np.argsort(source, kind="stable")
        # A row is divided by its sum, and what leads to one state or out is added up.
        roundings = 3 * int(np.bincount(self.chain.raw_edges().source).max())
        equations = Equations(
            source[order], target[order], Q.data[off][order], leaving, b, roundings
        )
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
                f"hitting: the cycles for {len(unknown):,} states did not settle ({problem}) Use a "
                f"shorter context, or a target nearer by."
            ) from None
        self.methods["multilevel cycles in reversed time"] = None
        return found


def _bound(chain: Chain, unknown: Ids, h: Numbers, solve: Solver) -> tuple[Bound, str]:
    """The proof of the module's text for probabilities."""
    wrong = residual(chain, h[:, None], np.zeros(1))
    stay = solve(unknown, np.ones(len(unknown)))
    among = np.zeros(chain.n_states)
    among[unknown] = stay
    again = residual(chain, among[:, None], np.ones(1))
    if wrong is None or again is None:
        return UNCERTIFIED, "the residuals of so many entries are not worked out"
    e = float(again[unknown].max())
    if not e < 1:
        return UNCERTIFIED, "the time spent among the undecided states cannot be bounded"
    return float(wrong[unknown].max()) * float(stay.max()) / (1 - e) * (1 + 2.0**-40), ""
