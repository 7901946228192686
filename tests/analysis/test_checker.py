"""The table of the page on model checkers: Storm's answers beside ours, with and without Storm."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import fsm_gpt as fg
from analysis.bench import checker
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.io import PrismModel


@pytest.fixture
def die(tmp_path: Path, reference_chains: dict[str, Any]) -> PrismModel:
    """Knuth and Yao's die through PRISM's files, each flip a reward; its source: 1/6 and 11/3."""
    chain = Chain.from_matrix(reference_chains["knuth_die"]["P"])
    flips = [1] * 7 + [0] * 6
    export = {"one": 7, "done": range(7, 13)}
    fg.export(chain, tmp_path / "die.tra", labels=export, rewards={"flips": flips})
    return fg.read_prism(
        *(tmp_path / f"die.{end}" for end in ("tra", "lab", "sta", "srew", "trew"))
    )


QUESTIONS = {
    'P=? [F "one"]': Fraction(1, 6),
    'T=? [F "done"]': Fraction(11, 3),
    'R{"flips"}=? [F "done"]': Fraction(11, 3),
}


def test_ours_are_the_published_answers(die: PrismModel) -> None:
    found = fg.hitting(die.chain, list(die.labels["done"]))
    assert found.mean_steps[0] == Fraction(11, 3)
    assert fg.hitting(die.chain, die.labels["one"]).probabilities[0] == Fraction(1, 6)


def test_storm_gives_the_published_answers(die: PrismModel) -> None:
    pytest.importorskip("stormpy", reason="Storm's Python package is not installed")
    for question, expected in QUESTIONS.items():
        assert checker.answer(die, question) == expected
    never = 'T=? [F "one"]'
    assert checker.answer(die, never) == float("inf")


def test_a_table_of_both(die: PrismModel) -> None:
    pytest.importorskip("stormpy", reason="Storm's Python package is not installed")
    wrong = Fraction(1, 5)
    table = checker.beside(
        [
            *(("right", die, q, x) for q, x in QUESTIONS.items()),
            ("wrong", die, 'P=? [F "one"]', wrong),
        ]
    )
    assert table.column("difference") == [0, 0, 0, wrong - Fraction(1, 6)]


def test_a_table_without_storm(die: PrismModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(checker, "import_module", absent)
    table = checker.beside([("right", die, q, x) for q, x in QUESTIONS.items()])
    assert table.column("Storm") == ["not installed"] * 3
    assert "was not installed" in table.note


def test_what_it_does_not_take(tmp_path: Path) -> None:
    fg.export(Chain([[0.5, 0.5], [0.5, 0.5]]), tmp_path / "x.tra", start=[0, 1])
    floats = fg.read_prism(tmp_path / "x.tra", exact=False)
    two = fg.read_prism(tmp_path / "x.tra", tmp_path / "x.lab")
    for model in (floats, two):
        with pytest.raises(InvalidArgument, match="one initial state"):
            checker.answer(model, "P=? [F true]")
