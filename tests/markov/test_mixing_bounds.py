"""Bounds on the mixing time, held against the mixing time itself where it can be worked out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique, StateSpaceTooLarge
from fsm_gpt.markov import mixing_bounds as ask, mixing_time
from fsm_gpt.markov.mixing_bounds import _by_coupling, _by_regeneration, _first_tail_below, _runs
from tests.families import HARD, hard_rows

#: Squaring a matrix cannot tell when the others mix; see the two blocks below.
MIXING = [name for name in HARD if name not in ("nearly decomposable", "dirichlet 0.01")]


def holds(chain, epsilon):
    """Both bounds, one way at a time, on a chain whose mixing time is known."""
    true = mixing_time(chain, epsilon=epsilon)
    found = ask(chain, epsilon=epsilon)
    # Where rounding leaves open which of two steps it is, either may be.
    room = 0 if true.certified else 1
    assert found.at_least_steps <= true.steps + room
    assert found.at_most_steps is None or found.at_most_steps >= true.steps - room
    meeting = _by_coupling(chain.floats(), epsilon, 0.0)
    assert meeting is None or meeting >= true.steps - room
    return true, found


@pytest.mark.parametrize("epsilon", [0.5, 0.25, 1e-3])
@pytest.mark.parametrize("name", MIXING)
def test_the_hard_suite(name, epsilon):
    holds(Chain(hard_rows(name, 2, 7)), epsilon)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([(2, 1), (2, 4), (3, 2), (3, 3), (5, 2)]))
def test_windows(seed, shape):
    V, L = shape
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(V, 10.0 ** rng.uniform(-0.3, 1.5)), V**L)
    holds(Chain(rows), float(rng.choice([0.5, 0.25, 0.01])))


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_other_chains(seed):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(6, 0.4), 6)
    P[:, 0] += 0.05  # one closed class, of period 1
    holds(Chain.from_matrix(P / P.sum(axis=1, keepdims=True)), 0.1)


def test_two_states_in_closed_form():
    """Levin & Peres (2017), example 4.1: d(t) = pi_max |1 - p - q|**t."""
    p, q, epsilon = 0.01, 0.002, 1e-3
    expected = math.ceil(math.log(epsilon / (p / (p + q))) / math.log(1 - p - q))
    found = ask(Chain.from_matrix([[1 - p, p], [q, 1 - q]]), epsilon=epsilon, most_steps=2000)
    assert found.at_least_steps == expected
    assert expected <= found.at_most_steps <= 3 * expected
    short = ask(Chain.from_matrix([[1 - p, p], [q, 1 - q]]), epsilon=epsilon, most_steps=50)
    assert 51 <= short.at_least_steps <= expected
    assert short.estimate_steps == pytest.approx(expected, abs=1)


def test_two_blocks_that_hardly_meet():
    """Two states a block; from one block to the other with probability 1e-4 a token."""
    half = 0.5 * (1 - 1e-4)
    cross = 0.5 * 1e-4
    P = np.array([[half, half, cross, cross]] * 2 + [[cross, cross, half, half]] * 2)
    # d(t) is (1 - 2e-4)**t / 2 from t = 1 on: the blocks are one chain of two states.
    expected = math.ceil(math.log(0.1 / 0.5) / math.log(1 - 2e-4))
    found = ask(Chain.from_matrix(P), epsilon=0.1, most_steps=9000)
    assert found.at_least_steps == expected
    assert found.at_most_steps >= expected


def test_the_coupling_in_closed_form():
    """One token of memory: texts meet at each token with the probability that all rows share.

    With rows (0.8, 0.2) and (0.4, 0.6) that is 0.4 + 0.2: u(t) = 0.4**t.
    """
    chain = Chain([[0.8, 0.2], [0.4, 0.6]])
    np.testing.assert_allclose(_runs(chain), [1, 0.6])
    assert _by_coupling(chain, 0.01, 0.0) == math.ceil(math.log(0.01) / math.log(0.4))


def test_independent_tokens_meet_after_one_window():
    chain = Chain([[0.3, 0.7]] * 32)
    np.testing.assert_allclose(_runs(chain), np.ones(6))
    found = ask(chain, epsilon=1e-6)
    assert (found.at_least_steps, found.at_most_steps) == (5, 5)
    assert "coupling" in found.method


def test_powers_of_a_tail():
    """S = 1, 0.5: not met within k has probability 0.5**k at most."""
    S = np.array([1.0, 0.5])
    assert _first_tail_below(S, 0.5) == 1
    assert 7 <= _first_tail_below(S, 0.01) <= 8
    assert _first_tail_below(np.array([1.0, 1.0]), 0.5) == math.inf


def test_regeneration_in_one_state_that_is_always_next():
    """Every row leads to state 0 with probability 1/2: met within k but for 2**-k."""
    P = np.array([[0.5, 0.25, 0.25], [0.5, 0.5, 0], [0.5, 0, 0.5]])
    chain = Chain.from_matrix(P)
    flat = np.zeros(5)
    k = _by_regeneration(chain, np.array([0]), [flat], 0.01, 0.0, 0.0, 100)
    assert k == 7  # 2**-7 is the first below 0.01


def test_a_large_chain():
    """At 65,536 states no matrix is made; the start tried is a lower bound by its definition."""
    chain = Chain(hard_rows("random", 2, 16))
    with pytest.raises(StateSpaceTooLarge, match="mixing_bounds"):
        mixing_time(chain)
    found = ask(chain)
    x = np.zeros(2**16)
    x[found.slowest_start] = 1
    for _ in range(found.at_least_steps - 1):
        x = chain.push(x)
    pi = np.full(2**16, 2.0**-16)
    for _ in range(500):
        pi = chain.push(pi)
    assert 0.5 * np.abs(x - pi).sum() > 0.25
    assert 0.5 * np.abs(chain.push(x) - pi).sum() <= 0.25
    assert found.at_least_steps <= found.at_most_steps < 10**6
    assert "at least" in str(found)


def test_what_never_mixes_or_makes_no_sense():
    with pytest.raises(NotDefined, match="mixing bounds: the closed class has period 2"):
        ask(Chain.from_matrix([[0, 1], [1, 0]]))
    with pytest.raises(NotUnique):
        ask(Chain.from_matrix([[1, 0], [0, 1]]))
    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    with pytest.raises(InvalidArgument, match="between 0 and 1"):
        ask(chain, epsilon=1)
    with pytest.raises(InvalidArgument, match="most_steps is 0"):
        ask(chain, most_steps=0)


def test_zeros_and_transient_states():
    chain = Chain(np.random.default_rng(3).dirichlet([1, 1, 1], 27)).with_decoding(TopK(2))
    true, found = holds(chain, 0.25)
    assert true.steps <= found.estimate_steps * 3


def test_float32_rows_are_divided_by_their_sums():
    rows = np.random.default_rng(0).dirichlet([8, 8], 16).astype(np.float32)
    holds(Chain(rows), 0.05)
