"""Statistics of correlated samples: arrays of numbers in, means with their errors out.

K *streams* are walks of one process from several starts, independent of each other; a
series is an array of shape (K, n), one row a stream, one column a time. Inside a stream
neighbours resemble each other, so n numbers say less than n independent ones. This room
knows neither chains nor models.
"""

from __future__ import annotations

from fsm_gpt.series.regeneration import Cycles, mean_of_cycles
from fsm_gpt.series.replications import Interval, mean_of_streams

__all__ = ["Cycles", "Interval", "mean_of_cycles", "mean_of_streams"]
