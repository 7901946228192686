"""What each section of the page says: plain values for the template, no markup.

Every label and every text of a user goes through ``printable`` or the vocabulary's own
``shown``; the template escapes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.decoding import in_words
from fsm_gpt.markov.row_entropy import row_entropies
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.comparison import comparison
from fsm_gpt.report.ending import ending
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.graph import GRAPH_LIMIT
from fsm_gpt.report.headline import cards, first_upper, lead, passages, what_it_is
from fsm_gpt.report.long_run import memory, mixing, passage, spectrum
from fsm_gpt.report.machine import context_section, machine_section
from fsm_gpt.report.moving import sensitivity_section, slow_section
from fsm_gpt.report.state_bits import state_bits
from fsm_gpt.report.training import training
from fsm_gpt.report.words import (
    MOST_COLUMNS,
    decimal,
    listed,
    number,
    printable,
    row_cells,
)

__all__ = ["sections", "shown_states"]

#: A table lists every state of a small chain, and this many of a large one; the listing, whose
#: numbers stand in the next table too, fewer.
MOST_ROWS, MOST_LISTED = 50, 12

Section = dict[str, Any]


def shown_states(facts: Facts, most: int = MOST_ROWS) -> list[int]:
    """The states that tables list: all, or the heaviest, or those of closed classes first."""
    n = facts.chain.n_states
    if n <= GRAPH_LIMIT:
        return list(range(n))
    if facts.pi is None:
        transient = facts.classes.transient
        recurrent = np.setdiff1d(np.arange(n), transient, assume_unique=True)
        return [int(s) for s in np.concatenate([recurrent, transient])[:most]]
    return [int(s) for s in heaviest(facts.pi, most)]


def _caption(facts: Facts, what: str, most: int = MOST_ROWS) -> str:
    n = facts.chain.n_states
    if n <= GRAPH_LIMIT:
        return what
    if facts.pi is None:
        return f"{what}: {min(n, most)} states, those of closed classes first, of {n:,}"
    return f"{what}: the {min(n, most)} states of greatest mass, of {n:,}"


def listing(facts: Facts) -> Section:
    """The article's listing, before and after."""
    chain, before = facts.chain, facts.before
    rows = []
    comparable = before is not None and before.n_states == chain.n_states
    for s in shown_states(facts, MOST_LISTED):
        name, _, after = chain.listing(states=[s]).rpartition(" ---> ")
        row = {"input": name.removeprefix("input "), "after": after, "before": ""}
        if before is not None and comparable:
            row["before"] = before.listing(states=[s]).rpartition(" ---> ")[2]
        rows.append(row)
    tokens = ", ".join(chain.vocabulary.shown[:MOST_COLUMNS])
    what = f"input [context] ---> [probability of {tokens}]"
    if chain.n_tokens > 8:
        what = "input [context] ---> the five most probable next tokens"
    return {"rows": rows, "before": comparable, "caption": _caption(facts, what, MOST_LISTED)}


def stationary(facts: Facts) -> Section:
    """State by state: mass, next token, row entropy."""
    chain, answer = facts.chain, facts.stationary
    if isinstance(answer, Absent):
        return {"sentence": str(answer), "rows": [], "several": False, "columns": []}
    several = len(answer.classes) > 1
    symbolic = chain.kind == "symbolic"
    heaviest = 1.0 if symbolic else max(float(np.max(p)) for _, p in answer.classes)
    many = chain.n_tokens > MOST_COLUMNS
    listed_states = shown_states(facts)
    mass: dict[int, Any] = {}
    member: dict[int, int] = {}
    for c, (states, probabilities) in enumerate(answer.classes):
        for i in np.flatnonzero(np.isin(states, listed_states)).tolist():
            mass[int(states[i])], member[int(states[i])] = probabilities[i], c + 1
    raw = chain.next_token[listed_states]
    entropies = row_entropies(raw / raw.sum(axis=1, keepdims=True))
    rows = [
        {
            "id": s,
            "label": chain.states.label(s),
            "in_class": member.get(s, "transient"),
            "pi": decimal(mass.get(s, 0), 5),
            "share": None if symbolic else float(mass.get(s, 0)) / heaviest,
            "cells": row_cells(chain, s, many=many),
            "entropy": decimal(entropies[i]),
        }
        for i, s in enumerate(listed_states)
    ]
    if several:
        sentence = (
            f"The chain has {len(answer.classes):,} closed classes, and each has its own "
            f"stationary distribution: π is the share of time within the class, once there."
        )
    else:
        sentence = (
            "π is the share of time spent in each state in the long run, from any start: the "
            f"stationary distribution ({answer.error_sentence})."
        )
    return {
        "sentence": sentence,
        "several": several,
        "columns": [] if many else list(range(chain.n_tokens)),
        "rows": rows,
        "caption": _caption(facts, "Stationary probability, next token and its uncertainty"),
    }


def rules(facts: Facts) -> Section:
    """Structure under each decoding rule."""
    rows = []
    for rule in facts.rules:
        classes = rule.classes
        closed = list(rule.in_words[:4])
        if len(classes.closed) > 4:
            closed.append(f"and {len(classes.closed) - 4:,} more")
        periods = sorted(set(classes.periods))
        rate = rule.entropy_rate
        rows.append(
            {
                "name": rule.name,
                "closed": closed,
                "periods": listed([str(p) for p in periods], 4),
                "absorbing": listed(rule.chain.labels(classes.absorbing[:12]), 4) or "none",
                "transient": f"{len(classes.transient):,}",
                "entropy": "—" if isinstance(rate, Absent) else decimal(rate.bits_per_token),
            }
        )
    on_top = f", applied after {in_words(facts.chain.decoding)}" if facts.chain.decoding else ""
    full = facts.chain.n_edges == facts.chain.n_states * facts.chain.n_tokens
    sentence = (
        "No probability of the model is exactly zero, so what cannot happen is decided by the "
        if full
        else "What cannot happen is decided by probabilities that are exactly zero, and by the "
    ) + (
        f"decoding rule{on_top}. A closed class is never left; a cycle is written in the order of "
        f"its states."
    )
    if not rows:
        sentence = "The rows hold symbols; decoding rules compare numbers. " + first_upper(
            "; ".join(facts.closed_in_words) + "."
        )
    return {"rows": rows, "sentence": sentence}


def absorption(facts: Facts) -> Section | None:
    """How long the transient states last and where they end."""
    answer = facts.absorption
    if isinstance(answer, Absent) or not len(answer.transient):
        return None
    chosen = range(min(len(answer.transient), MOST_ROWS))
    several = 1 < len(answer.classes) <= MOST_COLUMNS
    labels = facts.chain.labels(answer.transient)
    return {
        "columns": list(facts.closed_in_words[: len(answer.classes)]) if several else [],
        "caption": f"Transient states: {len(labels):,} ({answer.error_sentence})",
        "rows": [
            {
                "label": labels[i],
                "steps": number(answer.mean_steps[i]),
                "cells": [decimal(p) for p in answer.probabilities[i]] if several else [],
            }
            for i in chosen
        ],
    }


def beside(facts: Facts) -> list[Section]:
    """What is known of something larger that the chain is a part of."""
    return [
        {
            "name": printable(one.name),
            "heading": printable(one.heading),
            "sentences": [printable(sentence) for sentence in one.sentences],
            "tables": list(one.tables),
        }
        for one in facts.beside
    ]


def provenance(facts: Facts) -> list[tuple[str, str]]:
    """Where it all comes from."""
    here = facts.versions
    lines = [
        (printable(name), printable(value))
        for name, value in facts.provenance.items()
        if here.get(name) != value  # a version that differs from the ones here is worth a line
    ]
    lines.append(("chain", printable(what_it_is(facts.chain))))
    lines.append(("decoding", in_words(facts.chain.decoding)))
    lines.append(("versions", ", ".join(f"{name} {which}" for name, which in here.items())))
    return lines


def sections(facts: Facts, *, title: str | None) -> Section:
    """Everything that the page and the Markdown show but the figures."""
    return {
        "title": printable(title or first_upper(what_it_is(facts.chain))),
        "decoding": in_words(facts.chain.decoding) if facts.chain.decoding else "",
        "lead": lead(facts),
        "cards": cards(facts),
        "beside": beside(facts),
        "tokens": facts.chain.vocabulary.shown,
        "training": training(facts),
        "listing": listing(facts),
        "stationary": stationary(facts),
        "structure": rules(facts),
        "absorption": absorption(facts),
        "ending": ending(facts),
        "memory": memory(facts),
        "context_use": context_section(facts),
        "machine": machine_section(facts),
        "mixing": mixing(facts),
        "spectrum": spectrum(facts),
        "slow": slow_section(facts),
        "sensitivity": sensitivity_section(facts),
        "passage": passage(facts),
        "passages": passages(facts),
        "capacity": state_bits(facts),
        "comparison": comparison(facts),
        "methods": {
            "answers": facts.bounded(),
            "sentence": (
                "Zeros are exact: what can happen is decided by probabilities that are zero, never "
                "by a tolerance. Rows of float64 must sum to one within 1e-12, rows of float32 "
                "within 1e-5, and the chain meant is each row divided by its sum. A bound is "
                "proven for that chain, or the word uncertified stands there."
            ),
        },
        "provenance": provenance(facts),
        "notes": [printable(note) for note in facts.notes],
        "version": facts.versions.get("fsm_gpt", ""),
    }
