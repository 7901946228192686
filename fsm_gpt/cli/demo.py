"""``fsm-gpt demo``: the whole way, from a text to a report, on the article's example."""

from __future__ import annotations

from typing import Any

import click

from fsm_gpt.cli.console import command_line, json_option, say
from fsm_gpt.cli.inputs import output_option, read_text, ready_to_write
from fsm_gpt.cli.onlooker import Onlooker
from fsm_gpt.cli.own_text import refuse_too_large
from fsm_gpt.cli.show import show_facts, write_report
from fsm_gpt.cli.train import run_training, training_options

__all__ = ["demo"]

#: The sequence on which the article trains its GPT.
TEXT = "111101111011110"
#: GiB that the chain and its analysis may take.
MEMORY = 8.0


@click.command(
    short_help="The whole way on the article's example.",
    epilog="\b\nExample:\n  fsm-gpt demo --seed 7 --output report-7.html",
)
@click.option(
    "--text",
    default=TEXT,
    show_default=True,
    metavar="TEXT_OR_FILE",
    help="What to train on: the text itself, a file, or - for standard input.",
)
@training_options
@output_option("report.html", "the report")
@json_option
def demo(text: str, output: str, as_json: bool, **options: Any) -> None:
    """Train the article's GPT, make its Markov chain, analyse it, write a report.

    With nothing else said this is the baby GPT of two tokens and a context of three,
    seed 1337, 50 steps. The summary goes to stdout, the report is one HTML file.
    """
    ready_to_write(output, text)
    text = read_text(text)
    refuse_too_large(len(set(text)), options["context"], MEMORY)
    onlooker = Onlooker(text, options["context"], options["steps"])
    run = run_training(text, each_step=onlooker, **options)
    say("extracting, analysing and drawing ...")

    from fsm_gpt.extract import extract
    from fsm_gpt.report.facts import gather

    facts = gather(
        extract(run.model),
        before=extract(run.untrained),
        text=text,
        losses=run.losses,
        watched=onlooker.watched(),
        provenance={"command": command_line()},
    )
    write_report(facts, output, title=f"A baby GPT after {run.steps} steps of training")
    show_facts(facts, as_json=as_json, report=output)
