"""What all studies share: tables and figures with names, and how they become files.

A study's ``run`` returns a :class:`Study`. Its numbers stay as they are (floats, whole
numbers, fractions); they are rounded only where a person reads them.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write, file_problem
from fsm_gpt.report.about import installed_versions
from fsm_gpt.report.style import palette, render
from fsm_gpt.result import Result, format_number, to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Cell", "Picture", "Progress", "Study", "Table"]

Cell: TypeAlias = str | int | float | Fraction | None
Progress: TypeAlias = Callable[[int, int, str], None]

#: The version of manifest.json; it changes when a key changes its meaning or goes.
SCHEMA = 1

#: Signs that Markdown would read as markup.
_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|#~$"})


@dataclass(frozen=True, eq=False)
class Table:
    """Columns with names, and rows.

    >>> table = Table("Odds", ("die", "chance"), [("six", Fraction(1, 6)), ("any", 1.0)])
    >>> print(table)
    Odds
    | die | chance |
    | --- | -----: |
    | six |    1/6 |
    | any |      1 |
    >>> table.cell("six", "chance")
    Fraction(1, 6)
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    formats: Mapping[str, str] = field(default_factory=dict)
    """How numbers of a column are shown, as in format(); six digits where nothing is said."""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InvalidArgument(
                    f"table {self.title!r}: a row has {len(row)} cells and there are "
                    f"{len(self.columns)} columns. Give one cell a column, None for no value."
                )

    def column(self, name: str) -> list[Cell]:
        """One column, top to bottom."""
        place = list(self.columns).index(name)
        return [row[place] for row in self.rows]

    def cell(self, row: Cell, column: str) -> Cell:
        """The cell of a column in the row that begins with ``row``."""
        return next(
            value
            for first, value in zip(self.column(self.columns[0]), self.column(column), strict=True)
            if first == row
        )

    def shown(self, value: Cell, column: str) -> str:
        """A value as a person reads it."""
        if value is None:
            return "–"
        if value == 0:
            return "0"  # zero is exactly zero, and looks like it
        if isinstance(value, str | Fraction):
            return str(value)
        if column in self.formats:
            return format(value, self.formats[column]).replace("inf", "infinite")
        return f"{value:,}" if isinstance(value, int) else format_number(value)

    def to_csv(self) -> str:
        """Every digit, with a first line of names."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(["" if value is None else value for value in row] for row in self.rows)
        return stream.getvalue()

    def to_markdown(self, *, escape: bool = True) -> str:
        """A Markdown table; numbers stand at the right."""
        markup = _MARKUP if escape else {}
        grid = [
            [self.shown(value, name).translate(markup) for name, value in self._pairs(row)]
            for row in self.rows
        ]
        head = [name.translate(markup) for name in self.columns]
        widths = [
            max(3, *(len(line[i]) for line in [head, *grid])) for i in range(len(self.columns))
        ]
        right = [
            any(isinstance(value, int | float | Fraction) for value in self.column(name))
            for name in self.columns
        ]
        rule = [
            "-".ljust(width - 1, "-") + (":" if end else "-")
            for width, end in zip(widths, right, strict=True)
        ]
        lines = [
            [
                text.rjust(width) if end else text.ljust(width)
                for text, width, end in zip(line, widths, right, strict=True)
            ]
            for line in [head, rule, *grid]
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _pairs(self, row: Sequence[Cell]) -> Iterator[tuple[str, Cell]]:
        return zip(self.columns, row, strict=True)

    def __str__(self) -> str:
        lines = [self.title, self.to_markdown(escape=False)]
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(self.shown(value, name))}</td>"
                for name, value in self._pairs(row)
            )
            + "</tr>"
            for row in self.rows
        )
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
        )


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure that is drawn when it is asked for.

    >>> Picture("Nothing", lambda figure: None).figure().get_size_inches().tolist()
    [6.4, 4.0]
    """

    title: str
    """What it shows, for a reader who cannot see it, too."""
    draw: Callable[[Figure], object]
    size: tuple[float, float] = (6.4, 4.0)
    """Width and height in inches."""

    def __call__(self, figure: Figure) -> Figure:
        """Draw on a figure."""
        self.draw(figure)
        return figure

    def figure(self) -> Figure:
        """A new matplotlib figure with the drawing."""
        from matplotlib.figure import Figure

        new = Figure(figsize=self.size, facecolor=palette(dark=False).paper)
        new.set_layout_engine("constrained")
        return self(new)

    def _repr_png_(self) -> bytes:
        return render(self.figure(), ".png", dpi=100)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Study(Result):
    """What a study found."""

    name: str
    question: str
    tables: Mapping[str, Table]
    figures: Mapping[str, Picture]
    inputs: Mapping[str, Any]
    """What it was asked of: model, text, seeds, steps and the like."""

    def __str__(self) -> str:
        return "\n\n".join([self.question, *(str(table) for table in self.tables.values())])

    def _repr_html_(self) -> str:
        tables = "".join(table._repr_html_() for table in self.tables.values())
        return f"<p>{html.escape(self.question)}</p>{tables}"

    def to_markdown(self) -> str:
        """The question, every table, and every figure by the name of its file."""
        parts = [f"# {self.name.replace('_', ' ')}", self.question]
        for table in self.tables.values():
            parts += [f"## {table.title}", table.to_markdown()]
            parts += [table.note] if table.note else []
        for name, picture in self.figures.items():
            parts.append(f"![{picture.title}]({name}.png)")
        return "\n\n".join(parts) + "\n"

    def save(self, folder: Pathlike, *, command: str | None = None) -> Path:
        """Write every table (CSV, Markdown) and figure (PNG, SVG), and what they came from.

        They go into a folder of the study's own name. ``manifest.json`` is written last and
        lists the rest, each with its SHA-256; ``index.md`` shows everything on one page.

        Raises
        ------
        FileProblem
            A file or the folder cannot be written.
        """
        target = made_folder(Path(folder).joinpath(self.name))
        sums: dict[str, str] = {}
        for file, content in self._files():
            with atomic_write(target.joinpath(file)) as stream:
                stream.write(content)
            sums[file] = hashlib.sha256(content).hexdigest()
        manifest = {
            "schema": SCHEMA,
            "study": self.name,
            "question": self.question,
            "command": command,
            "inputs": to_json(dict(self.inputs)),
            "versions": installed_versions(),
            "tables": {name: table.title for name, table in self.tables.items()},
            "figures": {name: picture.title for name, picture in self.figures.items()},
            "files": sums,
        }
        with atomic_write(target.joinpath("manifest.json")) as stream:
            stream.write(json.dumps(manifest, indent=2, allow_nan=False).encode() + b"\n")
        return target

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for name, table in self.tables.items():
            yield f"{name}.csv", table.to_csv().encode()
            yield f"{name}.md", table.to_markdown().encode() + b"\n"
        for name, picture in self.figures.items():
            for suffix in (".png", ".svg"):
                yield name + suffix, render(picture.figure(), suffix)
        yield "index.md", self.to_markdown().encode()


def made_folder(folder: Path) -> Path:
    """A folder that is there, made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_problem(folder, error, "write") from None
    return folder
