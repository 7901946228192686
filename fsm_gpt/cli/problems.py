"""What a person is told when something goes wrong: one paragraph, and the exit code.

No traceback is shown, except for faults of the program itself with FSM_GPT_DEBUG=1 set.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import traceback

import click

from fsm_gpt.cli.interrupts import pressed
from fsm_gpt.errors import FsmGptError
from fsm_gpt.files import file_problem

__all__ = ["INTERRUPTED", "explain", "laid_out", "way_out"]

#: Between two sentences.
_SENTENCES = re.compile(r"(?<=[.?!]) (?=[A-Z])")

INTERRUPTED = "stopped by Ctrl-C. No half-written file is left behind."


def explain(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for an exception; no sentence where none is due."""
    match error:
        case SystemExit(code=code):
            return "", code if isinstance(code, int) else int(code is not None)
        case click.exceptions.Exit(exit_code=code):
            return "", code
        case FsmGptError():
            return _one_paragraph(str(error)), error.exit_code
        case KeyboardInterrupt() | click.exceptions.Abort():
            return INTERRUPTED, 130
        case _ if pressed():  # half-loaded modules fail in ways of their own
            return INTERRUPTED, 130
        case click.ClickException():
            return _usage(error), error.exit_code
        case BrokenPipeError():
            # The reader of a pipe has had enough. Python flushes stdout once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return "", 1
        case ModuleNotFoundError(name=str(name)) if not name.startswith("fsm_gpt"):
            package = name.split(".")[0]
            return (
                f"the package {package} is not installed, and this command needs it: "
                f"{os.path.basename(sys.executable)} -m pip install {package} installs it.",
                3,
            )
        case MemoryError():
            return (
                "there is not enough memory for this. Shorten the context (--truncate-to), or "
                "use a machine with more.",
                1,
            )
        case OSError():
            doing = "write" if error.filename is None else "use"
            place = "standard output" if error.filename is None else str(error.filename)
            return _one_paragraph(str(file_problem(place, error, doing))), 4
    if _came_of_ctrl_c(error):
        return INTERRUPTED, 130
    return _fault(error), 1


def way_out(message: str) -> tuple[str, str]:
    """What happened, and what to do: the last sentence of an error, or the last two.

    >>> way_out("there is no verb 'analyse'. Did you mean analyze? See fsm-gpt --help.")
    ("there is no verb 'analyse'.", 'Did you mean analyze? See fsm-gpt --help.')
    >>> way_out("stopped.")
    ('stopped.', '')
    """
    sentences = _SENTENCES.split(message)
    last = 2 if len(sentences) > 2 and sentences[-1].startswith("See fsm-gpt") else 1
    if len(sentences) <= last:
        return message, ""
    return " ".join(sentences[:-last]), " ".join(sentences[-last:])


def laid_out(message: str) -> str:
    """An error for a terminal: what happened, a line of space, what to do; no word is cut.

    Colour is only emphasis, and left out where ``NO_COLOR`` is set.
    """
    width = max(shutil.get_terminal_size().columns - 1, 20)
    coloured = not os.environ.get("NO_COLOR")
    what, do = way_out(message)
    told = _wrapped(f"error: {what}", width)
    out = _wrapped(do, width, indent="  ")
    if coloured:
        told = told.replace("error:", click.style("error:", fg="red", bold=True), 1)
        out = click.style(out, fg="cyan") if out else ""
    return f"{told}\n\n{out}\n" if out else f"{told}\n"


def _wrapped(text: str, width: int, *, indent: str = "") -> str:
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def _usage(error: click.ClickException) -> str:
    """A usage error, with the command that explains the usage."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "fsm-gpt"
    message = _one_paragraph(error.format_message())
    message = message[:1].lower() + message[1:]
    if not message.endswith((".", "?")):
        message += "."
    if re.search(r"unexpected extra argument \(\d+\)", message):
        message += " A number is given with an option."
    return f"{message} See {path} --help."


def _fault(error: BaseException) -> str:
    """A fault of this program."""
    what = _one_paragraph(f"{type(error).__name__}: {error}" if str(error) else repr(error))
    if os.environ.get("FSM_GPT_DEBUG") == "1":
        traceback.print_exception(error)
        more = "The traceback is above."
    else:
        more = "FSM_GPT_DEBUG=1 in the environment shows the traceback."
    return (
        f"this is a fault of fsm-gpt and not of what you gave it ({what[:300]}). Please report it, "
        f"with the command and the traceback. {more}"
    )


def _came_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether a library turned Ctrl-C into an error of its own, as imports can."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _one_paragraph(text: str) -> str:
    return " ".join(text.split())
