"""``fsm-gpt capacity``."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.capacity import capacity
from fsm_gpt.report.capacity_report import capacity_report

Run = Callable[..., Any]


def test_one_model(fsm_gpt: Run) -> None:
    done = fsm_gpt("capacity", "gpt2")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{capacity('gpt2')}\n"
    assert "15,991.846 bits" in done.out


def test_several_models(fsm_gpt: Run) -> None:
    done = fsm_gpt("capacity", "gpt2", "gpt-3", "claude")
    assert done.code == 0
    assert done.out == f"{capacity_report(['gpt2', 'gpt-3', 'claude'])}\n"


def test_all_models(fsm_gpt: Run) -> None:
    assert len(fsm_gpt("capacity", "--all", "--format", "csv").out.splitlines()) == 81


def test_sizes_without_a_model(fsm_gpt: Run) -> None:
    assert "40 bits" in fsm_gpt("capacity", "--vocab", "32", "--context", "8").out


def test_a_models_size_replaced(fsm_gpt: Run) -> None:
    assert "31,983.692 bits" in fsm_gpt("capacity", "gpt2", "--context", "2048").out


def test_a_configuration(fsm_gpt: Run, folder: Path) -> None:
    (folder / "config.json").write_text('{"vocab_size": 32, "n_ctx": 8}')
    assert "40 bits" in fsm_gpt("capacity", "config.json").out
    refused = fsm_gpt("capacity", "config.json", "-o", "config.json")
    assert (refused.code, "would be overwritten" in refused.error) == (4, True)


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "html", "bibtex"])
def test_forms(fsm_gpt: Run, folder: Path, form: str) -> None:
    done = fsm_gpt("capacity", "gpt2", "gpt-j", "--format", form)
    expected = capacity_report(["gpt2", "gpt-j"]).render(form).splitlines()
    assert done.out.splitlines() == expected
    assert fsm_gpt("capacity", "gpt2", "gpt-j", "--format", form, "-o", "x").code == 0
    assert (folder / "x").read_text().splitlines() == expected


def test_json(fsm_gpt: Run) -> None:
    for options in (["--json"], ["--format", "json"], ["--json", "--format", "json"]):
        document = json.loads(fsm_gpt("capacity", "gpt2", *options).out)
        assert document["schema"] == 1
        assert document["rows"][0]["bits"] == capacity("gpt2").bits


def test_a_file_by_its_ending(fsm_gpt: Run, folder: Path) -> None:
    done = fsm_gpt("capacity", "gpt2", "claude", "--output", "capacity.html")
    assert done.out == "capacity report: capacity.html (2 models)\n"
    assert (folder / "capacity.html").read_text().startswith("<!doctype html>")
    done = fsm_gpt("capacity", "gpt2", "-o", "c.json", "--json")
    assert json.loads(done.out) == {"schema": 1, "models": 1, "file": "c.json"}
    assert json.loads((folder / "c.json").read_text())["rows"][0]["name"] == "GPT-2 small"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no model is named"),
        (["gtp2"], 1, "Did you mean GPT-2 small"),
        (["claude"], 1, "its vocabulary is not public"),
        (["rwkv"], 1, "not a window of tokens"),
        (["no/config.json"], 4, "there is no such file"),
        (["gpt2", "--all"], 2, "no name can stand beside it"),
        (["--all", "--vocab", "5"], 2, "about one model"),
        (["gpt2", "gpt-3", "--context", "5"], 2, "about one model"),
        (["--vocab", "5"], 1, "the context must be given"),
        (["gpt2", "--vocab", "0"], 2, "not in the range"),
        (["gpt2", "--context", "9" * 30], 2, "not in the range"),
        (["gpt2", "--vocab", "9" * 5000], 2, "not a valid integer"),
        (["gpt2", "--format", "pdf"], 2, "'pdf' is not one of"),
        (["gpt2", "--json", "--format", "csv"], 2, "contradict"),
        (["gpt2", "-o", "x.pdf"], 1, "ends in none of"),
        (["gpt2", "-o", "no/x.html"], 4, "folder does not exist"),
    ],
)
def test_what_is_refused(
    fsm_gpt: Run, folder: Path, words: list[str], code: int, said: str
) -> None:
    done = fsm_gpt("capacity", *words)
    assert said in done.error
    assert done.code == code
    assert list(folder.iterdir()) == []


def test_help_has_an_example(fsm_gpt: Run) -> None:
    said = " ".join(fsm_gpt("capacity", "--help").out.split())
    assert "Example: fsm-gpt capacity gpt2" in said
    assert "capacity" in fsm_gpt("--help").out


def test_one_model_loads_little() -> None:
    """So that the whole process stays below 0.6 s."""
    code = (
        "import sys; from fsm_gpt.cli.program import main\n"
        "try: main(['capacity', 'gpt2'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    said, loaded = done.split("LOADED")
    assert "15,991.846" in said
    heavy = {"torch", "scipy", "sympy", "matplotlib", "networkx", "jinja2", "rich", "numba"}
    assert not set(loaded.split()) & heavy
