"""Bands and moments on numbers made by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.learning.band import band
from fsm_gpt.learning.moments import moments


def test_a_band_by_hand() -> None:
    """Hyndman & Fan's definition 7: of five values, 1/10 lies at place 0.4."""
    values = np.array([[10.0, 0.0], [20.0, 0.0], [30.0, 1.0], [40.0, 1.0], [50.0, 1.0]])
    found = band("loss", values, (0, 9))
    assert found.median.tolist() == [30.0, 1.0]
    assert found.low.tolist() == [14.0, 0.0]
    assert found.high.tolist() == [46.0, 1.0]
    assert found.n_runs.tolist() == [5, 5]
    assert (found.unit, found.steps, found.quantiles) == ("nats per token", (0, 9), (0.1, 0.9))
    assert "step     9: 1  [0, 1]" in str(found)


@settings(max_examples=50)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_bands_are_numpy_s_quantiles(values: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    found = band("loss", np.array(values)[:, None], (0,), low=low, high=high)
    expected = np.quantile(values, [0.5, low, high])
    got = [found.median[0], found.low[0], found.high[0]]
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_what_is_infinite_or_missing() -> None:
    values = np.array(
        [[1.0, math.nan, math.nan], [math.inf, 2.0, math.nan], [math.inf, 4.0, math.nan]]
    )
    found = band("kl_text", values, (0, 1, 2), low=0.0, high=1.0)
    assert found.low.tolist()[:2] == [1.0, 2.0]
    assert found.median.tolist()[:2] == [math.inf, 3.0]
    assert found.high.tolist()[:2] == [math.inf, 4.0]
    assert all(math.isnan(one[2]) for one in (found.low, found.median, found.high))
    assert found.n_runs.tolist() == [3, 2, 0]


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.5), (0.9, 0.1), (0.0, 1.1), (math.nan, 1)])
def test_no_band(low: float, high: float) -> None:
    with pytest.raises(InvalidArgument, match="is none"):
        band("loss", np.zeros((1, 1)), (0,), low=low, high=high)


#: Distances to the orders 0 to 2: near the unigram, back and forth, at the text.
AWAY = np.array(
    [
        [[0.1, 0.2, 0.5], [0.2, 0.1, 0.3], [0.1, 0.2, 0.3], [0.5, 0.4, 0.0], [0.6, 0.4, 0.0]],
        [[0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.3, 0.3, 0.2], [0.3, 0.2, 0.3], [0.3, 0.2, 0.3]],
    ]
)


def test_moments_by_hand() -> None:
    found = moments(AWAY, (0, 1, 2, 5, 9), ("a", "b"))
    assert found.bigram_step == (1, 5)
    assert found.text_step == (5, 2)
    assert found.first_of_order == ((0, 1, 5), (0, 5, 2))
    assert "than to its unigram: 1 to 5, median 3" in str(found)
    lasting = moments(AWAY, (0, 1, 2, 5, 9), ("a", "b"), lasting=True)
    assert lasting.bigram_step == (5, 5)
    assert lasting.text_step == (5, None)
    assert lasting.first_of_order == ((None, None, 5), (None, 5, None))
    assert "from which on" in str(lasting)
    assert "5, and never in 1 of 2 trainings" in str(lasting)
    assert "never" in str(moments(AWAY[1:, :2], (0, 1), ("b",)))


def test_models_that_are_n_grams_are_nearest_to_them() -> None:
    """A series that is the text's unigram, then its bigram, then its own chain, softened."""
    text = "0010110111000101110011011101010001"
    data = fg.Chain.from_text(text, context=3, end="wrap")

    def lifted(order: int) -> fg.Chain:
        gram = fg.n_gram(data, order).floats().next_token
        rows = np.array([gram[s % len(gram)] for s in range(8)])
        return fg.Chain(0.999 * rows + 0.0005, vocabulary="01", normalize=True)

    found = fg.watch_models([(10 * k, lifted(k)) for k in range(4)], text, end="wrap")
    assert found.number("nearest_order").tolist() == [[0, 1, 2, 3]]
    assert found.errors["nearest_order"] == 0
    assert found.moments().bigram_step == (10,)
    assert found.moments().first_of_order == ((0, 10, 20, 30),)
    assert found.to_order.diagonal(axis1=1, axis2=2).max() < 1e-3
