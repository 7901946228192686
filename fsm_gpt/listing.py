"""A chain in words: the article's listing, and what the states are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.compound import WithEnd
from fsm_gpt.display import block, cut, table
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace, SomeContexts, States, Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["chain_as_html", "chain_in_full", "listing_line", "states_in_words"]

#: Rows of more tokens name only the most probable ones.
WHOLE_ROW, MOST_PROBABLE = 8, 5
#: A chain of so many states shows its rows, and one of so many tokens their names.
FEW_STATES, FEW_TOKENS = 16, 40
#: What a reader first wants of where a chain comes from; the rest is in ``provenance``.
ORIGIN = ("model", "parameters", "weights", "training", "source", "file")


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


def chain_in_full(chain: Chain) -> str:
    """What a chain says of itself: its states, tokens and origin, and its rows where they are few.

    >>> from fsm_gpt.chain import Chain
    >>> print(chain_in_full(Chain(np.full((32, 2), 0.5), provenance={"model": "a coin"})))
    Chain: 32 states (every window of 5 tokens over 2), 64 transitions
      tokens: 0, 1
      model: a coin
      listing() shows the rows
    """
    lines = [f"  {name}: {words}" for name, words in _about(chain)]
    if chain.n_states <= FEW_STATES:
        lines += [f"  {line}" for line in chain.listing().split("\n")]
    else:
        lines.append("  listing() shows the rows")
    return cut("\n".join([str(chain), *lines]))


def chain_as_html(chain: Chain) -> str:
    """The same for a notebook, its rows as a table."""
    parts = [table(about)] if (about := _about(chain)) else []
    V = chain.n_tokens
    if chain.n_states <= FEW_STATES and V <= WHOLE_ROW:
        heads = ("state", *chain.vocabulary.shown)
        rows = [
            (chain.label(s), *("0" if p == 0 else _entry(p) for p in chain.next_token[s]))
            for s in range(chain.n_states)
        ]
        parts.append(table(rows, heads=heads))
    elif chain.n_states <= FEW_STATES:
        lines = (chain.listing(states=[s]).removeprefix("input ") for s in range(chain.n_states))
        pairs = [(name, row) for name, _, row in (line.partition(" ---> ") for line in lines)]
        parts.append(table(pairs, heads=("state", "most probable next tokens")))
    rows_are = "" if chain.n_states <= FEW_STATES else "listing() shows the rows"
    return block(str(chain), *parts, foot=rows_are)


def _entry(p: object) -> str:
    """A probability in a table; rationals and expressions as they are."""
    if not isinstance(p, (float, np.floating)):
        return cut(str(p), most=40, widest=40)
    return f"{p:.4f}" if p >= 1e-4 else f"{p:.1e}"


def _about(chain: Chain) -> list[tuple[str, str]]:
    """Tokens, origin and notes, each with its name."""
    shown = chain.vocabulary.shown
    more = f", ... ({len(shown):,} in all)" if len(shown) > FEW_TOKENS else ""
    known = [("tokens", ", ".join(shown[:FEW_TOKENS]) + more)]
    known += [(name, chain.provenance[name]) for name in ORIGIN if name in chain.provenance]
    known += [("note", note) for note in chain.notes[:4]]
    return [(name, cut(str(words), most=240, widest=240)) for name, words in known]
