"""The command line of the studies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fsm_gpt as fg
from analysis.commands import main
from analysis.study import Study
from tests.analysis.conftest import RUNS

ROOT = Path(__file__).resolve().parents[2]
CHAIN = fg.Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="ab")


def call(*args: str, name: str = "stationary") -> int:
    with pytest.raises(SystemExit) as left:
        main(f"analysis.{name}", {name: RUNS[name]}, about="About.", args=args)
    return int(left.value.code or 0)


def test_a_study_from_a_chain_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fg.save(CHAIN, tmp_path / "c.safetensors")
    code = call(
        "--model", str(tmp_path / "c.safetensors"), "--text", "abab", "--output", str(tmp_path)
    )
    said = capsys.readouterr()
    assert code == 0
    assert said.out.splitlines()[-1] == f"stationary: {(tmp_path / 'stationary').resolve()}"
    assert "KL rate" in said.out
    assert (tmp_path / "stationary" / "contexts.csv").exists()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--model", "nowhere.pt"), 4, "nowhere.pt: cannot read it"),
        (("--text", "0101"), 2, "none was named with --model"),
        (("--sped",), 2, "analysis.stationary --help"),
        (("--output", "/dev/null/x"), 4, "cannot write it"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    args: tuple[str, ...],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*args) == code
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = (line for line in said.err.splitlines() if line.startswith("error:"))
    assert words in line
    assert "Traceback" not in said.err


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analysis.capacity", "--quick", "--output", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "GPT-2 small" in done.stdout
    assert (tmp_path / "capacity" / "manifest.json").exists()


def test_every_study_at_once(tmp_path: Path, quick: dict[str, Study]) -> None:
    class Ready:
        """A study that was run before."""

        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, **_: object) -> Study:
            return quick[self.name]

    runs = {name: Ready(name) for name in ("stationary", "capacity")}
    with pytest.raises(SystemExit) as left:
        main("analysis", runs, about="All.", args=["--output", str(tmp_path)])
    assert left.value.code == 0
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"stationary", "capacity", "manifest.json"}
    over_all = json.loads((tmp_path / "manifest.json").read_bytes())
    assert list(over_all["studies"]) == ["stationary", "capacity"]
    assert over_all["command"].startswith("python -m analysis --output")
