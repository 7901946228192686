"""``fsm-gpt watch``: a chain while it is learned, step by step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.console import json_option, progress, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.demo import TEXT
from fsm_gpt.cli.inputs import (
    FILE,
    read_text,
    read_vocabulary_option,
    ready_to_write,
)
from fsm_gpt.cli.train import model_options
from fsm_gpt.errors import InvalidText, StateSpaceTooLarge

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.learning.watched import Watched

__all__ = ["read_steps", "watch"]

#: Columns of the table: the numbers that are told.
COLUMNS = {
    "loss": "loss\n(nats)",
    "kl_text": "KL(text ||\nmodel)",
    "nearest_order": "nearest\nn-gram",
    "entropy_rate": "entropy\nrate",
    "excess_entropy": "excess\nentropy",
    "second_eigenvalue": "second\neigenvalue",
    "greedy_cycles": "greedy\ncycles",
}
MOST_STEPS = 100_000


def read_steps(ctx: click.Context, given: str) -> tuple[int, ...]:
    """Steps as they are typed: numbers, and spans such as 0-50 or 0-400:8, with commas between."""
    steps: list[int] = []
    for part in given.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+)(?::(\d+))?)?\s*", part)
        if found is None or found[3] == "0" or (found[2] and int(found[2]) < int(found[1])):
            raise click.UsageError(
                f"--steps {given!r}: {part.strip()!r} is neither a step, such as 50, nor a span, "
                f"such as 0-50 or 0-400:8.",
                ctx,
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if last > MOST_STEPS:
            raise click.UsageError(
                f"--steps {given!r}: step {last:,} is beyond the {MOST_STEPS:,} that are watched "
                f"here.",
                ctx,
            )
        steps += range(first, last + 1, int(found[3] or 1))
    return tuple(steps)


@click.command(
    cls=DecodingCommand,
    short_help="A chain while it is learned.",
    epilog="\b\nExample:\n  fsm-gpt watch 111101111011110 --context 3 --steps 0-50 --seeds 5 "
    "--movie learning.html",
)
@click.argument("text_or_file", type=FILE, required=False, default=TEXT)
@model_options
@click.option(
    "--steps",
    default="0,1,2,5,10,20,50",
    show_default=True,
    metavar="STEPS",
    help="Updates at which to look: 0,10,50, or spans: 0-50, 0-400:8.",
)
@click.option("--seed", default=1337, show_default=True, help="Of the first training.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="So many trainings, from seeds one apart.",
)
@click.option(
    "--vocabulary", metavar="TOKENS", help="The tokens as characters, or a JSON file of them."
)
@click.option("--wrap", is_flag=True, help="Read the text as a circle where its own chain is made.")
@decoding_options
@click.option(
    "--movie", type=FILE, metavar="FILE", help="Where to write a movie of the graph, .gif or .html."
)
@click.option(
    "--figure", type=FILE, metavar="FILE", help="Where to draw the numbers, .png or .svg."
)
@click.option(
    "--max-memory", default=2.0, show_default=True, metavar="GIB", help="Refuse to use more."
)
@json_option
def watch(
    text_or_file: str,
    steps: str,
    seed: int,
    seeds: int,
    vocabulary: str | None,
    wrap: bool,
    decoding: tuple[Rule, ...],
    movie: str | None,
    figure: str | None,
    max_memory: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Train GPTs on a text and watch the chains that they are, step by step.

    TEXT_OR_FILE is the text itself, or a file that holds it, or - for standard input; the
    article's text if not given. Each character is a token. Told are medians over the
    trainings, and when structure appears. The movie shows the first training.
    """
    looked = read_steps(click.get_current_context(), steps)
    for path in (movie, figure):
        if path is not None:
            _check_ending(path, (".gif", ".html", ".htm") if path == movie else (".png", ".svg"))
            ready_to_write(path, text_or_file, vocabulary)
    text, tokens = read_text(text_or_file), read_vocabulary_option(vocabulary)
    if movie is not None:
        _check_states(len(tokens or set(text)), options["context"])
    with progress("training") as tick:
        from fsm_gpt.watch import watch as watch_training

        try:
            watched = watch_training(
                text,
                steps=looked,
                seeds=range(seed, seed + seeds),
                vocabulary=tokens,
                decoding=decoding,
                end="wrap" if wrap else "drop",
                keep_chains=movie is not None,
                max_memory_gib=max_memory,
                progress=tick,
                **options,
            )
        except StateSpaceTooLarge as problem:  # which speaks of Python's options
            said = str(problem).replace("max_memory_gib", "--max-memory")
            said = said.replace("(keep_chains=False)", "(without --movie)")
            raise StateSpaceTooLarge(said) from None
        except InvalidText as problem:
            raise InvalidText(str(problem).replace("end='wrap'", "--wrap")) from None
    if movie is not None or figure is not None:
        with working("drawing"):
            _draw(watched, movie, figure)
    if as_json:
        show_json({"watched": watched.to_dict(), "movie": movie, "figure": figure})
        return
    _show(watched)
    for name, path in (("movie", movie), ("figure", figure)):
        if path is not None:
            click.echo(f"{name}: {path}")


def _check_ending(path: str, endings: tuple[str, ...]) -> None:
    if Path(path).suffix.lower() not in endings:
        raise click.UsageError(
            f"{path!r} ends in none of {', '.join(endings)}, and its ending decides what is "
            f"written.",
            click.get_current_context(),
        )


def _check_states(V: int, L: int) -> None:
    """Refuse before a training what would be refused after it."""
    from fsm_gpt.report.graph import GRAPH_LIMIT

    if V > 1 and L >= 1 and V ** min(L, 64) > GRAPH_LIMIT:
        raise StateSpaceTooLarge(
            f"--movie: {V}**{L} contexts are too many for a graph that can be read; it stops at "
            f"{GRAPH_LIMIT}. Shorten the context, or draw the numbers with --figure."
        )


def _draw(watched: Watched, movie: str | None, figure: str | None) -> None:
    from fsm_gpt.report import learning_figure, movie as write_movie, save_figure

    if movie is not None:
        write_movie(watched, movie)
    if figure is not None:
        save_figure(learning_figure(watched), figure)


def _show(watched: Watched) -> None:
    import numpy as np
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from fsm_gpt.learning.measure import MEASURES
    from fsm_gpt.result import format_number

    n = len(watched.runs)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("step", justify="right")
    bands = [watched.band(name) for name in COLUMNS if not np.isnan(watched.numbers[name]).all()]
    for band in bands:
        table.add_column(COLUMNS[band.measure], justify="right", no_wrap=True)
    for s, step in enumerate(watched.steps):
        cells = [f"{step:,}"]
        for band in bands:
            cells.append(format_number(float(band.median[s]), 4))
        table.add_row(*cells)
    Console(highlight=False).print(table)
    if n > 1:
        click.echo(
            f"medians of {n} trainings; --figure draws the bands from quantile 0.1 to 0.9, and "
            f"--json has every number"
        )
    click.echo("bits per token where nothing else is said")
    for name, why in watched.absent.items():
        if name != "largest_change":
            click.echo(f"no {MEASURES[name].words}: {why}")
    click.echo(str(watched.moments()))
