"""``fsm-gpt slow``: sets that a text seldom leaves, and what moves it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_to_analyse, watch_long_run
from fsm_gpt.cli.console import json_option, show_json, working
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE
from fsm_gpt.errors import NotDefined

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.markov.metastable import MetastableSets

__all__ = ["slow"]

#: The tables have so many sets, moves between them, and names of states or tokens.
MOST_ROWS, MOST_NAMES = 16, 4


@click.command(
    cls=DecodingCommand,
    short_help="What a text stays in for long.",
    epilog="\b\nExample:\n  fsm-gpt slow chain.safetensors --temperature 0.5",
)
@click.argument("file", type=FILE, metavar="CHAIN_OR_MODEL")
@click.option(
    "--sets",
    type=click.IntRange(2, 64),
    metavar="N",
    help="So many sets; else as many as the largest gap between time scales says.",
)
@chain_options
@decoding_options
@json_option
def slow(
    file: str, sets: int | None, how: Reading, decoding: tuple[Rule, ...], as_json: bool
) -> None:
    """Find sets of states that a text seldom leaves: how long it stays, what moves it on.

    CHAIN_OR_MODEL is a chain file or a checkpoint. How states are split into sets is a
    heuristic; what is said of the sets is certified. A chain without slow structure has no
    such sets, and it is said why.
    """
    chain = read_to_analyse(file, how, decoding=decoding)
    from fsm_gpt.markov.metastable import metastable_sets

    with working("finding slow sets") as note:
        watch_long_run(chain, note)
        try:
            found = metastable_sets(chain, n_sets=sets)
        except NotDefined as problem:  # which speaks of Python's options
            said = str(problem).replace("Ask time_scales(chain) for the time scales, or", "Ask")
            said = said.replace(" time_scales(chain) lists what is slow.", "")
            raise NotDefined(said.replace("n_sets=", "--sets ")) from None
    if as_json:
        show_json({"file": file, **found.to_dict(), "coarse": found.coarse.next_token.tolist()})
    else:
        _show(found)


def _show(found: MetastableSets) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fsm_gpt.result import format_number

    click.echo(f"{found.n_sets} sets ({found.method})")
    click.echo(f"error: {found.error_sentence}")
    functions = 1
    for mode in found.scales.slow:
        below = functions >= found.n_sets
        click.echo(f"{'next' if below else 'time'} scale: {mode}")
        if below:
            break
        functions += mode.dimension
    for mode in found.scales.cycles[:MOST_NAMES]:
        click.echo(f"cycle: {mode}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("set", "states", "share", "P(leave) a token", "mean stay, tokens"):
        table.add_column(head, justify="right")
    table.add_column("heaviest states", overflow="fold")
    for k in range(min(found.n_sets, MOST_ROWS)):
        table.add_row(
            str(k),
            f"{found.sizes[k]:,}",
            f"{found.shares[k]:.2%}",
            format_number(found.leave_per_token[k], 4),
            format_number(found.mean_stay_tokens[k], 4),
            Text(", ".join(found.heaviest[k][:MOST_NAMES])),
        )
    console = Console(highlight=False)
    console.print(table)
    moves = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("from", "to", "flux a token"):
        moves.add_column(head, justify="right")
    moves.add_column("by token", overflow="fold")
    moves.add_column("from context", overflow="fold")
    for move in found.moves[:MOST_ROWS]:
        by = zip(move.tokens, move.token_shares, strict=True)
        out_of = zip(move.contexts, move.context_tokens, move.context_shares, strict=True)
        moves.add_row(
            str(move.source),
            str(move.target),
            format_number(move.flux_per_token, 4),
            Text(", ".join(f"{token} {share:.1%}" for token, share in list(by)[:MOST_NAMES])),
            Text(", ".join(f"{c} → {t} {share:.1%}" for c, t, share in list(out_of)[:3])),
        )
    console.print(moves)
    if len(found.moves) > MOST_ROWS:
        click.echo(f"... and {len(found.moves) - MOST_ROWS:,} more pairs of sets")
