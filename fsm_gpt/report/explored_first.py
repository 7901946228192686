"""Sections on the first tokens: how much leaks out, and where a text is."""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.explore.machine import Exploration
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.brief import briefly
from fsm_gpt.report.explored_facts import Explored
from fsm_gpt.report.first_plot import left_plot, uncertainty_plot
from fsm_gpt.report.paper import (
    Barred,
    Figure,
    Part,
)
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, decimal, next_tokens, number, printable
from fsm_gpt.result import UNCERTIFIED

__all__ = ["exits", "leaks", "most_visited"]

#: Rows of a table of states, and of one of steps or depths.
MOST_ROWS, MOST_LINES = 24, 16


def leaks(found: Explored) -> Part:
    """How likely a text has left, token by token, and what that leaves open."""
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


def most_visited(found: Explored) -> Part:
    """The states in which most of the first tokens are drawn, from both sides."""
    first, exploration = found.first, found.exploration
    chain = briefly(exploration.chain)
    n = exploration.n_explored
    order = heaviest(first.visits[:n], min(n, MOST_ROWS))
    order = order[first.visits[order] > 0]
    outside = exits(exploration)
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
                decimal(outside[s]),
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


def exits(found: Exploration) -> Any:
    """Of each state the probability that its next token leads out."""
    edges = found.chain.edges()
    out = edges.target == found.chain.unexplored
    return np.bincount(edges.source[out], edges.probability[out], found.chain.n_states)
