"""A part of a chain that is a chain of its own."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd, some_of
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import NamedStates
from fsm_gpt.subchain import reachable, subchain
from tests.strategies import chains


@given(chains(), st.data())
def test_what_is_reached_is_what_networkx_finds(chain: Chain, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, chain.n_states - 1))
    edges = chain.edges()
    graph = nx.DiGraph(list(zip(edges.source.tolist(), edges.target.tolist(), strict=True)))
    kept = reachable(chain, np.arange(chain.n_states) == start)
    assert set(np.flatnonzero(kept).tolist()) == {start, *nx.descendants(graph, start)}
    part = subchain(chain, kept)
    assert part.labels() == chain.labels(np.flatnonzero(kept))
    assert (part.matrix() == chain.matrix()[np.ix_(kept, kept)]).all()


def test_ties_are_kept() -> None:
    chain = Chain([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5]]).with_decoding(fg.Greedy())
    assert chain.tied.tolist() == [0, 1, 3]
    kept = reachable(chain, np.array([False, False, False, True]))
    part = subchain(chain, kept)
    assert part.labels() == ["01", "10", "11"]  # ties go to the first token
    assert part.tied.tolist() == [0, 2]


def test_a_set_that_is_left_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="from a, which is kept, a transition leads to b"):
        subchain(Chain([[0.5, 0.5]] * 2, vocabulary="ab"), np.array([True, False]))
    with pytest.raises(InvalidArgument, match="no state is kept"):
        subchain(Chain([[0.5, 0.5]] * 2), np.zeros(2, dtype=bool))


def test_some_of_every_kind_of_states() -> None:
    chain = Chain(np.full((4, 2), 0.5))
    kept = np.array([1, 2])
    names = NamedStates(("a\n", "b\n", "c"))
    weather = Pairs(
        NamedStates(("rain", "sun")), ("in", "out"), np.array([0, 1, 1]), np.arange(3) % 2
    )
    for states, labels in (
        (chain.states, ["01", "10"]),
        (fg.Chain.from_text("0011", context=1, end="wrap").states, None),
        (names, ["b\\n", "c"]),
        (weather, ["sun | out", "sun | in"]),
        (WithEnd(names, (0,)), ["b\\n", "c"]),
    ):
        some = some_of(states, kept if labels else np.array([1]))
        assert [some.label(s) for s in range(len(some))] == (labels or ["1"])
