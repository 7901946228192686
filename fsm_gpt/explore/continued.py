"""An earlier exploration as what is known already, and whether it is of the same model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fsm_gpt.decoding import Rule, in_words
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.explore.rows import Asker, Block, Known
from fsm_gpt.explore.windows import Windows
from fsm_gpt.space import SomeContexts, Vocabulary

__all__ = ["check_same_model", "known_rows"]

#: So many known rows are asked of the model again.
TRIED = 256
#: By how much their probabilities may differ: by rounding in float32 on another machine.
ROUNDING = 1e-5


def known_rows(
    resume: Exploration, windows: Windows, vocabulary: Vocabulary, rules: tuple[Rule, ...]
) -> Known:
    """The rows of an exploration, where it has the same tokens, context and decoding rules."""
    chain = resume.chain
    states = chain.states
    assert isinstance(states, SomeContexts)
    if states.vocabulary != vocabulary or states.table.shape[1] != windows.length:
        raise InvalidArgument(
            f"explore: what is to be resumed has {len(states.vocabulary):,} tokens and a context "
            f"of {states.table.shape[1]:,}, and the model {windows.n_tokens:,} and "
            f"{windows.length:,}, or other names for them. Resume with the model that it is of."
        )
    if rules != chain.decoding:
        raise InvalidArgument(
            f"explore: what is to be resumed was explored with decoding {in_words(chain.decoding)},"
            f" and {in_words(rules)} is asked for. Its rows are of no use there; leave decoding "
            f"out, or begin anew."
        )
    n = resume.n_explored
    edges = chain.raw_edges()
    mine = slice(0, int(np.searchsorted(edges.source, n)))
    known = Known()
    known.index.add(windows.keys(states.table[:n].astype(np.int32)), np.arange(n))
    known.rows.append(
        Block(
            np.bincount(edges.source[mine], minlength=n),
            edges.token[mine].astype(np.int32),
            edges.probability[mine],
            resume._facts,
        )
    )
    return known


def check_same_model(resume: Exploration, ask: Asker, provenance: Mapping[str, str]) -> None:
    """Refuse an exploration of another model: by the hash of its file, and by asking again."""
    own = resume.chain.provenance
    before, now = own.get("sha256"), provenance.get("sha256")
    if before is not None and now is not None and before != now:
        raise InvalidArgument(
            f"explore: what is to be resumed is of another model: of a file with SHA-256 "
            f"{before[:16]}..., and this one has {now[:16]}.... Resume with the model that it is "
            f"of, or begin anew."
        )
    n = resume.n_explored
    states = resume.chain.states
    assert isinstance(states, SomeContexts)
    some = np.unique(np.linspace(0, n - 1, min(n, TRIED)).astype(np.int64))
    table = states.table[some].astype(np.int32)
    order = np.argsort(ask.windows.sizes(table), kind="stable")
    table = table[order]
    for part in ask.batches(table):
        again, held = ask.ask(table[part]), ask.known.rows.take(some[order][part])
        same = np.array_equal(again.counts, held.counts) and np.array_equal(again.token, held.token)
        if not same or np.abs(again.probability - held.probability).max() > ROUNDING:
            raise InvalidArgument(
                f"explore: what is to be resumed is of another model: asked again, this one gives "
                f"other probabilities after some of {len(some):,} windows. Resume with the model "
                f"that it is of, or begin anew."
            )
