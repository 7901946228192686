"""The capacity report as one HTML file that opens offline, in light and dark.

It has the look of the report on a chain, and the same content-security-policy: no script
runs, the one style sheet is named by its hash, nothing is asked of the network.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_gpt import __version__
from fsm_gpt.capacity import Capacity, NoCapacity
from fsm_gpt.capacity.words import memories_in_words, size_in_words
from fsm_gpt.report.capacity_formats import row_cells
from fsm_gpt.report.shell import page_from
from fsm_gpt.report.words import count, powers

if TYPE_CHECKING:
    from fsm_gpt.report.capacity_report import CapacityReport

__all__ = ["html_page", "html_table"]


@dataclass(frozen=True)
class _Row:
    """A row of the page's tables: text alone, and the length of its bar."""

    name: str
    made: str
    cells: tuple[str, ...]
    reason: str
    share: float
    padding: str
    parameters: str
    per_parameter: str
    cache: str
    cache_source: str
    memories: str
    verified: str
    notes: tuple[str, ...]
    sources: tuple[str, ...]


def html_page(report: CapacityReport) -> str:
    """The whole page."""
    largest = _largest(report)
    figures = [row for row in report.rows if isinstance(row, Capacity)]
    return page_from(
        "capacity.html.j2",
        title="Bits of state" if len(report.rows) > 1 else f"Bits of state: {report.rows[0].name}",
        report=report,
        rows=[_row(row, largest) for row in report.rows],
        memories=[(memory, _share(memory.bytes, largest)) for memory in report.memories],
        cards=_cards(report, figures),
        largest=size_in_words(largest),
        version=__version__,
    )


def html_table(report: CapacityReport) -> str:
    """The models as a table without a page around it, for notebooks."""
    lines = []
    for row in report.rows:
        if isinstance(row, NoCapacity):
            cells = f'<td colspan="4">{html.escape(row.reason)}</td>'
        else:
            shown = (f"{row.vocabulary:,}", f"{row.context:,}", row.bits_text, row.bytes_text)
            cells = "".join(f"<td>{cell}</td>" for cell in shown)
        lines.append(f'<tr><th scope="row">{html.escape(row.name)}</th>{cells}</tr>')
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("model", "V", "L", "bits", "bytes"))
    return (
        f"<table><caption>{html.escape(report.meaning)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _largest(report: CapacityReport) -> float:
    sizes = [row.bytes for row in report.rows if isinstance(row, Capacity)]
    return max(sizes + [float(memory.bytes) for memory in report.memories])


def _share(size: float, largest: float) -> float:
    """Length of a bar between 0 and 1, by the logarithm of the size."""
    return math.log1p(size) / math.log1p(largest)


def _row(row: Capacity | NoCapacity, largest: float) -> _Row:
    made = ", ".join(str(part) for part in (row.organisation, row.year) if part)
    cells: tuple[str, ...] = ()
    share, padding, per, cache, cache_source, memories = 0.0, "", "", "", "", ""
    if isinstance(row, Capacity):
        cells, share = row_cells(row)[1:], _share(row.bytes, largest)
        padding = f"{row.padded_rows:,} rows of padding" if row.padded_rows else ""
        per = "" if row.bits_per_parameter is None else powers(f"{row.bits_per_parameter:.3g}")
        cache = "" if row.cache_bytes is None else size_in_words(row.cache_bytes)
        cache_source, memories = row.cache_source, memories_in_words(row)
    return _Row(
        name=row.name,
        made=made,
        cells=cells,
        reason=row.reason if isinstance(row, NoCapacity) else "",
        share=share,
        padding=padding,
        parameters=row.parameters_as_stated,
        per_parameter=per,
        cache=cache,
        cache_source=cache_source,
        memories=memories,
        verified=row.verified,
        notes=row.notes,
        sources=row.sources,
    )


def _cards(report: CapacityReport, figures: list[Capacity]) -> list[tuple[str, str, str, str]]:
    """Name, value, unit and a line below, for the top of the page."""
    missing = len(report.rows) - len(figures)
    without = f"{missing:,} of them without a figure" if missing else "each with a figure"
    cards = [("Models", f"{len(report.rows):,}", "", without)]
    if figures:
        least = min(figures, key=lambda row: row.bits)
        most = max(figures, key=lambda row: row.bits)
        for name, row in (("Smallest state", least), ("Largest state", most)):
            if name == "Smallest state" or most is not least:
                value, unit = size_in_words(row.bytes).split()
                cards.append((name, value, unit, f"{row.name}: {row.bits_text} bits"))
        cards.append(
            (
                "Windows",
                count(most.digits_of_windows, "digit"),
                "",
                f"in the number of full windows of {most.name}",
            )
        )
    return cards
