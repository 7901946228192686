"""``fsm-gpt compare``: the reference first."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.compared import spark
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
        (["fair", "letters"], 1, "the vocabularies differ"),
        (["fair", "names"], 1, "rules out"),
        (["two", "fair"], 1, "the chain has 2 closed classes"),
        (["fair", "ends"], 1, "the texts of the model end"),
        (["some", "fair", "--order", "-1"], 2, "--order"),
        (["fair", "some"], 1, "visits context '00', which the model does not have"),
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
    save(Chain([[0.5, 0.5]] * 4, vocabulary="ab"), "letters")
    save(Chain.from_matrix(np.eye(2)), "two")
    save(Chain([[0.5, 0.5]] * 4).with_stop("1"), "ends")
    save(Chain.from_text("0101", context=2, end="wrap"), "some")
    save(Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["a", "b"]), "names")
    said = fsm_gpt("compare", *args)
    assert words in said.error
    assert (said.code, said.out) == (code, "")


# ---- contexts of other lengths, n-grams, and what else is told ----


def test_contexts_may_differ_and_machines_may_have_names(fsm_gpt, coins: Path) -> None:
    save(Chain([[0.25, 0.75]] * 8), "long")
    save(Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["a", "b"]), "names")
    kl = 0.5 * math.log2(0.5 / 0.25) + 0.5 * math.log2(0.5 / 0.75)
    document = json.loads(fsm_gpt("compare", "fair", "long", "--json").out)
    assert document["kl_bits_per_token"] == pytest.approx(kl, abs=1e-14)
    assert document["states"] == [f"{i:03b}" for i in range(8)]
    document = json.loads(fsm_gpt("compare", "names", "fair", "--json").out)
    assert document["kl_bits_per_token"] == 1  # 0 and 1 in turn, where a coin is expected


def test_an_n_gram_in_place_of_the_reference(fsm_gpt, coins: Path) -> None:
    """A fifth of the text's tokens are 0, read as a circle or not."""
    kl = 0.2 * math.log2(0.2 / 0.25) + 0.8 * math.log2(0.8 / 0.75)
    found = fsm_gpt("compare", "--text", TEXT, "--order", "2", "bent", "--json")
    document = json.loads(found.out)
    text = Chain.from_text(TEXT, context=2, end="drop", vocabulary="01")
    assert document["kl_bits_per_token"] == pytest.approx(
        compare(text, load("bent")).kl_bits_per_token, abs=1e-14
    )
    assert document["reference"] == "the text, order 2"
    save(Chain.from_text(TEXT, context=3, end="drop"), "text")
    document = json.loads(fsm_gpt("compare", "text", "bent", "--order", "0", "--json").out)
    assert document["reference"] == "text, order 0"
    assert document["kl_bits_per_token"] == pytest.approx(kl, abs=1e-13)
    assert document["reference_bits_per_token"] == pytest.approx(
        -0.2 * math.log2(0.2) - 0.8 * math.log2(0.8), abs=1e-13
    )
    named = Chain.from_edges([0, 0], [0, 1], [0, 0], [0.25, 0.75], states=["coin"])
    save(named, "named")
    assert fsm_gpt("compare", "--text", TEXT, "--order", "0", "named").code == 0


def test_what_else_is_told(fsm_gpt, coins: Path) -> None:
    save(Chain([[0.75, 0.25], [0.25, 0.75]]), "sticky")
    said = fsm_gpt("compare", "sticky", "bent", "--drift", "3")
    document = json.loads(fsm_gpt("compare", "sticky", "bent", "--drift", "3", "--json").out)
    assert document["context_distance"]["total_variation"] == pytest.approx(0.25)
    assert document["context_distance"]["n_tokens"] == 1
    assert document["calibration"]["binned"] == pytest.approx(0.25)  # 3/4 stated, 1/2 happens
    assert document["calibration"]["by_state"] == pytest.approx(0.25)
    assert len(document["drift"]["bits_by_step"]) == 4
    entropy = -0.25 * math.log2(0.25) - 0.75 * math.log2(0.75)
    assert document["drift"]["bits_by_step"] == pytest.approx([entropy] * 4)
    assert document["n_gram_distances"]["reference_to_its_own_bits"] == pytest.approx(
        [1 - entropy, 0]
    )
    lines = said.out.splitlines()
    assert any(line.startswith("total variation") and "0.25 between" in line for line in lines)
    assert any(line.startswith("calibration error") and "0.25 in 10 bins" in line for line in lines)
    assert any(line.split()[:4] == ["reference", "||", "its", "own"] for line in lines)
    assert any("▁▁▁▁" in line for line in lines)
    assert any(line.startswith("  after 3 tokens") for line in lines)


def test_what_is_not_defined_is_said_and_the_rest_is_told(fsm_gpt, coins: Path) -> None:
    """A model with two closed classes has no law of its own, and yet a cross-entropy."""
    save(Chain([[1.0, 0.0], [0.0, 1.0]] * 2), "stuck")  # what was said last is said again
    said = fsm_gpt("compare", "fair", "stuck")
    assert said.code == 0
    assert "total variation           not defined. context distance: the chain has 2" in said.out
    assert "infinite bits per token" in said.out
    document = json.loads(fsm_gpt("compare", "fair", "stuck", "--json").out)
    assert "2 closed classes" in document["n_gram_distances"]["not_defined"]
    assert document["drift"]["long_run_bits_per_token"] == 0
    assert document["calibration"]["binned"] == 0.5


def test_a_spark_s_bars_stand_for_values() -> None:
    assert spark([3.0, 1.0, 2.0]) == "█▁▅"
    assert spark([1.0]) == "▁"
