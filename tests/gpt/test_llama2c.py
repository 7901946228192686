"""llama2.c's files, written here byte by byte, against two other forward passes.

One is written out in numpy from the formulas of the papers, the other is transformers'
LlamaForCausalLM, which pairs other numbers in its rotations, so that rows are permuted.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from fsm_gpt.errors import FileProblem
from fsm_gpt.extract import extract
from fsm_gpt.gpt.llama import Llama
from fsm_gpt.gpt.load import load_model
from fsm_gpt.headers import kind_of, read_llama2c_header

V, L, C, HIDDEN, LAYERS, HEADS, KV = 5, 3, 16, 12, 2, 4, 2
D = C // HEADS  # 4: with 2, the one pair would not show which numbers are one

Floats = npt.NDArray[np.float64]
Weights = dict[str, Floats]


def weights(*, tied: bool = True, seed: int = 0) -> Weights:
    """Weights by llama2.c's names, each exactly a float32."""
    random = np.random.default_rng(seed)
    shapes = {"tok_embeddings": (V, C), "norm": (C,)} | ({} if tied else {"output": (V, C)})
    for n in range(LAYERS):
        shapes |= {
            f"layers.{n}.attention_norm": (C,),
            f"layers.{n}.wq": (C, C),
            f"layers.{n}.wk": (KV * D, C),
            f"layers.{n}.wv": (KV * D, C),
            f"layers.{n}.wo": (C, C),
            f"layers.{n}.ffn_norm": (C,),
            f"layers.{n}.w1": (HIDDEN, C),
            f"layers.{n}.w2": (C, HIDDEN),
            f"layers.{n}.w3": (HIDDEN, C),
        }
    return {
        name: random.normal(1.0 if "norm" in name else 0.0, 0.35, shape).astype("f4").astype("f8")
        for name, shape in shapes.items()
    }


def content(version: int, w: Weights, *, tied: bool = True, group: int = 4) -> bytes:
    """A file as export.py's legacy_export, version1_export and version2_export write it."""
    sizes = [C, HIDDEN, LAYERS, HEADS, KV, V, L]
    layers = range(LAYERS)

    def f4(*names: str) -> bytes:
        return b"".join(w[name].astype("<f4").tobytes() for name in names)

    def q80(*names: str) -> bytes:
        data = b""
        for name in names:
            codes, scales = quantised(w[name], group)
            data += codes.tobytes() + scales.astype("<f4").tobytes()
        return data

    def each(*parts: str) -> list[str]:
        return [f"layers.{n}.{part}" for part in parts for n in layers]

    output = [] if tied else ["output"]
    if version == 0:
        sizes[5] = V if tied else -V
        angles = np.outer(np.arange(L), 10_000.0 ** (-np.arange(0, D, 2) / D))
        turns = np.cos(angles).astype("<f4").tobytes() + np.sin(angles).astype("<f4").tobytes()
        matrices = each("attention_norm", "wq", "wk", "wv", "wo", "ffn_norm", "w1", "w2", "w3")
        return (
            struct.pack("<7i", *sizes)
            + f4("tok_embeddings", *matrices, "norm")
            + turns
            + f4(*output)
        )
    header = struct.pack("<Ii7iB", 0x616B3432, version, *sizes, tied)
    if version == 2:
        header += struct.pack("<i", group)
    norms = f4(*each("attention_norm", "ffn_norm"), "norm")
    names = ["tok_embeddings", *each("wq", "wk", "wv", "wo", "w1", "w2", "w3"), *output]
    return header.ljust(256, b"\0") + norms + (f4(*names) if version == 1 else q80(*names))


def quantised(matrix: Floats, group: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Q8_0: each group is its largest number divided into 127 steps."""
    groups = matrix.reshape(-1, group)
    scales = (np.abs(groups).max(1) / 127).astype("f4").astype("f8")
    return np.rint(groups / scales[:, None]).astype("i1"), scales


def rounded(w: Weights, group: int) -> Weights:
    """The weights that a file of version 2 stands for."""
    return {
        name: matrix
        if matrix.ndim == 1
        else np.multiply(
            quantised(matrix, group)[0], quantised(matrix, group)[1][:, None], dtype="f4"
        )
        .astype("f8")
        .reshape(matrix.shape)
        for name, matrix in w.items()
    }


def rows_by_formulas(w: Weights) -> Floats:
    """The next-token rows of all contexts of L tokens, one position of one context at a time."""
    return np.array([_row(w, ids) for ids in np.ndindex(*[V] * L)])


def _norm(x: Floats, g: Floats) -> Floats:
    return np.asarray(g * x / np.sqrt(np.mean(x * x) + 1e-5))  # Zhang & Sennrich (2019), (4)


def _turned(x: Floats, position: int) -> Floats:
    """Su et al. (2021), (34): pair i as a complex number, times exp(1j position theta_i)."""
    theta = 10_000.0 ** (-2 * np.arange(D // 2) / D)
    z = (x[0::2] + 1j * x[1::2]) * np.exp(1j * position * theta)
    return np.stack([z.real, z.imag], axis=1).ravel()


def _row(w: Weights, ids: tuple[int, ...]) -> Floats:
    xs = [w["tok_embeddings"][i] for i in ids]
    for n in range(LAYERS):
        p = f"layers.{n}."
        normed = [_norm(x, w[p + "attention_norm"]) for x in xs]
        out = []
        for t in range(len(xs)):
            heads = []
            for h in range(HEADS):
                kv = h // (HEADS // KV)  # Ainslie et al. (2023): heads in groups
                mine, theirs = slice(h * D, h * D + D), slice(kv * D, kv * D + D)
                q = _turned((w[p + "wq"] @ normed[t])[mine], t)
                k = [_turned((w[p + "wk"] @ normed[s])[theirs], s) for s in range(t + 1)]
                v = [(w[p + "wv"] @ normed[s])[theirs] for s in range(t + 1)]
                a = np.exp([q @ k_s / np.sqrt(D) for k_s in k])
                heads.append(sum(a_s * v_s for a_s, v_s in zip(a / a.sum(), v, strict=True)))
            out.append(xs[t] + w[p + "wo"] @ np.concatenate(heads))
        xs = []
        for x in out:
            y = _norm(x, w[p + "ffn_norm"])
            gate = w[p + "w1"] @ y
            swish = gate / (1 + np.exp(-gate))
            xs.append(x + w[p + "w2"] @ (swish * (w[p + "w3"] @ y)))  # Shazeer (2020), (6)
    logits = w.get("output", w["tok_embeddings"]) @ _norm(xs[-1], w["norm"])
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum())


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "anything.txt"  # the name does not matter
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_it_computes_what_the_formulas_say(tmp_path: Path, version: int, tied: bool) -> None:
    w = weights(tied=tied)
    model = load_model(written(tmp_path, content(version, w, tied=tied)))
    assert isinstance(model, Llama)
    assert model.context == L
    assert list(model.vocabulary) == ["0", "1", "2", "3", "4"]
    assert model.n_parameters == sum(matrix.size for matrix in w.values())
    assert read_llama2c_header(tmp_path / "anything.txt").n_parameters == model.n_parameters
    expected = rows_by_formulas(rounded(w, 4) if version == 2 else w)
    assert np.ptp(expected, axis=0).max() > 0.2, "these rows hardly differ"
    assert abs(extract(model.double()).next_token - expected).max() < 1e-12


def test_shorter_contexts_stand_at_the_first_positions(tmp_path: Path) -> None:
    w = weights()
    model = load_model(written(tmp_path, content(1, w))).double()
    chain = extract(model, short_contexts=True)
    for ids in [(3,), (0, 4)]:
        row = chain.next_token[chain.states.find(ids)]
        assert abs(row - _row(w, ids)).max() < 1e-12


@pytest.mark.parametrize("tied", [True, False])
def test_it_computes_what_transformers_computes(tmp_path: Path, tied: bool) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra hf")
    w = weights(tied=tied)

    def permuted(matrix: Floats, heads: int) -> Floats:
        """Rows 2i and 2i + 1 of a head become i and i + d/2, which transformers pairs."""
        return matrix.reshape(heads, D // 2, 2, C).swapaxes(1, 2).reshape(matrix.shape)

    state: dict[str, Any] = {
        "model.embed_tokens.weight": w["tok_embeddings"],
        "model.norm.weight": w["norm"],
        "lm_head.weight": w.get("output", w["tok_embeddings"]),
    }
    for n in range(LAYERS):
        ours, theirs = f"layers.{n}.", f"model.layers.{n}."
        state |= {
            theirs + "input_layernorm.weight": w[ours + "attention_norm"],
            theirs + "post_attention_layernorm.weight": w[ours + "ffn_norm"],
            theirs + "self_attn.q_proj.weight": permuted(w[ours + "wq"], HEADS),
            theirs + "self_attn.k_proj.weight": permuted(w[ours + "wk"], KV),
            theirs + "self_attn.v_proj.weight": w[ours + "wv"],
            theirs + "self_attn.o_proj.weight": w[ours + "wo"],
            theirs + "mlp.gate_proj.weight": w[ours + "w1"],
            theirs + "mlp.down_proj.weight": w[ours + "w2"],
            theirs + "mlp.up_proj.weight": w[ours + "w3"],
        }
    config = transformers.LlamaConfig(
        vocab_size=V,
        hidden_size=C,
        intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV,
        max_position_embeddings=L,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
    )
    llama = transformers.LlamaForCausalLM(config).eval()
    llama.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    ids = torch.cartesian_prod(*[torch.arange(V)] * L)
    with torch.no_grad():
        rows = llama(input_ids=ids, use_cache=False).logits[:, -1].double().softmax(-1)
    ours = extract(load_model(written(tmp_path, content(1, w, tied=tied)))).next_token
    assert abs(ours - rows.numpy()).max() < 1e-6


def test_the_vocabulary_must_fit(tmp_path: Path) -> None:
    path = written(tmp_path, content(1, weights()))
    assert list(load_model(path, vocabulary=list("abcde")).vocabulary) == list("abcde")
    with pytest.raises(FileProblem, match="has 5 tokens and the vocabulary has 4"):
        load_model(path, vocabulary=list("abcd"))


def test_a_width_of_128_is_no_pickle(tmp_path: Path) -> None:
    """Its first byte is 0x80, with which pickles begin."""
    start = struct.pack("<7i", 128, 8, 1, 2, 2, -5, 4)
    assert start[0] == 0x80
    assert kind_of(start, 10**6) == "llama2c"
    with pytest.raises(FileProblem, match=r"imply .* bytes \(llama2\.c, version 0\)"):
        load_model(written(tmp_path, start + b"\0" * 1000))


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_refused(tmp_path: Path, version: int, tenth: int) -> None:
    data = content(version, weights())
    with pytest.raises(FileProblem) as caught:
        load_model(written(tmp_path, data[: len(data) * tenth // 10]))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileProblem):
        load_model(written(tmp_path, data + b"\0"))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_tenth_of_ones_is_refused(tmp_path: Path, version: int) -> None:
    """Floats of 0xff bytes are NaN; int8 codes of them are numbers, but the scales are NaN."""
    data = content(version, weights())
    for tenth in range(10):
        first, last = len(data) * tenth // 10, len(data) * (tenth + 1) // 10
        spoiled = data[:first] + b"\xff" * (last - first) + data[last:]
        with pytest.raises(FileProblem):
            load_model(written(tmp_path, spoiled))


@pytest.mark.parametrize("field", range(7))
@pytest.mark.parametrize("value", [0, -(2**31), 2**31 - 1, 3, 2**20])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_size_that_is_another(tmp_path: Path, version: int, field: int, value: int) -> None:
    data = bytearray(content(version, weights()))
    place = 4 * field + (8 if version else 0)
    unseen = version > 0 and field == 6 and value > 0  # no other number depends on the context
    if struct.unpack_from("<i", data, place)[0] != value and not unseen:
        struct.pack_into("<i", data, place, value)
        with pytest.raises(FileProblem) as caught:
            load_model(written(tmp_path, bytes(data)))
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_header_that_claims_a_terabyte(tmp_path: Path, version: int) -> None:
    sizes = [2**14, 2**16, 200, 64, 64, 2**17, 2**14]
    data = struct.pack("<7i", *sizes)
    if version:
        data = (
            struct.pack("<Ii", 0x616B3432, version) + data + b"\1" + struct.pack("<i", 64)
        ).ljust(256, b"\0")
    with pytest.raises(FileProblem, match=r"imply [\d,]{15,} bytes"):
        load_model(written(tmp_path, data + b"\0" * 1000))


@pytest.mark.parametrize("version", [3, -1, 0, 2**30])
def test_another_version(tmp_path: Path, version: int) -> None:
    data = bytearray(content(1, weights()))
    struct.pack_into("<i", data, 4, version)
    with pytest.raises(FileProblem, match=f"of version {version}"):
        load_model(written(tmp_path, bytes(data)))


def test_groups_that_do_not_divide(tmp_path: Path) -> None:
    for group in (0, -4, 3, 32):
        data = bytearray(content(2, weights()))
        struct.pack_into("<i", data, 37, group)
        with pytest.raises(FileProblem, match=f"groups of {group}"):
            load_model(written(tmp_path, bytes(data)))
