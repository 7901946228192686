"""Sampling from a chain: a text, and the states it went through; or many streams at once.

Each step draws one number u, uniform in [0, 1) with 53 bits, and takes the first token
at which the running sum of the state's probabilities exceeds u times their sum. Only
tokens of non-zero probability take part, so that no impossible token is ever drawn;
two probabilities that differ by less than 2**-53 cannot be told apart by sampling.
Rationals are rounded to floats first.

A walk of a machine with END stops there: END emits nothing, and the stop token is no part of the
text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.result import Result, read_only

__all__ = ["Next", "Simulation", "draw", "follower", "simulate"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Row = tuple[list[float], list[int], list[int]]


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Result):
    """One walk of the chain."""

    chain: Chain = field(repr=False)
    seed: int
    start: int
    """The state it began in."""
    tokens: Ids
    """Token ids, shape (n,)."""
    states: Ids
    """State ids, the start first, shape (n + 1,); END, where the walk came to it, is left out."""
    text: str
    """The tokens as text; the start is not in it, and neither is a stop token."""
    ended: bool = False
    """Whether the text came to its end."""

    def __str__(self) -> str:
        ended = ", ended" if self.ended else ""
        return (
            f"simulation: {len(self.tokens):,} tokens from state {self.chain.label(self.start)}, "
            f"seed {self.seed}{ended}\n{self.text}"
        )


def simulate(
    chain: Chain,
    n_tokens: int,
    *,
    start: int | str | Sequence[int] | None = None,
    seed: int = 0,
) -> Simulation:
    """A random text of the chain.

    Parameters
    ----------
    n_tokens
        How many tokens to draw; fewer where the text ends before.
    start
        The state to begin in, by id, label or token ids. Without it each state but END is
        equally likely to be the start, and ``seed`` decides: this is not the
        stationary distribution, so the first tokens may be untypical.
    seed
        The same seed gives the same walk.

    Raises
    ------
    StateOutOfRange
        There is no such start.
    InvalidChain
        The rows hold symbols.
    InvalidArgument
        The number of tokens or the seed is negative or no whole number.

    Examples
    --------
    >>> cycle = Chain([[0.0, 1.0], [1.0, 0.0]])
    >>> simulate(cycle, 6, start="0").text
    '101010'
    >>> walk = simulate(Chain([[0.5, 0.5], [0.25, 0.75]]), 1000, seed=1)
    >>> walk.tokens.shape, walk.states.shape
    ((1000,), (1001,))
    >>> ends = simulate(Chain([[0.5, 0.5]] * 2).with_stop(1), 1000, start=0, seed=1)
    >>> ends.ended, set(ends.text) <= {"0"}
    (True, True)
    """
    for value, what in ((n_tokens, "number of tokens"), (seed, "seed")):
        if not isinstance(value, (int, np.integer)) or value < 0:
            raise InvalidArgument(
                f"simulate: the {what} is {value!r}. Give a whole number of 0 or more."
            )
    row_of = _rows(chain.floats())
    generator = np.random.default_rng(seed)
    begins = chain.n_states - (chain.end is not None)  # END is the last state
    first = chain.state(int(generator.integers(begins)) if start is None else start)
    tokens, states = [], [first]
    known: dict[int, Row] = {}
    state, end = first, chain.end
    for u in generator.random(n_tokens).tolist():
        if state == end:
            break
        row = known.get(state)
        if row is None:
            row = known[state] = row_of(state)
        sums, emitted, targets = row
        i = min(bisect_right(sums, u * sums[-1]), len(sums) - 1)
        state = targets[i]
        if state != end:
            tokens.append(emitted[i])
            states.append(state)
    return Simulation(
        chain=chain,
        seed=int(seed),
        start=first,
        tokens=read_only(tokens, np.int64),
        states=read_only(states, np.int64),
        text=chain.vocabulary.decode(tokens),
        ended=state == end,
    )


def _rows(chain: Chain) -> Callable[[int], Row]:
    """A function from a state to its running sums, tokens and successors, zeros left out."""
    if chain.is_window:
        rows, V = chain.next_token, chain.n_tokens
        suffixes = max(chain.n_states // V, 1)

        def of_window(state: int) -> Row:
            token = np.flatnonzero(rows[state])
            target = state % suffixes * V + token
            return list(accumulate(rows[state, token].tolist())), token.tolist(), target.tolist()

        return of_window
    edges = chain.raw_edges()
    begin = np.searchsorted(edges.source, np.arange(chain.n_states + 1))

    def of_edges(state: int) -> Row:
        here = slice(begin[state], begin[state + 1])
        sums = list(accumulate(edges.probability[here].tolist()))
        return sums, edges.token[here].tolist(), edges.target[here].tolist()

    return of_edges


# ---- many streams at once, by the same rule ----


def draw(weights: Floats, u: Floats) -> Ids:
    """The place drawn in each row of weights (B, D), by numbers u in [0, 1), shape (B,).

    Rows need not sum to one. A weight of zero is never drawn.

    >>> draw(np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]), np.array([0.5, 0.999])).tolist()
    [2, 0]
    """
    sums = np.cumsum(weights, axis=1)
    # u times the sum may be rounded up to the sum, which no running sum exceeds.
    below = np.minimum(u * sums[:, -1], np.nextafter(sums[:, -1], 0))
    return np.asarray((sums <= below[:, None]).sum(axis=1))


class Next(NamedTuple):
    """What may follow some states: weights, tokens and successors, each of shape (B, D).

    Rows with fewer entries are filled up with weights of zero.
    """

    weights: Floats
    tokens: Ids
    targets: Ids


def follower(chain: Chain) -> Callable[[Ids], Next]:
    """A function from states, shape (B,), to what may follow them.

    >>> after = follower(Chain([[0.5, 0.5], [0.25, 0.75]]))
    >>> after(np.array([1])).weights, after(np.array([1])).targets
    (array([[0.25, 0.75]]), array([[0, 1]]))
    """
    chain = chain.floats()
    if chain.is_window:
        rows, V = chain.next_token, chain.n_tokens
        suffixes = max(chain.n_states // V, 1)
        every = np.arange(V, dtype=np.int64)
        table = lru_cache(maxsize=1)(lambda size: np.tile(every, (size, 1)))

        def of_windows(states: Ids) -> Next:
            targets = (states % suffixes * V)[:, None] + every
            return Next(rows[states], table(len(states)), targets)

        return of_windows
    edges = chain.raw_edges()
    begin = np.searchsorted(edges.source, np.arange(chain.n_states + 1))

    def of_edges(states: Ids) -> Next:
        first, size = begin[states], begin[states + 1] - begin[states]
        column = np.arange(int(size.max()))
        there = column < size[:, None]
        place = first[:, None] + np.where(there, column, 0)
        weights = np.where(there, edges.probability[place], 0.0)
        return Next(weights, edges.token[place], edges.target[place])

    return of_edges
