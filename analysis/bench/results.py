"""What a benchmark leaves behind: rows, points, and the file that keeps them.

``bench.json`` has one part for each group of measurements, with the date, the machine and
the versions of its own run, so that groups can be measured one at a time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import analysis
from fsm_gpt.errors import FileProblem
from fsm_gpt.files import Pathlike, atomic_write, read_limited, shown

__all__ = ["DOCS", "SCHEMA", "Found", "Part", "Point", "Results", "Row", "Size", "split"]

#: The version of bench.json; it changes when a key changes its meaning or goes.
SCHEMA = 1
_LARGEST_FILE = 2**24

#: Where the docs read from.
DOCS = Path(analysis.__file__).parent.parent / "docs" / "data"

#: How large the chains are: those of the targets, those of a look, or those of a test.
Size: TypeAlias = Literal["full", "quick", "tiny"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured number."""

    key: str
    """Its name: what was asked, of which chain, and which quantity, parted by slashes."""
    value: float | None
    """The median of the runs, or None with the reason in ``note``."""
    unit: str = ""
    at: str = ""
    """Which chain, in words."""
    low: float | None = None
    high: float | None = None
    runs: int = 1
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One peer on one chain: a dot of the figure."""

    peer: str
    family: str
    n_states: int
    seconds: float | None
    peak_bytes: int | None = None
    error: float | None = None
    """The largest relative error of an entry; for fsm_gpt the bound that it proves."""
    problem: str = ""


Found: TypeAlias = Row | Point


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one group found, when and where."""

    date: str
    size: Size
    seconds: float
    machine: Mapping[str, Any]
    rows: tuple[Row, ...]
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything that was measured, by group."""

    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, Row]:
        """Every row by its key."""
        return {row.key: row for part in self.parts.values() for row in part.rows}

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point of the figure."""
        return tuple(point for part in self.parts.values() for point in part.points)

    def with_part(self, group: str, part: Part) -> Results:
        """The same with one group measured anew."""
        return Results(parts={**self.parts, group: part})

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "schema": SCHEMA,
            "command": "make bench",
            "groups": {name: asdict(part) for name, part in self.parts.items()},
        }

    def save(self, path: Pathlike) -> Path:
        """Write the file, whole or not at all.

        Raises
        ------
        FileProblem
            It cannot be written.
        """
        text = json.dumps(_finite(self.to_dict()), indent=1, allow_nan=False)
        with atomic_write(Path(path)) as stream:
            stream.write(text.encode() + b"\n")
        return Path(path)

    @classmethod
    def load(cls, path: Pathlike) -> Results:
        """Read the file back; no file is no results.

        Raises
        ------
        FileProblem
            It cannot be read, or holds something else.
        """
        if not Path(path).exists():
            return cls()
        try:
            document = json.loads(read_limited(path, _LARGEST_FILE))
            if document["schema"] != SCHEMA:
                raise ValueError(f"its schema is {document['schema']}")
            parts = {name: _part(part) for name, part in document["groups"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise FileProblem(
                f"{shown(path)}: it is not a bench.json of this version ({error}). Move it away "
                f"and run make bench again."
            ) from None
        return cls(parts=parts)


def split(found: Iterable[Found]) -> tuple[tuple[Row, ...], tuple[Point, ...]]:
    """Rows and points apart."""
    everything = list(found)
    return (
        tuple(one for one in everything if isinstance(one, Row)),
        tuple(one for one in everything if isinstance(one, Point)),
    )


def _part(document: dict[str, Any]) -> Part:
    rows = tuple(Row(**row) for row in document.pop("rows"))
    return Part(rows=rows, points=tuple(Point(**p) for p in document.pop("points")), **document)


def _finite(value: Any) -> Any:
    """JSON has no infinity: where a number is not finite there is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
