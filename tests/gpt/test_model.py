"""The model against the article's numbers, its own laws, and the same mathematics in numpy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.special import erf

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.gpt.model import GPT, GPTConfig

ARTICLE = GPTConfig(vocab_size=2, context=3)


def filled(config: GPTConfig, seed: int = 0) -> GPT:
    """A float64 model with weights far from their initial values, biases and norms included."""
    model = GPT(config, seed=seed).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.5 * torch.randn(weight.shape, generator=random, dtype=torch.float64)
    return model


def in_numpy(model: GPT, ids: list[int]) -> np.ndarray[Any, Any]:
    """Logits at each position of one context, head by head and position by position."""
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    config = model.config

    def linear(x: Any, name: str) -> Any:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}.weight"] + weights.get(f"{name}.bias", 0.0)

    def attention(x: Any, name: str) -> Any:
        width = config.n_embd // config.n_head
        qkv = linear(x, f"{name}.c_attn")
        out = np.zeros_like(x)
        for head in range(config.n_head):
            here = slice(head * width, (head + 1) * width)
            q, k, v = (
                qkv[:, i * config.n_embd : (i + 1) * config.n_embd][:, here] for i in (0, 1, 2)
            )
            for i in range(len(x)):
                scores = np.array([q[i] @ k[j] / math.sqrt(width) for j in range(i + 1)])
                shares = np.exp(scores) / np.exp(scores).sum()
                out[i, here] = sum(share * v[j] for j, share in enumerate(shares))
        return linear(out, f"{name}.c_proj")

    x = weights["wte.weight"][ids] + weights["wpe.weight"][: len(ids)]
    for n in range(config.n_layer):
        x = x + attention(norm(x, f"h.{n}.ln_1"), f"h.{n}.attn")
        hidden = linear(norm(x, f"h.{n}.ln_2"), f"h.{n}.mlp.c_fc")
        x = x + linear(hidden * (1 + erf(hidden / math.sqrt(2))) / 2, f"h.{n}.mlp.c_proj")
    return np.asarray(norm(x, "ln_f") @ weights["wte.weight"].T)


def test_the_article_counts_its_parameters(article: dict[str, Any]) -> None:
    config = article["config"]
    model = GPT(
        GPTConfig(
            vocab_size=config["vocab_size"],
            context=config["block_size"],
            n_layer=config["n_layer"],
            n_head=config["n_head"],
            n_embd=config["n_embd"],
            bias=config["bias"],
            norm_bias=config["layernorm_bias"],
        )
    )
    assert model.config == ARTICLE
    assert model.n_parameters == config["params"] == 12656


def test_gpt2_has_124_million_parameters() -> None:
    # Radford et al. (2019) released weights of this shape; their number is that of the
    # tensors in the release (https://huggingface.co/openai-community/gpt2): 124,439,808.
    with torch.device("meta"):
        model = GPT(
            GPTConfig(vocab_size=50257, context=1024, n_layer=12, n_head=12, n_embd=768, bias=True)
        )
    assert model.n_parameters == 124_439_808


def test_initial_weights_are_those_of_the_article(article: dict[str, Any]) -> None:
    model = GPT(ARTICLE, seed=1337)
    for context, expected in article["step0"]["probs"].items():
        logits = model(torch.tensor([[int(c) for c in context]]))[0, -1]
        found = logits.double().softmax(-1).tolist()
        assert found == pytest.approx(expected, rel=0, abs=article["tolerances"]["step0_probs"])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("norm_bias", [False, True])
@pytest.mark.parametrize("n_head", [1, 2, 6])
def test_the_same_in_numpy(bias: bool, norm_bias: bool, n_head: int) -> None:
    config = GPTConfig(
        vocab_size=5,
        context=6,
        n_layer=2,
        n_head=n_head,
        n_embd=12,
        bias=bias,
        norm_bias=norm_bias,
    )
    model = filled(config)
    for ids in ([3], [0, 4], [1, 1, 2, 0, 4, 3]):
        logits = model(torch.tensor([ids]))[0].detach().numpy()
        np.testing.assert_allclose(logits, in_numpy(model, ids), rtol=1e-10, atol=1e-10)


@given(
    ids=st.lists(st.integers(0, 4), min_size=6, max_size=6), cut=st.integers(1, 5), data=st.data()
)
def test_no_position_sees_a_later_one(ids: list[int], cut: int, data: st.DataObject) -> None:
    model = filled(GPTConfig(vocab_size=5, context=6, n_layer=2, n_head=2, n_embd=8, bias=True))
    others = data.draw(st.lists(st.integers(0, 4), min_size=6 - cut, max_size=6 - cut))
    whole = model(torch.tensor([ids]))[0]
    changed = model(torch.tensor([ids[:cut] + others]))[0]
    shorter = model(torch.tensor([ids[:cut]]))[0]
    torch.testing.assert_close(whole[:cut], changed[:cut], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(whole[:cut], shorter, rtol=1e-11, atol=1e-11)


def test_the_last_position_sees_the_first() -> None:
    model = filled(GPTConfig(vocab_size=5, context=6, n_layer=1, n_head=2, n_embd=8))
    logits = model(torch.tensor([[0, 1, 1, 1, 1, 1], [4, 1, 1, 1, 1, 1]]))[:, -1]
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_positions_matter() -> None:
    model = filled(GPTConfig(vocab_size=2, context=3, n_layer=1, n_head=2, n_embd=8))
    one, two = (model(torch.tensor([ids]))[0, -1] for ids in ([0], [0, 0]))
    assert (one - two).abs().max() > 1e-3


def test_a_seed_decides_the_weights_and_nothing_else_moves() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (GPT(ARTICLE, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    ids = torch.tensor([[0, 1, 1]])
    assert torch.equal(first(ids), again(ids))
    assert not torch.equal(first(ids), other(ids))


def test_embedding_and_output_are_one_matrix() -> None:
    model = GPT(ARTICLE)
    assert model.wte.weight is model.lm_head.weight


def test_biases_start_at_zero() -> None:
    model = GPT(GPTConfig(vocab_size=2, context=3, bias=True))
    biases = [weight for name, weight in model.named_parameters() if name.endswith("bias")]
    assert len(biases) == 4 * (4 + 2) + 1
    assert all(bool((bias == 0).all()) for bias in biases)


def test_residual_projections_start_smaller() -> None:
    # GPT-2 scales them by 1/sqrt(2 n_layer).
    config = GPTConfig(vocab_size=2, context=3, n_layer=8, n_head=4, n_embd=128)
    model = GPT(config, seed=0)
    block = model.h[0]
    assert block.mlp.c_fc.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert block.mlp.c_proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.02)
    assert block.attn.c_proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.02)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"context": 0}, "context is 0"),
        ({"context": -3}, "context is -3"),
        ({"n_layer": 2.0}, r"n_layer is 2\.0"),
        ({"n_head": True}, "n_head is True"),
        ({"n_embd": 2**40}, "n_embd is"),
        ({"bias": 1}, "bias is 1"),
        ({"norm_bias": "no"}, "norm_bias is 'no'"),
        ({"n_embd": 10}, "multiple of n_head"),
    ],
)
def test_an_impossible_shape_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        GPTConfig(**{"vocab_size": 2, "context": 3, **change})


def test_a_vocabulary_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="3 tokens and vocab_size is 2"):
        GPT(ARTICLE, vocabulary="abc")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="seed -1"):
        GPT(ARTICLE, seed=-1)


@pytest.mark.parametrize("shape", [(1, 4), (1, 0), (3,), (1, 1, 1)])
def test_ids_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArgument, match="reads"):
        GPT(ARTICLE)(torch.zeros(shape, dtype=torch.int64))
