"""How a text ends, where a token ends it: what is gathered, and the section that says it.

The text begins in any state before the end, each as likely: a report has no prompt. Of small
machines every state is listed as a start of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.hitting import Hitting, hitting
from fsm_gpt.markov.last_before_end import LastBeforeEnd, last_before_end
from fsm_gpt.markov.length import length_distribution
from fsm_gpt.markov.length_result import LengthDistribution
from fsm_gpt.markov.quasi_stationary import QuasiStationary, quasi_stationary
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent, ask, unless_larger
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import decimal, listed, number
from fsm_gpt.result import Bounded

if TYPE_CHECKING:
    from fsm_gpt.report.facts import Facts

__all__ = ["Ending", "ending", "how_it_ends"]

#: Starts, and last states, that are listed.
MOST_LINES = 16
#: Above so many states, what takes more than products is left out.
LARGEST = 2**16


@dataclass(frozen=True, eq=False, kw_only=True)
class Ending:
    """What a report says about the end of a text."""

    machine: Chain
    length: LengthDistribution | Absent
    last: LastBeforeEnd | Absent
    quasi_stationary: QuasiStationary | Absent
    from_each: Hitting | Absent
    """Of END, from every state."""

    def to_dict(self) -> dict[str, Any]:
        """The answers, ready for JSON."""
        return {
            "stop_tokens": self.stop_tokens,
            "length": self.length.to_dict(),
            "last": self.last.to_dict(),
            "quasi_stationary": self.quasi_stationary.to_dict(),
        }

    def answers(self) -> tuple[tuple[str, Bounded | Absent], ...]:
        """The answers that carry a method and an error bound, each with its name."""
        return (
            ("length of a text", self.length),
            ("last state of a text", self.last),
            ("texts that go on", self.quasi_stationary),
        )

    @property
    def stop_tokens(self) -> list[str]:
        """The tokens that end a text, as they are shown."""
        shown = self.machine.vocabulary.shown
        return [shown[t] for t in getattr(self.machine.states, "tokens", ())]


def how_it_ends(chain: Chain, stop: Sequence[int | str] = ()) -> Ending | None:
    """The end of a chain's texts, by these tokens or by its own END; None where there is none.

    >>> found = how_it_ends(Chain([[0.5, 0.5]] * 2, vocabulary="th"), "h")
    >>> found.stop_tokens, found.length.quantile(0.5)
    (['h'], 0)
    """
    machine = chain.with_stop(*stop) if stop else chain
    if machine.end is None:
        return None

    return Ending(
        machine=machine,
        length=ask(lambda: length_distribution(machine, start=None)),
        last=unless_larger(machine, LARGEST, lambda m: last_before_end(m, start=None)),
        quasi_stationary=unless_larger(machine, LARGEST, quasi_stationary),
        from_each=unless_larger(machine, MOST_LINES + 1, lambda m: hitting(m, m.end or 0)),
    )


def ending(facts: Facts) -> dict[str, Any] | None:
    """The section: sentences and tables."""
    found = facts.ending
    if found is None:
        return None
    tokens = listed(found.stop_tokens, 4)
    sentence = (
        f"A text ends when {tokens} is emitted, which is not counted: its length is the number of "
        f"tokens before. It begins in any state, each as likely."
    )
    length = found.length
    if isinstance(length, Absent):
        return {"absent": str(length), "caption": "", "under": [], "tables": []}
    tables = [_length(length, found.quasi_stationary)]
    if isinstance(found.from_each, Hitting) and len(length.pmf):
        tables.append(_starts(found.from_each))
    if isinstance(found.last, LastBeforeEnd):
        tables.append(_last(found.last))
    return {"absent": "", "caption": "", "sentence": sentence, "under": [], "tables": tables}


def _length(found: LengthDistribution, left: QuasiStationary | Absent) -> Table:
    rows = [("Probability of ending", decimal(found.probability_of_ending))]
    if not len(found.pmf):
        rows.append(("Mean length", "infinite: no text ends"))
    else:
        rows.append(("Mean length, tokens", number(found.mean_tokens)))
        rows.append(("Standard deviation", number(found.standard_deviation)))
        for share, name in ((0.5, "Median"), (0.9, "90% end after at most"), (0.99, "99%")):
            quantile = ask(lambda p=share: found.quantile(p))  # type: ignore[misc]
            if not isinstance(quantile, Absent):
                rows.append((name, f"{quantile:,}"))
        rows.append(("Tail rate a token", number(found.tail_rate)))
    if isinstance(left, QuasiStationary):
        steps = number(left.mean_remaining_steps)
        rows.append(("Mean steps to come of a text that has gone on for long", steps))
    less = found.probability_of_ending not in (0, 1)
    return Table(
        caption="The length of a text" + (", given that it ends" if less else ""),
        heads=("quantity", "value"),
        rows=tuple(rows),
        words=(0,),
    )


def _starts(found: Hitting) -> Table:
    chain = found.chain
    states = [s for s in range(chain.n_states) if s != chain.end]
    return Table(
        caption="From each state",
        heads=("start", "ends with", "mean length"),
        rows=tuple(
            (
                chain.label(s),
                decimal(found.probabilities[s]),
                number(found.mean_steps[s] - 1),
            )
            for s in states
        ),
        words=(0,),
        note="The mean length is infinite where a text may never end.",
    )


def _last(found: LastBeforeEnd) -> Table:
    p = found.probabilities
    held = np.flatnonzero(p != 0)
    shown = held[heaviest(p[held], MOST_LINES // 2)]
    more = f", the likeliest {len(shown)} of {len(held):,}" if len(held) > len(shown) else ""
    return Table(
        caption=f"The last state before the end{more}",
        heads=("state", "probability"),
        rows=tuple((found.chain.label(int(s)), decimal(p[s])) for s in shown),
        words=(0,),
    )
