"""A capacity report as plain text: for a terminal, Markdown, CSV, JSON and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import fill
from typing import TYPE_CHECKING

from fsm_gpt import __version__
from fsm_gpt.capacity import Capacity, NoCapacity, table_date
from fsm_gpt.capacity.words import scale, size_in_words
from fsm_gpt.report.shortened import json_text
from fsm_gpt.report.tables import csv_text, markdown_table, markdown_text

if TYPE_CHECKING:
    from fsm_gpt.report.capacity_report import CapacityReport

__all__ = ["COLUMNS", "FORMATS", "SUFFIXES", "bibtex_entry", "bibtex_of_works", "row_cells"]

#: Headings of the table for people; the first is text, the others are numbers.
COLUMNS = ("model", "ids V", "rows", "context L", "bits", "bytes", "digits", "parameters", "scale")

#: Fields of the table for programs, in order; a field is named as the result names it.
FIELDS = (
    *("name", "organisation", "year", "vocabulary", "embedding_rows", "context", "bits", "bytes"),
    *("bits_with_padding", "log10_windows", "digits_of_windows", "digits_of_all_contexts"),
    *("parameters", "parameters_as_stated", "bits_per_parameter", "cache_bytes", "grade"),
    *("verified", "no_figure_because", "notes", "sources"),
)


def row_cells(row: Capacity | NoCapacity) -> tuple[str, ...]:
    """A row for people: a cell for each of ``COLUMNS``, or the name and the reason."""
    if isinstance(row, NoCapacity):
        return row.name, row.reason
    rows = "" if row.embedding_rows is None else f"{row.embedding_rows:,}"
    return (
        row.name,
        f"{row.vocabulary:,}",
        rows if row.padded_rows else "",
        f"{row.context:,}",
        row.bits_text,
        row.bytes_text,
        f"{row.digits_of_windows:,}",
        row.parameters_as_stated.partition(" ")[0],
        scale(row),
    )


def table(report: CapacityReport) -> str:
    """Columns for a terminal."""
    lines = [COLUMNS, *(row_cells(row) for row in report.rows)]
    full = [cells for cells in lines if len(cells) == len(COLUMNS)]
    widths = [max(len(cells[i]) for cells in full) for i in range(len(COLUMNS))]
    widths[0] = max(len(cells[0]) for cells in lines)
    out = []
    for cells in lines:
        if len(cells) == len(COLUMNS):
            parts = [cells[0].ljust(widths[0])]
            parts += [cell.rjust(w) for cell, w in zip(cells[1:-1], widths[1:-1], strict=True)]
            out.append("  ".join([*parts, cells[-1]]).rstrip())
        else:
            out.append(f"{cells[0].ljust(widths[0])}  no figure: {cells[1]}")
    out += ["", fill(report.meaning, width=100)]
    out += ["V: ids that can be emitted. rows: rows of the embedding, where some are padding."]
    out += ["digits: decimal digits of V^L. scale: the largest historic memory that is no larger."]
    return "\n".join(out) + "\n"


def markdown(report: CapacityReport) -> str:
    """Tables that GitHub and Sphinx show."""
    out = ["# Bits of state", "", markdown_text(report.meaning), ""]
    out += markdown_table(COLUMNS, [_md_row(row) for row in report.rows], numbers=range(1, 8))
    sourced = [
        (row.name, row.verified, "; ".join(row.notes), "; ".join(row.sources))
        for row in report.rows
    ]
    out += ["", "## Where the sizes are from", ""]
    out += markdown_table(("model", "how seen", "notes", "sources"), sourced)
    out += ["", "## Key-value caches", ""]
    out += ["Keys and values of a full context in 16-bit numbers, where the shape is known."]
    out += ["They can be worked out anew from the window, so they are no state beyond it.", ""]
    caches = [
        (row.name, size_in_words(row.cache_bytes), row.cache_source)
        for row in report.rows
        if isinstance(row, Capacity) and row.cache_bytes is not None
    ]
    out += markdown_table(("model", "bytes", "source of the shape"), caches, numbers=[1])
    out += ["", "## Historic memories", ""]
    memories = [(m.name, str(m.year), f"{m.bytes:,}", m.source) for m in report.memories]
    out += markdown_table(("memory", "year", "bytes", "source"), memories, numbers=[1, 2])
    out += ["", "## What the article says", ""]
    said = [(c.about, c.article, c.verdict, c.corrected) for c in report.claims]
    out += markdown_table(("about", "the article", "verdict", "computed"), said)
    return "\n".join(out) + "\n"


def _md_row(row: Capacity | NoCapacity) -> tuple[str, ...]:
    cells = row_cells(row)
    if len(cells) == len(COLUMNS):
        return cells
    return (cells[0], *[""] * (len(COLUMNS) - 2), f"no figure: {cells[1]}")


def comma_separated(report: CapacityReport) -> str:
    """One line for each model under a line of field names; the rows of RFC 4180."""
    rows = []
    for row in report.rows:
        fields = row.to_dict()
        fields["no_figure_because"] = row.reason if isinstance(row, NoCapacity) else ""
        rows.append([fields.get(name) for name in FIELDS])
    return csv_text(FIELDS, rows)


def as_json(report: CapacityReport) -> str:
    """One JSON document."""
    return json_text(report.to_dict(), indent=2) + "\n"


def bibtex(report: CapacityReport) -> str:
    """One entry for each model, and those of the theory behind."""
    works = _works()
    entries = [bibtex_entry(key, fields) for key, fields in works]
    used = {key for key, _ in works}
    for row in report.rows:
        stem = re.sub(r"[^a-z0-9]+", "-", row.name.lower().encode("ascii", "ignore").decode())
        key = stem = f"model-{stem.strip('-') or 'unnamed'}"
        number = 2
        while key in used:
            key, number = f"{stem}-{number}", number + 1
        used.add(key)
        size = (
            f"No figure: {row.reason}"
            if isinstance(row, NoCapacity)
            else f"V = {row.vocabulary}, L = {row.context}: {row.bits_text} bits of state"
        )
        fields = {
            "title": row.name,
            "author": row.organisation,
            "year": "" if row.year is None else str(row.year),
            "note": f"{size}. Sizes {row.verified}. Sources: {'; '.join(row.sources)}",
        }
        entries.append(bibtex_entry(key, fields))
    return "\n".join(entries)


def bibtex_of_works() -> str:
    """The entries of this report and of what it rests on, without those of models.

    >>> bibtex_of_works().partition(",")[0]
    '@misc{fsm-gpt'
    """
    return "\n".join(bibtex_entry(key, fields) for key, fields in _works())


def _works() -> list[tuple[str, dict[str, str]]]:
    """What every report rests on: the key and the fields of an entry."""
    report = {
        "title": "fsm_gpt: a small GPT as a finite-state Markov chain",
        "author": "fsm_gpt contributors",
        "year": table_date()[:4],
        "version": __version__,
        "note": f"Capacity report, with the table of models of {table_date()}",
    }
    zekri = {
        "title": "Large Language Models as Markov Chains",
        "author": "Zekri, Oussama and Odonnat, Ambroise and Benechehab, Abdelhakim and "
        "Bleistein, Linus and Boullé, Nicolas and Redko, Ievgen",
        "year": "2024",
        "eprint": "2410.02724",
        "archiveprefix": "arXiv",
    }
    karpathy = {
        "title": "baby GPT",
        "author": "Karpathy, Andrej",
        "year": "2023",
        "note": "Notebook",
    }
    return [("fsm-gpt", report), ("zekri2024", zekri), ("karpathy2023", karpathy)]


_TEX = {
    **{sign: "\\" + sign for sign in "{}%&#_$"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def bibtex_entry(key: str, fields: dict[str, str], *, kind: str = "misc") -> str:
    r"""One entry; fields without a value are left out, and signs that TeX reads are escaped.

    >>> print(bibtex_entry("a", {"title": "fsm_gpt", "year": ""}, kind="software"))
    @software{a,
      title = {{fsm\_gpt}},
    }
    <BLANKLINE>
    """
    lines = []
    for name, value in fields.items():
        if value:
            text = "".join(_TEX.get(sign, sign) for sign in " ".join(value.split()))
            # Titles and organisations are kept as they are written; a person has a comma.
            if name == "title" or (name == "author" and ", " not in text):
                text = "{" + text + "}"
            lines.append(f"  {name} = {{{text}}},\n")
    return f"@{kind}{{{key},\n{''.join(lines)}}}\n"


#: The formats that are plain text, and which suffix means which.
FORMATS: dict[str, Callable[[CapacityReport], str]] = {
    "table": table,
    "markdown": markdown,
    "csv": comma_separated,
    "json": as_json,
    "bibtex": bibtex,
}
SUFFIXES = {
    ".html": "html",
    ".md": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".bib": "bibtex",
    ".txt": "table",
}
