"""``fsm-gpt report`` of explored machines, and the pages of ``minimize`` and ``compare``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.explore import save_exploration
from fsm_gpt.io import save
from tests.report.kinds import card, chinese, explored


@pytest.fixture
def files(folder: Path) -> Path:
    """A part of a machine, a whole one, and two chains."""
    save_exploration(explored(20), folder / "part")
    save_exploration(chinese(10_000, L=4), folder / "whole")
    save(Chain([[0.5, 0.5]] * 4), folder / "fair")
    save(Chain([[0.25, 0.75]] * 4), folder / "bent")
    return folder


def test_the_file_decides_the_kind(fsm_gpt, files: Path) -> None:
    said = fsm_gpt("report", "part", "--title", "A part", "-o", "p.html")
    assert said.code == 0, said.err
    assert said.out == f"{explored(20)}\nreport: {files}/p.html (open it in a browser)\n"
    page = Path("p.html").read_text(encoding="utf-8")
    assert "<h1>A part</h1>" in page
    assert card(page, "States explored") == "20"
    document = json.loads(fsm_gpt("report", "part", "-o", "p.md", "--json").out)
    assert (document["schema"], document["kind"], document["report"]) == (1, "exploration", "p.md")
    assert document["provenance"]["command"].startswith("fsm-gpt")
    assert Path("p.md").read_text(encoding="utf-8").startswith("# Where prompts lead")
    for name, kind in (("whole", "exploration"), ("fair", "chain")):
        document = json.loads(fsm_gpt("report", name, "-o", "p.json", "--json").out)
        assert (document["schema"], document["kind"]) == (1, kind)
        assert json.loads(Path("p.json").read_text(encoding="utf-8"))["kind"] == kind
    help_text = " ".join(fsm_gpt("report", "--help").out.split())
    assert "What the file is decides the kind of the report" in help_text


def test_what_a_part_cannot_answer_is_refused(fsm_gpt, files: Path) -> None:
    before = {path.name for path in files.iterdir()}
    assert "explored under its own decoding rule" in fsm_gpt("report", "part", "--greedy").error
    assert "--text cannot be answered" in fsm_gpt("report", "part", "--text", "abc").error
    assert (
        "--stop and --pattern" in fsm_gpt("report", "part", "--stop", "a", "--pattern", "b").error
    )
    assert {path.name for path in files.iterdir()} == before
    assert fsm_gpt("report", "whole", "--greedy", "-o", "w.html").code == 0


def test_two_chains_side_by_side(fsm_gpt, files: Path) -> None:
    said = fsm_gpt("compare", "fair", "bent", "-o", "c.html")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == f"report: {files}/c.html (open it in a browser)"
    page = Path("c.html").read_text(encoding="utf-8")
    kl = fg.compare(fg.load("fair"), fg.load("bent")).kl_bits_per_token
    assert card(page, "KL(reference ‖ model)") == f"{kl:.4g} bits/token"
    assert "bent against fair" in page
    document = json.loads(
        fsm_gpt("compare", "fair", "bent", "-o", "c.json", "--drift", "5", "--json").out
    )
    assert document["report"] == "c.json"
    written = json.loads(Path("c.json").read_text(encoding="utf-8"))
    assert (written["schema"], written["kind"]) == (1, "comparison")
    assert written["names"] == ["fair", "bent"]
    assert len(written["drift"]["bits_by_step"]) == 6
    assert "ends in none of" in fsm_gpt("compare", "fair", "bent", "-o", "c.gif").error


def test_the_page_of_a_machine(fsm_gpt, files: Path) -> None:
    said = fsm_gpt("minimize", "bent", "--output", "m.html")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "report: m.html"
    page = Path("m.html").read_text(encoding="utf-8")
    assert card(page, "States") == "1 of 4"
    assert card(page, "Price") == "0 bits/token"
    document = json.loads(fsm_gpt("minimize", "bent", "-o", "m.md", "--json").out)
    assert document["files"] == {"report": "m.md"}
    assert "would be overwritten" in fsm_gpt("minimize", "bent", "-o", "bent").error
