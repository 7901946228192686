"""Machines at a price: it is measured again, and the laws of n tokens, the curve, refusals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, InvalidChain, NotUnique
from fsm_gpt.markov import merging, pareto, partition_families
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.pareto import pareto_curve
from tests.markov.test_minimize import law
from tests.strategies import chains, irreducible_chains, structured_chains, window_chains


def exact_pi(chain: Chain) -> list[Fraction] | None:
    """The stationary distribution by elimination in rationals; None if there are several."""
    chain = chain.exact()
    P = chain.matrix()
    N = len(P)
    rows = [[Fraction(P[j, i]) - (i == j) for j in range(N)] for i in range(N)]  # (P^T - I) x = 0
    pivots, r = [], 0
    for c in range(N):
        pivot = next((i for i in range(r, N) if rows[i][c] != 0), None)
        if pivot is None:
            continue
        rows[r], rows[pivot] = rows[pivot], rows[r]
        rows[r] = [x / rows[r][c] for x in rows[r]]
        for i in range(N):
            if i != r and rows[i][c] != 0:
                rows[i] = [x - rows[i][c] * y for x, y in zip(rows[i], rows[r], strict=True)]
        pivots.append(c)
        r += 1
    if r != N - 1:
        return None
    free = next(c for c in range(N) if c not in pivots)
    x = [Fraction(0)] * N
    x[free] = Fraction(1)
    for row, c in zip(rows, pivots, strict=False):
        x[c] = -row[free]
    return [value / sum(x) for value in x]


def rows_of(chain: Chain) -> list[list[Fraction]]:
    return chain.exact().next_token.tolist()


def measured(chain: Chain, machine: MinimalMachine) -> tuple[mpmath.mpf, Fraction]:
    """The KL rate to fifty digits and the mean total variation, from every state of the chain."""
    pi, P, Q = exact_pi(chain), rows_of(chain), rows_of(machine.chain)
    assert pi is not None
    kl, distance = mpmath.mpf(0), Fraction(0)
    with mpmath.workdps(50):
        for s, mass in enumerate(pi):
            q = Q[machine.block[s]]
            for p, r in zip(P[s], q, strict=True):
                if mass and p:
                    assert r > 0
                    ratio = p / r
                    kl += _mpf(mass * p) * mpmath.log(_mpf(ratio), 2)
            distance += mass * sum(abs(p - r) for p, r in zip(P[s], q, strict=True)) / 2
    return kl, distance


def _mpf(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


def machines(chain: Chain) -> Iterator[MinimalMachine]:
    """The machine of every size on the curve."""
    for n in fg.minimize(chain).pareto().n_states.tolist():
        yield fg.minimize(chain, max_states=n)


def consistent(chain: Chain, block: np.ndarray) -> bool:
    decided: dict[tuple[int, int], int] = {}
    edges = chain.edges()
    moves = zip(edges.source.tolist(), edges.token.tolist(), edges.target.tolist(), strict=True)
    return all(decided.setdefault((block[s], t), block[to]) == block[to] for s, t, to in moves)


one_class = st.one_of(
    irreducible_chains(),
    structured_chains(closed=(1, 1)),
    window_chains(max_states=16),
)
as_given = st.tuples(one_class, st.sampled_from(["rational", "float", "float32"]))


def made(chain: Chain, kind: str) -> Chain:
    if kind == "rational":
        return chain
    floats = chain.floats()
    if kind == "float":
        return floats
    edges = floats.edges()
    small = edges.probability.astype(np.float32)
    assume(bool((small > 0).all()))
    return Chain.from_edges(edges.source, edges.token, edges.target, small, n_states=chain.n_states)


@settings(max_examples=60)
@given(as_given)
def test_the_price_is_the_measured_one(drawn: tuple[Chain, str]) -> None:
    """To 1e-10, and within the bound that is called proven."""
    chain = made(*drawn)
    assume(exact_pi(chain) is not None)
    for machine in machines(chain):
        assert consistent(chain, machine.block)
        assert machine.block.max() + 1 == machine.n_states
        kl, distance = measured(chain, machine)
        assert abs(machine.kl_bits_per_token - kl) < 1e-10
        assert machine.certified
        assert abs(machine.kl_bits_per_token - kl) <= machine.error_bound
        assert abs(Fraction(machine.mean_total_variation) - distance) <= machine.distance_error
        assert machine.error_bound < 1e-10


@settings(max_examples=40)
@given(as_given)
def test_total_variation_of_the_laws_of_n_tokens(drawn: tuple[Chain, str]) -> None:
    chain = made(*drawn)
    pi = exact_pi(chain)
    assume(pi is not None and chain.n_states <= 8 and chain.n_tokens <= 3)
    for machine in machines(chain):
        for n in (0, 1, 2, 4):
            one, other = mixture(chain.exact(), pi, n), {}
            blocks = [Fraction(0)] * machine.n_states
            for s, mass in enumerate(pi):
                blocks[machine.block[s]] += mass
            other = mixture(machine.chain.exact(), blocks, n)
            texts = {*one, *other}
            apart = sum(abs(one.get(w, 0) - other.get(w, 0)) for w in texts) / 2
            assert apart <= machine.total_variation_bound(n)


def mixture(chain: Chain, start: list[Fraction], n: int) -> dict[tuple[int, ...], Fraction]:
    found: dict[tuple[int, ...], Fraction] = {}
    for s, mass in enumerate(start):
        if mass:
            for text, p in law(chain, s, n).items():
                found[text] = found.get(text, Fraction(0)) + mass * p
    return found


def test_each_part_of_the_bound_is_needed() -> None:
    """A fair and a bent coin in turn, as one coin: n/4, Pinsker, and never above one."""
    chain = Chain.from_matrix([[0, 1], [1, 0]]).exact()
    turn = Chain.from_edges([0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0], ["1/2", "1/2", "1/4", "3/4"])
    machine = fg.minimize(turn, max_states=1)
    assert machine.chain.next_token.tolist() == [[Fraction(3, 8), Fraction(5, 8)]]
    assert machine.mean_total_variation == 0.125
    kl = machine.kl_bits_per_token
    assert machine.total_variation_bound(1) == pytest.approx(0.125, abs=1e-13)
    assert machine.total_variation_bound(9) == pytest.approx(
        math.sqrt(9 * kl * math.log(2) / 2), abs=1e-12
    )
    assert machine.total_variation_bound(10**6) == 1.0
    assert fg.minimize(chain).total_variation_bound(10**6) == 0.0


@settings(max_examples=40)
@given(one_class)
def test_blocks_keep_their_share_of_time(chain: Chain) -> None:
    """In rationals: the sums of pi over the blocks are stationary for the machine."""
    pi = exact_pi(chain)
    assume(pi is not None)
    for machine in machines(chain):
        mass = np.array([Fraction(0)] * machine.n_states, dtype=object)
        np.add.at(mass, machine.block, np.array(pi, dtype=object))
        if machine.chain.dtype == object:
            assert (machine.chain.push(mass) == mass).all()


@settings(max_examples=20)
@given(window_chains(max_states=9, floats=True), st.integers(0, 10**6))
def test_compare_measures_the_same_and_no_other_rows_are_cheaper(chain: Chain, seed: int) -> None:
    """Cover & Thomas (2006), section 13.1: the mean is the cheapest row of a block."""
    assume(bool((chain.next_token > 0).all()))
    rng = np.random.default_rng(seed)
    for machine in machines(chain):
        unrolled = machine.chain.next_token[machine.block]
        same = Chain(unrolled, vocabulary=chain.vocabulary, context=chain.context)
        found = fg.compare(chain, same)
        assert found.kl_bits_per_token == pytest.approx(machine.kl_bits_per_token, abs=1e-10)
        other = machine.chain.next_token * np.exp(
            rng.normal(0, 0.3, machine.chain.next_token.shape)
        )
        rows = (other / other.sum(axis=1, keepdims=True))[machine.block]
        moved = Chain(rows, vocabulary=chain.vocabulary, context=chain.context)
        dearer = fg.compare(chain, moved).kl_bits_per_token
        assert dearer >= machine.kl_bits_per_token - 1e-12


def test_one_state_forgets_everything() -> None:
    """H(1/3) - 2/3 bits for the golden mean, whose entropy rate is 2/3 bit."""
    golden = Chain([["0", "1"], ["1/2", "1/2"]] * 4)
    machine = fg.minimize(golden, max_states=1)
    one = -math.log2(1 / 3) / 3 - 2 / 3 * math.log2(2 / 3)
    assert machine.kl_bits_per_token == pytest.approx(one - 2 / 3, abs=1e-14)
    assert machine.chain.next_token.tolist() == [[Fraction(1, 3), Fraction(2, 3)]]
    assert (machine.exact_states, machine.is_exact) == (2, False)
    assert "1 state for 8, of which 2 can be told apart" in str(machine)


@settings(max_examples=30)
@given(one_class)
def test_the_curve_and_the_options_agree(chain: Chain) -> None:
    assume(exact_pi(chain) is not None)
    exact = fg.minimize(chain)
    curve = exact.pareto()
    sizes, prices = curve.n_states, curve.kl_bits_per_token
    assert sizes[0] == 1
    assert (np.diff(sizes) > 0).all()
    assert (np.diff(prices) < 0).all()
    assert prices[-1] == 0.0
    for n in range(1, exact.n_states + 2):
        at = np.flatnonzero(sizes <= n)[-1]
        assert fg.minimize(chain, max_states=n).n_states == sizes[at]
    for i, price in enumerate(prices.tolist()):
        between = price + 1e-13 if i == 0 else (price + prices[i - 1]) / 2
        if i > 0:
            found = fg.minimize(chain, max_kl_rate=between)
            assert found.n_states == sizes[i]
            assert found.kl_bits_per_token <= between


def partitions(n: int) -> Iterator[list[int]]:
    """Every partition of n states, as restricted growth strings."""
    for code in itertools.product(range(n), repeat=n):
        if all(c <= max(code[:i], default=-1) + 1 for i, c in enumerate(code)):
            yield list(code)


@settings(max_examples=20)
@given(st.one_of(structured_chains(closed=(1, 1), class_size=4, transient=(0, 1))))
def test_no_machine_is_cheaper_than_the_best_there_is(chain: Chain) -> None:
    """All consistent partitions of at most five states; the greedy search often finds the best."""
    pi = exact_pi(chain)
    assume(pi is not None and chain.n_states <= 5)
    best = [math.inf] * (chain.n_states + 1)
    P = np.array(rows_of(chain), dtype=float)
    mass = np.array([float(x) for x in pi])
    for code in partitions(chain.n_states):
        block = np.array(code)
        if not consistent(chain, block):
            continue
        price = 0.0
        for b in set(code):
            J = mass[block == b, None] * P[block == b]
            price += _g(J.sum(axis=0)) - sum(_g(row) for row in J)
        for n in range(max(code) + 1, chain.n_states + 1):
            best[n] = min(best[n], price)
    for machine in machines(chain):
        assert machine.kl_bits_per_token >= best[machine.n_states] - 1e-12
    assert fg.minimize(chain, max_states=1).kl_bits_per_token == pytest.approx(best[1], abs=1e-12)


def _g(J: np.ndarray) -> float:
    there = J[J > 0]
    return float((there * np.log2(J.sum() / there)).sum())


@settings(max_examples=20)
@given(window_chains(max_states=16, floats=True))
def test_chains_too_large_for_pairs_are_served_by_families(chain: Chain) -> None:
    """The searches of large chains, on small ones."""
    assume(exact_pi(chain) is not None)
    chain = Chain(chain.next_token, vocabulary=chain.vocabulary, context=chain.context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "MOST_MERGED", 3)
        patch.setattr(partition_families, "MOST_CELLS", 5)
        for machine in machines(chain):
            assert consistent(chain, machine.block)
            kl, _ = measured(chain, machine)
            assert abs(machine.kl_bits_per_token - kl) <= machine.error_bound


def test_prices_of_last_tokens_are_the_memory_curve() -> None:
    chain = Chain(np.random.default_rng(3).dirichlet([1, 1, 1], 81))
    memory = fg.memory_curve(chain)
    found = {
        name: pareto._priced(chain, fg.stationary_distribution(chain).pi, block, name, make)
        for family in partition_families.families(chain, fg.stationary_distribution(chain).pi, 81)
        for name, block, make in family
    }
    for k in (1, 2, 3):
        one = found[f"last {k} token{'s' if k > 1 else ''}"]
        assert one.n_states == 3**k
        assert one.kl_bits == pytest.approx(
            memory.bits_per_token[k] - memory.entropy_rate, abs=1e-12
        )
        assert np.array_equal(one.make(), np.arange(81) % 3**k)


def test_a_closure_is_merged_whole() -> None:
    """States 0 and 1 lead to 2 and 3 by token 0, so these are merged with them."""
    to = np.array([[2, 0], [3, 1], [0, 2], [1, 3]])
    J = np.array([[0.2, 0.05], [0.2, 0.05], [0.15, 0.1], [0.15, 0.1]])
    steps = [block.tolist() for block in merging.merged_step_by_step(to, J)]
    assert steps[0] == [0, 0, 1, 1]
    assert steps[-1] == [0, 0, 0, 0]


def test_states_that_are_left_cost_nothing_and_stay_consistent() -> None:
    """A path into a cycle of two: the path is part of the cycle, at no price."""
    chain = Chain.from_edges([0, 1, 2, 3], [0, 0, 0, 1], [1, 2, 3, 2], [1.0] * 4)
    exact = fg.minimize(chain)
    assert exact.n_states == 4
    free = fg.minimize(chain, max_kl_rate=0.0)
    assert (free.n_states, free.kl_bits_per_token, free.is_exact) == (2, 0.0, False)
    assert consistent(chain, free.block)
    assert free.block[2] != free.block[3]


@given(chains())
def test_several_closed_classes_have_no_price(chain: Chain) -> None:
    assume(exact_pi(chain) is None)
    assert fg.minimize(chain).kl_bits_per_token == 0.0
    with pytest.raises(NotUnique, match="closed classes"):
        fg.minimize(chain, max_states=1)


TWO = Chain([["1/2", "1/2"], ["1/4", "3/4"]])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_states": 0}, "max_states is 0, and a machine has at least one state"),
        ({"max_states": -3}, "max_states is -3"),
        ({"max_states": 2.5}, "max_states is 2.5"),
        ({"max_states": True}, "max_states is True"),
        ({"max_kl_rate": -1e-9}, "max_kl_rate is -1e-09"),
        ({"max_kl_rate": math.nan}, "max_kl_rate is nan"),
        ({"max_kl_rate": "0.1"}, "max_kl_rate is '0.1'"),
        ({"max_kl_rate": sympy.Symbol("a")}, "max_kl_rate is a, and a price is a number"),
        ({"max_kl_rate": math.inf}, "max_kl_rate=inf merges everything into one state"),
        ({"max_kl_rate": 0.05}, "costs h_0 - h = 0.04411.* max_states=1 if that machine is meant"),
        ({"max_kl_rate": 0.01, "max_states": 1}, "1 states cost 0.04411.* needs 2 states"),
    ],
)
def test_what_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.minimize(TWO, **options)  # type: ignore[arg-type]


def test_what_is_no_mistake() -> None:
    assert fg.minimize(TWO, max_states=7).is_exact
    assert fg.minimize(TWO, max_states=np.int64(1), max_kl_rate=0.5).n_states == 1
    assert fg.minimize(TWO, max_kl_rate=Fraction(1, 100)).n_states == 2
    coin = Chain([["1/2", "1/2"]] * 4)  # one state as it is: no tolerance merged it
    assert fg.minimize(coin, max_kl_rate=0.5).is_exact
    with pytest.raises(InvalidArgument, match="whole number"):
        fg.minimize(TWO).total_variation_bound(-1)


def test_symbols_have_no_price() -> None:
    a = sympy.Symbol("a", positive=True)
    chain = Chain([[a, 1 - a], [1 - a, a]])
    assert fg.minimize(chain).n_states == 2
    with pytest.raises(InvalidChain, match="symbols"):
        fg.minimize(chain, max_states=1)


def test_a_text_that_ends_is_end_alone_in_the_long_run() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="ab").with_stop("b")
    with pytest.raises(InvalidArgument, match="h_0 - h = 0 bits"):
        fg.minimize(chain, max_kl_rate=0.0)
    assert fg.minimize(chain, max_states=1).kl_bits_per_token == 0.0


def test_the_answer_in_words_and_json() -> None:
    chain = Chain(np.random.default_rng(0).dirichlet([1, 1], 64))
    machine = fg.minimize(chain, max_states=5)
    said = str(machine)
    assert f"KL rate: {machine.kl_bits_per_token:.6g} bits per token" in said
    assert "total variation of the laws of n tokens, at most:" in said
    assert f"\n* {machine.n_states:>10}" in said
    assert "greedy search" in said
    assert "not shown)" in said
    assert machine.chain.notes[-1].startswith("a machine of 5 states for 64")
    assert machine.to_dict()["kl_bits_per_token"] == machine.kl_bits_per_token
    curve = pareto_curve(chain).to_dict()
    assert curve["n_states"][0] == 1
    assert len(curve["found_by"]) == len(curve["kl_bits_per_token"])
