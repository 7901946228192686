"""The program: its verbs, loaded when they are needed, and its one way to fail."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from fsm_gpt import __version__
from fsm_gpt.cli.interrupts import noticing
from fsm_gpt.cli.problems import INTERRUPTED, explain, laid_out
from fsm_gpt.errors import Interrupted

__all__ = ["Program", "main"]

VERBS = (
    "demo",
    "train",
    "watch",
    "extract",
    "explore",
    "cycles",
    "analyze",
    "report",
    "plot",
    "simulate",
    "estimate",
    "compare",
    "minimize",
    "sensitivity",
    "slow",
    "ask",
    "export",
    "capacity",
)


class Program(click.Group):
    """A group that imports a verb's file when the verb is used.

    Whatever goes wrong inside is explained in one paragraph on stderr
    (:mod:`fsm_gpt.cli.problems`).
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which a person meets them."""
        return list(VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in the help."""
        with formatter.section("Verbs"):
            commands = [(verb, self.get_command(ctx, verb)) for verb in VERBS]
            formatter.write_dl([(verb, c.get_short_help_str()) for verb, c in commands if c])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of this name."""
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"fsm_gpt.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb; where there is none of this name, the error names the nearest."""
        if args[0] in VERBS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        if args[0].lower() == "help":
            raise click.UsageError("there is no verb 'help'. Did you mean --help?", ctx)
        if os.path.isdir(args[0]):
            raise click.UsageError(
                f"there is no verb {args[0]!r}, but there is a folder of that name. fsm-gpt report "
                f"{args[0]} makes a report of the Hugging Face model in it, if it is one.",
                ctx,
            )
        if os.path.exists(args[0]):
            raise click.UsageError(
                f"there is no verb {args[0]!r}, but there is a file of that name. fsm-gpt report "
                f"--text {args[0]} makes a report of a text, and fsm-gpt report {args[0]} of a "
                f"checkpoint or a chain.",
                ctx,
            )
        nearest = difflib.get_close_matches(args[0].lower(), VERBS, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"The verbs are {', '.join(VERBS)}."
        raise click.UsageError(f"there is no verb {args[0]!r}. {hint}", ctx)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> NoReturn:
        """Run the command line and leave with its exit code."""
        options["standalone_mode"] = False
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a terminal that cannot show every sign
                stream.reconfigure(errors="backslashreplace")
        try:
            with noticing():
                code = super().main(args=args, prog_name=prog_name, **options)
                sys.stdout.flush()
        except BaseException as error:
            message, code = explain(error)
            if message:
                _say(message)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; its interruption is not left to click, which would print an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(INTERRUPTED) from None


def _say(message: str) -> None:
    """An error on stderr; where that fails too, silence."""
    try:
        sys.stderr.write(laid_out(message) if sys.stderr.isatty() else f"error: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


#: Where to begin, for those who type the name of the program alone.
BEGIN = """\
fsm-gpt: a small GPT as a finite-state Markov chain.

Where to begin:
  fsm-gpt demo                   the article's GPT: train, analyse, report
  fsm-gpt report --text my.txt   the same for a text of yours
  fsm-gpt report ckpt.pt         the same for a checkpoint, nanoGPT's or ours
  fsm-gpt capacity gpt2 gpt-3    how many bits of state real models have

fsm-gpt --help lists all verbs, fsm-gpt VERB --help explains one."""

#: How a shell learns to complete verbs, options and names.
COMPLETION = """\b
Completion of verbs, options and names by Tab, once in the shell's own settings:
  bash  eval "$(_FSM_GPT_COMPLETE=bash_source fsm-gpt)"   in ~/.bashrc
  zsh   eval "$(_FSM_GPT_COMPLETE=zsh_source fsm-gpt)"    in ~/.zshrc
  fish  _FSM_GPT_COMPLETE=fish_source fsm-gpt | source    in ~/.config/fish/config.fish"""


@click.group(
    cls=Program,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    epilog=COMPLETION + "\n\n\b\nExample:\n  fsm-gpt demo",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fsm-gpt")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A small GPT as a finite-state Markov chain.

    Train a GPT on a short text, or take a checkpoint; make the Markov chain that it is;
    ask the chain questions that have exact answers; see it.
    """
    if ctx.invoked_subcommand is None:
        click.echo(BEGIN, err=True)
        ctx.exit(2)
