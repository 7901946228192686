"""How many bits the state of a model has, beside the states that its chain visits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fsm_gpt.capacity import UPPER_BOUND, Capacity
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.model_sizes import model_sizes
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import count, number

__all__ = ["state_bits"]

EFFECTIVE = "Effective is two to the entropy of π: as if so many states were visited equally. "
ZEKRI = "The number of contexts is that of Zekri et al. (2024), arXiv 2410.02724."
#: Numbers of more digits are not written out.
MOST_DIGITS = 15


def state_bits(facts: Facts) -> dict[str, Any]:
    """The bits of a window of tokens, what they count, and how far they are used."""
    found, chain = facts.capacity, facts.chain
    if isinstance(found, Absent):
        bits = number(float(np.log2(chain.n_states)))
        sentence = f"{found} To name one of {count(chain.n_states, 'state')} takes {bits} bits."
        rows = [("Bits to name a state", bits)]
    else:
        sentence = (
            f"A model of {count(found.vocabulary, 'token')} that sees {found.context:,} of them "
            f"has {found.vocabulary:,}^{found.context:,} full windows, and it takes "
            f"{found.context:,} × log2({found.vocabulary:,}) = {found.bits_text} bits to name one. "
            f"{UPPER_BOUND}"
        )
        rows = _rows(found)
    rows.append(("States of this chain", f"{chain.n_states:,}"))
    if facts.effective_states is not None:
        most = float(np.log2(chain.n_states)) if isinstance(found, Absent) else found.bits
        of = f"{chain.n_states:,}" if isinstance(found, Absent) else _windows(found)
        effective = facts.effective_states
        entropy = abs(float(np.log2(effective)))
        rows.append(("Effective number of states", f"{number(effective)} of {of}"))
        rows.append(("Bits of those: the entropy of π", f"{number(entropy)} of {number(most)}"))
    if isinstance(found, Capacity) and found.parameters_as_stated:
        rows.append(("Parameters", found.parameters_as_stated))
        if found.bits_per_parameter is not None:
            rows.append(("Bits of state for each parameter", number(found.bits_per_parameter, 3)))
    table = Table(
        caption="Bits of state, and the states that they name",
        heads=("quantity", "value"),
        rows=tuple(rows),
        words=(0, 1),
        note=("" if facts.effective_states is None else EFFECTIVE)
        + ("" if isinstance(found, Absent) else ZEKRI),
    )
    tables = [table, *model_sizes(facts)]
    return {"absent": "", "caption": "", "sentence": sentence, "under": [], "tables": tables}


def _rows(found: Capacity) -> list[tuple[str, str]]:
    V, L = found.vocabulary, found.context
    contexts = f"Contexts of 1 to {L:,} tokens" if L > 1 else "Contexts of 1 token"
    rows = [
        ("Bits of state", found.bits_text),
        ("Bytes", found.bytes_text),
        ("Full windows", _windows(found)),
    ]
    if found.digits_of_all_contexts > MOST_DIGITS:
        rows.append((contexts, _digits(found.digits_of_all_contexts)))
        return rows
    every = sum(V**k for k in range(1, L + 1)) if V > 1 else L
    rows.append((contexts, f"{every:,}"))
    if V > 1:
        share = Fraction(V - 1, V**L - 1) if L > 1 else Fraction(1)
        rows.append(("Share of pairs of contexts that can follow", f"{share}"))
    return rows


def _windows(found: Capacity) -> str:
    if found.digits_of_windows > MOST_DIGITS:
        return _digits(found.digits_of_windows)
    return f"{found.vocabulary**found.context:,}"


def _digits(digits: int) -> str:
    return f"a number of {digits:,} digits"
