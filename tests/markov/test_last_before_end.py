"""In which state a text ends."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from tests.markov.endings import knuth_die, machines, truth


def test_the_die_is_fair() -> None:
    """Knuth & Yao (1976): each face is the last state with 1/6."""
    found = fg.last_before_end(knuth_die(), start="s0")
    faces = [found.probabilities[knuth_die().state(face)] for face in "123456"]
    assert faces == [Fraction(1, 6)] * 6
    assert found.probabilities.sum() == 1
    floats = fg.last_before_end(knuth_die().floats(), start="s0")
    assert floats.probabilities == pytest.approx(found.probabilities.astype(float), rel=1e-14)
    assert 0 < floats.error_bound < 1e-11
    assert "1/6" in str(found)


@given(machines())
def test_exactly(machine_and_start: tuple[Chain, int]) -> None:
    machine, start = machine_and_start
    expected = truth(machine, start, 0)
    if expected.last is None:
        with pytest.raises(NotDefined, match="no text ends"):
            fg.last_before_end(machine, start=start)
        return
    assert fg.last_before_end(machine, start=start).probabilities.tolist() == expected.last


@given(machines(floats=True))
def test_within_the_bound(machine_and_start: tuple[Chain, int]) -> None:
    machine, start = machine_and_start
    expected = truth(machine, start, 0)
    if expected.last is None:
        return
    found = fg.last_before_end(machine, start=start)
    if found.error_bound == "uncertified":
        assert found.uncertified_because
        return
    for ours, true in zip(found.probabilities, expected.last, strict=True):
        assert abs(Fraction(ours) - true) <= Fraction(found.error_bound) * true


def test_visits_add_up_to_the_steps() -> None:
    """Where the text surely ends, the visits are as many as the steps until END."""
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 9)
    machine = Chain(rows).with_stop(2)
    x = np.append(np.full(9, 1 / 9), 0.0)
    found = fg.last_before_end(machine, start=x)
    steps = fg.hitting(machine, "END").mean_steps @ x
    assert found.mean_visits.sum() == pytest.approx(steps, rel=1e-13)
    assert steps == pytest.approx(fg.length_distribution(machine, start=x).mean_tokens + 1)


def test_refusals() -> None:
    with pytest.raises(InvalidArgument, match="has no END"):
        fg.last_before_end(Chain([[0.5, 0.5]] * 2), start=0)
    with pytest.raises(InvalidArgument, match="the text is over"):
        fg.last_before_end(knuth_die(), start="END")
