"""What a machine of merged states costs: its rows, its KL rate, its distance in total variation.

Let a partition of the states be consistent under successors: a block and a token decide the next
block, by B(s, t) for each token t that state s can emit. With pi the stationary distribution, the
*mean row* of a block is Q_B = sum_{s in B} pi(s) P_s / pi(B). Of all machines on these blocks the
one with the mean rows has the least *KL rate*

    K = sum_s pi(s) KL(P_s || Q_B(s))    bits per token,

since sum_{s in B} pi(s) KL(P_s || R) = that with Q_B, plus pi(B) KL(Q_B || R) (Cover & Thomas
2006, theorem 13.1.1 and its proof). For the same reason prices of merging on add up. The blocks'
masses are the stationary distribution of the machine.

States that are left for ever have pi = 0. Their rows cost nothing and weigh nothing, but their
successors are held consistent as any others. A block of such states alone has the plain mean.

*Laws of n tokens.* Start the chain from pi, and the machine in the block of that state. Given the
start, the two differ at the i-th token by TV(P_s, Q_B(s)) at most on average, so over n tokens by

    n sum_s pi(s) TV(P_s, Q_B(s)),

and by sqrt(n K ln 2 / 2) at most: the divergences of the tokens add up to n K (the chain rule),
and Pinsker's inequality bounds the distance by them (Cover & Thomas, lemma 11.6.1).

*Error.* Let u = 2**-53, V the length of a row, A = sum_s pi(s) sum_t |P log2(P / Q)|. K is linear
in pi with coefficients >= 0, so an error of e in every entry of pi, relatively, is at most one of
e in K. Rows P are right to (V + 1) u and rows Q, which are the machine's whatever they are, to 2
(V + 1) u: this moves K by at most u ((V + 1) A + 3 (V + 1) / ln 2). Logarithms of quotients are
right to u and five units of their own last place, sums over V entries to V u, those over the
states, in pairs, to 64 u. Together at most u ((2 V + 80) A + 5 V + 10).

References
----------
Cover & Thomas (2006), Elements of Information Theory, sections 2.5, 11.6 and 13.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.refinement import numbered_rows
from fsm_gpt.markov.row_entropy import log2_ratio
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers
from fsm_gpt.storage import Edges

__all__ = ["Price", "in_the_long_run", "mean_rows", "price"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53


class Price(NamedTuple):
    """What a machine costs, and the proven errors of that."""

    kl_bits: float
    """The KL rate, in bits per token."""
    kl_error: Bound
    distance: float
    """sum_s pi(s) TV(P_s, Q_B(s))."""
    distance_error: Bound


def mean_rows(chain: Chain, pi: Numbers, block: Ids) -> Edges:
    """The transitions of the blocks with their mean rows, those of probability zero left out.

    >>> chain = Chain([["1/2", "1/2"], ["1/4", "3/4"]])
    >>> rows = mean_rows(chain, np.array([1, 2]), np.array([0, 0]))
    >>> [str(p) for p in rows.probability]
    ['1/3', '2/3']
    """
    K = int(block.max()) + 1
    weight = pi.copy()
    weight[_sums(block, pi, K)[block] == 0] = 1
    edges = _joint(chain, weight, block, K)
    total = _sums(edges.source, edges.probability, K)
    mean = edges.probability / total[edges.source]
    alone = _alike(chain, weight, block, K)
    if alone.any():  # their rows as they are, to the last bit
        mean = np.where(alone[edges.source], _own_rows(chain, weight, block, edges), mean)
    kept = mean != 0
    return Edges(*(column[kept] for column in (*edges[:3], mean)))


def _sums(group: Ids, values: Numbers, n: int) -> Numbers:
    if values.dtype != object:
        return np.bincount(group, weights=values, minlength=n)
    total = np.zeros(n, dtype=object)
    np.add.at(total, group, values)
    return total


def _joint(chain: Chain, weight: Numbers, block: Ids, K: int) -> Edges:
    """The weight with which each block emits each token; tokens of weight zero may be there."""
    V = chain.n_tokens
    if chain.is_window:
        columns = [_sums(block, weight * _column(chain, t), K) for t in range(V)]
        first = _first_members(block, np.ones(len(block), dtype=bool), K)
        targets = block[(first % max(chain.n_states // V, 1))[:, None] * V + np.arange(V)]
        source, token = np.divmod(np.arange(K * V), V)
        return Edges(source, token, targets.reshape(-1), np.stack(columns, axis=1).reshape(-1))
    edges = chain.edges()
    pairs, first, place = np.unique(
        block[edges.source] * V + edges.token, return_index=True, return_inverse=True
    )
    sums = _sums(place.reshape(-1), weight[edges.source] * edges.probability, len(pairs))
    source, token = np.divmod(pairs, V)
    return Edges(source, token, block[edges.target[first]], sums)


def _column(chain: Chain, token: int) -> Numbers:
    """Probabilities of a token in every state of a window chain, rows divided by their sums."""
    scale = chain._parts.storage.scale
    column = chain.next_token[:, token]
    return np.asarray(column if scale is None else column / scale)


def _alike(chain: Chain, weight: Numbers, block: Ids, K: int) -> npt.NDArray[np.bool_]:
    """Blocks in which all states that weigh have one row."""
    row = numbered_rows(chain)
    there = weight != 0
    other = there & (row != row[_first_members(block, there, K)][block])
    alike = np.ones(K, dtype=bool)
    alike[block[other]] = False
    return alike


def _first_members(block: Ids, there: npt.NDArray[np.bool_], K: int) -> Ids:
    """The first state of each block among those that are there."""
    member = np.zeros(K, dtype=np.int64)
    some = np.flatnonzero(there)[::-1]  # of several values for one place the last one stays
    member[block[some]] = some
    return member


def _own_rows(chain: Chain, weight: Numbers, block: Ids, edges: Edges) -> Numbers:
    """The row of each block's first state that weighs, at the block's transitions."""
    member = _first_members(block, weight != 0, int(block.max()) + 1)
    if chain.is_window:
        scale = chain._parts.storage.scale
        own = chain.next_token[member[edges.source], edges.token]
        return np.asarray(own if scale is None else own / scale[member[edges.source]])
    given = chain.edges()
    key = given.source * chain.n_tokens + given.token
    wanted = member[edges.source] * chain.n_tokens + edges.token
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where(key[at] == wanted, given.probability[at], 0 * given.probability[at])


def price(chain: Chain, pi: Numbers, block: Ids, rows: Edges, *, error: Bound = 0.0) -> Price:
    """What blocks with these rows cost, all in floats; ``error`` is that of pi, relatively.

    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> pi, block = np.array([1/3, 2/3]), np.array([0, 0])
    >>> round(price(chain, pi, block, mean_rows(chain, pi, block)).kl_bits, 6)
    0.04411
    """
    V = chain.n_tokens
    bits = size = distance = 0.0
    for mass, p, q in _beside(chain, pi, block, rows):
        there = np.flatnonzero((mass > 0) & (p > 0))
        mass, p, q = mass[there], p[there], q[there]
        q = np.maximum(q, math.ulp(0.0))  # a mean of what is there, lost by underflow
        terms = mass * (p * log2_ratio(p, q))
        bits += float(terms.sum())
        size += float(np.abs(terms).sum())
        distance += float((mass * np.maximum(p - q, 0.0)).sum())
    if error == UNCERTIFIED:
        return Price(max(bits, 0.0), UNCERTIFIED, distance, UNCERTIFIED)
    rounding = _UNIT * ((2 * V + 80) * size + 5 * V + 10)
    return Price(
        kl_bits=max(bits, 0.0),
        kl_error=(abs(bits) * error + rounding) * (1 + 2.0**-20),
        distance=distance,
        distance_error=(distance * error + _UNIT * (4 * V + 80)) * (1 + 2.0**-20),
    )


def _beside(
    chain: Chain, pi: Numbers, block: Ids, rows: Edges
) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """The mass of states, their probabilities of a token and their blocks', in a few pieces."""
    V = chain.n_tokens
    if chain.is_window:
        Q = np.zeros((int(block.max()) + 1, V))
        Q[rows.source, rows.token] = rows.probability
        yield from ((pi, _column(chain, t), Q[block, t]) for t in range(V))
        return
    edges = chain.edges()
    key = rows.source * V + rows.token
    wanted = block[edges.source] * V + edges.token
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    q = np.where(key[at] == wanted, rows.probability[at], 0.0)
    yield pi[edges.source], edges.probability, q


def in_the_long_run(chain: Chain) -> tuple[Chain, Numbers, Bound, str]:
    """The chain in floats, its pi, the relative error of that, and why it has no bound if so."""
    floats = chain.floats()
    pi, error, reason = long_run(floats, None, "minimize")
    if error != UNCERTIFIED:
        error = float(error) + conversion_error(chain)
    return floats, np.asarray(pi, dtype=np.float64), error, reason
