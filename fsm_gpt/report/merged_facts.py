"""What is known of a machine of merged states beside the chain that it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import in_words
from fsm_gpt.markov.causal import CausalStates, causal_states
from fsm_gpt.markov.compare import Comparison, compare
from fsm_gpt.markov.entropy import EntropyRate, entropy_rate
from fsm_gpt.markov.lumping import Lumping
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.report.absent import COSTLY_LIMIT, Absent, ask, unless_larger
from fsm_gpt.report.remembered import LARGEST
from fsm_gpt.report.shortened import as_json
from fsm_gpt.result import Bounded

__all__ = ["BOUND_TOKENS", "Merged", "mass_of_states", "merged_facts"]

Floats = npt.NDArray[np.float64]

#: Lengths of texts for which a machine's bound on the total variation is given.
BOUND_TOKENS = (1, 10, 100)
#: States of a machine that the JSON names.
LISTED = 1024


@dataclass(frozen=True, eq=False, kw_only=True)
class Merged:
    """A minimal machine or a lumping, and what is asked of it and of its chain."""

    found: MinimalMachine | Lumping
    stationary: StationaryDistribution | Absent
    """Of the machine."""
    rates: tuple[EntropyRate | Absent, EntropyRate | Absent]
    """Of the chain and of the machine."""
    causal: tuple[CausalStates | Absent, CausalStates | Absent]
    pareto: ParetoCurve | Absent
    comparison: Comparison | Absent
    """The chain against the machine, context by context."""

    @property
    def original(self) -> Chain:
        """The chain."""
        return self.found.original

    @property
    def chain(self) -> Chain:
        """The machine."""
        return self.found.chain

    def answers(self) -> Iterator[tuple[str, Bounded | Absent]]:
        """The answers that carry a method and an error bound, each with its name."""
        yield ("lumping" if isinstance(self.found, Lumping) else "machine"), self.found
        yield "stationary distribution of the machine", self.stationary
        yield "entropy rate of the chain", self.rates[0]
        yield "entropy rate of the machine", self.rates[1]
        if isinstance(self.found, MinimalMachine):
            yield "causal states of the chain", self.causal[0]
            yield "causal states of the machine", self.causal[1]
            yield "the chain against the machine", self.comparison

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The numbers, ready for JSON."""
        found, chain = self.found, self.chain
        sizes = np.bincount(found.block, minlength=chain.n_states)
        document: dict[str, Any] = {
            "n_states": chain.n_states,
            "original_states": self.original.n_states,
            "n_transitions": chain.n_edges,
            "decoding": in_words(self.original.decoding),
            "names": chain.labels() if chain.n_states <= LISTED else None,
            "sizes": sizes,
            "machine": found,
            "stationary": self.stationary,
            "entropy_rates": {"chain": self.rates[0], "machine": self.rates[1]},
        }
        if isinstance(found, MinimalMachine):
            bounds = {str(n): found.total_variation_bound(n) for n in BOUND_TOKENS}
            document |= {
                "is_exact": found.is_exact,
                "total_variation_bounds": bounds,
                "causal_states": {
                    "chain": _causal(self.causal[0]),
                    "machine": _causal(self.causal[1]),
                },
                "pareto": self.pareto,
                "comparison": self.comparison,
            }
        return {name: as_json(_plain(value), most) for name, value in document.items()}


def merged_facts(found: MinimalMachine | Lumping) -> Merged:
    """Ask what can be asked of a machine of merged states.

    >>> from fsm_gpt.markov.minimize import minimize
    >>> facts = merged_facts(minimize(Chain([[0.5, 0.5], [0.25, 0.75]]), max_states=1))
    >>> abs(facts.comparison.kl_bits_per_token - facts.found.kl_bits_per_token) < 1e-12
    True
    """
    chain, machine = found.original, found.chain
    of_words = isinstance(found, MinimalMachine)
    none = Absent("Tokens of a lumped chain are its blocks, so it writes other texts.")
    return Merged(
        found=found,
        stationary=ask(lambda: stationary_distribution(machine)),
        rates=(ask(lambda: entropy_rate(chain)), ask(lambda: entropy_rate(machine))),
        causal=(
            unless_larger(chain, LARGEST, causal_states) if of_words else none,
            unless_larger(machine, LARGEST, causal_states) if of_words else none,
        ),
        pareto=unless_larger(chain, COSTLY_LIMIT, lambda _: _pareto(found)) if of_words else none,
        comparison=unless_larger(chain, LARGEST, lambda c: compare(c, machine))
        if of_words
        else none,
    )


def _pareto(found: MinimalMachine | Lumping) -> ParetoCurve:
    assert isinstance(found, MinimalMachine)
    return found.pareto()


def mass_of_states(facts: Merged) -> Floats | None:
    """The share of time in each state of the machine, where there is one such share."""
    answer = facts.stationary
    if isinstance(answer, Absent) or len(answer.classes) != 1 or facts.chain.kind == "symbolic":
        return None
    return np.asarray(answer.pi, dtype=np.float64)


def _causal(found: CausalStates | Absent) -> Any:
    """Numbers of causal states, without a list of the state of each context."""
    if isinstance(found, Absent):
        return found
    document = {"n_states": found.n_states, **vars(found)}
    for name in ("original", "chain", "state_of", "probabilities"):
        del document[name]
    document["crypticity_bits"] = found.crypticity_bits
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, Absent):
        return value.to_dict()
    return (
        {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value
    )
