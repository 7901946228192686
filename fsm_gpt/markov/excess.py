r"""Excess entropy of a machine that no number of tokens need synchronise.

Let X be what an irreducible machine writes from its stationary distribution, S_n its state after n
tokens. The *excess entropy* E = I(past; future) is the sum of h_k - h over k >= 0, with
h_k = H(X_{k+1} | X_1 ... X_k) and h the entropy rate.

*Mixed states.* After a word w the state has a law eta(w), and h_k is the mean over words of the
entropy of the next token under it. Words with one law are one mixed state; those that synchronise
are among the machine's own.

*Bounds.* The sum of the first n terms is I(X_1 ... X_n; S_0), since the words of n tokens after a
known state have n h bits; so it never falls, and it is at most H(S_0). What is left of the sum
after n terms is I(S_0; X_{n+1} ... | X_1 ... X_n), and as the future depends on the past through
S_n alone, it is at most H(S_n | X_1 ... X_n): the doubt about the state, which never grows.

References
----------
Crutchfield & Feldman (2003), Chaos 13, 25-54 (excess entropy). Crutchfield, Ellison & Mahoney
(2009), Phys. Rev. Lett. 103, 094101 (E from the causal states in both directions).
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.markov.row_entropy import row_entropies

__all__ = ["Excess", "excess_of_machine"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ids: TypeAlias = npt.NDArray[np.int64]

#: The sum is cut off where the rest is below this, or after so many tokens or numbers in all.
SMALL, MOST_TOKENS, MOST_NUMBERS = 1e-13, 20_000, 2**22
#: Laws that agree to so many digits are one mixed state.
DIGITS = 13


class Excess(NamedTuple):
    """A lower bound on the excess entropy, how far it may lie below, and tokens looked at."""

    bits: float
    missing: float
    tokens: int


def excess_of_machine(successors: Ids, rows: Floats, pi: Floats) -> Excess:
    """The excess entropy, from below, in bits.

    Parameters
    ----------
    successors, rows
        The next state and the probability for each state and token, (n, V); -1 and 0 where the
        token cannot be emitted.
    pi
        The stationary distribution, (n,).

    Examples
    --------
    The even process is known from its past, and its future tells it: E = H(1/3).

    >>> even = excess_of_machine(
    ...     np.array([[0, 1], [-1, 0]]), np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([2, 1]) / 3
    ... )
    >>> round(even.bits, 9), even.missing < 1e-11
    (0.918295834, True)
    """
    n, V = rows.shape
    h = float(pi @ row_entropies(rows))
    C = _entropy(pi)
    laws, mass = pi[None, :], np.ones(1)
    total, doubt, tokens, merged = 0.0, C, 0, 0.0
    numbers = 0
    while min(doubt, C - total) > SMALL and tokens < MOST_TOKENS:
        numbers += laws.size * V
        if numbers > MOST_NUMBERS:
            break
        tokens += 1
        total += max(float(mass @ row_entropies(laws @ rows)) - h, 0.0)
        laws, mass, moved = _after_a_token(laws, mass, successors, rows)
        merged += _continuity(moved + n * 2.0**-52, V)
        doubt = min(doubt, float(mass @ row_entropies(laws)))
    rest = min(doubt, max(C - total, 0.0))
    return Excess(total, rest + merged, tokens)


def _after_a_token(
    laws: Floats, mass: Floats, successors: Ids, rows: Floats
) -> tuple[Floats, Floats, float]:
    """The mixed states after one more token, their probabilities, and what merging moved.

    That is the largest total variation between a law and the one that stands for it.
    """
    found, weights = [], []
    for token in range(rows.shape[1]):
        can = np.flatnonzero(rows[:, token] > 0)
        joint = laws[:, can] * rows[can, token]  # of the state before
        into = np.zeros((len(laws), rows.shape[0]))
        np.add.at(into.T, successors[can, token], joint.T)
        each = into.sum(axis=1)
        some = each > 0
        found.append(into[some] / each[some, None])
        weights.append(mass[some] * each[some])
    every, weight = np.concatenate(found), np.concatenate(weights)
    _, first, place = np.unique(
        np.round(every, DIGITS), axis=0, return_index=True, return_inverse=True
    )
    place = place.reshape(-1)
    moved = float(np.abs(every - every[first][place]).sum(axis=1).max()) / 2
    return every[first], np.bincount(place, weights=weight).astype(np.float64), moved


def _entropy(p: Floats) -> float:
    positive = p[p > 0]
    return float(-(positive @ np.log2(positive)))


def _continuity(distance: float, V: int) -> float:
    """How far entropies of two laws of V tokens may differ (Cover & Thomas, theorem 17.3.3)."""
    if distance >= 0.5:
        return math.log2(V) if V > 1 else 0.0
    return distance * math.log2(V / distance) if distance > 0 else 0.0
