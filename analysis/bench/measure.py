"""How times and memory are measured.

Contenders take turns for several rounds, and two of them are compared by the ratio of their
times in the same round: what slows the machine down for a while slows both. The median of
the ratios is the answer, the smallest and the largest its spread.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from analysis.bench.results import Row

__all__ = ["Spread", "alternating", "held", "peak", "ratios", "timed"]

T = TypeVar("T")
Work = Callable[[], object]
Clock = Callable[[], float]

_PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Spread:
    """The median of some runs, the smallest and the largest."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value.

        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0, runs=3)
        """
        return cls(statistics.median(values), min(values), max(values), len(values))

    def row(self, key: str, *, unit: str = "", at: str = "", note: str = "") -> Row:
        """As a row of the results."""
        return Row(
            key=key,
            value=self.median,
            unit=unit,
            at=at,
            low=self.low,
            high=self.high,
            runs=self.runs,
            note=note,
        )


def timed(work: Callable[[], T], *, clock: Clock = time.perf_counter) -> tuple[T, float]:
    """What some work returns, and the seconds that it took."""
    begun = clock()
    value = work()
    return value, clock() - begun


def alternating(
    works: Mapping[str, Work],
    *,
    rounds: int,
    warm_up: bool = True,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each contender in each round; they take turns, every other round backwards."""
    if warm_up:
        for work in works.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: -1 if number % 2 else 1]:
            gc.collect()
            seconds[name].append(timed(works[name], clock=clock)[1])
    return seconds


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """The ratio of each round: how many times as long the first took.

    >>> ratios([2.0, 8.0], [1.0, 2.0]).median
    3.0
    """
    return Spread.of([a / b for a, b in zip(numerator, denominator, strict=True)])


def _status(field: str) -> int:
    """A size from Linux's account of this process, in bytes."""
    for line in (_PROCESS / "status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in {_PROCESS}/status")


def resident_now() -> int:
    """Bytes that this process holds in memory now."""
    try:
        return _status("VmRSS")
    except OSError:
        return _highest()


def _highest() -> int:
    """The most bytes that this process has held in memory, as far as the system remembers."""
    try:
        return _status("VmHWM")
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass(frozen=True)
class Peak:
    """The most memory that a process held while it worked."""

    whole: int
    """All that was resident, in bytes: interpreter, packages, chain and work."""
    extra: int
    """What came on top of the memory held before."""


def peak(work: Callable[[], T], *, before: int | None = None) -> tuple[T, Peak]:
    """What some work returns and the most memory it took; in a fresh process.

    ``before`` is what counts as held before, by default what is resident now. Linux forgets
    the highest size on request; elsewhere an earlier, higher one hides this one.
    """
    gc.collect()
    start = resident_now() if before is None else before
    try:
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        start = _highest() if before is None else before
    value = work()
    highest = _highest()
    return value, Peak(highest, max(0, highest - start))


def held(make: Callable[[], Any]) -> int:
    """Bytes of the arrays that a new object holds, counted where they are allocated."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if kept is not None else 0
    finally:
        tracemalloc.stop()
