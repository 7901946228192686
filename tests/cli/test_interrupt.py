"""Ctrl-C, in a process of its own: exit code 130, a sentence, and no half-written file."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.cli.conftest import TEXT, command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send there")


def interrupted(args: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command and send it SIGINT so many seconds after it says that it trains."""
    with subprocess.Popen(
        command(*args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stderr
        first = running.stderr.readline()
        assert first == "training ...\n"
        time.sleep(seconds)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    return subprocess.CompletedProcess(args, running.returncode, out, err)


@pytest.mark.parametrize(
    ("verb", "seconds", "older"),
    [("train", 0.3, None), ("train", 6.0, b"old"), ("demo", 6.0, None)],
    ids=["while loading", "while training", "demo"],
)
def test_ctrl_c_while_training(
    folder: Path, verb: str, seconds: float, older: bytes | None
) -> None:
    output = folder / "output"
    if older is not None:
        output.write_bytes(older)
    given = [TEXT] if verb == "train" else []
    done = interrupted([verb, *given, "--steps", "1000000", "--output", str(output)], seconds)
    assert done.returncode == 130
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if not line.startswith("training: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert "stopped by" in errors[0]
    assert sorted(folder.iterdir()) == ([output] if older is not None else [])
    if older is not None:
        assert output.read_bytes() == older


def program(verb: str) -> str:
    """The program with a verb that does what is given."""
    return (
        "import click, os, signal, sys\n"
        "from fsm_gpt.cli.program import Program, main\n"
        "from fsm_gpt.cli.console import say\n"
        "press = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        f"def work():\n{textwrap.indent(verb, '    ')}\n"
        "Program.get_command = lambda self, ctx, name: click.Command('train', callback=work)\n"
        "main(['train'])"
    )


@pytest.mark.parametrize(
    "verb",
    [
        "press()",
        "try: press()\nexcept KeyboardInterrupt: pass\nsay('alive')",
        "exec('press()', globals())",
        "try: press()\nexcept KeyboardInterrupt: raise ImportError('numpy failed')",
        "try: press()\nexcept KeyboardInterrupt: pass\nraise AttributeError('half a module')",
        "try: press()\nexcept KeyboardInterrupt: pass\nraise ModuleNotFoundError(name='numpy')",
    ],
    ids=["plainly", "swallowed", "inside exec", "turned into another", "half", "not found"],
)
def test_ctrl_c_is_never_lost(folder: Path, verb: str) -> None:
    (folder / "probe.py").write_text(program(verb))
    done = subprocess.run(
        [sys.executable, "-m", "probe"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130
    assert done.stderr == "error: stopped by Ctrl-C. No half-written file is left behind.\n"


@pytest.mark.parametrize("verb", ["train", "extract"])
def test_ctrl_c_while_writing(
    fsm_gpt, made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    (folder / "output").write_bytes(b"old")
    given = {"train": [TEXT, "--steps", "1"], "extract": [str(made / "model")]}[verb]
    said = fsm_gpt(verb, *given, "--output", "output")
    assert said.code == 130
    assert "stopped by Ctrl-C. No half-written file is left behind." in said.error
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("output", b"old")]
