"""The sections on what of the context is used, and on the smallest machines."""

from __future__ import annotations

import math

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.causal import CausalStates
from fsm_gpt.markov.context_use import ContextUse
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.remembered import CHEAP, SMALL
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import Section, left_out, part_of, told
from fsm_gpt.report.words import count, decimal, next_tokens, number
from fsm_gpt.storage import Edges

__all__ = [
    "context_section",
    "drawn",
    "leads",
    "machine_section",
    "names_in_words",
    "order_in_words",
    "prices",
]

#: Words before which the oldest token matters, and machines of the table of prices.
MOST_WORDS, MOST_MACHINES = 8, 12
#: A machine that loses as large a part of h_0 - h as this is not drawn.
DRAWN = 0.5
#: Less than this many bits is what rounding leaves of nothing.
NOTHING = 1e-9


def context_section(facts: Facts) -> Section | None:
    """What each position of the context tells; None where there are no positions to tell apart."""
    chain, found = facts.chain, facts.remembered.context_use
    name, title = "context-use", "What of the context is used"
    if not chain.is_window or chain.kind == "symbolic" or (chain.context or 0) < 2:
        return None
    if chain.n_tokens < 2:
        return None
    if isinstance(found, Absent):
        return left_out(name, title, found)
    h = found.memory_bits
    L, told_bits = len(h) - 1, float(h[0] - h[-1])
    if told_bits < NOTHING:
        return told(name, title, ("No token of the context tells anything of the next one.",))
    k = found.effective_order
    first = (
        f"What all {L} tokens of the context tell of the next one is h₀ − h = "
        f"{number(told_bits)} bits. "
    )
    if k < L:
        part = part_of(float(h[0] - h[k]) / told_bits)
        first += f"The newest {k} tell {part} of it." if k > 1 else f"The newest tells {part}."
    else:
        first += f"It takes all {L} to tell 99% of it."
    by_position = Table(
        caption="What the token so many places back tells of the next, in bits",
        heads=("places", "alone", "after newer ones", "beside all others"),
        rows=tuple(
            (
                f"{i + 1}",
                decimal(found.alone_bits[i]),
                decimal(found.after_newer_bits[i]),
                decimal(found.beside_others_bits[i]),
            )
            for i in range(L)
        ),
        note=(
            "The middle column adds up to h₀ − h. The last is what no other token of the context "
            "tells."
        ),
    )
    return told(name, title, (first,), tables=(by_position, *_oldest(found)))


def _oldest(found: ContextUse) -> tuple[Table, ...]:
    total = float(found.after_newer_bits[-1])
    words = [(word, part) for word, part in found.oldest_matters if part > total * NOTHING]
    if total < NOTHING or not words:
        return ()
    return (
        Table(
            caption="Words before which the oldest token matters most",
            heads=("after it comes", "bits per token", "share"),
            rows=tuple(
                (word, decimal(part), part_of(part / total)) for word, part in words[:MOST_WORDS]
            ),
            words=(0,),
            note=(
                f"The oldest token tells {number(total)} bits after the newer ones, a sum over "
                f"the words that follow it."
            ),
        ),
    )


def machine_section(facts: Facts) -> Section | None:
    """The smallest machines, exact and with a price; None where the chain has one state."""
    chain, found = facts.chain, facts.remembered
    name, title = "machine", "The machine"
    if chain.n_states == 1 or chain.kind == "symbolic":
        return None
    minimal, curve, small = found.minimal, found.pareto, found.small
    if isinstance(minimal, Absent):
        return left_out(name, title, minimal)
    sentences = [_exactly(minimal)]
    tables = [_sizes(minimal, found.causal)]
    wide = []
    if isinstance(curve, Absent):
        sentences.append(f"Smaller machines, at a price. {curve}")
    elif isinstance(small, MinimalMachine) and len(curve.machines) > 1:
        sentences.append(_nearly(small, curve))
        tables.append(prices(curve, small.n_states))
        if drawn(facts) is not None:
            wide.append(_rows(small))
    section = told(name, title, sentences, tables=tables, wide=wide)
    if drawn(facts) is not None:
        section["caption"] = _caption(small, curve)  # type: ignore[arg-type]
    return section


def drawn(facts: Facts) -> MinimalMachine | None:
    """The small machine, where it is one to look at.

    It has fewer states than the chain, more than one, and keeps most of what memory is worth.
    """
    small, curve = facts.remembered.small, facts.remembered.pareto
    if not isinstance(small, MinimalMachine) or isinstance(curve, Absent):
        return None
    worse = float(small.kl_bits_per_token) >= DRAWN * curve.machines[0].kl_bits
    return small if 1 < small.n_states < facts.chain.n_states and not worse else None


def _exactly(minimal: MinimalMachine) -> str:
    N, n = minimal.original.n_states, minimal.n_states
    if n == N:
        return f"All {N:,} states can be told apart by their texts: no smaller machine writes them."
    states = count(n, "state writes", "states write")
    return f"{states} exactly the same texts as the {N:,} of the chain."


def _nearly(small: MinimalMachine, curve: ParetoCurve) -> str:
    """What the small machine costs."""
    dearest = curve.machines[0].kl_bits
    if small.is_exact:
        return ""
    kl = float(small.kl_bits_per_token)
    what, part = count(small.n_states, "state"), part_of(kl / dearest)
    worth = "h₀ − h, all that memory is worth"
    if kl < CHEAP * dearest:
        lose = "does nearly as well, and loses"
        if small.n_states > 1:
            lose = "do nearly as well, and lose"
        return f"{what} {lose} {number(kl)} bits per token, {part} of {worth}."
    return (
        f"No machine of at most {SMALL} states was found that loses less than {part_of(CHEAP)} of "
        f"{worth}; the best, of {what}, loses {number(kl)} bits per token, {part}."
    )


def _sizes(minimal: MinimalMachine, causal: CausalStates | Absent) -> Table:
    rows = [("States of the exact minimal machine", f"{minimal.n_states:,}")]
    if minimal.tree_contexts is not None:
        rows.append(("Contexts of the smallest tree of suffixes", f"{minimal.tree_contexts:,}"))
    note = ""
    if isinstance(causal, Absent):
        note = f"Causal states. {causal}"
    else:
        rows += [
            ("Causal states", f"{causal.n_states:,}"),
            ("Statistical complexity C, bits", number(causal.statistical_complexity_bits)),
            ("Excess entropy E, bits", number(causal.excess_entropy_bits)),
            ("Entropy rate h, bits per token", number(causal.entropy_rate_bits_per_token)),
            ("Markov order, tokens", order_in_words(causal.markov_order)),
        ]
        note = (
            "C is what has to be remembered to foretell as well as can be, E what the past tells "
            "of the future: at most C."
        )
    return Table(
        caption="How much there is to remember",
        heads=("quantity", "value"),
        rows=tuple(rows),
        words=(0,),
        note=note,
    )


def order_in_words(tokens: float | None) -> str:
    """The Markov order of a machine.

    >>> order_in_words(None), order_in_words(math.inf), order_in_words(3.0)
    ('not decided', 'infinite', '3')
    """
    if tokens is None:
        return "not decided"
    return "infinite" if math.isinf(tokens) else f"{tokens:g}"


def prices(curve: ParetoCurve, marked: int | None = None) -> Table:
    """States against price, thinned out evenly on a scale of powers."""
    machines, dearest = curve.machines, curve.machines[0].kl_bits
    shown = set(range(len(machines)))
    chosen = {i for i, one in enumerate(machines) if one.n_states == marked}
    if len(machines) > MOST_MACHINES:
        sizes = curve.n_states
        wanted = np.geomspace(1, sizes[-1] + 0.5, MOST_MACHINES - 2)
        shown = set((np.searchsorted(sizes, wanted, side="right") - 1).tolist())
        shown |= {0, len(machines) - 1} | chosen
    rows = []
    for i in sorted(shown):
        one = machines[i]
        price = decimal(one.kl_bits), part_of(one.kl_bits / dearest)
        rows.append((f"{one.n_states:,}", *price, one.found_by))
    return Table(
        caption="States against price" + _thinned(len(rows), len(machines)),
        heads=("states", "KL, bits per token", "of h₀ − h", "found by"),
        rows=tuple(rows),
        words=(3,),
        note=(
            "The price is the KL rate of the chain against the machine. The search is greedy: "
            "better ones may exist."
        ),
    )


def _thinned(shown: int, n: int) -> str:
    return f", {shown} of {n:,} machines" if shown < n else ""


def _rows(small: MinimalMachine) -> Table:
    """The machine that is drawn, as numbers."""
    chain = small.chain
    edges = chain.edges()
    lines = []
    for s in range(chain.n_states):
        members = f"{len(small.members(s)):,}"
        lines.append((chain.label(s), members, next_tokens(chain, s), leads(chain, s, edges)))
    return Table(
        caption="The machine that is drawn: its states, how many of the chain’s each stands for, "
        "and where the most probable tokens lead",
        heads=("state", "stands for", "next token", "leads to"),
        rows=tuple(lines),
        words=(0, 2, 3),
    )


def leads(chain: Chain, state: int, edges: Edges) -> str:
    """Where the most probable tokens of a state lead.

    >>> walk = Chain([[0.25, 0.75], [1, 0]], vocabulary="ab")
    >>> leads(walk, 0, walk.edges())
    'b → b, a → a'
    """
    here = np.flatnonzero(edges.source == state)
    best = here[np.argsort(-edges.probability[here].astype(float), kind="stable")][:3]
    where = [
        f"{chain.vocabulary.shown[int(edges.token[i])]} → {chain.label(int(edges.target[i]))}"
        for i in best
    ]
    return ", ".join(where) + (", …" if len(here) > len(best) else "")


def names_in_words(small: MinimalMachine) -> str:
    """How to read the names that need it."""
    names = small.chain.labels()
    said = []
    if any(name.startswith("…") for name in names):
        said.append("A name that begins with … stands for all states that end so")
    if any(" +" in name for name in names):
        said.append("+3 is for three more states")
    return f" {'; '.join(said)}." if said else ""


def _caption(small: MinimalMachine, curve: ParetoCurve) -> str:
    N, n = small.original.n_states, small.n_states
    if small.is_exact:
        return f"{n} states that write exactly the texts of all {N:,}."
    kl, dearest = float(small.kl_bits_per_token), curve.machines[0].kl_bits
    bound = small.total_variation_bound(10)
    far = f" The laws of 10 tokens differ by at most {number(bound, 2)}." if bound < 0.5 else ""
    return (
        f"{n} states in place of {N:,}: predicting the chain by them costs {number(kl)} bits per "
        f"token, {part_of(kl / dearest)} of h₀ − h = {number(dearest)}.{far}{names_in_words(small)}"
    )
