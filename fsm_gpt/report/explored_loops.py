"""The section on the loops that were reached."""

from __future__ import annotations

import numpy as np

from fsm_gpt.report.absent import Absent
from fsm_gpt.report.brief import briefly, words_of
from fsm_gpt.report.explored_facts import Explored, Loop
from fsm_gpt.report.paper import (
    Part,
)
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, decimal, listed, printable

__all__ = ["loops_reached"]

#: Signs of a loop's text that are shown.
SIGNS = 80


def loops_reached(found: Explored) -> Part:
    """Which loops were reached, and how likely a text ends in one."""
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
