"""An extraction in a process of its own that meets what is asked for.

    python tests/failures/driver.py PATH '{"resume": true, "chunk_bytes": 512, ...}'

It is the command line's program with one verb, so that what a person is told and the exit code are
the program's own. ``die_at`` kills it at that call of fsync, which every file and folder passes
through; ``pause`` makes it wait after each chunk, and say the number of chunks that are done.
"""

import json
import os
import resource
import signal
import sys
import time
from typing import Any

import click
import numpy as np

from fsm_gpt.cli.program import Program, main

V, L = 2, 9


def model(ids: Any) -> Any:
    """Logits that depend on every token."""
    places = np.sin(np.arange(1, ids.shape[1] + 1))
    return np.stack([np.cos(3 * ids @ places + token) for token in range(V)], axis=1)


def work(path: str, asked: dict[str, Any]) -> None:
    """Extract the model, and ask the chain something."""
    from fsm_gpt.extract_to_store import extract_to_store
    from fsm_gpt.io.store_write import StoreWriter

    calls, real = [0], os.fsync

    def fsync(handle: int) -> None:
        calls[0] += 1
        if calls[0] == asked.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    os.fsync = fsync  # type: ignore[assignment]
    if "pause" in asked:
        write = StoreWriter._write

        def slowly(self: StoreWriter) -> None:
            write(self)
            print(len(self.lines), flush=True)
            time.sleep(asked["pause"])

        StoreWriter._write = slowly  # type: ignore[method-assign]
    if "file_size" in asked:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_size"],) * 2)
    if "memory" in asked:
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + asked["memory"],) * 2)
    chain = extract_to_store(
        model,
        path,
        vocabulary=asked.get("vocabulary", "ab"),
        context=asked.get("context", L),
        batch=asked.get("batch", 32),
        resume=asked.get("resume", False),
        chunk_bytes=asked.get("chunk_bytes", 512),
    )
    print(f"complete: {chain!r}")


def read(path: str, asked: dict[str, Any]) -> None:
    """Ask a store for a product."""
    from fsm_gpt.io import load

    chain = load(path, on_disk=True)
    print(f"sum {chain.push(np.full(chain.n_states, 1 / chain.n_states)).sum():.12f}")


if __name__ == "__main__":
    path, asked = sys.argv[1], json.loads(sys.argv[2])
    verb = read if asked.get("read") else work
    command = click.Command("extract", callback=lambda: verb(path, asked))
    Program.get_command = lambda self, ctx, name: command  # type: ignore[method-assign]
    main(["extract"])
