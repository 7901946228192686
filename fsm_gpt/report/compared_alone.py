"""Sections on what each of two chains does by itself, in one table or picture; and n-grams."""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.markov.n_gram_distances import NGramDistances
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.against import calibration_by_state, in_a_sentence, n_gram_table
from fsm_gpt.report.compared_apart import cut
from fsm_gpt.report.compared_facts import Compared, Laws
from fsm_gpt.report.paper import (
    Barred,
    Figure,
    Part,
)
from fsm_gpt.report.side_by_side import laws_plot, two_memories_plot
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import (
    count,
    decimal,
    listed,
    number,
    printable,
)

__all__ = ["calibrated", "memories", "n_grams", "structures", "texts"]

#: Rows of the tables of contexts and of texts, and of a memory curve.
MOST_ROWS, MOST_LINES = 24, 16
#: Points of a picture, and contexts that they are taken from.
MOST_POINTS, MOST_CONTEXTS = 1200, 600
#: Signs of a context that stands in a table.
SIGNS = 40


def texts(found: Compared) -> Part:
    """How often each of the two writes a text: the stationary distributions beside each other."""
    name, nav, title = "stationary", "Stationary", "Where the time is spent"
    laws = found.laws
    if isinstance(laws, Absent):
        return Part(name=name, nav=nav, title=title, absent=str(laws))
    p, q = laws.reference, laws.model
    gap = np.abs(p - q)
    total = float(gap.sum())
    order = heaviest(gap, min(MOST_ROWS, len(gap)))
    order = order[gap[order] > 0] if total > 0 else heaviest(p, min(MOST_ROWS, len(p)))
    rows = [
        (
            _text(found, laws, int(i)),
            decimal(p[i]),
            decimal(q[i]),
            _signed(q[i] - p[i]),
            part_of(float(gap[i]) / total) if total > 0 else "0%",
        )
        for i in order.tolist()
    ]
    shares = [float(gap[i]) / max(float(gap.max()), 1e-300) for i in order.tolist()]
    lone = [int(((p > 0) & (q == 0)).sum()), int(((q > 0) & (p == 0)).sum())]
    alone = ""
    if any(lone):
        alone = (
            f" {count(lone[0], 'text is', 'texts are')} written by the reference alone, "
            f"{lone[1]:,} by the model alone; the picture has no place for these."
        )
    tokens = "single tokens" if laws.n_tokens == 1 else f"{laws.n_tokens} tokens in a row"
    often = heaviest(np.maximum(p, q), min(2 * MOST_POINTS, len(p)))
    n = len(gap)
    more = f", the {len(rows)} that differ most of {n:,}" if n > len(rows) else ""
    said = (
        f"How often each writes a text of {tokens}, in its own long run: where the states are such "
        f"texts, these are the stationary distributions. Half the sum of the differences is the "
        f"total variation, {number(total / 2)}.{alone}"
    )
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=(said,),
        figures=(
            Figure(
                name="laws",
                draw=lambda: laws_plot(p[often], q[often]),
                caption="How often the two write a text, a point for each. On the dashed line they "
                "agree.",
            ),
        ),
        barred=(
            Barred(
                table=Table(
                    caption=f"Texts of {tokens}{more}",
                    heads=("text", "reference", "model", "difference", "of the distance"),
                    rows=tuple(rows),
                    words=(0,),
                ),
                shares=tuple(shares),
            ),
        ),
    )


def _signed(value: float) -> str:
    if value == 0:
        return "0"
    sign = "−" if value < 0 else "+"
    return f"{sign}{decimal(abs(value))}"


def _text(found: Compared, laws: Laws, place: int) -> str:
    V = found.reference.chain.n_tokens
    number_of = int(laws.number[place])
    tokens = []
    for _ in range(laws.n_tokens):
        number_of, token = divmod(number_of, V)
        tokens.append(token)
    return printable(cut(found.reference.chain.vocabulary.label(tokens[::-1])))


def memories(found: Compared) -> Part:
    """Both memory curves, in one picture and one table."""
    name, nav, title = "memory", "Memory", "Entropy and memory"
    curves = [found.reference.memory_curve, found.model.memory_curve]
    rates = [found.reference.entropy_rate, found.model.entropy_rate]
    if all(isinstance(curve, Absent) for curve in curves):
        return Part(name=name, nav=nav, title=title, absent=str(curves[0]))
    h = [
        None if isinstance(curve, Absent) else np.asarray(curve.bits_per_token, dtype=float)
        for curve in curves
    ]
    said = []
    for which, curve, rate in zip(("reference", "model"), curves, rates, strict=True):
        if isinstance(curve, Absent):
            known = ""
            if not isinstance(rate, Absent):
                known = f" Its entropy rate is {number(float(rate.bits_per_token))} bits per token."
            said.append(f"The {which} has no memory curve. {curve}{known}")
        else:
            said.append(
                f"The {which} has {number(curve.entropy_rate)} bits per token in the long run, and "
                f"its past tells {number(curve.excess_bits)} bits of its future (excess entropy)."
            )
    longest = max(len(one) for one in h if one is not None)
    rows = []
    for k in range(min(longest, MOST_LINES)):
        cells = [None if one is None or k >= len(one) else float(one[k]) for one in h]
        between = "—" if None in cells else _signed(cells[1] - cells[0])  # type: ignore[operator]
        rows.append((f"{k}", *("—" if x is None else decimal(x) for x in cells), between))
    drawn: tuple[Figure, ...] = ()
    if h[0] is not None and h[1] is not None:
        one, other = h
        drawn = (
            Figure(
                name="memory",
                draw=lambda: two_memories_plot(one, other),
                caption="Bits of the next token where the last k are known, of what each writes "
                "itself. Each curve ends at its entropy rate.",
            ),
        )
    more = f", the first {MOST_LINES} of {longest}" if longest > MOST_LINES else ""
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=tuple(said),
        figures=drawn,
        wide=(
            Table(
                caption=f"Uncertainty of the next token, in bits{more}",
                heads=("last tokens known", "reference", "model", "difference"),
                rows=tuple(rows),
            ),
        ),
    )


def structures(found: Compared) -> Part:
    """Closed classes and periods of both under each rule."""
    name, nav = "structure", "Structure"
    title = "Structure under each decoding rule"
    both = found.reference.rules, found.model.rules
    for rules in both:
        if isinstance(rules, Absent):
            return Part(name=name, nav=nav, title=title, absent=str(rules))
    rows = []
    for one, other in zip(*both, strict=True):  # type: ignore[arg-type]
        rows.append((one.name, *_rule(one), *_rule(other)))
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=(
            "What cannot happen is decided by probabilities that are exactly zero, and by the "
            "rule. A closed class is never left.",
        ),
        wide=(
            Table(
                caption="Closed classes, their periods, and bits per token",
                heads=(
                    "rule",
                    *("reference: closed classes", "period", "bits"),
                    *("model: closed classes", "period", "bits"),
                ),
                rows=tuple(rows),
                words=(0, 1, 4),
            ),
        ),
    )


def _rule(one: Any) -> tuple[str, str, str]:
    closed = [cut(words) if len(words) > 2 * SIGNS else words for words in one.in_words[:2]]
    if len(one.classes.closed) > 2:
        closed.append(f"and {len(one.classes.closed) - 2:,} more")
    periods = listed([str(p) for p in sorted(set(one.classes.periods))], 3)
    rate = one.entropy_rate
    bits = "—" if isinstance(rate, Absent) else decimal(rate.bits_per_token)
    return printable("; ".join(closed)), periods, bits


def n_grams(found: Compared) -> Part:
    """How far both are from n-grams."""
    name, nav, title = "n-grams", "n-grams", "How far both are from n-grams"
    grams = found.n_gram_distances
    if isinstance(grams, NGramDistances):
        return Part(
            name=name,
            nav=nav,
            title=title,
            sentences=(
                "An n-gram looks back so many tokens alone. Where the model is near to the "
                "reference’s n-gram, it has learnt that much of it.",
            ),
            tables=(n_gram_table(grams, "reference"),),
        )
    return Part(name=name, nav=nav, title=title, absent=str(grams))


def calibrated(found: Compared) -> Part:
    """Whether the model states what happens, and how its own texts drift."""
    name, nav, title = "calibration", "Calibration", "Whether the model is calibrated"
    answer = found.calibration
    if isinstance(answer, Absent):
        return Part(name=name, nav=nav, title=title, absent=str(answer))
    said = [in_a_sentence(answer, "reference")]
    said.append(
        in_a_sentence(found.drift, "reference")
        if not isinstance(found.drift, Absent)
        else f"How the entropy of its own texts drifts is not said. {found.drift}"
    )
    bins = Table(
        caption="Bins of confidence: what the model states of its likeliest token, and the truth",
        heads=("confidence", "share of time", "stated", "happens"),
        rows=tuple(
            (
                f"{answer.bin_edges[b]:.0%} to {answer.bin_edges[b + 1]:.0%}",
                decimal(answer.bin_mass[b]),
                decimal(answer.bin_confidence[b]),
                decimal(answer.bin_accuracy[b]),
            )
            for b in range(len(answer.bin_mass))
            if answer.bin_mass[b] > 0
        ),
        words=(0,),
    )
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=tuple(said),
        tables=(bins, *calibration_by_state(answer, "reference")),
    )
