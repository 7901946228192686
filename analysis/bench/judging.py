"""How a number to reach is held against what was measured.

A target is about one chain or about the worst of several; it is reached by the median of
the runs. What was measured on another chain, in a quick run say, decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from analysis.bench.results import Row
from analysis.families import HARD, ZEROS

__all__ = ["Judged", "Measure", "Rows", "Target", "get", "judge", "of", "worst"]

Rows: TypeAlias = Mapping[str, Row]
Measure: TypeAlias = Callable[[Rows], Row]


@dataclass(frozen=True)
class Target:
    """A number to reach."""

    what: str
    measure: Measure
    sense: Literal["at least", "at most"]
    goal: float
    unit: str
    at: str
    """The chain that it is about, as rows say it."""


@dataclass(frozen=True)
class Judged:
    """A target and what was measured."""

    target: Target
    row: Row
    reached: bool | None
    """None where nothing was measured, or on another chain only."""


def get(rows: Rows, key: str) -> Row:
    """A row by its key, or the row that says why it is missing."""
    if key in rows:
        return rows[key]
    parts = key.split("/")
    for end in range(len(parts) - 1, 0, -1):
        failed = rows.get("/".join(parts[:end]))
        if failed is not None and failed.value is None:
            return failed
    return Row(key=key, value=None, note="not measured")


def of(key: str) -> Measure:
    """One row."""
    return lambda rows: get(rows, key)


def worst(keys: Iterable[str], sense: Literal["at least", "at most"]) -> Measure:
    """The row that is furthest from its target; a missing one comes before all."""
    named = tuple(keys)
    pick = max if sense == "at most" else min

    def measure(rows: Rows) -> Row:
        some = [get(rows, key) for key in named]
        missing = [row for row in some if row.value is None]
        found = [row for row in some if row.value is not None]
        if missing:
            why = missing[0].note
            names = ", ".join(_family(row.key) for row in missing[:3])
            note = why if len(missing) == len(some) else f"{why} ({names})"
            return Row(key=named[0], value=None, note=note)
        row = pick(found, key=lambda one: one.value or 0.0)
        about = f"the worst of {len(found)}: {_family(row.key)}" if len(found) > 1 else ""
        return replace(row, note="; ".join(part for part in (about, row.note) if part))

    return measure


def _family(key: str) -> str:
    """What distinguishes the keys of one target: the name of a family."""
    every = sorted((*HARD, *ZEROS, "min-p 0.3"), key=len, reverse=True)
    return next((name for name in every if f"/{name}/" in f"{key}/"), key)


def judge(target: Target, rows: Rows) -> Judged:
    """Whether a target was reached.

    >>> target = Target("speed", of("x/ratio"), "at least", 2.5, "times", "V=2")
    >>> judge(target, {"x/ratio": Row(key="x/ratio", value=3.0, at="V=2")}).reached
    True
    >>> print(judge(target, {"x/ratio": Row(key="x/ratio", value=3.0, at="V=3")}).reached)
    None
    """
    row = target.measure(rows)
    if row.value is None or not row.at.startswith(target.at):
        return Judged(target, row, None)
    good = row.value >= target.goal if target.sense == "at least" else row.value <= target.goal
    return Judged(target, row, good)
