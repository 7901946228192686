"""The mean number of steps to one state from every other, beside Storm."""

from __future__ import annotations

import numpy as np

from analysis.bench import storm
from analysis.bench.chains import in_words
from analysis.bench.measure import Spread, timed
from analysis.bench.results import Found, Row, Size
from analysis.bench.tasks import Call, Task
from analysis.families import hard_rows
from fsm_gpt.chain import Chain
from fsm_gpt.markov import hitting

__all__ = ["ours", "run", "theirs"]

SIZES: dict[Size, int] = {"full": 16, "quick": 11, "tiny": 8}
ROUNDS: dict[Size, int] = {"full": 5, "quick": 3, "tiny": 1}
#: Storm is stopped after so many seconds.
LIMIT = 60.0


def ours(L: int, rounds: int) -> list[Found]:
    """Seconds from the rows to the proven answer, and what is proven."""
    rows = hard_rows("random", 2, L)
    found = hitting(Chain(rows), 0)  # compiles, or loads
    seconds = [timed(lambda: hitting(Chain(rows), 0))[1] for _ in range(rounds)]
    at = in_words(2**L)
    bound = float(found.error_bound) if found.certified else None
    note = "" if found.certified else found.error_sentence
    return [
        Spread.of(seconds).row("hitting/seconds", unit="s", at=at),
        Row(key="hitting/bound", value=bound, unit="relative", at=at, note=note),
    ]


def theirs(L: int) -> list[Found]:
    """Storm's seconds, its model built beforehand, and its largest relative error."""
    chain = Chain(hard_rows("random", 2, L))
    built, building = timed(lambda: storm.model(chain))
    steps, seconds = timed(lambda: storm.mean_steps(built))
    truth = hitting(chain, 0).mean_steps
    error = float(np.abs(steps[1:] / truth[1:] - 1).max())
    at = in_words(2**L)
    return [
        Row(key="hitting/storm/seconds", value=seconds, unit="s", at=at),
        Row(key="hitting/storm/building", value=building, unit="s", at=at),
        Row(key="hitting/storm/error", value=error, unit="relative", at=at),
    ]


def run(call: Call, size: Size) -> list[Found]:
    """Ours, then Storm's, which may be stopped."""
    L = SIZES[size]
    return [
        *call(Task("hitting", ours, {"L": L, "rounds": ROUNDS[size]})),
        *call(Task("hitting/storm", theirs, {"L": L}, limit=LIMIT)),
    ]
