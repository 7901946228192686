"""What verbs are given: a text, a vocabulary, the name of a file; and where they write."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from fsm_gpt.cli.console import say
from fsm_gpt.errors import FileProblem, InvalidText
from fsm_gpt.files import check_writable, read_limited, read_stream, shown

if TYPE_CHECKING:
    from fsm_gpt.space import Vocabulary

    _Choice: TypeAlias = click.Choice[str]
    _ParamType: TypeAlias = click.ParamType[str]
else:  # older versions of click take no type here
    _Choice, _ParamType = click.Choice, click.ParamType

__all__ = [
    "FILE",
    "Choice",
    "output_option",
    "page_option",
    "prompt_options",
    "read_prompt_options",
    "read_text",
    "read_vocabulary_option",
    "ready_for_page",
    "ready_to_write",
]

#: Longer texts are refused.
LARGEST_TEXT = 2**28

#: A word that ends like a file name, such as input.txt.
_LIKE_A_FILE = re.compile(
    r"\.(txt|text|md|rst|tex|html?|xml|csv|tsv|jsonl?|log|dat|py|bin|pkl|pt|safetensors)$",
    re.IGNORECASE,
)


class _FileName(_ParamType):
    """The name of a file, which a shell can complete; whether it is there is asked later."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Ask the shell for files."""
        return [CompletionItem(incomplete, type="file")]


FILE = _FileName()


class Choice(_Choice):
    """One of some words; a word that is nearly one of them gets a suggestion."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            words = [str(word) for word in self.choices]
            near = difflib.get_close_matches(str(value).lower(), words, n=1, cutoff=0.5)
            if not near:
                raise
            said = f"{error.message.rstrip('.')}. Did you mean {near[0]}?"
            raise click.BadParameter(said, ctx, param) from None


def read_text(given: str) -> str:
    """A text that was typed, or the text in a file of that name; "-" is standard input.

    The line break at the end of a file of one line is no part of its text.
    """
    if given != "-" and not _is_a_path(given) and not os.path.isdir(given):
        _refuse_almost_a_file(given)
        return given
    text = _text_in(given)
    line = text.removesuffix("\n").removesuffix("\r")
    text = text if "\n" in line else line
    say(f"text: {len(text):,} characters from {'standard input' if given == '-' else shown(given)}")
    return text


def _refuse_almost_a_file(given: str) -> None:
    """Refuse a word that is no file but nearly the name of one beside it."""
    if not given or len(given) > 64 or any(c.isspace() for c in given):
        return
    try:
        names = [name for name in os.listdir() if not name.startswith(".")]
    except OSError:
        return
    same = [name for name in names if name.partition(".")[0] == given]
    near = same or difflib.get_close_matches(given, names, n=1, cutoff=0.85)
    if near:
        raise FileProblem(
            f"{shown(given)}: there is no such file, but {shown(near[0])} is there. Name that, or "
            f"give {shown(given)} on standard input, as the file -, if it is the text."
        )


def _text_in(given: str) -> str:
    """What a file holds, or standard input."""
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
    return text


def prompt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --prompt and --prompts; the command gets them under these names."""
    command = click.option(
        "--prompts",
        type=FILE,
        metavar="FILE",
        help="Prompts in a file, one a line; - is standard input.",
    )(command)
    return click.option(
        "--prompt", multiple=True, metavar="TEXT", help="A text to start from; may be repeated."
    )(command)


def read_prompt_options(prompt: tuple[str, ...], prompts: str | None) -> list[str]:
    """The prompts that were typed, then those of the file; lines of blanks alone are passed over.

    Raises
    ------
    InvalidText
        There is a file, and no prompt in it.
    """
    if prompts is None:
        return list(prompt)
    lines = [line.removesuffix("\r") for line in _text_in(prompts).split("\n")]
    found = [line for line in lines if line.strip()]
    if not found:
        place = "standard input" if prompts == "-" else shown(prompts)
        raise InvalidText(f"{place}: it has no prompt. Write one a line.")
    say(f"prompts: {len(found):,} from {'standard input' if prompts == '-' else shown(prompts)}")
    return [*prompt, *found]


def _is_a_path(given: str) -> bool:
    """Whether a file is meant: there is one, or the word looks like a path."""
    looks = "/" in given or os.sep in given or _LIKE_A_FILE.search(given)
    blank = any(c.isspace() for c in given)
    return os.path.isfile(given) or bool(looks and not blank)


def read_vocabulary_option(given: str | None) -> Vocabulary | None:
    """A vocabulary: the path of a JSON file or a meta.pkl, or the tokens as characters.

    JSON may be a list, an object of tokens and their ids, or a tokenizer.json.
    """
    if given is None:
        return None
    from fsm_gpt.space import Vocabulary

    if not _is_a_path(given):
        return Vocabulary.of(given)
    from fsm_gpt.gpt.vocabulary_file import read_vocabulary

    return read_vocabulary(Path(given))


def _parts(path: str) -> list[str]:
    """The file itself, or what a folder holds of a model."""
    if os.path.isdir(path):
        return [
            entry.path
            for entry in os.scandir(path)
            if entry.is_file()
            and re.match(r"(config|tokenizer|model.*)\.(json|safetensors)$", entry.name)
        ]
    return [path] if os.path.isfile(path) else []


def output_option(default: str | None, what: str) -> Callable[..., Any]:
    """The option --output; without a default it must be given."""
    # To click a default of None is a value.
    given: dict[str, Any] = {"default": default, "show_default": True}
    given = {"required": True} if default is None else given
    return click.option(
        "--output",
        "-o",
        type=FILE,
        **given,
        metavar="FILE",
        help=f"Where to write {what}.",
    )


page_option = click.option(
    "--output",
    "-o",
    type=FILE,
    metavar="FILE",
    help="Also write a report: a page, or .md or .json by the end of the name.",
)


def ready_for_page(output: str | None, *inputs: str | None) -> None:
    """Find out before long work that a report can be written, where one is asked for."""
    if output is None:
        return
    from fsm_gpt.report.written import report_format

    ready_to_write(output, *inputs)
    report_format(output)


def ready_to_write(output: str, *inputs: str | None) -> None:
    """Find out before long work that the output can be written, and is none of the inputs."""
    check_writable(output)
    for path in inputs:
        if (
            path
            and os.path.isfile(output)
            and any(os.path.samefile(part, output) for part in _parts(path))
        ):
            raise FileProblem(
                f"{shown(output)}: it is what is read here, and would be overwritten. "
                f"Name another file with --output."
            )
