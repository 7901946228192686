"""What a text can go through before it ends, from a given start.

Of a machine with END (:meth:`fsm_gpt.Chain.with_stop`) only the states that can be reached from
the start matter. They are END, the *live* states, from which END can be reached, and the *lost*
ones, from which it cannot. Between live states the machine goes on with Q, whose rows sum to
less than one where a text may end or be lost; s(i) is the probability of stopping in i. All of
this is decided on the graph: the text surely ends if and only if no lost state can be reached
(Norris 1997, section 1.5: a finite chain leaves its transient states for good).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.first_step import decided
from fsm_gpt.markov.state_sets import begin, start_in_words
from fsm_gpt.result import format_number
from fsm_gpt.rows import Numbers
from fsm_gpt.subchain import reachable, subchain

__all__ = ["BeforeEnd", "before_end"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BeforeEnd:
    """The part of a machine that a start leads to."""

    part: Chain
    """The states that can be reached, as a chain; the other arrays are about these."""
    states: Ids
    """Which states of the machine they are."""
    start: Numbers
    """Where the text begins."""
    live: Mask
    """The states other than END from which it can be reached."""
    words: str
    """The start in words."""

    @property
    def end(self) -> int | None:
        """END; None where it cannot be reached."""
        return self.part.end

    @property
    def sure(self) -> bool:
        """Whether every text ends."""
        return self.end is not None and int(self.live.sum()) == self.part.n_states - 1

    @property
    def exact(self) -> bool:
        """Whether its probabilities are rationals."""
        return self.part.dtype == object

    @property
    def longest(self) -> int:
        """The most transitions of a row."""
        return int(np.bincount(self.part.raw_edges().source).max())

    def zeros(self) -> Numbers:
        """A zero for each state."""
        return np.zeros(self.part.n_states, dtype=object if self.exact else np.float64)

    def stopping(self) -> Numbers:
        """The probability of stopping now, in each live state; zero in others."""
        one = self.zeros()
        one[self.end] = 1
        return self.within(one)

    def within(self, f: Numbers) -> Numbers:
        """Q f in live states, zero in others; f may be anything in END."""
        return np.where(self.live, self.part.expect(f), self.zeros())


def before_end(machine: Chain, start: Any, where: str) -> BeforeEnd:
    """The part of a machine that a start leads to; ``where`` is the question, for an error.

    Parameters
    ----------
    start
        A state, a prompt, or a distribution of shape (N,); None for every state before the end,
        each as likely.

    Raises
    ------
    InvalidArgument
        The chain has no END, or the text has ended at the start.
    NotDefined
        The rows hold symbols, or the start leads to what was not explored.
    """
    if machine.end is None:
        raise InvalidArgument(
            f"{where}: this chain has no END, so its texts go on for ever. Say which token ends "
            f"one: chain.with_stop(token)."
        )
    if machine.kind == "symbolic":
        raise NotDefined(
            f"{where}: the rows hold symbols, which have no value. Put numbers in for them first."
        )
    x, words = _start(machine, start)
    if x[machine.end] != 0:
        raise InvalidArgument(
            f"{where}: the start is END with probability {format_number(x[machine.end])}, where "
            f"the text is over, its stop token behind it. Start before the end."
        )
    reached = reachable(machine, np.asarray(x != 0))
    whole = bool(reached.all())
    part = machine if whole else subchain(machine, reached)
    require_complete(part, where)
    live = np.zeros(part.n_states, dtype=bool)
    if part.end is not None:
        goal = np.arange(part.n_states) == part.end
        never, _ = decided(part, goal)
        live = ~never & ~goal
    states = np.flatnonzero(reached)
    return BeforeEnd(part, states, x[states], live, words)


def _start(machine: Chain, start: Any) -> tuple[Numbers, str]:
    """The distribution, and what to call it."""
    if start is None:
        N = machine.n_states
        share = Fraction(1, N - 1) if machine.dtype == object else 1 / (N - 1)
        x = np.array([share]).repeat(N)
        x[machine.end] = 0
        return x, "any state before the end, each as likely"
    x = begin(machine, start)
    return x, start_in_words(machine, x)
