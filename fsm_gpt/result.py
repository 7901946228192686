"""What every answer of this package shares: it is frozen, prints itself, and turns into JSON.

An answer that is a number carries three more things: the ``method`` that made it,
an ``error_bound``, and ``error_meaning``, which says what is bounded. The bound is a
proven one, or the word ``"uncertified"`` with the reason in ``uncertified_because``.
"""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.display import block, cut, listed_below, text_as_html

__all__ = [
    "UNCERTIFIED",
    "Bound",
    "Bounded",
    "Result",
    "format_number",
    "format_steps",
    "frozen",
    "read_only",
]

Bound: TypeAlias = float | Literal["uncertified"]

UNCERTIFIED: Literal["uncertified"] = "uncertified"


def read_only(array: npt.ArrayLike, dtype: Any = None) -> npt.NDArray[Any]:
    """A copy of an array that nobody can write to."""
    copy = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself, which nobody can write to any more: for one that nobody else holds."""
    array.setflags(write=False)
    return array


def format_number(value: Any, digits: int = 6) -> str:
    """A number for a person: rationals and expressions whole, floats to some digits.

    >>> from fractions import Fraction
    >>> format_number(Fraction(2, 5)), format_number(0.8197558972969612), format_number(3.0)
    ('2/5', '0.819756', '3')
    >>> format_number(math.inf)
    'infinite'
    """
    if isinstance(value, (float, np.floating)):
        return f"{value:.{digits}g}".replace("inf", "infinite")
    return str(value)


def format_steps(n: int) -> str:
    """A number of steps: whole to fifteen digits; above, the three that a float is sure of.

    >>> format_steps(12_345), format_steps(10**15), format_steps(4 * 10**400)
    ('12,345', '1.00e15', '4.00e400')
    """
    return f"{n:,}" if n < 10**15 else f"{Decimal(n):.2e}".replace("e+", "e")


def in_short(value: Any, *, most: int = 6) -> str:
    """A value in one line, however large: of an array its shape and the first numbers.

    >>> in_short(np.arange(9) / 8)
    'array of shape (9,): 0, 0.125, 0.25, 0.375, 0.5, 0.625, ...'
    >>> in_short((1, 2, "three"))
    "(1, 2, 'three')"
    >>> in_short(("x",) * 5000)
    "('x', 'x', 'x', 'x', 'x', 'x', ...), 5,000 in all"
    """
    if isinstance(value, np.ndarray):
        first = [format_number(x) for x in value.flat[:most]]
        more = ", ..." if value.size > most else ""
        return f"array of shape {value.shape}: {_line(', '.join(first))}{more}"
    if isinstance(value, (tuple, list)):
        first = [in_short(item, most=most) for item in value[:most]]
        if len(value) <= most:
            return _line(f"({', '.join(first)}{',' if len(value) == 1 else ''})")
        return f"({_line(', '.join(first))}, ...), {len(value):,} in all"
    if isinstance(value, (str, bool)) or value is None:
        return _line(repr(value))
    if isinstance(value, (float, np.floating)):
        return format_number(value)
    return _line(str(value).partition("\n")[0])


def _line(text: str) -> str:
    return cut(text, most=200, widest=200)


def to_json(value: Any) -> Any:
    """A value as JSON has it: arrays as lists, rationals and expressions as strings.

    Infinite and undefined floats, for which JSON has no number, become strings.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (complex, np.complexfloating)):
        return [float(value.real), float(value.imag)]
    if isinstance(value, np.ndarray):
        return [to_json(item) for item in (value.tolist() if value.dtype != object else value)]
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return str(value)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """An answer. Subclasses are frozen dataclasses and write ``__str__``."""

    #: Fields that are the reader's context rather than the answer: left out of JSON.
    _hidden: ClassVar[tuple[str, ...]] = ("chain",)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain lists, numbers and strings, ready for JSON."""
        return {
            field.name: to_json(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in self._hidden and not field.name.startswith("_")
        }

    def __repr__(self) -> str:
        return cut(str(self))

    def _repr_html_(self) -> str:
        head, _, below = str(self).partition("\n")
        foot = self._small_print()
        head = head.replace(f" ({foot})", "") if foot else head
        return block(head, text_as_html(below) if below else "", self._fields(), foot=foot)

    def _small_print(self) -> str:
        """What stands in a notebook below the rest: how the answer is known."""
        return ""

    def _fields(self) -> str:
        """The names of the fields, each with its value in short, folded away."""
        rows = [
            (field.name, in_short(getattr(self, field.name)))
            for field in dataclasses.fields(self)
            if not field.name.startswith("_")
        ]
        return listed_below(rows, heads=("field", "value"), name="fields")


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Bounded(Result):
    """An answer with a method and an error bound."""

    #: What ``error_bound`` bounds.
    error_meaning: ClassVar[str] = "relative error of every entry"

    method: str
    error_bound: Bound = UNCERTIFIED
    uncertified_because: str = ""

    @property
    def certified(self) -> bool:
        """Whether the error bound is proven."""
        return self.error_bound != UNCERTIFIED

    @property
    def error_sentence(self) -> str:
        """The bound in words."""
        if self.error_bound == UNCERTIFIED:
            because = f" ({self.uncertified_because})" if self.uncertified_because else ""
            return f"uncertified{because}"
        if self.error_bound == 0:
            return "exact"
        return f"{self.error_meaning} at most {self.error_bound:.1e}, proven"

    def _small_print(self) -> str:
        return f"{self.method}; {self.error_sentence}"

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain lists, numbers and strings, with what its bound means."""
        return {**super().to_dict(), "error_meaning": self.error_meaning}
