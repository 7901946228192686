"""Elimination without subtraction, on floats, rationals and intervals."""

from fractions import Fraction

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged
from fsm_gpt.markov import absorption, hitting, mean_first_passage, stationary_distribution
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.markov.intervals import Intervals, TooSmall
from fsm_gpt.rows import to_rationals

RNG = np.random.default_rng(7)


def leaky(n):
    """Transition probabilities among n states, and what leaves them."""
    P = RNG.dirichlet(np.ones(n + 1), n)
    return P[:, :n], P[:, n]


@pytest.mark.parametrize("n", [1, 2, 47, 48, 49, 130])  # about the block size, and across it
def test_solves_what_a_general_solver_solves(n):
    Q, leaving = leaky(n)
    B = RNG.random((n, 3))
    expected = np.linalg.solve(np.eye(n) - Q, B)
    factors = eliminate(Q, leaving)
    np.testing.assert_allclose(factors.solve(B), expected, rtol=1e-9)
    np.testing.assert_allclose(factors.solve(B[:, 0]), expected[:, 0], rtol=1e-9)


def test_the_diagonal_is_not_read():
    Q, leaving = leaky(9)
    spoiled = Q.copy()
    np.fill_diagonal(spoiled, np.nan)
    B = np.ones(9)
    assert (eliminate(Q, leaving).solve(B) == eliminate(spoiled, leaving).solve(B)).all()


def test_rationals_are_exact():
    Q = to_rationals(np.array([[0.5, 0.25], [0.125, 0.5]]))
    leaving = np.array([Fraction(1, 4), Fraction(3, 8)])
    X = eliminate(Q, leaving).solve(np.array([Fraction(1), Fraction(1)]))
    assert [Q[i] @ X + 1 for i in range(2)] == X.tolist()


def test_null_vector_of_a_birth_and_death_chain():
    """Norris (1997), example 1.9.3: detailed balance gives pi(i) = prod p(k) / q(k + 1)."""
    up, down = 1e-9, 0.5
    n = 60
    P = np.diag([up] * (n - 1), 1) + np.diag([down] * (n - 1), -1)
    x = eliminate(P).left_null_vector()
    np.testing.assert_allclose(x, (up / down) ** np.arange(n, dtype=float), rtol=1e-13)


def test_underflow_is_an_error_and_not_a_number():
    Q = np.array([[0.0, 1.0], [1e-320, 0.0]])
    Q[1, 0] = 0.0
    with pytest.raises(NotConverged, match="exact=True"):
        eliminate(Q, np.zeros(2))


@pytest.mark.parametrize("n", [2, 20, 60])
def test_intervals_hold_the_rational_answer(n):
    Q, leaving = leaky(n)
    Q *= 10.0 ** RNG.uniform(-9, 0, Q.shape)  # no longer a row that sums to one: none is needed
    wide = eliminate(Intervals.around(Q, 0), Intervals.around(leaving, 0))
    found = wide.solve(Intervals.around(np.ones((n, 1)), 0))
    exact = eliminate(to_rationals(Q), to_rationals(leaving))
    for low, x, high in zip(
        found.low[:, 0],
        exact.solve(to_rationals(np.ones(n))),
        found.high[:, 0],
        strict=True,
    ):
        assert Fraction(low) < x < Fraction(high)
        assert high / low - 1 < 1e-9


def test_intervals_refuse_what_may_underflow():
    tiny = Intervals.around(np.array([1e-200]), 0)
    with pytest.raises(TooSmall):
        tiny * tiny
    zero = Intervals.around(np.array([0.0]), 5)
    assert (zero * zero).high[0] == 0


def test_relative_width_sees_values_outside():
    around = Intervals.around(np.array([1.0, 0.0]), 4)
    assert around.relative_width(np.array([1.0, 0.0])) < 1e-14
    assert around.relative_width(np.array([1.1, 0.0])) > 0.09
    assert around.relative_width(np.array([1.0, 1e-300])) == np.inf


#: Off-diagonal probabilities among the smallest of all floats.
DENORMAL = [
    [0.9996647048525698, 8.65e-322, 0.00033529514743024704],
    [1.0, 1.04e-322, 1.04e-322],
    [6e-323, 6e-323, 1.0],
]
#: From state 0 it takes some 2e322 steps to state 1: finite, and no float.
ENDLESS = [[0.787812394, 5e-324, 0.212187606], [0, 1, 0], [0.312690111, 1e-322, 0.687309889]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: stationary_distribution(Chain.from_matrix(DENORMAL)),
        lambda: hitting(Chain.from_matrix(ENDLESS), 1),
        lambda: mean_first_passage(Chain.from_matrix(DENORMAL)),
        lambda: absorption(Chain.from_matrix(ENDLESS)),
    ],
    ids=["stationary", "hitting", "passage", "absorption"],
)
def test_answers_beyond_floats_are_refused(ask):
    """Neither undefined nor infinite numbers are given for an answer, nor are there warnings."""
    with pytest.raises(NotConverged, match="floats"):
        ask()


def test_rationals_know_what_floats_do_not():
    steps = hitting(Chain.from_matrix(ENDLESS), 1, exact=True).mean_steps[0]
    assert 10**308 < steps < 10**324
