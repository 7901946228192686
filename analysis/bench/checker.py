"""Exact Storm, through stormpy: what PRISM's files describe, asked in its own language.

Storm computes in rationals, and so does ``fsm_gpt`` on a chain of rationals: what both are asked
has to come out as the same number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

from analysis.study import Cell, Table
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.io.prism_read import PrismModel

__all__ = ["Asked", "answer", "beside", "installed"]

#: A question in words, in the language of the model checkers, and this package's answer.
Asked = tuple[str, PrismModel, str, Any]


def installed() -> Any:
    """Storm's Python package, or None."""
    try:
        return import_module("stormpy")
    except ImportError:
        return None


def answer(model: PrismModel, question: str) -> Fraction | float | None:
    """Storm's exact answer from the initial state; None where it is not installed.

    Raises
    ------
    InvalidArgument
        The chain does not hold rationals, or there is not one initial state.
    """
    if model.chain.kind != "rational" or len(model.initial) != 1:
        raise InvalidArgument(
            f"checker: exact answers are for a chain of rationals with one initial state, and this "
            f"is {model.chain} with {len(model.initial)}. Read its files with exact=True."
        )
    stormpy = installed()
    if stormpy is None:
        return None
    (asked,) = stormpy.parse_properties(question)
    found = stormpy.model_checking(_built(stormpy, model), asked)
    value = str(found.get_value(model.initial[0]))
    return math.inf if "inf" in value else Fraction(value)


def _built(stormpy: Any, model: PrismModel) -> Any:
    """The model as Storm's; what transitions pay is paid, on average, by their state."""
    number, edges, N = stormpy.Rational, model.chain.edges(), model.chain.n_states
    entries: dict[tuple[int, int], Fraction] = {}
    paid = [Fraction(0)] * N if model.state_rewards is None else list(model.state_rewards)
    for i, (source, _, target, p) in enumerate(zip(*edges, strict=True)):
        pair = int(source), int(target)
        entries[pair] = entries.get(pair, Fraction(0)) + p
        if model.transition_rewards is not None:
            paid[source] += p * model.transition_rewards[i]
    builder = stormpy.datastructures.SparseMatrixBuilder[number](
        rows=N, columns=N, entries=len(entries)
    )
    for (source, target), p in sorted(entries.items()):
        builder.add_next_value(source, target, number(str(p)))
    labels = stormpy.models.StateLabeling(N)
    for name, states in ({"init": model.initial} | model.labels).items():
        labels.add_label(name)
        for state in states:
            labels.add_label_to_state(name, state)
    reward = stormpy.models.SparseRewardModel[number]
    rewards = {model.reward: reward(optional_state_reward_vector=[number(str(r)) for r in paid])}
    parts = stormpy.models.SparseModelComponents[number](
        builder.build(), labels, rewards if model.reward else {}
    )
    return stormpy.models.SparseDtmc[number](parts)


def beside(questions: Sequence[Asked]) -> Table:
    """Answers of this package beside Storm's, where it is installed."""
    rows: list[list[Cell]] = []
    for words, model, question, ours in questions:
        theirs = answer(model, question)
        if theirs is None:
            rows.append([words, question, float(ours), "not installed", None])
            continue
        difference = ours - theirs if isinstance(ours, Fraction) else float(ours) - float(theirs)
        rows.append([words, question, float(ours), float(theirs), difference])
    note = (
        "Storm was not installed where this page was built: pip install -e '.[bench]' installs it."
        if installed() is None
        else "A difference of 0 is exact: both numbers are the same rational."
    )
    return Table(
        "The same questions, asked of Storm",
        ("question", "as the model checkers write it", "fsm_gpt", "Storm", "difference"),
        rows,
        formats={"fsm_gpt": ".12g", "Storm": ".12g", "difference": ".1e"},
        note=note,
    )
