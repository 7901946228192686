"""Where a text is that has gone on for long and has not ended.

Let a machine be looked at only as long as its text has not ended. The *quasi-stationary*
distribution nu is the one that this condition leaves alone: nu Q = r nu, with Q among the states
from which END can be reached. r, the *decay rate*, is the probability to go on for one token
more, and the largest eigenvalue of Q. From nu the number of steps until the end is geometric,
with the mean 1 / (1 - r). The state after n tokens, given that the text has not ended, tends to
nu, unless a period keeps it from settling.

With several communicating classes r is the largest of their eigenvalues; nu is positive on the
class that has it and on what that class leads to. Where two classes share it, the limit depends
on the start, and there is no answer. States from which no text ends are left out, and stepping
into one of them counts as stopping.

*Proof.* Of r by two positive numbers between which it lies (:mod:`fsm_gpt.markov.decay`). The
entries of nu are not proven; how well nu Q = r nu holds is told.

References
----------
Darroch & Seneta (1965), On quasi-stationary distributions in absorbing discrete-time finite
Markov chains, Journal of Applied Probability 2, 88-100. Collet, Martinez & San Martin (2013),
Quasi-Stationary Distributions, chapter 3. van Doorn & Pollett (2013), European Journal of
Operational Research 230, 1-14 (a survey, several classes included).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, NotDefined, NotUnique
from fsm_gpt.markov.before_end import BeforeEnd, before_end
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.decay import Decay, decay, left_vector
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.result import UNCERTIFIED, Bounded, format_number, read_only
from fsm_gpt.subchain import reachable

__all__ = ["QuasiStationary", "live_classes", "quasi_stationary"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Classes whose eigenvalues are compared.
MOST_CLASSES = 256


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class QuasiStationary(Bounded):
    """The quasi-stationary distribution of what has not ended, and how fast that dies away."""

    error_meaning = "absolute error of the decay rate"

    chain: Chain = field(repr=False)
    probabilities: Floats
    """Of each state given that the text has not ended, shape (N,); zero in END."""
    rate_per_token: float
    """The probability to go on for one token more, in the long run."""
    rate_at_least: float
    rate_at_most: float
    residual: float
    """Sum of |nu Q - r nu|."""
    class_size: int
    """How many states the class with the largest rate has."""
    classes: int
    """How many classes there are in which a text can stay."""

    @property
    def mean_remaining_steps(self) -> float:
        """1 / (1 - rate): the mean number of tokens to come, the stop token included."""
        return 1 / (1 - self.rate_per_token) if self.rate_per_token < 1 else math.inf

    @property
    def mean_remaining_between(self) -> tuple[float, float]:
        """Between which numbers that lies."""
        low, high = self.rate_at_least, self.rate_at_most
        return (1 - 1e-15) / (1 - low), (1 + 1e-15) / (1 - high) if high < 1 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain lists, numbers and strings, ready for JSON."""
        return {**super().to_dict(), "mean_remaining_steps": self.mean_remaining_steps}

    def __str__(self) -> str:
        low, high = self.mean_remaining_between
        several = "" if self.classes == 1 else f", the one of largest rate of {self.classes:,}"
        lines = [
            f"quasi-stationary distribution ({self.method}; {self.error_sentence})",
            f"  decay rate {format_number(self.rate_per_token)} per token, of a class of "
            f"{self.class_size:,} states{several}",
            f"  mean remaining steps {format_number(self.mean_remaining_steps)}, the stop token "
            f"included (between {format_number(low)} and {format_number(high)})",
        ]
        held = np.flatnonzero(self.probabilities)
        shown = held[heaviest(self.probabilities[held], 16)]
        lines += [
            f"  {self.chain.label(int(s))}  {format_number(self.probabilities[s])}" for s in shown
        ]
        if len(held) > 16:
            lines.append(f"  ... and {len(held) - 16:,} more states")
        return "\n".join(lines)


def quasi_stationary(machine: Chain, *, start: Any = None) -> QuasiStationary:
    """The quasi-stationary distribution of a text that has not ended, and its decay rate.

    The length of a text is the number of tokens emitted before the stop token, which is not
    counted; the steps here are one more.

    Parameters
    ----------
    machine
        A chain with END (:meth:`fsm_gpt.Chain.with_stop`). Rationals are answered in floats,
        because eigenvalues are no rationals.
    start
        A state (id, label or token ids) or a distribution of shape (N,): what it does not lead
        to is left out. Without it every state counts.

    Raises
    ------
    InvalidArgument
        The chain has no END.
    NotDefined
        END cannot be reached, or every text has ended after some number of tokens.
    NotUnique
        Two classes have the same rate, or rates too near to be told apart.

    References
    ----------
    Darroch & Seneta (1965), Journal of Applied Probability 2, 88-100.

    Examples
    --------
    From a the text goes on with a or b and ends with a probability of 1/4, and so from b:

    >>> machine = Chain([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [1, 0, 0]],
    ...                 vocabulary="ab.").with_stop(".")
    >>> found = quasi_stationary(machine)
    >>> round(found.rate_per_token, 12), round(found.mean_remaining_steps, 12)
    (0.75, 4.0)
    >>> found.probabilities.round(12).tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    known = before_end(machine, start, "quasi_stationary")
    if known.end is None:
        raise NotDefined(
            f"quasi_stationary: from {known.words} no text ends, so that not having ended is no "
            f"condition. Ask for the stationary distribution of the chain without a stop token."
        )
    chain, before = known.part.floats(), rounding_of(machine)
    classes = live_classes(known)
    if not classes:
        raise NotDefined(
            f"quasi_stationary: from {known.words} every text has ended after at most "
            f"{int(known.live.sum()):,} tokens, and nothing is left to be looked at in the long "
            f"run. Ask for the length_distribution()."
        )
    if len(classes) > MOST_CLASSES:
        raise NotUnique(
            f"quasi_stationary: {len(classes):,} classes of states could hold a text for long, "
            f"and rates are compared of up to {MOST_CLASSES}. Give a start that leads to fewer."
        )
    found = [decay(chain, states, before=before) for states in classes]
    best = _largest(known, classes, found)
    reached = reachable(chain, np.isin(np.arange(chain.n_states), classes[best])) & known.live
    support = np.flatnonzero(reached)
    x = left_vector(chain, support, before=before)
    return _answer(machine, known, support, x, found[best], classes[best], len(classes))


def rounding_of(chain: Chain) -> int:
    """Roundings of each probability when the chain is taken to floats."""
    return 0 if chain.dtype == np.float64 else chain.n_tokens + 2


def live_classes(known: BeforeEnd) -> list[Ids]:
    """The communicating classes of live states that can be entered more than once.

    A class is live as a whole or not at all, as END can be reached from all of it or none.
    """
    found = communicating_classes(known.part)
    edges = known.part.raw_edges()
    within = found.member[edges.source] == found.member[edges.target]
    inside = np.zeros(found.n_classes, dtype=bool)
    inside[found.member[edges.source[within]]] = True
    inside &= np.bincount(found.member[known.live], minlength=found.n_classes) > 0
    held = np.flatnonzero(inside[found.member])
    order = held[np.argsort(found.member[held], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(found.member[order])) + 1) if len(order) else []


def _largest(known: BeforeEnd, classes: list[Ids], found: list[Decay]) -> int:
    """The class with the largest rate."""
    best = max(range(len(found)), key=lambda k: found[k].rate)
    for k, other in enumerate(found):
        if k != best and other.high >= found[best].low:
            names = [known.part.label(int(classes[i][0])) for i in (best, k)]
            raise NotUnique(
                f"quasi_stationary: of {len(classes):,} classes two have rates that are not told "
                f"apart, that of {names[0]} ({found[best].rate:.15g}) and that of {names[1]} "
                f"({other.rate:.15g}), so that the limit depends on the start. Give a start that "
                f"leads to one of them."
            )
    return best


def _answer(
    machine: Chain,
    known: BeforeEnd,
    support: Ids,
    x: Decay,
    f: Decay,
    states: Ids,
    count: int,
) -> QuasiStationary:
    # Both vectors prove something of the same number.
    low, high = max(x.low, f.low), min(x.high, f.high, 1.0)
    if not x.refused and not f.refused and low > high:
        raise NotConverged(
            f"quasi_stationary: two proofs of the decay rate contradict each other ({low} and "
            f"{high}). That is a fault of this program; please report it."
        )
    refused = x.refused or f.refused
    nu = np.zeros(machine.n_states)
    nu[known.states[support]] = x.vector
    everywhere = np.zeros(known.part.n_states)
    everywhere[support] = x.vector
    after = known.part.floats().push(everywhere)[support]
    rate = low + (high - low) / 2
    return QuasiStationary(
        chain=machine,
        probabilities=read_only(nu),
        rate_per_token=rate,
        rate_at_least=low,
        rate_at_most=high,
        residual=float(np.abs(after - rate * x.vector).sum()),
        class_size=len(states),
        classes=count,
        method=x.method,
        error_bound=UNCERTIFIED if refused else max(high - rate, rate - low),
        uncertified_because=refused,
    )
