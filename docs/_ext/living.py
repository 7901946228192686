"""The capacity report, made anew at every build, and how to cite, from CITATION.cff.

The report is a page of its own beside the others, ``capacity.html``, with its table and its
entries as files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import fsm_gpt
from fsm_gpt.report.capacity_formats import bibtex_entry

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CITATION = Path(__file__).resolve().parent.parent.parent / "CITATION.cff"
#: Files of the report in the root of the site.
FILES = ("capacity.html", "capacity.csv", "capacity.bib", "capacity.json")


def citation(path: Path = CITATION) -> dict[str, Any]:
    """What CITATION.cff says."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def names(authors: list[dict[str, str]]) -> str:
    """Authors as BibTeX has them.

    >>> names([{"family-names": "Markov", "given-names": "A. A."}, {"name": "the lab"}])
    'Markov, A. A. and the lab'
    """
    return " and ".join(
        one["name"] if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in authors
    )


def bibtex(said: dict[str, Any]) -> str:
    """The entry of the software, then those of what it rests on."""
    works = [("software", "fsm_gpt", said)]
    for one in said["references"]:
        first = one["authors"][0]["family-names"].lower()
        works.append(("misc", f"{first}{one['year']}", one))
    return "\n".join(
        bibtex_entry(key, _fields(work), kind=kind) for kind, key, work in works
    ).rstrip()


def _fields(work: dict[str, Any]) -> dict[str, str]:
    arxiv = re.fullmatch(r"https://arxiv\.org/abs/([\d.]+)", str(work.get("url", "")))
    return {
        "title": work["title"],
        "author": names(work["authors"]),
        "year": str(work.get("year") or work.get("date-released", ""))[:4],
        "version": str(work.get("version", "")),
        "url": "" if arxiv else str(work.get("url") or work.get("repository-code", "")),
        "eprint": arxiv[1] if arxiv else "",
        "archiveprefix": "arXiv" if arxiv else "",
        "note": work.get("notes", ""),
    }


def _write(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        report = fsm_gpt.capacity_report()
        for name in FILES:
            report.save(Path(app.outdir) / name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the report's files when the pages are written."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
