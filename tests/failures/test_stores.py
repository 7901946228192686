"""What can go wrong with a store, done to it: a clear sentence or a right answer, and a way on.

Every test here fails when its guard is taken out: ``python -m tests.failures.guards`` does that.
"""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.errors import FileProblem
from fsm_gpt.io import load
from fsm_gpt.io.zarr_format import chunk_name
from tests.stores import digests

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and limits are those of Unix")

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("driver.py")
CHUNKS = 2**9 * 16 // 512
#: `make failures` looks at every moment, the tests at some.
EVERY = os.environ.get("FAILURES") == "every"


def started(path: Path, **asked: Any) -> subprocess.Popen[str]:
    inherited = os.environ.get("PYTHONPATH", "")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), inherited])}
    return subprocess.Popen(
        [sys.executable, str(DRIVER), str(path), json.dumps(asked)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def ran(path: Path, **asked: Any) -> tuple[int, str, str]:
    with started(path, **asked) as running:
        try:
            out, err = running.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
    return running.returncode, out, err


def sentence(err: str) -> str:
    """What a person is told: one paragraph, and no traceback."""
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert lines[0].endswith(".")
    assert "fault of fsm-gpt" not in lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of an extraction that nothing happened to."""
    path = tmp_path_factory.mktemp("whole") / "c.zarr"
    code, out, err = ran(path)
    assert (code, err) == (0, "")
    assert "complete: " in out
    return digests(path)


def finishes(path: Path, whole: dict[str, str]) -> None:
    """A later run completes, and the files are those of an uninterrupted one."""
    code, out, err = ran(path, resume=True)
    assert code == 0, err
    assert "complete: " in out
    assert digests(path) == whole


def done(path: Path) -> dict[str, int]:
    """The chunks that are there, and when each was written."""
    return {file.name: file.stat().st_mtime_ns for file in (path / "rows").glob("c.*")}


# ---- stopped in the middle ----


@pytest.mark.parametrize("chunks", [1, 7, CHUNKS] if EVERY else [3])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped(tmp_path: Path, whole: dict[str, str], how: signal.Signals, chunks: int) -> None:
    path = tmp_path / "c.zarr"
    with started(path, pause=0.3) as running:
        assert running.stdout is not None
        while running.stdout.readline().strip() != str(chunks):
            pass
        running.send_signal(how)
        _, err = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert "stopped by the user" in sentence(err)
        assert "--resume" in sentence(err)
    with pytest.raises(FileProblem, match=r"not finished: \d+ of 16 chunks .* --resume"):
        load(path)
    before = done(path)
    finishes(path, whole)
    after = done(path)
    again = [name for name in before if after[name] != before[name]]
    assert len(again) <= 1, f"{again} were written again"


@pytest.mark.parametrize("point", range(1, 24) if EVERY else (2, 5, 8, 14))
def test_killed_at_a_point_of_writing(tmp_path: Path, whole: dict[str, str], point: int) -> None:
    """At a call of fsync: before a file has its name, before a folder has it, before a line."""
    path = tmp_path / "c.zarr"
    code, _, _ = ran(path, die_at=point)
    assert code == -signal.SIGKILL
    if path.exists() and (path / "zarr.json").exists():
        with pytest.raises(FileProblem, match="not finished"):
            load(path)
    before = done(path)
    finishes(path, whole)
    after = done(path)
    assert sum(after[name] != before[name] for name in before) <= 1


def test_killed_at_the_end(tmp_path: Path, whole: dict[str, str]) -> None:
    """At every call of fsync after the last chunk: complete or not, and never half so."""
    met = set()
    for point in range(2 * 2 + CHUNKS * 3, 2 * 2 + CHUNKS * 3 + 6):
        path = tmp_path / f"{point}.zarr"
        code, _, _ = ran(path, die_at=point)
        try:
            load(path)
            met.add("complete")
        except FileProblem as problem:
            met.add("not finished" if "not finished" in str(problem) else str(problem))
        finishes(path, whole)
        if code == 0:
            break
    assert met == {"complete", "not finished"}


# ---- two at once ----


def test_two_extractions_into_one_store(tmp_path: Path, whole: dict[str, str]) -> None:
    path = tmp_path / "c.zarr"
    with started(path, pause=0.4) as first:
        assert first.stdout is not None
        first.stdout.readline()
        for resume in (False, True):
            code, _, err = ran(path, resume=resume)
            assert code == 4
            assert f"the process {first.pid} of this machine is writing it" in sentence(err)
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert "complete: " in out
    assert digests(path) == whole


def test_a_lock_of_another_machine_is_respected(tmp_path: Path, whole: dict[str, str]) -> None:
    path = tmp_path / "c.zarr"
    ran(path, die_at=12)
    lock = path / ".lock"
    said = json.loads(lock.read_text())
    assert said["host"] == platform.node()
    lock.write_text(json.dumps({"pid": 12, "host": "elsewhere.invalid"}))
    code, _, err = ran(path, resume=True)
    assert code == 4
    assert "'elsewhere.invalid'" in sentence(err)
    assert f"remove {lock}" in sentence(err)
    lock.unlink()
    finishes(path, whole)


# ---- the disk ----


@pytest.mark.parametrize("size", [300, 515, 600, 900])
def test_files_may_not_grow(tmp_path: Path, whole: dict[str, str], size: int) -> None:
    """RLIMIT_FSIZE: a chunk, the journal or a description comes to the limit."""
    path = tmp_path / "c.zarr"
    code, _, err = ran(path, file_size=size)
    assert code == 4
    assert "larger than files may be here" in sentence(err)
    assert not list(path.rglob("*.part"))
    with pytest.raises(FileProblem):
        load(path)
    finishes(path, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen pages."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system takes rights that are missing here")
    except FileNotFoundError:
        pytest.skip("there is no mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path, whole: dict[str, str]) -> None:
    path, filler = small_disk / "c.zarr", small_disk / "filler"
    filler.write_bytes(bytes(32 * 1024))
    code, _, err = ran(path)
    assert code == 4
    assert "the disk or the quota is full" in sentence(err)
    assert "--resume" in sentence(err)
    with pytest.raises(FileProblem, match="not finished"):
        load(path)
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    finishes(path, whole)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[100] ^= 4
    file.write_bytes(raw)


def revoke(file: Path) -> None:
    file.chmod(0)


def loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def away(file: Path) -> None:
    """A link to the very bytes, outside of the store."""
    file.rename(file.parents[2] / "elsewhere")
    file.symlink_to(file.parents[2] / "elsewhere")


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (truncate, "it was cut short or belongs to another store"),
        (flip, "do not match its checksum"),
        (Path.unlink, "is missing"),
        (revoke, "permission was denied"),
        (loop, "no plain file"),
        (away, "no plain file"),
        (pipe, "no plain file"),
        (folder, "no plain file"),
    ],
    ids=["cut", "bit", "gone", "permission", "link", "link out", "pipe", "folder"],
)
def test_a_chunk_is_harmed(
    tmp_path: Path, whole: dict[str, str], harm: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "c.zarr"
    ran(path)
    chunk = path / "rows" / chunk_name(5)
    harm(chunk)
    if harm is revoke and os.access(chunk, os.R_OK):
        pytest.skip("root may read everything; the other cases fail for root too")
    code, _, err = ran(path, read=True)
    assert code == 4
    assert words in sentence(err)
    assert str(chunk) in sentence(err)
    if chunk.is_dir():
        chunk.rmdir()
    finishes(path, whole)


def test_a_chunk_is_cut_while_it_is_read(tmp_path: Path) -> None:
    """After its size was looked at."""
    from fsm_gpt.io import chunk_files

    path = tmp_path / "c.zarr"
    ran(path)
    chain = load(path, on_disk=True)
    real = os.fstat

    def cut(handle: int) -> os.stat_result:
        about = real(handle)
        os.truncate(path / "rows" / chunk_name(5), 100)
        return about

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk_files.os, "fstat", cut)
        with pytest.raises(FileProblem, match="cut short"):
            chain.rows(5 * 32, 6 * 32)


# ---- memory ----


def test_too_little_memory(tmp_path: Path) -> None:
    """RLIMIT_AS: a chunk does not fit."""
    path = tmp_path / "c.zarr"
    big: dict[str, Any] = {"context": 22, "chunk_bytes": 2**26, "batch": 4096}
    code, _, err = ran(path, **big, memory=2**25)
    assert code == 1
    assert "not enough memory" in sentence(err)
    code, _, err = ran(path, **(big | {"context": 9, "chunk_bytes": 512}), resume=True)
    assert code == 4
    assert "of another chain" in sentence(err)


def test_memory_for_no_thread(tmp_path: Path) -> None:
    """A thread's stack does not fit: then the chunks are read in turn."""
    path = tmp_path / "c.zarr"
    ran(path)
    from concurrent.futures import ThreadPoolExecutor

    def none(self: Any, *given: Any) -> Any:
        raise RuntimeError("can't start new thread")

    rows = load(path).next_token
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", none)
        assert (load(path).next_token == rows).all()
