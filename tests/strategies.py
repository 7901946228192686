"""Chains for hypothesis: every structure a finite chain can have, in rationals and in floats.

A strategy yields rational chains unless it is asked for floats; the float chain of a
rational one has rounded rows, so its exact counterpart is ``chain.exact()``, not the
rational chain it was made from.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fsm_gpt.chain import Chain

__all__ = [
    "FAMILIES",
    "chains",
    "edge_chains",
    "irreducible_chains",
    "probability_rows",
    "row_tables",
    "structured_chains",
    "window_chains",
]

TINY = Fraction(1, 10**12)


def _divided(weights: list[int]) -> list[Fraction]:
    total = sum(weights)
    return [Fraction(weight, total) for weight in weights]


@st.composite
def _dense(draw: st.DrawFn, V: int) -> list[Fraction]:
    return _divided(draw(st.lists(st.integers(1, 97), min_size=V, max_size=V)))


@st.composite
def _with_zeros(draw: st.DrawFn, V: int) -> list[Fraction]:
    weights = draw(st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=V, max_size=V))
    if not any(weights):
        weights[draw(st.integers(0, V - 1))] = 1
    return _divided(weights)


@st.composite
def _deterministic(draw: st.DrawFn, V: int) -> list[Fraction]:
    kept = draw(st.integers(0, V - 1))
    return [Fraction(int(t == kept)) for t in range(V)]


@st.composite
def _near_deterministic(draw: st.DrawFn, V: int) -> list[Fraction]:
    kept = draw(st.integers(0, V - 1))
    return [TINY if t != kept else 1 - (V - 1) * TINY for t in range(V)]


@st.composite
def _dyadic(draw: st.DrawFn, V: int) -> list[Fraction]:
    """Multiples of 1/64, which floats hold exactly; zeros and ties are frequent."""
    cuts = sorted(draw(st.lists(st.integers(0, 64), min_size=V - 1, max_size=V - 1)))
    return [Fraction(b - a, 64) for a, b in zip([0, *cuts], [*cuts, 64], strict=True)]


@st.composite
def _stiff(draw: st.DrawFn, V: int) -> list[Fraction]:
    """Probabilities of very different sizes."""
    sizes = draw(st.lists(st.integers(0, 30), min_size=V, max_size=V))
    weights = [Fraction(draw(st.integers(1, 9)), 10**size) for size in sizes]
    return [weight / sum(weights) for weight in weights]


def _equal(V: int) -> st.SearchStrategy[list[Fraction]]:
    return st.just([Fraction(1, V)] * V)


#: Ways to draw one row of V probabilities.
FAMILIES = {
    "dense": _dense,
    "zeros": _with_zeros,
    "deterministic": _deterministic,
    "near-deterministic": _near_deterministic,
    "dyadic": _dyadic,
    "stiff": _stiff,
    "equal": _equal,
}


def probability_rows(V: int) -> st.SearchStrategy[list[Fraction]]:
    """One row of V rationals that sum to one, of any family."""
    return st.one_of(*(family(V) for family in FAMILIES.values()))


@st.composite
def row_tables(draw: st.DrawFn, *, max_tokens: int = 5, max_rows: int = 4) -> np.ndarray[Any, Any]:
    """Rows of rationals, shape (n, V), of mixed families."""
    V = draw(st.integers(1, max_tokens))
    n = draw(st.integers(1, max_rows))
    table = np.empty((n, V), dtype=object)
    for i in range(n):
        table[i] = draw(probability_rows(V))
    return table


def _nearly_decomposable(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    """The rows with all but a 1e-12 of each given to the lower or the upper half of the tokens.

    Windows that end in the lower half go on in the lower half, and so with the upper.
    """
    V = len(rows[0])
    half = (V + 1) // 2
    mended = []
    for s, row in enumerate(rows):
        low = s % V < half
        weights = [(1 if (t < half) == low else TINY) * max(p, TINY) for t, p in enumerate(row)]
        mended.append([weight / sum(weights) for weight in weights])
    return mended


@st.composite
def window_chains(
    draw: st.DrawFn,
    *,
    floats: bool = False,
    max_tokens: int = 4,
    max_context: int = 4,
    max_states: int = 32,
) -> Chain:
    """Window chains over V = 1..4 tokens and contexts of L = 1..4, of up to 32 states."""
    V = draw(st.integers(1, max_tokens))
    L = draw(st.integers(1, max_context).filter(lambda length: V**length <= max_states))
    kinds = [*FAMILIES, "mixed"] + (["nearly decomposable"] if V > 1 else [])
    kind = draw(st.sampled_from(kinds))
    named = "dense" if kind == "nearly decomposable" else kind
    family = FAMILIES[named](V) if named in FAMILIES else probability_rows(V)
    rows = [draw(family) for _ in range(V**L)]
    if kind == "nearly decomposable":
        rows = _nearly_decomposable(rows)
    chain = Chain(rows, context=L)
    return chain.floats() if floats else chain


def _edge_chain(rows: list[dict[int, list[int]]], order: list[int]) -> Chain:
    """A chain from {target: weights} for each state, one token a weight, states renumbered."""
    source, token, target, probability = [], [], [], []
    for s, row in enumerate(rows):
        total = sum(sum(weights) for weights in row.values())
        steps = [(t, weight) for t, weights in row.items() for weight in weights]
        for k, (t, weight) in enumerate(steps):
            source.append(order[s])
            token.append(k)
            target.append(order[t])
            probability.append(Fraction(weight, total))
    return Chain.from_edges(source, token, target, probability, n_states=len(rows))


@st.composite
def edge_chains(draw: st.DrawFn, *, floats: bool = False, max_states: int = 7) -> Chain:
    """Chains of arbitrary transitions: whatever structure comes of them."""
    n = draw(st.integers(1, max_states))
    steps = st.lists(st.tuples(st.integers(0, n - 1), st.integers(1, 9)), min_size=1, max_size=3)
    rows = []
    for _ in range(n):
        row: dict[int, list[int]] = {}
        for target, weight in draw(steps):
            row.setdefault(target, []).append(weight)
        rows.append(row)
    chain = _edge_chain(rows, list(range(n)))
    return chain.floats() if floats else chain


@st.composite
def structured_chains(
    draw: st.DrawFn,
    *,
    floats: bool = False,
    closed: tuple[int, int] = (1, 3),
    transient: tuple[int, int] = (0, 3),
    class_size: int = 4,
) -> Chain:
    """Chains with so many closed classes and so many transient states, ids shuffled.

    Each closed class is a cycle through its states with some chords, so that it may
    have any period; a class of one state is absorbing. Each transient state has a step to a
    later one or into a closed class.
    """
    rows: list[dict[int, list[int]]] = []
    weight = st.integers(1, 9)
    for _ in range(draw(st.integers(*closed))):
        first, size = len(rows), draw(st.integers(1, class_size))
        for k in range(size):
            row = {first + (k + 1) % size: [draw(weight)]}
            for chord in draw(st.lists(st.integers(0, size - 1), max_size=2)):
                row.setdefault(first + chord, []).append(draw(weight))
            rows.append(row)
    n_closed, n_transient = len(rows), draw(st.integers(*transient))
    N = n_closed + n_transient
    for k in range(n_transient):
        later = st.integers(0, n_closed - 1)
        if k + 1 < n_transient:
            later = st.one_of(later, st.integers(n_closed + k + 1, N - 1))
        row = {draw(later): [draw(weight)]}
        for other in draw(st.lists(st.integers(0, N - 1), max_size=2)):
            row.setdefault(other, []).append(draw(weight))
        rows.append(row)
    chain = _edge_chain(rows, list(draw(st.permutations(range(N)))))
    return chain.floats() if floats else chain


def irreducible_chains(*, floats: bool = False) -> st.SearchStrategy[Chain]:
    """Chains with one communicating class, periodic ones among them."""
    cycles = structured_chains(floats=floats, closed=(1, 1), transient=(0, 0), class_size=6)
    dense = window_chains(floats=floats, max_states=16).filter(
        lambda chain: bool((chain.next_token > 0).all())
    )
    return st.one_of(cycles, dense)


def chains(*, floats: bool = False) -> st.SearchStrategy[Chain]:
    """Chains of every kind: windows and transitions, one state, periodic, absorbing, reducible."""
    return st.one_of(
        window_chains(floats=floats, max_states=16),
        edge_chains(floats=floats),
        structured_chains(floats=floats),
    )
