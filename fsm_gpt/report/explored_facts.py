"""What is known of a machine that was explored from some prompts: gathered once.

Where the exploration stopped early, only what happens before a text leaves it is known. These
numbers are of three kinds: of the first tokens (:mod:`fsm_gpt.markov.first_tokens`), which hold to
their bounds; of the loops that were reached, each a closed class of the whole machine, since a
state that was explored has all its transitions; and of how likely a text ends in one of them, from
both sides (:mod:`fsm_gpt.markov.bounds`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import in_words
from fsm_gpt.explore.machine import Exploration
from fsm_gpt.markov.bounds import HittingBounds, closed_off, hitting_bounds
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.entropy import EntropyRate, entropy_rate
from fsm_gpt.markov.first_tokens import FirstTokens, first_tokens
from fsm_gpt.report.absent import Absent, ask
from fsm_gpt.report.shortened import as_json
from fsm_gpt.result import to_json
from fsm_gpt.subchain import subchain

__all__ = ["Ahead", "Explored", "Loop", "about", "explored_facts"]

Ids = npt.NDArray[np.int64]

#: The first tokens are followed for so many at most, and over so many transitions in all.
MOST_TOKENS, MOST_WORK = 128, 2 * 10**7
#: Loops that are listed, those that a text ends in most often; more are asked about than that.
MOST_LOOPS, ASKED = 12, 24
#: Above so many states it is not asked how likely a text ends in a loop.
LARGEST = 2**17
#: Prompts that are followed by their likeliest token.
MOST_PROMPTS = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop:
    """A closed class of the machine that was reached."""

    states: Ids
    period: int
    tokens: tuple[int, ...] | None
    """The tokens of one round, where each state has one successor."""
    ends_here: tuple[float, float] | Absent
    """Between what numbers the probability lies that a text ends here."""
    bounds: HittingBounds | Absent
    rate: EntropyRate | Absent
    """Of the texts once they are here: a number of the whole machine."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ahead:
    """Where a prompt leads when the likeliest token is always taken."""

    prompt: int
    """Its place among the prompts."""
    steps: int
    """Tokens until the loop is entered, or until the explored part is left."""
    loop: tuple[int, ...] | None
    """The tokens of one round; None where the explored part is left before."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Explored:
    """What a page says of an exploration that stopped early."""

    exploration: Exploration
    first: FirstTokens
    loops: tuple[Loop, ...]
    n_loops: int
    """How many closed classes were reached; not all are in ``loops``."""
    ends_in_a_loop: tuple[float, float] | Absent
    """The probability that a text ends in a loop that was reached, from both sides."""
    loop_bounds: HittingBounds | Absent | None
    ahead: tuple[Ahead, ...]

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The numbers, ready for JSON."""
        chain, first = self.exploration.chain, self.first
        low, high = first.bits_per_token
        document = {
            "exploration": about(self.exploration),
            "first_tokens": {**_plain(first), "tokens": first.tokens},
            "bits_per_token": {"tokens": first.tokens, "low": low, "high": high},
            "loops": [_loop(loop, chain) for loop in self.loops],
            "n_loops": self.n_loops,
            "ends_in_a_loop": _sides(self.ends_in_a_loop),
            "likeliest": [
                {
                    "prompt": one.prompt,
                    "tokens_before": one.steps,
                    "loop": one.loop,
                    "left": one.loop is None,
                }
                for one in self.ahead
            ],
            "not_defined": (
                "The exploration is incomplete: a stationary distribution, an entropy rate, mixing "
                "and every other number of the long run of all texts are not known."
            ),
            "notes": list(chain.notes),
            "provenance": dict(chain.provenance),
        }
        return {name: as_json(value, most) for name, value in document.items()}


def about(found: Exploration) -> dict[str, Any]:
    """The figures of an exploration, complete or not, without its arrays."""
    return {
        "n_explored": found.n_explored,
        "n_transitions": found.chain.n_edges - (not found.complete),
        "complete": found.complete,
        "stopped_by": list(found.stopped_by),
        "n_frontier": found.frontier,
        "max_states": found.max_states,
        "max_depth": found.max_depth,
        "min_probability": found.min_probability,
        "deepest": int(found.depth.max()),
        "n_by_depth": np.bincount(found.depth).tolist(),
        "prompts": [list(prompt) for prompt in found.prompts],
        "decoding": in_words(found.chain.decoding),
        "context": found.chain.context,
        "vocabulary_size": found.chain.n_tokens - (not found.complete),
    }


def explored_facts(found: Exploration) -> Explored:
    """Ask what can be asked of an exploration that stopped early."""
    chain, u = found.chain, found.chain.unexplored
    T = max(1, min(found.horizon, MOST_TOKENS, MOST_WORK // chain.n_edges))
    classes = communicating_classes(closed_off(chain))
    closed = [
        (states, period)
        for states, period in zip(classes.closed, classes.periods, strict=True)
        if u not in states
    ]
    bounds: HittingBounds | Absent | None = None
    ends: tuple[float, float] | Absent = (0.0, 1.0)
    if closed:
        every = np.concatenate([states for states, _ in closed])
        bounds = _hitting(chain, every)
        ends = _from_start(bounds, found)
    loops = [_found(found, states, period) for states, period in closed[:ASKED]]
    loops.sort(key=lambda one: 0.0 if isinstance(one.ends_here, Absent) else -one.ends_here[0])
    return Explored(
        exploration=found,
        first=first_tokens(chain, T, start=found.start),
        loops=tuple(loops[:MOST_LOOPS]),
        n_loops=len(closed),
        ends_in_a_loop=ends,
        loop_bounds=bounds,
        ahead=_ahead(found),
    )


def _hitting(chain: Chain, states: Ids) -> HittingBounds | Absent:
    if chain.n_states > LARGEST:
        return Absent(
            f"Left out here: it takes long for {chain.n_states:,} states, and a report stops at "
            f"{LARGEST:,}."
        )
    return ask(lambda: hitting_bounds(chain, states.tolist()))


def _from_start(bounds: HittingBounds | Absent, found: Exploration) -> tuple[float, float] | Absent:
    return bounds if isinstance(bounds, Absent) else bounds.from_start(found.start)


def _found(found: Exploration, states: Ids, period: int) -> Loop:
    chain = found.chain
    inside = np.zeros(chain.n_states, dtype=bool)
    inside[states] = True
    bounds = _hitting(chain, states)
    return Loop(
        states=states,
        period=period,
        tokens=_round(chain, states, period),
        ends_here=_from_start(bounds, found),
        bounds=bounds,
        rate=ask(lambda: entropy_rate(subchain(closed_off(chain), inside))),
    )


def _round(chain: Chain, states: Ids, period: int) -> tuple[int, ...] | None:
    """The tokens of one round from the lowest state on, where each state has one successor."""
    if period != len(states):
        return None
    following = _following(chain)
    tokens, at = [], int(states[0])
    for _ in range(len(states)):
        token, at = following(at)
        tokens.append(token)
    return tuple(tokens)


def _following(chain: Chain) -> Any:
    """From a state to its likeliest token, the lowest of equal ones, and to what follows."""
    edges = chain.raw_edges()
    start = np.searchsorted(edges.source, np.arange(chain.n_states + 1))

    def following(state: int) -> tuple[int, int]:
        here = slice(int(start[state]), int(start[state + 1]))
        best = int(np.argmax(edges.probability[here])) + here.start
        return int(edges.token[best]), int(edges.target[best])

    return following


def _ahead(found: Exploration) -> tuple[Ahead, ...]:
    """Each of the first prompts followed by its likeliest token."""
    chain, following = found.chain, _following(found.chain)
    paths = []
    for place, prompt in enumerate(found.prompts[:MOST_PROMPTS]):
        at = _start_of(found, prompt)
        tokens: list[int] = []
        met: dict[int, int] = {}
        while at not in met and at != chain.unexplored:
            met[at] = len(tokens)
            token, at = following(at)
            tokens.append(token)
        left = at == chain.unexplored
        paths.append(
            Ahead(
                prompt=place,
                steps=len(tokens) if left else met[at],
                loop=None if left else tuple(tokens[met[at] :]),
            )
        )
    return tuple(paths)


def _start_of(found: Exploration, prompt: tuple[int, ...]) -> int:
    """The state of a prompt, which may be one that was not explored."""
    table = found.chain.states.contexts()
    assert table is not None
    padded = np.full(table.shape[1], -1)
    padded[len(padded) - len(prompt) :] = prompt
    here = np.flatnonzero((table == padded).all(axis=1))
    if len(here):
        return int(here[0])
    assert found.chain.unexplored is not None
    return found.chain.unexplored


def _plain(first: FirstTokens) -> dict[str, Any]:
    return {name: value for name, value in vars(first).items() if name != "chain"} | {
        "error_meaning": first.error_meaning
    }


def _sides(value: tuple[float, float] | Absent) -> dict[str, Any]:
    if isinstance(value, Absent):
        return value.to_dict()
    return {"low": value[0], "high": value[1]}


def _loop(loop: Loop, chain: Chain) -> dict[str, Any]:
    text = None
    if loop.tokens is not None:
        text = chain.vocabulary.decode(loop.tokens)
    return {
        "n_states": len(loop.states),
        "period": loop.period,
        "tokens": loop.tokens,
        "text": text,
        "ends_here": _sides(loop.ends_here),
        "entropy_rate": to_json(loop.rate),
    }
