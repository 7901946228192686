"""No file and no word from outside gets anything but an answer or a refusal of one paragraph.

Hypothesis changes right files in whatever way; ``make fuzz`` looks further, led by the lines of
code that are reached. What was once found is in test_findings.py.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.fuzz.guard import watched
from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS, attack, warm

#: Seconds that one small file may take, on a busy machine.
LONGEST = 20

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("name", READERS)
def test_right_files_are_read(tmp_path: Path, name: str) -> None:
    """Otherwise what follows would be about nothing."""
    outcomes = [attack(name, data, tmp_path) for data in READERS[name].seeds()]
    assert "read" in outcomes, outcomes


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")))
@given(data=st.data())
def test_wrong_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: Any
) -> None:
    reader = READERS[name]
    content = data.draw(mutated(reader.seeds, reader.words))
    folder = tmp_path_factory.mktemp("hostile")
    warm(name, folder)
    begin = time.perf_counter()
    attack(name, content, folder)
    assert time.perf_counter() - begin < LONGEST


# ---- the watch itself ----


@pytest.mark.parametrize(
    "deed",
    [
        lambda folder: (folder.parent / "elsewhere").write_text("x"),
        lambda folder: os.mkdir(folder.parent / "made"),
        lambda folder: os.system("true"),
        lambda folder: pickle.loads(pickle.dumps(print)),
        lambda folder: os.remove(folder.parent / "precious"),
    ],
)
def test_the_watch_sees_what_may_not_be_done(tmp_path: Path, deed: Any) -> None:
    (tmp_path / "precious").write_text("x")
    folder = tmp_path / "asked"
    folder.mkdir()
    with watched(folder) as done, pytest.raises(PermissionError):
        deed(folder)
    assert len(done) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["asked", "precious"]
    (tmp_path / "elsewhere").write_text("afterwards everything is as before")


def test_the_watch_lets_pass_what_may_be_done(tmp_path: Path) -> None:
    with watched(tmp_path) as done:
        (tmp_path / "x").write_text("x")
        (tmp_path / "x").read_text()
        Path(os.devnull).write_text("x")
    assert not done


def test_a_short_run_led_by_coverage() -> None:
    """``make fuzz`` on some readers, for seconds; it is seen to reach code and to find nothing."""
    pytest.importorskip("atheris", reason="needs atheris, which has no wheel for this machine")
    some = ["chain", "vocabulary", "PRISM", "pattern"]
    names = [word for name in some for word in ("--reader", name)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seconds", "3", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" fine ")[0].strip() for line in lines] == some, done.stdout
    for line in lines:
        files, branches = (
            int(word.replace(",", "")) for word in re.findall(r"([\d,]+) [fb]", line)
        )
        assert files > 10, line
        assert branches > 50, line
