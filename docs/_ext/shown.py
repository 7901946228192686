"""How cells show figures and studies' tables: as pages do, in the reader's light or dark.

A page imports this in a hidden first cell. A figure at the end of a cell then becomes an SVG
whose colours are names, as in the report.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any

from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext

from analysis.study import Picture, Table
from fsm_gpt.report.fonts import browser_fonts
from fsm_gpt.report.svg import inline_svg
from fsm_gpt.report.words import powers
from fsm_gpt.result import Bounded

_COUNT: Iterator[int] = itertools.count(1)


def svg(figure: Figure, label: str = "") -> str:
    """A figure as an element of the page; its label is read aloud in its place."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log" and isinstance(
                axis.get_major_formatter(), LogFormatterMathtext
            ):  # powers as plain text, which an SVG in a page can show
                axis.set_major_formatter(lambda value, _: f"{value:,g}")
    ax = figure.axes[0]
    if not label:
        label = ax.get_title(loc="left") or "A figure; the text and tables beside it say the same."
    prefix = f"figure-{next(_COUNT)}"
    return f'<div class="picture">{inline_svg(ax, label=label, prefix=prefix)}</div>'


def picture(one: Picture) -> str:
    """A study's picture."""
    return svg(one.figure(), one.title)


def table(one: Table) -> str:
    """A study's table, numbers at the right, wide ones in a box that scrolls."""
    numeric = [
        any(isinstance(value, int | float) or hasattr(value, "numerator") for value in column)
        for column in (one.column(name) for name in one.columns)
    ]
    longest = [
        max((len(one.shown(v, name)) for v in one.column(name)), default=0) for name in one.columns
    ]
    sides = [
        f' class="{"n" if number else "k" if length < 17 else "t" if length > 24 else ""}"'
        for number, length in zip(numeric, longest, strict=True)
    ]
    head = "".join(
        f"<th{side}>{html.escape(name)}</th>" if name else f"<td{side}></td>"
        for name, side in zip(one.columns, sides, strict=True)
    )
    title = html.escape(one.title)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{side}>{html.escape(one.shown(value, name))}</td>"
            for name, value, side in zip(one.columns, row, sides, strict=True)
        )
        + "</tr>"
        for row in one.rows
    )
    note = f'<p class="note">{html.escape(one.note)}</p>' if one.note else ""
    return (
        f'<div class="study" role="region" tabindex="0" aria-label="{title}">'
        f'<table class="docutils"><caption>{title}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


@dataclass(frozen=True)
class Facts:
    """Numbers in large letters: each with what it counts, and how far off it can be.

    A fact is the number as it is shown, what it counts, and the result that it is from. A bound
    that is not proven may not stand here.
    """

    facts: Sequence[tuple[str, str, Bounded]]

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><b>{html.escape(number)}</b> <span>{html.escape(what)}</span> "
            f"<small>{html.escape(at_most(result))}</small></li>"
            for number, what, result in self.facts
        )
        return f'<ul class="facts">{items}</ul>'


def at_most(result: Bounded) -> str:
    """The error bound of a result in few words, to two digits and never rounded down.

    >>> from fsm_gpt.markov import entropy_rate
    >>> from fsm_gpt.chain import Chain
    >>> at_most(entropy_rate(Chain([["1/2", "1/2"]] * 2)))
    'exact'
    """
    if not result.certified:
        raise ValueError(f"{type(result).__name__}: {result.error_sentence}")
    bound = float(result.error_bound)
    if bound == 0:
        return "exact"
    up = Context(prec=2, rounding=ROUND_CEILING).create_decimal(bound)
    kind = result.error_meaning.split()[0]  # relative or absolute
    return powers(f"{kind} error ≤ {up:.1e}, proven")


def register(shell: InteractiveShell) -> None:
    """Tell the shell that runs the cells."""
    display: Any = shell.display_formatter
    formatters = display.formatters
    of_html = formatters["text/html"]
    of_html.for_type(Figure, svg)
    of_html.for_type(Picture, picture)
    of_html.for_type(Table, table)
    # Whatever cells draw, a browser will show; each cell has a context of its own.
    shell.events.register("pre_run_cell", lambda *_: browser_fonts().__enter__())
    # A page shows the one above, so that the other need not be drawn.
    formatters["image/png"].for_type(Picture, lambda _: None)


_shell = get_ipython()
if _shell is not None:
    register(_shell)
