"""The end of a verb: the numbers on stdout, the report in its file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_gpt.cli.console import show_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fsm_gpt.report.facts import Facts
    from fsm_gpt.report.paper import PaperReport

__all__ = ["say_where", "show_facts", "show_page", "show_paper", "write_report"]


def write_report(facts: Facts, output: str, *, title: str | None = None) -> None:
    """Write the HTML page."""
    from fsm_gpt.report.page import report

    report(facts.chain, facts=facts, title=title).save(output)


def show_facts(
    facts: Facts,
    *,
    as_json: bool,
    report: str | None = None,
    following: Sequence[tuple[Sequence[str], str]] = (),
) -> None:
    """Print the summary, or the whole as JSON; ``following`` are commands to go on with."""
    if as_json:
        document = facts.to_dict()
        document.pop("schema_version")  # the document's own says the same
        show_json({**document, **({} if report is None else {"report": report})})
        return
    from fsm_gpt.report.terminal import summary

    show_page(summary(facts, following=following))
    if report is not None:
        say_where(report)


def show_paper(written: PaperReport, said: str, *, as_json: bool, report: str) -> None:
    """Print what is said of a report of another kind, or all of it as JSON."""
    if as_json:
        show_json({**written.facts.to_dict(), "report": report})
        return
    click.echo(said)
    say_where(report)


def say_where(report: str) -> None:
    """Where the report is."""
    page = Path(report).suffix.lower() not in (".md", ".json")
    click.echo(f"report: {Path(report).resolve()}{' (open it in a browser)' if page else ''}")


def show_page(page: RenderableType) -> None:
    """Print what rich lays out; to a file or a pipe without blanks at the ends of lines."""
    from rich.console import Console

    console = Console(highlight=False)
    if sys.stdout.isatty():
        console.print(page)
        return
    with console.capture() as captured:
        console.print(page)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
