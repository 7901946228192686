"""Reading and writing files without surprises.

A file is written whole or not at all, read up to a stated size, and whatever the
operating system objects to becomes one sentence (:class:`fsm_gpt.errors.FileProblem`).
"""

from __future__ import annotations

import difflib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fsm_gpt.errors import FileProblem, FsmGptError

__all__ = [
    "Pathlike",
    "atomic_write",
    "check_writable",
    "destination",
    "file_problem",
    "part_beside",
    "read_limited",
    "read_stream",
    "shown",
]

Pathlike = str | os.PathLike[str]


def shown(path: Pathlike) -> str:
    r"""A path as it can be printed in a sentence.

    >>> shown("a.pt"), shown("two\nlines")
    ('a.pt', "'two\\nlines'")
    """
    text = os.fspath(path)
    return text if text.isprintable() and text else repr(text)


def file_problem(path: Pathlike, error: Exception, doing: str) -> FileProblem:
    """The sentence for what the operating system said; ``doing`` is "read" or "write".

    >>> print(file_problem("x.pt", FileNotFoundError(errno.ENOENT, "no such file"), "read"))
    x.pt: cannot read it, there is no such file. Check the name and the folder.
    """
    why, advice = _REASONS.get(getattr(error, "errno", None) or 0, (None, None))
    if why is None:
        why = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
        advice = "Check the path and the disk"
    elif isinstance(error, FileNotFoundError) and doing == "write":
        why, advice = "its folder does not exist", "Make the folder first, or name another"
    elif isinstance(error, FileNotFoundError) and (near := _near(path)):
        advice = f"Did you mean {shown(near)}? {advice}"
    elif isinstance(error, FileNotFoundError) and os.fspath(path).isdecimal():
        advice = "The name of a file is wanted here; a number is given with an option"
    return FileProblem(f"{shown(path)}: cannot {doing} it, {why}. {advice}.")


def _near(path: Pathlike) -> str | None:
    """The file beside a missing one whose name is nearest to it."""
    folder, name = os.path.split(os.fspath(path))
    try:
        names = os.listdir(folder or os.curdir)
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(name, names[:1000], n=1, cutoff=0.75)
    return os.path.join(folder, near[0]) if near else None


_PERMISSION = (
    "permission was denied",
    "Change the permissions of the file or its folder, or choose another path",
)
_FULL = ("the disk or the quota is full", "Free some space, or choose another disk")
_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOENT: ("there is no such file", "Check the name and the folder"),
    errno.EISDIR: ("it is a folder", "Name a file in it"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Check the path"),
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: ("the file system is read-only", "Choose a path on another one"),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: ("it would be larger than files may be here", "Choose another disk"),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one"),
    errno.ELOOP: ("its symbolic links go round in a circle", "Name the file itself"),
}


def read_limited(path: Pathlike, max_bytes: int) -> bytes:
    """The bytes of a file of at most ``max_bytes``.

    Raises
    ------
    FileProblem
        The file cannot be read or is larger.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "x").write_bytes(b"0110")
    ...     read_limited(Path(folder) / "x", 4)
    b'0110'
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > max_bytes else read_stream(file, max_bytes, expected=size)
    except (OSError, ValueError) as error:
        raise file_problem(path, error, "read") from None
    size = max(size, len(data))
    if size > max_bytes:
        raise FileProblem(
            f"{shown(path)}: cannot read it, it has {size:,} bytes or more and the limit here is "
            f"{max_bytes:,}. Check that this is the file that was meant."
        )
    return data


def read_stream(file: BinaryIO, max_bytes: int, *, expected: int = 0) -> bytes:
    """What a stream holds, up to one byte more than the limit; it takes no more memory than that.

    >>> read_stream(io.BytesIO(b"0110"), 2)
    b'011'
    """
    pieces = [file.read(min(expected, max_bytes) + 1)]  # read(n) takes n bytes of memory at once
    total = len(pieces[0])
    while total <= max_bytes and (piece := file.read(min(2**22, max_bytes + 1 - total))):
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)


@contextmanager
def atomic_write(path: Pathlike) -> Iterator[BinaryIO]:
    """A binary file to write to, which takes its name only when all is written.

    It is written under another name in the same folder and renamed at the end. If
    anything goes wrong, Ctrl-C included, the new file is removed and an older one of
    that name stays as it was. Devices and pipes are written to directly, at the end.

    Raises
    ------
    FileProblem
        The file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "x") as file:
    ...         _ = file.write(b"0110")
    ...     [p.name for p in Path(folder).iterdir()], (Path(folder) / "x").read_bytes()
    (['x'], b'0110')
    """
    try:
        target, mode = destination(path)
        if mode is not None and not stat.S_ISREG(mode):
            buffer = io.BytesIO()
            yield buffer
            with open(target, "wb") as device:
                device.write(buffer.getbuffer())
            return
        part, file = part_beside(target)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                part.chmod(stat.S_IMODE(mode))
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except FsmGptError:
        raise
    except OSError as error:
        raise file_problem(path, error, "write") from None


def check_writable(path: Pathlike) -> None:
    """Find out before long work whether a file can be written there; nothing is left behind.

    Raises
    ------
    FileProblem
        It cannot.

    >>> check_writable("/no/such/folder/report.html")
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: /no/such/folder/report.html: cannot write it, its folder does not
    exist. Make the folder first, or name another.
    """
    try:
        target, mode = destination(path)
        if mode is None or stat.S_ISREG(mode):
            part, file = part_beside(target)
            file.close()
            part.unlink()
    except OSError as error:
        if isinstance(error, FsmGptError):
            raise
        raise file_problem(path, error, "write") from None


def destination(path: Pathlike) -> tuple[Path, int | None]:
    """Where a path leads, and the mode of what is there."""
    if os.fspath(path).endswith((os.sep, "/")):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    try:
        target = Path(os.path.realpath(path))
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return target, None
    except ValueError as error:  # a null byte
        raise file_problem(path, error, "write") from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "permission was denied")
    return target, mode


def part_beside(target: Path) -> tuple[Path, BinaryIO]:
    """A new file in the same folder, under a name of its own."""
    part = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return part, os.fdopen(os.open(part, flags, 0o666), "wb")
