"""Writing a store chunk by chunk, so that it can stop at any moment and go on.

A chunk is written under another name, brought to the disk, and takes its name only then; after that
a line in the journal says that it is done, with its checksum and what it met. A chunk without its
line is written again: one at most. At the end the description of the store is completed, and only
then is it a store that can be asked. The journal and the lock, which are no part of the chain, go.

The same rows give the same files, whether there was a stop or not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.files import Pathlike, file_problem, part_beside, read_limited, shown
from fsm_gpt.io.chunk_files import ChunkFiles, checksum
from fsm_gpt.io.format import KEY, digest
from fsm_gpt.io.lock import only_writer
from fsm_gpt.io.zarr_format import (
    ARRAYS,
    JOURNAL,
    LOCK,
    META,
    ROWS,
    STORE_VERSION,
    TIED,
    Layout,
    array_meta,
    chunk_name,
    group_meta,
    in_bytes,
)
from fsm_gpt.rows import Numbers

__all__ = ["Counts", "StoreWriter", "writing_store"]

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)

#: What is counted in each row while a store is written: masked, underflowed, lost by a rule,
#: lost by float32.
Counts = npt.NDArray[np.int64]
_COUNTED = 4
#: Larger files of JSON are refused.
LARGEST_META = 2**27


@dataclass(eq=False)
class StoreWriter:
    """A store that is being written; see :func:`writing_store`."""

    root: Path
    layout: Layout
    header: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What the journal says of the chunks that are done."""
    complete: bool = False
    """Whether the store was complete when it was opened."""
    _rows: Numbers = field(init=False)
    _counts: Counts = field(init=False)
    _tied: list[int] = field(default_factory=list)
    _filled: int = 0

    def __post_init__(self) -> None:
        self._rows = np.empty((self.layout.block, self.layout.n_tokens), self.layout.dtype)
        self._counts = np.zeros(_COUNTED, np.int64)

    @property
    def first(self) -> int:
        """The first state whose row is not there yet."""
        return len(self.lines) * self.layout.block + self._filled

    def add(self, rows: Numbers, counts: Counts, tied: npt.NDArray[np.bool_]) -> None:
        """The rows of the next states, what was met in each, shape (n, 4), and where it was a tie.

        Raises
        ------
        FileProblem
            A chunk cannot be written. What was written before is kept.
        """
        at = 0
        while at < len(rows):
            n = min(len(rows) - at, self.layout.block - self._filled)
            piece, into = rows[at : at + n], self._rows[self._filled : self._filled + n]
            into[:] = piece
            lost = np.zeros(_COUNTED, np.int64)
            if into.dtype != rows.dtype:
                lost[3] = np.count_nonzero((into == 0) & (piece != 0))
            self._counts += counts[at : at + n].sum(axis=0) + lost
            self._tied += (self.first + np.flatnonzero(tied[at : at + n])).tolist()
            self._filled += n
            at += n
            if self._filled == self.layout.block:
                self._write()

    def _write(self) -> None:
        number = len(self.lines)
        raw = self._rows.astype(ARRAYS[self.layout.dtype], copy=False).reshape(-1).view(np.uint8)
        found = checksum(raw)
        with self._going_on():
            _chunk(self.root / ROWS / chunk_name(number), raw, found)
            line = {
                "chunk": number,
                "crc32c": f"{found:08x}",
                "counts": self._counts.tolist(),
                "tied": self._tied,
            }
            self._note(line)
        self.lines.append(line)
        self._counts, self._tied, self._filled = np.zeros(_COUNTED, np.int64), [], 0

    def _note(self, line: dict[str, Any]) -> None:
        path = self.root / JOURNAL
        try:
            handle = os.open(path, _APPEND, 0o666)
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(line).encode("ascii") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise file_problem(path, error, "write") from None

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Say with a failure that nothing was lost by it."""
        try:
            yield
        except FileProblem as error:
            raise FileProblem(
                f"{error} {len(self.lines):,} of {self.layout.n_chunks:,} chunks of the store are "
                f"whole and kept: go on with --resume, or resume=True in Python."
            ) from None

    def read(self, number: int) -> Numbers:
        """The rows of a chunk that is done."""
        sums = [int(line["crc32c"], 16) for line in self.lines]
        return next(ChunkFiles(self.root, self.layout, sums).blocks([number]))

    def total(self) -> Counts:
        """What was met in all rows."""
        counts = [line["counts"] for line in self.lines]
        return np.asarray(np.array(counts, np.int64).reshape(-1, _COUNTED).sum(axis=0))

    def finish(self, *, notes: Sequence[str], provenance: Mapping[str, str]) -> None:
        """Say that the store is complete.

        Raises
        ------
        FileProblem
            That cannot be written.
        """
        assert len(self.lines) == self.layout.n_chunks
        tied = np.array(sorted(t for line in self.lines for t in line["tied"]), np.int64)
        header = {
            **self.header,
            "complete": True,
            "notes": list(notes),
            "provenance": dict(provenance),
            "tied": len(tied),
            "chunks": [line["crc32c"] for line in self.lines],
        }
        header["sha256"] = digest(header, {})
        with self._going_on():
            if len(tied):
                _folder(self.root / TIED)
                meta = array_meta([len(tied)], [len(tied)], "int64")
                _document(self.root / TIED / META, meta)
                raw = tied.astype("<i8").view(np.uint8)
                _chunk(self.root / TIED / "c.0", raw, checksum(raw))
            _document(self.root / META, group_meta({KEY: header}))
        _clean(self.root)


@contextmanager
def writing_store(
    path: Pathlike, layout: Layout, header: dict[str, Any], *, resume: bool
) -> Iterator[StoreWriter]:
    """A store to write to, by one process at a time.

    Parameters
    ----------
    header
        What the chain is, without what is known only at the end.
    resume
        Go on with a store of the same header; without it, a store that is there is refused. One
        that is complete is looked through, and begun again if a part of it is damaged.

    Raises
    ------
    FileProblem
        It cannot be written, somebody else writes it, something else is there, or what was begun
        there is of another chain.
    """
    root = Path(path)
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise FileProblem(
            f"{shown(path)}: a store is a folder, and a file or a link of that name is there. "
            f"Name another, or remove it first."
        )
    _refuse_foreign(root, path)
    _folder(root)
    with only_writer(root / LOCK, shown(path)):
        draft = {**header, "version": STORE_VERSION, "complete": False}
        before = _before(root)
        if before is not None and not resume:
            raise _there(root, path, before)
        if before is not None and _same(before, draft) and before.get("complete") is True:
            if _whole(root):
                _clean(root)
                yield StoreWriter(root, layout, draft, complete=True)
                return
            before = None  # a part is damaged or gone, and what was counted in it with it
            with contextlib.suppress(OSError):
                (root / JOURNAL).unlink()
        if before is None:
            _folder(root / ROWS)
            shape = [layout.n_states, layout.n_tokens]
            meta = array_meta(shape, [layout.block, layout.n_tokens], layout.dtype)
            _document(root / ROWS / META, meta)
            _document(root / META, group_meta({KEY: draft}))
        elif not _same(before, draft):
            raise _other(path, before, draft)
        _leftovers(root)
        yield StoreWriter(root, layout, draft, _done(root, layout))


def _whole(root: Path) -> bool:
    """Whether all of a store that says it is complete is there and right."""
    from fsm_gpt.io.store_read import open_store

    try:
        for _ in open_store(root, max_memory_gib=2**20, on_disk=True).row_blocks():
            pass
    except (FsmGptError, OSError):
        return False
    return True


def _there(root: Path, path: Pathlike, before: dict[str, Any]) -> FileProblem:
    if before.get("complete") is True:
        return FileProblem(
            f"{shown(path)}: a chain is there already, and a store is not written over. Name "
            f"another folder, or remove this one first."
        )
    return FileProblem(
        f"{shown(path)}: a store is there whose extraction was not finished. Go on with it by "
        f"--resume (resume=True in Python), name another folder, or remove this one first."
    )


_AT_THE_END = ("complete", "notes", "provenance", "tied", "chunks", "sha256")


def _same(before: dict[str, Any], draft: dict[str, Any]) -> bool:
    return all(
        before.get(key) == draft.get(key) for key in {*before, *draft} if key not in _AT_THE_END
    )


def _other(path: Pathlike, before: dict[str, Any], draft: dict[str, Any]) -> FileProblem:
    keys = sorted(
        key
        for key in {*before, *draft}
        if key not in _AT_THE_END and before.get(key) != draft.get(key)
    )
    if keys == ["made_by"]:
        old, new = before.get("made_by") or {}, draft.get("made_by") or {}
        keys = [
            f"{key} ({str(old.get(key))[:40]}, now {str(new.get(key))[:40]})"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
    return FileProblem(
        f"{shown(path)}: what was begun there cannot be gone on with, because it is of another "
        f"chain or was made otherwise: {', '.join(keys)}. Give the same model, options and "
        f"versions as at the start, or name another folder."
    )


def _refuse_foreign(root: Path, path: Pathlike) -> None:
    """Refuse to write into a folder that holds something else."""
    try:
        names = set(os.listdir(root))
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_problem(path, error, "read") from None
    ours = {META, ROWS, TIED, JOURNAL, LOCK}
    foreign = [name for name in names if name not in ours and not name.endswith(".part")]
    if foreign:
        raise FileProblem(
            f"{shown(path)}: the folder holds {shown(sorted(foreign)[0])}, which is no part of a "
            f"store, so nothing is written there. Name a folder that does not exist yet."
        )


def _before(root: Path) -> dict[str, Any] | None:
    """The description of a store that is there."""
    try:
        read = json.loads(read_limited(root / META, LARGEST_META))
        header = read["attributes"][KEY]
    except FileProblem:
        if (root / META).exists():
            raise
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise FileProblem(
            f"{shown(root / META)}: it is not the description of a chain's store. Name another "
            f"folder."
        )
    return header


def _done(root: Path, layout: Layout) -> list[dict[str, Any]]:
    """The journal's lines of chunks that are there and whole; what comes after is taken out."""
    path = root / JOURNAL
    try:
        data = read_limited(path, LARGEST_META)
    except FileProblem:
        if path.exists():
            raise
        return []
    lines: list[dict[str, Any]] = []
    good = 0
    for raw in data.splitlines(keepends=True):
        line = _line(raw, len(lines), layout)
        if line is None:
            break
        lines.append(line)
        good += len(raw)
    files = ChunkFiles(root, layout, [int(line["crc32c"], 16) for line in lines])
    buffer = np.empty(layout.chunk_bytes, np.uint8)
    for number in range(len(lines)):
        try:
            files.read(number, buffer)
        except FileProblem:
            good = sum(len(raw) for raw in data.splitlines(keepends=True)[:number])
            del lines[number:]
            break
    if good < len(data):
        _put(path, data[:good])
    return lines


def _line(raw: bytes, number: int, layout: Layout) -> dict[str, Any] | None:
    """A line of the journal; None where it was cut or is not one."""
    try:
        line = json.loads(raw)
        right = (
            raw.endswith(b"\n")
            and line["chunk"] == number < layout.n_chunks
            and len(line["crc32c"]) == 8
            and int(line["crc32c"], 16) >= 0
            and len(line["counts"]) == _COUNTED
            and all(type(n) is int and n >= 0 for n in line["counts"])
            and all(type(t) is int and number <= t // layout.block <= number for t in line["tied"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return line if right else None


def _leftovers(root: Path) -> None:
    """Remove what a killed writer left half-written."""
    for folder in (root, root / ROWS, root / TIED):
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                if name.startswith(".") and name.endswith(".part"):
                    os.unlink(folder / name)


def _clean(root: Path) -> None:
    _leftovers(root)
    with contextlib.suppress(OSError):
        (root / JOURNAL).unlink()


def _folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
        if path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link")
    except OSError as error:
        raise file_problem(path, error, "write") from None


def _chunk(path: Path, raw: npt.NDArray[np.uint8], found: int) -> None:
    _put(path, raw.data, found.to_bytes(4, "little"))


def _document(path: Path, meta: dict[str, Any]) -> None:
    _put(path, in_bytes(meta))


def _put(path: Path, *pieces: bytes | memoryview) -> None:
    """Write a file whole or not at all; what has its name is replaced, and no link is followed."""
    try:
        part, file = part_beside(path)
        try:
            with file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise file_problem(path, error, "write") from None
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
