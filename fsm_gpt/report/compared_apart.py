"""Sections on how far apart two chains are, and where; their rows beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.markov.calibration import Calibration
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.compared_facts import Compared
from fsm_gpt.report.paper import (
    Barred,
    Figure,
    Part,
)
from fsm_gpt.report.side_by_side import agreement_plot
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

__all__ = ["apart", "cut", "rows_beside", "worst"]

#: Rows of the tables of contexts and of texts, and of a memory curve.
MOST_ROWS, MOST_LINES = 24, 16
#: Points of a picture, and contexts that they are taken from.
MOST_POINTS, MOST_CONTEXTS = 1200, 600
#: Signs of a context that stands in a table.
SIGNS = 40


def apart(found: Compared) -> Part:
    """The distances, each with how far it can be wrong."""
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
        some = [printable(cut(name)) for name in forward.missing]
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


def worst(found: Compared) -> Part:
    """The contexts that make up most of the divergence."""
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


def _of_total(found: Comparison) -> npt.NDArray[np.float64]:
    """Each context's part of the KL rate; those that make it infinite have all of it."""
    share = np.asarray(found.share_by_state, dtype=float)
    endless = np.isinf(share)
    if endless.any():
        return np.asarray(endless / endless.sum())
    return np.asarray(share / max(float(share.sum()), 1e-300))


def rows_beside(found: Compared) -> Part:
    """Next-token probabilities of both, in a picture and a table."""
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


def _both_rows(found: Compared, place: int) -> tuple[str, str]:
    """The likeliest next tokens of both."""
    states = found.calibration
    if isinstance(states, Absent):
        return "—", "—"
    return (
        next_tokens(states.reference, int(states.reference_state[place])),
        next_tokens(states.chain, int(states.model_state[place])),
    )


def _label(found: Compared, place: int) -> str:
    return printable(cut(found.forward.label(place)))


def cut(name: str) -> str:
    """A context that a table has room for: its newest tokens."""
    return name if len(name) <= SIGNS else f"…{name[-SIGNS:]}"
