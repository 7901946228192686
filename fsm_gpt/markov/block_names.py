"""Names for blocks of states: what their contexts end in, or the first and how many more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.compound import some_of
from fsm_gpt.markov.refinement import suffix_numbers
from fsm_gpt.space import PAD, ContextSpace, NamedStates, States

__all__ = ["names_of_blocks"]

Ids = npt.NDArray[np.int64]

#: So many blocks at most are looked into; of more each has the name of its first state alone.
COUNTED = 1024


def names_of_blocks(chain: Chain, block: Ids) -> States:
    """Names for the blocks of a partition, in the order of their numbers.

    "…01" is the block of all states that end in 01. If there are more in it, "…01 +3" says how
    many, and 01 is the shortest ending of which all states are in the block. States that are no
    contexts give the name of the first.

    >>> chain = Chain([[0.5, 0.5]] * 8)
    >>> names = names_of_blocks(chain, np.array([0, 1, 0, 2, 0, 3, 0, 2]))
    >>> [names.label(b) for b in range(4)]
    ['…0', '001', '…11', '101']
    >>> names_of_blocks(chain, np.array([0, 1, 0, 1, 0, 2, 0, 1])).label(1)
    '…11 +1'
    """
    blocks, first, sizes = np.unique(block, return_index=True, return_counts=True)
    if len(blocks) > COUNTED:
        return some_of(chain.states, first)
    names = [""] * len(blocks)
    for length, ids in enumerate(suffix_numbers(chain)):
        _name_by_ending(chain, block, sizes, ids, length, names)
        if all(names):
            break
    for b, state in enumerate(first.tolist()):
        names[b] = names[b] or chain.label(state) + _more(int(sizes[b]) - 1)
    if len(set(names)) < len(names):  # a token that is spelled like one of these signs
        return some_of(chain.states, first)
    return NamedStates(tuple(names))


def _name_by_ending(
    chain: Chain, block: Ids, sizes: Ids, ids: Ids, length: int, names: list[str]
) -> None:
    """Name the blocks that have no name yet and hold all states of one ending."""
    count = np.bincount(ids)
    one = np.zeros(len(count), dtype=np.int64)
    one[ids] = block  # a block that has a state of this ending
    split = np.zeros(len(count), dtype=bool)
    split[ids[block != one[ids]]] = True
    whole = np.flatnonzero(~split & (count > 0))
    for b, at in zip(*np.unique(one[whole], return_index=True), strict=True):
        if names[b]:
            continue
        ending = whole[at]
        state = int(np.argmax(ids == ending))
        held = int(count[ending])
        names[b] = _ending(chain, state, length) + _more(int(sizes[b]) - held)


def _more(n: int) -> str:
    """How many more there are, from ten thousand on in thousands.

    >>> _more(0), _more(2), _more(49151)
    ('', ' +2', ' +49k')
    """
    if n == 0:
        return ""
    return f" +{n:,}" if n < 10_000 else f" +{n / 1000:,.0f}k"


def _ending(chain: Chain, state: int, length: int) -> str:
    """The last tokens of a state, after a sign for what stands before them if there is more."""
    if length == 0:
        return "…"
    states = chain.states
    if isinstance(states, ContextSpace):
        tokens = list(states.tokens_of(state))
    else:
        table = states.contexts()
        assert table is not None
        tokens = [int(t) for t in table[state] if t != PAD]
    if length >= len(tokens):
        return chain.label(state)
    words = chain.vocabulary.label(tokens[-length:])
    return f"… {words}" if " " in words else f"…{words}"
