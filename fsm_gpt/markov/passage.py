"""Mean first passage times and what follows from them.

m[i, j] is the mean number of steps from i until j is first reached, with m[j, j] = 0;
the mean recurrence time of j is r(j) = 1 / pi(j). For i != j,

    m[i, j] = 1 + sum_{k != j} P[i, k] m[k, j].

The *fundamental matrix* is Z = (I - P + 1 pi)^-1, and *Kemeny's constant*
K0 = sum_j pi(j) m[i, j] does not depend on i; trace Z = K0 + 1.

All N targets are solved together without a subtraction. Split the states in halves A
and B. Watching the chain only while it is in B (censoring A) gives a smaller chain whose
steps take longer on average; solve it, recursively, for all targets in B. Then for i in A
and j in B

    (I - P_AA) m[A, j] = 1 + P_AB m[B, j],

an elimination in which everything is non-negative. The other half is the same with A and
B exchanged. The cost is that of a few eliminations, of order N**3. The textbook formula
m[i, j] = (Z[j, j] - Z[i, j]) / pi(j) subtracts nearly equal numbers on stiff chains.

*Proof of the error*: as for hitting times in :mod:`fsm_gpt.markov.absorption`, for every
target at once; where times are so long that this proof is weak, by running the same
elimination on intervals (:mod:`fsm_gpt.markov.intervals`).

References
----------
Kemeny & Snell (1976), Finite Markov Chains, theorems 4.3.1, 4.4.7 and 4.4.10. Norris (1997),
section 1.7. Meyer (1989), SIAM Review 31, 240-272 (censored chains).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.elimination import Entries, eliminate, zeros
from fsm_gpt.markov.intervals import INTERVAL_LIMIT, Intervals, TooSmall
from fsm_gpt.markov.residual import residual
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, Result, format_number, read_only
from fsm_gpt.rows import Numbers, objects

__all__ = [
    "FundamentalMatrix",
    "KemenyConstant",
    "MeanFirstPassage",
    "fundamental_matrix",
    "kemeny_constant",
    "mean_first_passage",
]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MeanFirstPassage(Bounded):
    """Mean numbers of steps between states of an irreducible chain."""

    chain: Chain = field(repr=False)
    mean_steps: Numbers
    """From state i until state j is reached, shape (N, N), zero on the diagonal."""
    recurrence: Numbers
    """From each state until it is next visited, shape (N,)."""

    def __str__(self) -> str:
        lines = [f"mean first passage times in steps ({self.method}; {self.error_sentence})"]
        shown = min(self.chain.n_states, 12)
        labels = self.chain.labels(range(shown))
        table = [["from \\ to", *labels]]
        for i in range(shown):
            row = [format_number(v, 4) for v in self.mean_steps[i, :shown]]
            row[i] = f"({format_number(self.recurrence[i], 4)})"
            table.append([labels[i], *row])
        widths = [max(len(row[c]) for row in table) for c in range(shown + 1)]
        lines += [
            "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        lines.append("  in brackets: mean recurrence times")
        if self.chain.n_states > shown:
            lines.append(f"  ... and {self.chain.n_states - shown:,} more states")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class FundamentalMatrix(Result):
    """Z = (I - P + 1 pi)^-1, without a unit; its entries can have either sign."""

    chain: Chain = field(repr=False)
    Z: Numbers
    """Shape (N, N)."""

    def __str__(self) -> str:
        return f"fundamental matrix of {self.chain.n_states:,} states\n{self.Z}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class KemenyConstant(Bounded):
    """The mean number of steps to a state drawn from pi, the same from every start."""

    error_meaning = "relative error"

    chain: Chain = field(repr=False)
    mean_steps: float
    """K0 = sum_j pi(j) m[i, j], with m[j, j] = 0."""

    @property
    def trace_Z(self) -> float:
        """The trace of the fundamental matrix, K0 + 1."""
        return self.mean_steps + 1

    def __str__(self) -> str:
        value = format_number(self.mean_steps)
        return f"Kemeny's constant: {value} steps ({self.method}; {self.error_sentence})"


def mean_first_passage(chain: Chain, *, exact: bool = False) -> MeanFirstPassage:
    """Mean steps from every state to every state, and mean recurrence times.

    Raises
    ------
    NotDefined
        Not every state can be reached from every state.
    StateSpaceTooLarge
        More states than dense methods serve.

    Examples
    --------
    The Land of Oz (Grinstead & Snell, example 11.19):

    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(*mean_first_passage(oz).mean_steps[0])
    0 4 10/3
    """
    require_complete(chain, "mean first passage")
    chain = chain.exact() if exact else chain
    _irreducible_only(chain, "mean first passage")
    P, back = workable(dense_block(chain, np.arange(chain.n_states)))
    ones = np.ones(len(P), dtype=P.dtype)
    M = _passage(P, ones)
    recurrence = 1 + (P * M.T).sum(axis=1)
    bound, reason = _bound(chain, P, M, recurrence)
    return MeanFirstPassage(
        chain=chain,
        mean_steps=read_only(back(M)),
        recurrence=read_only(back(recurrence)),
        method="censoring by halves, without subtraction",
        error_bound=bound,
        uncertified_because=reason,
    )


def _irreducible_only(chain: Chain, what: str) -> None:
    structure = communicating_classes(chain)
    if not structure.irreducible:
        raise NotDefined(
            f"{what}: the chain has {len(structure.classes)} communicating classes "
            f"({len(structure.closed)} closed, {len(structure.transient)} transient states), so "
            f"some states are never reached from others and their time is infinite. Ask "
            f"absorption() where transient states end, or take a chain on one closed class."
        )


def _passage(P: Entries, stay: Entries) -> Entries:
    """Mean time from i to j, zero on the diagonal, where a step from i takes stay[i] on average.

    Only off-diagonal entries of P are read; a row may sum to less than one, and stay is
    then the mean time of that part of a step.
    """
    n = len(P)
    M = zeros(P, (n, n))
    if n == 1:
        return M
    half = n // 2
    first, second = np.arange(half), np.arange(half, n)
    for A, B in ((first, second), (second, first)):
        P_AB, P_BA = P[np.ix_(A, B)], P[np.ix_(B, A)]
        without = eliminate(P[np.ix_(A, A)], P_AB.sum(axis=1))
        censored = P[np.ix_(B, B)] + P_BA @ without.solve(P_AB)
        M_BB = _passage(censored, stay[B] + P_BA @ without.solve(stay[A]))
        M[np.ix_(B, B)] = M_BB
        M[np.ix_(A, B)] = without.solve(stay[A][:, None] + P_AB @ M_BB)
    return M


def _bound(chain: Chain, P: Numbers, M: Numbers, recurrence: Numbers) -> tuple[Bound, str]:
    """The better of two proofs: by monotonicity, and by intervals for small chains."""
    if M.dtype == object or len(M) == 1:
        return 0.0, ""
    bound = math.inf
    wrong = residual(chain, M, np.ones(len(M)))
    if wrong is not None:
        np.fill_diagonal(wrong, 0.0)  # m[j, j] = 0 by definition: no equation of target j
        e = float(wrong.max())
        if e < 1:
            # Recurrence times are sums of these with probabilities, and add 2 N roundings.
            bound = (e / (1 - e) + 2 * len(M) * 2.0**-53) * (1 + 2.0**-40)
    if bound > 1e-10 and len(M) <= INTERVAL_LIMIT:
        bound = min(bound, _interval_bound(chain, P, M, recurrence))
    if bound < 1:
        return bound, ""
    return UNCERTIFIED, (
        f"neither the equations' residuals nor interval arithmetic (up to {INTERVAL_LIMIT} states) "
        f"bound the times"
    )


def _interval_bound(chain: Chain, P: Numbers, M: Numbers, recurrence: Numbers) -> float:
    """The largest relative error, by the same elimination on intervals."""
    rows = Intervals.around(P, chain.n_tokens + 4)
    try:
        times = _passage(rows, Intervals.around(np.ones(len(P)), 0))
        again = (rows * Intervals(times.low.T, times.high.T)).sum(axis=1) + 1.0
    except TooSmall:
        return math.inf
    return float(max(times.relative_width(M), again.relative_width(recurrence)))


def fundamental_matrix(chain: Chain, *, exact: bool = False) -> FundamentalMatrix:
    """The fundamental matrix Z = (I - P + 1 pi)^-1 of an irreducible chain.

    It is made from first passage times, Z[i, j] = pi(j) (1 + sum_k pi(k) m[k, j] - m[i, j]),
    which also serves periodic chains.

    Raises
    ------
    NotDefined
        Not every state can be reached from every state.

    Examples
    --------
    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(*fundamental_matrix(oz).Z[0])
    86/75 1/25 -14/75
    """
    require_complete(chain, "fundamental matrix")
    chain = chain.exact() if exact else chain
    times = mean_first_passage(chain).mean_steps
    pi = stationary_distribution(chain).pi
    from_pi = (pi[:, None] * times).sum(axis=0)
    Z = pi * (1 + from_pi - times)
    if chain.kind == "symbolic":
        import sympy

        Z = objects((sympy.factor(z) for z in Z.ravel()), Z.shape)
    return FundamentalMatrix(chain, read_only(Z))


def kemeny_constant(chain: Chain, *, exact: bool = False) -> KemenyConstant:
    """Kemeny's constant K0 of an irreducible chain, in steps.

    Raises
    ------
    NotDefined
        Not every state can be reached from every state.

    Examples
    --------
    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(kemeny_constant(oz).mean_steps)
    32/15
    """
    require_complete(chain, "Kemeny constant")
    chain = chain.exact() if exact else chain
    times = mean_first_passage(chain)
    stationary = stationary_distribution(chain)
    heaviest = int(np.argmax(stationary.pi)) if chain.kind == "float" else 0
    value = (stationary.pi * times.mean_steps[heaviest]).sum()
    if chain.kind == "symbolic":
        import sympy

        value = sympy.factor(value)
    unsure = UNCERTIFIED in (times.error_bound, stationary.error_bound)
    bound: Bound = UNCERTIFIED
    if not unsure:
        a, b = float(times.error_bound), float(stationary.error_bound)
        rounding = 0.0 if chain.dtype == object else 2 * chain.n_states * 2.0**-53
        bound = a + b + a * b + rounding
    return KemenyConstant(
        chain=chain,
        mean_steps=value if chain.dtype == object else float(value),
        method="first passage times, without subtraction",
        error_bound=bound,
        uncertified_because=times.uncertified_because or stationary.uncertified_because,
    )
