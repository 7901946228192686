"""The entropy rate of a million states, beside Storm's long-run reward.

Ours is timed twice: whole, as :func:`fsm_gpt.entropy_rate` gives it, proof included; and
without the proof, which Storm does not give either: classes, cycles until no entry changes
by more than 1e-12, the rows' entropies. Storm's model is built beforehand, the entropies as
its rewards included, and only the check is timed. The value is held against power iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.bench import storm
from analysis.bench.chains import in_words
from analysis.bench.measure import Spread, alternating, ratios, timed
from analysis.bench.oracle import entropy_by_powers
from analysis.bench.results import Found, Row, Size
from analysis.bench.solver import entropy_without_proof
from analysis.bench.tasks import Call, Task
from analysis.families import hard_rows
from fsm_gpt.chain import Chain
from fsm_gpt.markov import EntropyRate, entropy_rate

__all__ = ["alone", "beside_storm", "run"]

SIZES: dict[Size, int] = {"full": 20, "quick": 14, "tiny": 9}
ROUNDS: dict[Size, int] = {"full": 3, "quick": 3, "tiny": 1}


@dataclass
class _Kept:
    """Runs some work, and keeps its last answer."""

    work: Callable[[], float]
    value: float = 0.0

    def __call__(self) -> None:
        self.value = self.work()


def _rows_of(
    key: str, seconds: dict[str, list[float]], error: float, proven: EntropyRate, at: str
) -> list[Found]:
    """Times of ours, how wrong the value without a proof is, and what is proven."""
    note = proven.error_sentence
    return [
        Spread.of(seconds["ours"]).row(f"{key}/ours", unit="s", at=at),
        Spread.of(seconds["proven"]).row(f"{key}/ours with proof", unit="s", at=at),
        Row(key=f"{key}/error", value=error, unit="relative", at=at, note=note),
        Row(
            key=f"{key}/bound",
            value=float(proven.error_bound) if proven.certified else None,
            unit="relative",
            at=at,
            note=note,
        ),
    ]


def alone(L: int, rounds: int) -> list[Found]:
    """Ours, where there is no Storm to stand beside it."""
    rows = hard_rows("random", 2, L)
    ours = _Kept(lambda: entropy_without_proof(Chain(rows)))
    works: dict[str, Callable[[], object]] = {
        "ours": ours,
        "proven": lambda: entropy_rate(Chain(rows)),
    }
    seconds = alternating(works, rounds=rounds)
    proven = entropy_rate(Chain(rows))
    error = abs(ours.value / entropy_by_powers(rows) - 1)
    return _rows_of("entropy", seconds, error, proven, in_words(2**L))


def beside_storm(L: int, rounds: int) -> list[Found]:
    """Ours and Storm's check in turn, and how wrong Storm's number is."""
    rows = hard_rows("random", 2, L)
    built, building = timed(lambda: storm.model(Chain(rows)))
    ours = _Kept(lambda: entropy_without_proof(Chain(rows)))
    theirs = _Kept(lambda: storm.entropy_rate(built))
    seconds = alternating({"ours": ours, "storm": theirs}, rounds=rounds)
    truth = float(entropy_rate(Chain(rows)).bits_per_token)
    at = in_words(2**L)
    key = "entropy/storm"
    return [
        ratios(seconds["storm"], seconds["ours"]).row(f"{key}/ratio", unit="times", at=at),
        Spread.of(seconds["storm"]).row(f"{key}/seconds", unit="s", at=at),
        Row(key=f"{key}/building", value=building, unit="s", at=at),
        Row(key=f"{key}/error", value=abs(theirs.value / truth - 1), unit="relative", at=at),
    ]


def run(call: Call, size: Size) -> list[Found]:
    """Ours, then beside Storm."""
    arguments = {"L": SIZES[size], "rounds": ROUNDS[size]}
    return [
        *call(Task("entropy", alone, arguments, limit=240)),
        *call(Task("entropy/storm", beside_storm, arguments, limit=240)),
    ]
