"""``fsm-gpt compare``: how well a model predicts a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, check_text, read_to_analyse, watch_long_run
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, read_text

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule
    from fsm_gpt.markov.compare import Comparison

__all__ = ["compare"]

#: The table has this many contexts, those that cost most.
MOST_ROWS = 16


@click.command(
    cls=DecodingCommand,
    short_help="A model against a reference.",
    epilog="\b\nExample:\n  fsm-gpt compare --text input.txt model.safetensors",
)
@click.argument("files", nargs=-1, type=FILE, metavar="[REFERENCE] MODEL")
@click.option(
    "--text", metavar="TEXT_OR_FILE", help="In place of REFERENCE: the chain of this text."
)
@chain_options
@decoding_options
@json_option
def compare(
    files: tuple[str, ...],
    text: str | None,
    how: Reading,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """What it costs to predict a reference by a model, in bits per token; reference first.

    REFERENCE and MODEL are chain files or checkpoints over the same contexts. With --text
    the reference is the chain of a text, read with the model's context and vocabulary.
    Decoding options apply to MODEL alone, --vocabulary and the like to whichever is a
    checkpoint.
    """
    _right_number(files, text)
    words = None if text is None else read_text(text)
    hows = _reading(files, how)
    model = read_to_analyse(files[-1], hows[-1], decoding=decoding)
    reference = read_to_analyse(files[0], hows[0]) if words is None else _chain_of(words, model)
    from fsm_gpt.markov.compare import compare as measure

    with working("comparing") as note:
        watch_long_run(reference, note)
        found = measure(reference, model)
    if as_json:
        named = {"reference": files[0] if text is None else "the text", "model": files[-1]}
        document = {**named, **found.to_dict()}
        show_json({**document, "share_by_state": _plain(found)})
    else:
        _show(found)


def _right_number(files: tuple[str, ...], text: str | None) -> None:
    wanted = 2 if text is None else 1
    if len(files) == wanted:
        return
    if text is None:
        problem = (
            f"{len(files)} of two files named. Name the reference and then the model, or "
            f"the model alone beside --text."
        )
    else:
        problem = f"beside --text stands one file, the model; {len(files)} are named."
    raise click.UsageError(problem, click.get_current_context())


def _reading(files: tuple[str, ...], how: Reading) -> list[Reading]:
    """How each file is read: the options of checkpoints are for those that are."""
    from fsm_gpt.io.read import is_chain_file

    chains = [is_chain_file(path) for path in files]
    if all(chains):
        return [how] * len(files)  # where such an option is refused
    return [how.of_a_chain() if chain else how for chain in chains]


def _chain_of(text: str, model: Chain) -> Chain:
    from fsm_gpt.chain import Chain

    check_text(text, model)
    assert model.context is not None
    return Chain.from_text(text, context=model.context, end="drop", vocabulary=model.vocabulary)


def _plain(found: Comparison) -> list[float | str]:
    from fsm_gpt.result import to_json

    return list(to_json(found.share_by_state))


def _show(found: Comparison) -> None:
    import numpy as np
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fsm_gpt.result import format_number

    for name, value in (
        ("KL(reference || model)", found.kl_bits_per_token),
        ("cross-entropy", found.cross_entropy_bits_per_token),
        ("reference's entropy rate", found.reference_bits_per_token),
    ):
        click.echo(f"{name:<26}{format_number(value)} bits per token")
    click.echo(f"{'error':<26}{found.error_sentence}")
    share = found.share_by_state
    order = np.argsort(-share, kind="stable")[:MOST_ROWS]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("context", overflow="fold")
    for head in ("π in the reference", "KL in bits", "π · KL"):
        table.add_column(head, justify="right")
    for i in order:
        numbers = (found.pi[i], found.kl_by_state[i], share[i])
        table.add_row(Text(found.states[i]), *(format_number(x, 4) for x in numbers))
    Console(highlight=False).print(table)
    if len(share) > len(order):
        click.echo(f"... and {len(share) - len(order):,} contexts that cost less")
    if found.missing:
        named = ", ".join(found.missing[:8])
        more = f" and {len(found.missing) - 8:,} more" if len(found.missing) > 8 else ""
        click.echo(f"ruled out by the model, yet it happens after: {named}{more}")
