"""The capacity of several models, side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsm_gpt.capacity import (
    UPPER_BOUND,
    Capacity,
    Memory,
    NoCapacity,
    all_memories,
    all_models,
    capacity_or_reason,
)
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, shown
from fsm_gpt.report.capacity_claims import Claim, claims
from fsm_gpt.report.capacity_formats import FORMATS, SUFFIXES
from fsm_gpt.result import Result

__all__ = ["CapacityReport", "capacity_report", "report_of"]

#: Raised whenever a field of the JSON changes its name or its meaning.
SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CapacityReport(Result):
    """Models with their bits of state, historic memories, and the article's claims."""

    rows: tuple[Capacity | NoCapacity, ...]
    memories: tuple[Memory, ...]
    """Historic memories, smallest first."""
    claims: tuple[Claim, ...]
    """What the article says, and what is true."""
    meaning: str = UPPER_BOUND

    def render(self, format: str) -> str:
        """The report as text in one of the formats table, markdown, csv, json, html, bibtex.

        Raises
        ------
        InvalidArgument
            There is no such format.
        """
        if format == "html":
            from fsm_gpt.report.capacity_page import html_page

            return html_page(self)
        if format not in FORMATS:
            raise InvalidArgument(
                f"capacity report: there is no format {format[:40]!r}. The formats are "
                f"{', '.join((*FORMATS, 'html'))}."
            )
        return FORMATS[format](self)

    def save(self, path: Pathlike, *, format: str | None = None) -> Path:
        """Write the report, whole or not at all; its suffix decides how unless ``format`` does.

        Raises
        ------
        InvalidArgument
            The suffix is none of .html, .md, .csv, .json, .bib, .txt.
        FileProblem
            The file cannot be written.
        """
        name = os.fspath(path)
        chosen = format or SUFFIXES.get(os.path.splitext(name)[1].lower())
        if chosen is None:
            raise InvalidArgument(
                f"capacity report: {shown(name)} ends in none of {', '.join(SUFFIXES)}, and the "
                f"ending decides what is written. Change the end of the name."
            )
        content = self.render(chosen).encode("utf-8")
        with atomic_write(path) as file:
            file.write(content)
        return Path(name)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain lists, numbers and strings, ready for JSON."""
        return {"schema_version": SCHEMA_VERSION, **super().to_dict()}

    def __str__(self) -> str:
        return self.render("table").rstrip("\n")

    def _repr_html_(self) -> str:
        from fsm_gpt.report.capacity_page import html_table

        return html_table(self)


def capacity_report(names: Iterable[Pathlike] | Pathlike | None = None) -> CapacityReport:
    """Bits of state of several models, or of all in the table.

    Each name is whatever :func:`fsm_gpt.capacity` takes: a model's name or a path to a
    ``config.json``. A model without a figure has a row with the reason.

    Raises
    ------
    InvalidArgument
        A name has no model.
    FileProblem
        A configuration cannot be read.

    Examples
    --------
    >>> report = capacity_report(["gpt2", "gpt-3", "claude"])
    >>> [row.name for row in report.rows]
    ['GPT-2 small', 'GPT-3 175B', 'Claude (claude-opus-5 etc.)']
    >>> print(report.render("csv").splitlines()[1][:40])
    GPT-2 small,OpenAI,2019,50257,50257,1024
    """
    if names is None:
        names = [model.name for model in all_models()]
    elif isinstance(names, (str, os.PathLike)):
        names = [names]
    return report_of(capacity_or_reason(name) for name in names)


def report_of(found: Iterable[Capacity | NoCapacity]) -> CapacityReport:
    """A report on capacities that were worked out before."""
    rows = tuple(found)
    if not rows:
        raise InvalidArgument(
            "capacity report: no model is named. Name one such as 'gpt2', or leave names out for "
            "all of the table."
        )
    return CapacityReport(rows=rows, memories=all_memories(), claims=claims())
