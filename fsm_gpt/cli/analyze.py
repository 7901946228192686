"""``fsm-gpt analyze``: every number of a chain, in the terminal or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, check_text, read_to_analyse, watch_long_run
from fsm_gpt.cli.console import command_line, json_option, working
from fsm_gpt.cli.decoding import TYPED, DecodingCommand, decoding_options
from fsm_gpt.cli.following import after_analyze
from fsm_gpt.cli.inputs import FILE, read_text
from fsm_gpt.cli.show import show_facts

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["analyze"]


@click.command(
    cls=DecodingCommand,
    short_help="Every number of a chain.",
    epilog="\b\nExample:\n  fsm-gpt analyze chain.safetensors --temperature 0.5 --json",
)
@click.argument("chain_or_checkpoint", type=FILE)
@chain_options
@decoding_options
@click.option("--exact", is_flag=True, help="In rationals, where the chain is small.")
@click.option("--text", metavar="TEXT_OR_FILE", help="Compare with the chain of this text.")
@json_option
def analyze(
    chain_or_checkpoint: str,
    how: Reading,
    decoding: tuple[Rule, ...],
    exact: bool,
    text: str | None,
    as_json: bool,
) -> None:
    """Classes, stationary distribution, entropy rate, memory, mixing and the rest.

    CHAIN_OR_CHECKPOINT is a file of fsm-gpt extract or train, or nanoGPT's ckpt.pt.
    Decoding options apply in the order in which they are typed.
    """
    words = None if text is None else read_text(text)
    chain = read_to_analyse(chain_or_checkpoint, how, decoding=decoding)
    if words is not None:
        check_text(words, chain)
    from fsm_gpt.report.facts import gather

    with working("analysing") as note:
        watch_long_run(chain, note)
        facts = gather(
            chain.exact() if exact else chain,
            text=words,
            provenance={"command": command_line()},
        )
    typed = click.get_current_context().meta.get(TYPED, [chain_or_checkpoint])
    show_facts(
        facts,
        as_json=as_json,
        following=after_analyze(chain_or_checkpoint, typed, n_states=chain.n_states),
    )
