"""Completion by Tab in bash, zsh and fish: the scripts, and what they are told."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.capacity import all_models, capacity_or_reason
from fsm_gpt.cli.program import COMPLETION, VERBS

SHELLS = ["bash", "zsh", "fish"]
Process = Callable[..., Any]


def completed(process: Process, shell: str, *words: str) -> list[str]:
    """What Tab offers after these words, the last one unfinished."""
    position = words[-1] if shell == "fish" else str(len(words))
    said = process(
        COMP_WORDS=" ".join(["fsm-gpt", *words]),
        COMP_CWORD=position,
        _FSM_GPT_COMPLETE=f"{shell}_complete",
    )
    assert said.code == 0, said.err
    if shell == "zsh":  # type, value and help, a line each
        return [str(line) for line in said.out.splitlines()[1::3]]
    return [re.split(r"[,\t]", line)[1] for line in said.out.splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script(process: Process, shell: str) -> None:
    said = process(_FSM_GPT_COMPLETE=f"{shell}_source")
    assert said.code == 0, said.err
    assert f"_FSM_GPT_COMPLETE={shell}_complete" in said.out
    program = shutil.which(shell)
    if program is None:
        return
    checked = subprocess.run([program, "-n"], input=said.out, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_verbs_and_options_and_words(process: Process, shell: str) -> None:
    assert completed(process, shell, "an") == ["analyze"]
    assert set(completed(process, shell, "")) == set(VERBS)
    assert completed(process, shell, "plot", "--ki") == ["--kind"]
    assert completed(process, shell, "plot", "--kind", "s") == ["spectrum"]
    assert completed(process, shell, "export", "--format", "gr") == ["graphml"]
    assert completed(process, shell, "ask", "rea") == ["reach"]
    assert completed(process, shell, "ask", "reach", "--wi") == ["--within"]


def test_decoding_options_and_models(process: Process) -> None:
    assert completed(process, "bash", "simulate", "--temp") == ["--temperature"]
    assert completed(process, "bash", "capacity", "gpt-2-x") == ["gpt-2-xl"]


def test_a_completed_model_is_that_model() -> None:
    from fsm_gpt.cli.capacity import _names

    offered = [item.value for item in _names("")]
    assert [capacity_or_reason(word).name for word in offered] == [m.name for m in all_models()]
    assert not any(re.search(r"[\s()]", word) for word in offered)
    assert [item.type for item in _names("./conf")] == ["file"]


@pytest.mark.parametrize("verb", ["analyze", "simulate", "compare", "minimize", "export", "train"])
def test_files(process: Process, verb: str) -> None:
    said = process(
        COMP_WORDS=f"fsm-gpt {verb} mod", COMP_CWORD="2", _FSM_GPT_COMPLETE="bash_complete"
    )
    assert said.out == "file,mod\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_understands_what_the_help_says(process: Process, folder: Path) -> None:
    line = re.search(r"bash  (eval .*\))\"", COMPLETION)
    assert line is not None
    script = "\n".join(
        [
            'fsm-gpt() { python -m fsm_gpt "$@"; }',
            f'{line[1]}"',
            "complete -p fsm-gpt",
        ]
    )
    import os
    import sys

    python = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{python}:{os.environ['PATH']}"},
    )
    assert done.stdout == "complete -o nosort -F _fsm_gpt_completion fsm-gpt\n", done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_the_help_names_the_shell(fsm_gpt, shell: str) -> None:
    assert f"_FSM_GPT_COMPLETE={shell}_source fsm-gpt" in fsm_gpt("--help").out
