"""A chain in which a token ends the text."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.space import NamedStates
from tests.strategies import chains


@given(chains(), st.data())
def test_only_what_followed_the_stop_token_changes(chain: Chain, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, chain.n_tokens - 1))
    machine = chain.with_stop(token)
    N = chain.n_states
    assert (machine.n_states, machine.end) == (N + 1, N)
    assert (machine.next_token[:N] == chain.next_token).all()
    there, was = machine.successors()[:N], chain.successors()
    others = np.arange(chain.n_tokens) != token
    assert (there[:, others] == was[:, others]).all()
    assert (there[was[:, token] >= 0, token] == N).all()
    assert machine.matrix()[N].tolist() == [0] * N + [1]
    assert (machine.decoding, machine.provenance) == (chain.decoding, chain.provenance)


def test_a_coin_until_heads() -> None:
    """The number of throws until heads has the mean 1/p (Grinstead & Snell, chapter 6)."""
    coin = Chain([["2/3", "1/3"]] * 2, vocabulary="th").with_stop("h")
    assert fg.hitting(coin, "END").mean_steps[0] == 3
    assert coin.kind == "rational"


def test_several_tokens_end() -> None:
    machine = Chain([[0.5, 0.25, 0.25]] * 3, vocabulary="abc").with_stop("b", 2, "b")
    assert machine.states.tokens == (1, 2)
    assert machine.push(np.array([1.0, 0, 0, 0])).tolist() == [0.5, 0, 0, 0.5]


def test_what_is_known_of_the_chain_is_kept() -> None:
    chain = Chain(np.full((8, 2), 0.5)).with_decoding(fg.TopK(1))
    machine = chain.with_stop(0)
    assert machine.context == 3
    assert machine.tied.tolist() == chain.tied.tolist()
    assert (machine.label(8), machine.state("END"), machine.state("110")) == ("END", 8, 6)
    assert machine.states.contexts()[8].tolist() == [-1] * 3
    assert repr(machine).startswith("Chain: 9 states (every window of 3 tokens over 2) and END")


def test_a_rule_may_take_the_end_away() -> None:
    chain = Chain([[0.75, 0.25]] * 2)
    rule = fg.Greedy()
    assert chain.with_decoding(rule).with_stop(1).notes[-1].startswith("no state gives the stop")
    late = chain.with_stop(1).with_decoding(rule)
    assert fg.hitting(late, "END").probabilities.tolist() == [0, 0, 1]


def test_a_part_of_a_model_stays_a_part() -> None:
    model = lambda ids: np.zeros((len(ids), 3))  # noqa: E731
    found = fg.explore(model, ["a"], vocabulary="abc", context=4, max_states=5)
    machine = found.chain.with_stop("c")
    assert machine.unexplored == found.chain.unexplored is not None


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ((), "no token is named"),
        (("x",), "'x' is no token"),
        ((2,), "2 is no token"),
        ((-1,), "-1"),
    ],
)
def test_a_stop_that_is_none(tokens: tuple[int | str, ...], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        Chain([[0.5, 0.5]] * 2, vocabulary="ab").with_stop(*tokens)


def test_a_text_ends_once() -> None:
    machine = Chain([[0.5, 0.5]] * 2).with_stop(0)
    with pytest.raises(InvalidArgument, match="has an END already"):
        machine.with_stop(1)


def test_rationals_stay_rational() -> None:
    machine = Chain([[Fraction(1, 3), Fraction(2, 3)]] * 2).with_stop(1)
    assert machine.edges().probability[-1] == 1
    assert {type(p) for p in machine.edges().probability} == {Fraction}


# ---- pairs ----


def pairs() -> Pairs:
    weather = NamedStates(("rain", "sun | shine"))
    return Pairs(weather, ("in", "o\nut"), first=np.array([0, 1, 1]), second=np.array([1, 0, 1]))


def test_pairs_are_found_by_their_names() -> None:
    assert [pairs().label(s) for s in range(3)] == [
        "rain | o\\nut",
        "sun | shine | in",
        "sun | shine | o\\nut",
    ]
    assert [pairs().find(pairs().label(s)) for s in range(3)] == [0, 1, 2]
    assert pairs().find((1, 0)) == 1


@pytest.mark.parametrize("name", ["rain", "rain | in", "rain | up", (0, 0), (5, 5)])
def test_pairs_that_are_not_there(name: str) -> None:
    with pytest.raises(StateOutOfRange, match="3 pairs, among them"):
        pairs().find(name)


def test_pairs_need_both() -> None:
    with pytest.raises(InvalidArgument, match="2 first and 1 second"):
        Pairs(NamedStates(("a",)), ("x",), first=np.array([0, 0]), second=np.array([0]))


def test_an_end_beside_pairs() -> None:
    assert WithEnd(pairs(), (0,)).contexts() is None
    assert WithEnd(pairs(), (0,)).label(3) == "END"
