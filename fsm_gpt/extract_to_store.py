"""From a model to a chain on a disk, chunk by chunk, so that it can stop and go on.

:func:`fsm_gpt.extract` holds all rows in memory until it is done. Here they are written to a store
(:mod:`fsm_gpt.io.zarr_format`) as they come: it takes the memory of a few chunks, and what stops it
costs the chunk that it was at. Going on gives the same files, to the last bit, as never having
stopped, where the same versions run on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, get_args

import numpy as np

from fsm_gpt.about_model import (
    fingerprint,
    notes_on_rows,
    own_space,
    provenance_of,
    refuse_foreign_device,
    rules_of,
)
from fsm_gpt.as_found import as_found
from fsm_gpt.asking import Model, Rows, every_row
from fsm_gpt.chain import Chain
from fsm_gpt.collected import narrowing_note
from fsm_gpt.decoding import Rule, underflow_note
from fsm_gpt.errors import Interrupted, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.extract import Precision
from fsm_gpt.files import Pathlike, shown
from fsm_gpt.io.read import load
from fsm_gpt.io.store_write import Counts, StoreWriter, writing_store
from fsm_gpt.io.write import store_header
from fsm_gpt.io.zarr_format import CHUNK_BYTES, Layout
from fsm_gpt.rows import Numbers
from fsm_gpt.space import ContextSpace, Vocabulary

__all__ = ["extract_to_store"]

#: More states are not written: their rows would take 16 TB and more.
MOST_STATES = 2**40


def extract_to_store(
    model: Model,
    path: Pathlike,
    *,
    resume: bool = False,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    truncate_to: int | None = None,
    decoding: Rule | Sequence[Rule] | None = None,
    dtype: Precision = "float64",
    batch: int | None = None,
    device: str | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_memory_gib: float = 8.0,
    progress: Callable[[int, int], None] | None = None,
) -> Chain:
    """The Markov chain of a language model, written to a store chunk by chunk.

    Parameters
    ----------
    path
        The folder of the store. One process at a time can write to it.
    resume
        Go on where an extraction was stopped; begin, where there is none. The model, the options
        and the versions have to be those of the start. Where the model is a torch module its
        weights are compared; of any other, the first rows that it gives.
    chunk_bytes
        Bytes of rows in a chunk at most; a chunk has one row at least.
    max_memory_gib
        As for :func:`fsm_gpt.load`, which gives the chain that is returned.
    progress
        Called with the number of contexts done and the number of all.
    vocabulary, context, truncate_to, decoding, dtype, batch, device
        As for :func:`fsm_gpt.extract`. The states are the full windows.

    Raises
    ------
    FileProblem
        It cannot be written, somebody else writes it, or another chain was begun there.
    Interrupted
        The user stopped it; what is whole is kept.
    InvalidChain, InvalidArgument
        As for :func:`fsm_gpt.extract`.
    StateSpaceTooLarge
        More states than anybody has disks for, or too many for two vectors in the memory allowed.

    Examples
    --------
    >>> import tempfile
    >>> after = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     extract_to_store(lambda ids: after[ids[:, -1]], folder + "/chain.zarr",
    ...                      vocabulary="ab", context=3)
    Chain: 8 states (every window of 3 tokens over 2), 16 transitions
    """
    refuse_foreign_device(model, device, where="extract")
    rules = rules_of(decoding, where="extract")
    if batch is not None and batch < 1:
        raise InvalidArgument(f"extract: batch is {batch}; give a whole number of 1 or more.")
    if chunk_bytes < 1:
        raise InvalidArgument(f"extract: chunk_bytes is {chunk_bytes}; give a number above zero.")
    if dtype not in get_args(Precision):
        raise InvalidArgument(
            f"extract: dtype is {dtype!r}, and probabilities are kept as 'float64' or 'float32'. "
            f"Give one of the two."
        )
    named, own_context, length = own_space(model, vocabulary, context, truncate_to, where="extract")
    space = ContextSpace(named, length)
    _refuse_too_many(space, max_memory_gib)
    layout = Layout.of(len(named), length, dtype, chunk_bytes)
    provenance = provenance_of(model, own_context, length)
    made_by = {**provenance, "batch": str(batch), "model_sha256": fingerprint(model)}
    header = store_header(space, rules, layout, made_by=made_by)
    with writing_store(path, layout, header, resume=resume) as store:
        if not store.complete:
            with as_found(model, device=device):
                if store.first and made_by["model_sha256"] is None:
                    _compare_begin(model, space, rules, batch, store, path)
                _write(model, space, rules, batch, store, path, progress)
            notes = notes_on_rows(
                own_context, length, masked=int(store.total()[0]), lost=int(store.total()[1])
            )
            if store.total()[3]:
                notes.append(narrowing_note(int(store.total()[3])))
            if store.total()[2]:
                notes.append(underflow_note(rules, int(store.total()[2])))
            known = {**provenance, "model_sha256": made_by["model_sha256"]}
            store.finish(notes=notes, provenance={k: v for k, v in known.items() if v is not None})
    return load(path, max_memory_gib=max_memory_gib)


def _write(
    model: Model,
    space: ContextSpace,
    rules: Sequence[Rule],
    batch: int | None,
    store: StoreWriter,
    path: Pathlike,
    progress: Callable[[int, int], None] | None,
) -> None:
    """The rows that are not there yet."""
    try:
        begin = store.first
        if begin == space.size:
            return
        with closing(every_row(model, space, batch=batch, begin=begin)) as blocks:
            for first, block in blocks:
                skipped = max(0, store.first - first)
                rows, counts, tied = _decoded(block, rules)
                store.add(rows[skipped:], counts[skipped:], tied[skipped:])
                if progress is not None:
                    progress(store.first, space.size)
    except KeyboardInterrupt:
        raise Interrupted(
            f"extract: stopped by the user. {len(store.lines):,} of {store.layout.n_chunks:,} "
            f"chunks of {shown(path)} are whole and kept: go on with --resume, or resume=True in "
            f"Python."
        ) from None


def _decoded(block: Rows, rules: Sequence[Rule]) -> tuple[Numbers, Counts, Any]:
    """Rows after the rules, what was met in each, and where a rule chose between equals."""
    rows: Numbers = block.probabilities
    tied, underflowed = np.zeros((2, len(rows)), dtype=bool)
    for rule in rules:
        rows, tie, lost = rule(rows)
        tied |= tie
        underflowed |= lost
    counts = np.zeros((len(rows), 4), np.int64)
    counts[:, :2] = block.zeros
    counts[:, 2] = underflowed
    return rows, counts, tied


def _compare_begin(
    model: Model,
    space: ContextSpace,
    rules: Sequence[Rule],
    batch: int | None,
    store: StoreWriter,
    path: Pathlike,
) -> None:
    """Refuse to go on where the first rows of the model are not those that were written."""
    with closing(every_row(model, space, batch=batch)) as blocks:
        rows, _, _ = _decoded(next(blocks)[1], rules)
    there = store.read(0)
    n = min(len(rows), len(there))
    if not np.array_equal(there[:n], rows[:n].astype(there.dtype)):
        raise InvalidArgument(
            f"extract: {shown(path)} was begun with another model: its first rows are not those "
            f"that this model gives. Go on with the model of the start, or name another folder."
        )


def _refuse_too_many(space: ContextSpace, max_memory_gib: float) -> None:
    if space.size > MOST_STATES:
        raise StateSpaceTooLarge(
            f"extract: {len(space.vocabulary):,}**{space.length:,} contexts are more states than "
            f"any store holds. Shorten the context with truncate_to, or explore() the part that "
            f"prompts lead to."
        )
    if 16 * space.size > max_memory_gib * 2**30:
        raise StateSpaceTooLarge(
            f"extract: {space.size:,} states make vectors of "
            f"{8 * space.size / 2**30:,.2g} GiB, two of which are needed to ask anything, and "
            f"{max_memory_gib:g} GiB are allowed. Raise max_memory_gib where there is more memory, "
            f"or shorten the context with truncate_to."
        )
