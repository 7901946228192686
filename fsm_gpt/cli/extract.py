"""``fsm-gpt extract``: the chain of a checkpoint, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.chains import Reading, as_typed, chain_options, read_chain, read_model
from fsm_gpt.cli.console import json_option, progress, show_json
from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.cli.inputs import FILE, output_option, ready_to_write

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
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
@output_option("chain.safetensors", "the chain; a name in .zarr is a store, written chunk by chunk")
@click.option("--resume", is_flag=True, help="Go on with a store whose extraction was stopped.")
@click.option(
    "--chunk",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MIB",
    help="How large the chunks of a store are at most; 5 without it.",
)
@json_option
def extract(
    checkpoint: str,
    how: Reading,
    decoding: tuple[Rule, ...],
    output: str,
    resume: bool,
    chunk: float | None,
    as_json: bool,
) -> None:
    """Ask a checkpoint about every context and write the chain that it is.

    CHECKPOINT is a file of fsm-gpt train, nanoGPT's ckpt.pt, a state dict of minGPT, a .bin
    of llama2.c, a folder of a Hugging Face model, or GGUF. Decoding options apply in the
    order in which they are typed.

    A store (--output chain.zarr) takes the memory of a few chunks while it is written. It may be
    stopped at any moment; the same command with --resume goes on.
    """
    from fsm_gpt.decoding import in_words
    from fsm_gpt.io.write import is_store_name, save

    if is_store_name(output):
        chain = _to_store(checkpoint, how, decoding, output, resume, chunk)
    else:
        if resume or chunk is not None:
            raise click.UsageError(
                "--resume and --chunk are for stores, whose names end in .zarr. Give such a name "
                "with --output.",
                click.get_current_context(),
            )
        ready_to_write(output, checkpoint, how.vocabulary)
        chain = read_chain(checkpoint, how, decoding=decoding, checkpoint_only=True)
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


def _to_store(
    checkpoint: str,
    how: Reading,
    decoding: tuple[Rule, ...],
    output: str,
    resume: bool,
    chunk: float | None,
) -> Chain:
    """Write the chain of a checkpoint chunk by chunk, with progress told."""
    if how.short_contexts:
        raise click.UsageError(
            "a store holds full windows, and --short-contexts asks for shorter ones too. Leave it "
            "out, or give --output a name in .safetensors.",
            click.get_current_context(),
        )
    model = read_model(checkpoint, how, where="extract")
    from fsm_gpt.extract_to_store import extract_to_store
    from fsm_gpt.io.zarr_format import CHUNK_BYTES

    with as_typed(), progress("extracting", timed=True) as tick:
        return extract_to_store(
            model,
            output,
            resume=resume,
            truncate_to=how.truncate_to,
            device=how.device,
            decoding=tuple(decoding) or None,
            dtype=how.dtype,
            chunk_bytes=CHUNK_BYTES if chunk is None else max(1, int(chunk * 2**20)),
            max_memory_gib=how.max_memory,
            progress=lambda done, total: tick(done, total, "contexts"),
        )
