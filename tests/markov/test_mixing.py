"""Mixing times, convergence bound, spectrum, reversal."""

import math

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, NotDefined, NotUnique
from fsm_gpt.markov import (
    convergence_bound,
    mixing_time,
    reversibility,
    spectrum,
    stationary_distribution,
    time_reversal,
)
from fsm_gpt.markov.spectrum import exact_order
from tests.families import hard_rows


def steps_one_by_one(chain, epsilon):
    """The first t at which the worst and the average distance are small, step by step."""
    P, pi = chain.matrix(), stationary_distribution(chain).pi
    power, worst, average, t = np.eye(len(P)), None, None, 0
    while worst is None or average is None:
        distance = 0.5 * np.abs(power - pi).sum(axis=1)
        worst = t if worst is None and distance.max() <= epsilon else worst
        average = t if average is None and distance.mean() <= epsilon else average
        power, t = power @ P, t + 1
    return worst, average


@pytest.mark.parametrize("epsilon", [0.9, 0.25, 1e-2, 1e-6])
@pytest.mark.parametrize("seed", range(4))
def test_mixing_time_step_by_step(seed, epsilon):
    chain = Chain(np.random.default_rng(seed).dirichlet([0.5, 0.5], 8))
    found = mixing_time(chain, epsilon=epsilon)
    assert (found.steps, found.average_steps) == steps_one_by_one(chain, epsilon)
    assert found.error_bound == 0


def test_two_states_in_closed_form():
    """Levin & Peres (2017), example 4.1: d(t) = pi_max |1 - p - q|**t."""
    p, q, epsilon = 0.01, 0.002, 1e-3
    expected = math.ceil(math.log(epsilon / (p / (p + q))) / math.log(1 - p - q))
    found = mixing_time(Chain.from_matrix([[1 - p, p], [q, 1 - q]]), epsilon=epsilon)
    assert found.steps == expected


def test_independent_tokens_mix_in_one_window():
    assert mixing_time(Chain([[0.3, 0.7]] * 16), epsilon=1e-9).steps == 4


def test_what_never_mixes():
    flip = Chain.from_matrix([[0, 1], [1, 0]])
    with pytest.raises(NotDefined, match="period 2"):
        mixing_time(flip)
    with pytest.raises(NotUnique):
        mixing_time(Chain.from_matrix([[1, 0], [0, 1]]))
    with pytest.raises(InvalidArgument, match="between 0 and 1"):
        mixing_time(flip, epsilon=0)
    slow = Chain.from_matrix([[1 - 1e-16, 1e-16], [1e-16, 1 - 1e-16]], normalize=True)
    with pytest.raises(NotConverged, match="spectrum"):
        mixing_time(slow)


def test_rounding_that_may_shift_the_step_is_admitted():
    """At epsilon = 1/4 exactly, d(1) of this chain is 1/4: a tie that no float settles."""
    found = mixing_time(Chain.from_matrix([[0.75, 0.25], [0.25, 0.75]]), epsilon=0.25)
    assert found.steps == 1
    assert found.error_bound == "uncertified"


def test_the_published_bound_holds():
    chain = Chain(np.random.default_rng(1).dirichlet([1, 1], 8))
    bound = convergence_bound(chain, epsilon=1e-3)
    assert bound.at(bound.steps) <= 1e-3 < bound.at(bound.steps - 1)
    P, pi = chain.matrix(), stationary_distribution(chain).pi
    power = np.eye(8)
    for n in range(1, 60):
        power = power @ P
        assert 0.5 * np.abs(power - pi).sum(axis=1).max() <= bound.at(n)
    assert mixing_time(chain, epsilon=1e-3).steps <= bound.steps


def test_no_published_bound_with_zeros_or_without_contexts():
    with pytest.raises(NotDefined, match="cannot be reached"):
        convergence_bound(Chain([[0.5, 0.5], [1.0, 0.0]] * 2))
    with pytest.raises(NotDefined, match="not contexts"):
        convergence_bound(Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0]))


def test_a_published_bound_of_hundreds_of_digits_prints_three():
    chain = Chain([[1, 1e-150], [1e-12, 1], [0.5, 0.5], [1e-6, 1]], normalize=True)
    assert convergence_bound(chain).smallest == pytest.approx(1e-162)
    # log(1/4) / log(1 - 2e-162) blocks of two tokens: log(4) * 1e162 of them
    assert "at most 0.25 after 1.39e162 steps" in str(convergence_bound(chain))


def test_no_published_bound_from_an_entry_whose_digits_are_lost():
    chain = Chain([[1, 1e-300], [1e-12, 1], [0.5, 0.5], [1e-6, 1]], normalize=True)
    with pytest.raises(NotDefined, match="about 1e-312, too small"):
        convergence_bound(chain)


def test_no_published_bound_for_one_absorbing_state():
    with pytest.raises(NotDefined, match="one absorbing state"):
        convergence_bound(Chain([[1.0, 0.0], [0.5, 0.5]]))


# ---- spectrum ----


def test_independent_tokens_have_no_second_eigenvalue():
    """A plain routine reports about 0.03 for the zero eigenvalue of multiplicity 4,095."""
    found = spectrum(Chain([[0.4, 0.6]] * 4096))
    assert found.eigenvalues.tolist() == [1]
    assert (found.order, found.n_zero, found.gap, found.error_bound) == (0, 4095, 1.0, 0.0)


def test_order_one_inside_a_longer_window():
    two = np.array([[0.9, 0.1], [0.3, 0.7]])
    found = spectrum(Chain(np.tile(two, (8, 1))))
    assert (found.order, found.n_zero) == (1, 14)
    np.testing.assert_allclose(found.eigenvalues, [1, 0.6], atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_discs_hold_eigenvalues_that_are_known(seed):
    """A circulant matrix has the discrete Fourier transform of its first row as eigenvalues."""
    row = np.random.default_rng(seed).dirichlet(np.ones(7))
    chain = Chain.from_matrix([np.roll(row, k) for k in range(7)])
    found = spectrum(chain)
    truth = list(np.fft.fft(row))
    assert found.error_bound < 1e-12
    for value, radius in zip(found.eigenvalues, found.radius, strict=True):
        nearest = min(truth, key=lambda t: abs(t - value))
        assert abs(nearest - value) <= radius + 1e-15
        truth.remove(nearest)
    assert found.condition == pytest.approx(1)  # a normal matrix


def test_discs_that_meet_hold_one_another():
    """A double eigenvalue: three states that all move alike, and one that stays with 1/2."""
    found = spectrum(Chain.from_matrix(np.full((4, 4), 0.25) * 0.5 + 0.5 * np.eye(4)))
    np.testing.assert_allclose(found.eigenvalues, [1, 0.5, 0.5, 0.5], atol=found.error_bound)
    assert found.error_bound < 1e-12


def test_a_defective_matrix_is_not_certified():
    """Independent tokens but for the last bit of one row: zero in Jordan blocks of size 6."""
    rows = np.full((64, 2), 0.5)
    rows[63] = [0.5 + 2.0**-53, 0.5 - 2.0**-53]
    found = spectrum(Chain(rows))
    assert found.order == 6
    assert found.condition.max() > 1e6
    assert found.error_bound == "uncertified"
    assert np.isinf(found.radius).any()


def test_exact_order_sees_the_last_bit():
    rows = np.full((8, 2), 0.5)
    assert exact_order(Chain(rows)) == 0
    rows[7] = [0.5 + 2.0**-53, 0.5 - 2.0**-53]
    assert exact_order(Chain(rows)) == 3
    assert exact_order(Chain.from_edges([0], [0], [0], [1.0])) is None


def test_periodic_chain_has_eigenvalues_on_the_circle():
    cycle = Chain.from_matrix(np.roll(np.eye(5), 1, axis=1))
    found = spectrum(cycle)
    np.testing.assert_allclose(np.abs(found.eigenvalues), 1, atol=1e-12)
    assert found.gap == pytest.approx(0, abs=1e-12)


# ---- reversal ----


def test_reversing_twice_gives_the_chain_back():
    """Norris (1997), theorem 1.9.1."""
    P = np.random.default_rng(2).dirichlet(np.ones(4), 4)
    chain = Chain.from_matrix(P).exact()
    back = time_reversal(time_reversal(chain))
    assert (back.matrix() == chain.matrix()).all()
    pi = stationary_distribution(chain).pi
    assert (stationary_distribution(time_reversal(chain)).pi == pi).all()


def test_entropy_production_of_a_biased_cycle():
    """Clockwise with p, else anticlockwise: (p - q) log2(p / q) bits a step."""
    p = 0.75
    P = np.zeros((3, 3))
    for i in range(3):
        P[i, (i + 1) % 3], P[i, (i - 1) % 3] = p, 1 - p
    found = reversibility(Chain.from_matrix(P))
    assert not found.reversible
    expected = (2 * p - 1) * math.log2(p / (1 - p))
    assert found.entropy_production_bits_per_step == pytest.approx(expected, rel=1e-13)
    assert found.imbalance == pytest.approx(2 / 3, rel=1e-13)


def test_birth_and_death_chains_are_reversible():
    """Kelly (1979), section 1.3."""
    P = np.array([[0.9, 0.1, 0], [1e-7, 0.5, 0.5 - 1e-7], [0, 0.3, 0.7]])
    assert reversibility(Chain.from_matrix(P)).reversible
    assert reversibility(Chain.from_matrix(P), exact=True).reversible


def test_window_chains_cannot_be_undone():
    found = reversibility(Chain(hard_rows("random", 2, 3)))
    assert not found.reversible
    assert found.entropy_production_bits_per_step == math.inf


def test_no_reversal_of_what_is_left_for_ever():
    with pytest.raises(NotDefined, match="left for ever"):
        time_reversal(Chain.from_matrix([[1, 0], ["1/2", "1/2"]]))
