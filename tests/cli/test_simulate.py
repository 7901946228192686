"""``fsm-gpt simulate``: the text and nothing else."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.io import load, save
from fsm_gpt.simulate import simulate
from tests.cli.conftest import command, on_a_terminal


@pytest.fixture
def cycle(folder: Path) -> str:
    """A chain that says what it says: a line, a sign that rings a bell, a blank."""
    tokens = ["a", "\n", "\x1b[31m", " "]
    P = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    save(Chain(P, vocabulary=tokens, context=1), folder / "cycle")
    return str(folder / "cycle")


@pytest.mark.parametrize("name", ["chain", "model"])
def test_the_text_is_that_of_the_library(fsm_gpt, made: Path, name: str) -> None:
    if name == "model":
        assert fsm_gpt("extract", str(made / name), "-o", "c").code == 0
    chain = load("c") if name == "model" else load(made / name)
    said = fsm_gpt("simulate", str(made / name), "--tokens", "60", "--start", "110", "--seed", "5")
    assert said.code == 0
    assert said.out == simulate(chain, 60, start="110", seed=5).text
    assert len(said.out) == 60


def test_a_seed_is_a_text(fsm_gpt, made: Path) -> None:
    args = ["simulate", str(made / "chain"), "-n", "80"]
    assert fsm_gpt(*args).out == fsm_gpt(*args, "--seed", "0").out
    assert fsm_gpt(*args).out != fsm_gpt(*args, "--seed", "1").out


def test_by_default_a_hundred_tokens_and_none_is_none(fsm_gpt, made: Path) -> None:
    assert len(fsm_gpt("simulate", str(made / "chain")).out) == 100
    assert fsm_gpt("simulate", str(made / "chain"), "--tokens", "0").out == ""


def test_decoding_applies(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("simulate", str(made / "chain"), "--greedy", "--start", "000", "--tokens", "30")
    chain = load(made / "chain").with_decoding(Greedy())
    assert said.out == simulate(chain, 30, start="000").text
    assert said.out != fsm_gpt("simulate", str(made / "chain"), "--start", "000", "-n", "30").out


def test_a_pipe_gets_the_text_as_it_is(cycle: str) -> None:
    args = ["simulate", cycle, "--tokens", "8", "--start", "a"]
    done = subprocess.run(command(*args), capture_output=True, check=True)
    assert done.stdout == b"\n\x1b[31m a" * 2
    assert done.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_a_terminal_gets_no_escape_sequence(cycle: str) -> None:
    shown = on_a_terminal(["simulate", cycle, "--tokens", "8", "--start", "a"])
    assert shown.replace("\r\n", "\n") == "\n\\x1b[31m a" * 2 + "\n"


@pytest.mark.parametrize("typed", ["\n", "⏎"])
def test_a_start_as_it_is_or_as_labels_show_it(fsm_gpt, cycle: str, typed: str) -> None:
    document = json.loads(fsm_gpt("simulate", cycle, "--start", typed, "-n", "2", "--json").out)
    assert document["start_label"] == "⏎"
    assert document["tokens"] == [2, 3]


def test_what_it_writes_can_be_trained_on(fsm_gpt, made: Path) -> None:
    text = fsm_gpt("simulate", str(made / "chain"), "--tokens", "50").out
    said = fsm_gpt("train", "-", "--steps", "1", "-o", "m", stdin=text)
    assert "50 characters from standard input" in said.err


def test_json_has_the_states_too(fsm_gpt, made: Path) -> None:
    args = ["simulate", str(made / "chain"), "--tokens", "20", "--seed", "3"]
    document = json.loads(fsm_gpt(*args, "--json").out)
    walk = simulate(load(made / "chain"), 20, seed=3)
    assert document == {"schema": 1, "start_label": walk.chain.label(walk.start), **walk.to_dict()}
    assert document["text"] == fsm_gpt(*args).out


@pytest.mark.parametrize("start", ["11", "1101", "2", "x⏎", ""])
def test_a_start_that_is_none(fsm_gpt, made: Path, start: str) -> None:
    said = fsm_gpt("simulate", str(made / "chain"), "--start", start)
    assert (said.code, said.out) == (1, "")
    assert "state" in said.error


def test_states_with_names(fsm_gpt, folder: Path) -> None:
    chain = Chain.from_edges(
        [0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["on", "off"], vocabulary=["click", "clack"]
    )
    save(chain, folder / "x")
    assert fsm_gpt("simulate", "x", "--start", "off", "-n", "3").out == "clack click clack"
