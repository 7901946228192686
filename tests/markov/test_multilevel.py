"""The large-chain solver and the compiled certificate, against elimination and exact sums."""

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, TopK
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.kernels import aggregation as loops, certificate as compiled
from fsm_gpt.markov import certificate as exact, entropy_rate, stationary_distribution
from fsm_gpt.markov.backoff import inflow_of_windows
from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.markov.multilevel import _by_products, solve
from tests.families import HARD, hard_rows


def worst(x, truth):
    """The largest relative error of any entry."""
    return np.abs(x / truth - 1).max()


@pytest.mark.parametrize("name", HARD)
def test_every_entry_is_that_of_elimination(name):
    """GTH in double precision is right to about 1e-15 in every entry; see test_certificate."""
    chain = Chain(hard_rows(name, 2, 10))
    found = stationary_distribution(chain, method="multilevel")
    truth = stationary_distribution(chain, method="elimination")
    assert worst(found.pi, truth.pi) <= 1e-12
    assert worst(found.pi, truth.pi) <= found.error_bound + truth.error_bound
    assert truth.error_bound < 1e-9
    assert "cycles" in found.method


@pytest.mark.parametrize("name", HARD)
def test_proven_at_4096_states(name):
    found = stationary_distribution(Chain(hard_rows(name, 2, 12)), method="multilevel")
    assert found.error_bound < 1e-8
    assert "cycles" in found.method


# ---- products before the first cycle ----


def test_products_are_enough_where_a_chain_forgets_fast():
    """Held against elimination; each of some hundred products costs a hundredth of a cycle."""
    chain = Chain(hard_rows("random", 2, 11))
    found = stationary_distribution(chain)
    assert found.method.startswith("power iteration")
    assert found.error_bound <= 1e-8
    truth = stationary_distribution(chain, method="elimination")
    assert worst(found.pi, truth.pi) <= found.error_bound + truth.error_bound


def test_products_that_look_settled_and_are_not_are_followed_by_cycles():
    """Two copies of a chain, with 1e-13 there and 3e-13 back: a state has three times its copy."""
    rows, n = hard_rows("random", 2, 10), 2**10
    source = np.arange(2 * n).repeat(2)
    token = np.tile([0, 1], 2 * n)
    target = source // n * n + source * 2 % n + token
    crossing = np.array([0, n])
    chain = Chain.from_edges(
        np.append(source, crossing),
        np.append(token, [2, 2]),
        np.append(target, crossing[::-1]),
        np.append(np.tile(rows, (2, 1)).ravel(), [1e-13, 3e-13]),
        normalize=True,
    )
    x, _, change, _ = _by_products(lambda x, into: chain.push(x, out=into), np.full(2 * n, 0.5 / n))
    truth = stationary_distribution(chain, method="elimination").pi
    assert change < 1e-12
    assert truth[:n].sum() == pytest.approx(0.75, rel=1e-9)
    assert x[:n].sum() == pytest.approx(0.5, rel=1e-9)
    found = stationary_distribution(chain)
    assert "cycles" in found.method
    assert worst(found.pi, truth) < 1e-11


@pytest.mark.parametrize("name", ["sharp", "sticky", "rotate 1e-6"])
def test_hopeless_products_are_given_up_early(name):
    chain = Chain(hard_rows(name, 2, 12))
    _, products, *_ = _by_products(
        lambda x, into: chain.push(x, out=into), np.full(2**12, 2.0**-12)
    )
    assert products <= 48


def test_products_of_one_class_of_several_stay_in_it():
    chain = Chain(hard_rows("random", 4, 6)).with_decoding(TopK(2))
    found = stationary_distribution(chain)
    assert "power iteration" in found.method
    truth = stationary_distribution(chain, method="elimination")
    for (_, x), (_, y) in zip(found.classes, truth.classes, strict=True):
        assert worst(x, y) <= found.error_bound + truth.error_bound


@pytest.mark.parametrize(("V", "L"), [(4, 6), (27, 3)])
@pytest.mark.parametrize("name", ["sharp", "rotate 1e-3", "nearly decomposable"])
def test_larger_vocabularies(V, L, name):
    chain = Chain(hard_rows(name, V, L))
    found = stationary_distribution(chain, method="multilevel")
    assert found.error_bound < 1e-7
    x = found.pi
    assert worst(chain.push(x), x) < 1e-10


def test_float32_rows_mean_rows_divided_by_their_sums():
    rows = hard_rows("sharp", 2, 11).astype(np.float32)
    chain = Chain(rows)
    found = stationary_distribution(chain, method="multilevel")
    wide = rows.astype(np.float64)
    again = stationary_distribution(Chain(wide / wide.sum(axis=1, keepdims=True)))
    assert worst(found.pi, again.pi) <= found.error_bound + again.error_bound + 1e-13


def test_periodic_class_of_thousands_of_states():
    """A random walk on 4 layers of 400 states, each leading to the next: period 4."""
    rng = np.random.default_rng(1)
    n, d = 400, 3
    source = np.repeat(np.arange(4 * n), d)
    layer = source // n
    target = (layer + 1) % 4 * n + rng.integers(0, n, len(source))
    ring = np.arange(4 * n)
    source = np.concatenate([source, ring])
    target = np.concatenate([target, (ring + n) % (4 * n)])
    keep = np.unique(source * 4 * n + target)
    source, target = keep // (4 * n), keep % (4 * n)
    P = rng.random(len(source))
    chain = Chain.from_edges(source, target, target, P, normalize=True)
    found = stationary_distribution(chain, method="multilevel")
    largest = max(found.classes, key=lambda part: len(part[0]))
    assert found.periods[found.classes.index(largest)] == 4
    assert found.error_bound <= 1e-8  # what was asked for
    truth = stationary_distribution(chain, method="elimination")
    assert worst(found.dense()[found.dense() > 0], truth.dense()[truth.dense() > 0]) < 1e-12


def test_several_closed_classes_with_transient_states():
    rng = np.random.default_rng(2)
    blocks = [hard_rows("random", 2, 9, seed=s) for s in (1, 2)]
    P = np.zeros((1024 + 50, 2))
    for k, rows in enumerate(blocks):
        P[512 * k : 512 * (k + 1)] = rows
    P[1024:] = rng.dirichlet([1, 1], 50)
    source = np.repeat(np.arange(len(P)), 2)
    token = np.tile([0, 1], len(P))
    within = source % 256 * 2 + token + source // 512 * 512
    target = np.where(source < 1024, within, rng.integers(0, len(P), len(source)))
    chain = Chain.from_edges(source, token, target, P.ravel())
    found = stationary_distribution(chain, method="multilevel")
    assert [len(states) for states, _ in found.classes] == [512, 512]
    for (_, x), rows in zip(found.classes, blocks, strict=True):
        assert worst(x, stationary_distribution(Chain(rows), method="elimination").pi) < 1e-11


def test_decoded_chains_of_thousands_of_states():
    chain = Chain(hard_rows("random", 4, 5)).with_decoding(TopK(2))
    found = stationary_distribution(chain, method="multilevel")
    for (states, x), (same, y) in zip(
        found.classes, stationary_distribution(chain, method="elimination").classes, strict=True
    ):
        assert (states == same).all()
        assert worst(x, y) < 1e-11
    greedy = chain.with_decoding(Greedy())
    for states, x in stationary_distribution(greedy, method="multilevel").classes:
        np.testing.assert_allclose(x, 1 / len(states), rtol=1e-14)


def test_entropy_rate_at_65536_states():
    chain = Chain(hard_rows("random", 2, 16))
    found = entropy_rate(chain)
    assert found.error_bound < 1e-7
    x = np.full(2**16, 2.0**-16)
    for _ in range(400):
        x = chain.push(x)
    rows = chain.next_token
    plain = -(x[:, None] * rows * np.log2(rows)).sum()
    assert found.bits_per_token == pytest.approx(plain, rel=1e-10)


def test_progress_is_told_each_cycle():
    seen = []
    chain = Chain(hard_rows("random", 2, 11))
    found = stationary_distribution(
        chain, method="multilevel", progress=lambda *told: seen.append(told)
    )
    assert [count for count, _, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][1] < 1e-9
    left = np.abs(found.pi @ chain.matrix() - found.pi).sum()
    assert seen[-1][2] == pytest.approx(left, rel=0.5, abs=1e-15)
    assert seen[-1][2] < 1e-12 < seen[0][2]
    seen.clear()
    stationary_distribution(chain, progress=lambda *told: seen.append(told))
    assert [count for count, _, _ in seen] == [0]
    assert seen[0][2] < 1e-12


def test_what_has_not_settled_is_no_answer():
    start = np.arange(2001, dtype=np.int64)
    target = ((np.arange(2000) + 1) % 2000).astype(np.int32)
    rates = ClassRates(start, target, np.random.default_rng(0).random(2000))
    with pytest.raises(NotConverged, match="after 2 cycles"):
        solve(rates, enough=lambda x: False, most_cycles=2)


def test_unknown_method():
    with pytest.raises(InvalidArgument, match="'power'"):
        stationary_distribution(Chain([[0.5, 0.5], [0.5, 0.5]]), method="power")


# ---- the compiled certificate against exact integers ----


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("spoil", [0.0, 1e-12, 1e-3])
def test_the_compiled_certificate_is_no_smaller_than_the_exact_one_allows(name, spoil):
    """Both use a near-maximum spanning tree; they may differ by the choice of the tree only."""
    rows = hard_rows(name, 2, 9)
    chain = Chain(rows)
    x = stationary_distribution(chain, method="elimination").pi
    x = x * np.exp(spoil * np.random.default_rng(0).standard_normal(len(x)))
    edges = chain.raw_edges()
    rates = ClassRates.of(edges.source, edges.target, edges.probability, len(x))
    slow, fast = exact._log_factor(rates, x), exact._compiled_log_factor(rates, x)
    assert slow / 4 <= fast <= 4 * slow


def test_compiled_sums_are_exact():
    """A state with three flows in and one out, chosen so that doubles lose the difference."""
    from fractions import Fraction

    start = np.array([0, 1, 2, 3, 4])
    target = np.array([3, 3, 3, 0], dtype=np.int32)
    rate = np.array([0.1, 0.7, 1e-40, 0.3])
    x = np.array([1.0, 1e-20, 1.0, 1.0])
    parts, lost, _ = compiled._imbalances(start, target, rate, x)
    flows = [Fraction(a) * Fraction(q) for a, q in zip(x.tolist(), rate.tolist(), strict=True)]
    truth = [flows[3] - flows[0], -flows[1], -flows[2], sum(flows[:3]) - flows[3]]
    for part, gone, value in zip(parts, lost, truth, strict=True):
        assert abs(sum(map(Fraction, part.tolist())) - value) <= Fraction(gone)
        assert compiled._size(part) >= abs(float(value))


def test_the_compiled_certificate_refuses_what_it_cannot_know():
    start = np.array([0, 1, 2])
    target = np.array([1, 0], dtype=np.int32)
    assert (
        compiled.log_factor(start, target, np.array([1.0, 1e-295]), np.array([0.5, 0.5])) == np.inf
    )
    alone = np.array([1, 1, 1], dtype=np.int32)[:0]
    assert compiled.log_factor(np.zeros(3, int), alone, np.zeros(0), np.ones(2)) == np.inf


# ---- the loops ----


def test_pairs_are_formed_strongest_first():
    best = np.array([1, 2, 1, 0], dtype=np.int32)
    order = loops.strongest_first(np.array([0.1, 0.9, 0.8, 0.7]))
    assert order.tolist() == [1, 2, 3, 0]
    group, count = loops.merge_pairs(best, order)
    assert count == 2
    assert group.tolist() == [0, 1, 1, 0]


def test_hubs_get_larger_groups():
    best = np.zeros(100, dtype=np.int32)
    best[0] = 1
    _, count = loops.merge_pairs(best, np.arange(100, dtype=np.int32))
    assert count <= 60


def test_coarse_rates_are_weighted_sums():
    rng = np.random.default_rng(4)
    n = 12
    dense = rng.random((n, n)) * (rng.random((n, n)) < 0.4)
    np.fill_diagonal(dense, 0)
    source, target = np.nonzero(dense)
    start = np.searchsorted(source, np.arange(n + 1))
    rate, x = dense[source, target], rng.random(n)
    group = (np.arange(n) // 3).astype(np.int32)
    slot, coarse_start, coarse_target = loops.coarse_pattern(
        start, target.astype(np.int32), group, 4
    )
    coarse, weight = loops.add_rates(start, rate, x, group, slot, coarse_start, len(coarse_target))
    member = (group[:, None] == np.arange(4)).astype(float)
    expected = member.T @ (x[:, None] * dense) @ member / (member.T @ x)[:, None]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weight, member.T @ x)
    np.testing.assert_allclose(loops.to_dense(coarse_start, coarse_target, coarse), expected)


@pytest.mark.parametrize(("V", "L"), [(2, 4), (3, 3), (5, 2)])
def test_shorter_windows_are_the_weighted_rows(V, L):
    """P'[r, t] = sum_a x[a r] P[a r, t] / sum_a x[a r], and back x[r t] = x'[r] P'[r, t]."""
    rng = np.random.default_rng(V)
    rows, x = rng.random((V**L, V)), rng.random(V**L)
    sums = rows.sum(axis=1)
    flow, out, weight = loops.shorten(rows, sums, x)
    R = V ** (L - 1)
    for r in range(R):
        whole = [a * R + r for a in range(V)]
        expected = sum(x[s] * rows[s] / sums[s] for s in whole)
        np.testing.assert_allclose(flow[r], expected)
        assert out[r] == pytest.approx(expected.sum())
        assert weight[r] == pytest.approx(x[whole].sum())
    solved = rng.random(R)
    expected = (flow / flow.sum(axis=1, keepdims=True) * solved[:, None]).ravel()
    np.testing.assert_allclose(loops.lengthen(flow, out, solved), expected)


@pytest.mark.parametrize(("V", "L"), [(2, 4), (3, 3), (4, 3)])
def test_what_flows_in_from_other_windows(V, L):
    """The matrix without its diagonal; a subtraction would lose what is small beside it."""
    rows = np.random.default_rng(V).dirichlet(np.ones(V), V**L)
    rows[0] = [1 - 1e-13, *[1e-13 / (V - 1)] * (V - 1)]
    chain = Chain(rows)
    x = np.random.default_rng(L).random(V**L)
    push = lambda x, into: chain.push(x, out=into)  # noqa: E731
    inflow = inflow_of_windows(push, rows, rows.sum(axis=1))
    off = chain.matrix()
    np.fill_diagonal(off, 0)
    np.testing.assert_allclose(inflow(x, np.empty(V**L)), x @ off, rtol=1e-14)
    assert inflow_of_windows(push, rows[: V * V], np.ones(V * V)) is None


def test_a_sweep_is_damped_jacobi():
    rng = np.random.default_rng(5)
    inflow, out, x = rng.random((3, 9))
    expected = 0.3 * x + 0.7 * inflow / out
    loops.relax(inflow, out, x)
    np.testing.assert_allclose(x, expected / expected.sum())
