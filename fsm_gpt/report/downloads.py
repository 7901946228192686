"""The numbers of a report as files that the page carries in itself.

Each is a ``data:`` link with a name to save it under, so it works offline and under the
page's content-security-policy. A page must stay small, so a file of a large chain holds
the states of greatest mass and says so; ``Report.save("x.json")`` has everything.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.row_entropy import row_entropies
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.shortened import json_text
from fsm_gpt.report.tables import csv_text
from fsm_gpt.storage import Edges

__all__ = ["Download", "downloads"]

#: No file on the page has more rows than this, nor more numbers.
MOST_ROWS, MOST_NUMBERS = 2048, 16_384
#: A vocabulary of more tokens than this has no column for each in the table of states.
MOST_COLUMNS = 256
#: Lists in the JSON have at most so many entries: as many as keep it below the bytes.
LIST_LENGTHS, MOST_BYTES = (4096, 512, 64, 0), 1_000_000


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    name: str
    words: str
    """What it holds, and what it leaves out."""
    type: str
    content: str

    @property
    def size(self) -> str:
        """Its size for a reader."""
        size = len(self.content.encode("utf-8"))
        return f"{size:,} bytes" if size < 1000 else f"{size / 1000:,.0f} kB"

    @property
    def url(self) -> str:
        """The whole file as an address."""
        content = base64.b64encode(self.content.encode("utf-8")).decode("ascii")
        return f"data:{self.type};charset=utf-8;base64,{content}"


def downloads(facts: Facts) -> list[Download]:
    """The facts as JSON, the states and the transitions as CSV."""
    return [_facts(facts), _states(facts), _transitions(facts)]


def _facts(facts: Facts) -> Download:
    for most in LIST_LENGTHS:
        document = facts.to_dict(most=most)
        content = json_text(document) + "\n"
        if len(content.encode("utf-8")) <= MOST_BYTES:
            break
    words = "Every number of this page, and those behind it"
    if '{"left_out": ' in content:
        words += f"; lists of more than {most:,} entries are left out, and said to be"
    return Download("facts.json", words, "application/json", content)


def _states(facts: Facts) -> Download:
    chain = facts.chain
    wide = chain.n_tokens <= MOST_COLUMNS
    most = min(MOST_ROWS, MOST_NUMBERS // chain.n_tokens) if wide else MOST_ROWS
    chosen, which = _heaviest(facts, most)
    rows = chain.next_token[chosen]
    rows = rows / rows.sum(axis=1, keepdims=True)
    entropies = row_entropies(rows)
    tokens = chain.vocabulary.shown
    heads = ["id", "label", "closed_class", "pi", "row_entropy_bits"]
    heads += [f"p({name})" for name in tokens] if wide else []
    mass = _mass(facts)
    lines = (
        [
            int(s),
            _cell(chain.states.label(int(s))),
            (int(mass[1][s]) or None) if mass is not None else None,
            _number(mass[0][s]) if mass is not None else None,
            _number(entropies[i]),
            *([_number(p) for p in rows[i]] if wide else []),
        ]
        for i, s in enumerate(chosen.tolist())
    )
    words = "Each state: its name, closed class, π within it, row entropy" + (
        ", next-token probabilities" if wide else ""
    )
    return Download("states.csv", f"{words}{which}", "text/csv", csv_text(heads, lines))


def _transitions(facts: Facts) -> Download:
    chain, mass = facts.chain, _mass(facts)
    chosen, which = _heaviest(facts, MOST_ROWS)
    edges = chain.edges()
    kept = np.flatnonzero(np.isin(edges.source, chosen))
    if len(kept) > 2 * MOST_ROWS:
        often = np.zeros(len(kept))
        if chain.kind != "symbolic" and mass is not None:
            often = np.asarray(edges.probability[kept] * mass[0][edges.source[kept]], dtype=float)
        kept = np.sort(kept[np.argsort(-often, kind="stable")[: 2 * MOST_ROWS]])
        which = f"; the {2 * MOST_ROWS:,} that happen most often, of {chain.n_edges:,}"
        if mass is None:
            which = f"; the first {2 * MOST_ROWS:,}, of {chain.n_edges:,}"
    heads = ("source", "source_label", "token", "token_label", "target", "target_label", "p")
    content = csv_text(heads, (_line(chain, edges, i) for i in kept.tolist()))
    return Download("transitions.csv", f"Each transition{which}", "text/csv", content)


def _line(chain: Chain, edges: Edges, i: int) -> list[Any]:
    source, token, target = (int(edges[k][i]) for k in range(3))
    names = chain.states.label(source), chain.vocabulary.shown[token], chain.states.label(target)
    labels = [_cell(name) for name in names]
    line = [source, labels[0], token, labels[1], target, labels[2]]
    return [*line, _number(edges.probability[i])]


def _mass(facts: Facts) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]] | None:
    """Each state's stationary probability within its closed class, and the class from 1 on.

    A transient state has 0 for both.
    """
    answer, n = facts.stationary, facts.chain.n_states
    if isinstance(answer, Absent):
        return None
    exact = facts.chain.dtype == object
    mass = np.full(n, Fraction(0)) if exact else np.zeros(n)
    member = np.zeros(n, dtype=np.int64)
    for c, (states, probabilities) in enumerate(answer.classes):
        mass[states], member[states] = probabilities, c + 1
    return mass, member


def _heaviest(facts: Facts, most: int) -> tuple[npt.NDArray[np.int64], str]:
    """The states that are listed, by id, and what is said of the others."""
    n = facts.chain.n_states
    if n <= most:
        return np.arange(n), ""
    if facts.pi is None:
        return np.arange(most), f"; the first {most:,} states, of {n:,}"
    chosen = np.sort(heaviest(facts.pi, most))
    return chosen, f"; the {most:,} states of greatest mass, of {n:,}"


def _number(value: Any) -> Any:
    """A number with all its digits; rationals and symbols as they are written."""
    return float(value) if isinstance(value, (float, np.floating)) else str(value)


def _cell(text: str) -> str:
    """A name that a spreadsheet does not take for a formula.

    >>> _cell("=1+1"), _cell("-")
    ("'=1+1", '-')
    """
    return f"'{text}" if len(text) > 1 and text[0] in "=+-@" else text
