"""Gradients: closed forms, differences in fifty digits, and every way of solving the adjoint."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique, StateOutOfRange
from fsm_gpt.markov import first_step, poisson
from fsm_gpt.markov.compare import compare
from fsm_gpt.markov.condition import condition_number
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.functional import (
    Functional,
    HittingTime,
    KLRate,
    StationaryProbability,
    TokenEntropy,
)
from fsm_gpt.markov.hitting import hitting
from fsm_gpt.markov.sensitivity import RowSensitivity, row_sensitivity
from fsm_gpt.markov.stationary import stationary_distribution

Array = Any


def from_logits(z: Array) -> Chain:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return Chain(p / p.sum(axis=1, keepdims=True))


def logits(V: int, L: int, seed: int, scale: float = 1.5) -> Array:
    return np.random.default_rng(seed).normal(size=(V**L, V)) * scale


# ---- an oracle of fifty digits: the numbers themselves, by textbook equations ----


def oracle(kind: str, P: Any, successor: Any, **options: Any) -> Any:
    """A number of a chain with rows P, a list of lists of mpf; 0 stands for no transition."""
    N, V = len(P), len(P[0])
    M = mpmath.zeros(N)
    for s in range(N):
        for t in range(V):
            if P[s][t]:
                M[s, int(successor[s][t])] += P[s][t]
    if kind == "time":
        goal, start = options["goal"], options["start"]
        rest = [s for s in range(N) if s != goal]
        A = mpmath.matrix(N - 1)
        for i, s in enumerate(rest):
            for j, u in enumerate(rest):
                A[i, j] = (s == u) - M[s, u]
        return mpmath.lu_solve(A, mpmath.ones(N - 1, 1))[rest.index(start)]
    A = (mpmath.eye(N) - M).T
    for j in range(N):
        A[N - 1, j] = mpmath.mpf(1)
    b = mpmath.zeros(N, 1)
    b[N - 1] = 1
    pi = mpmath.lu_solve(A, b)
    if kind == "pi":
        return pi[options["state"]]
    H = [-sum(p * mpmath.log(p, 2) for p in row if p) for row in P]
    return sum(pi[s] * H[s] for s in range(N))


def differences(chain: Chain, kind: str, **options: Any) -> Array:
    """Central differences in the logits, good to twenty digits and more."""
    with mpmath.workdps(60):
        rows = [[mpmath.mpf(float(p)) for p in row] for row in chain.next_token]
        rows = [[p / sum(row) for p in row] for row in rows]
        successor = chain.successors()
        step = mpmath.mpf(10) ** -15
        table = np.zeros((chain.n_states, chain.n_tokens))
        for s in range(chain.n_states):
            for t in range(chain.n_tokens):
                if not rows[s][t]:
                    continue
                sides = []
                for sign in (1, -1):
                    row = list(rows[s])
                    row[t] *= mpmath.exp(sign * step)
                    moved = [*rows[:s], [p / sum(row) for p in row], *rows[s + 1 :]]
                    sides.append(oracle(kind, moved, successor, **options))
                table[s, t] = float((sides[0] - sides[1]) / (2 * step))
        return table


def held(found: RowSensitivity, expected: Array) -> None:
    """The gradient is right within its own bound, and to 1e-6 of its size in any case."""
    wrong = np.abs(found.gradient - expected).max()
    if found.certified:
        assert wrong <= float(found.error_bound) + 1e-25
    assert wrong <= 1e-6 * max(float(np.abs(expected).max()), 1e-12)
    assert np.abs(found.gradient.sum(axis=1)).max() <= 1e-12 * max(1, np.abs(expected).max())


ASKED = [
    ("entropy", TokenEntropy(), {}),
    ("pi", StationaryProbability(3), {"state": 3}),
    ("time", HittingTime(3, 1), {"goal": 3, "start": 1}),
]


# ---- closed forms ----


def test_two_states_by_hand() -> None:
    # pi of the first is b / (a + b), and with logistic logits da/dz = a (1 - a).
    a, b = 0.25, 0.5
    chain = Chain([[1 - a, a], [b, 1 - b]])
    found = row_sensitivity(chain, StationaryProbability(0)).gradient
    by_a, by_b = -b / (a + b) ** 2, a / (a + b) ** 2
    assert found[0, 1] == pytest.approx(by_a * a * (1 - a), rel=1e-14)
    assert found[1, 0] == pytest.approx(by_b * b * (1 - b), rel=1e-14)
    # The mean time from the first to the second is 1 / a.
    found = row_sensitivity(chain, HittingTime(1, 0)).gradient
    assert found[0, 1] == pytest.approx(-(1 - a) / a, rel=1e-14)
    assert found[1].tolist() == [0.0, 0.0]


def test_a_coin_by_hand() -> None:
    # H = -p log p - q log q has dH/dz = p q log2(q / p), and every row of a coin is the coin's.
    p = 0.2
    chain = Chain([[p, 1 - p]] * 2)
    found = row_sensitivity(chain, TokenEntropy()).gradient
    assert found[:, 0].sum() == pytest.approx(p * (1 - p) * math.log2((1 - p) / p), rel=1e-13)


def test_kl_is_the_difference_of_rows() -> None:
    # d/dz of -sum r log2 softmax(z) is (softmax(z) - r) / ln 2.
    reference, model = from_logits(logits(2, 2, 1)), from_logits(logits(2, 2, 2))
    pi = stationary_distribution(reference).pi
    expected = pi[:, None] * (model.next_token - reference.next_token) / math.log(2)
    found = row_sensitivity(model, KLRate(reference))
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-12, atol=1e-16)
    assert found.value == compare(reference, model).kl_bits_per_token


def test_a_text_that_visits_few_contexts_moves_only_their_rows() -> None:
    data = Chain.from_text("111101111011110", context=3)
    model = from_logits(logits(2, 3, 4))
    found = row_sensitivity(model, KLRate(data)).gradient
    seen = [3, 5, 6, 7]  # 011, 101, 110, 111
    assert not found[[0, 1, 2, 4]].any()
    assert (np.abs(found[seen]).sum(axis=1) > 0).all()


# ---- differences in sixty digits ----


@pytest.mark.parametrize(("kind", "functional", "options"), ASKED, ids=lambda v: str(v)[:12])
@settings(max_examples=6)
@given(V=st.integers(2, 3), seed=st.integers(0, 10**6), scale=st.sampled_from([0.3, 2.0, 8.0]))
def test_windows(kind: str, functional: Functional, options: dict, V: int, seed, scale) -> None:
    chain = from_logits(logits(V, 2, seed, scale))
    held(row_sensitivity(chain, functional), differences(chain, kind, **options))


@pytest.mark.parametrize(("kind", "functional", "options"), ASKED, ids=lambda v: str(v)[:12])
@pytest.mark.parametrize("name", ["transient", "periodic", "merging"])
def test_chains_with_zeros(kind: str, functional: Functional, options: dict, name: str) -> None:
    chains = {
        # 0 is left for ever; the rest is irreducible.
        "transient": ([0, 0, 1, 2, 2, 3, 3], [0, 1, 0, 0, 1, 0, 1], [1, 2, 2, 3, 1, 1, 2]),
        # 0, 2 and 1, 3 in turn.
        "periodic": ([0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 1, 0, 1, 0], [1, 3, 0, 2, 1, 3, 2]),
        # Two tokens lead to one state.
        "merging": ([0, 0, 1, 1, 2, 3, 3], [0, 1, 0, 1, 0, 0, 1], [1, 1, 2, 3, 3, 0, 0]),
    }
    p = [0.3, 0.7, 1.0, 0.25, 0.75, 0.6, 0.4]
    if name != "transient":
        p = (
            [0.3, 0.7, 0.25, 0.75, 0.6, 0.4, 1.0]
            if name == "periodic"
            else [*p[:2], 0.2, 0.8, 1, 0.6, 0.4]
        )
    chain = Chain.from_edges(*chains[name], p)
    found = row_sensitivity(chain, functional)
    held(found, differences(chain, kind, **options))
    assert (found.gradient[chain.next_token == 0] == 0).all()


def test_a_transient_state_has_no_share_that_could_change() -> None:
    chain = Chain.from_edges([0, 0, 1], [0, 1, 0], [0, 1, 1], [0.5, 0.5, 1.0])
    found = row_sensitivity(chain, StationaryProbability(0))
    assert found.value == 0
    assert not found.by_transition.any()
    assert found.error_bound == 0


@pytest.mark.parametrize("family", ["random", "sticky", "rotate"])
def test_large_chains_are_solved_otherwise_and_alike(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = logits(2, 6, 9, 1.0)
    if family == "sticky":
        z[:, 0] += 6
    if family == "rotate":  # the oldest token comes again
        z[np.arange(64), np.arange(64) // 32] += 8
    asked = [TokenEntropy(), StationaryProbability(5), HittingTime(5, 40)]
    dense = [row_sensitivity(from_logits(z), one) for one in asked]
    for room in (poisson, first_step, import_module("fsm_gpt.markov.hitting")):
        monkeypatch.setattr(room, "ELIMINATION_LIMIT", 1)
    monkeypatch.setattr(poisson, "DENSE_LIMIT", 1)
    for few in (2000, 1):
        monkeypatch.setattr(poisson, "_PRODUCTS", few)
        large = [row_sensitivity(from_logits(z), one) for one in asked]
        for one, other in zip(dense, large, strict=True):
            size = np.abs(one.by_transition).max()
            bounds = float(one.error_bound) + (float(other.error_bound) if other.certified else 0)
            wrong = np.abs(one.by_transition - other.by_transition).max()
            assert wrong <= max(bounds, 0 if other.certified else 1e-9 * size)
            assert wrong <= 1e-6 * size
        assert few > 1 or "reversed time" in large[0].method


# ---- what it is for ----


def test_error_bars_hold_what_rounding_to_float32_does() -> None:
    values: list[tuple[Functional, Callable[[Chain], float]]] = [
        (TokenEntropy(), lambda c: float(entropy_rate(c).bits_per_token)),
        (StationaryProbability(9), lambda c: float(stationary_distribution(c).pi[9])),
        (HittingTime(9, 2), lambda c: float(hitting(c, 9).mean_steps[2])),
    ]
    for seed in range(5):
        chain = from_logits(logits(2, 5, seed))
        rounded = Chain(chain.next_token.astype(np.float32).astype(float), normalize=True)
        for functional, value in values:
            bar = row_sensitivity(chain, functional).error_bar(2.0**-24)
            assert 0 < abs(value(rounded) - value(chain)) <= bar * (1 + 1e-5)
            assert bar < 1e-4 * abs(value(chain))


def test_a_step_along_the_gradient_does_what_it_says() -> None:
    z = logits(3, 2, 5)
    found = row_sensitivity(from_logits(z), TokenEntropy())
    step = 1e-4
    after = entropy_rate(from_logits(z + step * found.gradient)).bits_per_token
    assert after - found.value == pytest.approx(step * (found.gradient**2).sum(), rel=1e-3)


def test_a_target_of_many_states_is_named_in_short() -> None:
    assert str(HittingTime("11", "00")) == "mean tokens from 00 to 11"
    assert str(HittingTime(tuple("abcde"), "f")) == "mean tokens from f to a, b, c or 2 more"


def test_it_says_which_rows_matter() -> None:
    chain = from_logits(logits(2, 3, 6))
    found = row_sensitivity(chain, StationaryProbability("111"))
    top = found.top(3)
    assert next(label for label, _ in top) == chain.label(int(np.argmax(found.by_state)))
    assert found.by_state.sum() == pytest.approx(found.error_bar(1.0))
    assert "stationary probability of 111" in str(found)
    assert f"row {top[0][0]}:" in str(found)
    assert found.to_dict()["unit"] == "share of the time"


def test_float32_and_rationals_are_taken_as_floats() -> None:
    rows = [["1/2", "1/2"], ["1/4", "3/4"]]
    exact = row_sensitivity(Chain(rows), TokenEntropy())
    plain = row_sensitivity(Chain([[0.5, 0.5], [0.25, 0.75]]), TokenEntropy())
    np.testing.assert_allclose(exact.gradient, plain.gradient, rtol=1e-14)
    assert plain.certified
    assert not exact.certified
    assert "float64" in exact.uncertified_because


# ---- what has no gradient ----


def test_refusals() -> None:
    two = Chain([[1, 0], [0, 1]])
    for functional in (TokenEntropy(), StationaryProbability(0)):
        with pytest.raises(NotUnique):
            row_sensitivity(two, functional)
    with pytest.raises(NotDefined, match="does not surely reach 1"):
        row_sensitivity(two, HittingTime(1, 0))
    chain = from_logits(logits(2, 2, 0))
    with pytest.raises(NotDefined, match="rules out what the reference does"):
        row_sensitivity(chain.with_decoding(TopK(1)), KLRate(chain))
    with pytest.raises(InvalidArgument, match="contexts of 3 tokens and the model of 2"):
        row_sensitivity(chain, KLRate(from_logits(logits(2, 3, 0))))
    with pytest.raises(StateOutOfRange):
        row_sensitivity(chain, StationaryProbability("2222"))
    with pytest.raises(InvalidArgument, match="has to be 0 or more"):
        row_sensitivity(chain, TokenEntropy()).error_bar(-1)
    with pytest.raises(InvalidArgument, match="ask for 1 or more"):
        row_sensitivity(chain, TokenEntropy()).top(0)
    import sympy

    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="symbols"):
        row_sensitivity(Chain([[a, 1 - a], [1, 0]]), TokenEntropy())


# ---- condition number ----


def test_condition_number_by_hand() -> None:
    # Left with probabilities a and b: m(2, 1) = 1/b and pi(1) = b / (a + b), so both states give
    # 1 / (a + b), and half of it is kappa.
    for a, b in ((0.25, 0.5), (1e-6, 1e-6)):
        found = condition_number(Chain([[1 - a, a], [b, 1 - b]]))
        assert found.kappa == pytest.approx(1 / (2 * (a + b)), rel=1e-9)
        assert found.certified


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-1, 1e-3]))
def test_no_change_of_the_rows_does_more(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(5, 0.3), size=5) * 0.9 + 0.02
    other = (1 - size) * P + size * rng.dirichlet(np.full(5, 0.1), size=5)
    one, two = Chain.from_matrix(P, normalize=True), Chain.from_matrix(other, normalize=True)
    moved = np.abs(stationary_distribution(one).pi - stationary_distribution(two).pi).max()
    change = np.abs(one.next_token - two.next_token).sum(axis=1).max()
    assert moved <= float(condition_number(one).kappa) * change * (1 + 1e-9)


def test_the_condition_number_is_nearly_reached() -> None:
    # All rows moved at once towards one state do much of the harm there is.
    a = b = 1e-3
    delta = 1e-6
    one, two = (
        Chain([[1 - a, a], [b, 1 - b]]),
        Chain([[1 - a + delta, a - delta], [b + delta, 1 - b - delta]]),
    )
    moved = abs(stationary_distribution(one).pi[0] - stationary_distribution(two).pi[0])
    assert moved / (2 * delta) > 0.99 * float(condition_number(one).kappa)


def test_no_condition_number() -> None:
    with pytest.raises(NotDefined, match="one state"):
        condition_number(Chain.from_edges([0], [0], [0], [1.0]))
    with pytest.raises(NotUnique):
        condition_number(Chain([[1, 0], [0, 1]]))
