"""One writer at a time: a file that says who writes, held by the operating system.

The lock is the system's (``flock``), which ends with the process that holds it, however that ends.
So a file left by a killed process of this machine holds nobody up. What stands in the file, the
number of the process and the name of its machine, is for the sentence; and where a folder is shared
and the system's lock may not reach other machines, a file from another one is respected.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import file_problem, shown

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["only_writer"]


@contextmanager
def only_writer(path: Path, what: str) -> Iterator[None]:
    """Nobody else writes while this runs; ``what`` is what is written, for the sentence.

    Raises
    ------
    FileProblem
        Somebody else does, or the file cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, only_writer(Path(folder) / ".lock", "x"):
    ...     with only_writer(Path(folder) / ".lock", "x"):
    ...         pass
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: x: the process ... of this machine is writing it. Wait until it has
    ended, or write to another folder.
    """
    handle = _held(path, what)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def _held(path: Path, what: str) -> int:
    try:
        while True:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            handle = os.open(path, flags | (os.O_EXCL if fcntl is None else 0), 0o666)
            try:
                _lock(handle, path, what)
                if _still_there(handle, path):
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # another writer ended and took the file with it
    except FileExistsError:
        raise _busy(path, what) from None
    except FileProblem:
        raise
    except OSError as error:
        raise file_problem(path, error, "write") from None


def _lock(handle: int, path: Path, what: str) -> None:
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(path, what) from None
        before = _said(path)
        if before is not None and before.get("host") != platform.node():
            raise _busy(path, what)
    os.ftruncate(handle, 0)
    about = {"pid": os.getpid(), "host": platform.node()}
    os.pwrite(handle, json.dumps(about).encode(), 0) if hasattr(os, "pwrite") else os.write(
        handle, json.dumps(about).encode()
    )


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _said(path: Path) -> dict[str, Any] | None:
    """What a lock file says; None where it says nothing."""
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read(4096))
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _busy(path: Path, what: str) -> FileProblem:
    said = _said(path) or {}
    process, host = (str(said.get(key, "unknown"))[:80] for key in ("pid", "host"))
    if host in (platform.node(), "unknown"):
        return FileProblem(
            f"{what}: the process {process} of this machine is writing it. Wait until it has "
            f"ended, or write to another folder."
        )
    return FileProblem(
        f"{what}: the process {process} of the machine {host!r} is writing it, or was stopped "
        f"while it did. Wait until it has ended; if it has, remove {shown(path)} and go on."
    )
