"""Compiled products of large chains, against scipy's sparse ones."""

from fractions import Fraction

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.kernels import products
from fsm_gpt.kernels.products import expect_edges, expect_window, push_edges, push_window
from fsm_gpt.storage import COMPILED_FROM, SUMMED_BY_LOOPS

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("V", "L"), [(2, 18), (3, 11), (4, 9), (8, 6), (27, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_chains_push_and_expect(V, L, dtype):
    """float32 rows are divided by their sums, in float64."""
    rows = RNG.random((V**L, V)).astype(dtype)
    rows /= rows.sum(axis=1, keepdims=True)
    chain = Chain(rows)
    P, x = chain.sparse(), RNG.random(V**L)
    assert chain.n_edges >= COMPILED_FROM
    np.testing.assert_allclose(chain.push(x), P.T @ x, rtol=1e-13)
    np.testing.assert_allclose(chain.expect(x), P @ x, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_chains_of_edges(dtype):
    rows = RNG.random((2**17, 2)).astype(dtype)
    rows /= rows.sum(axis=1, keepdims=True)
    windows = Chain(rows)
    chain = Chain.from_edges(*windows.raw_edges(), states=windows.states)
    P, x = windows.sparse(), RNG.random(2**17)
    assert chain.n_edges >= COMPILED_FROM
    np.testing.assert_allclose(chain.push(x), P.T @ x, rtol=1e-13)
    np.testing.assert_allclose(chain.expect(x), P @ x, rtol=1e-13)


@pytest.mark.parametrize(("V", "L"), [(1, 3), (2, 1), (2, 5), (3, 3), (4, 2), (7, 1), (40, 2)])
@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_loops_on_small_windows(V, L, divided, threads, monkeypatch):
    """However the windows are shared out, a row counts with its share of its sum."""
    monkeypatch.setattr(products, "THREADS_FROM", 1)
    monkeypatch.setattr(products, "MOST_THREADS", threads)
    monkeypatch.setattr(products.config, "NUMBA_NUM_THREADS", threads)
    rows = RNG.random((V**L, V))
    rows /= rows.sum(axis=1, keepdims=True) * (1 + 1e-5 * RNG.uniform(-1, 1, (V**L, 1)))
    sums = rows.sum(axis=1)
    excess = sums - 1 if divided else None
    scale = sums if divided else None
    x = RNG.random(V**L)
    source, token = np.divmod(np.arange(rows.size), V)
    target = source % max(V**L // V, 1) * V + token
    P = np.zeros((V**L, V**L))
    np.add.at(P, (source, target), (rows / sums[:, None] if divided else rows).ravel())
    # Loops that add rows up themselves divide them in any case.
    by_sums = divided or V not in SUMMED_BY_LOOPS
    W = P if by_sums else P / P.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(push_window(x, rows, excess), x @ W, rtol=1e-13)
    np.testing.assert_allclose(expect_window(x, rows, excess), W @ x, rtol=1e-13)
    edges = np.arange(V**L + 1) * V, target, rows.ravel(), scale
    np.testing.assert_allclose(push_edges(x, *edges), x @ P, rtol=1e-13)
    np.testing.assert_allclose(expect_edges(x, *edges), P @ x, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_are_divided_by_to_the_last_place(dtype):
    """Kept as whole numbers of 2^-53 for float64 rows, and as they are for float32."""
    V, L = 5, 8
    rows = RNG.random((V**L, V))
    off = 0.9e-12 if dtype == np.float64 else 0.9e-5
    rows /= rows.sum(axis=1, keepdims=True) * (1 + off * RNG.uniform(-1, 1, (V**L, 1)))
    rows = rows.astype(dtype)
    chain, f = Chain(rows), RNG.random(V**L)
    assert chain.n_edges >= COMPILED_FROM
    found = chain.expect(f)
    for s in RNG.integers(0, V**L, 200).tolist():
        row = [Fraction(p) for p in rows[s].tolist()]
        after = f[s % V ** (L - 1) * V :][:V].tolist()
        truth = sum(p * Fraction(value) for p, value in zip(row, after, strict=True)) / sum(row)
        assert abs(Fraction(found[s]) / truth - 1) <= (2 * V + 2) * Fraction(1, 2**53)


@pytest.mark.parametrize("N", [2**5, 2**18])
def test_a_product_is_written_where_it_is_wanted(N):
    windows = Chain(np.full((N, 2), [0.25, 0.75]))
    edges = Chain.from_edges(*windows.raw_edges(), states=windows.states)
    x = RNG.random(N)
    for chain in (windows, edges):
        for product in (chain.push, chain.expect):
            out = np.full(N, np.nan)
            assert product(x, out=out) is out
            np.testing.assert_array_equal(out, product(x))


def test_an_array_that_cannot_take_a_product_is_refused():
    chain, x = Chain([[0.5, 0.5], [0.25, 0.75]]), np.array([0.5, 0.5])
    frozen = np.empty(2)
    frozen.setflags(write=False)
    for out in (x, np.empty(3), np.empty(2, dtype=np.float32), np.empty(4)[::2], frozen):
        with pytest.raises(InvalidArgument, match="push: out is for an answer in floats"):
            chain.push(x, out=out)
    with pytest.raises(InvalidArgument, match="out is for an answer in floats"):
        chain.exact().expect(x, out=np.empty(2))


def test_what_is_given_is_left_alone():
    """The loops see read-only views; the arrays themselves stay writable and unchanged."""
    x, rows = RNG.random(8), RNG.random((8, 2))
    before = x.copy(), rows.copy()
    assert push_window(x, rows) is not x
    assert x.flags.writeable
    assert rows.flags.writeable
    assert (x == before[0]).all()
    assert (rows == before[1]).all()


def test_large_chains_take_vectors_of_other_numbers():
    chain = Chain(np.full((2**17, 2), 0.5))
    ones = chain.push(np.ones(2**17, dtype=np.int64))
    assert ones.dtype == np.float64
    assert (ones == 1).all()
    assert (chain.expect(np.ones(2**17, dtype=np.float32)) == 1).all()
    exact = np.full(2**17, Fraction(1), dtype=object)
    assert chain.expect(exact)[0] == 1
