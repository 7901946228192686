"""A terminal's screen: so many columns, all signs or ASCII alone; what fits on it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_gpt.report.strokes import ascii_only

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["NARROW", "WIDE", "Screen"]

#: From so many columns on, tables have their bars, and from so many, names have theirs.
WIDE, NARROW = 76, 60


@dataclass(frozen=True)
class Screen:
    """How wide, and which signs."""

    width: int
    ascii: bool = False

    def text(self, words: object, style: str = "") -> Text:
        """Words, no markup in them."""
        from rich.text import Text

        return Text(ascii_only(str(words)) if self.ascii else str(words), style=style)

    def table(
        self, title: str, columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[str]]
    ) -> RenderableType:
        """A table with a title and heads; what is too wide is folded."""
        from rich import box

        table = self._bare(box.ASCII2 if self.ascii else box.SIMPLE_HEAD, padding=1)
        table.show_header, table.show_edge = True, False
        for name, justify in columns:
            table.add_column(self.text(name), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*(self.text(cell) for cell in row))
        return self._titled(title, table)

    def names(self, rows: Iterable[tuple[str, str, str]], *, title: str = "") -> RenderableType:
        """Names with a value and a sentence each; on a narrow one one below the other."""
        from rich.padding import Padding

        given = list(rows)
        valued = any(value for _, value, _ in given)
        table = self._bare(None, padding=2)
        if self.width < NARROW:
            table.add_column(overflow="fold")
            for name, value, words in given:
                head = self.text(f"{name}{': ' if value else ''}", style="bold") + self.text(value)
                table.add_row(head)
                table.add_row(Padding(self.text(words), (0, 0, 0, 2)))
            return self._titled(title, table)
        table.add_column(overflow="fold", max_width=28)
        if valued:
            table.add_column(overflow="fold", max_width=max(self.width // 3, 18))
        table.add_column(overflow="fold")
        for name, value, words in given:
            cells = [name, *([value] if valued else []), words]
            table.add_row(*(self.text(cell) for cell in cells))
        return self._titled(title, table)

    def points(self, sentences: Iterable[str]) -> RenderableType:
        """Sentences, each with a mark before it."""
        table = self._bare(None, padding=1)
        table.add_column()
        table.add_column(overflow="fold")
        for words in sentences:
            table.add_row(self.text("•"), self.text(words))
        return table

    def commands(self, title: str, commands: Iterable[tuple[Sequence[str], str]]) -> RenderableType:
        """Commands to copy, each below what it does; a long one goes on after a backslash."""
        from rich.console import Group

        lines = [self.text(title, style="bold")]
        for words, meaning in commands:
            lines += [self.text(f"  {meaning}"), self.text(self._folded(words), style="cyan")]
        return Group(*lines)

    def _folded(self, words: Sequence[str]) -> str:
        lines, room = ["   "], self.width - 2
        for word in map(shlex.quote, words):
            if len(lines[-1]) + 1 + len(word) > room and lines[-1].strip():
                lines[-1] += " \\"
                lines.append("     ")
            lines[-1] += f" {word}"
        return "\n".join(lines)

    def _titled(self, title: str, table: Table) -> RenderableType:
        from rich.console import Group

        return Group(self.text(title, style="bold"), table) if title else table

    def _bare(self, box: object, *, padding: int) -> Table:
        from rich.table import Table

        return Table(
            box=box,  # type: ignore[arg-type]
            show_header=False,
            pad_edge=False,
            padding=(0, padding, 0, 0),
            title_justify="left",
        )
