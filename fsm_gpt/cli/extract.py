"""``fsm-gpt extract``: the chain of a checkpoint, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, chain_options, read_chain
from fsm_gpt.cli.console import json_option, show_json
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, output_option, ready_to_write

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule

__all__ = ["extract"]


@click.command(
    cls=DecodingCommand,
    short_help="The chain of a checkpoint.",
    epilog="\b\nExample:\n  fsm-gpt extract model.safetensors --top-k 2 --output chain.safetensors",
)
@click.argument("checkpoint", type=FILE)
@chain_options
@decoding_options
@output_option("chain.safetensors", "the chain")
@json_option
def extract(
    checkpoint: str,
    how: Reading,
    decoding: tuple[Rule, ...],
    output: str,
    as_json: bool,
) -> None:
    """Ask a checkpoint about every context and write the chain that it is.

    CHECKPOINT is a file of fsm-gpt train, nanoGPT's ckpt.pt, a state dict of minGPT, a .bin
    of llama2.c, a folder of a Hugging Face model, or GGUF. Decoding options apply in the
    order in which they are typed.
    """
    ready_to_write(output, checkpoint, how.vocabulary)
    chain = read_chain(checkpoint, how, decoding=decoding, checkpoint_only=True)
    from fsm_gpt.decoding import in_words
    from fsm_gpt.io import save

    save(chain, output)
    if as_json:
        about = {
            "n_states": chain.n_states,
            "n_tokens": chain.n_tokens,
            "n_transitions": chain.n_edges,
            "context": chain.context,
            "decoding": in_words(chain.decoding),
            "notes": list(chain.notes),
            "provenance": dict(chain.provenance),
        }
        show_json({"chain": about, "file": output})
        return
    click.echo(f"{chain}\n{chain.listing(limit=16)}")
    for note in chain.notes:
        click.echo(f"note: {note}")
    click.echo(f"chain: {output}")
