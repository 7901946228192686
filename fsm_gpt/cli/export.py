"""``fsm-gpt export``: a chain in the formats of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_chain
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, Choice, output_option, ready_to_write
from fsm_gpt.errors import InvalidArgument

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["FORMATS", "export"]

#: As fsm_gpt.io.export has them, which would take its time to be imported; a test compares.
FORMATS = ("dot", "graphml", "json", "npz", "csv", "prism")


@click.command(
    cls=DecodingCommand,
    short_help="A chain for other programs.",
    epilog="\b\nExample:\n  fsm-gpt export chain.safetensors --greedy --output chain.dot",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.option(
    "--format",
    "--to",
    "form",
    type=Choice(FORMATS),
    help="In place of what the ending of the file says.",
)
@click.option(
    "--label",
    "labels",
    nargs=2,
    multiple=True,
    metavar="NAME STATE",
    help="A label for the model checkers and a state that has it; may be repeated.",
)
@click.option(
    "--start", metavar="STATE", help="The state in which the model checkers begin; 0 without it."
)
@chain_options
@decoding_options
@output_option(None, "the chain: .dot, .graphml, .json, .npz, .csv or .tra")
@json_option
def export(
    chain_or_checkpoint: str,
    form: str | None,
    labels: tuple[tuple[str, str], ...],
    start: str | None,
    how: Reading,
    decoding: tuple[Rule, ...],
    output: str,
    as_json: bool,
) -> None:
    """Write a chain as DOT, GraphML, node-link JSON, scipy's .npz, CSV or for model checkers.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or nanoGPT's ckpt.pt. DOT is
    for graphviz, GraphML for yEd, Gephi and Cytoscape; .npz has the transition matrix alone.
    For the model checkers PRISM and Storm, .tra has the transitions, and variables, labels and
    rewards are written beside it, into .sta, .lab, .srew and .trew.
    Decoding options apply in the order in which they are typed.
    """
    from fsm_gpt.io.export import export as write, format_of
    from fsm_gpt.io.prism import companions

    try:
        chosen = format_of(output, form)
        files = companions(output) if chosen == "prism" else [output]
    except InvalidArgument as error:
        said = str(error).removeprefix("export: ").replace("name the format", "give --format")
        raise click.UsageError(said, click.get_current_context()) from None
    if chosen != "prism" and (labels or start is not None):
        raise click.UsageError(
            f"--label and --start are for the files of PRISM, and {chosen} has no place for them. "
            f"Give --to prism, or leave them out.",
            click.get_current_context(),
        )
    for file in files:
        ready_to_write(str(file), chain_or_checkpoint, how.vocabulary)
    chain = read_chain(chain_or_checkpoint, how, decoding=decoding)
    named: dict[str, list[str]] = {}
    for name, state in labels:
        named.setdefault(name, []).append(state)
    with working("writing"):
        if chosen == "prism":
            write(chain, output, format=chosen, labels=named, start=start)
        else:
            write(chain, output, format=chosen)
    if as_json:
        about = {"n_states": chain.n_states, "n_transitions": chain.n_edges}
        show_json({"chain": about, "format": chosen, "file": output})
    else:
        click.echo(f"{chosen}: {output} ({chain.n_states:,} states, {chain.n_edges:,} transitions)")
