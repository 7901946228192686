"""Reaching a set of states: how likely, and how long it takes, from every start.

For a set A of states, h(i) is the probability that the chain, started in i, ever enters A,
and k(i) the mean number of steps until it does (infinite where h(i) < 1). They are the
smallest non-negative solutions of

    h = 1 on A,  h(i) = sum_j P[i, j] h(j) elsewhere;
    k = 0 on A,  k(i) = 1 + sum_j P[i, j] k(j) elsewhere

(Norris 1997, theorems 1.3.2 and 1.3.5). Which h(i) are exactly 0 or 1 is decided on the
graph; the rest are unknowns in (0, 1), and between them I - Q is an M-matrix.

Up to some thousand unknowns they are found by elimination without subtraction, above by
GMRES with a multilevel preconditioner (:mod:`fsm_gpt.markov.first_step`) where it settles.
The error is not the solver's to promise but proven afterwards: if |(I - Q) k - 1| <= e < 1
in every row, the true times lie between k / (1 + e) and k / (1 - e); and if
|(I - Q) h - b| <= e', then h is wrong by at most e' times the mean number of steps spent
among the unknowns, which is bounded in the same way.

References
----------
Norris (1997), Markov Chains, section 1.3. Berman & Plemmons (1994), Nonnegative Matrices in
the Mathematical Sciences, chapter 6 (M-matrices).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Hitting", "hitting"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


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
    chain = chain.exact() if exact else chain
    goal = _goal(chain, target)
    never, sure = _decided(chain, goal)
    solve = _Solver(chain)
    probabilities = _probabilities(chain, never, sure, solve)
    mean_steps, times_bound = _times(chain, goal, sure, solve)
    bound, reason = _bound(chain, ~never & ~sure, probabilities, times_bound, solve)
    return Hitting(
        chain=chain,
        target=np.flatnonzero(goal),
        probabilities=read_only(probabilities),
        mean_steps=read_only(mean_steps),
        method="; ".join(solve.methods) or "by the graph alone",
        error_bound=bound,
        uncertified_because=reason,
    )


def _goal(chain: Chain, target: Any) -> Mask:
    several = isinstance(target, (list, tuple, np.ndarray)) and np.ndim(target) > 0
    names = list(target) if several else [target]
    if not names:
        raise InvalidArgument("hitting: the target has no state. Give at least one.")
    goal = np.zeros(chain.n_states, dtype=bool)
    goal[[chain.state(name) for name in names]] = True
    return goal


def _decided(chain: Chain, goal: Mask) -> tuple[Mask, Mask]:
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


def _probabilities(chain: Chain, never: Mask, sure: Mask, solve: _Solver) -> Numbers:
    exact = chain.dtype == object
    h = np.array([Fraction(int(s)) for s in sure]) if exact else sure.astype(np.float64)
    unknown = np.flatnonzero(~never & ~sure)
    if len(unknown):
        h[unknown] = solve(unknown, _step_into(chain, unknown, sure))
    return h


def _times(chain: Chain, goal: Mask, sure: Mask, solve: _Solver) -> tuple[Numbers, float]:
    """Mean steps, and a bound on their relative error (infinite if there is none)."""
    exact = chain.dtype == object
    k = np.full(chain.n_states, math.inf, dtype=object if exact else np.float64)
    k[goal] = Fraction(0) if exact else 0.0
    unknown = np.flatnonzero(sure & ~goal)
    if not len(unknown):
        return k, 0.0
    ones = np.full(len(unknown), Fraction(1)) if exact else np.ones(len(unknown))
    k[unknown] = solve(unknown, ones)
    if exact:
        return k, 0.0
    finite = np.where(np.isinf(k), 0.0, k)
    wrong = residual(chain, finite[:, None], np.ones(1))
    e = math.inf if wrong is None else float(wrong[unknown].max())
    return k, e / (1 - e) if e < 1 else math.inf


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
class _Solver:
    """Solves (I - Q) x = b among some states, and remembers how."""

    chain: Chain
    methods: dict[str, None] = field(default_factory=dict)

    @cached_property
    def weights(self) -> Numbers:
        """How much each state counts in a group: its share of time, and a little for all."""
        share = stationary_distribution(self.chain).dense().sum(axis=0)
        return np.asarray(share + 1e-9 / len(share))

    def __call__(self, unknown: Ids, b: Numbers) -> Numbers:
        outside = np.ones(self.chain.n_states, dtype=bool)
        outside[unknown] = False
        leaving = _step_into(self.chain, unknown, outside)
        if self.chain.dtype != object and len(unknown) > ELIMINATION_LIMIT:
            from fsm_gpt.markov.first_step import solve_first_step

            Q = self.chain.sparse()[unknown][:, unknown]
            x = solve_first_step(Q, leaving, b, self.weights[unknown])
            if x is not None:
                self.methods["GMRES with a multilevel preconditioner"] = None
                return x
            if len(unknown) > DENSE_LIMIT:
                raise NotConverged(
                    f"hitting: the iteration for {len(unknown):,} states did not settle (reaching "
                    f"the target takes too long from some of them), and elimination stops at "
                    f"{DENSE_LIMIT:,}. Use a shorter context, or a target nearer by."
                )
        self.methods["elimination without subtraction"] = None
        both = np.column_stack([dense_block(self.chain, unknown), leaving, b])
        numbers, back = workable(both)
        return back(eliminate(numbers[:, :-2], numbers[:, -2]).solve(numbers[:, -1]))


def _bound(
    chain: Chain, undecided: Mask, h: Numbers, times_bound: float, solve: _Solver
) -> tuple[Bound, str]:
    """The proof of the module's text for times and probabilities together."""
    if chain.dtype == object:
        return 0.0, ""
    if not times_bound < 1:
        return UNCERTIFIED, "the equations of the times hold too poorly to bound them"
    unknown = np.flatnonzero(undecided)
    if not len(unknown):
        return times_bound, ""
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
    of_probabilities = float(wrong[unknown].max()) * float(stay.max()) / (1 - e)
    return max(times_bound, of_probabilities) * (1 + 2.0**-40), ""
