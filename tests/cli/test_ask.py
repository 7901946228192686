"""``fsm-gpt ask``: the group, and the questions reach and path."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.ask import ASKS
from fsm_gpt.io import save

Run = Callable[..., Any]


@pytest.fixture
def coin(folder: Path) -> str:
    """Throws of a fair coin, seen through windows of three, in rationals."""
    save(Chain([["1/2", "1/2"]] * 8, vocabulary="HT"), folder / "coin")
    return "coin"


def test_no_question_and_a_wrong_one(fsm_gpt: Run) -> None:
    assert fsm_gpt("ask").code == 2
    assert fsm_gpt("ask").error.startswith(f"no question is asked. Questions are {ASKS[0]}")
    for typed, meant in (("raech", "Did you mean reach?"), ("xyz", "Questions are reach")):
        said = fsm_gpt("ask", typed, "coin")
        assert said.code == 2
        assert f"there is no question {typed!r}. {meant}" in said.error
        assert "See fsm-gpt ask --help." in said.error


def test_the_help_lists_the_questions(fsm_gpt: Run) -> None:
    said = fsm_gpt("ask", "--help")
    assert (said.code, said.err) == (0, "")
    assert all(f"\n  {question} " in said.out for question in ASKS)


def test_the_example_of_the_group_runs(fsm_gpt: Run, folder: Path) -> None:
    save(Chain([[0.25, 0.75]] * 8), folder / "chain.safetensors")
    example = fsm_gpt("ask", "--help").out.split("Example:\n")[1].split()
    assert example[:3] == ["fsm-gpt", "ask", "reach"]
    said = fsm_gpt(*example[1:])
    assert said.code == 0, said.err
    assert said.out.startswith("reaching 111 within 10 steps (10 products")


def test_reaching_a_text(fsm_gpt: Run, coin: str) -> None:
    """HH from nothing but tails: 6 throws, variance 22 (Feller 1968, XIII.7)."""
    said = fsm_gpt("ask", "reach", coin, "--to", "HH", "--from", "HTTT")
    assert (said.code, said.err) == (0, "")
    assert "from TTT: probability 1, 6 steps, variance 22" in said.out
    document = json.loads(
        fsm_gpt("ask", "reach", coin, "--to", "HH", "--from", "T" * 3, "--json").out
    )
    assert (document["mean"], document["variance"], document["probability"]) == ("6", "22", "1")
    assert document["target"] == [0, 4]
    assert "probabilities" not in document
    every = json.loads(fsm_gpt("ask", "reach", coin, "--to", "HH", "--within", "1", "--json").out)
    assert every["states"] == ["HHH", "HHT", "HTH", "HTT", "THH", "THT", "TTH", "TTT"]
    assert every["probabilities"] == ["1", "0", "1/2", "0", "1", "0", "1/2", "0"]


def test_what_comes_first(fsm_gpt: Run, coin: str) -> None:
    """From T: THH is written before HHH unless the next three are heads, which begin with TH."""
    said = fsm_gpt("ask", "reach", coin, "--to", "THH", "--avoid", "HHH", "--from", "TTT")
    assert "reaching THH before HHH" in said.out
    assert "probability 1" in said.out
    two = fsm_gpt("ask", "reach", coin, "--to", "HHH", "--to", "TTT", "--from", "HTH", "--exact")
    assert "reaching HHH, TTT (" in two.out


def test_a_token_that_ends(fsm_gpt: Run, coin: str) -> None:
    said = fsm_gpt("ask", "reach", coin, "--stop", "T", "--to", "END", "--from", "HHH")
    assert "from HHH: probability 1, 2 steps, variance 2" in said.out
    never = fsm_gpt("ask", "reach", coin, "--stop", "T", "--to", "HTH", "--from", "HHH")
    assert "probability 0 (it cannot happen), infinite steps" in never.out


def test_the_likeliest_path(fsm_gpt: Run, folder: Path) -> None:
    save(Chain([[0.25, 0.75]] * 4, vocabulary="ab"), folder / "bent")
    said = fsm_gpt("ask", "path", "bent", "--from", "bb", "--to", "aa")
    assert "probability 0.0625, 4 bits, 2 steps" in said.out
    assert "  a to ba\n  a to aa\n" in said.out
    document = json.loads(fsm_gpt("ask", "path", "bent", "--from", "aa", "--to", "b", "--json").out)
    assert (document["text"], document["labels"]) == ("b", ["aa", "ab"])
    greedy = fsm_gpt("ask", "path", "bent", "--greedy", "--from", "bb", "--to", "a")
    assert greedy.code == 0
    assert greedy.out == "no path leads from bb to aa, ba\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["reach", "coin"], 2, "missing option '--to'"),
        (["reach", "coin", "--to", "HTHT"], 1, "has 4 tokens"),
        (["reach", "coin", "--to", "X"], 1, "'X'"),
        (["reach", "coin", "--to", "H", "--within", "-1"], 2, "--within"),
        (["reach", "coin", "--to", "H", "--from", "Z"], 1, "'Z'"),
        (["reach", "coin", "--to", "H", "--from", "H"], 1, "3 to 3 tokens"),
        (["reach", "coin", "--to", "H", "--within", "2", "--given-reached"], 1, "given_reached"),
        (["reach", "nothing", "--to", "H"], 4, "nothing"),
        (["reach", "coin", "--to", "H", "--avod", "T"], 2, "--avoid"),
        (["path", "coin", "--to", "H"], 2, "missing option '--from'"),
        (["path", "coin", "--from", "HHH"], 2, "missing option '--to'"),
    ],
)
def test_what_is_refused(fsm_gpt: Run, coin: str, args: list[str], code: int, words: str) -> None:
    said = fsm_gpt("ask", *args)
    assert said.code == code
    assert words in said.error
