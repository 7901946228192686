"""Sums and products of two floats without an error: what is rounded, and what rounding took.

References
----------
Dekker (1971), Numerische Mathematik 18, 224-242 (two-product). Knuth (1998), The Art of
Computer Programming 2, section 4.2.2 (two-sum).
"""

from __future__ import annotations

from numba import njit

__all__ = ["two_product", "two_sum"]


@njit(inline="always")
def two_sum(a: float, b: float) -> tuple[float, float]:
    """The rounded sum, and what rounding took from it, exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(inline="always")
def two_product(a: float, b: float) -> tuple[float, float]:
    """The rounded product, and what rounding took from it: exactly, unless that underflows."""
    product = a * b
    scaled = 134217729.0 * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = 134217729.0 * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    return product, a_low * b_low - (
        ((product - a_high * b_high) - a_low * b_high) - a_high * b_low
    )
