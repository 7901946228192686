"""What a text costs a chain, against the sum of logarithms in many digits."""

from fractions import Fraction
from math import inf

import mpmath
import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.counts import encode_text, transitions
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.text_surprise import text_surprise


def test_a_fair_coin_costs_a_bit() -> None:
    windows = transitions(encode_text("0110", "01")[0], 1)
    assert text_surprise(Chain([[0.5, 0.5]] * 2), windows)[0] == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_digits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.05] * 3, size=9)
    rows[0] = [1 - 1e-12, 1e-12, 0]
    chain = Chain(rows, normalize=True)
    ids = rng.integers(0, 3, size=60)
    windows = transitions(ids, 2)
    windows = windows[chain.next_token[windows[:, 0] * 3 + windows[:, 1], windows[:, 2]] > 0]
    with mpmath.workdps(40):
        true = mpmath.mpf(0)
        for a, b, t in windows.tolist():
            row = chain.next_token[3 * a + b]
            p = Fraction(float(row[t])) / sum(Fraction(float(x)) for x in row)
            true -= mpmath.log(mpmath.mpf(p.numerator) / p.denominator, 2)
        true /= len(windows)
        mean, error = text_surprise(chain, windows)
        assert abs(mean - true) <= error < 1e-10
    seen, counts = np.unique(windows, axis=0, return_counts=True)
    assert text_surprise(chain, seen, counts)[0] == pytest.approx(mean, rel=1e-13)
    monkeypatch.setattr("fsm_gpt.markov.text_surprise._BLOCK", 6)
    assert text_surprise(chain, seen, counts)[0] == pytest.approx(mean, rel=1e-13)


def test_what_is_ruled_out_costs_everything() -> None:
    assert text_surprise(Chain([[1, 0], [0.5, 0.5]]), np.array([[0, 1]])) == (inf, 0.0)


def test_short_contexts_stand_before_the_windows() -> None:
    rows = [[0.5, 0.5]] * 2 + [[0.25, 0.75]] * 4
    chain = Chain(rows, short_contexts=True)
    assert text_surprise(chain, np.array([[0, 0, 0]]))[0] == 2.0


@pytest.mark.parametrize(
    "chain", [Chain([[0.5, 0.5]] * 2), Chain.from_text("0110", context=2, end="wrap")]
)
def test_other_states_are_refused(chain: Chain) -> None:
    with pytest.raises(InvalidArgument, match="not all contexts"):
        text_surprise(chain, np.array([[0, 0, 1]]))
