"""``fsm-gpt ask``: questions about what a chain will do, a file a question."""

from __future__ import annotations

import difflib
from importlib import import_module

import click

__all__ = ["ASKS", "ask"]

#: The questions, in the order in which a person meets them.
ASKS: tuple[str, ...] = ("reach", "path", "length", "pattern", "reward")


class Asks(click.Group):
    """A group that imports a question's file when it is asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The questions."""
        return list(ASKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The question of this name."""
        if cmd_name not in ASKS:
            return None
        command = getattr(import_module(f"fsm_gpt.cli.ask.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The question; where there is none of this name, the error names the nearest."""
        if args[0] in ASKS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        nearest = difflib.get_close_matches(args[0].lower(), ASKS, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"Questions are {', '.join(ASKS)}."
        raise click.UsageError(f"there is no question {args[0]!r}. {hint}", ctx)


@click.group(
    cls=Asks,
    invoke_without_command=True,
    short_help="What a chain will do: reach, match, end, earn.",
    subcommand_metavar="QUESTION ...",
    epilog="\b\nExample:\n  fsm-gpt ask reach chain.safetensors --to 111 --within 10",
)
@click.pass_context
def ask(ctx: click.Context) -> None:
    """Ask what a chain will do.

    Every question takes a chain file or a checkpoint, decoding options, --stop for a token that
    ends the text, and --json. fsm-gpt ask QUESTION --help explains one.
    """
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"no question is asked. Questions are {', '.join(ASKS)}.", ctx)
