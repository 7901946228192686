"""``fsm-gpt ask path``: the most likely way from a prompt to a state or a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.ask.machine import machine_options, start_option
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["path"]


@click.command(
    cls=DecodingCommand,
    short_help="The most likely way from a prompt to a state or text.",
    epilog="\b\nExample:\n  fsm-gpt ask path chain.safetensors --from 000 --to 111",
)
@machine_options
@start_option
@click.option(
    "--to",
    "target",
    multiple=True,
    required=True,
    metavar="STATE_OR_TEXT",
    help="Where it leads: a state, END, or what the context shall end with; repeatable.",
)
@json_option
def path(
    machine: Callable[[], Chain],
    start: str | None,
    target: tuple[str, ...],
    as_json: bool,
) -> None:
    """The most likely path from a prompt to a state or a text: its tokens and its probability.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or a model. Where no path leads
    there, that is the answer.
    """
    if start is None:
        raise click.UsageError("missing option '--from'.", click.get_current_context())
    chain = machine()
    from fsm_gpt.markov import most_likely_path

    with working("looking for the path"):
        found = most_likely_path(chain, start, list(target))
    if as_json:
        show_json(found.to_dict())
        return
    click.echo(str(found))
