"""How a text of several lines shows itself: cut to a length, or as HTML for a notebook.

What an answer says is written once, as its ``str``: a first line, and lines below it that are
sentences or columns. Here they are cut short, for a ``repr``, or turned into markup that every
notebook shows: no script, nothing fetched, and each piece of text escaped. Colours are the
reader's own, thinned, so that it is read on light and on dark paper alike.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["LONGEST", "Row", "block", "cut", "listed_below", "table", "text_as_html"]

#: A ``repr`` has at most so many characters; where it would have more, lines of at most so many.
LONGEST, WIDEST = 1900, 480
#: A notebook shows at most so many lines, of at most so many characters.
MOST_LINES, WIDEST_IN_HTML = 60, 1000
#: A list of so many numbers at least is drawn with bars.
FEWEST_BARS = 3
#: What stands before a colon is a name where it is no longer than this.
LONGEST_NAME = 60

Row = Sequence[str]

_NUMBER = re.compile(r"\(?[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?\)?|-?infinite")
_COLUMNS = re.compile(r"\s{2,}")

_STYLE = (
    ".fsm-gpt{font-size:.93em;line-height:1.45;font-variant-numeric:tabular-nums;"
    "overflow-x:auto;max-width:100%}"
    ".fsm-gpt p{margin:.15em 0 .45em;overflow-wrap:anywhere;white-space:pre-wrap}"
    ".fsm-gpt .head{font-weight:600}"
    ".fsm-gpt .foot,.fsm-gpt summary{font-size:.9em;opacity:.85}"
    ".fsm-gpt table{border-collapse:collapse;border:0;margin:.2em 0 .5em;font-size:1em;"
    "width:auto;box-shadow:none}"
    ".fsm-gpt tr,.fsm-gpt tr:nth-child(n){background:none;border:0}"
    ".fsm-gpt td,.fsm-gpt th{border:0;border-bottom:1px solid rgba(127,127,127,.3);"
    "padding:.12em .9em .12em .3em;text-align:left;vertical-align:top;font-weight:400;"
    "white-space:pre-wrap;max-width:44em;overflow-wrap:break-word}"
    ".fsm-gpt .n{text-align:right;white-space:nowrap}"
    ".fsm-gpt thead th{opacity:.85}"
    ".fsm-gpt pre{margin:.2em 0 .5em;padding:0;background:none;font-size:.95em;overflow-x:auto}"
)


def cut(text: str, *, most: int = LONGEST, widest: int = WIDEST) -> str:
    """A text of at most so many characters: a longer one ends sooner, and its lines are narrower.

    >>> cut("abcdefghijkl", most=11, widest=11), cut("abcdefghijkl", most=12, widest=3)
    ('abcdefgh...', 'abcdefghijkl')
    >>> print(cut(chr(10).join("abcdefgh" * 9), most=54))
    a
    b
    c
    ... and 69 more lines: print() shows all
    """
    if len(text) <= most:
        return text
    lines = [_narrowed(line, widest) for line in text.split("\n")]
    if sum(map(len, lines)) + len(lines) <= most + 1:
        return "\n".join(lines)
    room, kept = most - 48, 0
    for line in lines:
        room -= len(line) + 1
        if room < 0 and kept:
            break
        kept += 1
    left = len(lines) - kept
    if not left:
        return "\n".join(lines)
    shown = "line" if left == 1 else "lines"
    return "\n".join([*lines[:kept], f"... and {left:,} more {shown}: print() shows all"])


def _escaped(text: str) -> str:
    """Markup as text, and signs that nobody can see as escapes."""
    seen = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii")
        for c in text
    )
    return html.escape(seen)


def _narrowed(line: str, widest: int) -> str:
    return line if len(line) <= widest else line[: widest - 3] + "..."


def block(head: str, *parts: str, foot: str = "") -> str:
    """A headline, pieces of markup below it, and small print.

    >>> "<b>" in block("<b>"), "&lt;b&gt;" in block("<b>")
    (False, True)
    """
    head = _narrowed(head, WIDEST_IN_HTML)
    below = "".join(parts) + (f'<p class="foot">{_escaped(foot)}</p>' if foot else "")
    top = f'<p class="head">{_escaped(head)}</p>' if head else ""
    return f'<div class="fsm-gpt"><style>{_STYLE}</style>{top}{below}</div>'


def table(rows: Sequence[Row], *, heads: Row = (), bars: bool = False) -> str:
    """A table; columns of numbers stand at the right, and ``bars`` draw the last one's sizes.

    >>> "text" in table([("text", "0.5")]), "linear-gradient" in table([("a", "1")], bars=True)
    (True, True)
    """
    sides = [_side(column, rows) for column in range(max(map(len, (heads, *rows))))]
    top = "".join(f"<th{_of(sides, i)}>{_escaped(h)}</th>" for i, h in enumerate(heads))
    largest = max((_value(row[-1]) for row in rows), default=0.0) if bars else 0.0
    lines = []
    for row in rows:
        cells = [f"<td{_of(sides, i)}>{_escaped(cell)}</td>" for i, cell in enumerate(row)]
        if largest > 0:
            cells.append(_bar(_value(row[-1]) / largest))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    blank = "<td></td>" if largest > 0 and heads else ""
    header = f"<thead><tr>{top}{blank}</tr></thead>" if heads else ""
    return f"<table>{header}<tbody>{''.join(lines)}</tbody></table>"


def _side(column: int, rows: Sequence[Row]) -> str:
    """Numbers stand at the right, in a column that has nothing else."""
    cells = [row[column] for row in rows if column < len(row)]
    numbers = column and cells and all(_NUMBER.fullmatch(cell) for cell in cells)
    return ' class="n"' if numbers else ""


def _of(sides: Sequence[str], column: int) -> str:
    return sides[column] if column < len(sides) else ""


def _bar(share: float) -> str:
    """A cell that is a bar of this share of its width."""
    paint = f"linear-gradient(90deg,#1273b0 {100 * share:.1f}%,transparent 0)"
    return (
        f'<td aria-hidden="true"><div style="width:8em;height:.65em;margin-top:.4em;'
        f'background:{paint}"></div></td>'
    )


def _value(cell: str) -> float:
    """A cell as a number, -1 where it is none that a bar can show."""
    try:
        found = float(cell.replace(",", ""))
    except ValueError:
        return -1.0
    return found if math.isfinite(found) else -1.0


def listed_below(rows: Sequence[Row], *, heads: Row = (), name: str) -> str:
    """A table that is folded away until it is asked for."""
    return f"<details><summary>{_escaped(name)}</summary>{table(rows, heads=heads)}</details>"


def text_as_html(text: str) -> str:
    """Lines as markup: columns become tables, and all else stays as it is.

    A line has columns where two blanks or more stand in it, or ``": "``; lines that belong
    together are as deep and have as many.

    >>> text_as_html("  from a: 1" + chr(10) + "  from b: 2").count("<tr>")
    2
    >>> text_as_html("a sentence")
    '<p>a sentence</p>'
    """
    lines = text.split("\n")
    if any(line.startswith("[") for line in lines):  # a matrix as numpy writes it
        return f"<pre>{_escaped(cut(text, most=4 * LONGEST))}</pre>"
    left = len(lines) - MOST_LINES
    if left > 1:
        lines = [*lines[:MOST_LINES], f"... and {left:,} more lines: print() shows all"]
    return "".join(_parts([_narrowed(line, WIDEST_IN_HTML) for line in lines]))


def _parts(lines: Iterable[str]) -> Iterator[str]:
    shape: tuple[int, str, int] = (0, "", 0)
    rows: list[list[str]] = []
    plain: list[str] = []
    for line in lines:
        how, cells = _cells(line)
        depth = len(line) - len(line.lstrip())
        if len(cells) == 1:
            if rows and depth > shape[0] + 4:  # what goes on in the last column
                rows[-1][-1] += f" {cells[0]}"
                continue
            if rows:
                yield _as_table(rows)
                rows = []
            plain.append(line)
            continue
        if plain:
            yield _as_text(plain)
            plain = []
        # Right-aligned first columns are not as deep as each other: the number decides.
        if rows and (how, len(cells)) != shape[1:]:
            yield _as_table(rows)
            rows = []
        if not rows:
            shape = (depth, how, len(cells))
        rows.append(cells)
    if plain:
        yield _as_text(plain)
    if rows:
        yield _as_table(rows)


def _cells(line: str) -> tuple[str, list[str]]:
    """How a line is divided, and its cells; what is not indented and has no columns is prose."""
    found = line.strip()
    columns = _COLUMNS.split(found)
    if len(columns) > 1:
        return "blanks", columns
    name, colon, rest = found.partition(": ")
    if colon and len(name) <= LONGEST_NAME and line.startswith(" "):
        return "colon", [name, rest]
    return "", [found]


def _as_text(lines: Sequence[str]) -> str:
    return "".join(f"<p>{_escaped(line.strip())}</p>" for line in lines if line.strip())


def _as_table(rows: list[list[str]]) -> str:
    heads: Row = ()
    if len(rows) > 1 and not re.search(r"\d", rows[0][-1]) and _NUMBER.fullmatch(rows[1][-1]):
        heads, rows = rows[0], rows[1:]
    pair = len(rows[0]) == 2 and len(rows) >= FEWEST_BARS
    return table(rows, heads=heads, bars=pair and all(_value(row[1]) >= 0 for row in rows))
