"""What a person sees while it works (stderr) and what comes of it (stdout)."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from fsm_gpt.cli.interrupts import check

__all__ = ["SCHEMA", "command_line", "json_option", "progress", "say", "show_json", "working"]

#: The version of the JSON documents; it changes when a key changes its meaning or goes.
SCHEMA = 1

#: Seconds between two lines of progress where stderr is no terminal.
QUIET_SECONDS = 5.0

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
)


def say(message: str) -> None:
    """A line on stderr."""
    check()
    click.echo(message, err=True)


def show_json(document: dict[str, Any]) -> None:
    """The one JSON document on stdout."""
    click.echo(json.dumps({"schema": SCHEMA, **document}, indent=2, allow_nan=False))


def command_line() -> str:
    """The command as it was typed, for the provenance of what it makes."""
    return shlex.join(["fsm-gpt", *sys.argv[1:]])


@contextmanager
def progress(what: str, *, timed: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr, or a line now and then where stderr is no terminal.

    Yields a function that takes how many are done, of how many, and what else to say; the
    rate and the time left are said too if it is ``timed``.
    """
    began = time.monotonic()

    def also(done: int, total: int, more: str) -> str:
        if not timed:
            return more
        return f"{more}, {_pace(done, total, time.monotonic() - began)}"

    if not sys.stderr.isatty():
        say(f"{what} ...")
        yield _now_and_then(what, also)
        return
    from fsm_gpt.progress import in_terminal

    with in_terminal(what) as tell:

        def report(done: int, total: int, more: str) -> None:
            check()
            tell(done, total, also(done, total, more))

        yield report


def _pace(done: int, total: int, seconds: float) -> str:
    """How fast it goes and how long it still takes, at the rate so far.

    >>> _pace(65536, 1048576, 1.873)
    '35,000 a second, 28 s left'
    """
    rate = done / max(seconds, 1e-9)
    rounded = round(rate, 2 - len(f"{rate:.0f}")) if rate >= 10 else rate
    left = (total - done) / rate if rate else 0.0
    return f"{rounded:,.0f} a second, {_duration(left)} left"


def _duration(seconds: float) -> str:
    """Seconds in words.

    >>> _duration(28.04), _duration(150), _duration(7300)
    ('28 s', '2 min 30 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _now_and_then(
    what: str, also: Callable[[int, int, str], str]
) -> Callable[[int, int, str], None]:
    last = time.monotonic()

    def report(done: int, total: int, more: str) -> None:
        nonlocal last
        check()
        if time.monotonic() - last >= QUIET_SECONDS:
            last = time.monotonic()
            say(f"{what}: {done:,} of {total:,} {also(done, total, more)}".rstrip())

    return report


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """A sign of life on stderr during work whose end nobody knows.

    On a terminal a line that counts the seconds and goes away at the end; elsewhere a line
    now and then. What is done soon says nothing. Yields a function that takes what else to
    say.
    """
    done = threading.Event()
    said = [what]
    watch = threading.Thread(target=_count, args=(said, done), daemon=True)
    watch.start()

    def note(more: str) -> None:
        check()
        said[:] = [f"{what} ({more})"]

    try:
        yield note
    finally:
        done.set()
        watch.join()
    check()


def _count(said: list[str], done: threading.Event) -> None:
    began = time.monotonic()
    longest = 0
    terminal = sys.stderr.isatty()
    pause = min(QUIET_SECONDS, 1.0) if terminal else QUIET_SECONDS
    while not done.wait(pause):
        line = f"{said[0]}: {time.monotonic() - began:.0f} s"
        longest = max(longest, len(line))
        click.echo(f"\r{line:<{longest}}" if terminal else line, err=True, nl=not terminal)
    if terminal and longest:
        click.echo(f"\r{' ' * longest}\r", err=True, nl=False)
