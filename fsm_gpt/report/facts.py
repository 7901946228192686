"""Every number of a report, gathered once.

The page, the terminal, the Markdown and the JSON all read from here, so they cannot
disagree. A quantity that does not exist for a chain (a mixing time of a periodic chain,
one stationary distribution of a chain with several closed classes) is :class:`Absent`,
with the reason as a sentence; so is one that would cost too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.capacity import Capacity, NoCapacity
from fsm_gpt.chain import Chain
from fsm_gpt.counts import ContextCoverage, context_coverage
from fsm_gpt.decoding import in_words
from fsm_gpt.learning.watched import Watched
from fsm_gpt.markov.absorption import Absorption, absorption
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.compare import Comparison, compare
from fsm_gpt.markov.convergence import ConvergenceBound, convergence_bound
from fsm_gpt.markov.entropy import EntropyRate, entropy_rate
from fsm_gpt.markov.memory import MemoryCurve, memory_curve
from fsm_gpt.markov.mixing import MixingTime, mixing_time
from fsm_gpt.markov.passage import KemenyConstant, MeanFirstPassage, kemeny_constant
from fsm_gpt.markov.reversal import Reversibility, reversibility
from fsm_gpt.markov.spectrum import Spectrum, spectrum
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.report.about import bits_of_window, installed_versions, passage_table
from fsm_gpt.report.absent import COSTLIEST_LIMIT, COSTLY_LIMIT, Absent, ask, unless_larger
from fsm_gpt.report.against import Against, against_the_data
from fsm_gpt.report.beside import Beside
from fsm_gpt.report.ending import Ending, how_it_ends
from fsm_gpt.report.remembered import Remembered, what_is_remembered
from fsm_gpt.report.rule_facts import (
    RuleFacts,
    class_in_words,
    closed_in_words,
    under_each_rule,
)
from fsm_gpt.report.shortened import as_json
from fsm_gpt.result import Bounded, to_json

__all__ = ["SCHEMA_VERSION", "Absent", "Facts", "RuleFacts", "class_in_words", "gather"]

#: Raised whenever a field of the JSON changes its name or its meaning, not where one is added.
SCHEMA_VERSION = 1

#: Rows and labels stand in the JSON up to this many states.
LISTED_LIMIT = 1024
#: How near to the stationary distribution: the usual 1/4, and as good as there.
EPSILONS = (0.25, 1e-6)


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """How long until a start is forgotten: the truth, and a bound on it."""

    epsilon: float
    mixing_time: MixingTime | Absent
    bound: ConvergenceBound | Absent

    def to_dict(self) -> dict[str, Any]:
        """Both, ready for JSON."""
        return {
            "epsilon": self.epsilon,
            "mixing_time": self.mixing_time.to_dict(),
            "bound": self.bound.to_dict(),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts:
    """What a report says about a chain."""

    chain: Chain
    classes: CommunicatingClasses
    closed_in_words: tuple[str, ...]
    stationary: StationaryDistribution | Absent
    entropy_rate: EntropyRate | Absent
    memory_curve: MemoryCurve | Absent
    convergence: tuple[Convergence, ...]
    """One for each of ``EPSILONS``."""
    kemeny_constant: KemenyConstant | Absent
    mean_first_passage: MeanFirstPassage | Absent
    spectrum: Spectrum | Absent
    reversibility: Reversibility | Absent
    absorption: Absorption | Absent
    capacity: Capacity | Absent
    rules: tuple[RuleFacts, ...]
    remembered: Remembered
    """What of the past is used, and by how small a machine."""
    ending: Ending | None = None
    """How a text ends, where a token ends it."""
    before: Chain | None = None
    data: Chain | None = None
    comparison: Comparison | Absent | None = None
    comparison_before: Comparison | Absent | None = None
    against: Against | None = None
    """More of the model beside its data, where there is a text."""
    text: str | None = None
    coverage: ContextCoverage | Absent | None = None
    losses: tuple[float, ...] = ()
    watched: Watched | None = None
    """The training step by step, where it was watched."""
    beside: tuple[Beside, ...] = ()
    """What is known of something larger that the chain is a part of."""
    model: Capacity | NoCapacity | None = None
    """The sizes of the whole model that the chain was made of, where there is one."""
    exploration: Mapping[str, Any] | None = None
    """How the chain was found, where it is what prompts lead to."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def mixing_time(self) -> MixingTime | Absent:
        """The mixing time at 1/4."""
        return self.convergence[0].mixing_time

    @property
    def pi(self) -> npt.NDArray[np.float64] | None:
        """The stationary distribution as floats, where there is exactly one."""
        if isinstance(self.stationary, Absent) or len(self.stationary.classes) != 1:
            return None
        if self.chain.kind == "symbolic":
            return None
        return np.asarray(self.stationary.pi, dtype=np.float64)

    @property
    def effective_states(self) -> float | None:
        """Two to the entropy of the stationary distribution, where there is exactly one."""
        if self.pi is None or isinstance(self.stationary, Absent):
            return None
        return float(self.stationary.effective_states)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: of the rows, and of what a decoding rule met."""
        notes = list(self.chain.notes)
        for rule in self.rules:
            notes += [note for note in rule.chain.notes if note not in notes]
            tied = len(rule.chain.tied)
            if tied:
                notes.append(
                    f"{rule.name}: in {tied:,} of {self.chain.n_states:,} states the rule chose "
                    f"between equal probabilities; the lowest token id won"
                )
        if self.data is not None:
            notes += [f"data: {note}" for note in self.data.notes]
        return tuple(notes)

    def bounded(self) -> list[tuple[str, Bounded]]:
        """Every answer that carries a method and an error bound, with its name."""
        named = (
            ("stationary distribution", self.stationary),
            ("entropy rate", self.entropy_rate),
            ("memory curve", self.memory_curve),
            ("mixing time", self.mixing_time),
            ("mean first passage times", self.mean_first_passage),
            ("Kemeny's constant", self.kemeny_constant),
            ("spectrum", self.spectrum),
            ("reversibility", self.reversibility),
            ("absorption", self.absorption),
            *self.remembered.answers(),
            ("model against data", self.comparison),
            *(() if self.against is None else self.against.answers()),
            *(() if self.ending is None else self.ending.answers()),
        )
        return [(name, answer) for name, answer in named if isinstance(answer, Bounded)]

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """All of it as plain lists, numbers and strings, ready for JSON.

        With ``most``, a list of more numbers than that is a sentence in its place.
        """
        chain = self.chain
        about: dict[str, Any] = {
            "n_states": chain.n_states,
            "n_tokens": chain.n_tokens,
            "n_transitions": chain.n_edges,
            "context": chain.context,
            "vocabulary": list(chain.vocabulary.tokens),
            "decoding": in_words(chain.decoding),
        }
        if chain.n_states <= LISTED_LIMIT:
            about["states"] = chain.labels()
            about["next_token"] = to_json(chain.next_token)
        document = {
            "schema": SCHEMA_VERSION,
            "schema_version": SCHEMA_VERSION,  # the name of it in older documents
            "kind": "chain" if self.exploration is None else "exploration",
            **({} if self.exploration is None else {"exploration": dict(self.exploration)}),
            "chain": about,
            "closed_classes_in_words": list(self.closed_in_words),
            "effective_states": self.effective_states,
            **{name: getattr(self, name) for name in _ANSWERS},
            **self.remembered.to_dict(most=most),
            "against_data": None if self.against is None else self.against.to_dict(most=most),
            "convergence": [one.to_dict() for one in self.convergence],
            "rules": [rule.to_dict(most=most) for rule in self.rules],
            "losses": list(self.losses),
            "beside": [one.to_dict() for one in self.beside],
            "model": self.model,
            "notes": list(self.notes),
            "provenance": dict(self.provenance),
            "versions": dict(self.versions),
        }
        return dict(as_json(document, most))


_ANSWERS = (
    *("classes", "stationary", "entropy_rate", "memory_curve", "mixing_time", "kemeny_constant"),
    *("mean_first_passage", "spectrum", "reversibility", "absorption", "capacity", "coverage"),
    *("comparison", "comparison_before", "ending"),
)


def _convergence(chain: Chain, epsilon: float) -> Convergence:
    limit = COSTLY_LIMIT if epsilon == EPSILONS[0] else COSTLIEST_LIMIT
    return Convergence(
        epsilon=epsilon,
        mixing_time=unless_larger(chain, limit, lambda c: mixing_time(c, epsilon=epsilon)),
        bound=unless_larger(chain, limit, lambda c: convergence_bound(c, epsilon=epsilon)),
    )


def gather(
    chain: Chain,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    stop: Sequence[int | str] = (),
    losses: Sequence[float] = (),
    watched: Watched | None = None,
    beside: Sequence[Beside] = (),
    model: Capacity | NoCapacity | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Facts:
    """Ask every question once.

    Where a text is given and no ``data``, the text's own chain is the reference. Tokens of
    ``stop`` end a text; what is said of the long run is said of the chain that goes on.

    >>> facts = gather(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> facts.to_dict()["stationary"]["classes"][0][1]
    [0.3333333333333333, 0.6666666666666666]
    """
    classes = communicating_classes(chain)

    def rate(one: Chain) -> EntropyRate | Absent:
        return unless_larger(one, COSTLY_LIMIT, entropy_rate)

    own_rate = ask(lambda: entropy_rate(chain))
    known = {**chain.provenance, **(provenance or {})}
    coverage = None
    if text is not None and chain.context is not None:
        L, vocabulary = chain.context, chain.vocabulary
        coverage = ask(lambda: context_coverage(text, context=L, vocabulary=vocabulary))
        if data is None:
            made = ask(lambda: Chain.from_text(text, context=L, end="drop", vocabulary=vocabulary))
            data = None if isinstance(made, Absent) else made
    against = data
    return Facts(
        chain=chain,
        classes=classes,
        closed_in_words=closed_in_words(classes),
        stationary=ask(lambda: stationary_distribution(chain)),
        entropy_rate=own_rate,
        memory_curve=ask(lambda: memory_curve(chain)),
        convergence=tuple(_convergence(chain, epsilon) for epsilon in EPSILONS),
        kemeny_constant=unless_larger(chain, COSTLIEST_LIMIT, kemeny_constant),
        mean_first_passage=passage_table(chain),
        spectrum=unless_larger(chain, COSTLIEST_LIMIT, spectrum),
        reversibility=unless_larger(chain, COSTLY_LIMIT, reversibility),
        absorption=unless_larger(chain, COSTLY_LIMIT, absorption),
        capacity=bits_of_window(chain, str(known.get("parameters", ""))),
        rules=under_each_rule(chain, (classes, own_rate), rate),
        remembered=what_is_remembered(chain),
        ending=how_it_ends(chain, stop),
        before=before,
        data=data,
        comparison=None if against is None else ask(lambda: compare(against, chain)),
        comparison_before=(
            None if against is None or before is None else ask(lambda: compare(against, before))
        ),
        against=None if against is None else against_the_data(against, chain),
        text=text,
        coverage=coverage,
        losses=tuple(float(loss) for loss in losses),
        watched=watched,
        beside=tuple(beside),
        model=model,
        provenance=known,
        versions=installed_versions(),
    )
