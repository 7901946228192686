"""Files that belong together, written all or none.

One file takes its name at one moment (:func:`fsm_gpt.files.atomic_write`); several cannot. So all
are first written whole under other names. Then they take their names one after the other, and
what stood there before is kept beside until the last one has its own: if anything goes wrong,
Ctrl-C included, the old files are put back.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.files import Pathlike, destination, file_problem, part_beside, shown

__all__ = ["write_together"]


@contextmanager
def write_together(paths: Sequence[Pathlike]) -> Iterator[list[BinaryIO]]:
    """Binary files to write to, which take their names together when all are written.

    Raises
    ------
    FileProblem
        One of them cannot be written, is a device or a pipe, or two are the same file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_together([Path(folder) / "x", Path(folder) / "y"]) as (x, y):
    ...         _ = x.write(b"01"), y.write(b"10")
    ...     sorted(p.name for p in Path(folder).iterdir()), (Path(folder) / "y").read_bytes()
    (['x', 'y'], b'10')
    """
    members: list[_Member] = []
    doing = paths[0]
    try:
        for path in paths:
            doing = path
            members.append(_Member.begun(path, members))
        doing = paths[0]
        yield [member.file for member in members]
        for member in members:
            doing = member.path
            member.finish()
        _take_names(members)
    except FsmGptError:
        raise
    except OSError as error:
        raise file_problem(doing, error, "write") from None
    finally:
        for member in members:
            member.clear()


@dataclass(eq=False)
class _Member:
    """One of the files, under another name until all are written."""

    path: Pathlike
    target: Path
    mode: int | None
    """Of what is there already."""
    part: Path
    file: BinaryIO
    old: Path | None
    """Where what is there is kept meanwhile."""

    @classmethod
    def begun(cls, path: Pathlike, others: Sequence[_Member]) -> _Member:
        target, mode = destination(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise FileProblem(
                f"{shown(path)}: cannot write it, several files are written side by side and this "
                f"is a device or a pipe. Name a file in a folder."
            )
        same = next((other.path for other in others if other.target == target), None)
        if same is not None:
            raise FileProblem(
                f"{shown(path)}: cannot write it, it is the same file as {shown(same)}, which is "
                f"written beside it. Choose another name."
            )
        part, file = part_beside(target)
        old = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.old")
        return cls(path, target, mode, part, file, None if mode is None else old)

    def finish(self) -> None:
        """All that was written is on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if self.mode is not None:
            self.part.chmod(stat.S_IMODE(self.mode))

    def take_name(self) -> None:
        """Keep what is there, and stand in its place."""
        if self.old is not None:
            try:
                os.link(self.target, self.old)
            except OSError:  # a file system without links
                self.target.replace(self.old)
        self.part.replace(self.target)

    def give_back(self) -> None:
        """As it was before :meth:`take_name`."""
        try:
            if self.old is None:
                self.target.unlink(missing_ok=True)
            elif self.old.exists():
                self.old.replace(self.target)
        except OSError:
            self.old = None  # what was there stays under its other name, and is not lost

    def clear(self) -> None:
        """Leave nothing but the file itself."""
        for stale in filter(None, (self.part, self.old)):
            with suppress(OSError):
                stale.unlink(missing_ok=True)
        with suppress(OSError):  # what is still to be flushed may not fit
            self.file.close()


def _take_names(members: Sequence[_Member]) -> None:
    begun: list[_Member] = []
    try:
        for member in members:
            begun.append(member)
            member.take_name()
    except BaseException as problem:
        for member in reversed(begun):
            member.give_back()
        if isinstance(problem, OSError):
            raise file_problem(begun[-1].path, problem, "write") from None
        raise
