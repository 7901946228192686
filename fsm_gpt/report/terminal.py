"""A page for the terminal: the same facts as the report, in tables of plain text.

Nothing is parsed for markup, so a token called ``[bold]`` stays one. Colour is only
emphasis: with ``NO_COLOR`` set nothing is lost. Where the terminal is narrow, columns are left
out and lines folded; where it knows ASCII alone, all signs are ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_gpt.counts import ContextCoverage
from fsm_gpt.report.comparison import comparison
from fsm_gpt.report.facts import Absent, Facts
from fsm_gpt.report.headline import cards, lead, passages, what_it_is
from fsm_gpt.report.loops import greedy_loops
from fsm_gpt.report.machine import context_section, machine_section
from fsm_gpt.report.moving import sensitivity_section, slow_section
from fsm_gpt.report.screen import NARROW, WIDE, Screen
from fsm_gpt.report.sections import rules, stationary
from fsm_gpt.report.strokes import bar, sparkline
from fsm_gpt.report.words import count, listed, next_tokens, number, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["summary"]

#: A terminal page lists so many states of a small chain, and of a large one.
MOST_ROWS, FEWER_ROWS = 16, 10
#: A closed class is told in so many characters.
LONGEST_CYCLE = 72
#: The row of a state is drawn up to so many tokens.
MOST_DRAWN = 32


def summary(
    facts: Facts, *, title: str | None = None, following: Sequence[tuple[Sequence[str], str]] = ()
) -> RenderableType:
    """What a person wants to read after the analysis; print it with a rich console.

    ``following`` are commands to go on with, each as its words and what it does.

    >>> from rich.console import Console
    >>> from fsm_gpt.chain import Chain
    >>> from fsm_gpt.report.facts import gather
    >>> console = Console(width=76, no_color=True, force_terminal=False)
    >>> with console.capture() as capture:
    ...     console.print(summary(gather(Chain([[0.5, 0.5], [0.25, 0.75]]))))
    >>> "entropy rate" in capture.get().lower()
    True
    """
    return _Page(facts, title, following)


@dataclass(frozen=True, eq=False)
class _Page:
    """The page, laid out when the width is known."""

    facts: Facts
    title: str | None
    following: Sequence[tuple[Sequence[str], str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Each part in turn, with a line of space between them."""
        facts, screen = self.facts, Screen(options.max_width, options.ascii_only)
        yield screen.text(printable(self.title or what_it_is(facts.chain)), style="bold")
        yield screen.text("".join(part["words"] for part in lead(facts)))
        parts = (_numbers, _states, _loops, _rules, _remembered, _sentences)
        for part in (*(make(facts, screen) for make in parts), self._next(screen)):
            if part is not None:
                yield screen.text("")
                yield part

    def _next(self, screen: Screen) -> RenderableType | None:
        if not self.following:
            return None
        return screen.commands("What to do next", self.following)


def _numbers(facts: Facts, screen: Screen) -> RenderableType:
    rows = []
    for card in cards(facts):
        rows.append((card["name"], f"{card['value']} {card['unit']}".strip(), card["sub"]))
    if len(facts.closed_in_words) > 1:
        closed = listed((f"{words};" for words in facts.closed_in_words), 4).rstrip(";")
        rows.append(("Closed classes", f"{len(facts.classes.closed):,}", closed.replace(";,", ";")))
    curve = facts.memory_curve
    if not isinstance(curve, Absent) and len(curve.bits_per_token) > 1:
        h = [float(bits) for bits in curve.bits_per_token]
        above = [max(bits - h[-1], 0.0) for bits in h]  # what is left to learn from further back
        drawn = sparkline(above, max(above), ascii=screen.ascii) if max(above) > 0 else "flat"
        tokens = "token" if len(h) == 2 else "tokens"
        last = (
            f"{number(h[0])} bits knowing no token, {number(h[-1])} knowing {len(h) - 1} {tokens}"
        )
        rows.append(("Memory curve", drawn, last))
    for name, words, missing in passages(facts):
        if not missing:
            value, _, rest = words.partition(" ") if words[:1].isdigit() else (words, "", "")
            short, _, meaning = value.partition(": ")
            rows.append((name, short.rstrip(",;"), (meaning + rest).strip()))
    return screen.names(rows)


def _states(facts: Facts, screen: Screen) -> RenderableType:
    chain = facts.chain
    section = stationary(facts)
    if not section["rows"]:
        return screen.text(section["sentence"])
    few = chain.n_states <= MOST_ROWS
    rows = section["rows"][: MOST_ROWS if few else FEWER_ROWS]
    hidden = chain.n_states - len(rows)
    more = f", {count(hidden, 'more state')} left out" if hidden else ""
    drawn = chain.kind != "symbolic" and 1 < chain.n_tokens <= min(
        MOST_DRAWN, screen.width * 2 // 5
    )
    roomy = screen.width - (chain.n_tokens if drawn else 0) >= WIDE - 8
    width = 20 if roomy else 8 if screen.width >= NARROW else 0
    columns = [("state", "left"), *([(_row_head(facts), "left")] if drawn else [])]
    columns += [("next token", "left"), ("π", "right"), *([("", "left")] if width else [])]
    if section["several"]:
        columns.append(("class", "left"))
    lines = []
    for row in rows:
        state = row["id"]
        cells = [row["label"]]
        if drawn:
            raw = chain.next_token[state]
            cells.append(sparkline([float(p) for p in raw], ascii=screen.ascii))
        cells += [next_tokens(chain, state, most=3 if width else 1), row["pi"]]
        if width:
            share = row["share"] or 0.0
            cells.append(bar(share, width, ascii=screen.ascii))
        lines.append([*cells, *([str(row["in_class"])] if section["several"] else [])])
    return screen.table(f"Stationary distribution{more}", columns, lines)


def _row_head(facts: Facts) -> str:
    """The head of the column of drawn rows: the tokens, where each is as wide as its column."""
    from rich.cells import cell_len

    shown = facts.chain.vocabulary.shown
    narrow = all(cell_len(token) == 1 == len(token) for token in shown)
    return "".join(shown) if narrow else "row"


def _loops(facts: Facts, screen: Screen) -> RenderableType | None:
    """Where the text goes when the most probable token is always taken."""
    loops = greedy_loops(facts.chain)
    return screen.names([("Greedy decoding", "", " ".join(loops))]) if loops else None


def _rules(facts: Facts, screen: Screen) -> RenderableType | None:
    if not facts.rules:
        return None
    columns = [("rule", "left"), ("closed classes", "left")]
    columns += [("transient", "right")] if screen.width >= NARROW else []
    columns += [("bits/token", "right")]
    rows = [
        [
            row["name"],
            "\n".join(map(_shorter, row["closed"])),
            *([row["transient"]] if screen.width >= NARROW else []),
            row["entropy"],
        ]
        for row in rules(facts)["rows"]
    ]
    return screen.table("Structure under each decoding rule", columns, rows)


def _shorter(words: str) -> str:
    """A cycle of long names with its first ones alone; how many there are is said."""
    names = words.split(" → ")
    if len(words) <= LONGEST_CYCLE or len(names) < 5:
        return words
    _, bracket, more = words.rpartition(" (")
    size = f"({more}" if bracket else f"({len(names) - 1} states in turn)"
    return " → ".join([*names[:2], f"… {size}"])


def _remembered(facts: Facts, screen: Screen) -> RenderableType | None:
    """What the machine remembers: the sentences of the page's sections."""
    rows = []
    for section in (context_section, machine_section, slow_section, sensitivity_section):
        found = section(facts)
        if found is not None:
            words = found["absent"] or " ".join(filter(None, found["sentences"]))
            rows.append((found["title"], "", words))
    return screen.names(rows, title="What the machine remembers") if rows else None


def _sentences(facts: Facts, screen: Screen) -> RenderableType | None:
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
    said += [f"Note: {printable(note)}." for note in facts.notes]
    return screen.points(said) if said else None
