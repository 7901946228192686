"""``fsm-gpt report``: one HTML page about a checkpoint or a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.ask.machine import stop_option, typed
from fsm_gpt.cli.chains import Reading, chain_options, check_text, watch_long_run
from fsm_gpt.cli.console import command_line, json_option, say, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, output_option, read_text, ready_to_write
from fsm_gpt.cli.model_sizes import sizes_of
from fsm_gpt.cli.pattern_section import pattern_section
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
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="R",
    help="A regular expression to find in its texts; repeatable.",
)
@chain_options
@decoding_options
@stop_option
@click.option("--title", help="The heading of the page.")
@output_option("report.html", "the report")
@json_option
def report(
    checkpoint_or_chain: str,
    text: str | None,
    patterns: tuple[str, ...],
    how: Reading,
    decoding: tuple[Rule, ...],
    stop: tuple[str, ...],
    title: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Analyse a checkpoint or a chain and write one self-contained HTML page.

    CHECKPOINT_OR_CHAIN is a file of fsm-gpt extract, or a model's file or folder. A model
    with too many windows to enumerate is cut to as many of its last tokens as fit; what can
    be said of the whole model, its loops and its sampled entropy rate, stands beside that.
    With --stop it also says how long texts are and where they end; the rest is about the
    chain that goes on. An output that ends in .md or .json is written as Markdown or JSON.
    Decoding options apply in the order in which they are typed.
    """
    from fsm_gpt.report.page import report_format

    ready_to_write(output, checkpoint_or_chain, text, how.vocabulary)
    report_format(output)  # an ending that means nothing is refused before the work, too
    words = None if text is None else read_text(text)
    chain, model = read_or_cut(checkpoint_or_chain, how, decoding=decoding)
    if words is not None:
        check_text(words, chain)
    ends = tuple(typed(chain, token) for token in stop)
    if ends:
        chain.with_stop(*ends)  # a token that is none is refused before the work
    say("analysing and drawing ...")
    from fsm_gpt.report.facts import gather

    with working("analysing and drawing") as note:
        watch_long_run(chain, note)
        beside = [pattern_section(chain, regex, note=note) for regex in patterns]
        if model is not None and chain.context != model.context:
            whole = whole_model(
                model, chain, decoding=decoding, text=words, device=how.device, note=note
            )
            beside.insert(0, whole)
        facts = gather(
            chain,
            text=words,
            stop=ends,
            beside=beside,
            model=None if model is None else sizes_of(checkpoint_or_chain, model),
            provenance={"command": command_line()},
        )
        write_report(facts, output, title=title)
    show_facts(facts, as_json=as_json, report=output)
