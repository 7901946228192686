"""Sections on what each state of a machine stands for, and where its price is paid."""

from __future__ import annotations

import numpy as np

from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.graph import GRAPH_LIMIT
from fsm_gpt.report.machine import leads
from fsm_gpt.report.merged_facts import Merged, mass_of_states
from fsm_gpt.report.paper import (
    Barred,
    Part,
)
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import decimal, next_tokens, number, printable

__all__ = ["what_states_stand_for", "where_it_is_paid"]

#: States of the machine in a table, contexts that are named for one, and contexts of the price.
MOST_ROWS, MOST_NAMED, MOST_CONTEXTS = 50, 6, 16
#: Signs of a name in a table.
SIGNS = 32


def _cut(name: str) -> str:
    return name if len(name) <= SIGNS else f"…{name[-SIGNS:]}"


def what_states_stand_for(facts: Merged) -> Part:
    """Each state of the machine with the contexts that it stands for."""
    found, chain, original = facts.found, facts.chain, facts.original
    mass = mass_of_states(facts)
    n = chain.n_states
    sizes = np.bincount(found.block, minlength=n)
    order = np.arange(n)
    if n > GRAPH_LIMIT:
        order = heaviest(sizes.astype(float) if mass is None else mass, min(n, MOST_ROWS))
    edges = chain.edges()
    rows, shares = [], []
    for s in order.tolist():
        members = np.flatnonzero(found.block == s)
        named = [printable(_cut(name)) for name in original.labels(members[:MOST_NAMED])]
        more = f" and {len(members) - MOST_NAMED:,} more" if len(members) > MOST_NAMED else ""
        share = "—" if mass is None else decimal(facts.stationary.pi[s], 5)  # type: ignore[union-attr]
        rows.append(
            (
                printable(chain.label(s)),
                f"{len(members):,}",
                ", ".join(named) + more,
                share,
                printable(next_tokens(chain, s)),
                printable(leads(chain, s, edges)),
            )
        )
        shares.append(
            sizes[s] / sizes.max() if mass is None else float(mass[s]) / float(mass.max())
        )
    blocks = isinstance(found, Lumping)
    cut = f", the {len(rows)} heaviest of {n:,}" if len(rows) < n else ""
    what = "block" if blocks else "state of the machine"
    said = (
        f"Each {what} stands for some of the {original.n_states:,} states of the chain, "
        f"{'seen as one' if blocks else 'after which the same texts follow'}."
    )
    if isinstance(found, MinimalMachine) and not found.is_exact:
        said = (
            f"Each {what} stands for some of the {original.n_states:,} states of the chain. What "
            f"follows after these is not quite the same; its row is their mean, weighted by time."
        )
    return Part(
        name="states",
        nav="States",
        title="What each state stands for",
        sentences=(said,),
        barred=(
            Barred(
                table=Table(
                    caption=("Blocks" if blocks else "States") + cut,
                    heads=("state", "stands for", "which are", "π", "next token", "leads to"),
                    rows=tuple(rows),
                    words=(0, 2, 4, 5),
                ),
                shares=tuple(float(share) for share in shares),
            ),
        ),
    )


def where_it_is_paid(facts: Merged) -> Part | None:
    """After which contexts the price is paid."""
    found, answer = facts.found, facts.comparison
    if isinstance(found, MinimalMachine) and found.is_exact:
        return None
    name, nav, title = "paid", "Where it is paid", "Where the price is paid"
    if not isinstance(answer, Comparison):
        return Part(name=name, nav=nav, title=title, absent=str(answer))
    share = np.asarray(answer.share_by_state, dtype=float)
    total = float(share.sum())
    order = [i for i in answer.worst(MOST_CONTEXTS).tolist() if share[i] > 0]
    if not order or not np.isfinite(total):
        return None
    rows = []
    for i in order:
        state = found.original.state(int(answer.ids[i]))
        block = int(found.block[state])
        rows.append(
            (
                printable(_cut(answer.label(i))),
                printable(facts.chain.label(block)),
                printable(next_tokens(found.original, state)),
                printable(next_tokens(facts.chain, block)),
                decimal(share[i]),
                part_of(float(share[i]) / total),
            )
        )
    n = int((share > 0).sum())
    more = f", the {len(rows)} dearest of {n:,}" if n > len(rows) else ""
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=(
            f"Of {number(total)} bits per token, each context pays its share of time times the "
            f"divergence of its row from that of the state that stands for it.",
        ),
        barred=(
            Barred(
                table=Table(
                    caption=f"Contexts by what they pay{more}",
                    heads=(
                        "context",
                        "stands in",
                        "its row",
                        "row of the machine",
                        "bits",
                        "share",
                    ),
                    rows=tuple(rows),
                    words=(0, 1, 2, 3),
                ),
                shares=tuple(float(share[i]) / float(share[order[0]]) for i in order),
                colour="token-1",
            ),
        ),
    )
