"""``fsm-gpt minimize``: the fewest states that write the same texts, or fewer at a price."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_to_analyse, watch_long_run
from fsm_gpt.cli.console import command_line, json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, page_option, ready_for_page, ready_to_write
from fsm_gpt.errors import InvalidArgument

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.markov.minimal_machine import MinimalMachine

__all__ = ["minimize"]

#: A machine of more states is not listed, neither as text nor in JSON; --save has it whole.
MOST_LISTED = 1024
#: Of a machine's rows so many are printed.
MOST_ROWS = 16


@click.command(
    cls=DecodingCommand,
    short_help="The fewest states, exact or at a price.",
    epilog="\b\nExample:\n  fsm-gpt minimize chain.safetensors --max-states 5 --graph machine.png\n"
    "  fsm-gpt minimize chain.safetensors --output machine.html",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.option(
    "--max-states", type=int, metavar="N", help="So many states at most, at the least price found."
)
@click.option(
    "--max-kl-rate",
    type=float,
    metavar="X",
    help="So many bits per token at most, with the fewest states found.",
)
@click.option("--pareto", is_flag=True, help="Show states against price, also for the exact one.")
@click.option("--save", type=FILE, metavar="FILE", help="Write the machine as a chain file.")
@click.option("--graph", type=FILE, metavar="FILE", help="Draw the machine: a .png or .svg file.")
@page_option
@chain_options
@decoding_options
@json_option
def minimize(
    chain_or_checkpoint: str,
    max_states: int | None,
    max_kl_rate: float | None,
    pareto: bool,
    save: str | None,
    graph: str | None,
    output: str | None,
    how: Reading,
    decoding: tuple[Rule, ...],
    as_json: bool,
) -> None:
    """The minimal machine of a chain: the fewest states that write the same texts.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or nanoGPT's ckpt.pt. With
    --max-states or --max-kl-rate states that are nearly alike are merged as well. The price is
    the KL rate, in bits per token, that is lost by predicting the chain by the machine; the
    machine is the best that a greedy search found. Decoding options apply first, in the order
    in which they are typed. With --output a page says what the machine keeps and what it loses.
    JSON names the states of machines of 1,024 states at most.
    """
    if graph is not None and Path(graph).suffix.lower() not in (".png", ".svg"):
        raise click.UsageError(
            f"--graph {graph!r} ends neither in .png nor in .svg, and its ending decides what is "
            f"written.",
            click.get_current_context(),
        )
    for file in (save, graph):
        if file is not None:
            ready_to_write(file, chain_or_checkpoint, how.vocabulary)
    ready_for_page(output, chain_or_checkpoint, how.vocabulary)
    chain = read_to_analyse(chain_or_checkpoint, how, decoding=decoding)
    from fsm_gpt.markov.minimize import minimize as smallest

    with working("minimizing") as note:
        if pareto or max_states is not None or max_kl_rate is not None:
            watch_long_run(chain, note)
            note("looking for machines")
        try:
            found = smallest(chain, max_states=max_states, max_kl_rate=max_kl_rate)
        except InvalidArgument as error:  # which speaks of Python's options
            raise InvalidArgument(_in_options(str(error))) from None
        curve = found.pareto() if pareto else None
    files = _write(found, save, graph)
    if output is not None:
        from fsm_gpt.report.kinds import report_of

        with working("drawing"):
            report_of(found, provenance={"command": command_line()}).save(output)
        files["report"] = output
    if as_json:
        document = {"chain": chain_or_checkpoint, **_document(found), "files": files}
        show_json(document if curve is None else {**document, "pareto": curve.to_dict()})
        return
    click.echo(str(found))
    if curve is not None and found.is_exact:
        click.echo(str(curve))
    if found.n_states <= MOST_LISTED:
        click.echo(found.chain.listing(limit=MOST_ROWS))
    for kind, place in files.items():
        click.echo(f"{kind}: {place}")


def _in_options(said: str) -> str:
    said = said.replace("max_kl_rate=", "--max-kl-rate ").replace("max_kl_rate", "--max-kl-rate")
    said = said.replace("max_states=", "--max-states ").replace("max_states", "--max-states")
    return said.replace("minimize(chain).pareto()", "--pareto").replace(".pareto()", "--pareto")


def _write(found: MinimalMachine, save: str | None, graph: str | None) -> dict[str, str]:
    """The files asked for; the picture is drawn before anything is written."""
    from fsm_gpt.io import save as write

    files, axes = {}, None
    if graph is not None:
        from fsm_gpt.report import save_figure, state_graph

        with working("drawing"):
            axes = state_graph(found)
    if save is not None:
        write(found.chain, save)
        files["machine"] = save
    if graph is not None and axes is not None:
        save_figure(axes, graph)
        files["graph"] = graph
    return files


def _document(found: MinimalMachine) -> dict[str, Any]:
    import numpy as np

    document = found.to_dict()
    del document["block"]
    names = sizes = None
    if found.n_states <= MOST_LISTED:
        names, sizes = found.chain.labels(), np.bincount(found.block).tolist()
    return {
        "n_states": found.n_states,
        "original_states": found.original.n_states,
        "n_transitions": found.chain.n_edges,
        **document,
        "names": names,
        "sizes": sizes,
    }
