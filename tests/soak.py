"""Many analyses, reports and pictures in one process: nothing may be kept of any of them.

    python -m tests.soak [--rounds 100]

A round makes chains, asks them, reports them, draws and writes them, each time others. After some
rounds, in which libraries load and fill their caches, neither the memory of the process nor what
Python itself has reserved (tracemalloc) may grow with the number of rounds, and no figure may be
left open. The memory is that of the process once what is free is handed back (``malloc_trim``).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import resource
import sys
import tempfile
import time
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import fsm_gpt as fg

#: Kilobytes a round by which the process and Python may grow. A chain, its answers or a figure that
#: is kept is more than that; the process also grows by holes between what is in use, some 100 kB a
#: round at first, and by what tracemalloc writes down.
PROCESS, PYTHON = 300.0, 10.0


@dataclass
class Soak:
    """What the memory was after each round, in kilobytes."""

    resident: list[float] = field(default_factory=list)
    python: list[float] = field(default_factory=list)
    figures: int = 0

    def slope(self, values: list[float]) -> float:
        """Kilobytes a round: the median of the slopes between all pairs (Theil 1950, Sen 1968)."""
        n = np.arange(len(values))
        i, j = np.triu_indices(len(values), max(1, len(values) // 4))
        found = np.array(values)
        return float(np.median((found[j] - found[i]) / (n[j] - n[i])))

    def growing(self, process: float = PROCESS, python: float = PYTHON) -> list[str]:
        """Which of them grows by more than so many kilobytes a round."""
        said = [
            f"{name} grows by {self.slope(values):.1f} kB a round"
            for name, values, allowed in (
                ("the process", self.resident, process),
                ("Python", self.python, python),
            )
            if self.slope(values) > allowed
        ]
        return said + ([f"{self.figures} figures are left open"] if self.figures else [])

    def __str__(self) -> str:
        return (
            f"{len(self.resident)} rounds: {self.resident[0] / 1024:.1f} to "
            f"{self.resident[-1] / 1024:.1f} MB of the process, "
            f"{self.slope(self.resident):+.2f} kB a round; "
            f"{self.python[0] / 1024:.2f} to {self.python[-1] / 1024:.2f} MB of Python, "
            f"{self.slope(self.python):+.2f} kB a round"
        )


def resident() -> float:
    """Kilobytes that the process has in memory now."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux: the largest it ever was
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return pages * resource.getpagesize() / 1024


def forget_colours() -> None:
    """matplotlib keeps every colour that it ever saw, and shades are new in each picture."""
    colours = sys.modules.get("matplotlib.colors")
    if colours is not None:
        colours._colors_full_map.cache.clear()


def one_round(seed: int, folder: Path) -> None:
    """Everything once, with chains that were never seen before."""
    rng = np.random.default_rng(seed)
    V, L = ((2, 3), (3, 2), (2, 4))[seed % 3]
    rows = rng.dirichlet(np.full(V, 0.5), V**L)
    chain = fg.Chain(rows, context=L, normalize=True, notes=[f"round {seed}"])
    for ask in (
        *(fg.stationary_distribution, fg.communicating_classes, fg.entropy_rate, fg.memory_curve),
        *(fg.mixing_time, fg.spectrum, fg.greedy_map, fg.mean_first_passage, fg.minimize),
    ):
        str(ask(chain))
    str(fg.hitting(chain, seed % chain.n_states))
    str(fg.entropy_rate(fg.Chain.from_text("0110" * 3 + str(seed % 2), context=1)))
    str(fg.pattern(chain, "0+1", within=4))
    fg.simulate(chain, 50, seed=seed)
    fg.save(chain, folder / "x")
    str(fg.load(folder / "x"))
    fg.export(chain, folder / "x.csv")
    if seed % 4 == 0:  # which takes longer than all else
        fg.report(chain, title=f"round {seed}").save(folder / "x.html")
    fg.plot.save(fg.plot.flow_ring(chain), folder / "x.svg")
    fg.plot.save(fg.plot.ranks(chain), folder / "x.png", dpi=50)
    with suppress(fg.errors.FsmGptError):
        fg.metastable_sets(chain)


def soak(rounds: int, *, warm: int = 9) -> Soak:
    """So many rounds, after some that are not looked at."""
    found = Soak()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(warm):
            one_round(seed, folder)
        began = not tracemalloc.is_tracing()
        if began:
            tracemalloc.start()
        for seed in range(warm, warm + rounds):
            one_round(seed, folder)
            forget_colours()
            gc.collect()
            found.resident.append(resident())
            found.python.append(tracemalloc.get_traced_memory()[0] / 1024)
        if began:
            tracemalloc.stop()
    pyplot = sys.modules.get("matplotlib.pyplot")
    found.figures = len(pyplot.get_fignums()) if pyplot else 0
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    asked = parser.parse_args()
    begin = time.perf_counter()
    found = soak(asked.rounds)
    print(f"{found}\n{time.perf_counter() - begin:.0f} s")
    for said in found.growing():
        print(said)
    return int(bool(found.growing()))


if __name__ == "__main__":
    sys.exit(main())
