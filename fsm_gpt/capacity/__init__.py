"""How large the state space of a model is, worked out without making it.

A model with V tokens and a context of L has V**L full windows. To name one of them takes

    log2(V**L) = L log2(V) bits,

and that is the most the model can remember of its past, whatever its weights: the
*capacity* of its state. It is an upper bound on state and says nothing of the knowledge
stored, which is in the parameters.

V is the number of ids that the model can emit. Embeddings are often padded to a round
number of rows; the padding is shown beside V. A model whose state is more than a window
of tokens (a recurrent network, a state space model) has no such figure.
"""

from fsm_gpt.capacity.answer import capacity, capacity_or_reason
from fsm_gpt.capacity.figures import UPPER_BOUND, Capacity, NoCapacity
from fsm_gpt.capacity.models import Memory, Model, all_memories, all_models, table_date

__all__ = [
    "UPPER_BOUND",
    "Capacity",
    "Memory",
    "Model",
    "NoCapacity",
    "all_memories",
    "all_models",
    "capacity",
    "capacity_or_reason",
    "table_date",
]
