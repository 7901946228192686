"""Files are written whole or not at all, and what the system objects to is one sentence."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.files import atomic_write, check_writable, file_problem, read_limited, shown


def put(path: Path | str, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    put(tmp_path / "x", b"0110")
    assert read_limited(tmp_path / "x", 4) == b"0110"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    put(tmp_path / "x", b"")
    (tmp_path / "y").write_bytes(b"")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_an_older_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o640)
    put(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "x")
    put(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "x").read_bytes() == b"new"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
@pytest.mark.parametrize("older", [None, b"old"])
def test_nothing_half_written_is_left(
    tmp_path: Path, stop: type[BaseException], older: bytes | None
) -> None:
    if older is not None:
        (tmp_path / "x").write_bytes(older)

    def stopped_halfway() -> None:
        with atomic_write(tmp_path / "x") as file:
            file.write(b"half")
            file.flush()
            raise stop

    with pytest.raises(stop):
        stopped_halfway()
    left = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert left == ({} if older is None else {"x": older})


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk or the quota is full"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission was denied"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_the_system_says_while_writing_becomes_a_sentence(
    tmp_path: Path, number: int, words: str
) -> None:
    with pytest.raises(FileProblem, match=words), atomic_write(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_our_own_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(UnsafeFile, match=r"^mine$"), atomic_write(tmp_path / "x"):
        raise UnsafeFile("mine")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder", "it is a folder"),
        ("new/", "it is a folder"),
        ("none/x", "its folder does not exist"),
        ("file/x", "a part of its path is a file"),
        ("x" * 300, "the name is too long"),
        ("loop", "go round in a circle"),
        ("null\0byte", "null byte"),
    ],
)
@pytest.mark.parametrize("write", [lambda path: put(path, b""), check_writable])
def test_a_path_that_cannot_be_written(tmp_path: Path, name: str, words: str, write) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileProblem, match=words) as caught:
        write(f"{tmp_path}/{name}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("write", [lambda path: put(path, b""), check_writable])
def test_permissions_are_respected(tmp_path: Path, write) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "x").chmod(0o400)
    with pytest.raises(FileProblem, match="permission was denied"):
        write(tmp_path / "x")
    (tmp_path / "folder").mkdir(mode=0o500)
    with pytest.raises(FileProblem, match="permission was denied"):
        write(tmp_path / "folder" / "x")


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for write in (lambda: put(tmp_path / "x", b"new"), lambda: check_writable(tmp_path / "x")):
        with pytest.raises(FileProblem, match="permission was denied"):
            write()
    assert (tmp_path / "x").read_bytes() == b"old"


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    check_writable(tmp_path / "x")
    check_writable(tmp_path / "old")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    put(pipe, b"through")
    reader.join(timeout=10)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "there is no such file"), ("", "it is a folder"), ("null\0", "null byte")],
)
def test_a_path_that_cannot_be_read(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(FileProblem, match=words):
        read_limited(f"{tmp_path}/{name}", 10)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(FileProblem, match="the limit here is 1,000"):
        read_limited("/dev/zero", 1000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("n", [0, 1, 2**20, 2**20 + 1, 5 * 2**20, 6 * 2**20])
def test_a_pipe_is_read_to_its_end(tmp_path: Path, n: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    content = os.urandom(n)
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content), daemon=True)
    writer.start()
    assert read_limited(tmp_path / "pipe", 6 * 2**20) == content
    writer.join(timeout=10)


def test_a_large_limit_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0110")
    assert read_limited(tmp_path / "x", 2**60) == b"0110"


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"01101")
    with pytest.raises(FileProblem, match="5 bytes or more and the limit here is 4"):
        read_limited(tmp_path / "x", 4)


def test_a_name_cannot_break_the_paragraph() -> None:
    assert shown("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert "\n" not in str(file_problem("a\nb", OSError(errno.EIO, "x"), "read"))
