"""How well an answer satisfies its equations, known for certain.

A residual is a small difference of large numbers, so it is evaluated in about twice the
working precision with the error-free transformations of Dekker and Knuth, and what
rounding is left is bounded and added: the numbers returned are upper bounds.

References
----------
Ogita, Rump & Oishi (2005), Accurate sum and dot product, SIAM J. Sci. Comput. 26,
1955-1988: algorithms 3.1 (two-sum), 3.3 (two-product), 5.3 (Dot2) and proposition 5.5:
|Dot2 - x'y| <= u |x'y| + gamma_n**2 |x|'|y|.
"""

from __future__ import annotations

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.rows import Numbers

__all__ = ["WORK_LIMIT", "residual"]

#: Products evaluated at most: some seconds, and about a gigabyte where f has 4,096 columns.
WORK_LIMIT = 80_000_000

_UNIT = 2.0**-53


def _two_sum(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """The rounded sum, and exactly what rounding took away."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _split(a: Numbers) -> tuple[Numbers, Numbers]:
    """Two halves of 26 bits each whose sum is a."""
    scaled = 134217729.0 * a  # 2**27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """The rounded product, and exactly what rounding took away."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, lost


def residual(chain: Chain, f: Numbers, step: Numbers) -> Numbers | None:
    """Upper bounds on |f - P f - step| in every entry, for the chain meant by float rows.

    Parameters
    ----------
    f
        One or more functions of the state, finite floats, shape (N, m).
    step
        What each of them should gain in a step, shape (m,), or (N, m) from state to state.

    Returns
    -------
    Shape (N, m); None where more products than ``WORK_LIMIT`` would be needed.

    The rows as given sum to s(i), not quite one, and the chain meant is P = rows / s. So
    s(i) (f(i) - step) - sum_j rows[i, j] f(j) is evaluated as a sum over the transitions,
    s(i) being itself such a sum, and divided by s(i) at the end.
    """
    edges = chain.raw_edges()
    N, m = f.shape
    if 2 * len(edges.source) * m > WORK_LIMIT or np.abs(f).max(initial=0) > 1e290:
        return None
    probability = edges.probability.astype(np.float64)
    starts = np.searchsorted(edges.source, np.arange(N + 1))
    gained = -np.broadcast_to(step, (N, m))
    total, lost, size = (np.zeros((N, m)) for _ in range(3))
    sums = np.zeros(N)
    # The slot-th transition of every state at once.
    for slot in range(int(np.diff(starts).max())):
        rows = np.flatnonzero(np.diff(starts) > slot)
        at = starts[rows] + slot
        p = probability[at][:, None]
        sums[rows] += p[:, 0]
        for factor in (f[rows], gained[rows], -f[edges.target[at]]):
            product, low = _two_product(p, factor)
            total[rows], rest = _two_sum(total[rows], product)
            lost[rows] += low + rest
            size[rows] += np.abs(product)
    terms = 3 * int(np.diff(starts).max()) + 3
    gamma = terms * _UNIT / (1 - terms * _UNIT)
    rounding = _UNIT * np.abs(total + lost) + 2 * gamma**2 * size + 1e-300
    return (np.abs(total + lost) + rounding) / sums[:, None] * (1 + 2.0**-40)
