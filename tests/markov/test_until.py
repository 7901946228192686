"""Until, eventually and always: every path counted, limits, and proven errors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.markov import constrained
from fsm_gpt.space import ContextSpace, Vocabulary
from tests.families import HARD, hard_rows
from tests.markov.test_conditioned import paths
from tests.strategies import chains


def drawn_set(data: st.DataObject, chain: Chain) -> np.ndarray:
    n = chain.n_states
    return np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))


def until_holds(path: tuple[int, ...], stay: np.ndarray, goal: np.ndarray) -> bool:
    """The definition (Baier & Katoen 2008, section 10.1.1)."""
    for state in path:
        if goal[state]:
            return True
        if not stay[state]:
            return False
    return False


@settings(max_examples=60)
@given(chains(), st.integers(0, 4), st.data())
def test_every_path_is_counted(chain: Chain, n: int, data: st.DataObject) -> None:
    stay, goal = drawn_set(data, chain), drawn_set(data, chain)
    start = data.draw(st.integers(0, chain.n_states - 1))
    ways = paths(chain.matrix(), start, n)
    for found, holds in (
        (fg.until(chain, stay, goal, within=n, start=start), lambda p: until_holds(p, stay, goal)),
        (fg.eventually(chain, goal, within=n, start=start), lambda p: goal[list(p)].any()),
        (fg.always(chain, stay, within=n, start=start), lambda p: stay[list(p)].all()),
        (
            fg.reach(chain, goal, within=n, avoid=~stay, start=start),
            lambda p: until_holds(p, stay, goal),
        ),
    ):
        assert found.probability == sum((q for p, q in ways.items() if holds(p)), Fraction(0))
        assert found.error_bound == 0


@settings(max_examples=60)
@given(chains(), st.data())
def test_for_ever_the_equations_hold_and_the_smallest_solution_is_taken(
    chain: Chain, data: st.DataObject
) -> None:
    """Baier & Katoen (2008), theorem 10.15: zero where there is no way, and the equations."""
    stay, goal = drawn_set(data, chain), drawn_set(data, chain)
    h = fg.until(chain, stay, goal).probabilities
    soon = fg.until(chain, stay, goal, within=chain.n_states).probabilities
    P = chain.matrix()
    for i in range(chain.n_states):
        assert (h[i] == 0) == (soon[i] == 0)  # a way there needs no more steps than states
        if goal[i]:
            assert h[i] == 1
        elif stay[i]:
            assert h[i] == (P[i] * h).sum()
        else:
            assert h[i] == 0


@given(chains(), st.integers(0, 6), st.data())
def test_always_is_one_less_leaving(chain: Chain, n: int, data: st.DataObject) -> None:
    stay = drawn_set(data, chain)
    for within in (n, None):
        kept = fg.always(chain, stay, within=within).probabilities
        left = fg.eventually(chain, ~stay, within=within).probabilities
        assert (kept + left).tolist() == [1] * chain.n_states


@given(chains(floats=True), st.data())
def test_more_steps_reach_more_and_tend_to_ever(chain: Chain, data: st.DataObject) -> None:
    stay, goal = drawn_set(data, chain), drawn_set(data, chain)
    ever = fg.until(chain, stay, goal)
    if not ever.certified:
        return
    before = np.zeros(chain.n_states)
    for n in (0, 1, 2, 5, 50, 1000):
        now = fg.until(chain, stay, goal, within=n).probabilities
        assert (now >= before).all()
        assert (now <= ever.probabilities * (1 + 1e-9)).all()
        before = now


def test_within_tends_to_ever_from_below() -> None:
    """The gambler's ruin, whose second eigenvalue is cos(pi / n): Feller (1968), XIV.5."""
    n = 6
    P = np.diag(np.full(n, 0.5), 1) + np.diag(np.full(n, 0.5), -1)
    P[0], P[n] = np.eye(n + 1)[0], np.eye(n + 1)[n]
    walk = Chain.from_matrix(P)
    ever = fg.until(walk, lambda label: label != "0", n).probabilities
    assert ever == pytest.approx(np.arange(n + 1) / n, rel=1e-14)
    gaps = [
        float((ever - fg.until(walk, range(1, n), n, within=k).probabilities).max())
        for k in (40, 60)
    ]
    assert gaps[1] / gaps[0] == pytest.approx(np.cos(np.pi / n) ** 20, rel=1e-3)


def holds(found: fg.markov.Until, exact: fg.markov.Until) -> None:
    for ours, truth in zip(found.probabilities, exact.probabilities, strict=True):
        assert abs(Fraction(float(ours)) - truth) <= Fraction(found.error_bound) * truth


@given(chains(floats=True), st.integers(0, 12), st.data())
def test_floats_within_the_bound(chain: Chain, n: int, data: st.DataObject) -> None:
    stay, goal = drawn_set(data, chain), drawn_set(data, chain)
    for within in (n, None):
        for ask in (
            lambda **more: fg.until(chain, stay, goal, **more),
            lambda **more: fg.always(chain, stay, **more),
        ):
            found = ask(within=within)
            if found.certified:
                holds(found, ask(within=within, exact=True))
            else:
                assert found.uncertified_because


def test_the_check_fails_on_wrong_numbers() -> None:
    coin = Chain([[0.5, 0.5]] * 2)
    with pytest.raises(AssertionError):
        holds(fg.always(coin, "1", within=3), fg.always(coin, "1", within=4, exact=True))


@pytest.mark.parametrize("name", HARD)
def test_hard_chains_within_a_bound_that_says_something(name: str) -> None:
    chain = Chain(hard_rows(name, 3, 3))
    found = fg.until(chain, lambda label: label != "000", "21", within=9)
    assert 0 < found.error_bound < 1e-14
    holds(found, fg.until(chain, lambda label: label != "000", "21", within=9, exact=True))


def test_small_probabilities_keep_their_digits() -> None:
    """One minus what is left would be 0: 2^-300 of never a head, 1e-20 of never leaving."""
    coin = Chain([[0.5, 0.5]] * 2, vocabulary="HT")
    assert fg.always(coin, "T", within=300, start="T").probability == 2.0**-300
    rare = Chain.from_matrix([[0.0, 1.0, 1e-20], [0, 1, 0], [0, 0, 1]], normalize=True)
    found = fg.always(rare, [0, 2], start=0)
    assert found.probability == pytest.approx(1e-20, rel=1e-15)
    assert found.error_bound < 1e-14


def test_what_underflows_is_not_certified() -> None:
    coin = Chain([[0.5, 0.5]] * 2, vocabulary="HT")
    lost = fg.always(coin, "T", within=1200, start="T")
    assert lost.error_bound == "uncertified"
    assert "underflow" in lost.uncertified_because
    p = 1e-160
    twice = Chain.from_matrix([[1 - p, p, 0], [0, 1 - p, p], [0, 0, 1]])
    assert fg.eventually(twice, 2, within=1).certified
    assert not fg.eventually(twice, 2, within=3).certified


def test_what_has_settled_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain([[0.5, 0.5], [0.0, 1.0]])
    calls = []
    honest = Chain.expect
    monkeypatch.setattr(Chain, "expect", lambda *a, **k: calls.append(1) or honest(*a, **k))
    found = fg.eventually(chain, 1, within=10**9)
    assert found.probabilities.tolist() == [1, 1]
    assert len(calls) < 200
    assert found.error_bound < 1e-6


def test_large_chains_agree_with_small_steps() -> None:
    """The compiled products, against plain numpy on the window's own arithmetic."""
    V, L, n = 2, 17, 12
    rows = np.random.default_rng(5).dirichlet(np.ones(V), V**L)
    chain = Chain(rows)
    assert chain.n_states * V >= 2**18  # from here on the products are compiled
    found = fg.until(chain, np.arange(V**L) % 8 != 3, "10110", within=n)
    states = np.arange(V**L)
    goal, stay = states % 32 == 0b10110, states % 8 != 3
    f = goal * 1.0
    for _ in range(n):
        after = f[(states[:, None] % V ** (L - 1)) * V + np.arange(V)]
        f = np.where(goal, 1.0, np.where(stay, (rows * after).sum(axis=1), 0.0))
    np.testing.assert_allclose(found.probabilities, f, rtol=1e-13)
    assert found.error_bound == pytest.approx(n * (2 * V + 1) * 2.0**-53, rel=1e-3)


def test_sets_are_named_in_several_ways() -> None:
    chain = Chain(hard_rows("random", 2, 3), vocabulary="ab")
    mask = np.array([s % 2 == 1 for s in range(8)])
    one = fg.eventually(chain, "b", within=2).probabilities
    for goal in (mask, mask.tolist(), [1, 3, 5, 7], lambda label: label[-1] == "b", ["ab", "bb"]):
        assert (fg.eventually(chain, goal, within=2).probabilities == one).all()
    short = Chain(np.tile([0.5, 0.5], (6, 1)), vocabulary="ab", short_contexts=True)
    assert fg.markov.reach(short, "b").target.tolist() == [1, 3, 5]
    assert fg.markov.reach(short, "ab").target.tolist() == [3]
    nobody = fg.eventually(chain, np.zeros(8, dtype=bool), start="aaa")
    assert (nobody.probability, nobody.formula) == (0, "F no state")


def test_pairs_are_named_whole_or_by_the_text_of_their_first() -> None:
    windows = ContextSpace(Vocabulary.of("ab"), 2)
    pairs = Pairs(windows, ("in", "out"), first=[0, 1, 3], second=[0, 1, 1])
    edges = [0, 1, 2], [1, 1, 0], [1, 2, 0], [Fraction(1)] * 3
    chain = Chain.from_edges(*edges, states=pairs, vocabulary="ab")
    for target, states in (("b", [1, 2]), ("ab | out", [1]), (["aa | in", "bb"], [0, 2])):
        assert fg.reach(chain, target).target.tolist() == states
    assert fg.reach(chain, "bb", start="aa | in").mean == 2
    with pytest.raises(StateOutOfRange):
        fg.reach(chain, "aa | out")


def test_words() -> None:
    coin = Chain([["1/2", "1/2"]] * 2, vocabulary="HT")
    assert str(fg.always(coin, "T", within=3, start="T")) == (
        "P(G<=3 T) (3 products of P with a vector; exact)\n  from T: probability 1/8"
    )
    assert str(fg.eventually(coin, "H")).splitlines() == [
        "P(F H) (by the graph alone; exact)",
        "  from H: probability 1",
        "  from T: probability 1",
    ]
    many = str(fg.eventually(Chain([[0.5, 0.5]] * 32), "1", within=1)).splitlines()
    assert many[-1] == "  ... and 16 more states"
    with pytest.raises(InvalidArgument, match="until: within=-1"):
        fg.until(coin, "H", "T", within=-1)


def test_a_step_counts_its_roundings() -> None:
    assert (
        constrained.reaching(
            Chain([[0.5, 0.5]] * 2), np.ones(2, bool), np.array([True, False]), 0
        ).error_bound
        == 0
    )
