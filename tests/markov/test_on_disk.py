"""Questions asked of rows that stay on a disk: the answers from memory, and proofs that hold."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, StateSpaceTooLarge
from fsm_gpt.io import load
from fsm_gpt.markov.backoff import backoff, backoff_by_product
from fsm_gpt.markov.streamed_certificate import certify_windows, imbalances, total_imbalance
from fsm_gpt.result import UNCERTIFIED
from tests.stores import random_rows, write_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on_disk")


_count = iter(range(10**9))


def kept(rows: Any, folder: Path, *, chunk_bytes: int = 256) -> Chain:
    """The chain of these rows, on disk."""
    store = write_store(folder / f"{next(_count)}.zarr", rows, chunk_bytes=chunk_bytes)
    chain = load(store, on_disk=True)
    assert chain.on_disk
    return chain


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """Rows of windows, zeros among them: reducible, periodic and absorbing chains."""
    V, L = draw(st.sampled_from([(2, 1), (2, 3), (2, 5), (3, 2), (3, 3), (4, 2)]))
    weights = st.integers(0, 4) if draw(st.booleans()) else st.integers(1, 9)
    table = np.array(
        draw(st.lists(st.lists(weights, min_size=V, max_size=V), min_size=V**L, max_size=V**L)),
        dtype=np.float64,
    )
    table[table.sum(axis=1) == 0, 0] = 1
    rows = table / table.sum(axis=1, keepdims=True)
    return rows.astype(draw(st.sampled_from([np.float64, np.float32])))


@settings(max_examples=40)
@given(
    rows=tables(),
    size=st.sampled_from([1, 64, 256, 10_000]),
    seed=st.integers(0, 99),
    compiled=st.booleans(),
)
def test_products(folder: Path, rows: Any, size: int, seed: int, compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fsm_gpt.streamed.COMPILED_FROM", 0 if compiled else 2**18)
        _check_products(folder, rows, size, seed)


def _check_products(folder: Path, rows: Any, size: int, seed: int) -> None:
    chain, here = kept(rows, folder, chunk_bytes=size), Chain(rows)
    x = np.random.default_rng(seed).dirichlet(np.ones(len(rows)))
    for ask in (
        lambda c: c.push(x),
        lambda c: c.expect(x),
        lambda c: c.push(x, out=np.empty(len(x))),
    ):
        assert ask(chain) == pytest.approx(ask(here), rel=1e-14, abs=1e-300)
    assert chain.n_edges == here.n_edges
    assert chain.least_probability == here.least_probability
    first, last = sorted(np.random.default_rng(seed).integers(0, len(rows) + 1, 2))
    assert (chain.rows(first, last) == here.rows(first, last)).all()


@settings(max_examples=40)
@given(rows=tables())
def test_structure(folder: Path, rows: Any) -> None:
    found, known = (fg.communicating_classes(c) for c in (kept(rows, folder), Chain(rows)))
    assert found.member.tolist() == known.member.tolist()
    assert [c.tolist() for c in found.closed] == [c.tolist() for c in known.closed]
    assert found.periods == known.periods
    assert found.transient.tolist() == known.transient.tolist()
    assert [[p.tolist() for p in parts] for parts in found.cyclic_classes] == [
        [p.tolist() for p in parts] for parts in known.cyclic_classes
    ]


@settings(max_examples=25)
@given(rows=tables())
def test_the_stationary_distribution_and_its_proof(folder: Path, rows: Any) -> None:
    """Against exact rationals: every entry is within the bound."""
    chain = kept(rows, folder)
    truth = fg.stationary_distribution(Chain(rows), exact=True)
    try:
        found = fg.stationary_distribution(chain)
    except NotConverged:
        return  # no answer, rather than a wrong one
    assert len(found.classes) == len(truth.classes)
    for (states, pi), (same, exact) in zip(found.classes, truth.classes, strict=True):
        assert states.tolist() == same.tolist()
        if found.error_bound != UNCERTIFIED:
            for p, q in zip(pi.tolist(), exact, strict=True):
                assert abs(Fraction(p) - q) <= Fraction(found.error_bound) * q


@settings(max_examples=25)
@given(rows=tables(), n=st.integers(0, 9), state=st.integers(0, 3))
def test_questions_of_n_steps(folder: Path, rows: Any, n: int, state: int) -> None:
    chain, here = kept(rows, folder), Chain(rows)
    state = min(state, len(rows) - 1)
    questions: list[Callable[[Chain], Any]] = [
        lambda c: fg.distribution_after(c, n, start=state),
        lambda c: fg.reach(c, state, within=n),
        lambda c: fg.always(c, [0, state], within=n),
    ]
    for ask in questions:
        found, known = ask(chain), ask(here)
        assert found.probabilities == pytest.approx(known.probabilities, rel=1e-13, abs=1e-300)
        assert found.error_bound == known.error_bound


@pytest.mark.parametrize(("V", "L"), [(2, 7), (3, 4), (5, 2)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_entropies(folder: Path, V: int, L: int, dtype: str) -> None:
    rows = random_rows(V, L, sharp=2).astype(dtype)
    chain, here = kept(rows, folder), Chain(rows)
    found, known = fg.entropy_rate(chain), fg.entropy_rate(here)
    assert found.bits_per_token == pytest.approx(known.bits_per_token, rel=1e-12)
    assert found.certified
    found, known = fg.memory_curve(chain), fg.memory_curve(here)
    assert found.bits_per_token == pytest.approx(known.bits_per_token, rel=1e-12)
    assert found.block_bits == pytest.approx(known.block_bits, rel=1e-12)


@pytest.mark.parametrize(("V", "L"), [(2, 10), (4, 5)])
def test_a_backoff_cycle_is_that_of_the_rows(V: int, L: int) -> None:
    rows = random_rows(V, L, seed=3)
    chain = Chain(rows)
    x = np.random.default_rng(0).dirichlet(np.ones(V**L))
    known = backoff(rows, rows.sum(axis=1), x)
    found = backoff_by_product(
        lambda x, into: chain.push(x, out=into), V, x.copy(), np.empty(len(x))
    )
    assert found == pytest.approx(known, rel=1e-12)


# ---- the certificate ----


@settings(max_examples=40)
@given(rows=tables(), seed=st.integers(0, 999))
def test_imbalances_are_exact(rows: Any, seed: int) -> None:
    """Against sums of rationals, for any vector."""
    chain = Chain(rows)
    x = np.random.default_rng(seed).dirichlet(np.ones(len(rows)))
    r, _, _ = imbalances(chain, x)
    V, N = chain.n_tokens, len(rows)
    exact = [Fraction(0)] * N
    for s in range(N):
        total = 0.0
        for p in rows[s].tolist():
            total += p
        share = Fraction(float(x[s] / total))
        for t in range(V):
            flow = share * Fraction(float(rows[s, t]))
            exact[s % (N // V) * V + t] += flow
            exact[s] -= flow
    for found, known, mass in zip(r.tolist(), exact, x.tolist(), strict=True):
        lost = 16 * V * V * 2.0**-106 * (2 * mass + abs(float(known)))
        assert abs(Fraction(found) - known) <= Fraction(lost) + abs(known) * Fraction(2.0**-52)


def test_the_total_imbalance_is_no_less_than_that_of_rationals() -> None:
    chain = Chain(random_rows(3, 3))
    x = np.random.default_rng(1).dirichlet(np.ones(27))
    P = chain.exact()
    moved = P.push(np.array([Fraction(v) for v in x], dtype=object))
    total = sum(abs(a - Fraction(b)) for a, b in zip(moved, x.tolist(), strict=True))
    assert total <= Fraction(total_imbalance(chain, x)) <= total * Fraction(1.001)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), spoil=st.sampled_from([0.0, 1e-14, 1e-9, 1e-3, 0.5]))
def test_the_bound_holds_for_vectors_that_are_wrong(seed: int, spoil: float) -> None:
    rows = random_rows(2, 5, seed=seed, sharp=3)
    chain = Chain(rows)
    truth = fg.stationary_distribution(chain, exact=True).pi
    random = np.random.default_rng(seed)
    x = np.array([float(p) for p in truth]) * (1 + spoil * random.uniform(-1, 1, 32))
    x /= x.sum()
    bound, _ = certify_windows(chain, x)
    if bound != UNCERTIFIED:
        worst = max(abs(Fraction(p) / q - 1) for p, q in zip(x.tolist(), truth, strict=True))
        assert worst <= Fraction(float(bound))
    if spoil <= 1e-14:
        assert bound != UNCERTIFIED
        assert float(bound) < 1e-9


def test_without_memory_for_the_proof_there_is_an_answer_without_one(tmp_path: Path) -> None:
    store = write_store(tmp_path / "c.zarr", random_rows(2, 9), chunk_bytes=256)
    chain = load(store, max_memory_gib=24 * 512 / 2**30, on_disk=True)
    found = fg.stationary_distribution(chain)
    assert not found.certified
    assert "memory" in found.uncertified_because
    assert "max_memory_gib" in found.uncertified_because


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.next_token,
        lambda c: c.edges(),
        lambda c: c.with_decoding(fg.Greedy()),
        lambda c: c.exact(),
        lambda c: fg.mixing_time(c),
        lambda c: fg.minimize(c),
        lambda c: fg.reach(c, 0),
    ],
)
def test_what_needs_all_rows_is_refused(folder: Path, ask: Callable[[Chain], Any]) -> None:
    chain = kept(random_rows(2, 7), folder)
    with pytest.raises(StateSpaceTooLarge, match="all 128 rows in memory at once"):
        ask(chain)
