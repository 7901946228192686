"""The command line of the studies: ``python -m analysis.NAME``.

The way in which errors are told, the exit codes, and the way in which checkpoints are read
are those of ``fsm-gpt``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import click

from analysis import OF_MODELS, OF_OURS
from analysis.manifest import write_manifest
from analysis.study import Progress, Study, made_folder
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.cli.chains import (
    Reading,
    chain_options,
    check_text,
    read_model,
    read_to_analyse,
)
from fsm_gpt.cli.console import progress
from fsm_gpt.cli.inputs import read_text
from fsm_gpt.cli.program import Program
from fsm_gpt.files import check_writable
from fsm_gpt.io.read import is_chain_file

__all__ = ["One", "Run", "main"]

#: Where studies go if nothing is said.
FOLDER = "build/studies"


class Run(Protocol):
    """What every study offers."""

    def __call__(
        self,
        *,
        model: Chain | Model | None = None,
        text: str | None = None,
        quick: bool = False,
        progress: Progress | None = None,
    ) -> Study:
        """Ask, and return the tables and figures."""
        ...


class One(Program):
    """A program of one command, whose errors are told as those of ``fsm-gpt`` are."""

    def __init__(self, command: click.Command) -> None:
        super().__init__(name="python -m")
        self._command = command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Its name."""
        return [str(self._command.name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command, whatever was typed."""
        return self._command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments."""
        return args[0], self._command, args[1:]

    def run(self, args: Sequence[str] | None = None) -> NoReturn:
        """Run the command with these arguments, or with those typed, and leave."""
        typed = list(sys.argv[1:] if args is None else args)
        self.main(args=[str(self._command.name), *typed], prog_name="python -m")


def main(
    name: str, studies: Mapping[str, Run], *, about: str, args: Sequence[str] | None = None
) -> NoReturn:
    """Run one study, or several, from the command line and leave with the exit code."""
    typed = list(sys.argv[1:] if args is None else args)
    command = _command(name, studies, about, shlex.join(["python", "-m", name, *typed]))
    One(command).run(typed)


def _command(name: str, studies: Mapping[str, Run], about: str, typed: str) -> click.Command:
    @click.command(
        name,
        help=about,
        epilog=f"Example: python -m {name} --model ckpt.pt --text input.txt",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    @click.option(
        "--model",
        metavar="FILE",
        help="A checkpoint or a chain file to ask instead of the article's baby GPT.",
    )
    @click.option("--text", metavar="TEXT_OR_FILE", help="What it was trained on, to compare with.")
    @chain_options
    @click.option("--quick", is_flag=True, help="Fewer seeds and steps, to see that it works.")
    @click.option(
        "--output",
        "-o",
        default=FOLDER,
        show_default=True,
        metavar="DIR",
        help="Each study makes a folder of its name in it.",
    )
    @click.pass_context
    def study(
        ctx: click.Context,
        model: str | None,
        text: str | None,
        how: Reading,
        quick: bool,
        output: str,
    ) -> None:
        if model is None and (text is not None or how.of_checkpoints):
            raise click.UsageError(
                "--text, --vocabulary, --short-contexts and --truncate-to belong to a checkpoint, "
                "and none was named with --model.",
                ctx,
            )
        for part in studies:  # before long work
            check_writable(made_folder(Path(output).joinpath(part)).joinpath("manifest.json"))
        words = None if text is None else read_text(text)
        asked = dict(studies)
        if model is not None and len(studies) > 1:
            asked = {part: run for part, run in studies.items() if part not in OF_OURS}
        chain = whole = None
        if model is not None and not set(asked) <= set(OF_MODELS):
            chain = read_to_analyse(model, how)
            if words is not None:
                check_text(words, chain)
            if is_chain_file(model):  # there is no model to be asked
                asked = {part: run for part, run in asked.items() if part not in OF_MODELS}
        if model is not None and set(asked) & set(OF_MODELS):
            whole = read_model(model, how, where=name)
        written: dict[str, Path] = {}
        for part, run in asked.items():
            with progress(part.replace("_", " ")) as tick:
                subject = whole if part in OF_MODELS else chain
                found = run(model=subject, text=words, quick=quick, progress=tick)
            click.echo(f"{found}\n")
            written[part] = found.save(output, command=typed)
            click.echo(f"{part}: {written[part].resolve()}")
        if len(studies) > 1:
            over_all = write_manifest(output, written, command=typed, quick=quick)
            click.echo(f"manifest: {over_all.resolve()}")

    return study
