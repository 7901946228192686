"""Greedy decoding: where always taking the most probable token leads.

Without chance each state has one successor. A map of a finite set into itself sends every
state along a *tail* onto a *cycle*, where it stays; the states that end in a cycle are its
*basin*, the cycle's own states among them. The cycles are the closed classes of the decoded
chain, and a cycle of one state is absorbing.

Where several tokens are most probable the lowest id is taken, as by the decoding rule
:class:`fsm_gpt.decoding.Greedy`, and the state is listed as tied.

References
----------
Flajolet & Odlyzko (1990), Random mapping statistics, EUROCRYPT '89, 329-354 (tails and
cycles of a map).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.result import Result, frozen, read_only

__all__ = ["GreedyMap", "greedy_map"]

Ids: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]

#: Above so many states the compiled loop is worth loading.
COMPILED_ABOVE = 2**20
#: Rows are looked at so many entries at a time.
BLOCK = 2**20


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GreedyMap(Result):
    """The cycle that each state ends in when the most probable token is always taken."""

    chain: Chain = field(repr=False)
    token: Places
    """The most probable token of each state, shape (N,)."""
    successor: Places
    """The state that it leads to, shape (N,)."""
    cycle_of: Places
    """The number of the cycle that each state ends in, shape (N,)."""
    tail_steps: Places
    """How many tokens until a state is on its cycle, shape (N,); 0 on the cycle."""
    cycles: tuple[Ids, ...]
    """The states of each cycle in the order of visit, from its lowest; by that lowest state."""
    basin_sizes: Ids
    """How many states end in each cycle, its own among them."""
    tied: Ids
    """The states where several tokens are the most probable; the lowest id was taken."""

    @property
    def cycle_lengths(self) -> tuple[int, ...]:
        """The number of states in each cycle."""
        return tuple(len(states) for states in self.cycles)

    @property
    def longest_tail(self) -> int:
        """The most tokens that any state needs to reach its cycle."""
        return int(self.tail_steps.max())

    def emitted(self, number: int) -> str:
        """What is written on one round of a cycle.

        >>> greedy_map(Chain([[0, 1], [1, 0]], vocabulary="ab")).emitted(0)
        'ba'
        """
        return self.chain.vocabulary.label(self.token[self.cycles[number]].tolist())

    def __str__(self) -> str:
        k, n = len(self.cycles), self.chain.n_states
        cycles = "1 cycle" if k == 1 else f"{k:,} cycles"
        lines = [f"greedy map: {n:,} states, {cycles}, longest tail {_steps(self.longest_tail)}"]
        lines += [f"  {self._in_words(number)}" for number in range(min(k, 8))]
        if k > 8:
            lines.append(f"  ... and {k - 8:,} more cycles")
        if len(self.tied):
            states = "1 state" if len(self.tied) == 1 else f"{len(self.tied):,} states"
            lines.append(f"  in {states} several tokens tie; the lowest id was taken")
        return "\n".join(lines)

    def _in_words(self, number: int) -> str:
        states, basin = self.cycles[number], f"basin of {self.basin_sizes[number]:,}"
        names = self.chain.labels(states[:6])
        if len(states) == 1:
            return f"absorbing state, {basin}: {names[0]}"
        names.append("…" if len(states) > 6 else names[0])
        return f"cycle of {len(states):,}, {basin}: {' → '.join(names)}"


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count:,} steps"


def greedy_map(chain: Chain) -> GreedyMap:
    """Where every state ends when the most probable token is always taken.

    Time and memory are linear in the number of transitions; no decoded chain is made.

    Raises
    ------
    InvalidArgument
        The rows hold symbols, which cannot be compared.

    Examples
    --------
    >>> print(greedy_map(Chain([[0.5, 0.5], [0.25, 0.75], [1, 0], [0.5, 0.5]])))
    greedy map: 4 states, 1 cycle, longest tail 3 steps
      absorbing state, basin of 4: 00
      in 2 states several tokens tie; the lowest id was taken
    """
    require_complete(chain, "greedy map")
    return remembered(chain, "greedy map", lambda: _find(chain))


def _find(chain: Chain) -> GreedyMap:
    if chain.kind == "symbolic":
        raise InvalidArgument(
            "greedy map: the rows hold symbols, and the most probable token is found by comparing. "
            "Put numbers in for the symbols first."
        )
    token, successor, tied = _of_windows(chain) if chain.is_window else _of_edges(chain)
    follow = _follow_compiled if chain.n_states > COMPILED_ABOVE else _follow_by_doubling
    lowest, tail = follow(successor)
    lows = np.flatnonzero(lowest == np.arange(len(lowest)))
    number = np.searchsorted(lows, lowest)
    return GreedyMap(
        chain=chain,
        token=frozen(token),
        successor=frozen(successor),
        cycle_of=frozen(number.astype(np.int32)),
        tail_steps=frozen(tail),
        cycles=tuple(_round(successor, int(low)) for low in lows),
        basin_sizes=frozen(np.bincount(number)),
        tied=frozen(np.flatnonzero(tied)),
    )


def _of_windows(chain: Chain) -> tuple[Places, Places, npt.NDArray[np.bool_]]:
    """The most probable token of each window, its successor, and where several tie."""
    N, V = chain.n_states, chain.n_tokens
    token, tied = np.empty(N, dtype=np.int32), np.empty(N, dtype=bool)
    step = max(1, BLOCK // V)
    rows = chain.next_token
    for first in range(0, N, step):
        block = rows[first : first + step]
        token[first : first + step] = block.argmax(axis=1)
        most = block == block.max(axis=1)[:, None]
        tied[first : first + step] = np.count_nonzero(most, axis=1) > 1
    successor = np.arange(N, dtype=np.int32)
    successor %= max(N // V, 1)
    successor *= V
    successor += token
    return token, successor, tied


def _of_edges(chain: Chain) -> tuple[Places, Places, npt.NDArray[np.bool_]]:
    """The same from a list of transitions, which is sorted by state and token."""
    source, token, target, probability = chain.raw_edges()
    first = np.flatnonzero(np.append(True, source[1:] != source[:-1]))
    best = np.flatnonzero(probability == np.maximum.reduceat(probability, first)[source])
    leads = np.append(True, source[best][1:] != source[best][:-1])
    tied = np.bincount(source[best]) > 1
    best = best[leads]
    return token[best].astype(np.int32), target[best].astype(np.int32), tied


def _follow_by_doubling(successor: Places) -> tuple[Places, Places]:
    """The lowest state of the cycle that each state ends in, and how far it is from the cycle.

    After 2**k >= N steps every state is on its cycle, and each cycle is covered. A minimum over
    2**k states in a row, or a count of those off the cycles, is one over twice 2**(k-1).
    """
    N = len(successor)
    jump, lowest = successor, np.arange(N, dtype=np.int32)
    for _ in range(N.bit_length()):
        lowest = np.minimum(lowest, lowest[jump])
        jump = jump[jump]
    lowest = lowest[jump]
    tail = np.ones(N, dtype=np.int32)
    tail[jump] = 0
    jump = successor
    for _ in range(N.bit_length()):
        tail = tail + tail[jump]
        jump = jump[jump]
    return lowest, tail


def _follow_compiled(successor: Places) -> tuple[Places, Places]:
    """The same by one walk over the states."""
    from fsm_gpt.kernels.graph import follow

    cycle, tail, count = follow(successor)
    on = np.flatnonzero(tail == 0)[::-1]
    low = np.empty(count, dtype=np.int32)
    low[cycle[on]] = on  # the lowest is written last
    return low[cycle], tail


def _round(successor: Places, low: int) -> Ids:
    """The states of a cycle from its lowest on, in the order of visit."""
    states = [low]
    while (state := int(successor[states[-1]])) != low:
        states.append(state)
    return read_only(states, np.int64)
