"""The sizes of a model as its file says them, joined with what its chain does with its states."""

from __future__ import annotations

import numpy as np

from fsm_gpt.capacity import Capacity
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import Facts
from fsm_gpt.report.tables import Table
from fsm_gpt.report.words import number, printable

__all__ = ["model_sizes"]

#: What stands where a chain has no such number, or the whole model's is not known.
NONE = "—"


def model_sizes(facts: Facts) -> list[Table]:
    """A table of the whole model beside this chain; none where the subject is a chain alone."""
    found, chain = facts.model, facts.chain
    if not isinstance(found, Capacity):
        return []
    own = None if isinstance(facts.capacity, Absent) else facts.capacity
    cut = own is not None and own.context < found.context
    rows = [
        ("Tokens in the vocabulary", f"{found.vocabulary:,}", f"{chain.n_tokens:,}"),
        (
            "Context, in tokens",
            f"{found.context:,}",
            NONE if chain.context is None else f"{chain.context:,}",
        ),
        ("Bits to name a window", found.bits_text, NONE if own is None else own.bits_text),
        *_effective(facts, cut=cut),
        ("Parameters", found.parameters_as_stated or NONE, "the same weights"),
    ]
    if found.cache_bytes is not None:
        each = found.cache_bytes // found.context
        here = NONE if chain.context is None else f"{each * chain.context:,} bytes"
        rows.append(("Keys and values of a full context", f"{found.cache_bytes:,} bytes", here))
    source = printable(found.verified)
    notes = "".join(f" {printable(note[0].upper() + note[1:])}." for note in found.notes)
    return [
        Table(
            caption="The model, and the chain that was made of it",
            heads=("quantity", "whole model", "this chain"),
            rows=tuple(rows),
            words=(0, 1, 2),
            note=f"Sizes of the whole model are {source}. Keys and values are counted as 16-bit "
            f"numbers; they follow from the window, and are no state beside it.{notes}",
        )
    ]


def _effective(facts: Facts, *, cut: bool) -> list[tuple[str, str, str]]:
    """Two to the entropy of pi, and that entropy; of the whole model only where it is this one."""
    if facts.effective_states is None:
        return []
    effective = facts.effective_states
    bits = number(abs(float(np.log2(effective))))
    unknown = "not known: too many windows"
    return [
        (
            "Effective number of states, 2 to the entropy of π",
            unknown if cut else number(effective),
            number(effective),
        ),
        ("Entropy of π, in bits", unknown if cut else bits, bits),
    ]
