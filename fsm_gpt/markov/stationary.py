"""Stationary and limiting distributions.

A distribution pi with pi P = pi is *stationary*. A chain has exactly one for each
closed class, positive there and zero elsewhere, and the mixtures of these (Norris,
theorem 1.7.7). So with several closed classes there is no such thing as *the* stationary
distribution, and asking for it is an error.

Each is computed without a subtraction, by elimination (:mod:`fsm_gpt.markov.elimination`)
or, for large classes, by multilevel cycles (:mod:`fsm_gpt.markov.multilevel`), and comes
with a proven bound on the relative error of every entry
(:mod:`fsm_gpt.markov.certificate`). A residual pi P - pi would say nothing: it can be
1e-16 where pi is wrong by a factor of two.

References
----------
Norris (1997), Markov Chains, sections 1.7 and 1.8. Stewart (1994), Introduction to the
Numerical Solution of Markov Chains, section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.closed_class import Method, Progress, solve_class
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.markov.streamed_class import solve_streamed
from fsm_gpt.result import UNCERTIFIED, Bounded, format_number, frozen, read_only
from fsm_gpt.rows import Numbers, kind_of

__all__ = ["StationaryDistribution", "heaviest", "not_unique", "stationary_distribution"]

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
        states, probabilities = self.classes[0]
        if len(states) == self.chain.n_states:
            return probabilities
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
        NotDefined
            The probabilities hold symbols.
        """
        pi = self._values("effective states").astype(np.float64)
        positive = pi[pi > 0]
        return float(2.0 ** -(positive @ np.log2(positive)))

    def top(self, most: int = 16) -> tuple[Ids, Numbers]:
        """The states with the largest probabilities and these, in descending order.

        Of equal states the lowest ids come first. One pass: nothing is sorted but the answer.

        Raises
        ------
        NotUnique
            The chain has several closed classes.
        NotDefined
            The probabilities hold symbols.
        InvalidArgument
            ``most`` is below one.

        Examples
        --------
        >>> rain = Chain.from_matrix([["1/2", "1/2"], ["1/4", "3/4"]])
        >>> states, masses = stationary_distribution(rain).top(1)
        >>> int(states[0]), str(masses[0])
        (1, '2/3')
        """
        if most < 1:
            raise InvalidArgument(f"top: the {most} heaviest states are none; ask for 1 or more.")
        pi = self._values("top states")
        states = heaviest(pi, most)
        return states, pi[states]

    def _values(self, what: str) -> Numbers:
        """Pi, where it is one vector of numbers."""
        if kind_of(self.pi) == "symbolic":
            raise NotDefined(
                f"{what}: the probabilities hold symbols, which have no value. Put "
                f"numbers in for them first."
            )
        return self.pi

    def __str__(self) -> str:
        lines = [f"stationary distribution ({self.method}; {self.error_sentence})"]
        for states, probabilities in self.classes[:8]:
            if len(self.classes) > 1:
                lines.append(f"closed class of {len(states):,}:")
            if probabilities.dtype == object:
                order = np.arange(min(16, len(states)))
            else:
                order = heaviest(probabilities, 16)
            for place in order:
                label = self.chain.label(int(states[place]))
                lines.append(f"  {label}  {format_number(probabilities[place])}")
            if len(states) > 16:
                lines.append(f"  ... and {len(states) - 16:,} more states")
        if len(self.classes) > 8:
            lines.append(f"... and {len(self.classes) - 8:,} more closed classes")
        return "\n".join(lines)


def heaviest(masses: Numbers, most: int) -> Ids:
    """Where the largest masses stand, in descending order, the lowest place first among equals.

    >>> heaviest(np.array([0.2, 0.3, 0.3, 0.1]), 2)
    array([1, 2])
    """
    if masses.dtype == object or len(masses) <= most:
        return np.argsort(-masses, kind="stable")[:most]
    least = np.partition(masses, len(masses) - most)[len(masses) - most]
    above, equal = np.flatnonzero(masses > least), np.flatnonzero(masses == least)
    chosen = np.sort(np.append(above, equal[: most - len(above)]))
    return np.asarray(chosen[np.argsort(-masses[chosen], kind="stable")])


def not_unique(what: str, classes: Sequence[Ids]) -> NotUnique:
    """The error where one answer was asked for and each closed class has its own."""
    sizes = ", ".join(str(len(states)) for states in classes[:6])
    return NotUnique(
        f"{what}: the chain has {len(classes)} closed classes (of {sizes}"
        f"{', ...' if len(classes) > 6 else ''} states), each with its own, and any mixture of "
        f"them is one as well. Use .classes or .dense() of stationary_distribution(chain) for "
        f"all of them, or give a start where the function takes one."
    )


def stationary_distribution(
    chain: Chain,
    *,
    exact: bool = False,
    method: Method = "auto",
    accuracy: float = 1e-8,
    progress: Progress | None = None,
) -> StationaryDistribution:
    """The stationary distribution of each closed class.

    Parameters
    ----------
    chain
        Any finite chain. Rationals and expressions are answered exactly.
    exact
        Take the binary values of float rows and answer in rationals.
    method
        "elimination" (up to a few thousand states), "multilevel" (millions), or "auto": the
        one that suits the size of each class, and for a large one products x P alone where
        they are proven to be enough.
    accuracy
        The relative error of every entry that large classes should be proven to; cycles go
        on until it is, or until nothing more can be gained.
    progress
        Called with the number of cycles, 0 after products alone, the largest relative change
        of an entry, and the residual sum |x P - x|.

    Raises
    ------
    StateSpaceTooLarge
        A closed class has more states than exact elimination serves.
    NotConverged
        The entries of a large class do not settle.

    Examples
    --------
    The Land of Oz (Kemeny & Snell; Grinstead & Snell, example 11.1):

    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> print(*stationary_distribution(oz).pi)
    2/5 1/5 2/5
    >>> stationary_distribution(oz.floats()).error_bound < 1e-14
    True
    """
    require_complete(chain, "stationary distribution")
    chain = chain.exact() if exact else chain
    return remembered(
        chain,
        ("stationary", method, accuracy),
        lambda: _solve(chain, method, accuracy, progress),
    )


def _solve(
    chain: Chain, method: Method, accuracy: float, progress: Progress | None
) -> StationaryDistribution:
    structure = communicating_classes(chain)
    solve = solve_streamed if chain.on_disk else solve_class
    solved = [
        solve(chain, states, method=method, accuracy=accuracy, progress=progress)
        for states in structure.closed
    ]
    refused = [one.refused for one in solved if one.bound == UNCERTIFIED]
    return StationaryDistribution(
        chain=chain,
        classes=tuple((one.states, frozen(one.probabilities)) for one in solved),
        periods=structure.periods,
        method="; ".join(dict.fromkeys(one.method for one in solved)),
        error_bound=UNCERTIFIED if refused else max(float(one.bound) for one in solved),
        uncertified_because=refused[0] if refused else "",
    )
