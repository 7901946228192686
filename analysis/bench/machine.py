"""The machine: what it is, and how fast its memory is.

The bandwidth is that of the fastest of two loops over arrays far larger than any cache:
STREAM's triad a = b + s c, compiled, which moves 24 bytes an entry, and numpy's copy, which
moves 16. Bytes are those that any such loop has to move, as STREAM counts them; a kernel's
share of the bandwidth is counted the same way.

References
----------
McCalpin (1995), Memory bandwidth and machine balance in current high performance computers,
IEEE TCCA Newsletter, 19-25 (STREAM).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis.bench.measure import Spread, alternating
from analysis.bench.results import Found, Size
from analysis.bench.tasks import Call, Task

__all__ = ["Stream", "about", "bandwidth", "cores", "run"]

PACKAGES = (
    *("fsm_gpt", "numpy", "scipy", "numba", "torch", "networkx", "quantecon", "stormpy"),
    *("pydtmc", "deeptime", "emic"),
)
#: Entries of each array: 256 MB, or what a test needs.
ENTRIES: dict[Size, int] = {"full": 2**25, "quick": 2**23, "tiny": 2**10}


def cores() -> int:
    """How many threads this process may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def about() -> dict[str, Any]:
    """The machine and the versions, for the file of results."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def _triad() -> Callable[..., None]:
    from numba import njit

    def triad(a: Any, b: Any, c: Any, first: int, last: int) -> None:
        for i in range(first, last):
            a[i] = b[i] + 3.0 * c[i]

    compiled: Callable[..., None] = njit(nogil=True)(triad)
    return compiled


class Stream:
    """The two loops on arrays of their own, shared among threads."""

    def __init__(self, entries: int, threads: int = 1) -> None:
        self.a, self.b, self.c = np.zeros(entries), np.ones(entries), np.ones(entries)
        ends = [entries * k // threads for k in range(threads + 1)]
        self.parts = list(pairwise(ends))
        self.pool = ThreadPoolExecutor(threads)

    def works(self) -> dict[str, Callable[[], object]]:
        """The loops by name."""
        return {"triad": self.triad, "copy": self.copy}

    def triad(self) -> None:
        """A = b + 3 c."""
        list(self.pool.map(lambda p: _triad()(self.a, self.b, self.c, *p), self.parts))

    def copy(self) -> None:
        """A = b."""
        list(self.pool.map(lambda p: np.copyto(self.a[slice(*p)], self.b[slice(*p)]), self.parts))

    def per_second(self, seconds: dict[str, list[float]]) -> list[float]:
        """Bytes a second of the faster loop, in each round."""
        n = len(self.a)
        rounds = zip(seconds["triad"], seconds["copy"], strict=True)
        return [max(24 * n / triad, 16 * n / copy) for triad, copy in rounds]


def bandwidth(entries: int, threads: int, rounds: int) -> list[Found]:
    """Bytes a second that memory gives this many threads: the best round is what it can do."""
    stream = Stream(entries, threads)
    seconds = alternating(stream.works(), rounds=rounds)
    found = Spread.of([rate / 1e9 for rate in stream.per_second(seconds)])
    at = f"{threads} thread{'s' if threads > 1 else ''}"
    best = Spread(found.high, found.low, found.high, found.runs)
    return [best.row(f"machine/bandwidth/{at}", unit="GB/s", at=at, note="the best of the rounds")]


def run(call: Call, size: Size) -> list[Found]:
    """The bandwidth for one thread and for all."""
    found: list[Found] = []
    for threads in sorted({1, cores()}):
        arguments = {"entries": ENTRIES[size], "threads": threads, "rounds": 9}
        key = f"machine/bandwidth/{threads} thread{'s' if threads > 1 else ''}"
        found += call(Task(key, bandwidth, arguments, threads=threads))
    return found
