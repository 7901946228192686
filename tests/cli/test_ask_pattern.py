"""``fsm-gpt ask pattern``: the same numbers as in Python, in words and as JSON."""

import json
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.io import load


def test_words_and_json(fsm_gpt, made: Path) -> None:
    args = ("ask", "pattern", str(made / "chain"), "--regex", "0(1|0)1", "--within", "5")
    found = fg.pattern(load(made / "chain"), "0(1|0)1", within=5)
    said = fsm_gpt(*args)
    assert said.code == 0, said.err
    assert said.out == f"{found}\n"
    document = json.loads(fsm_gpt(*args, "--json").out)
    assert document["probability_within"] == pytest.approx(found.probability_within)
    assert document["mean_tokens"] == pytest.approx(found.mean_tokens)
    assert document["error_bound"] == found.error_bound
    assert not any(key.startswith("_") for key in document)


def test_from_a_prompt_to_an_end(fsm_gpt, made: Path) -> None:
    document = json.loads(
        fsm_gpt(
            *("ask", "pattern", str(made / "rational"), "--regex", "1*", "--anchored"),
            *("--from", "0111", "--stop", "0", "--json"),
        ).out
    )
    assert document["probability"] == "1"
    assert document["start"] == "from 111"
    # After 111 there stand 1 and 0 alike, after 1111 a 0 (../reference: the article's text).
    machine = load(made / "rational").with_stop("0")
    found = fg.pattern(machine, "1*", anchored=True, start="111")
    assert document["probability_whole"] == str(found.probability_whole) == "1"


def test_over_tokens_and_decoded(fsm_gpt, made: Path) -> None:
    args = ("ask", "pattern", str(made / "chain"), "--regex", "<1> <1>", "--tokens", "--greedy")
    said = fsm_gpt(*args, "--from", "000")
    assert said.code == 0, said.err
    assert "ever matches: probability 1" in said.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--regex", "2"), "no token of this chain has '2'"),
        (("--regex", "(0"), "it cannot be read"),
        (("--regex", "0", "--within", "-1"), "not a whole number of 0 or more"),
        (("--regex", "0", "--from", "2"), "'2' at position 0 is not in the vocabulary"),
        (("--regex", "0", "--stop", "1"), "Give the state or the distribution"),
    ],
)
def test_what_is_refused(fsm_gpt, made: Path, args: tuple[str, ...], words: str) -> None:
    said = fsm_gpt("ask", "pattern", str(made / "chain"), *args)
    assert said.code == 1
    assert words in said.error


def test_a_pattern_is_needed(fsm_gpt, made: Path) -> None:
    assert "regex" in fsm_gpt("ask", "pattern", str(made / "chain")).error
