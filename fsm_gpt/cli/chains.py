"""The chain that a verb is about: in a chain file, or in a checkpoint, then decoded."""

from __future__ import annotations

import codecs
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.console import progress
from fsm_gpt.cli.inputs import FILE, Choice, read_vocabulary_option
from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.files import shown

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule
    from fsm_gpt.extract import Precision
    from fsm_gpt.gpt.load import LoadedModel

__all__ = [
    "Reading",
    "as_typed",
    "chain_options",
    "check_text",
    "device_option",
    "extracted",
    "heads_option",
    "memory_option",
    "read_chain",
    "read_chain_or_model",
    "read_model",
    "read_to_analyse",
    "refuse_neither",
    "refuse_to_analyse",
    "refuse_to_read",
    "truncate_option",
    "vocabulary_option",
    "watch_long_run",
]

#: Bytes in memory for each byte of a chain file, while it is checked.
LOADING = 5


@dataclass(frozen=True)
class Reading:
    """How a checkpoint becomes a chain, and how much memory that may take."""

    vocabulary: str | None = None
    short_contexts: bool = False
    truncate_to: int | None = None
    device: str | None = None
    max_memory: float = 8.0
    heads: int | None = None
    dtype: Precision = "float64"

    @property
    def of_checkpoints(self) -> bool:
        """Whether anything is asked for that only a checkpoint can give."""
        return self != Reading(max_memory=self.max_memory)

    def of_a_chain(self) -> Reading:
        """What of it is about chain files too."""
        return Reading(max_memory=self.max_memory)


vocabulary_option = click.option(
    "--vocabulary",
    type=FILE,
    metavar="FILE",
    help="The model's tokens: meta.pkl, tokenizer.json, a JSON list, or characters.",
)
heads_option = click.option(
    "--heads",
    type=int,
    metavar="N",
    help="How many attention heads, for minGPT's files, which do not say.",
)
truncate_option = click.option(
    "--truncate-to",
    type=int,
    metavar="K",
    help="The chain of the model that sees only the last K tokens.",
)
device_option = click.option(
    "--device", metavar="NAME", help="Where the model computes: cpu, or cuda where there is one."
)
memory_option = click.option(
    "--max-memory",
    type=click.FloatRange(min=0, min_open=True),
    default=8.0,
    show_default=True,
    metavar="GIB",
    help="Refuse what would take more memory.",
)


def chain_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say how a chain is read; the command gets them as ``how``."""

    @functools.wraps(command)
    def packed(
        vocabulary: str | None,
        short_contexts: bool,
        truncate_to: int | None,
        device: str | None,
        max_memory: float,
        heads: int | None,
        dtype: Precision,
        **others: Any,
    ) -> Any:
        how = Reading(vocabulary, short_contexts, truncate_to, device, max_memory, heads, dtype)
        return command(how=how, **others)

    taking: Callable[..., Any] = packed
    short_contexts = click.option(
        "--short-contexts", is_flag=True, help="Also the contexts shorter than a window."
    )
    dtype = click.option(
        "--dtype",
        type=Choice(("float64", "float32")),
        default="float64",
        show_default=True,
        help="How probabilities are kept; float32 takes half the memory.",
    )
    for option in reversed(
        (
            vocabulary_option,
            heads_option,
            short_contexts,
            truncate_option,
            dtype,
            device_option,
            memory_option,
        )
    ):
        taking = option(taking)
    return taking


def read_chain(
    path: str, how: Reading, *, decoding: Sequence[Rule] = (), checkpoint_only: bool = False
) -> Chain:
    """The chain in a chain file, or the chain of the model in a checkpoint, decoded."""
    from fsm_gpt.io.read import is_chain_file, load

    if is_chain_file(path) and not checkpoint_only:
        refuse_to_read(path, how)
        if os.path.isdir(path):
            with as_typed():
                chain = load(path, max_memory_gib=how.max_memory)
                return chain.with_decoding(*decoding) if decoding else chain
        chain = load(path)
        return chain.with_decoding(*decoding) if decoding else chain
    if not checkpoint_only:
        refuse_neither(path)
    return extracted(read_model(path, how, where="extract"), how, decoding)


def refuse_to_read(path: str, how: Reading) -> None:
    """Refuse options that a chain file has no use for, and a file that is too large."""
    if how.of_checkpoints:
        raise click.UsageError(
            f"{shown(path)} holds a chain, and --vocabulary, --heads, --short-contexts, "
            f"--truncate-to, --dtype and --device are for checkpoints. Extract the chain anew "
            f"with them.",
            click.get_current_context(),
        )
    need = LOADING * os.path.getsize(path) / 2**30
    _refuse_above(how, need, f"{shown(path)}: reading it")


def read_to_analyse(path: str, how: Reading, *, decoding: Sequence[Rule] = ()) -> Chain:
    """The same, where it is small enough for every question to be asked of it."""
    chain = read_chain(path, how, decoding=decoding)
    refuse_to_analyse(chain, how)
    return chain


def refuse_to_analyse(chain: Chain, how: Reading) -> None:
    """Refuse a chain whose analysis would take more memory than is allowed."""
    from fsm_gpt.cutting import analysis_bytes

    need = analysis_bytes(chain.n_states, chain.n_edges) / 2**30
    _refuse_above(
        how, need, f"analysing {chain.n_states:,} states and {chain.n_edges:,} transitions"
    )


def watch_long_run(chain: Chain, note: Callable[[str], None]) -> None:
    """Solve a large chain's stationary distribution, with its progress told.

    Why there is none, if so, is explained by those who ask for it.
    """
    from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
    from fsm_gpt.markov.stationary import stationary_distribution

    def progress(cycles: int, change: float, residual: float) -> None:
        after = f"cycle {cycles}" if cycles else "power iteration"
        note(f"stationary distribution, {after}, last change {change:.0e}")

    if chain.n_states > ELIMINATION_LIMIT and chain.kind == "float":
        with suppress(FsmGptError):
            stationary_distribution(chain, progress=progress)


def _refuse_above(how: Reading, need: float, what: str) -> None:
    if need > how.max_memory:
        amount = f"{need:,.1f}" if need >= 0.1 else f"{need:.1g}"
        raise StateSpaceTooLarge(
            f"{what} takes about {amount} GiB, above the limit of {how.max_memory:g} GiB. "
            f"Raise --max-memory where there is more memory, or take a shorter context "
            f"(--truncate-to, for a checkpoint)."
        )


def read_model(path: str, how: Reading, *, where: str) -> LoadedModel:
    """The model in a file or folder; ``where`` is the verb, for an error.

    A device that is asked for and not here is refused first.
    """
    from fsm_gpt.as_found import refuse_device
    from fsm_gpt.gpt import load_model
    from fsm_gpt.io.read import is_chain_file

    if is_chain_file(path):
        raise FileProblem(
            f"{shown(path)}: it holds a chain already, where a checkpoint is needed. "
            f"fsm-gpt analyze and fsm-gpt plot take it as it is."
        )
    if how.device is not None:
        refuse_device(how.device, where=where)
    return load_model(path, vocabulary=read_vocabulary_option(how.vocabulary), n_head=how.heads)


def read_chain_or_model(path: str, how: Reading, *, where: str) -> Chain | LoadedModel:
    """The chain in a chain file, or the model in a checkpoint, as it is."""
    from fsm_gpt.io.read import is_chain_file

    if is_chain_file(path):
        return read_chain(path, how)
    refuse_neither(path)
    return read_model(path, how, where=where)


def extracted(model: LoadedModel, how: Reading, decoding: Sequence[Rule]) -> Chain:
    """The chain of a model, with progress told."""
    from fsm_gpt.extract import extract

    with as_typed(), progress("extracting", timed=True) as tick:
        return extract(
            model,
            short_contexts=how.short_contexts,
            truncate_to=how.truncate_to,
            device=how.device,
            decoding=tuple(decoding) or None,
            dtype=how.dtype,
            max_memory_gib=how.max_memory,
            progress=lambda done, total: tick(done, total, "contexts"),
        )


@contextmanager
def as_typed() -> Iterator[None]:
    """Say what is too large with the options of the command line in place of Python's."""
    try:
        yield
    except StateSpaceTooLarge as error:
        said = str(error).replace("truncate_to", "--truncate-to")
        said = said.replace("dtype='float32'", "--dtype float32").replace("top-k 40", "--top-k 40")
        raise StateSpaceTooLarge(said.replace("max_memory_gib", "--max-memory")) from None


def refuse_neither(path: str) -> None:
    """Refuse a file that is neither a chain file nor anything that could be a checkpoint."""
    from fsm_gpt.headers import kind_of, start_of

    if not os.path.isfile(path):
        return  # a missing file or a folder is explained by those who read it
    start, size = start_of(Path(path))
    kind = kind_of(start, size)
    if kind == "safetensors":
        what = _foreign_safetensors(path, size)
    elif not size:
        what = "empty"
    elif kind == "unknown" and _is_text(start):
        raise FileProblem(
            f"{shown(path)}: it is a text, and neither a chain file nor a checkpoint. fsm-gpt "
            f"report --text {shown(path)} trains a small GPT on it and reports that, and fsm-gpt "
            f"train {shown(path)} makes a checkpoint."
        )
    else:
        what = f"{size:,} bytes of another kind" if kind == "unknown" else None
    if what is not None:
        raise FileProblem(
            f"{shown(path)}: it is neither a chain file nor a checkpoint ({what}). Give a file of "
            f"fsm-gpt extract or fsm-gpt train, nanoGPT's ckpt.pt, or the folder of a Hugging Face "
            f"model."
        )


def _is_text(start: bytes) -> bool:
    """Whether the first bytes of a file are text: UTF-8, and no control signs but blanks."""
    try:
        words = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign.isspace() for sign in words)


def _foreign_safetensors(path: str, size: int) -> str | None:
    """What a safetensors file is that is no checkpoint, or None where it is one."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= min(size - 8, 100_000_000) else {}
        if "fsm_gpt" in (header.get("__metadata__") or {}):
            return None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return "a damaged safetensors file"
    return "a safetensors file that says of itself neither"


def check_text(text: str, chain: Chain) -> None:
    """Refuse a text to compare with that the chain cannot read."""
    from fsm_gpt.counts import context_coverage

    if chain.context is None:
        raise InvalidArgument(
            "text: the states of this chain are not contexts of its tokens, so no text can be "
            "compared with it. Leave --text out."
        )
    context_coverage(text, context=chain.context, vocabulary=chain.vocabulary)
