"""``fsm-gpt ask length``: how long a text gets before its stop token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.ask.machine import machine_options, start_option
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["length"]


@click.command(
    cls=DecodingCommand,
    short_help="How long a text gets before its stop token.",
    epilog="\b\nExample:\n  fsm-gpt ask length chain.safetensors --stop 0 --from 111 --top-k 2",
)
@machine_options
@start_option
@click.option(
    "--upto",
    type=click.IntRange(0),
    metavar="N",
    help="List lengths up to N; without it, until all but 1e-9 of the texts have ended.",
)
@json_option
def length(
    machine: Callable[[], Chain], start: str | None, upto: int | None, as_json: bool
) -> None:
    """The number of tokens before the stop token, which is not counted.

    Says with which probability the text ends at all, and of those that end the mean, the
    deviation, quantiles and the tail rate. Without --from every state is the start, each as
    likely. The chain needs a token that ends the text: --stop, or a chain file that has one.
    Decoding options apply in the order in which they are typed, before the text is ended.
    """
    from fsm_gpt.markov.length import length_distribution

    chain = machine()
    with working("adding up lengths"):
        found = length_distribution(chain, start=start, upto=upto)
    if as_json:
        show_json(found.to_dict())
    else:
        click.echo(str(found))
