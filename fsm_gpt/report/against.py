"""The model beside its data: distances, calibration and drift; what is gathered, and its section.

The reference is the chain of the text. Each number is one of :mod:`fsm_gpt.markov`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov.calibration import Calibration, calibration
from fsm_gpt.markov.context_distance import ContextDistance, context_distance
from fsm_gpt.markov.drift import EntropyDrift, entropy_drift
from fsm_gpt.markov.n_gram_distances import NGramDistances, n_gram_distances
from fsm_gpt.markov.stationary import heaviest
from fsm_gpt.report.absent import Absent, unless_larger
from fsm_gpt.report.remembered import LARGEST
from fsm_gpt.report.shortened import as_json
from fsm_gpt.report.tables import Table
from fsm_gpt.report.told import part_of
from fsm_gpt.report.words import count, decimal, number
from fsm_gpt.result import Bounded

if TYPE_CHECKING:
    from fsm_gpt.report.facts import Facts

__all__ = [
    "Against",
    "against_the_data",
    "beside_the_data",
    "calibration_by_state",
    "in_a_sentence",
    "n_gram_table",
]

#: States that are stated most wrongly are listed up to so many.
MOST_STATES = 8
NAMES = {0: "unigram", 1: "bigram"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Against:
    """What is known of a model beside its data, apart from the KL rate."""

    context_distance: ContextDistance | Absent
    n_gram_distances: NGramDistances | Absent
    calibration: Calibration | Absent
    drift: EntropyDrift | Absent

    def answers(self) -> tuple[tuple[str, Bounded | Absent], ...]:
        """The answers that carry a method and an error bound, each with its name."""
        return (
            ("distance of contexts from the data’s", self.context_distance),
            ("distances to n-grams", self.n_gram_distances),
            ("calibration", self.calibration),
            ("drift of the model’s own texts", self.drift),
        )

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The answers, ready for JSON."""
        document = {
            name: one.to_dict() if isinstance(one, Absent) else one
            for name, one in vars(self).items()
        }
        return {name: as_json(value, most) for name, value in document.items()}


def against_the_data(data: Chain, model: Chain) -> Against:
    """Ask what can be asked of a model and its data."""
    return Against(
        context_distance=unless_larger(model, LARGEST, lambda c: context_distance(data, c)),
        n_gram_distances=unless_larger(model, LARGEST, lambda c: n_gram_distances(data, c)),
        calibration=unless_larger(model, LARGEST, lambda c: calibration(data, c)),
        drift=unless_larger(model, LARGEST, lambda c: entropy_drift(data, c)),
    )


def beside_the_data(facts: Facts) -> dict[str, Any]:
    """Sentences and tables for the section on the model against its data."""
    found = facts.against
    if found is None:
        return {"sentences": [], "tables": []}
    answers = (found.context_distance, found.calibration, found.drift)
    said = [in_a_sentence(one) for one in answers if not isinstance(one, Absent)]
    grams = found.n_gram_distances
    missing = {str(one) for one in (*answers, grams) if isinstance(one, Absent)}
    tables = [] if isinstance(grams, Absent) else [n_gram_table(grams)]
    if isinstance(found.calibration, Calibration):
        tables += calibration_by_state(found.calibration)
    return {"sentences": [*said, *sorted(missing)], "tables": tables}


def in_a_sentence(found: ContextDistance | Calibration | EntropyDrift, of: str = "data") -> str:
    """What one of these says; ``of`` is what the model is measured against."""
    if isinstance(found, ContextDistance):
        tokens = "single tokens" if found.n_tokens == 1 else f"{found.n_tokens} tokens in a row"
        apart = number(found.total_variation)
        return f"The laws of {tokens} are {apart} apart in total variation, of at most 1."
    if isinstance(found, Calibration):
        return (
            f"State by state, what the model states of its likeliest token and how often that "
            f"comes in the {of} differ by {number(found.by_state)} on average; in "
            f"{count(len(found.bin_mass), 'bin')} of confidence (expected calibration error) by "
            f"{number(found.binned)}."
        )
    bits = found.bits_by_step
    return (
        f"Alone after a context of the {of}, the model’s next token has {number(float(bits[0]))} "
        f"bits, {number(float(bits[-1]))} after {count(found.steps, 'token')} and "
        f"{number(found.long_run_bits_per_token)} in the long run; it needs "
        f"{number(found.cross_entropy_bits_per_token)} for the {of}."
    )


def n_gram_table(found: NGramDistances, of: str = "data") -> Table:
    """How far both are from n-grams."""
    lines = (
        (f"{of} from its own n-gram", found.reference_to_its_own_bits),
        ("model from its own n-gram", found.model_to_its_own_bits),
        (f"the {of}’s n-gram from the model", found.reference_n_gram_to_model_bits),
        (f"model from the {of}’s n-gram", found.model_to_reference_n_gram_bits),
    )
    return Table(
        caption="Distances to n-grams: KL rates in bits per token",
        heads=("KL rate of", *(NAMES.get(k, f"order {k}") for k in found.orders)),
        rows=tuple((name, *(decimal(value) for value in values)) for name, values in lines),
        words=(0,),
        note="A model in training comes near to the unigram first and then to the bigram."
        if of == "data"
        else "",
    )


def calibration_by_state(found: Calibration, of: str = "data") -> list[Table]:
    """Where the model is most wrong of its likeliest token, if anywhere."""
    gap = found.pi * np.abs(found.confidence_by_state - found.accuracy_by_state)
    total = float(gap.sum())
    places = [int(i) for i in heaviest(gap, min(MOST_STATES, len(gap))) if gap[i] > 0]
    if not places:
        return []
    more = f", the {len(places)} of most weight" if len(gap) > len(places) else ""
    return [
        Table(
            caption="The likeliest token: how probable the model says it is, and how often it comes"
            + more,
            heads=("context", "stated", f"in the {of}", "share of the difference"),
            rows=tuple(
                (
                    found.label(i),
                    decimal(found.confidence_by_state[i]),
                    decimal(found.accuracy_by_state[i]),
                    part_of(float(gap[i]) / total),
                )
                for i in places
            ),
            words=(0,),
        )
    ]
