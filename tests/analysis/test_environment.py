"""What an environment changes: a loop that mixes, and a mixing model that loops."""

import math

import pytest

import fsm_gpt as fg
from analysis import environment
from analysis.study import Study
from fsm_gpt.chain import Chain


def test_one_percent_of_noise_makes_greedy_models_mix(quick: dict[str, Study]) -> None:
    table = quick["environment"].tables["noise"]
    models = set(table.column("model"))
    assert len(models) == 2
    rows = {(row[0], row[1]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    for name in models:
        alone, noisy, noise = (rows[name, rate] for rate in (0.0, 0.01, 1.0))
        assert alone["entropy rate (bits)"] == 0 or alone["closed classes"] > 1
        assert noisy["closed classes"] == 1
        assert noisy["periods"] == "1"
        assert 0 < noisy["entropy rate (bits)"] < noise["entropy rate (bits)"]
        V = 2 if "baby" in str(name) else 28
        assert noise["entropy rate (bits)"] == pytest.approx(math.log2(V), rel=1e-12)
        assert noise["varentropy (bits squared)"] == pytest.approx(0, abs=1e-12)


def test_who_answers_makes_mixing_models_loop(quick: dict[str, Study]) -> None:
    table = quick["environment"].tables["answers"]
    for name in set(table.column("model")):
        alone, one, every, dictated = (
            dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == name
        )
        L = 3 if "baby" in str(name) else 1
        assert (alone["periods"], alone["closed classes"]) == ("1", 1)
        assert one["periods"] == "1"
        assert every["periods"] == str(L + 1)
        assert every["tokens to 1e-6"] == "not defined"
        assert 0 < every["entropy rate (bits)"] <= math.log2(28) / (L + 1)
        assert (dictated["periods"], dictated["entropy rate (bits)"]) == ("2", 0)
        assert dictated["cycle"]


def test_a_chain_that_cannot_follow() -> None:
    named = Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["x", "y"])
    found = environment.run(model=named, rates=(0.0, 0.5))
    assert found.tables["noise"].column("states") == [2, "not followed"]
    ends = fg.Chain([[0.5, 0.5]] * 2).with_stop(1)
    assert environment.run(model=ends, rates=(0.5,)).tables["noise"].column("states") == [
        "not defined"
    ]
