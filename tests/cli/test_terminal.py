"""What a terminal is shown: widths, alignment, ASCII, colours, errors with the way out."""

import io
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from fsm_gpt.chain import Chain
from fsm_gpt.cli.following import after_analyze
from fsm_gpt.cli.problems import laid_out, way_out
from fsm_gpt.io import save
from fsm_gpt.report.facts import Facts, gather
from fsm_gpt.report.terminal import summary
from tests.cli.conftest import on_a_terminal

RANDOM = np.random.default_rng(5)


def rows(V: int, n: int) -> np.ndarray:
    return RANDOM.dirichlet(np.ones(V) / 2, size=n)


CHAINS = {
    "eight states": Chain(rows(2, 8)),
    "27 tokens": Chain(rows(27, 27), vocabulary=" abcdefghijklmnopqrstuvwxyz"),
    "one state": Chain([[1.0]], context=1),
    "a stop token": Chain(rows(2, 8)).with_stop("1"),
    "Chinese": Chain(rows(4, 16), vocabulary="我爱你恨"),
    "two classes": Chain.from_matrix(np.eye(3)),
    "near zero": Chain([[1e-300, 1.0], [0.5, 0.5]]),
    "long names": Chain(rows(2, 4), vocabulary=["a token of many letters", "another one of them"]),
    "many states": Chain(rows(2, 2**7)),
}


@pytest.fixture(scope="module")
def facts() -> dict[str, Facts]:
    return {name: gather(chain) for name, chain in CHAINS.items()}


def printed(facts: Facts, width: int, encoding: str) -> list[str]:
    """The lines that a stream of this encoding gets."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    following = after_analyze("a chain.safetensors", ["a chain.safetensors"], n_states=2)
    Console(file=stream, width=width, highlight=False).print(summary(facts, following=following))
    stream.flush()
    return raw.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [100, 80, 40])
@pytest.mark.parametrize("name", CHAINS)
def test_no_line_is_wider_than_the_terminal(
    facts: dict[str, Facts], name: str, width: int, encoding: str
) -> None:
    lines = printed(facts[name], width, encoding)
    assert max(map(cell_len, lines)) <= width
    assert "\x1b" not in "".join(lines)
    text = " ".join(" ".join(lines).split())
    for part in ("Entropy rate", "Stationary distribution", "Greedy decoding", "What to do next"):
        assert part in text
    assert "next token" in text
    assert "for ever" in text or "with the text" in text


def test_wide_signs_are_aligned(facts: dict[str, Facts]) -> None:
    lines = printed(facts["Chinese"], 80, "utf-8")
    found = [line for line in lines if re.match(r"[我爱你恨]{2} ", line)]
    assert len(found) == 16
    starts = {cell_len(line[: line.index("0.")]) for line in found}
    assert len(starts) == 1
    head = next(line for line in lines if re.match(r"state +row", line))
    assert cell_len(head[: head.index("next")]) == cell_len(found[0][: found[0].index("%") - 4])


def test_rows_and_cycle_of_a_chain_that_is_known(facts: dict[str, Facts]) -> None:
    cycle = gather(Chain([[0.0, 1.0], [1.0, 0.0]], vocabulary="ab"))
    text = "\n".join(printed(cycle, 80, "utf-8"))
    assert re.search(r"^state +ab ", text, flags=re.MULTILINE)
    assert re.search(r"^a +·█ +b 100%", text, flags=re.MULTILINE)
    assert "every state ends in b → a → b, and writes ab for ever" in " ".join(text.split())
    assert "cycle of 2" in text
    plain = "\n".join(printed(cycle, 80, "ascii"))
    assert "b -> a -> b" in " ".join(plain.split())


def test_what_to_type_next_can_be_typed(fsm_gpt, folder: Path) -> None:
    save(Chain([[0.25, 0.75], [0.5, 0.5]] * 4), folder / "a chain")
    said = fsm_gpt("analyze", "a chain", "--top-k", "2", "--text", "0110101")
    assert said.code == 0, said.err
    after = said.out.partition("What to do next")[2].replace("\\\n", " ")
    typed = [shlex.split(line)[1:] for line in after.splitlines() if "    fsm-gpt" in line]
    assert [words[0] for words in typed] == ["report", "simulate", "minimize", "ask"]
    for words in typed:
        assert "--text" not in words
        assert words[0] == "ask" or words[1:4] == ["a chain", "--top-k", "2"]
        again = fsm_gpt(*words)
        assert again.code == 0, again.err


def test_piped_lines_have_no_blanks_at_their_ends(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("analyze", str(made / "chain"))
    assert not [line for line in said.out.splitlines() if line != line.rstrip()]


def test_an_ascii_pipe(process, made: Path) -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="我爱")
    save(chain, "c")
    said = process("analyze", "c", PYTHONIOENCODING="ascii", LANG="C", COLUMNS="80")
    assert said.code == 0, said.err
    assert said.out.isascii()
    assert "\\u6211" in said.out
    assert "\\u25" not in said.out, "a bar was escaped, not drawn"


@pytest.mark.parametrize(
    ("message", "do"),
    [
        ("x: there is no such file. Check the name and the folder.", "Check the name"),
        ("no such option '--x'. Did you mean '--y'? See fsm-gpt plot --help.", "Did you mean"),
        ("stopped by Ctrl-C.", ""),
    ],
)
def test_the_way_out(monkeypatch: pytest.MonkeyPatch, message: str, do: str) -> None:
    what, out = way_out(message)
    assert f"{what} {out}".strip() == message
    assert out.startswith(do)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = laid_out(message)
    assert " ".join(shown.split()) == f"error: {message}"
    assert max(map(len, shown.splitlines())) <= 30
    assert ("\n\n  " in shown) == bool(out)
    assert "\x1b" not in shown
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[31m" in laid_out(message)


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_an_error_on_a_terminal(folder: Path) -> None:
    shown = on_a_terminal(["analyze", "none"], NO_COLOR="1").replace("\r", "")
    assert shown == (
        "error: none: cannot read it, there is no such file.\n\n  Check the name and the folder.\n"
    )


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["help"], 2, "Did you mean --help?"),
        (["here"], 2, "there is a folder of that name. fsm-gpt report here makes"),
        (["analyze", "5"], 4, "The name of a file is wanted here"),
        (["simulate", "chain", "40"], 2, "(40). A number is given with an option."),
        (["analyze", "chian"], 4, "Did you mean chain?"),
        (["analyze", "here"], 4, "it is a folder"),
        (["report", "--text", "here"], 4, "it is a folder"),
        (["report", "--text", "empty"], 1, "the text is empty"),
        (["report", "--text", "noise"], 4, "is no UTF-8"),
    ],
)
def test_what_is_typed_wrongly(
    fsm_gpt, folder: Path, args: list[str], code: int, words: str
) -> None:
    (folder / "here").mkdir()
    (folder / "empty").write_bytes(b"")
    (folder / "noise").write_bytes(b"\xff\xfe\x00\x9f" * 50)
    save(Chain([[0.25, 0.75], [0.5, 0.5]]), folder / "chain")
    said = fsm_gpt(*args)
    assert said.code == code
    assert words in said.error


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read everything")
def test_a_file_that_may_not_be_read(fsm_gpt, folder: Path) -> None:
    save(Chain([[0.25, 0.75], [0.5, 0.5]]), folder / "chain")
    (folder / "chain").chmod(0)
    said = fsm_gpt("analyze", "chain")
    assert said.code == 4
    assert "permission was denied" in said.error


def test_where_to_begin_fits(fsm_gpt) -> None:
    assert max(map(len, fsm_gpt().err.splitlines())) <= 80
