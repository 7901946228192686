"""``fsm-gpt train``: a GPT from a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from fsm_gpt.cli.console import json_option, progress, show_json
from fsm_gpt.cli.inputs import (
    FILE,
    Choice,
    output_option,
    read_text,
    read_vocabulary_option,
    ready_to_write,
)

if TYPE_CHECKING:
    from fsm_gpt.gpt import TrainingRun
    from fsm_gpt.gpt.model import GPT

__all__ = ["model_options", "run_training", "train", "training_options"]


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a training; their defaults are the article's experiment."""
    options = (
        click.option("--steps", default=50, show_default=True, help="Updates; 0 trains nothing."),
        click.option("--seed", default=1337, show_default=True, help="Of the first weights."),
    )
    command = _added(command, _MODEL[1:])
    return _added(_added(command, options), _MODEL[:1])


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same but for how long it takes and from which seed."""
    return _added(command, _MODEL)


_MODEL = (
    click.option("--context", default=3, show_default=True, help="Tokens the model sees."),
    click.option("--learning-rate", default=1e-3, show_default=True, help="Of AdamW."),
    click.option("--weight-decay", default=0.1, show_default=True, help="Of AdamW."),
    click.option("--layers", "n_layer", default=4, show_default=True, help="Blocks."),
    click.option("--heads", "n_head", default=4, show_default=True, help="Heads in a block."),
    click.option("--width", "n_embd", default=16, show_default=True, help="Channels."),
    click.option(
        "--loss-on",
        type=Choice(("last", "all")),
        default="last",
        show_default=True,
        help="Learn from the last position of each window, or from all.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1),
        metavar="N",
        help="Windows in each step, drawn anew; every window if not given.",
    ),
)


def _added(command: Callable[..., Any], options: Sequence[Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    short_help="A GPT from a text.",
    epilog="\b\nExample:\n  fsm-gpt train 111101111011110 --context 3 --output model.safetensors",
)
@click.argument("text_or_file", type=FILE)
@training_options
@click.option(
    "--vocabulary", metavar="TOKENS", help="The tokens as characters, or a JSON file of them."
)
@output_option("model.safetensors", "the checkpoint")
@json_option
def train(
    text_or_file: str, vocabulary: str | None, output: str, as_json: bool, **options: Any
) -> None:
    """Train a GPT on a text and write its checkpoint.

    TEXT_OR_FILE is the text itself, or a file that holds it, or - for standard input.
    Each character is a token.
    """
    ready_to_write(output, text_or_file, vocabulary)
    text = read_text(text_or_file)
    run = run_training(text, vocabulary=vocabulary, **options)

    from fsm_gpt.gpt import save_model

    save_model(run.model, output)
    if as_json:
        show_json({"training": run.to_dict(), "checkpoint": output})
    else:
        click.echo(f"{run}\ncheckpoint: {output}")


def run_training(
    text: str,
    *,
    vocabulary: str | None = None,
    steps: int,
    loss_on: Literal["last", "all"],
    each_step: Callable[[int, GPT, float], None] | None = None,
    **options: Any,
) -> TrainingRun:
    """Train with progress on stderr."""
    with progress("training") as tick:
        from fsm_gpt.gpt import train as train_model

        return train_model(
            text,
            vocabulary=read_vocabulary_option(vocabulary),
            steps=steps,
            loss_on=loss_on,
            each_step=each_step,
            progress=lambda step, loss: tick(step + 1, steps, f"steps, loss {loss:.4f}"),
            **options,
        )
