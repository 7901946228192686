"""Stationary and limiting distributions.

A distribution pi with pi P = pi is *stationary*. A chain has exactly one for each
closed class, positive there and zero elsewhere, and the mixtures of these (Norris,
theorem 1.7.7). So with several closed classes there is no such thing as *the* stationary
distribution, and asking for it is an error.

Each is computed by elimination without subtraction (:mod:`fsm_gpt.markov.elimination`)
and comes with a proven bound on the relative error of every entry
(:mod:`fsm_gpt.markov.certificate`). A residual pi P - pi would say nothing: it can be
1e-16 where pi is wrong by a factor of two.

References
----------
Norris (1997), Markov Chains, sections 1.7 and 1.8. Stewart (1994), Introduction to the
Numerical Solution of Markov Chains, section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov.absorption import absorption
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.certificate import certify
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = [
    "LimitingDistribution",
    "StationaryDistribution",
    "limiting_distribution",
    "stationary_distribution",
]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StationaryDistribution(Bounded):
    """One stationary distribution for each closed class."""

    chain: Chain = field(repr=False)
    classes: tuple[tuple[Ids, Numbers], ...]
    """For each closed class its states and their probabilities, which sum to one."""
    periods: tuple[int, ...]

    @property
    def pi(self) -> Numbers:
        """The stationary distribution, shape (N,).

        Raises
        ------
        NotUnique
            The chain has several closed classes.
        """
        if len(self.classes) > 1:
            raise not_unique("stationary distribution", [states for states, _ in self.classes])
        return read_only(self.dense()[0])

    def dense(self) -> Numbers:
        """Every class's distribution over all states, shape (number of closed classes, N)."""
        shape = (len(self.classes), self.chain.n_states)
        exact = self.chain.dtype == object
        table = np.full(shape, Fraction(0)) if exact else np.zeros(shape)
        for row, (states, probabilities) in zip(table, self.classes, strict=True):
            row[states] = probabilities
        return table

    @property
    def effective_states(self) -> float:
        """Two to the power of the entropy of pi in bits: N where pi is uniform.

        Raises
        ------
        NotUnique
            The chain has several closed classes.
        """
        pi = self.pi.astype(np.float64)
        positive = pi[pi > 0]
        return float(2.0 ** -(positive @ np.log2(positive)))

    def __str__(self) -> str:
        lines = [f"stationary distribution ({self.method}; {self.error_sentence})"]
        for states, probabilities in self.classes[:8]:
            if len(self.classes) > 1:
                lines.append(f"closed class of {len(states):,}:")
            if probabilities.dtype == object:
                order = np.arange(len(states))
            else:
                order = np.argsort(-probabilities, kind="stable")
            for place in order[:16]:
                label = self.chain.label(int(states[place]))
                lines.append(f"  {label}  {format_number(probabilities[place])}")
            if len(states) > 16:
                lines.append(f"  ... and {len(states) - 16:,} more states")
        if len(self.classes) > 8:
            lines.append(f"... and {len(self.classes) - 8:,} more closed classes")
        return "\n".join(lines)


def not_unique(what: str, classes: Sequence[Ids]) -> NotUnique:
    """The error where one answer was asked for and each closed class has its own."""
    sizes = ", ".join(str(len(states)) for states in classes[:6])
    return NotUnique(
        f"{what}: the chain has {len(classes)} closed classes (of {sizes}"
        f"{', ...' if len(classes) > 6 else ''} states), each with its own, and any mixture of "
        f"them is one as well. Use .classes or .dense() of stationary_distribution(chain) for "
        f"all of them, or give a start where the function takes one."
    )


def stationary_distribution(chain: Chain, *, exact: bool = False) -> StationaryDistribution:
    """The stationary distribution of each closed class.

    Parameters
    ----------
    chain
        Any finite chain. Rationals and expressions are answered exactly.
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    StateSpaceTooLarge
        A closed class has more states than elimination serves.

    Examples
    --------
    The Land of Oz (Kemeny & Snell; Grinstead & Snell, example 11.1):

    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(*stationary_distribution(oz).pi)
    2/5 1/5 2/5
    >>> stationary_distribution(oz.floats()).error_bound < 1e-14
    True
    """
    chain = chain.exact() if exact else chain
    structure = communicating_classes(chain)
    classes, bounds = [], []
    for states in structure.closed:
        probabilities = _of_class(chain, states)
        classes.append((states, read_only(probabilities)))
        bounds.append(_bound(chain, states, probabilities))
    failed = [reason for bound, reason in bounds if bound == UNCERTIFIED]
    return StationaryDistribution(
        chain=chain,
        classes=tuple(classes),
        periods=structure.periods,
        method="GTH elimination",
        error_bound=UNCERTIFIED if failed else max(float(bound) for bound, _ in bounds),
        uncertified_because=failed[0] if failed else "",
    )


def _of_class(chain: Chain, states: Ids) -> Numbers:
    """The stationary distribution of one closed class."""
    if len(states) == 1:
        return np.array([Fraction(1)]) if chain.dtype == object else np.ones(1)
    P, back = workable(dense_block(chain, states))
    x = eliminate(P).left_null_vector()
    if x.dtype != object and not np.isfinite(x).all():
        # The first state is too rare to measure the others by: let the heaviest lead.
        order = np.argsort(-np.nan_to_num(x, posinf=np.inf), kind="stable")
        x = np.empty_like(x)
        x[order] = eliminate(P[np.ix_(order, order)]).left_null_vector()
    return back(x / x.sum())


def _bound(chain: Chain, states: Ids, probabilities: Numbers) -> tuple[Bound, str]:
    if probabilities.dtype == object:
        return 0.0, ""
    edges = chain.raw_edges()
    place = np.full(chain.n_states, -1, dtype=np.int64)
    place[states] = np.arange(len(states))
    inside = place[edges.source] >= 0
    source, target = place[edges.source[inside]], place[edges.target[inside]]
    probability = edges.probability[inside].astype(np.float64)
    starts = np.searchsorted(source, np.arange(len(states) + 1)).tolist()
    values = probability.tolist()
    sums = np.array([math.fsum(values[a:b]) for a, b in pairwise(starts)])
    return certify(source, target, probability, sums, probabilities)


# ---- limits ----


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
        order = np.argsort(-self.probabilities.astype(np.float64), kind="stable")
        order = order[self.probabilities[order] != 0]
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
    begin = start_distribution(chain, start)
    weights = np.array([begin[states].sum() for states in structure.closed], dtype=begin.dtype)
    outside = structure.transient
    if not len(outside) or not (begin[outside] != 0).any():
        return weights, 0.0 if begin.dtype == object else len(begin) * 2.0**-53
    ends = absorption(chain)
    return weights + begin[outside] @ ends.probabilities, ends.error_bound
