"""Distributions after some tokens, against exact rationals and matrix powers."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.markov import distribution_after, limiting_distribution, stationary_distribution
from tests.families import HARD, hard_rows
from tests.strategies import chains

OZ = [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]]


def test_the_land_of_oz():
    """Grinstead & Snell, table 11.1: from rain, the sixth power has rows .400 .200 .400."""
    oz = Chain.from_matrix(OZ, vocabulary=["rain", "nice", "snow"])
    after = fg.distribution_after(oz, 6, start="rain")
    assert [round(float(p), 3) for p in after.probabilities] == [0.4, 0.2, 0.4]
    assert after.error_bound == 0
    assert "after 6 tokens" in str(after)
    assert "exact" in str(after)


@given(st.one_of(chains(), chains(floats=True)), st.integers(0, 6), st.data())
def test_exact_and_within_the_bound(chain, steps, data):
    start = data.draw(st.integers(0, chain.n_states - 1))
    P = chain.exact().matrix()
    truth = np.array([Fraction(int(s == start)) for s in range(chain.n_states)], dtype=object)
    for _ in range(steps):
        truth = truth @ P
    assert distribution_after(chain, steps, start=start, exact=True).probabilities.tolist() == list(
        truth
    )
    found = distribution_after(chain.floats(), steps, start=start)
    check = distribution_after(chain.floats(), steps, start=start, exact=True).probabilities
    if found.error_bound == "uncertified":
        assert "underflow" in found.uncertified_because
        return
    for ours, true in zip(found.probabilities.tolist(), check.tolist(), strict=True):
        assert abs(Fraction(ours) - true) <= Fraction(found.error_bound) * true


@pytest.mark.parametrize("name", HARD)
def test_hard_chains_within_the_bound(name):
    chain = Chain(hard_rows(name, 3, 3))
    x = np.random.default_rng(0).dirichlet(np.ones(27))
    found = distribution_after(chain, 5, start=x)
    truth, P = np.array([Fraction(v) for v in x], dtype=object), chain.exact().matrix()
    for _ in range(5):
        truth = truth @ P
    error = max(abs(Fraction(a) - b) / b for a, b in zip(found.probabilities, truth, strict=True))
    assert 0 < error <= found.error_bound < 1e-14


def test_no_step_and_many_steps():
    chain = Chain(hard_rows("random", 2, 4))
    assert distribution_after(chain, 0, start=3).probabilities.tolist() == np.eye(16)[3].tolist()
    far = distribution_after(chain, 2000, start="0000")
    np.testing.assert_allclose(far.probabilities, stationary_distribution(chain).pi, rtol=1e-12)
    ends = limiting_distribution(chain, start=5).probabilities
    np.testing.assert_allclose(far.probabilities, ends, rtol=1e-12)


def test_a_periodic_chain_never_settles():
    flip = Chain.from_matrix([[0, 1], [1, 0]])
    assert distribution_after(flip, 7, start=0).probabilities.tolist() == [0, 1]
    assert distribution_after(flip, 8, start=[0.25, 0.75]).probabilities.tolist() == [0.25, 0.75]


def test_symbols():
    a = sympy.Symbol("a")
    found = distribution_after(Chain.from_matrix([[1 - a, a], [a, 1 - a]]), 2, start=0)
    assert sympy.expand(found.probabilities[1] - 2 * a * (1 - a)) == 0
    assert "a" in str(found)


def test_products_that_underflow_are_not_certified():
    p = 1e-160
    rare = Chain([[1.0 - p, p], [1.0, 0.0]])
    assert distribution_after(rare, 1, start=0).certified
    found = distribution_after(Chain([[1 - p, p], [1 - p, p]] * 2), 3, start=0)
    assert found.error_bound == "uncertified"
    assert "underflow" in found.uncertified_because


def test_many_states_are_shown_by_their_mass():
    chain = Chain(hard_rows("random", 2, 6))
    shown = str(distribution_after(chain, 9, start=0)).splitlines()
    assert len(shown) == 18
    assert shown[-1] == "  ... and 48 more states"
    masses = [float(line.split()[-1]) for line in shown[1:-1]]
    assert masses == sorted(masses, reverse=True)


@pytest.mark.parametrize("steps", [-1, 1.5, "2"])
def test_steps_that_are_no_number_of_tokens(steps):
    with pytest.raises(InvalidArgument, match="whole number of 0 or more"):
        distribution_after(Chain([[0.5, 0.5]] * 2), steps, start=0)


def test_starts_that_are_none():
    chain = Chain([[0.5, 0.5]] * 4)
    with pytest.raises(StateOutOfRange):
        distribution_after(chain, 1, start="01010")
    with pytest.raises(InvalidArgument, match="sum to one"):
        distribution_after(chain, 1, start=[0.5, 0.5, 0.5, 0.5])
