"""Trees of suffixes that are closed under the shift, for windows of one length.

A *context tree* names a window by one of its suffixes, a leaf of a tree of words read backwards
from the newest token (a variable-length Markov chain: Bühlmann & Wyner 1999). Its leaves are the
states of a machine if a leaf and a token decide the next leaf. Let a suffix be *inner* if the
tree goes on beyond it. The next leaf is decided if what is left of an inner word without its last
token is inner too: the tree is *closed under the shift*.

*Gain.* Let J(c, t) be the stationary probability of the suffix c and then t. To forget what
stands before c costs

    T(c) = sum_t J(c, t) log2(J(c) / J(c, t)) - sum_{windows s that end with c} pi(s) H(P_s),

which no suffix of c undercuts; so the words of T above a threshold are a tree, and the price of
its leaves is the sum of their T.

References
----------
Bühlmann & Wyner (1999), Annals of Statistics 27, 480-513. Rissanen (1983), IEEE Trans. Inf.
Theory 29, 656-664 (trees of contexts).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.row_entropy import log2_ratio
from fsm_gpt.rows import Numbers

__all__ = [
    "closed_under_shift",
    "costs_of_forgetting",
    "leaf_of_windows",
    "prunings",
    "tree_of_rows",
]

Ids = npt.NDArray[np.int64]
#: Of each length k = 0 to L which of the V**k words are inner.
Inner = list[npt.NDArray[np.bool_]]


def tree_of_rows(by_row: Ids, V: int) -> Inner:
    """The smallest tree in which a leaf decides the row, given the row's number of each window."""
    rows = [by_row]  # of each suffix of k tokens the number of its row, -1 where it is inner
    while V > 1 and len(rows[0]) > 1:
        shorter = rows[0].reshape(V, -1)
        alike = (shorter == shorter[0]).all(axis=0)
        rows.insert(0, np.where(alike, shorter[0], -1))
    return [row < 0 for row in rows]


def closed_under_shift(inner: Inner, V: int) -> Inner:
    """The smallest tree that holds one and in which a leaf and a token decide the next leaf."""
    inner = [words.copy() for words in inner]
    for k in range(len(inner) - 1, 0, -1):
        words = np.flatnonzero(inner[k])
        inner[k - 1][words // V] = True
        inner[k - 1][words % max(V ** (k - 1), 1)] = True
    return inner


def leaf_of_windows(inner: Inner, V: int) -> tuple[Ids, int]:
    """Of each window the number of its leaf, and how many leaves there are.

    >>> leaf_of_windows([np.array([True]), np.array([False, True]), np.array([False] * 4)], 2)
    (array([0, 1, 0, 2]), 3)
    """
    leaf = np.zeros(1, dtype=np.int64)
    count = 0 if inner[0][0] else 1
    for k in range(1, len(inner)):
        longer = np.tile(leaf, V)
        new = np.flatnonzero(~inner[k] & np.tile(inner[k - 1], V))
        longer[new] = count + np.arange(len(new))
        leaf, count = longer, count + len(new)
    return leaf, count


def costs_of_forgetting(chain: Chain, pi: Numbers) -> list[Numbers]:
    """T(c) of every suffix of k = 0 to L tokens, in bits per token, shape (V**k,) each."""
    V, L = chain.n_tokens, int(chain.context or 0)
    rest = np.zeros(chain.n_states)
    joint = np.empty((chain.n_states, V))
    scale = chain._parts.storage.scale
    np.multiply(chain.next_token, (pi if scale is None else pi / scale)[:, None], out=joint)
    kept, costs = _bits(joint), [rest]
    for _ in range(L):
        joint = joint.reshape(V, len(joint) // V, V).sum(axis=0)
        kept = kept.reshape(V, -1).sum(axis=0)
        costs.insert(0, np.maximum(_bits(joint) - kept, 0.0))
    return costs


def _bits(joint: Numbers) -> Numbers:
    """sum_t J(c, t) log2(J(c) / J(c, t)) of each row."""
    total = joint.sum(axis=1)
    bits = np.zeros(len(joint))
    for column in joint.T:
        there = column > 0
        bits[there] += column[there] * log2_ratio(total[there], column[there])
    return bits


def prunings(costs: list[Numbers], V: int) -> Iterator[Inner]:
    """Trees of ever more inner words, those that cost most to forget, closed under the shift.

    The number of words that a tree begins with grows by half each time, later to the double.
    """
    every = np.concatenate(costs)
    every = np.sort(every[every > 0])[::-1]
    wanted = 1
    while wanted <= len(every):
        least = every[wanted - 1]
        yield closed_under_shift([cost >= least for cost in costs], V)
        wanted = max(wanted + 1, wanted * 3 // 2) if wanted < 256 else wanted * 2
