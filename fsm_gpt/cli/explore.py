"""``fsm-gpt explore``: the reachable part of a model too large to enumerate, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.chains import (
    Reading,
    device_option,
    heads_option,
    memory_option,
    read_model,
    truncate_option,
    vocabulary_option,
)
from fsm_gpt.cli.console import json_option, progress, show_json
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import (
    FILE,
    output_option,
    prompt_options,
    read_prompt_options,
    ready_to_write,
)
from fsm_gpt.errors import Interrupted, StateSpaceTooLarge
from fsm_gpt.files import shown

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.explore import Exploration

__all__ = ["explore"]

#: How many states are explored where nothing is said.
STATES = 100_000


@click.command(
    cls=DecodingCommand,
    short_help="The part of a model that prompts lead to.",
    epilog="\b\nExample:\n  fsm-gpt explore ckpt.pt --prompt hello --top-k 2 --max-states 20000",
)
@click.argument("checkpoint", type=FILE)
@prompt_options
@decoding_options
@click.option(
    "--max-states",
    type=click.IntRange(1),
    metavar="N",
    help=f"Explore at most so many states; {STATES:,} if nothing is said.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(1),
    metavar="N",
    help="Explore only what fewer tokens than this lead to.",
)
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Explore only what a path of this probability or more leads to.",
)
@click.option(
    "--resume", type=FILE, metavar="FILE", help="Go on where the machine in this file ends."
)
@vocabulary_option
@heads_option
@truncate_option
@device_option
@memory_option
@output_option("machine.safetensors", "the machine")
@json_option
def explore(
    checkpoint: str,
    prompt: tuple[str, ...],
    prompts: str | None,
    decoding: tuple[Rule, ...],
    max_states: int | None,
    max_depth: int | None,
    min_probability: float | None,
    resume: str | None,
    vocabulary: str | None,
    heads: int | None,
    truncate_to: int | None,
    device: str | None,
    max_memory: float,
    output: str,
    as_json: bool,
) -> None:
    """Find every state that prompts lead to under a decoding rule, and write the machine.

    CHECKPOINT is a model's file or folder, as for fsm-gpt extract. States are the last L tokens;
    of a longer prompt the rest is not seen. Where a limit ends the search, the state
    'unexplored' stands for what is left, and --resume goes on from the file: with its prompts,
    its rule and its limits, where no others are given. A whole machine is a chain like any
    other: fsm-gpt analyze takes its file. Decoding options apply in the order in which they
    are typed.
    """
    if not prompt and prompts is None and resume is None:
        raise click.UsageError(
            "there is no prompt. Give --prompt TEXT, or --prompts FILE with one a line.",
            click.get_current_context(),
        )
    ready_to_write(output, checkpoint, vocabulary, prompts)
    texts = read_prompt_options(prompt, prompts)
    how = Reading(vocabulary=vocabulary, device=device, heads=heads)
    model = read_model(checkpoint, how, where="explore")
    from fsm_gpt.explore import ExplorationInterrupted, explore as search, load_exploration
    from fsm_gpt.explore.file import save_exploration

    before = None if resume is None else load_exploration(resume)
    most = max_states or (STATES if before is None else before.max_states)
    depth, least = max_depth, min_probability
    if before is not None:
        depth = before.max_depth if depth is None else depth
        least = before.min_probability if least is None else least
    try:
        with progress("exploring", timed=True) as tick:
            found = search(
                model,
                texts or None,
                decoding=decoding or None,
                max_states=most,
                max_depth=depth,
                min_probability=least or 0.0,
                context=truncate_to,
                resume=before,
                device=device,
                max_memory_gib=max_memory,
                progress=lambda states, waiting, left: tick(
                    states, most, f"states, {waiting:,} waiting, new mass {left:.2g}"
                ),
            )
    except StateSpaceTooLarge as error:  # which speaks of Python's options
        raise StateSpaceTooLarge(str(error).replace("max_memory_gib", "--max-memory")) from None
    except ExplorationInterrupted as stopped:
        save_exploration(stopped.exploration, output)
        raise Interrupted(
            f"stopped by Ctrl-C after {stopped.exploration.n_explored:,} states. They are in "
            f"{shown(output)}, and --resume {shown(output)} goes on from there."
        ) from None
    save_exploration(found, output)
    if as_json:
        show_json({"exploration": _about(found), "file": output})
        return
    click.echo(str(found))
    for note in found.chain.notes:
        click.echo(f"note: {note}")
    click.echo(f"machine: {output}")


def _about(found: Exploration) -> dict[str, Any]:
    """The figures of an exploration, without its arrays."""
    from fsm_gpt.report.explored_facts import about

    horizon = found.horizon
    return {
        **about(found),
        "unexplored": {"tokens": horizon, "probability": found.unexplored_after(horizon)},
        "notes": list(found.chain.notes),
        "provenance": dict(found.chain.provenance),
    }
