"""Mean first passage times, Kemeny's constant, absorption, and their proven errors."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined, StateSpaceTooLarge
from fsm_gpt.markov import (
    absorption,
    fundamental_matrix,
    kemeny_constant,
    mean_first_passage,
    stationary_distribution,
)
from fsm_gpt.markov.residual import residual
from tests.families import HARD, hard_rows


def relative(computed, exact):
    """The largest relative error where the truth is not zero; zeros must be zeros."""
    worst = Fraction(0)
    for x, y in zip(np.ravel(computed), np.ravel(exact), strict=True):
        if y == 0:
            assert x == 0
        else:
            worst = max(worst, abs(Fraction(float(x)) - y) / y)
    return worst


@pytest.mark.parametrize("name", HARD)
def test_hard_chains_keep_every_digit_and_the_bound_holds(name):
    chain = Chain(hard_rows(name, 2, 4))
    found, exact = mean_first_passage(chain), mean_first_passage(chain, exact=True)
    error = max(
        relative(found.mean_steps, exact.mean_steps), relative(found.recurrence, exact.recurrence)
    )
    assert error < 1e-14
    assert error <= found.error_bound < 1e-10
    kemeny, truth = kemeny_constant(chain), kemeny_constant(chain, exact=True)
    assert relative([kemeny.mean_steps], [truth.mean_steps]) <= kemeny.error_bound < 1e-9


def test_the_textbook_formula_loses_them():
    """(Z[j, j] - Z[i, j]) / pi(j), Kemeny & Snell (1976), theorem 4.4.7, subtracts."""
    chain = Chain(hard_rows("nearly decomposable", 2, 4))
    P, pi = chain.matrix(), stationary_distribution(chain).pi
    Z = np.linalg.inv(np.eye(16) - P + pi)
    textbook = (np.diag(Z) - Z) / pi
    exact = mean_first_passage(chain, exact=True).mean_steps
    assert relative(textbook[:8, 8:], exact[:8, 8:]) > 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 7, 60])
def test_equations_of_first_passage(n):
    """Norris (1997), theorem 1.3.5."""
    P = np.random.default_rng(n).dirichlet(np.ones(n), n)
    found = mean_first_passage(Chain.from_matrix(P))
    M = found.mean_steps
    for j in range(n):
        others = np.arange(n) != j
        np.testing.assert_allclose(M[others, j], (1 + P @ M[:, j])[others], rtol=1e-12)
    assert (np.diag(M) == 0).all()
    pi = stationary_distribution(Chain.from_matrix(P)).pi
    np.testing.assert_allclose(found.recurrence, 1 / pi, rtol=1e-12)


def test_fundamental_matrix_is_the_inverse():
    """Kemeny & Snell (1976), theorem 4.3.1, on a periodic chain too."""
    for rows in (
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [["1/2", "1/2", 0], ["1/3", 0, "2/3"], [1, 0, 0]],
    ):
        chain = Chain.from_matrix(rows).exact()
        Z, P = fundamental_matrix(chain).Z, chain.matrix()
        pi = stationary_distribution(chain).pi
        identity = (np.eye(3, dtype=int) - P + pi) @ Z
        assert (identity == np.eye(3, dtype=int)).all()
        assert sum(np.diag(Z)) == kemeny_constant(chain).trace_Z


def test_symbols():
    a, b = sympy.symbols("a b", positive=True)
    chain = Chain.from_matrix([[1 - a, a], [b, 1 - b]])
    M = mean_first_passage(chain).mean_steps
    assert sympy.simplify(M[0, 1] - 1 / a) == 0
    assert sympy.simplify(M[1, 0] - 1 / b) == 0
    assert sympy.simplify(kemeny_constant(chain).mean_steps - 1 / (a + b)) == 0


def test_reducible_chains_are_refused_with_the_way_out():
    chain = Chain.from_matrix([[1, 0], ["1/2", "1/2"]])
    with pytest.raises(NotDefined, match=r"absorption\(\)"):
        mean_first_passage(chain)


def test_too_many_states_for_exact_answers():
    chain = Chain([[Fraction(1, 2)] * 2] * 1024)
    with pytest.raises(StateSpaceTooLarge, match="1,024 states"):
        mean_first_passage(chain)


def gamblers_ruin(n, up):
    """States 0 to n, both ends absorbing."""
    P = np.zeros((n + 1, n + 1), dtype=object)
    P[0, 0] = P[n, n] = Fraction(1)
    for i in range(1, n):
        P[i, i + 1], P[i, i - 1] = up, 1 - up
    return P


@pytest.mark.parametrize("up", [Fraction(1, 2), Fraction(1, 3), Fraction(9, 10)])
def test_gamblers_ruin(up):
    """Norris (1997), example 1.3.3; Feller (1968), XIV.2 and XIV.3."""
    n = 9
    found = absorption(Chain.from_matrix(gamblers_ruin(n, up)))
    r = (1 - up) / up
    for place, i in enumerate(found.transient.tolist()):
        if r == 1:
            wins, steps = Fraction(i, n), i * (n - i)
        else:
            wins = (1 - r**i) / (1 - r**n)
            steps = i / (1 - 2 * up) - n / (1 - 2 * up) * wins
        assert found.probabilities[place].tolist() == [1 - wins, wins]
        assert found.mean_steps[place] == steps


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-9])
def test_absorption_holds_its_bound(size):
    """Escape with probability about ``size``: times of up to 1e18 steps."""
    rng = np.random.default_rng(3)
    n = 14
    P = rng.dirichlet(np.ones(n), n)
    P[:, :2] *= size * rng.uniform(0.1, 1, (n, 2))
    P[:2] = 0
    P[0, 0] = P[1, 1] = 1
    P /= P.sum(axis=1, keepdims=True)
    chain = Chain.from_matrix(P)
    found, exact = absorption(chain), absorption(chain, exact=True)
    assert relative(found.mean_steps, exact.mean_steps) <= found.error_bound < 1e-9
    wrong = max(
        abs(Fraction(float(x)) - y)
        for x, y in zip(found.probabilities.ravel(), exact.probabilities.ravel(), strict=True)
    )
    assert wrong <= found.error_bound


def test_nothing_to_absorb():
    with pytest.raises(NotDefined, match="no state is transient"):
        absorption(Chain([[0.5, 0.5], [0.5, 0.5]]))


def test_residuals_are_upper_bounds():
    """Against exact rationals, for functions whose residual is lost in double precision."""
    chain = Chain(hard_rows("sharp", 2, 4).astype(np.float32), normalize=True)
    exact = chain.exact()
    P = exact.matrix()
    f = 1e9 * np.random.default_rng(0).random((16, 2))
    found = residual(chain, f, np.array([1.0, 0.0]))
    for column, step in ((0, 1), (1, 0)):
        values = [Fraction(v) for v in f[:, column].tolist()]
        for i in range(16):
            truth = abs(values[i] - sum(P[i, j] * values[j] for j in range(16)) - step)
            assert truth <= Fraction(found[i, column])
            assert found[i, column] <= float(truth) * (1 + 1e-9) + 1e-18
