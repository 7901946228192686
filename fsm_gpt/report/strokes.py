"""Small pictures of numbers in one line of a terminal, and text for one that knows ASCII alone."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ascii_only", "bar", "sparkline"]

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-:=+*#"

#: Signs of our own pages, as ASCII has them.
_TYPED = str.maketrans(
    {
        **{"→": "->", "π": "pi", "λ": "lambda", "δ": "delta", "ε": "epsilon", "…": "..."},
        **{
            "—": "-",
            "–": "-",
            "’": "'",
            "‘": "'",
            "“": '"',
            "”": '"',
            "•": "*",
            "·": ".",
            "×": "x",
        },
        **{"\u00a0": " ", "₀": "_0", "≤": "<=", "≥": ">=", "−": "-", "±": "+-", "␣": "_"},
    }
)
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def bar(share: float, width: int = 20, *, ascii: bool = False) -> str:
    """A bar in eighths of a character; in ASCII, in whole ones.

    >>> bar(0.5, width=4), bar(0.5, width=4, ascii=True)
    ('██', '##')
    >>> bar(0.03, width=4), bar(0.0)
    ('▏', '')
    """
    if ascii:
        return "#" * (max(round(share * width), 1) if share > 0 else 0)
    eighths = max(round(share * width * 8), 1) if share > 0 else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def sparkline(values: Iterable[float], most: float = 1.0, *, ascii: bool = False) -> str:
    """A column for each number, as high as its part of ``most``; exactly zero is a dot.

    >>> sparkline([0.0, 1e-9, 0.5, 1.0]), sparkline([0.0, 1e-9, 0.5, 1.0], ascii=True)
    ('·▁▄█', ' _:#')
    """
    levels, zero = (_ASCII_LEVELS, " ") if ascii else (_LEVELS, "·")
    last = len(levels) - 1
    return "".join(
        zero if value == 0 or most <= 0 else levels[min(max(round(value / most * 8) - 1, 0), last)]
        for value in values
    )


def ascii_only(text: str) -> str:
    r"""A text in ASCII: our own signs by others that mean the same, the rest as escapes.

    >>> ascii_only("111 → 110, π 2⁻²⁴"), ascii_only("你")
    ('111 -> 110, pi 2^-24', '\\u4f60')
    """
    out = []
    raised = False
    for sign in text:
        is_raised = ord(sign) in _POWERS
        out.append("^" if is_raised and not raised else "")
        raised = is_raised
        out.append(sign.translate(_POWERS) if is_raised else sign.translate(_TYPED))
    return "".join(out).encode("ascii", "backslashreplace").decode("ascii")
