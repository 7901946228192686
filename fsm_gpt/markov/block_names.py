"""Names for blocks of states: what their contexts end in, or the first and how many more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.compound import some_of
from fsm_gpt.markov.refinement import suffix_numbers
from fsm_gpt.space import PAD, NamedStates, States

__all__ = ["names_of_blocks"]

Ids = npt.NDArray[np.int64]

#: So many blocks at most are looked into; of more each has the name of its first state alone.
COUNTED = 1024


def names_of_blocks(chain: Chain, block: Ids) -> States:
    """Names for the blocks of a partition, in the order of their numbers.

    "…01" is the block of all states that end in 01. A block of another kind is called by its
    first state and how many more there are: "001 +2".

    >>> chain = Chain([[0.5, 0.5]] * 8)
    >>> names = names_of_blocks(chain, np.array([0, 1, 0, 2, 0, 3, 0, 2]))
    >>> [names.label(b) for b in range(4)]
    ['…0', '001', '…11', '101']
    """
    blocks, first, sizes = np.unique(block, return_index=True, return_counts=True)
    if len(blocks) > COUNTED:
        return some_of(chain.states, first)
    endings = _endings(chain, block, sizes)
    names = []
    for b, (state, size) in enumerate(zip(first.tolist(), sizes.tolist(), strict=True)):
        name = chain.label(state)
        if size > 1:
            length = int(endings[b])
            name = f"{name} +{size - 1:,}" if length < 0 else _ending(chain, state, length)
        names.append(name)
    if len(set(names)) < len(names):  # a token that is spelled like one of these signs
        return some_of(chain.states, first)
    return NamedStates(tuple(names))


def _endings(chain: Chain, block: Ids, sizes: Ids) -> Ids:
    """Of each block how many tokens it ends in, if it is all states that do so; else -1."""
    found = np.full(len(sizes), -1, dtype=np.int64)
    order = np.argsort(block, kind="stable")
    begin = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for length, ids in enumerate(suffix_numbers(chain)):
        ordered = ids[order]
        low, high = np.minimum.reduceat(ordered, begin), np.maximum.reduceat(ordered, begin)
        everywhere = np.bincount(ids)[low] == sizes
        found[(low == high) & everywhere] = length
    return found


def _ending(chain: Chain, state: int, length: int) -> str:
    """The last tokens of a state, after a sign for whatever stands before them."""
    states = chain.states
    if length == 0:
        return "…"
    tokens = (
        states.tokens_of(state)
        if hasattr(states, "tokens_of")
        else [t for t in _table(chain)[state] if t != PAD]
    )
    words = chain.vocabulary.label(tokens[-length:])
    return f"… {words}" if " " in words else f"…{words}"


def _table(chain: Chain) -> Ids:
    table = chain.states.contexts()
    assert table is not None
    return table
