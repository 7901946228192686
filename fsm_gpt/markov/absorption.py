"""Where transient states end, and how long it takes.

Let T be the transient states, Q = P[T, T] and R[i, c] the probability of stepping from
i into closed class c. The hitting probabilities B and the mean times t until the chain
is in a closed class satisfy

    (I - Q) B = R,        (I - Q) t = 1

(Kemeny & Snell 1976, theorems 3.3.5 and 3.3.7; Norris 1997, theorems 1.3.2 and 1.3.5).
Both are solved by elimination without subtraction.

*Proof of the error.* I - Q is an M-matrix: its inverse N is non-negative. If the computed
t > 0 satisfies |(I - Q) t - 1| <= e < 1 in every row, then (1 - e) N 1 <= t <= (1 + e) N 1,
so the true times lie between t / (1 + e) and t / (1 - e). If |(I - Q) B - R| <= e', then
|B - N R| <= e' N 1 <= e' t / (1 - e). The residuals are evaluated in twice the working
precision (:mod:`fsm_gpt.markov.residual`). Where times are so long that this proof is weak,
the same elimination is run on intervals (:mod:`fsm_gpt.markov.intervals`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.algebra import Back, dense_block, workable
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.elimination import Entries, eliminate
from fsm_gpt.markov.intervals import INTERVAL_LIMIT, Intervals, TooSmall
from fsm_gpt.markov.residual import residual
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Absorption", "absorption"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Absorption(Bounded):
    """Hitting probabilities of the closed classes, and mean times until one is entered."""

    error_meaning = "relative error of the times and absolute error of the probabilities"

    chain: Chain = field(repr=False)
    transient: Ids
    """The transient states, in ascending order."""
    classes: tuple[Ids, ...]
    """The closed classes."""
    probabilities: Numbers
    """Of ending in each closed class, shape (transient states, closed classes)."""
    mean_steps: Numbers
    """Until the chain is in a closed class, shape (transient states,)."""

    def __str__(self) -> str:
        lines = [f"absorption ({self.method}; {self.error_sentence})"]
        lines += [
            f"  class {c}: {', '.join(self.chain.labels(states[:8]))}"
            + (f", ... ({len(states):,})" if len(states) > 8 else "")
            for c, states in enumerate(self.classes[:8])
        ]
        for i, state in enumerate(self.transient[:16]):
            ends = ", ".join(format_number(p) for p in self.probabilities[i][:8])
            steps = format_number(self.mean_steps[i])
            lines.append(f"  from {self.chain.label(int(state))}: {steps} steps, ends {ends}")
        if len(self.transient) > 16:
            lines.append(f"  ... and {len(self.transient) - 16:,} more transient states")
        return "\n".join(lines)


def absorption(chain: Chain, *, exact: bool = False) -> Absorption:
    """Where each transient state ends, and the mean number of steps until it does.

    Raises
    ------
    NotDefined
        No state is transient.
    StateSpaceTooLarge
        More transient states than elimination serves.

    Examples
    --------
    The drunkard's walk (Grinstead & Snell, examples 11.13 to 11.16):

    >>> walk = Chain.from_matrix([
    ...     [1, 0, 0, 0, 0], ["1/2", 0, "1/2", 0, 0], [0, "1/2", 0, "1/2", 0],
    ...     [0, 0, "1/2", 0, "1/2"], [0, 0, 0, 0, 1]])
    >>> print(*absorption(walk).mean_steps, *absorption(walk).probabilities[0])
    3 4 3 3/4 1/4
    """
    require_complete(chain, "absorption")
    chain = chain.exact() if exact else chain
    structure = communicating_classes(chain)
    T = structure.transient
    if not len(T):
        raise NotDefined(
            "absorption: no state is transient, so there is nothing to be absorbed. Every state "
            "lies in a closed class; for times between states ask mean_first_passage()."
        )
    into = _into_classes(chain, T, structure.closed)
    Q, R, back = _workable_pair(dense_block(chain, T), into)
    B, t = _solve(Q, R, ones=np.ones(len(T), dtype=R.dtype))
    bound, reason = _bound(chain, T, structure.closed, Q, R, B, t)
    return Absorption(
        chain=chain,
        transient=T,
        classes=structure.closed,
        probabilities=read_only(back(B)),
        mean_steps=read_only(back(t)),
        method="elimination without subtraction",
        error_bound=bound,
        uncertified_because=reason,
    )


def _workable_pair(Q: Numbers, R: Numbers) -> tuple[Numbers, Numbers, Back]:
    """Both in one arithmetic, with the way back."""
    numbers, back = workable(np.concatenate([Q, R], axis=1))
    return numbers[:, : len(Q)], numbers[:, len(Q) :], back


def _solve(Q: Entries, R: Entries, *, ones: Entries) -> tuple[Entries, Entries]:
    """Hitting probabilities and mean times."""
    factors = eliminate(Q, R.sum(axis=1))
    return factors.solve(R), factors.solve(ones)


def _into_classes(chain: Chain, transient: Ids, closed: tuple[Ids, ...]) -> Numbers:
    """Probability of stepping from each transient state into each closed class."""
    place = np.full(chain.n_states, -1, dtype=np.int64)
    place[transient] = np.arange(len(transient))
    home = _home(chain, closed)
    edges = chain.edges()
    out = (place[edges.source] >= 0) & (home[edges.target] >= 0)
    dtype = object if chain.dtype == object else np.float64
    table = np.zeros((len(transient), len(closed)), dtype=dtype)
    at = (place[edges.source[out]], home[edges.target[out]])
    np.add.at(table, at, edges.probability[out])
    return table


def _home(chain: Chain, closed: tuple[Ids, ...]) -> Ids:
    """The number of each state's closed class, -1 for transient states."""
    home = np.full(chain.n_states, -1, dtype=np.int64)
    for c, states in enumerate(closed):
        home[states] = c
    return home


def _bound(
    chain: Chain, T: Ids, closed: tuple[Ids, ...], Q: Numbers, R: Numbers, B: Numbers, t: Numbers
) -> tuple[Bound, str]:
    """The better of two proofs: by monotonicity, and by intervals for small chains."""
    if B.dtype == object:
        return 0.0, ""
    bound = _monotone_bound(chain, T, closed, B, t)
    if bound > 1e-10 and len(T) <= INTERVAL_LIMIT:
        bound = min(bound, _interval_bound(chain, Q, R, B, t))
    if bound < 1:
        return bound, ""
    return UNCERTIFIED, (
        f"neither the equations' residuals nor interval arithmetic (up to {INTERVAL_LIMIT} states) "
        f"bound the answer"
    )


def _monotone_bound(chain: Chain, T: Ids, closed: tuple[Ids, ...], B: Numbers, t: Numbers) -> float:
    """One bound for the relative error of times and the absolute one of probabilities."""
    # Extended to all states: times are 0 in closed classes, probabilities 0 or 1.
    times = np.zeros(chain.n_states)
    times[T] = t
    ends = (_home(chain, closed)[:, None] == np.arange(len(closed))).astype(np.float64)
    ends[T] = B
    wrong = residual(chain, np.column_stack([times, ends]), np.array([1.0] + [0.0] * len(closed)))
    if wrong is None:
        return math.inf
    e = float(wrong[T, 0].max())
    if not e < 1:
        return math.inf
    of_times = e / (1 - e)
    of_ends = float(wrong[T, 1:].max()) * float(t.max()) / (1 - e)
    return max(of_times, of_ends) * (1 + 2.0**-50)


def _interval_bound(chain: Chain, Q: Numbers, R: Numbers, B: Numbers, t: Numbers) -> float:
    """The largest relative error, by the same elimination on intervals."""
    rows, into = (Intervals.around(part, 2 * chain.n_tokens + 4) for part in (Q, R))
    try:
        ends, times = _solve(rows, into, ones=Intervals.around(np.ones(len(Q)), 0))
    except TooSmall:
        return math.inf
    return float(max(ends.relative_width(B), times.relative_width(t)))
