"""The top of the report: what the chain is, three sentences, the cards, single numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.report.facts import Absent, Facts
from fsm_gpt.report.words import count, number, structure

__all__ = ["cards", "first_upper", "lead", "passages", "what_it_is"]

Section = dict[str, Any]


def what_it_is(chain: Chain) -> str:
    """The states of a chain in words."""
    L, V, N = chain.context, chain.n_tokens, chain.n_states
    states, tokens = count(N, "state"), count(V, "token")
    if L is None:
        return f"{states} over {tokens}"
    if chain.is_window and L == 1:
        return f"{states}, one for each token"
    if chain.is_window:
        return f"{states}: every window of {L} over {tokens}"
    return f"{states}: contexts of up to {L} over {tokens}"


def lead(facts: Facts) -> list[dict[str, Any]]:
    """The whole report in three sentences."""
    chain = facts.chain
    parts: list[tuple[bool, str]] = []
    if chain.context and chain.context > 1:
        parts += [
            (False, f"A model that sees {chain.context} tokens and knows {chain.n_tokens} is a "),
            (False, "finite-state machine: here, "),
        ]
    else:
        parts.append((False, "A Markov chain of "))
    parts.append((True, f"{count(chain.n_states, 'state')} and {chain.n_edges:,} transitions"))
    if not isinstance(facts.entropy_rate, Absent) and chain.kind != "symbolic":
        most = number(float(np.log2(chain.n_tokens)), 3)
        rate = facts.entropy_rate.bits_per_token
        parts += [
            (False, ". In the long run each token carries "),
            (True, f"{number(rate)} bits"),
            (False, f" of at most {most}"),
        ]
    if facts.effective_states is not None and chain.n_states > 1:
        parts += [
            (False, ", and the time is spread as over "),
            (True, f"{_states(facts.effective_states)} equally visited states"),
        ]
    parts.append((False, "."))
    return [{"strong": strong, "words": words} for strong, words in parts]


def _states(effective: float) -> str:
    return f"{effective:,.0f}" if effective >= 1000 else number(effective, 3)


def cards(facts: Facts) -> list[Section]:
    """The five numbers at the top."""
    chain = facts.chain
    dense = chain.n_edges / (chain.n_states * chain.n_tokens)
    few, sentence = structure(facts.classes)
    large = chain.n_edges > 9999 or chain.n_states > 999
    found = [
        _card(
            "States and transitions",
            f"{chain.n_states:,}" + ("" if large else f" / {chain.n_edges:,}"),
            unit=f"/ {chain.n_edges:,}" if large else "",
            words=large,
            sub=f"{dense:.0%} of all pairs of state and token happen",
        )
    ]
    rate = facts.entropy_rate
    if isinstance(rate, Absent):
        found.append(_card("Entropy rate", "none", str(rate), words=True))
    elif chain.kind == "symbolic":
        found.append(_card("Entropy rate", "an expression", str(rate.bits_per_token), words=True))
    else:
        found.append(
            _card(
                "Entropy rate",
                number(rate.bits_per_token),
                first_upper(rate.error_sentence),
                unit="bits/token",
            )
        )
    if facts.effective_states is not None:
        found.append(
            _card(
                "Effective states",
                _states(facts.effective_states),
                "Two to the entropy of the stationary distribution",
                unit=f"of {chain.n_states:,}",
            )
        )
    found.append(_card("Structure", few, sentence, words=True))
    memory = facts.memory_curve
    if not isinstance(memory, Absent):
        found.append(
            _card(
                "Memory",
                number(memory.excess_bits, 3),
                "What the past tells of the future (excess entropy)",
                unit="bits",
            )
        )
    return found


def _card(name: str, value: str, sub: str, *, unit: str = "", words: bool = False) -> Section:
    return {"name": name, "value": value, "unit": unit, "sub": sub, "words": words}


def first_upper(words: str) -> str:
    """The words with a capital at the start."""
    return words[:1].upper() + words[1:]


def passages(facts: Facts) -> list[tuple[str, str, bool]]:
    """Single numbers about time, each a name, its words, and whether it is missing."""

    def line(name: str, answer: Any, words: Any) -> tuple[str, str, bool]:
        if isinstance(answer, Absent):
            return name, str(answer), True
        return name, words(answer), False

    return [
        line(
            "Mixing time",
            facts.mixing_time,
            lambda a: (
                f"{count(a.steps, 'token')} until every start is within {a.epsilon:g} of the "
                f"stationary distribution; {a.average_steps:,} averaged over starts"
            ),
        ),
        line(
            "Kemeny’s constant",
            facts.kemeny_constant,
            lambda a: f"{number(a.mean_steps)} steps to a state drawn from π, from any start",
        ),
        line(
            "Spectral gap",
            facts.spectrum,
            lambda a: (
                f"{number(a.gap)}, one minus the modulus of the second eigenvalue"
                + (f"; {a.n_zero:,} further eigenvalues are exactly 0" if a.n_zero else "")
            ),
        ),
        line(
            "Time direction",
            facts.reversibility,
            lambda a: (
                "reversible: it looks the same backwards"
                if a.reversible
                else "not reversible: some steps can never be undone"
                if np.isinf(float(a.entropy_production_bits_per_step))
                else "not reversible: entropy production "
                f"{number(a.entropy_production_bits_per_step)} bits per step"
            ),
        ),
    ]
