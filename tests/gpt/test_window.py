"""What the state of a model is: its window, recomputed, and not what a rolling cache remembers.

A sampler that keeps keys and values of the last L tokens and never computes them anew is
written out here. In layer 1 a key depends on its own token alone, and with rotary positions
only distances count: a model of one layer does not notice. In layer 2 a key depends on what
its token saw, and that has left the window.
"""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fsm_gpt.gpt.llama import ROPE_BASE, Llama, rotated
from fsm_gpt.headers.llama2c import Llama2cHeader
from fsm_gpt.space import Vocabulary

V, L = 5, 4


def made(layers: int) -> Llama:
    sizes = Llama2cHeader(
        version=1, width=8, hidden=12, layers=layers, heads=2, kv_heads=2, vocab_size=V, context=L
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(layers)
        model = Llama(sizes, vocabulary=Vocabulary.of(V)).double()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.5)
    return model.eval()


@torch.no_grad()
def rolling(model: Llama, ids: list[int]) -> Tensor:
    """The row after some tokens, by a sampler that keeps the last L keys and values: (V,)."""
    d = model.sizes.head_size
    theta = ROPE_BASE ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    kept: list[list[tuple[Tensor, Tensor]]] = [[] for _ in model.layers]
    x = torch.empty(0)
    for position, token in enumerate(ids):
        x = model.tok_embeddings.weight[token]  # (C,)
        for block, cache in zip(model.layers, kept, strict=True):
            attn, y = block.attention, block.attention_norm(x)
            q, k, v = (part(y).view(-1, d) for part in (attn.wq, attn.wk, attn.wv))  # (h, d)
            turn = position * theta[None]
            cache.append((rotated(k[:, None], turn)[:, 0], v))
            del cache[:-L]
            keys, values = (torch.stack(part, dim=1) for part in zip(*cache, strict=True))
            scores = (keys @ rotated(q[:, None], turn).transpose(1, 2))[..., 0] / math.sqrt(d)
            x = x + attn.wo((scores.softmax(-1)[:, None] @ values).flatten())
            y = block.ffn_norm(x)
            ff = block.feed_forward
            x = x + ff.w2(F.silu(ff.w1(y)) * ff.w3(y))
    return torch.as_tensor(model.output(model.norm(x)).softmax(-1))


@torch.no_grad()
def recomputed(model: Llama, ids: list[int]) -> Tensor:
    """The row after the last L tokens, from their first position: (V,)."""
    return torch.as_tensor(model(torch.tensor([ids[-L:]]))[0, -1].softmax(-1))


WINDOW = [3, 1, 4, 1]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("length", range(1, L + 1))
def test_up_to_the_window_a_cache_changes_nothing(layers: int, length: int) -> None:
    model = made(layers)
    torch.testing.assert_close(
        rolling(model, WINDOW[:length]), recomputed(model, WINDOW[:length]), rtol=1e-12, atol=1e-12
    )


def test_past_the_window_a_layer_remembers_nothing_more() -> None:
    model = made(1)
    for past in ([0], [2, 2, 0, 1, 3, 3]):
        expected = recomputed(model, past + WINDOW)
        torch.testing.assert_close(rolling(model, past + WINDOW), expected, rtol=1e-12, atol=1e-12)


def test_past_the_window_two_layers_remember_what_has_left_it() -> None:
    """Two pasts with one window: one state of the chain, and not one state of the sampler."""
    model = made(2)
    a, b = [0, 0, 0, *WINDOW], [2, 2, 2, *WINDOW]
    assert torch.equal(recomputed(model, a), recomputed(model, b))
    assert (rolling(model, a) - rolling(model, b)).abs().max() > 0.01
    assert (rolling(model, a) - recomputed(model, a)).abs().max() > 0.01
