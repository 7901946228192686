"""The rows of a model, as they come: all of them, or what a decoding rule keeps.

V**L rows of V probabilities are a dense array where they fit into memory. Under a rule that keeps
few tokens most of them are zero; then each block is decoded when it comes and only what is left
is kept, as transitions: under top-k 40 no more than 40 for each state, whatever the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule, underflow_note
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.result import read_only
from fsm_gpt.space import ContextSpace

__all__ = ["BYTES_OF_A_TRANSITION", "Dense", "Sparse"]

Floats = npt.NDArray[np.float64]

#: While the transitions of a chain are checked and sorted.
BYTES_OF_A_TRANSITION = 180


class Dense:
    """Every row, as it is."""

    def __init__(self, space: ContextSpace) -> None:
        self.space = space
        self.rows = np.empty((space.size, len(space.vocabulary)))

    def add(self, first: int, rows: Floats) -> None:
        """The rows of the states from ``first`` on."""
        self.rows[first : first + len(rows)] = rows

    def chain(self, *, notes: Sequence[str], provenance: Mapping[str, str]) -> Chain:
        """The chain of all rows."""
        return Chain(
            self.rows,
            vocabulary=self.space.vocabulary,
            context=self.space.length,
            short_contexts=self.space.shortest < self.space.length,
            notes=notes,
            provenance=provenance,
        )


class Sparse:
    """What rules keep of the rows of every full window, as transitions.

    Raises
    ------
    StateSpaceTooLarge
        When a row is added and so many are kept that the rest would not fit.
    """

    def __init__(self, space: ContextSpace, rules: Sequence[Rule], max_memory_gib: float) -> None:
        self.space, self.rules, self.limit = space, tuple(rules), max_memory_gib
        self.source: list[npt.NDArray[np.int64]] = []
        self.token: list[npt.NDArray[np.int64]] = []
        self.probability: list[Floats] = []
        self.tied: list[npt.NDArray[np.int64]] = []
        self.underflowed = self.kept = self.seen = 0

    def add(self, first: int, rows: Floats) -> None:
        """The rows of the windows from ``first`` on, not decoded yet."""
        tied, lost = np.zeros((2, len(rows)), dtype=bool)
        for rule in self.rules:
            rows, tie, less = rule(rows)
            tied |= tie
            lost |= less
        row, token = np.nonzero(rows != 0)
        self.source.append(first + row)
        self.token.append(token)
        self.probability.append(np.asarray(rows[row, token], dtype=np.float64))
        self.tied.append(first + np.flatnonzero(tied))
        self.underflowed += int(lost.sum())
        self.kept += len(token)
        self.seen += len(rows)
        self._refuse_too_many()

    def _refuse_too_many(self) -> None:
        need = self.kept / self.seen * self.space.size * BYTES_OF_A_TRANSITION / 2**30
        if need <= self.limit or self.seen < min(self.space.size, 256):
            return
        raise StateSpaceTooLarge(
            f"extract: the decoding rule keeps {self.kept / self.seen:,.1f} tokens of the first "
            f"{self.seen:,} contexts on average, so all {self.space.size:,} need about "
            f"{need:,.1f} GiB, above the limit of {self.limit:g} GiB. Use a rule that keeps fewer, "
            f"such as TopK(8), explore() the part that prompts lead to, or raise max_memory_gib."
        )

    def chain(self, *, notes: Sequence[str], provenance: Mapping[str, str]) -> Chain:
        """The chain of what was kept; its states are all windows."""
        source, token = np.concatenate(self.source), np.concatenate(self.token)
        V = len(self.space.vocabulary)
        if self.underflowed:
            notes = [*notes, underflow_note(self.rules, self.underflowed)]
        chain = Chain.from_edges(
            source,
            token,
            source % (self.space.size // V) * V + token,
            np.concatenate(self.probability),
            vocabulary=self.space.vocabulary,
            states=self.space,
            notes=notes,
            provenance=provenance,
        )
        return chain._with(decoding=self.rules, tied=read_only(np.concatenate(self.tied), np.int64))
