"""Texts of a chain drawn side by side, against one at a time and closed forms."""

import math
from collections import Counter

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, StateOutOfRange
from fsm_gpt.sampling.texts import SampledMean

LOOP = Chain([[0.0, 1.0], [1.0, 0.0]], vocabulary="ab")


def coin(p: float) -> Chain:
    return Chain([[1 - p, p]] * 2, vocabulary="th").with_stop("h")


def test_lengths_are_geometric() -> None:
    found = fg.sample_texts(coin(0.25), 40_000, start="t", seed=3)
    assert found.ended.all()
    counts = Counter(found.lengths.tolist())
    for k in range(6):
        p = 0.25 * 0.75**k
        assert abs(counts[k] / 40_000 - p) < 5 * math.sqrt(p / 40_000)
    assert found.mean(len).mean == found.lengths.mean()
    assert found.mean(len).standard_errors_from(3.0) < 4
    assert set(found.tokens.ravel().tolist()) == {-1, 0}


def test_the_token_that_ends_a_text_is_no_part_of_it() -> None:
    found = fg.sample_texts(coin(1.0), 10, start="t")
    assert found.lengths.tolist() == [0] * 10
    assert found.share_ended().mean == 1
    assert fg.sample_texts(coin(0.5), 10, start="END").lengths.tolist() == [0] * 10


def test_without_an_end_every_text_is_as_long_as_asked() -> None:
    found = fg.sample_texts(LOOP, 3, start="a", most_tokens=5)
    assert [found.chain.vocabulary.decode(row) for row in found.tokens] == ["babab"] * 3
    assert not found.ended.any()
    assert "babab" in str(found)


def test_f_is_asked_once_of_each_text() -> None:
    asked = []
    found = fg.sample_texts(LOOP, 100, start="a", most_tokens=3)
    assert found.mean(lambda text: asked.append(text) or text.count("b")).mean == 2
    assert asked == [("b", "a", "b")]


def test_the_same_seed_gives_the_same_texts() -> None:
    one, same, other = (fg.sample_texts(coin(0.3), 50, start="t", seed=s).tokens for s in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()


def test_intervals_hold_as_often_as_they_say() -> None:
    """200 means of 400 texts; 95% of 200 are 190, and 178 or fewer have a chance of 1e-4."""
    holds = 0
    for seed in range(200):
        found = fg.sample_texts(coin(0.5), 400, start="t", seed=seed).mean(len)
        holds += found.low <= 1 <= found.high
    assert 178 < holds


def test_what_was_never_seen_may_be_rare() -> None:
    """The rule of three: 3 in n, for 95% and a large n (Hanley & Lippman-Hand 1983)."""
    found = fg.sample_texts(LOOP, 1000, start="a", most_tokens=2)
    never = found.mean(lambda text: "c" in text)
    assert (never.mean, never.low) == (0, 0)
    assert never.high == pytest.approx(3 / 1000, rel=0.01)
    always = found.mean(lambda text: "b" in text)
    assert (always.high, always.low) == (1, pytest.approx(1 - 3 / 1000, rel=1e-5))
    assert never.standard_errors_from(0.1) == math.inf
    assert never.standard_errors_from(0.0) == 0


def test_a_standard_error_is_that_of_the_mean() -> None:
    found = fg.sample_texts(coin(0.5), 1000, start="t")
    mean = found.mean(len)
    assert mean.standard_error == pytest.approx(np.std(found.lengths, ddof=1) / math.sqrt(1000))
    assert isinstance(mean, SampledMean)
    assert mean.high - mean.mean == pytest.approx(1.959964 * mean.standard_error, rel=1e-6)
    assert mean.standard_errors_from(mean.mean + 2 * mean.standard_error) == pytest.approx(2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 1}, "number of texts is 1"),
        ({"most_tokens": 0}, "most_tokens"),
        ({"seed": -1}, "seed"),
    ],
)
def test_numbers_that_are_none(options: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.sample_texts(LOOP, **{"n": 10, "start": "a", **options})


def test_questions_that_are_none() -> None:
    found = fg.sample_texts(LOOP, 2, start="a", most_tokens=1)
    with pytest.raises(InvalidArgument, match="of the text 'b' the value is nan"):
        found.mean(lambda text: math.nan)
    with pytest.raises(InvalidArgument, match="the value is 'x'"):
        found.mean(lambda text: "x")
    with pytest.raises(InvalidArgument, match="confidence 1 is not"):
        found.mean(len, confidence=1)
    with pytest.raises(StateOutOfRange):
        fg.sample_texts(LOOP, 2, start="c")
