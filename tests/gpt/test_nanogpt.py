"""nanoGPT's checkpoint, written here in its layout, and everything that can be wrong with one."""

import hashlib
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPTConfig
from fsm_gpt.space import Vocabulary

V, L, C, LAYERS, HEADS = 5, 6, 8, 2, 2


#: A list that holds the same list twice, which holds the same list twice, and so on: small in
#: memory, and endless when printed.
LAUGHS: Any = []
for _ in range(100):
    LAUGHS = [LAUGHS, LAUGHS]


class Touch:
    """Unpickling this runs a function: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def layout(*, bias: bool, rows: int = V, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict with the names and shapes of nanoGPT's model.py, written out by hand."""
    random = torch.Generator().manual_seed(seed)

    def weights(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(shape, generator=random)

    state = {"transformer.wte.weight": weights(rows, C), "transformer.wpe.weight": weights(L, C)}
    shapes = {"attn.c_attn": (3 * C, C), "attn.c_proj": (C, C)}
    shapes |= {"mlp.c_fc": (4 * C, C), "mlp.c_proj": (C, 4 * C)}
    for n in range(LAYERS):
        for name in ("ln_1", "ln_2"):
            state[f"transformer.h.{n}.{name}.weight"] = 1 + weights(C)
        for name, shape in shapes.items():
            state[f"transformer.h.{n}.{name}.weight"] = weights(*shape)
        for name in ("ln_1", "ln_2", *shapes) if bias else ():
            size = shapes[name][0] if name in shapes else C
            state[f"transformer.h.{n}.{name}.bias"] = weights(size)
    state["transformer.ln_f.weight"] = 1 + weights(C)
    if bias:
        state["transformer.ln_f.bias"] = weights(C)
    state["lm_head.weight"] = state["transformer.wte.weight"]
    return state


def forward(state: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """What nanoGPT's model computes from these weights, by way of PyTorch's fused attention."""
    w = {name.removeprefix("transformer."): tensor for name, tensor in state.items()}
    x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (C,), w[f"{name}.weight"], w.get(f"{name}.bias"), 1e-5)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    for n in range(LAYERS):
        qkv = linear(norm(x, f"h.{n}.ln_1"), f"h.{n}.attn.c_attn").split(C, dim=2)
        heads = [part.view(*ids.shape, HEADS, C // HEADS).transpose(1, 2) for part in qkv]
        y = F.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + linear(y.transpose(1, 2).reshape(*ids.shape, C), f"h.{n}.attn.c_proj")
        y = F.gelu(linear(norm(x, f"h.{n}.ln_2"), f"h.{n}.mlp.c_fc"))
        x = x + linear(y, f"h.{n}.mlp.c_proj")
    return norm(x, "ln_f") @ w["lm_head.weight"].T


def checkpoint(*, bias: bool = False, **changes: Any) -> dict[str, Any]:
    """What nanoGPT's train.py saves."""
    rows = changes.pop("rows", V)
    arguments = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": C, "block_size": L}
    arguments |= {"bias": bias, "vocab_size": rows, "dropout": 0.2}
    return {
        "model": layout(bias=bias, rows=rows),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
        "model_args": arguments | changes,
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.5),
        "config": {"out_dir": "out", "device": "cuda"},
    }


def written(path: Path, content: Any) -> Path:
    """A file of torch.save."""
    torch.save(content, path)
    return path


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
@pytest.mark.parametrize("masks", [False, True])
def test_it_computes_what_nanogpt_computes(
    tmp_path: Path, bias: bool, prefix: str, masks: bool
) -> None:
    content = checkpoint(bias=bias)
    state = dict(content["model"])
    if masks:
        for n in range(LAYERS):
            state[f"transformer.h.{n}.attn.bias"] = torch.ones(1, 1, L, L).tril()
            state[f"transformer.h.{n}.attn.masked_bias"] = torch.tensor(-1e4)
    content["model"] = {prefix + name: tensor for name, tensor in state.items()}
    path = written(tmp_path / "ckpt.pt", content)
    model = load_model(path)
    ids = torch.tensor([[0, 1, 2, 3, 4, 0], [4, 4, 1, 0, 2, 3]])
    torch.testing.assert_close(model(ids), forward(state, ids), rtol=1e-5, atol=1e-5)
    assert list(model.vocabulary) == ["0", "1", "2", "3", "4"]
    assert (model.config.bias, model.config.norm_bias) == (bias, bias)
    assert model.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "250 iterations" in model.provenance["weights"]


def test_the_articles_layout_has_biases_in_its_norms_alone(tmp_path: Path) -> None:
    content = checkpoint(bias=False)
    biases = {k: v for k, v in layout(bias=True).items() if ".ln_" in k and k.endswith("bias")}
    content["model"] |= biases
    model = load_model(written(tmp_path / "ckpt.pt", content))
    assert (model.config.bias, model.config.norm_bias) == (False, True)
    ids = torch.tensor([[2, 1, 3]])
    torch.testing.assert_close(model(ids), forward(content["model"], ids), rtol=1e-5, atol=1e-5)


def test_old_files_do_not_state_the_bias(tmp_path: Path) -> None:
    content = checkpoint(bias=True)
    del content["model_args"]["bias"]
    assert load_model(written(tmp_path / "ckpt.pt", content)).config.bias


@pytest.mark.parametrize("missing", ["lm_head.weight", "transformer.wte.weight"])
def test_one_name_of_the_tied_matrix_is_enough(tmp_path: Path, missing: str) -> None:
    content = checkpoint()
    whole = load_model(written(tmp_path / "a.pt", content))
    del content["model"][missing]
    assert torch.equal(load_model(written(tmp_path / "b.pt", content)).wte.weight, whole.wte.weight)


def test_padding_is_left_out(tmp_path: Path) -> None:
    content = checkpoint(rows=64)
    model = load_model(written(tmp_path / "ckpt.pt", content), vocabulary=list("abcde"))
    ids = torch.tensor([[0, 1, 4]])
    expected = forward(content["model"], ids)[..., :5].softmax(-1)
    torch.testing.assert_close(model(ids).softmax(-1), expected, rtol=1e-4, atol=1e-5)
    assert model.config.vocab_size == 5
    assert "59 of the 64 rows" in model.provenance["padding"]


def test_padding_hides_no_contradiction(tmp_path: Path) -> None:
    content = checkpoint(rows=V) | {"model_args": checkpoint(rows=64)["model_args"]}
    with pytest.raises(FileProblem, match=r"wte.weight have shape \(5, 8\)"):
        load_model(written(tmp_path / "ckpt.pt", content), vocabulary=list("abcde"))
    for name in ("transformer.wte.weight", "lm_head.weight"):
        content["model"][name] = torch.tensor(1.0)
    with pytest.raises(FileProblem, match=r"wte.weight have shape \(\)"):
        load_model(written(tmp_path / "ckpt.pt", content), vocabulary=list("abcde"))


@pytest.mark.parametrize(("tokens", "rows"), [(6, 5), (4, 5), (63, 65), (5, 60)])
def test_what_is_no_padding_is_refused(tmp_path: Path, tokens: int, rows: int) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint(rows=rows))
    with pytest.raises(FileProblem, match=f"has {rows} tokens and the vocabulary has {tokens}"):
        load_model(path, vocabulary=Vocabulary.of(tokens))


def test_the_vocabulary_beside_it_is_used(tmp_path: Path) -> None:
    tokens = list("abcd\n")
    meta = {
        "vocab_size": 5,
        "itos": dict(enumerate(tokens)),
        "stoi": {token: i for i, token in enumerate(tokens)},
    }
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(meta))
    path = written(tmp_path / "anything.txt", checkpoint())  # the name does not matter
    assert list(load_model(path).vocabulary) == tokens
    assert list(load_model(path, vocabulary=list("vwxyz")).vocabulary) == list("vwxyz")


def test_float64_weights_stay_float64(tmp_path: Path) -> None:
    content = checkpoint()
    content["model"] = {name: tensor.double() for name, tensor in content["model"].items()}
    assert load_model(written(tmp_path / "ckpt.pt", content)).wte.weight.dtype == torch.float64


def change_state(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """A checkpoint after a change of its weights."""
    content = checkpoint()
    content["model"] = {name: tensor.clone() for name, tensor in content["model"].items()}
    change(content["model"])
    return content


def drop(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The same without some keys."""
    return {key: value for key, value in content.items() if key not in keys}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (checkpoint(n_layer=3), "says 3 layers and its weights have 2"),
        (checkpoint(n_layer=10**9), "n_layer is 1000000000"),
        (checkpoint(n_layer=2**20), "says 1048576 layers"),
        (checkpoint(block_size=7), r"wpe.weight have shape \(6, 8\)"),
        (checkpoint(n_embd=16), "have shape"),
        (checkpoint(n_head=3), "multiple of n_head"),
        (checkpoint(n_head="2"), "gives n_head as a str"),
        (checkpoint(vocab_size=4), r"wte.weight have shape \(5, 8\)"),
        (checkpoint(vocab_size=None), "gives vocab_size as a NoneType"),
        (checkpoint(bias=False) | {"model": layout(bias=True)}, "says bias=False"),
        (checkpoint(bias=True) | {"model": layout(bias=False)}, "says bias=True"),
        (checkpoint(n_layer=LAUGHS), "gives n_layer as a list"),
        (checkpoint() | {"model": {3: 4}}, "a name of type int"),
        (checkpoint() | {"model_args": {}}, "lacks vocab_size, block_size"),
        (drop(checkpoint(), "model"), "and this file has: best_val_loss, config"),
        (drop(checkpoint(), "model_args"), "'model' and 'model_args'"),
        ({}, "this file has: nothing"),
        ([1, 2], "holds a list"),
        (change_state(lambda s: s["lm_head.weight"].add_(1)), "differs from its token embedding"),
        (change_state(lambda s: s.pop("transformer.ln_f.weight")), "lacks the weights ln_f"),
        (change_state(lambda s: s.update(extra=torch.ones(1))), "also has the weights extra"),
        (change_state(lambda s: s.update({"transformer.ln_f.weight": 3})), "not a plain tensor"),
        (
            change_state(lambda s: s["transformer.ln_f.weight"].fill_(torch.nan)),
            "8 of the 8 weights ln_f.weight are infinite or undefined",
        ),
        (
            change_state(
                lambda s: s.update({"transformer.wpe.weight": torch.ones(L, C).to_sparse()})
            ),
            "not a plain tensor",
        ),
        (
            change_state(
                lambda s: s.update({"transformer.wpe.weight": torch.ones(1).expand(10**7, 8)})
            ),
            "its tensors claim",
        ),
        (
            change_state(
                lambda s: s.update({"transformer.wpe.weight": torch.ones(L, C, dtype=torch.int8)})
            ),
            "not floats",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as caught:
        load_model(written(tmp_path / "ckpt.pt", content))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


# ---- hostile and damaged files ----


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint() | {"config": Touch(tmp_path / "ran")})
    with pytest.raises(UnsafeFile, match="could run any code") as caught:
        load_model(path)
    assert not (tmp_path / "ran").exists()
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # no advice to switch the protection off


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ckpt.pt").write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    with pytest.raises(UnsafeFile, match="bare pickle"):
        load_model(tmp_path / "ckpt.pt")
    assert not (tmp_path / "ran").exists()


def repacked(source: Path, target: Path, change: Callable[[bytes], bytes]) -> Path:
    """An archive of torch.save after a change of its pickle."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith("/data.pkl") else data)
    return target


def test_a_pickle_that_never_ends_is_refused(tmp_path: Path) -> None:
    # {t: 0} where t holds the same tuple twice, which holds the same tuple twice, ...:
    # its hash takes 2**60 steps.
    key: Any = ()
    for _ in range(60):
        key = (key, key)
    program = b"\x80\x02}" + pickle.dumps(key, 2)[2:-1] + b"K\x00s."
    path = written(tmp_path / "a.pt", checkpoint())
    with pytest.raises(UnsafeFile, match="take for ever"):
        load_model(repacked(path, tmp_path / "b.pt", lambda _: program))


def test_a_pickle_made_of_laughs_is_harmless(tmp_path: Path) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint() | {"iter_num": LAUGHS, "config": LAUGHS})
    assert load_model(path).provenance["weights"] == "trained elsewhere"


def test_the_bombs_would_go_off(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Touch(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_the_format_before_zip_is_refused(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "ckpt.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UnsafeFile, match=r"before version 1\.6"):
        load_model(tmp_path / "ckpt.pt")


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    source = zipfile.ZipFile(written(tmp_path / "a.pt", checkpoint()))
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(UnsafeFile, match="compressed"):
        load_model(tmp_path / "b.pt")


def test_another_kind_of_zip(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", rows=np.ones(3))
    with pytest.raises(FileProblem, match=r"no data\.pkl"):
        load_model(tmp_path / "rows.npz")


def test_a_pickle_that_is_cut_short_inside_a_whole_archive(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", checkpoint())
    with pytest.raises(FileProblem):
        load_model(repacked(path, tmp_path / "b.pt", lambda program: program[:100]))


def test_a_pickle_that_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", checkpoint())
    with pytest.raises(FileProblem):
        load_model(repacked(path, tmp_path / "b.pt", lambda program: b"."))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello, world\n" * 50, b"cos\nsystem\n."])
def test_a_text_named_pt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ckpt.pt").write_bytes(content)
    with pytest.raises(FileProblem) as caught:
        load_model(tmp_path / "ckpt.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_refused(tmp_path: Path, tenth: int) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(FileProblem):
        load_model(path)


@pytest.mark.parametrize("tenth", range(10))
def test_a_changed_tenth_is_refused(tmp_path: Path, tenth: int) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint())
    content = bytearray(path.read_bytes())
    first, last = len(content) * tenth // 10, len(content) * (tenth + 1) // 10
    content[first:last] = bytes(byte ^ 0x55 for byte in content[first:last])
    path.write_bytes(content)
    with pytest.raises(FileProblem):
        load_model(path)


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "ckpt.pt", checkpoint())
    content = bytearray(path.read_bytes())
    value = layout(bias=False)["transformer.wpe.weight"].numpy().tobytes()
    place = bytes(content).find(value)
    assert place > 0
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileProblem, match="does not match its checksum"):
        load_model(path)


# ---- a model that somebody else trained ----


def test_a_published_model(shared_model: Callable[[str], Path]) -> None:
    vocabulary = shared_model("gpt_by_hand/vocabulary.json")
    model = load_model(shared_model("gpt_by_hand/nanogpt.pt"), vocabulary=str(vocabulary))
    assert model.config == GPTConfig(
        vocab_size=32, context=8, n_layer=2, n_head=2, n_embd=16, bias=False, norm_bias=False
    )
    assert model.vocabulary[2] == "amazing"
    # Its author's validation tokens: mean loss 1.5349 nats, every position of each window of 8.
    tokens = np.fromfile(shared_model("gpt_by_hand/val_tiny_demo_words.bin"), dtype=np.uint16)
    ids = torch.from_numpy(tokens.astype(np.int64))
    windows, following = ids[:-1].unfold(0, 8, 1), ids[1:].unfold(0, 8, 1)
    with torch.no_grad():
        logits = model.double()(windows)
    loss = F.cross_entropy(logits.flatten(0, 1), following.flatten()).item()
    assert loss == pytest.approx(1.5349, abs=5e-5)
