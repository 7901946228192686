"""The sections on what moves the entropy rate, and on what lasts."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fsm_gpt.markov.condition import ConditionNumber
from fsm_gpt.markov.metastable import MetastableSets
from fsm_gpt.markov.mode import Mode
from fsm_gpt.markov.set_flux import SetMove
from fsm_gpt.markov.time_scales import TimeScales
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.remembered import FLOAT32, MOST_MOVERS
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import Section, left_out, part_of, told
from fsm_gpt.report.words import count, decimal, listed, next_tokens, number

__all__ = ["sensitivity_section", "slow_section"]

#: Rows of tables: slow time scales and cycles together, sets, and moves between them.
MOST_MODES, MOST_SETS, MOST_MOVES = 8, 12, 8
CYCLES = "A cycle goes round at least once before it fades; it keeps a text in no place."


def sensitivity_section(facts: Facts) -> Section | None:
    """The rows that move the entropy rate most; None where no row has anything to choose."""
    chain, found = facts.chain, facts.remembered.sensitivity
    name, title = "sensitivity", "What moves the entropy rate"
    if chain.kind == "symbolic" or chain.n_states == 1:
        return None
    if isinstance(found, Absent):
        return left_out(name, title, found)
    moved = found.by_state
    order = [s for s in np.argsort(-moved, kind="stable")[:MOST_MOVERS].tolist() if moved[s] > 0]
    if not order:
        return None
    total = float(moved.sum())
    off = number(found.error_bar(FLOAT32), 2)
    sentence = (
        f"The entropy rate is {number(found.value)} bits per token. Rows in float32, which keep "
        f"each probability to a relative 2⁻²⁴, put it off by {off} bits at most, to first order."
    )
    table = Table(
        caption=(
            f"The rows that move it most: bits per token for each nat of the row’s logits"
            f"{_of(len(order), chain.n_states)}"
        ),
        heads=("state", "π", "next token", "bits per nat", "share of all"),
        rows=tuple(
            (
                chain.label(s),
                "—" if facts.pi is None else decimal(facts.pi[s], 5),
                next_tokens(chain, s),
                decimal(moved[s]),
                part_of(float(moved[s]) / total),
            )
            for s in order
        ),
        words=(0, 2),
        note=(
            "A logit is the logarithm of a probability before a row is made to sum to one. A row "
            "moves the rate by itself and by where its tokens lead."
        ),
    )
    return told(name, title, [sentence, *_condition(facts.remembered.condition)], tables=(table,))


def _condition(found: ConditionNumber | Absent) -> Iterable[str]:
    if isinstance(found, Absent):
        return ()
    return (
        f"The condition number of the stationary distribution is {number(found.kappa)} (Cho & "
        f"Meyer 2000): rows changed by δ in all change no π by more than so many δ.",
    )


def slow_section(facts: Facts) -> Section | None:
    """Time scales and metastable sets; None for one state, which has none."""
    chain, scales, sets = facts.chain, facts.remembered.time_scales, facts.remembered.sets
    name, title = "slow", "Slow structure"
    if chain.n_states == 1 or chain.kind == "symbolic":
        return None
    if isinstance(scales, Absent):
        return left_out(name, title, scales)
    tables = [_scales(scales)] if scales.slow or scales.cycles else []
    if isinstance(sets, Absent):
        return told(name, title, (str(sets),), tables=tables)
    stays = np.sort(sets.mean_stay_tokens)
    long = " to ".join(dict.fromkeys((number(stays[0]), number(stays[-1]))))
    sentences = (
        _lasting(scales),
        f"The states fall into {count(sets.n_sets, 'set')} that a text seldom leaves: it stays "
        f"{long} tokens on average.",
    )
    return told(name, title, sentences, tables=tables, wide=(_sets(sets), _moves(sets)))


def _lasting(scales: TimeScales) -> str:
    """What lasts longest, in a sentence."""
    slowest = f"What a start has is down to 1/e after {number(scales.slowest_tokens)} tokens."
    if not scales.cycles:
        return slowest
    longest = scales.cycles[0]
    fades = (
        "never fades"
        if math.isinf(longest.tokens)
        else f"is down to that after {number(longest.tokens)}"
    )
    return f"{slowest} A cycle of {number(longest.turn_tokens)} tokens {fades}."


def _scales(scales: TimeScales) -> Table:
    modes = [("slow", one) for one in scales.slow] + [("cycle", one) for one in scales.cycles]
    shown = sorted(modes, key=lambda pair: -pair[1].tokens)[:MOST_MODES]
    return Table(
        caption="Time scales: tokens until 1/e is left" + _of(len(shown), len(modes)),
        heads=("what", "tokens", "proven", "one turn in"),
        rows=tuple(
            (kind, number(one.tokens), _proven(one), _turn(one.turn_tokens)) for kind, one in shown
        ),
        words=(0,),
        note=CYCLES if any(kind == "cycle" for kind, _ in shown) else "",
    )


def _turn(tokens: float) -> str:
    return "—" if math.isinf(tokens) else number(tokens)


def _proven(one: Mode) -> str:
    """The proven bounds, as far as they differ."""
    low, high = number(one.at_least_tokens), number(one.at_most_tokens)
    if one.at_least_tokens <= 0 and math.isinf(one.at_most_tokens):
        return "—"
    return "yes" if low == high else f"{low} to {high}"


def _sets(sets: MetastableSets) -> Table:
    shown = range(min(sets.n_sets, MOST_SETS))
    return Table(
        caption="Sets of states that are seldom left" + _of(len(shown), sets.n_sets),
        heads=("set", "states", "share of time", "mean stay, tokens", "heaviest states"),
        rows=tuple(
            (
                f"{k}",
                f"{int(sets.sizes[k]):,}",
                decimal(sets.shares[k]),
                number(sets.mean_stay_tokens[k]),
                ", ".join(sets.heaviest[k][:5]) + (", …" if sets.sizes[k] > 5 else ""),
            )
            for k in shown
        ),
        words=(4,),
        note="The split is a heuristic (GenPCCA); given the sets, the numbers are the chain’s.",
    )


def _moves(sets: MetastableSets) -> Table:
    shown = sets.moves[:MOST_MOVES]
    return Table(
        caption="What takes a text from set to set" + _of(len(shown), len(sets.moves)),
        heads=("from → to", "of all tokens", "by the tokens", "most often from"),
        rows=tuple(
            (f"{one.source} → {one.target}", decimal(one.flux_per_token), _tokens(one), _from(one))
            for one in shown
        ),
        words=(0, 2, 3),
    )


def _tokens(one: SetMove) -> str:
    pairs = zip(one.tokens, one.token_shares.tolist(), strict=True)
    return listed([f"{token} {part_of(share)}" for token, share in pairs], 4)


def _from(one: SetMove) -> str:
    best = zip(one.contexts, one.context_tokens, one.context_shares.tolist(), strict=True)
    return ", ".join(f"{c} with {t} {part_of(share)}" for c, t, share in list(best)[:3])


def _of(shown: int, n: int) -> str:
    return f", the first {shown} of {n:,}" if shown < n else ""
