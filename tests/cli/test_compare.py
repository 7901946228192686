"""``fsm-gpt compare``: the reference first."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.io import load, save
from fsm_gpt.markov.compare import compare
from tests.cli.conftest import TEXT


@pytest.fixture
def coins(folder: Path) -> Path:
    """A fair coin and a bent one, seen through windows of two."""
    save(Chain([[0.5, 0.5]] * 4), folder / "fair")
    save(Chain([[0.25, 0.75]] * 4), folder / "bent")
    return folder


def test_two_coins_have_the_divergence_of_the_definition(fsm_gpt, coins: Path) -> None:
    """Cover & Thomas (2006), equation 2.26 and example 2.3.1: it has a direction."""
    for first, second, kl in (
        ("fair", "bent", 0.5 * math.log2(0.5 / 0.25) + 0.5 * math.log2(0.5 / 0.75)),
        ("bent", "fair", 0.25 * math.log2(0.25 / 0.5) + 0.75 * math.log2(0.75 / 0.5)),
    ):
        document = json.loads(fsm_gpt("compare", first, second, "--json").out)
        assert (document["reference"], document["model"]) == (first, second)
        assert document["kl_bits_per_token"] == pytest.approx(kl, abs=1e-14)
        assert document["kl_by_state"] == pytest.approx([kl] * 4, abs=1e-14)
        assert document["share_by_state"] == pytest.approx(
            [p * kl for p in document["pi"]], abs=1e-14
        )
        assert document["error_bound"] < 1e-12
        assert f"{kl:.6g} bits per token" in fsm_gpt("compare", first, second).out


def test_the_article_s_text_and_model(fsm_gpt, article) -> None:
    """errata.md, "Further facts": 0.207166 bits above the 2/5 of the source."""
    assert fsm_gpt("train", TEXT, "-o", "m").code == 0
    document = json.loads(fsm_gpt("compare", "--text", TEXT, "m", "--json").out)
    assert document["kl_bits_per_token"] == pytest.approx(0.207166, abs=1e-5)
    assert document["reference_bits_per_token"] == pytest.approx(0.4, abs=1e-14)
    assert document["reference"] == "the text"
    expected = dict(zip(("011", "101", "110", "111"), (0.2, 0.2, 0.2, 0.4), strict=True))
    found = dict(zip(document["states"], document["pi"], strict=True))
    assert found == pytest.approx(expected, abs=1e-14)
    Path("input.txt").write_text(TEXT + "\n")
    again = fsm_gpt("compare", "m", "--text", "input.txt", "--json")
    assert json.loads(again.out) == document


def test_words_and_table(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("compare", "--text", TEXT, str(made / "chain"))
    assert said.code == 0, said.err
    model = load(made / "chain")
    found = compare(Chain.from_text(TEXT, context=3, end="drop", vocabulary="01"), model)
    assert f"{found.kl_bits_per_token:.6g} bits per token" in said.out
    assert f"{found.cross_entropy_bits_per_token:.6g} bits per token" in said.out
    assert found.error_sentence in said.out
    lines = [line.split() for line in said.out.splitlines()]
    rows = [cells for cells in lines if cells and cells[0] in found.states]
    share = found.share_by_state
    order = np.argsort(-share, kind="stable")
    assert [cells[0] for cells in rows] == [found.states[i] for i in order]
    for cells, i in zip(rows, order, strict=True):
        numbers = [float(x) for x in cells[1:]]
        assert numbers == pytest.approx([found.pi[i], found.kl_by_state[i], share[i]], rel=1e-3)


def test_a_long_table_is_cut(fsm_gpt, folder: Path) -> None:
    save(Chain([[0.5, 0.5]] * 32), folder / "fair")
    save(Chain([[0.25, 0.75]] * 32), folder / "bent")
    assert "... and 16 contexts that cost less" in fsm_gpt("compare", "fair", "bent").out


def test_what_the_model_rules_out_costs_infinitely_much(fsm_gpt, coins: Path) -> None:
    said = fsm_gpt("compare", "fair", "bent", "--greedy")
    assert "infinite" in said.out
    assert "ruled out by the model, yet it happens after: 00, 01, 10, 11" in said.out
    document = json.loads(fsm_gpt("compare", "fair", "bent", "--greedy", "--json").out)
    assert document["kl_bits_per_token"] == "inf"
    assert document["missing"] == ["00", "01", "10", "11"]


def test_decoding_is_the_model_s(fsm_gpt, coins: Path) -> None:
    greedy = load("bent").with_decoding(Greedy())
    save(greedy, "greedy")
    document = json.loads(fsm_gpt("compare", "greedy", "bent", "--temperature", "1", "--json").out)
    assert document["reference_bits_per_token"] == 0.0
    assert document["kl_bits_per_token"] == pytest.approx(math.log2(1 / 0.75), abs=1e-14)


def test_options_of_checkpoints_are_for_those_that_are(fsm_gpt, made: Path, coins: Path) -> None:
    model = str(made / "model")
    said = fsm_gpt("compare", "fair", model, "--truncate-to", "2", "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["states"]) == 4
    said = fsm_gpt("compare", model, "fair", "--truncate-to", "2")
    assert said.code == 0, said.err
    said = fsm_gpt("compare", "fair", "bent", "--truncate-to", "2")
    assert said.code == 2
    assert "holds a chain" in said.error


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["fair", "long"], 1, "contexts of 2 tokens and the model of 3"),
        (["fair", "letters"], 1, "the vocabularies differ"),
        (["names", "fair"], 1, "plain names"),
        (["--text", "01x0", "fair"], 1, "'x' at position 2 is not in the vocabulary"),
        (["--text", "01", "fair"], 1, "context"),
        (["--text", "0110", "names"], 1, "the states of this chain are not contexts"),
        (["--text", "none.txt", "fair"], 4, "there is no such file"),
        (["fair", "none"], 4, "there is no such file"),
        (["none", "fair"], 4, "there is no such file"),
    ],
)
def test_what_cannot_be_compared(
    fsm_gpt, coins: Path, args: list[str], code: int, words: str
) -> None:
    save(Chain([[0.5, 0.5]] * 8), "long")
    save(Chain([[0.5, 0.5]] * 4, vocabulary="ab"), "letters")
    save(Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["a", "b"]), "names")
    said = fsm_gpt("compare", *args)
    assert words in said.error
    assert (said.code, said.out) == (code, "")
