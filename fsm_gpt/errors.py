"""Every failure of this package, each with the exit code that the command line gives it.

A message is one paragraph: what happened, the value, why, and what to do.

Exit codes: 0 fine, 1 any other failure, 2 usage, 3 a missing extra, 4 a file that
cannot be read or written or is unsafe, 5 too many states, 6 not converged,
130 interrupted.
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "FileProblem",
    "FsmGptError",
    "Interrupted",
    "InvalidArgument",
    "InvalidChain",
    "InvalidText",
    "MissingExtra",
    "NotConverged",
    "NotDefined",
    "NotUnique",
    "StateOutOfRange",
    "StateSpaceTooLarge",
    "UnsafeFile",
]


class FsmGptError(Exception):
    """The base of every error that this package raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        r"""What happened; signs of a hostile name that nobody can see are written as escapes.

        >>> print(FsmGptError("the token \x1b[2J is unknown."))
        the token \x1b[2J is unknown.
        """
        said = super().__str__()
        if said.isprintable():
            return said
        said = re.sub(r"\s*\n\s*", " ", said)  # one paragraph
        return "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in said
        )


class InvalidChain(FsmGptError, ValueError):
    """The rows, edges or counts given do not describe a Markov chain."""


class InvalidArgument(FsmGptError, ValueError):
    """An option has a value outside its range."""


class InvalidText(FsmGptError, ValueError):
    """A text cannot be read with this vocabulary, or is too short for the context."""


class StateOutOfRange(FsmGptError, IndexError):
    """A state id or label that the chain does not have."""


class NotUnique(FsmGptError):
    """One answer was asked for and the chain has several, one for each closed class."""


class NotDefined(FsmGptError):
    """The question has no answer for this chain: a limit of a periodic chain, say."""


class NotConverged(FsmGptError):
    """An iteration ended before its answer was good enough to be given."""

    exit_code = 6


class StateSpaceTooLarge(FsmGptError):
    """The chain has more states than the method or the memory limit allows."""

    exit_code = 5


class MissingExtra(FsmGptError, ImportError):
    """An optional package is not installed; the message holds the command that installs it."""

    exit_code = 3


class FileProblem(FsmGptError, OSError):
    """A file cannot be read or written, or does not hold what it should."""

    exit_code = 4


class UnsafeFile(FileProblem):
    """A file asks to run code or to be trusted further than its bytes allow."""


class Interrupted(FsmGptError):
    """The user stopped a long run; nothing was left half-written."""

    exit_code = 130
