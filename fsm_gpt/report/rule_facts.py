"""The structure of a chain under each of the usual decoding rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Full, Greedy, Rule, Temperature, TopK, TopP
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.entropy import EntropyRate
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.shortened import as_json

__all__ = ["RuleFacts", "class_in_words", "closed_in_words", "under_each_rule"]

Ids: TypeAlias = npt.NDArray[np.int64]


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

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The structure, ready for JSON; with ``most``, no list has more entries than that."""
        tied = self.chain.tied
        listed = most is None or len(tied) <= most
        document = {
            "rule": str(self.rule),
            "closed_classes_in_words": list(self.in_words),
            "classes": self.classes,
            "entropy_rate": self.entropy_rate,
            "tied_states": self.chain.labels(tied) if listed else tied,
        }
        return dict(as_json(document, most))


def under_each_rule(
    chain: Chain,
    own: tuple[CommunicatingClasses, EntropyRate | Absent],
    rate: Callable[[Chain], EntropyRate | Absent],
) -> tuple[RuleFacts, ...]:
    """The usual decoding rules, mildest first; what is known of the chain is not asked again."""
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
        if isinstance(rule, Full):
            decoded, (classes, entropy) = floats, own
        else:
            decoded = floats.with_decoding(rule)
            classes, entropy = communicating_classes(decoded), rate(decoded)
        found.append(RuleFacts(name, rule, decoded, classes, closed_in_words(classes), entropy))
    return tuple(found)


def closed_in_words(classes: CommunicatingClasses) -> tuple[str, ...]:
    """The first 50 closed classes as a person would say them."""
    return tuple(
        class_in_words(classes.chain, states, period)
        for states, period in list(zip(classes.closed, classes.periods, strict=True))[:50]
    )


def class_in_words(chain: Chain, states: Ids, period: int) -> str:
    """A closed class as a person would say it.

    >>> walk = Chain([[0, 1], [1, 0]], vocabulary="ab")
    >>> class_in_words(walk, np.array([0, 1]), 2)
    'b → a → b'
    """
    if len(states) == 1:
        return f"{chain.labels(states)[0]}, absorbing"
    cycle = _cycle(chain, states) if period == len(states) else None
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
    pairs = set(zip(*(ids.tolist() for ids in _transitions(chain, states)), strict=True))
    if len(pairs) != len(states):
        return None
    following = dict(pairs)
    order = [int(states.max())]
    while following[order[-1]] != order[0]:
        order.append(following[order[-1]])
    return np.array(order, dtype=np.int64)


def _transitions(chain: Chain, states: Ids) -> tuple[Ids, Ids]:
    """Sources and targets of the transitions out of some states; of windows, not all are listed."""
    if not chain.is_window:
        edges = chain.raw_edges()
        inside = np.isin(edges.source, states)
        return edges.source[inside], edges.target[inside]
    V = chain.n_tokens
    place, token = np.nonzero(chain.next_token[states] != 0)
    source = states[place]
    return source, source % max(chain.n_states // V, 1) * V + token
