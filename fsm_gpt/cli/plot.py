"""``fsm-gpt plot``: one picture of a chain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_chain
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, Choice, output_option, ready_to_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule

__all__ = ["plot"]

#: Each kind, and its function in ``fsm_gpt.plot``.
KINDS = {
    "graph": "state_graph",
    "table": "context_table",
    "flow": "flow_ring",
    "mass": "mass_map",
    "next": "next_token_map",
    "suffixes": "suffixes",
    "ranks": "ranks",
    "spectrum": "spectrum",
    "memory": "memory_curve",
    "mixing": "mixing",
    "pareto": "pareto",
}


@click.command(
    cls=DecodingCommand,
    short_help="One picture of a chain.",
    epilog="\b\nExample:\n  fsm-gpt plot chain.safetensors --greedy --output graph.svg",
)
@click.argument("chain_or_checkpoint", type=FILE)
@click.option(
    "--kind", type=Choice(tuple(KINDS)), default="graph", show_default=True, help="What to draw."
)
@chain_options
@decoding_options
@click.option("--dark", is_flag=True, help="Light lines on a dark ground.")
@output_option("chain.png", "the picture, a .png or .svg file")
@json_option
def plot(
    chain_or_checkpoint: str,
    kind: str,
    how: Reading,
    decoding: tuple[Rule, ...],
    dark: bool,
    output: str,
    as_json: bool,
) -> None:
    """Draw a chain as a graph, a table, a map or a curve.

    Kinds: graph, a disc for each state, up to 32; table, the rows folded into a square; flow, up to
    512 states on a ring with arcs as wide as the share of steps that take them; mass and next, maps
    of where the time is spent and of what comes next, for any number of contexts; suffixes, the
    last tokens by share of time; ranks, how few states matter; spectrum; memory; mixing, how soon
    the start is forgotten; pareto, states against price.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or nanoGPT's ckpt.pt.
    """
    if Path(output).suffix.lower() not in (".png", ".svg"):
        raise click.UsageError(
            f"--output {output!r} ends neither in .png nor in .svg, and its ending decides "
            f"what is written.",
            click.get_current_context(),
        )
    ready_to_write(output, chain_or_checkpoint, how.vocabulary)
    chain = read_chain(chain_or_checkpoint, how, decoding=decoding)
    with working("drawing"):
        draw(chain, kind, output, dark=dark)
    if as_json:
        show_json({"kind": kind, "file": output})
    else:
        click.echo(f"picture: {output}")


def draw(chain: Chain, kind: str, output: str, *, dark: bool) -> None:
    """Draw one picture into a file."""
    from fsm_gpt import plot as pictures
    from fsm_gpt.report.fonts import browser_fonts

    drawing: Callable[..., Axes] = getattr(pictures, KINDS[kind])
    with browser_fonts(Path(output).suffix.lower() == ".svg"):
        pictures.save(drawing(chain, dark=dark), output)
