"""What is left of texts that have not ended: closed forms, eigenvalues, limits, refusals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov.decay import decay, left_vector
from tests.markov.endings import dies_faster, knuth_die, live_block, machines, two_heads


def test_two_states() -> None:
    """Q = [[0, .9], [.4, .5]] has the eigenvalues .9 and -.4, and (4, 9) Q = .9 (4, 9)."""
    rows = [[0, "9/10", "1/10"], ["4/10", "1/2", "1/10"], [0, 0, 1]]
    found = fg.quasi_stationary(Chain(rows, vocabulary="ab.").with_stop("."))
    assert found.probabilities == pytest.approx([4 / 13, 9 / 13, 0, 0], rel=1e-14)
    assert found.rate_at_least <= 0.9 <= found.rate_at_most < found.rate_at_least + 1e-14
    assert found.error_bound < 1e-14
    assert found.residual < 1e-15
    low, high = found.mean_remaining_between
    assert low <= 10 <= high < low + 1e-12
    assert found.mean_remaining_steps == pytest.approx(10, rel=1e-13)
    assert "mean remaining steps 10" in str(found)
    assert found.to_dict()["mean_remaining_steps"] == found.mean_remaining_steps


def test_two_heads() -> None:
    """x^2 = x / 2 + 1 / 4: half the golden ratio, as the Fibonacci numbers count the texts."""
    found = fg.quasi_stationary(two_heads(), start="t")
    golden = (1 + 5**0.5) / 2
    assert found.rate_per_token == pytest.approx(golden / 2, rel=1e-15)
    # nu(h) = nu(t) / 2 / r: the shares are 1 / golden and 1 / golden^2.
    assert found.probabilities == pytest.approx([1 / golden, golden**-2, 0, 0], rel=1e-14)


def test_a_period_does_no_harm() -> None:
    """Knuth and Yao's die goes round s1 s3 and s2 s6, with 1/4 for two flips: two classes alike."""
    with pytest.raises(NotUnique, match=r"not told apart, that of s1 .* and that of s2"):
        fg.quasi_stationary(knuth_die(), start="s0")
    found = fg.quasi_stationary(knuth_die(), start="s1")
    assert found.rate_per_token == pytest.approx(0.5, rel=1e-15)
    assert (found.classes, found.class_size) == (1, 2)


def test_the_class_of_largest_rate() -> None:
    """From a (1/2) to b (3/4): b holds what is left. From b alone a is out of reach."""
    rows = [["1/2", "1/4", "1/4"], [0, "3/4", "1/4"], [0, 0, 1]]
    machine = Chain(rows, vocabulary="ab.").with_stop(".")
    found = fg.quasi_stationary(machine)
    assert found.probabilities == pytest.approx([0, 1, 0, 0])
    assert (found.rate_per_token, found.classes) == (pytest.approx(0.75, rel=1e-15), 2)
    assert "the one of largest rate of 2" in str(found)
    # From a (3/4) to b (1/2): nu(b) (3/4 - 1/2) = nu(a) / 8.
    rows = [["3/4", "1/8", "1/8"], [0, "1/2", "1/2"], [0, 0, 1]]
    machine = Chain(rows, vocabulary="ab.").with_stop(".")
    assert fg.quasi_stationary(machine).probabilities == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert fg.quasi_stationary(machine, start="b").rate_per_token == pytest.approx(0.5, rel=1e-15)


def test_what_never_ends_is_left_out() -> None:
    """From a with 1/4 into b, which never ends: that counts as stopping."""
    rows = [["1/2", "1/4", "1/4"], [0, 1, 0], [0, 0, 1]]
    found = fg.quasi_stationary(Chain(rows, vocabulary="ab.").with_stop("."), start="a")
    assert found.probabilities == pytest.approx([1, 0, 0, 0])
    assert found.mean_remaining_steps == pytest.approx(2)


@given(machines(floats=True))
def test_the_rate_is_proven(machine_and_start: tuple[Chain, int]) -> None:
    """In rationals, rate - Q has a non-negative inverse above the upper bound, not at the lower."""
    machine, start = machine_and_start
    try:
        found = fg.quasi_stationary(machine, start=start)
    except (NotDefined, NotUnique):
        return
    if not found.certified:
        assert found.uncertified_because
        return
    Q = live_block(machine, start)
    assert dies_faster(Q, Fraction(found.rate_at_most) * (1 + Fraction(1, 10**15)))
    assert not dies_faster(Q, Fraction(found.rate_at_least))
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.error_bound >= found.rate_at_most - found.rate_per_token


def test_it_is_the_limit_given_that_the_text_goes_on() -> None:
    rows = np.random.default_rng(3).dirichlet(np.ones(3), 27)
    machine = Chain(rows).with_stop(2)
    found = fg.quasi_stationary(machine, start="012")
    x = fg.distribution_after(machine, 300, start="000").probabilities[:-1]
    assert found.probabilities[:-1] == pytest.approx(x / x.sum(), rel=1e-10)
    lengths = fg.length_distribution(machine, start="000")
    low, high = lengths.tail_rate_between
    assert max(low, found.rate_at_least) <= min(high, found.rate_at_most)


def test_many_states() -> None:
    """Above what is eliminated, against the same chain in which every tenth text stops."""
    rows = np.random.default_rng(4).dirichlet(np.ones(2), 2**12)
    stop = np.full((2**12, 1), 0.1)
    table = np.zeros((3**12, 3))
    table[:, 2] = 1
    digits = (np.arange(2**12)[:, None] >> np.arange(11, -1, -1)) & 1
    at = digits @ 3 ** np.arange(11, -1, -1)  # their places among the windows of three tokens
    table[at] = np.hstack([0.9 * rows, stop])
    machine = Chain(table, normalize=True).with_stop(2)
    found = fg.quasi_stationary(machine, start="0" * 12)
    assert found.method == "products"
    assert found.rate_at_least <= 0.9 * (1 + 1e-15)
    assert 0.9 * (1 - 1e-15) <= found.rate_at_most < found.rate_at_least + 1e-10
    # What goes on is the chain without the stop token.
    pi = fg.stationary_distribution(Chain(rows, normalize=True)).pi
    assert found.probabilities[at] == pytest.approx(pi, rel=1e-9)


def test_both_vectors() -> None:
    chain = Chain.from_matrix([[0, 0.9, 0.1], [0.4, 0.5, 0.1], [0, 0, 1]])
    states = np.array([0, 1])
    assert decay(chain, states).vector == pytest.approx([0.5, 0.5])
    assert left_vector(chain, states).vector == pytest.approx([4 / 13, 9 / 13])
    # A wider interval where the probabilities had been rounded before.
    narrow, wide = decay(chain, states), decay(chain, states, before=1000)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_refusals() -> None:
    with pytest.raises(InvalidArgument, match="has no END"):
        fg.quasi_stationary(Chain([[0.5, 0.5]] * 2))
    endless = Chain([[0.5, 0.5, 0]] * 3).with_stop(2)
    with pytest.raises(NotDefined, match="no text ends"):
        fg.quasi_stationary(endless, start=0)
    short = Chain([[0, 1, 0], [0, 0, 1], [0, 0, 1]], vocabulary="ab.").with_stop(".")
    with pytest.raises(NotDefined, match="has ended after at most 3 tokens"):
        fg.quasi_stationary(short)
