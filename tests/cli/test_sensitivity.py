"""``fsm-gpt sensitivity``: what it prints is what Python answers, and what it refuses."""

import json

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.extract import extract
from fsm_gpt.gpt import load_model
from fsm_gpt.io import save
from fsm_gpt.markov.functional import HittingTime, KLRate, StationaryProbability, TokenEntropy
from fsm_gpt.sensitivity import sensitivity
from tests.cli.conftest import TEXT

ASKED = {
    ("entropy-rate",): TokenEntropy(),
    ("stationary", "--state", "111"): StationaryProbability("111"),
    ("hitting-time", "--from", "000", "--to", "111"): HittingTime("111", "000"),
    ("kl", "--text", TEXT): KLRate(Chain.from_text(TEXT, context=3, end="drop")),
}


@pytest.fixture
def model(fsm_gpt):
    assert fsm_gpt("train", TEXT, "-o", "m").code == 0
    return load_model("m")


@pytest.mark.parametrize("words", ASKED, ids=lambda words: words[0])
def test_a_model_s_parts_and_rows(fsm_gpt, model, words: tuple[str, ...]) -> None:
    expected = sensitivity(model, ASKED[words])
    said = fsm_gpt("sensitivity", "m", *words, "--top", "3")
    assert said.code == 0, said.err
    assert said.out == expected.listing(3) + "\n"
    document = json.loads(fsm_gpt("sensitivity", "m", *words, "--json").out)
    assert document["value"] == expected.value
    assert [part["name"] for part in document["parts"]] == [part.name for part in expected.parts]
    assert document["rows"][0]["state"] == expected.rows.top(1)[0][0]


def test_a_chain_has_rows_alone(fsm_gpt, model) -> None:
    save(extract(model), "c")
    said = fsm_gpt("sensitivity", "c", "entropy-rate")
    assert said.out.startswith("entropy rate: 0.8197")
    assert "block" not in said.out
    document = json.loads(fsm_gpt("sensitivity", "c", "entropy-rate", "--json").out)
    assert "parts" not in document
    assert document["error_bound"] < 1e-9


def test_what_is_refused(fsm_gpt, model) -> None:
    save(Chain([[1.0, 0.0], [0.0, 1.0]]), "two")
    for words, problem in (
        (("stationary",), "stationary needs --state"),
        (("entropy-rate", "--state", "1"), "--state says nothing about entropy-rate"),
        (("hitting-time", "--to", "111"), "hitting-time needs --from"),
        (("entropy",), "entropy-rate"),
        (("stationary", "--state", "222"), "222"),
        (("kl", "--text", "0120"), "2"),
    ):
        assert problem in fsm_gpt("sensitivity", "m", *words).error
    assert "2 closed classes" in fsm_gpt("sensitivity", "two", "entropy-rate").error
    words = ("sensitivity", "two", "hitting-time", "--from", "0", "--to", "1")
    assert "does not surely reach 1" in fsm_gpt(*words).error
    assert (
        "rules out what the reference does"
        in fsm_gpt("sensitivity", "m", "kl", "--text", TEXT, "--greedy").error
    )
