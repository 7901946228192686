"""The rows of a model, as they come: all of them, or what a decoding rule keeps.

Each block of rows is decoded when it comes, in float64. V**L rows of V probabilities are a dense
array where they fit into memory, of float64 or of float32. Under a rule that keeps few tokens most
of them are zero; then only what is left is kept, as transitions: under top-k 40 no more than 40 for
each state, whatever the vocabulary.
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

__all__ = ["BYTES_OF_A_TRANSITION", "Dense", "Sparse", "narrowing_note"]

Floats = npt.NDArray[np.float64]

#: While the transitions of a chain are checked and sorted.
BYTES_OF_A_TRANSITION = 180


class _Decoded:
    """Blocks of rows after the rules, and what the rules met."""

    def __init__(self, space: ContextSpace, rules: Sequence[Rule]) -> None:
        self.space, self.rules = space, tuple(rules)
        self.tied: list[npt.NDArray[np.int64]] = []
        self.underflowed = 0

    def decoded(self, first: int, rows: Floats) -> Floats:
        """The rows of the states from ``first`` on."""
        tied, lost = np.zeros((2, len(rows)), dtype=bool)
        for rule in self.rules:
            rows, tie, less = rule(rows)
            tied |= tie
            lost |= less
        self.tied.append(first + np.flatnonzero(tied))
        self.underflowed += int(lost.sum())
        return rows

    def told(self, chain: Chain) -> Chain:
        """The chain with its rules, and with what is to be known of them."""
        if not self.rules:
            return chain
        notes = chain.notes
        if self.underflowed:
            notes += (underflow_note(self.rules, self.underflowed),)
        tied = np.sort(np.concatenate(self.tied))  # of several lengths, blocks come in any order
        return chain._with(decoding=self.rules, tied=read_only(tied, np.int64), notes=notes)


def narrowing_note(count: int) -> str:
    """What is said of probabilities that float32 has no number for."""
    return (
        f"{count:,} probabilities are zero by float32 underflow: they are above "
        f"zero in float64, so structure there is that of the narrower floats"
    )


class Dense(_Decoded):
    """Every row, as it is."""

    def __init__(
        self, space: ContextSpace, rules: Sequence[Rule], dtype: npt.DTypeLike = np.float64
    ) -> None:
        super().__init__(space, rules)
        self.rows = np.empty((space.size, len(space.vocabulary)), dtype=dtype)
        self.narrowed = 0

    def add(self, first: int, rows: Floats) -> None:
        """The rows of the states from ``first`` on, not decoded yet."""
        rows = self.decoded(first, rows)
        kept = self.rows[first : first + len(rows)]
        kept[:] = rows
        if kept.dtype != rows.dtype:
            self.narrowed += int(((kept == 0) & (rows != 0)).sum())

    def chain(self, *, notes: Sequence[str], provenance: Mapping[str, str]) -> Chain:
        """The chain of all rows, which are not copied."""
        if self.narrowed:
            notes = [*notes, narrowing_note(self.narrowed)]
        chain = Chain._of_own_rows(
            self.rows,
            self.space,
            notes=notes,
            provenance=provenance,
        )
        return self.told(chain)


class Sparse(_Decoded):
    """What rules keep of the rows of every full window, as transitions.

    Raises
    ------
    StateSpaceTooLarge
        When a row is added and so many are kept that the rest would not fit.
    """

    def __init__(self, space: ContextSpace, rules: Sequence[Rule], max_memory_gib: float) -> None:
        super().__init__(space, rules)
        self.limit = max_memory_gib
        self.source: list[npt.NDArray[np.int64]] = []
        self.token: list[npt.NDArray[np.int64]] = []
        self.probability: list[Floats] = []
        self.kept = self.seen = 0

    def add(self, first: int, rows: Floats) -> None:
        """The rows of the windows from ``first`` on, not decoded yet."""
        rows = self.decoded(first, rows)
        row, token = np.nonzero(rows != 0)
        self.source.append(first + row)
        self.token.append(token)
        self.probability.append(np.asarray(rows[row, token], dtype=np.float64))
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
        return self.told(chain)
