"""What a model was trained on: the text, its windows, and what it never showed."""

from __future__ import annotations

from typing import Any

from fsm_gpt.chain import Chain
from fsm_gpt.counts import ContextCoverage
from fsm_gpt.errors import InvalidText
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.graph import GRAPH_LIMIT
from fsm_gpt.report.headline import first_upper
from fsm_gpt.report.long_run import loss_table
from fsm_gpt.report.words import MOST_COLUMNS, count, row_cells

__all__ = ["training"]

MOST_TEXT = 600
#: So many windows of the text and contexts that it lacks are listed.
MOST_LISTED = 24

Section = dict[str, Any]


def training(facts: Facts) -> Section | None:
    """The text, its windows, and what it never showed."""
    chain, data = facts.chain, facts.data
    if facts.text is None and data is None and not facts.losses:
        return None
    section: Section = {
        "runs": [],
        "cut": 0,
        "columns": [],
        "windows": [],
        "more_windows": 0,
        "coverage": [],
        "no_coverage": "",
        "chips": [],
        "more_chips": 0,
        "loss_figure": "",
        "frames": [],
        "losses": None,
    }
    said = []
    if facts.text is not None:
        section["runs"], n, section["cut"] = _runs(facts.text, chain)
        said.append(f"{count(n, 'token')} over a vocabulary of {chain.n_tokens:,}")
    if data is not None:
        said.append(f"{count(data.n_states, 'distinct window')} of {data.context} that go on")
        many = data.n_tokens > MOST_COLUMNS
        section["columns"] = [] if many else list(range(data.n_tokens))
        section["windows"] = [
            {"label": data.states.label(s), "cells": row_cells(data, s, many=many)}
            for s in range(min(data.n_states, MOST_LISTED))
        ]
        section["more_windows"] = max(0, data.n_states - MOST_LISTED)
    if facts.losses:
        section["losses"] = loss_table(facts.losses)
        said.append(
            f"{count(len(facts.losses), 'step')} of training, the loss from "
            f"{facts.losses[0]:.4f} to {facts.losses[-1]:.4f} nats"
        )
    section["sentence"] = first_upper("; ".join(said)) + "." if said else ""
    if isinstance(facts.coverage, ContextCoverage):
        section |= _coverage(facts.coverage, chain)
    elif isinstance(facts.coverage, Absent):
        section["no_coverage"] = str(facts.coverage)
    return section


def _runs(text: str, chain: Chain) -> tuple[list[tuple[int, str]], int, int]:
    """The text as stretches of one token, its length, and how many tokens are not shown."""
    try:
        ids = chain.vocabulary.encode(text).tolist()
    except InvalidText:
        return [], len(text), 0
    separator = " " if chain.vocabulary.separator else ""
    runs: list[tuple[int, str]] = []
    for t in ids[:MOST_TEXT]:
        words = chain.vocabulary.shown[t] + separator
        if runs and runs[-1][0] == t:
            runs[-1] = (t, runs[-1][1] + words)
        else:
            runs.append((t, words))
    return runs, len(ids), max(0, len(ids) - MOST_TEXT)


def _coverage(coverage: ContextCoverage, chain: Chain) -> Section:
    rows = [
        {
            "length": k,
            "possible": f"{possible:,}",
            "seen": f"{seen:,}",
            "share": f"{possible - seen:,} ({share:.0%})",
        }
        for k, (seen, possible, share) in enumerate(
            zip(coverage.seen, coverage.possible, coverage.unseen_share, strict=True), start=1
        )
    ]
    unseen = set(coverage.unseen)
    if chain.is_window and chain.n_states <= GRAPH_LIMIT:
        chips = [{"label": name, "seen": name not in unseen} for name in chain.labels()]
        return {"coverage": rows, "chips": chips, "more_chips": 0}
    chips = [{"label": name, "seen": False} for name in coverage.unseen[:MOST_LISTED]]
    more = coverage.possible[-1] - coverage.seen[-1] - len(chips)
    return {"coverage": rows, "chips": chips, "more_chips": more}
