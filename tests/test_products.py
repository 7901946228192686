"""Compiled products of large window chains, against scipy's sparse ones."""

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.kernels.products import expect_window, push_window

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("V", "L"), [(2, 18), (3, 11), (4, 9), (27, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_chains_push_and_expect(V, L, dtype):
    """float32 rows are divided by their sums, in float64."""
    rows = RNG.random((V**L, V)).astype(dtype)
    rows /= rows.sum(axis=1, keepdims=True)
    chain = Chain(rows)
    P, x = chain.sparse(), RNG.random(V**L)
    np.testing.assert_allclose(chain.push(x), P.T @ x, rtol=1e-13)
    np.testing.assert_allclose(chain.expect(x), P @ x, rtol=1e-13)


@pytest.mark.parametrize(("V", "L"), [(1, 3), (2, 1), (2, 5), (3, 3), (7, 1)])
def test_loops_on_small_windows(V, L):
    rows = RNG.dirichlet(np.ones(V), V**L)
    chain, x = Chain(rows, context=L if V > 1 else 1), RNG.random(V**L)
    np.testing.assert_allclose(push_window(x, rows), x @ chain.matrix(), rtol=1e-13)
    np.testing.assert_allclose(expect_window(x, rows), chain.matrix() @ x, rtol=1e-13)
