"""A walk goes where the chain may go, and as often as the chain says."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from scipy.stats import chi2

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import InvalidArgument, InvalidChain, StateOutOfRange
from fsm_gpt.simulate import simulate
from tests.strategies import chains

#: A test that is right fails with this probability for a random seed; the seeds are fixed.
LEVEL = 1e-6


def assert_follows(chain: Chain, tokens: Any, states: Any) -> None:
    """Chi-square: the tokens drawn in each state against its row, given how often it was left.

    Under the chain the sum over states of Pearson's statistic has asymptotically a
    chi-square distribution with one degree of freedom less for each row than it has
    entries (Billingsley 1961, Annals of Mathematical Statistics 32, theorem 3.1).
    """
    counts = np.zeros((chain.n_states, chain.n_tokens))
    np.add.at(counts, (states[:-1], tokens), 1)
    P = chain.floats().next_token
    assert (counts[P == 0] == 0).all(), "an impossible token was drawn"
    visited = counts.sum(axis=1) > 0
    expected = counts.sum(axis=1, keepdims=True) * P
    cells = (P > 0) & visited[:, None]
    assert expected[cells].min() >= 5, "too few draws for the statistic"
    statistic = ((counts - expected)[cells] ** 2 / expected[cells]).sum()
    freedom = cells.sum() - visited.sum()
    assert statistic <= chi2.isf(LEVEL, freedom), (statistic, freedom)


EXAMPLES = {
    # Grinstead & Snell, Introduction to Probability, example 11.1: the Land of Oz.
    "Land of Oz": Chain.from_matrix(
        [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]]
    ),
    "windows of two": Chain([[0.125, 0.875], [0.5, 0.5], [1.0, 0.0], [0.75, 0.25]]),
    "float32": Chain(np.array([[0.1, 0.9], [0.7, 0.3]], dtype=np.float32)),
    "a text": Chain.from_text("111101111011110", context=3),
    "even": Chain.from_edges([0, 0, 1], [0, 1, 1], [0, 1, 0], [0.5, 0.5, 1.0]),
    "short contexts": Chain([[0.5, 0.5], [0.25, 0.75]] * 7, short_contexts=True),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tokens_are_as_frequent_as_they_should_be(name: str, seed: int) -> None:
    chain = EXAMPLES[name]
    # From a full window on: a short context is left once and for all.
    start = "000" if name == "short contexts" else None
    walk = simulate(chain, 4000, start=start, seed=seed)
    assert_follows(chain, walk.tokens, walk.states)


def test_the_check_sees_another_chain() -> None:
    walk = simulate(Chain([[0.5, 0.5], [0.25, 0.75]]), 4000, seed=0)
    assert_follows(walk.chain, walk.tokens, walk.states)
    with pytest.raises(AssertionError, match=r"^\("):
        assert_follows(Chain([[0.5, 0.5], [0.35, 0.65]]), walk.tokens, walk.states)
    with pytest.raises(AssertionError, match="impossible"):
        assert_follows(Chain([[0.5, 0.5], [1.0, 0.0]]), walk.tokens, walk.states)


@given(
    chain=st.one_of(chains(), chains(floats=True)), n=st.integers(0, 50), seed=st.integers(0, 99)
)
def test_every_step_is_one_the_chain_can_make(chain: Chain, n: int, seed: int) -> None:
    walk = simulate(chain, n, seed=seed)
    assert walk.tokens.shape == (n,)
    assert walk.states.shape == (n + 1,)
    assert walk.start == walk.states[0]
    assert (chain.successors()[walk.states[:-1], walk.tokens] == walk.states[1:]).all()
    assert chain.vocabulary.encode(walk.text).tolist() == walk.tokens.tolist()
    again = simulate(chain, n, seed=seed)
    assert again.states.tolist() == walk.states.tolist()


@pytest.mark.parametrize("start", ["0111", 7, (0, 1, 1, 1)])
def test_a_deterministic_chain_goes_round(start: Any) -> None:
    """A greedy sampler of the sequence 11110 11110 ...: a context of 4 knows what follows."""
    rows = np.full((16, 2), 0.5)
    rows[[15, 14, 13, 11, 7]] = [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]]
    walk = simulate(Chain(rows).with_decoding(Greedy()), 10, start=start, seed=3)
    assert walk.text == "1011110111"
    assert walk.states[0] == walk.states[5] == walk.states[10]


def test_impossible_tokens_are_never_drawn_at_the_edges_of_a_row() -> None:
    """The lowest and the highest u there are, with zeros before and after the possible token."""
    chain = Chain([[0.0, 0.0, 1.0, 0.0]] * 4)
    assert set(simulate(chain, 5000).tokens.tolist()) == {2}
    third = Chain(np.array([[0.0, 1 / 3, 2 / 3, 0.0]] * 4))
    assert set(simulate(third, 5000).tokens.tolist()) == {1, 2}


class Extreme:
    """A generator whose every u is the given one."""

    def __init__(self, u: float) -> None:
        self.u = u

    def integers(self, n: int) -> int:
        return n - 1

    def random(self, n: int) -> Any:
        return np.full(n, self.u)


@pytest.mark.parametrize(("u", "token"), [(0.0, 1), (1 - 2**-53, 2)])
@pytest.mark.parametrize("row", [[0.0, 0.5, 0.5, 0.0], [0.0, 0.1, 0.9, 0.0], [0, 1e-12, 1, 0]])
def test_the_extreme_draws(
    monkeypatch: pytest.MonkeyPatch, u: float, token: int, row: list[float]
) -> None:
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Extreme(u))
    assert simulate(Chain([row] * 4, normalize=True), 3).tokens.tolist() == [token] * 3


def test_every_start_can_be_drawn() -> None:
    chain = Chain([[0.5, 0.5]] * 2)
    assert {simulate(chain, 0, seed=seed).start for seed in range(20)} == {0, 1}


def test_a_walk_prints_itself() -> None:
    walk = simulate(Chain.from_matrix([[0, 1], [1, 0]], vocabulary=["tick", "tock"]), 3, start=0)
    assert str(walk) == "simulation: 3 tokens from state tick, seed 0\ntock tick tock"
    assert walk.to_dict() == {
        "seed": 0,
        "start": 0,
        "tokens": [1, 0, 1],
        "states": [0, 1, 0, 1],
        "text": "tock tick tock",
        "ended": False,
    }
    with pytest.raises(ValueError, match="read-only"):
        walk.tokens[0] = 0


# ---- a token that ends the text ----


def test_a_walk_stops_at_the_end() -> None:
    machine = Chain([[0, 1, 0], [0, 0, 1], [1, 0, 0]], vocabulary="ab.").with_stop(".")
    walk = simulate(machine, 9, start="a")
    assert (walk.text, walk.tokens.tolist(), walk.states.tolist()) == ("b", [1], [0, 1])
    assert walk.ended
    assert str(walk) == "simulation: 1 tokens from state a, seed 0, ended\nb"
    assert simulate(machine, 2, start="a").ended
    cut = simulate(machine, 1, start="a")
    assert (cut.text, cut.ended) == ("b", False)
    over = simulate(machine, 5, start="END")
    assert (over.text, over.states.tolist(), over.ended) == ("", [3], True)


def test_a_walk_begins_before_the_end() -> None:
    machine = Chain([[0.5, 0.5]] * 2).with_stop(1)
    assert {simulate(machine, 0, seed=seed).start for seed in range(40)} == {0, 1}


def test_lengths_are_as_frequent_as_they_should_be() -> None:
    """Heads end a throw of coins: n tails with (1/2)^(n + 1), by the chi-square statistic."""
    machine = Chain([[0.5, 0.5]] * 2, vocabulary="th").with_stop("h")
    walks = [simulate(machine, 10**4, start="t", seed=seed) for seed in range(2000)]
    assert all(walk.ended and set(walk.text) <= {"t"} for walk in walks)
    lengths = np.bincount([min(len(walk.tokens), 7) for walk in walks], minlength=8)
    expected = 2000 * np.append(0.5 ** np.arange(1, 8), 0.5**7)
    assert ((lengths - expected) ** 2 / expected).sum() <= chi2.isf(LEVEL, 7)


a = sympy.Symbol("a")


@pytest.mark.parametrize(
    ("n", "options", "error", "words"),
    [
        (-1, {}, InvalidArgument, "number of tokens is -1"),
        (1.5, {}, InvalidArgument, "number of tokens is 1.5"),
        (1, {"seed": -1}, InvalidArgument, "seed is -1"),
        (1, {"seed": "x"}, InvalidArgument, "seed is 'x'"),
        (1, {"start": 2}, StateOutOfRange, "2 is not a state id"),
        (1, {"start": -1}, StateOutOfRange, "-1 is not a state id"),
        (1, {"start": "00"}, StateOutOfRange, "has no state"),
    ],
)
def test_bad_questions(n: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        simulate(Chain([[0.5, 0.5], [Fraction(1, 4), Fraction(3, 4)]]), n, **options)


def test_symbols_cannot_be_drawn() -> None:
    with pytest.raises(InvalidChain, match="hold symbols"):
        simulate(Chain([[a, 1 - a], [1, 0]]), 1)
