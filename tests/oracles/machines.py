"""Small random machines with rational probabilities, and questions about them.

States are windows, edges, or windows with an end; some are absorbing, some cycle, some chains fall
into several classes. Labels "a" and "b" are on random states, and every state has a whole cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.rows import objects

__all__ = ["Machine", "frozen_in", "machines", "slowed"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Machine:
    chain: Chain
    a: Mask
    b: Mask
    cost: list[Fraction]
    """Of each state: 0, 1, 2 or 3."""
    steps: int

    @cached_property
    def floats(self) -> Chain:
        """The chain with each probability rounded."""
        return self.chain.floats()

    @property
    def labels(self) -> dict[str, list[int]]:
        return {name: np.flatnonzero(getattr(self, name)).tolist() for name in "ab"}


def _row(rng: np.random.Generator, V: int) -> list[Fraction]:
    """Small weights, many of them zero, now and then all but one."""
    weights = rng.choice([0, 0, 1, 2, 3, 7], size=V)
    if not weights.any():
        weights[rng.integers(V)] = 1
    total = int(weights.sum())
    return [Fraction(int(w), total) for w in weights]


def _windows(rng: np.random.Generator) -> Chain:
    V, L = [(2, 2), (2, 3), (3, 1), (4, 1), (7, 1)][rng.integers(5)]
    rows = [_row(rng, V) for _ in range(V**L)]
    return Chain(objects([p for row in rows for p in row], (V**L, V)), context=L)


def _edges(rng: np.random.Generator) -> Chain:
    """Up to four tokens a state, several of which may lead to one state."""
    N, V = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    source, token, target, probability = [], [], [], []
    for state in range(N):
        for t, p in enumerate(_row(rng, V)):
            source.append(state)
            token.append(t)
            target.append(int(rng.integers(N)))
            probability.append(p)
    return Chain.from_edges(
        source, token, target, objects(probability, (len(probability),)), n_states=N
    )


def _ending(rng: np.random.Generator) -> Chain:
    chain = _windows(rng)
    while chain.n_states > 7:
        chain = _windows(rng)
    return chain.with_stop(int(rng.integers(chain.n_tokens)))


def machines(n: int, seed: int) -> list[Machine]:
    """So many machines of 3 to 8 states."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        chain = (_edges, _windows, _ending, _edges)[i % 4](rng)
        N = chain.n_states
        a, b = np.zeros((2, N), dtype=bool)
        a[rng.choice(N, size=rng.integers(1, 3), replace=False)] = True
        b[rng.choice(N, size=rng.integers(1, 3), replace=False)] = True
        cost = [Fraction(int(c)) for c in rng.integers(0, 4, size=N)]
        if chain.end is not None:
            cost[chain.end] = Fraction(0)  # nothing is emitted there
        found.append(Machine(chain, a, b, cost, int(rng.integers(0, 6))))
    return found


def frozen_in(chain: Chain, states: Mask) -> Chain:
    """The chain that stays where it is once it is in one of these states."""
    source, _, target, probability = chain.edges()
    go = ~states[source]
    stay = np.flatnonzero(states)
    return _of_states(
        np.append(source[go], stay),
        np.append(target[go], stay),
        np.append(probability[go], objects([Fraction(1)] * len(stay), (len(stay),))),
        chain.n_states,
    )


def slowed(chain: Chain, cost: list[Fraction]) -> tuple[Chain, npt.NDArray[np.int64]]:
    """A chain that takes as many steps in a state as the state costs, one at least.

    Time in it is cost in the other. Returned with the states in which the old ones begin.
    """
    source, _, target, probability = chain.edges()
    takes = np.array([int(c) for c in cost])
    begin = np.append(0, np.cumsum(takes))[:-1]
    leave = begin + takes - 1
    waits = np.concatenate(
        [np.arange(first, last) for first, last in zip(begin, leave, strict=True)]
    )
    return (
        _of_states(
            np.append(leave[source], waits),
            np.append(begin[target], waits + 1),
            np.append(probability, objects([Fraction(1)] * len(waits), (len(waits),))),
            int(takes.sum()),
        ),
        begin,
    )


def _of_states(source, target, probability, n_states: int) -> Chain:
    """A chain from its transitions, each with a token of its own in its state."""
    order = np.argsort(source, kind="stable")
    source, target, probability = source[order].astype(np.int64), target[order], probability[order]
    token = np.arange(len(source)) - np.searchsorted(source, source)
    return Chain.from_edges(source, token, target.astype(np.int64), probability, n_states=n_states)
