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

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CITATION = Path(__file__).resolve().parent.parent.parent / "CITATION.cff"
#: Files of the report in the root of the site.
FILES = ("capacity.html", "capacity.csv", "capacity.bib", "capacity.json")


def citation(path: Path = CITATION) -> dict[str, Any]:
    """What CITATION.cff says."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def names(authors: list[dict[str, str]]) -> str:
    """Authors as BibTeX has them; a name that is not a person's is kept as it stands.

    >>> names([{"family-names": "Markov", "given-names": "A. A."}, {"name": "the lab"}])
    'Markov, A. A. and {the lab}'
    """
    return " and ".join(
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in authors
    )


def bibtex(said: dict[str, Any]) -> str:
    """The entry of the software, then those of what it rests on.

    >>> print(bibtex({"title": "A", "version": "1", "authors": [{"name": "B"}], "references": []}))
    @software{fsm_gpt,
      title = {A},
      author = {{B}},
      version = {1},
    }
    """
    works = [("software", "fsm_gpt", said)]
    for one in said["references"]:
        first = one["authors"][0]["family-names"].lower()
        works.append(("misc", f"{first}{one['year']}", one))
    return "\n\n".join(_entry(kind, key, work) for kind, key, work in works)


def _entry(kind: str, key: str, work: dict[str, Any]) -> str:
    found = re.fullmatch(r"https://arxiv\.org/abs/([\d.]+)", str(work.get("url", "")))
    fields = {
        "title": work["title"],
        "author": names(work["authors"]),
        "year": work.get("year") or str(work.get("date-released", ""))[:4],
        "version": work.get("version"),
        "url": "" if found else work.get("url") or work.get("repository-code"),
        "eprint": found and found[1],
        "archiveprefix": found and "arXiv",
        "note": work.get("notes"),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _write(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        report = fsm_gpt.capacity_report()
        for name in FILES:
            report.save(Path(app.outdir) / name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the report's files when the pages are written."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
