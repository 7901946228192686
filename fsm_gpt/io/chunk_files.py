"""The chunks of an array in a store: read, checked, and refused where they are not what they were.

A chunk's file is opened without following links, has to be a plain file of the right size, and its
bytes have to match both the checksum behind them and the one in the store's description, each time
that it is read. While one chunk is used, the next is read by a thread.

:class:`ChunkFiles` is a :class:`fsm_gpt.streamed.RowSource`. It holds no open file between two
questions, so that it may be used by several threads and processes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import google_crc32c
import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import file_problem, shown
from fsm_gpt.io.zarr_format import ARRAYS, ROWS, Layout, chunk_name
from fsm_gpt.rows import Numbers

__all__ = ["ChunkFiles", "checksum", "open_inside"]

Bytes: TypeAlias = npt.NDArray[np.uint8]

#: Flags that not every system has: no link, no waiting for a pipe.
_CAREFUL = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
#: So much is read at once, and added to the checksum while it is in the processor's cache.
_PIECE = 2**18


def checksum(data: Bytes) -> int:
    """The CRC-32C of bytes; "123456789" has 0xE3069283 (RFC 3720, appendix B.4 has others).

    >>> hex(checksum(np.frombuffer(b"123456789", np.uint8)))
    '0xe3069283'
    """
    view = data.view()
    view.setflags(write=False)  # the library takes nothing that could change meanwhile
    return int(google_crc32c.value(view))


def open_inside(root: Path, *parts: str) -> int:
    """A descriptor of a file in a folder, for reading; no link is followed below the folder.

    Raises
    ------
    OSError
        It cannot be opened, or a part of its path is a link.
    """
    *folders, name = parts
    at = root
    for part in folders:
        at = at / part
        if stat.S_ISLNK(os.lstat(at).st_mode):
            raise OSError(errno.ELOOP, "a symbolic link")
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(at / name):
        raise OSError(errno.ELOOP, "a symbolic link")
    return os.open(at / name, os.O_RDONLY | _CAREFUL)


@dataclass(eq=False)
class ChunkFiles:
    """The rows in the files of a store."""

    root: Path
    layout: Layout
    checksums: Sequence[int]
    """Of each chunk, from the store's description."""

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return self.layout.n_states, self.layout.n_tokens

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """float64 or float32."""
        return np.dtype(self.layout.dtype)

    @property
    def block(self) -> int:
        """Rows in a chunk."""
        return self.layout.block

    def blocks(self, numbers: Sequence[int]) -> Iterator[Numbers]:
        """The chunks of these numbers, in this order, each until the next is asked for.

        Raises
        ------
        FileProblem
            A chunk is missing, cut short, damaged, or cannot be read.
        """
        waiting = list(numbers)
        buffers = [np.empty(self.layout.chunk_bytes, np.uint8) for _ in waiting[:2]]
        with ThreadPoolExecutor(1) as reader:
            coming: Future[None] | None = None
            for place, number in enumerate(waiting):
                if coming is None:
                    self.read(number, buffers[place % 2])
                else:
                    coming.result()
                coming = None
                if place + 1 < len(waiting):
                    after = waiting[place + 1]
                    with suppress(RuntimeError):  # no more threads are to be had: read in turn
                        coming = reader.submit(self.read, after, buffers[(place + 1) % 2])
                yield self._rows(buffers[place % 2])

    def _rows(self, data: Bytes) -> Numbers:
        rows = data.view(ARRAYS[self.layout.dtype]).reshape(self.layout.block, -1)
        rows = rows.astype(self.dtype, copy=False)  # on a big-endian machine
        rows.setflags(write=False)
        return rows

    def read(self, number: int, into: Bytes) -> None:
        """The bytes of a chunk."""
        name = chunk_name(number)
        path = self.root / ROWS / name
        try:
            handle = open_inside(self.root, ROWS, name)
            try:
                self.refuse_other_size(path, os.fstat(handle))
                found = _fill(handle, into)
                end = os.read(handle, 5)
            finally:
                os.close(handle)
        except FileProblem:
            raise
        except FileNotFoundError:
            raise FileProblem(
                f"{shown(path)}: this chunk of the store is missing, so {self.layout.block:,} "
                f"states have no rows. Get the whole store again, or extract it again with "
                f"--resume."
            ) from None
        except OSError as error:
            raise file_problem(path, error, "read") from None
        if not found == int.from_bytes(end, "little") == self.checksums[number] or len(end) != 4:
            raise FileProblem(
                f"{shown(path)}: its bytes do not match its checksum, so this chunk is damaged and "
                f"nothing is answered from it. Get the store again, or extract it again with "
                f"--resume; if this happens again, test the disk."
            )

    def refuse_other_size(self, path: Path, about: os.stat_result) -> None:
        """Refuse what is no plain file of the size of a chunk."""
        expected = self.layout.chunk_bytes + 4
        if not stat.S_ISREG(about.st_mode):
            raise FileProblem(
                f"{shown(path)}: it is no plain file, as each chunk of a store is. The store was "
                f"not written by this program; do not use it."
            )
        if about.st_size != expected:
            raise FileProblem(
                f"{shown(path)}: it has {about.st_size:,} bytes and a whole chunk has "
                f"{expected:,}: it was cut short or belongs to another store. Get the store again, "
                f"or extract it again with --resume."
            )


def _fill(handle: int, into: Bytes) -> int:
    """Read until the array is full; the checksum of what was read, piece by piece.

    Raises
    ------
    OSError
        The file ends before, as one does that is cut while it is read.
    """
    view = memoryview(into.data)
    still = into.view()
    still.setflags(write=False)
    done = found = 0
    while done < len(view):
        if _READV:
            read = os.readv(handle, [view[done : done + _PIECE]])
        else:
            piece = os.read(handle, min(_PIECE, len(view) - done))
            read = len(piece)
            view[done : done + read] = piece
        if not read:
            raise OSError(errno.EIO, "it was cut short while it was read")
        found = int(google_crc32c.extend(found, still[done : done + read]))
        done += read
    return found


_READV = hasattr(os, "readv")
