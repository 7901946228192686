"""``fsm-gpt ask length``, and the section of the report that says how a text ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.io import save
from tests.cli.conftest import Outcome

Run = Callable[..., Outcome]


@pytest.fixture
def lines(folder: Path) -> str:
    """A chain in which a line break has 1/4 after a and 1/2 after b."""
    rows = [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], [1, 0, 0]]
    save(Chain(rows, vocabulary=["a", "b", "\n"]), folder / "lines")
    return str(folder / "lines")


def test_it_says_how_long_texts_get(fsm_gpt: Run, lines: str) -> None:
    said = fsm_gpt("ask", "length", lines, "--stop", r"\n", "--from", "a")
    assert said.code == 0
    assert "from a" in said.out
    # a ends with 1/4 or goes on to b, which ends with 1/2: N_a = 1/2 (1 + N_a) + 1/4 (1 + N_b),
    # N_b = 1/2 (1 + N_a), so that N_a = 7/3.
    assert "ends surely\n  mean 7/3," in said.out
    prompt = fsm_gpt("ask", "length", lines, "--stop", "\n", "--from", "bba")
    assert prompt.out == said.out


def test_json_is_the_answer(fsm_gpt: Run, lines: str) -> None:
    said = fsm_gpt("ask", "length", lines, "--stop", r"\n", "--upto", "3", "--json")
    machine = fg.load(lines).with_stop("\n")
    expected = fg.length_distribution(machine, start=None, upto=3).to_dict()
    assert json.loads(said.out) == {"schema": 1, **expected}


def test_a_rule_rules_the_end_out(fsm_gpt: Run, lines: str) -> None:
    said = fsm_gpt("ask", "length", lines, "--stop", r"\n", "--from", "a", "--greedy")
    assert "never ends: the probability of ending is 0" in said.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "has no END"),
        (("--stop", "x"), "'x' is no token of this chain"),
        (("--stop", r"\n", "--from", "z"), "'z'"),
        (("--stop", r"\n", "--from", "END"), ""),
    ],
)
def test_bad_questions(fsm_gpt: Run, lines: str, options: tuple[str, ...], words: str) -> None:
    assert words in fsm_gpt("ask", "length", lines, *options).error


def test_the_report_says_how_a_text_ends(fsm_gpt: Run, lines: str, folder: Path) -> None:
    said = fsm_gpt("report", lines, "--stop", r"\n", "-o", "r.md")
    assert said.code == 0, said.err
    page = (folder / "r.md").read_text()
    assert "## How a text ends" in page
    assert "| a | 1 | 7/3 = 2.333 |" in page
    assert "## How a text ends" not in _report(fsm_gpt, folder, lines)
    assert "'x' is no token" in fsm_gpt("report", lines, "--stop", "x", "-o", "s.md").error
    assert not (folder / "s.md").exists()


def _report(fsm_gpt: Run, folder: Path, chain: str) -> str:
    assert fsm_gpt("report", chain, "-o", "plain.md").code == 0
    return (folder / "plain.md").read_text()
