"""``fsm-gpt estimate``: the entropy rate of a model of any size, by sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import (
    Reading,
    device_option,
    heads_option,
    memory_option,
    read_chain_or_model,
    truncate_option,
    vocabulary_option,
)
from fsm_gpt.cli.console import json_option, progress, show_json
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, prompt_options, read_prompt_options

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["estimate"]


@click.command(
    cls=DecodingCommand,
    short_help="The entropy rate of a model of any size.",
    epilog="\b\nExample:\n  fsm-gpt estimate ckpt.pt --tokens 2000 --streams 32 --top-k 40",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.option(
    "--tokens",
    "-n",
    type=int,
    default=2000,
    show_default=True,
    metavar="N",
    help="Tokens of each stream.",
)
@click.option(
    "--streams",
    type=int,
    default=32,
    show_default=True,
    metavar="K",
    help="How many are drawn side by side.",
)
@prompt_options
@click.option(
    "--confidence",
    type=float,
    default=0.95,
    show_default=True,
    metavar="C",
    help="The share of runs whose interval holds the true value.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed gives the same streams."
)
@vocabulary_option
@heads_option
@truncate_option
@device_option
@memory_option
@decoding_options
@json_option
def estimate(
    chain_or_checkpoint: str,
    tokens: int,
    streams: int,
    prompt: tuple[str, ...],
    prompts: str | None,
    confidence: float,
    seed: int,
    vocabulary: str | None,
    heads: int | None,
    truncate_to: int | None,
    device: str | None,
    max_memory: float,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """Sample the entropy rate: the uncertainty of the next token in the long run, in bits.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract, or a model's file or folder. Many
    streams are drawn side by side, each window computed anew at every token, and the exact
    entropies of the rows that they meet are averaged. The interval is honest for slow models: it
    widens, and where the streams disagree too much there is none. Prompts are what the
    streams begin with in turn; without them each begins with a token, or a state of a chain,
    of its own. Decoding options apply in the order in which they are typed.
    """
    texts = read_prompt_options(prompt, prompts)
    how = Reading(vocabulary, False, truncate_to, device, max_memory, heads)
    subject = read_chain_or_model(chain_or_checkpoint, how, where="estimate")
    from fsm_gpt.sampling import sample_entropy_rate

    with progress("sampling", timed=True) as tick:
        found = sample_entropy_rate(
            subject,
            streams=streams,
            n_tokens=tokens,
            prompts=texts or None,
            decoding=decoding or None,
            truncate_to=truncate_to,
            confidence=confidence,
            seed=seed,
            device=device,
            progress=lambda done, total: tick(done, total, "tokens"),
        )
    if as_json:
        show_json(found.to_dict())
        return
    click.echo(f"{found}\n\nThe next token's entropy by position, over the streams:\n{found.curve}")
