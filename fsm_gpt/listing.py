"""A chain in words: the article's listing, and what the states are."""

from __future__ import annotations

import numpy as np

from fsm_gpt.compound import WithEnd
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace, SomeContexts, States, Vocabulary

__all__ = ["listing_line", "states_in_words"]

#: Rows of more tokens name only the most probable ones.
WHOLE_ROW, MOST_PROBABLE = 8, 5


def listing_line(row: Numbers, state: int, states: States, vocabulary: Vocabulary) -> str:
    """A state and the probabilities of its next token.

    >>> space = ContextSpace(Vocabulary.of("ab"), 2)
    >>> listing_line(np.array([0.25, 0.75]), 1, space, space.vocabulary)
    'input [a, b] ---> [0.250, 0.750]'
    """
    texts = [str(p) if row.dtype == object else f"{p:.3f}" for p in row]
    if len(vocabulary) > WHOLE_ROW:
        best = np.argsort(-row, kind="stable")[:MOST_PROBABLE]
        texts = [f"{vocabulary.shown[t]} {texts[t]}" for t in best if row[t] != 0] + ["..."]
    name = states.label(state)
    if isinstance(states, WithEnd) and state != states.end:
        states = states.base
    if isinstance(states, ContextSpace):
        name = ", ".join(vocabulary.shown[t] for t in states.tokens_of(state))
    elif isinstance(states, SomeContexts):
        name = ", ".join(vocabulary.shown[t] for t in states.table[state] if t != PAD)
    return f"input [{name}] ---> [{', '.join(texts)}]"


def states_in_words(states: States, n_tokens: int) -> str:
    """What the states are, in brackets where they are contexts.

    >>> states_in_words(ContextSpace(Vocabulary.of("01"), 3), 2)
    ' (every window of 3 tokens over 2)'
    """
    if isinstance(states, WithEnd):
        return f"{states_in_words(states.base, n_tokens)} and END"
    if isinstance(states, ContextSpace):
        L = states.length
        if states.shortest < L:
            return f" (every context of {states.shortest} to {L} tokens over {n_tokens})"
        return f" (every window of {L} token{'s' if L != 1 else ''} over {n_tokens})"
    if isinstance(states, SomeContexts):
        L = int(states.table.shape[1])
        return f" (contexts of {L} token{'s' if L != 1 else ''} over {n_tokens})"
    return f" over {n_tokens} tokens"
