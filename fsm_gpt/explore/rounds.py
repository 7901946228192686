"""From starts to cycles: the greedy map of a model, gone through by Brent's algorithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.explore.brent import cycle_lengths, tails, unsteady
from fsm_gpt.explore.escape import odds_of_leaving
from fsm_gpt.explore.rows import Asker
from fsm_gpt.explore.windows import Growing, Ids, Index, Table

__all__ = ["Loop", "Run"]

Floats = npt.NDArray[np.float64]


class Loop(NamedTuple):
    """A cycle from its lowest window on: windows, tokens, and what the rows there say."""

    windows: Table
    tokens: Ids
    probabilities: Floats
    tied: bool
    #: The odds of leaving in each window, for each temperature.
    odds: dict[float, Floats]


class Run:
    """Distinct starts and what becomes of them.

    The greedy tokens of the first ``remember`` windows are kept, and these windows asked about
    once until the rows of the cycles are wanted.
    """

    def __init__(self, ask: Asker, starts: Table, remember: int = 0) -> None:
        self.ask, self.windows, self.starts = ask, ask.windows, starts
        self._remember, self._index, self._token = remember, Index(), Growing(np.int64)
        #: The number of each start's cycle and the steps to it; -1 where it was not closed.
        self.cycle = np.full(len(starts), -1, dtype=np.int64)
        self.tail = np.full(len(starts), -1, dtype=np.int64)
        self.loops: list[Loop] = []
        self._lows, self._lengths = starts[:0], self.cycle[:0]

    def follow(self, table: Table) -> Table:
        """The greedy map; each different window is asked once."""
        keys, first, group = np.unique(
            self.windows.keys(table), return_index=True, return_inverse=True
        )
        place = self._index.find(keys)
        token = np.empty(len(first), dtype=np.int64)
        token[place >= 0] = self._token.held[place[place >= 0]]
        new = np.flatnonzero(place < 0)
        new = new[np.argsort(self.windows.sizes(table[first[new]]), kind="stable")]
        asked = table[first[new]]
        for part in self.ask.batches(asked):
            token[new[part]] = self.ask.given(asked[part]).probabilities.argmax(axis=1)
        kept = new[: max(0, self._remember - len(self._token))]
        self._index.add(keys[kept], len(self._token) + np.arange(len(kept)))
        self._token.extend(token[kept])
        return self.windows.follow(table, token[group.ravel()])

    def close(self, most: int, progress: Callable[[int, int], None] | None) -> None:
        """Find each start's cycle and tail; cycles are told apart by their lowest window."""
        lengths = cycle_lengths(self.follow, self.starts, most, progress)
        closed = np.flatnonzero(lengths)
        lengths = lengths[closed]
        self.tail[closed], on = tails(self.follow, self.starts[closed], lengths, most)
        lows, low = on.copy(), self.windows.keys(on)
        for step in range(1, int(lengths.max(initial=0))):
            going = np.flatnonzero(lengths > step)
            on[going] = self.follow(on[going])
            keys = self.windows.keys(on[going])
            lower = keys < low[going]
            lows[going[lower]], low[going[lower]] = on[going[lower]], keys[lower]
        _, first, number = np.unique(low, return_index=True, return_inverse=True)
        self.cycle[closed] = number.ravel()
        self._lows, self._lengths = lows[first], lengths[first]

    def describe(self, temperatures: tuple[float, ...]) -> None:
        """Go round every cycle once more, and ask for the rows there."""
        tables = [np.empty((n, self.windows.length), np.int32) for n in self._lengths]
        at = self._lows.copy()
        for step in range(int(self._lengths.max(initial=0))):
            going = np.flatnonzero(self._lengths > step)
            for number in going:
                tables[number][step] = at[number]
            at[going] = self.follow(at[going])
        if not np.array_equal(at, self._lows):
            raise unsteady()
        self.loops = [self._described(table, temperatures) for table in tables]

    def _described(self, table: Table, temperatures: tuple[float, ...]) -> Loop:
        tokens = np.roll(table[:, -1], -1).astype(np.int64)  # a window ends in what led to it
        own: Floats = np.empty(len(table))
        odds = {t: np.empty(len(table)) for t in temperatures}
        tied = False
        for part in self.ask.batches(table):
            rows, chosen = self.ask.given(table[part]).probabilities, tokens[part]
            own[part] = np.take_along_axis(rows, chosen[:, None], axis=1)[:, 0]
            if (rows.argmax(axis=1) != chosen).any():
                raise unsteady()
            tied |= bool(((rows == own[part, None]).sum(axis=1) > 1).any())
            for t in temperatures:
                odds[t][part] = odds_of_leaving(rows, chosen, t)
        return Loop(table, tokens, own, tied, odds)
