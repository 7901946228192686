"""Transitions kept block by block are those of all rows, decoded afterwards."""

import numpy as np
import pytest

from fsm_gpt.decoding import Greedy, MinP, Temperature, TopK, TopP
from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.extract import extract
from fsm_gpt.markov import communicating_classes, entropy_rate

V, L = 60, 2
#: Too little for 3,600 rows of 60, enough for two tokens of each.
LITTLE = 0.0016


def model(ids):
    """Logits that depend on both tokens; some rows have ties."""
    table = np.random.default_rng(0).integers(0, 41, (V**L, V)) / 2.0
    return table[ids[:, -2] * V + ids[:, -1]]


@pytest.mark.parametrize(
    "decoding", [TopK(2), Greedy(), [Temperature(0.5), TopK(2)], MinP(0.9), TopP(0.05)]
)
def test_the_same_chain(decoding):
    options = {"vocabulary": V, "context": L, "decoding": decoding, "batch": 37}
    whole = extract(model, **options)
    kept = extract(model, **options, max_memory_gib=LITTLE)
    assert whole.is_window
    assert not kept.is_window
    for ours, theirs in zip(kept.raw_edges(), whole.raw_edges(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert kept.tied.tolist() == whole.tied.tolist()
    assert kept.decoding == whole.decoding
    assert kept.notes == whole.notes
    assert kept.context == L
    assert kept.label(61) == whole.label(61)
    ours, theirs = communicating_classes(kept), communicating_classes(whole)
    assert [c.tolist() for c in ours.closed] == [c.tolist() for c in theirs.closed]
    if len(ours.closed) == 1:
        rates = entropy_rate(kept), entropy_rate(whole)
        assert rates[0].bits_per_token == pytest.approx(rates[1].bits_per_token, abs=1e-12)


def test_a_vocabulary_whose_rows_would_not_fit():
    """V = 4,000 and k = 1: 16 million probabilities, and 8,000 transitions."""
    big = 4000

    def follows(ids):
        logits = np.zeros((len(ids), big))
        logits[np.arange(len(ids)), (ids[:, -1] * 7 + 1) % big] = 5
        logits[np.arange(len(ids)), (ids[:, -1] + 1) % big] = 4
        return logits

    chain = extract(
        follows, vocabulary=big, context=1, decoding=TopK(2), max_memory_gib=0.05, batch=500
    )
    assert chain.n_states == big
    assert chain.n_edges == 2 * big
    row = chain.raw_edges().probability[:2]
    assert row.sum() == pytest.approx(1, abs=1e-15)


def test_a_rule_that_keeps_too_many_is_refused_early():
    asked = []

    def counting(ids):
        asked.append(len(ids))
        return model(ids)

    with pytest.raises(StateSpaceTooLarge, match=r"keeps \d+\.\d tokens of the first \d+"):
        extract(
            counting,
            vocabulary=V,
            context=L,
            decoding=TopP(0.999),
            max_memory_gib=LITTLE,
            batch=10,
        )
    assert sum(asked) < 300 < V**L


def test_without_a_rule_nothing_is_sparse():
    with pytest.raises(StateSpaceTooLarge, match=r"60\*\*2 contexts are 3,600 states"):
        extract(model, vocabulary=V, context=L, max_memory_gib=LITTLE / 2)
    with pytest.raises(StateSpaceTooLarge, match="contexts of 1 to 2 tokens"):
        extract(
            model,
            vocabulary=V,
            context=L,
            decoding=TopK(2),
            short_contexts=True,
            max_memory_gib=LITTLE,
        )
