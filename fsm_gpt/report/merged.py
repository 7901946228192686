"""The page about a machine of merged states: a minimal machine, one at a price, or a lumped chain.

What each state stands for, what is kept and what is lost, and the machine as an automaton.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fsm_gpt.decoding import in_words
from fsm_gpt.markov.causal import CausalStates
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph
from fsm_gpt.report.headline import first_upper, what_it_is
from fsm_gpt.report.kept import kept_and_lost
from fsm_gpt.report.machine import names_in_words
from fsm_gpt.report.merged_facts import Merged, merged_facts
from fsm_gpt.report.merged_memory import memory_of_both, other_machines
from fsm_gpt.report.merged_states import what_states_stand_for, where_it_is_paid
from fsm_gpt.report.paper import (
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
from fsm_gpt.report.words import count, number, printable

__all__ = ["MergedReport", "merged"]

#: States of the machine in a table, contexts that are named for one, and contexts of the price.
MOST_ROWS, MOST_NAMED, MOST_CONTEXTS = 50, 6, 16
#: States of the machine in the file of the page.
MOST_FILED = 2048
#: Signs of a name in a table.
SIGNS = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class MergedReport(Gathered):
    """What is known of a machine of merged states, and the page about it."""

    facts: Merged
    provenance: dict[str, str] = field(default_factory=dict)
    kind = "machine"

    def numbers(self, *, most: int | None = None) -> dict[str, Any]:
        """All of it, ready for JSON."""
        chain = self.facts.chain
        return {
            "merged": "lumping" if isinstance(self.facts.found, Lumping) else "minimal machine",
            **self.facts.to_dict(most=most),
            "notes": list(chain.notes),
            "provenance": {**chain.provenance, **self.provenance},
        }

    def paper(self, title: str | None) -> Paper:
        """What the page says."""
        facts = self.facts
        lumped = isinstance(facts.found, Lumping)
        rule = facts.original.decoding
        parts: list[Part | None] = [
            kept_and_lost(facts),
            _drawn(facts),
            what_states_stand_for(facts),
        ]
        if not lumped:
            parts += [memory_of_both(facts), other_machines(facts), where_it_is_paid(facts)]
        return Paper(
            eyebrow=("Lumping report" if lumped else "Machine report")
            + (f" · decoding {in_words(rule)}" if rule else ""),
            title=printable(title or _title(facts)),
            lead=_lead(facts),
            cards=_cards(facts),
            parts=tuple(part for part in parts if part is not None),
            methods=table_of_answers(facts.answers()),
            provenance=(
                ("chain", printable(what_it_is(facts.original))),
                *origins(facts.original, self.provenance),
            ),
            notes=tuple(printable(note) for note in facts.chain.notes),
            files=(json_file(self, most=4096), _file(facts)),
        )


def merged(
    found: MinimalMachine | Lumping, provenance: dict[str, str] | None = None
) -> MergedReport:
    """Gather what is said of a machine of merged states."""
    return MergedReport(facts=merged_facts(found), provenance=dict(provenance or {}))


# ---- the top ----


def _title(facts: Merged) -> str:
    n, N = facts.chain.n_states, facts.original.n_states
    if isinstance(facts.found, Lumping):
        return f"A lumped chain: {count(n, 'block')} for {count(N, 'state')}"
    what = "The minimal machine" if facts.found.is_exact else "A machine at a price"
    return f"{what}: {count(n, 'state')} for {N:,}"


def _lead(facts: Merged) -> tuple[tuple[bool, str], ...]:
    found, n, N = facts.found, facts.chain.n_states, facts.original.n_states
    if isinstance(found, Lumping):
        parts = count(int(found.given.max()) + 1, "block")
        if found.lumpable:
            return (
                (False, f"The {N:,} states, seen through {parts}, are "),
                (True, f"a Markov chain of {count(n, 'state')}"),
                (False, " again, from whatever state it starts."),
            )
        return (
            (False, f"The {N:,} states, seen through the {parts} that were given, are no Markov "),
            (False, "chain. The coarsest finer parting that makes them one has "),
            (True, count(n, "block")),
            (False, "."),
        )
    if found.is_exact:
        states = count(n, "state writes", "states write")
        return (
            (True, states),
            (False, f" exactly the same texts as the {N:,} of the chain, "),
            (False, "and no machine of fewer states does."),
        )
    return (
        (True, count(n, "state")),
        (False, f" for {N:,}: predicting the chain by this machine costs "),
        (True, f"{number(found.kl_bits_per_token)} bits per token"),
        (False, f". The smallest machine that costs nothing has {found.exact_states:,} states."),
    )


def _cards(facts: Merged) -> tuple[Card, ...]:
    found, n, N = facts.found, facts.chain.n_states, facts.original.n_states
    cards = [
        Card(
            name="Blocks" if isinstance(found, Lumping) else "States",
            value=f"{n:,}",
            unit=f"of {N:,}",
            sub=f"{count(facts.chain.n_edges, 'transition')} in place of "
            f"{facts.original.n_edges:,}",
        )
    ]
    if isinstance(found, Lumping):
        cards.append(
            Card(
                name="Lumpable",
                value="yes" if found.lumpable else "no",
                words=True,
                sub="The parting that was given",
            )
        )
        return (*cards, *_rates(facts))
    price = "0" if found.is_exact else number(found.kl_bits_per_token)
    cards.append(
        Card(
            name="Price",
            value=price,
            unit="bits/token",
            sub="It writes the same texts" if found.is_exact else first_upper(found.error_sentence),
        )
    )
    causal = facts.causal[1]
    if isinstance(causal, CausalStates):
        cards += [
            Card(
                name="Statistical complexity C",
                value=number(causal.statistical_complexity_bits),
                unit="bits",
                sub="What has to be remembered",
            ),
            Card(
                name="Excess entropy E",
                value=number(causal.excess_entropy_bits),
                unit="bits",
                sub=f"What the past tells of the future. C − E = {number(causal.crypticity_bits)}",
            ),
        ]
    return (*cards, *_rates(facts))


def _rates(facts: Merged) -> tuple[Card, ...]:
    rate = facts.rates[1]
    if isinstance(rate, Absent) or facts.chain.kind == "symbolic":
        return ()
    return (
        Card(
            name="Entropy rate h",
            value=number(float(rate.bits_per_token)),
            unit="bits/step" if isinstance(facts.found, Lumping) else "bits/token",
            sub=f"Of the machine. {first_upper(rate.error_sentence)}",
        ),
    )


def _drawn(facts: Merged) -> Part:
    n = facts.chain.n_states
    name, nav, title = "machine", "Machine", "The machine as an automaton"
    if n > GRAPH_LIMIT:
        said = (
            f"{n:,} states are too many for a graph that can be read: a picture stops at "
            f"{GRAPH_LIMIT}. The table of states has the heaviest, and states.csv more."
        )
        return Part(name=name, nav=nav, title=title, absent=said)
    caption = "Each arrow says token(probability) and is as wide as it is probable. A disc is the "
    caption += "larger and bluer, the more time is spent there."
    if isinstance(facts.found, MinimalMachine):
        caption += printable(names_in_words(facts.found))
    return Part(
        name=name,
        nav=nav,
        title=title,
        figures=(Figure(name="machine", draw=lambda: state_graph(facts.chain), caption=caption),),
    )


# ---- the end ----


def _file(facts: Merged) -> Any:
    """Which state of the machine each state of the chain is in."""
    found, original = facts.found, facts.original
    N = original.n_states
    chosen = range(min(N, MOST_FILED))
    which = f"; the first {MOST_FILED:,} of {N:,}" if N > MOST_FILED else ""
    rows = (
        [
            s,
            printable(original.label(s)),
            int(found.block[s]),
            printable(facts.chain.label(int(found.block[s]))),
        ]
        for s in chosen
    )
    heads = ("id", "label", "machine_state", "machine_label")
    words = f"Each state of the chain, and the state of the machine that stands for it{which}"
    return csv_file("states.csv", words, heads, rows)
