"""The spoiled formulas of tests/mutants.py still exist; running them is a script of its own."""

from pathlib import Path

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant, files_in_order, outcome

TEXTS = [p.read_text(encoding="utf-8") for p in (ROOT / "fsm_gpt" / "markov").rglob("*.py")]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_formula_stands_in_one_place(mutant: Mutant) -> None:
    assert sum(text.count(mutant.right) for text in TEXTS) == 1
    assert mutant.wrong != mutant.right


def test_there_are_ten_and_more_with_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 10


def test_every_file_of_tests_is_run() -> None:
    files = {f"tests/markov/{p.name}" for p in (ROOT / "tests" / "markov").glob("test_*.py")}
    assert set(files_in_order(ROOT)) == files


def test_a_formula_that_is_gone_or_stands_twice_is_bad(tmp_path: Path) -> None:
    room = tmp_path / "fsm_gpt" / "markov"
    room.mkdir(parents=True)
    (room / "one.py").write_text("x = 1\nx = 1\n")
    assert outcome(Mutant("gone", "y = 2", "y = 3"), tmp_path)[1].startswith("its text occurs 0")
    assert outcome(Mutant("twice", "x = 1", "x = 3"), tmp_path)[1].startswith("its text occurs 2")


def test_a_mutant_that_no_test_minds_survives_and_one_that_breaks_all_is_bad(
    tmp_path: Path,
) -> None:
    room, tests = tmp_path / "fsm_gpt" / "markov", tmp_path / "tests" / "markov"
    room.mkdir(parents=True)
    tests.mkdir(parents=True)
    for name in files_in_order(ROOT):
        (tmp_path / name).write_text("")
    (room / "one.py").write_text("x = 1\ny = 2\n")
    (tests / "test_properties.py").write_text(
        "from pathlib import Path\n"
        "here = {}\n"
        "exec((Path(__file__).parents[2] / 'fsm_gpt/markov/one.py').read_text(), here)\n"
        "def test_x():\n    assert here['x'] == 1\n"
    )
    caught, by = outcome(Mutant("caught", "x = 1", "x = 5"), tmp_path)
    assert caught
    assert by.endswith("test_properties.py::test_x")
    assert outcome(Mutant("survives", "y = 2", "y = 3"), tmp_path) == (False, "SURVIVES")
    broken, why = outcome(Mutant("breaks", "x = 1", "x = ("), tmp_path)
    assert not broken
    assert why.startswith("the tests did not run")
    assert (room / "one.py").read_text() == "x = 1\ny = 2\n"
