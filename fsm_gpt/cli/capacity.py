"""``fsm-gpt capacity``: how many bits of state real models have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from fsm_gpt.cli.console import json_option, show_json
from fsm_gpt.cli.inputs import FILE, Choice, ready_to_write
from fsm_gpt.files import shown

if TYPE_CHECKING:
    from fsm_gpt.capacity import Capacity, NoCapacity

__all__ = ["capacity"]

#: No vocabulary and no context comes near the upper end.
SIZE = click.IntRange(1, 10**18)
FORMATS = ("table", "markdown", "csv", "json", "html", "bibtex")


@click.command(
    short_help="Bits of state of real models.",
    epilog="\b\nExample:\n  fsm-gpt capacity gpt2 gpt-3 llama-3-8b --output capacity.html",
)
@click.argument(
    "names",
    nargs=-1,
    metavar="[NAME_OR_CONFIG]...",
    shell_complete=lambda ctx, param, typed: _names(typed),
)
@click.option("--all", "everything", is_flag=True, help="Every model of the table.")
@click.option("--vocab", type=SIZE, metavar="V", help="How many ids, in place of the model's own.")
@click.option("--context", type=SIZE, metavar="L", help="Tokens, in place of the model's own.")
@click.option(
    "--output", "-o", type=FILE, metavar="FILE", help="Write a file; its ending says in which form."
)
@click.option("--format", "form", type=Choice(FORMATS), help="How to print or write it.")
@json_option
def capacity(
    names: tuple[str, ...],
    everything: bool,
    vocab: int | None,
    context: int | None,
    output: str | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Bits of state of real models: log2(V) * L for V tokens and a context of L.

    NAME_OR_CONFIG is a model, such as gpt2 or llama-3-8b, a config.json or its folder, or a
    file of weights (GGUF, llama2.c, fsm-gpt train). --vocab and --context replace a model's
    own numbers, or stand without a model. It is an upper bound on state, not the knowledge
    stored.
    """
    sizes = vocab is not None or context is not None
    _refuse_contradictions(names, everything=everything, sizes=sizes)
    if as_json and form not in (None, "json"):
        raise click.UsageError(
            f"--json and --format {form} contradict each other.", click.get_current_context()
        )
    if output is not None:
        ready_to_write(output, *names)
    from fsm_gpt.capacity import all_models, capacity as figure, capacity_or_reason

    if len(names) <= 1 and not everything:
        one = figure(names[0] if names else None, vocabulary=vocab, context=context)
        if output is None and form in (None, "table") and not as_json:
            click.echo(str(one))
            return
        rows: list[Capacity | NoCapacity] = [one]
    else:
        chosen = [model.name for model in all_models()] if everything else names
        rows = [capacity_or_reason(name) for name in chosen]
    from fsm_gpt.report.capacity_report import report_of

    report = report_of(rows)
    if output is not None:
        report.save(output, format=form)
        if as_json:
            show_json({"models": len(rows), "file": output})
        else:
            click.echo(
                f"capacity report: {shown(output)} ({len(rows)} model{'s' * (len(rows) != 1)})"
            )
    elif as_json or form == "json":
        document = report.to_dict()
        document.pop("schema_version")  # the document's own says the same
        show_json(document)
    else:
        click.echo(report.render(form or "table").rstrip("\r\n"))


def _names(typed: str) -> list[CompletionItem]:
    """Models whose name begins so, in a form that is one word, or else files."""
    from fsm_gpt.capacity import all_models

    words = [re.sub(r"[^a-z0-9.]+", "-", model.name.lower()).strip("-") for model in all_models()]
    meant = [CompletionItem(word) for word in words if word.startswith(typed.lower())]
    return meant or [CompletionItem(typed, type="file")]


def _refuse_contradictions(names: tuple[str, ...], *, everything: bool, sizes: bool) -> None:
    """Usage errors that are about several options at once."""
    problem = None
    if everything and names:
        problem = "--all means every model of the table, so no name can stand beside it."
    elif sizes and (everything or len(names) > 1):
        problem = "--vocab and --context are about one model, and several are named."
    elif not (names or everything or sizes):
        problem = (
            "no model is named. Name one, such as gpt2; or give --vocab and --context, or --all."
        )
    if problem:
        raise click.UsageError(problem, click.get_current_context())
