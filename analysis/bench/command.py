"""``fsm-gpt analyze`` of a saved chain, as a whole process: start, proof and output included."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from analysis.bench.chains import in_words
from analysis.bench.measure import Spread
from analysis.bench.results import Found, Size
from analysis.bench.tasks import Call, Task
from fsm_gpt.errors import NotDefined

__all__ = ["analyze", "run"]

SIZES: dict[Size, int] = {"full": 20, "quick": 16, "tiny": 8}
RUNS: dict[Size, int] = {"full": 3, "quick": 2, "tiny": 1}

#: Made in a process of its own, so that this one stays small: on Linux the highest size of a
#: process is at least that of the one that started it.
_MAKE = """
import sys
from analysis.families import hard_rows
from fsm_gpt import Chain, save
save(Chain(hard_rows("random", 2, int(sys.argv[1]))), sys.argv[2])
"""


def analyze(L: int, runs: int) -> list[Found]:
    """Seconds and the highest resident size of the process."""
    seconds, highest = [], []
    with tempfile.TemporaryDirectory() as folder:
        chain = str(Path(folder) / "chain.safetensors")
        subprocess.run([sys.executable, "-c", _MAKE, str(L), chain], check=True)
        for _ in range(runs):
            took, bytes_held = _process([sys.executable, "-m", "fsm_gpt", "analyze", chain])
            seconds.append(took)
            highest.append(bytes_held / 1e9)
    at = in_words(2**L)
    return [
        Spread.of(seconds).row("command/seconds", unit="s", at=at),
        Spread.of(highest).row("command/memory", unit="GB", at=at),
    ]


def _process(command: list[str]) -> tuple[float, int]:
    """Run a command to its end: seconds, and bytes at its largest."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    took = time.perf_counter() - begun
    if process.returncode:
        raise NotDefined(f"fsm-gpt analyze ended with exit code {process.returncode}.")
    return took, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(call: Call, size: Size) -> list[Found]:
    """Random rows, saved and analysed."""
    arguments = {"L": SIZES[size], "runs": RUNS[size]}
    return call(Task("command", analyze, arguments, limit=240))
