"""Machines that end, and what independent arithmetic says of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from fsm_gpt.chain import Chain
from tests.strategies import chains

__all__ = [
    "Truth",
    "dies_faster",
    "knuth_die",
    "live_block",
    "machines",
    "phase_type",
    "truth",
    "two_heads",
]

Matrix = Any


def phase_type() -> Chain:
    """Two states: P(N = n) from a is (1/3) (3/4)^n - (1/6) (1/2)^n, by partial fractions."""
    rows = [["1/2", "1/3", "1/6"], [0, "3/4", "1/4"], [0, 0, 1]]
    return Chain(rows, vocabulary="ab.").with_stop(".")


def two_heads() -> Chain:
    """A coin thrown until two heads follow each other; the second one ends the text."""
    rows = [["1/2", "1/2", 0], ["1/2", 0, "1/2"], [1, 0, 0]]
    return Chain(rows, vocabulary="th.").with_stop(".")


def knuth_die() -> Chain:
    """Knuth and Yao's die: three flips, and two more as long as they fail, with 1/4 each time."""
    flips = {"s0": "s1 s2", "s1": "s3 s4", "s2": "s5 s6", "s3": "s1 1", "s4": "2 3", "s5": "4 5"}
    flips["s6"] = "s2 6"
    names = [*flips, *"123456"]
    edges = [
        (names.index(s), t, names.index(to), "1/2")
        for s, both in flips.items()
        for t, to in enumerate(both.split())
    ]
    edges += [(names.index(face), 2, names.index(face), "1") for face in "123456"]
    chain = Chain.from_edges(
        *(np.array(column) for column in list(zip(*edges, strict=True))[:3]),
        [p for *_, p in edges],
        states=names,
        vocabulary=["heads", "tails", "stop"],
    )
    return chain.with_stop("stop")


@st.composite
def machines(draw: st.DrawFn, *, floats: bool = False) -> tuple[Chain, int]:
    """A machine of any structure, and a state to start in, which is not END."""
    chain = draw(chains(floats=floats))
    token = draw(st.integers(0, chain.n_tokens - 1))
    return chain.with_stop(token), draw(st.integers(0, chain.n_states - 1))


class Truth(NamedTuple):
    """What a text does from a state, in rationals; None where no text ends."""

    joint: list[Fraction]
    """P(N = n), for n from 0 on."""
    ending: Fraction
    mean: Fraction | None
    variance: Fraction | None
    last: list[Fraction] | None


def truth(machine: Chain, start: int, lengths: int) -> Truth:
    """By Gauss-Jordan elimination with pivots, on the states from which END can be reached."""
    P, end = machine.exact().matrix(), machine.end
    states = _live(P, end, start)
    if start not in states:
        return Truth([Fraction(0)] * lengths, Fraction(0), None, None, None)
    Q = live_block(machine, start)
    s = [Fraction(P[i, end]) for i in states]
    n, at = len(states), states.index(start)
    joint, f = [], s
    for _ in range(lengths):
        joint.append(f[at])
        f = [sum((q * g for q, g in zip(row, f, strict=True)), Fraction(0)) for row in Q]
    N = _inverse([[Fraction(int(i == j)) - Q[i][j] for j in range(n)] for i in range(n)])
    h = [sum((a * b for a, b in zip(row, s, strict=True)), Fraction(0)) for row in N]
    # Kemeny & Snell, theorem 3.3.5, on the chain given that it ends: t = N 1, (2 N - I) t.
    H = [[N[i][j] * h[j] / h[i] for j in range(n)] for i in range(n)]
    t = [sum(row, Fraction(0)) for row in H]
    square = 2 * sum((a * b for a, b in zip(H[at], t, strict=True)), Fraction(0)) - t[at]
    last = [Fraction(0)] * machine.n_states
    for k, i in enumerate(states):
        last[i] = N[at][k] * s[k] / h[at]
    return Truth(joint, h[at], t[at] - 1, square - t[at] ** 2, last)


def live_block(machine: Chain, start: int) -> list[list[Fraction]]:
    """Q among the states that a start leads to and that lead to END."""
    P = machine.exact().matrix()
    states = _live(P, machine.end, start)
    return [[Fraction(P[i, j]) for j in states] for i in states]


def _live(P: Matrix, end: int | None, start: int) -> list[int]:
    assert end is not None
    before, after = {end}, {start}
    while more := {i for i in range(end) if i not in before and any(P[i, j] for j in before)}:
        before |= more
    while more := {j for j in range(end) if j not in after and any(P[i, j] for i in after)}:
        after |= more
    return sorted((before & after) - {end})


def dies_faster(Q: list[list[Fraction]], rate: Fraction) -> bool:
    """Whether the spectral radius of Q is below a number, in rationals.

    It is if and only if (rate - Q) has an inverse without a negative entry (Berman & Plemmons
    1994, theorem 6.2.3, N38).
    """
    n = len(Q)
    try:
        N = _inverse([[rate * int(i == j) - Q[i][j] for j in range(n)] for i in range(n)])
    except StopIteration:
        return False
    return all(v >= 0 for row in N for v in row)


def _inverse(A: list[list[Fraction]]) -> list[list[Fraction]]:
    n = len(A)
    rows = [[*A[i], *(Fraction(int(i == j)) for j in range(n))] for i in range(n)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[n:] for row in rows]
