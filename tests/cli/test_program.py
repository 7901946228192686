"""The program as a whole: help, version, names of verbs, what it loads, how it fails."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fsm_gpt import __version__, errors
from fsm_gpt.cli import main
from fsm_gpt.cli.problems import explain
from fsm_gpt.cli.program import VERBS
from tests.cli.conftest import command

ROOT = Path(__file__).resolve().parents[2]


def command_of(*words: str) -> click.Command:
    """The command of a verb, or of a question of one."""
    found: click.Command = main
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None
        found = inner
    return found


def commands() -> Iterator[tuple[str, ...]]:
    """Every verb, and every question of those that have questions."""
    for verb in VERBS:
        yield (verb,)
        command = command_of(verb)
        if isinstance(command, click.Group):
            yield from ((verb, each) for each in command.list_commands(click.Context(command)))


EVERY = list(commands())


def test_the_verbs(fsm_gpt) -> None:
    assert {"demo", "train", "extract", "analyze", "report", "plot"} <= set(VERBS)
    said = fsm_gpt("--help")
    assert said.code == 0
    assert all(f"\n  {verb} " in said.out for verb in VERBS)
    assert said.err == ""


def test_questions_are_among_the_commands() -> None:
    assert {("train",), ("ask",), ("ask", "reach"), ("ask", "path")} <= set(EVERY)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_each_verb_has_help_with_an_example(fsm_gpt, words: tuple[str, ...]) -> None:
    said = fsm_gpt(*words, "--help")
    assert said.code == 0
    assert f"\n    fsm-gpt {' '.join(words)} " in said.out.partition("Example:")[2]
    assert "--json" in said.out
    assert said.out == fsm_gpt(*words, "-h").out


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_examples_use_options_that_exist(words: tuple[str, ...]) -> None:
    epilog = command_of(*words).epilog
    assert epilog
    typed = epilog.splitlines()[-1].split()
    assert typed[: len(words) + 1] == ["fsm-gpt", *words]
    # The example of a verb with questions asks one of them.
    asked = tuple(typed[1:3]) if tuple(typed[1:3]) in EVERY else words
    command_of(*asked).make_context(asked[-1], typed[len(asked) + 1 :])


def test_the_version(fsm_gpt) -> None:
    assert fsm_gpt("--version").out == f"fsm-gpt, version {__version__}\n"


def test_no_verb_shows_where_to_begin(fsm_gpt) -> None:
    said = fsm_gpt()
    assert (said.code, said.out) == (2, "")
    begin = re.findall(r"^  fsm-gpt (\S+)(.*?)  ", said.err, flags=re.MULTILINE)
    assert [verb for verb, _ in begin] == ["demo", "report", "report", "capacity"]
    for verb, words in begin:
        command_of(verb).make_context(verb, words.split())
    assert "--help lists all verbs" in said.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("analyse", "Did you mean analyze?"),
        ("Train", "Did you mean train?"),
        ("repot", "Did you mean report?"),
        ("xyz", "The verbs are demo, train, watch, "),
    ],
)
def test_a_mistyped_verb_gets_a_suggestion(fsm_gpt, typed: str, meant: str) -> None:
    said = fsm_gpt(typed)
    assert said.code == 2
    assert f"there is no verb {typed!r}. {meant}" in said.error


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train"], "missing argument 'TEXT_OR_FILE'. See fsm-gpt train --help."),
        (["train", "01", "--contxt", "3"], "no such option '--contxt'"),
        (["train", "01", "--context", "three"], "'three' is not a valid integer"),
        (["train", "01", "--loss-on", "first"], "'first' is not one of 'last', 'all'"),
        (["plot", "x", "--kind", "pie"], "'pie' is not one of"),
        (["plot", "x", "--kind", "grpah"], "Did you mean graph?"),
        (["train", "01", "--loss-on", "lst"], "Did you mean last?"),
        (["export", "x", "--format", "grafml", "-o", "y"], "Did you mean graphml?"),
        (["capacity", "gpt2", "--format", "markdwon"], "Did you mean markdown?"),
        (["export", "x", "--ouput", "y.csv"], "--output"),
        (["analyze", "x", "--temprature", "2"], "--temperature"),
        (["analyze", "x", "--max-memory", "0"], "--max-memory"),
        (["simulate", "x", "--tokens", "-1"], "--tokens"),
        (["simulate", "x", "--seed", "-1"], "--seed"),
        (["compare"], "0 of two files named"),
        (["compare", "x"], "1 of two files named"),
        (["compare", "x", "y", "z"], "3 of two files named"),
        (["compare", "x", "y", "--text", "01"], "beside --text stands one file"),
        (["minimize", "x", "--graph", "y.pdf"], "ends neither in .png nor in .svg"),
        (["minimize", "x", "--max-states", "few"], "'few' is not a valid integer"),
        (["export", "x", "-o", "y"], "y ends in none of .dot, .graphml"),
        (["export", "x", "-o", "y.grapml"], "Did you mean graphml?"),
        (["export", "x"], "missing option '--output'"),
        (["--no-such-option"], "no such option '--no-such-option'"),
    ],
)
def test_usage_errors(fsm_gpt, folder: Path, args: list[str], words: str) -> None:
    said = fsm_gpt(*args)
    assert said.code == 2
    assert words in said.error
    assert list(folder.iterdir()) == []


def test_it_runs_as_a_module_and_as_a_command() -> None:
    script = Path(sys.executable).with_name("fsm-gpt")
    assert script.exists(), "the package is not installed"
    for program in ([str(script)], command()):
        done = subprocess.run([*program, "analyse"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == (
            "error: there is no verb 'analyse'. Did you mean analyze? See fsm-gpt --help.\n"
        )


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], ["train", "--help"], ["demo", "-h"], [], ["ask", "-h"]]
)
def test_help_loads_nothing_slow(args: list[str]) -> None:
    code = (
        "import sys, fsm_gpt.cli\n"
        f"try: fsm_gpt.cli.main({args!r})\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert not loaded & {"torch", "numba", "sympy", "matplotlib", "numpy", "scipy", "rich"}


# ---- from an exception to a sentence and an exit code ----


def chained(first: BaseException, second: BaseException) -> BaseException:
    try:
        try:
            raise first
        except BaseException:
            raise second  # noqa: B904
    except BaseException as error:
        return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.InvalidChain("x is y. Mend it."), 1, "x is y. Mend it."),
        (errors.InvalidText("two\n  lines"), 1, "two lines"),
        (errors.MissingExtra("no x"), 3, "no x"),
        (errors.FileProblem("no x"), 4, "no x"),
        (errors.UnsafeFile("no x"), 4, "no x"),
        (errors.StateSpaceTooLarge("no x"), 5, "no x"),
        (errors.NotConverged("no x"), 6, "no x"),
        (errors.Interrupted("stopped"), 130, "stopped"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
        (click.exceptions.Abort(), 130, "stopped by Ctrl-C"),
        (chained(KeyboardInterrupt(), ImportError("numpy failed")), 130, "stopped by Ctrl-C"),
        (ModuleNotFoundError("no", name="torch"), 3, "-m pip install torch"),
        (ModuleNotFoundError("no", name="sympy.core"), 3, "-m pip install sympy"),
        (ModuleNotFoundError("no", name="fsm_gpt.x"), 1, "a fault of fsm-gpt"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(28, "No space left on device"), 4, "standard output: cannot write it, the disk"),
        (PermissionError(13, "Permission denied", "a.txt"), 4, "a.txt: cannot use it, permission"),
        (RuntimeError("boom\nbang"), 1, "a fault of fsm-gpt"),
        (AssertionError(), 1, "(AssertionError())"),
        (SystemExit(3), 3, ""),
        (SystemExit("text"), 1, ""),
        (SystemExit(), 0, ""),
    ],
)
def test_every_failure_has_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    message, given = explain(error)
    assert given == code
    assert words in message
    assert bool(message) == bool(words)
    assert "\n" not in message
    assert capsys.readouterr().err == ""


def test_a_fault_shows_its_traceback_to_those_who_ask(
    fsm_gpt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(main, "get_command", fault)
    said = fsm_gpt("train", "01")
    assert said.code == 1
    assert "this is a fault of fsm-gpt and not of what you gave it (RuntimeError: boom)" in said.err
    assert "FSM_GPT_DEBUG=1" in said.error
    monkeypatch.setenv("FSM_GPT_DEBUG", "1")
    message, code = explain(RuntimeError("boom"))
    assert code == 1
    assert "The traceback is above" in message
    assert "RuntimeError: boom" in capsys.readouterr().err


def test_without_torch_it_says_how_to_get_it(fsm_gpt, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fsm_gpt.gpt")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    said = fsm_gpt("train", "0110")
    assert said.code == 3
    assert "the package torch is not installed" in said.error
    assert "-m pip install torch" in said.error


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise there")
def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    with subprocess.Popen(
        command("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_said() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("--help"), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert done.stderr.startswith("error: standard output: cannot write it, the disk or the quota")
    assert done.stderr.count("\n") == 1
