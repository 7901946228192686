"""What a text costs with fewer tokens in sight, against closed forms and a sum written out."""

import math

import numpy as np
import pytest

from fsm_gpt.cutting import cutting_loss
from fsm_gpt.errors import InvalidArgument, InvalidText
from fsm_gpt.gpt import GPT, GPTConfig


def older(ids):
    """Repeats its first token nine times in ten."""
    return np.log(np.where(np.arange(2) == ids[:, :1], 0.9, 0.1))


def test_a_model_that_needs_both_tokens():
    """On abab... the older token is the next one: -log2 0.9 with both, -log2 0.1 with one."""
    found = cutting_loss(older, "ab" * 50, truncate_to=1, vocabulary="ab", context=2)
    assert found.whole_bits_per_token == pytest.approx(-math.log2(0.9), rel=1e-14)
    assert found.cut_bits_per_token == pytest.approx(-math.log2(0.1), rel=1e-14)
    assert found.loss_bits_per_token == pytest.approx(math.log2(9), rel=1e-13)
    assert found.n_tokens == 98
    assert "uncertified" in str(found)


def test_nothing_is_lost_where_nothing_is_cut():
    found = cutting_loss(older, "abbabaab", truncate_to=2, vocabulary="ab", context=2)
    assert found.loss_bits_per_token == 0


def test_the_same_tokens_are_predicted_by_both():
    """Window by window, the model asked for one at a time."""
    model = GPT(GPTConfig(vocab_size=3, context=4, n_layer=1, n_head=1, n_embd=8), vocabulary="abc")
    ids = np.random.default_rng(0).integers(0, 3, 30)
    found = cutting_loss(model, ids, truncate_to=2)
    import torch

    for seen, bits in ((4, found.whole_bits_per_token), (2, found.cut_bits_per_token)):
        total = 0.0
        for t in range(4, 30):
            with torch.no_grad():
                logits = model(torch.tensor(ids[None, t - seen : t]))[0, -1].double()
            total -= float(torch.log_softmax(logits, 0)[ids[t]]) / math.log(2)
        assert bits == pytest.approx(total / 26, rel=1e-6)
    text = "".join("abc"[i] for i in ids)
    assert cutting_loss(model, text, truncate_to=2).to_dict() == found.to_dict()


def test_a_token_that_cannot_follow_costs_infinitely_much():
    def model(ids):
        return np.where(np.arange(2) == ids[:, -1:], 0.0, -np.inf)

    found = cutting_loss(model, "aab", truncate_to=1, vocabulary="ab", context=1)
    assert found.whole_bits_per_token == math.inf


def test_what_makes_no_sense():
    with pytest.raises(InvalidText, match="needs at least 3"):
        cutting_loss(older, "ab", truncate_to=1, vocabulary="ab", context=2)
    with pytest.raises(InvalidText, match="'c'"):
        cutting_loss(older, "abca", truncate_to=1, vocabulary="ab", context=2)
    with pytest.raises(InvalidArgument, match="neither a string nor a list of token ids"):
        cutting_loss(older, [0, 1, 2, 0], truncate_to=1, vocabulary="ab", context=2)
    with pytest.raises(InvalidArgument, match="context of 3 tokens was asked for"):
        cutting_loss(older, "abab", truncate_to=3, vocabulary="ab", context=2)
