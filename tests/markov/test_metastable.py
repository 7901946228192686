"""Metastable sets and time scales: published chains, closed forms, laws, and other ways to ask."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, InvalidChain, NotDefined, NotUnique
from fsm_gpt.explore import explore
from fsm_gpt.markov import hitting, metastable_sets, stationary_distribution, time_scales
from fsm_gpt.markov.eigenvalue_proof import distance_to_an_eigenvalue
from fsm_gpt.markov.set_flux import flux_between
from fsm_gpt.markov.slow_split import orthonormal, split
from tests.markov.test_properties import true_eigenvalues
from tests.strategies import irreducible_chains

#: The example of eight states of Courtois (1977), Decomposability; it is also in Stewart (1994),
#: chapter 6, with its stationary distribution and eigenvalues.
COURTOIS = [
    ["0.85", "0", "0.149", "0.0009", "0", "0.00005", "0", "0.00005"],
    ["0.1", "0.65", "0.249", "0", "0.0009", "0.00005", "0", "0.00005"],
    ["0.1", "0.8", "0.0996", "0.0003", "0", "0", "0.0001", "0"],
    ["0", "0.0004", "0", "0.7", "0.2995", "0", "0.0001", "0"],
    ["0.0005", "0", "0.0004", "0.399", "0.6", "0.0001", "0", "0"],
    ["0", "0.00005", "0", "0", "0.00005", "0.6", "0.2499", "0.15"],
    ["0.00003", "0", "0.00003", "0.00004", "0", "0.1", "0.8", "0.0999"],
    ["0", "0.00005", "0", "0", "0.00005", "0.1999", "0.25", "0.55"],
]
PI = [0.08928, 0.09276, 0.04049, 0.15853, 0.11894, 0.12039, 0.27780, 0.10182]
EIGENVALUES = [0.9998, 0.9985, 0.7500, 0.5500, 0.4000]


def courtois() -> Chain:
    return Chain.from_matrix([[Fraction(p) for p in row] for row in COURTOIS])


def birth_death(weights: list[float]) -> Chain:
    """A walk on a line that accepts moves as Metropolis does, reversible for these weights."""
    n = len(weights)
    P = np.zeros((n, n))
    for i in range(n - 1):
        P[i, i + 1] = 0.5 * min(1, weights[i + 1] / weights[i])
        P[i + 1, i] = 0.5 * min(1, weights[i] / weights[i + 1])
    P[np.arange(n), np.arange(n)] = 1 - P.sum(axis=1)
    return Chain.from_matrix(P)


def coupled(blocks: list[np.ndarray], epsilon: float) -> Chain:
    """Simon & Ando (1961): blocks, each row's rest spread evenly over the other blocks."""
    n = sum(len(block) for block in blocks)
    P, first = np.full((n, n), 0.0), 0
    for block in blocks:
        here = slice(first, first + len(block))
        P[here] = epsilon / (n - len(block))
        P[here, here] = (1 - epsilon) * block
        first += len(block)
    return Chain.from_matrix(P, normalize=True)


# ---- published ----


def test_courtois() -> None:
    found = metastable_sets(courtois())
    assert found.set_of.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert found.shares == pytest.approx([sum(PI[:3]), sum(PI[3:5]), sum(PI[5:])], abs=3e-5)
    times = [-1 / math.log(value) for value in EIGENVALUES]
    values = [math.exp(-1 / mode.tokens) for mode in found.scales.slow]
    assert values == pytest.approx(EIGENVALUES, abs=1e-4)
    assert found.time_scales_tokens[0] == pytest.approx(times[0], rel=0.01)
    # Each row of the third block leaves it with probability 0.0001.
    assert found.leave_per_token[2] == pytest.approx(1e-4, rel=1e-12)
    assert found.mean_stay_tokens[2] == pytest.approx(1e4, rel=1e-12)
    assert found.error_bound < 1e-11
    assert found.gap == pytest.approx(found.scales.slow[1].tokens / found.scales.slow[2].tokens)
    assert found.coarse.n_states == 3
    said = str(found)
    assert "3 sets" in said
    assert "mean stay 10000 tokens; 3 states: 6, 5, 7" in said
    assert found.to_dict()["set_of"] == [0, 0, 0, 1, 1, 2, 2, 2]


def test_courtois_is_exact_given_the_sets() -> None:
    chain, found = courtois(), metastable_sets(courtois())
    pi, P = stationary_distribution(chain).pi, chain.next_token
    n = found.n_sets
    for a in range(n):
        for b in range(n):
            true = sum(
                pi[i] * P[i, j]
                for i in range(8)
                for j in range(8)
                if (found.set_of[i], found.set_of[j]) == (a, b)
            )
            wrong = abs(Fraction(float(found.flux_per_token[a, b])) - true)
            assert wrong <= Fraction(float(found.error_bound)) * true


def test_meyer_s_coupling_matrix() -> None:
    """Meyer (1989), theorem 3.1 and section 4: pi of the coupling matrix is the sets' share."""
    found = metastable_sets(courtois())
    assert stationary_distribution(found.coarse).pi == pytest.approx(found.shares, abs=1e-10)


@given(st.floats(1e-9, 0.04), st.floats(1e-9, 0.04))
@settings(max_examples=30)
def test_two_states(a: float, b: float) -> None:
    """P = [[1 - a, a], [b, 1 - b]] has the eigenvalue 1 - a - b (Norris, example 1.1.4)."""
    found = metastable_sets(Chain.from_matrix([[1 - a, a], [b, 1 - b]]))
    assert found.mean_stay_tokens == pytest.approx([1 / a, 1 / b], rel=1e-6)
    assert found.shares == pytest.approx([b / (a + b), a / (a + b)], rel=1e-6)
    mode, true = found.scales.slow[0], -1 / math.log1p(-(a + b))
    assert mode.at_least_tokens <= true * (1 + 1e-6)
    assert mode.at_most_tokens >= true * (1 - 1e-6)


# ---- how many, and of which kind ----


@pytest.mark.parametrize("barrier", [1e-2, 1e-4])
def test_two_wells_part_at_the_barrier(barrier: float) -> None:
    x = np.linspace(-1, 1, 41)
    weights = np.exp(np.log(barrier) * (1 - x**2) ** 2).tolist()
    chain = birth_death(weights)
    found = metastable_sets(chain)
    assert found.n_sets == 2
    assert (np.diff(found.set_of) != 0).sum() == 1
    place = int(np.flatnonzero(np.diff(found.set_of))[0])
    assert place in (19, 20)
    # All that crosses goes over one edge, and as much one way as the other.
    flux = weights[place] / sum(weights) * float(chain.next_token[place, place + 1])
    assert [move.flux_per_token for move in found.moves] == pytest.approx([flux, flux], rel=1e-9)
    for move in found.moves:
        assert move.contexts == (str(place if move.source == 0 else place + 1),)
    # A reversible chain has the eigenvalues of a symmetric matrix, which are well found.
    root = np.sqrt(weights)
    S = chain.matrix() * root[:, None] / root
    second = np.linalg.eigvalsh((S + S.T) / 2)[-2]
    mode = found.scales.slow[0]
    assert mode.at_least_tokens <= -1 / math.log(second) * (1 + 1e-9)
    assert mode.at_most_tokens >= -1 / math.log(second) * (1 - 1e-9)


@pytest.mark.parametrize("n", [10, 60])
def test_a_line_has_no_slow_structure(n: int) -> None:
    """Its time scales fall like 1 / k^2, so that the largest gap is 4 (Levin & Peres, 12.3.2)."""
    chain = birth_death([1.0] * n)
    slow = time_scales(chain).slow
    assert slow[0].tokens / slow[1].tokens == pytest.approx(4, rel=0.15)
    with pytest.raises(NotDefined, match=r"no slow structure.*it takes 5"):
        metastable_sets(chain)
    halves = metastable_sets(chain, n_sets=2)
    assert halves.sizes.tolist() == [n // 2, n // 2]


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.sampled_from([1e-3, 1e-6, 1e-9]),
    st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_blocks_are_found_again(sizes: list[int], epsilon: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = [rng.dirichlet(np.full(size, 5.0), size=size) for size in sizes]
    plain = coupled(blocks, epsilon)
    number = np.repeat(np.arange(len(sizes)), sizes)
    order = rng.permutation(len(number))
    chain = Chain.from_matrix(plain.next_token[np.ix_(order, order)])
    found = metastable_sets(chain)
    assert found.n_sets == len(sizes)
    for one in range(found.n_sets):
        assert len(set(number[order][found.members(one)])) == 1
    assert found.leave_per_token == pytest.approx(np.full(len(sizes), epsilon), rel=1e-6)


def test_sets_that_are_visited_in_turn_are_sets() -> None:
    """A -> B -> C -> A, seldom: eigenvalues 1 - e + e exp(2 pi i k / 3), a pair, and no cycle."""
    e = 1e-4
    ring = np.array([[1 - e, e, 0], [0, 1 - e, e], [e, 0, 1 - e]])
    chain = Chain.from_matrix(np.kron(ring, np.full((2, 2), 0.5)))
    found = metastable_sets(chain)
    assert found.set_of.tolist() == [0, 0, 1, 1, 2, 2]
    modulus = abs(1 - e + e * np.exp(2j * np.pi / 3))
    assert found.time_scales_tokens == pytest.approx([-1 / math.log(modulus)] * 2, rel=1e-9)
    assert found.scales.cycles == ()
    assert [(m.source, m.target) for m in found.moves] == [(0, 1), (1, 2), (2, 0)]
    with pytest.raises(NotDefined, match=r"cut a pair of complex eigenvalues.*: 3\."):
        metastable_sets(chain, n_sets=2)


@pytest.mark.parametrize("d", [2, 3, 5, 12])
def test_a_near_period_is_a_cycle(d: int) -> None:
    """A ring with a held-up step: (1 - e) exp(2 pi i k / d) + e are its eigenvalues."""
    e = 1e-4
    P = (1 - e) * np.roll(np.eye(d), 1, axis=1) + e * np.eye(d)
    found = time_scales(Chain.from_matrix(P))
    assert found.slow == ()
    assert len(found.cycles) == d // 2
    first = min(found.cycles, key=lambda mode: abs(mode.turn_tokens - d))
    value = (1 - e) * np.exp(2j * np.pi / d) + e
    assert first.turn_tokens == pytest.approx(2 * np.pi / np.angle(value), rel=1e-9)
    assert first.at_least_tokens <= -1 / math.log(abs(value)) <= first.at_most_tokens
    assert f"one turn in {first.turn_tokens:.6g}" in str(found)
    with pytest.raises(NotDefined, match=r"no eigenvalue but 1 is slow\. There is a cycle"):
        metastable_sets(Chain.from_matrix(P))


@pytest.mark.parametrize("d", [2, 3, 6])
def test_an_exact_period_lasts_for_ever(d: int) -> None:
    found = time_scales(Chain.from_matrix(np.roll(np.eye(d), 1, axis=1)))
    assert {mode.tokens for mode in found.cycles} == {math.inf}
    assert max(mode.turn_tokens for mode in found.cycles) == pytest.approx(d)
    assert found.error_bound == 0


def test_cycles_beside_sets() -> None:
    ring2, ring3 = np.roll(np.eye(2), 1, axis=1), np.roll(np.eye(3), 1, axis=1)
    found = metastable_sets(coupled([ring2, ring3], 1e-5))
    assert found.set_of.tolist() == [0, 0, 1, 1, 1]
    turns = sorted(mode.turn_tokens for mode in found.scales.cycles)
    assert turns == pytest.approx([2, 3], rel=1e-4)
    assert str(found).count("beside them a cycle") == 2


def test_a_rare_state_far_out_is_no_set() -> None:
    """A rare state from which the text always comes into one well is not split off."""
    rng = np.random.default_rng(1)
    blocks = [rng.dirichlet(np.ones(6), size=6) for _ in range(2)]
    P = coupled(blocks, 1e-3).matrix()
    P = np.pad(P, (0, 1))
    P[:-1] *= 1 - 1e-9
    P[:-1, -1] = 1e-9
    P[-1, 3] = 1
    found = metastable_sets(Chain.from_matrix(P, normalize=True))
    assert found.set_of.tolist() == [0] * 6 + [1] * 6 + [0]


# ---- window chains ----


def topics(L: int, stay: float) -> Chain:
    """Tokens that follow the majority of the last L, with probability ``stay``."""
    ones = np.array([bin(s).count("1") for s in range(2**L)])
    one = np.where(2 * ones > L, stay, 1 - stay)
    return Chain(np.column_stack([1 - one, one]), vocabulary="ab")


@pytest.mark.parametrize("L", [3, 9, 11])
def test_a_majority_is_a_set(L: int) -> None:
    found = metastable_sets(topics(L, 0.97))
    ones = np.array([bin(s).count("1") for s in range(2**L)])
    assert (found.set_of == (2 * ones > L)).all()
    assert found.shares == pytest.approx([0.5, 0.5], rel=1e-9)  # a and b may be exchanged
    for move in found.moves:
        assert move.tokens == ("ab"[move.target],)
        assert all(abs(c.count("a") - c.count("b")) == 1 for c in move.contexts)


@pytest.mark.parametrize("L", [1, 4, 10])
def test_nilpotent_parts_do_not_matter(L: int) -> None:
    """Rows of the last token alone: the eigenvalue is that of the two-state chain."""
    a, b = 0.01, 0.03
    found = metastable_sets(Chain(np.tile([[1 - a, a], [b, 1 - b]], (2 ** (L - 1), 1)), context=L))
    mode = found.scales.slow[0]
    assert mode.tokens == pytest.approx(-1 / math.log(1 - a - b), rel=1e-9)
    assert mode.at_most_tokens < mode.at_least_tokens * (1 + 1e-6)
    assert (found.set_of == np.tile([0, 1], 2 ** (L - 1))).all()
    assert found.mean_stay_tokens == pytest.approx([1 / a, 1 / b], rel=1e-9)


@pytest.mark.parametrize("L", [3, 6])
def test_why_not_the_reversibilisation(L: int) -> None:
    """Fair tokens have no slow structure; (P + P*) / 2 has cos(pi / (L + 1)) (Delorme, Tillich)."""
    coin = Chain([[0.5, 0.5]] * 2**L)
    assert time_scales(coin).slow == ()
    P = coin.matrix()
    assert np.linalg.eigvalsh((P + P.T) / 2)[-2] == pytest.approx(np.cos(np.pi / (L + 1)))
    with pytest.raises(NotDefined, match="no eigenvalue but 1 is slow"):
        metastable_sets(coin)


def test_large_chains_agree_with_dense_ones() -> None:
    chain = topics(10, 0.9)
    found = time_scales(chain)
    assert "ARPACK" in found.method
    assert found.certified
    values = np.linalg.eigvals(chain.matrix())
    second = np.sort(np.abs(values))[-2]
    assert found.slowest_tokens == pytest.approx(-1 / math.log(second), rel=1e-8)
    larger = time_scales(topics(11, 0.9))
    assert larger.uncertified_because == "eigenvalues are proven up to 1,024 states"
    assert larger.slow[0].at_least_tokens == 0
    assert larger.slow[0].at_most_tokens == math.inf


# ---- laws ----


@st.composite
def chains_and_sets(draw: st.DrawFn) -> tuple[Chain, np.ndarray]:
    chain = draw(irreducible_chains(floats=True).filter(lambda chain: chain.n_states > 1))
    n = draw(st.integers(2, min(4, chain.n_states)))
    sets = draw(
        st.lists(st.integers(0, n - 1), min_size=chain.n_states, max_size=chain.n_states).filter(
            lambda sets: len(set(sets)) == max(sets) + 1 >= 2
        )
    )
    return chain, np.array(sets)


@given(chains_and_sets())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_flux_is_the_definition_s(case: tuple[Chain, np.ndarray]) -> None:
    """Against exact rationals, transition by transition; and what goes out comes in."""
    chain, sets = case
    solved = stationary_distribution(chain)
    found = flux_between(chain, solved.pi, sets)
    exact, n = chain.exact(), int(sets.max()) + 1
    pi = stationary_distribution(exact).pi
    edges = exact.edges()
    true, by_token = np.full((n, n), Fraction(0)), {}
    for s, t, to, p in zip(*edges, strict=True):
        pair = (int(sets[s]), int(sets[to]))
        true[pair] += pi[s] * p
        by_token[pair, int(t)] = by_token.get((pair, int(t)), Fraction(0)) + pi[s] * p
    e = Fraction(float(solved.error_bound)) + Fraction(4 * len(edges.source) + 64, 2**53)
    for a in range(n):
        for b in range(n):
            assert abs(Fraction(float(found.flux[a, b])) - true[a, b]) <= e * true[a, b]
    assert true.sum(axis=0).tolist() == true.sum(axis=1).tolist()
    apart = {(m.source, m.target): m for m in found.moves}
    assert set(apart) == {(a, b) for a in range(n) for b in range(n) if a != b and true[a, b] > 0}
    shown = chain.vocabulary.shown
    for pair, move in apart.items():
        assert move.flux_per_token == pytest.approx(float(true[pair]), rel=1e-9)
        assert move.token_shares.sum() == pytest.approx(1)
        for token, share in zip(move.tokens, move.token_shares, strict=True):
            mine = by_token[pair, shown.index(token)] / true[pair]
            assert share == pytest.approx(float(mine), rel=1e-9)
        assert list(move.context_shares) == sorted(move.context_shares, reverse=True)
        assert move.context_shares.sum() <= 1 + 1e-12
    for a in range(n):
        into = sum(m.flux_per_token for (_, b), m in apart.items() if b == a)
        assert found.leaving[a] == pytest.approx(into, rel=1e-9)


def test_a_stay_is_what_hitting_times_say() -> None:
    """Entered as the flux enters, a set is left after the mean time to hit the others."""
    chain = courtois().floats()
    found = metastable_sets(chain)
    pi, P = stationary_distribution(chain).pi, chain.matrix()
    for k in range(found.n_sets):
        inside = found.set_of == k
        entering = (pi[~inside] @ P[np.ix_(~inside, inside)]) / found.flux_per_token[:, k][
            np.arange(3) != k
        ].sum()
        steps = hitting(chain, np.flatnonzero(~inside).tolist()).mean_steps[inside]
        assert float(entering @ steps) == pytest.approx(found.mean_stay_tokens[k], rel=1e-9)


def test_blocks_of_a_large_chain_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = topics(7, 0.9)
    pi = stationary_distribution(chain).pi
    sets = np.arange(128) % 3
    whole = flux_between(chain, pi, sets)
    monkeypatch.setattr("fsm_gpt.markov.set_flux.BLOCK", 16)
    parts = flux_between(chain, pi, sets)
    assert parts.flux == pytest.approx(whole.flux, rel=1e-12)
    both = [{(m.source, m.target): m for m in found.moves} for found in (whole, parts)]
    assert set(both[0]) == set(both[1])
    for pair, one in both[0].items():
        other = both[1][pair]
        assert sorted(one.context_shares) == pytest.approx(sorted(other.context_shares))


def test_no_split_is_stayed_in_more_on_small_chains() -> None:
    """All splits of the eight states into two; the heuristic finds the best of them here."""
    chain = courtois().floats()
    pi = stationary_distribution(chain).pi
    found = metastable_sets(chain, n_sets=2)
    best = 0.0
    for number in range(1, 128):
        sets = np.array([0] + [number >> k & 1 for k in range(7)])
        flux = flux_between(chain, pi, sets)
        best = max(best, float((1 - flux.leaving / flux.share).sum()))
    assert float((1 - found.leave_per_token).sum()) == pytest.approx(best, abs=1e-12)


# ---- the proof of one eigenvalue ----


@pytest.mark.parametrize("seed", range(4))
def test_a_true_eigenvalue_is_within_the_distance(seed: int) -> None:
    """A triangular matrix but for similarity: P = Q diag Q^-1 with rational Q, exactly."""
    rng = np.random.default_rng(seed)
    a, b = (Fraction(int(k), 1000) for k in rng.integers(1, 200, size=2))
    # The Kronecker product of two chains has the products of their eigenvalues.
    one = np.array([[1 - a, a], [b, 1 - b]])
    other = np.array([[1 - b, b], [a, 1 - a]])
    P = np.kron(one, other).astype(np.float64)
    true = [float((1 - a - b) ** 2), float(1 - a - b), float(1 - a - b)]
    pi = stationary_distribution(Chain.from_matrix(P)).pi
    values, functions = np.linalg.eig(P)
    k = int(np.argmin(np.abs(values - true[0])))
    bound = distance_to_an_eigenvalue(P, pi, complex(values[k]), functions[:, k])
    assert abs(values[k] - true[0]) <= bound < 1e-12
    moved = values[k] + 1e-6
    assert distance_to_an_eigenvalue(P, pi, complex(moved), functions[:, k]) >= 1e-6
    # A double eigenvalue is not proven one by one.
    k = int(np.argmin(np.abs(values - true[1])))
    assert distance_to_an_eigenvalue(P, pi, complex(values[k]), functions[:, k]) == math.inf


@given(irreducible_chains(floats=True))
@settings(max_examples=60, deadline=None)
def test_a_true_time_scale_is_within_its_bounds(chain: Chain) -> None:
    """Against eigenvalues in 60 digits."""
    truth = [abs(complex(value)) for value in true_eigenvalues(chain)]
    times = [-1 / math.log(t) if 0 < t < 1 - 1e-14 else math.inf for t in truth if t > 0]
    found = time_scales(chain)
    for mode in (*found.slow, *found.cycles):
        low, high = mode.at_least_tokens * (1 - 1e-9), mode.at_most_tokens * (1 + 1e-9)
        assert low <= mode.tokens <= high
        assert any(low <= t <= high for t in times)
    lasting = sum(t > math.exp(-1) * (1 + 1e-6) for t in truth)
    if found.certified and found.error_bound < 1e-9:
        assert 1 + sum(mode.dimension for mode in (*found.slow, *found.cycles)) == lasting


def test_one_is_not_taken_for_another() -> None:
    """What 1 has become, zero, is refused, and no function at all proves nothing."""
    P, half = np.full((2, 2), 0.5), np.full(2, 0.5)
    assert distance_to_an_eigenvalue(P, half, 1e-17, np.array([1.0, -1.0])) == math.inf
    assert distance_to_an_eigenvalue(P, half, 0.5, np.array([1.0, 0.3])) == math.inf


# ---- refusals ----


def test_closed_classes_are_the_sets() -> None:
    chain = Chain.from_matrix([[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]])
    with pytest.raises(NotUnique, match=r"2 closed classes \(of 1, 2 states\).*They are its sets"):
        metastable_sets(chain)
    with pytest.raises(NotUnique, match="time scales"):
        time_scales(chain)


def test_transient_states_are_in_no_set() -> None:
    P = np.pad(np.array([[0.99, 0.01], [0.01, 0.99]]), (1, 0))
    P[0] = [0.999999, 5e-7, 5e-7]  # what is slow about it does not come back
    found = metastable_sets(Chain.from_matrix(P, normalize=True))
    assert found.set_of.tolist() == [-1, 0, 1]
    assert len(found.scales.slow) == 1
    assert found.shares == pytest.approx([0.5, 0.5])


def test_one_state_has_nothing_slow() -> None:
    with pytest.raises(NotDefined, match="no eigenvalue but 1"):
        metastable_sets(Chain.from_matrix([[1.0]]))


@pytest.mark.parametrize("number", [1, 0, -3, 65, 2.5, True, "2"])
def test_numbers_of_sets_that_are_none(number) -> None:
    with pytest.raises(InvalidArgument, match="from 2 to 64"):
        metastable_sets(courtois(), n_sets=number)


def test_more_sets_than_slow_functions() -> None:
    with pytest.raises(NotDefined, match="9 sets need 8 functions"):
        metastable_sets(courtois(), n_sets=9)
    with pytest.raises(InvalidArgument, match="is no set"):
        metastable_sets(courtois()).members(3)


def test_symbols_and_unexplored_parts() -> None:
    import sympy

    a = sympy.Symbol("a")
    with pytest.raises(InvalidChain, match="symbol"):
        metastable_sets(Chain.from_matrix([[1 - a, a], [a, 1 - a]]))

    def coin(ids):  # of every context the same logits
        return np.zeros((len(ids), 2))

    part = explore(coin, ["aaa"], vocabulary="ab", context=3, max_states=2).chain
    with pytest.raises(NotDefined, match="part of a larger one"):
        metastable_sets(part)


@pytest.mark.parametrize("seed", range(3))
def test_functions_are_made_orthonormal_under_pi(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, pi = rng.normal(size=(9, 3)) * [1, 1e3, 1e-6], rng.dirichlet(np.ones(9))
    X = orthonormal(f, pi)
    assert X.T @ (pi[:, None] * X) == pytest.approx(np.eye(4), abs=1e-12)
    assert np.ptp(X[:, 0]) == pytest.approx(0, abs=1e-12)
    # The span is that of one and f.
    both = np.column_stack([np.ones(9), f, X])
    assert np.linalg.matrix_rank(both / np.abs(both).max(axis=0), tol=1e-8) == 4


def test_a_split_needs_a_state_in_each_set() -> None:
    flat = np.zeros((4, 1)) + 1e-300
    assert split(flat, np.full(4, 0.25), lambda sets: 0.0) is None
