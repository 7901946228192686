"""``python -m analysis.bench``: measure, print every target, write the table and the figure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from analysis.bench import GROUPS
from analysis.bench.figures import sheet
from analysis.bench.machine import about
from analysis.bench.results import DOCS, Found, Part, Results, Size, split
from analysis.bench.tables import comparisons, kernels, machine_in_words, reached_in_words, targets
from analysis.bench.tasks import Call, Task, alone
from analysis.commands import One
from analysis.study import made_folder
from fsm_gpt.cli.console import say
from fsm_gpt.files import check_writable
from fsm_gpt.report.style import save_figure

__all__ = ["main", "measure", "save"]

#: Where a quick look goes.
LOOK = "build/bench"


def measure(group: str, size: Size, call: Call) -> Part:
    """Run one group of measurements."""
    begun = time.perf_counter()
    rows, points = split(import_module(f"analysis.bench.{group}").run(call, size))
    return Part(
        date=datetime.now(UTC).date().isoformat(),
        size=size,
        seconds=round(time.perf_counter() - begun, 1),
        machine=about(),
        rows=rows,
        points=points,
    )


def _told(call: Call) -> Call:
    """The same, with a line on stderr for each task: its name, its seconds, what went wrong."""

    def run(task: Task) -> list[Found]:
        begun = time.perf_counter()
        found = call(task)
        (*_, last) = found
        trouble = getattr(last, "note", "") if getattr(last, "value", 0) is None else ""
        say(f"  {time.perf_counter() - begun:6.1f} s  {task.key}  {trouble}".rstrip())
        return found

    return run


def save(results: Results, folder: Path) -> None:
    """Write bench.json, and bench.svg where there is something to draw."""
    results.save(folder / "bench.json")
    if results.points:
        save_figure(sheet(results).figure(), folder / "bench.svg")


@click.command(
    "analysis.bench",
    help="Times, memory and errors of fsm_gpt and its peers, beside the numbers to reach.",
    epilog="Example: python -m analysis.bench --only products --only entropy",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--only",
    type=click.Choice(GROUPS),
    multiple=True,
    help="This group alone; may be repeated. The others keep what was measured before.",
)
@click.option("--quick", is_flag=True, help="Small chains, to see that it works: decides nothing.")
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    help=f"Where bench.json and bench.svg go: docs/data of the clone, or {LOOK} with --quick.",
)
def bench(only: Sequence[str], quick: bool, output: str | None) -> None:
    """Measure what was asked for, group by group; each is kept as soon as it is done."""
    folder = made_folder(Path(output or (LOOK if quick else DOCS)))
    check_writable(folder / "bench.json")
    results = Results.load(folder / "bench.json")
    for group in only or GROUPS:
        say(f"{group} ...")
        results = results.with_part(
            group, measure(group, "quick" if quick else "full", _told(alone))
        )
        save(results, folder)
    for table in (kernels(results), comparisons(results), targets(results)):
        click.echo(f"{table}\n")
    click.echo(f"{machine_in_words(results)}\n\n{reached_in_words(results)}\n")
    click.echo(f"Written: {(folder / 'bench.json').resolve()}")


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run from the command line and leave with the exit code."""
    One(bench).run(args)


if __name__ == "__main__":
    main()
