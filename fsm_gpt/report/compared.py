"""The page about two chains side by side, the reference first.

How far apart they are and where; their rows beside each other; and of each what it does alone, in
the same table or the same picture, so that a reader can look across.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.markov.calibration import Calibration
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.context_distance import ContextDistance
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.compared_alone import calibrated, memories, n_grams, structures, texts
from fsm_gpt.report.compared_apart import apart, rows_beside, worst
from fsm_gpt.report.compared_facts import Compared, compared_facts
from fsm_gpt.report.headline import first_upper, what_it_is
from fsm_gpt.report.paper import (
    Card,
    Gathered,
    Paper,
    csv_file,
    json_file,
    origins,
    table_of_answers,
)
from fsm_gpt.report.words import (
    number,
    printable,
)

__all__ = ["NAMES", "ComparisonReport", "compared"]

#: What the two are called where nothing is said.
NAMES = ("the reference", "the model")
#: Rows of the tables of contexts and of texts, and of a memory curve.
MOST_ROWS, MOST_LINES = 24, 16
#: Points of a picture, and contexts that they are taken from.
MOST_POINTS, MOST_CONTEXTS = 1200, 600
#: Contexts in the file of the page.
MOST_FILED = 2048
#: Signs of a context that stands in a table.
SIGNS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparisonReport(Gathered):
    """What is known of two chains, and the page about them."""

    found: Compared
    provenance: dict[str, str] = field(default_factory=dict)
    kind = "comparison"

    def numbers(self, *, most: int | None = None) -> dict[str, Any]:
        """All of it, ready for JSON."""
        chain = self.found.model.chain
        return {
            **self.found.to_dict(most=most),
            "notes": [*self.found.reference.chain.notes, *chain.notes],
            "provenance": {**chain.provenance, **self.provenance},
        }

    def paper(self, title: str | None) -> Paper:
        """What the page says."""
        found = self.found
        model = found.model.chain
        parts = [apart(found), worst(found), rows_beside(found), texts(found), memories(found)]
        parts += [structures(found), n_grams(found), calibrated(found)]
        notes = [f"reference: {note}" for note in found.reference.chain.notes]
        notes += [f"model: {note}" for note in model.notes]
        return Paper(
            eyebrow="Comparison report · the reference first",
            title=printable(title or _title(found)),
            lead=_lead(found),
            cards=_cards(found),
            parts=tuple(parts),
            methods=table_of_answers(found.answers()),
            provenance=(
                ("reference", printable(f"{found.names[0]}, {what_it_is(found.reference.chain)}")),
                ("model", printable(f"{found.names[1]}, {what_it_is(model)}")),
                *origins(model, self.provenance),
            ),
            notes=tuple(printable(note) for note in notes),
            files=(json_file(self, most=2048), _file(found)),
        )


def compared(
    comparison: Comparison,
    names: tuple[str, str] = NAMES,
    provenance: dict[str, str] | None = None,
    *,
    drift: int = 32,
) -> ComparisonReport:
    """Gather what is said of the two chains of a comparison.

    ``drift`` is for how many tokens the model goes on alone.
    """
    found = compared_facts(comparison, names, drift=drift)
    return ComparisonReport(found=found, provenance=dict(provenance or {}))


def _title(found: Compared) -> str:
    if found.names == NAMES:
        return "A model against its reference"
    return " against ".join(reversed(found.names))


# ---- the top ----


def _lead(found: Compared) -> tuple[tuple[bool, str], ...]:
    forward = found.forward
    own = number(forward.reference_bits_per_token)
    needs = number(forward.cross_entropy_bits_per_token)
    return (
        (False, "What "),
        (True, printable(found.names[0])),
        (False, f" writes has {own} bits per token; predicting it with "),
        (True, printable(found.names[1])),
        (False, f" takes {needs}. So "),
        (True, f"{number(forward.kl_bits_per_token)} bits per token are wasted"),
        (False, ", the KL rate of the two."),
    )


def _cards(found: Compared) -> tuple[Card, ...]:
    forward, backward, distance = found.forward, found.backward, found.context_distance
    cards = [
        Card(
            name="KL(reference ‖ model)",
            value=number(forward.kl_bits_per_token),
            unit="bits/token",
            sub=first_upper(forward.error_sentence),
        )
    ]
    if isinstance(backward, Absent):
        sub = "Not defined here; the next section says why"
        cards.append(Card(name="KL(model ‖ reference)", value="none", words=True, sub=sub))
    else:
        cards.append(
            Card(
                name="KL(model ‖ reference)",
                value=number(backward.kl_bits_per_token),
                unit="bits/token",
                sub=first_upper(backward.error_sentence),
            )
        )
    if isinstance(distance, ContextDistance):
        tokens = "single tokens" if distance.n_tokens == 1 else f"{distance.n_tokens} tokens"
        cards.append(
            Card(
                name="Total variation",
                value=number(float(distance.total_variation)),
                unit="of 1",
                sub=f"Between the laws of {tokens} in a row",
            )
        )
    rates = [
        None if isinstance(one.entropy_rate, Absent) else float(one.entropy_rate.bits_per_token)
        for one in (found.reference, found.model)
    ]
    shown = ["—" if rate is None else number(rate, 4) for rate in rates]
    cards.append(
        Card(
            name="Entropy rates",
            value=f"{shown[0]} and {shown[1]}",
            words=True,
            unit="bits",
            sub="Of a token of the reference and of the model, in the long run",
        )
    )
    if isinstance(found.calibration, Calibration):
        cards.append(
            Card(
                name="Rows apart",
                value=number(found.calibration.total_variation),
                unit="of 1",
                sub="Total variation of the next token, in the mean over the reference",
            )
        )
    return tuple(cards)


# ---- the end ----


def _file(found: Compared) -> Any:
    """The contexts that cost most, with both rows where the tokens are few."""
    forward, states = found.forward, found.calibration
    n = len(forward.pi)
    chosen = np.arange(n) if n <= MOST_FILED else forward.worst(MOST_FILED)
    which = "" if n <= MOST_FILED else f"; the {MOST_FILED:,} that cost most, of {n:,}"
    V = forward.reference.n_tokens
    both = isinstance(states, Calibration) and V * len(chosen) <= 8 * MOST_FILED
    shown = forward.reference.vocabulary.shown
    heads = ["context", "pi", "kl_bits", "share_bits_per_token"]
    if both:
        heads += [f"reference p({t})" for t in shown] + [f"model p({t})" for t in shown]

    def row(i: int) -> list[Any]:
        cells: list[Any] = [
            printable(forward.label(i)),
            float(forward.pi[i]),
            float(forward.kl_by_state[i]),
            float(forward.share_by_state[i]),
        ]
        if both and isinstance(states, Calibration):
            p, q = states.rows(i)
            cells += [*map(float, p), *map(float, q)]
        return cells

    words = f"Each context: its share of time, the divergence there, its part of the rate{which}"
    return csv_file("contexts.csv", words, heads, (row(i) for i in chosen.tolist()))
