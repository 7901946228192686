"""What tests of stores share: how one is made with many chunks, and the bytes of all its files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.io.store_write import writing_store
from fsm_gpt.io.write import store_header
from fsm_gpt.io.zarr_format import Layout
from fsm_gpt.space import ContextSpace, Vocabulary

Rows = np.ndarray[Any, Any]


def random_rows(V: int, L: int, *, seed: int = 0, sharp: float = 1.0) -> Rows:
    """A positive row for every window."""
    rows = np.random.default_rng(seed).dirichlet(np.full(V, 1 / sharp), size=V**L)
    rows = np.maximum(rows, 1e-9)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def write_store(
    path: Path, rows: Rows, *, chunk_bytes: int = 512, tied: Sequence[int] = (), **said: Any
) -> Path:
    """A complete store of these rows, in chunks of at most so many bytes."""
    N, V = rows.shape
    L = round(np.log(N) / np.log(V))
    layout = Layout.of(V, L, str(rows.dtype), chunk_bytes)
    space = ContextSpace(Vocabulary.of(V), L)
    marks = np.zeros(N, bool)
    marks[list(tied)] = True
    with writing_store(path, layout, store_header(space, (), layout), resume=False) as store:
        store.add(rows, np.zeros((N, 4), np.int64), marks)
        store.finish(notes=said.get("notes", []), provenance=said.get("provenance", {}))
    return path


def in_memory(rows: Rows) -> Chain:
    """The same chain, kept in the way that is tested elsewhere."""
    return Chain(rows)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
