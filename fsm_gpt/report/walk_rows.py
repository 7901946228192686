"""The rows of a chain as a page carries them: bytes in base64, for the states that fit.

A row is a list of entries, a token and its probability, without those of probability zero. Two
codings are used. Up to some thousand entries a probability is its float64. Beyond that it is its
surprise, -log2 p, in steps of 1/500 bit in two bytes: a probability is then off by a relative
2^(1/1000) - 1 = 0.07% at most before a row is divided by its sum, and what is below 2^-131 counts
as that. An entry of the list is never lost: zero is structure.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain

__all__ = ["Coding", "Entries", "chosen_states", "coded", "entries_of", "packed", "rows_in_base64"]

Ids: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Coding: TypeAlias = Literal["float64", "surprise"]

#: Rows of up to so many bytes are given as they are; and no page carries more than these.
EXACT_BYTES, MOST_BYTES = 120_000, 1_000_000
#: Steps of a surprise in a bit; the last two values are the largest surprise, and probability zero.
STEPS, LARGEST, ZERO = 500, 65_534, 65_535


@dataclass(frozen=True)
class Entries:
    """Rows of some states: how many tokens each has, the tokens, where they lead, how probable."""

    counts: Ids
    token: Ids
    target: Ids
    probability: Floats


def entries_of(chain: Chain, states: Ids) -> Entries:
    """The entries of these states' rows, each row divided by its sum.

    >>> found = entries_of(Chain([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]))
    >>> found.counts.tolist(), found.target.tolist()
    ([2, 1], [0, 1, 1])
    """
    if chain.is_window:
        rows = np.asarray(chain.next_token[states], dtype=np.float64)
        place, token = np.nonzero(rows != 0)
        R = max(chain.n_states // chain.n_tokens, 1)
        target = states[place] % R * chain.n_tokens + token
        probability = rows[place, token] / rows.sum(axis=1)[place]
        return Entries(np.count_nonzero(rows, axis=1), token, target, probability)
    edges = chain.edges()
    first, last = (np.searchsorted(edges.source, states, side=side) for side in ("left", "right"))
    counts = last - first
    at = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    at += np.arange(len(at))
    probability = np.asarray(edges.probability[at], dtype=np.float64)
    return Entries(counts, edges.token[at], edges.target[at], probability)


def _sizes(chain: Chain) -> Ids:
    """How many entries the row of each state has."""
    if chain.is_window:
        return np.asarray(np.count_nonzero(chain.next_token, axis=1))
    return np.bincount(chain.raw_edges().source, minlength=chain.n_states)


def chosen_states(chains: Sequence[Chain], by_weight: Ids, *, beside: int) -> tuple[Ids, Coding]:
    """The states whose rows under every rule a page has room for, by id, and how they are coded.

    ``by_weight`` lists states, those first that matter most; more than fit need not be there.
    ``beside`` is how many bytes a state takes beside its rows.
    """
    V = chains[0].n_tokens
    target = 0 if chains[0].is_window else 4
    each = np.full(chains[0].n_states, beside, dtype=np.int64)
    entries = np.zeros(chains[0].n_states, dtype=np.int64)
    for chain in chains:
        sizes = _sizes(chain)
        entries += sizes
        dense = int(sizes.min()) == V
        each += sizes * 2 if dense else sizes * (2 + _width(V)) + _width(V + 1)
    each += target * _sizes(chains[0])
    if int(entries.sum()) * 8 <= EXACT_BYTES and len(by_weight) == len(each):
        return np.sort(by_weight), "float64"
    fitting = int(np.searchsorted(np.cumsum(each[by_weight]), MOST_BYTES, side="right"))
    return np.sort(by_weight[: max(fitting, 1)]), "surprise"


def coded(probability: Floats, coding: Coding) -> npt.NDArray[Any]:
    """Probabilities as they are written.

    >>> coded(np.array([1.0, 0.5, 0.0, 1e-300]), "surprise").tolist()
    [0, 500, 65535, 65534]
    """
    if coding == "float64":
        return probability.astype("<f8")
    with np.errstate(divide="ignore"):
        steps = np.minimum(np.round(-STEPS * np.log2(probability)), LARGEST)
    return np.where(probability > 0, np.maximum(steps, 0), ZERO).astype("<u2")


def packed(values: npt.NDArray[Any]) -> str:
    """An array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def rows_in_base64(found: Entries, n_tokens: int, coding: Coding) -> dict[str, Any]:
    """Entries ready for a page. Where every row has every token, they need no list."""
    document: dict[str, Any] = {"probability": packed(coded(found.probability, coding))}
    if len(found.token) != len(found.counts) * n_tokens:
        document["counts"] = packed(found.counts.astype(_whole(n_tokens + 1)))
        document["tokens"] = packed(found.token.astype(_whole(n_tokens)))
    return document


def _whole(n: int) -> str:
    """The least whole numbers in which the numbers below n can be written."""
    return "<u1" if n <= 2**8 else "<u2" if n <= 2**16 else "<u4"


def _width(n: int) -> int:
    return np.dtype(_whole(n)).itemsize
