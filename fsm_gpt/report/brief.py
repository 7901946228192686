"""Names of long contexts, cut to what a page has room for: their newest tokens.

Two contexts whose newest tokens are the same get the number of their state behind it, which is also
their id in the files of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.space import PAD, SomeContexts, Vocabulary

__all__ = ["ShortContexts", "briefly", "words_of"]

#: Signs of a name that is left whole, and of the end of a longer one.
WHOLE, END = 28, 24


@dataclass(frozen=True)
class ShortContexts(SomeContexts):
    """Some contexts that are called by their newest tokens where they are long.

    >>> table = np.array([[0] * 40 + [1], [1] * 40 + [1], [-1] * 40 + [0]])
    >>> some = ShortContexts(Vocabulary.of("ab"), table)
    >>> some.label(0), some.label(2)
    ('…aaaaaaaaaaaaaaaaaaaaaaab', 'a')
    """

    @cached_property
    def _shared(self) -> npt.NDArray[np.bool_]:
        """Which contexts share with another one as many of their newest tokens as are shown."""
        tail = self.table[:, -_shown(self.vocabulary) :]
        _, place, count = np.unique(tail, axis=0, return_inverse=True, return_counts=True)
        return np.asarray(count[place.reshape(-1)] > 1)

    def label(self, state: int) -> str:
        """The context, or the end of it."""
        whole = super().label(state)
        if len(whole) <= WHOLE:
            return whole
        name, cut = words_of(self.vocabulary, self.table[state])
        return f"{name} #{state}" if cut or self._shared[state] else name


def briefly(chain: Chain) -> Chain:
    """The same chain with short names, where its states are some of the contexts.

    >>> briefly(Chain([[0.5, 0.5], [0.25, 0.75]])).labels()
    ['0', '1']
    """
    states = chain.states
    if not isinstance(states, SomeContexts):
        return chain
    return chain._with(states=ShortContexts(states.vocabulary, states.table))


def words_of(vocabulary: Vocabulary, tokens: npt.NDArray[np.int64]) -> tuple[str, bool]:
    """A context in a few signs, and whether more of it was left out than tokens as a whole.

    >>> words_of(Vocabulary.of("ab"), np.array([0, 1]))
    ('ab', False)
    """
    tokens = tokens[tokens != PAD]
    whole = vocabulary.label(tokens)
    if len(whole) <= WHOLE:
        return whole, False
    end = vocabulary.label(tokens[-_shown(vocabulary) :])
    return f"…{end[-END:]}", len(end) > END


def _shown(vocabulary: Vocabulary) -> int:
    """How many tokens of a long context are shown."""
    some = [len(token) for token in vocabulary.shown[:512]]
    if max(some) == 1:
        return END
    return max(2, int(END / (float(np.mean(some)) + 1)))
