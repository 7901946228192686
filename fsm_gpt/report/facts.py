"""Every number of a report, gathered once.

The page, the terminal and the JSON all read from here, so they cannot disagree. A
quantity that does not exist for a chain (a mixing time of a periodic chain, one
stationary distribution of a chain with several closed classes) is :class:`Absent`,
with the reason as a sentence.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.counts import ContextCoverage, context_coverage
from fsm_gpt.decoding import Full, Greedy, Rule, Temperature, TopK, TopP, in_words
from fsm_gpt.errors import FsmGptError
from fsm_gpt.markov.absorption import Absorption, absorption
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.compare import Comparison, compare
from fsm_gpt.markov.entropy import EntropyRate, MemoryCurve, entropy_rate, memory_curve
from fsm_gpt.markov.mixing import MixingTime, mixing_time
from fsm_gpt.markov.passage import KemenyConstant, kemeny_constant
from fsm_gpt.markov.reversal import Reversibility, reversibility
from fsm_gpt.markov.spectrum import Spectrum, spectrum
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.result import Bounded, Result, to_json

__all__ = ["SCHEMA_VERSION", "Absent", "Facts", "RuleFacts", "class_in_words", "gather"]

Ids: TypeAlias = npt.NDArray[np.int64]
T = TypeVar("T")

#: Raised whenever a field of the JSON changes its name or its meaning.
SCHEMA_VERSION = 1

#: Quantities whose cost grows with the cube of the states are left out above this.
COSTLY_LIMIT = 1024
#: Rows and labels stand in the JSON up to this many states.
LISTED_LIMIT = 1024


@dataclass(frozen=True)
class Absent:
    """A quantity that was not given, and why."""

    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """The reason, under a key that no answer has."""
        return {"absent": self.sentence}

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, eq=False)
class RuleFacts:
    """The structure of the chain under one decoding rule."""

    name: str
    rule: Rule
    chain: Chain
    classes: CommunicatingClasses
    in_words: tuple[str, ...]
    """Each closed class as a person would say it; a cycle state by state."""
    entropy_rate: EntropyRate | Absent

    def to_dict(self) -> dict[str, Any]:
        """The structure, ready for JSON."""
        return {
            "rule": str(self.rule),
            "closed_classes_in_words": list(self.in_words),
            "classes": self.classes.to_dict(),
            "entropy_rate": self.entropy_rate.to_dict(),
            "tied_states": self.chain.labels(self.chain.tied),
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
    mixing_time: MixingTime | Absent
    kemeny_constant: KemenyConstant | Absent
    spectrum: Spectrum | Absent
    reversibility: Reversibility | Absent
    absorption: Absorption | Absent
    rules: tuple[RuleFacts, ...]
    before: Chain | None = None
    data: Chain | None = None
    comparison: Comparison | Absent | None = None
    comparison_before: Comparison | Absent | None = None
    text: str | None = None
    coverage: ContextCoverage | Absent | None = None
    losses: tuple[float, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

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
            ("Kemeny's constant", self.kemeny_constant),
            ("spectrum", self.spectrum),
            ("reversibility", self.reversibility),
            ("absorption", self.absorption),
            ("model against data", self.comparison),
        )
        return [(name, answer) for name, answer in named if isinstance(answer, Bounded)]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain lists, numbers and strings, ready for JSON."""
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
        answers = {
            name: _plain(getattr(self, name))
            for name in (
                "classes",
                "stationary",
                "entropy_rate",
                "memory_curve",
                "mixing_time",
                "kemeny_constant",
                "spectrum",
                "reversibility",
                "absorption",
                "coverage",
                "comparison",
                "comparison_before",
            )
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "chain": about,
            "closed_classes_in_words": list(self.closed_in_words),
            "effective_states": self.effective_states,
            **answers,
            "rules": [rule.to_dict() for rule in self.rules],
            "losses": list(self.losses),
            "notes": list(self.notes),
            "provenance": dict(self.provenance),
            "versions": dict(self.versions),
        }


def _plain(answer: Result | Absent | None) -> dict[str, Any] | None:
    return None if answer is None else answer.to_dict()


def _sentence(problem: FsmGptError) -> str:
    """The first sentence of an error without the name of the function that raised it."""
    first = str(problem).split(". ")[0].removesuffix(".")
    where, colon, rest = first.partition(": ")
    said = rest if colon and len(where) < 30 else first
    return said[:1].upper() + said[1:] + "."


def _ask(question: Callable[[], T]) -> T | Absent:
    """The answer, or why there is none."""
    try:
        return question()
    except FsmGptError as problem:
        return Absent(_sentence(problem))


def _costly(chain: Chain, question: Callable[[Chain], T]) -> T | Absent:
    if chain.n_states > COSTLY_LIMIT:
        return Absent(
            f"Left out here: the cost grows with the cube of the {chain.n_states:,} states, and a "
            f"report stops at {COSTLY_LIMIT:,}."
        )
    return _ask(lambda: question(chain))


def class_in_words(chain: Chain, states: Ids, period: int) -> str:
    """A closed class as a person would say it.

    >>> walk = Chain([[0, 1], [1, 0]], vocabulary="ab")
    >>> class_in_words(walk, np.array([0, 1]), 2)
    'b → a → b'
    """
    if len(states) == 1:
        return f"{chain.labels(states)[0]}, absorbing"
    cycle = _cycle(chain, states)
    if cycle is not None:
        names = chain.labels(cycle[:12])
        if len(cycle) > 12:
            return " → ".join([*names, "…"]) + f" ({len(cycle):,} states in turn)"
        return " → ".join([*names, names[0]])
    names = chain.labels(states[:8])
    more = f", … ({len(states):,} states)" if len(states) > 8 else ""
    how = "no period" if period == 1 else f"period {period}"
    if len(states) == chain.n_states:
        return f"all {len(states):,} states, {how}"
    return f"{', '.join(names)}{more}, {how}"


def _cycle(chain: Chain, states: Ids) -> Ids | None:
    """The states in the order of visit, where each has one successor; the highest id first."""
    edges = chain.raw_edges()
    inside = np.isin(edges.source, states)
    pairs = set(zip(edges.source[inside].tolist(), edges.target[inside].tolist(), strict=True))
    if len(pairs) != len(states):
        return None
    following = dict(pairs)
    order = [int(states.max())]
    while following[order[-1]] != order[0]:
        order.append(following[order[-1]])
    return np.array(order, dtype=np.int64)


def _words(classes: CommunicatingClasses) -> tuple[str, ...]:
    return tuple(
        class_in_words(classes.chain, states, period)
        for states, period in list(zip(classes.closed, classes.periods, strict=True))[:50]
    )


def _rules(chain: Chain) -> tuple[RuleFacts, ...]:
    """The usual decoding rules, mildest first."""
    if chain.kind == "symbolic":
        return ()
    floats = chain.floats()
    rules: list[tuple[str, Rule]] = [
        ("full (temperature 1)", Full()),
        ("temperature 2", Temperature(2)),
        ("temperature 0.2", Temperature(0.2)),
        ("top-p 0.9", TopP(0.9)),
    ]
    if chain.n_tokens > 2:
        rules.append(("top-k 2", TopK(2)))
    rules.append(("greedy (top-k 1)", Greedy()))
    found = []
    for name, rule in rules:
        decoded = floats if isinstance(rule, Full) else floats.with_decoding(rule)
        classes = communicating_classes(decoded)
        rate = _costly(decoded, entropy_rate)
        found.append(RuleFacts(name, rule, decoded, classes, _words(classes), rate))
    return tuple(found)


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that made the numbers."""
    versions = {"python": platform.python_version()}
    for package in ("fsm_gpt", "numpy", "scipy", "torch", "matplotlib"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def gather(
    chain: Chain,
    *,
    before: Chain | None = None,
    data: Chain | None = None,
    text: str | None = None,
    losses: Sequence[float] = (),
    provenance: Mapping[str, str] | None = None,
) -> Facts:
    """Ask every question once.

    Where a text is given and no ``data``, the text's own chain is the reference.

    >>> facts = gather(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> facts.to_dict()["stationary"]["classes"][0][1]
    [0.3333333333333333, 0.6666666666666666]
    """
    classes = communicating_classes(chain)
    coverage = None
    if text is not None and chain.context is not None:
        L, vocabulary = chain.context, chain.vocabulary
        coverage = _ask(lambda: context_coverage(text, context=L, vocabulary=vocabulary))
        if data is None:
            made = _ask(lambda: Chain.from_text(text, context=L, end="drop", vocabulary=vocabulary))
            data = None if isinstance(made, Absent) else made
    against = data
    return Facts(
        chain=chain,
        classes=classes,
        closed_in_words=_words(classes),
        stationary=_ask(lambda: stationary_distribution(chain)),
        entropy_rate=_ask(lambda: entropy_rate(chain)),
        memory_curve=_ask(lambda: memory_curve(chain)),
        mixing_time=_costly(chain, mixing_time),
        kemeny_constant=_costly(chain, kemeny_constant),
        spectrum=_costly(chain, spectrum),
        reversibility=_ask(lambda: reversibility(chain)),
        absorption=_costly(chain, absorption),
        rules=_rules(chain),
        before=before,
        data=data,
        comparison=None if against is None else _ask(lambda: compare(against, chain)),
        comparison_before=(
            None if against is None or before is None else _ask(lambda: compare(against, before))
        ),
        text=text,
        coverage=coverage,
        losses=tuple(float(loss) for loss in losses),
        provenance={**chain.provenance, **(provenance or {})},
        versions=installed_versions(),
    )
