"""Studies: each asks one question of a GPT's chain and makes tables and figures of the answer.

They are run from a clone, ``python -m analysis.NAME``, and are no part of the installed
package, which does not import them. A study holds no mathematics: it asks ``fsm_gpt``, once or
over many seeds, steps or decoding rules, and lays the answers out. ``README.md`` beside this
file lists them.
"""

from __future__ import annotations

__all__ = ["OF_MODELS", "OF_OURS", "STUDIES"]

#: Every study, in the order in which they are best read.
STUDIES = (
    "article",
    "stationary",
    "structure",
    "entropy_rate",
    "learning",
    "period_five",
    "tasks",
    "reachable",
    "asked",
    "environment",
    "characters",
    "loop",
    "capacity",
)

#: Those that ask a model itself and not its chain.
OF_MODELS = ("reachable", "characters")

#: Those whose questions are about the project's own words and sources; they are left out beside
#: others where another model is named.
OF_OURS = ("asked", "learning", "loop", "period_five", "tasks")
