"""Rewards: closed forms, exact laws over all paths, and the proofs of the bounds."""

import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import (
    InvalidArgument,
    NotDefined,
    NotUnique,
    StateOutOfRange,
    StateSpaceTooLarge,
)
from fsm_gpt.markov import poisson, reward_total
from tests.strategies import chains, edge_chains, irreducible_chains, structured_chains

VALUES = st.fractions(min_value=-3, max_value=3, max_denominator=6)
TWO_STATES = [("1/2", "1/4"), ("1/3", "1/7"), ("9/10", "1/100"), ("1", "1"), ("1", "1/3")]


def table(chain: Chain, data: st.DataObject) -> np.ndarray[Any, Any]:
    """A reward for every state and token."""
    size = chain.n_states * chain.n_tokens
    some = data.draw(st.lists(VALUES, min_size=size, max_size=size))
    return np.array(some, dtype=object).reshape(chain.n_states, chain.n_tokens)


# ---- the variance constant ----


@pytest.mark.parametrize(("a", "b"), TWO_STATES)
def test_two_states_have_a_closed_form(a: str, b: str) -> None:
    """For the share of time in one of two states sigma^2 = a b (2 - a - b) / (a + b)^3:
    the covariances are a b / (a + b)^2 (1 - a - b)^k, summed as a geometric series."""
    p, q = Fraction(a), Fraction(b)
    chain = Chain.from_matrix([[1 - p, p], [q, 1 - q]])
    expected = p * q * (2 - p - q) / (p + q) ** 3
    found = fg.reward(chain, [0, 1], of="state")
    assert (found.mean_per_token, found.variance_per_token) == (p / (p + q), expected)
    floats = fg.reward(chain.floats(), [0.0, 1.0], of="state")
    true = fg.reward(chain.floats().exact(), [0, 1], of="state")
    assert abs(Fraction(floats.variance_per_token) - true.variance_per_token) <= Fraction(
        floats.variance_error
    )
    assert floats.variance_error < 1e-12


def test_two_states_with_symbols() -> None:
    a, b = sympy.symbols("a b", positive=True)
    found = fg.reward(Chain.from_matrix([[1 - a, a], [b, 1 - b]]), [0, 1], of="token", n=1, start=0)
    assert sympy.simplify(found.mean_per_token - a / (a + b)) == 0
    assert sympy.simplify(found.variance_per_token - a * b * (2 - a - b) / (a + b) ** 3) == 0
    assert found.total is not None
    assert sympy.simplify(found.total.variance - a * (1 - a)) == 0


def test_independent_tokens_have_the_variance_of_one() -> None:
    chain = Chain([["1/2", "1/3", "1/6"]] * 9)
    found = fg.reward(chain, [1, 2, 6])
    mean = Fraction(1, 2) + Fraction(2, 3) + 1
    assert found.mean_per_token == mean
    assert found.variance_per_token == Fraction(1, 2) + Fraction(4, 3) + 6 - mean**2


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_cycle_without_choice_does_not_fluctuate(length: int) -> None:
    step = np.roll(np.eye(length), 1, axis=1)
    values = np.arange(length) ** 2
    found = fg.reward(Chain.from_matrix(step), values, of="state", n=7, start=0)
    assert found.mean_per_token == pytest.approx(values.mean(), rel=1e-15)
    assert found.variance_per_token <= found.variance_error < 1e-12
    exact = fg.reward(Chain.from_matrix(step), values, of="state", n=7, start=0, exact=True)
    assert exact.variance_per_token == exact.total.variance == 0
    assert exact.total.mean == sum(values[k % length] for k in range(7))


def by_transitions(chain: Chain, values: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Mean and variance constant by Kemeny & Snell (1976), theorem 4.6.1 and corollary: with the
    fundamental matrix Z, c[i, j] = pi_i z_ij + pi_j z_ji - pi_i d_ij - pi_i pi_j, and sigma^2 is
    the sum of f_i c[i, j] f_j. The states are the transitions, each with its value."""
    edges = chain.edges()
    n = len(edges.source)
    P = np.full((n, n), Fraction(0))
    for i in range(n):
        for j in range(n):
            if edges.target[i] == edges.source[j]:
                P[i, j] = edges.probability[j]
    walk = Chain.from_matrix(P)
    f = values[edges.source, edges.token]
    pi = fg.stationary_distribution(walk).pi
    Z = fg.fundamental_matrix(walk).Z
    c = pi[:, None] * Z
    c = c + c.T - np.outer(pi, pi)
    for i in range(n):
        c[i, i] -= pi[i]
    return (pi * f).sum(), f @ c @ f


@settings(max_examples=20)
@given(structured_chains(closed=(1, 1), transient=(0, 0)), st.data())
def test_kemeny_and_snell_s_formula(chain: Chain, data: st.DataObject) -> None:
    values = table(chain, data)
    found = fg.reward(chain, values)
    assert (found.mean_per_token, found.variance_per_token) == by_transitions(chain, values)


@settings(max_examples=20)
@given(irreducible_chains(floats=True), st.data())
def test_floats_are_within_their_bounds(chain: Chain, data: st.DataObject) -> None:
    values = table(chain, data).astype(np.float64)
    start = data.draw(st.integers(0, chain.n_states - 1))
    found = fg.reward(chain, values, n=5, start=start)
    true = fg.reward(chain, values, n=5, start=start, exact=True)
    for one, other in ((found, true), (found.total, true.total)):
        assert one is not None
        assert other is not None
        mean, variance = ("mean", "variance") if one is found.total else (
            "mean_per_token", "variance_per_token")  # fmt: skip
        assert one.error_bound != "uncertified"
        assert one.variance_error != "uncertified"
        for name, bound in ((mean, one.error_bound), (variance, one.variance_error)):
            wrong = abs(Fraction(getattr(one, name)) - getattr(other, name))
            assert wrong <= Fraction(bound)
    assert found.error_bound < 1e-9


@settings(max_examples=15)
@given(irreducible_chains(), st.data())
def test_no_start_changes_the_long_run(chain: Chain, data: st.DataObject) -> None:
    values = table(chain, data)
    found = [fg.reward(chain, values, start=s) for s in (None, 0, chain.n_states - 1)]
    assert len({one.mean_per_token for one in found}) == 1
    assert len({one.variance_per_token for one in found}) == 1


def test_the_variance_of_many_tokens_comes_to_it() -> None:
    """Kemeny & Snell (1976), theorem 4.6.1: the variance over n tokens by n tends to it."""
    chain = Chain(np.random.default_rng(1).dirichlet(np.ones(3), 9))
    found = fg.reward(chain, [1.0, -2.0, 5.0], n=2000)
    half = fg.reward(chain, [1.0, -2.0, 5.0], n=1000)
    # Beyond some hundred tokens each token adds sigma^2.
    each = (found.total.variance - half.total.variance) / 1000
    assert each == pytest.approx(found.variance_per_token, rel=1e-9)
    assert found.total.mean == pytest.approx(2000 * found.mean_per_token, rel=1e-12)


@pytest.mark.parametrize("way", ["_by_elimination", "_by_products"])
def test_the_proof_holds_for_any_solution(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Spoiled by more and more, what was found is still within a bound, which grows."""
    chain, values = random_windows(5)
    true = fg.reward(chain, values, of="state", exact=True).variance_per_token
    solve = getattr(poisson, way)
    noise = np.random.default_rng(2).normal(size=chain.n_states)
    if way == "_by_products":
        monkeypatch.setattr(poisson, "ELIMINATION_LIMIT", 1)
    bounds = []
    for much in (0.0, 1e-6, 1e-3, 1e-1):

        def spoiled(earning: Any, other: Any, much: float = much) -> Any:
            solved = solve(earning, other)
            return solved._replace(g=solved.g + much * noise)

        monkeypatch.setattr(poisson, way, spoiled)
        found = fg.reward(chain, values, of="state")
        wrong = abs(found.variance_per_token - float(true))
        assert wrong <= found.variance_error + 1e-15
        assert much == 0 or wrong > bounds[0]
        bounds.append(found.variance_error)
    assert bounds == sorted(bounds)
    assert bounds[0] < 1e-9


# ---- totals over n tokens ----


def paths(chain: Chain, start: int, n: int) -> dict[Any, Fraction]:
    """Every path of n transitions from a state, by its transitions, and its probability."""
    follow = defaultdict(list)
    for s, t, after, p in zip(*chain.edges(), strict=True):
        follow[int(s)].append((int(t), int(after), p))
    found: dict[Any, Fraction] = {(): Fraction(1)}
    ends = {(): start}
    for _ in range(n):
        longer: dict[Any, Fraction] = {}
        where: dict[Any, int] = {}
        for path, probability in found.items():
            for token, after, p in follow[ends[path]]:
                on = (*path, (ends[path], token))
                longer[on] = probability * p
                where[on] = after
        found, ends = longer, where
    return found


@settings(max_examples=25)
@given(chains(), st.data())
def test_every_path_of_some_tokens(chain: Chain, data: st.DataObject) -> None:
    values = table(chain, data)
    start = data.draw(st.integers(0, chain.n_states - 1))
    n = data.draw(st.integers(0, 4 if chain.n_tokens < 4 else 3))
    law: dict[Fraction, Fraction] = defaultdict(Fraction)
    for path, probability in paths(chain, start, n).items():
        law[sum((values[s, t] for s, t in path), Fraction(0))] += probability
    mean = sum(total * p for total, p in law.items())
    total = fg.reward(chain, values, start=start, n=n).total
    assert total is not None
    assert total.mean == mean
    assert total.variance == sum(p * (x - mean) ** 2 for x, p in law.items())
    listed = total.distribution()
    assert dict(zip(listed.totals, listed.probabilities, strict=True)) == law
    near = fg.reward(chain.floats(), values, start=start, n=n).total.distribution()  # type: ignore[union-attr]
    true = fg.reward(chain.floats().exact(), values, start=start, n=n).total.distribution()  # type: ignore[union-attr]
    assert near.totals.tolist() == true.totals.tolist()
    if near.certified:
        for p, q in zip(near.probabilities, true.probabilities, strict=True):
            assert abs(Fraction(p) - q) <= Fraction(near.error_bound) * q


def test_a_start_that_is_drawn() -> None:
    chain = Chain.from_matrix([[1, 0], [0, 1]])
    found = fg.reward(chain.exact(), [0, 3], of="state", start=[0.5, 0.5], n=4)
    assert found.mean_per_token == Fraction(3, 2)
    assert found.variance_per_token is None
    assert (found.total.mean, found.total.variance) == (6, 36)  # 0 or 12, evenly
    assert "each with its own" in str(found)


def test_from_the_long_run_the_mean_of_n_is_n_times_the_mean() -> None:
    chain = Chain([["1/3", "2/3"], ["1/7", "6/7"]])
    found = fg.reward(chain, ["1/2", "-5"], of="token", n=9)
    assert found.total.mean == 9 * found.mean_per_token


def test_integers_are_listed_and_floats_with_many_digits_refused() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    halves = fg.reward(chain, [0.5, -1.25], of="token", n=3).total.distribution()
    assert halves.totals.tolist() == [Fraction(k, 4) for k in (-15, -8, -1, 6)]
    assert halves.probabilities.sum() == pytest.approx(1, abs=1e-15)
    with pytest.raises(StateSpaceTooLarge, match="multiples of no number larger than"):
        fg.reward(chain, [[0.1, 0.7], [math.pi, 1.0]], n=3).total.distribution()
    with pytest.raises(StateSpaceTooLarge, match="above the limit"):
        fg.reward(chain, [[0, 1], [10**6, 7]], n=50).total.distribution()
    many = Chain(np.full((2**14, 2), 0.5))
    with pytest.raises(StateSpaceTooLarge, match="16,384 different values"):
        fg.reward(many, np.arange(2**14) ** 2, of="state", n=1).total.distribution()
    none = fg.reward(chain, [[0, 1], [10**6, 7]], n=0).total.distribution()
    assert (none.totals.tolist(), none.probabilities.sum()) == ([0], 1)
    with pytest.raises(NotDefined, match="logarithms"):
        fg.reward(chain.exact(), "surprisal", n=2).total.distribution()


# ---- the surprisal ----


@settings(max_examples=15)
@given(irreducible_chains(floats=True))
def test_the_mean_surprisal_is_the_entropy_rate(chain: Chain) -> None:
    found, rate = fg.reward(chain, "surprisal"), fg.entropy_rate(chain)
    assert found.mean_per_token == rate.bits_per_token
    assert found.unit == "bits"
    (one,) = found.by_class
    if "uncertified" not in (one.error_bound, found.error_bound):
        assert abs(one.mean_per_token - rate.bits_per_token) <= one.error_bound + found.error_bound


@settings(max_examples=8)
@given(edge_chains())
def test_the_surprisal_in_rationals_is_that_in_floats(chain: Chain) -> None:
    start = 0
    exact, near = (fg.reward(c, "surprisal", start=start, n=3) for c in (chain, chain.floats()))
    pairs = [(exact.mean_per_token, near.mean_per_token), (exact.total.mean, near.total.mean),
             (exact.total.variance, near.total.variance)]  # fmt: skip
    if exact.variance_per_token is not None:
        pairs.append((exact.variance_per_token, near.variance_per_token))
    for one, other in pairs:
        assert float(one) == pytest.approx(other, rel=1e-10, abs=1e-12)


def test_the_log_likelihood_of_independent_tokens() -> None:
    """-log2 p is 1, 2 or 2 bits: mean 3/2, variance 1/4 (Cover & Thomas 2006, example 2.1.1)."""
    chain = Chain([["1/2", "1/4", "1/4"]] * 3)
    found = fg.reward(chain, "surprisal", n=3, start=0)
    assert found.mean_per_token == sympy.Rational(3, 2)
    assert found.variance_per_token == Fraction(1, 4)
    assert (found.total.mean, found.total.variance) == (Fraction(9, 2), Fraction(3, 4))
    law = fg.reward(chain.floats(), "surprisal", n=3, start=0).total.distribution()
    assert law.totals.tolist() == [3, 4, 5, 6]
    assert law.probabilities == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8], rel=1e-15)


def test_symbols_have_no_varentropy() -> None:
    a = sympy.Symbol("a", positive=True)
    with pytest.raises(NotDefined, match="entropy_rate"):
        fg.reward(Chain.from_matrix([[1 - a, a], [a, 1 - a]]), "surprisal")


# ---- texts that end ----


@pytest.mark.parametrize("p", ["1/3", "1/2", "99/100"])
def test_tokens_until_the_end_are_geometric(p: str) -> None:
    """Mean 1/p, variance (1 - p)/p^2 (Grinstead & Snell, section 6.2)."""
    stop = Fraction(p)
    machine = Chain([[1 - stop, stop]] * 4, vocabulary="th").with_stop("h")
    found = fg.reward(machine, [1, 1], of="token", start="tt")
    assert (found.until_end.mean, found.until_end.variance) == (1 / stop, (1 - stop) / stop**2)
    assert (found.mean_per_token, found.variance_per_token) == (0, 0)
    near = fg.reward(machine.floats(), [1, 1], of="token", start="tt")
    assert abs(near.until_end.mean - float(1 / stop)) <= near.until_end.error_bound + 1e-15
    assert near.until_end.variance == pytest.approx(float((1 - stop) / stop**2), rel=1e-12)
    assert near.until_end.error_bound < 1e-10
    assert near.until_end.variance_error < 1e-8
    with pytest.raises(NotDefined, match="until the end"):
        near.until_end.distribution()


@settings(max_examples=10)
@given(chains(), st.data())
def test_until_the_end_by_first_steps(chain: Chain, data: st.DataObject) -> None:
    """The first two moments satisfy m = E(r + m') and q = E(r^2 + 2 r m' + q'), which have one
    solution among states from which a text surely ends; END earns nothing."""
    machine = chain.with_stop(data.draw(st.integers(0, chain.n_tokens - 1)))
    values = np.vstack([table(chain, data), np.full((1, chain.n_tokens), Fraction(1000))])
    surely = fg.hitting(machine, "END").probabilities == 1
    m, q = {machine.end: Fraction(0)}, {machine.end: Fraction(0)}
    for start in range(chain.n_states):
        ended = fg.reward(machine, values, start=start).until_end
        assert (ended is not None) == surely[start]
        if ended is not None:
            m[start], q[start] = ended.mean, ended.variance + ended.mean**2
    first, second = defaultdict(Fraction), defaultdict(Fraction)
    for s, t, after, p in zip(*(column.tolist() for column in machine.edges()), strict=True):
        if s in m and s != machine.end:
            r = values[s, t]
            first[s] += p * (r + m[after])
            second[s] += p * (r**2 + 2 * r * m[after] + q[after])
    for s in first:
        assert (first[s], second[s]) == (m[s], q[s])


def test_until_the_end_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Chain(np.random.default_rng(4).dirichlet(np.ones(3), 27)).with_stop(2)
    values = [1.0, -3.0, 0.5]
    small = fg.reward(machine, values, of="token", start="000").until_end
    monkeypatch.setattr(reward_total, "DENSE_LIMIT", 1)
    large = fg.reward(machine, values, of="token", start="000").until_end
    assert (small.method[-11:], large.method[-8:]) == ("elimination", "products")
    assert abs(small.mean - large.mean) <= small.error_bound + large.error_bound < 1e-11
    assert abs(small.variance - large.variance) <= small.variance_error + large.variance_error
    monkeypatch.setattr(reward_total, "_PRODUCTS", 2)
    found = fg.reward(machine, values, of="token", start="000")
    assert found.until_end is None
    assert "after 2 tokens texts go on" in str(found)


def test_the_surprisal_of_a_whole_text() -> None:
    """A fair coin until heads, in k throws with 2^-k: 2 bits (Cover & Thomas 2006, problem 2.1)."""
    machine = Chain([["1/2", "1/2"]] * 2, vocabulary="th").with_stop("h")
    found = fg.reward(machine, "surprisal", start="t")
    assert (found.until_end.mean, found.until_end.variance) == (2, 2)
    biased = Chain([[0.75, 0.25]] * 2, vocabulary="th").with_stop("h")
    h = 2 - 0.75 * math.log2(3)
    assert fg.reward(biased, "surprisal", start="t").until_end.mean == pytest.approx(4 * h)


def test_a_text_that_may_end_needs_a_start() -> None:
    machine = Chain([[0.5, 0.5]] * 2).with_stop(1)
    with pytest.raises(NotUnique, match="Give a start"):
        fg.reward(machine, [1, 2], of="token", n=3)
    assert fg.reward(machine, [1, 2], of="token").until_end is None


# ---- several closed classes ----


def test_several_closed_classes_need_a_start() -> None:
    walk = Chain.from_matrix([[1, 0, 0], ["1/4", "1/4", "1/2"], [0, 0, 1]])
    with pytest.raises(NotUnique, match="2 closed classes"):
        fg.reward(walk, [3, 0, 6], of="state")
    found = fg.reward(walk, [3, 0, 6], of="state", start=1)
    assert found.mean_per_token == Fraction(1, 3) * 3 + Fraction(2, 3) * 6
    assert [one.mean_per_token for one in found.by_class] == [3, 6]
    assert found.weights.tolist() == [Fraction(1, 3), Fraction(2, 3)]
    assert fg.reward(walk, [3, 0, 6], of="state", start=0).variance_per_token == 0
    near = fg.reward(walk.floats(), [3, 0, 6], of="state", start=1)
    assert abs(near.mean_per_token - 5) <= near.error_bound < 1e-13


# ---- large classes ----


def random_windows(L: int) -> tuple[Chain, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(L)
    return Chain(rng.dirichlet(np.ones(2), 2**L)), rng.normal(size=2**L)


def test_products_and_elimination_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, values = random_windows(9)
    small = fg.reward(chain, values, of="state")
    monkeypatch.setattr(poisson, "ELIMINATION_LIMIT", 1)
    large = fg.reward(chain, values, of="state")
    assert large.by_class[0].variance_method.endswith("products")
    assert "elimination" in small.by_class[0].variance_method
    apart = abs(small.variance_per_token - large.variance_per_token)
    assert apart <= small.variance_error + large.variance_error
    assert max(small.variance_error, large.variance_error) < 1e-9


def ring(n: int) -> Chain:
    """A walk round a ring, which turns back one time in ten."""
    P = 0.9 * np.roll(np.eye(n), 1, axis=1) + 0.1 * np.roll(np.eye(n), -1, axis=1)
    return Chain.from_matrix(P)


def test_a_period_and_slow_mixing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.cos(np.arange(12))
    small = fg.reward(ring(12), values, of="state")
    true = fg.reward(ring(12), values, of="state", exact=True)
    assert abs(small.variance_per_token - float(true.variance_per_token)) <= small.variance_error
    monkeypatch.setattr(poisson, "ELIMINATION_LIMIT", 1)
    lazy = fg.reward(ring(12), values, of="state")
    assert lazy.by_class[0].variance_method.endswith("products")
    assert lazy.variance_error == "uncertified"  # a period: no bound on how fast it forgets
    assert lazy.variance_per_token == pytest.approx(small.variance_per_token, rel=1e-9)
    monkeypatch.setattr(poisson, "_PRODUCTS", 1)
    assert (
        fg.reward(ring(12), values, of="state").by_class[0].variance_method.endswith("elimination")
    )
    monkeypatch.setattr(poisson, "DENSE_LIMIT", 1)
    krylov = fg.reward(ring(12), values, of="state")
    assert krylov.by_class[0].variance_method.endswith("GMRES")
    assert krylov.variance_per_token == pytest.approx(small.variance_per_token, rel=1e-6)
    monkeypatch.setattr(poisson, "_by_krylov", lambda earning, pi: None)
    none = fg.reward(ring(12), values, of="state")
    assert none.variance_per_token is None
    assert "was not solved" in none.variance_uncertified_because
    assert none.mean_per_token == small.mean_per_token


# ---- bad input ----


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([1.0, math.nan], {"of": "token"}, "token '1' is nan"),
        ([math.inf, 0], {"of": "state"}, "in state 0 is inf"),
        ([[0, 1], [2, -math.inf]], {}, "token '1' in state 1 is -inf"),
        (["1/2", "x"], {"of": "token"}, "'x'"),
        (["1/2", "1/0"], {"of": "token"}, "1/0"),
        ([1, 2], {}, 'of="state" or of="token"'),
        ([1, 2, 3], {}, r"shape \(3,\)"),
        ([1, 2, 3], {"of": "token"}, r"\(2,\) is needed"),
        ([[1, 2], [3]], {}, "different lengths"),
        (5, {}, r"shape \(\)"),
        ([1, 2], {"of": "tokens"}, "neither"),
        ("surprise", {}, "no reward 'surprise'"),
        ([1, 2], {"of": "token", "n": -1}, "n=-1"),
        ([1, 2], {"of": "token", "n": 1.5}, "n=1.5"),
        (lambda state, token: None, {}, "None"),
    ],
)
def test_values_that_are_none(values: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.reward(Chain([[0.5, 0.5], [0.25, 0.75]]), values, **options)


def test_whole_numbers_of_any_size_are_exact() -> None:
    chain = Chain([["1/2", "1/2"]] * 2)
    assert fg.reward(chain, [2**60 + 1, 2**60 + 3], of="token").mean_per_token == 2**60 + 2
    assert fg.reward(chain, [10**40, 0], of="token").mean_per_token == 10**40 // 2


def test_a_start_that_is_none() -> None:
    with pytest.raises(StateOutOfRange):
        fg.reward(Chain([[0.5, 0.5], [0.25, 0.75]]), "surprisal", start=2)


def test_a_function_of_state_and_token() -> None:
    chain = Chain([["1/2", "1/2"], ["1/4", "3/4"]], vocabulary="ab")
    same = fg.reward(chain, lambda state, token: state == token)
    listed = fg.reward(chain, [[1, 0], [0, 1]])
    assert same.mean_per_token == listed.mean_per_token == Fraction(2, 3)
    thirds = fg.reward(chain.floats(), lambda state, token: Fraction(1, 3))
    assert abs(thirds.mean_per_token - 1 / 3) <= thirds.error_bound < 1e-14


def test_answers_print_and_turn_into_json() -> None:
    found = fg.reward(Chain([[0.5, 0.5], [0.25, 0.75]]), "surprisal", start=0, n=2)
    said = str(found)
    for words in ("bits per token", "over 2 tokens", "proven"):
        assert words in said
    document = found.to_dict()
    assert document["total"]["tokens"] == 2
    assert "earning" not in document["total"]
