"""What every answer shares: frozen, read-only, printable, JSON."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from fsm_gpt.errors import (
    FileProblem,
    FsmGptError,
    Interrupted,
    MissingExtra,
    NotConverged,
    StateSpaceTooLarge,
    UnsafeFile,
)
from fsm_gpt.result import UNCERTIFIED, Bounded, Result, format_number, read_only


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Answer(Result):
    chain: object
    values: np.ndarray
    others: tuple[object, ...] = ()
    _secret: int = 0

    def __str__(self) -> str:
        return "a < b"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Measured(Bounded):
    value: float

    def __str__(self) -> str:
        return f"{self.value}, {self.error_sentence}"


def test_exit_codes_are_those_of_the_command_line() -> None:
    # 0 fine, 1 any other failure, 2 usage, 3 a missing extra, 4 files, 5 too many states,
    # 6 not converged, 130 interrupted
    codes = {
        FsmGptError: 1,
        MissingExtra: 3,
        FileProblem: 4,
        UnsafeFile: 4,
        StateSpaceTooLarge: 5,
        NotConverged: 6,
        Interrupted: 130,
    }
    assert {error: error.exit_code for error in codes} == codes


def test_errors_are_also_the_errors_python_would_raise() -> None:
    import fsm_gpt.errors as errors

    assert issubclass(errors.InvalidChain, ValueError)
    assert issubclass(errors.StateOutOfRange, IndexError)
    assert issubclass(errors.MissingExtra, ImportError)
    assert issubclass(errors.FileProblem, OSError)
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), FsmGptError)


def test_read_only_copies_and_locks() -> None:
    mine = np.array([1.0, 2.0])
    kept = read_only(mine)
    mine[0] = 9.0
    assert kept[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 3.0


def test_a_result_cannot_be_changed() -> None:
    answer = Answer(None, read_only([1.0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.values = read_only([2.0])  # type: ignore[misc]


def test_a_result_prints_itself_and_escapes_html() -> None:
    answer = Answer(None, read_only([1.0]))
    assert repr(answer) == str(answer) == "a < b"
    page = answer._repr_html_()
    assert '<p class="head">a &lt; b</p>' in page
    assert "a < b" not in page


def test_json_of_every_kind_of_value() -> None:
    a = sympy.Symbol("a")
    answer = Answer(
        object(),
        read_only([[1.0, math.inf], [math.nan, -math.inf]]),
        (
            Fraction(1, 3),
            1 - a,
            np.int64(4),
            np.float32(0.5),
            np.bool_(True),
            1 + 2j,
            np.array([Fraction(1, 2)], dtype=object),
            {1: None},
            Measured(0.5, method="m"),
            "text",
        ),
    )
    out = answer.to_dict()
    assert json.loads(json.dumps(out, allow_nan=False)) == out
    assert set(out) == {"values", "others"}  # neither the chain nor private fields
    assert out["values"] == [[1.0, "inf"], ["nan", "-inf"]]
    assert out["others"][:8] == ["1/3", "1 - a", 4, 0.5, True, [1.0, 2.0], ["1/2"], {"1": None}]
    assert out["others"][8]["error_bound"] == "uncertified"
    assert out["others"][9] == "text"


def test_the_bound_in_words() -> None:
    exact = Measured(1.0, method="m", error_bound=0.0)
    proven = Measured(1.0, method="m", error_bound=1e-14)
    assert exact.certified
    assert exact.error_sentence == "exact"
    assert proven.error_sentence == "relative error of every entry at most 1.0e-14, proven"
    unknown = Measured(1.0, method="m", uncertified_because="no theorem")
    assert not unknown.certified
    assert unknown.error_bound == UNCERTIFIED
    assert unknown.error_sentence == "uncertified (no theorem)"
    assert Measured(1.0, method="m").error_sentence == "uncertified"
    assert proven.to_dict()["error_meaning"] == "relative error of every entry"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(2, 5), "2/5"),
        (0.1, "0.1"),
        (np.float64(1 / 3), "0.333333"),
        (1e-300, "1e-300"),
        (3.0, "3"),
        (math.inf, "infinite"),
        (-math.inf, "-infinite"),
        (7, "7"),
    ],
)
def test_format_number(value: object, text: str) -> None:
    assert format_number(value) == text
