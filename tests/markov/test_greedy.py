"""The greedy map: networkx, the decoded chain's closed classes, and walking it by hand."""

import itertools
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov import communicating_classes, greedy, greedy_map
from fsm_gpt.markov.greedy import _follow_by_doubling, _follow_compiled
from tests.strategies import chains, window_chains


def check_map(chain, found):
    """Every number of a greedy map, from networkx and from the decoded chain."""
    decoded = chain.with_decoding(Greedy())
    source, token, target, _ = decoded.edges()
    assert source.tolist() == list(range(chain.n_states))
    assert found.token.tolist() == token.tolist()
    assert found.successor.tolist() == target.tolist()
    assert found.tied.tolist() == decoded.tied.tolist()
    closed = communicating_classes(decoded).closed
    assert [sorted(states.tolist()) for states in found.cycles] == [c.tolist() for c in closed]
    graph = nx.DiGraph(zip(source.tolist(), target.tolist(), strict=True))
    for number, states in enumerate(found.cycles):
        round_trip = [*states.tolist(), int(states[0])]
        assert states[0] == states.min()
        assert all(graph.has_edge(a, b) for a, b in itertools.pairwise(round_trip))
        basin = nx.ancestors(graph, round_trip[0]) | set(round_trip)
        assert set(np.flatnonzero(found.cycle_of == number).tolist()) == basin
        assert found.basin_sizes[number] == len(basin)
        for state in basin:
            far = min(nx.shortest_path_length(graph, state, end) for end in states.tolist())
            assert found.tail_steps[state] == far
    assert found.longest_tail == found.tail_steps.max()


@given(st.one_of(chains(), chains(floats=True), window_chains(floats=True)))
def test_against_networkx(chain):
    check_map(chain, greedy_map(chain))


@given(st.integers(1, 60), st.data())
def test_two_ways_to_follow_a_map_agree(n, data):
    successor = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n)))
    slow, fast = (f(successor.astype(np.int32)) for f in (_follow_by_doubling, _follow_compiled))
    assert slow[0].tolist() == fast[0].tolist()
    assert slow[1].tolist() == fast[1].tolist()


def test_they_agree_on_long_tails_and_one_long_cycle():
    line = np.maximum(np.arange(5000) - 1, 0).astype(np.int32)
    ring = ((np.arange(5000) + 1) % 5000).astype(np.int32)
    for successor in (line, ring, np.random.default_rng(0).permutation(5000).astype(np.int32)):
        slow, fast = _follow_by_doubling(successor), _follow_compiled(successor)
        assert (slow[0] == fast[0]).all()
        assert (slow[1] == fast[1]).all()


@pytest.mark.parametrize(("V", "L"), [(2, 8), (5, 3)])
def test_blocks_and_the_compiled_walk(V, L, monkeypatch):
    monkeypatch.setattr(greedy, "BLOCK", 97)
    monkeypatch.setattr(greedy, "COMPILED_ABOVE", 10)
    chain = Chain(np.random.default_rng(V).dirichlet(np.ones(V), V**L).astype(np.float32),
                  normalize=True)  # fmt: skip
    check_map(chain, greedy_map(chain))


def test_the_check_of_maps_fails_on_another_chain():
    right, wrong = Chain([[0.75, 0.25], [0.25, 0.75]]), Chain([[0.25, 0.75], [0.75, 0.25]])
    check_map(right, greedy_map(right))
    with pytest.raises(AssertionError):
        check_map(right, greedy_map(wrong))


def test_a_text_repeated_is_its_own_cycle():
    chain = Chain.from_text("11110" * 3, context=4, end="wrap")
    found = fg.greedy_map(chain)
    assert found.cycle_lengths == (5,)
    assert found.longest_tail == 0
    assert sorted(found.emitted(0)) == list("01111")
    assert "cycle of 5, basin of 5: 0111 → 1111 → 1110 → 1101 → 1011 → 0111" in str(found)


def test_many_cycles_and_ties_in_words():
    found = greedy_map(Chain.from_matrix(np.eye(11)))
    assert "11 cycles, longest tail 0 steps" in str(found)
    assert "... and 3 more cycles" in str(found)
    assert "tie" not in str(found)
    even = greedy_map(Chain([[Fraction(1, 2), Fraction(1, 2)]] * 2))
    assert even.tied.tolist() == [0, 1]
    assert "absorbing state, basin of 2: 0" in str(even)
    assert "in 2 states several tokens tie" in str(even)
    assert even.to_dict()["cycles"] == [[0]]


def test_symbols_have_no_order():
    a = sympy.Symbol("a")
    with pytest.raises(InvalidArgument, match="hold symbols"):
        greedy_map(Chain.from_matrix([[1 - a, a], ["1/2", "1/2"]]))
