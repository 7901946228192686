"""What a stationary distribution says of its states: the heaviest ones, how many count."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov import stationary_distribution
from fsm_gpt.markov.stationary import heaviest


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 45), st.booleans())
def test_the_heaviest_are_those_of_a_stable_sort(masses, most, exact):
    numbers = np.array([Fraction(m, 7) for m in masses]) if exact else np.array(masses) / 7
    expected = sorted(range(len(masses)), key=lambda i: (-masses[i], i))[:most]
    assert heaviest(numbers, most).tolist() == expected


def test_top_states_of_the_land_of_oz():
    """Grinstead & Snell, example 11.19: (2/5, 1/5, 2/5) for rain, nice, snow."""
    oz = [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]]
    states, masses = stationary_distribution(Chain.from_matrix(oz)).top(2)
    assert states.tolist() == [0, 2]
    assert masses.tolist() == [Fraction(2, 5), Fraction(2, 5)]


def test_no_top_states_where_there_is_no_order():
    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="symbols"):
        stationary_distribution(Chain.from_matrix([[1 - a, a], ["1/2", "1/2"]])).top()
    apart = stationary_distribution(Chain.from_matrix([[1, 0], [0, 1]]))
    with pytest.raises(NotUnique, match="2 closed classes"):
        apart.top()
    with pytest.raises(InvalidArgument, match="ask for 1 or more"):
        stationary_distribution(Chain.from_matrix([[1]])).top(0)


def test_as_many_effective_states_as_equal_ones():
    """Cover & Thomas (2006), theorem 2.6.4: log N is the entropy of N equal probabilities."""
    cycle = Chain.from_matrix(np.roll(np.eye(8), 1, axis=1))
    assert stationary_distribution(cycle).effective_states == pytest.approx(8, rel=1e-14)
    half = Chain.from_matrix([[0, 1, 0], [1, 0, 0], [0.5, 0.25, 0.25]])
    assert stationary_distribution(half).effective_states == pytest.approx(2, rel=1e-14)
