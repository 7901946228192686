"""The command line in this process and in one of its own."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fsm_gpt.chain import Chain
from fsm_gpt.cli import main
from fsm_gpt.io import save

#: The sequence of the article.
TEXT = "111101111011110"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error, after checking that it is the one paragraph at the end of stderr."""
        assert self.code != 0, self.out
        assert "Traceback" not in self.err + self.out
        assert self.err.endswith("\n")
        lines = self.err.splitlines()
        assert [line.startswith("error: ") for line in lines] == [False] * (len(lines) - 1) + [True]
        assert lines[-1].endswith("."), lines[-1]
        return lines[-1].removeprefix("error: ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fsm_gpt(folder: Path) -> Callable[..., Outcome]:
    """Run the command line in this process, in an empty working directory."""

    def run(*args: str, stdin: str | bytes | None = None) -> Outcome:
        result = CliRunner().invoke(main, args, input=stdin, prog_name="fsm-gpt")
        assert "Traceback" not in result.stderr
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


def command(*args: str) -> list[str]:
    """The command line in a process of its own."""
    return [sys.executable, "-m", "fsm_gpt", *args]


def on_a_terminal(args: list[str], **changes: str) -> str:
    """What a command shows on a terminal, stdout and stderr together."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command()[0], command(*args), {**os.environ, "TERM": "xterm", **changes})
    shown = b""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (0, 2, 4)
    return shown.decode()


@pytest.fixture
def process(folder: Path) -> Callable[..., Outcome]:
    """Run the command line as a user does, in an empty working directory."""

    def run(*args: str, **changes: str) -> Outcome:
        done = subprocess.run(
            command(*args),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **changes},
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint and chains, made once; nothing may change in it."""
    folder = tmp_path_factory.mktemp("made")
    result = CliRunner().invoke(
        main, ["train", TEXT, "--steps", "2", "--output", str(folder / "model")]
    )
    assert result.exit_code == 0, result.stderr
    chains = {
        "chain": Chain([[0.25, 0.75], [0.5, 0.5]] * 4),
        "two-classes": Chain.from_matrix(np.eye(2)),
        "rational": Chain.from_text(TEXT, context=3),
    }
    for name, chain in chains.items():
        save(chain, folder / name)
    return folder
