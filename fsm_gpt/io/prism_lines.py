"""The lines of a text file that a stranger may have written, each with its number.

A file is read up to a stated size, and everything that is made of it afterwards is no larger than
a few times the file: what a line says is checked before anything is made for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import Pathlike, read_limited, shown

__all__ = ["IDENTIFIER", "LONGEST_NUMBER", "Line", "Lines", "read_lines"]

#: A name of a label, a variable, an action or a reward structure.
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Larger files are refused.
LARGEST = 2**32
#: Exponents of ten go so far from zero; numbers have at most so many digits before or after.
LARGEST_EXPONENT, LONGEST_NUMBER = 1_000, 4_000

_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)/([0-9]+)|([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that says something."""

    path: str
    """The file, as it is shown."""
    number: int
    text: str

    def problem(self, what: str) -> FileProblem:
        """The error for this line."""
        return FileProblem(f"{self.path}: line {self.number:,}, {self.seen}, {what}")

    @property
    def seen(self) -> str:
        """The line as an error shows it."""
        return repr(self.text if len(self.text) <= 60 else self.text[:57] + "...")

    def whole(self, text: str, what: str, below: int | None = None) -> int:
        """A whole number of 0 or more, such as the number of a state."""
        if not _WHOLE.fullmatch(text):
            raise self.problem(
                f"has {_short(text)} where {what} is due, a whole number. Check that this is the "
                f"file that was meant."
            )
        if below is not None and int(text) >= below:
            raise self.problem(
                f"names {what} {int(text):,}, and there are {below:,}, numbered from 0. The file "
                f"is damaged or belongs to another model."
            )
        return int(text)

    def value(self, text: str, exact: bool) -> Fraction | float:
        """A number: "1/3", "0.25", "1e-05"; a rational, or the nearest float."""
        found = _NUMBER.fullmatch(text)
        sign, numerator, divisor, before, after, power = found.groups() if found else (None,) * 6
        if found is None or not (numerator or before or after):
            hint = " It looks like an interval." if text.startswith("[") else ""
            raise self.problem(
                f"has {_short(text)} where a number such as 0.25 or 1/3 is due.{hint} Such a model "
                f"cannot be read here."
            )
        digits = (before or "") + (after or "")
        if max(len(numerator or ""), len(divisor or ""), len(digits)) > LONGEST_NUMBER:
            raise self.problem(f"has a number of more than {LONGEST_NUMBER:,} digits. Shorten it.")
        if power and (len(power) > 5 or abs(int(power)) > LARGEST_EXPONENT):
            raise self.problem(
                f"has the number {_short(text)}, whose exponent is beyond {LARGEST_EXPONENT:,}. "
                f"Such numbers are not read here."
            )
        number: Fraction | float
        if numerator and divisor:
            if int(divisor) == 0:
                raise self.problem(f"has {_short(text)}, a division by zero. Mend the number.")
            ratio = Fraction(int(numerator), int(divisor))
            number = -ratio if sign == "-" else ratio
        else:
            number = Fraction(text) if exact else float(text)
        if exact:
            return number
        try:
            nearest = float(number)
        except OverflowError:
            nearest = math.inf
        if math.isinf(nearest):
            raise self.problem(
                f"has {_short(text)}, which is beyond the floats. Read it with exact=True."
            )
        return nearest


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


@dataclass(frozen=True, eq=False)
class Lines:
    """What a file says, without blank lines and comments."""

    path: str
    lines: list[Line]
    comments: list[str]
    """The comments before the first line."""

    def problem(self, what: str) -> FileProblem:
        """The error for the file as a whole."""
        return FileProblem(f"{self.path}: {what}")

    @property
    def head(self) -> Line:
        """The first line."""
        return self.lines[0]

    def __len__(self) -> int:
        """How many lines follow the first."""
        return len(self.lines) - 1

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines[1:])


def read_lines(path: Pathlike) -> Lines:
    """The lines of a file in ASCII.

    Raises
    ------
    FileProblem
        It cannot be read, is no text, is empty, or its last line does not end.

    >>> read_lines("no-such-chain.tra")
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: no-such-chain.tra: cannot read it, there is no such file. Check
    the name and the folder.
    """
    data, name = read_limited(path, LARGEST), shown(path)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise FileProblem(
            f"{name}: line {number:,} has the byte {data[error.start]:#04x}, which is no ASCII, "
            f"and PRISM's files are plain text. Check that this is the file that was meant."
        ) from None
    lines: list[Line] = []
    comments: list[str] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        stripped = raw.strip()
        if stripped.startswith("#"):
            comments += [] if lines else [stripped]
        elif stripped:
            lines.append(Line(name, number, stripped))
    if not lines:
        raise FileProblem(f"{name}: it holds no line. Check that this is the file that was meant.")
    if not text.endswith("\n"):
        raise FileProblem(
            f"{name}: its last line, {lines[-1].number:,}, does not end with a line break, so that "
            f"the file may be cut short. Get a whole copy; if it is whole, add the line break."
        )
    return Lines(name, lines, comments)
