"""``fsm-gpt report`` of a machine that was explored, also where the search stopped early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from fsm_gpt.cli.ask.machine import typed
from fsm_gpt.cli.chains import (
    Reading,
    check_text,
    refuse_to_analyse,
    refuse_to_read,
    watch_long_run,
)
from fsm_gpt.cli.console import command_line, say, working
from fsm_gpt.cli.pattern_section import pattern_section
from fsm_gpt.cli.show import show_facts, show_paper, write_report
from fsm_gpt.errors import NotDefined

if TYPE_CHECKING:
    from fsm_gpt.decoding import Rule
    from fsm_gpt.explore import Exploration

__all__ = ["Asked", "is_explored", "report_explored"]


class Asked(NamedTuple):
    """What the options of a report ask for."""

    text: str | None
    stop: tuple[str, ...]
    patterns: tuple[str, ...]
    title: str | None
    output: str


def is_explored(path: str, decoding: Sequence[Rule]) -> bool:
    """Whether a file is reported as an exploration: it holds one, and is taken as it is.

    Raises
    ------
    NotDefined
        It stopped early, and another decoding rule is asked for.
    """
    from fsm_gpt.explore.file import is_exploration_file, load_exploration

    if not is_exploration_file(path):
        return False
    if not decoding:
        return True
    if not load_exploration(path).complete:
        raise NotDefined(
            "report: this machine was explored under its own decoding rule, and the search stopped "
            "early, so what another rule leads to is not known. Leave the decoding options out, or "
            "explore anew with them."
        )
    return False


def report_explored(path: str, how: Reading, asked: Asked, *, as_json: bool) -> None:
    """Write the report of the machine in a file."""
    from fsm_gpt.explore.file import load_exploration

    refuse_to_read(path, how)
    found = load_exploration(path)
    if found.complete:
        _complete(found, how, asked, as_json=as_json)
    else:
        _incomplete(found, asked, as_json=as_json)


def _complete(found: Exploration, how: Reading, asked: Asked, *, as_json: bool) -> None:
    """A chain like any other, and how it was found."""
    from fsm_gpt.report.kinds import complete_facts

    chain = found.chain
    refuse_to_analyse(chain, how)
    if asked.text is not None:
        check_text(asked.text, chain)
    ends = tuple(typed(chain, token) for token in asked.stop)
    if ends:
        chain.with_stop(*ends)  # a token that is none is refused before the work
    say("analysing and drawing ...")
    with working("analysing and drawing") as note:
        watch_long_run(chain, note)
        sections = [pattern_section(chain, regex, note=note) for regex in asked.patterns]
        facts = complete_facts(
            found,
            text=asked.text,
            stop=ends,
            beside=tuple(sections),
            provenance={"command": command_line()},
        )
        write_report(facts, asked.output, title=asked.title)
    show_facts(facts, as_json=as_json, report=asked.output)


def _incomplete(found: Exploration, asked: Asked, *, as_json: bool) -> None:
    """What is known of it, with the frontier marked."""
    given = {"--text": asked.text, "--stop": asked.stop, "--pattern": asked.patterns}
    used = [name for name, value in given.items() if value]
    if used:
        raise click.UsageError(
            f"the search of this machine stopped early, so {' and '.join(used)} cannot be answered "
            "for texts of any length. Leave that out, or explore on with fsm-gpt explore "
            "--resume.",
            click.get_current_context(),
        )
    from fsm_gpt.report.kinds import report_of

    say("analysing and drawing ...")
    with working("analysing and drawing"):
        written = report_of(found, title=asked.title, provenance={"command": command_line()})
        written.save(asked.output)
    show_paper(written, str(found), as_json=as_json, report=asked.output)
