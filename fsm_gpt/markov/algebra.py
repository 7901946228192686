"""Numbers to compute with, and the way back.

Floats and rationals are computed with as they are. Expressions are taken into the
field of rational functions of their symbols (sympy's ``sfield``), where equal
functions are equal objects and zero is recognised, and are turned back at the end.
Symbols stand for numbers such that every entry that is not identically zero is
positive: in [[1-a, a], [b, 1-b]], a and b lie in (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.rows import Numbers, kind_of, objects

__all__ = ["EXACT_LIMIT", "conversion_error", "dense_block", "factored", "workable"]

#: Exact dense elimination is refused above this many states.
EXACT_LIMIT = 512

Back = Callable[[Numbers], Numbers]


def workable(numbers: Numbers) -> tuple[Numbers, Back]:
    """The numbers in a form that can be computed with, and the map back from answers.

    >>> import sympy
    >>> a = sympy.Symbol("a")
    >>> numbers, back = workable(np.array([1 - a, a], dtype=object))
    >>> back(numbers[:1] / numbers[1:])[0]
    -(a - 1)/a
    """
    kind = kind_of(numbers)
    if kind == "float":
        return numbers, lambda answer: answer
    if kind == "rational":
        return numbers, _fractions
    import sympy
    from sympy.polys.fields import sfield

    _, elements = sfield([sympy.sympify(v) for v in numbers.ravel()])

    def back(answer: Numbers) -> Numbers:
        return objects((_expression(v) for v in answer.ravel()), answer.shape)

    return objects(elements, numbers.shape), back


def factored(x: Numbers) -> Numbers:
    """Expressions in their shortest form; other numbers as they are."""
    if kind_of(x) != "symbolic":
        return x
    import sympy

    return objects((sympy.factor(value) for value in x), x.shape)


def _fractions(answer: Numbers) -> Numbers:
    """The answer with its whole numbers as Fractions too."""
    return objects(
        (v if isinstance(v, Fraction) else Fraction(int(v)) for v in answer.ravel()), answer.shape
    )


def _expression(value: Any) -> Any:
    import sympy

    expression = value.as_expr() if hasattr(value, "as_expr") else sympy.sympify(value)
    return sympy.factor(expression)


def conversion_error(chain: Chain) -> float:
    """How much ``chain.floats()`` may move an entry of a stationary distribution, relatively.

    Each probability changes by a factor within (V + 2) u of one, so by the theorem of
    :mod:`fsm_gpt.markov.certificate` each entry by one within 2 N (V + 2) u. Zero where the
    chain is in float64 already.

    >>> conversion_error(Chain([[0.5, 0.5], [0.25, 0.75]]))
    0.0
    """
    if chain.dtype == np.float64:
        return 0.0
    return 2 * chain.n_states * (chain.n_tokens + 2) * 2.0**-53 * (1 + 2.0**-20)


def dense_block(chain: Chain, states: Numbers) -> Numbers:
    """The transition matrix among some states, as floats, rationals or expressions.

    Raises
    ------
    StateSpaceTooLarge
        More states than dense methods serve.
    """
    from fsm_gpt.chain import DENSE_LIMIT

    n, exact = len(states), chain.dtype == object
    limit = EXACT_LIMIT if exact else DENSE_LIMIT
    if n > limit:
        way_out = "exact=False, or a shorter context" if exact else "a shorter context"
        raise StateSpaceTooLarge(
            f"elimination: {n:,} states in one class, above the {limit:,} for which "
            f"{'exact' if exact else 'dense'} elimination is offered ({n:,}**3 steps). "
            f"Ask for {way_out} (truncate_to=k)."
        )
    edges = chain.edges()
    place = np.full(chain.n_states, -1, dtype=np.int64)
    place[states] = np.arange(n)
    inside = (place[edges.source] >= 0) & (place[edges.target] >= 0)
    block = np.zeros((n, n), dtype=object if exact else np.float64)
    at = (place[edges.source[inside]], place[edges.target[inside]])
    np.add.at(block, at, edges.probability[inside])
    return block
