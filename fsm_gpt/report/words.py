"""How numbers and names are written, the same on the page and in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.report.style import percent
from fsm_gpt.space import visible

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.markov.classes import CommunicatingClasses
    from fsm_gpt.rows import Numbers

__all__ = [
    "MOST_COLUMNS",
    "count",
    "decimal",
    "listed",
    "next_tokens",
    "number",
    "powers",
    "printable",
    "row_cells",
    "structure",
]

#: A vocabulary of more tokens than this has no column for each.
MOST_COLUMNS = 6

_EXPONENT = re.compile(r"(?<=\d)e([-+])0*(\d+)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def powers(text: Any) -> str:
    r"""A text with its powers of ten as a printed page has them.

    >>> powers("at most 8.5e-15"), powers("1e+06")
    ('at most 8.5\xa0×\xa010⁻¹⁵', '1\xa0×\xa010⁶')
    """

    def raised(match: re.Match[str]) -> str:
        sign = "-" if match[1] == "-" else ""
        return "\u00a0×\u00a010" + f"{sign}{match[2]}".translate(_RAISED)

    return _EXPONENT.sub(raised, str(text))


def printable(text: Any) -> str:
    r"""Any text without signs that a reader cannot see: they become escapes.

    >>> printable("a\u202eb\x00")
    'a\\u202eb\\x00'
    """
    return "".join(c if c.isprintable() else visible(c) for c in str(text))


def number(value: Any, digits: int = 4) -> str:
    """A number with some digits; rationals as fractions with their value, expressions whole.

    >>> number(0.81975589), number(Fraction(2, 5)), number(1e-9), number(0)
    ('0.8198', '2/5 = 0.4', '1e-09', '0')
    """
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        fraction = str(value)
        decimals = f"{float(value):.{digits}g}"
        return f"{fraction} = {decimals}" if len(fraction) <= 9 else decimals
    if isinstance(value, (int, float, np.integer, np.floating)):
        return "infinite" if np.isinf(value) else f"{float(value):.{digits}g}"
    return str(value)


def decimal(value: Any, places: int = 4) -> str:
    """A probability or an entropy for a column of a table.

    >>> decimal(0.25), decimal(1e-9), decimal(Fraction(1, 5)), decimal(0.0)
    ('0.2500', '1.0e-09', '1/5', '0')
    """
    if isinstance(value, Fraction) and len(str(value)) <= 9:
        return str(value)
    try:
        real = float(value)
    except TypeError:
        return str(value)
    if np.isinf(real):
        return "infinite"
    if real in (0.0, 1.0):
        return f"{real:.0f}"
    return f"{real:.{places}f}" if abs(real) >= 10.0**-places else f"{real:.1e}"


def count(n: int, what: str, plural: str | None = None) -> str:
    """A number of things.

    >>> count(1, "state"), count(16, "class", "classes")
    ('1 state', '16 classes')
    """
    return f"{n:,} {what if n == 1 else plural or what + 's'}"


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names with commas, the first few.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    every = list(names)
    more = f" and {len(every) - limit:,} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


def next_tokens(chain: Chain, state: int, *, most: int = 3) -> str:
    """The most probable next tokens of a state.

    >>> from fsm_gpt.chain import Chain
    >>> next_tokens(Chain([[0.5, 0.5], [0.25, 0.75]]), 1)
    '1 75%, 0 25%'
    """
    row = _row(chain, state)
    order = range(len(row)) if chain.kind == "symbolic" else np.argsort(-row, kind="stable")
    chosen = [int(t) for t in order if row[t] != 0][:most]
    more = ", …" if int(np.count_nonzero(row != 0)) > most else ""
    return ", ".join(f"{chain.vocabulary.shown[t]} {percent(row[t])}" for t in chosen) + more


def _row(chain: Chain, state: int) -> Numbers:
    """The row of a state, without a table of all rows where the chain has none."""
    if chain.is_window or chain.kind != "float":
        return np.asarray(chain.next_token[state])
    from fsm_gpt.markov.paired import rows_of

    return np.asarray(rows_of(chain, np.array([state]))[0])


def row_cells(chain: Chain, state: int, *, many: bool) -> list[str]:
    """The row of a state for a table: a cell for each token, or the most probable in one.

    >>> from fsm_gpt.chain import Chain
    >>> row_cells(Chain([[0.5, 0.5], [0.25, 0.75]]), 1, many=False)
    ['0.2500', '0.7500']
    """
    if many:
        return [next_tokens(chain, state)]
    return [decimal(p) for p in _row(chain, state)]


def structure(classes: CommunicatingClasses) -> tuple[str, str]:
    """The structure of a chain in a few words, and in a sentence."""
    closed, n_transient = classes.closed, len(classes.transient)
    leaving = (
        f" {count(n_transient, 'state is', 'states are')} transient: left, and never seen again."
        if n_transient
        else ""
    )
    if len(closed) > 1:
        absorbing = len(classes.absorbing)
        few = count(len(closed), "closed class", "closed classes")
        what = f", {count(absorbing, 'absorbing state')} among them" if absorbing else ""
        return few, f"The long run depends on the start{what}.{leaving}"
    (states,), (period,) = closed, classes.periods
    if len(states) == 1:
        return "absorbing", f"Everything ends in {classes.chain.labels(states)[0]}.{leaving}"
    if period == 1:
        if classes.irreducible:
            return "one class", "Every state leads to every other, and no period."
        return "one closed class", f"It has {count(len(states), 'state')} and no period.{leaving}"
    if period == len(states):
        return f"cycle of {period:,}", f"The chain ends in one endless round.{leaving}"
    return f"period {period:,}", f"One closed class, visited in {period:,} turns.{leaving}"
