"""``fsm-gpt report``: one HTML page about a checkpoint, a chain, or a text of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.ask.machine import stop_option, typed
from fsm_gpt.cli.chains import Reading, chain_options, check_text, watch_long_run
from fsm_gpt.cli.console import command_line, json_option, say, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.explored import Asked, is_explored, report_explored
from fsm_gpt.cli.inputs import FILE, output_option, read_text, ready_to_write
from fsm_gpt.cli.model_sizes import sizes_of
from fsm_gpt.cli.own_text import of_text
from fsm_gpt.cli.pattern_section import pattern_section
from fsm_gpt.cli.show import show_facts, write_report
from fsm_gpt.cli.whole import read_or_cut, whole_model

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["report"]

#: Of the weights that a text of one's own begins with: that of the article.
SEED = 1337


@click.command(
    cls=DecodingCommand,
    short_help="One HTML page about a chain, or about a text of yours.",
    epilog="\b\nExample:\n  fsm-gpt report --text my.txt\n"
    "  fsm-gpt report ckpt.pt --text input.txt --vocabulary meta.pkl\n"
    "  fsm-gpt report machine.safetensors",
)
@click.argument("checkpoint_or_chain", type=FILE, required=False)
@click.option(
    "--text",
    metavar="TEXT_OR_FILE",
    help="What it was trained on, to compare with; without a checkpoint, what to train on.",
)
@click.option(
    "--context",
    type=click.IntRange(1),
    metavar="L",
    help="Without a checkpoint: tokens that the model sees. 3 if not given, or as many as fit.",
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    metavar="N",
    help="Without a checkpoint: updates in the training. 1000 if not given.",
)
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
    checkpoint_or_chain: str | None,
    text: str | None,
    context: int | None,
    steps: int | None,
    patterns: tuple[str, ...],
    how: Reading,
    decoding: tuple[Rule, ...],
    stop: tuple[str, ...],
    title: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Analyse a checkpoint, a chain or a text and write one self-contained HTML page.

    With --text alone a small GPT is trained on the text, each character a token, and its
    chain is reported. CHECKPOINT_OR_CHAIN is a file of fsm-gpt extract, or a model's file or
    folder. A model with too many windows to enumerate is cut to as many of its last tokens
    as fit; what can be said of the whole model, its loops and its sampled entropy rate,
    stands beside that.
    What the file is decides the kind of the report. A machine of fsm-gpt explore has a report
    also where the search stopped early: what was seen, how much leaks out of it, the loops that
    were reached. Of a minimal machine it is written by fsm-gpt minimize --output, of two chains
    by fsm-gpt compare --output.

    With --stop it also says how long texts are and where they end; the rest is about the
    chain that goes on. An output that ends in .md or .json is written as Markdown or JSON.
    Decoding options apply in the order in which they are typed.
    """
    from fsm_gpt.report.page import report_format

    _refuse_contradictions(checkpoint_or_chain, text, how, own=(context, steps))
    ready_to_write(output, checkpoint_or_chain, text, how.vocabulary)
    report_format(output)  # an ending that means nothing is refused before the work, too
    words = None if text is None else read_text(text)
    if checkpoint_or_chain is not None and is_explored(checkpoint_or_chain, decoding):
        asked = Asked(text=words, stop=stop, patterns=patterns, title=title, output=output)
        return report_explored(checkpoint_or_chain, how, asked, as_json=as_json)
    trained = None
    if checkpoint_or_chain is None:
        assert words is not None
        trained = of_text(words, context=context, steps=steps, seed=SEED, max_memory=how.max_memory)
        chain, model = trained.chain.with_decoding(*decoding), None
    else:
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
            before=None if trained is None else trained.before,
            losses=() if trained is None else trained.losses,
            watched=None if trained is None else trained.watched,
            model=None if model is None else sizes_of(str(checkpoint_or_chain), model),
            provenance={"command": command_line()},
        )
        if title is None and trained is not None:
            title = "A GPT trained on a text of yours"
        write_report(facts, output, title=title)
    show_facts(facts, as_json=as_json, report=output)
    return None


def _refuse_contradictions(
    source: str | None, text: str | None, how: Reading, *, own: tuple[int | None, int | None]
) -> None:
    """Usage errors that are about several options at once."""
    problem = None
    if source is None and text is None:
        problem = (
            "there is nothing to report. Name a checkpoint or a chain, or give --text and a file "
            "to train a small GPT on a text of yours."
        )
    elif source is None and how.of_checkpoints:
        problem = (
            "--vocabulary, --heads, --short-contexts, --truncate-to, --dtype and --device belong "
            "to a checkpoint, and none is named. Train one with fsm-gpt train, and report that."
        )
    elif source is not None and own != (None, None):
        problem = (
            "--context and --steps are for training on --text, and a checkpoint is trained. Leave "
            "them out, or leave the checkpoint out."
        )
    if problem:
        raise click.UsageError(problem, click.get_current_context())
