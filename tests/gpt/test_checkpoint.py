"""The project's own checkpoint: it comes back as it was, and damage is always noticed."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import safetensors.torch
import torch

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.gpt.checkpoint import KEY, _digest, save_model
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.train import train

SMALL = GPTConfig(vocab_size=2, context=3, n_layer=1, n_head=2, n_embd=4)
IDS = torch.tensor([[0, 1, 1], [1, 0, 0]])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small model's file."""
    path = tmp_path / "model.safetensors"
    save_model(GPT(SMALL, vocabulary="ab", seed=3), path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> Path:
    """The file after a change of its contents, with a checksum that fits again."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][KEY])
    tensors = safetensors.torch.load(content)
    del about["sha256"]
    change(about, tensors)
    about["sha256"] = _digest(about, tensors)
    path.write_bytes(safetensors.torch.save(tensors, metadata={KEY: json.dumps(about)}))
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("norm_bias", [False, True])
def test_a_model_comes_back(
    tmp_path: Path, dtype: torch.dtype, bias: bool, norm_bias: bool
) -> None:
    config = GPTConfig(
        vocab_size=3, context=5, n_layer=2, n_head=2, n_embd=8, bias=bias, norm_bias=norm_bias
    )
    model = GPT(config, vocabulary=["x", "\n", "ü"], seed=4).to(dtype)
    save_model(model, tmp_path / "m")
    found = load_model(tmp_path / "m")
    assert found.config == config
    assert found.vocabulary == model.vocabulary
    assert not found.training
    for name, weight in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight), name
        assert found.state_dict()[name].dtype == dtype
    assert torch.equal(found(IDS), model(IDS))
    assert found.wte.weight is found.lm_head.weight


@pytest.mark.parametrize("gelu", ["exact", "tanh"])
@pytest.mark.parametrize("tied_head", [True, False])
def test_the_variants_of_mingpt_and_gpt2_come_back(
    tmp_path: Path, gelu: Literal["exact", "tanh"], tied_head: bool
) -> None:
    config = replace(SMALL, gelu=gelu, tied_head=tied_head)
    model = GPT(config, seed=5)
    save_model(model, tmp_path / "m")
    found = load_model(tmp_path / "m")
    assert isinstance(found, GPT)
    assert found.config == config
    assert torch.equal(found(IDS), model(IDS))
    assert (found.wte.weight is found.lm_head.weight) is tied_head
    assert torch.equal(found.wte.weight, found.lm_head.weight) is tied_head


def test_files_from_before_the_variants_are_read(saved: Path) -> None:
    def forget(about: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        del about["config"]["gelu"], about["config"]["tied_head"]

    before = load_model(saved)(IDS)
    assert torch.equal(load_model(rewritten(saved, forget))(IDS), before)


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    model = GPT(SMALL).half()
    save_model(model, tmp_path / "m")
    found = load_model(tmp_path / "m")
    assert found.wte.weight.dtype == torch.float32
    assert torch.equal(found.wte.weight, model.wte.weight.float())


def test_provenance_is_kept_and_the_file_named(tmp_path: Path) -> None:
    run = train("1101101", context=2, steps=1, n_layer=1, n_head=1, n_embd=4)
    path = tmp_path / "m"
    save_model(run.model, path)
    found = load_model(path).provenance
    assert found["weights"] == run.model.provenance["weights"]
    assert found["file"] == "m"
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_one_model_makes_one_file(tmp_path: Path) -> None:
    for name in "ab":
        save_model(GPT(SMALL, seed=9), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_is_plain_safetensors(saved: Path) -> None:
    tensors = safetensors.torch.load_file(saved)
    assert sum(tensor.numel() for tensor in tensors.values()) == GPT(SMALL).n_parameters


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_is_refused(saved: Path, tenth: int) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(FileProblem) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_any_changed_byte_is_noticed(saved: Path) -> None:
    content = saved.read_bytes()
    for place in [*range(64), *range(64, len(content), 37)]:
        damaged = bytearray(content)
        damaged[place] ^= 1
        saved.write_bytes(damaged)
        with pytest.raises(FileProblem) as caught:
            load_model(saved)
        assert "\n" not in str(caught.value)


def test_zeros_are_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(bytes(5000))
    with pytest.raises(FileProblem, match="neither a PyTorch archive nor safetensors"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda about, _: about["config"].update(n_layer=2),
            "says 2 layers and its weights have 1",
        ),
        (lambda about, _: about["config"].update(n_layer=10**6), "1000000 layers"),
        (lambda about, _: about["config"].update(n_embd=8), "have shape"),
        (lambda about, _: about["config"].update(n_embd=5), "makes no sense"),
        (lambda about, _: about["config"].update(context=4), r"wpe.weight have shape \(3, 4\)"),
        (lambda about, _: about["config"].update(bias=True), "lacks the weights h.0.attn"),
        (lambda about, _: about["config"].update(norm_bias=False), "also has the weights h.0.ln_1"),
        (lambda about, _: about["config"].update(colour="red"), "makes no sense"),
        (lambda about, _: about.update(config=None), "makes no sense"),
        (lambda about, _: about.update(provenance=[]), "makes no sense"),
        (lambda about, _: about.update(vocabulary=["a", "a"]), "makes no sense"),
        (lambda about, _: about.update(vocabulary=["a"]), "has 2 tokens and the vocabulary has 1"),
        (lambda about, _: about.update(format=99), "format 99"),
        (lambda about, _: about.pop("format"), "cannot be read"),
        (lambda _, tensors: tensors.pop("ln_f.weight"), "lacks the weights ln_f.weight"),
        (lambda _, tensors: tensors["wte.weight"].__setitem__((0, 0), torch.nan), "NaN"),
        (lambda _, tensors: tensors["wpe.weight"].fill_(torch.inf), "12 of the 12 weights wpe"),
        (lambda _, tensors: tensors.update({"ln_f.bias": torch.ones(4, dtype=int)}), "not floats"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(saved: Path, change: Any, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as caught:
        load_model(rewritten(saved, change))
    assert caught.value.exit_code == 4


def test_an_unchanged_file_passes(saved: Path) -> None:
    assert list(load_model(rewritten(saved, lambda about, tensors: None)).vocabulary) == ["a", "b"]


def test_safetensors_of_another_kind(tmp_path: Path) -> None:
    safetensors.torch.save_file({"w": torch.ones(2)}, tmp_path / "m")
    with pytest.raises(FileProblem, match="without the configuration and vocabulary"):
        load_model(tmp_path / "m")


def test_a_vocabulary_may_be_given_instead(saved: Path, tmp_path: Path) -> None:
    assert list(load_model(saved, vocabulary=["yes", "no"]).vocabulary) == ["yes", "no"]
    (tmp_path / "v.json").write_text('["so", "not"]')
    assert list(load_model(saved, vocabulary=tmp_path / "v.json").vocabulary) == ["so", "not"]
    with pytest.raises(FileProblem, match="vocabulary has 3"):
        load_model(saved, vocabulary=["a", "b", "c"])


@pytest.mark.parametrize(
    ("path", "said"), [("none", "no such file"), (".", "folder"), ("a\0b", "null")]
)
def test_a_path_that_cannot_be_read(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said):
        load_model(os.fspath(tmp_path) + "/" + path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileProblem, match="pipe or a device"):
        load_model(tmp_path / "pipe")


def test_a_vocabulary_that_is_no_file(saved: Path) -> None:
    with pytest.raises(FileProblem, match="it is a folder"):
        load_model(saved, vocabulary=str(saved.parent))
    with pytest.raises(FileProblem, match="pass a list of them"):
        load_model(saved, vocabulary="ab")


@pytest.mark.parametrize("path", ["missing/m", "."])
def test_a_path_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileProblem):
        save_model(GPT(SMALL), tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_half_written(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FsmGptError, match="full"):
        save_model(GPT(SMALL, seed=8), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
