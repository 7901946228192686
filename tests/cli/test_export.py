"""``fsm-gpt export``; what is in the files is tested in tests/test_export.py."""

import json
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.export import FORMATS
from fsm_gpt.decoding import Greedy
from fsm_gpt.io import export, load, save


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_is_that_of_the_library(fsm_gpt, made: Path, form: str) -> None:
    source = str(made / "chain")
    said = fsm_gpt("export", source, "--greedy", "--output", f"x.{form}")
    assert said.out == f"{form}: x.{form} (8 states, 8 transitions)\n"
    export(load(source).with_decoding(Greedy()), f"y.{form}")
    assert Path(f"x.{form}").read_bytes() == Path(f"y.{form}").read_bytes()
    assert fsm_gpt("export", source, "--greedy", "--format", form, "-o", "x").code == 0
    assert Path("x").read_bytes() == Path(f"y.{form}").read_bytes()


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
