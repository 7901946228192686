"""The loops of greedy decoding, in sentences."""

from __future__ import annotations

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.greedy import GreedyMap, greedy_map
from fsm_gpt.report.absent import Absent, ask
from fsm_gpt.report.words import count

__all__ = ["greedy_loops"]

#: Loops that are told, the likeliest ends first; and states and tokens that are named of each.
MOST_LOOPS, MOST_NAMED, MOST_WRITTEN = 3, 8, 40


def greedy_loops(chain: Chain) -> list[str]:
    """Where a text goes when the most probable token is always taken, a sentence for each loop.

    None where the rows hold symbols, which cannot be compared.

    >>> print(*greedy_loops(Chain([[0, 1], [1, 0]], vocabulary="ab")))
    Always the most probable token: every state ends in b → a → b, and writes ab for ever.
    """
    found = ask(lambda: greedy_map(chain))
    if isinstance(found, Absent):
        return []
    order = np.argsort(-found.basin_sizes, kind="stable")
    many = len(order) > 1
    told = [_told(found, int(number), many) for number in order[:MOST_LOOPS]]
    head = "Always the most probable token: "
    if many:
        head += f"{len(order):,} ends. "
    if len(order) > MOST_LOOPS:
        told.append(f"And {len(order) - MOST_LOOPS:,} more.")
    told[0] = head + (told[0] if not many else told[0][:1].upper() + told[0][1:])
    return told


def _told(found: GreedyMap, number: int, many: bool) -> str:
    chain, basin = found.chain, int(found.basin_sizes[number])
    states = found.cycles[number]
    states = np.roll(states, -int(np.argmax(states)))  # from its highest, as elsewhere
    who = count(basin, "state ends", "states end") if many else "every state ends"
    writes = "write" if many and basin > 1 else "writes"
    if chain.end is not None and chain.end in states.tolist():
        return f"{who} at {chain.label(chain.end)}, with the text."
    written = chain.vocabulary.label(found.token[states[:MOST_WRITTEN]].tolist())
    written += "…" if len(states) > MOST_WRITTEN else ""
    if len(states) == 1:
        return f"{who} in {chain.label(int(states[0]))}, and {writes} {written} for ever."
    if len(states) > MOST_NAMED:
        return f"{who} in a cycle of {len(states):,} states, and {writes} {written} for ever."
    names = " → ".join(chain.labels(states))
    return f"{who} in {names} → {chain.label(int(states[0]))}, and {writes} {written} for ever."
