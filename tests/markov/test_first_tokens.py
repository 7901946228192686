"""The first tokens of a text, where a part of the chain may not be known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, InvalidChain
from fsm_gpt.explore import explore
from fsm_gpt.markov.bounds import bounds_after
from fsm_gpt.markov.first_tokens import first_tokens
from tests.report.kinds import explored, model, with_a_loop


def test_a_gambler_with_three_coins() -> None:
    """Norris (1997), theorem 1.1.3: x P^n, by hand; from 1 on 0..3 with a fair coin."""
    walk = Chain.from_matrix([[1, 0, 0, 0], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 0, 1]])
    found = first_tokens(walk, 3, start=1)
    # x_0 = (0 1 0 0), x_1 = (1/2 0 1/2 0), x_2 = (1/2 1/4 0 1/4)
    assert found.visits.tolist() == [1.0, 1.25, 0.5, 0.25]
    assert found.bits_low.tolist() == [1.0, 0.5, 0.25]
    assert found.bits_high.tolist() == found.bits_low.tolist()
    assert found.left.tolist() == [0.0] * 4
    assert (found.surely, found.tokens, found.visits_left_open) == (3, 3, 0.0)


def test_what_leaves_is_known_by_hand() -> None:
    """After a comes b for ever with 3/4, or c with 1/4, which was not looked at."""
    found = with_a_loop(2)
    assert not found.complete
    assert found.chain.labels() == ["a", "ab", "unexplored"]
    first = first_tokens(found.chain, 2, start=found.start)
    # After one token in ab with 3/4 and outside with 1/4; ab leads to abb, which is outside.
    assert first.left.tolist() == [0.0, 0.25, 1.0]
    assert first.visits.tolist() == [1.0, 0.75, 0.0]
    assert first.visits_left_open == 0.25
    entropy = 0.75 * math.log2(4 / 3) + 0.25 * 2
    assert first.bits_low == pytest.approx([entropy, 0.0], abs=1e-15)
    assert first.bits_high == pytest.approx([entropy, 0.25 * math.log2(5)], abs=1e-15)
    assert first.surely == 0


def test_both_sides_hold_in_the_whole_machine() -> None:
    """The law of a model of three letters, against parts of it of every size."""
    V, L, T = 3, 3, 6
    told = model(V, L, temperature=2.0)
    whole = explore(told, ["a"], vocabulary="abc", context=L)
    assert whole.complete
    truth = first_tokens(whole.chain, T, start=whole.start)
    for most in (1, 2, 5, 11, 20):
        part = explore(told, ["a"], vocabulary="abc", context=L, max_states=most)
        found = first_tokens(part.chain, T, start=part.start)
        e = float(found.error_bound)
        for s in range(part.n_explored):
            visits = truth.visits[whole.chain.state(part.chain.label(s))]
            assert found.visits[s] <= visits * (1 + e)
            assert visits <= (found.visits[s] + found.visits_left_open) * (1 + e)
        assert (found.bits_low <= truth.bits_low * (1 + e)).all()
        assert (truth.bits_low <= found.bits_high * (1 + e)).all()
        assert found.visits.sum() + found.visits_left_open == pytest.approx(T)


def test_against_every_text_by_brute_force() -> None:
    part = explored(14)
    chain, T = part.chain, 4
    edges = chain.edges()
    ways: dict[int, list[tuple[int, float]]] = {}
    for u, v, p in zip(
        edges.source.tolist(), edges.target.tolist(), edges.probability, strict=True
    ):
        ways.setdefault(u, []).append((v, float(p)))
    texts = [((s,), p) for s, p in enumerate(part.start.tolist()) if p]
    for _ in range(T):
        texts = [((*path, v), p * q) for path, p in texts for v, q in ways[path[-1]]]
    found = first_tokens(chain, T, start=part.start)
    u = chain.unexplored
    for n in range(T + 1):
        assert found.left[n] == pytest.approx(sum(p for path, p in texts if path[n] == u))
    for s in range(part.n_explored):
        by_hand = sum(p * path[:T].count(s) for path, p in texts)
        assert found.visits[s] == pytest.approx(by_hand, abs=1e-15)
    outside = [n for n in range(T + 1) if any(path[n] == u for path, _ in texts)]
    assert found.surely == min(outside) - 1


def test_it_agrees_with_the_bounds_of_one_step() -> None:
    part = explored(30)
    found = first_tokens(part.chain, 6, start=part.start)
    for n, s in itertools.product((3, 5), (0, 7)):
        other = bounds_after(part.chain, n, s, start=part.start)
        assert found.left[n] == pytest.approx(other.unexplored, abs=1e-15)


def test_the_limits_of_what_may_be_asked() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    for tokens in (0, -1, True, 1.5):
        with pytest.raises(InvalidArgument, match="whole number of 1 or more"):
            first_tokens(chain, tokens, start=0)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="sum to one"):
        first_tokens(chain, 1, start=np.array([0.5, 0.25]))
    with pytest.raises(InvalidChain):
        first_tokens(Chain([["p", "1 - p"], ["1/2", "1/2"]]), 1, start=0)


def test_rationals_and_one_state_and_words() -> None:
    one = first_tokens(Chain([["1"]], vocabulary="a", context=1), 5, start=0)
    assert one.visits.tolist() == [5.0]
    assert one.bits_per_token == (0.0, 0.0)
    assert "first 5 tokens" in str(one)
    assert one.to_dict()["error_meaning"] == "relative error of every number"
    tiny = first_tokens(Chain([[1.0, 1e-310], [0.5, 0.5]], normalize=True), 2, start=0)
    assert not tiny.certified
    assert "underflow" in tiny.error_sentence
