"""How large V**L is, in bits, bytes and decimal digits, without writing it out.

    log2(V**L) = L log2(V)             bits of one full window
    V + V**2 + ... + V**L = V (V**L - 1) / (V - 1)    all contexts of 1 to L tokens

V**L has thousands to millions of digits, so everything is done with logarithms, in
decimals of so many digits that the answer cannot round in two ways: if it still could,
the digits are doubled. That ends, because log2(V) is irrational unless V is a power of
two, and log10(V) unless V is a power of ten; those two cases are whole numbers.

References
----------
Ziv (1991), ACM Transactions on Mathematical Software 17, 410-423 (rounding by enclosure).
Zekri et al. (2024), arXiv 2410.02724, section 3 (the number of contexts).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import TypeVar

__all__ = [
    "bits_of_window",
    "bits_text",
    "bytes_of_window",
    "bytes_text",
    "digits_of_all_contexts",
    "digits_of_windows",
    "log10_of_windows",
]

T = TypeVar("T")

#: Digits to begin with; the logarithms below lose fewer than five of them.
_FIRST, _LOST = 50, 5


def bits_of_window(V: int, L: int) -> float:
    """L log2(V), the float nearest to it.

    >>> bits_of_window(2, 3), round(bits_of_window(50257, 1024), 3)
    (3.0, 15991.846)
    """
    return _scaled(V, L, 1, float)


def bytes_of_window(V: int, L: int) -> float:
    """L log2(V) / 8, the float nearest to it.

    >>> bytes_of_window(2, 3)
    0.375
    """
    return _scaled(V, L, 8, float)


def bits_text(V: int, L: int) -> str:
    """L log2(V) with three decimals, all correct; whole numbers without.

    >>> bits_text(50257, 1024), bits_text(32, 8)
    ('15,991.846', '40')
    """
    return _scaled(V, L, 1, _three_decimals)


def bytes_text(V: int, L: int) -> str:
    """L log2(V) / 8 with three decimals, all correct; whole numbers without.

    >>> bytes_text(50257, 1024), bytes_text(32, 8)
    ('1,998.981', '5')
    """
    return _scaled(V, L, 8, _three_decimals)


def log10_of_windows(V: int, L: int) -> float:
    """log10(V**L), the float nearest to it.

    >>> log10_of_windows(10, 1024)
    1024.0
    """
    k = _power(V, 10)
    if k is not None:
        return float(k * L)
    return _certain(lambda context: _log(V, L, 10, context), float)


def digits_of_windows(V: int, L: int) -> int:
    """How many decimal digits V**L has.

    >>> digits_of_windows(2, 3), digits_of_windows(10, 3), digits_of_windows(50257, 1024)
    (1, 4, 4815)
    """
    k = _power(V, 10)
    if k is not None:
        return k * L + 1
    return _certain(lambda context: _log(V, L, 10, context), int) + 1


def digits_of_all_contexts(V: int, L: int) -> int:
    """How many decimal digits V (V**L - 1) / (V - 1) has; for V = 1 that number is L.

    >>> digits_of_all_contexts(2, 3), digits_of_all_contexts(10, 3)  # 14 and 1110
    (2, 4)
    """
    if V == 1 or L == 1:
        return len(str(V * L))
    # From L = 2 on the number is never a power of ten, so its logarithm is no integer:
    # V and (V**L - 1) / (V - 1) have no common factor, so one would be 2**k, the other 5**k.
    return _certain(lambda context: _log_of_sum(V, L, context), int) + 1


def _log(V: int, L: int, base: int, context: Context) -> Decimal:
    """L log(V) / log(base); three roundings, and decimal's ln is correctly rounded."""
    product = context.multiply(Decimal(L), context.ln(Decimal(V)))
    return context.divide(product, context.ln(Decimal(base)))


def _log_of_sum(V: int, L: int, context: Context) -> Decimal:
    """log10 of V (V**L - 1) / (V - 1) = V**L * V / (V - 1) * (1 - V**-L)."""
    one, ten = Decimal(1), context.ln(Decimal(10))
    windows = _log(V, L, 10, context)
    rest = context.ln(context.divide(Decimal(V), Decimal(V - 1)))
    if windows < context.prec + _LOST:  # else V**-L is below the last digit
        small = context.exp(-context.multiply(windows, ten))
        rest = context.add(rest, context.ln(context.subtract(one, small)))
    return context.add(windows, context.divide(rest, ten))


def _power(V: int, base: int) -> int | None:
    """The k with V = base**k, if there is one."""
    k = 0
    while V % base == 0:
        V, k = V // base, k + 1
    return k if V == 1 else None


def _scaled(V: int, L: int, divisor: int, rounded: Callable[[Decimal], T]) -> T:
    """L log2(V) / divisor, rounded; the divisor is a power of two."""
    k = _power(V, 2)
    if k is not None:
        return rounded(Decimal(k * L) / divisor)
    return _certain(lambda c: c.divide(_log(V, L, 2, c), Decimal(divisor)), rounded)


def _certain(worked_out: Callable[[Context], Decimal], rounded: Callable[[Decimal], T]) -> T:
    """A positive number rounded, with as many digits as it takes to be sure of the rounding."""
    precision = _FIRST
    while True:
        context = Context(prec=precision, Emax=MAX_EMAX, Emin=MIN_EMIN)
        value = worked_out(context)
        slack = value.scaleb(_LOST - precision, context)
        low = rounded(context.subtract(value, slack))
        if low == rounded(context.add(value, slack)):
            return low
        precision *= 2


def _three_decimals(value: Decimal) -> str:
    return f"{value:,.3f}" if value != value.to_integral_value() else f"{value:,.0f}"
