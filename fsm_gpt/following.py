"""Where a chain goes with a token that it would not have drawn itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import StateOutOfRange
from fsm_gpt.space import PAD

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["Follower"]

Ids = npt.NDArray[np.int64]


class Follower:
    """The state after a state and a token, whatever the token's probability.

    A window is followed by its last tokens and the new one. Other states are followed where a
    transition says so, or where the chain has the context that comes of it.

    >>> from fsm_gpt.chain import Chain
    >>> follow = Follower(Chain([[1.0, 0.0], [1.0, 0.0]]))  # never draws a 1
    >>> follow(np.array([0, 1]), np.array([1, 1]))
    array([1, 1])
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.table = None if chain.is_window else chain.successors()
        self.contexts = None if chain.is_window else chain.states.contexts()

    def __call__(self, state: Ids, token: Ids) -> Ids:
        """The states that follow.

        Raises
        ------
        StateOutOfRange
            The chain has none.
        """
        V = self.chain.n_tokens
        if self.table is None:
            return np.asarray(state % max(self.chain.n_states // V, 1) * V + token)
        found = self.table[state, token]
        for i in np.flatnonzero(found < 0).tolist():
            found[i] = self._by_context(int(state[i]), int(token[i]))
        return np.asarray(found)

    def _by_context(self, state: int, token: int) -> int:
        chain = self.chain
        why = "its states are plain names, which do not say what follows"
        if self.contexts is not None:
            row = self.contexts[state]
            context = (*row[row != PAD].tolist(), token)[-len(row) :]
            try:
                return chain.state(context)
            except StateOutOfRange:
                why = f"it has no state {chain.vocabulary.label(context)}"
        raise StateOutOfRange(
            f"couple: in state {chain.label(state)} the token {chain.vocabulary.shown[token]!r} "
            f"enters the text, and the chain cannot follow it: {why}. Take a chain over all "
            f"windows (truncate_to for a long context), or one with a transition for every token "
            f"that is written."
        )
