"""Laws that tie the answers of two chains together, where no oracle reaches.

At hundreds to thousands of states, solved by multilevel cycles; and on generated chains of a
few states, with the cycles going down to four (``tiny_bottom``). Two answers that should
be the same have to agree as far as their proven bounds say, and no tolerance is chosen
here. The same laws in rationals, exactly, are in test_properties.py.
"""

from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.markov import (
    communicating_classes,
    entropy_rate,
    hitting,
    memory_curve,
    multilevel,
    stationary_distribution,
)
from tests.families import hard_chain, hard_rows
from tests.strategies import chains, window_chains

#: Rounding of the comparison itself.
ROUNDING = 1e-15

with_fixture = settings(
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def tiny_bottom(monkeypatch):
    """Lets cycles go down to 4 states before they eliminate."""
    monkeypatch.setattr(multilevel, "BOTTOM", 4)


@pytest.fixture
def compiled_search(monkeypatch):
    """Searches every graph with the compiled loops."""
    monkeypatch.setattr(import_module("fsm_gpt.markov.classes"), "COMPILED_ABOVE", 0)


def solve(chain):
    return stationary_distribution(chain, method="multilevel")


def agree(x, y, bound, other):
    """Two vectors that are within relative bounds of the same numbers, zeros exact."""
    x, y = np.asarray(x), np.asarray(y)
    assert ((x == 0) == (y == 0)).all()
    both = x > 0
    allowed = (bound + other) / (1 - other) + ROUNDING
    assert np.abs(x[both] / y[both] - 1).max(initial=0) <= allowed


def test_the_comparison_fails_outside_the_bounds():
    agree([0.5, 0.0], [0.5 * (1 + 1e-6), 0.0], 1e-6, 1e-7)
    with pytest.raises(AssertionError):
        agree([0.5, 0.0], [0.5 * (1 + 1e-6), 0.0], 1e-7, 1e-7)
    with pytest.raises(AssertionError):
        agree([1.0, 0.0], [1.0, 1e-300], 0.1, 0.1)


# ---- other names for the tokens ----


def with_tokens_renamed(chain, order):
    """The window chain that emits order[t] where this one emits t, and what its states are."""
    V, L, N = chain.n_tokens, chain.context, chain.n_states
    place = np.zeros(N, dtype=np.int64)
    for k in range(L):
        place += np.asarray(order)[np.arange(N) // V**k % V] * V**k
    rows = np.empty_like(chain.next_token)
    rows[np.ix_(place, order)] = chain.next_token
    return Chain(rows, context=L), place


def renaming_changes_nothing(chain, order):
    other, place = with_tokens_renamed(chain, order)
    ours, theirs = communicating_classes(chain), communicating_classes(other)
    assert {frozenset(place[part].tolist()) for part in ours.closed} == {
        frozenset(part.tolist()) for part in theirs.closed
    }
    assert ours.n_classes == theirs.n_classes
    assert sorted(ours.periods) == sorted(theirs.periods)
    one, two = solve(chain), solve(other)
    pi_of = {frozenset(states.tolist()): (states, x) for states, x in two.classes}
    for states, x in one.classes:
        same, y = pi_of[frozenset(place[states].tolist())]
        moved = np.zeros(chain.n_states)
        moved[place[states]] = x
        if one.certified and two.certified:
            agree(moved[same], y, one.error_bound, two.error_bound)
    return other, place


@pytest.mark.parametrize(
    ("name", "V", "L"),
    [
        ("sharp", 2, 10),
        ("dirichlet 0.01", 3, 6),
        ("rotate 1e-3", 2, 10),
        ("nearly decomposable", 4, 5),
        ("top-2", 4, 5),
        ("greedy sharp", 3, 6),
    ],
)
def test_names_of_tokens_do_not_matter(name, V, L):
    chain = hard_chain(name, V, L)
    assert solve(chain).certified
    order = np.random.default_rng(3).permutation(V)
    order = order[::-1] if (order == np.arange(V)).all() else order
    other, place = renaming_changes_nothing(chain, order)
    if len(communicating_classes(chain).closed) == 1:
        one, two = entropy_rate(chain), entropy_rate(other)
        assert one.bits_per_token == pytest.approx(
            two.bits_per_token, rel=one.error_bound + two.error_bound
        )
    one, two = hitting(chain, 5), hitting(other, int(place[5]))
    assert one.certified
    assert two.certified
    bound = one.error_bound + two.error_bound
    np.testing.assert_allclose(two.probabilities[place], one.probabilities, rtol=0, atol=bound)
    times = np.isfinite(one.mean_steps)
    assert (np.isfinite(two.mean_steps[place]) == times).all()
    agree(two.mean_steps[place][times], one.mean_steps[times], one.error_bound, two.error_bound)


@given(chain=window_chains(floats=True), random=st.randoms(use_true_random=False))
@with_fixture
@pytest.mark.usefixtures("tiny_bottom", "compiled_search")
def test_names_of_tokens_do_not_matter_to_generated_chains(chain, random):
    order = list(range(chain.n_tokens))
    random.shuffle(order)
    renaming_changes_nothing(chain, np.array(order))


# ---- a token that does not matter ----


def one_token_more(chain):
    """The same process, its states one token longer: rows look at the last L - 1 of L."""
    return Chain(np.tile(chain.next_token, (chain.n_tokens, 1)), context=chain.context + 1)


def lumping_gives_the_marginals(chain):
    """Kemeny & Snell (1976), section 6.3: windows that agree but for the oldest token lump."""
    longer = one_token_more(chain)
    ours, theirs = solve(chain), solve(longer)
    if len(ours.classes) > 1 or not (ours.certified and theirs.certified):
        return
    V, N = chain.n_tokens, chain.n_states
    by_window = theirs.pi.reshape(V, N)
    agree(by_window.sum(axis=0), ours.pi, theirs.error_bound, ours.error_bound)
    prefixes = theirs.pi.reshape(N, V).sum(axis=1)
    agree(prefixes, ours.pi, theirs.error_bound, ours.error_bound)
    step = ours.pi[:, None] * chain.next_token / chain.next_token.sum(axis=1, keepdims=True)
    if (step[chain.next_token > 0] > 1e-300).all():
        agree(theirs.pi, step.ravel(), theirs.error_bound, ours.error_bound)


@pytest.mark.parametrize(
    ("name", "V", "L"),
    [
        ("random", 2, 9),
        ("sharp", 3, 6),
        ("sticky", 2, 10),
        ("rotate 1e-6", 2, 9),
        ("nearly decomposable", 4, 4),
        ("dirichlet 0.01", 2, 10),
    ],
)
def test_a_longer_context_lumps_to_the_marginals(name, V, L):
    chain = Chain(hard_rows(name, V, L))
    assert solve(chain).certified
    lumping_gives_the_marginals(chain)
    longer = one_token_more(chain)
    ours, theirs = entropy_rate(chain), entropy_rate(longer)
    bound = ours.error_bound + theirs.error_bound
    assert ours.bits_per_token == pytest.approx(theirs.bits_per_token, rel=bound)
    curve = memory_curve(longer).bits_per_token
    assert curve[L] == pytest.approx(curve[L + 1], rel=1e-9)


@given(chain=window_chains(floats=True, max_states=16))
@with_fixture
@pytest.mark.usefixtures("tiny_bottom")
def test_a_longer_context_of_generated_chains_lumps(chain):
    lumping_gives_the_marginals(chain)


# ---- a chain that dawdles ----


def lazy(chain):
    """The chain that stays with probability 1/2 and else moves; halves are exact in floats."""
    source, token, target, probability = chain.raw_edges()
    states = np.arange(chain.n_states)
    sums = np.bincount(source, weights=probability)
    return Chain.from_edges(
        np.concatenate([source, states]),
        np.concatenate([token, np.full(len(states), chain.n_tokens)]),
        np.concatenate([target, states]),
        np.concatenate([probability / 2, sums / 2]),
        n_states=len(states),
    )


def the_lazy_chain_shares_pi(chain):
    slow = lazy(chain)
    assert communicating_classes(slow).aperiodic
    ours, theirs = solve(chain), solve(slow)
    for (states, x), (same, y) in zip(ours.classes, theirs.classes, strict=True):
        assert states.tolist() == same.tolist()
        if ours.certified and theirs.certified:
            agree(x, y, ours.error_bound, theirs.error_bound)


@pytest.mark.parametrize(
    ("name", "V", "L"),
    [
        ("sharp", 2, 10),
        ("near-periodic", 3, 6),
        ("rotate 1e-3", 2, 12),
        ("nearly decomposable", 2, 9),
        ("period 4", 2, 8),
        ("three classes", 2, 9),
        ("top-2", 4, 5),
        ("greedy random", 2, 10),
    ],
)
def test_the_lazy_chain_shares_pi(name, V, L):
    chain = hard_chain(name, V, L)
    assert solve(chain).certified
    assert solve(lazy(chain)).certified
    the_lazy_chain_shares_pi(chain)


@given(chain=chains(floats=True))
@with_fixture
@pytest.mark.usefixtures("tiny_bottom")
def test_the_lazy_version_of_generated_chains_shares_pi(chain):
    the_lazy_chain_shares_pi(chain)


# ---- two chains side by side ----


def side_by_side(parts, shuffled):
    """Chains that never meet, and the states of each under their new numbers."""
    first = np.cumsum([0, *(part.n_states for part in parts)])
    edges = [part.raw_edges() for part in parts]
    columns = [np.concatenate(column) for column in zip(*edges, strict=True)]
    shift = np.repeat(first[:-1], [len(part.source) for part in edges])
    source, token, target, probability = columns
    both = Chain.from_edges(
        shuffled[source + shift], token, shuffled[target + shift], probability, n_states=first[-1]
    )
    places = [shuffled[a:b] for a, b in pairwise(first)]
    return both, places


def each_keeps_its_closed_classes(parts, shuffled):
    both, places = side_by_side(parts, shuffled)
    structure, found = communicating_classes(both), solve(both)
    period_of = {
        frozenset(states.tolist()): period
        for states, period in zip(structure.closed, structure.periods, strict=True)
    }
    pi_of = {frozenset(states.tolist()): (states, x) for states, x in found.classes}
    expected = 0
    for part, place in zip(parts, places, strict=True):
        alone = solve(part)
        for (states, x), period in zip(alone.classes, alone.periods, strict=True):
            expected += 1
            name = frozenset(place[states].tolist())
            assert period_of[name] == period
            same, y = pi_of[name]
            moved = np.zeros(both.n_states)
            moved[place[states]] = x
            if alone.certified and found.certified:
                agree(moved[same], y, alone.error_bound, found.error_bound)
    assert len(found.classes) == expected == len(structure.closed)


def test_chains_side_by_side_keep_their_closed_classes():
    parts = [
        hard_chain("sharp", 2, 9),
        hard_chain("period 4", 2, 7),
        hard_chain("three classes", 2, 8),
        hard_chain("greedy random", 2, 8),
    ]
    assert all(solve(part).certified for part in parts)
    N = sum(part.n_states for part in parts)
    each_keeps_its_closed_classes(parts, np.random.default_rng(5).permutation(N))


@given(first=chains(floats=True), second=chains(floats=True), seed=st.integers(0, 10**6))
@with_fixture
@pytest.mark.usefixtures("tiny_bottom", "compiled_search")
def test_generated_chains_side_by_side(first, second, seed):
    shuffled = np.random.default_rng(seed).permutation(first.n_states + second.n_states)
    each_keeps_its_closed_classes([first, second], shuffled)
