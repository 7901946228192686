"""The solver of fsm_gpt without its proof, for window chains of a single class.

Peers prove nothing; where ours is timed beside them on equal terms, products and cycles end
when no entry changes by more than 1e-12 of itself, and that is the answer.
"""

from __future__ import annotations

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.markov import communicating_classes
from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.markov.multilevel import solve
from fsm_gpt.markov.row_entropy import Rows, mean_entropy

__all__ = ["entropy_without_proof"]


def _rates(chain: Chain) -> ClassRates:
    """The transitions between different states, rows divided by their sums."""
    edges = chain.edges()
    return ClassRates.of(edges.source, edges.target, edges.probability, chain.n_states)


def _window(chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """The rows, and their sums."""
    return chain.next_token, chain.next_token.sum(axis=1, dtype=np.float64)


def entropy_without_proof(chain: Chain) -> float:
    """Bits per token: classes, cycles until entries settle, the rows' entropies.

    >>> entropy_without_proof(Chain(np.full((512, 2), 0.5)))
    1.0
    """
    assert len(communicating_classes(chain).closed) == 1
    found = solve(
        _rates(chain),
        enough=lambda x: True,
        push=lambda x, into: chain.push(x, out=into),
        products_first=True,
        window=_window(chain),
    )
    return mean_entropy(Rows.of_chain(chain), found.x).bits
