"""``fsm-gpt estimate``: the entropy rate by sampling, of a checkpoint or of a chain."""

import json
import os
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.gpt import load_model
from fsm_gpt.io import load, save
from fsm_gpt.markov import entropy_rate
from fsm_gpt.sampling import sample_entropy_rate
from tests.cli.conftest import on_a_terminal

QUICK = ["--tokens", "200", "--streams", "16"]


def test_a_chain_s_interval_is_the_library_s(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("estimate", str(made / "chain"), *QUICK, "--seed", "3")
    assert said.code == 0, said.err
    found = sample_entropy_rate(load(made / "chain"), n_tokens=200, streams=16, seed=3)
    assert said.out.startswith(str(found))
    assert said.out.endswith(f"{found.curve}\n")
    assert "sampling ..." in said.err


def test_a_checkpoint_is_sampled_as_it_is(fsm_gpt, made: Path) -> None:
    args = ["--top-k", "1", "--top-k", "2", "--prompt", "110", "--prompt", "01"]
    said = fsm_gpt("estimate", str(made / "model"), *QUICK, *args, "--json")
    document = json.loads(said.out)
    model = load_model(made / "model")
    found = sample_entropy_rate(
        model, n_tokens=200, streams=16, prompts=["110", "01"], decoding=[TopK(1), TopK(2)]
    )
    assert document == {"schema": 1, **found.to_dict()}
    assert document["decoding"] == "top-k 1, then top-k 2"
    assert document["bits_per_token"] == 0.0


@pytest.mark.parametrize("cut", [None, "2"])
def test_a_checkpoint_s_interval_holds_its_chain_s_rate(fsm_gpt, made: Path, cut) -> None:
    options = ["--truncate-to", cut] if cut else []
    said = fsm_gpt("estimate", str(made / "model"), *options, "--json")
    document = json.loads(said.out)
    assert fsm_gpt("extract", str(made / "model"), *options, "-o", "c").code == 0
    assert document["low"] < entropy_rate(load("c")).bits_per_token < document["high"]
    assert len(document["notes"]) == bool(cut)


def test_confidence_is_passed_on(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("estimate", str(made / "chain"), *QUICK, "--confidence", "0.9")
    assert "90% interval" in said.out
    assert "10 in 100 such intervals miss" in said.out


def test_prompts_from_a_file(fsm_gpt, made: Path, folder: Path) -> None:
    (folder / "prompts.txt").write_text("000\n\n111\n")
    said = fsm_gpt("estimate", str(made / "chain"), *QUICK, "--prompts", "prompts.txt", "--json")
    document = json.loads(said.out)
    found = sample_entropy_rate(
        load(made / "chain"), n_tokens=200, streams=16, prompts=["000", "111"]
    )
    assert document["curve"]["bits"] == found.curve.bits.tolist()


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_a_terminal_sees_rate_and_time_left(made: Path) -> None:
    shown = on_a_terminal(["estimate", str(made / "chain"), *QUICK])
    assert "sampling" in shown
    assert "3200/3200" in shown
    assert "a second, 0 s left" in shown


@pytest.mark.parametrize(
    ("code", "name", "args", "words"),
    [
        (1, "chain", ["--streams", "4"], "streams is 4"),
        (1, "chain", ["--tokens", "10"], "n_tokens is 10"),
        (1, "chain", ["--confidence", "95"], "confidence is 95"),
        (1, "chain", ["--seed", "-1"], "seed is -1"),
        (1, "chain", ["--prompt", "2"], "has no state '2'"),
        (1, "model", ["--prompt", "2"], "'2' at position 0 is not in the vocabulary"),
        (1, "model", ["--prompt", ""], "prompt 1 is empty"),
        (1, "model", ["--truncate-to", "9"], "the model sees 3"),
        (1, "model", ["--device", "nowhere"], "no such device"),
        (1, "model", ["--top-k", "0"], "top-k"),
        (2, "chain", ["--truncate-to", "2"], "are for checkpoints"),
        (2, "chain", ["--tokens", "many"], "not a valid integer"),
        (2, "chain", ["--temperature", "warm"], "is not a number"),
        (4, "chain", ["--prompts", "none.txt"], "there is no such file"),
        (4, "nothing", [], "there is no such file"),
        (5, "chain", ["--max-memory", "1e-9"], "above the limit"),
    ],
)
def test_bad_questions(
    fsm_gpt, made: Path, code: int, name: str, args: list[str], words: str
) -> None:
    said = fsm_gpt("estimate", str(made / name), *args)
    assert (said.code, said.out) == (code, "")
    assert words in said.error


def test_streams_that_disagree_are_refused_with_a_code_of_their_own(fsm_gpt, folder: Path) -> None:
    P = [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.1, 0.9], [0, 0, 0.1, 0.9]]
    save(Chain.from_matrix(P), folder / "apart")
    said = fsm_gpt("estimate", "apart")
    assert (said.code, said.out) == (6, "")
    assert "streams disagree" in said.error
