"""What a model too large to enumerate does from some prompts: the part that can be reached.

:func:`explore` finds every window that a decoding rule can lead to and makes them a chain;
:func:`greedy_cycles` follows many prompts under greedy decoding to the loop that each ends in,
and keeps nothing but the loops.
"""

from fsm_gpt.explore.cycles import (
    GreedyCycle as GreedyCycle,
    GreedyCycles as GreedyCycles,
    greedy_cycles as greedy_cycles,
)
from fsm_gpt.explore.file import (
    load_exploration as load_exploration,
    save_exploration as save_exploration,
)
from fsm_gpt.explore.machine import (
    Exploration as Exploration,
    ExplorationInterrupted as ExplorationInterrupted,
)
from fsm_gpt.explore.reach import explore as explore

__all__ = [
    "Exploration",
    "ExplorationInterrupted",
    "GreedyCycle",
    "GreedyCycles",
    "explore",
    "greedy_cycles",
    "load_exploration",
    "save_exploration",
]
