"""The report: one HTML file that opens offline, in light and dark; or Markdown, or JSON.

Nothing in the page asks the network for anything, and its content-security-policy would
not let it: no script runs, the one style sheet is named by its hash, pictures are inline.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, shown
from fsm_gpt.report.facts import Facts, gather

__all__ = ["Report", "report", "report_format"]

#: What is written, by the end of the file's name; without one it is the page.
SUFFIXES = {
    "": "html",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
}

#: Sections that are there where they have something to say.
TOLD = ("context_use", "machine", "slow", "sensitivity")


def report_format(path: Pathlike) -> str:
    """What a report is written as to a file of this name: html, markdown or json.

    Raises
    ------
    InvalidArgument
        The name ends in something else.

    >>> report_format("report.md"), report_format("report.html")
    ('markdown', 'html')
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in SUFFIXES:
        raise InvalidArgument(
            f"report: {shown(path)} ends in none of {', '.join(filter(None, SUFFIXES))}, and the "
            f"ending decides what is written. Change the end of the name."
        )
    return SUFFIXES[suffix]


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The numbers of a chain, and the page, the Markdown and the JSON that show them.

    Each is made when it is first asked for.
    """

    facts: Facts
    title: str | None = None

    @cached_property
    def html(self) -> str:
        """The page, complete in itself."""
        return _page(self.facts, self.title)

    @cached_property
    def markdown(self) -> str:
        """The same numbers in tables of Markdown, without the figures."""
        from fsm_gpt.report.markdown import markdown

        return markdown(self.facts, title=self.title)

    @cached_property
    def json(self) -> str:
        """All numbers as one JSON document."""
        document = self.facts.to_dict()
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: Pathlike) -> Path:
        """Write it, whole or not at all: .html, .md or .json by the end of the name.

        Raises
        ------
        InvalidArgument
            The name ends in something else.
        FileProblem
            The file cannot be written.
        """
        content: str = getattr(self, report_format(path))
        with atomic_write(path) as file:
            file.write(content.encode("utf-8"))
        return Path(path)

    def __repr__(self) -> str:
        size = len(self.html.encode("utf-8")) / 1000
        return f"Report: {size:,.0f} kB of HTML about {self.facts.chain}; save(path) writes it"

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-downloads" title="fsm_gpt report" '
            f'width="100%" height="640" frameborder="0"></iframe>'
        )


def report(
    chain: Chain,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    stop: Sequence[int | str] = (),
    losses: Sequence[float] = (),
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    facts: Facts | None = None,
) -> Report:
    """One page about a chain: what it is, what it does, how that is known.

    Parameters
    ----------
    before
        The chain of the untrained model, to be shown beside it.
    data
        The data's own chain, the reference for KL and cross-entropy.
    text
        The training text: it is shown, with the contexts that it lacks; where ``data``
        is not given, its own chain is the reference.
    stop
        Tokens that end a text: the page says how long texts are, and where they end. All else
        is about the chain that goes on.
    losses
        The training loss at each step, in nats.
    provenance
        Further lines for the last section: the command, the seed, a hash.
    facts
        The numbers, where they were gathered before; then only ``title`` is still used.

    Raises
    ------
    FsmGptError
        A quantity that a chain lacks is a sentence on the page, not an error; errors
        come from chains and texts that do not fit each other.

    >>> page = report(Chain([[0.5, 0.5], [0.25, 0.75]]), title="Two states")
    >>> page.html.startswith("<!doctype html>"), "<script" in page.html
    (True, False)
    """
    if facts is None:
        facts = gather(
            chain,
            before=before,
            data=data,
            text=text,
            stop=stop,
            losses=losses,
            provenance=provenance,
        )
    return Report(facts, title)


def _page(facts: Facts, title: str | None) -> str:
    from markupsafe import Markup

    from fsm_gpt.report.downloads import downloads
    from fsm_gpt.report.page_figures import add_figures
    from fsm_gpt.report.sections import sections
    from fsm_gpt.report.shell import page_from
    from fsm_gpt.report.style import quiet_fonts, token_colours

    page = sections(facts, title=title)
    page["hues"] = token_colours(facts.chain)
    with quiet_fonts():
        add_figures(page, facts)
    page["downloads"] = downloads(facts)
    page["contents"] = _contents(page)
    for holder in (
        *page["graphs"],
        *page["atlas"],
        page["memory"],
        page["mixing"],
        page["spectrum"],
        *(page[name] for name in TOLD if page[name]),
    ):
        holder["svg"] = Markup(holder["svg"])
    page["table_figure"] = Markup(page["table_figure"])
    if page["training"]:
        page["training"]["loss_figure"] = Markup(page["training"]["loss_figure"])
    return page_from("template.html.j2", page=page)


def _contents(page: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that this page has, in order."""
    table = page["table_figure"]
    others = enumerate(page["beside"])
    named = [
        ("summary", "Summary", True),
        *((f"beside-{i}" if i else "beside", one["name"], True) for i, one in others),
        ("contexts", "Contexts", table and page["table_first"]),
        ("atlas", "Atlas", page["atlas"]),
        ("training", "Training", page["training"]),
        ("graph", "Graph", page["graphs"] or not page["atlas"]),
        ("listing", "Listing", True),
        ("stationary", "Stationary", True),
        ("structure", "Structure", True),
        ("ending", "Ending", page["ending"]),
        ("memory", "Memory", True),
        ("context-use", "Context", page["context_use"]),
        ("machine", "Machine", page["machine"]),
        ("mixing", "Mixing", True),
        ("spectrum", "Spectrum", True),
        ("slow", "Slow structure", page["slow"]),
        ("sensitivity", "Sensitivity", page["sensitivity"]),
        ("passage", "Passage", True),
        ("capacity", "Capacity", True),
        ("data", "Data", page["comparison"]),
        ("downloads", "Downloads", True),
        ("methods", "Methods", True),
        ("provenance", "Provenance", True),
    ]
    return [(name, words) for name, words, there in named if there]
