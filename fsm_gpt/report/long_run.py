"""What happens in the long run, as sentences and tables: memory, mixing, spectrum, passage.

Each figure has its table here, with the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.markov.convergence import ConvergenceBound
from fsm_gpt.markov.mixing import MixingTime
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, decimal, number
from fsm_gpt.result import format_steps

__all__ = ["loss_table", "memory", "mixing", "passage", "spectrum"]

Section = dict[str, Any]

#: A table beside a figure has at most this many rows.
MOST_LINES = 16


def _absent(reason: Absent) -> Section:
    return {"absent": str(reason), "caption": "", "under": [], "tables": []}


def loss_table(losses: tuple[float, ...]) -> Table:
    """The loss at the first step, the last, and some in between."""
    last = len(losses) - 1
    steps = sorted({round(i * last / 5) for i in range(6)})
    return Table(
        caption="Loss in nats per token"
        + ("" if last <= 5 else f", {len(steps)} of {last + 1:,} steps"),
        heads=("step", "loss"),
        rows=tuple((f"{i:,}", f"{losses[i]:.4f}") for i in steps),
    )


def memory(facts: Facts) -> Section:
    """The uncertainty of the next token, by how much of the past is known."""
    curve = facts.memory_curve
    if isinstance(curve, Absent):
        return _absent(curve)
    h = [float(value) for value in curve.bits_per_token]
    table = Table(
        caption="Uncertainty of the next token" + _first(len(h)),
        heads=("last tokens known", "bits per token", "above the entropy rate"),
        rows=tuple(
            (f"{k}", decimal(value), decimal(max(value - h[-1], 0.0)))
            for k, value in enumerate(h[:MOST_LINES])
        ),
        note=(
            f"The last column adds up to the excess entropy, {number(curve.excess_bits)} bits: "
            f"what the past tells of the future."
        ),
    )
    caption = (
        f"Uncertainty of the next token when the last k are known: {number(h[0])} bits with none, "
        f"{number(h[-1])} with {len(h) - 1}. Excess entropy {number(curve.excess_bits)} bits."
    )
    return {"absent": "", "caption": caption, "under": [], "tables": [table]}


def mixing(facts: Facts) -> Section:
    """The distance to the stationary distribution, the true time, and the bound beside it."""
    found = facts.mixing_time
    if isinstance(found, Absent):
        return _absent(found)
    bound = facts.convergence[0].bound
    caption = (
        f"Total variation distance to the stationary distribution from the worst start: at most "
        f"{found.epsilon:g} after {count(found.steps, 'token')}."
    )
    return {
        "absent": "",
        "caption": caption,
        "under": [_times(facts, bound)],
        "tables": [_distances(facts, bound)],
    }


def _times(facts: Facts, bound: ConvergenceBound | Absent) -> Table:
    """How long it takes, in truth and by the bound."""
    rows: list[tuple[str, ...]] = []
    for one in facts.convergence:
        time = one.mixing_time
        true = ("—", "—")
        if isinstance(time, MixingTime):
            true = (format_steps(time.steps), format_steps(time.average_steps))
        limit = ("—",) if isinstance(one.bound, Absent) else (format_steps(one.bound.steps),)
        row = (f"{one.epsilon:g}", *true, *limit)
        rows.append(row[: 3 if isinstance(bound, Absent) else 4])
    heads: tuple[str, ...] = ("within", "worst start", "average start")
    if isinstance(bound, Absent):
        note = f"The bound of Zekri et al. (2024, arXiv 2410.02724) does not apply. {bound}"
    else:
        heads = (*heads, "Zekri et al.")
        note = (
            f"The bound of Zekri et al. (2024, arXiv 2410.02724) is (1 − 2ε)^(⌊n/L⌋ − 1) with "
            f"L = {bound.context} and ε = {number(bound.smallest)}, the smallest entry of P^L on "
            f"the closed class. It holds, and the truth is often far below it."
        )
    late = [str(c.mixing_time) for c in facts.convergence if isinstance(c.mixing_time, Absent)]
    return Table(
        caption="Tokens until the start is forgotten, in truth and by a bound",
        heads=heads,
        rows=tuple(rows),
        note=" ".join([note, *late]),
    )


def _distances(facts: Facts, bound: ConvergenceBound | Absent) -> Table:
    """The curve of the figure, and the bound at the same times."""
    worst: dict[int, float] = {}
    for one in facts.convergence:
        if isinstance(one.mixing_time, MixingTime):
            times = one.mixing_time
            worst |= dict(zip(times.times.tolist(), times.distances.tolist(), strict=True))
    chosen = sorted(worst)
    if len(chosen) > MOST_LINES:
        places = np.unique(np.linspace(0, len(chosen) - 1, MOST_LINES).round().astype(int))
        chosen = [chosen[i] for i in places]
    limits = {t: () if isinstance(bound, Absent) else (decimal(bound.at(t)),) for t in chosen}
    return Table(
        caption="Distance from the worst start, at the times worked out",
        heads=("tokens", "distance", *(() if isinstance(bound, Absent) else ("its bound",))),
        rows=tuple((f"{t:,}", decimal(worst[t]), *limits[t]) for t in chosen),
    )


def spectrum(facts: Facts) -> Section:
    """The eigenvalues, and how far each can be trusted."""
    found = facts.spectrum
    if isinstance(found, Absent):
        return _absent(found)
    values, unsure = found.eigenvalues, found.uncertain
    second = (
        ""
        if len(values) < 2
        else f" The second is {number(float(abs(values[1])))} away from the centre."
    )
    hollow = " Hollow ones cannot be told from zero." if unsure.any() else ""
    rows = [
        (
            f"{i + 1}",
            _complex(values[i]) + (", or 0" if unsure[i] else ""),
            number(float(abs(values[i]))),
            _finite(found.condition[i], "infinite", 3),
            _finite(found.radius[i], "none", 2),
        )
        for i in range(min(len(values), MOST_LINES))
    ]
    zeros = f" Besides them 0, exactly, {count(found.n_zero, 'time')}." if found.n_zero else ""
    table = Table(
        caption="Eigenvalues by decreasing modulus" + _first(len(values)),
        heads=("rank", "eigenvalue", "modulus", "condition", "radius"),
        rows=tuple(rows),
        note=(
            f"A change of the rows by δ moves an eigenvalue by about condition × δ. A true "
            f"eigenvalue lies within the radius, proven.{zeros}"
        ),
    )
    caption = f"The eigenvalues in the unit circle.{second}{hollow}"
    return {"absent": "", "caption": caption, "under": [], "tables": [table]}


def _complex(value: complex) -> str:
    """A complex number with a minus sign where it has one.

    >>> _complex(0.25 - 0.5j), _complex(complex(-1, 0))
    ('0.25 − 0.5i', '−1')
    """
    real = f"{value.real:.4g}".replace("-", "−", int(value.real < 0))
    if value.imag == 0:
        return real
    sign = "−" if value.imag < 0 else "+"
    return f"{real} {sign} {abs(value.imag):.4g}i"


def _finite(value: float, otherwise: str, digits: int) -> str:
    return number(float(value), digits) if np.isfinite(value) else otherwise


def passage(facts: Facts) -> Section:
    """Mean times from each state to each."""
    found = facts.mean_first_passage
    if isinstance(found, Absent):
        return _absent(found)
    labels = facts.chain.labels()
    rows = []
    for i, label in enumerate(labels):
        cells = [number(value) for value in found.mean_steps[i]]
        cells[i] = f"({number(found.recurrence[i])})"
        rows.append((label, *cells))
    table = Table(
        caption="Mean steps from the state of the row until that of the column is first reached",
        heads=("from", *(f"to {label}" for label in labels)),
        rows=tuple(rows),
        words=(0,),
        note="In brackets: the mean time until a state is visited again, 1/π.",
    )
    return {"absent": "", "caption": "", "under": [], "tables": [table]}


def _first(n: int) -> str:
    return f", the first {MOST_LINES} of {n:,}" if n > MOST_LINES else ""
