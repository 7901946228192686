"""Storm, through stormpy: a chain as one of its models, and the questions it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.bench.chains import csr
from analysis.bench.tasks import needs
from fsm_gpt.chain import Chain
from fsm_gpt.markov.row_entropy import row_entropies

__all__ = ["entropy_rate", "mean_steps", "model", "stationary"]

Floats = npt.NDArray[np.float64]


def model(chain: Chain) -> Any:
    """A chain as Storm's discrete-time chain.

    Rewards: "bits", the entropy of each row, and "steps", one for each; the label "goal" is
    on state 0.
    """
    stormpy = needs("stormpy")
    N = chain.n_states
    P = csr(chain).tocoo()
    builder = stormpy.datastructures.SparseMatrixBuilder[float](rows=N, columns=N, entries=P.nnz)
    builder.add_next_values(P.row.tolist(), P.col.tolist(), P.data.tolist(), [])
    labels = stormpy.models.StateLabeling(N)
    for label in ("init", "goal"):
        labels.add_label(label)
        labels.add_label_to_state(label, 0)
    reward = stormpy.models.SparseRewardModel[float]
    bits = row_entropies(chain.next_token).tolist()
    rewards = {
        "bits": reward(optional_state_reward_vector=bits),
        "steps": reward(optional_state_reward_vector=[1.0] * N),
    }
    parts = stormpy.models.SparseModelComponents[float](builder.build(), labels, rewards)
    return stormpy.models.SparseDtmc[float](parts)


def entropy_rate(built: Any) -> float:
    """Bits per token: the long-run average of the rows' entropies."""
    stormpy = needs("stormpy")
    (question,) = stormpy.parse_properties('R{"bits"}=? [ LRA ]')
    return float(stormpy.model_checking(built, question, only_initial_states=True).get_value(0))


def mean_steps(built: Any) -> Floats:
    """The mean number of steps to state 0 from every state."""
    stormpy = needs("stormpy")
    (question,) = stormpy.parse_properties('R{"steps"}=? [ F "goal" ]')
    return np.array(stormpy.model_checking(built, question).get_value_vector())


def stationary(built: Any) -> Floats:
    """The stationary distribution."""
    stormpy = needs("stormpy")
    return np.array(stormpy.analysis.compute_steady_state_distribution(built).get_value_vector())
