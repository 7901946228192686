"""GGUF files, written by the package gguf, read by transformers, and damaged in every way."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from fsm_gpt.errors import FileProblem
from fsm_gpt.extract import extract
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.transformers_model import TransformersModel
from fsm_gpt.headers import read_gguf_header
from fsm_gpt.headers.gguf import _BLOCKS, _SMALLEST

gguf = pytest.importorskip("gguf", reason="needs the extra hf")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")

V, L, C, HIDDEN, LAYERS, HEADS, KV = 5, 3, 16, 24, 2, 4, 2
TOKENS = ["<unk>", "<s>", "</s>", "▁a", "<0x0A>"]


def theirs() -> Any:
    """A Llama of transformers with large random weights."""
    config = transformers.LlamaConfig(
        vocab_size=V,
        hidden_size=C,
        intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV,
        max_position_embeddings=L,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = transformers.LlamaForCausalLM(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.4 * torch.randn_like(weight)
    return model


def written(path: Path, model: Any, *, without: str = "", **changes: Any) -> Path:
    """The model as llama.cpp's converter writes a Llama."""
    writer = gguf.GGUFWriter(path, "llama")
    sizes = {
        "context_length": L,
        "embedding_length": C,
        "block_count": LAYERS,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV,
        "rope.dimension_count": C // HEADS,
        "vocab_size": V,
    } | changes
    for name, size in sizes.items():
        writer.add_uint32(f"llama.{name}", size)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", model.config.rms_norm_eps)
    writer.add_float32("llama.rope.freq_base", 10000.0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * V)
    writer.add_token_types([1] * V)
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for n in range(LAYERS):
        names |= {f"model.layers.{n}.{hf}": f"blk.{n}.{ours}" for hf, ours in parts.items()}
    for hf, ours in names.items():
        if ours == without:
            continue
        array = model.state_dict()[f"{hf}.weight"].numpy()
        if "q_proj" in hf or "k_proj" in hf:
            array = paired(array, KV if "k_proj" in hf else HEADS)
        writer.add_tensor(f"{ours}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def paired(matrix: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows i and i + d/2 of a head, which transformers pairs, become 2i and 2i + 1."""
    halves = matrix.reshape(heads, 2, len(matrix) // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(matrix.shape))


def test_it_gives_the_probabilities_of_the_model_it_was_made_from(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = theirs()
    path = written(tmp_path / "anything.txt", model)
    capfd.readouterr()
    ours = load_model(path)
    assert capfd.readouterr() == ("", "")  # no bar and no remark of the package
    assert isinstance(ours, TransformersModel)
    assert ours.context == L
    assert list(ours.vocabulary) == ["<unk>", "<s>", "</s>", " a", "\n"]
    assert ours.provenance["format"] == "llama, GGUF"
    ids = torch.cartesian_prod(*[torch.arange(V)] * L)
    with torch.no_grad():
        rows = model(input_ids=ids, use_cache=False).logits[:, -1].double().softmax(-1)
    assert rows.std(0).max() > 0.05
    assert abs(extract(ours).next_token - rows.numpy()).max() < 1e-6


def test_the_header_is_read_without_the_package(tmp_path: Path) -> None:
    model = theirs()
    header = read_gguf_header(written(tmp_path / "x", model))
    assert header.architecture == "llama"
    assert header.number("context_length") == L
    assert header.number("nothing") is None
    assert header.metadata["tokenizer.ggml.tokens"] == TOKENS
    assert len(header.shapes) == 3 + 9 * LAYERS
    assert header.n_weights == sum(weight.numel() for weight in model.parameters())


def test_an_end_that_is_missing_is_seen_in_the_header(tmp_path: Path) -> None:
    path = written(tmp_path / "x", theirs())
    data = path.read_bytes()
    read_gguf_header(path)
    path.write_bytes(data[:-32])  # the last tensor ends in at most 31 bytes of padding
    with pytest.raises(FileProblem, match="its tensors claim"):
        read_gguf_header(path)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_refused(tmp_path: Path, tenth: int) -> None:
    path = written(tmp_path / "x", theirs())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenth // 10])
    with pytest.raises(FileProblem) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tenth", range(10))
def test_a_spoiled_tenth_is_refused(tmp_path: Path, tenth: int) -> None:
    path = written(tmp_path / "x", theirs())
    data = path.read_bytes()
    first, last = len(data) * tenth // 10, len(data) * (tenth + 1) // 10
    path.write_bytes(data[:first] + b"\xff" * (last - first) + data[last:])
    with pytest.raises(FileProblem) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"block_count": 3}, "implies|lacks|disagree"),
        ({"block_count": 1}, "says 1 layers and it holds tensors of 2"),
        ({"block_count": 2**30}, "num_hidden_layers as 1,073,741,824"),
        ({"embedding_length": 2**30}, "implies|disagree"),
        ({"feed_forward_length": 12}, "disagree|do not fit"),
        ({"without": "blk.1.attn_q"}, "lacks the weights|implies"),
    ],
)
def test_a_header_that_disagrees_with_the_weights(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(FileProblem, match=said):
        load_model(written(tmp_path / "x", theirs(), **changes))


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


START = b"GGUF" + struct.pack("<I", 3)
HOSTILE = {
    "a terabyte of tensors": START + struct.pack("<QQ", 2**40, 0),
    "a terabyte of entries": START + struct.pack("<QQ", 0, 2**40),
    "a terabyte of text": START + struct.pack("<QQQ", 0, 1, 2**40),
    "a terabyte of numbers": START
    + struct.pack("<QQ", 0, 1)
    + text("a")
    + struct.pack("<IIQ", 9, 0, 2**40),
    "a terabyte of empty texts": START
    + struct.pack("<QQ", 0, 1)
    + text("a")
    + struct.pack("<IIQ", 9, 8, 2**40),
    "lists in lists": START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1),
    "an unknown type": START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<I", 77),
    "a tensor of a terabyte": START
    + struct.pack("<QQ", 1, 0)
    + text("a")
    + struct.pack("<IQIQ", 1, 2**38, 0, 0),
    "a tensor far away": START
    + struct.pack("<QQ", 1, 0)
    + text("a")
    + struct.pack("<IQIQ", 1, 1, 0, 2**40),
    "a tensor of many axes": START
    + struct.pack("<QQ", 1, 0)
    + text("a")
    + struct.pack("<I", 2**31),
    "another version": b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(HOSTILE[name] + b"\0" * 64)
    with pytest.raises(FileProblem, match="header does not hold together") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_the_sizes_of_types_are_the_packages() -> None:
    """GGML_QUANT_SIZES of the package gguf: weights and bytes of a block."""
    for kind, size in gguf.GGML_QUANT_SIZES.items():
        known = _BLOCKS.get(int(kind))
        assert known in (None, size), kind
        if known is None:
            assert size[0] * _SMALLEST[1] <= size[1] * _SMALLEST[0], f"{kind} takes fewer bytes"
    assert set(_BLOCKS) <= {int(kind) for kind in gguf.GGML_QUANT_SIZES}


def test_a_recurrent_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_uint32("mamba.context_length", 2**20)
    writer.add_tensor("token_embd.weight", np.zeros((V, C), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(FileProblem, match="A recurrent model is no window chain"):
        load_model(path)
