"""What a verb is given: text or file, vocabulary, chain or checkpoint."""

import json
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.inputs import read_text, read_vocabulary_option, ready_to_write
from fsm_gpt.errors import FileProblem
from fsm_gpt.io import load


@pytest.mark.parametrize("text", ["0110", "to be, or not", "a/b c", "e.g. this", "3.14", "\0", ""])
def test_a_text_is_taken_as_it_is(folder: Path, text: str) -> None:
    assert read_text(text) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"0110", "0110"),
        (b"0110\n", "0110"),
        (b"0110\r\n", "0110"),
        (b"01\n10\n", "01\n10\n"),
        (b"01\r\n10\r\n", "01\r\n10\r\n"),
        (b"\xef\xbb\xbf01", "01"),
        (b"", ""),
        (b"\n", ""),
        ("héé".encode(), "héé"),
    ],
)
def test_a_file_is_read(folder: Path, content: bytes, text: str) -> None:
    for name in ("input.txt", "no-suffix"):
        (folder / name).write_bytes(content)
        assert read_text(name) == text
        assert read_text(f"{folder}/{name}") == text


@pytest.mark.parametrize("name", ["input.txt", "./0110", "no/such/folder", "INPUT.TXT"])
def test_a_file_that_was_meant_and_is_not_there(folder: Path, name: str) -> None:
    with pytest.raises(FileProblem, match="there is no such file"):
        read_text(name)


def test_bytes_are_no_text(folder: Path) -> None:
    (folder / "x").write_bytes(b"ab\xff")
    with pytest.raises(FileProblem, match="its byte 2 is no UTF-8"):
        read_text("x")


def test_standard_input(fsm_gpt) -> None:
    said = fsm_gpt("train", "-", "--steps", "1", "--output", "m", stdin="0110\n")
    assert said.code == 0
    assert "4 characters from standard input" in said.err
    said = fsm_gpt("train", "-", stdin=b"\xff\xff")
    assert said.code == 4
    assert "its byte 0 is no UTF-8" in said.error


def test_a_vocabulary_is_characters_or_a_file(folder: Path) -> None:
    (folder / "v.json").write_text('["one", "two"]')
    assert read_vocabulary_option(None) is None
    assert list(read_vocabulary_option("ab") or []) == ["a", "b"]
    assert list(read_vocabulary_option("v.json") or []) == ["one", "two"]
    with pytest.raises(FileProblem, match="there is no such file"):
        read_vocabulary_option("other.json")


def test_an_input_is_not_overwritten(folder: Path) -> None:
    (folder / "x").write_bytes(b"0110")
    (folder / "link").symlink_to(folder / "x")
    for output in ("x", "./x", "link"):
        with pytest.raises(FileProblem, match="it is what is read here"):
            ready_to_write(output, None, "x")
    ready_to_write("y", None, "x", "none")


def test_a_chain_file_and_a_checkpoint_are_told_apart(fsm_gpt, made: Path) -> None:
    for name, states in (("model", 8), ("chain", 8), ("rational", 4)):
        said = fsm_gpt("analyze", str(made / name), "--json")
        assert json.loads(said.out)["chain"]["n_states"] == states


def test_decoding_applies_to_both(fsm_gpt, made: Path) -> None:
    for name in ("model", "chain"):
        said = fsm_gpt("analyze", str(made / name), "--json", "--temperature", "0.5", "--greedy")
        about = json.loads(said.out)["chain"]
        assert about["decoding"] == "temperature 0.5, then greedy"
        assert {p for row in about["next_token"] for p in row} == {0.0, 1.0}


@pytest.mark.parametrize(
    "option", [["--vocabulary", "ab"], ["--short-contexts"], ["--truncate-to", "1"]]
)
def test_options_of_checkpoints_do_not_fit_a_chain(fsm_gpt, made: Path, option: list[str]) -> None:
    said = fsm_gpt("analyze", str(made / "chain"), *option)
    assert said.code == 2
    assert "holds a chain" in said.error


def test_a_vocabulary_renames_the_tokens(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("extract", str(made / "model"), "--vocabulary", "ab", "--output", "c")
    assert said.code == 0, said.err
    assert load("c").labels()[:2] == ["aaa", "aab"]
    said = fsm_gpt("extract", str(made / "model"), "--vocabulary", "abc", "--output", "d")
    assert said.code == 4
    assert "3" in said.error


def test_a_chain_with_its_rule_goes_through_a_file(fsm_gpt, made: Path) -> None:
    assert fsm_gpt("extract", str(made / "model"), "--top-k", "1", "-o", "c").code == 0
    chain = load("c")
    assert [str(rule) for rule in chain.decoding] == ["top-k 1"]
    assert isinstance(chain, Chain)
