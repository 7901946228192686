"""The page about an exploration that stopped early: what was seen, what leaks out, what is true.

Every number is one of the explored part that holds of the whole machine too, or stands there from
both sides. What is a number of the long run of all texts is left out, and the page says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.decoding import in_words
from fsm_gpt.explore.machine import REASONS, Exploration
from fsm_gpt.markov.first_tokens import FirstTokens
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.brief import briefly, words_of
from fsm_gpt.report.explored_facts import MOST_PROMPTS, Explored, Loop, about, explored_facts
from fsm_gpt.report.explored_graph import MOST_DRAWN, explored_graph
from fsm_gpt.report.first_plot import left_plot, uncertainty_plot
from fsm_gpt.report.paper import (
    Barred,
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
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import count, decimal, listed, next_tokens, number, printable
from fsm_gpt.result import UNCERTIFIED

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
                _what(exploration),
                _drawn(found),
                _leaks(found),
                _often(found),
                _loops(found),
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
        (False, f" until {_why(exploration)} ended the search; "),
        (True, f"{exploration.frontier:,} more are known to follow"),
        (False, ". After "),
        (
            False,
            f"{count(first.tokens, 'token')} a text has left the explored part with probability ",
        ),
        (True, _sure(first, float(first.left[-1]))),
        (False, ". What is said here is true of the whole machine, or stands between two bounds."),
    )


def _why(found: Exploration) -> str:
    return " and ".join(REASONS[reason] for reason in found.stopped_by)


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


# ---- the sections ----


def _what(found: Exploration) -> Part:
    chain = found.chain
    L = chain.context or 0
    V = chain.n_tokens - (not found.complete)
    power = L * math.log10(V)
    of = f"{V**L:,}" if power < 7 else f"about {10 ** (power % 1):.1f}e+{int(power)}"
    limits = [f"at most {count(found.max_states, 'state')}"]
    if found.max_depth is not None:
        limits.append(f"only what fewer than {count(found.max_depth, 'token')} lead to")
    if found.min_probability:
        limits.append(f"only what a path of probability {found.min_probability:g} leads to")
    ended = _why(found)
    sentences = (
        f"A state is a window of the last {count(L, 'token')}, or all of a text while it is "
        f"shorter. The model has {of} full windows over {V:,} tokens. Under the decoding rule "
        f"{in_words(chain.decoding)}, {count(found.n_explored, 'state')} of those that the prompts "
        "lead to were explored: the model was asked what follows, and each answer is a "
        "transition.",
        f"The limits were: {'; '.join(limits)}. The search was ended by {ended}. What it knows to "
        f"follow, and did not look at, stands together as one state, unexplored.",
    )
    return Part(
        name="explored",
        nav="Explored",
        title="What was explored",
        sentences=sentences,
        tables=prompts_and_depths(found),
    )


def prompts_and_depths(found: Exploration) -> tuple[Table, ...]:
    """The prompts, and how many states lie how far from them."""
    chain = found.chain
    states = briefly(chain).states
    vocabulary = getattr(states, "vocabulary", chain.vocabulary)
    names = [words_of(vocabulary, np.array(prompt, dtype=np.int64))[0] for prompt in found.prompts]
    n = len(names)
    more = f", the first {MOST_PROMPTS} of {n:,}" if n > MOST_PROMPTS else ""
    by_depth = np.bincount(found.depth)
    leaks = np.zeros(found.n_explored, dtype=bool)
    if chain.unexplored is not None:
        edges = chain.raw_edges()
        out = edges.source[edges.target == chain.unexplored]
        leaks[out[out < found.n_explored]] = True
    at_frontier = np.bincount(found.depth[leaks], minlength=len(by_depth))
    rows = [
        (f"{d:,}", f"{by_depth[d]:,}", f"{at_frontier[d]:,}")
        for d in _thinned(len(by_depth), MOST_LINES)
    ]
    thinned = f", {len(rows)} of {len(by_depth):,} distances" if len(rows) < len(by_depth) else ""
    return (
        Table(
            caption=f"Prompts, each as likely as the others{more}",
            heads=("prompt", "tokens"),
            rows=tuple(
                (name, f"{len(prompt):,}")
                for name, prompt in zip(names[:MOST_PROMPTS], found.prompts, strict=False)
            ),
            words=(0,),
            note="Of a long prompt the model sees its last tokens; here is the end of these."
            if any(name.startswith("…") for name in names)
            else "",
        ),
        Table(
            caption=f"States by their distance from the prompts, in tokens{thinned}",
            heads=("tokens", "states", "at the frontier"),
            rows=tuple(rows),
            note="At the frontier: some token leads from there to what was not looked at.",
        ),
    )


def _thinned(n: int, most: int) -> list[int]:
    """Places from 0 to n - 1, at most so many, the first and the last among them."""
    if n <= most:
        return list(range(n))
    return sorted({round(float(x)) - 1 for x in np.geomspace(1, n, most)})


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


def _leaks(found: Explored) -> Part:
    first = found.first
    T = first.tokens
    chosen = sorted(
        {0, *(2**k for k in range(T.bit_length())), first.surely, T} & set(range(T + 1))
    )
    e = 0.0 if first.error_bound == UNCERTIFIED else float(first.error_bound)
    rows = []
    for n in chosen:
        most = min(1.0, float(first.left[n]) * (1 + e))
        bits = ("—", "—")
        if n:
            bits = (decimal(first.bits_low[n - 1]), decimal(first.bits_high[n - 1]))
        at_most = decimal(most) if first.certified else f"{decimal(most)} uncertified"
        rows.append((f"{n:,}", at_most, *bits))
    sentences = (
        "Until a text leaves the explored part, the machine is the model, step by step. No text "
        "can "
        f"have left after {count(first.surely, 'token')}: that is a matter of which arrows there "
        f"are. From then on the probability grows that it is outside, where nothing is known.",
        "How uncertain the next token is, is known for the texts that are inside. For the "
        f"others it lies between 0 and log₂ V bits, so the mean lies between two curves. Numbers: "
        f"{first.error_sentence}.",
    )
    return Part(
        name="leaks",
        nav="What leaks out",
        title="How much leaks out",
        sentences=sentences,
        figures=(
            Figure(
                name="left",
                title="Texts that have left",
                draw=lambda: left_plot(first),
                caption="The probability that a text of so many tokens is outside.",
            ),
            Figure(
                name="bits",
                title="Uncertainty of each token",
                draw=lambda: uncertainty_plot(first),
                caption="Its mean entropy in bits lies between the two curves.",
            ),
        ),
        wide=(
            Table(
                caption="Token by token",
                heads=("tokens", "has left", "bits of the last, at least", "at most"),
                rows=tuple(rows),
            ),
        ),
    )


def _often(found: Explored) -> Part:
    first, exploration = found.first, found.exploration
    chain = briefly(exploration.chain)
    n = exploration.n_explored
    order = heaviest(first.visits[:n], min(n, MOST_ROWS))
    order = order[first.visits[order] > 0]
    exits = _exits(exploration)
    T = first.tokens
    e = 0.0 if first.error_bound == UNCERTIFIED else float(first.error_bound)
    rows, shares = [], []
    for s in order.tolist():
        least, most = float(first.visits[s]), float(first.visits[s]) + first.visits_left_open
        rows.append(
            (
                printable(chain.label(s)),
                f"{int(exploration.depth[s]):,}",
                number(least / (1 + e)),
                number(min(float(T), most * (1 + e))),
                decimal(exits[s]),
                next_tokens(exploration.chain, s),
            )
        )
        shares.append(least / max(float(first.visits.max()), 1e-300))
    several = f", the {len(rows)} most visited of {n:,}" if len(rows) < n else ""
    without = "" if first.certified else " These numbers are uncertified."
    return Part(
        name="visited",
        nav="Most visited",
        title="Where a text is in its first tokens",
        sentences=(
            f"How many of the first {count(T, 'token')} of a text are drawn in each state, on "
            f"average. {number(first.visits_left_open)} of them are drawn outside, and each state "
            f"may have so many visits more: texts may come back.{without}",
        ),
        barred=(
            Barred(
                table=Table(
                    caption=f"States by visits{several}",
                    heads=(
                        *("state", "distance", "visits, at least", "at most"),
                        *("leads outside", "next token"),
                    ),
                    rows=tuple(rows),
                    words=(0, 5),
                    note=(
                        "Leads outside: the probability that the next token leads to what was not "
                        "looked at."
                    ),
                ),
                shares=tuple(shares),
            ),
        ),
    )


def _exits(found: Exploration) -> Any:
    """Of each state the probability that its next token leads out."""
    edges = found.chain.edges()
    out = edges.target == found.chain.unexplored
    return np.bincount(edges.source[out], edges.probability[out], found.chain.n_states)


def _loops(found: Explored) -> Part:
    name, nav, title = "loops", "Loops", "Loops that were reached"
    tables = []
    if found.loops:
        tables.append(_table_of_loops(found))
    if found.ahead:
        tables.append(_likeliest(found))
    if not found.n_loops:
        said: tuple[str, ...] = (
            "No loop was reached: from every explored state some path leads to what was not looked "
            "at. Where texts end is open.",
        )
    else:
        ends = found.ends_in_a_loop
        known = f"How likely that is, is not said. {ends}"
        if not isinstance(ends, Absent):
            low, high = ends
            sure = "" if _certified(found) else " (uncertified)"
            known = (
                f"A text ends in one of them with probability {decimal(low)} at least, and "
                f"{decimal(high)} at most{sure}."
            )
        loops = count(found.n_loops, "set of states was", "sets of states were")
        said = (
            f"{loops} reached that a text never leaves again. That is true of the whole machine, "
            f"since every transition out of them was seen; so is their entropy rate. {known}",
        )
    return Part(name=name, nav=nav, title=title, sentences=said, wide=tuple(tables))


def _certified(found: Explored) -> bool:
    bounds = found.loop_bounds
    return bounds is not None and not isinstance(bounds, Absent) and bounds.certified


def _table_of_loops(found: Explored) -> Table:
    rows = []
    for loop in found.loops:
        sides = ("—", "—")
        if not isinstance(loop.ends_here, Absent):
            sides = (decimal(loop.ends_here[0]), decimal(loop.ends_here[1]))
        if not isinstance(loop.bounds, Absent) and not loop.bounds.certified:
            sides = (f"{sides[0]} uncertified", f"{sides[1]} uncertified")
        rows.append((_loop_in_words(found, loop), f"{len(loop.states):,}", *sides, _rate(loop)))
    more = f", {len(rows)} of {found.n_loops:,}" if found.n_loops > len(rows) else ""
    return Table(
        caption=f"What is written for ever, and how likely a text ends there{more}",
        heads=("text or states", "states", "ends here, at least", "at most", "bits per token"),
        rows=tuple(rows),
        words=(0,),
    )


def _rate(loop: Loop) -> str:
    if isinstance(loop.rate, Absent):
        return "—"
    return f"{decimal(loop.rate.bits_per_token)}{'' if loop.rate.certified else ' uncertified'}"


def _loop_in_words(found: Explored, loop: Loop) -> str:
    chain = found.exploration.chain
    if loop.tokens is not None:
        return _text(chain.vocabulary.label(loop.tokens))
    names = briefly(chain).labels(loop.states[:3])
    return printable(listed([*names, *([""] * (len(loop.states) - len(names)))], len(names)))


def _text(words: str) -> str:
    return printable(words if len(words) <= SIGNS else f"{words[: SIGNS - 1]}…")


def _likeliest(found: Explored) -> Table:
    exploration = found.exploration
    vocabulary = exploration.chain.vocabulary
    rows = []
    for one in found.ahead:
        prompt = np.array(exploration.prompts[one.prompt], dtype=np.int64)
        end, round_of = "leaves the explored part", "—"
        if one.loop is not None:
            end, round_of = _text(vocabulary.label(one.loop)), f"{len(one.loop):,}"
        rows.append((printable(words_of(vocabulary, prompt)[0]), f"{one.steps:,}", end, round_of))
    n = len(exploration.prompts)
    return Table(
        caption="Where a prompt leads when the likeliest token is always taken"
        + (f", the first {len(rows)} of {n:,}" if n > len(rows) else ""),
        heads=("prompt", "tokens before", "then", "tokens of a round"),
        rows=tuple(rows),
        words=(0, 2),
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
    exits = _exits(exploration)
    names = briefly(chain)
    rows = (
        [
            s,
            printable(names.label(s)),
            int(exploration.depth[s]),
            float(first.visits[s]),
            float(exits[s]),
        ]
        for s in chosen.tolist()
    )
    heads = ("id", "label", "distance", "visits_at_least", "leads_outside")
    words = f"Each state: the end of its context, distance, visits, and what leads outside{which}"
    return csv_file("states.csv", words, heads, rows)
