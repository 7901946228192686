"""x P and P f against the dense matrix, exact rationals, string shifting and networkx."""

from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, StateSpaceTooLarge
from tests.strategies import chains, window_chains


def naive_matrix(chain: Chain) -> list[list[Fraction]]:
    """P by looking each transition up in ``next_token`` and ``successors()``."""
    P = [[Fraction(0)] * chain.n_states for _ in range(chain.n_states)]
    rows, table = chain.next_token.tolist(), chain.successors().tolist()
    for s, (row, targets) in enumerate(zip(rows, table, strict=True)):
        total = sum(map(Fraction, row))
        for p, target in zip(row, targets, strict=True):
            if p:
                P[s][target] += Fraction(p) / total
    return P


def vectors(n: int) -> st.SearchStrategy[list[Fraction]]:
    return st.lists(st.fractions(-3, 3, max_denominator=8), min_size=n, max_size=n)


def check_products(chain: Chain, x: list[Fraction]) -> None:
    """Push and expect give x P and P x, in the numbers of the chain."""
    P, N = naive_matrix(chain), chain.n_states
    left = [sum(x[i] * P[i][j] for i in range(N)) for j in range(N)]
    right = [sum(P[i][j] * x[j] for j in range(N)) for i in range(N)]
    if chain.kind == "rational":
        exact = np.array(x, dtype=object)
        assert chain.push(exact).tolist() == left
        assert chain.expect(exact).tolist() == right
        assert chain.matrix().tolist() == P
    else:
        floats = np.array(x, dtype=float)
        slack = 1e-14 * max(1.0, float(max(map(abs, x))))
        np.testing.assert_allclose(chain.push(floats), np.array(left, float), atol=slack)
        np.testing.assert_allclose(chain.expect(floats), np.array(right, float), atol=slack)
        np.testing.assert_allclose(chain.matrix(), np.array(P, float), rtol=1e-14, atol=0)
        np.testing.assert_allclose(chain.sparse().toarray(), np.array(P, float), rtol=1e-14)
        np.testing.assert_allclose(chain.sparse().T @ floats, np.array(left, float), atol=slack)


@given(st.one_of(chains(), chains(floats=True)), st.data())
def test_products(chain: Chain, data: st.DataObject) -> None:
    check_products(chain, data.draw(vectors(chain.n_states)))


def test_the_check_of_products_fails_on_a_wrong_chain() -> None:
    class Transposed(Chain):
        def push(self, x: Any) -> Any:
            return super().expect(x)

    for rows in ([[0.5, 0.5], [0.25, 0.75]], [["1/2", "1/2"], ["1/4", "3/4"]]):
        with pytest.raises(AssertionError):
            check_products(Transposed(rows), [Fraction(1), Fraction(0)])


@given(chains(floats=True), st.data())
def test_the_mass_of_a_distribution_is_kept(chain: Chain, data: st.DataObject) -> None:
    N = chain.n_states
    weights = data.draw(st.lists(st.integers(0, 9), min_size=N, max_size=N).filter(any))
    x = np.array(weights) / sum(weights)
    assert abs(chain.push(x).sum() - 1) < 1e-14
    np.testing.assert_allclose(chain.expect(np.ones(N)), 1, rtol=1e-15)
    exact = np.array([Fraction(w, sum(weights)) for w in weights], dtype=object)
    assert chain.exact().push(exact).sum() == 1
    assert (chain.exact().expect(np.full(N, Fraction(1), dtype=object)) == 1).all()


@given(window_chains(max_states=16), st.booleans())
def test_windows_and_transitions_are_one_chain(windows: Chain, floats: bool) -> None:
    windows = windows.floats() if floats else windows
    edges = Chain.from_edges(
        *windows.raw_edges(), states=windows.states, vocabulary=windows.vocabulary
    )
    assert edges.next_token.tolist() == windows.next_token.tolist()
    assert edges.n_edges == windows.n_edges
    assert edges.matrix().tolist() == windows.matrix().tolist()
    x = np.arange(1.0, windows.n_states + 1)
    np.testing.assert_allclose(
        edges.push(x).astype(float), windows.push(x).astype(float), rtol=1e-14
    )
    np.testing.assert_allclose(
        edges.expect(x).astype(float), windows.expect(x).astype(float), rtol=1e-14
    )


@given(window_chains())
def test_the_successor_is_the_window_shifted(chain: Chain) -> None:
    labels = chain.labels()
    for s, row in enumerate(chain.successors().tolist()):
        for t, target in enumerate(row):
            if target >= 0:
                assert labels[target] == (labels[s] + str(t))[1:]
            assert (target < 0) == (chain.next_token[s, t] == 0)


@given(st.integers(1, 4), st.integers(1, 4))
def test_windows_are_a_de_bruijn_graph(V: int, L: int) -> None:
    # networkx is asked for the line graph of the line graph ... of the complete digraph with
    # loops, which is how de Bruijn (1946) builds it.
    chain = Chain(np.full((V**L, V), 1 / V), context=L)
    graph = nx.DiGraph((a, b) for a in range(V) for b in range(V))
    for _ in range(L - 1):
        graph = nx.line_graph(graph)
    ours = nx.DiGraph(zip(*(column.tolist() for column in chain.edges()[:3:2]), strict=True))
    assert ours.number_of_edges() == graph.number_of_edges() == V ** (L + 1)
    if V**L <= 16:
        assert nx.is_isomorphic(ours, graph)


@given(chains())
def test_edges_are_sorted_and_not_zero(chain: Chain) -> None:
    source, token, target, probability = chain.edges()
    assert sorted(zip(source.tolist(), token.tolist(), strict=True)) == list(
        zip(source.tolist(), token.tolist(), strict=True)
    )
    assert all(p > 0 for p in probability.tolist())
    assert len(source) == len(token) == len(target) == chain.n_edges


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_rows_that_sum_to_nearly_one(dtype: str) -> None:
    # Three rows whose sums differ from one by less than the tolerance.
    off = 4e-6 if dtype == "float32" else 4e-13
    rows = np.array([[0.3, 0.7 + off], [0.1, 0.9 - off], [0.5, 0.5], [1, 0]], dtype=dtype)
    chain = Chain(rows)
    assert chain.dtype == np.dtype(dtype)
    expected = [[Fraction(float(p)) / sum(map(Fraction, map(float, r))) for p in r] for r in rows]
    assert chain.exact().next_token.tolist() == expected
    np.testing.assert_allclose(chain.edges().probability[:4].reshape(2, 2), np.array(
        expected[:2], float), rtol=1e-15)  # fmt: skip
    assert chain.matrix().dtype == np.float64
    assert chain.floats().dtype == np.float64
    if dtype == "float32":
        np.testing.assert_allclose(chain.floats().next_token, np.array(expected, float), rtol=1e-15)
    x = np.array([0.1, 0.2, 0.3, 0.4])
    dense = np.array(naive_matrix(chain.exact()), float)
    np.testing.assert_allclose(chain.push(x), x @ dense, rtol=1e-14)
    np.testing.assert_allclose(chain.expect(x), dense @ x, rtol=1e-14)
    edges = Chain.from_edges(*chain.raw_edges(), states=chain.states, vocabulary=chain.vocabulary)
    assert edges.dtype == np.dtype(dtype)
    np.testing.assert_allclose(edges.push(x), x @ dense, rtol=1e-14)
    np.testing.assert_allclose(edges.expect(x), dense @ x, rtol=1e-14)


def test_float32_rows_are_added_in_float64() -> None:
    V = 1000
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(V), size=V).astype(np.float32)
    for chain in (Chain(rows), Chain.from_edges(*Chain(rows).raw_edges())):
        x = np.full(V, 1 / V)
        assert abs(chain.push(x).sum() - 1) < 1e-13
        np.testing.assert_allclose(chain.expect(np.ones(V)), 1, rtol=1e-13)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (5,), (8,), (4, 1), (1, 4)])
def test_a_vector_of_the_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    windows = Chain(np.full((4, 2), 0.5))
    edges = Chain.from_edges(*windows.raw_edges())
    for chain in (windows, edges):
        for product in (chain.push, chain.expect):
            with pytest.raises(InvalidArgument, match=r"one entry for each of the 4 states"):
                product(np.ones(shape))


def test_vectors_of_any_numbers() -> None:
    windows = Chain(np.full((4, 2), 0.5))
    for chain in (windows, Chain.from_edges(*windows.raw_edges())):
        assert chain.push([1, 0, 0, 0]).tolist() == [0.5, 0.5, 0.0, 0.0]  # type: ignore[arg-type]
        assert chain.expect(np.array([1, 2, 3, 4])).tolist() == [1.5, 3.5, 1.5, 3.5]
        assert chain.push(np.array([1, 0, 0, 0], dtype=np.float32)).sum() == 1
        fractions = np.array([Fraction(1), Fraction(0), Fraction(0), Fraction(0)], dtype=object)
        assert chain.exact().push(fractions).tolist() == [Fraction(1, 2), Fraction(1, 2), 0, 0]


def test_a_list_that_does_not_fit_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(np.full((8, 2), 0.5))

    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "nonzero", full)
    with pytest.raises(StateSpaceTooLarge, match="a list of up to 16 takes about 0 GiB"):
        chain.edges()
