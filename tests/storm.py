"""The model checker Storm, where its Python package is installed: chains, questions, answers.

Storm computes in rationals where the chain holds rationals, and in floats otherwise.

References
----------
Hensel, Junges, Katoen, Quatmann & Volk (2022), The probabilistic model checker Storm, STTT 24,
589-610.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from fsm_gpt.chain import Chain

__all__ = ["as_rational", "ask", "storm", "storm_model", "storm_of"]

ABSENT = "Storm's Python package, stormpy, is not installed: its answers are not compared"


def storm() -> Any:
    """The package; the test is skipped where it is absent."""
    return pytest.importorskip("stormpy", reason=ABSENT)


def without_tokens(chain: Chain) -> tuple[Any, Any, Any]:
    """Sources, targets and probabilities of the transitions."""
    source, _, target, probability = chain.edges()
    return source, target, probability


def storm_model(
    chain: Chain,
    labels: Mapping[str, Sequence[int]],
    rewards: Mapping[str, Sequence[Any]] | None = None,
) -> Any:
    """A chain as a model of Storm's, with its labels and with rewards that states pay."""
    entries: dict[tuple[int, int], Any] = {}
    columns = (np.array(column).tolist() for column in without_tokens(chain))
    for i, j, p in zip(*columns, strict=True):
        entries[i, j] = entries.get((i, j), 0) + p
    exact = chain.dtype == object
    return storm_of(chain.n_states, entries, labels, rewards, exact=exact)


def storm_of(
    N: int,
    entries: Mapping[tuple[int, int], Any],
    labels: Mapping[str, Sequence[int]],
    rewards: Mapping[str, Sequence[Any]] | None = None,
    *,
    exact: bool,
) -> Any:
    """A model of Storm's from its matrix: {(state, state): probability}."""
    stormpy = storm()
    number = stormpy.Rational if exact else float

    def as_theirs(value: Any) -> Any:
        return number(f"{value.numerator}/{value.denominator}") if exact else float(value)

    matrix = stormpy.datastructures.SparseMatrixBuilder[number](
        rows=N, columns=N, entries=len(entries)
    )
    for (i, j), p in sorted(entries.items()):
        matrix.add_next_value(i, j, as_theirs(p))
    named = stormpy.models.StateLabeling(N)
    for label, states in {"init": [0], **labels}.items():
        named.add_label(label)
        for state in states:
            named.add_label_to_state(label, state)
    paid = {
        name: stormpy.models.SparseRewardModel[number](
            optional_state_reward_vector=[as_theirs(value) for value in values]
        )
        for name, values in (rewards or {}).items()
    }
    components = stormpy.models.SparseModelComponents[number](matrix.build(), named, paid)
    return stormpy.models.SparseDtmc[number](components)


@cache
def _parsed(question: str) -> Any:
    return storm().parse_property(question)


def ask(model: Any, question: str) -> list[Any]:
    """Storm's answer for every state."""
    found = storm().model_checking(model, _parsed(question))
    return [found.get_value(state) for state in range(model.nr_states)]


def as_rational(value: Any) -> Fraction | float:
    """One of Storm's rationals, which has infinities."""
    return math.inf if "inf" in str(value) else Fraction(str(value))
