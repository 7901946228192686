"""``fsm-gpt explore`` and ``fsm-gpt cycles``: what they write, and whatever is wrong with input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.decoding import TopK
from fsm_gpt.gpt.checkpoint import save_model
from fsm_gpt.gpt.model import GPT, GPTConfig
from tests.cli.conftest import command


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint over words that stand between blanks."""
    path = tmp_path_factory.mktemp("words") / "words"
    model = GPT(GPTConfig(vocab_size=4, context=3), vocabulary=["to", "be", "or", "not"], seed=3)
    save_model(model, path)
    return str(path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of 12**9 windows."""
    path = tmp_path_factory.mktemp("large") / "large"
    save_model(GPT(GPTConfig(vocab_size=12, context=9), vocabulary="abcdefghijkl", seed=3), path)
    return str(path)


@pytest.fixture
def refused(fsm_gpt, folder: Path) -> Callable[..., str]:
    """Run a command that must fail with a code, and leave the folder as it was."""

    def check(code: int, *args: str) -> str:
        before = {path: path.read_bytes() for path in folder.iterdir()}
        said = fsm_gpt(*args)
        assert said.code == code, said
        assert said.out == ""
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        return str(said.error)

    return check


def test_a_machine_is_found_and_analysed(fsm_gpt, folder: Path, words: str) -> None:
    said = fsm_gpt("explore", words, "--prompt", "to be", "--top-k", "2")
    assert said.code == 0, said.err
    model = fg.load_model(words)
    expected = fg.explore(model, ["to be"], decoding=TopK(2))
    assert said.out == f"{expected}\nmachine: machine.safetensors\n"
    assert [p.name for p in folder.iterdir()] == ["machine.safetensors"]
    assert fg.load("machine.safetensors").labels() == expected.chain.labels()
    analysed = fsm_gpt("analyze", "machine.safetensors")
    assert analysed.code == 0, analysed.err
    assert f"{expected.n_explored:,} states" in analysed.out
    for verb in (["simulate"], ["report", "-o", "r.html"], ["export", "-o", "x.csv"]):
        assert fsm_gpt(verb[0], "machine.safetensors", *verb[1:]).code == 0


def test_the_same_as_json(fsm_gpt, words: str) -> None:
    said = fsm_gpt("explore", words, "--prompt", "to", "--prompt", "be or not to", "--json")
    document = json.loads(said.out)
    about = document["exploration"]
    assert document["schema"] == 1
    assert document["file"] == "machine.safetensors"
    # From "to" every context that begins so, and all windows: 1 + 4 and 64.
    assert (about["n_explored"], about["complete"]) == (69, True)
    assert about["prompts"] == [[0], [2, 3, 0]]
    assert about["unexplored"]["probability"] == 0
    assert about["decoding"] == "full"


def test_a_part_is_continued_to_the_same_machine(fsm_gpt, folder: Path, words: str) -> None:
    options = ["--prompt", "to be", "--top-p", "0.7"]
    assert fsm_gpt("explore", words, *options, "-o", "whole").code == 0
    said = fsm_gpt("explore", words, *options, "--max-states", "9", "-o", "part")
    assert "stopped by the limit on states" in said.out
    refused_long_run = fsm_gpt("analyze", "part")
    assert (refused_long_run.code, refused_long_run.out) == (1, "")
    assert "this chain is a part of a larger one" in refused_long_run.error
    # On its own limits nothing more is found; with larger ones all of it.
    again = fsm_gpt("explore", words, "--resume", "part", "-o", "again")
    assert again.out.replace("again", "part") == said.out
    assert (folder / "again").read_bytes() == (folder / "part").read_bytes()
    more = fsm_gpt("explore", words, "--resume", "part", "--max-states", "100000", "-o", "part")
    assert more.code == 0, more.err
    assert (folder / "part").read_bytes() == (folder / "whole").read_bytes()


def test_limits_of_a_file_are_kept_where_no_others_are_given(fsm_gpt, words: str) -> None:
    limits = ["--max-depth", "3", "--min-probability", "0.01", "--max-states", "500"]
    assert fsm_gpt("explore", words, "--prompt", "to", *limits).code == 0
    said = fsm_gpt("explore", words, "--resume", "machine.safetensors", "-o", "b", "--json")
    about = json.loads(said.out)["exploration"]
    assert (about["max_depth"], about["min_probability"], about["max_states"]) == (3, 0.01, 500)


def test_prompts_from_a_file_and_from_standard_input(fsm_gpt, folder: Path, words: str) -> None:
    (folder / "p.txt").write_bytes(b"to be\r\n\n  \nor not\n")
    said = fsm_gpt("explore", words, "--prompt", "not", "--prompts", "p.txt", "--greedy", "--json")
    assert json.loads(said.out)["exploration"]["prompts"] == [[3], [0, 1], [2, 3]]
    assert said.err.startswith("prompts: 2 from p.txt\n")
    piped = fsm_gpt("cycles", words, "--prompts", "-", "--json", stdin="to be\nor not\n")
    assert json.loads(piped.out)["texts"] == ["to be", "or not"]


def test_cycles(fsm_gpt, folder: Path, words: str) -> None:
    said = fsm_gpt("cycles", words, "--prompt", "to be", "--prompt", "not", "--temperature", "0.5")
    expected = fg.greedy_cycles(fg.load_model(words), ["to be", "not"], temperatures=[0.5])
    assert (said.code, said.out) == (0, f"{expected}\n")
    assert list(folder.iterdir()) == []
    document = json.loads(fsm_gpt("cycles", words, "--prompt", "to be", "--json").out)
    assert document["cycles"][0]["share"] == 1.0
    assert [one["temperature"] for one in document["cycles"][0]["escapes"]] == [1.0, 0.5, 0.2]
    open_ = fsm_gpt("cycles", words, "--prompt", "to be", "--max-steps", "1")
    assert "1 of the prompts did not close a cycle within 1 tokens" in open_.out


def test_a_cut_context(fsm_gpt, words: str) -> None:
    said = fsm_gpt("explore", words, "--prompt", "to be or", "--truncate-to", "2", "--json")
    about = json.loads(said.out)["exploration"]
    assert (about["context"], about["prompts"]) == (2, [[1, 2]])
    assert "given the last 2 only" in about["notes"][0]


def test_progress_is_told(fsm_gpt, large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsm_gpt.cli import console

    monkeypatch.setattr(console, "QUIET_SECONDS", 0.0)
    said = fsm_gpt("explore", large, "--prompt", "a", "--max-states", "3000")
    lines = said.err.splitlines()
    assert lines[0] == "exploring ..."
    assert "of 3,000 states, " in lines[-1]
    assert " waiting, new mass " in lines[-1]
    assert " a second, " in lines[-1]


# ---- bad input ----

PROMPT = ["--prompt", "to be"]


@pytest.mark.parametrize("verb", ["explore", "cycles"])
@pytest.mark.parametrize(
    ("code", "args", "said"),
    [
        (2, [], "there is no prompt. Give --prompt TEXT"),
        (1, ["--prompt", ""], "prompt 1 is empty"),
        (1, ["--prompt", "  "], "has no token"),
        (1, ["--prompt", "to dance"], "'dance' at position 1 is not in the vocabulary"),
        (4, ["--prompts", "none.txt"], "there is no such file"),
        (1, ["--prompts", "empty.txt"], "empty.txt: it has no prompt"),
        (4, ["--prompts", "bytes"], "its byte 0 is no UTF-8"),
        (1, [*PROMPT, "--device", "abacus"], "device is 'abacus'"),
        (1, [*PROMPT, "--truncate-to", "0"], "context is 0"),
        (1, [*PROMPT, "--truncate-to", "9"], "a context of 9 tokens was asked for"),
        (4, [*PROMPT, "--vocabulary", "no.json"], "no.json: cannot read it, there is no such file"),
        (2, [*PROMPT, "--no-such-option"], "no such option"),
    ],
)
def test_bad_input(
    refused, folder: Path, words: str, verb: str, code: int, args: list[str], said: str
) -> None:
    (folder / "empty.txt").write_text("\n  \n")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    message = refused(code, verb, words, *args)
    assert said in message
    assert "extract" not in message


@pytest.mark.parametrize(
    ("code", "args", "said"),
    [
        (2, ["--max-states", "0"], "0 is not in the range x>=1"),
        (2, ["--max-states", "-5"], "-5 is not in the range x>=1"),
        (2, ["--max-depth", "0"], "0 is not in the range x>=1"),
        (2, ["--min-probability", "1.5"], "1.5 is not in the range"),
        (1, ["--min-probability", "nan"], "min_probability is nan"),
        (2, ["--max-memory", "0"], "--max-memory"),
        (5, ["--max-memory", "1e-9"], "raise --max-memory"),
        (1, ["--top-k", "0"], "top-k with k = 0"),
        (4, ["-o", "no/folder/x"], "its folder does not exist"),
        (4, ["--resume", "none"], "there is no such file"),
    ],
)
def test_bad_options_of_explore(refused, words: str, code: int, args: list[str], said: str) -> None:
    assert said in refused(code, "explore", words, *PROMPT, *args)


@pytest.mark.parametrize(
    ("code", "args", "said"),
    [
        (2, ["--max-steps", "0"], "0 is not in the range x>=1"),
        (2, ["--temperature", "0"], "0.0 is not in the range x>0"),
        (1, ["--temperature", "inf"], "temperature inf is not a finite number"),
    ],
)
def test_bad_options_of_cycles(refused, words: str, code: int, args: list[str], said: str) -> None:
    assert said in refused(code, "cycles", words, *PROMPT, *args)


@pytest.mark.parametrize("verb", ["explore", "cycles"])
def test_what_is_no_checkpoint(refused, made: Path, folder: Path, verb: str) -> None:
    assert "holds a chain already" in refused(4, verb, str(made / "chain"), "--prompt", "0")
    assert "there is no such file" in refused(4, verb, "none", "--prompt", "0")
    (folder / "zeros").write_bytes(b"\0" * 4096)
    refused(4, verb, "zeros", "--prompt", "0")


def test_the_output_is_none_of_the_inputs(refused, folder: Path) -> None:
    model = GPT(GPTConfig(vocab_size=2, context=2), seed=1)
    save_model(model, folder / "m")
    assert "would be overwritten" in refused(4, "explore", "m", "--prompt", "0", "-o", "m")


def test_a_damaged_file_is_not_resumed(fsm_gpt, refused, folder: Path, words: str) -> None:
    assert fsm_gpt("explore", words, *PROMPT, "--max-states", "9", "-o", "part").code == 0
    data = (folder / "part").read_bytes()
    for tenth in range(10):
        at = len(data) * tenth // 10
        for content in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            (folder / "bad").write_bytes(content)
            assert "bad: it holds no exploration" in refused(4, "explore", words, "--resume", "bad")
            refused(4, "explore", words, "--resume", "bad", "-o", "bad")


def test_another_model_or_rule_is_not_resumed(fsm_gpt, refused, folder: Path, words: str) -> None:
    start = ["explore", words, *PROMPT, "--top-k", "2", "--max-states", "9", "-o", "part"]
    assert fsm_gpt(*start).code == 0
    other = GPT(GPTConfig(vocab_size=4, context=3), vocabulary=["to", "be", "or", "not"], seed=4)
    save_model(other, folder / "other")
    assert "is of another model: of a file with SHA-256" in refused(
        1, "explore", "other", "--resume", "part", "-o", "x"
    )
    assert "with decoding top-k 2, and greedy is asked for" in refused(
        1, "explore", words, "--resume", "part", "--greedy", "-o", "x"
    )
    assert "has 4 tokens and a context of 3" in refused(
        1, "explore", words, "--resume", "part", "--truncate-to", "2", "-o", "x"
    )
    fg.save(fg.load("part"), "chain")
    assert "not one that was explored" in refused(
        4, "explore", words, "--resume", "chain", "-o", "x"
    )


# ---- Ctrl-C ----

#: Run the program and press Ctrl-C when so many states are explored.
PRESSING = """
import os, signal, sys
from fsm_gpt.cli.program import main
from fsm_gpt.explore.rows import RowStore
append = RowStore.append
def pressing(self, rows):
    append(self, rows)
    if len(self) > 2000:
        os.kill(os.getpid(), signal.SIGINT)
RowStore.append = pressing
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send there")
def test_ctrl_c_leaves_a_file_that_can_be_resumed(fsm_gpt, folder: Path, large: str) -> None:
    (folder / "probe.py").write_text(PRESSING)
    options = ["--prompt", "a", "--top-k", "3", "--max-states", "5000"]
    done = subprocess.run(
        [command()[0], "-m", "probe", "explore", large, *options, "-o", "part"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: stopped by Ctrl-C after ")
    assert last.endswith("They are in part, and --resume part goes on from there.")
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".py") in (
        ["part"],
        ["__pycache__", "part"],
    )
    part = fg.load_exploration("part")
    assert part.stopped_by == ("interrupted",)
    assert 2000 < part.n_explored < 4100
    assert fsm_gpt("explore", large, "--resume", "part", "-o", "b").code == 0
    assert fsm_gpt("explore", large, *options, "-o", "c").code == 0
    assert (folder / "b").read_bytes() == (folder / "c").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send there")
@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_ctrl_c_at_any_time(folder: Path, large: str, seconds: float) -> None:
    args = ["explore", large, "--prompt", "a", "--max-states", "10000000", "-o", "part"]
    with subprocess.Popen(
        command(*args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stderr
        assert running.stderr.readline() == "exploring ...\n"
        time.sleep(seconds)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=100)
    assert running.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert [p.name for p in folder.iterdir()] in ([], ["part"])
    if (folder / "part").exists():
        assert fg.load_exploration("part").n_explored > 0
        assert "--resume part goes on from there" in err
