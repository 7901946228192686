"""States as a model checker has them: whole numbers and truth values under names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.space import PAD, States

__all__ = ["Columns", "variables"]

Columns = dict[str, npt.NDArray[Any]]


def variables(states: States) -> Columns:
    """The variables that tell states apart, each with its value in every state.

    Contexts have ``t1`` to ``tL``, the token ids with the oldest first and -1 where there is none;
    plain names have ``s``, the number of the state. The state END is true in ``end``, and the
    state beside a chain is the number ``beside``.

    >>> from fsm_gpt.space import ContextSpace, Vocabulary
    >>> for name, column in variables(WithEnd(ContextSpace(Vocabulary.of("ab"), 1), (1,))).items():
    ...     print(name, column.tolist())
    t1 [0, 1, -1]
    end [False, False, True]
    """
    match states:
        case WithEnd():
            base = variables(states.base)
            more = {name: _and_one(column) for name, column in base.items()}
            return more | {_new("end", more): np.arange(len(states)) == states.end}
        case Pairs():
            base = variables(states.base)
            more = {name: column[states.first] for name, column in base.items()}
            return more | {_new("beside", more): states.second}
    table = states.contexts()
    if table is None:
        return {"s": np.arange(len(states))}
    return {f"t{i}": column for i, column in enumerate(table.T, start=1)}


def _and_one(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A column with the value of END, which has no tokens."""
    return np.append(column, False if column.dtype == bool else PAD)


def _new(name: str, taken: Columns) -> str:
    """The name, numbered where pairs are made of pairs."""
    same = sum(other.rstrip("0123456789") == name for other in taken)
    return f"{name}{same + 1}" if same else name
