"""``fsm-gpt ask reach``: how likely a state or a text is reached, and how soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.ask.machine import machine_options, start_option
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["reach"]

#: What JSON leaves out where a start is given: one number for each state.
_EVERY_STATE = (
    "probabilities",
    "upper_probabilities",
    "mean_steps",
    "variances",
    "variance_errors",
)


@click.command(
    cls=DecodingCommand,
    short_help="How likely a state or text is reached, and how soon.",
    epilog="\b\nExample:\n  fsm-gpt ask reach chain.safetensors --to 111 --within 10",
)
@machine_options
@click.option(
    "--to",
    "target",
    multiple=True,
    required=True,
    metavar="STATE_OR_TEXT",
    help="What is to be reached: a state, END, or what the context shall end with; repeatable.",
)
@click.option(
    "--within", type=click.IntRange(0), metavar="N", help="In so many tokens at most; else ever."
)
@click.option(
    "--avoid",
    multiple=True,
    metavar="STATE_OR_TEXT",
    help="What must not come before; repeatable.",
)
@click.option(
    "--given-reached", is_flag=True, help="The time given that it is reached, where it may not be."
)
@start_option
@click.option("--exact", is_flag=True, help="In rationals, where the chain is small.")
@json_option
def reach(
    machine: Callable[[], Chain],
    target: tuple[str, ...],
    within: int | None,
    avoid: tuple[str, ...],
    given_reached: bool,
    start: str | None,
    exact: bool,
    as_json: bool,
) -> None:
    """The probability of reaching a state or a text, and mean and variance of the time.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or a model. A text is reached when
    the context ends with it; one that is longer than the context is a question for fsm-gpt ask
    pattern. A prompt that ends with it has reached it. Without --from the answer is told from
    every state.
    """
    chain = machine()
    from fsm_gpt.markov import reach as ask

    with working("reaching"):
        found = ask(
            chain,
            _one_or_several(target),
            within=within,
            avoid=_one_or_several(avoid) if avoid else None,
            start=start,
            given_reached=given_reached,
            exact=exact,
        )
    if not as_json:
        click.echo(str(found))
        return
    document = found.to_dict()
    if start is None:
        document["states"] = found.chain.labels()
    else:
        for name in _EVERY_STATE:
            document.pop(name)
    show_json(document)


def _one_or_several(given: tuple[str, ...]) -> Any:
    """One name alone is told as it was typed."""
    return given[0] if len(given) == 1 else list(given)
