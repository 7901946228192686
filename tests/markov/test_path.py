"""Most likely paths, against every path and against networkx."""

import math
from fractions import Fraction
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, StateOutOfRange
from fsm_gpt.explore import explore
from tests.explore.models import random_model
from tests.families import hard_rows
from tests.strategies import chains


@settings(max_examples=50)
@given(chains(), st.data())
def test_no_path_is_likelier(chain: Chain, data: st.DataObject) -> None:
    start, end = (data.draw(st.integers(0, chain.n_states - 1)) for _ in range(2))
    edges = chain.edges()
    graph = nx.DiGraph()
    graph.add_nodes_from(range(chain.n_states))
    for s, t, p in zip(
        edges.source.tolist(), edges.target.tolist(), edges.probability.tolist(), strict=True
    ):
        known = graph.get_edge_data(s, t, {"p": Fraction(0)})["p"]
        graph.add_edge(s, t, p=max(known, p))
    products = [
        math.prod((graph.edges[a, b]["p"] for a, b in pairwise(way)), start=Fraction(1))
        for way in (nx.all_simple_paths(graph, start, end) if start != end else [[start]])
    ]
    best = max(products, default=Fraction(0))
    for made in (chain, chain.floats()):
        found = fg.most_likely_path(made, start, end)
        assert found.reachable == bool(products)
        if made is chain:
            assert found.probability == best
        elif found.certified:
            exact = fg.most_likely_path(made.exact(), start, end).probability
            assert abs(Fraction(found.probability) - exact) <= Fraction(found.error_bound) * exact
        if not products:
            assert (found.probability, found.bits, found.steps) == (0, math.inf, 0)
            assert "no path leads from" in str(found)
            continue
        walked_along(made, found)
        assert (found.states[0], found.states[-1]) == (start, end)


def walked_along(chain: Chain, found: fg.markov.MostLikelyPath) -> None:
    """The tokens lead along the states, and their probabilities make the path's."""
    successors, rows, product = chain.successors(), chain.exact().next_token, Fraction(1)
    for s, token, t in zip(found.states, found.tokens, found.states[1:], strict=False):
        assert successors[s, token] == t
        product *= rows[s, token]
    assert abs(Fraction(found.probability) - product) <= Fraction(1, 10**12) * product
    assert found.bits == pytest.approx(-math.log2(product) if product else math.inf, abs=1e-9)


def test_a_larger_chain_against_networkx() -> None:
    chain = Chain(hard_rows("random", 3, 5))
    edges = chain.edges()
    graph = nx.DiGraph()
    for s, t, p in zip(edges.source, edges.target, edges.probability, strict=True):
        graph.add_edge(int(s), int(t), length=-math.log2(p))
    far = nx.single_source_dijkstra_path_length(graph, 7, weight="length")
    for end in (0, 100, 242):
        found = fg.most_likely_path(chain, 7, end)
        assert found.bits == pytest.approx(far[end], rel=1e-12)
        walked_along(chain, found)
    ends = fg.most_likely_path(chain, 7, "21")
    assert ends.bits == pytest.approx(min(far[s] for s in ends.target), rel=1e-12)


def test_the_likeliest_token_of_several_and_ties() -> None:
    """Two tokens lead on: the likelier is written, of equal ones the first."""
    edges = [0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 0, 1]
    for make in (Fraction, float):
        p = [make(x) for x in (0.25, 0.5, 0.25, 1)]
        found = fg.most_likely_path(Chain.from_edges(*edges, p, vocabulary="abc"), 0, 1)
        assert (found.text, found.probability) == ("b", make(0.5))
        p = [make(x) for x in (0.25, 0.25, 0.5, 1)]
        found = fg.most_likely_path(Chain.from_edges(*edges, p, vocabulary="abc"), 0, 1)
        assert (found.text, found.steps) == ("a", 1)
    # 0 to 3 by 1, by 2, or by 1 and 2, all certain but for the first step.
    square = Chain.from_matrix([[0, "1/2", "1/2", 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]])
    assert fg.most_likely_path(square, 0, 3).states.tolist() == [0, 1, 3]
    same = [fg.most_likely_path(square.floats(), 0, 3).states.tolist() for _ in range(3)]
    assert same[0] == same[1] == same[2]


def test_a_path_of_no_step() -> None:
    chain = Chain([[0.5, 0.5]] * 4, vocabulary="ab")
    found = fg.most_likely_path(chain, "abab", "b")
    assert (found.steps, found.probability, found.bits, found.text) == (0, 1, 0, "")
    assert found.states.tolist() == [1]


def test_certain_steps_have_no_length() -> None:
    cycle = Chain.from_matrix(np.roll(np.eye(5), 1, axis=1))
    found = fg.most_likely_path(cycle, 1, 0)
    assert found.states.tolist() == [1, 2, 3, 4, 0]
    assert (found.probability, found.bits) == (1, 0)


def test_a_probability_below_the_floats() -> None:
    n = 1200
    source = np.repeat(np.arange(n), 2)
    target = np.stack([np.arange(n), np.minimum(np.arange(n) + 1, n - 1)], axis=1).ravel()
    chain = Chain.from_edges(source, np.tile([0, 1], n), target, np.full(2 * n, 0.5))
    found = fg.most_likely_path(chain, 0, n - 1)
    assert found.probability == 0
    assert found.bits == pytest.approx(n - 1)
    assert (found.reachable, found.error_bound) == (True, "uncertified")
    assert "too small for a float" in str(found)
    assert "... and 1,167 more steps" in str(found)
    exact = fg.most_likely_path(chain.exact(), 0, n - 1)
    assert exact.probability == Fraction(1, 2 ** (n - 1))
    assert exact.bits == pytest.approx(n - 1)


def test_what_has_no_path() -> None:
    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="symbols"):
        fg.most_likely_path(Chain.from_matrix([[1 - a, a], [a, 1 - a]]), 0, 1)
    chain = Chain([[0.5, 0.5]] * 2)
    with pytest.raises(InvalidArgument, match="distribution"):
        fg.most_likely_path(chain, [0.5, 0.5], 1)
    with pytest.raises(StateOutOfRange):
        fg.most_likely_path(chain, 2, 1)


def test_a_path_that_may_be_beaten_outside_is_refused() -> None:
    model = random_model(2, 6, 0, sharp=1.0)
    asked = {"vocabulary": "01", "context": 6}
    whole = explore(model, ["000000"], **asked).chain
    part = explore(model, ["000000"], max_states=20, **asked).chain
    answers = []
    for end in range(part.n_states - 1):
        label = part.label(end)
        try:
            found = fg.most_likely_path(part, "000000", [end])
        except NotDefined:
            answers.append(False)
            continue
        best = fg.most_likely_path(whole, "000000", [whole.state(label)])
        assert found.probability == pytest.approx(best.probability, rel=1e-12)
        answers.append(True)
    assert any(answers)
    assert not all(answers)


def test_json_names_the_states() -> None:
    chain = Chain([["1/2", "1/2"]] * 4, vocabulary="ab")
    document = fg.most_likely_path(chain, "aa", "bb").to_dict()
    assert (document["text"], document["labels"]) == ("bb", ["aa", "ab", "bb"])
    assert (document["probability"], document["bits"]) == ("1/4", 2)
