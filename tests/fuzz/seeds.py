"""Small right files for every reader, made by the package itself or written out by hand."""

from __future__ import annotations

import functools
import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PRISM = {
    "tra": b"3 4\n0 0 0.5\n0 1 1/2\n1 2 1\n2 0 1e0\n",
    "lab": b'0="init" 1="deadlock"\n0: 0\n2: 1\n',
    "sta": b"(s)\n0:(0)\n1:(1)\n2:(2)\n",
    "srew": b'# Reward structure "cost"\n# State rewards\n3 1\n1 2.5\n',
    "trew": b'# Reward structure "cost"\n# Transition rewards\n3 4\n0 1 -3\n',
}
BREAK = b"=====\n"


def _bytes_of(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write(path)
        return path.read_bytes()


@functools.cache
def chains() -> list[bytes]:
    import fsm_gpt as fg

    P = [[0.25, 0.75], [0.5, 0.5]]
    plain = fg.Chain(P, vocabulary="ab")
    some = [
        plain,
        fg.Chain(np.array(P * 2, dtype=np.float32), context=2),
        fg.Chain.from_text("abab ab", context=2),
        fg.Chain.from_matrix([[1, 0, 0], ["1/3", 0, "2/3"], [0, 0, 1]]),
        fg.Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=["x", "<b>"]),
        fg.Chain.from_matrix([[1.0, 0.0], [0.5, 0.5]]),
        plain.with_decoding(fg.TopK(1)),
        plain.with_decoding(fg.Temperature(0.5), fg.TopP(0.9)),
        plain.with_stop("b"),
    ]
    return [_bytes_of(lambda path, chain=chain: fg.save(chain, path)) for chain in some]


#: The files of a store, in the order in which they stand one after the other.
STORE = ("zarr.json", "rows/zarr.json", "rows/c.0.0", "rows/c.1.0")


@functools.cache
def stores() -> list[bytes]:
    import fsm_gpt as fg

    made = []
    for rows in ([[0.25, 0.75], [0.5, 0.5]], np.full((4, 2), 0.5, dtype=np.float32)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.zarr"
            fg.save(fg.Chain(rows, vocabulary="ab"), path)
            found = [path / name for name in STORE]
            made.append(BREAK.join(file.read_bytes() for file in found if file.exists()))
    return made


def as_store(folder: Path, data: bytes) -> Path:
    home = folder / "x.zarr"
    (home / "rows").mkdir(parents=True, exist_ok=True)
    parts = data.split(BREAK)
    for k, name in enumerate(STORE):
        (home / name).unlink(missing_ok=True)
        if k < len(parts):
            (home / name).write_bytes(parts[k])
    return home


def as_forged_store(folder: Path, data: bytes) -> Path:
    """With the checksums that a forger would compute, wherever there is a place for them."""
    import google_crc32c

    from fsm_gpt.io.format import KEY, digest

    parts, sums = data.split(BREAK), []
    for k in range(2, len(parts)):
        inside = parts[k][:-4]
        sums.append(google_crc32c.value(inside))
        parts[k] = inside + sums[-1].to_bytes(4, "little")
    try:
        meta = json.loads(parts[0])
        header = meta["attributes"][KEY]
        header.pop("sha256", None)
        header["chunks"] = [f"{one:08x}" for one in sums]
        header["sha256"] = digest(header, {})
        parts[0] = json.dumps(meta).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return as_store(folder, BREAK.join(parts))


def chain_file(path: Path) -> None:
    path.write_bytes(chains()[0])


@functools.cache
def explorations() -> list[bytes]:
    import fsm_gpt as fg

    found = [
        fg.explore(
            lambda ids: np.zeros((len(ids), 2)), "a", vocabulary="ab", context=3, max_states=most
        )
        for most in (4, 100)
    ]
    return [_bytes_of(lambda path, one=one: fg.save_exploration(one, path)) for one in found]


@functools.cache
def _gpt(**more: Any) -> Any:
    import torch

    from fsm_gpt.gpt.model import GPT, GPTConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GPT(GPTConfig(vocab_size=2, context=2, n_layer=1, n_head=2, n_embd=4, **more))


@functools.cache
def checkpoints() -> list[bytes]:
    from fsm_gpt.gpt import save_model

    return [_bytes_of(lambda path: save_model(_gpt(), path))]


@functools.cache
def archives() -> list[bytes]:
    import torch

    from fsm_gpt.gpt.weights import own_tensors

    sizes = {"vocab_size": 2, "block_size": 2, "n_layer": 1, "n_head": 2, "n_embd": 4}
    weights = {f"transformer.{name}": w for name, w in own_tensors(_gpt()).items()}
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    kept = []
    bias = "transformer.h.0.attn.c_attn.bias" in weights
    mingpt = _gpt(bias=True, norm_bias=True, gelu="tanh", tied_head=False)
    nanogpt = {"model": weights, "model_args": {**sizes, "bias": bias}}
    for content in (nanogpt, own_tensors(mingpt)):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        kept.append(buffer.getvalue())
    return kept


def _pickle_in(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(next(n for n in opened.namelist() if n.endswith("data.pkl")))


def _around(archive: bytes, program: bytes) -> bytes:
    """The archive with another pickle in it, and with checksums that hold."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, program if name.endswith("data.pkl") else old.read(name))
    return out.getvalue()


def archive_pickles() -> list[bytes]:
    return [_pickle_in(archives()[0]), pickle.dumps({"model": {}, "model_args": {}}, 2)]


def as_archive(folder: Path, program: bytes) -> Path:
    (folder / "x").write_bytes(_around(archives()[0], program))
    return folder / "x"


def state_dict_pickles() -> list[bytes]:
    return [_pickle_in(archives()[1])]


def as_state_dict(folder: Path, program: bytes) -> Path:
    (folder / "x").write_bytes(_around(archives()[1], program))
    return folder / "x"


@functools.cache
def llama2c() -> list[bytes]:
    width, hidden, layers, heads, kept, vocabulary, context = sizes = (4, 6, 1, 2, 1, 3, 2)
    head = width // heads
    matrices = 2 * width * width + 2 * width * head * kept + 3 * width * hidden
    norms, table = width * (2 * layers + 1), vocabulary * width
    values = np.linspace(-1, 1, table + layers * matrices + norms, dtype="<f4").tobytes()
    angles = struct.pack(f"<{context * head}f", *[0.0] * (context * head))
    header = struct.pack("<Ii7iB", 0x616B3432, 1, *sizes, 1)
    return [struct.pack("<7i", *sizes) + values + angles, header.ljust(256, b"\0") + values]


@functools.cache
def gguf() -> list[bytes]:
    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    def number(name: str, value: int) -> bytes:
        return text(name) + struct.pack("<II", 4, value)

    tokens = ["<unk>", "a", "<0x0A>"]
    entries = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        number("llama.context_length", 4),
        number("llama.block_count", 1),
        number("llama.embedding_length", 4),
        number("llama.attention.head_count", 2),
        text("tokenizer.ggml.model") + struct.pack("<I", 8) + text("llama"),
        text("tokenizer.ggml.tokens")
        + struct.pack("<IIQ", 9, 8, len(tokens))
        + b"".join(map(text, tokens)),
        text("tokenizer.ggml.scores") + struct.pack("<IIQ3f", 9, 6, 3, 0, 0, 0),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 4, 3, 0, 0)
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries))
    return [start + b"".join(entries) + tensor + bytes(32 + 48)]


def configs() -> list[bytes]:
    some: list[dict[str, Any]] = [
        {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_layer": 12},
        {"model_type": "mistral", "vocab_size": 32000, "max_position_embeddings": 4096}
        | {"sliding_window": 4096, "num_hidden_layers": 32, "layer_types": ["sliding_attention"]},
        {"model_type": "gemma3", "text_config": {"vocab_size": 262144, "head_dim": 256}},
        {"model_type": "mamba", "vocab_size": 100},
        {"is_encoder_decoder": True, "vocab_size": 10, "n_positions": 10},
        {"vocab_size": 10, "n_ctx": 3, "n_positions": 4, "rope_scaling": {"factor": 2.0}},
    ]
    return [json.dumps(config).encode() for config in some]


def model_files() -> list[bytes]:
    return [*checkpoints(), *llama2c(), *gguf()]


GPT2 = {"model_type": "gpt2", "vocab_size": 3, "n_positions": 2, "n_embd": 4, "n_layer": 1}
GPT2 |= {"n_head": 2, "architectures": ["GPT2LMHeadModel"]}


def folder_configs() -> list[bytes]:
    return [json.dumps(GPT2).encode()]


@functools.cache
def folder_weights() -> list[bytes]:
    from safetensors.numpy import save

    C, V, L = 4, 3, 2
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (V, C), "wpe.weight": (L, C)}
    for norm in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        shapes |= {f"{norm}.weight": (C,), f"{norm}.bias": (C,)}
    parts = {"attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C)}
    parts |= {"mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
    for name, shape in parts.items():
        shapes |= {f"h.0.{name}.weight": shape, f"h.0.{name}.bias": shape[1:]}
    rng = np.random.default_rng(0)
    return [save({n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()})]


def folder_indices() -> list[bytes]:
    one = {"metadata": {}, "weight_map": {"wte.weight": "a.safetensors"}}
    return [json.dumps(one).encode()]


def _folder(folder: Path, **files: bytes) -> Path:
    home = folder / "model"
    home.mkdir(exist_ok=True)
    for old in home.iterdir():
        old.unlink()
    for name, data in files.items():
        (home / name.replace("__", ".")).write_bytes(data)
    return home


def as_folder_config(folder: Path, data: bytes) -> Path:
    return _folder(folder, config__json=data, model__safetensors=folder_weights()[0])


def as_folder_weights(folder: Path, data: bytes) -> Path:
    return _folder(folder, config__json=folder_configs()[0], model__safetensors=data)


def as_folder_index(folder: Path, data: bytes) -> Path:
    files = {"config__json": folder_configs()[0], "a__safetensors": folder_weights()[0]}
    return _folder(folder, **files, model__safetensors__index__json=data)


def vocabularies() -> list[bytes]:
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": 3, "content": "<end>", "special": True}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    }
    pieces = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁a", -1.0], ["b", -2.5]]}
    unigram = {"version": "1.0", "decoder": {"type": "Metaspace"}, "model": pieces}
    meta = {"itos": {0: "a", 1: "b"}, "stoi": {"a": 0, "b": 1}, "vocab_size": 2}
    some: list[Any] = [["a", "b"], {"a": 0, "b": 1}, tokenizer, unigram]
    return [json.dumps(one).encode() for one in some] + [
        pickle.dumps(meta, protocol) for protocol in (0, 2, 4)
    ]


def prism() -> list[bytes]:
    return [BREAK.join(PRISM.values()), PRISM["tra"], BREAK.join([PRISM["tra"], PRISM["lab"]])]


def patterns() -> list[bytes]:
    return [
        *(b"a(bc)*", b"[a-c]+\\n?", b"a{2,5}|b", b".*c&a.*", b"a^b", b"[^ab]", b"\\d\\s\\W"),
        *(b"<a> (<bc>|<a>)*", b"[^<a><bc>]{1,2}"),
    ]


def texts() -> list[bytes]:
    return [b"0110\n", "über 中文 ♠\n".encode(), b"\xef\xbb\xbfabc\r\ndef", b"a" * 40]


def rewards() -> list[bytes]:
    return [b"[1, 2]", b'{"a": "1/3"}', b"[[1, 2], [3, 0.5]]", b'["1/2", -1e-3]']


def decodings() -> list[bytes]:
    return [
        *(b"--top-k=2", b"--top-p=0.9 --temperature=1/2", b"--min-p=1/10", b"--greedy="),
        *(b"--temperature=1e-3 --top-k=1", b"--top-p=1e-320"),
    ]


def options() -> list[bytes]:
    return [
        *(b"reward\nchain\n--values\nsurprisal\n--within\n3", b"length\nchain\n--stop\nb"),
        *(
            b"pattern\nchain\na+b\n--within\n3",
            b"path\nchain\n--length\n2",
            b"reach\nchain\n--to\nb",
        ),
    ]
