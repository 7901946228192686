"""``fsm-gpt slow``: what a text stays in, and what moves it on."""

import json
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.io import load, save
from fsm_gpt.markov import metastable_sets


@pytest.fixture
def topics(folder: Path) -> Chain:
    """Text that repeats its last token, seldom not: left with probability 1/100 and 1/50."""
    save(Chain([[0.99, 0.01], [0.02, 0.98]], vocabulary="ab"), folder / "topics")
    return load(folder / "topics")


def test_json_has_the_numbers_of_the_definition(fsm_gpt, topics: Chain) -> None:
    document = json.loads(fsm_gpt("slow", "topics", "--json").out)
    assert document["set_of"] == [0, 1]
    assert document["shares"] == pytest.approx([2 / 3, 1 / 3], abs=1e-14)
    assert document["leave_per_token"] == pytest.approx([0.01, 0.02], abs=1e-14)
    assert document["mean_stay_tokens"] == pytest.approx([100, 50], rel=1e-12)
    assert np.array(document["coarse"]) == pytest.approx(topics.matrix(), abs=1e-14)
    move = document["moves"][0]
    assert (move["tokens"], move["contexts"]) in ([["b"], ["a"]], (["b"], ["a"]), (["a"], ["b"]))
    assert document["file"] == "topics"


def test_words_and_tables(fsm_gpt, topics: Chain) -> None:
    said = fsm_gpt("slow", "topics")
    assert said.code == 0, said.err
    found = metastable_sets(topics)
    assert said.out.startswith("2 sets (GenPCCA")
    assert f"time scale: {found.scales.slow[0]}" in said.out
    assert found.error_sentence in said.out
    rows = [line.split() for line in said.out.splitlines()]
    assert ["0", "1", "66.67%", "0.01", "100", "a"] in rows
    assert ["1", "1", "33.33%", "0.02", "50", "b"] in rows
    assert any(cells[:2] == ["0", "1"] and cells[3:5] == ["b", "100.0%"] for cells in rows)


def test_sets_are_so_many(fsm_gpt, folder: Path) -> None:
    P = np.full((6, 6), 1e-3 / 4)
    for k in range(3):
        P[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = (1 - 1e-3) / 2
    save(Chain.from_matrix(P, normalize=True), folder / "blocks")
    assert json.loads(fsm_gpt("slow", "blocks", "--json").out)["sizes"] == [2, 2, 2]
    assert len(json.loads(fsm_gpt("slow", "blocks", "--sets", "2", "--json").out)["sizes"]) == 2
    said = fsm_gpt("slow", "blocks", "--sets", "2")
    assert "next scale: 666" in said.out  # of -1 / ln(1 - 1.5e-3)


def test_cycles_stand_beside(fsm_gpt, folder: Path) -> None:
    P = np.full((5, 5), 1e-6)
    P[[0, 1, 2, 3, 4], [1, 0, 3, 4, 2]] = 1
    save(Chain.from_matrix(P, normalize=True), folder / "loops")
    said = fsm_gpt("slow", "loops")
    assert said.out.count("cycle: ") == 2
    assert "one turn in 2\n" in said.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["coin"], 1, "there is no slow structure"),
        (["coin"], 1, "Ask for sets all the same with --sets 2."),
        (["topics", "--greedy"], 1, "2 closed classes"),
        (["topics", "--sets", "5"], 1, "5 sets need 4 functions"),
        (["topics", "--sets", "1"], 2, "sets"),
        (["none"], 4, "there is no such file"),
        ([], 2, "CHAIN_OR_MODEL"),
    ],
)
def test_what_is_refused(
    fsm_gpt, topics: Chain, folder: Path, args: list[str], code: int, words: str
) -> None:
    save(Chain([[0.5, 0.5]] * 4), folder / "coin")
    said = fsm_gpt("slow", *args)
    assert words in said.error
    assert (said.code, said.out) == (code, "")
