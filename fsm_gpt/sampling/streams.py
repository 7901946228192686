"""Streams drawn side by side: the entropy of every row on the way, and the tokens drawn.

At each step all streams draw one token. A model is asked for the rows of all their windows in
one batch, each window recomputed from its first position, so that a window alone decides its
row and the process is the chain of :func:`fsm_gpt.extract`; a cache of keys and values that is
kept while the window moves on would be another process. A chain gives its rows at once, and
their entropies are worked out afterwards, once a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.asking import Rows
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule
from fsm_gpt.markov.row_entropy import row_entropies, surprise
from fsm_gpt.series.recurrence import numbered_windows
from fsm_gpt.simulate import draw, follower
from fsm_gpt.space import PAD, Vocabulary

__all__ = ["Streams", "streams_of_chain", "streams_of_model"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Tick = Callable[[int], None]

#: Entries of rows, or logits, that are held at a time, to bound the memory.
BLOCK = 2**23


class Streams(NamedTuple):
    """What K streams of n tokens went through; every array has the shape (K, n)."""

    #: Entropy in bits of the row that each token was drawn from.
    entropies: Floats
    #: -log2 of the probability that the row gave to the token drawn.
    surprises: Floats
    tokens: Ids
    #: Equal where the state was; of a chain, its state ids.
    states: Ids
    #: The name of the state that a stream was in at a time.
    label: Callable[[int, int], str]
    #: How many probabilities the model masked, and how many underflowed.
    masked: int = 0
    underflowed: int = 0
    #: In how many rows a rule made a probability too small for a float.
    lost_by_rules: int = 0


def streams_of_chain(
    chain: Chain, starts: Ids, n_tokens: int, generator: np.random.Generator, tick: Tick
) -> Streams:
    """Streams of a chain from these states, shape (K,)."""
    K = len(starts)
    after = follower(chain)
    states, tokens, places = (np.empty((K, n_tokens), dtype=np.int64) for _ in range(3))
    here, each = starts, np.arange(K)
    for t in range(n_tokens):
        following = after(here)
        place = draw(following.weights, generator.random(K))
        states[:, t], places[:, t] = here, place
        tokens[:, t] = following.tokens[each, place]
        here = following.targets[each, place]
        tick(t + 1)
    visited, which = np.unique(states, return_inverse=True)
    which = which.reshape(states.shape)
    entropies, surprises = np.empty(states.shape), np.empty(states.shape)
    step = max(1, BLOCK // chain.n_tokens)
    for first in range(0, len(visited), step):
        weights = after(visited[first : first + step]).weights
        rows = weights / weights.sum(axis=1, keepdims=True)
        mine = (which >= first) & (which < first + step)
        entropies[mine] = row_entropies(rows)[which[mine] - first]
        surprises[mine] = surprise(rows)[which[mine] - first, places[mine]]
    return Streams(
        entropies, surprises, tokens, states, lambda k, t: chain.label(int(states[k, t]))
    )


def streams_of_model(
    rows_of: Callable[[Ids], Rows],
    rules: Sequence[Rule],
    prompts: Sequence[Sequence[int]],
    vocabulary: Vocabulary,
    length: int,
    n_tokens: int,
    generator: np.random.Generator,
    tick: Tick,
) -> Streams:
    """Streams of a model that sees ``length`` tokens, one from each prompt.

    A prompt of fewer tokens grows until the window is full.
    """
    K = len(prompts)
    text = np.full((K, length + n_tokens), PAD, dtype=np.int64)
    for row, prompt in zip(text, prompts, strict=True):
        row[length - len(prompt) : length] = prompt
    sizes = np.array([len(prompt) for prompt in prompts])
    entropies, surprises = np.empty((K, n_tokens)), np.empty((K, n_tokens))
    masked = underflowed = lost = 0
    for t in range(n_tokens):
        u = generator.random(K)
        for mine in _askable(sizes, len(vocabulary)):
            rows = rows_of(text[mine, length + t - sizes[mine[0]] : length + t])
            masked, underflowed = masked + rows.masked, underflowed + rows.underflowed
            decoded = rows.probabilities
            for rule in rules:
                decoded, _, too_small = rule(decoded)
                lost += int(too_small.sum())
            drawn = draw(decoded, u[mine])
            text[mine, length + t] = drawn
            entropies[mine, t] = row_entropies(decoded)
            surprises[mine, t] = surprise(decoded)[np.arange(len(mine)), drawn]
        sizes = np.minimum(sizes + 1, length)
        tick(t + 1)
    states = numbered_windows(text[:, :-1], length)
    return Streams(
        entropies,
        surprises,
        text[:, length:],
        states,
        lambda k, t: vocabulary.label(text[k, t : t + length]),
        masked,
        underflowed,
        lost,
    )


def _askable(sizes: Ids, V: int) -> Iterator[Ids]:
    """Which streams to ask for together: contexts of one length, whose logits fit the memory.

    A model may give the logits of every position, (B, l, V) numbers.
    """
    for size in np.unique(sizes).tolist():
        mine = np.flatnonzero(sizes == size)
        most = max(1, BLOCK // (size * V))
        yield from np.split(mine, range(most, len(mine), most))
