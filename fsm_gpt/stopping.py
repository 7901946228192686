"""A chain in which a token ends the text.

Generation with a stop token goes on until the token is emitted. As a chain: whatever led on by
the stop token leads to one more state, END, and END is never left. Its loop carries the stop
token, because every state has a row; it stands for silence and emits nothing.

States whose context holds the stop token stay: a prompt may hold it, as nanoGPT's prompt is
the line break that ends a text. From other states they are not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fsm_gpt.build import edge_list
from fsm_gpt.compound import WithEnd
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.storage import Edges

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["stopped"]


def stopped(chain: Chain, tokens: tuple[int | str, ...]) -> Chain:
    """The chain whose text ends with any of these tokens; see ``Chain.with_stop``."""
    if chain.end is not None:
        raise InvalidArgument(
            "with_stop: this chain has an END already. Name all tokens that end a text in one "
            "call, on the chain without an end."
        )
    if not tokens:
        raise InvalidArgument("with_stop: no token is named. Name the token that ends a text.")
    stop = tuple(dict.fromkeys(_token(chain, token) for token in tokens))
    edges, N = chain.raw_edges(), chain.n_states
    ends = np.isin(edges.token, stop)
    one = edges.probability[:1] * 0 + 1  # of the same kind: a float, or a rational
    joined = Edges(
        np.append(edges.source, N),
        np.append(edges.token, stop[0]),
        np.append(np.where(ends, N, edges.target), N),
        np.append(edges.probability, one),
    )
    notes = chain.notes
    if not ends.any():
        notes += ("no state gives the stop token any probability, so that no text ends",)
    states = WithEnd(chain.states, stop)
    storage = edge_list(joined, states, chain.vocabulary, normalize=False)
    return chain._with(storage=storage, states=states, notes=notes)


def _token(chain: Chain, token: int | str) -> int:
    """The id of a stop token."""
    known = chain.vocabulary
    if isinstance(token, str):
        if token in known.ids:
            return known.ids[token]
    elif 0 <= int(token) < len(known):
        return int(token)
    some = " ".join(known.shown[:20]) + (" ..." if len(known) > 20 else "")
    raise InvalidArgument(
        f"with_stop: {token!r} is no token of this chain, whose {len(known):,} tokens are {some}. "
        f"Name one of them, or its id from 0 to {len(known) - 1:,}."
    )
