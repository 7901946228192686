"""Streams side by side: each draws as one walk does, from the rows that its states have."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.asking import asking
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.extract import extract
from fsm_gpt.sampling.streams import Streams, streams_of_chain, streams_of_model
from fsm_gpt.simulate import draw, simulate
from fsm_gpt.space import Vocabulary
from tests.strategies import chains


def quiet(t: int) -> None:
    """No progress."""


def walked(chain: Chain, starts: list[int], n: int, seed: int = 0) -> Streams:
    return streams_of_chain(chain, np.array(starts), n, np.random.default_rng(seed), quiet)


# ---- the rule ----


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.25, 1e-12, 3.0]), min_size=1, max_size=6).filter(any),
    st.one_of(st.sampled_from([0.0, 1 - 2**-53]), st.floats(0, 1, exclude_max=True)),
)
def test_it_draws_what_one_walk_draws(row: list[float], u: float) -> None:
    """The rule of simulate, which leaves zeros out and looks its place up by bisection."""
    kept = [i for i, weight in enumerate(row) if weight > 0]
    sums = list(accumulate(row[i] for i in kept))
    expected = kept[min(bisect_right(sums, u * sums[-1]), len(kept) - 1)]
    drawn = int(draw(np.array([row]), np.array([u]))[0])
    assert row[drawn] > 0
    if u * sums[-1] < sums[-1]:  # rounded up to it, the last of equal sums is as good as the first
        assert drawn == expected


@given(
    chain=st.one_of(chains(), chains(floats=True)), n=st.integers(1, 30), seed=st.integers(0, 99)
)
def test_a_stream_alone_is_a_walk(chain: Chain, n: int, seed: int) -> None:
    walk = simulate(chain, n, start=0, seed=seed)
    stream = walked(chain, [0], n, seed)
    assert stream.tokens[0].tolist() == walk.tokens.tolist()
    assert stream.states[0].tolist() == walk.states[:-1].tolist()


@given(chain=st.one_of(chains(), chains(floats=True)), seed=st.integers(0, 99))
def test_entropies_and_surprises_are_those_of_the_rows(chain: Chain, seed: int) -> None:
    starts = [k % chain.n_states for k in range(5)]
    stream = walked(chain, starts, 12, seed)
    rows = chain.floats().next_token
    rows = rows / rows.sum(axis=1, keepdims=True)
    for k in range(5):
        assert stream.states[k, 0] == starts[k]
        for t in range(12):
            row = rows[stream.states[k, t]].tolist()
            entropy = -sum(p * math.log2(p) for p in row if p > 0)
            assert stream.entropies[k, t] == pytest.approx(entropy, abs=1e-9)
            surprise = -math.log2(row[stream.tokens[k, t]])
            assert stream.surprises[k, t] == pytest.approx(surprise, abs=1e-9)
    assert stream.label(0, 3) == chain.label(int(stream.states[0, 3]))


# ---- models ----


def table_model(V: int, L: int, seed: int) -> Callable[[Any], Any]:
    """A model whose logits depend on the whole window and on its length."""
    weights = np.random.default_rng(seed).normal(size=(L + 1, L, V, V))

    def model(ids: Any) -> Any:
        size = ids.shape[1]
        assert size <= L
        return 2 * sum(weights[size, i, ids[:, i]] for i in range(size))

    return model


@pytest.mark.parametrize("rules", [(), (TopK(2),)])
def test_a_model_s_streams_are_its_chain_s(rules: Any) -> None:
    model, named = table_model(3, 3, seed=1), Vocabulary.of("abc")
    chain = extract(model, vocabulary=named, context=3, decoding=rules or None)
    starts = [0, 5, 13, 26]
    prompts = [[s // 9, s // 3 % 3, s % 3] for s in starts]
    with asking(model, named) as rows_of:
        mine = streams_of_model(
            rows_of, rules, prompts, named, 3, 60, np.random.default_rng(4), quiet
        )
    theirs = walked(chain, starts, 60, seed=4)
    assert mine.tokens.tolist() == theirs.tokens.tolist()
    np.testing.assert_allclose(mine.entropies, theirs.entropies, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(mine.surprises, theirs.surprises, rtol=1e-12, atol=1e-14)
    same = {}
    for number, state in zip(mine.states.ravel(), theirs.states.ravel(), strict=True):
        assert same.setdefault(int(number), int(state)) == state
    assert len(set(same.values())) == len(same)
    assert mine.label(2, 7) == chain.label(int(theirs.states[2, 7]))


def test_every_window_is_asked_from_its_first_position() -> None:
    """Prompts of different lengths grow to L tokens; then the last L, and never more."""
    asked: list[list[list[int]]] = []
    inner = table_model(2, 4, seed=2)

    def model(ids: Any) -> Any:
        asked.append(ids.tolist())
        return inner(ids)

    named = Vocabulary.of("01")
    prompts = [[1], [0, 1, 1], [1, 0]]
    with asking(model, named) as rows_of:
        found = streams_of_model(rows_of, (), prompts, named, 4, 8, np.random.default_rng(0), quiet)
    texts = [prompt + tokens for prompt, tokens in zip(prompts, found.tokens.tolist(), strict=True)]
    expected = Counter(
        tuple(text[max(0, len(prompt) + t - 4) : len(prompt) + t])
        for text, prompt in zip(texts, prompts, strict=True)
        for t in range(8)
    )
    seen = Counter(tuple(row) for batch in asked for row in batch)
    assert not expected - seen
    assert set(seen) == set(expected)
    assert len({len(window) for window in expected}) == 4
    for k, text in enumerate(texts):
        assert found.label(k, 0) == "".join(map(str, prompts[k]))
        assert found.label(k, 7) == "".join(map(str, text[: len(prompts[k]) + 7][-4:]))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_model_is_asked_for_no_more_than_fits(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    inner, named = table_model(3, 2, seed=5), Vocabulary.of("abc")
    sizes: list[int] = []

    def model(ids: Any) -> Any:
        sizes.append(len(ids))
        return inner(ids)

    prompts = [[0], [1, 2], [2], [0, 0], [1], [1, 1], [2, 0]]

    def drawn() -> list[list[int]]:
        with asking(model, named) as rows_of:
            found = streams_of_model(
                rows_of, (), prompts, named, 2, 9, np.random.default_rng(1), quiet
            )
        return list(found.tokens.tolist())

    whole = drawn()
    assert max(sizes) == 7
    sizes.clear()
    monkeypatch.setattr("fsm_gpt.sampling.streams.BLOCK", most * 2 * 3)
    assert drawn() == whole
    assert max(sizes[-8:]) == most


def test_masks_and_underflow_are_counted() -> None:
    def model(ids: Any) -> Any:
        return np.tile([0.0, -np.inf, -1000.0], (len(ids), 1))

    named = Vocabulary.of("abc")
    with asking(model, named) as rows_of:
        found = streams_of_model(
            rows_of, (), [[0], [2]], named, 2, 5, np.random.default_rng(0), quiet
        )
    assert (found.masked, found.underflowed, found.lost_by_rules) == (10, 10, 0)
    assert (found.tokens == 0).all()
