"""The reachable part of a model too large to enumerate, as an explicit chain.

A model with V tokens and a window of L has V**L windows, and from a few prompts under a
decoding rule it comes to few of them. The search (:mod:`fsm_gpt.explore.search`) finds these
and makes them a chain: its states are the windows reached, those shorter than L among them
while a text is short, and what two texts share from some point on is shared by its last L
tokens.

Where the search stops early, one absorbing state, ``unexplored``, stands for all that was not
looked at. It writes a token of its own that the model does not have. Until that state is
entered the chain is the model; so it bounds every probability that is decided in finite time
from both sides (:mod:`fsm_gpt.markov.bounds`), and questions about the long run are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.about_model import notes_on_rows
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import in_words, underflow_note
from fsm_gpt.errors import Interrupted
from fsm_gpt.explore.search import Limits, Search
from fsm_gpt.explore.windows import Ids
from fsm_gpt.result import Result, frozen, read_only
from fsm_gpt.space import PAD, SomeContexts, Vocabulary

__all__ = ["Exploration", "ExplorationInterrupted", "machine_of"]

#: What the unexplored state writes, repeated until it is no token of the model.
REST = "…"

#: A summary goes over so many transitions at most.
MOST_WORK = 2 * 10**8

#: What each limit is called in a sentence.
REASONS = {
    "max_states": "the limit on states",
    "max_depth": "the limit on depth",
    "min_probability": "the limit on probability",
    "max_memory_gib": "the limit on memory",
    "interrupted": "the user",
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Exploration(Result):
    """What a model can come to from some prompts, as far as it was explored."""

    chain: Chain = field(repr=False)
    """The machine: explored windows in the order found, and ``unexplored`` last if any is left."""
    prompts: tuple[tuple[int, ...], ...]
    """The last L token ids of each prompt."""
    start: npt.NDArray[np.float64]
    """The distribution of the first state, each prompt equally likely, shape (N,)."""
    depth: npt.NDArray[np.int32]
    """The tokens on the shortest path by which each window was found, shape (explored,)."""
    max_states: int
    max_depth: int | None
    min_probability: float
    stopped_by: tuple[str, ...]
    """The limits that were met; none where the machine is complete."""
    frontier: int
    """How many different windows are known to follow and were not explored."""
    _facts: Ids = field(repr=False)
    """Of each window: masked and lost probabilities, ties and losses by a rule, shape (n, 4)."""

    @property
    def complete(self) -> bool:
        """Whether every window that can be reached was explored."""
        return self.chain.unexplored is None

    @property
    def n_explored(self) -> int:
        """The number of windows explored."""
        return len(self.depth)

    @property
    def horizon(self) -> int:
        """For how many tokens a summary says how much was left: one more than the greatest depth.

        Fewer where that would take more than some seconds.
        """
        return min(int(self.depth.max()) + 1, max(1, MOST_WORK // self.chain.n_edges))

    def unexplored_after(self, steps: int) -> float:
        """The probability that a text of so many tokens has left the explored part.

        It bounds what :func:`fsm_gpt.markov.bounds.bounds_after` leaves open.
        """
        if self.chain.unexplored is None:
            return 0.0
        x = self.start
        for _ in range(steps):
            x = self.chain.push(x)
        return float(x[self.chain.unexplored])

    def __str__(self) -> str:
        rule = in_words(self.chain.decoding)
        prompts = "1 prompt" if len(self.prompts) == 1 else f"{len(self.prompts):,} prompts"
        deepest = int(self.depth.max())
        lines = [
            f"exploration from {prompts} (decoding {rule}): {self.n_explored:,} states, "
            f"{self.chain.n_edges - (not self.complete):,} transitions, found within "
            f"{deepest:,} token{'' if deepest == 1 else 's'}"
        ]
        if self.complete:
            return f"{lines[0]}\n  complete: nothing else can be reached"
        why = " and ".join(REASONS[reason] for reason in self.stopped_by)
        horizon = self.horizon
        tokens = "1 token" if horizon == 1 else f"{horizon:,} tokens"
        lines += [
            f"  stopped by {why}; {self.frontier:,} more states are known to follow, and stand "
            f"together as the state 'unexplored'",
            f"  a text of {tokens} is there with probability {self.unexplored_after(horizon):.6g}",
        ]
        return "\n".join(lines)


class ExplorationInterrupted(Interrupted):
    """The user stopped an exploration; what was explored until then is kept in it."""

    def __init__(self, message: str, exploration: Exploration) -> None:
        super().__init__(message)
        self.exploration = exploration


def machine_of(
    search: Search,
    prompts: tuple[tuple[int, ...], ...],
    vocabulary: Vocabulary,
    own_context: int,
    limits: Limits,
    provenance: dict[str, str],
) -> Exploration:
    """The machine of a search that has ended."""
    n, rules = len(search.rows), search.ask.rules
    target, frontier, improbable = _targets(search)
    table = search.table.held
    first = _places(search, search.windows.keys(search.windows.table(prompts)))
    left = bool((target < 0).any() or (first < 0).any())
    source = np.repeat(np.arange(n), np.diff(search.rows.start.held))
    token, probability = search.rows.token.held, search.rows.probability.held
    named = vocabulary
    if left:
        rest = REST
        while rest in vocabulary.ids:
            rest += REST
        named = Vocabulary((*vocabulary.tokens, rest))
        source, target = np.append(source, n), np.append(np.where(target < 0, n, target), n)
        token, probability = np.append(token, len(vocabulary)), np.append(probability, 1.0)
        table = np.vstack([table, np.full((1, search.windows.length), PAD)])
    facts = search.rows.facts.held
    masked, lost, tied, lost_by_rule = facts.T
    notes = notes_on_rows(
        own_context, search.windows.length, masked=int(masked.sum()), lost=int(lost.sum())
    )
    if lost_by_rule.any():
        notes.append(underflow_note(rules, int(lost_by_rule.sum())))
    chain = Chain.from_edges(
        source,
        token,
        target,
        probability,
        n_states=n + left,
        vocabulary=named,
        states=SomeContexts(vocabulary, table.astype(np.int64)),
        notes=notes,
        provenance=provenance,
    )
    chain = chain._with(decoding=rules, tied=read_only(np.flatnonzero(tied), np.int64))
    met = [*search.met, *(["min_probability"] if improbable else [])]
    return Exploration(
        chain=chain,
        prompts=prompts,
        start=start_of(first, chain.n_states),
        depth=read_only(search.depth.held),
        max_states=limits.max_states,
        max_depth=limits.max_depth,
        min_probability=limits.min_probability,
        stopped_by=tuple(met) if left else (),
        frontier=frontier,
        _facts=read_only(facts),
    )


def start_of(first: Ids, n_states: int) -> npt.NDArray[np.float64]:
    """The distribution over states where each of some places is as likely; -1 is the last state."""
    weights = np.bincount(np.where(first < 0, n_states - 1, first), minlength=n_states)
    return frozen(weights / len(first))


def _places(search: Search, keys: npt.NDArray[np.generic]) -> Ids:
    """The state of each key, or -1 where it has no row."""
    place = search.index.find(keys)
    place[place >= len(search.rows)] = -1
    return place


def _targets(search: Search) -> tuple[Ids, int, bool]:
    """Where each transition leads, -1 where that was not explored.

    Also how many different windows these are, and whether one of them was too improbable.
    """
    start, rows = search.rows.start.held, search.rows
    targets, left, improbable = [], [], False
    for states in _blocks(start):
        token = rows.token.held[start[states[0]] : start[states[-1] + 1]]
        source = np.repeat(states, np.diff(start[states[0] : states[-1] + 2]))
        table = search.windows.follow(search.table.held[source], token)
        keys = search.windows.keys(table)
        place = _places(search, keys)
        targets.append(place)
        out = place < 0
        left.append(np.unique(keys[out]))
        probability = rows.probability.held[start[states[0]] : start[states[-1] + 1]]
        path = search.best.held[source[out]] * probability[out]
        improbable |= bool((path < search.limits.min_probability).any())
    return np.concatenate(targets), len(np.unique(np.concatenate(left))), improbable


def _blocks(start: Ids, size: int = 2**18) -> Sequence[Ids]:
    """States in a row, cut where their transitions become many."""
    pieces = start[:-1] // size
    borders = np.flatnonzero(np.diff(pieces)) + 1
    return np.split(np.arange(len(start) - 1), borders)
