"""A page for the terminal: the same facts as the report, in tables of plain text.

Nothing is parsed for markup, so a token called ``[bold]`` stays one. Colour is only
emphasis: with ``NO_COLOR`` set nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fsm_gpt.counts import ContextCoverage
from fsm_gpt.report.comparison import comparison
from fsm_gpt.report.facts import Absent, Facts
from fsm_gpt.report.headline import cards, passages, what_it_is
from fsm_gpt.report.machine import context_section, machine_section
from fsm_gpt.report.moving import sensitivity_section, slow_section
from fsm_gpt.report.sections import rules, stationary
from fsm_gpt.report.words import count, listed, next_tokens, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["summary"]

#: A terminal page lists this many states.
MOST_ROWS = 16


def summary(facts: Facts, *, title: str | None = None) -> RenderableType:
    """What a person wants to read after the analysis; print it with a rich console.

    >>> from rich.console import Console
    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.report.facts import gather
    >>> console = Console(width=76, no_color=True, force_terminal=False)
    >>> with console.capture() as capture:
    ...     console.print(summary(gather(Chain([[0.5, 0.5], [0.25, 0.75]]))))
    >>> "entropy rate" in capture.get().lower()
    True
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    chain = facts.chain
    heading = Text(printable(title or what_it_is(chain)), style="bold")
    parts: list[RenderableType] = [heading, _numbers(facts), _states(facts)]
    if facts.rules:
        parts.append(_rules(facts))
    memory = _remembered(facts)
    if memory is not None:
        parts.append(memory)
    said = _sentences(facts)
    if said:
        parts.append(Padding(Group(*(Text(f"• {words}") for words in said)), (1, 0, 0, 2)))
    return Group(*parts)


def _table(title: str | None, *columns: tuple[str, str], header: bool = True) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=None if title is None else Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        pad_edge=True,
        padding=(0, 2, 0, 0) if not header else (0, 1),
    )
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def _row(table: Table, cells: Iterable[Any], style: str | None = None) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells), style=style)


def _numbers(facts: Facts) -> RenderableType:
    from rich.padding import Padding

    table = _table(None, ("", "left"), ("", "left"), ("", "left"), header=False)
    for card in cards(facts):
        value = f"{card['value']} {card['unit']}".strip()
        _row(table, (card["name"], value, card["sub"]))
    for name, words, missing in passages(facts):
        if not missing:
            value, _, rest = words.partition(" ") if words[:1].isdigit() else (words, "", "")
            short, _, meaning = value.partition(": ")
            _row(table, (name, short.rstrip(",;"), (meaning + rest).strip()))
    return Padding(table, (1, 0, 0, 1))


def _states(facts: Facts) -> RenderableType:
    chain = facts.chain
    section = stationary(facts)
    if not section["rows"]:
        return _paragraph(section["sentence"])
    rows = section["rows"][:MOST_ROWS]
    hidden = chain.n_states - len(rows)
    more = f" ({hidden:,} more states)" if hidden else ""
    columns = [("state", "left"), ("next token", "left"), ("π", "right"), ("", "left")]
    if section["several"]:
        columns.append(("class", "left"))
    table = _table(f"Stationary distribution{more}", *columns)
    for row in rows:
        state = row["id"]
        bar = "" if row["share"] is None else _bar(row["share"])
        cells = [row["label"], next_tokens(chain, state), row["pi"], bar]
        _row(table, cells + ([row["in_class"]] if section["several"] else []))
    return _space_above(table)


def _bar(share: float, width: int = 20) -> str:
    """A bar in eighths of a character.

    >>> _bar(0.5, width=4)
    '██'
    """
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _rules(facts: Facts) -> RenderableType:
    table = _table(
        "Structure under each decoding rule",
        ("rule", "left"),
        ("closed classes", "left"),
        ("transient", "right"),
        ("bits/token", "right"),
    )
    for row in rules(facts)["rows"]:
        _row(table, (row["name"], "\n".join(row["closed"]), row["transient"], row["entropy"]))
    return _space_above(table)


def _remembered(facts: Facts) -> RenderableType | None:
    """What the machine remembers: the sentences of the page's sections."""
    table = _table("What the machine remembers", ("", "left"), ("", "left"), header=False)
    for section in (context_section, machine_section, slow_section, sensitivity_section):
        found = section(facts)
        if found is not None:
            words = found["absent"] or " ".join(filter(None, found["sentences"]))
            _row(table, (found["title"], words))
    return _space_above(table) if table.row_count else None


def _sentences(facts: Facts) -> list[str]:
    said = []
    against = comparison(facts)
    if against is not None:
        said.append(against["absent"] or against["sentence"])
        said += against["beside"]["sentences"] if not against["absent"] else []
    if isinstance(facts.coverage, ContextCoverage) and facts.coverage.unseen:
        length = len(facts.coverage.seen)
        unseen = facts.coverage.possible[-1] - facts.coverage.seen[-1]
        what = count(unseen, "context")
        said.append(
            f"Training never showed {what} of {length} tokens: {listed(facts.coverage.unseen, 8)}."
        )
    elif isinstance(facts.coverage, Absent):
        said.append(str(facts.coverage))
    return [*said, *(f"Note: {printable(note)}." for note in facts.notes)]


def _paragraph(words: str) -> RenderableType:
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(words), (1, 0, 0, 2))


def _space_above(table: RenderableType) -> RenderableType:
    from rich.padding import Padding

    return Padding(table, (1, 0, 0, 1))
