"""A proof of the error of a stationary distribution, entry by entry.

*Theorem* (from the Markov chain tree theorem; after O'Cinneide 1993). Let some transitions
between different states of an irreducible chain be changed, at most one for each pair of
states, each by a factor between 1 - eta(e) and 1 + eta(e). Then each entry of its stationary
distribution changes by a factor of at most the product of (1 + eta(e)) / (1 - eta(e)) over
these transitions, whatever the condition of the chain. For the entry of state i is
proportional to a sum over trees directed to i of products of probabilities, and no tree uses
a transition twice.

*So* it is enough to show that a computed x > 0 is the exact stationary distribution of
some chain that close to P. Let F[i, j] = x[i] P[i, j], i != j, be its flows. They need
not balance; the imbalance of state i is r(i) = inflow - outflow. Choose a spanning tree,
and let the tree edge above each subtree S carry away R(S) = sum of r over S. With these
corrections every state balances, so x is stationary for the chain whose flow on that edge
is F + R(S), or F - R(S) in the other direction: eta = |R(S)| / F there, and zero on every
transition outside of the tree. The maximum spanning tree takes, across every cut that it
crosses, the heaviest edge there is. (O'Cinneide changes all transitions by the largest eta,
which makes the bound the (N - 1)th power of one factor instead of a product.)

On small chains all sums are exact: floats are integers times a power of two. On large ones
they are held in four times the working precision by compiled loops
(:mod:`fsm_gpt.kernels.certificate`), and what is lost is bounded and added. The bound that
comes out holds for x as it stands in memory, however it was computed.

References
----------
O'Cinneide (1993), Numerische Mathematik 65, 109-120. Freidlin & Wentzell (1984), Random
Perturbations of Dynamical Systems, section 6.3 (the tree theorem).
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["EXACT_EDGES", "certify", "certify_class", "growth", "log_change"]

#: Up to so many transitions sums are exact, in Python's integers; above, compiled.
EXACT_EDGES = 20_000

_UNIT = 2.0**-53

Ids = npt.NDArray[np.int64]


def certify(
    source: Ids, target: Ids, probability: Numbers, sums: Numbers, x: Numbers
) -> tuple[Bound, str]:
    """A bound on the relative error of every entry of x, and what stands in its way.

    Parameters
    ----------
    source, target, probability
        The transitions of one irreducible class, states numbered from 0, as given: the
        chain meant is each row divided by its sum.
    sums
        The sums of the rows in floats, added up in any order, shape (n,).
    x
        The computed distribution, floats, summing to one up to rounding, shape (n,).

    Returns
    -------
    A proven bound and "", or "uncertified" and the reason.
    """
    rates = ClassRates.of(source, target, probability, len(x))
    return certify_class(rates, sums, int(np.bincount(source).max()), x)


def certify_class(rates: ClassRates, sums: Numbers, longest: int, x: Numbers) -> tuple[Bound, str]:
    """The same, of transitions already in order; the longest row has so many of them."""
    n = len(x)
    if n == 1:
        return 0.0, ""
    if not (x > 0).all():
        return UNCERTIFIED, "an entry underflows to zero"
    flow_vector = x / sums  # balances the rows as given where x balances the rows divided by sums
    log_factor = _log_factor if len(rates.rate) <= EXACT_EDGES else _compiled_log_factor
    most_wrong = growth(log_factor(rates, flow_vector))
    if not math.isfinite(most_wrong):
        return UNCERTIFIED, "no chain close to this one has exactly this distribution"
    # The total is one up to rounding; x / sums and back costs what rounding did to the sums.
    total = abs(math.fsum(x) - 1) + 2 * (longest + 4) * _UNIT
    return (most_wrong + total + most_wrong * total) * (1 + 8 * _UNIT), ""


def growth(log_factor: float) -> float:
    """The factor less one, rounded up; infinite where that is beyond floats.

    >>> round(growth(math.log(9)), 12), growth(1000.0), growth(math.inf)
    (8.0, inf, inf)
    """
    return math.expm1(log_factor) * (1 + 4 * _UNIT) if log_factor < 700 else math.inf


def log_change(eta: float) -> float:
    """log((1 + eta) / (1 - eta)); infinite where a change of 1 could stop a transition.

    >>> round(log_change(0.5) / math.log(3), 12), log_change(1.0)
    (1.0, inf)
    """
    return math.log1p(eta) - math.log1p(-eta) if eta < 1 else math.inf


def _compiled_log_factor(rates: ClassRates, x: Numbers) -> float:
    """The same in compiled loops."""
    from fsm_gpt.kernels.certificate import log_factor

    return float(log_factor(rates.start, rates.target, rates.rate, x))


def _log_factor(rates: ClassRates, x: Numbers) -> float:
    """The logarithm of the text's product, rounded up; infinite where a flow underflows."""
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    n = len(x)
    source, target = rates.source(), rates.target.astype(np.int64)
    weight = x[source] * rates.rate
    if not (weight > 0).all():
        return math.inf
    rank = np.empty(len(weight))
    rank[np.argsort(-weight, kind="stable")] = np.arange(1, len(weight) + 1)
    tree = minimum_spanning_tree(_smallest_rank(source, target, rank, n))
    order, parent = breadth_first_order(tree, 0, directed=False)

    flow = _exact_flows(source, target, rates.rate, x)
    excess: dict[int, int] = defaultdict(int)
    for (i, j), amount in flow.items():
        excess[i] -= amount
        excess[j] += amount
    changes = []
    for state in order[:0:-1].tolist():  # leaves first: a subtree is complete before its edge
        above = int(parent[state])
        carried = excess[state]
        capacity = max(flow.get((state, above), 0), flow.get((above, state), 0))
        changes.append(log_change(abs(carried) / capacity))
        excess[above] += carried
    return math.fsum(changes) * (1 + 8 * _UNIT)


def _smallest_rank(source: Ids, target: Ids, rank: Numbers, n: int) -> csr_array:
    """The sparse matrix that holds the smallest rank among the edges from i to j."""
    from scipy.sparse import csr_array

    order = np.lexsort((rank, target, source))
    source, target, rank = source[order], target[order], rank[order]
    first = np.ones(len(source), dtype=bool)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    return csr_array((rank[first], (source[first], target[first])), shape=(n, n))


def _integers(values: Numbers) -> list[int]:
    """Floats as integers in units of the smallest power of two that they need."""
    pairs = [value.as_integer_ratio() for value in values.tolist()]
    unit = max(denominator for _, denominator in pairs)
    return [numerator * (unit // denominator) for numerator, denominator in pairs]


def _exact_flows(
    source: Ids, target: Ids, probability: Numbers, x: Numbers
) -> dict[tuple[int, int], int]:
    """x[i] P[i, j] for every pair i != j, exactly, in one unit."""
    masses = _integers(x)
    flow: dict[tuple[int, int], int] = defaultdict(int)
    for i, j, p in zip(source.tolist(), target.tolist(), _integers(probability), strict=True):
        flow[i, j] += masses[i] * p
    return flow
