"""The flow certificate where rows are read block by block: the same theorem, less memory.

The theorem is that of :mod:`fsm_gpt.markov.certificate`: let a spanning tree carry away the
imbalances r of the flows x(i) P[i, j]; then each entry of x is right to a factor within the product
of (1 + eta) / (1 - eta) over the tree's edges, where eta = |R(S)| / F is the imbalance of the
subtree S below an edge by the flow F through it.

*Imbalances* take one pass. Each is a sum of 2V products at most, held with their rounding errors in
two floats. With u = 2**-53 and S the sum of the products' sizes, what is lost in it is at most
16 V**2 u**2 S, and S is 2 x(j) + |r(j)| at most but for rounding.

*The tree.* Any spanning tree proves something; one of heavy flows proves most. Rows are looked
at again and again, at flows of one range each time, first a sixteenth of the largest and more,
until all states hang together. So across each cut the tree has an edge at most sixteen times
lighter than the heaviest. Trees that are joined are turned, so that no list of edges is kept.

The bound holds for x as it stands in memory, however it was computed.

References
----------
O'Cinneide (1993), Numerische Mathematik 65, 109-120. Kruskal (1956), Proc. AMS 7, 48-50.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.markov.certificate import growth
from fsm_gpt.result import UNCERTIFIED, Bound

__all__ = ["certify_windows", "imbalances", "total_imbalance"]

Floats = npt.NDArray[np.float64]

_UNIT = 2.0**-53
#: Below this a product's rounding error may itself underflow.
_SMALLEST = 1e-290
#: A look at the rows takes flows down to so small a part of the look before.
_RANGE = 16.0
#: Looks at the rows at most; with the largest flow they reach 1e-72 of it.
_LOOKS = 60


def imbalances(chain: Chain, x: Floats) -> tuple[Floats, float, float]:
    """Inflow minus outflow of every state, for the flows x(i) P[i, j]; one pass over the rows.

    Returns
    -------
    The imbalances, shape (N,), right to 16 V**2 u**2 times the flows through a state and one
    rounding; the smallest flow between two states, infinite where there is none; and the largest.

    Examples
    --------
    >>> r, smallest, largest = imbalances(Chain([[0.5, 0.5], [0.25, 0.75]]), np.array([0.5, 0.5]))
    >>> r.tolist(), smallest, largest
    ([-0.125, 0.125], 0.125, 0.25)
    """
    from fsm_gpt.kernels.streamed_certificate import add_imbalances

    N = chain.n_states
    chain.require_memory(24 * N, "the imbalances of the certificate")
    high, low = np.zeros(N), np.zeros(N)
    smallest, largest = math.inf, 0.0
    for first, rows in chain.row_blocks():
        least, most = add_imbalances(_still(x), rows, first, N // chain.n_tokens, high, low)
        smallest, largest = min(smallest, least), max(largest, most)
    high += low
    return high, smallest, largest


def total_imbalance(chain: Chain, x: Floats) -> float:
    """An upper bound on sum |x P - x|, proven.

    >>> total_imbalance(Chain([[0.5, 0.5], [0.25, 0.75]]), np.array([0.5, 0.5])) >= 0.25
    True
    """
    r, _, _ = imbalances(chain, x)
    V = chain.n_tokens
    size = math.fsum(float(np.abs(part).sum()) for part in _parts(r))
    mass = math.fsum(float(part.sum()) for part in _parts(x))
    # Shares x / sum are rounded, and the sum of a row is: V + 2 roundings, in and out.
    return size * (1 + 1e-9) + mass * (2 * (V + 4) * _UNIT * (1 + 1e-4))


def certify_windows(chain: Chain, x: Floats) -> tuple[Bound, str]:
    """A bound on the relative error of every entry of x, and what stands in its way.

    The chain is one of all windows, and irreducible.

    Examples
    --------
    >>> bound, _ = certify_windows(Chain([[0.5, 0.5], [0.25, 0.75]]), np.array([1, 2]) / 3)
    >>> bound < 1e-13
    True
    """
    N, V = chain.n_states, chain.n_tokens
    if N == 1:
        return 0.0, ""
    if not all(bool((part > 0).all()) for part in _parts(x)):
        return UNCERTIFIED, "an entry underflows to zero"
    try:
        chain.require_memory(40 * N, "the tree of the certificate")
    except StateSpaceTooLarge as problem:
        return UNCERTIFIED, str(problem).rstrip(".")
    r, smallest, largest = imbalances(chain, x)
    if smallest < _SMALLEST:
        return UNCERTIFIED, "no chain close to this one has exactly this distribution"
    tree = _tree(chain, x, largest)
    if tree is None:
        return UNCERTIFIED, "the flows are too unequal to join all states by those that matter"
    most_wrong = growth(_summed(r, x, V, *tree))
    if not math.isfinite(most_wrong):
        return UNCERTIFIED, "no chain close to this one has exactly this distribution"
    total = abs(math.fsum(x) - 1) + 2 * (V + 4) * _UNIT
    return (most_wrong + total + most_wrong * total) * (1 + 8 * _UNIT), ""


def _tree(
    chain: Chain, x: Floats, largest: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.floating]] | None:
    """The parent of every state in a tree of heavy flows, and a lower bound on the flow to it."""
    from fsm_gpt.kernels.streamed_certificate import heaviest_links

    N = chain.n_states
    group, parent = np.full(N, -1, np.int32), np.full(N, -1, np.int32)
    above: npt.NDArray[np.floating] = np.zeros(N, np.float32 if chain.on_disk else np.float64)
    missing, below = N - 1, math.inf
    least = largest / _RANGE
    for _ in range(_LOOKS):
        for first, rows in chain.row_blocks():
            missing -= heaviest_links(
                _still(x), rows, first, N // chain.n_tokens, least, below, group, parent, above
            )
            if not missing:
                return parent, above
        least, below = least / _RANGE, least
    return None


def _summed(
    r: Floats,
    x: Floats,
    V: int,
    parent: npt.NDArray[np.int32],
    above: npt.NDArray[np.floating],
) -> float:
    from fsm_gpt.kernels.streamed_certificate import sum_up

    lost = np.empty(len(x), np.float32)
    for first in range(0, len(x), _PART):
        here = slice(first, first + _PART)
        size = 2 * x[here] + np.abs(r[here])
        error = (16 * V * V * _UNIT**2 * size + 2 * _UNIT * np.abs(r[here])) * 2.0**120
        lost[here] = error * (1 + 1e-3) + 1e-37
    return float(sum_up(r, lost, parent, above))


_PART = 2**18


def _parts(values: Floats) -> list[Floats]:
    """Views of a vector, so that what is made of it takes little memory."""
    return [values[first : first + _PART] for first in range(0, len(values), _PART)]


def _still(x: Floats) -> Floats:
    view = x.view()
    view.setflags(write=False)
    return view
