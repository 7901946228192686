"""The entropy rate by sampling: its interval, its curve, and what it refuses."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, Temperature, TopK
from fsm_gpt.errors import (
    Interrupted,
    InvalidArgument,
    InvalidChain,
    InvalidText,
    NotConverged,
    NotDefined,
    StateOutOfRange,
)
from fsm_gpt.explore import explore
from fsm_gpt.sampling import sample_entropy_rate
from tests.strategies import chains

ROWS = [[0.5, 0.5], [0.25, 0.75], [0.9, 0.1], [0.4, 0.6]]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(ROWS, vocabulary="ab")


@pytest.fixture(scope="module")
def found(chain: Chain) -> Any:
    return sample_entropy_rate(chain, n_tokens=1000, seed=3)


def model(ids: Any) -> Any:
    """The same rows as a model of two tokens; one token is taken as if an a stood before it."""
    first = ids[:, -2] if ids.shape[1] > 1 else np.zeros(len(ids), dtype=int)
    return np.log(np.array(ROWS))[2 * first + ids[:, -1]]


# ---- the answer ----


def test_the_interval_holds_the_exact_rate(chain: Chain, found: Any) -> None:
    exact = fg.entropy_rate(chain).bits_per_token
    assert found.low < exact < found.high
    assert found.high - found.low < 0.01
    assert found.perplexity == pytest.approx(2**found.bits_per_token)


def test_the_second_opinions_agree(chain: Chain, found: Any) -> None:
    exact = fg.entropy_rate(chain).bits_per_token
    again = found.regenerative
    assert again.low < exact < again.high
    off = found.surprise_bits_per_token - exact
    assert abs(off) < 5 * found.surprise_standard_error
    # The draw's own noise is not in the entropies of the rows.
    assert found.standard_error < found.surprise_standard_error
    ratio = found.batch_means_standard_error / found.standard_error
    assert 0.5 < ratio < 2


def test_the_curve_is_the_chain_s(chain: Chain) -> None:
    """E[H(row at t)] = sum_s P(state s at t) H(row s), pushed on from the start."""
    found = sample_entropy_rate(chain, streams=400, n_tokens=100, prompts=["aa"])
    entropies = [-sum(p * math.log2(p) for p in row) for row in ROWS]
    x, so_far = np.array([1.0, 0, 0, 0]), 0.0
    curve = found.curve
    assert curve.positions[:4].tolist() == [0, 1, 2, 3]
    for t in range(100):
        so_far += x @ entropies
        for i in np.flatnonzero(curve.positions == t):
            assert abs(curve.bits[i] - x @ entropies) <= 5 * curve.standard_error[i] + 1e-12
            running = curve.running_mean_bits[i] - so_far / (t + 1)
            assert abs(running) <= 5 * curve.running_standard_error[i] + 1e-12
        x = chain.push(x)
    assert curve.standard_error[0] == 0.0  # all begin in one state


@pytest.mark.parametrize("rule", [None, Temperature(0.5), [TopK(2), Temperature(2.0)]])
def test_a_model_has_its_chain_s_rate(chain: Chain, rule: Any) -> None:
    rules = rule if isinstance(rule, list) else [rule] if rule else []
    exact = fg.entropy_rate(chain.with_decoding(*rules)).bits_per_token
    found = sample_entropy_rate(
        model, vocabulary="ab", context=2, decoding=rule, n_tokens=600, seed=1
    )
    assert found.low < exact < found.high
    assert found.provenance["model"] == "model"


def test_greedy_walks_are_certain(chain: Chain) -> None:
    found = sample_entropy_rate(chain, decoding=Greedy(), n_tokens=200)
    assert (found.bits_per_token, found.low, found.high) == (0.0, 0.0, 0.0)
    assert "the interval is a point" in str(found)


def test_prompts_are_what_streams_begin_with(chain: Chain) -> None:
    states = [[0, 1], 3]
    found = sample_entropy_rate(chain, streams=8, n_tokens=100, prompts=states)
    expected = np.mean([-sum(p * math.log2(p) for p in ROWS[s]) for s in (1, 3)])
    assert found.curve.bits[0] == pytest.approx(expected)
    texts = sample_entropy_rate(
        model, vocabulary="ab", context=2, streams=8, n_tokens=100, prompts=["aab", "bb"]
    )
    assert texts.curve.bits[0] == pytest.approx(expected)


def test_a_seed_is_a_result(chain: Chain, found: Any) -> None:
    again = sample_entropy_rate(chain, n_tokens=1000, seed=3)
    assert again.to_dict() == found.to_dict()
    other = sample_entropy_rate(chain, n_tokens=1000, seed=4)
    assert other.bits_per_token != found.bits_per_token


def test_confidence_widens_it(chain: Chain, found: Any) -> None:
    wide = sample_entropy_rate(chain, n_tokens=1000, seed=3, confidence=0.999)
    assert wide.bits_per_token == found.bits_per_token
    # Student's t with 31 degrees of freedom: 3.633 and 2.040 (Abramowitz & Stegun, table 26.10).
    assert (wide.high - wide.low) / (found.high - found.low) == pytest.approx(
        3.633 / 2.040, rel=1e-3
    )


def test_it_explains_itself(found: Any) -> None:
    said = str(found)
    assert "95% interval" in said
    assert "uncertified (sampled: 5 in 100 such intervals miss)" in said
    assert "32 independent replications, Student's t with 31 degrees of freedom" in said
    assert "cycles of" in said
    assert not found.certified
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["error_bound"] == "uncertified"
    assert document["regenerative"]["n_cycles"] > 100
    assert len(document["curve"]["bits"]) == len(document["curve"]["positions"]) <= 200
    assert document["low"] < document["bits_per_token"] < document["high"]
    assert str(found.curve).splitlines()[-1].startswith("       999")


def test_the_interval_stays_where_entropies_can_be() -> None:
    coins = Chain([[0.5, 0.5], [0.5 + 1e-3, 0.5 - 1e-3]])
    found = sample_entropy_rate(coins, n_tokens=100)
    assert 0 <= found.low <= found.high <= 1


def test_progress_and_interruption(chain: Chain) -> None:
    told: list[tuple[int, int]] = []
    sample_entropy_rate(chain, streams=8, n_tokens=100, progress=lambda *now: told.append(now))
    assert told == [(8 * t, 800) for t in range(1, 101)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped by the user"):
        sample_entropy_rate(chain, progress=stop)


def test_what_a_reader_should_know_of_the_streams(chain: Chain) -> None:
    alike = sample_entropy_rate(chain, n_tokens=100, prompts=["ab"])
    assert any("began alike" in note for note in alike.notes)
    apart = sample_entropy_rate(chain, n_tokens=100)
    assert apart.notes == ()
    cold = sample_entropy_rate(
        lambda ids: np.tile([0.0, -5.0], (len(ids), 1)),
        vocabulary="ab",
        context=1,
        decoding=Temperature(0.001),
        n_tokens=100,
    )
    assert any("in 3,200 rows a probability became zero by underflow" in n for n in cold.notes)


@given(chain=st.one_of(chains(), chains(floats=True)), seed=st.integers(0, 99))
def test_every_chain_has_an_interval_or_a_reason(chain: Chain, seed: int) -> None:
    """Reducible, periodic, absorbing ones: nothing else than a number or a refusal."""
    try:
        found = sample_entropy_rate(chain, streams=8, n_tokens=100, seed=seed)
    except NotConverged:
        return
    assert 0 <= found.low <= found.bits_per_token <= found.high <= math.log2(chain.n_tokens) + 1e-9
    json.dumps(found.to_dict(), allow_nan=False)
    assert "nan" not in str(found)


# ---- what it refuses ----


def test_two_closed_classes_have_no_one_rate() -> None:
    apart = Chain.from_matrix(
        [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.1, 0.9], [0, 0, 0.1, 0.9]]
    )
    with pytest.raises(NotConverged, match="different closed classes"):
        sample_entropy_rate(apart, n_tokens=500)
    one = sample_entropy_rate(apart, n_tokens=500, prompts=[0])
    assert one.bits_per_token == pytest.approx(1.0)


def test_streams_in_step_are_one_run() -> None:
    """Entropy 1 and 0 in turn: from one start all streams go through it together."""
    turns = Chain.from_edges([0, 0, 1, 2], [0, 1, 0, 0], [1, 2, 0, 0], [0.5, 0.5, 1.0, 1.0])
    with pytest.raises(NotConverged, match="in step"):
        sample_entropy_rate(turns, prompts=[0], n_tokens=200)
    apart = sample_entropy_rate(turns, n_tokens=200)
    assert apart.low <= 0.5 <= apart.high
    assert apart.high - apart.low < 0.01


BAD = [
    ({"streams": 7}, InvalidArgument, "streams is 7"),
    ({"streams": True}, InvalidArgument, "streams is True"),
    ({"n_tokens": 99}, InvalidArgument, "n_tokens is 99"),
    ({"n_tokens": 1e4}, InvalidArgument, "n_tokens is 10000.0"),
    ({"n_tokens": 2**40}, InvalidArgument, "above the limit"),
    ({"seed": -1}, InvalidArgument, "seed is -1"),
    ({"confidence": 1.0}, InvalidArgument, "confidence is 1.0"),
    ({"confidence": math.nan}, InvalidArgument, "confidence is nan"),
    ({"confidence": "95%"}, InvalidArgument, "confidence is '95%'"),
    ({"decoding": "greedy"}, InvalidArgument, "is no rule"),
    ({"prompts": []}, InvalidArgument, "0 prompts|no prompt"),
    ({"prompts": ["ab"] * 33}, InvalidArgument, "33 prompts and 32 streams"),
]


@pytest.mark.parametrize(("options", "error", "words"), BAD)
def test_bad_questions(chain: Chain, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        sample_entropy_rate(chain, **options)
    with pytest.raises(error, match=words):
        sample_entropy_rate(model, vocabulary="ab", context=2, **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"context": 2}, InvalidArgument, "context is 2, and the subject is a chain"),
        ({"device": "cpu"}, InvalidArgument, "device is 'cpu'"),
        ({"truncate_to": 1}, InvalidArgument, "truncate_to is 1"),
        ({"prompts": ["abc"]}, StateOutOfRange, "no state 'abc'"),
        ({"prompts": [4]}, StateOutOfRange, "4 is not a state id"),
    ],
)
def test_bad_questions_to_a_chain(
    chain: Chain, options: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        sample_entropy_rate(chain, **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, InvalidArgument, "no attribute 'vocabulary'"),
        ({"vocabulary": "ab"}, InvalidArgument, "no attribute 'context'"),
        ({"vocabulary": "ab", "context": 2, "truncate_to": 3}, InvalidArgument, "the model sees 2"),
        ({"vocabulary": "ab", "context": 2, "device": "cpu"}, InvalidArgument, "no PyTorch module"),
        ({"vocabulary": "ab", "context": 2, "prompts": "abx"}, InvalidText, "'x' at position 2"),
        ({"vocabulary": "ab", "context": 2, "prompts": [[2]]}, InvalidArgument, "the entry 2"),
        ({"vocabulary": "abc", "context": 2}, InvalidArgument, "shape"),
    ],
)
def test_bad_questions_to_a_model(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        sample_entropy_rate(model, **options)


def test_a_model_that_gives_no_numbers() -> None:
    with pytest.raises(InvalidChain, match="nan"):
        sample_entropy_rate(lambda ids: np.full((len(ids), 2), np.nan), vocabulary=2, context=1)


def test_symbols_cannot_be_drawn() -> None:
    import sympy

    a = sympy.Symbol("a")
    with pytest.raises(InvalidChain, match="hold symbols"):
        sample_entropy_rate(Chain([[a, 1 - a], [1, 0]]))


# ---- a model that somebody else trained ----


def test_a_published_model(shared_model: Callable[[str], Path]) -> None:
    """The cut to two tokens is enumerable, and its interval has to hold the exact rate."""
    words = shared_model("gpt_by_hand/vocabulary.json")
    gpt = fg.load_model(shared_model("gpt_by_hand/nanogpt.pt"), vocabulary=str(words))
    exact = fg.entropy_rate(fg.extract(gpt, truncate_to=2))
    assert exact.certified
    cut = sample_entropy_rate(gpt, truncate_to=2, n_tokens=1000)
    assert cut.low < exact.bits_per_token < cut.high
    assert cut.high - cut.low < 0.02
    assert any("the last 2 only" in note for note in cut.notes)
    full = sample_entropy_rate(gpt, n_tokens=500)
    error = math.hypot(full.standard_error, full.surprise_standard_error)
    assert abs(full.bits_per_token - full.surprise_bits_per_token) < 5 * error
    assert full.high - full.low < 0.03


def test_a_part_of_a_chain_has_no_long_run() -> None:
    """An absorbing state that stands for what was not looked at would count as no entropy."""

    def model(ids: np.ndarray) -> np.ndarray:
        return np.zeros((len(ids), 3)) + ids[:, :1] / 10

    part = explore(model, ["a"], vocabulary="abc", context=3, max_states=5)
    assert not part.complete
    with pytest.raises(NotDefined, match="a part of a larger one"):
        sample_entropy_rate(part.chain, streams=8, n_tokens=100)
