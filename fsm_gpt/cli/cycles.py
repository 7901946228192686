"""``fsm-gpt cycles``: the loops in which a model ends under greedy decoding."""

from __future__ import annotations

import click

from fsm_gpt.cli.chains import (
    Reading,
    device_option,
    heads_option,
    read_model,
    truncate_option,
    vocabulary_option,
)
from fsm_gpt.cli.console import json_option, progress, show_json
from fsm_gpt.cli.inputs import FILE, prompt_options, read_prompt_options

__all__ = ["cycles"]


@click.command(
    short_help="The loops of greedy decoding.",
    epilog="\b\nExample:\n  fsm-gpt cycles ckpt.pt --prompt hello --prompt world",
)
@click.argument("checkpoint", type=FILE)
@prompt_options
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Follow a prompt for so many tokens at most.",
)
@click.option(
    "--temperature",
    "temperatures",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    default=(1.0, 0.5, 0.2),
    show_default=True,
    metavar="T",
    help="How long a sampler of this temperature stays in a loop; may be repeated.",
)
@vocabulary_option
@heads_option
@truncate_option
@device_option
@json_option
def cycles(
    checkpoint: str,
    prompt: tuple[str, ...],
    prompts: str | None,
    max_steps: int,
    temperatures: tuple[float, ...],
    vocabulary: str | None,
    heads: int | None,
    truncate_to: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Follow prompts under greedy decoding to the loop that each ends in.

    CHECKPOINT is a model's file or folder, as for fsm-gpt extract. Told are the text and length
    of each loop, the share of the prompts that end in it, and after how many tokens a sampler
    leaves it on average. A prompt whose loop does not close within --max-steps is counted as
    that.
    """
    if not prompt and prompts is None:
        raise click.UsageError(
            "there is no prompt. Give --prompt TEXT, or --prompts FILE with one a line.",
            click.get_current_context(),
        )
    texts = read_prompt_options(prompt, prompts)
    how = Reading(vocabulary=vocabulary, device=device, heads=heads)
    model = read_model(checkpoint, how, where="greedy_cycles")
    from fsm_gpt.explore import greedy_cycles

    with progress("following", timed=False) as tick:
        found = greedy_cycles(
            model,
            texts,
            max_steps=max_steps,
            temperatures=temperatures,
            context=truncate_to,
            device=device,
            progress=lambda steps, open_: tick(steps, max_steps, f"tokens, {open_:,} not closed"),
        )
    if as_json:
        show_json({"texts": texts, **found.to_dict()})
        return
    click.echo(str(found))
