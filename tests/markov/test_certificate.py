"""The proven error of a stationary distribution, for right and for spoiled vectors."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.markov import stationary_distribution
from fsm_gpt.markov.certificate import certify
from fsm_gpt.result import UNCERTIFIED
from tests.families import HARD, hard_rows


def true_error(computed, exact):
    """The largest relative error of any entry."""
    return max(
        abs(Fraction(float(x)) - y) / y for x, y in zip(computed, exact, strict=True) if y != 0
    )


def bound_of(chain, x):
    """The certificate of x as a stationary distribution of an irreducible chain."""
    edges = chain.raw_edges()
    rows = chain.next_token
    sums = np.array([math.fsum(row) for row in rows.tolist()])
    return certify(edges.source, edges.target, edges.probability.astype(float), sums, x)


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_hard_chains_are_right_and_proven(name, dtype):
    rows = hard_rows(name, 2, 5).astype(dtype)
    rows /= rows.sum(axis=1, keepdims=True)
    chain = Chain(rows)
    found = stationary_distribution(chain)
    error = true_error(found.pi, stationary_distribution(chain, exact=True).pi)
    assert error <= 1e-14
    assert error <= found.error_bound <= 1e-12


@given(st.integers(0, 10**6), st.floats(1e-15, 3.0), st.sampled_from(HARD))
def test_never_broken_by_a_spoiled_vector(seed, size, name):
    rng = np.random.default_rng(seed)
    chain = Chain(hard_rows(name, 2, 3, seed=seed))
    exact = stationary_distribution(chain, exact=True).pi
    x = exact.astype(float) * np.exp(size * rng.standard_normal(8))
    x /= x.sum()
    bound, reason = bound_of(chain, x)
    if bound == UNCERTIFIED:
        assert reason
    else:
        assert true_error(x, exact) <= bound


def test_a_wrong_vector_with_a_tiny_residual_is_not_certified():
    """Two halves coupled by 1e-12: swapping their weights leaves a residual of 1e-12."""
    eps = 1e-12
    P = np.array(
        [
            [0.5, 0.5 - eps, eps, 0],
            [0.5, 0.5, 0, 0],
            [0, 0, 0.5, 0.5],
            [2 * eps, 0, 0.5, 0.5 - 2 * eps],
        ]
    )
    chain = Chain.from_matrix(P)
    exact = stationary_distribution(chain, exact=True).pi.astype(float)
    wrong = exact[[2, 3, 0, 1]]
    assert np.abs(wrong @ P - wrong).max() < 1e-11
    bound, _ = bound_of(chain, wrong)
    assert bound == UNCERTIFIED or bound > 0.4


def test_refuses_zeros():
    source = np.array([0, 1])
    bound, reason = certify(source, 1 - source, np.ones(2), np.ones(2), np.array([1.0, 0.0]))
    assert (bound, reason) == (UNCERTIFIED, "an entry underflows to zero")


def test_a_vector_that_does_not_sum_to_one_is_charged_for_it():
    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    x = np.array([1 / 3, 2 / 3]) * 1.01
    bound, _ = bound_of(chain, x)
    assert bound >= 0.01
