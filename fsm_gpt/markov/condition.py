r"""How much the stationary distribution can change when the transition matrix does.

If P and P' = P + E are transition matrices of irreducible chains, then for every state

    max_j |pi(j) - pi'(j)| <= kappa max_i sum_j |E[i, j]|,

with kappa = 1/2 max_j pi(j) max_i m(i, j), m(i, j) the mean first passage times (Cho & Meyer). It
is the smallest of the condition numbers in the literature that they compare. A large one says
that absolute errors of P matter; relative errors of its entries are harmless where they are
small beside 1 / N (O'Cinneide), which is why our own answers do not depend on it.

References
----------
Cho & Meyer (2000), Linear Algebra Appl. 316, 21-28 (kappa by passage times). Cho & Meyer (2001),
Linear Algebra Appl. 335, 137-150 (the comparison). O'Cinneide (1993), Numer. Math. 65, 109-120.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.passage import mean_first_passage
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number

__all__ = ["ConditionNumber", "condition_number"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ConditionNumber(Bounded):
    """The condition number of Cho and Meyer."""

    error_meaning = "relative error"

    chain: Chain = field(repr=False)
    kappa: Any
    """Largest change of a stationary probability for each unit of change of a row, no unit."""
    state: int
    """The state whose probability may change so much."""

    def __str__(self) -> str:
        return (
            f"condition number {format_number(self.kappa)}: changing rows of P by delta in all "
            f"changes no stationary probability by more than {format_number(self.kappa)} delta, "
            f"the most that of {self.chain.label(self.state)} ({self.method}; "
            f"{self.error_sentence})"
        )


def condition_number(chain: Chain) -> ConditionNumber:
    """The condition number of the stationary distribution.

    Raises
    ------
    NotUnique
        The chain has several closed classes.
    NotDefined
        The chain has one state, or symbols.
    StateSpaceTooLarge
        The passage times between all states do not fit.

    References
    ----------
    Cho & Meyer (2000), theorem 2.1.

    Examples
    --------
    Two states, left with probabilities 1/4 and 1/2, and reached after 4 and 2 steps:

    >>> condition_number(Chain([["3/4", "1/4"], ["1/2", "1/2"]])).kappa
    Fraction(2, 3)
    """
    require_complete(chain, "condition number")
    if chain.n_states == 1:
        raise NotDefined("condition number: a chain of one state has nothing that could change.")
    if chain.kind == "symbolic":
        raise NotDefined(
            "condition number: the rows hold symbols, which have no size. Put numbers in for them."
        )
    law = stationary_distribution(chain)
    pi = law.pi
    found = mean_first_passage(chain)
    times = np.array(found.mean_steps)
    np.fill_diagonal(times, 0)
    reached = times.max(axis=0)  # a transient state may be infinitely far, and pi is zero there
    half = [p * m / 2 if p else p * 0 for p, m in zip(pi, reached, strict=True)]
    state = int(np.argmax(np.array([float(value) for value in half])))
    bound: Bound = UNCERTIFIED
    if UNCERTIFIED not in (law.error_bound, found.error_bound):
        bound = float(law.error_bound) + float(found.error_bound)
        bound = bound if bound == 0 else bound + 2.0**-51
    return ConditionNumber(
        chain=chain,
        kappa=half[state],
        state=state,
        method="mean first passage times",
        error_bound=bound,
        uncertified_because=law.uncertified_because or found.uncertified_because,
    )
