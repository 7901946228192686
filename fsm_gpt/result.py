"""What every answer of this package shares: it is frozen, prints itself, and turns into JSON.

An answer that is a number carries three more things: the ``method`` that made it,
an ``error_bound``, and ``error_meaning``, which says what is bounded. The bound is a
proven one, or the word ``"uncertified"`` with the reason in ``uncertified_because``.
"""

from __future__ import annotations

import dataclasses
import html
import math
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

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
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


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

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain lists, numbers and strings, with what its bound means."""
        return {**super().to_dict(), "error_meaning": self.error_meaning}
