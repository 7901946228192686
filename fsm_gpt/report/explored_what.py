"""The section on what was explored: prompts, limits, and states by their distance."""

from __future__ import annotations

import math

import numpy as np

from fsm_gpt.decoding import in_words
from fsm_gpt.explore.machine import REASONS, Exploration
from fsm_gpt.report.brief import briefly, words_of
from fsm_gpt.report.explored_facts import MOST_PROMPTS
from fsm_gpt.report.paper import (
    Part,
)
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count

__all__ = ["prompts_and_depths", "what_was_explored", "why_it_ended"]

#: Rows of a table of states, and of one of steps or depths.
MOST_ROWS, MOST_LINES = 24, 16


def what_was_explored(found: Exploration) -> Part:
    """Prompts, limits, and states by their distance."""
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
    ended = why_it_ended(found)
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


def why_it_ended(found: Exploration) -> str:
    """The limits that ended a search."""
    return " and ".join(REASONS[reason] for reason in found.stopped_by)
