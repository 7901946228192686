"""Folders of Hugging Face models, made by transformers, and whatever can be wrong with one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fsm_gpt.errors import FileProblem, MissingExtra, UnsafeFile
from fsm_gpt.extract import extract
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPT
from fsm_gpt.gpt.transformers_model import TransformersModel

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

V, L = 5, 4
SMALL = {
    "vocab_size": V,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": L,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GEMMA = {**GROUPED, "head_dim": 4}
GPT2 = {"vocab_size": V, "n_positions": L, "n_embd": 8, "n_layer": 2, "n_head": 2}
GPT2 |= {"bos_token_id": 0, "eos_token_id": 0}


def made(kind: str, spread: float = 0.4, **sizes: Any) -> Any:
    """A model of transformers with large random weights, so that its rows differ."""
    config = transformers.AutoConfig.for_model(kind, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(kind))
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight += spread * torch.randn_like(weight)
    return model.eval()


def saved(model: Any, path: Path, **how: Any) -> Path:
    """Its folder, written by transformers."""
    log = transformers.utils.logging
    log.disable_progress_bar()
    model.save_pretrained(path, **how)
    log.enable_progress_bar()
    return path


def probabilities(model: Any, length: int = L) -> torch.Tensor:
    """What transformers itself gives after every context, in the order of states, (V**l, V)."""
    ids = torch.cartesian_prod(*[torch.arange(V)] * length).view(-1, length)
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[:, -1]
    return torch.as_tensor(logits.double().softmax(-1))


def edited(folder: Path, **changes: Any) -> Path:
    """The folder after a change of its configuration; None removes a key."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


@pytest.fixture
def gpt2(tmp_path: Path) -> Path:
    """A GPT-2's folder."""
    return saved(made("gpt2", **GPT2), tmp_path / "gpt2")


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A Llama's folder."""
    return saved(made("llama", **GROUPED), tmp_path / "llama")


# ---- the same probabilities as transformers ----


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"activation_function": "gelu"},
        {"activation_function": "gelu_pytorch_tanh"},
    ],
)
def test_gpt2_is_read_into_our_own_model(tmp_path: Path, changes: dict[str, Any]) -> None:
    theirs = made("gpt2", **GPT2, **changes)
    ours = load_model(saved(theirs, tmp_path / "gpt2"))
    assert isinstance(ours, GPT)
    assert ours.n_parameters == theirs.num_parameters()
    assert ours.context == L
    for length in (1, 3, 4):  # by the prefix tree, whose gelu and head are these too
        rows = torch.from_numpy(extract(ours, truncate_to=length).next_token.copy())
        assert (rows - probabilities(theirs, length)).abs().max() < 1e-6
    batched = extract(ours, batch=100).next_token
    assert abs(batched - extract(ours).next_token).max() < 1e-6


@pytest.mark.parametrize(
    "changes",
    [
        {"n_inner": 12},
        {"activation_function": "relu"},
        {"layer_norm_epsilon": 1e-3},
        {"scale_attn_by_inverse_layer_idx": True},
        {"scale_attn_weights": False},
    ],
)
def test_relatives_of_gpt2_are_left_to_transformers(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    theirs = made("gpt2", **GPT2, **changes)
    ours = load_model(saved(theirs, tmp_path / "gpt2"))
    assert isinstance(ours, TransformersModel)
    rows = torch.from_numpy(extract(ours).next_token.copy())
    assert (rows - probabilities(theirs)).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("llama", GROUPED),
        ("llama", GROUPED | {"tie_word_embeddings": True}),
        ("gpt_neox", SMALL),
        ("qwen2", GROUPED),
        ("qwen3", GROUPED | {"head_dim": 4}),
        ("gemma", GEMMA),
        ("gemma2", GEMMA | {"sliding_window": 3}),
        ("gemma3_text", GEMMA | {"sliding_window": 3}),
        ("mistral", GROUPED | {"sliding_window": 3}),
        ("opt", SMALL | {"ffn_dim": 24, "word_embed_proj_dim": 16, "pad_token_id": 1}),
    ],
)
def test_what_transformers_knows_gives_its_probabilities(
    tmp_path: Path, kind: str, sizes: dict[str, Any]
) -> None:
    theirs = made(kind, **sizes)
    ours = load_model(saved(theirs, tmp_path / "model"))
    assert isinstance(ours, TransformersModel)
    assert ours.context == L
    assert ours.n_parameters == theirs.num_parameters()
    assert not ours.training
    rows = torch.from_numpy(extract(ours).next_token.copy())
    assert (rows - probabilities(theirs)).abs().max() < 1e-6
    assert rows.std(0).max() > 0.05, "these rows hardly differ, so the test shows little"
    short = torch.from_numpy(extract(ours, truncate_to=1).next_token.copy())
    assert (short - probabilities(theirs, 1)).abs().max() < 1e-6
    assert ("slides" in ours.provenance.get("attention", "")) is ("sliding_window" in sizes)


def test_no_cache_is_kept(llama: Path) -> None:
    model = load_model(llama)
    asked = []
    assert isinstance(model, TransformersModel)
    model.model.register_forward_hook(lambda *call: asked.append(call[-1]), with_kwargs=False)
    model(torch.zeros(1, 3, dtype=torch.long))
    assert asked[0].past_key_values is None
    assert model.provenance["window"].startswith(f"the last {L} tokens, recomputed")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_shards_and_a_missing_prefix(tmp_path: Path, kind: str) -> None:
    theirs = made(kind, **(GPT2 if kind == "gpt2" else GROUPED))
    folder = saved(theirs, tmp_path / "model", max_shard_size="3KB")
    assert (folder / "model.safetensors.index.json").exists()
    rows = torch.from_numpy(extract(load_model(folder)).next_token.copy())
    assert (rows - probabilities(theirs)).abs().max() < 1e-6
    if kind == "gpt2":  # as GPT2Model writes it, without a head
        bare = saved(theirs.transformer, tmp_path / "bare")
        assert all(not name.startswith("transf") for name in load_file(bare / "model.safetensors"))
        again = torch.from_numpy(extract(load_model(bare)).next_token.copy())
        assert torch.equal(rows, again)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_with_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = saved(made("llama", **GROUPED).to(dtype), tmp_path / "half")
    ours = load_model(folder)
    assert {weight.dtype for weight in ours.parameters()} == {torch.float32}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = torch.from_numpy(extract(ours).next_token.copy())
    assert (rows - probabilities(theirs)).abs().max() < 1e-6


def test_float64_stays(tmp_path: Path) -> None:
    ours = load_model(saved(made("llama", **GROUPED).double(), tmp_path / "model"))
    assert {weight.dtype for weight in ours.parameters()} == {torch.float64}


def test_the_name_of_an_attention_is_not_followed(llama: Path) -> None:
    model = load_model(edited(llama, _attn_implementation="somebody/kernels", use_cache=True))
    assert isinstance(model, TransformersModel)
    assert "/" not in model.model.config._attn_implementation


# ---- vocabularies ----


def tokenizer(tokens: int) -> dict[str, Any]:
    """A tokenizer.json of whole words."""
    vocabulary = {f"w{i}": i for i in range(tokens)}
    return {
        "version": "1.0",
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"},
    }


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_rows_without_a_token_are_left_out(tmp_path: Path, kind: str) -> None:
    theirs = made(kind, **(GPT2 if kind == "gpt2" else GROUPED))
    folder = saved(theirs, tmp_path / "model")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(3)))
    ours = load_model(folder)
    assert list(ours.vocabulary) == ["w0", "w1", "w2"]
    assert "2 of the 5 rows" in ours.provenance["padding"]
    chain = extract(ours, truncate_to=1)
    given = probabilities(theirs, 1)[:3, :3]
    expected = given / given.sum(1, keepdim=True)
    assert (torch.from_numpy(chain.next_token.copy()) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_more_tokens_than_rows_are_refused(tmp_path: Path, kind: str) -> None:
    folder = saved(made(kind, **(GPT2 if kind == "gpt2" else GROUPED)), tmp_path / "model")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(7)))
    with pytest.raises(FileProblem, match=r"has 5 .*the vocabulary has 7"):
        load_model(folder)
    assert len(load_model(folder, vocabulary=list("abcde")).vocabulary) == V


# ---- code, pickles, and files elsewhere ----


@pytest.mark.parametrize("kind", ["gpt2", "llama", "unheard_of"])
def test_no_code_of_a_folder_is_run(tmp_path: Path, llama: Path, kind: str) -> None:
    trace = tmp_path / "ran"
    (llama / "modeling_x.py").write_text(
        f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n"
        "from transformers import LlamaForCausalLM as X, LlamaConfig as C\n"
    )
    auto_map = {"AutoConfig": "modeling_x.C", "AutoModelForCausalLM": "modeling_x.X"}
    edited(llama, model_type=kind, auto_map=auto_map)
    with pytest.raises(UnsafeFile, match="auto_map"):
        load_model(llama)
    assert not trace.exists()
    compile((llama / "modeling_x.py").read_text(), "x", "exec")
    exec((llama / "modeling_x.py").read_text().splitlines()[0])
    exec("\n".join((llama / "modeling_x.py").read_text().splitlines()[:2]))
    assert trace.exists(), "this file would leave no trace, so the test shows nothing"


def test_pickled_weights_are_not_opened(tmp_path: Path, gpt2: Path) -> None:
    weights = load_file(gpt2 / "model.safetensors")
    (gpt2 / "model.safetensors").unlink()
    torch.save(weights, gpt2 / "pytorch_model.bin")
    with pytest.raises(UnsafeFile, match=r"pickled \(pytorch_model\.bin\).*save_pretrained"):
        load_model(gpt2)


@pytest.mark.parametrize(
    "changes",
    [
        {"transformers_weights": "../elsewhere.safetensors"},
        {"quantization_config": {"quant_method": "gptq"}},
        {"kernel_config": {"x": "y"}},
    ],
)
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_configurations_that_ask_for_more_are_refused(
    request: pytest.FixtureRequest, kind: str, changes: dict[str, Any]
) -> None:
    folder = request.getfixturevalue(kind)
    with pytest.raises(FileProblem, match=next(iter(changes))):
        load_model(edited(folder, **changes))


def test_adapters_are_refused(llama: Path) -> None:
    (llama / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    with pytest.raises(FileProblem, match="adapter"):
        load_model(llama)


def sharded(folder: Path, change: Callable[[Path], str]) -> Path:
    """A folder whose index names another place for its first shard."""
    index = folder / "model.safetensors.index.json"
    whole = folder / "model.safetensors"
    names = dict.fromkeys(load_file(whole), change(whole))
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return folder


def moved(whole: Path, target: Path) -> Path:
    target.parent.mkdir(exist_ok=True)
    shutil.move(whole, target)
    return target


def linked(whole: Path) -> str:
    target = moved(whole, whole.parent.parent / "away" / "x.safetensors")
    (whole.parent / "shard.safetensors").symlink_to(target)
    return "shard.safetensors"


def absolute(whole: Path) -> str:
    return str(moved(whole, whole.parent.parent / "away" / "x.safetensors"))


def upwards(whole: Path) -> str:
    moved(whole, whole.parent.parent / "away" / "x.safetensors")
    return "../away/x.safetensors"


@pytest.mark.parametrize("change", [linked, absolute, upwards])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_an_index_cannot_lead_out_of_its_folder(
    request: pytest.FixtureRequest, kind: str, change: Callable[[Path], str]
) -> None:
    with pytest.raises(UnsafeFile, match="outside the folder"):
        load_model(sharded(request.getfixturevalue(kind), change))


def test_an_index_may_name_a_file_beside_it(llama: Path) -> None:
    before = load_model(llama)(torch.tensor([[1, 2]]))
    folder = sharded(llama, lambda whole: moved(whole, whole.with_name("a.safetensors")).name)
    assert torch.equal(load_model(folder)(torch.tensor([[1, 2]])), before)


def test_the_layout_of_the_hubs_cache_is_no_way_out(tmp_path: Path, llama: Path) -> None:
    """snapshots/REVISION/NAME is a link to ../../blobs/HASH (huggingface_hub's cache)."""
    home = tmp_path / "cache" / "snapshots" / "abc"
    home.parent.mkdir(parents=True)
    shutil.move(llama, home)
    blob = moved(home / "model.safetensors", tmp_path / "cache" / "blobs" / "123")
    (home / "a.safetensors").symlink_to(blob)
    names = dict.fromkeys(load_file(blob), "a.safetensors")
    (home / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": names})
    )
    assert load_model(home).context == L


# ---- what is damaged or contradicts itself ----


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_a_damaged_tenth_is_refused(
    request: pytest.FixtureRequest, kind: str, tenth: int, damage: str
) -> None:
    folder = request.getfixturevalue(kind)
    file = folder / "model.safetensors"
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) * tenth // 10])
    else:  # NaN everywhere in a tenth of the weights, or a broken header
        first, last = len(content) * tenth // 10, len(content) * (tenth + 1) // 10
        file.write_bytes(content[:first] + b"\xff" * (last - first) + content[last:])
    with pytest.raises(FileProblem) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"hello\n", b"[]", b"{", b'{"a": NaN}'])
def test_a_configuration_that_is_none(
    request: pytest.FixtureRequest, kind: str, content: bytes
) -> None:
    folder = request.getfixturevalue(kind)
    (folder / "config.json").write_bytes(content)
    with pytest.raises(FileProblem):
        load_model(folder)


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("gpt2", {"n_layer": 3}, "says 3 layers and its weights have 2"),
        ("gpt2", {"n_layer": 10**9}, "n_layer is 1000000000"),
        ("gpt2", {"n_layer": "2"}, "n_layer is '2'"),
        ("gpt2", {"vocab_size": 6}, "have shape"),
        ("gpt2", {"n_embd": 16}, "have shape"),
        ("gpt2", {"n_head": 3}, "multiple of n_head"),
        ("gpt2", {"tie_word_embeddings": False}, "lacks the weights lm_head.weight"),
        ("gpt2", {"tie_word_embeddings": "no"}, "neither True nor False"),
        ("llama", {"num_hidden_layers": 3}, "implies|lacks the weights|disagree"),
        ("llama", {"num_hidden_layers": 1}, "also has the weights"),
        ("llama", {"num_hidden_layers": 10**9}, "num_hidden_layers as 1,000,000,000"),
        ("llama", {"hidden_size": 2**40}, "implies|disagree"),
        ("llama", {"vocab_size": 10**12}, "implies|disagree"),
        ("llama", {"vocab_size": 4}, "disagree|do not fit"),
        ("llama", {"intermediate_size": 12}, "disagree|do not fit"),
        ("llama", {"hidden_size": "16"}, "disagree|implies"),
        ("llama", {"model_type": "unheard_of"}, "model_type is 'unheard_of'"),
        ("llama", {"model_type": None}, "model_type is 'None'"),
        ("llama", {"model_type": "t5"}, "model_type is 't5'"),
        ("llama", {"model_type": "bert"}, "no next token"),
        ("llama", {"model_type": "mamba"}, "recurrent model is no window chain"),
        ("llama", {"model_type": "rwkv"}, "recurrent model is no window chain"),
        ("llama", {"model_type": "recurrent_gemma"}, "recurrent model is no window chain"),
    ],
)
def test_a_configuration_that_disagrees_with_the_weights(
    request: pytest.FixtureRequest, kind: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(FileProblem, match=said) as caught:
        load_model(edited(request.getfixturevalue(kind), **changes))
    assert "\n" not in str(caught.value)


def reweighted(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    """The folder after a change of its weights."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop(sorted(w)[-1]), "lacks the weights|implies"),
        (lambda w: w.update(extra=torch.ones(3)), "also has the weights extra"),
        (lambda w: next(iter(w.values())).fill_(torch.nan), r"undefined \(NaN\)"),
        (lambda w: next(iter(w.values())).view(-1)[:1].fill_(torch.inf), "are infinite"),
    ],
)
def test_weights_that_are_no_models(
    request: pytest.FixtureRequest, kind: str, change: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(FileProblem, match=said):
        load_model(reweighted(request.getfixturevalue(kind), change))


def test_a_head_that_should_be_tied_and_differs(gpt2: Path) -> None:
    folder = reweighted(gpt2, lambda w: w.update({"lm_head.weight": torch.ones(V, 8)}))
    with pytest.raises(FileProblem, match="they differ"):
        load_model(folder)


def test_a_header_that_claims_a_terabyte(gpt2: Path, llama: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}})
    content = len(header).to_bytes(8, "little") + header.encode() + b"\0" * 64
    for folder in (gpt2, llama):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(FileProblem, match="no whole safetensors file"):
            load_model(folder)


def test_parts_that_are_missing(tmp_path: Path, llama: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileProblem, match=r"without a config\.json"):
        load_model(tmp_path / "empty")
    (llama / "model.safetensors").unlink()
    with pytest.raises(FileProblem, match="there are no weights"):
        load_model(llama)
    for index in (b"", b"{}", b'{"weight_map": {}}', b'{"weight_map": {"a": 3}}', b"[" * 9999):
        (llama / "model.safetensors.index.json").write_bytes(index)
        with pytest.raises(FileProblem, match=r"index\.json"):
            load_model(llama)
    (llama / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}')
    with pytest.raises(FileProblem, match=r"names the file 'b\.safetensors', and there is none"):
        load_model(llama)


def test_without_the_package(llama: Path, gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fsm-gpt\[hf\]'") as caught:
        load_model(llama)
    assert caught.value.exit_code == 3
    assert load_model(gpt2).context == L  # which needs it not
