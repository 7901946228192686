"""A window chain as a class does it by hand: in hundredths, with two ten-sided dice.

Two dice of ten sides, one for tens and one for ones, give 00 to 99. In a context whose row gives
token 0 the probability of k hundredths, a throw below k says 0 and any other says 1. The chain in
hundredths is exact, and another chain than the one it was rounded from. Cells of the lesson import
this; what it makes shows itself as a part of the page.
"""

from __future__ import annotations

import html
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fsm_gpt.chain import Chain

#: How many different throws there are.
SIDES = 100


@dataclass(frozen=True)
class Part:
    """A piece of a page."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True)
class Step:
    """One step of a walk: where, what was thrown, which token that says, where to."""

    context: str
    throw: int
    token: str
    next: str


def in_hundredths(chain: Chain) -> Chain:
    """The chain with every row of two rounded to hundredths, as exact fractions.

    >>> in_hundredths(Chain([[0.268, 0.732], [0.5, 0.5]], vocabulary="01")).next_token[0]
    array([Fraction(27, 100), Fraction(73, 100)], dtype=object)
    """
    rows = []
    for row in chain.next_token:
        zero = Fraction(round(float(row[0]) * SIDES), SIDES)
        rows.append([zero, 1 - zero])
    return Chain(rows, vocabulary=list(chain.vocabulary.shown))


def below(chain: Chain, context: str) -> int:
    """A throw below this says the first token."""
    return round(float(chain.next_token[chain.state(context), 0]) * SIDES)


def throws(n: int, *, seed: int) -> list[int]:
    """Throws of two ten-sided dice, the same for everybody."""
    dice = random.Random(seed)
    return [dice.randrange(SIDES) for _ in range(n)]


def walk(chain: Chain, start: str, thrown: Sequence[int]) -> list[Step]:
    """Where these throws lead.

    >>> walk(Chain([[0.3, 0.7], [0.5, 0.5]], vocabulary="01"), "0", [29, 30, 50])[-1]
    Step(context='1', throw=50, token='1', next='1')
    """
    steps = []
    context = start
    for throw in thrown:
        token = "0" if throw < below(chain, context) else "1"
        after = context[1:] + token
        steps.append(Step(context, throw, token, after))
        context = after
    return steps


def visits(chain: Chain, steps: Sequence[Step]) -> list[int]:
    """How many of the steps came to each context, in the chain's order."""
    came = [step.next for step in steps]
    return [came.count(label) for label in chain.labels()]


# ---- how it looks ----


def tiles(context: str, *, new: str = "") -> str:
    """A context as tiles, one a token; a new token stands after a gap."""
    parts = [f'<span class="tile t{token}">{html.escape(token)}</span>' for token in context]
    if new:
        parts.append(f'<span class="tile new t{new}">{html.escape(new)}</span>')
    return f'<span class="tiles">{"".join(parts)}</span>'


def row_of(chain: Chain, context: str) -> Part:
    """A context, its two probabilities as a bar of a hundred throws, and where each leads."""
    k = below(chain, context)
    ways = [("0", 0, k), ("1", k, SIDES)]
    bar = "".join(
        f'<i class="part t{token}" style="flex-grow:{high - low}"></i>' for token, low, high in ways
    )
    lines = "".join(
        f"<li>{_range(low, high)} says <b class='t{token}'>{token}</b>: {high - low} in {SIDES}, "
        f"to {tiles(context[1:] + token)}</li>"
        for token, low, high in ways
    )
    return Part(
        f'<div class="row-of">{tiles(context)}<div class="bar" aria-hidden="true">{bar}</div>'
        f"<ul>{lines}</ul></div>",
        f"{context}: {_range(0, k)} says 0, {_range(k, SIDES)} says 1",
    )


def _range(low: int, high: int) -> str:
    if low >= high:
        return "no throw"
    return f"{low:02d}" if high - low == 1 else f"{low:02d} to {high - 1:02d}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> Part:
    """A table of cells that are HTML already; what has tiles is the name of its row."""
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{cell}</th>' if i == 0 else f"<td>{cell}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    named = f"<caption>{caption}</caption>" if caption else ""
    text = "\n".join("\t".join(_plain(cell) for cell in row) for row in (head, *rows))
    return Part(
        f'<div class="hand" tabindex="0"><table>{named}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
        text,
    )


def _plain(cell: str) -> str:
    return "".join(_words(cell))


def _words(cell: str) -> Iterator[str]:
    inside = False
    for sign in cell:
        if sign in "<>":
            inside = sign == "<"
        elif not inside:
            yield sign


def rules(chain: Chain) -> Part:
    """Every context with its throws and where they lead."""
    rows = []
    for context in chain.labels():
        k = below(chain, context)
        rows.append(
            [
                tiles(context),
                _range(0, k),
                tiles(context[1:] + "0"),
                _range(k, SIDES),
                tiles(context[1:] + "1"),
            ]
        )
    return table(["context", "says 0", "then at", "says 1", "then at"], rows)


def walked(steps: Sequence[Step], *, first: int = 1, filled: bool = True) -> Part:
    """A walk, step by step; with ``filled=False`` a form, where only step 1 has its context."""
    rows = []
    for number, step in enumerate(steps, start=first):
        known = filled or number == 1
        rows.append(
            [
                str(number),
                tiles(step.context) if known else "",
                f"{step.throw:02d}",
                f"<b class='t{step.token}'>{step.token}</b>" if filled else "",
                tiles(step.next) if filled else "",
            ]
        )
    return table(["step", "context", "throw", "token", "next context"], rows)
