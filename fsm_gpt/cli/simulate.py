"""``fsm-gpt simulate``: a random text of a chain, to be read or piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_chain
from fsm_gpt.cli.console import json_option, show_json
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule

__all__ = ["simulate"]

#: The signs that stand for blanks in labels, and what they stand for.
BLANKS = str.maketrans("␣⏎⇥␍", " \n\t\r")


@click.command(
    cls=DecodingCommand,
    short_help="A random text of a chain.",
    epilog="\b\nExample:\n  fsm-gpt simulate chain.safetensors --tokens 40 --start 110 --seed 7",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.option(
    "--tokens",
    "-n",
    type=click.IntRange(0, 10**7),
    default=100,
    show_default=True,
    help="How many to draw.",
)
@click.option(
    "--start", metavar="STATE", help="The context to go on from; without it the seed picks one."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The same seed gives the same text.",
)
@chain_options
@decoding_options
@json_option
def simulate(
    chain_or_checkpoint: str,
    tokens: int,
    start: str | None,
    seed: int,
    how: Reading,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """Let a chain write: its text goes to stdout and nothing else does.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or nanoGPT's ckpt.pt. The
    start is no part of the text. Into a file or a pipe goes the text as it is, without
    a line break at its end; a terminal gets one, and sees control characters as escapes.
    Decoding options apply in the order in which they are typed.
    """
    chain = read_chain(chain_or_checkpoint, how, decoding=decoding)
    from fsm_gpt.simulate import simulate as walk_through

    first = None if start is None else _state(chain, start)
    walk = walk_through(chain, tokens, start=first, seed=seed)
    if as_json:
        show_json({"start_label": chain.label(walk.start), **walk.to_dict()})
    elif sys.stdout.isatty():
        click.echo("".join(map(_harmless, walk.text)))
    else:
        sys.stdout.write(walk.text)  # click.echo would take escape sequences out


def _state(chain: Chain, named: str) -> int:
    """The state of a context, typed as it is or as labels show it."""
    from fsm_gpt.errors import StateOutOfRange

    try:
        return chain.state(named)
    except StateOutOfRange:
        blanks = named.translate(BLANKS)
        if blanks == named:
            raise
        return chain.state(blanks)


def _harmless(sign: str) -> str:
    if sign.isprintable() or sign in "\n\t":
        return sign
    return sign.encode("unicode_escape").decode("ascii")
