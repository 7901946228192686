"""What stands on every report beside the analyses: bits of a window, a table, and versions."""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from fsm_gpt.capacity import Capacity, capacity
from fsm_gpt.capacity.answer import parameter_count
from fsm_gpt.chain import Chain
from fsm_gpt.markov.passage import MeanFirstPassage, mean_first_passage
from fsm_gpt.report.absent import Absent, ask

__all__ = ["bits_of_window", "installed_versions", "passage_table"]

#: A table of times from each state to each is given up to this many.
PASSAGE_LIMIT = 16


def bits_of_window(chain: Chain, stated: str) -> Capacity | Absent:
    """Bits of a window of this chain, with the parameters that its provenance states."""
    V, L = chain.n_tokens, chain.context
    if L is None:
        return Absent("The states are not windows of tokens, so there is no L log2(V).")
    found = capacity(vocabulary=V, context=L)
    parameters = parameter_count(stated)
    return replace(
        found,
        parameters=parameters,
        parameters_as_stated=stated,
        bits_per_parameter=found.bits / parameters if parameters else None,
    )


def passage_table(chain: Chain) -> MeanFirstPassage | Absent:
    """Mean times from each state to each, where a table of them can be read."""
    if chain.n_states > PASSAGE_LIMIT:
        return Absent(
            f"A table of {chain.n_states:,} by {chain.n_states:,} times is too large to read, and "
            f"a report stops at {PASSAGE_LIMIT}."
        )
    return ask(lambda: mean_first_passage(chain))


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that made the numbers."""
    versions = {"python": platform.python_version()}
    for package in ("fsm_gpt", "numpy", "scipy", "torch", "matplotlib"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
