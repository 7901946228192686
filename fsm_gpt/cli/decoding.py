"""Decoding options, which apply in the order in which they were typed.

An option that may be repeated keeps its own order, but not its place among other
options. So each of them is first rewritten as one hidden option: ``--top-k 2 --greedy``
becomes ``--decoding top-k=2 --decoding greedy=``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["TYPED", "DecodingCommand", "decoding_options"]

#: Where a command finds its arguments as they were typed, in ``click``'s ``Context.meta``.
TYPED = "fsm_gpt.typed"

_HELP = {
    "--greedy": "Always the most probable token.",
    "--top-k": "Only the K most probable tokens.",
    "--top-p": "The smallest set of tokens with mass of P or more.",
    "--min-p": "Tokens at least P times as probable as the best.",
    "--temperature": "Probabilities to the power 1/T.",
}
_METAVAR = {"--top-k": "K", "--top-p": "P", "--min-p": "P", "--temperature": "T"}


class DecodingCommand(click.Command):
    """A command with decoding options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments with every decoding option rewritten, then parsed."""
        ctx.meta[TYPED] = list(args)
        rewritten: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                rewritten += [arg, *rest]
                break
            name, joined, value = arg.partition("=")
            if name not in _HELP or (name == "--greedy" and joined):
                rewritten.append(arg)
            elif name == "--greedy" or joined:
                rewritten += ["--decoding", f"{name}={value}"]
            else:
                following = next(rest, None)
                known = following is not None
                rewritten += ["--decoding", f"{name}={following}"] if known else [arg]
        return super().parse_args(ctx, rewritten)


def decoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the decoding options; the command gets them as ``decoding``, a tuple of rules."""
    command = click.option(
        "--decoding", hidden=True, multiple=True, callback=lambda ctx, _, given: _rules(ctx, given)
    )(command)
    for name in reversed(_HELP):
        kind = {"metavar": _METAVAR[name]} if name in _METAVAR else {"is_flag": True}
        command = click.option(name, help=_HELP[name], expose_value=False, **kind)(command)
    return command


def _rules(ctx: click.Context, given: tuple[str, ...]) -> tuple[Rule, ...]:
    return tuple(_rule(ctx, *option.partition("=")[::2]) for option in given)


def _rule(ctx: click.Context, name: str, value: str) -> Rule:
    from fsm_gpt.decoding import Greedy, MinP, Temperature, TopK, TopP

    made: dict[str, Callable[[Any], Rule]] = {
        "--top-k": TopK,
        "--top-p": TopP,
        "--min-p": MinP,
        "--temperature": Temperature,
    }
    if name == "--greedy":
        return Greedy()
    if name not in made:
        raise click.UsageError(f"there is no decoding rule {name!r}.", ctx)
    try:
        number = Fraction(value) if "/" in value else float(value)
        if name == "--top-k":
            number = int(value)
    except (ValueError, ZeroDivisionError):
        kind = "a whole number" if name == "--top-k" else "a number such as 0.9 or 9/10"
        raise click.UsageError(f"{name} {value!r} is not {kind}.", ctx) from None
    return made[name](number)
