"""Laws of Markov chains, over generated chains, and independent ways to the same answers.

Chains come from tests/strategies.py: reducible, periodic, absorbing, nearly decomposable,
with rows of very different sizes. In rationals a law holds exactly. A float answer is
compared with the rational answer for the very same chain (the binary values of its rows,
each divided by its sum), and has to lie within the bound that it claims.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import mpmath
import networkx as nx
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import (
    FsmGptError,
    InvalidArgument,
    InvalidChain,
    NotConverged,
    NotDefined,
    NotUnique,
)
from fsm_gpt.markov import (
    absorption,
    calibration,
    communicating_classes,
    compare,
    context_distance,
    convergence_bound,
    entropy_drift,
    entropy_rate,
    fundamental_matrix,
    kemeny_constant,
    limiting_distribution,
    mean_first_passage,
    memory_curve,
    mixing_time,
    n_gram_distances,
    reversibility,
    spectrum,
    stationary_distribution,
    time_reversal,
)
from fsm_gpt.result import UNCERTIFIED, Bounded, Result, read_only
from tests.strategies import (
    chains,
    edge_chains,
    irreducible_chains,
    structured_chains,
    window_chains,
)

Array = np.ndarray[Any, Any]


def within(found: Any, exact: Any, bound: Any, *, relative: bool = True) -> None:
    """Floats lie within a claimed bound of rationals, entry by entry, zeros exact."""
    assert np.shape(found) == np.shape(exact)
    limit = Fraction(float(bound))
    for x, y in zip(np.ravel(found).tolist(), np.ravel(exact).tolist(), strict=True):
        allowed = limit * abs(Fraction(y)) if relative else limit
        assert abs(Fraction(x) - y) <= allowed, (x, float(y), bound)


def test_the_comparison_fails_outside_the_bound() -> None:
    within([0.25, 0.0], [Fraction(1, 4), Fraction(0)], 0.0)
    within([0.25], [Fraction(1, 4) + Fraction(1, 10**6)], 1e-5)
    with pytest.raises(AssertionError):
        within([0.25], [Fraction(1, 4) + Fraction(1, 10**6)], 1e-6)
    with pytest.raises(AssertionError):
        within([0.25, 1e-300], [Fraction(1, 4), Fraction(0)], 1e-5)
    with pytest.raises(AssertionError):
        within([0.25], [Fraction(1, 4), Fraction(0)], 1.0)


def graph_of(chain: Chain) -> nx.DiGraph:
    source, _, target, _ = chain.raw_edges()
    graph = nx.DiGraph()
    graph.add_nodes_from(range(chain.n_states))
    graph.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
    return graph


def renamed(chain: Chain, order: list[int]) -> Chain:
    """The same chain with state s called order[s]."""
    source, token, target, probability = chain.raw_edges()
    place = np.array(order)
    return Chain.from_edges(
        place[source],
        token,
        place[target],
        probability,
        n_states=chain.n_states,
        vocabulary=chain.vocabulary,
    )


def lazy(chain: Chain) -> Chain:
    """The chain that stays where it is with probability 1/2, else moves."""
    P = chain.exact().matrix()
    half = Fraction(1, 2)
    return Chain.from_matrix(P * half + np.diag([half] * len(P)))


# ---- classes ----


@given(chains())
def test_classes_are_networkxs(chain: Chain) -> None:
    graph = graph_of(chain)
    found = communicating_classes(chain)
    classes = sorted(sorted(part) for part in nx.strongly_connected_components(graph))
    closed = sorted(sorted(part) for part in nx.attracting_components(graph))
    assert [part.tolist() for part in found.classes] == classes
    assert [part.tolist() for part in found.closed] == closed
    assert found.absorbing.tolist() == [part[0] for part in closed if len(part) == 1]
    recurrent = {s for part in closed for s in part}
    assert found.transient.tolist() == [s for s in range(chain.n_states) if s not in recurrent]
    assert found.irreducible == nx.is_strongly_connected(graph)
    for part, period in zip(found.closed, found.periods, strict=True):
        inside = graph.subgraph(part.tolist())
        assert (period == 1) == nx.is_aperiodic(inside)


@given(chains())
def test_periods_are_the_gcd_of_return_times(chain: Chain) -> None:
    found = communicating_classes(chain)
    step = np.zeros((chain.n_states, chain.n_states), dtype=bool)
    step[chain.raw_edges().source, chain.raw_edges().target] = True
    returns: list[list[int]] = [[] for _ in range(chain.n_states)]
    power = np.eye(chain.n_states, dtype=bool)
    for n in range(1, 3 * chain.n_states + 1):
        power = (power.astype(int) @ step.astype(int)) > 0
        for s in np.flatnonzero(np.diag(power)).tolist():
            returns[s].append(n)
    for part, period in zip(found.closed, found.periods, strict=True):
        assert {math.gcd(*returns[s]) for s in part.tolist()} == {period}


@given(chains())
def test_cyclic_classes_are_visited_in_turn(chain: Chain) -> None:
    found = communicating_classes(chain)
    after: dict[int, set[int]] = {}
    for s, t in graph_of(chain).edges:
        after.setdefault(s, set()).add(t)
    for part, cyclic, period in zip(found.closed, found.cyclic_classes, found.periods, strict=True):
        assert len(cyclic) == period
        assert sorted(np.concatenate(cyclic).tolist()) == part.tolist()
        for here, there in itertools.pairwise([*cyclic, cyclic[0]]):
            assert set().union(*(after[s] for s in here.tolist())) <= set(there.tolist())


@given(st.integers(1, 4), st.integers(1, 4))
def test_only_constant_windows_can_absorb(V: int, L: int) -> None:
    assume(V**L <= 81)
    chain = Chain(np.eye(V)[np.arange(V**L) // V ** (L - 1)], context=L)  # the oldest token again
    found = communicating_classes(chain)
    labels = chain.labels(found.absorbing)
    assert labels == [str(t) * L for t in range(V)]
    # Necklaces: rotations of a window (Burnside's count).
    rotations = {min(w[i:] + w[:i] for i in range(L)) for w in chain.labels()}
    assert len(found.closed) == len(rotations)


# ---- stationary distributions ----


@given(chains())
def test_stationary_distributions_are_stationary(chain: Chain) -> None:
    found = stationary_distribution(chain)
    table, closed = found.dense(), communicating_classes(chain).closed
    assert table.shape == (len(closed), chain.n_states)
    for row, states in zip(table, closed, strict=True):
        assert chain.push(row).tolist() == row.tolist()
        assert sum(row) == 1
        assert np.flatnonzero(row != 0).tolist() == states.tolist()
        assert all(isinstance(p, Fraction) and p >= 0 for p in row)
    assert found.error_bound == 0
    if len(closed) > 1:
        with pytest.raises(NotUnique, match=f"{len(closed)} closed classes"):
            _ = found.pi
    else:
        assert found.pi.tolist() == table[0].tolist()


@given(chains(floats=True))
def test_the_bound_on_pi_is_never_broken(chain: Chain) -> None:
    found, exact = stationary_distribution(chain), stationary_distribution(chain, exact=True)
    assert found.certified
    assert float(found.error_bound) < 1e-9
    within(found.dense(), exact.dense(), found.error_bound)


@given(
    st.integers(2, 6),
    st.integers(0, 10**9),
    st.sampled_from([1.0, 10.0, 60.0]),
    st.sampled_from(["float64", "float32"]),
)
def test_the_bound_holds_for_rows_of_any_size(N: int, seed: int, size: float, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    exponents = rng.uniform(-size if dtype == "float64" else -min(size, 30), 0, (N, N))
    P = 10.0**exponents * (rng.random((N, N)) < 0.8)
    P[np.arange(N), (np.arange(N) + 1) % N] += 10.0 ** exponents[0, 0]
    chain = Chain.from_matrix((P / P.sum(axis=1, keepdims=True)).astype(dtype))
    found, exact = stationary_distribution(chain), stationary_distribution(chain, exact=True)
    if found.certified:
        within(found.dense(), exact.dense(), found.error_bound)
    assert found.certified or found.uncertified_because


def test_quantecon_agrees() -> None:
    quantecon = pytest.importorskip("quantecon.markov")
    rng = np.random.default_rng(3)
    for N in (2, 5, 40):
        P = rng.dirichlet(np.full(N, 0.3), size=N)
        ours = stationary_distribution(Chain.from_matrix(P, normalize=True)).pi
        (theirs,) = quantecon.MarkovChain(P).stationary_distributions
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@given(chains(), st.randoms(use_true_random=False))
def test_names_of_states_do_not_matter(chain: Chain, random: Any) -> None:
    order = list(range(chain.n_states))
    random.shuffle(order)
    other = renamed(chain, order)
    before, after = stationary_distribution(chain).dense(), stationary_distribution(other).dense()
    moved = np.empty_like(before)
    moved[:, order] = before
    assert sorted(map(tuple, moved.tolist())) == sorted(map(tuple, after.tolist()))
    ours, theirs = communicating_classes(chain), communicating_classes(other)
    assert {tuple(sorted(order[s] for s in part)) for part in ours.classes} == {
        tuple(part.tolist()) for part in theirs.classes
    }
    assert sorted(ours.periods) == sorted(theirs.periods)
    if ours.irreducible:
        M, moved_M = mean_first_passage(chain).mean_steps, mean_first_passage(other).mean_steps
        assert moved_M[np.ix_(order, order)].tolist() == M.tolist()
        assert kemeny_constant(chain).mean_steps == kemeny_constant(other).mean_steps
        assert reversibility(chain).reversible == reversibility(other).reversible


@given(window_chains(max_states=16), st.randoms(use_true_random=False))
def test_names_of_tokens_do_not_matter(chain: Chain, random: Any) -> None:
    V = chain.n_tokens
    order = list(range(V))
    random.shuffle(order)
    assert chain.states.contexts() is not None
    place = [chain.state([order[t] for t in row]) for row in chain.states.contexts().tolist()]
    rows = np.empty_like(chain.next_token)
    rows[np.ix_(place, order)] = chain.next_token
    other = Chain(rows, context=chain.context)
    before, after = stationary_distribution(chain).dense(), stationary_distribution(other).dense()
    moved = np.empty_like(before)
    moved[:, place] = before
    assert sorted(map(tuple, moved.tolist())) == sorted(map(tuple, after.tolist()))
    if len(before) == 1:
        ours, theirs = entropy_rate(chain.floats()), entropy_rate(other.floats())
        assert ours.bits_per_token == pytest.approx(theirs.bits_per_token, rel=1e-12)
        np.testing.assert_allclose(
            memory_curve(chain).bits_per_token, memory_curve(other).bits_per_token, rtol=1e-9
        )


@given(irreducible_chains())
def test_the_lazy_chain_takes_twice_as_long(chain: Chain) -> None:
    slow = lazy(chain)
    assert communicating_classes(slow).periods == (1,)
    assert stationary_distribution(slow).pi.tolist() == stationary_distribution(chain).pi.tolist()
    ours, theirs = mean_first_passage(chain), mean_first_passage(slow)
    assert (2 * ours.mean_steps).tolist() == theirs.mean_steps.tolist()
    assert ours.recurrence.tolist() == theirs.recurrence.tolist()
    assert 2 * kemeny_constant(chain).mean_steps == kemeny_constant(slow).mean_steps


@given(edge_chains(), structured_chains())
def test_two_chains_side_by_side(first: Chain, second: Chain) -> None:
    n, (a, b) = first.n_states, (first.raw_edges(), second.raw_edges())
    both = Chain.from_edges(
        *(np.concatenate([a[k], b[k] + (n if k in (0, 2) else 0)]) for k in range(4)),
        n_states=n + second.n_states,
    )
    found = communicating_classes(both)
    parts = [communicating_classes(first), communicating_classes(second)]
    assert [part.tolist() for part in found.closed] == [
        (states + shift).tolist()
        for part, shift in zip(parts, (0, n), strict=True)
        for states in part.closed
    ]
    assert found.periods == parts[0].periods + parts[1].periods
    table = stationary_distribution(both).dense()
    above = stationary_distribution(first).dense()
    below = stationary_distribution(second).dense()
    assert table[: len(above), :n].tolist() == above.tolist()
    assert table[len(above) :, n:].tolist() == below.tolist()
    assert not table[: len(above), n:].any()
    assert not table[len(above) :, :n].any()


# ---- limits ----


@given(chains(), st.data())
def test_limits_are_mixtures_that_stay(chain: Chain, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, chain.n_states - 1))
    average = limiting_distribution(chain, start=start, time_average=True).probabilities
    assert chain.push(average).tolist() == average.tolist()
    assert sum(average) == 1
    classes = communicating_classes(chain)
    reachable = {start, *nx.descendants(graph_of(chain), start)}
    ends = [k for k, part in enumerate(classes.closed) if int(part[0]) in reachable]
    support = sorted(s for k in ends for s in classes.closed[k].tolist())
    assert np.flatnonzero(average != 0).tolist() == support
    if any(classes.periods[k] > 1 for k in ends):
        with pytest.raises(NotDefined, match="time_average=True"):
            limiting_distribution(chain, start=start)
    else:
        limit = limiting_distribution(chain, start=start)
        assert limit.probabilities.tolist() == average.tolist()


@given(structured_chains(floats=True), st.data())
def test_limits_are_where_many_steps_lead(chain: Chain, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, chain.n_states - 1))
    found = limiting_distribution(chain, start=start, time_average=True)
    # The average of lazy steps has the same limit and no period.
    power = 0.5 * (np.eye(chain.n_states) + chain.matrix())
    for _ in range(20):
        power = power @ power
        power /= power.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, power[start], atol=1e-9)
    exact = limiting_distribution(chain, start=start, time_average=True, exact=True)
    within(found.probabilities, exact.probabilities, found.error_bound, relative=False)


# ---- first passage ----


@given(irreducible_chains())
def test_first_passage_equations(chain: Chain) -> None:
    found = mean_first_passage(chain)
    M, P, N = found.mean_steps, chain.matrix(), chain.n_states
    pi = stationary_distribution(chain).pi
    for i, j in itertools.product(range(N), repeat=2):
        onward = 1 + sum(P[i, k] * M[k, j] for k in range(N))
        if i == j:
            assert M[i, j] == 0
            assert found.recurrence[j] == onward == 1 / pi[j]
        else:
            assert M[i, j] == onward


@given(irreducible_chains())
def test_a_random_target_is_equally_far_from_everywhere(chain: Chain) -> None:
    # Kemeny & Snell (1976), theorem 4.4.10.
    pi, M = stationary_distribution(chain).pi, mean_first_passage(chain).mean_steps
    distances = set((M * pi).sum(axis=1).tolist())
    assert distances == {kemeny_constant(chain).mean_steps}
    assert kemeny_constant(chain).trace_Z == np.trace(fundamental_matrix(chain).Z)


@given(irreducible_chains())
def test_the_fundamental_matrix_is_an_inverse(chain: Chain) -> None:
    N, pi, P = chain.n_states, stationary_distribution(chain).pi, chain.matrix()
    Z = fundamental_matrix(chain).Z
    identity = np.array([[Fraction(i == j) for j in range(N)] for i in range(N)], dtype=object)
    assert (Z @ (identity - P + pi)).tolist() == identity.tolist()
    assert Z.sum(axis=1).tolist() == [1] * N


@given(irreducible_chains(floats=True))
def test_bounds_on_passage_times_are_never_broken(chain: Chain) -> None:
    found, exact = mean_first_passage(chain), mean_first_passage(chain, exact=True)
    if found.certified:
        within(found.mean_steps, exact.mean_steps, found.error_bound)
        within(found.recurrence, exact.recurrence, found.error_bound)
    constant = kemeny_constant(chain)
    if constant.certified:
        truth = kemeny_constant(chain, exact=True).mean_steps
        within([constant.mean_steps], [truth], constant.error_bound)


# ---- absorption ----

WITH_TRANSIENT = structured_chains(transient=(1, 4))


@given(WITH_TRANSIENT)
def test_absorption_equations(chain: Chain) -> None:
    found = absorption(chain)
    P, T = chain.matrix(), found.transient.tolist()
    assert found.error_bound == 0
    assert [sum(row) for row in found.probabilities.tolist()] == [1] * len(T)
    for row, i in enumerate(T):
        assert found.mean_steps[row] == 1 + sum(
            P[i, k] * found.mean_steps[place] for place, k in enumerate(T)
        )
        for c, states in enumerate(found.classes):
            assert found.probabilities[row, c] == P[i, states].sum() + sum(
                P[i, k] * found.probabilities[place, c] for place, k in enumerate(T)
            )


@given(WITH_TRANSIENT)
def test_bounds_on_absorption_are_never_broken(chain: Chain) -> None:
    chain = chain.floats()
    found, exact = absorption(chain), absorption(chain, exact=True)
    assert found.certified
    within(found.mean_steps, exact.mean_steps, found.error_bound)
    within(found.probabilities, exact.probabilities, found.error_bound, relative=False)


@given(irreducible_chains(), st.data())
def test_a_target_made_absorbing_is_reached_after_the_first_passage_time(
    chain: Chain, data: st.DataObject
) -> None:
    assume(chain.n_states > 1)
    target = data.draw(st.integers(0, chain.n_states - 1))
    P = chain.matrix()
    P[target] = Fraction(0)
    P[target, target] = Fraction(1)
    found = absorption(Chain.from_matrix(P))
    others = [s for s in range(chain.n_states) if s != target]
    assert found.transient.tolist() == others
    M = mean_first_passage(chain).mean_steps
    assert found.mean_steps.tolist() == M[others, target].tolist()
    assert (found.probabilities == 1).all()


# ---- entropy ----


def joint_entropy(chain: Chain, pi: Array, k: int) -> float:
    """Bits in a stationary start and the k tokens after it, by listing them all."""
    words = [(float(p), s) for s, p in enumerate(pi.tolist()) if p]
    table, rows = chain.successors(), chain.next_token.astype(float)
    for _ in range(k):
        words = [
            (p * rows[s, t], int(table[s, t]))
            for p, s in words
            for t in range(chain.n_tokens)
            if rows[s, t] > 0
        ]
    return -math.fsum(p * math.log2(p) for p, _ in words if p > 0)


@given(chains(floats=True))
def test_the_entropy_rate_is_what_one_more_token_adds(chain: Chain) -> None:
    assume(len(communicating_classes(chain).closed) == 1)
    pi = stationary_distribution(chain).pi
    more = joint_entropy(chain, pi, 3) - joint_entropy(chain, pi, 2)
    found = entropy_rate(chain)
    assert found.bits_per_token == pytest.approx(more, abs=1e-11)
    assert 0 <= found.state_bits_per_step <= found.bits_per_token + 1e-12
    assert found.bits_per_token <= math.log2(chain.n_tokens) + 1e-12
    assert found.perplexity == pytest.approx(2**more, abs=1e-9)


@given(structured_chains(), st.data())
def test_the_entropy_rate_from_a_start(chain: Chain, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, chain.n_states - 1))
    found = entropy_rate(chain.floats(), start=start)
    share = limiting_distribution(chain, start=start, time_average=True).probabilities
    rows = chain.next_token.astype(float)
    each = [-math.fsum(p * math.log2(p) for p in row if p > 0) for row in rows.tolist()]
    expected = math.fsum(float(p) * h for p, h in zip(share.tolist(), each, strict=True))
    assert found.bits_per_token == pytest.approx(expected, abs=1e-12)
    if len(communicating_classes(chain).closed) > 1:
        with pytest.raises(NotUnique):
            entropy_rate(chain)


@given(window_chains(floats=True, max_states=16))
def test_the_memory_curve_falls_to_the_entropy_rate(chain: Chain) -> None:
    assume(len(communicating_classes(chain).closed) == 1)
    found, L = memory_curve(chain), chain.context or 0
    h = found.bits_per_token
    assert h.shape == (L + 1,)
    assert found.block_bits.shape == (L + 2,)
    assert (np.diff(h) <= 1e-12).all()
    assert found.entropy_rate == pytest.approx(entropy_rate(chain).bits_per_token, rel=1e-9, abs=0)
    # The block entropy of L tokens is the entropy of pi; the excess is what is left of it.
    pi = stationary_distribution(chain).pi
    bits = -math.fsum(p * math.log2(p) for p in pi.tolist() if p > 0)
    assert found.block_bits[L] == pytest.approx(bits, abs=1e-10)
    assert found.excess_bits == pytest.approx(bits - L * h[-1], abs=1e-10)
    assert found.excess_bits >= 0
    assert np.diff(found.block_bits) == pytest.approx(h, abs=1e-10)


# ---- time reversal ----


def kolmogorov(chain: Chain) -> bool:
    """Whether every cycle is as probable backwards (Kelly 1979, theorem 1.7)."""
    P, graph = chain.matrix(), graph_of(chain)
    for cycle in nx.simple_cycles(graph):
        steps = list(zip(cycle, cycle[1:] + cycle[:1], strict=True))
        if math.prod(P[i, j] for i, j in steps) != math.prod(P[j, i] for i, j in steps):
            return False
    return True


SMALL = structured_chains(closed=(1, 1), transient=(0, 0), class_size=4)


@given(st.one_of(SMALL, window_chains(max_tokens=3, max_context=1)))
def test_reversible_by_kolmogorovs_cycles(chain: Chain) -> None:
    assume(communicating_classes(chain).irreducible)
    found = reversibility(chain)
    assert found.reversible == kolmogorov(chain)
    assert (found.entropy_production_bits_per_step == 0) == found.reversible
    assert found.entropy_production_bits_per_step >= 0
    assert (found.imbalance == 0) == found.reversible


@given(st.integers(2, 6), st.integers(0, 10**9))
def test_symmetric_weights_are_reversible_in_floats(N: int, seed: int) -> None:
    # A walk on a graph with symmetric weights (Levin & Peres, section 9.1), of any sizes.
    rng = np.random.default_rng(seed)
    weights = 10.0 ** rng.uniform(-8, 0, (N, N))
    weights += weights.T
    chain = Chain.from_matrix(weights / weights.sum(axis=1, keepdims=True))
    assert reversibility(chain).reversible
    assert np.allclose(stationary_distribution(chain).pi, weights.sum(1) / weights.sum(), 1e-12, 0)


@given(irreducible_chains())
def test_backwards_and_forwards(chain: Chain) -> None:
    backwards = time_reversal(chain)
    pi = stationary_distribution(chain).pi
    assert stationary_distribution(backwards).pi.tolist() == pi.tolist()
    assert time_reversal(backwards).matrix().tolist() == chain.matrix().tolist()
    flows, returned = pi[:, None] * chain.matrix(), pi[:, None] * backwards.matrix()
    assert flows.T.tolist() == returned.tolist()
    assert kemeny_constant(backwards).mean_steps == kemeny_constant(chain).mean_steps
    same = backwards.matrix().tolist() == chain.matrix().tolist()
    assert reversibility(chain).reversible == same


# ---- spectrum and mixing ----


def true_eigenvalues(chain: Chain) -> list[Any]:
    """Eigenvalues in 60 digits, of the exact matrix."""
    if chain.n_states == 1:
        return [mpmath.mpf(1)]
    with mpmath.workdps(60):
        exact = chain.exact().matrix().tolist()
        rows = [
            [mpmath.mpf(Fraction(p).numerator) / Fraction(p).denominator for p in row]
            for row in exact
        ]
        return list(mpmath.eig(mpmath.matrix(rows), left=False, right=False))


@given(st.one_of(structured_chains(floats=True), window_chains(floats=True, max_states=8)))
def test_discs_hold_the_true_eigenvalues(chain: Chain) -> None:
    found, truth = spectrum(chain), true_eigenvalues(chain)
    assert len(found.eigenvalues) + found.n_zero == chain.n_states
    assert abs(found.eigenvalues[0]) == pytest.approx(1, abs=1e-9)
    ours = [complex(v) for v in found.eigenvalues] + [0j] * found.n_zero
    radius = [float(r) for r in found.radius] + [0.0] * found.n_zero
    assert abs(sum(ours) - complex(sum(truth))) < 1e-8  # the trace
    if found.certified:
        assert float(found.error_bound) == max(radius)
        slack = mpmath.mpf(10) ** -20  # what 60 digits leave of multiple eigenvalues
        for value, r in zip(ours, radius, strict=True):
            assert min(abs(t - value) for t in truth) <= r + slack
        for t in truth:
            assert any(abs(t - v) <= r + slack for v, r in zip(ours, radius, strict=True))


@given(window_chains(floats=True, max_states=16), st.sampled_from([0.4, 0.05, 1e-4]))
def test_the_mixing_time_is_the_first_time(chain: Chain, epsilon: float) -> None:
    classes = communicating_classes(chain)
    assume(len(classes.closed) == 1 and classes.aperiodic)
    found = mixing_time(chain, epsilon=epsilon)
    P, pi = chain.matrix(), stationary_distribution(chain).pi
    assume(found.steps < 300)
    distance, power = [], np.eye(len(P))
    for _ in range(found.steps + 1):
        distance.append(0.5 * np.abs(power - pi).sum(axis=1))
        power = power @ P
    worst = [d.max() for d in distance]
    assert (np.diff(worst) <= 1e-12).all()
    assert worst[-1] <= epsilon + 1e-12
    assert all(w > epsilon - 1e-12 for w in worst[:-1])
    mean = [d.mean() for d in distance]
    assert mean[found.average_steps] <= epsilon + 1e-12
    assert all(m > epsilon - 1e-12 for m in mean[: found.average_steps])
    for t, d in zip(found.times.tolist(), found.distances.tolist(), strict=True):
        if t < len(worst):
            assert d == pytest.approx(worst[t], abs=1e-12)


# ---- comparison ----


@given(chains())
def test_a_chain_compared_with_itself_never_rules_out_what_it_does(chain: Chain) -> None:
    """Whatever its states are called; only where it begins may be left open by the tokens."""
    try:
        found = compare(chain, chain)
    except NotUnique:
        return
    assert found.kl_bits_per_token == pytest.approx(0, abs=1e-12)
    assert found.missing == ()


@given(window_chains(max_states=16), st.data())
def test_a_model_wastes_nothing_only_where_it_is_the_source(
    chain: Chain, data: st.DataObject
) -> None:
    assume(len(communicating_classes(chain).closed) == 1)
    assert chain.context is not None
    itself = compare(chain, chain)
    assert itself.kl_bits_per_token == 0
    assert itself.missing == ()
    weights = data.draw(
        st.lists(st.integers(1, 9), min_size=chain.next_token.size, max_size=chain.next_token.size)
    )
    rows = np.array(weights, float).reshape(chain.next_token.shape)
    model = Chain(rows, context=chain.context, normalize=True)
    found = compare(chain, model)
    pi, P, Q = stationary_distribution(chain).pi, chain.next_token, model.next_token
    cross = -math.fsum(
        float(pi[s] * P[s, t]) * math.log2(Q[s, t]) for s, t in np.argwhere(P != 0).tolist()
    )
    own = entropy_rate(chain.floats()).bits_per_token
    assert found.cross_entropy_bits_per_token == pytest.approx(cross, abs=1e-12)
    assert found.reference_bits_per_token == pytest.approx(own, abs=1e-12)
    assert found.kl_bits_per_token == pytest.approx(max(cross - own, 0), abs=1e-11)
    assert found.share_by_state.sum() == pytest.approx(found.kl_bits_per_token, abs=1e-11)


# ---- every question, of every chain ----

QUESTIONS: list[Callable[[Chain], Any]] = [
    communicating_classes,
    stationary_distribution,
    entropy_rate,
    lambda chain: entropy_rate(chain, start=0),
    memory_curve,
    mean_first_passage,
    fundamental_matrix,
    kemeny_constant,
    absorption,
    mixing_time,
    convergence_bound,
    spectrum,
    reversibility,
    lambda chain: compare(chain, chain),
    lambda chain: calibration(chain, chain),
    lambda chain: context_distance(chain, chain),
    lambda chain: entropy_drift(chain, chain, steps=3),
    lambda chain: n_gram_distances(chain, chain),
    lambda chain: limiting_distribution(chain, start=0),
    lambda chain: limiting_distribution(chain, start=0, time_average=True),
]


def arrays(value: Any) -> Iterator[Array]:
    """Every array inside a result."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from arrays(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from arrays(getattr(value, field.name))


def check_answer(answer: Result) -> None:
    """It prints itself, is JSON, is frozen, and says how sure it is."""
    shown = repr(answer)
    assert shown == str(answer) or (len(shown) < 2000 and shown[:100] == str(answer)[:100])
    assert str(answer).strip()
    assert "nan" not in str(answer)
    assert answer._repr_html_().startswith('<div class="fsm-gpt">')
    out = answer.to_dict()
    assert json.loads(json.dumps(out, allow_nan=False)) == out
    assert "nan" not in json.dumps(out)
    assert "chain" not in out
    assert all(not array.flags.writeable for array in arrays(answer))
    field = dataclasses.fields(answer)[-1].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(answer, field, None)
    if isinstance(answer, Bounded):
        assert answer.method
        if answer.error_bound == UNCERTIFIED:
            assert answer.uncertified_because
        else:
            assert 0 <= float(answer.error_bound) < math.inf
            assert not answer.uncertified_because


def ask_everything(chain: Chain) -> tuple[list[Any], list[FsmGptError]]:
    """Every answer there is, checked, and the errors in place of the others."""
    answers, refusals = [], []
    for ask in QUESTIONS:
        try:
            answers.append(ask(chain))
        except FsmGptError as problem:
            refusals.append(problem)
    for answer in answers:
        check_answer(answer)
    for problem in refusals:
        text = str(problem)
        assert text.endswith("."), text
        assert "\n" not in text
    return answers, refusals


@given(st.one_of(chains(), chains(floats=True)))
def test_every_answer_explains_itself_or_says_why_there_is_none(chain: Chain) -> None:
    answers, refusals = ask_everything(chain)
    assert len(answers) >= 4
    assert {type(problem) for problem in refusals} <= {
        NotUnique,
        NotDefined,
        NotConverged,
        InvalidArgument,
    }


def test_the_check_of_answers_fails_on_a_poor_one() -> None:
    @dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
    class Poor(Bounded):
        values: Array

        def __str__(self) -> str:
            return "poor"

    fine = read_only([1.0])
    check_answer(Poor(values=fine, method="m", error_bound=0.0))
    for poor in (
        Poor(values=np.array([1.0]), method="m", error_bound=0.0),
        Poor(values=fine, method="", error_bound=0.0),
        Poor(values=fine, method="m"),
        Poor(values=fine, method="m", error_bound=math.inf),
        Poor(values=read_only([math.nan]), method="m", error_bound=0.0),
        Poor(values=fine, method="m", error_bound=0.0, uncertified_because="?"),
    ):
        with pytest.raises(AssertionError):
            check_answer(poor)


def test_every_answer_about_symbols() -> None:
    a, b = sympy.symbols("a b", positive=True)
    for chain in (
        Chain([[1 - a, a], [b, 1 - b]]),
        Chain([[a, 1 - a], [1, 0], [0, 1], [b, 1 - b]]),
        Chain.from_matrix([[1, 0, 0], [a, 0, 1 - a], [0, 0, 1]]),
    ):
        answers, refusals = ask_everything(chain)
        assert len(answers) >= 3
        assert {type(problem) for problem in refusals} <= {
            NotUnique,
            NotDefined,
            InvalidArgument,
            InvalidChain,  # no floats
        }
    two = Chain([[1 - a, a], [b, 1 - b]])
    for ask in (
        lambda: stationary_distribution(two).effective_states,
        lambda: entropy_rate(two).perplexity,
    ):
        with pytest.raises(NotDefined, match="symbols, which have no value"):
            ask()
