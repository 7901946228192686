"""Reaching: textbook values, the laws of mean and variance, and proven errors."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, InvalidText, StateOutOfRange
from fsm_gpt.explore import explore
from fsm_gpt.markov import reversed_time
from fsm_gpt.markov.first_step import FirstStep
from tests.conftest import read_reference
from tests.explore.models import random_model
from tests.families import HARD, hard_rows
from tests.strategies import chains


def fair_walk(n: int) -> Chain:
    """0 to n, both ends absorbing."""
    P = np.zeros((n + 1, n + 1), dtype=object)
    P[0, 0] = P[n, n] = Fraction(1)
    for i in range(1, n):
        P[i, i - 1] = P[i, i + 1] = Fraction(1, 2)
    return Chain.from_matrix(P)


COIN = Chain([["1/2", "1/2"]] * 8, vocabulary="HT")


def test_the_die_of_knuth_and_yao() -> None:
    """A sixth for each face, and 11/3 flips (tests/reference/chains.json)."""
    cases = {case["name"]: case for case in read_reference("chains.json")["cases"]}
    die = Chain.from_matrix(cases["knuth_die"]["P"])
    faces = list(range(7, 13))
    for face in faces:
        assert fg.reach(die, face, start=0).probability == Fraction(1, 6)
        assert fg.reach(die, face, avoid=[f for f in faces if f != face]).probabilities[0] == (
            Fraction(1, 6)
        )
        assert fg.reach(die, face, start=0).mean == math.inf
    found = fg.reach(die, faces, start=0)
    assert (found.probability, found.mean) == (1, Fraction(11, 3))
    # Three flips, and with 1/4 each time two flips more: 3 + 2 X with P(X = k) = (3/4) (1/4)^k.
    assert found.variance == 4 * Fraction(1, 4) / Fraction(3, 4) ** 2
    floats = fg.reach(die.floats(), faces, start=0)
    assert floats.mean == pytest.approx(11 / 3, rel=1e-14)
    assert abs(Fraction(floats.variance) - found.variance) <= Fraction(floats.variance_error)
    assert floats.variance_error < 1e-12


@pytest.mark.parametrize("n", [2, 3, 7, 12])
def test_the_gambler(n: int) -> None:
    """Feller (1968), XIV.2 and 3; given that n comes before 0, (n^2 - i^2) / 3 steps to it."""
    walk = fair_walk(n)
    for i in range(1, n):
        wins = fg.reach(walk, n, avoid=0, start=i)
        assert wins.probability == Fraction(i, n)
        assert wins.mean is None
        assert fg.reach(walk, [0, n], start=i).mean == i * (n - i)
        given_it = fg.reach(walk, n, start=i, given_reached=True)
        assert given_it.mean == Fraction(n * n - i * i, 3)
        unsure = fg.reach(walk, n, start=i)
        assert (unsure.mean, unsure.variance) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("first", "second", "odds"),
    [
        ("THH", "HHH", (7, 1)),
        ("THH", "HHT", (3, 1)),
        ("HHT", "HTT", (2, 1)),
        ("TTH", "THT", (2, 1)),
    ],
)
def test_the_game_of_penney(first: str, second: str, odds: tuple[int, int]) -> None:
    """Which of two words of three throws comes first (Gardner 1974, after Penney 1969)."""
    fresh = [Fraction(1, 8)] * 8  # the first three throws
    won, lost = (
        fg.reach(COIN, a, avoid=b, start=fresh).probability
        for a, b in ((first, second), (second, first))
    )
    assert won / lost == Fraction(*odds)
    assert won + lost == 1


@pytest.mark.parametrize("r", [1, 2, 3])
@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 3)])
def test_runs_of_heads(r: int, p: Fraction) -> None:
    """Feller (1968), XIII.7, (7.6) and (7.7): mean and variance of the time to r heads in a row."""
    coin = Chain([[p, 1 - p]] * 8, vocabulary="HT")
    q = 1 - p
    found = fg.reach(coin, "H" * r, start="TTT")
    assert found.mean == (1 - p**r) / (q * p**r)
    assert found.variance == 1 / (q * p**r) ** 2 - (2 * r + 1) / (q * p**r) - p / q**2
    rounded = fg.reach(coin.floats(), "H" * r, start="TTT")
    assert float(found.variance) == pytest.approx(rounded.variance, rel=1e-13)


def test_a_prompt_and_what_it_ends_with() -> None:
    long = "THTTHTHH"
    assert fg.reach(COIN, "HH", start=long).mean == 0
    assert fg.reach(COIN, "HHT", start=long).mean == fg.reach(COIN, "HHT", start="THH").mean == 2
    found = fg.reach(COIN, "HH", within=0, start=long)
    assert found.probability == 1
    assert found.target.tolist() == [0, 4]
    assert "reaching 'HH': HHH, THH within 0 steps" in str(found)


def second_moment(P: np.ndarray, goal: set[int]) -> dict[int, tuple[Fraction, Fraction]]:
    """Mean and E[T^2] - mean^2 by sympy's solver, where the goal is reached for certain."""
    others = [i for i in range(len(P)) if i not in goal]
    A = sympy.eye(len(others)) - sympy.Matrix(
        len(others), len(others), lambda a, b: sympy.Rational(str(P[others[a], others[b]]))
    )
    m = A.LUsolve(sympy.ones(len(others), 1))
    s = A.LUsolve(2 * m - sympy.ones(len(others), 1))
    exact = [Fraction(int(v.p), int(v.q)) for v in [*m, *s]]
    half = len(others)
    return {i: (exact[k], exact[half + k] - exact[k] ** 2) for k, i in enumerate(others)}


@settings(max_examples=30)
@given(chains(), st.data())
def test_variances_are_second_moments(chain: Chain, data: st.DataObject) -> None:
    """E[T^2] solves (I - Q) s = 2 m - 1 (Kemeny & Snell 1976, theorem 3.3.5)."""
    target = data.draw(st.integers(0, chain.n_states - 1))
    found = fg.reach(chain, target)
    sure = {i for i in range(chain.n_states) if found.probabilities[i] == 1}
    assert [found.mean_steps[i] != math.inf for i in range(chain.n_states)] == [
        i in sure for i in range(chain.n_states)
    ]
    some = sorted(sure)
    P = chain.matrix()[np.ix_(some, some)]
    for k, (m, v) in second_moment(P, {some.index(target)}).items():
        assert (found.mean_steps[some[k]], found.variances[some[k]]) == (m, v)


def within_bounds(found: fg.markov.Reach, exact: fg.markov.Reach) -> None:
    """Probabilities and means by their relative errors, variances by their absolute ones."""
    pairs = [(found.probabilities, exact.probabilities)]
    if found.mean_steps is not None:
        pairs.append((found.mean_steps, exact.mean_steps))
    for ours, theirs in pairs:
        for a, b in zip(ours.tolist(), theirs.tolist(), strict=True):
            if b == math.inf or b == 0:
                assert a == b
            elif found.certified:
                assert abs(Fraction(a) - b) <= Fraction(found.error_bound) * b
    if found.variance_errors is None:
        return
    for a, b, e in zip(found.variances, exact.variances, found.variance_errors, strict=True):
        assert (a == math.inf) == (b == math.inf)
        if b != math.inf and e != math.inf:
            assert abs(Fraction(float(a)) - b) <= Fraction(float(e))


@given(chains(floats=True), st.data())
def test_floats_within_the_bounds_of_rationals(chain: Chain, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, chain.n_states - 1))
    for given_reached in (False, True):
        found, exact = (
            fg.reach(chain, target, given_reached=given_reached, exact=e) for e in (False, True)
        )
        within_bounds(found, exact)
        assert found.certified or found.uncertified_because


def test_the_check_of_bounds_fails_on_wrong_numbers() -> None:
    chain = fair_walk(5)
    exact, right = fg.reach(chain, [0, 5]), fg.reach(chain.floats(), [0, 5])
    within_bounds(right, exact)
    other = fg.reach(fair_walk(5).floats(), [0, 4])
    with pytest.raises(AssertionError):
        within_bounds(other, exact)


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("most", [0, 2**62])
def test_hard_chains(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of solving, on chains with times up to 1e40."""
    monkeypatch.setattr("fsm_gpt.markov.first_step.ELIMINATION_LIMIT", most)
    monkeypatch.setattr(reversed_time, "BOTTOM", 6)
    chain = Chain(hard_rows(name, 2, 5))
    found, exact = fg.reach(chain, 3), fg.reach(chain, 3, exact=True)
    assert found.error_bound < 1e-8
    within_bounds(found, exact)
    assert found.variance_errors is not None
    away = exact.variances > 0
    worst = (found.variance_errors[away] / exact.variances[away].astype(float)).max()
    assert worst < 1e-6


def line(n: int, p: float) -> Chain:
    """n certain steps, the last of which fails with probability p and is tried again."""
    i = np.arange(n)
    source = np.concatenate([i, [n - 1, n]])
    target = np.concatenate([i + 1, [n - 1, n]])
    probability = np.concatenate([np.ones(n - 1), [1 - p, p, 1]])
    return Chain.from_edges(source, np.r_[i * 0, 1, 0], target, probability)


def test_a_time_that_hardly_varies_has_its_digits() -> None:
    """Four hundred certain steps, then a throw: E[T^2] - m^2 would keep four digits of it."""
    n, p = 400, 1e-9
    found = fg.reach(line(n, p), n, start=0)
    # T = n + X, X the failures before the first success.
    fails = 1 - Fraction(1 - p) / (Fraction(1 - p) + Fraction(p))
    assert abs(Fraction(found.mean) - (n + fails / (1 - fails))) <= 1e-12 * n
    truth = fails / (1 - fails) ** 2
    assert abs(Fraction(found.variance) - truth) <= Fraction(found.variance_error)
    assert found.variance == pytest.approx(float(truth), rel=1e-3)


CARRIED = {
    "a line": (line(60, 1e-9), 60),
    "a walk": (fair_walk(7).floats(), 7),
    **{name: (Chain(hard_rows(name, 2, 4)), 3) for name in ("random", "sharp", "sticky")},
}


@pytest.mark.parametrize("name", CARRIED)
@pytest.mark.parametrize("given_reached", [False, True])
def test_what_is_wrong_within_its_bound_is_carried_on(
    name: str, given_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every solution spoiled by up to 1e-6, and told so: what follows from it stays proven."""
    chain, target = CARRIED[name]
    exact = fg.reach(chain, target, given_reached=given_reached, exact=True)
    honest = FirstStep.solve

    def spoiled(self, unknown, step, into=None):
        x, bound, why = honest(self, unknown, step, into)
        return x * (1 + 1e-6 * np.cos(2.0 * np.arange(len(x)))), float(bound) + 1.001e-6, why

    monkeypatch.setattr(FirstStep, "solve", spoiled)
    found = fg.reach(chain, target, given_reached=given_reached)
    assert found.certified
    assert found.variance_errors is not None
    within_bounds(found, exact)


def test_symbols() -> None:
    a = sympy.Symbol("a", positive=True)
    chain = Chain.from_matrix([[1 - a, a], [0, 1]])
    found = fg.reach(chain, 1, start=0)
    assert found.mean == 1 / a
    assert sympy.simplify(found.variance - (1 - a) / a**2) == 0
    soon = fg.reach(chain, 1, within=2, start=0)
    assert sympy.expand(soon.probability - (2 * a - a**2)) == 0


def test_what_cannot_be_reached_is_said() -> None:
    walk = fair_walk(3)
    for within in (None, 10):
        found = fg.reach(walk, 3, within=within, start=0)
        assert found.probability == 0
        assert "probability 0 (it cannot happen)" in str(found)
    assert found.mean is None
    for given_reached in (False, True):
        found = fg.reach(walk, 3, start=0, given_reached=given_reached)
        assert (found.mean, found.variance) == (math.inf, math.inf)
        assert "infinite steps" in str(found)
    counted = Chain.from_text("abcabcab", context=2)
    nowhere = fg.reach(counted, "ba", start="ab")  # no context of this text
    assert (nowhere.probability, nowhere.mean, len(nowhere.target)) == (0, math.inf, 0)
    assert "reaching 'ba': no state" in str(nowhere)


def test_a_start_that_is_drawn() -> None:
    """The law of total variance: two states with geometric times, and one that is there."""
    p = np.array([0.5, 0.125])
    chain = Chain.from_matrix([[1 - p[0], 0, p[0]], [0, 1 - p[1], p[1]], [0, 0, 1]])
    weights = np.array([0.25, 0.5, 0.25])
    found = fg.reach(chain, 2, start=weights)
    mean = 0.25 * 2 + 0.5 * 8
    square = 0.25 * (2 + 4) + 0.5 * (56 + 64)
    assert found.mean == pytest.approx(mean, rel=1e-15)
    assert found.variance == pytest.approx(square - mean**2, rel=1e-14)
    assert 0 < found.variance_error < 1e-12
    assert found.start == "a distribution over 3 states"
    assert fg.reach(chain, 1, start=weights).probability == 0.5
    given_it = fg.reach(chain, 1, start=weights, given_reached=True)
    assert (given_it.mean, given_it.variance) == (0, 0)


def test_an_explored_part_is_told_from_both_sides() -> None:
    model = random_model(2, 6, 0, sharp=1.0)
    asked = {"vocabulary": "01", "context": 6}
    whole = explore(model, ["000000"], **asked).chain
    part = explore(model, ["000000"], max_states=20, **asked).chain
    assert part.unexplored is not None
    assert whole.unexplored is None
    apart = False
    for within in (3, None):
        for avoid in (None, "11"):
            truth = fg.reach(whole, "010", within=within, avoid=avoid, start="000000").probability
            found = fg.reach(part, "010", within=within, avoid=avoid, start="000000")
            low, high = found.probability, found.upper_probability
            assert low * (1 - 1e-9) <= truth <= high * (1 + 1e-9)
            apart |= low < high
    assert apart
    assert found.mean is None
    timed = fg.reach(part, "010", start="000000")
    assert "unexplored" in timed.no_times_because
    assert "between" in str(timed)
    with pytest.raises(InvalidArgument, match="no context"):
        fg.reach(part, "unexplored")


def test_a_machine_with_an_end() -> None:
    """Each word ends with 1/4: three quarters of what is left are reached before."""
    machine = Chain([["1/4", "1/2", "1/4"]] * 3, vocabulary="ab.").with_stop(".")
    found = fg.reach(machine, "a", avoid="END", start="b")
    assert found.probability == Fraction(1, 2)
    assert fg.reach(machine, "END", start="b").mean == 4
    assert fg.reach(machine, "a", start="b").mean == math.inf


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("HTHT", InvalidArgument, "has 4 tokens.*pattern()"),
        ("HX", InvalidText, "'X'"),
        ("", InvalidArgument, "no token"),
        ([], InvalidArgument, "no state"),
        (8, StateOutOfRange, "go from 0 to 7"),
        ([True, False], InvalidArgument, "2 entries"),
    ],
)
def test_targets_that_are_none(target: object, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        fg.reach(COIN, target)


@pytest.mark.parametrize("within", [-1, 1.5, "2", True])
def test_steps_that_are_none(within: object) -> None:
    with pytest.raises(InvalidArgument, match="whole number of steps"):
        fg.reach(COIN, "H", within=within)


def test_times_given_what_has_no_time() -> None:
    with pytest.raises(InvalidArgument, match="given_reached"):
        fg.reach(COIN, "H", within=3, given_reached=True)


def test_times_that_do_not_come_out_leave_the_probability() -> None:
    coin = Chain([[Fraction(1, 2)] * 2] * 1024)
    found = fg.reach(coin, 0, start=5)
    assert found.probability == 1
    assert found.mean is None
    assert "1,023 states" in found.no_times_because
    assert "no times" in str(found)


def test_json_has_what_was_asked() -> None:
    document = fg.reach(COIN, "HH", start="TTT").to_dict()
    assert (document["mean"], document["variance"], document["probability"]) == ("6", "22", "1")
    assert document["mean_steps"][7] == "6"
    assert "chain" not in document


def test_equations_remember_how_they_were_solved() -> None:
    assert FirstStep(COIN).method == "by the graph alone"
    assert fg.reach(COIN, [0, 1, 2, 3, 4, 5, 6, 7]).method == "by the graph alone"
