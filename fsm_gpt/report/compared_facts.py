"""What is known of two chains side by side: gathered once.

The reference comes first: what it costs to predict it by the model, and the other way round where
that is defined; how far apart they write; and of each alone what a report of it would say of
entropy, memory and structure. What has no answer is :class:`Absent`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import in_words
from fsm_gpt.markov.calibration import Calibration, calibration
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.compare import Comparison, compare
from fsm_gpt.markov.context_distance import ContextDistance, context_distance
from fsm_gpt.markov.drift import EntropyDrift, entropy_drift
from fsm_gpt.markov.entropy import EntropyRate, entropy_rate
from fsm_gpt.markov.memory import MemoryCurve, memory_curve
from fsm_gpt.markov.n_gram_distances import NGramDistances, n_gram_distances
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.markov.token_blocks import block_law
from fsm_gpt.report.absent import COSTLY_LIMIT, Absent, ask, unless_larger
from fsm_gpt.report.remembered import LARGEST
from fsm_gpt.report.rule_facts import RuleFacts, under_each_rule
from fsm_gpt.report.shortened import as_json

__all__ = ["Alone", "Compared", "Laws", "compared_facts"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Alone:
    """What is said of one of the two by itself."""

    chain: Chain
    stationary: StationaryDistribution | Absent
    entropy_rate: EntropyRate | Absent
    memory_curve: MemoryCurve | Absent
    rules: tuple[RuleFacts, ...] | Absent

    @property
    def effective_states(self) -> float | None:
        """Two to the entropy of its stationary distribution, where there is one."""
        if isinstance(self.stationary, Absent) or len(self.stationary.classes) != 1:
            return None
        return float(self.stationary.effective_states)

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The numbers, ready for JSON."""
        chain = self.chain
        rules: Any = self.rules
        if not isinstance(rules, Absent):
            rules = [one.to_dict(most=most) for one in rules]
        return {
            "n_states": chain.n_states,
            "n_tokens": chain.n_tokens,
            "n_transitions": chain.n_edges,
            "context": chain.context,
            "decoding": in_words(chain.decoding),
            "effective_states": self.effective_states,
            "stationary": as_json(_plain(self.stationary), most),
            "entropy_rate": as_json(_plain(self.entropy_rate), most),
            "memory_curve": as_json(_plain(self.memory_curve), most),
            "rules": as_json(_plain(rules), most),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Laws:
    """How often the two write each text of some length."""

    n_tokens: int
    number: Ids
    """The texts as base-V numbers, the oldest token most significant, ascending."""
    reference: Floats
    model: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Compared:
    """What a page says of two chains."""

    names: tuple[str, str]
    """What the reference and the model are called."""
    forward: Comparison
    backward: Comparison | Absent
    context_distance: ContextDistance | Absent
    laws: Laws | Absent
    n_gram_distances: NGramDistances | Absent
    calibration: Calibration | Absent
    drift: EntropyDrift | Absent
    reference: Alone
    model: Alone

    def answers(self) -> Iterator[tuple[str, Any]]:
        """The answers that carry a method and an error bound, each with its name."""
        yield "KL of the reference from the model", self.forward
        yield "KL of the model from the reference", self.backward
        yield "total variation of texts", self.context_distance
        yield "distances to n-grams", self.n_gram_distances
        yield "calibration", self.calibration
        yield "drift of the model’s own texts", self.drift
        for name, one in (("reference", self.reference), ("model", self.model)):
            yield f"stationary distribution, {name}", one.stationary
            yield f"entropy rate, {name}", one.entropy_rate
            yield f"memory curve, {name}", one.memory_curve

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The numbers, ready for JSON; those of one direction under the keys of ``compare``."""
        named = {
            "reference_to_model": self.forward,
            "model_to_reference": self.backward,
            "context_distance": self.context_distance,
            "n_gram_distances": self.n_gram_distances,
            "calibration": self.calibration,
            "drift": self.drift,
        }
        return {
            "names": list(self.names),
            **{name: as_json(_plain(value), most) for name, value in named.items()},
            "reference": self.reference.to_dict(most=most),
            "model": self.model.to_dict(most=most),
        }


def compared_facts(found: Comparison, names: tuple[str, str], *, drift: int = 32) -> Compared:
    """Ask what can be asked of a comparison's two chains."""
    pair = reference, model = found.reference, found.chain
    distance = ask(lambda: context_distance(*pair))
    n = 1 if isinstance(distance, Absent) else distance.n_tokens
    return Compared(
        names=names,
        forward=found,
        backward=ask(lambda: compare(model, reference)),
        context_distance=distance,
        laws=ask(lambda: _laws(reference, model, n)),
        n_gram_distances=unless_larger(model, LARGEST, lambda c: n_gram_distances(reference, c)),
        calibration=ask(lambda: calibration(*pair)),
        drift=unless_larger(model, LARGEST, lambda c: entropy_drift(reference, c, steps=drift)),
        reference=_alone(reference),
        model=_alone(model),
    )


def _alone(chain: Chain) -> Alone:
    rate = ask(lambda: entropy_rate(chain))

    def of_a_rule(one: Chain) -> EntropyRate | Absent:
        return unless_larger(one, COSTLY_LIMIT, entropy_rate)

    return Alone(
        chain=chain,
        stationary=ask(lambda: stationary_distribution(chain)),
        entropy_rate=rate,
        memory_curve=ask(lambda: memory_curve(chain)),
        rules=unless_larger(
            chain,
            LARGEST,
            lambda c: under_each_rule(c, (communicating_classes(c), rate), of_a_rule),
        ),
    )


def _laws(reference: Chain, model: Chain, n: int) -> Laws:
    mu, nu = (block_law(chain, n) for chain in (reference, model))
    number = np.union1d(mu.number, nu.number)
    p, q = np.zeros((2, len(number)))
    p[np.searchsorted(number, mu.number)] = mu.weight.astype(np.float64)
    q[np.searchsorted(number, nu.number)] = nu.weight.astype(np.float64)
    return Laws(n_tokens=n, number=number, reference=p, model=q)


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Absent) else value
