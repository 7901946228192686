"""The page about two chains side by side, the reference first.

How far apart they are and where; their rows beside each other; and of each what it does alone, in
the same table or the same picture, so that a reader can look across.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.markov.calibration import Calibration
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.context_distance import ContextDistance
from fsm_gpt.markov.n_gram_distances import NGramDistances
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.against import calibration_by_state, in_a_sentence, n_gram_table
from fsm_gpt.report.compared_facts import Compared, Laws, compared_facts
from fsm_gpt.report.headline import first_upper, what_it_is
from fsm_gpt.report.paper import (
    Barred,
    Card,
    Figure,
    Gathered,
    Paper,
    Part,
    csv_file,
    json_file,
    origins,
    table_of_answers,
)
from fsm_gpt.report.side_by_side import agreement_plot, laws_plot, two_memories_plot
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import (
    MOST_COLUMNS,
    count,
    decimal,
    listed,
    next_tokens,
    number,
    printable,
)
from fsm_gpt.result import Bounded

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
        parts = [_apart(found), _worst(found), _rows(found), _texts(found), _memory(found)]
        parts += [_structure(found), _n_grams(found), _calibrated(found)]
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


# ---- the sections ----


def _apart(found: Compared) -> Part:
    forward, backward, distance = found.forward, found.backward, found.context_distance
    rows = [
        ("KL(reference ‖ model), bits per token", *_bounded(forward.kl_bits_per_token, forward)),
        ("cross-entropy of the model", *_bounded(forward.cross_entropy_bits_per_token, forward)),
        ("entropy rate of the reference", *_bounded(forward.reference_bits_per_token, forward)),
    ]
    missing = []
    if isinstance(backward, Absent):
        missing.append(f"The other way round the model is the reference, and then: {backward}")
    else:
        rows.append(
            (
                "KL(model ‖ reference), bits per token",
                *_bounded(backward.kl_bits_per_token, backward),
            )
        )
    if isinstance(distance, Absent):
        missing.append(f"The total variation of texts is not known. {distance}")
    else:
        tokens = count(distance.n_tokens, "token")
        rows.append(
            (
                f"total variation of texts of {tokens}",
                *_bounded(distance.total_variation, distance),
            )
        )
    for name, one in (("reference", found.reference), ("model", found.model)):
        if not isinstance(one.entropy_rate, Absent) and name == "model":
            rate = one.entropy_rate
            rows.append(("entropy rate of the model", *_bounded(rate.bits_per_token, rate)))
        if one.effective_states is not None:
            many = one.effective_states >= 1000
            effective = f"{one.effective_states:,.0f}" if many else number(one.effective_states)
            spread = f"{effective} of {one.chain.n_states:,}"
            rows.append((f"effective states of the {name}", spread, "see its distribution"))
    ruled_out = ""
    if np.isinf(forward.kl_by_state).any():
        some = [printable(_cut(name)) for name in forward.missing]
        ruled_out = (
            f"The model rules out something that the reference does after {listed(some, 8)}: so "
            f"the KL rate is infinite."
        )
    first = (
        "The KL rate is what is wasted on each token by predicting the first with the second; it "
        "has "
        "a direction. Total variation is the largest difference that the two give to any set of "
        "texts, between 0 and 1."
    )
    return Part(
        name="apart",
        nav="How far apart",
        title="How far apart the two are",
        sentences=(first, ruled_out, *missing),
        wide=(
            Table(
                caption="Distances, with how far each can be wrong",
                heads=("quantity", "value", "error"),
                rows=tuple(rows),
                words=(0, 2),
            ),
        ),
    )


def _bounded(value: Any, answer: Bounded) -> tuple[str, str]:
    return number(value), answer.error_sentence


def _cut(name: str) -> str:
    """A context that a table has room for: its newest tokens."""
    return name if len(name) <= SIGNS else f"…{name[-SIGNS:]}"


def _label(found: Compared, place: int) -> str:
    return printable(_cut(found.forward.label(place)))


def _of_total(found: Comparison) -> npt.NDArray[np.float64]:
    """Each context's part of the KL rate; those that make it infinite have all of it."""
    share = np.asarray(found.share_by_state, dtype=float)
    endless = np.isinf(share)
    if endless.any():
        return np.asarray(endless / endless.sum())
    return np.asarray(share / max(float(share.sum()), 1e-300))


def _worst(found: Compared) -> Part:
    forward = found.forward
    of_total = _of_total(forward)
    order = [i for i in forward.worst(MOST_ROWS).tolist() if forward.kl_by_state[i] > 0]
    if not order:
        said = "They differ nowhere: after every context that the reference visits the rows agree."
        return Part(name="where", nav="Where", title="Where they differ most", sentences=(said,))
    rows, shares = [], []
    for i in order:
        rows.append(
            (
                _label(found, i),
                decimal(forward.pi[i]),
                *_both_rows(found, i),
                decimal(forward.kl_by_state[i]),
                decimal(forward.share_by_state[i]),
                part_of(float(of_total[i])),
            )
        )
        shares.append(float(of_total[i]) / float(of_total[order[0]]))
    n = len(forward.pi)
    so_far = part_of(min(1.0, float(of_total[order].sum())))
    more = f", the {len(order)} costliest of {n:,}" if n > len(order) else ""
    return Part(
        name="where",
        nav="Where",
        title="Where they differ most",
        sentences=(
            f"A context costs its share π of time in the reference, times the KL divergence of the "
            f"two rows there. The {count(len(order), 'context')} in the table make up {so_far} of "
            f"the KL rate.",
        ),
        barred=(
            Barred(
                table=Table(
                    caption=f"Contexts by their share of the divergence{more}",
                    heads=(
                        *("context", "π in the reference", "reference", "model"),
                        *("KL, bits", "π · KL", "share"),
                    ),
                    rows=tuple(rows),
                    words=(0, 2, 3),
                ),
                shares=tuple(shares),
                colour="token-1",
            ),
        ),
    )


def _both_rows(found: Compared, place: int) -> tuple[str, str]:
    """The likeliest next tokens of both."""
    states = found.calibration
    if isinstance(states, Absent):
        return "—", "—"
    return (
        next_tokens(states.reference, int(states.reference_state[place])),
        next_tokens(states.chain, int(states.model_state[place])),
    )


def _rows(found: Compared) -> Part:
    name, nav, title = "rows", "Rows", "Rows beside rows"
    states = found.calibration
    if isinstance(states, Absent):
        return Part(name=name, nav=nav, title=title, absent=str(states))
    V = states.reference.n_tokens
    order = heaviest(states.pi, min(MOST_ROWS, len(states.pi)))
    if len(states.pi) <= MOST_ROWS:
        order = np.arange(len(states.pi))
    few = V <= MOST_COLUMNS
    shown = [printable(token) for token in states.reference.vocabulary.shown]
    rows = []
    for i in order.tolist():
        cells: Sequence[str]
        if few:
            p, q = states.rows(i)
            cells = [decimal(x) for pair in zip(p, q, strict=True) for x in pair]
        else:
            cells = _both_rows(found, i)
        rows.append((_label(found, i), decimal(states.pi[i]), *cells))
    heads = ["reference", "model"]
    if few:
        heads = [f"{token}, {which}" for token in shown for which in ("reference", "model")]
    more = (
        f", the {len(rows)} most visited of {len(states.pi):,}"
        if len(states.pi) > len(rows)
        else ""
    )
    p, q, weight = _points(states)
    which = "" if len(states.pi) <= MOST_CONTEXTS else " Those of the most visited contexts."
    return Part(
        name=name,
        nav=nav,
        title=title,
        figures=(
            Figure(
                name="rows",
                draw=lambda: agreement_plot(p, q, weight),
                caption=(
                    "What the two give to a next token: a point for each context and token, the "
                    "larger the more often that happens. On the dashed line they agree; above it "
                    f"the model gives more.{which}"
                ),
                table="The table below it has the numbers of the most visited contexts.",
            ),
        ),
        wide=(
            Table(
                caption=f"Next-token probabilities{more}",
                heads=("context", "π in the reference", *heads),
                rows=tuple(rows),
                words=(0,) if few else (0, 2, 3),
            ),
        ),
    )


def _points(states: Calibration) -> tuple[Any, Any, Any]:
    """Probabilities of both, and how often each happens; the most frequent."""
    from fsm_gpt.markov.paired import rows_of

    chosen = heaviest(states.pi, min(MOST_CONTEXTS, len(states.pi)))
    P = rows_of(states.reference, states.reference_state[chosen])
    Q = rows_of(states.chain, states.model_state[chosen])
    weight = (states.pi[chosen][:, None] * (P + Q) / 2).ravel()
    some = heaviest(weight, min(MOST_POINTS, len(weight)))
    some = some[weight[some] > 0]
    return P.ravel()[some], Q.ravel()[some], weight[some]


def _texts(found: Compared) -> Part:
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
    return printable(_cut(found.reference.chain.vocabulary.label(tokens[::-1])))


def _memory(found: Compared) -> Part:
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


def _structure(found: Compared) -> Part:
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
    closed = [_cut(words) if len(words) > 2 * SIGNS else words for words in one.in_words[:2]]
    if len(one.classes.closed) > 2:
        closed.append(f"and {len(one.classes.closed) - 2:,} more")
    periods = listed([str(p) for p in sorted(set(one.classes.periods))], 3)
    rate = one.entropy_rate
    bits = "—" if isinstance(rate, Absent) else decimal(rate.bits_per_token)
    return printable("; ".join(closed)), periods, bits


def _n_grams(found: Compared) -> Part:
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


def _calibrated(found: Compared) -> Part:
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
