"""How measured numbers are shown to a person."""

from __future__ import annotations

from analysis.bench.results import Row

__all__ = ["number", "spread"]

#: The unit that is a thousandth of another.
_SMALLER = {"s": "ms", "GB": "MB"}


def number(value: float | None, unit: str = "") -> str:
    """A measured value as a person reads it.

    >>> number(3.14159, "times"), number(4.2e-13), number(0.871, "share"), number(None)
    ('3.1 times', '4.2e-13', '87%', '–')
    >>> number(0.0026, "s"), number(0.0083, "GB"), number(1e-11)
    ('2.6 ms', '8.3 MB', '1e-11')
    """
    if value is None:
        return "–"
    if unit == "share":
        return f"{value:.0%}"
    if (smaller := _SMALLER.get(unit)) and 0 < value < 0.1:
        return number(value * 1000, smaller)
    if value == 0 or (value >= 100 and unit in ("cycles", "bounds", "MB", "s")):
        text = f"{value:,.0f}"
    elif value < 1e-3 or (value >= 1e4 and not unit):
        text = f"{value:.1e}".replace(".0e", "e")
    elif unit in ("cycles", "bounds"):
        text = f"{value:g}"
    else:
        text = f"{value:.2g}" if value < 10 else f"{value:.3g}"
    return f"{text} {unit}".strip() if unit not in ("relative", "l1", "probability") else text


def spread(row: Row) -> str:
    """The smallest and the largest of several runs."""
    if row.low is None or row.high is None or row.runs < 2:
        return ""
    unit = row.unit if row.unit in ("share", *_SMALLER) else ""
    return f"{number(row.low, unit)} to {number(row.high, unit)}"
