"""The search: breadth-first from the prompts, layer after layer, in batches.

Layer 0 are the prompts' windows. Layer d + 1 are the windows that the last layer leads to and
that were in no earlier one. States are numbered as they are found: by layer, within a layer by
the number of their tokens, then by the state and the token that lead there first. So the
numbers depend neither on the batch nor on where a search was interrupted.

*A limit on probability.* A window is explored where some path of fewer than ``max_depth`` tokens
leads to it from a prompt whose probability, the product of its tokens' after the prompt, is at
least p. A better but longer path may be found later; then what follows from the window is
looked at again with the better probability (Bellman-Ford by layers), without asking the model
again. So which windows are explored depends on their probability alone.

References
----------
Bellman (1958), On a routing problem, Quarterly of Applied Mathematics 16, 87-90 (best paths of
at most d steps, by layers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fsm_gpt.explore.rows import Asker, Block, Floats, RowStore
from fsm_gpt.explore.windows import Growing, Ids, Index, Keys, Table

__all__ = ["Limits", "Progress", "Search"]

#: Called with the states explored, those found and not explored yet, and the probability that
#: a text has so far met nothing but windows that were new when it came there.
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Limits:
    """Where a search ends at the latest."""

    max_states: int
    max_depth: int | None
    min_probability: float
    max_transitions: int


class Candidates(NamedTuple):
    """Windows that might be explored next, each once, as they were found."""

    table: Table
    keys: Keys
    #: The probability of the best path known to each.
    best: Floats
    #: The probability that a text comes to it by new windows alone.
    flow: Floats


class Search:
    """A search while it runs; afterwards the rows of every explored window."""

    def __init__(self, ask: Asker, limits: Limits, progress: Progress | None) -> None:
        self.ask, self.limits, self.progress = ask, limits, progress
        self.windows = ask.windows
        self.rows = RowStore()
        self.index = Index()
        self.table = Growing(np.int32, ask.windows.length)
        self.depth = Growing(np.int32)
        self.best = Growing(np.float64)
        #: The limits that were met with windows left to explore.
        self.met: list[str] = []

    def run(self, starts: Table, weights: Floats) -> None:
        """Explore from some windows, each once, that a text begins in with some probabilities."""
        try:
            self._run(starts, weights)
        except KeyboardInterrupt:
            self.met = ["interrupted"]
        n = len(self.rows)  # what was found and has no row, or half of one, is unexplored
        for column in (self.rows, self.table, self.depth, self.best):
            column.cut(n)

    def _run(self, starts: Table, weights: Floats) -> None:
        keys = self.windows.keys(starts)
        found = Candidates(starts, keys, np.ones(len(starts)), weights)
        improved = np.empty(0, dtype=np.int64)
        layer = 0
        while len(found.keys) or len(improved):
            if self.limits.max_depth is not None and layer >= self.limits.max_depth:
                if len(found.keys):
                    self.met.append("max_depth")
                return
            found, improved = self._layer(layer, found, improved)
            if self.met:
                return
            layer += 1

    def _layer(self, layer: int, found: Candidates, improved: Ids) -> tuple[Candidates, Ids]:
        """Explore one layer; what it leads to, and the explored windows with a better path."""
        found = self._admitted(found)
        first = len(self.table)
        self.table.extend(found.table)
        self.depth.extend(np.full(len(found.keys), layer))
        self.best.extend(found.best)
        self.index.add(found.keys, np.arange(first, len(self.table)))
        following: list[Candidates] = []
        better: list[Ids] = []
        # What improves in this layer is passed on in the next one, so copies are worked with.
        best = self.best.held[improved].copy()
        for part in (slice(i, i + self.ask.batch) for i in range(0, len(improved), self.ask.batch)):
            rows = self.rows.take(improved[part])
            no_flow = np.zeros(len(improved[part]))
            self._follow(improved[part], best[part], no_flow, rows, following, better)
        ahead, arrived = sum(len(some.keys) for some in following), 0.0
        staying = np.append(np.cumsum(found.flow[::-1])[::-1], 0.0)  # from each window on
        for part in self.ask.batches(found.table):
            rows = self._within(self.ask(found.table[part]))
            self.rows.append(rows)
            n = len(rows.counts)
            here = slice(part.start, part.start + n)
            self._follow(
                first + np.arange(here.start, here.stop),
                found.best[here],
                found.flow[here],
                rows,
                following,
                better,
            )
            if self.progress is not None:
                ahead += len(following[-1].keys)
                arrived += float(following[-1].flow.sum())
                left = arrived + float(staying[here.stop])
                self.progress(len(self.rows), ahead + len(found.keys) - here.stop, min(1.0, left))
            if n < part.stop - part.start:
                self.met.append("max_memory_gib")
                break
        return self._merged(following), np.unique(np.concatenate([_NONE, *better]))

    def _admitted(self, found: Candidates) -> Candidates:
        """The candidates that the limits let in, shorter windows first."""
        order = np.argsort(self.windows.sizes(found.table), kind="stable")
        order = order[: self.limits.max_states - len(self.table)]
        if len(order) < len(found.keys):
            self.met.append("max_states")
        table, keys, best, flow = found
        return Candidates(table[order], keys[order], best[order], flow[order])

    def _within(self, rows: Block) -> Block:
        """The first of some rows, as many as memory is allowed for."""
        room = self.limits.max_transitions - self.rows.n_transitions
        ends = np.cumsum(rows.counts)
        n = int(np.searchsorted(ends, room, side="right"))
        if n == len(ends):
            return rows
        size = int(ends[n - 1]) if n else 0
        return Block(rows.counts[:n], rows.token[:size], rows.probability[:size], rows.facts[:n])

    def _follow(
        self,
        states: Ids,
        best: Floats,
        flow: Floats,
        rows: Block,
        following: list[Candidates],
        better: list[Ids],
    ) -> None:
        """Where some explored states lead: candidates, and explored states with a better path."""
        row = np.repeat(np.arange(len(rows.counts)), rows.counts)
        path = best[row] * rows.probability
        arriving = flow[row] * rows.probability
        table = self.windows.follow(self.table.held[states][row], rows.token)
        keys = self.windows.keys(table)
        place = self.index.find(keys)
        if self.limits.min_probability > 0:
            known = np.flatnonzero(place >= 0)
            raised = known[path[known] > self.best.held[place[known]]]
            np.maximum.at(self.best.held, place[raised], path[raised])
            better.append(place[raised])
            new = np.flatnonzero((place < 0) & (path >= self.limits.min_probability))
        else:
            new = np.flatnonzero(place < 0)
        following.append(_each_once(table[new], keys[new], path[new], arriving[new]))

    def _merged(self, parts: list[Candidates]) -> Candidates:
        """Candidates of several batches, each once."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            nothing = np.empty((0, self.windows.length), dtype=np.int32)
            return _each_once(nothing, self.windows.keys(nothing), np.empty(0), np.empty(0))
        table, keys, best, flow = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _each_once(table, keys, best, flow)


_NONE = np.empty(0, dtype=np.int64)


def _each_once(table: Table, keys: Keys, best: Floats, flow: Floats) -> Candidates:
    """Each window once, as first found, with its best path and all that flows to it."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(first), dtype=np.int64)
    place[order] = np.arange(len(order))
    group = place[group.ravel()]
    first = first[order]
    highest = np.zeros(len(first))
    np.maximum.at(highest, group, best)
    total = np.zeros(len(first))
    np.add.at(total, group, flow)
    return Candidates(table[first], keys[first], highest, total)
