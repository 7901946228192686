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
    args = ("ask", "pattern", str(made / "chain"), "--regex", "<1> <0>", "--tokens", "--greedy")
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


def test_a_report_has_a_section_of_each_pattern(fsm_gpt, made: Path, folder: Path) -> None:
    args = ("report", str(made / "chain"), "--pattern", "0(1|0)1", "--pattern", "<0>")
    said = fsm_gpt(*args[:4], "--pattern", "11", "-o", "r.html", "--json")
    assert said.code == 0, said.err
    first, second = json.loads(said.out)["beside"]
    found = fg.pattern(load(made / "chain"), "0(1|0)1", within=10)
    assert first["numbers"]["within"][0]["probability_within"] == found.probability_within
    assert first["numbers"]["pattern"]["mean_tokens"] == pytest.approx(found.mean_tokens)
    assert second["heading"] == "The pattern 11"
    page = (folder / "r.html").read_text()
    assert '<section id="beside">' in page
    assert 'href="#beside-1"' in page
    assert f"{found.mean_tokens:.6g} tokens are expected" in page
    assert "no token of this chain has" in fsm_gpt(*args, "-o", "r.html").error


def test_a_report_says_why_a_pattern_has_no_answer(fsm_gpt, made: Path, folder: Path) -> None:
    assert fsm_gpt("report", str(made / "two-classes"), "--pattern", "0", "-o", "r.md").code == 0
    page = (folder / "r.md").read_text()
    assert "What the pattern does in the texts of this chain is not known" in page
    assert "2 closed classes" in page
