r"""How a number of a chain changes with its rows.

A language model makes each row from *logits*, P[s, t] = exp(z[s, t]) / sum_u exp(z[s, u]). With the
weights and worths of :mod:`fsm_gpt.markov.functional` the gradient of a number F is

    dF / dz[s, t] = weight(s) P[s, t] (worth(s, t) - sum_u P[s, u] worth(s, u)).

Its rows sum to zero: adding a constant to the logits of a row changes nothing. Where a probability
is zero, so is the gradient: no finite change of logits makes it positive.

*Errors of what a chain was made from.* If no logit is wrong by more than delta, F is wrong by at
most delta times the sum of all \|dF / dz\|, to first order.

References
----------
Golub & Meyer (1986), SIAM J. Algebraic and Discrete Methods 7, 273-281. Cao (2007), Stochastic
Learning and Optimization, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, StateSpaceTooLarge
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.functional import Derivative, Functional
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, frozen

__all__ = ["RowSensitivity", "row_sensitivity"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Tables of more numbers are not made.
MOST_NUMBERS = 2**27


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RowSensitivity(Bounded):
    """The gradient of a number of a chain with respect to the logits of its rows."""

    error_meaning = "absolute error of every derivative"

    chain: Chain = field(repr=False)
    what: str
    value: float
    unit: str
    source: Ids
    """The state of each transition, ascending."""
    token: Ids
    """Its token."""
    by_transition: Floats
    """Its derivative: change of the value for each nat that the logit rises."""

    @property
    def by_state(self) -> Floats:
        """How far the value moves, to first order, if each logit of a row may move by one nat.

        The sum of the absolute derivatives of the row, shape (N,).
        """
        moved = np.abs(self.by_transition)
        return np.bincount(self.source, moved, self.chain.n_states).astype(np.float64)

    @property
    def gradient(self) -> Floats:
        """The derivatives as a table, shape (N, V); zero where a token has probability zero.

        Raises
        ------
        StateSpaceTooLarge
            The table would have more than 2^27 numbers.
        """
        N, V = self.chain.n_states, self.chain.n_tokens
        if N * V > MOST_NUMBERS:
            raise StateSpaceTooLarge(
                f"gradient: a table of {N:,} states by {V:,} tokens takes "
                f"{N * V * 8 / 2**30:,.1f} GiB. Use by_transition, source and token."
            )
        table = np.zeros((N, V))
        table[self.source, self.token] = self.by_transition
        return table

    def top(self, most: int = 8) -> list[tuple[str, float]]:
        """The states whose rows move the value most, each with its part of ``by_state``.

        Raises
        ------
        InvalidArgument
            ``most`` is below one.
        """
        if most < 1:
            raise InvalidArgument(f"top: the first {most} states are none; ask for 1 or more.")
        moved = self.by_state
        order = np.argsort(-moved, kind="stable")[:most]
        return [(self.chain.label(int(s)), float(moved[s])) for s in order if moved[s] > 0]

    def error_bar(self, logit_error: float) -> float:
        """How far the value may be off, to first order, if every logit is off by so much at most.

        Rounding a probability by a relative error e is a logit error of e.

        Raises
        ------
        InvalidArgument
            The error is negative or no number.
        """
        if not logit_error >= 0:
            raise InvalidArgument(
                f"error_bar: the error of a logit is {logit_error}, and it has to be 0 or more."
            )
        return float(logit_error * np.abs(self.by_transition).sum())

    def listing(self, most: int = 8) -> str:
        """The value, and the rows that move it most."""
        lines = [
            f"{self.what}: {format_number(self.value)} {self.unit}",
            f"  gradient by the adjoint equation ({self.method}; {self.error_sentence})",
        ]
        for label, moved in self.top(most):
            lines.append(f"  row {label}: {format_number(moved, 4)} for each nat of its logits")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.listing()


def row_sensitivity(chain: Chain, functional: Functional) -> RowSensitivity:
    """The gradient of a number of a chain with respect to the logits of its rows.

    Rationals are taken as floats. A chain with zeros keeps them: they have derivative zero.

    Raises
    ------
    NotUnique
        The number is one of the long run, and the chain has several closed classes.
    NotDefined
        The number is infinite, the rows hold symbols, or a part of the chain is unexplored.
    StateOutOfRange
        A state of the functional is not there.

    References
    ----------
    Golub & Meyer (1986). Cao (2007), section 2.1.

    Examples
    --------
    Two states, left with probabilities a and b: pi of the first is b / (a + b).

    >>> from fsm_gpt.markov.functional import StationaryProbability
    >>> chain = Chain([[0.75, 0.25], [0.5, 0.5]])
    >>> found = row_sensitivity(chain, StationaryProbability("0"))
    >>> round(found.value, 6), found.gradient.round(6).tolist()
    (0.666667, [[0.166667, -0.166667], [0.111111, -0.111111]])
    """
    require_complete(chain, "sensitivity")
    if chain.kind == "symbolic":
        raise NotDefined(
            "sensitivity: the rows hold symbols. Ask the question in symbols (for instance "
            "stationary_distribution(chain).pi) and differentiate the answer, or put numbers in."
        )
    converted = chain.dtype != np.float64
    chain = chain.floats()
    found = functional.derivative(chain)
    edges = chain.edges()
    p = np.asarray(edges.probability, dtype=float)
    mean = np.bincount(edges.source, weights=p * found.worth, minlength=chain.n_states)
    away = found.worth - mean[edges.source]
    derivative = found.weight[edges.source] * p * away
    bound, reason = _bound(found, edges.source, p, away, converted=converted)
    return RowSensitivity(
        chain=chain,
        what=str(functional),
        value=found.value,
        unit=functional.unit,
        source=frozen(np.array(edges.source)),
        token=frozen(np.array(edges.token)),
        by_transition=frozen(derivative),
        method=found.method,
        error_bound=bound,
        uncertified_because=reason,
    )


def _bound(
    found: Derivative, source: Ids, p: Floats, away: Floats, *, converted: bool
) -> tuple[Bound, str]:
    """The absolute error of a derivative: that of the worths, of the weights, and rounding."""
    if converted:
        return UNCERTIFIED, "the probabilities were made float64 first"
    if found.weight_error == UNCERTIFIED or found.worth_error is None:
        return UNCERTIFIED, "the adjoint equation was solved without a bound"
    rounding = (int(np.bincount(source).max()) + 8) * 2.0**-52
    wrong = found.worth_error + rounding * np.abs(found.worth)
    wrong += np.bincount(source, weights=p * wrong)[source]  # and that of the row's mean
    wrong += (float(found.weight_error) + rounding) * np.abs(away)
    flow = found.weight[source] * p
    bound = float((flow * wrong).max()) * (1 + 2 * float(found.weight_error)) * (1 + 1e-9)
    if not bound <= float((flow * np.abs(away)).max()) and bound > 0:
        return UNCERTIFIED, "no digit of the derivatives is known to be right"
    return bound, ""
