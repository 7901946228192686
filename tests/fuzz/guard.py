"""What a reader may not do, watched by Python itself while it reads.

Python tells an audit hook (PEP 578) of every file that is opened, every process that is begun,
every name that a pickle looks up. A hook cannot be taken away, so there is one for the process,
and it looks only while something is being read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsm_gpt

__all__ = ["watched"]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset(
    f"os.{name}"
    for name in ("remove", "rename", "mkdir", "rmdir", "symlink", "link", "chmod", "truncate")
)
_NEVER = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn"),
        *("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request"),
        *("pickle.find_class", "webbrowser.open", "ftplib.connect", "http.client.connect"),
    }
)

_PACKAGE = os.path.dirname(os.path.realpath(fsm_gpt.__file__)) + os.sep

#: Folders in which things may be written now, and what was done in spite of that.
_allowed: list[str] = []
_seen: list[str] = []
_begun = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _allowed:
        return
    if event in _NEVER or (event in _CHANGES and not _inside(args[0])):
        _refuse(event, args)
    elif event == "open":
        path, mode, flags = args
        writes = any(c in mode for c in "wax+") if isinstance(mode, str) else flags & _WRITING
        if writes and not isinstance(path, int) and not _inside(path):
            _refuse(event, args)


def _inside(path: Any) -> bool:
    name = os.path.realpath(os.fsdecode(path))
    if name == os.devnull or (name.startswith(_PACKAGE) and f"{os.sep}__pycache__{os.sep}" in name):
        return True  # numba keeps compiled loops beside their source
    return any(name.startswith(folder + os.sep) for folder in _allowed)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    _seen.append(f"{event} {args!r}"[:300])
    raise PermissionError(f"a reader may not: {_seen[-1]}")


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Refuse everything but reading, and writing in a folder; the list holds what was tried."""
    global _begun
    if not _begun:
        sys.addaudithook(_hook)
        _begun = True
    _seen.clear()
    _allowed.append(os.path.realpath(folder))
    try:
        yield _seen
    finally:
        _allowed.pop()
