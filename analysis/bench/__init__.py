"""The benchmark: fsm_gpt and its peers side by side, and every target beside what was measured.

``python -m analysis.bench`` runs groups of measurements, each in fresh processes of one
environment (the same Python and packages, one thread unless a row says otherwise), and
writes ``bench.json``. Contenders take turns, so that a busy moment of the machine meets them
all; times are compared as ratios of the same round, and a row keeps the median and the
spread of its rounds. Memory is the highest resident size of a fresh process above what it
held before. Nothing here computes an answer of its own, but for the reference in
:mod:`analysis.bench.oracle` that answers are held against.
"""

from __future__ import annotations

__all__ = ["GROUPS"]

#: Every group of measurements, in the order in which they run.
GROUPS = (
    "machine",
    "products",
    "stationary",
    "certificate",
    "structure",
    "entropy",
    "hitting",
    "extraction",
    "command",
    "peers",
    "small",
)
