"""minGPT's state dicts, written here in its layout, against its forward pass written out."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from fsm_gpt.errors import FileProblem, InvalidArgument, UnsafeFile
from fsm_gpt.extract import extract
from fsm_gpt.gpt.checkpoint import save_model
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPT

V, L, C, LAYERS, HEADS = 5, 4, 12, 2, 3

State = dict[str, torch.Tensor]


def layout(seed: int = 0) -> State:
    """A state dict with the names and shapes of minGPT's model.py, masks included."""
    random = torch.Generator().manual_seed(seed)

    def weights(*shape: int) -> torch.Tensor:
        return 0.5 * torch.randn(shape, generator=random)

    state = {"transformer.wte.weight": weights(V, C), "transformer.wpe.weight": weights(L, C)}
    shapes = {"attn.c_attn": (3 * C, C), "attn.c_proj": (C, C)}
    shapes |= {"mlp.c_fc": (4 * C, C), "mlp.c_proj": (C, 4 * C)}
    for n in range(LAYERS):
        for name in ("ln_1", "ln_2"):
            state[f"transformer.h.{n}.{name}.weight"] = 1 + weights(C)
            state[f"transformer.h.{n}.{name}.bias"] = weights(C)
        for name, shape in shapes.items():
            state[f"transformer.h.{n}.{name}.weight"] = weights(*shape)
            state[f"transformer.h.{n}.{name}.bias"] = weights(shape[0])
        state[f"transformer.h.{n}.attn.bias"] = torch.ones(L, L).tril().view(1, 1, L, L)
    state["transformer.ln_f.weight"] = 1 + weights(C)
    state["transformer.ln_f.bias"] = weights(C)
    state["lm_head.weight"] = weights(V, C)
    return state


def new_gelu(x: torch.Tensor) -> torch.Tensor:
    """minGPT's NewGELU: Hendrycks & Gimpel (2016), section 2."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def forward(state: State, ids: torch.Tensor, heads: int = HEADS) -> torch.Tensor:
    """What minGPT's model computes from these weights."""
    w = {name.removeprefix("transformer."): tensor for name, tensor in state.items()}
    x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (C,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    for n in range(LAYERS):
        qkv = linear(norm(x, f"h.{n}.ln_1"), f"h.{n}.attn.c_attn").split(C, dim=2)
        split = [part.view(*ids.shape, heads, C // heads).transpose(1, 2) for part in qkv]
        y = F.scaled_dot_product_attention(*split, is_causal=True)
        x = x + linear(y.transpose(1, 2).reshape(*ids.shape, C), f"h.{n}.attn.c_proj")
        y = new_gelu(linear(norm(x, f"h.{n}.ln_2"), f"h.{n}.mlp.c_fc"))
        x = x + linear(y, f"h.{n}.mlp.c_proj")
    return norm(x, "ln_f") @ w["lm_head.weight"].T


def written(path: Path, state: Any) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("heads", [1, 3, 6])
def test_it_computes_what_mingpt_computes(tmp_path: Path, heads: int) -> None:
    state = {name: tensor.double() for name, tensor in layout().items()}
    model = load_model(written(tmp_path / "anything.txt", state), n_head=heads)
    assert isinstance(model, GPT)
    ids = torch.cartesian_prod(*[torch.arange(V)] * L)
    torch.testing.assert_close(model(ids), forward(state, ids, heads), rtol=1e-12, atol=1e-12)
    rows = forward(state, ids, heads)[:, -1].softmax(-1)
    for batch in (None, 100):  # by the prefix tree, and context by context
        chain = extract(model, batch=batch)
        assert (torch.from_numpy(chain.next_token.copy()) - rows).abs().max() < 1e-12
    assert not model.config.tied_head
    assert model.config.gelu == "tanh"
    assert model.n_parameters == sum(
        t.numel() for n, t in state.items() if not n.endswith(".attn.bias")
    )
    assert "as given" in model.provenance["heads"]


def test_the_gelu_and_the_head_matter(tmp_path: Path) -> None:
    """With the exact GELU, or with the embedding as the head, the rows would be others."""
    state, ids = layout(), torch.tensor([[0, 1, 2, 3]])
    right = load_model(written(tmp_path / "x", state), n_head=HEADS)(ids)
    other = {**state, "lm_head.weight": state["transformer.wte.weight"]}
    assert (forward(other, ids) - right).abs().max() > 0.1
    assert (F.gelu(ids / 2.0) - new_gelu(ids / 2.0)).abs().max() > 1e-4


def test_it_is_kept_by_our_own_checkpoint(tmp_path: Path) -> None:
    model = load_model(written(tmp_path / "a", layout()), n_head=HEADS, vocabulary=list("abcde"))
    assert isinstance(model, GPT)
    save_model(model, tmp_path / "b")
    again = load_model(tmp_path / "b")
    ids = torch.tensor([[0, 1, 2, 4]])
    assert torch.equal(again(ids), model(ids))
    assert list(again.vocabulary) == list("abcde")


def test_the_number_of_heads_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "x", layout())
    with pytest.raises(InvalidArgument, match=r"do not say.*n_head.*1, 2, 3, 4, 6, 12:"):
        load_model(path)
    for heads in (5, 0, -3, 24, True):
        with pytest.raises(InvalidArgument, match=r"does not divide into .*1, 2, 3, 4, 6, 12:"):
            load_model(path, n_head=heads)


def test_heads_that_are_not_the_models(tmp_path: Path) -> None:
    model = load_model(written(tmp_path / "a", layout()), n_head=3)
    assert isinstance(model, GPT)
    save_model(model, tmp_path / "b")
    assert load_model(tmp_path / "b", n_head=3).context == L
    with pytest.raises(InvalidArgument, match="n_head is 2, and this model has 3 heads"):
        load_model(tmp_path / "b", n_head=2)


def changed(change: Callable[[State], Any]) -> State:
    state = layout()
    change(state)
    return state


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (changed(lambda s: s.pop("transformer.ln_f.bias")), "lacks the weights ln_f.bias"),
        (changed(lambda s: s.pop("transformer.h.0.mlp.c_fc.bias")), "lacks the weights h.0.mlp"),
        (changed(lambda s: s.update(extra=torch.ones(1))), "also has the weights extra"),
        (changed(lambda s: s.pop("transformer.wpe.weight")), "no matrix wpe.weight"),
        (changed(lambda s: s.pop("transformer.wte.weight")), "no matrix wte.weight"),
        ({"tok_emb.weight": torch.ones(3, 4)}, "no matrix wte.weight and no matrix wpe.weight"),
        (changed(lambda s: s.pop("lm_head.weight")), "nanoGPT's weights without"),
        (
            changed(lambda s: s.update({"lm_head.weight": s["transformer.wte.weight"]})),
            "nanoGPT's weights without",
        ),
        (
            changed(
                lambda s: s.update({"transformer.h.0.attn.c_attn.weight": torch.ones(C, 3 * C)})
            ),
            "the other way round, as Hugging Face",
        ),
        (changed(lambda s: s["lm_head.weight"].fill_(torch.nan)), "60 of the 60 weights lm_head"),
        (changed(lambda s: s.update({"lm_head.weight": torch.ones(4, C)})), "have shape"),
        (changed(lambda s: s.update({"lm_head.weight": torch.ones(V, C).int()})), "not floats"),
        (changed(lambda s: s.update({"lm_head.weight": 3})), "not a plain tensor"),
        (
            changed(lambda s: s.update({"lm_head.weight": torch.ones(1).expand(10**7, C)})),
            "its tensors claim",
        ),
    ],
)
def test_what_is_no_mingpt_is_refused(tmp_path: Path, state: State, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as caught:
        load_model(written(tmp_path / "x", state), n_head=HEADS)
    assert "\n" not in str(caught.value)


def test_a_state_dict_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    with pytest.raises(UnsafeFile, match="could run any code"):
        load_model(written(tmp_path / "x", {**layout(), "lm_head.weight": Touch()}), n_head=HEADS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_tenth_is_refused(tmp_path: Path, tenth: int, damage: str) -> None:
    path = written(tmp_path / "x", layout())
    content = bytearray(path.read_bytes())
    first, last = len(content) * tenth // 10, len(content) * (tenth + 1) // 10
    if damage == "cut":
        del content[first:]
    else:
        content[first:last] = bytes(byte ^ 0x55 for byte in content[first:last])
    path.write_bytes(content)
    with pytest.raises(FileProblem):
        load_model(path, n_head=HEADS)


def test_the_published_file_with_renamed_fields(shared_model: Callable[[str], Path]) -> None:
    """Its author calls the sizes seq_length, num_layers, num_heads and dim_embedding."""
    with pytest.raises(FileProblem, match="lacks block_size, n_layer, n_head, n_embd"):
        load_model(shared_model("gpt_by_hand/original.pt"))
