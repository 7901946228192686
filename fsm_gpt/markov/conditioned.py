"""The chain given that it comes to a set of states that it never leaves.

Let A be such a set and h(i) the probability of ever entering it from i. Given that A is entered,
the states still follow each other as a chain, with the probabilities

    P^h[i, j] = P[i, j] h(j) / h(i),    h(i) > 0

(Doob's h-transform: Levin, Peres & Wilmer 2017, section 17.6.1). Tokens are reweighed like the
states they lead to. States from which A cannot be entered drop out.

A has to be closed: after it has been entered there is nothing left to condition on, and only in a
closed set does the state itself say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.hitting import hitting
from fsm_gpt.subchain import subchain

__all__ = ["conditioned"]


def conditioned(chain: Chain, target: int | str | Sequence[int | str]) -> Chain:
    """The chain given that it ever comes to a closed set of states.

    Parameters
    ----------
    target
        A state that is never left, such as END, or all states of such a set.

    Raises
    ------
    StateOutOfRange
        There is no such state.
    NotDefined
        The set is left again; then what is asked for is no chain on these states.

    References
    ----------
    Levin, Peres & Wilmer (2017), Markov Chains and Mixing Times, section 17.6.1.

    Examples
    --------
    The gambler who wins in the end (a walk on 0 to 3, given that 3 comes before 0):

    >>> walk = Chain.from_matrix([[1, 0, 0, 0], ["1/2", 0, "1/2", 0],
    ...                           [0, "1/2", 0, "1/2"], [0, 0, 0, 1]])
    >>> print(*conditioned(walk, 3).matrix().ravel())
    0 1 0 1/4 0 3/4 0 0 1
    """
    found = hitting(chain, target)
    inside = np.zeros(chain.n_states, dtype=bool)
    inside[found.target] = True
    edges = chain.edges()
    left = inside[edges.source] & ~inside[edges.target]
    if left.any():
        state = chain.label(int(edges.source[np.argmax(left)]))
        raise NotDefined(
            f"conditioned: the set is left again, from {state}. Whether it has been entered is "
            f"then not known from the state; make its states absorbing, or follow it with an "
            f"automaton (pattern())."
        )
    h = found.probabilities
    kept = h != 0
    before = np.where(kept, h, h.dtype.type(1))  # nothing is divided by zero
    numbers = edges.probability * (h[edges.target] / before[edges.source])
    return subchain(chain, kept, probability=numbers)
