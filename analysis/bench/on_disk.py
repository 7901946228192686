"""``python -m analysis.bench.on_disk``: what questions cost that are asked of rows on a disk.

Random rows are written straight into a store; a network would give the same bytes more slowly. Each
question is asked in a fresh process. In turns with it the same process reads all files of the store
through one small buffer and does nothing with them: that is the bandwidth of the disk, here of its
cache in memory, which the question is held against. Bytes are those that the question read. The
memory is the highest resident size of the process, all of Python and the compiled loops included.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from analysis.bench.machine import about
from analysis.bench.results import DOCS
from analysis.study import Cell, Table
from fsm_gpt.chain import Chain
from fsm_gpt.files import atomic_write, read_limited
from fsm_gpt.io import load
from fsm_gpt.io.store_write import writing_store
from fsm_gpt.io.write import store_header
from fsm_gpt.io.zarr_format import Layout
from fsm_gpt.markov.backoff import backoff_by_product
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.reach import reach
from fsm_gpt.markov.remembered import forget
from fsm_gpt.markov.row_entropy import Rows, mean_entropy
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.steps import distribution_after
from fsm_gpt.markov.streamed_certificate import imbalances
from fsm_gpt.result import Bounded
from fsm_gpt.space import ContextSpace, Vocabulary

__all__ = ["main", "table"]

#: Tokens, context, the memory that answers may take in GiB, and what a process may hold in GB.
CASES = {"V=27, L=5": (27, 5, 0.55, 0.8), "V=2, L=27": (2, 27, 3.03, 3.5)}
QUICK = {"V=27, L=3": (27, 3, 0.55, 0.8), "V=2, L=16": (2, 16, 3.03, 3.5)}
#: Of the bandwidth, to be reached.
SHARE = 0.5


def write(path: Path, V: int, L: int) -> None:
    """A store of random rows, none of them below 0.05 / V, so that the chain forgets fast."""
    layout, space = Layout.of(V, L, "float64"), ContextSpace(Vocabulary.of(V), L)
    random = np.random.default_rng(0)
    with writing_store(path, layout, store_header(space, (), layout), resume=True) as store:
        none, never = np.zeros((layout.block, 4), np.int64), np.zeros(layout.block, bool)
        while not store.complete and store.first < layout.n_states:
            rows = random.random((layout.block, V)) + 0.05
            store.add(rows / rows.sum(axis=1, keepdims=True), none, never)
        if not store.complete:
            store.finish(notes=[], provenance={"of": "random numbers"})


def _backoff(chain: Chain) -> object:
    x, y = np.full(chain.n_states, 1.0 / chain.n_states), np.empty(chain.n_states)
    chain.require_memory(8 * chain.n_states * (2 + 4 / (chain.n_tokens - 1)), "a backoff cycle")
    return backoff_by_product(lambda x, out: chain.push(x, out=out), chain.n_tokens, x, y)


def _asked(chain: Chain, question: str) -> Callable[[], object]:
    """What is done in each round."""
    N = chain.n_states
    match question:
        case "x P" | "P f":
            x, y = np.full(N, 1.0 / N), np.empty(N)
            product = chain.push if question == "x P" else chain.expect
            return lambda: product(x, out=y)
        case "mean entropy of the rows":
            x = np.full(N, 1.0 / N)
            return lambda: mean_entropy(Rows.of_chain(chain), x)
        case "imbalances of the certificate":
            x = np.full(N, 1.0 / N)
            return lambda: imbalances(chain, x)
        case "a backoff cycle":
            return lambda: _backoff(chain)
        case "classes":
            return lambda: communicating_classes(chain)
        case "distribution after 8 tokens":
            return lambda: distribution_after(chain, 8, start=0)
        case "reaching within 8 tokens":
            return lambda: reach(chain, 0, within=8)
        case "stationary distribution, entropy rate, block entropies":
            return lambda: (
                entropy_rate(chain),
                memory_curve(chain),
                stationary_distribution(chain),
            )
    raise ValueError(question)


#: Each question, and whether it is one for several rounds.
QUESTIONS = {
    "x P": True,
    "P f": True,
    "a backoff cycle": True,
    "distribution after 8 tokens": True,
    "reaching within 8 tokens": True,
    "classes": False,
    "imbalances of the certificate": True,
    "mean entropy of the rows": True,
    "stationary distribution, entropy rate, block entropies": False,
}


def table() -> Table:
    """What was measured, as the page on large chains shows it."""
    kept = json.loads(read_limited(DOCS / "on_disk.json", 2**20))
    rows: list[list[Cell]] = []
    for row in kept["rows"]:
        if "seconds" in row:
            measured = (
                f"{row['seconds']:.3g} s",
                f"{row['passes']:.3g}",
                f"{row['share']:.0%}",
            )
        else:
            measured = ("refused", "", "")
        rows.append([row["question"], row["chain"], *measured, f"{row['peak_gb']:.2f} GB"])
    return Table(
        "Questions asked of a disk",
        ("question", "chain", "time", "passes", "of the bandwidth", "memory"),
        rows,
        note="The bandwidth is that of reading all files in the same minute and doing nothing.",
    )


def in_words() -> str:
    """What was to be reached, and how often it was."""
    kept = json.loads(read_limited(DOCS / "on_disk.json", 2**20))
    asked = [row for row in kept["rows"] if "seconds" in row]
    small = sum(row["peak_gb"] <= row["most_gb"] for row in asked)
    fast = [row for row in asked if row["share"] >= SHARE]
    names = sorted({row["question"] for row in fast})
    return (
        f"Measured on {kept['date']} with {kept['machine']['cores']} cores, on which other work "
        f"ran (load average up to {kept['load']:g}). {small} of "
        f"{len(asked)} answers stayed within their memory, and {len(fast)} came at half of the "
        f"bandwidth or more ({', '.join(names) if names else 'none'})."
    )


def streamed(store: Path) -> float:
    """Bytes a second of reading all chunks through one buffer."""
    buffer, done, begun = bytearray(2**20), 0, time.perf_counter()
    for file in sorted((store / "rows").glob("c.*")):
        with open(file, "rb", buffering=0) as chunk:
            while read := chunk.readinto(buffer):
                done += read
    return done / (time.perf_counter() - begun)


def peak() -> float:
    """The most that this process held, in GB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def measure(store: Path, gib: float, question: str, rounds: int) -> dict[str, Any]:
    """One question, in turns with the bandwidth."""
    from fsm_gpt.errors import StateSpaceTooLarge

    chain = load(store, max_memory_gib=gib, on_disk=True)
    source: Any = chain._parts.storage.source  # type: ignore[attr-defined]
    files, read = [0], source.read

    def counting(number: int, into: Any) -> None:
        files[0] += 1
        read(number, into)

    source.read = counting
    ask = _asked(chain, question)
    found: dict[str, Any] = {"question": question, "note": ""}
    shares, seconds = [], []
    answer: object = None
    try:
        if rounds > 1:
            ask()  # compiles, or loads what was compiled
        for _ in range(rounds):
            forget(chain)
            files[0], answer = 0, None
            before = streamed(store)
            begun = time.perf_counter()
            answer = ask()
            answer = answer[-1] if isinstance(answer, tuple) else answer
            seconds.append(time.perf_counter() - begun)
            bandwidth = (before + streamed(store)) / 2
            rate = files[0] * source.layout.chunk_bytes / seconds[-1]
            shares.append(rate / bandwidth)
            found["bandwidth_gb"] = bandwidth / 1e9
    except StateSpaceTooLarge as problem:
        return {**found, "note": str(problem), "peak_gb": peak()}
    found |= {
        "seconds": statistics.median(seconds),
        "passes": files[0] / source.layout.n_chunks,
        "share": statistics.median(shares),
        "lowest_share": min(shares),
        "highest_share": max(shares),
        "peak_gb": peak(),
    }
    if isinstance(answer, Bounded):
        found["note"] = f"{answer.method}; {answer.error_sentence}"
    return found


@click.command("analysis.bench.on_disk", help="What questions cost that are asked of a disk.")
@click.option("--quick", is_flag=True, help="Small chains, to see that it works: decides nothing.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/on_disk"))
@click.option("--only", help="Questions that have this in their names.")
@click.option("--one", nargs=4, hidden=True, help="Measure one, in this process.")
def main(
    quick: bool, folder: Path, only: str | None, one: tuple[str, str, str, str] | None
) -> None:
    """Write the stores, ask each question in a process of its own, keep what was found."""
    if one is not None:
        click.echo(json.dumps(measure(Path(one[0]), float(one[1]), one[2], int(one[3]))))
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows, load_average = [], 0.0
    for name, (V, L, gib, most) in (QUICK if quick else CASES).items():
        store = folder / f"{V}-{L}.zarr"
        write(store, V, L)
        for question, several in QUESTIONS.items():
            if only is not None and only not in question:
                continue
            asked = [str(store), str(gib), question, "3" if several else "1"]
            command = [sys.executable, "-m", "analysis.bench.on_disk", "--one", *asked]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                raise click.ClickException(ran.stderr[-2000:])
            row = {"chain": name, "rows_gb": V**L * V * 8 / 1e9, "most_gb": most}
            row |= json.loads(ran.stdout.splitlines()[-1])
            rows.append(row)
            load_average = max(load_average, os.getloadavg()[0])
            click.echo(
                f"{name:10} {question:54} {row.get('seconds', float('nan')):8.2f} s "
                f"{row.get('passes', 0):5.1f} passes  {row.get('share', float('nan')):5.2f} of "
                f"{row.get('bandwidth_gb', 0):4.1f} GB/s  {row['peak_gb']:5.2f} of {most} GB  "
                f"{row['note'][:70]}"
            )
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(load_average, 1),
        "machine": about(),
        "rows": rows,
    }
    target = folder / "on_disk.json" if quick or only else DOCS / "on_disk.json"
    with atomic_write(target) as file:
        file.write(json.dumps(found, indent=1).encode() + b"\n")


if __name__ == "__main__":
    main()
