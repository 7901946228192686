"""A chain while it is learned: its numbers at each step of a training, over many trainings."""

from fsm_gpt.learning.band import Band
from fsm_gpt.learning.measure import MEASURES, Change, Measure, Snapshot, Yardstick
from fsm_gpt.learning.moments import Moments
from fsm_gpt.learning.watched import Watched

__all__ = [
    "MEASURES",
    "Band",
    "Change",
    "Measure",
    "Moments",
    "Snapshot",
    "Watched",
    "Yardstick",
]
