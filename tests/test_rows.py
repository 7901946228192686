"""What numbers make a row, and what is refused."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidChain
from fsm_gpt.rows import SUM_TOLERANCE, as_numbers, bad_sums, kind_of, to_rationals

a, b = sympy.symbols("a b", positive=True)


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([[0.5, 0.5]], "float64", "float"),
        ([[1, 0]], "float64", "float"),
        ([[True, False]], "float64", "float"),
        (np.array([[1, 0]], dtype=np.uint8), "float64", "float"),
        (np.array([[0.5, 0.5]], dtype=np.float16), "float64", "float"),
        (np.array([[0.5, 0.5]], dtype=np.float32), "float32", "float"),
        ([["1/2", "1/2"]], "object", "rational"),
        ([["0.5", 1]], "object", "rational"),
        ([[Fraction(1, 2), 1]], "object", "rational"),
        ([[Decimal("0.1"), Decimal("0.9")]], "object", "rational"),
        ([[sympy.Rational(1, 3), 0]], "object", "rational"),
        ([[sympy.Integer(1), 0]], "object", "rational"),
        ([[Fraction(1, 2), 0.5]], "float64", "float"),
        ([[sympy.Float("0.5"), 0]], "float64", "float"),
        ([["1/2", 0.5]], "float64", "float"),
        ([[a, 1 - a], [1, 0]], "object", "symbolic"),
        ([[a, 1 - a], ["1/2", 0.5]], "object", "symbolic"),
    ],
)
def test_what_a_person_writes_becomes_one_kind(values: Any, dtype: str, kind: str) -> None:
    numbers = as_numbers(values)
    assert numbers.dtype == np.dtype(dtype)
    assert kind_of(numbers) == kind
    assert numbers.shape == np.shape(np.array(values, dtype=object))


def test_values_survive() -> None:
    assert as_numbers([["1/3", "0.1"]]).tolist() == [[Fraction(1, 3), Fraction(1, 10)]]
    assert as_numbers([["1/2", 0.25]]).tolist() == [[0.5, 0.25]]
    assert as_numbers([[10**30, 1]]).tolist() == [[10**30, 1]]
    assert as_numbers([[Decimal("0.1")]])[0, 0] == Fraction(1, 10)
    assert as_numbers([[sympy.Rational(2, 7)]])[0, 0] == Fraction(2, 7)
    mixed = as_numbers([[a, 0.5]])
    assert mixed[0, 1] == sympy.Rational(1, 2)


def test_a_torch_tensor_is_read() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    assert as_numbers(tensor).tolist() == [[0.5, 0.5]]


def test_the_input_is_copied() -> None:
    mine = np.array([[0.5, 0.5], [0.25, 0.75]])
    chain = Chain(mine)
    mine[0] = [1, 0]
    assert chain.next_token[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "values",
    [
        [["x", "y"]],
        [[None, 1]],
        [["1/0", 1]],
        [["1/2", "nan"]],
        [[1j, 0]],
        "word",
        None,
        {},
        [[object()]],
        [["oops", 0.5]],
        np.array([["2020-01-01"]], dtype="datetime64[D]"),
    ],
)
def test_what_is_no_number_is_refused(values: Any) -> None:
    with pytest.raises(InvalidChain, match=r"^rows: .*"):
        as_numbers(values)


def test_rows_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidChain, match="different lengths"):
        Chain([[0.5, 0.5], [1.0]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, float("nan")], [1, 0]], r"token '1' in state 0 is nan, not a finite number"),
        ([[0.5, 0.5], [float("inf"), 0]], r"token '0' in state 1 is inf, not a finite"),
        ([[1.5, -0.5], [1, 0]], r"token '1' in state 0 is -0\.5, below zero.*softmax"),
        ([["3/2", "-1/2"], [1, 0]], r"token '1' in state 0 is -1/2, below zero"),
        ([[0.5, 0.5], [0.5, 0.6]], r"state 1 sums to 1\.1\d*, where 1 within 1e-12 for float64"),
        ([["1/2", "1/2"], ["1/2", "1/3"]], r"state 1 sums to 5/6, where exactly 1 is needed"),
        ([[0.5, 0.5], [0, 0]], r"the row of state 1 is all zero, so nothing can follow"),
        ([["1/2", "1/2"], [0, "0"]], r"the row of state 1 is all zero"),
        ([[a, 1 - a], [a, a]], r"state 1 sums to 2\*a, where exactly 1"),
        ([[a, 1 - a], [2, -1]], r"token '1' in state 1 is -1, below zero"),
    ],
)
def test_a_bad_row_is_named_with_its_value(rows: Any, message: str) -> None:
    with pytest.raises(InvalidChain, match=message):
        Chain(rows)


def test_the_message_says_what_to_do() -> None:
    with pytest.raises(InvalidChain, match=r"normalize=True to divide each row by its sum"):
        Chain([[2.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InvalidChain, match=r"self-loop"):
        Chain([[0.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_the_tolerance_on_a_sum_is_that_of_the_dtype(dtype: str, tolerance: float) -> None:
    assert SUM_TOLERANCE[np.dtype(dtype)] == tolerance
    for off, fine in ((0.4, True), (-0.4, True), (3.0, False), (-3.0, False)):
        rows = np.array([[0.5, 0.5 + off * tolerance], [0.5, 0.5]], dtype=dtype)
        if fine:
            Chain(rows)
        else:
            with pytest.raises(InvalidChain, match=f"within {tolerance:g} for {dtype}"):
                Chain(rows)


def test_bad_sums_finds_all_of_them() -> None:
    f64 = np.dtype(np.float64)
    assert bad_sums(np.array([1.0, 2.0, np.nan, 1 + 1e-13]), f64).tolist() == [1, 2]
    exact = np.array([Fraction(1), Fraction(1) + Fraction(1, 10**40)], dtype=object)
    assert bad_sums(exact, exact.dtype).tolist() == [1]
    symbols = np.array([a + (1 - a), a + b], dtype=object)
    assert bad_sums(symbols, symbols.dtype).tolist() == [1]


# ---- normalize=True ----


def test_normalize_divides_each_row() -> None:
    chain = Chain([["1", "2"], ["3", "1"]], normalize=True)
    assert chain.next_token.tolist() == [
        [Fraction(1, 3), Fraction(2, 3)],
        [Fraction(3, 4), Fraction(1, 4)],
    ]
    symbolic = Chain([[a, b], [1, 0]], normalize=True)
    assert sympy.simplify(symbolic.next_token[0, 0] - a / (a + b)) == 0


def test_normalize_cannot_mend_an_empty_row_and_says_which() -> None:
    with pytest.raises(InvalidChain, match="the row of state 1 is all zero"):
        Chain([[1.0, 2.0], [0.0, 0.0]], normalize=True)
    with pytest.raises(InvalidChain, match="the row of state 1 is all zero"):
        Chain.from_edges([0, 0], [0, 1], [0, 1], [1.0, 2.0], n_states=2, normalize=True)


def test_normalize_does_not_lose_a_transition_silently() -> None:
    # 1e-300 / 1e300 is no float: the row would lose a transition that it has.
    with pytest.raises(InvalidChain, match="underflow"):
        Chain([[1e-300, 1e300], [1.0, 1.0]], normalize=True)
    with pytest.raises(InvalidChain, match="underflow"):
        Chain.from_edges([0, 0], [0, 1], [0, 0], [1e-300, 1e300], normalize=True)
    kept = Chain([[Fraction(1, 10**300), 10**300], [1, 1]], normalize=True)
    assert kept.n_edges == 4


@pytest.mark.parametrize("normalize", [True, False])
def test_a_sum_that_overflows_is_refused_without_a_warning(normalize: bool) -> None:
    with pytest.raises(InvalidChain, match="sums to inf"):
        Chain([[1e308, 1e308], [1.0, 0.0]], normalize=normalize)


# ---- what float rows mean ----


@given(st.lists(st.floats(0, 1, allow_subnormal=True), min_size=1, max_size=6))
def test_the_rational_of_a_float_is_its_binary_value(values: list[float]) -> None:
    exact = to_rationals(np.array(values))
    assert [Fraction(v) for v in values] == exact.tolist()
    assert all(isinstance(v, Fraction) for v in exact)
    assert to_rationals(exact) is exact


def test_a_float_row_means_the_row_divided_by_its_sum() -> None:
    row = [0.1, 0.2, 0.7 - 3e-13]
    assert sum(map(Fraction, row)) != 1
    chain = Chain.from_matrix([row] * 3)
    total = sum(map(Fraction, row))
    assert chain.exact().next_token[1].tolist() == [Fraction(v) / total for v in row]
    assert chain.next_token[0].tolist() == row  # as given
    expected = [float(Fraction(v) / total) for v in row]
    np.testing.assert_allclose(chain.edges().probability[:3], expected, rtol=1e-15)
    np.testing.assert_allclose(chain.matrix()[0], expected, rtol=1e-15)
    np.testing.assert_allclose(chain.push(np.array([1.0, 0, 0])), expected, rtol=1e-15)
    np.testing.assert_allclose(chain.sparse().toarray()[0], expected, rtol=1e-15)
