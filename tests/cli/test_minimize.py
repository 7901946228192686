"""``fsm-gpt minimize``: states, price, files."""

import json
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.io import load, save
from fsm_gpt.markov.minimize import minimize


@pytest.fixture
def golden(folder: Path) -> str:
    """The golden mean process through windows of three: two states (no two zeros in a row)."""
    save(Chain([[0.0, 1.0], [0.5, 0.5]] * 4), folder / "golden")
    return "golden"


def test_the_golden_mean_has_two_states(fsm_gpt, golden: str) -> None:
    said = fsm_gpt("minimize", golden)
    assert said.code == 0, said.err
    assert "2 states of 8 can be told apart by their texts" in said.out
    assert "input […0] ---> [0.000, 1.000]" in said.out
    document = json.loads(fsm_gpt("minimize", golden, "--json").out)
    assert (document["n_states"], document["original_states"]) == (2, 8)
    assert (document["names"], document["sizes"]) == (["…0", "…1"], [4, 4])
    assert (document["kl_bits_per_token"], document["error_bound"]) == (0.0, 0.0)


def test_one_state_costs_h0_less_h(fsm_gpt, golden: str) -> None:
    """H(1/3) - 2/3 bits, Cover & Thomas (2006), section 4.2 on this chain."""
    document = json.loads(fsm_gpt("minimize", golden, "--max-states", "1", "--json").out)
    assert document["kl_bits_per_token"] == pytest.approx(0.9182958340544896 - 2 / 3, abs=1e-14)
    said = fsm_gpt("minimize", golden, "--max-kl-rate", "0.3")
    assert said.code == 1
    assert "--max-kl-rate 0.3 merges everything into one state" in said.error
    assert "0.251629 bits per token" in said.error
    assert "max_" not in said.error


def test_files(fsm_gpt, made: Path, folder: Path) -> None:
    given = str(made / "model")
    args = ["--max-states", "4", "--save", "machine", "--graph", "machine.svg", "--pareto"]
    said = fsm_gpt("minimize", given, *args)
    assert said.code == 0, said.err
    assert "machine: machine\ngraph: machine.svg\n" in said.out
    assert Path("machine.svg").read_text().startswith("<?xml")
    machine = load("machine")
    assert machine.n_states == 4
    document = json.loads(fsm_gpt("minimize", given, *args, "--json").out)
    assert document["files"] == {"machine": "machine", "graph": "machine.svg"}
    assert document["pareto"]["n_states"][0] == 1
    assert document["pareto"]["kl_bits_per_token"][-1] == 0.0
    again = fsm_gpt("minimize", "machine", "--json")
    assert json.loads(again.out)["n_states"] <= 4


def test_decoding_comes_first(fsm_gpt, golden: str) -> None:
    save(Chain([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875], [0.375, 0.625]]), "c")
    greedy = json.loads(fsm_gpt("minimize", "c", "--greedy", "--json").out)
    assert greedy["n_states"] == minimize(load("c").with_decoding(_greedy())).n_states


def _greedy():
    from fsm_gpt.decoding import Greedy

    return Greedy()


def test_too_many_states_for_a_picture_leave_no_file(fsm_gpt, folder: Path) -> None:
    import numpy as np

    save(Chain(np.random.default_rng(0).dirichlet([1, 1], 64)), "c")
    said = fsm_gpt("minimize", "c", "--graph", "g.png", "--save", "m")
    assert (said.code, said.out) == (5, "")
    assert sorted(path.name for path in folder.iterdir()) == ["c"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["golden", "--max-states", "0"], 1, "--max-states is 0, and a machine has at least one"),
        (["golden", "--max-kl-rate", "-1"], 1, "--max-kl-rate is -1.0, and a price is a number"),
        (["golden", "--max-kl-rate", "nan"], 1, "--max-kl-rate is nan"),
        (["two", "--max-states", "1"], 1, "2 closed classes"),
        (["golden", "--save", "golden"], 4, "would be overwritten"),
        (["none"], 4, "there is no such file"),
    ],
)
def test_bad_input(fsm_gpt, golden: str, args: list[str], code: int, words: str) -> None:
    save(Chain.from_matrix([[1.0, 0.0], [0.0, 1.0]]), "two")
    said = fsm_gpt("minimize", *args)
    assert words in said.error
    assert (said.code, said.out) == (code, "")
