"""Where the chain is after a long time, from a given start.

The distribution after n tokens tends to the mixture of the stationary distributions of the
closed classes, weighted by the probability of ending in each (Norris 1997, theorem 1.8.3 and
section 1.3), unless it can end in a periodic class: there it goes round for ever, and only
the share of time spent in each state has a limit (theorem 1.10.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.absorption import absorption
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers, kind_of, objects

__all__ = ["LimitingDistribution", "class_weights", "limiting_distribution", "start_distribution"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LimitingDistribution(Bounded):
    """Where the chain is after a long time, from a given start."""

    error_meaning = "absolute error of every entry"

    chain: Chain = field(repr=False)
    probabilities: Numbers
    """Shape (N,)."""
    time_average: bool

    def __str__(self) -> str:
        what = "time average" if self.time_average else "limiting distribution"
        order = np.flatnonzero(self.probabilities != 0)
        if kind_of(self.probabilities) != "symbolic":
            order = order[np.argsort(-self.probabilities[order], kind="stable")]
        lines = [f"{what} ({self.method}; {self.error_sentence})"]
        for state in order[:16]:
            shown = format_number(self.probabilities[state])
            lines.append(f"  {self.chain.label(int(state))}  {shown}")
        if len(order) > 16:
            lines.append(f"  ... and {len(order) - 16:,} more states")
        return "\n".join(lines)


def limiting_distribution(
    chain: Chain, *, start: Any, time_average: bool = False, exact: bool = False
) -> LimitingDistribution:
    """The limit of the distribution of the state after n tokens.

    It is the mixture of the stationary distributions of the closed classes, weighted by
    the probability of ending in each.

    Parameters
    ----------
    start
        A state (id, label or token ids) or a distribution of shape (N,).
    time_average
        The share of time spent in each state instead, which exists where a periodic class
        keeps the distribution itself from settling.

    Raises
    ------
    NotDefined
        A periodic class is reached and no time average was asked for.

    Examples
    --------
    >>> flip = Chain.from_matrix([[0, 1], [1, 0]])
    >>> limiting_distribution(flip, start=0, time_average=True).probabilities
    array([0.5, 0.5])
    """
    require_complete(chain, "limiting distribution")
    chain = chain.exact() if exact else chain
    structure = communicating_classes(chain)
    weights, weight_error = class_weights(chain, structure, start)
    reached = [k for k, weight in enumerate(weights) if weight != 0]
    if not time_average:
        for k in reached:
            if structure.periods[k] > 1:
                raise NotDefined(
                    f"limiting distribution: from this start the chain can end in a closed class "
                    f"of period {structure.periods[k]}, where the distribution goes round for ever "
                    f"and has no limit. Pass time_average=True for the share of time spent in "
                    f"each state."
                )
    parts = stationary_distribution(chain)
    mixture = (weights[:, None] * parts.dense()).sum(axis=0)
    unsure = UNCERTIFIED in (parts.error_bound, weight_error)
    bound: Bound = UNCERTIFIED if unsure else float(parts.error_bound) + float(weight_error)
    return LimitingDistribution(
        chain=chain,
        probabilities=read_only(mixture),
        time_average=time_average,
        method=f"{parts.method}, mixed by hitting probabilities",
        error_bound=bound,
        uncertified_because="" if bound != UNCERTIFIED else parts.uncertified_because,
    )


def start_distribution(chain: Chain, start: Any) -> Numbers:
    """A distribution over states from a state's id, label or token ids, or from itself."""
    shape = np.shape(start) if not isinstance(start, str) else ()
    kind = object if chain.dtype == object else np.float64
    if shape == (chain.n_states,) and not _names_a_state(chain, start):
        given = np.asarray(start, dtype=kind)
        if (given < 0).any() or not abs(float(given.sum()) - 1) <= 1e-12:
            raise InvalidArgument(
                f"start: a distribution over {chain.n_states} states has entries of 0 or more "
                f"that sum to one; these sum to {given.sum()}."
            )
        return given
    point = np.zeros(chain.n_states, dtype=kind)
    point[chain.state(start)] = 1
    return point


def _names_a_state(chain: Chain, start: Any) -> bool:
    """Whether a sequence as long as there are states is a context of whole token ids."""
    return len(start) == chain.context and np.asarray(start).dtype.kind in "iu"


def class_weights(
    chain: Chain, structure: CommunicatingClasses, start: Any
) -> tuple[Numbers, Bound]:
    """The probability of ending in each closed class, and a bound on its absolute error."""
    if len(structure.closed) == 1:  # in which every start ends
        if start is not None:
            start_distribution(chain, start)  # refuses what is no start
        exact = chain.dtype == object
        return objects([Fraction(1)], (1,)) if exact else np.ones(1), 0.0
    begin = start_distribution(chain, start)
    weights = np.array([begin[states].sum() for states in structure.closed], dtype=begin.dtype)
    outside = structure.transient
    if not len(outside) or not (begin[outside] != 0).any():
        return weights, 0.0 if begin.dtype == object else len(begin) * 2.0**-53
    ends = absorption(chain)
    return weights + begin[outside] @ ends.probabilities, ends.error_bound
