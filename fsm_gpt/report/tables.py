"""Tables as plain text: the one form from which the page and the Markdown are made."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_gpt.report.words import powers

__all__ = ["Table", "csv_text", "markdown_table", "markdown_text"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose first column names its rows."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    #: The columns that hold words and stand at the left; numbers stand at the right.
    words: tuple[int, ...] = ()
    note: str = ""

    def markdown(self) -> list[str]:
        """Lines of Markdown: the caption, the table, the note."""
        numbers = set(range(len(self.heads))) - set(self.words)
        lines = [*([markdown_text(self.caption), ""] if self.caption else [])]
        cells = [[powers(cell) for cell in row] for row in self.rows]
        lines += [*markdown_table(self.heads, cells, numbers=numbers), ""]
        return [*lines, markdown_text(powers(self.note)), ""] if self.note else lines


def markdown_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[int] = ()
) -> list[str]:
    r"""A table as GitHub and Sphinx read it; the columns of ``numbers`` stand at the right.

    >>> print(*markdown_table(("state", "p"), [("a|b", "1/2")], numbers=[1]), sep=chr(10))
    | state | p |
    | --- | ---: |
    | a\|b | 1/2 |
    """
    rules = ["---:" if i in numbers else "---" for i in range(len(heads))]
    lines = [heads, *rows]
    cells = ["| " + " | ".join(markdown_text(cell) for cell in line) + " |" for line in lines]
    return [cells[0], "| " + " | ".join(rules) + " |", *cells[1:]]


def markdown_text(text: str) -> str:
    r"""A text that Markdown leaves as it is.

    >>> markdown_text("<b> [a]*")
    '&lt;b&gt; \\[a\\]\\*'
    """
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", plain)


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Comma-separated rows as in RFC 4180; floats with all their digits.

    >>> csv_text(("id", "label"), [(0, "a,b")])
    'id,label\r\n0,"a,b"\r\n'
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows([_csv(cell) for cell in row] for row in rows)
    return stream.getvalue()


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(value)
    return repr(value) if isinstance(value, float) else str(value)
