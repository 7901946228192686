"""Decoding rules against naive ones written here, in rationals, one row at a time."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import example, given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import (
    Decoded,
    Full,
    Greedy,
    MinP,
    Rule,
    Temperature,
    TopK,
    TopP,
    in_words,
)
from fsm_gpt.errors import InvalidArgument
from tests.strategies import row_tables, window_chains

Row = list[Fraction]

#: The smallest float above zero: what rounding may cost where relative errors mean nothing.
SMALLEST = Fraction(5e-324)


def object_rows(*rows: list[Any]) -> np.ndarray[Any, Any]:
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        table[i] = [Fraction(p) for p in row]
    return table


# ---- naive rules: (the decoded row, whether a tie was decided) ----


def kept(row: Row, ids: set[int]) -> Row:
    total = sum(row[t] for t in ids)
    return [row[t] / total if t in ids else Fraction(0) for t in range(len(row))]


def ranked(row: Row) -> list[int]:
    return sorted(range(len(row)), key=lambda t: (-row[t], t))


def tie_at(row: Row, ids: set[int]) -> bool:
    """Whether a token that was kept is as probable as one that was not."""
    inside = {row[t] for t in ids if row[t] > 0}
    return any(row[t] in inside for t in range(len(row)) if t not in ids)


def naive_top_k(row: Row, k: int) -> tuple[Row, bool]:
    ids = set(ranked(row)[:k])
    return kept(row, ids), tie_at(row, ids)


def naive_top_p(row: Row, p: Fraction) -> tuple[Row, bool]:
    """The smallest of all sets with mass >= p * total; of those, the most probable one."""
    support = [t for t in ranked(row) if row[t] > 0]
    needed = p * sum(row)
    for size in range(1, len(support) + 1):
        sets = [
            c for c in itertools.combinations(support, size) if sum(row[t] for t in c) >= needed
        ]
        if sets:
            best = max(sets, key=lambda c: (sum(row[t] for t in c), [-t for t in c]))
            return kept(row, set(best)), tie_at(row, set(best))
    raise AssertionError("no set has the mass")


def naive_min_p(row: Row, p: Fraction) -> tuple[Row, bool]:
    return kept(row, {t for t in range(len(row)) if row[t] >= p * max(row)}), False


def naive_power(row: Row, power: int) -> Row:
    powers = [p**power for p in row]
    return [p / sum(powers) for p in powers]


def check(rule: Rule, rows: np.ndarray[Any, Any], naive: Callable[[Row], tuple[Row, bool]]) -> None:
    """A rule gives what the naive one gives: exactly in rationals, to rounding in floats."""
    decoded = rule(rows)
    assert len(decoded.rows) == len(rows)
    for row, got, tied in zip(rows.tolist(), decoded.rows, decoded.tied, strict=True):
        expected, expected_tie = naive([Fraction(p) for p in row])
        assert bool(tied) == expected_tie, (rule, row)
        assert [p == 0 for p in got] == [p == 0 for p in expected], (rule, row)
        if rows.dtype == object:
            assert got.tolist() == expected
        else:
            total = sum(map(Fraction, got.tolist()))
            for p, q in zip(got.tolist(), expected, strict=True):
                slack = q * Fraction(1, 10**14) + 2 * SMALLEST
                assert abs(Fraction(p) / total - q) <= slack, (rule, row)


def test_the_check_fails_on_a_wrong_rule() -> None:
    rows = object_rows(["1/2", "1/4", "1/4"])
    for wrong in (TopK(1), TopK(3), TopP(Fraction(1, 2)), MinP(Fraction(1, 3))):
        with pytest.raises(AssertionError):
            check(wrong, rows, lambda row: naive_top_k(row, 2))

    class Highest(TopK):  # ties to the highest id
        def __call__(self, rows: Any) -> Decoded:
            flipped = super().__call__(rows[:, ::-1])
            return flipped._replace(rows=flipped.rows[:, ::-1])

    check(TopK(2), rows, lambda row: naive_top_k(row, 2))
    with pytest.raises(AssertionError):
        check(Highest(2), rows, lambda row: naive_top_k(row, 2))
    close = np.array([[0.5, 0.25, 0.25]])
    with pytest.raises(AssertionError):
        check(TopK(3), close, lambda row: (naive_power(row, 2), False))


FLOATS = (
    st.integers(2, 5)
    .flatmap(
        lambda V: st.lists(
            st.lists(
                st.one_of(
                    st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 1e-12, 1e-300, 5e-324]),
                    st.floats(0, 1),
                ),
                min_size=V,
                max_size=V,
            ).filter(any),
            min_size=1,
            max_size=3,
        )
    )
    .map(lambda rows: np.array(rows) / np.maximum(np.sum(rows, axis=1, keepdims=True), 1.0))
    .filter(lambda rows: bool((rows.sum(axis=1) > 0).all()))
)
THRESHOLDS = st.one_of(
    st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0, 1e-12, 5e-324]),
    st.floats(0, 1, exclude_min=True),
    st.fractions(Fraction(1, 64), 1, max_denominator=64),
)
TABLES = st.one_of(row_tables(), FLOATS)


@given(TABLES, st.integers(1, 7))
def test_top_k_is_the_naive_one(rows: np.ndarray[Any, Any], k: int) -> None:
    check(TopK(k), rows, lambda row: naive_top_k(row, k))


@given(TABLES)
def test_greedy_is_the_first_of_the_most_probable(rows: np.ndarray[Any, Any]) -> None:
    check(Greedy(), rows, lambda row: naive_top_k(row, 1))
    assert Greedy()(rows).rows.argmax(axis=1).tolist() == [
        row.index(max(row)) for row in rows.tolist()
    ]


@given(TABLES, THRESHOLDS)
@example(np.array([[0.7, 0.1, 0.2]]), 0.8)
@example(np.array([[0.1, 0.2, 0.3, 0.4]]), 0.7)
def test_top_p_is_the_naive_one(rows: np.ndarray[Any, Any], p: float | Fraction) -> None:
    check(TopP(p), rows, lambda row: naive_top_p(row, Fraction(p)))


@given(TABLES, st.one_of(THRESHOLDS, st.just(0)))
@example(np.array([[0.3, 0.1]]), 1 / 3)
@example(np.array([[0.7, 0.1, 0.2]]), 0.1 / 0.7)
@example(np.array([[1e-320, 5e-324]]), 0.0005)
def test_min_p_is_the_naive_one(rows: np.ndarray[Any, Any], p: float | Fraction) -> None:
    check(MinP(p), rows, lambda row: naive_min_p(row, Fraction(p)))


@given(row_tables(), st.integers(1, 5))
def test_temperature_one_over_n_is_the_nth_power(rows: np.ndarray[Any, Any], n: int) -> None:
    check(Temperature(Fraction(1, n)), rows, lambda row: (naive_power(row, n), False))


@given(row_tables(), st.sampled_from([Fraction(1, 4), Fraction(1, 2), 1]))
def test_temperature_in_floats(rows: np.ndarray[Any, Any], T: Any) -> None:
    decoded = Temperature(float(T))(rows.astype(float)).rows
    expected = Temperature(Fraction(T))(rows).rows.astype(float)
    np.testing.assert_allclose(decoded, expected, rtol=1e-12)


@given(row_tables(), st.floats(0.1, 10))
def test_temperature_is_softmax_of_scaled_logits(rows: np.ndarray[Any, Any], T: float) -> None:
    floats = rows.astype(float)
    decoded = Temperature(T)(floats)
    for row, got in zip(floats, decoded.rows, strict=True):
        powers = [math.exp(math.log(p / row.max()) / T) if p > 0 else 0.0 for p in row]
        np.testing.assert_allclose(got, np.array(powers) / math.fsum(powers), rtol=1e-12)
    assert not decoded.tied.any()


# ---- exact boundaries ----


def test_top_p_compares_binary_values() -> None:
    # The double 0.7 lies under 7/10 and 0.1 and 0.8 above 1/10 and 8/10: the exact sum of 0.7
    # and 0.1 is below the double 0.8, and so is their rounded sum. 0.1 + 0.2 > 0.3 the other way.
    assert Fraction(0.7) + Fraction(0.1) < Fraction(0.8)
    row = np.array([[0.7, 0.1, 0.2 - (0.7 + 0.1 + 0.2 - 1)]])
    assert (TopP(0.8)(row).rows > 0).tolist() == [[True, False, True]]
    assert (TopP(0.8)(np.array([[0.7, 0.1, 0.1, 0.1]])).rows > 0).sum() == 3
    exact = object_rows(["7/10", "1/10", "1/10", "1/10"])
    assert (TopP(Fraction(8, 10))(exact).rows > 0).tolist() == [[True, True, False, False]]


def test_top_p_at_exactly_the_mass() -> None:
    quarters = np.array([[0.25, 0.25, 0.25, 0.25]])
    for p, size in ((0.25, 1), (math.nextafter(0.25, 1), 2), (0.5, 2), (0.75, 3), (1.0, 4)):
        assert (TopP(p)(quarters).rows > 0).sum() == size
    assert TopP(0.5)(quarters).rows.tolist() == [[0.5, 0.5, 0.0, 0.0]]


def test_top_p_one_keeps_what_is_not_zero() -> None:
    # Rounded sums reach 1 before the last token; all the same, p = 1 drops nothing.
    row = np.array([[1.0, 1e-300, 0.0, 1e-20]])
    assert (TopP(1)(row).rows > 0).tolist() == [[True, True, False, True]]
    assert (TopP(Fraction(1))(row).rows > 0).tolist() == [[True, True, False, True]]


def test_top_p_measures_the_share_of_a_row_that_does_not_sum_to_one() -> None:
    row = np.array([[0.5, 0.25, 0.25 + 8e-13]])
    share = Fraction(1, 2) / sum(map(Fraction, row[0].tolist()))
    assert (TopP(share)(row).rows > 0).sum() == 1
    assert (TopP(share + Fraction(1, 2**60))(row).rows > 0).sum() == 2


def test_min_p_at_exactly_the_bar() -> None:
    row = np.array([[0.5, 0.25, 0.25, 0.0]])
    assert (MinP(0.5)(row).rows > 0).sum() == 3
    assert (MinP(math.nextafter(0.5, 1))(row).rows > 0).sum() == 1
    assert MinP(0)(row).rows.tolist() == row.tolist()
    assert MinP(1)(np.array([[0.4, 0.2, 0.4]])).rows.tolist() == [[0.5, 0.0, 0.5]]


def test_ties_go_to_the_lowest_id_and_are_reported() -> None:
    rows = np.array([[0.25, 0.25, 0.5], [0.4, 0.4, 0.2], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    two = TopK(2)(rows)
    assert two.tied.tolist() == [True, False, False, False]
    assert (two.rows > 0).tolist()[0] == [True, False, True]
    one = Greedy()(rows)
    assert one.tied.tolist() == [False, True, True, False]
    assert one.rows.argmax(axis=1).tolist() == [2, 0, 1, 0]
    assert TopP(0.75)(rows).tied.tolist() == [True, False, False, False]
    assert Temperature(0)(rows).tied.tolist() == one.tied.tolist()
    assert Full()(rows).tied.tolist() == [False] * 4


# ---- limits ----


@given(TABLES)
def test_rules_that_change_nothing(rows: np.ndarray[Any, Any]) -> None:
    for rule in (Full(), TopK(rows.shape[1]), TopK(10**9), Temperature(1)):
        assert rule(rows).rows.tolist() == rows.tolist()
        assert not rule(rows).tied.any()


@given(TABLES)
def test_temperature_zero_is_greedy(rows: np.ndarray[Any, Any]) -> None:
    cold, greedy = Temperature(0)(rows), Greedy()(rows)
    assert cold.rows.tolist() == greedy.rows.tolist()
    assert cold.tied.tolist() == greedy.tied.tolist()


@given(FLOATS, st.sampled_from([1e-320, 1e-9, 1e-3, 0.5, 1e3, 1e300]))
def test_temperature_never_makes_noise_and_keeps_zeros(rows: Any, T: float) -> None:
    decoded = Temperature(T)(rows)
    assert np.isfinite(decoded.rows).all()
    np.testing.assert_allclose(decoded.rows.sum(axis=1), 1)
    assert (decoded.rows[rows == 0] == 0).all()
    lost = ((decoded.rows == 0) & (rows > 0)).any(axis=1)
    assert decoded.underflowed.tolist() == lost.tolist()


def test_underflow_is_reported_and_noted() -> None:
    # (1e-3)^(1/0.001) = 1e-3000 is no float.
    rows = np.array([[0.999, 0.001], [0.5, 0.5]])
    assert Temperature(0.001)(rows).underflowed.tolist() == [True, False]
    chain = Chain(rows).with_decoding(Temperature(0.001))
    assert chain.n_edges == 3
    assert len(chain.notes) == 1
    assert "in 1 states a probability became zero by underflow" in chain.notes[0]
    exact = Chain(rows).exact().with_decoding(Temperature(Fraction(1, 1000)))
    assert exact.n_edges == 4
    assert exact.notes == ()


def test_underflow_in_the_division_is_reported() -> None:
    # The power is the smallest float; divided by the sum of three it is zero.
    T = math.log(0.25) / math.log(5e-324)
    rows = np.array([[0.25, 0.25, 0.25, 0.25 * 0.25]])
    decoded = Temperature(T)(rows)
    assert decoded.underflowed.tolist() == [bool((decoded.rows == 0).any())]


@pytest.mark.parametrize("rule", [Greedy(), TopK(2), TopP(0.5), MinP(0.5), Temperature(0.5)])
def test_float32_rows_are_decoded_by_their_values(rule: Rule) -> None:
    rows = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]], dtype=np.float32)
    as_doubles = rule(rows.astype(np.float64))
    np.testing.assert_allclose(rule(rows).rows, as_doubles.rows, rtol=1e-6)
    assert ((rule(rows).rows > 0) == (as_doubles.rows > 0)).all()
    chain = Chain(np.tile(rows, (2, 1))).with_decoding(rule)
    mass = chain.push(np.full(4, 0.25)).sum()
    assert abs(mass - 1) < 1e-15, "float32 rows mean rows divided by their sums"


# ---- composition ----


def test_the_order_of_rules_matters() -> None:
    # One window of one token over three, rows (0.5, 0.3, 0.2). First temperature 1/2: squares
    # 25 : 9 : 4 of 38, of which the first has 25/38 > 0.6. First top-p 0.6: two tokens stay.
    rows = object_rows(*[["1/2", "3/10", "1/5"]] * 3)
    cold, nucleus = Temperature(Fraction(1, 2)), TopP(Fraction(6, 10))
    chain = Chain(rows)
    assert chain.with_decoding(cold, nucleus).next_token[0].tolist() == [1, 0, 0]
    assert chain.with_decoding(nucleus, cold).next_token[0].tolist() == [
        Fraction(25, 34),
        Fraction(9, 34),
        0,
    ]
    assert chain.with_decoding(cold, nucleus).decoding == (cold, nucleus)
    assert in_words((cold, nucleus)) == "temperature 1/2, then top-p 3/5"


@given(window_chains(max_states=16), st.permutations([TopK(2), TopP(0.9), MinP(0.1)]))
def test_rules_applied_together_or_one_after_the_other(chain: Chain, rules: list[Rule]) -> None:
    together = chain.with_decoding(*rules)
    apart = chain
    for rule in rules:
        apart = apart.with_decoding(rule)
    assert together.next_token.tolist() == apart.next_token.tolist()
    assert together.decoding == apart.decoding == tuple(rules)
    assert together.tied.tolist() == apart.tied.tolist()
    assert chain.decoding == ()


def test_rules_in_words() -> None:
    rules = (Full(), Greedy(), Temperature(0.5), TopK(3), TopP(0.9), MinP(0.1))
    assert in_words(rules) == (
        "full, then greedy, then temperature 0.5, then top-k 3, then top-p 0.9, then min-p 0.1"
    )


# ---- on chains ----

RULES = [Greedy(), TopK(2), TopP(0.7), MinP(0.4), Temperature(Fraction(1, 3)), Full()]


def as_edges(chain: Chain) -> Chain:
    """The same chain, its transitions one by one."""
    source, token, target, probability = chain.raw_edges()
    return Chain.from_edges(
        source,
        token,
        target,
        probability,
        states=chain.states,
        vocabulary=chain.vocabulary,
    )


@given(window_chains(max_states=16), st.sampled_from(RULES), st.booleans())
def test_decoding_windows_and_transitions_alike(chain: Chain, rule: Rule, floats: bool) -> None:
    chain = chain.floats() if floats else chain
    windows = chain.with_decoding(rule)
    edges = as_edges(chain).with_decoding(rule)
    assert windows.is_window
    assert not edges.is_window
    assert windows.next_token.tolist() == edges.next_token.tolist()
    assert windows.tied.tolist() == edges.tied.tolist()
    assert windows.notes == edges.notes
    assert windows.n_edges == edges.n_edges
    for ours, theirs in zip(windows.raw_edges(), edges.raw_edges(), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_a_chain_remembers_its_ties_and_cannot_be_changed() -> None:
    chain = Chain([["1/2", "1/2"], [1, 0]]).with_decoding(Greedy())
    assert chain.tied.tolist() == [0]
    assert chain.with_decoding(TopK(1)).tied.tolist() == [0]
    with pytest.raises(ValueError, match="read-only"):
        chain.tied[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        chain.next_token[0, 0] = 1


def test_a_rule_that_makes_bad_rows_is_refused() -> None:
    class Broken:
        def __call__(self, rows: Any) -> Decoded:
            none = np.zeros(len(rows), dtype=bool)
            return Decoded(rows * 0.5, none, none)

        def __str__(self) -> str:
            return "broken"

    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    for either in (chain, as_edges(chain)):
        with pytest.raises(ValueError, match=r"state 0 sums to 0\.5"):
            either.with_decoding(Broken())


# ---- refusals ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Temperature(-0.1), r"temperature -0\.1 is not a finite number of 0 or more"),
        (lambda: Temperature(math.inf), "temperature inf is not a finite"),
        (lambda: Temperature(math.nan), "temperature nan is not a finite"),
        (lambda: TopK(0), r"top-k with k = 0 keeps no token; k >= 1"),
        (lambda: TopK(-3), r"top-k with k = -3 keeps no token"),
        (lambda: TopP(0), r"top-p with p = 0 is not in \(0, 1\]"),
        (lambda: TopP(1.01), r"top-p with p = 1\.01 is not in"),
        (lambda: TopP(math.nan), "top-p with p = nan is not in"),
        (lambda: MinP(-0.1), r"min-p with p = -0\.1 is not in \[0, 1\]"),
        (lambda: MinP(1.5), r"min-p with p = 1\.5 is not in"),
        (lambda: MinP(math.nan), "min-p with p = nan is not in"),
    ],
)
def test_an_option_out_of_range(make: Callable[[], Rule], message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^decoding: {message}"):
        make()


def test_a_power_that_is_no_rational() -> None:
    chain = Chain([["1/2", "1/2"], ["1/3", "2/3"]])
    with pytest.raises(InvalidArgument, match=r"temperature 0\.7 .* no rational\. Use .* 1/n"):
        chain.with_decoding(Temperature(0.7))
    with pytest.raises(InvalidArgument, match="to the power 1/2, which is no rational"):
        chain.with_decoding(Temperature(2))


@pytest.mark.parametrize("rule", [Greedy(), TopK(1), TopP(0.5), MinP(0.5), Temperature(0.5)])
def test_symbols_cannot_be_compared(rule: Rule) -> None:
    a = sympy.Symbol("a")
    chain = Chain([[a, 1 - a], [1 - a, a]])
    with pytest.raises(InvalidArgument, match="compares probabilities, and these rows hold symb"):
        chain.with_decoding(rule)
    assert chain.with_decoding(Full()).next_token.tolist() == chain.next_token.tolist()
