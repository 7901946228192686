"""Rows of probabilities: what numbers they may hold, and when they are accepted.

Three kinds of numbers make a chain: floats, rationals (``Fraction``) and symbolic
expressions (sympy). An array of floats has a float dtype; the other two are object
arrays. A row is accepted when no entry is negative and its sum is one: exactly for
rationals and expressions, within 1e-12 for float64 and 1e-5 for float32.

The chain meant by float rows is **each row divided by its exact sum**. Every number
that is computed, in floats or in rationals, is a number of that chain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidChain

__all__ = ["Kind", "Numbers", "as_floats", "as_numbers", "fraction_of", "kind_of", "to_rationals"]

Numbers: TypeAlias = npt.NDArray[Any]
Kind: TypeAlias = Literal["float", "rational", "symbolic"]

#: How far a row's sum may be from one, by dtype.
SUM_TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}


def _is_symbolic(value: Any) -> bool:
    return bool(getattr(value, "free_symbols", None))


def kind_of(numbers: Numbers) -> Kind:
    """What an array that :func:`as_numbers` returned holds."""
    if numbers.dtype != object:
        return "float"
    return "symbolic" if any(_is_symbolic(v) for v in numbers.flat) else "rational"


#: A text such as "1e-300" may have an exponent so far from zero: it is written out.
LARGEST_EXPONENT = 10_000
_EXPONENT = re.compile(r"[eE]([+-]?[\d_]+)\s*$")


def fraction_of(value: Any) -> Fraction:
    """A rational from a number, a rational of sympy, or a text such as "1/3" or "1e-300".

    Raises
    ------
    ValueError, TypeError, OverflowError, ZeroDivisionError
        It is none, or a text whose exponent would fill the memory.

    >>> fraction_of("0.25"), fraction_of("1e-3")
    (Fraction(1, 4), Fraction(1, 1000))
    """
    if hasattr(value, "p") and hasattr(value, "q"):
        return Fraction(int(value.p), int(value.q))
    found = _EXPONENT.search(value) if isinstance(value, str) else None
    if found and abs(int(found[1])) > LARGEST_EXPONENT:
        raise ValueError(f"its exponent is beyond {LARGEST_EXPONENT:,}")
    return Fraction(value)


def _rational(value: Any, where: str) -> Fraction:
    try:
        return fraction_of(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as problem:
        raise InvalidChain(
            f"{where}: {value!r} is not a probability ({problem}). "
            f"Use floats, Fractions, strings such as '1/3', or sympy expressions."
        ) from None


def _float(value: Any, where: str) -> float:
    if isinstance(value, str):
        value = _rational(value, where)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as problem:
        raise InvalidChain(f"{where}: {value!r} is not a probability ({problem}).") from None


def as_numbers(values: Any, *, where: str = "rows") -> Numbers:
    """An array of one kind of number, copied, from whatever a person wrote.

    Integers and floats give float64 (float32 stays), strings and Fractions rationals,
    and one symbol anywhere makes all entries sympy expressions. Where a float stands
    among rationals, all become floats.

    >>> as_numbers([["1/2", "1/2"], [1, 0]])[0, 0]
    Fraction(1, 2)
    >>> as_numbers([[0, 1], [1, 0]]).dtype
    dtype('float64')
    """
    if hasattr(values, "detach"):  # a torch tensor, of any device
        values = values.detach().cpu().numpy()
    try:
        array = np.array(values, order="C")
    except ValueError:
        raise InvalidChain(f"{where}: the rows have different lengths. Make them equal.") from None
    if array.dtype == np.float32:
        return array
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    if array.dtype.kind not in "OUS":
        raise InvalidChain(
            f"{where}: entries of type {array.dtype} are not probabilities. "
            f"Use floats, Fractions, strings such as '1/3', or sympy expressions."
        )
    array = np.array(values, dtype=object)
    flat = list(array.flat)
    if any(_is_symbolic(value) for value in flat):
        import sympy

        flat = [sympy.cancel(sympy.nsimplify(value, rational=True)) for value in flat]
    elif any(_is_float(value) for value in flat):
        return np.array([_float(value, where) for value in flat]).reshape(array.shape)
    else:
        flat = [_rational(value, where) for value in flat]
    return objects(flat, array.shape)


def objects(values: Iterable[Any], shape: tuple[int, ...]) -> Numbers:
    """An object array of this shape; numpy is kept from looking inside the values."""
    result = np.empty(math.prod(shape), dtype=object)
    result[:] = list(values)
    return result.reshape(shape)


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) or bool(getattr(value, "is_Float", False))


def to_rationals(numbers: Numbers) -> Numbers:
    """The exact value of every entry: a float is a binary fraction."""
    if kind_of(numbers) != "float":
        return numbers
    return objects(map(Fraction, numbers.ravel().tolist()), numbers.shape)


def as_floats(numbers: Numbers, *, where: str) -> Numbers:
    """Probabilities as float64; none that is above zero becomes zero."""
    if kind_of(numbers) == "symbolic":
        raise InvalidChain(
            f"{where}: the rows hold symbols, which have no value. Put numbers in for them, "
            f"for instance with row.subs({{a: 0.3}}) in each row."
        )
    floats = numbers.astype(np.float64)
    lost = (floats == 0) & (numbers != 0)
    if lost.any():
        raise InvalidChain(
            f"{where}: {int(lost.sum()):,} probabilities are below 1e-323 and become zero in "
            f"floats by underflow, so that transitions would be lost. Stay with rationals: "
            f"exact=True."
        )
    return floats


def check_entries(values: Numbers, name: Callable[[int], str], *, where: str) -> None:
    """Refuse entries that cannot be probabilities; ``name`` says where entry i stands."""
    if values.size == 0:
        return
    flat = values.ravel()
    if kind_of(values) == "symbolic":  # of a symbol nothing is known but that it is in (0, 1)
        flat = objects([0 if _is_symbolic(value) else value for value in flat], flat.shape)
    if values.dtype != object and not np.isfinite(flat).all():
        i = int(np.flatnonzero(~np.isfinite(flat))[0])
        raise InvalidChain(
            f"{where}: {name(i)} is {flat[i]}, not a finite number. "
            f"A probability lies between 0 and 1; look for a division by zero or an "
            f"overflow where the rows were made."
        )
    if (flat < 0).any():
        i = int(np.flatnonzero(flat < 0)[0])
        raise InvalidChain(
            f"{where}: {name(i)} is {flat[i]}, below zero. A probability lies between 0 and 1; "
            f"if these are logits, take their softmax first."
        )


def bad_sums(sums: Numbers, dtype: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """The rows whose sum is not one, by the tolerance of their dtype."""
    if sums.dtype == object:
        if kind_of(sums) == "symbolic":
            import sympy

            return np.array([i for i, s in enumerate(sums) if sympy.simplify(s - 1) != 0], int)
        return np.array([i for i, s in enumerate(sums) if s != 1], dtype=np.int64)
    return np.flatnonzero(~(np.abs(sums - 1) <= SUM_TOLERANCE[dtype])).astype(np.int64)


def bad_sum_error(label: str, total: Any, dtype: np.dtype[Any], *, where: str) -> InvalidChain:
    """The error for a row that does not sum to one."""
    if total == 0:
        return InvalidChain(
            f"{where}: the row of state {label} is all zero, so nothing can follow it. "
            f"Give the state a way on (a self-loop, if it should be absorbing) or leave it out."
        )
    if total == math.inf:
        return InvalidChain(
            f"{where}: the row of state {label} sums to inf: its entries are too large to be "
            f"added. Divide them by the largest of them first."
        )
    allowed = SUM_TOLERANCE.get(dtype)
    tolerance = "exactly 1" if allowed is None else f"1 within {allowed:g} for {dtype}"
    shown = total if dtype == object else f"{float(total):.17g}"
    return InvalidChain(
        f"{where}: the row of state {label} sums to {shown}, where {tolerance} is needed. "
        f"Mend the row, or pass normalize=True to divide each row by its sum."
    )
