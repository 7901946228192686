"""How often a set of states is visited.

The mean number of visits to a set A from i, the start counted, is

    G(i) = sum_n P(X_n in A | X_0 = i),

and before another set B is entered, the same with what happens from then on left out. It is
infinite where the chain can come to a state of A that it returns to for certain: one in a closed
class from which B is not entered (Norris 1997, theorem 1.5.3). It is zero where A cannot be
reached. For the rest,

    G(i) = 1_A(i) + sum_j P[i, j] G(j)

among transient states, whose solution is a sum of columns of the fundamental matrix
N = (I - Q)^-1 of an absorbing chain (Kemeny & Snell 1976, theorem 3.2.4). It is solved and proven
by :mod:`fsm_gpt.markov.first_step`.

References
----------
Norris (1997), Markov Chains, section 1.5. Kemeny & Snell (1976), Finite Markov Chains, section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.first_step import FirstStep, indicator, leads_to
from fsm_gpt.markov.state_sets import (
    StateSet,
    begin,
    by_state,
    in_words,
    mean_of,
    start_in_words,
    state_set,
    summing_error,
)
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["ExpectedVisits", "expected_visits"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ExpectedVisits(Bounded):
    """The mean number of visits to a set, from every state and from a start."""

    error_meaning = "relative error of every mean"

    chain: Chain = field(repr=False)
    target: Ids
    """The set, ascending."""
    before: Ids
    """What ends the counting, ascending; empty where nothing does."""
    mean_visits: Numbers
    """Shape (N,); infinite where the set is visited again and again."""
    start: str | None = None
    """Where the chain begins, in words; None if that was not said."""
    mean: Any = None
    """From the start."""

    def __str__(self) -> str:
        words = [_words(self.chain, states) for states in (self.target, self.before)]
        until = f" before {words[1]}" if len(self.before) else ""
        lines = [f"visits to {words[0]}{until} ({self.method}; {self.error_sentence})"]
        if self.start is not None:
            return f"{lines[0]}\n  from {self.start}: {format_number(self.mean)} on average"
        means = self.mean_visits
        each = by_state(self.chain, lambda s: f"{format_number(means[s])} on average")
        return "\n".join([*lines, *each])


def _words(chain: Chain, states: Ids) -> str:
    inside = np.zeros(chain.n_states, dtype=bool)
    inside[states] = True
    return in_words(chain, inside)


def expected_visits(
    chain: Chain,
    target: StateSet,
    *,
    before: StateSet | None = None,
    start: Any = None,
    exact: bool = False,
) -> ExpectedVisits:
    """The mean number of visits to a set of states, from every state.

    Parameters
    ----------
    target
        A state, several, a text that the context ends with, a mask, or a function of labels; see
        :func:`fsm_gpt.markov.reach.reach`. A start in the set is a visit.
    before
        Count until this set is entered, named in the same ways; a visit to both does not count.
    start
        A state, a prompt, or a distribution of shape (N,), for one number.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    StateOutOfRange, InvalidText, InvalidArgument
        A set or the start names what is not there.
    NotDefined
        A part of the chain is unexplored.
    NotConverged
        The chain is too large to eliminate and too stiff for the iteration.

    References
    ----------
    Kemeny & Snell (1976), theorem 3.2.4. Norris (1997), theorem 1.5.3.

    Examples
    --------
    The drunkard's walk on 0 to 4, from the middle (Grinstead & Snell, example 11.14):

    >>> walk = Chain.from_matrix([[1, 0, 0, 0, 0], ["1/2", 0, "1/2", 0, 0],
    ...     [0, "1/2", 0, "1/2", 0], [0, 0, "1/2", 0, "1/2"], [0, 0, 0, 0, 1]])
    >>> print(*(expected_visits(walk, j, start=2).mean for j in (1, 2, 3)))
    1 2 1
    >>> expected_visits(walk, 4, start=2).mean
    inf
    """
    require_complete(chain, "expected visits")
    chain = chain.exact() if exact else chain
    inside = state_set(chain, target, "expected_visits")
    over = np.zeros(chain.n_states, dtype=bool)
    if before is not None:
        over = state_set(chain, before, "expected_visits")
    counted = inside & ~over
    some, endless = _where(chain, counted, over)
    steps = FirstStep(chain)
    G = indicator(chain, counted) * 0
    unknown = np.flatnonzero(some & ~endless)
    bound: Bound = 0.0
    reason = ""
    if len(unknown):
        gained = indicator(chain, counted)[unknown]
        G[unknown], bound, reason = steps.solve(unknown, gained)
    G[endless] = math.inf
    weights = None if start is None else begin(chain, start)
    if weights is not None and bound != UNCERTIFIED:
        bound = float(bound) + summing_error(weights)
    return ExpectedVisits(
        chain=chain,
        target=np.flatnonzero(inside),
        before=np.flatnonzero(over),
        mean_visits=read_only(G),
        start=None if weights is None else start_in_words(chain, weights),
        mean=None if weights is None else mean_of(weights, G),
        method=steps.method,
        error_bound=bound,
        uncertified_because=reason,
    )


def _where(chain: Chain, counted: Mask, over: Mask) -> tuple[Mask, Mask]:
    """States from which there is a visit, and those from which there may be infinitely many."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    N, edges = chain.n_states, chain.raw_edges()
    on = ~over[edges.source]  # what happens after the end does not matter
    source, target = edges.source[on], edges.target[on]
    graph = csr_array((np.ones(len(source), np.int8), (source, target)), shape=(N, N))
    n, member = connected_components(graph, directed=True, connection="strong")
    left = np.zeros(n, dtype=bool)
    left[member[source[member[source] != member[target]]]] = True
    returns = counted & ~left[member]
    return leads_to(source, target, counted), leads_to(source, target, returns)
