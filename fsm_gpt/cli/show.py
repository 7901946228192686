"""The end of a verb: the numbers on stdout, the report in its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.console import show_json

if TYPE_CHECKING:
    from fsm_gpt.report.facts import Facts
    from fsm_gpt.report.paper import PaperReport

__all__ = ["show_facts", "show_page", "show_paper", "write_report"]


def write_report(facts: Facts, output: str, *, title: str | None = None) -> None:
    """Write the HTML page."""
    from fsm_gpt.report.page import report

    report(facts.chain, facts=facts, title=title).save(output)


def show_facts(facts: Facts, *, as_json: bool, report: str | None = None) -> None:
    """Print the summary, or the whole as JSON."""
    if as_json:
        document = facts.to_dict()
        document.pop("schema_version")  # the document's own says the same
        show_json({**document, **({} if report is None else {"report": report})})
        return
    from rich.console import Console

    from fsm_gpt.report.terminal import summary

    Console(highlight=False).print(summary(facts))
    if report is not None:
        show_page(report)


def show_paper(written: PaperReport, said: str, *, as_json: bool, report: str) -> None:
    """Print what is said of a report of another kind, or all of it as JSON."""
    if as_json:
        show_json({**written.facts.to_dict(), "report": report})
        return
    click.echo(said)
    show_page(report)


def show_page(report: str) -> None:
    """Where the report is."""
    page = Path(report).suffix.lower() not in (".md", ".json")
    click.echo(f"report: {Path(report).resolve()}{' (open it in a browser)' if page else ''}")
