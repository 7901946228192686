"""``fsm-gpt export``; what is in the files is tested in tests/test_export.py."""

import json
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.export import FORMATS
from fsm_gpt.decoding import Greedy
from fsm_gpt.io import export, load, read_prism, save


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_is_that_of_the_library(fsm_gpt, made: Path, form: str) -> None:
    source = str(made / "chain")
    ending = "tra" if form == "prism" else form
    said = fsm_gpt("export", source, "--greedy", "--output", f"x.{ending}")
    assert said.out == f"{form}: x.{ending} (8 states, 8 transitions)\n"
    export(load(source).with_decoding(Greedy()), f"y.{ending}")
    assert Path(f"x.{ending}").read_bytes() == Path(f"y.{ending}").read_bytes()
    assert fsm_gpt("export", source, "--greedy", "--format", form, "-o", "x").code == 0
    assert Path("x").read_bytes() == Path(f"y.{ending}").read_bytes()


def test_the_files_of_the_model_checkers(fsm_gpt, made: Path) -> None:
    words = ["--to", "prism", "-o", "x.tra", "--start", "011"]
    words += ["--label", "goal", "111", "--label", "goal", "000", "--label", "zero", "000"]
    assert fsm_gpt("export", str(made / "chain"), *words).code == 0
    assert sorted(path.name for path in Path().iterdir()) == [
        f"x.{ending}" for ending in ("lab", "srew", "sta", "tra", "trew")
    ]
    assert read_prism("x.tra", "x.lab", exact=False).labels == {
        "init": (3,),
        "deadlock": (),
        "goal": (0, 7),
        "zero": (0,),
    }


def test_labels_are_for_the_model_checkers(fsm_gpt, made: Path) -> None:
    for words in (["--label", "goal", "111"], ["--start", "111"]):
        said = fsm_gpt("export", str(made / "chain"), "-o", "x.csv", *words)
        assert said.code == 2
        assert "csv has no place for them" in said.error
    said = fsm_gpt("export", str(made / "chain"), "-o", "x.tra", "--label", "goal", "211")
    assert (said.code, "no state '211'" in said.error) == (1, True)
    assert list(Path().iterdir()) == []


def test_no_file_beside_another_is_overwritten(fsm_gpt, folder: Path) -> None:
    save(Chain([[0.5, 0.5], [0.5, 0.5]]), folder / "x.lab")
    before = (folder / "x.lab").read_bytes()
    said = fsm_gpt("export", "x.lab", "-o", "x.tra")
    assert (said.code, "would be overwritten" in said.error) == (4, True)
    assert (folder / "x.lab").read_bytes() == before
    assert list(folder.iterdir()) == [folder / "x.lab"]


def test_json_says_what_was_written(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("export", str(made / "model"), "-o", "x.gv", "--json")
    assert json.loads(said.out) == {
        "schema": 1,
        "chain": {"n_states": 8, "n_transitions": 16},
        "format": "dot",
        "file": "x.gv",
    }


def test_its_own_input_is_not_overwritten(fsm_gpt, folder: Path) -> None:
    save(Chain([[0.5, 0.5], [0.5, 0.5]]), folder / "x.csv")
    before = (folder / "x.csv").read_bytes()
    said = fsm_gpt("export", "x.csv", "-o", "./x.csv")
    assert (said.code, "would be overwritten" in said.error) == (4, True)
    assert (folder / "x.csv").read_bytes() == before
