"""In which state a text ends.

Let v(i) be the mean number of visits to state i before the text ends or is lost, and s(i) the
probability of stopping in i. A text ends once at most, so v(i) s(i) is the probability that i is
its last state and that it ends, and divided by their sum the distribution of the last state given
that it ends (Kemeny & Snell 1976, theorem 3.2.4: v is a row of the fundamental matrix).

v is found as a stationary distribution. Whenever the text has ended or is lost, let it begin anew
from one more state, the origin: in that chain v(i) is the share of time spent in i over that
spent in the origin (Norris 1997, theorem 1.7.5), at any size and with a proof of each entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, NotDefined
from fsm_gpt.markov.before_end import BeforeEnd, before_end
from fsm_gpt.markov.stationary import heaviest, stationary_distribution
from fsm_gpt.markov.steps import rounded
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["LastBeforeEnd", "last_before_end"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LastBeforeEnd(Bounded):
    """The last state of a text before END, given that it ends."""

    chain: Chain = field(repr=False)
    start: str
    """Where the text begins, in words."""
    probabilities: Numbers
    """Of being the last state, shape (N,); zero in END."""
    mean_visits: Numbers
    """To each state before the text ends or can no longer end, shape (N,); zero in END, and in
    the states from which no text ends."""

    def __str__(self) -> str:
        lines = [f"last state before END, from {self.start} ({self.method}; {self.error_sentence})"]
        held = np.flatnonzero(self.probabilities != 0)
        shown = held[heaviest(self.probabilities[held], 16)]
        lines += [
            f"  {self.chain.label(int(s))}  {format_number(self.probabilities[s])}" for s in shown
        ]
        if len(held) > 16:
            lines.append(f"  ... and {len(held) - 16:,} more states")
        return "\n".join(lines)


def last_before_end(machine: Chain, *, start: Any, exact: bool = False) -> LastBeforeEnd:
    """The distribution of the last state before END, given that the text ends.

    The length of a text is the number of tokens emitted before the stop token, which is not
    counted. So the last state is the context that the stop token was emitted in.

    Parameters
    ----------
    machine
        A chain with END (:meth:`fsm_gpt.Chain.with_stop`).
    start
        A state (id, label or token ids) or a distribution of shape (N,).
    exact
        Take the binary values of float rows and answer in rationals.

    Raises
    ------
    InvalidArgument
        The chain has no END, or the start is END.
    NotDefined
        From the start no text ends.

    References
    ----------
    Kemeny & Snell (1976), Finite Markov Chains, section 3.2. Norris (1997), theorem 1.7.5.

    Examples
    --------
    A coin is thrown until two heads follow each other, and the second one ends the text:

    >>> coin = Chain([["1/2", "1/2", 0], ["1/2", 0, "1/2"], [1, 0, 0]], vocabulary="th.")
    >>> found = last_before_end(coin.with_stop("."), start="t")
    >>> print(*found.probabilities, "|", *found.mean_visits)
    0 1 0 0 | 4 2 0 0
    """
    machine = machine.exact() if exact else machine
    known = before_end(machine, start, "last_before_end")
    if known.end is None:
        raise NotDefined(
            f"last_before_end: from {known.words} no text ends, so there is no last state. Start "
            f"elsewhere, or ask where the chain stays: communicating_classes()."
        )
    live = np.flatnonzero(known.live)
    found = stationary_distribution(_restarted(known))
    share = found.pi
    if not known.exact and not share[:-1].max() < 1e300 * share[-1]:
        raise NotConverged(
            f"last_before_end: from {known.words} a text goes on for more than 1e300 tokens in the "
            f"mean, and such visits are beyond the floats. Ask for exact=True."
        )
    visits, s = share[:-1] / share[-1], known.stopping()[live]
    at_end = visits * s
    bound: Bound = found.error_bound
    if bound != UNCERTIFIED and not known.exact:
        # A quotient of two shares, a row's sum, and the sum over all states.
        once = (1 + float(bound)) / (1 - float(bound)) - 1
        rounding = rounded(2 * known.longest + 4 + len(live))
        bound = ((1 + once) ** 2 * (1 + rounding) - 1) * (1 + 1e-9)
    zero = visits[:1] * 0
    return LastBeforeEnd(
        chain=machine,
        start=known.words,
        probabilities=read_only(_over(machine, known, at_end / at_end.sum(), zero)),
        mean_visits=read_only(_over(machine, known, visits, zero)),
        method=f"{found.method}, with restarts",
        error_bound=bound,
        uncertified_because=found.uncertified_because,
    )


def _over(machine: Chain, known: BeforeEnd, values: Numbers, zero: Numbers) -> Numbers:
    """Numbers of live states as numbers of all states of the machine."""
    everywhere = np.repeat(zero, machine.n_states)
    everywhere[known.states[known.live]] = values
    return everywhere


def _restarted(known: BeforeEnd) -> Chain:
    """The live states and, last, the origin, from which the text begins whenever it is over."""
    edges, n = known.part.edges(), int(known.live.sum())
    place = np.full(known.part.n_states, n, dtype=np.int64)
    place[known.live] = np.arange(n)
    on = known.live[edges.source]
    begins = np.flatnonzero(known.start != 0)
    # Tokens only tell the transitions of a state apart; those from the origin need new ones.
    return Chain.from_edges(
        np.concatenate([place[edges.source[on]], np.full(len(begins), n)]),
        np.concatenate([edges.token[on], np.arange(len(begins))]),
        np.concatenate([place[edges.target[on]], place[begins]]),
        np.concatenate([edges.probability[on], known.start[begins]]),
        n_states=n + 1,
        vocabulary=max(known.part.n_tokens, len(begins)),
    )
