"""The capacity report as one HTML file that opens offline, in light and dark.

It has the look of the report on a chain, and the same content-security-policy: the one style
sheet and the one script are named by their hashes, and nothing is asked of the network. The
script sorts and filters the tables; without it they are all there, in the order of the report.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_gpt import __version__
from fsm_gpt.capacity import Capacity, NoCapacity, table_date
from fsm_gpt.capacity.words import memories_in_words, size_in_words
from fsm_gpt.report.capacity_formats import bibtex_of_works, row_cells
from fsm_gpt.report.downloads import Download
from fsm_gpt.report.shell import page_from
from fsm_gpt.report.words import count, powers

if TYPE_CHECKING:
    from markupsafe import Markup

    from fsm_gpt.report.capacity_report import CapacityReport

__all__ = ["html_page", "html_table"]


@dataclass(frozen=True)
class _Row:
    """A row of the page's tables: text alone, and the length of its bar."""

    name: str
    by: str
    year: str
    cells: tuple[str, ...]
    #: What the columns of ids, context, bits and digits are sorted by.
    keys: tuple[str, ...]
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
    rows = [_row(row, largest) for row in report.rows]
    return page_from(
        "capacity.html.j2",
        scripts=["tables.js"],
        title="Bits of state" if len(report.rows) > 1 else f"Bits of state: {report.rows[0].name}",
        report=report,
        rows=rows,
        memories=[(memory, _share(memory.bytes, largest)) for memory in report.memories],
        cards=_cards(report, figures),
        largest=size_in_words(largest),
        figure=_figure(report),
        choices=_choices(rows),
        method=_method(),
        grades=Counter(row.verified for row in report.rows).most_common(),
        entries=bibtex_of_works(),
        bibtex=_download(report, "capacity.bib", "application/x-bibtex"),
        csv=_download(report, "capacity.csv", "text/csv"),
        version=__version__,
    )


def _figure(report: CapacityReport) -> Markup | None:
    """The figure over the years, where a model has both a figure and a year."""
    from markupsafe import Markup

    from fsm_gpt.report.capacity_figure import capacity_plot
    from fsm_gpt.report.svg import inline_svg

    dated = [row for row in report.rows if isinstance(row, Capacity) and row.year]
    if not dated:
        return None
    least, most = (f(dated, key=lambda row: row.bits) for f in (min, max))
    label = (
        f"Bits of state of {count(len(dated), 'model')} by year on a logarithmic scale, from "
        f"{least.bits_text} ({least.name}) to {most.bits_text} ({most.name}), with the memories "
        f"of old computers as lines across."
    )
    return Markup(inline_svg(capacity_plot(report), label=label, prefix="years"))


def _choices(rows: list[_Row]) -> list[tuple[str, str, list[str]]]:
    """What rows can be chosen by: the name of it, the words for it, and its values."""
    return [
        ("by", "made by", sorted({row.by for row in rows if row.by}, key=str.casefold)),
        ("year", "year", sorted({row.year for row in rows if row.year})),
        ("seen", "how seen", sorted({row.verified for row in rows})),
    ]


def _method() -> list[str]:
    """How the figures come about and what they do not say, a sentence or two each."""
    return [
        "The bits are log2(V^L) = L log2(V): what it takes to name one of the V^L full windows "
        "that a model of V tokens and a context of L can be looking at. That these windows are "
        "the states of a Markov chain is shown by Zekri et al. (2024), arXiv 2410.02724. Every "
        "decimal shown is right.",
        "It is an upper bound on state, and not knowledge: it bounds what a model can remember "
        "from one token to the next, whatever its weights. It says nothing of what was learned, "
        "which is in the parameters, nor of how well the window is used. Most windows "
        "hardly ever occur, so the bits in use are fewer; how many fewer, the stationary "
        "distribution of a model's chain says.",
        "V is the number of ids that can be emitted, without rows of the embedding that are "
        "padding; L is the context that the model was released with. Where a product sees less "
        "of its model, or pieces of text are left out to save room, the state is smaller.",
        "The window is taken to be all the state: the model reads its last L tokens anew at each "
        "step. A sampler that keeps keys and values of tokens that have left the window remembers "
        "more, and a recurrent network or a state space model has no such window: those have no "
        "figure here. Neither have models whose vocabulary is not public.",
        "Memories of old computers are there for scale. They are bits that could be written and "
        "read at will, and no claim that a machine of that size could do what a model does.",
        f"The sizes are those of the table of {table_date()}, each with its source and with how "
        f"it was seen. Years are general knowledge unless a source names them.",
    ]


def _download(report: CapacityReport, name: str, kind: str) -> Download:
    form = "bibtex" if name.endswith(".bib") else "csv"
    return Download(name, "", kind, report.render(form))


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
    cells: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    share, padding, per, cache, cache_source, memories = 0.0, "", "", "", "", ""
    if isinstance(row, Capacity):
        cells, share = row_cells(row)[1:], _share(row.bytes, largest)
        sizes = (row.vocabulary, row.context, row.bits, row.digits_of_windows)
        keys = tuple(repr(size) for size in sizes)
        padding = f"{row.padded_rows:,} rows of padding" if row.padded_rows else ""
        per = "" if row.bits_per_parameter is None else powers(f"{row.bits_per_parameter:.3g}")
        cache = "" if row.cache_bytes is None else size_in_words(row.cache_bytes)
        cache_source, memories = row.cache_source, memories_in_words(row)
    return _Row(
        name=row.name,
        by=row.organisation,
        year="" if row.year is None else str(row.year),
        cells=cells,
        keys=keys,
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
