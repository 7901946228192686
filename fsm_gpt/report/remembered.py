"""What a report says of what the machine remembers: gathered once, like all other facts.

What of the context is used, the smallest machines, what moves the entropy rate, and what lasts.
Each costs little up to the limits that stand here; beyond them a sentence says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fsm_gpt.chain import Chain
from fsm_gpt.markov.causal import CausalStates, causal_states
from fsm_gpt.markov.condition import ConditionNumber, condition_number
from fsm_gpt.markov.context_use import ContextUse, context_use
from fsm_gpt.markov.functional import TokenEntropy
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.metastable import MetastableSets, metastable_sets
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.markov.pareto import ParetoCurve
from fsm_gpt.markov.sensitivity import RowSensitivity, row_sensitivity
from fsm_gpt.markov.time_scales import TimeScales, time_scales
from fsm_gpt.report.absent import COSTLIEST_LIMIT, COSTLY_LIMIT, Absent, unless_larger
from fsm_gpt.report.shortened import as_json
from fsm_gpt.result import Bounded

__all__ = ["FLOAT32", "LARGEST", "MOST_MOVERS", "Remembered", "what_is_remembered"]

T = TypeVar("T")

#: Above so many states, what takes more than a few passes over the rows is left out; above so many
#: transitions, the equation of the sensitivity.
LARGEST, MOST_TRANSITIONS = 2**16, 2**22
#: The small machine has so many states at most, and costs less than this part of h_0 - h if it can.
SMALL, CHEAP = 12, 0.01
#: Rows that move the entropy rate are listed up to so many.
MOST_MOVERS = 8
#: A probability in float32 is right to this relative error.
FLOAT32 = 2.0**-24
#: Passage times in rationals take long above so many states.
EXACT = 64
#: Blocks and gradients stand in the JSON up to so many states.
LISTED = 1024


@dataclass(frozen=True, eq=False, kw_only=True)
class Remembered:
    """What is known of a chain's memory."""

    context_use: ContextUse | Absent
    """With a tolerance of one percent of what the whole context tells."""
    minimal: MinimalMachine | Absent
    causal: CausalStates | Absent
    pareto: ParetoCurve | Absent
    small: MinimalMachine | Absent
    """The fewest states for less than one percent of h_0 - h; where that takes more than twelve,
    the cheapest of at most twelve."""
    sensitivity: RowSensitivity | Absent
    """Of the entropy rate."""
    condition: ConditionNumber | Absent
    time_scales: TimeScales | Absent
    sets: MetastableSets | Absent

    def answers(self) -> tuple[tuple[str, Bounded | Absent], ...]:
        """The answers that carry a method and an error bound, each with its name."""
        approximate = not isinstance(self.small, MinimalMachine) or not self.small.is_exact
        return (
            ("use of the context", self.context_use),
            ("minimal machine", self.minimal),
            *((("small machine", self.small),) if approximate else ()),
            ("causal states", self.causal),
            ("sensitivity of the entropy rate", self.sensitivity),
            ("condition number", self.condition),
            ("time scales", self.time_scales),
            ("metastable sets", self.sets),
        )

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The answers, ready for JSON; of large machines without the block of each state."""
        document = {
            "context_use": self.context_use,
            "minimal_machine": _machine(self.minimal),
            "small_machine": _machine(self.small),
            "pareto": self.pareto,
            "causal_states": _causal(self.causal),
            "sensitivity": _sensitivity(self.sensitivity),
            "condition_number": self.condition,
            "time_scales": self.time_scales,
            "metastable_sets": self.sets,
        }
        return {name: as_json(_plain(value), most) for name, value in document.items()}


def what_is_remembered(chain: Chain) -> Remembered:
    """Ask every question about the memory of a chain.

    >>> copy = Chain([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    >>> found = what_is_remembered(copy)
    >>> found.context_use.effective_order, found.minimal.n_states
    (2, 4)
    """
    pareto = unless_larger(chain, COSTLY_LIMIT, lambda c: minimize(c).pareto())
    few = EXACT if chain.kind == "rational" else COSTLIEST_LIMIT
    return Remembered(
        context_use=unless_larger(chain, LARGEST, _context_use),
        minimal=unless_larger(chain, LARGEST, minimize),
        causal=unless_larger(chain, LARGEST, causal_states),
        pareto=pareto,
        small=pareto if isinstance(pareto, Absent) else _small(chain, pareto),
        sensitivity=_unless_wider(chain, lambda c: row_sensitivity(c, TokenEntropy())),
        condition=unless_larger(chain, few, condition_number),
        time_scales=unless_larger(chain, COSTLY_LIMIT, time_scales),
        sets=unless_larger(chain, COSTLY_LIMIT, metastable_sets),
    )


def _context_use(chain: Chain) -> ContextUse:
    h = memory_curve(chain).bits_per_token
    return context_use(chain, tolerance=CHEAP * max(float(h[0]) - float(h[-1]), 0.0))


def _small(chain: Chain, curve: ParetoCurve) -> MinimalMachine | Absent:
    """The best machine that can be drawn and read."""
    few = [one for one in curve.machines if one.n_states <= SMALL]
    cheap = [one for one in few if one.kl_bits < CHEAP * curve.machines[0].kl_bits]
    chosen = cheap[0] if cheap else few[-1]
    return unless_larger(chain, COSTLY_LIMIT, lambda c: minimize(c, max_states=chosen.n_states))


def _unless_wider(chain: Chain, question: Callable[[Chain], T]) -> T | Absent:
    """The answer, unless there are too many states or transitions."""
    if chain.n_states <= LARGEST and chain.n_edges > MOST_TRANSITIONS:
        return Absent(
            f"Left out here: it takes long for {chain.n_edges:,} transitions, and a report stops "
            f"at {MOST_TRANSITIONS:,}."
        )
    return unless_larger(chain, LARGEST, question)


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Absent) else value


def _machine(found: MinimalMachine | Absent) -> dict[str, Any] | Absent:
    """A machine with its names, for a program."""
    if isinstance(found, Absent):
        return found
    document = {"n_states": found.n_states, **found.to_dict()}
    if found.original.n_states > LISTED:
        del document["block"]
    else:
        document["names"] = found.chain.labels()
    return document


def _causal(found: CausalStates | Absent) -> dict[str, Any] | Absent:
    if isinstance(found, Absent):
        return found
    document = {"n_states": found.n_states, **found.to_dict()}
    document["crypticity_bits"] = found.crypticity_bits
    if found.original.n_states > LISTED:
        del document["state_of"], document["probabilities"]
    return document


def _sensitivity(found: RowSensitivity | Absent) -> dict[str, Any] | Absent:
    """The rows that move it most, and all derivatives where there are not too many."""
    if isinstance(found, Absent):
        return found
    document = {
        "what": found.what,
        "value": found.value,
        "unit": found.unit,
        "rows": [{"state": label, "per_nat": moved} for label, moved in found.top(MOST_MOVERS)],
        "float32_error_bar": found.error_bar(FLOAT32),
        "method": found.method,
        "error_bound": found.error_bound,
        "uncertified_because": found.uncertified_because,
        "error_meaning": found.error_meaning,
    }
    if found.chain.n_states <= LISTED:
        document["per_nat_by_state"] = found.by_state
    return document
