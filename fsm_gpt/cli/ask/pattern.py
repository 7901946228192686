"""``fsm-gpt ask pattern``: when, how often and how probably a text matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.ask.machine import machine_options, start_option
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["pattern"]


@click.command(
    cls=DecodingCommand,
    short_help="When, how often and how probably a text matches.",
    epilog="\b\nExample:\n"
    "  fsm-gpt ask pattern chain.safetensors --regex '1(01)*0' --within 20 --from 111",
)
@machine_options
@click.option(
    "--regex", required=True, metavar="R", help="The pattern, a regular expression over characters."
)
@click.option(
    "--tokens", is_flag=True, help="The pattern is over tokens, each by its name: '<the> <cat>+'."
)
@click.option("--within", type=int, metavar="N", help="Also within so many tokens.")
@click.option("--anchored", is_flag=True, help="The whole text has to match, not a part of it.")
@start_option
@json_option
def pattern(
    machine: Callable[[], Chain],
    regex: str,
    tokens: bool,
    within: int | None,
    anchored: bool,
    start: str | None,
    as_json: bool,
) -> None:
    r"""Match a regular expression against the texts of a chain: how likely, how soon, how often.

    The text is what follows the prompt of --from, or what follows a state in the long run; the
    prompt is no part of it. Operators are those of common regular expressions without anchors and
    lookaround: ab a|b a* a+ a? a{2,5} . [a-z] [^a-z] \d \s \w, and a&b for both at once, a^b
    for the two interleaved. With --stop a text ends, and the stop token is no part of it.
    """
    chain = machine()
    from fsm_gpt.patterns import pattern as match

    with working("matching"):
        found = match(
            chain,
            regex,
            within=within,
            anchored=anchored,
            start=start,
            by="token" if tokens else "character",
        )
    if as_json:
        show_json(found.to_dict())
        return
    click.echo(str(found))
