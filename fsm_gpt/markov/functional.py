"""Numbers of a chain that have a gradient, each with what a transition is worth to it.

Let F be a number of a chain with rows P. To first order a small change dP of the rows, whose
rows sum to zero, changes it by

    dF = sum_s weight(s) sum_t dP[s, t] worth(s, t),

where ``weight`` says how often a state matters and ``worth`` what it gains to take a token there;
a constant added to the worths of a row changes nothing. Both come from one equation beside that
of F itself, its *adjoint*, and nothing is iterated through:

- a mean in the long run, F = sum_s pi(s) E_s r(s, t), where r may itself be a function of the row:
  weight = pi, and worth(s, t) = r(s, t) + g(s'), g the relative values of r and s' the next
  state (:mod:`fsm_gpt.markov.poisson`). So it is for the *entropy rate*, r = -log2 P[s, t], whose
  own derivative is constant in a row and drops out;
- a *stationary probability*, r = 1 in the state: there g = -pi(j) h, h the mean times to reach j;
- a *hitting time* from a start: weight(s) is the mean number of visits to s before the target,
  worth(s, t) the mean time that is left in s';
- the *KL rate* of a reference with stationary law pi and rows R: weight = pi and
  worth(s, t) = -R[s, t] / (P[s, t] ln 2), since only the rows matter.

References
----------
Schweitzer (1968), J. Appl. Probability 5, 401-413. Golub & Meyer (1986), SIAM J. Algebraic and
Discrete Methods 7, 273-281 (derivatives of pi). Cao (2007), Stochastic Learning and Optimization,
section 2.1 (performance derivatives by relative values).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.compare import compare
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.first_step import FirstStep, decided
from fsm_gpt.markov.hitting import hitting
from fsm_gpt.markov.paired import matching_states
from fsm_gpt.markov.poisson import ToOneState, in_floats
from fsm_gpt.markov.reward_values import SURPRISAL, earning
from fsm_gpt.markov.state_sets import in_words, state_set
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.subchain import reached

__all__ = [
    "Derivative",
    "Functional",
    "HittingTime",
    "KLRate",
    "StationaryProbability",
    "TokenEntropy",
]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Derivative:
    """A number, and how each transition moves it."""

    value: float
    weight: Floats
    """Of each state, shape (N,)."""
    worth: Floats
    """Of each transition of ``chain.edges()``, up to a constant in each row."""
    method: str
    weight_error: Bound = UNCERTIFIED
    """A bound on the relative error of every weight."""
    worth_error: Floats | None = None
    """A bound on the absolute error of every worth but for a constant, where one is known."""


class Functional(Protocol):
    """A number of a chain that has a gradient."""

    @property
    def unit(self) -> str:
        """Of the number."""
        ...

    def derivative(self, chain: Chain) -> Derivative:
        """The number of a chain of floats, with its weights and worths."""
        ...


@dataclass(frozen=True)
class TokenEntropy:
    """The entropy rate, in bits per token."""

    unit: ClassVar[str] = "bits per token"

    def __str__(self) -> str:
        return "entropy rate"

    def derivative(self, chain: Chain) -> Derivative:
        """The entropy rate, with its weights and worths."""
        value = float(entropy_rate(chain).bits_per_token)
        gains = earning(chain, SURPRISAL, None)
        stationary = stationary_distribution(chain)
        states, pi = stationary.classes[0]
        solved = in_floats(
            gains.inside(states),
            np.asarray(pi, dtype=float),
            stationary.periods[0],
            pi_error=stationary.error_bound,
            to_one_state=_to_one_state(chain, states),
        )
        g = np.zeros(chain.n_states)
        g[states] = solved.g
        error = None
        if solved.error is not None:
            wrong = np.zeros(chain.n_states)
            wrong[states] = solved.error
            error = wrong[gains.target] + gains.value_error
        return Derivative(
            value=value,
            weight=np.asarray(stationary.pi, dtype=float),
            worth=gains.value + g[gains.target],
            method=solved.method,
            weight_error=stationary.error_bound,
            worth_error=error,
        )


@dataclass(frozen=True)
class StationaryProbability:
    """The share of time spent in a state in the long run."""

    state: int | str
    unit: ClassVar[str] = "share of the time"

    def __str__(self) -> str:
        return f"stationary probability of {self.state}"

    def derivative(self, chain: Chain) -> Derivative:
        """The probability, with its weights and worths."""
        stationary = stationary_distribution(chain)
        pi = np.asarray(stationary.pi, dtype=float)
        state = chain.state(self.state)
        edges = chain.edges()
        if pi[state] == 0:  # a transient state stays one while no zero becomes positive
            nothing = np.zeros(len(edges.target))
            return Derivative(
                value=0.0,
                weight=pi,
                worth=nothing,
                method="by the graph alone",
                weight_error=stationary.error_bound,
                worth_error=nothing,
            )
        times = hitting(chain, state)
        h = np.where(pi > 0, np.asarray(times.mean_steps, dtype=float), 0.0)
        worth = -pi[state] * h[edges.target]
        error = None
        if UNCERTIFIED not in (times.error_bound, stationary.error_bound):
            error = (float(times.error_bound) + float(stationary.error_bound)) * -worth
        return Derivative(
            value=float(pi[state]),
            weight=pi,
            worth=worth,
            method=times.method,
            weight_error=stationary.error_bound,
            worth_error=error,
        )


@dataclass(frozen=True)
class HittingTime:
    """The mean number of tokens from a start until one of some states is entered."""

    target: int | str | tuple[int | str, ...]
    start: int | str
    unit: ClassVar[str] = "tokens"

    def __str__(self) -> str:
        some = self.target if isinstance(self.target, tuple) else (self.target,)
        more = f" or {len(some) - 3:,} more" if len(some) > 3 else ""
        return f"mean tokens from {self.start} to {', '.join(map(str, some[:3]))}{more}"

    def derivative(self, chain: Chain) -> Derivative:
        """The time, with its weights and worths."""
        target = list(self.target) if isinstance(self.target, tuple) else self.target
        goal, start = state_set(chain, target, "hitting time"), chain.state(self.start)
        _, sure = decided(chain, goal)
        if not sure[start]:
            raise NotDefined(
                f"hitting time: from {chain.label(start)} the chain does not surely reach "
                f"{in_words(chain, goal)}, so the mean time is infinite and has no gradient. Name "
                f"a start or a target such that it does."
            )
        edges = chain.edges()
        times = hitting(chain, np.flatnonzero(goal).tolist())
        h = np.asarray(times.mean_steps, dtype=float)
        visits, error = _visits(chain, goal, start)
        left = np.where(visits[edges.source] > 0, h[edges.target], 0.0)
        return Derivative(
            value=float(h[start]),
            weight=visits,
            worth=left,
            method=times.method,
            weight_error=error,
            worth_error=None if times.error_bound == UNCERTIFIED else times.error_bound * left,
        )


@dataclass(frozen=True, eq=False)
class KLRate:
    """KL(reference || chain): the bits that the chain wastes on each token of the reference."""

    reference: Chain
    unit: ClassVar[str] = "bits per token"

    def __str__(self) -> str:
        return "KL rate of the reference"

    def derivative(self, chain: Chain) -> Derivative:
        """The rate, with its weights and worths."""
        found = compare(self.reference, chain)
        if math.isinf(found.kl_bits_per_token):
            raise NotDefined(
                f"KL rate: the chain rules out what the reference does in "
                f"{', '.join(found.missing[:4])}, so the rate is infinite and has no gradient. "
                f"Compare before a decoding rule takes tokens away."
            )
        reference = self.reference.floats()
        law = stationary_distribution(reference)
        pi = np.asarray(law.pi, dtype=float)
        seen = np.flatnonzero(pi > 0)
        places = matching_states(reference, chain, seen)
        weight = np.zeros(chain.n_states)
        weight[places] = pi[seen]
        row_of = np.full(chain.n_states, -1, dtype=np.int64)
        row_of[places] = np.arange(len(seen))
        rows = np.asarray(reference.next_token[seen], dtype=float)
        rows = rows / rows.sum(axis=1, keepdims=True)
        edges = chain.edges()
        row = row_of[edges.source]
        wanted = np.where(row >= 0, rows[row, edges.token], 0.0)
        worth = -wanted / (np.asarray(edges.probability, dtype=float) * math.log(2))
        return Derivative(
            value=found.kl_bits_per_token,
            weight=weight,
            worth=worth,
            method="the rows of the two",
            weight_error=law.error_bound,
            worth_error=8 * np.spacing(np.abs(worth)),
        )


def _to_one_state(chain: Chain, states: Ids) -> ToOneState:
    """First-step equations among the states of a closed class but one."""

    def solve(j: int, gained: Floats) -> tuple[Floats, Bound]:
        found, bound, _ = FirstStep(chain).solve(np.delete(states, j), gained)
        return np.asarray(found, dtype=float), bound

    return solve


def _visits(chain: Chain, goal: Mask, start: int) -> tuple[Floats, Bound]:
    """The mean number of visits to each state before the goal, and its relative error."""
    visits = np.zeros(chain.n_states)
    if goal[start]:
        return visits, 0.0
    edges = chain.edges()
    on = ~goal[edges.source]
    begin = np.arange(chain.n_states) == start
    inside = np.flatnonzero(reached(edges.source[on], edges.target[on], begin) & ~goal)
    found, bound, _ = FirstStep(chain).visits(inside, start)
    visits[inside] = found
    return visits, bound
