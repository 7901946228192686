"""The page about a machine of merged states: a minimal machine, one at a price, or a lumped chain.

What each state stands for, what is kept and what is lost, and the machine as an automaton.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.decoding import in_words
from fsm_gpt.markov.causal import CausalStates
from fsm_gpt.markov.compare import Comparison
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.graph import GRAPH_LIMIT, state_graph
from fsm_gpt.report.headline import first_upper, what_it_is
from fsm_gpt.report.kept import kept_and_lost
from fsm_gpt.report.machine import leads, names_in_words, order_in_words, prices
from fsm_gpt.report.merged_facts import Merged, mass_of_states, merged_facts
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
from fsm_gpt.report.pareto_plot import pareto_plot
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import count, decimal, next_tokens, number, printable
from fsm_gpt.result import UNCERTIFIED, Bound

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
        parts: list[Part | None] = [kept_and_lost(facts), _drawn(facts), _states(facts)]
        if not lumped:
            parts += [_remembered(facts), _curve(facts), _paid(facts)]
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


# ---- the sections ----


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


def _cut(name: str) -> str:
    return name if len(name) <= SIGNS else f"…{name[-SIGNS:]}"


def _states(facts: Merged) -> Part:
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


def _remembered(facts: Merged) -> Part:
    """C, h, E and crypticity of the chain and of the machine."""
    name, nav, title = "memory", "Memory", "How much there is to remember"
    both = facts.causal
    if all(isinstance(one, Absent) for one in both):
        return Part(name=name, nav=nav, title=title, absent=str(both[0]))
    lines: tuple[tuple[str, Any, Any], ...] = (
        ("Causal states", lambda a: f"{a.n_states:,}", None),
        (
            "Statistical complexity C, bits",
            lambda a: number(a.statistical_complexity_bits),
            lambda a: a.error_bound,
        ),
        (
            "Excess entropy E, bits",
            lambda a: number(a.excess_entropy_bits),
            lambda a: a.excess_entropy_error_bits,
        ),
        ("Crypticity C − E, bits", lambda a: number(a.crypticity_bits), _crypticity_error),
        (
            "Entropy rate h, bits per token",
            lambda a: number(a.entropy_rate_bits_per_token),
            lambda a: a.error_bound,
        ),
        ("Markov order, tokens", lambda a: order_in_words(a.markov_order), None),
    )
    rows = []
    for words, of, error in lines:
        cells = [
            "—" if isinstance(one, Absent) else f"{of(one)}{_unsure(one, error)}" for one in both
        ]
        rows.append((words, *cells, _at_most(both[1], error)))
    said = [
        "C is what has to be remembered to foretell as well as can be, E what the past tells of "
        "the future, at most C; their difference is remembered and never told."
    ]
    said += [str(one) for one in both if isinstance(one, Absent)]
    return Part(
        name=name,
        nav=nav,
        title=title,
        sentences=tuple(said),
        tables=(
            Table(
                caption="Memory of the chain and of the machine",
                heads=("quantity", "chain", "machine", "error at most, machine"),
                rows=tuple(rows),
                words=(0,),
            ),
        ),
    )


def _crypticity_error(found: CausalStates) -> Bound:
    """C − E is wrong by no more than both together."""
    if UNCERTIFIED in (found.error_bound, found.excess_entropy_error_bits):
        return UNCERTIFIED
    return float(found.error_bound) + float(found.excess_entropy_error_bits)


def _unsure(found: CausalStates, error: Any) -> str:
    return " uncertified" if error is not None and error(found) == UNCERTIFIED else ""


def _at_most(found: CausalStates | Absent, error: Any) -> str:
    if isinstance(found, Absent):
        return "—"
    if error is None:
        return "exact"
    bound = error(found)
    return str(bound) if bound == UNCERTIFIED else f"{bound:.1e}"


def _curve(facts: Merged) -> Part:
    name, nav, title = "pareto", "Pareto curve", "States against price"
    curve = facts.pareto
    if not isinstance(curve, ParetoCurve):
        return Part(name=name, nav=nav, title=title, absent=str(curve))
    if len(curve.machines) < 2 or curve.machines[0].kl_bits == 0:
        said = "One state writes exactly what the chain writes, so there is nothing to choose from."
        return Part(name=name, nav=nav, title=title, sentences=(said,))
    marked = facts.chain.n_states
    return Part(
        name=name,
        nav=nav,
        title=title,
        figures=(
            Figure(
                name="pareto",
                draw=lambda: pareto_plot(curve, marked),
                caption=f"The cheapest machine that was found for each number of states; the one "
                f"of this page, of {count(marked, 'state')}, is marked.",
            ),
        ),
        tables=(prices(curve, marked),),
    )


def _paid(facts: Merged) -> Part | None:
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
