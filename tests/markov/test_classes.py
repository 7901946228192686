"""Classes and periods: compiled loops, scipy, networkx and brute force must agree."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.kernels.graph import follow
from fsm_gpt.markov import communicating_classes
from fsm_gpt.markov.classes import _Compiled, _Listed
from tests.strategies import chains


def same_structure(chain):
    """Both searches on one chain."""
    slow, fast = _Listed(chain), _Compiled(chain)
    member, count, leaving = slow.components()
    found = fast.components()
    assert member.tolist() == found[0].tolist()
    assert count == found[1]
    assert leaving.tolist() == found[2].tolist()
    for number in np.flatnonzero(~leaving):
        states = np.flatnonzero(member == number)
        parts = [part.tolist() for part in slow.cyclic_classes(states)]
        assert parts == [part.tolist() for part in fast.cyclic_classes(states)]


@given(chains())
def test_two_searches_agree(chain):
    same_structure(chain)


@pytest.mark.parametrize(("V", "L"), [(2, 6), (3, 4), (5, 2)])
@pytest.mark.parametrize("kept", [0.4, 0.6, 0.9])
def test_they_agree_on_sparse_windows(V, L, kept):
    rng = np.random.default_rng(V * L)
    rows = (rng.random((V**L, V)) < kept).astype(float)
    rows[np.arange(V**L), rng.integers(0, V, V**L)] = 1
    same_structure(Chain(rows, normalize=True))


def test_networkx_at_a_size_where_the_loops_are_used():
    rng = np.random.default_rng(0)
    rows = (rng.random((2**15, 2)) < 0.6).astype(float)
    rows[np.arange(2**15), rng.integers(0, 2, 2**15)] = 1
    chain = Chain(rows, normalize=True)
    found = communicating_classes(chain)
    edges = chain.raw_edges()
    graph = nx.DiGraph(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    components = list(nx.strongly_connected_components(graph))
    assert found.n_classes == len(components)
    assert {frozenset(c.tolist()) for c in found.classes} == set(map(frozenset, components))
    closed = list(nx.attracting_components(graph))
    assert {frozenset(c.tolist()) for c in found.closed} == set(map(frozenset, closed))


def test_a_long_cycle_is_its_own_period():
    n = 30_000
    states = np.arange(n)
    ring = Chain.from_edges(states, states * 0, (states + 1) % n, np.ones(n))
    found = communicating_classes(ring)
    assert found.periods == (n,)
    assert found.irreducible
    assert not found.aperiodic
    chord = Chain.from_edges(
        [*states, 0], [*states * 0, 1], [*(states + 1) % n, 4], [0.5, *np.ones(n - 1), 0.5]
    )
    assert communicating_classes(chord).periods == (math.gcd(n, n - 3),)


@given(st.lists(st.integers(0, 30), min_size=31, max_size=31))
def test_where_a_map_leads(successor):
    cycle, tail, count = follow(np.array(successor, dtype=np.int32))
    cycles = set()
    for state in range(31):
        path = [state]
        while successor[path[-1]] not in path:
            path.append(successor[path[-1]])
        entry = path.index(successor[path[-1]])
        assert tail[state] == entry
        cycles.add(frozenset(path[entry:]))
        assert len(set(cycle[path[entry:]].tolist()) | {cycle[state]}) == 1
    assert count == len(cycles)


@pytest.mark.parametrize(("V", "L"), [(1, 1), (1, 3), (2, 1), (2, 4), (3, 3)])
def test_windows_without_a_zero_are_one_class_of_period_one(V, L):
    """What the search finds on them, transition by transition."""
    chain = Chain(np.full((V**L, V), 1 / V), context=L)
    found, slow = communicating_classes(chain), _Listed(chain)
    member, count, leaving = slow.components()
    assert (found.member.tolist(), found.n_classes) == (member.tolist(), count)
    assert not leaving.any()
    (cyclic,) = found.cyclic_classes
    expected = [part.tolist() for part in slow.cyclic_classes(np.arange(V**L))]
    assert [part.tolist() for part in cyclic] == expected
    assert found.closed[0].tolist() == list(range(V**L))
    assert found.absorbing.tolist() == ([0] if V == 1 else [])
    assert len(found.transient) == 0
    with pytest.raises(ValueError, match="read-only"):
        found.closed[0][0] = 1
