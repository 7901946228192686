"""What verbs are given: a text, a vocabulary, a checkpoint or a chain; and where they write."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_gpt.cli.console import progress, say
from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.files import check_writable, read_limited, read_stream, shown

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.decoding import Rule
    from fsm_gpt.space import Vocabulary

__all__ = [
    "chain_options",
    "check_text",
    "output_option",
    "read_chain",
    "read_text",
    "read_vocabulary_option",
    "ready_to_write",
]

#: Longer texts are refused.
LARGEST_TEXT = 2**28

#: A word that ends like a file name, such as input.txt.
_LIKE_A_FILE = re.compile(r"\.(txt|text|md|csv|json|dat|bin|pkl|pt|safetensors)$", re.IGNORECASE)


def read_text(given: str) -> str:
    """A text that was typed, or the text in a file of that name; "-" is standard input.

    The line break at the end of a file of one line is no part of its text.
    """
    if given != "-" and not _is_a_path(given):
        return given
    if given == "-":
        data = read_stream(sys.stdin.buffer, LARGEST_TEXT)
        if len(data) > LARGEST_TEXT:
            raise FileProblem(
                f"standard input: it has more than the {LARGEST_TEXT:,} bytes that a text may have "
                f"here. Give a part of it."
            )
    else:
        data = read_limited(given, LARGEST_TEXT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(
            f"{shown(given)}: its byte {error.start:,} is no UTF-8, so it is no text file that "
            f"can be read here. Give a text in UTF-8."
        ) from None
    line = text.removesuffix("\n").removesuffix("\r")
    text = text if "\n" in line else line
    say(f"text: {len(text):,} characters from {'standard input' if given == '-' else shown(given)}")
    return text


def check_text(text: str, chain: Chain) -> None:
    """Refuse a text to compare with that the chain cannot read."""
    from fsm_gpt.counts import context_coverage

    if chain.context is None:
        raise InvalidArgument(
            "text: the states of this chain are not contexts of its tokens, so no text can be "
            "compared with it. Leave --text out."
        )
    context_coverage(text, context=chain.context, vocabulary=chain.vocabulary)


def _is_a_path(given: str) -> bool:
    """Whether a file is meant: there is one, or the word looks like a path."""
    looks = "/" in given or os.sep in given or _LIKE_A_FILE.search(given)
    blank = any(c.isspace() for c in given)
    return os.path.isfile(given) or bool(looks and not blank)


def read_vocabulary_option(given: str | None) -> Vocabulary | None:
    """A vocabulary: the path of a JSON file or a meta.pkl, or the tokens as characters."""
    if given is None:
        return None
    from fsm_gpt.space import Vocabulary

    if not _is_a_path(given):
        return Vocabulary.of(given)
    from fsm_gpt.gpt.vocabulary_file import read_vocabulary

    return read_vocabulary(Path(given))


def output_option(default: str | None, what: str) -> Callable[..., Any]:
    """The option --output."""
    return click.option(
        "--output",
        "-o",
        default=default,
        show_default=default is not None,
        required=default is None,
        metavar="FILE",
        help=f"Where to write {what}.",
    )


def ready_to_write(output: str, *inputs: str | None) -> None:
    """Find out before long work that the output can be written, and is none of the inputs."""
    check_writable(output)
    for path in inputs:
        same = path and os.path.isfile(path) and os.path.isfile(output)
        if path and same and os.path.samefile(path, output):
            raise FileProblem(
                f"{shown(output)}: it is what is read here, and would be overwritten. "
                f"Name another file with --output."
            )


def chain_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say how a checkpoint becomes a chain."""
    for option in (
        click.option(
            "--vocabulary",
            metavar="FILE",
            help="The checkpoint's tokens: nanoGPT's meta.pkl, a JSON list, or the characters.",
        ),
        click.option(
            "--short-contexts", is_flag=True, help="Also the contexts shorter than a window."
        ),
        click.option(
            "--truncate-to",
            type=int,
            metavar="K",
            help="The chain of the model that sees only the last K tokens.",
        ),
    ):
        command = option(command)
    return command


def read_chain(
    path: str,
    *,
    vocabulary: str | None = None,
    short_contexts: bool = False,
    truncate_to: int | None = None,
    decoding: Sequence[Rule] = (),
    checkpoint_only: bool = False,
) -> Chain:
    """The chain in a chain file, or the chain of the model in a checkpoint, decoded."""
    from fsm_gpt.io.read import is_chain_file, load

    if is_chain_file(path) and not checkpoint_only:
        if vocabulary is not None or short_contexts or truncate_to is not None:
            raise click.UsageError(
                f"{shown(path)} holds a chain, and --vocabulary, --short-contexts and "
                f"--truncate-to are for checkpoints. Extract the chain anew with them.",
                click.get_current_context(),
            )
        chain = load(path)
        return chain.with_decoding(*decoding) if decoding else chain
    if is_chain_file(path):
        raise FileProblem(
            f"{shown(path)}: it holds a chain already, where a checkpoint is needed. "
            f"fsm-gpt analyze and fsm-gpt plot take it as it is."
        )
    from fsm_gpt.extract import extract
    from fsm_gpt.gpt import load_model

    model = load_model(path, vocabulary=read_vocabulary_option(vocabulary))
    with progress("extracting") as tick:
        return extract(
            model,
            short_contexts=short_contexts,
            truncate_to=truncate_to,
            decoding=tuple(decoding) or None,
            progress=lambda done, total: tick(done, total, "contexts"),
        )
