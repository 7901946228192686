"""The machine that a question is about: a chain, decoded, with the tokens that end a text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_to_analyse
from fsm_gpt.cli.decoding import decoding_options
from fsm_gpt.cli.inputs import FILE

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule

__all__ = ["machine_options", "start_option", "stop_option", "typed"]

#: Tokens that a shell does not pass on as they are.
ESCAPES = {r"\n": "\n", r"\t": "\t", r"\r": "\r"}

start_option = click.option(
    "--from", "start", metavar="TEXT", help="The prompt; its last L tokens are the first state."
)

stop_option = click.option(
    "--stop", multiple=True, metavar="TOKEN", help="A token that ends the text; repeatable."
)


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The file, the options of chains and decoding, and --stop; the command gets ``machine``.

    That is a function which reads the chain, so that other options are looked at first. The
    command has to be a :class:`fsm_gpt.cli.decoding.DecodingCommand`.
    """

    @functools.wraps(command)
    def packed(
        chain_or_checkpoint: str,
        how: Reading,
        decoding: tuple[Rule, ...],
        stop: tuple[str, ...],
        **others: Any,
    ) -> Any:
        def machine() -> Chain:
            chain = read_to_analyse(chain_or_checkpoint, how, decoding=decoding)
            return chain.with_stop(*(typed(chain, token) for token in stop)) if stop else chain

        return command(machine=machine, **others)

    taking: Callable[..., Any] = stop_option(decoding_options(packed))
    return click.argument("chain_or_checkpoint", type=FILE)(chain_options(taking))


def typed(chain: Chain, token: str) -> str:
    r"""A token as a shell can say it: itself, or in its printable form, such as \n."""
    known = chain.vocabulary
    if token not in known.ids and token in known.shown:
        return known.tokens[known.shown.index(token)]
    return token if token in known.ids else ESCAPES.get(token, token)
