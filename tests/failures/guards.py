"""Guards taken out, one at a time: a test of failures must fail without each.

    python -m tests.failures.guards            all of them, some minutes
    python -m tests.failures.guards lock       those with this word in their name

Each is one substitution of text in a temporary copy of the package; then one test is run that has
to fail. The exit code is 1 if one passes, or if the text no longer occurs exactly once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.mutants import fresh_copy

__all__ = ["GUARDS", "Guard"]


class Guard(NamedTuple):
    """What is taken out of a file, and the test that needs it."""

    name: str
    file: str
    right: str
    wrong: str
    test: str


_FAILURES = "tests/failures/test_stores.py"
_STORE = "tests/test_store.py"
_HOSTILE = "tests/test_store_hostile.py"

GUARDS = [
    Guard(
        "checksum of a chunk",
        "io/chunk_files.py",
        "if not found == int.from_bytes(end",
        "if False and not found == int.from_bytes(end",
        f"{_FAILURES}::test_a_chunk_is_harmed[bit]",
    ),
    Guard(
        "checksum in the description",
        "io/chunk_files.py",
        '"little") == self.checksums[number]',
        '"little")',
        f"{_STORE}::test_chunks_that_changed_places_are_found",
    ),
    Guard(
        "size of a chunk",
        "io/chunk_files.py",
        "if about.st_size != expected:",
        "if False:",
        f"{_FAILURES}::test_a_chunk_is_harmed[cut]",
    ),
    Guard(
        "end of a file that is cut while it is read",
        "io/chunk_files.py",
        "        if not read:\n            raise OSError(errno.EIO",
        "        if not read:\n            return\n            raise OSError(errno.EIO",
        f"{_FAILURES}::test_a_chunk_is_cut_while_it_is_read",
    ),
    Guard(
        "plain files only",
        "io/chunk_files.py",
        "if not stat.S_ISREG(about.st_mode):",
        "if False:",
        f"{_FAILURES}::test_a_chunk_is_harmed[folder]",
    ),
    Guard(
        "complete only at the end",
        "io/store_read.py",
        'if header.get("complete") is True:',
        'if header.get("complete") in (True, False):',
        f"{_FAILURES}::test_stopped",
    ),
    Guard(
        "journal after the chunk",
        "io/store_write.py",
        "            self._note(line)\n",
        "",
        f"{_FAILURES}::test_stopped",
    ),
    Guard(
        "torn lines of the journal",
        "io/store_write.py",
        'raw.endswith(b"\\n")\n            and line',
        "line",
        f"{_STORE}::test_a_torn_line_of_the_journal",
    ),
    Guard(
        "chunks are looked at before going on",
        "io/store_write.py",
        "        except FileProblem:\n            good = sum",
        "        except ZeroDivisionError:\n            good = sum",
        f"{_STORE}::test_a_chunk_that_is_damaged_before_going_on",
    ),
    Guard(
        "leftovers of a killed writer",
        "io/store_write.py",
        "                    os.unlink(folder / name)",
        "                    pass",
        f"{_FAILURES}::test_killed_at_a_point_of_writing",
    ),
    Guard(
        "one writer",
        "io/lock.py",
        "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        f"{_FAILURES}::test_two_extractions_into_one_store",
    ),
    Guard(
        "lock of another machine",
        "io/lock.py",
        'before.get("host") != platform.node()',
        "False",
        f"{_FAILURES}::test_a_lock_of_another_machine_is_respected",
    ),
    Guard(
        "the same chain when going on",
        "io/store_write.py",
        "elif not _same(before, draft):",
        "elif False:",
        f"{_STORE}::test_another_model_is_not_gone_on_with",
    ),
    Guard(
        "what is kept is said",
        "io/store_write.py",
        "with self._going_on():\n            _chunk(self.root / ROWS",
        "with contextlib.nullcontext():\n            _chunk(self.root / ROWS",
        f"{_FAILURES}::test_a_full_disk",
    ),
    Guard(
        "no thread to be had",
        "io/chunk_files.py",
        "with suppress(RuntimeError):",
        "with suppress(ZeroDivisionError):",
        f"{_FAILURES}::test_memory_for_no_thread",
    ),
    Guard(
        "no link out of the folder",
        "io/chunk_files.py",
        "if stat.S_ISLNK(os.lstat(at).st_mode):",
        "if False:",
        f"{_HOSTILE}::test_a_link_to_other_rows",
    ),
    Guard(
        "rows described as they are written",
        "io/store_read.py",
        "if found != expected or json",
        "if False and json",
        f"{_HOSTILE}::test_any_other_description_of_the_rows",
    ),
    Guard(
        "sizes before memory",
        "io/store_read.py",
        "        files.refuse_other_size(root / ROWS / name, about)",
        "        pass",
        f"{_HOSTILE}::test_nothing_is_reserved_for_what_is_only_said",
    ),
]


def fails(guard: Guard, folder: Path) -> tuple[bool, str]:
    """Whether the test fails without the guard."""
    path = folder / "fsm_gpt" / guard.file
    text = path.read_text(encoding="utf-8")
    if text.count(guard.right) != 1:
        return False, f"its text occurs {text.count(guard.right)} times"
    path.write_text(text.replace(guard.right, guard.wrong), encoding="utf-8")
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        ran = subprocess.run(
            [*command, "--tb=no", guard.test],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, "the test does not end"
    finally:
        path.write_text(text, encoding="utf-8")
    if ran.returncode == 1:
        return True, guard.test
    return False, "PASSES WITHOUT IT" if ran.returncode == 0 else ran.stdout[-500:] + ran.stderr[
        -500:
    ]


def main(words: list[str]) -> int:
    """Take out the guards whose names have one of the words, or all."""
    chosen = [g for g in GUARDS if not words or any(word in g.name for word in words)]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        fresh_copy(Path(name))
        for guard in chosen:
            needed, by = fails(guard, Path(name))
            bad += not needed
            print(f"{'needed' if needed else 'BAD   '}  {guard.name:45}  {by}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} guards are seen to be needed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
