"""Greedy cycles against the greedy map of the whole chain, and how long a sampler stays in one."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Temperature
from fsm_gpt.errors import Interrupted, InvalidArgument, InvalidChain, InvalidText
from fsm_gpt.explore import greedy_cycles
from fsm_gpt.explore.brent import cycle_lengths, tails
from fsm_gpt.explore.escape import escape, odds_of_leaving
from fsm_gpt.extract import extract
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.threads import threads_for
from tests.explore.models import counting, random_model


def walked(successor: list[int], start: int) -> tuple[int, int]:
    """Tail and cycle length by remembering every step."""
    seen: dict[int, int] = {}
    at = start
    while at not in seen:
        seen[at] = len(seen)
        at = successor[at]
    return seen[at], len(seen) - seen[at]


@given(st.integers(1, 70), st.data())
def test_brent_is_right_on_every_map(n: int, data: st.DataObject) -> None:
    successor = data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))
    table = np.arange(n, dtype=np.int32)[:, None]

    def follow(rows: Any) -> Any:
        return np.array(successor, dtype=np.int32)[rows]

    expected = [walked(successor, start) for start in range(n)]
    lengths = cycle_lengths(follow, table, 10 * n + 10)
    assert lengths.tolist() == [length for _, length in expected]
    steps, on = tails(follow, table, lengths, 10 * n + 10)
    assert steps.tolist() == [tail for tail, _ in expected]
    for start, (tail, _) in enumerate(expected):
        at = start
        for _ in range(tail):
            at = successor[at]
        assert on[start, 0] == at
    # The promise: noticed within 3 max(tail + 1, length) steps, and no wrong length before.
    for most in (1, 2, 3, 5, 9, 17, 40):
        found = cycle_lengths(follow, table, most).tolist()
        for length, (tail, true) in zip(found, expected, strict=True):
            assert length in (0, true)
            assert length == true or most < 3 * max(tail + 1, true)


prompts_of = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=1, max_size=6)


@given(
    shape=st.sampled_from([(2, 1), (2, 5), (3, 3), (4, 2)]),
    seed=st.integers(0, 2**32 - 1),
    prompts=prompts_of,
    batch=st.integers(1, 5),
    ties=st.booleans(),
    remember=st.sampled_from([0, 2, 1000]),
)
def test_they_are_those_of_the_greedy_map(
    shape: tuple[int, int],
    seed: int,
    prompts: list[list[int]],
    batch: int,
    ties: bool,
    remember: int,
) -> None:
    V, L = shape
    random = random_model(V, L, seed)

    def model(ids: Any) -> Any:
        return np.round(random(ids)) if ties else random(ids)

    found = greedy_cycles(model, prompts, vocabulary=V, context=L, batch=batch, remember=remember)
    chain = extract(model, vocabulary=V, context=L, short_contexts=True)
    whole = fg.greedy_map(chain)
    starts = [chain.state(prompt[-L:]) for prompt in prompts]
    assert found.tail_tokens.tolist() == whole.tail_steps[starts].tolist()
    assert found.not_closed.tolist() == []
    number_of = {}
    for prompt, start in enumerate(starts):
        cycle = found.cycles[found.cycle_of[prompt]]
        number = int(whole.cycle_of[start])
        states = whole.cycles[number].tolist()
        assert [chain.state(window.tolist()) for window in cycle.windows] == states
        assert cycle.tokens.tolist() == whole.token[states].tolist()
        np.testing.assert_allclose(
            cycle.probabilities, chain.next_token[states, cycle.tokens], rtol=1e-12
        )
        assert cycle.tied == bool(np.isin(states, whole.tied).any())
        assert cycle.shown == whole.emitted(number)
        number_of[number] = cycle
    assert len(number_of) == len(found.cycles)
    counts = [sum(whole.cycle_of[s] == number for s in starts) for number in number_of]
    assert [cycle.n_prompts for cycle in number_of.values()] == counts
    assert sum(cycle.share for cycle in found.cycles) == pytest.approx(1, abs=1e-12)
    sizes = [cycle.n_prompts for cycle in found.cycles]
    assert sizes == sorted(sizes, reverse=True)


def test_a_trained_models_cycles_are_those_of_its_chain() -> None:
    model = GPT(GPTConfig(vocab_size=3, context=5), vocabulary="abc", seed=5).double()
    prompts = ["".join(p) for n in (1, 2, 5) for p in itertools.product("abc", repeat=n)]
    found = greedy_cycles(model, prompts, temperatures=[])
    chain = extract(model, short_contexts=True)
    whole = fg.greedy_map(chain)
    starts = [chain.state(prompt) for prompt in prompts]
    assert found.tail_tokens.tolist() == whole.tail_steps[starts].tolist()
    mine = [tuple(found.cycles[c].windows[0]) for c in found.cycle_of]
    contexts = chain.states.contexts()
    assert contexts is not None
    assert mine == [tuple(contexts[whole.cycles[whole.cycle_of[s]][0]]) for s in starts]


def test_a_cycle_that_does_not_close_is_said_to_be_open() -> None:
    def model(ids: Any) -> Any:
        """A binary counter of 7 bits in unary: it copies the oldest token, so it turns round."""
        return np.eye(2)[ids[:, 0]]

    prompts = [[0, 0, 0, 0, 0, 0, 1], [1] * 7]
    found = greedy_cycles(model, prompts, vocabulary=2, context=7, max_steps=6)
    assert found.cycle_of.tolist() == [-1, 0]
    assert found.tail_tokens.tolist() == [-1, 0]
    assert found.not_closed.tolist() == [0]
    assert "1 of the prompts did not close a cycle within 6 tokens" in str(found)
    assert found.cycles[0].share == 0.5
    closed = greedy_cycles(model, prompts, vocabulary=2, context=7, max_steps=21)
    assert closed.not_closed.tolist() == []
    assert sorted(cycle.length for cycle in closed.cycles) == [1, 7]
    nothing = greedy_cycles(model, prompts[:1], vocabulary=2, context=7, max_steps=1)
    assert nothing.cycles == ()
    assert "no cycle closed" in str(nothing)


def test_the_text_of_a_cycle() -> None:
    def model(ids: Any) -> Any:
        return np.eye(3)[(ids[:, -1] + 1) % 3]

    found = greedy_cycles(model, "to", vocabulary=["to", "be", "or"], context=2)
    (cycle,) = found.cycles
    # From the lowest window on: (0, 1) writes token 2, then 0, then 1.
    assert cycle.windows.tolist() == [[0, 1], [1, 2], [2, 0]]
    assert cycle.text == "or to be"
    assert cycle.length == 3
    assert found.tail_tokens.tolist() == [1]
    assert "100.0% of the prompts end in a cycle of 3 tokens: or to be" in str(found)
    assert found.to_dict()["cycles"][0]["text"] == "or to be"


def test_equal_windows_are_asked_once() -> None:
    model, asked = counting(random_model(2, 4, 3))
    found = greedy_cycles(model, ["0110"] * 1000, vocabulary=2, context=4, temperatures=[])
    assert max(asked) <= max(2, found.cycles[0].length)


# ---- leaving ----


def mean_time_by_first_steps(stays: list[Fraction]) -> Fraction:
    """E[tokens until another one is drawn], from the equations of first steps, exactly."""
    # T_i = 1 + stay_i T_{i+1}, T_n = T_0: T_0 = A + B T_0.
    constant, factor = Fraction(0), Fraction(1)
    for stay in stays:
        constant += factor
        factor *= stay
    return constant / (1 - factor)


@given(st.lists(st.integers(1, 999), min_size=1, max_size=8))
def test_leaving_takes_as_long_as_the_equations_say(thousandths: list[int]) -> None:
    stays = [Fraction(k, 1000) for k in thousandths]
    found = escape(np.array([float((1 - s) / s) for s in stays]), 1.0)
    assert found.mean_tokens == pytest.approx(float(mean_time_by_first_steps(stays)), rel=1e-10)
    stay = math.prod(stays)
    assert found.mean_rounds == pytest.approx(float(1 / (1 - stay)), rel=1e-10)
    assert found.leaving_probability == pytest.approx(float(1 - stay), rel=1e-10)


@given(
    shape=st.sampled_from([(2, 2), (3, 3)]),
    seed=st.integers(0, 2**32 - 1),
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
)
def test_leaving_is_absorption_of_the_tempered_chain(
    shape: tuple[int, int], seed: int, temperature: float
) -> None:
    V, L = shape
    model = random_model(V, L, seed, sharp=1.0)
    found = greedy_cycles(model, [[0]], vocabulary=V, context=L, temperatures=[temperature])
    (cycle,) = found.cycles
    rows = extract(model, vocabulary=V, context=L).with_decoding(Temperature(temperature))
    states = [rows.state(window.tolist()) for window in cycle.windows]
    # A chain of its own: the loop's windows, and one state for "left".
    n = cycle.length
    P = np.zeros((n + 1, n + 1))
    for i, (state, token) in enumerate(zip(states, cycle.tokens, strict=True)):
        P[i, (i + 1) % n] += rows.next_token[state, token]
        P[i, n] = 1 - rows.next_token[state, token]
    P[n, n] = 1
    expected = fg.hitting(Chain.from_matrix(P, normalize=True), n).mean_steps[0]
    assert cycle.escapes[0].mean_tokens == pytest.approx(expected, rel=1e-9)
    assert cycle.escapes[0].temperature == temperature


def test_leaving_at_low_temperature_has_no_cancellation() -> None:
    # Two tokens at 0.9 and 0.1: at T the odds are 9 ** (-1 / T), and 9 ** -50 is 1.9e-48.
    odds = odds_of_leaving(np.array([[0.9, 0.1]]), np.array([0]), 0.02)
    exact = Fraction(1, 9**50)
    assert odds[0] == pytest.approx(float(exact), rel=1e-12)
    found = escape(odds, 0.02)
    assert found.mean_tokens == pytest.approx(float(1 + 1 / exact), rel=1e-12)
    assert math.isinf(escape(np.array([0.0]), 0.001).mean_tokens)
    assert found.error_sentence.startswith("uncertified")


def test_what_is_remembered_is_asked_once_before_the_rows_of_cycles() -> None:
    asked: list[tuple[int, ...]] = []

    def counting(ids: Any) -> Any:
        asked.extend(map(tuple, ids.tolist()))
        return random_model(3, 4, 5)(ids)

    options: dict[str, Any] = {"vocabulary": "abc", "context": 4}
    prompts = ["abca", "bbbb", "cab", "a"]
    plain = greedy_cycles(counting, prompts, **options)
    often = len(asked)
    windows = set(asked)
    asked.clear()
    found = greedy_cycles(counting, prompts, **options, remember=1000)
    assert found.to_dict() == plain.to_dict()
    on_cycles = sum(cycle.length for cycle in found.cycles)
    assert len(asked) == 1 + len(windows) + on_cycles  # a plain function is tried on one window
    assert set(asked) == windows
    assert len(asked) < often


# ---- refusals ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_steps": 0}, "greedy_cycles: max_steps is 0"),
        ({"temperatures": [0.0]}, "temperature 0.0 is not"),
        ({"temperatures": [math.inf]}, "temperature inf is not"),
        ({"temperatures": [math.nan]}, "temperature nan is not"),
        ({"batch": 0}, "greedy_cycles: batch is 0"),
        ({"remember": -1}, "greedy_cycles: remember is -1"),
        ({"device": "cuda"}, "greedy_cycles: device is 'cuda', and the model is no PyTorch"),
        ({"context": None}, "greedy_cycles: the model has no attribute 'context'"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    given_options = {"vocabulary": "abc", "context": 2, **options}
    with pytest.raises(InvalidArgument) as raised:
        greedy_cycles(random_model(3, 2, 0), "a", **given_options)
    assert words in str(raised.value)


def test_bad_prompts_and_models() -> None:
    options: dict[str, Any] = {"vocabulary": "abc", "context": 2}
    with pytest.raises(InvalidText, match="greedy_cycles: prompt 2: the word 'x' cannot be read"):
        greedy_cycles(random_model(3, 2, 0), ["a", "b x"], **options)
    with pytest.raises(InvalidArgument, match="there is no prompt"):
        greedy_cycles(random_model(3, 2, 0), [], **options)
    with pytest.raises(InvalidChain, match=r"^greedy_cycles: after the context a"):
        greedy_cycles(lambda ids: np.full((len(ids), 3), math.nan), "a", **options)


def test_a_model_that_rolls_dice_is_refused() -> None:
    rng = np.random.default_rng(0)

    def dice(ids: Any) -> Any:
        return rng.normal(size=(len(ids), 3))

    def several_times() -> None:  # by chance it may agree with itself
        for _ in range(20):
            greedy_cycles(dice, ["abca", "bca"], vocabulary="abc", context=3)

    with pytest.raises(InvalidArgument, match="did not choose the same token"):
        several_times()


def test_ctrl_c() -> None:
    def press(*now: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="greedy_cycles: stopped by the user"):
        greedy_cycles(random_model(3, 2, 0), "a", vocabulary="abc", context=2, progress=press)


def test_the_loops_of_a_published_model(shared_model: Any) -> None:
    vocabulary = shared_model("gpt_by_hand/vocabulary.json")
    model = fg.load_model(shared_model("gpt_by_hand/nanogpt.pt"), vocabulary=str(vocabulary))
    prompts = ["to be", "hello world", "i love transformers", "once upon a time"]
    found = greedy_cycles(model, prompts)
    assert found.not_closed.tolist() == []
    for prompt, number, tail in zip(prompts, found.cycle_of, found.tail_tokens, strict=True):
        # By writing it out, one token after the other.
        ids = model.vocabulary.encode(prompt).tolist()
        windows = []
        with torch.no_grad(), threads_for(torch, model.n_parameters):
            for _ in range(40):
                windows.append(tuple(ids[-model.context :]))
                ids.append(int(model(torch.tensor([windows[-1]]))[0, -1].argmax()))
        first = next(i for i, w in enumerate(windows) if w in windows[i + 1 :])
        assert tail == first
        length = windows[first + 1 :].index(windows[first]) + 1
        cycle = found.cycles[number]
        assert cycle.length == length
        assert {tuple(w) for w in cycle.windows.tolist()} == set(windows[first : first + length])
