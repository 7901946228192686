"""A section that is sentences, tables and perhaps a figure, on every page in the same form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsm_gpt.report.absent import Absent
from fsm_gpt.report.tables import Table

__all__ = ["Section", "left_out", "part_of", "told"]

Section = dict[str, Any]


def told(
    name: str,
    title: str,
    sentences: Sequence[str],
    *,
    tables: Sequence[Table] = (),
    wide: Sequence[Table] = (),
) -> Section:
    """A section under its name; ``wide`` tables stand alone below the others."""
    return {
        "name": name,
        "title": title,
        "absent": "",
        "sentences": list(sentences),
        "tables": list(tables),
        "wide": list(wide),
        "svg": "",
        "caption": "",
    }


def left_out(name: str, title: str, why: Absent) -> Section:
    """A section that is the reason why there is none."""
    return {**told(name, title, ()), "absent": str(why)}


def part_of(share: float) -> str:
    """A share whose small parts count.

    >>> part_of(0.5), part_of(0.00318), part_of(2e-9), part_of(1.0), part_of(0.99999)
    ('50%', '0.32%', '<0.01%', '100%', '>99.9%')
    """
    if share in (0.0, 1.0) or 0.1 <= share < 0.995:
        return f"{share:.0%}"
    if share >= 0.995:
        return f"{100 * share:.1f}%" if share < 0.9995 else ">99.9%"
    return f"{100 * share:.2g}%" if share >= 1e-4 else "<0.01%"
