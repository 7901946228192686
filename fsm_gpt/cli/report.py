"""``fsm-gpt report``: one HTML page about a checkpoint or a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, check_text, watch_long_run
from fsm_gpt.cli.console import command_line, json_option, say, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, output_option, read_text, ready_to_write
from fsm_gpt.cli.model_sizes import sizes_of
from fsm_gpt.cli.show import show_facts, write_report
from fsm_gpt.cli.whole import read_or_cut, whole_model

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["report"]


@click.command(
    cls=DecodingCommand,
    short_help="One HTML page about a chain.",
    epilog="\b\nExample:\n  fsm-gpt report ckpt.pt --text input.txt --vocabulary meta.pkl",
)
@click.argument("checkpoint_or_chain", type=FILE)
@click.option("--text", metavar="TEXT_OR_FILE", help="What it was trained on, to compare with.")
@chain_options
@decoding_options
@click.option("--title", help="The heading of the page.")
@output_option("report.html", "the report")
@json_option
def report(
    checkpoint_or_chain: str,
    text: str | None,
    how: Reading,
    decoding: tuple[Rule, ...],
    title: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Analyse a checkpoint or a chain and write one self-contained HTML page.

    CHECKPOINT_OR_CHAIN is a file of fsm-gpt extract, or a model's file or folder. A model
    with too many windows to enumerate is cut to as many of its last tokens as fit; what can
    be said of the whole model, its loops and its sampled entropy rate, stands beside that.
    An output that ends in .md or .json is written as Markdown or JSON instead.
    Decoding options apply in the order in which they are typed.
    """
    from fsm_gpt.report.page import report_format

    ready_to_write(output, checkpoint_or_chain, text, how.vocabulary)
    report_format(output)  # an ending that means nothing is refused before the work, too
    words = None if text is None else read_text(text)
    chain, model = read_or_cut(checkpoint_or_chain, how, decoding=decoding)
    if words is not None:
        check_text(words, chain)
    say("analysing and drawing ...")
    from fsm_gpt.report.facts import gather

    with working("analysing and drawing") as note:
        watch_long_run(chain, note)
        beside = (
            ()
            if model is None or chain.context == model.context
            else (
                whole_model(
                    model, chain, decoding=decoding, text=words, device=how.device, note=note
                ),
            )
        )
        facts = gather(
            chain,
            text=words,
            beside=beside,
            model=None if model is None else sizes_of(checkpoint_or_chain, model),
            provenance={"command": command_line()},
        )
        write_report(facts, output, title=title)
    show_facts(facts, as_json=as_json, report=output)
