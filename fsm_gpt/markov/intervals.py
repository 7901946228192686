"""Arrays of non-negative numbers known to lie between two floats.

Elimination without subtraction only adds, multiplies and divides non-negative numbers, so
it can be run on intervals: each operation takes the lower ends to a lower end and the upper
ends to an upper end, widened by what rounding may have done. The answer is then certain to
lie between the two, and since no operation cancels, the intervals stay narrow whatever the
condition of the chain: their relative width grows with the number of states, some 1e-11 at
32 states and 1e-8 at 256.

A sum of n products of non-negative floats, in any order, fused or not, has a relative error
of at most n u / (1 - n u), u = 2**-53, unless a product underflows; operands below 1e-140
that are not zero are therefore refused.

References
----------
Higham (2002), Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2. Moore,
Kearfott & Cloud (2009), Introduction to Interval Analysis, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["INTERVAL_LIMIT", "Intervals", "TooSmall"]

#: Intervals are offered up to this many states; they cost about three times the answer.
INTERVAL_LIMIT = 512

Floats = npt.NDArray[np.float64]

_UNIT = 2.0**-53
_SMALLEST = 1e-140


class TooSmall(ArithmeticError):
    """An operand is so small that a product may underflow, and its error is not known."""


@dataclass(eq=False)
class Intervals:
    """Numbers between ``low`` and ``high``, two float arrays of one shape.

    >>> third = Intervals.around(np.array([1.0]), 0) / Intervals.around(np.array([3.0]), 0)
    >>> bool(third.low[0] < third.high[0]), third.relative_width(np.array([1 / 3])) < 1e-15
    (True, True)
    """

    low: Floats
    high: Floats

    @classmethod
    def around(cls, values: Floats, roundings: int) -> Intervals:
        """Values of which each has seen so many roundings."""
        return cls(values.copy(), values.copy())._widened(roundings)

    def _widened(self, roundings: int) -> Intervals:
        # Twice the roundings, for the two that the widening itself makes and for 1 / (1 - n u).
        factor = 2 * roundings * _UNIT
        return Intervals(self.low * (1 - factor), self.high * (1 + factor))

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """The type of both ends."""
        return self.low.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of both ends."""
        return self.low.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.low.ndim

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, key: Any) -> Intervals:
        return Intervals(np.asarray(self.low[key]), np.asarray(self.high[key]))

    def __setitem__(self, key: Any, value: Any) -> None:
        low, high = (value.low, value.high) if isinstance(value, Intervals) else (value, value)
        self.low[key], self.high[key] = low, high

    def copy(self) -> Intervals:
        """A copy."""
        return Intervals(self.low.copy(), self.high.copy())

    def zeros(self, shape: int | tuple[int, ...]) -> Intervals:
        """Zeros, exactly."""
        return Intervals(np.zeros(shape), np.zeros(shape))

    def is_zero(self) -> bool:
        """Whether a single number is zero, or cannot be told from it."""
        return bool(self.low <= 0)

    def sum(self, axis: int | None = None) -> Intervals:
        """Sums along an axis."""
        n = self.low.size if axis is None else self.low.shape[axis]
        return Intervals(
            np.asarray(self.low.sum(axis=axis)), np.asarray(self.high.sum(axis=axis))
        )._widened(n)

    def __add__(self, other: Any) -> Intervals:
        low, high = (other.low, other.high) if isinstance(other, Intervals) else (other, other)
        return Intervals(np.asarray(self.low + low), np.asarray(self.high + high))._widened(1)

    __radd__ = __add__

    def __mul__(self, other: Intervals) -> Intervals:
        _large_enough(self, other)
        return Intervals(
            np.asarray(self.low * other.low), np.asarray(self.high * other.high)
        )._widened(1)

    def __truediv__(self, other: Intervals) -> Intervals:
        _large_enough(self, other)
        return Intervals(
            np.asarray(self.low / other.high), np.asarray(self.high / other.low)
        )._widened(1)

    def __matmul__(self, other: Intervals) -> Intervals:
        _large_enough(self, other)
        n = self.low.shape[-1]
        return Intervals(self.low @ other.low, self.high @ other.high)._widened(n + 1)

    def relative_width(self, values: Floats) -> float:
        """The largest relative error that positive values may have; zeros must be exact."""
        values, low, high = np.broadcast_arrays(values, self.low, self.high)
        zero = (high == 0) & (values == 0)
        if not (values[~zero] > 0).all() or not (low[~zero] > 0).all():
            return float("inf")
        value, low, high = values[~zero], low[~zero], high[~zero]
        if not value.size:
            return 0.0
        # |value - true| / true, with true at either end.
        worst = np.maximum(value / low - 1, 1 - value / high)
        return float(worst.max()) + 4 * _UNIT


def _large_enough(*operands: Intervals) -> None:
    for operand in operands:
        low = operand.low
        if ((low < _SMALLEST) & (operand.high > 0)).any() or (operand.high > 1 / _SMALLEST).any():
            raise TooSmall
