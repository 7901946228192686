"""The moves of pairs, a model's state and its environment's, from where they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.following import Follower
from fsm_gpt.rows import Numbers

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.environment import Environment

__all__ = ["PairMoves", "explored", "joined"]

Ids = npt.NDArray[np.int64]

#: What a move of a pair takes at the height, before moves with one token are added up.
BYTES_A_MOVE = 160


class PairMoves(NamedTuple):
    """Moves of pairs: where from, what enters the text, where to, how likely."""

    state: Ids
    beside: Ids
    token: Ids
    next_state: Ids
    next_beside: Ids
    probability: Numbers


def explored(
    chain: Chain, environment: Environment, begin: Ids, *, max_memory_gib: float
) -> PairMoves:
    """Every move of every pair that some states lead to, layer by layer.

    The environment begins in its first state. What a layer takes is known before it is made.

    Raises
    ------
    StateSpaceTooLarge
        It is more memory than is allowed.
    """
    E = len(environment.names)
    pairs = _Pairs(chain, environment)
    layer = known = begin * E
    layers: list[PairMoves] = []
    count = 0
    while len(layer):
        _refuse_above(max_memory_gib, count + pairs.heard(layer), chain, E, len(known))
        drawn = pairs.drawn(layer)
        count += drawn.n_moves
        _refuse_above(max_memory_gib, count, chain, E, len(known))
        moves = pairs.moves(layer, drawn)
        layers.append(moves)
        reached = np.unique(moves.next_state * E + moves.next_beside)
        layer = np.setdiff1d(reached, known, assume_unique=True)
        known = np.union1d(known, layer)
    return PairMoves(*(np.concatenate(column) for column in zip(*layers, strict=True)))


def _refuse_above(limit: float, moves: int, chain: Chain, E: int, pairs: int) -> None:
    need = moves * BYTES_A_MOVE / 2**30
    if need > limit:
        raise StateSpaceTooLarge(
            f"couple: {chain.n_states:,} states and an environment of {E:,} make a product of "
            f"which {pairs:,} pairs were reached, and which takes {need:,.2g} GiB or more, above "
            f"the limit of {limit:g} GiB. Give a start, a shorter context or an environment of "
            f"fewer states, or raise max_memory_gib."
        )


class _Drawn(NamedTuple):
    """What the environment may hear in each of some pairs: a token of the model, or nothing."""

    place: Ids
    """Which pair."""
    key: Ids
    """The environment's state and what it hears, as one number."""
    probability: Numbers
    n_moves: int
    """How many moves this makes."""


class _Pairs:
    """What a model and its environment do, by pair."""

    def __init__(self, chain: Chain, environment: Environment) -> None:
        E, V = len(environment.names), chain.n_tokens
        self.E, self.environment, self.edges = E, environment, chain.edges()
        self.first = np.searchsorted(self.edges.source, np.arange(chain.n_states + 1))
        keys = environment.key(environment.state, environment.heard)
        self.of_key = np.searchsorted(keys, np.arange(E * (V + 1) + 1))
        self.speaking = environment.speaking
        self.follow = Follower(chain)

    def heard(self, pairs: Ids) -> int:
        """How many tokens, or silences, may be heard in some pairs."""
        state, beside = np.divmod(pairs, self.E)
        counts = (self.first[1:] - self.first[:-1])[state]
        return int(np.where(self.speaking[beside], 1, counts).sum())

    def drawn(self, pairs: Ids) -> _Drawn:
        """What may be heard."""
        state, beside = np.divmod(pairs, self.E)
        speaks = self.speaking[beside]
        listening, silent = np.flatnonzero(~speaks), np.flatnonzero(speaks)
        which, edge = joined(self.first, state[listening])
        place = np.concatenate([listening[which], silent])
        heard = np.concatenate([self.edges.token[edge], np.full(len(silent), -1)])
        p = self.edges.probability
        key = self.environment.key(beside[place], heard)
        return _Drawn(
            place,
            key,
            np.concatenate([p[edge], np.ones(len(silent), dtype=p.dtype)]),
            int((self.of_key[key + 1] - self.of_key[key]).sum()),
        )

    def moves(self, pairs: Ids, drawn: _Drawn) -> PairMoves:
        """What then enters the text, and where both go."""
        state, beside = np.divmod(pairs, self.E)
        which, move = joined(self.of_key, drawn.key)
        place, environment = drawn.place[which], self.environment
        written = environment.written[move]
        return PairMoves(
            state[place],
            beside[place],
            written,
            self.follow(state[place], written),
            environment.after[move],
            drawn.probability[which] * environment.probability[move],
        )


def joined(start: Ids, groups: Ids) -> tuple[Ids, Ids]:
    """Which group, and which member of it, ``start[g]`` to ``start[g + 1]`` for each group g.

    >>> joined(np.array([0, 2, 3]), np.array([1, 0]))
    (array([0, 1, 1]), array([2, 0, 1]))
    """
    counts = start[groups + 1] - start[groups]
    which = np.repeat(np.arange(len(groups)), counts)
    before = np.cumsum(counts) - counts
    return which, np.arange(len(which)) + (start[groups] - before)[which]
