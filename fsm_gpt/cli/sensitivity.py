"""``fsm-gpt sensitivity``: which rows and weights move a number of a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.chains import (
    Reading,
    chain_options,
    check_text,
    read_chain_or_model,
    refuse_to_analyse,
)
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, Choice, read_text

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.markov.functional import Functional
    from fsm_gpt.markov.sensitivity import RowSensitivity
    from fsm_gpt.sensitivity import ModelSensitivity
    from fsm_gpt.space import Vocabulary

__all__ = ["sensitivity"]

#: What can be asked, and the options that it needs.
NEEDS = {
    "entropy-rate": (),
    "stationary": ("--state",),
    "hitting-time": ("--from", "--to"),
    "kl": ("--text",),
}


@click.command(
    cls=DecodingCommand,
    short_help="Which rows and weights move a number.",
    epilog="\b\nExample:\n  fsm-gpt sensitivity model.safetensors stationary --state 111",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.argument("number", type=Choice(tuple(NEEDS)), metavar="NUMBER")
@click.option("--state", metavar="STATE", help="The state, for stationary.")
@click.option("--from", "start", metavar="STATE", help="Where it begins, for hitting-time.")
@click.option("--to", "target", metavar="STATE", help="Where it ends, for hitting-time.")
@click.option("--text", metavar="TEXT_OR_FILE", help="The text whose chain is the reference of kl.")
@click.option(
    "--top",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="How many rows and parts are listed.",
)
@chain_options
@decoding_options
@json_option
def sensitivity(
    chain_or_checkpoint: str,
    number: str,
    state: str | None,
    start: str | None,
    target: str | None,
    text: str | None,
    top: int,
    how: Reading,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """The gradient of a number of the chain: what moves it, and how far.

    NUMBER is entropy-rate; stationary, the share of time in --state; hitting-time, the mean
    number of tokens --from a state --to another; or kl, what it costs to predict the --text by
    the model. CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or a model; of a model
    the heads, networks and embeddings are listed too.
    """
    given = {"--state": state, "--from": start, "--to": target, "--text": text}
    _refuse_others(number, given)
    subject = read_chain_or_model(chain_or_checkpoint, how, where="sensitivity")
    from fsm_gpt.chain import Chain
    from fsm_gpt.sensitivity import sensitivity as measure

    if isinstance(subject, Chain):
        chain = subject.with_decoding(*decoding) if decoding else subject
        refuse_to_analyse(chain, how)
        functional = _functional(number, given, chain.vocabulary, chain.context)
        if text is not None:
            check_text(read_text(text), chain)
        with working("working back"):
            found: Any = measure(chain, functional)
    else:
        context = how.truncate_to or subject.context
        functional = _functional(number, given, subject.vocabulary, context)
        with working("working back"):
            found = measure(
                subject,
                functional,
                decoding=decoding or None,
                short_contexts=how.short_contexts,
                truncate_to=how.truncate_to,
                max_memory_gib=how.max_memory,
            )
    if as_json:
        show_json(_document(found, top))
    else:
        click.echo(found.listing(top))


def _refuse_others(number: str, given: dict[str, str | None]) -> None:
    """Each number has its own options, and needs them."""
    needed = NEEDS[number]
    missing = [name for name in needed if given[name] is None]
    idle = [name for name, value in given.items() if value is not None and name not in needed]
    if missing:
        raise click.UsageError(
            f"{number} needs {' and '.join(missing)}. For example: fsm-gpt sensitivity "
            f"model.safetensors {number} {' '.join(f'{name} 111' for name in needed)}.",
            click.get_current_context(),
        )
    if idle:
        raise click.UsageError(
            f"{' and '.join(idle)} says nothing about {number}. Leave it out.",
            click.get_current_context(),
        )


def _functional(
    number: str, given: dict[str, str | None], vocabulary: Vocabulary, context: int | None
) -> Functional:
    from fsm_gpt.chain import Chain
    from fsm_gpt.markov.functional import (
        HittingTime,
        KLRate,
        StationaryProbability,
        TokenEntropy,
    )

    if number == "entropy-rate":
        return TokenEntropy()
    if number == "stationary":
        return StationaryProbability(str(given["--state"]))
    if number == "hitting-time":
        return HittingTime(str(given["--to"]), str(given["--from"]))
    words = read_text(str(given["--text"]))
    return KLRate(Chain.from_text(words, context=context or 1, end="drop", vocabulary=vocabulary))


def _document(found: RowSensitivity | ModelSensitivity, top: int) -> dict[str, Any]:
    """The gradient by rows, and of a model by parts; weights one by one are for Python."""
    from fsm_gpt.markov.sensitivity import RowSensitivity

    rows = found if isinstance(found, RowSensitivity) else found.rows
    document: dict[str, Any] = {
        "what": found.what,
        "value": found.value,
        "unit": found.unit,
        "rows": [{"state": label, "per_nat": moved} for label, moved in rows.top(top)],
        "method": found.method,
        "error_bound": rows.error_bound,
        "error_meaning": rows.error_meaning,
    }
    if not isinstance(found, RowSensitivity):
        document["parts"] = [vars(part) for part in found.parts]
    return document
