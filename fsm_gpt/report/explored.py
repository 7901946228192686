"""The page about an exploration that stopped early: what was seen, what leaks out, what is true.

Every number is one of the explored part that holds of the whole machine too, or stands there from
both sides. What is a number of the long run of all texts is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.decoding import in_words
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.markov.first_tokens import FirstTokens
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.brief import briefly
from fsm_gpt.report.explored_facts import Explored, about, explored_facts
from fsm_gpt.report.explored_first import exits, leaks, most_visited
from fsm_gpt.report.explored_graph import MOST_DRAWN, explored_graph
from fsm_gpt.report.explored_loops import loops_reached
from fsm_gpt.report.explored_what import prompts_and_depths, what_was_explored, why_it_ended
from fsm_gpt.report.paper import (
    Card,
    Figure,
    Gathered,
    Paper,
    Part,
    csv_file,
    json_file,
    origins,
    table_of_answers,
)
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import count, number, printable

__all__ = ["ExploredReport", "about", "explored", "prompts_and_depths"]

#: Rows of a table of states, and of one of steps or depths.
MOST_ROWS, MOST_LINES = 24, 16
#: States in the file of the page.
MOST_FILED = 2048
#: Signs of a loop's text that are shown.
SIGNS = 80


@dataclass(frozen=True, eq=False, kw_only=True)
class ExploredReport(Gathered):
    """What is known of an exploration that stopped early, and the page about it."""

    found: Explored
    provenance: dict[str, str] = field(default_factory=dict)
    kind = "exploration"

    def numbers(self, *, most: int | None = None) -> dict[str, Any]:
        """All of it, ready for JSON."""
        document = self.found.to_dict(most=most)
        return {**document, "provenance": {**document["provenance"], **self.provenance}}

    def paper(self, title: str | None) -> Paper:
        """What the page says."""
        found, exploration = self.found, self.found.exploration
        return Paper(
            eyebrow=f"Exploration report · decoding {in_words(exploration.chain.decoding)}",
            title=printable(title or _title(exploration)),
            lead=_lead(found),
            cards=_cards(found),
            parts=(
                what_was_explored(exploration),
                _drawn(found),
                leaks(found),
                most_visited(found),
                loops_reached(found),
                _not_said(found),
            ),
            methods=table_of_answers(_answers(found)),
            provenance=origins(exploration.chain, self.provenance),
            notes=tuple(printable(note) for note in exploration.chain.notes),
            files=(json_file(self, most=4096), _states(found)),
        )


def explored(exploration: Exploration, provenance: dict[str, str] | None = None) -> ExploredReport:
    """Gather what is said of an exploration that stopped early."""
    return ExploredReport(found=explored_facts(exploration), provenance=dict(provenance or {}))


# ---- the top ----


def _title(found: Exploration) -> str:
    prompts = "a prompt leads" if len(found.prompts) == 1 else "prompts lead"
    return f"Where {prompts}: {count(found.n_explored, 'state')} explored"


def _lead(found: Explored) -> tuple[tuple[bool, str], ...]:
    exploration, first = found.exploration, found.first
    prompts = count(len(exploration.prompts), "prompt")
    return (
        (False, f"From {prompts}, "),
        (True, f"{count(exploration.n_explored, 'state')} were explored"),
        (False, f" until {why_it_ended(exploration)} ended the search; "),
        (True, f"{exploration.frontier:,} more are known to follow"),
        (False, ". After "),
        (
            False,
            f"{count(first.tokens, 'token')} a text has left the explored part with probability ",
        ),
        (True, _sure(first, float(first.left[-1]))),
        (False, ". What is said here is true of the whole machine, or stands between two bounds."),
    )


def _sure(first: FirstTokens, value: float) -> str:
    """A number, with the word where its bound is missing."""
    return f"{number(value)}{'' if first.certified else ' (uncertified)'}"


def _cards(found: Explored) -> tuple[Card, ...]:
    exploration, first = found.exploration, found.first
    low, high = first.bits_per_token
    T = first.tokens
    edges = exploration.chain.n_edges - 1
    uncertified = "" if first.certified else ", uncertified"
    return (
        Card(
            name="States explored",
            value=f"{exploration.n_explored:,}",
            sub=f"{count(edges, 'transition')}, found within "
            f"{count(int(exploration.depth.max()), 'token')} of a prompt",
        ),
        Card(
            name="Frontier",
            value=f"{exploration.frontier:,}",
            unit="more states",
            sub="are known to follow and were not looked at",
        ),
        Card(
            name=f"Left after {count(T, 'token')}",
            value=part_of(min(1.0, float(first.left[-1]))),
            sub=f"The probability that a text is outside by then{uncertified}",
        ),
        Card(
            name="Known without a gap",
            value=f"{first.surely:,}",
            unit="token" if first.surely == 1 else "tokens",
            sub="So long is every text, from every prompt, in the explored part",
        ),
        Card(
            name="Uncertainty of a token",
            value=number(low, 3) if low == high else f"{number(low, 3)} to {number(high, 3)}",
            unit="bits",
            words=low != high,
            sub=f"The mean of the first {count(T, 'token')}, "
            f"{'all inside' if low == high else 'from both sides'}{uncertified}",
        ),
    )


def _drawn(found: Explored) -> Part:
    exploration = found.exploration
    n = exploration.n_explored
    tokens = count(found.first.tokens, "token")
    caption = (
        f"Every state that was explored. The number in a disc is how many of the first {tokens} "
        f"are drawn there, on average, at least."
    )
    if n > MOST_DRAWN:
        caption = (
            f"The states near the prompts, those in which most of the first {tokens} are drawn. "
            f"The number in a disc is how many, on average, at least. The others of the {n:,} "
            f"explored states stand together."
        )
    caption += (
        " The disc in the colour of warnings stands for all that was not looked at: what happens "
        "after an arrow into it is not known."
    )
    return Part(
        name="graph",
        nav="Graph",
        title="The machine and its frontier",
        figures=(
            Figure(
                name="explored",
                draw=lambda: explored_graph(exploration, found.first),
                caption=caption,
                table="The tables below have the numbers, and states.csv has every state's.",
            ),
        ),
    )


def _not_said(found: Explored) -> Part:
    exploration = found.exploration
    return Part(
        name="not-said",
        nav="Not said",
        title="What cannot be said",
        sentences=(
            f"{count(exploration.frontier, 'state is', 'states are')} known to follow and "
            f"{'was' if exploration.frontier == 1 else 'were'} not looked at, and nobody knows "
            "what "
            f"lies behind. So there is no stationary distribution here, no entropy rate of all "
            "texts, no mixing time and no spectrum: each is a number of the long run, and any "
            f"text that leaves the explored part may spend its long run anywhere.",
            "To know more, explore on: fsm-gpt explore MODEL --resume FILE --max-states N, or "
            "explore(model, resume=exploration, max_states=N). A decoding rule that keeps fewer "
            "tokens makes the machine smaller. Once nothing is left to look at, the report says "
            "all that it says of any chain.",
        ),
    )


# ---- the end ----


def _answers(found: Explored) -> Iterable[tuple[str, Any]]:
    yield "first tokens", found.first
    if found.loop_bounds is not None:
        yield "ending in a loop that was reached", found.loop_bounds
    for i, loop in enumerate(found.loops, start=1):
        yield f"entropy rate in loop {i}", loop.rate


def _states(found: Explored) -> Any:
    exploration, first = found.exploration, found.first
    chain, n = exploration.chain, exploration.n_explored
    chosen = np.arange(n)
    which = ""
    if n > MOST_FILED:
        chosen = np.sort(heaviest(first.visits[:n], MOST_FILED))
        which = f"; the {MOST_FILED:,} most visited, of {n:,}"
    outside = exits(exploration)
    names = briefly(chain)
    rows = (
        [
            s,
            printable(names.label(s)),
            int(exploration.depth[s]),
            float(first.visits[s]),
            float(outside[s]),
        ]
        for s in chosen.tolist()
    )
    heads = ("id", "label", "distance", "visits_at_least", "leads_outside")
    words = f"Each state: the end of its context, distance, visits, and what leads outside{which}"
    return csv_file("states.csv", words, heads, rows)
