"""A report that is a list of sections in one form: of explorations, machines and comparisons.

A :class:`Paper` holds what is said, in plain values; the page and the Markdown are made from it, so
they cannot disagree. Names and texts of a user are printable when they come here, and the template
escapes them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fsm_gpt.decoding import in_words
from fsm_gpt.report.about import installed_versions
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.downloads import Download
from fsm_gpt.report.shortened import json_text
from fsm_gpt.report.tables import Table, csv_text, markdown_table, markdown_text
from fsm_gpt.report.words import powers, printable
from fsm_gpt.report.written import Written
from fsm_gpt.result import Bounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fsm_gpt.chain import Chain

__all__ = [
    "SCHEMA",
    "Barred",
    "Card",
    "Figure",
    "Gathered",
    "Paper",
    "PaperReport",
    "Part",
    "csv_file",
    "json_file",
    "origins",
    "table_of_answers",
]

#: Raised whenever a field of the JSON changes its name or its meaning, not where one is added.
SCHEMA = 1
#: A JSON document of so many signs has no line breaks, which take long to make.
ONE_LINE = 2**21


@dataclass(frozen=True, kw_only=True)
class Card:
    """One of the numbers at the top."""

    name: str
    value: str
    sub: str
    unit: str = ""
    words: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Figure:
    """A picture that is drawn when the page is made, and what is said below it."""

    name: str
    draw: Callable[[], Axes]
    caption: str
    title: str = ""
    table: str = "The table below it has the numbers."
    """Where the numbers of the picture stand, for those who do not see it."""

    @cached_property
    def svg(self) -> str:
        """The picture, with words that are read aloud in its place."""
        from markupsafe import Markup

        from fsm_gpt.report.style import quiet_fonts
        from fsm_gpt.report.svg import inline_svg

        label = " ".join(filter(None, (self.title and f"{self.title}.", self.caption, self.table)))
        with quiet_fonts():
            return Markup(inline_svg(self.draw(), label=printable(label), prefix=self.name))


@dataclass(frozen=True, eq=False, kw_only=True)
class Barred:
    """A table with a bar at the end of each row; the numbers are in the table too."""

    table: Table
    shares: tuple[float, ...]
    """The length of each bar, from 0 to 1."""
    colour: str = "mass"


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A section: what the list of sections calls it, its heading, and what stands in it."""

    name: str
    nav: str
    title: str
    sentences: tuple[str, ...] = ()
    absent: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    wide: tuple[Table, ...] = ()
    barred: tuple[Barred, ...] = ()

    def markdown(self) -> list[str]:
        """Lines of Markdown."""
        out = [f"## {markdown_text(self.title)}", ""]
        captions = [figure.caption for figure in self.figures]
        for words in (self.absent, *self.sentences, *captions):
            out += [markdown_text(powers(words)), ""] if words else []
        for table in (*self.tables, *self.wide, *(one.table for one in self.barred)):
            out += table.markdown()
        return out


@dataclass(frozen=True, eq=False, kw_only=True)
class Paper:
    """Everything that a page of one kind says."""

    eyebrow: str
    title: str
    lead: tuple[tuple[bool, str], ...]
    """Pieces of the first paragraph, and whether each is strong."""
    cards: tuple[Card, ...]
    parts: tuple[Part, ...]
    methods: Table
    provenance: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    files: tuple[Download, ...] = ()
    script: str | None = field(default=None)

    def html(self) -> str:
        """The page."""
        from fsm_gpt import __version__
        from fsm_gpt.report.shell import page_from

        return page_from("paper.html.j2", paper=self, version=__version__)

    def markdown(self) -> str:
        """The same without the pictures."""
        lead = "".join(
            f"**{markdown_text(words)}**" if strong else _inside(words)
            for strong, words in self.lead
        )
        cards = [(c.name, powers(f"{c.value} {c.unit}".strip()), powers(c.sub)) for c in self.cards]
        out = [f"# {markdown_text(self.title)}", "", lead, ""]
        out += [*markdown_table(("", "value", "meaning"), cards), ""]
        for part in self.parts:
            out += part.markdown()
        out += ["## Methods and error bounds", "", *self.methods.markdown()]
        out += ["## Provenance", "", *markdown_table(("", "what"), self.provenance), ""]
        if self.notes:
            out += ["### Notes", "", *(f"- {markdown_text(note)}" for note in self.notes), ""]
        return "\n".join(out).rstrip("\n") + "\n"


def _inside(words: str) -> str:
    """Words in the middle of a line, whose blanks at the ends count."""
    first, last = words[:1] == " ", words[-1:] == " "
    return f"{' ' * first}{markdown_text(powers(words))}{' ' * last}"


class Gathered:
    """Numbers of one kind, gathered once, and how they are told."""

    #: What the JSON calls it.
    kind = ""

    @abstractmethod
    def numbers(self, *, most: int | None = None) -> dict[str, Any]:
        """All of it, ready for JSON; with ``most``, without longer lists."""
        raise NotImplementedError

    @abstractmethod
    def paper(self, title: str | None) -> Paper:
        """What the page says."""
        raise NotImplementedError

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """All numbers with the ``schema`` and the ``kind`` of the document, ready for JSON."""
        return {"schema": SCHEMA, "kind": self.kind, **self.numbers(most=most)}


@dataclass(frozen=True, eq=False, repr=False)
class PaperReport(Written):
    """A report on an exploration, a machine or a comparison.

    Each form is made when it is first asked for.
    """

    facts: Gathered
    title: str | None = None

    @cached_property
    def _paper(self) -> Paper:
        return self.facts.paper(self.title)

    @cached_property
    def html(self) -> str:
        """The page, complete in itself."""
        return self._paper.html()

    @cached_property
    def markdown(self) -> str:
        """The same numbers in tables of Markdown, without the figures."""
        return self._paper.markdown()

    @cached_property
    def json(self) -> str:
        """All numbers as one JSON document, on one line where it is very long."""
        document = self.facts.to_dict()
        text = json_text(document)
        if len(text) < ONE_LINE:
            text = json_text(document, indent=2)
        return f"{text}\n"

    def __repr__(self) -> str:
        size = len(self.html.encode("utf-8")) / 1000
        return f"Report: {size:,.0f} kB of HTML, {self._paper.title}; save(path) writes it"


# ---- what every kind has at its end ----


def table_of_answers(answers: Iterable[tuple[str, Any]]) -> Table:
    """How each number was found, and how far it can be wrong; why, where there is none."""
    rows = []
    for name, answer in answers:
        if isinstance(answer, Absent):
            rows.append((name, "—", str(answer)))
        elif isinstance(answer, Bounded):
            rows.append((name, answer.method, answer.error_sentence))
    return Table(
        caption="How each number was found, and how far it can be wrong",
        heads=("quantity", "method", "error"),
        rows=tuple(rows),
        words=(0, 1, 2),
    )


def origins(chain: Chain, more: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Where the numbers come from."""
    here = installed_versions()
    known = {**chain.provenance, **more}
    lines = [(name, value) for name, value in known.items() if here.get(name) != value]
    lines.append(("decoding", in_words(chain.decoding)))
    lines.append(("versions", ", ".join(f"{name} {which}" for name, which in here.items())))
    return tuple((printable(name), printable(value)) for name, value in lines)


def json_file(gathered: Gathered, *, most: int) -> Download:
    """Every number as a file in the page; lists of more than ``most`` entries are left out."""
    content = json_text(gathered.to_dict(most=most)) + "\n"
    words = "Every number of this page, and those behind it"
    if '{"left_out": ' in content:
        words += f"; lists of more than {most:,} entries are left out, and said to be"
    return Download("facts.json", words, "application/json", content)


def csv_file(
    name: str, words: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Download:
    """A table as a file in the page."""
    return Download(name, words, "text/csv", csv_text(heads, rows))
