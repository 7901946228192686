"""The first minute: a report of one's own text, and what is said where something is mistyped."""

import random
import re
from pathlib import Path

import pytest

from fsm_gpt.cli.own_text import MOST_PROBABILITIES, chosen_context
from tests.cli.conftest import TEXT


def words(n_characters: int, length: int) -> str:
    """A text of so many different characters, each of them there."""
    signs = [chr(0x4E00 + i) for i in range(n_characters)]
    drawn = random.Random(1)
    return "".join(signs + drawn.choices(signs, k=length - n_characters))


def test_one_command_from_a_text_to_its_report(fsm_gpt, folder: Path) -> None:
    (folder / "my.txt").write_text("the cat sat on the mat. " * 20, encoding="utf-8")
    said = fsm_gpt("report", "--text", "my.txt", "--steps", "3")
    assert said.code == 0, said.err
    assert "text: 480 characters from my.txt" in said.err
    assert "a GPT of 11 tokens" in said.err
    assert "1,331 states: every window of 3 over 11 tokens" in said.out
    assert re.search(r"^report: .*/report\.html \(open it in a browser\)$", said.out, re.MULTILINE)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "A GPT trained on a text of yours" in page
    assert sorted(path.name for path in folder.iterdir()) == ["my.txt", "report.html"]


def test_rules_and_titles_apply_to_it_too(fsm_gpt, folder: Path) -> None:
    said = fsm_gpt(
        *("report", "--text", TEXT, "--steps", "2", "--context", "2", "--greedy"),
        *("--title", "Mine", "-o", "mine.html"),
    )
    assert said.code == 0, said.err
    assert "4 states" in said.out
    assert "<title>Mine</title>" in (folder / "mine.html").read_text(encoding="utf-8")


def test_a_thousand_different_characters(fsm_gpt, folder: Path) -> None:
    (folder / "many.txt").write_text(words(1000, 3000), encoding="utf-8")
    said = fsm_gpt("report", "--text", "many.txt", "--steps", "1", "-o", "r.json")
    assert said.code == 0, said.err
    assert (
        "a GPT of 1,000 tokens, one for each character of the text, and a context of 1" in said.err
    )
    assert "takes longer" not in said.err  # a context of 2 has a million states, too many
    assert "1,000 states" in said.out


def test_a_context_that_is_too_long_is_refused_before_the_training(fsm_gpt, folder: Path) -> None:
    (folder / "many.txt").write_text(words(1000, 3000), encoding="utf-8")
    for args in (
        ("report", "--text", "many.txt", "--context", "2"),
        ("demo", "--text", "many.txt"),
    ):
        said = fsm_gpt(*args)
        assert said.code == 5
        assert "the text has 1,000 different characters" in said.error
        assert "a context of 1 fits" in said.error
        assert "training" not in said.err.partition("error:")[0]


@pytest.mark.parametrize(
    ("V", "length", "context"),
    [(2, 1000, 3), (31, 1000, 3), (32, 1000, 3), (33, 1000, 2), (101, 1000, 2), (102, 1000, 1)],
)
def test_the_context_is_the_longest_that_is_soon_listed(V: int, length: int, context: int) -> None:
    assert chosen_context(V, length) == context
    assert V ** (context + 1) <= MOST_PROBABILITIES


def test_the_context_is_shorter_than_the_text() -> None:
    assert [chosen_context(2, length) for length in (1, 2, 3, 4, 5)] == [1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("code", "args", "said_words"),
    [
        (2, ["report"], "there is nothing to report. Name a checkpoint or a chain, or give --text"),
        (2, ["report", "--text", "my.txt", "--truncate-to", "2"], "belong to a checkpoint"),
        (2, ["report", "model", "--context", "2"], "a checkpoint is trained. Leave them out"),
        (2, ["report", "--text", "my.txt", "--context", "0"], "--context"),
        (1, ["report", "--text", ""], "the text is empty"),
        (1, ["report", "--text", "empty.txt"], "the text is empty"),
        (1, ["report", "--text", "aaaa"], "the vocabulary has one token"),
        (4, ["report", "--text", "none.txt"], "none.txt: cannot read it, there is no such file"),
        (4, ["report", "--text", "sub"], "sub: cannot read it, it is a folder. Name a file in it."),
        (4, ["report", "sub"], "it is a folder, and one without a config.json"),
        (4, ["train", "sub"], "sub: cannot read it, it is a folder"),
        (4, ["report", "--text", "my.tx"], "there is no such file, but my.txt is there"),
        (4, ["train", "my"], "there is no such file, but my.txt is there"),
        (4, ["train", "mi.txt"], "there is no such file. Did you mean my.txt?"),
        (4, ["report", "modle.pt"], "there is no such file. Did you mean model.pt?"),
        (4, ["report", "my.txt"], "it is a text, and neither a chain file nor a checkpoint"),
        (4, ["report", "my.txt"], "fsm-gpt report --text my.txt trains a small GPT on it"),
        (4, ["analyze", "my.txt"], "fsm-gpt train my.txt makes a checkpoint"),
        (4, ["report", "noise"], "16 bytes of another kind"),
        (4, ["report", "empty.txt"], "(empty)"),
        (
            2,
            ["my.txt"],
            "there is a file of that name. fsm-gpt report --text my.txt makes a report",
        ),
        (2, ["reprot", "--text", "my.txt"], "Did you mean report?"),
    ],
)
def test_what_is_mistyped_is_answered(
    fsm_gpt, folder: Path, code: int, args: list[str], said_words: str
) -> None:
    (folder / "my.txt").write_text("中文 and some words\n", encoding="utf-8")
    (folder / "empty.txt").write_text("")
    (folder / "model.pt").write_bytes(b"")
    (folder / "noise").write_bytes(bytes(range(200, 216)))
    (folder / "sub").mkdir()
    before = sorted(folder.iterdir())
    said = fsm_gpt(*args)
    assert said.code == code, said
    assert said_words in said.error
    assert said.out == ""
    assert sorted(folder.iterdir()) == before


def test_a_text_that_was_meant_as_one_comes_from_standard_input(fsm_gpt, folder: Path) -> None:
    (folder / "0110.txt").write_text("x")
    assert fsm_gpt("train", "0110", "--steps", "0").code == 4
    assert fsm_gpt("train", "-", "--steps", "0", stdin="0110").code == 0
