"""Several files are written all or none, and what stood there before comes back."""

import errno
import os
import stat
from pathlib import Path

import pytest

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.file_sets import write_together

NAMES = ("x", "y", "z")


def put(folder: Path, content: bytes) -> None:
    with write_together([folder / name for name in NAMES]) as files:
        for name, file in zip(NAMES, files, strict=True):
            file.write(name.encode() + content)


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_new_files(tmp_path: Path) -> None:
    put(tmp_path, b"1")
    assert held(tmp_path) == {"x": b"x1", "y": b"y1", "z": b"z1"}


def test_older_files_are_replaced_and_keep_their_permissions(tmp_path: Path) -> None:
    put(tmp_path, b"1")
    (tmp_path / "y").chmod(0o640)
    put(tmp_path, b"2")
    assert held(tmp_path) == {"x": b"x2", "y": b"y2", "z": b"z2"}
    assert stat.S_IMODE((tmp_path / "y").stat().st_mode) == 0o640


def test_without_links_older_files_are_moved_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    put(tmp_path, b"1")
    monkeypatch.setattr(os, "link", refuse)
    put(tmp_path, b"2")
    assert held(tmp_path) == {"x": b"x2", "y": b"y2", "z": b"z2"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
@pytest.mark.parametrize("older", [False, True])
def test_nothing_half_written_is_left(
    tmp_path: Path, stop: type[BaseException], older: bool
) -> None:
    if older:
        put(tmp_path, b"1")
    before = held(tmp_path)

    def stopped_halfway() -> None:
        with write_together([tmp_path / name for name in NAMES]) as (x, _, _):
            x.write(b"half")
            x.flush()
            raise stop

    with pytest.raises(stop):
        stopped_halfway()
    assert held(tmp_path) == before


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("older", [(), ("x",), ("x", "y", "z")])
def test_when_one_cannot_take_its_name_the_old_ones_come_back(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
    at: int,
    error: BaseException,
    older: tuple[str, ...],
) -> None:
    put(tmp_path, b"1")
    for name in set(NAMES) - set(older):
        (tmp_path / name).unlink()
    before = held(tmp_path)
    replace = Path.replace

    def refuse(part: Path, target: Path) -> Path:
        if part.name.endswith(".part") and target.name == NAMES[at]:
            raise error
        return replace(part, target)

    def no_links(*args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "replace", refuse)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    expected = FileProblem if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as refused:
        put(tmp_path, b"2")
    if expected is FileProblem:
        assert f"{tmp_path / NAMES[at]}: cannot write it" in str(refused.value)
    assert held(tmp_path) == before


def test_what_cannot_be_put_back_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk refuses everything from some moment on, the old content is under another name."""
    put(tmp_path, b"1")
    replace = Path.replace

    def refuse(part: Path, target: Path) -> Path:
        if target.name == "y" or part.name.endswith(".old"):
            raise OSError(errno.EROFS, "read-only from now on")
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FileProblem, match="y: cannot write it, the file system is read-only"):
        put(tmp_path, b"2")
    assert b"x1" in held(tmp_path).values()
    assert {**held(tmp_path), "x": b""}["y"] == b"y1"


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    put(tmp_path, b"1")
    before = held(tmp_path)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileProblem, match="x: cannot write it, the disk or the quota is full"):
        put(tmp_path, b"2")
    assert held(tmp_path) == before


def test_what_is_no_place_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "y").mkdir()
    with pytest.raises(FileProblem, match="y: cannot write it, it is a folder"):
        put(tmp_path, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["y"]
    with pytest.raises(FileProblem, match="its folder does not exist"):
        put(tmp_path / "none", b"")


def test_one_file_under_two_names(tmp_path: Path) -> None:
    (tmp_path / "y").symlink_to(tmp_path / "x")
    with pytest.raises(FileProblem, match=r"y: .* is the same file as .*x, which"):
        put(tmp_path, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_an_error_of_ours_stays_what_it_is(tmp_path: Path) -> None:
    def refuse() -> None:
        with write_together([tmp_path / "x"]):
            raise UnsafeFile("no")

    with pytest.raises(UnsafeFile, match="no"):
        refuse()
    assert list(tmp_path.iterdir()) == []
