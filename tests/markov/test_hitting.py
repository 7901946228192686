"""Reaching a set: closed forms, exact rationals, and proven errors."""

import math
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.markov import hitting, mean_first_passage, multilevel, reversed_time
from tests.families import HARD, hard_rows
from tests.strategies import chains

#: Where the equations are solved.
module = import_module("fsm_gpt.markov.first_step")


@given(chains(), st.integers(0, 10**6))
def test_floats_within_the_bound_of_rationals(chain, seed):
    floats = chain.floats()
    target = seed % chain.n_states
    found, exact = hitting(floats, target), hitting(floats, target, exact=True)
    for p, q in zip(found.probabilities, exact.probabilities, strict=True):
        if found.certified:
            assert abs(Fraction(float(p)) - q) <= Fraction(found.error_bound)
        assert (p == 0) == (q == 0)
        assert (p == 1) == (q == 1) or abs(float(q) - 1) < 1e-15
    for k, m in zip(found.mean_steps, exact.mean_steps, strict=True):
        if m == math.inf:
            assert k == math.inf
        elif found.certified and m:
            assert abs(Fraction(float(k)) - m) / m <= Fraction(found.error_bound)


@given(chains(), st.integers(0, 10**6))
def test_the_equations_hold_exactly(chain, seed):
    """Norris (1997), theorems 1.3.2 and 1.3.5."""
    target = {seed % chain.n_states, seed // 7 % chain.n_states}
    found = hitting(chain, sorted(target))
    P = chain.matrix()
    for i in range(chain.n_states):
        if i in target:
            assert found.probabilities[i] == 1
            assert found.mean_steps[i] == 0
            continue
        assert found.probabilities[i] == P[i] @ found.probabilities
        if found.probabilities[i] == 1:
            later = sum(
                (p * k for p, k in zip(P[i], found.mean_steps, strict=True) if p), Fraction(0)
            )
            assert found.mean_steps[i] == 1 + later
        else:
            assert found.mean_steps[i] == math.inf


@pytest.mark.parametrize("name", ["random", "sharp", "sticky"])
def test_columns_of_mean_first_passage(name):
    chain = Chain(hard_rows(name, 2, 5))
    M = mean_first_passage(chain).mean_steps
    for target in (0, 13, 31):
        np.testing.assert_allclose(hitting(chain, target).mean_steps, M[:, target], rtol=1e-13)


def test_a_text_is_reached_and_symbols_are_solved():
    """Penney (1969): a fair coin shows HH after 6 tosses on average, HT after 4."""
    coin = Chain([["1/2", "1/2"]] * 4, vocabulary="HT")
    first_two = {"HH": 6, "HT": 4}
    for word, steps in first_two.items():
        times = hitting(coin, word).mean_steps
        # Two tosses make the first window, drawn uniformly.
        assert 2 + sum(times) / 4 == steps
    a, b = sympy.symbols("a b", positive=True)
    two = hitting(Chain.from_matrix([[1 - a, a], [b, 1 - b]]), 1)
    assert sympy.simplify(two.mean_steps[0] - 1 / a) == 0


def test_large_random_chain_is_proven():
    chain = Chain(hard_rows("random", 2, 14))
    found = hitting(chain, 5)
    assert "reversed time" in found.method
    assert found.error_bound < 1e-8
    assert (found.probabilities == 1).all()
    k = found.mean_steps
    gap = k - 1 - chain.expect(k)
    gap[5] = 0
    assert np.abs(gap).max() < 1e-6


def test_large_chain_with_two_ends():
    """A walk with a drift towards 0 on 0 to 3,000, ends absorbing: Feller (1968), XIV.2."""
    n, up = 3000, 0.4
    i = np.arange(1, n)
    chain = Chain.from_edges(
        np.concatenate([i, i, [0, n]]),
        np.concatenate([i * 0, i * 0 + 1, [0, 1]]),
        np.concatenate([i - 1, i + 1, [0, n]]),
        np.concatenate([i * 0 + (1 - up), i * 0 + up, [1, 1]]),
    )
    found = hitting(chain, 0)
    assert found.probabilities[-1] == 0
    assert found.mean_steps[5] == math.inf
    r = (1 - up) / up
    for start in (1, 10, 2000):
        expected = 1 - (r ** (start - n) - r**-n) / (1 - r**-n)
        assert found.probabilities[start] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", HARD)
def test_large_and_stiff_chains_are_proven(name):
    """Times up to 1e70, where no residual tells anything."""
    found = hitting(Chain(hard_rows(name, 2, 13)), 0)
    assert found.error_bound < 1e-7


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize(("V", "L"), [(2, 7), (3, 4)])
def test_reversed_time_agrees_with_rationals(name, V, L, monkeypatch):
    """The bound holds, and what it bounds is small, in every entry and for every family."""
    monkeypatch.setattr(module, "ELIMINATION_LIMIT", 10)
    monkeypatch.setattr(multilevel, "BOTTOM", 6)
    monkeypatch.setattr(reversed_time, "BOTTOM", 6)
    chain = Chain(hard_rows(name, V, L))
    found, exact = hitting(chain, 3), hitting(chain, 3, exact=True)
    assert "reversed time" in found.method
    assert found.error_bound < 1e-8
    for k, m in zip(found.mean_steps, exact.mean_steps, strict=True):
        assert abs(Fraction(float(k)) - m) <= m * Fraction(found.error_bound)


def test_reversed_time_with_several_ends_agrees_with_rationals(monkeypatch):
    """Transient states, so that nothing stationary is positive, and three closed classes."""
    monkeypatch.setattr(module, "ELIMINATION_LIMIT", 5)
    P = np.random.default_rng(3).dirichlet(np.full(12, 0.3), 12)
    P[:, 9:] *= 1e-9
    P[9:] = np.eye(12)[9:]
    chain = Chain.from_matrix(P, normalize=True)
    found, exact = hitting(chain, 9), hitting(chain, 9, exact=True)
    assert "reversed time" in found.method
    assert 0 < found.error_bound < 1e-9
    for p, q in zip(found.probabilities, exact.probabilities, strict=True):
        assert abs(Fraction(float(p)) - q) <= q * Fraction(found.error_bound)


@pytest.mark.parametrize("wrong", [1e-3, 1e-9])
def test_a_spoiled_answer_is_not_proven(wrong):
    """The proof looks at the vector, not at how it was made."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(6), 6)
    source, target = np.nonzero(~np.eye(6, dtype=bool))
    leaving = 0.1 * np.ones(6)
    equations = reversed_time.Equations(
        source, target, 0.9 * P[source, target], leaving, np.ones(6), 20
    )
    f, bound, _ = reversed_time.solve_backward(equations, accuracy=1e-8)
    c = np.full(6, 1 / 6)
    x = np.linalg.solve((np.diag(0.9 * (1 - np.diag(P)) + 0.1) - _off(0.9 * P)).T, c)
    assert float(reversed_time.prove(equations, c, x, f)[0]) < 1e-12
    spoiled, _ = reversed_time.prove(equations, c, x, f * (1 + wrong * np.arange(6) / 5))
    assert float(spoiled) >= wrong
    shifted, _ = reversed_time.prove(equations, c, x * (1 + wrong * np.arange(6) / 5), f)
    assert float(shifted) >= wrong / 2
    assert float(bound) < 1e-12


def _off(matrix):
    return matrix - np.diag(np.diag(matrix))


def test_targets_that_are_not_there():
    chain = Chain([[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(InvalidArgument, match="no state"):
        hitting(chain, [])
    with pytest.raises(StateOutOfRange):
        hitting(chain, 2)
