"""Models that others trained, from the command line: each format, and each way to spoil it."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fsm_gpt.capacity import capacity
from fsm_gpt.gpt.load import load_model
from tests.gpt.test_gguf import theirs as llama_of_transformers, written as write_gguf
from tests.gpt.test_llama2c import content as llama2c, weights as llama_weights
from tests.gpt.test_mingpt import layout as mingpt
from tests.gpt.test_nanogpt import checkpoint as nanogpt

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

GPT2 = {"vocab_size": 5, "n_positions": 3, "n_embd": 8, "n_layer": 2, "n_head": 2}
SMALL = {"vocab_size": 5, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "max_position_embeddings": 3}


def folder_of(kind: str, path: Path) -> None:
    """A Hugging Face folder with a tokenizer of five words."""
    sizes = GPT2 if kind == "gpt2" else SMALL
    config = transformers.AutoConfig.for_model(kind, **sizes, bos_token_id=0, eos_token_id=0)
    transformers.utils.logging.disable_progress_bar()
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(path)
    transformers.utils.logging.enable_progress_bar()
    model = {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(5)}, "unk_token": "w0"}
    (path / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": model}))


MADE: dict[str, Callable[[Path], Any]] = {
    "nanogpt": lambda path: torch.save(nanogpt(), path),
    "mingpt": lambda path: torch.save(mingpt(), path),
    "llama2c-0": lambda path: path.write_bytes(llama2c(0, llama_weights())),
    "llama2c-1": lambda path: path.write_bytes(llama2c(1, llama_weights())),
    "llama2c-2": lambda path: path.write_bytes(llama2c(2, llama_weights())),
    "gguf": lambda path: write_gguf(path, llama_of_transformers()),
    "gpt2": lambda path: folder_of("gpt2", path),
    "llama": lambda path: folder_of("llama", path),
}
#: What holds the weights.
WEIGHTS = {"gpt2": "model.safetensors", "llama": "model.safetensors"}
#: What else has to be said.
MORE = {"mingpt": ["--heads", "3"]}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The files of each model, by format and by name; "" is the file itself."""
    found = {}
    for kind, make in MADE.items():
        path = tmp_path_factory.mktemp("models") / kind
        make(path)
        files = [path] if path.is_file() else sorted(path.iterdir())
        found[kind] = {"" if path.is_file() else file.name: file.read_bytes() for file in files}
    return found


@pytest.fixture
def refused(fsm_gpt, folder: Path) -> Callable[..., str]:
    """Run a command that must fail with a code and one paragraph, and leave nothing behind."""

    def check(code: int, *args: str) -> str:
        before = sorted(path for path in folder.rglob("*"))
        said = fsm_gpt(*args)
        assert said.code == code, said
        assert said.out == ""
        assert sorted(path for path in folder.rglob("*")) == before
        return str(said.error)

    return check


def put(folder: Path, files: dict[str, bytes], **changes: bytes) -> None:
    """Write a model to the name "m"."""
    for name, data in files.items():
        path = folder / "m" / name if name else folder / "m"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


@pytest.mark.parametrize("verb", ["extract", "analyze", "report"])
@pytest.mark.parametrize("kind", MADE)
def test_every_format_is_taken(fsm_gpt, folder: Path, models: Any, kind: str, verb: str) -> None:
    put(folder, models[kind])
    how = ["--truncate-to", "1", *MORE.get(kind, [])]
    said = fsm_gpt(verb, "m", *how)
    assert said.code == 0, said
    if verb == "extract":
        assert fsm_gpt("analyze", "chain.safetensors").code == 0
        about = json.loads(fsm_gpt("extract", "m", *how, "--json").out)["chain"]
        assert about["n_states"] == 5
        model = load_model("m", n_head=3 if kind == "mingpt" else None)
        assert about["provenance"]["format"] == model.provenance["format"]
        assert f"the last {model.context} tokens" in about["provenance"]["window"]


def test_the_tokens_of_a_folder_have_their_names(fsm_gpt, folder: Path, models: Any) -> None:
    put(folder, models["llama"])
    assert "[w0]" in fsm_gpt("extract", "m", "--truncate-to", "1").out
    (folder / "t.json").write_bytes((folder / "m" / "tokenizer.json").read_bytes())
    put(folder / "m", {})
    (folder / "other").mkdir()
    (folder / "g").write_bytes(models["nanogpt"][""])
    said = fsm_gpt("extract", "g", "--truncate-to", "1", "--vocabulary", "t.json")
    assert "[w0]" in said.out


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_model_is_not_overwritten(refused, folder: Path, models: Any, name: str) -> None:
    put(folder, models["llama"])
    said = refused(4, "extract", "m", "--truncate-to", "1", "--output", f"m/{name}")
    assert "it is what is read here" in said
    assert (folder / "m" / name).read_bytes() == models["llama"][name]


def test_heads_are_asked_for(refused, folder: Path, models: Any) -> None:
    put(folder, models["mingpt"])
    assert "--heads on the command line" in refused(1, "extract", "m")
    assert "does not divide into 5 heads" in refused(1, "analyze", "m", "--heads", "5")
    put(folder, models["nanogpt"])
    assert "this model has 2 heads" in refused(1, "extract", "m", "--heads", "4")


@pytest.mark.parametrize("damage", ["cut", "zeros", "ones"])
@pytest.mark.parametrize("kind", MADE)
def test_every_tenth_of_every_format_damaged(
    fsm_gpt, folder: Path, models: Any, kind: str, damage: str
) -> None:
    """Cut short, or overwritten; a tenth of zeros may be a model still, and then it is loaded."""
    files = models[kind]
    name = WEIGHTS.get(kind, "")
    data = files[name]
    for tenth in range(10):
        first, last = len(data) * tenth // 10, len(data) * (tenth + 1) // 10
        middle = {"cut": b"", "zeros": b"\0" * (last - first), "ones": b"\xff" * (last - first)}
        spoiled = data[:first] + middle[damage] + (b"" if damage == "cut" else data[last:])
        put(folder, {**files, name: spoiled})
        said = fsm_gpt("extract", "m", "--truncate-to", "1", *MORE.get(kind, []))
        if damage == "zeros" and said.code == 0:
            continue
        assert said.code == 4, (tenth, said)
        assert said.error
        assert not (folder / "chain.safetensors").exists()


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"just a text\n" * 9, b"\xff" * 4096])
def test_what_is_no_model_at_all(
    refused, folder: Path, models: Any, kind: str, content: bytes
) -> None:
    put(folder, {**models[kind], WEIGHTS.get(kind, ""): content})
    refused(4, "extract", "m")


class Bomb:
    """What a pickle can do: here it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.place),)


def test_nothing_of_a_folder_is_run(
    refused, folder: Path, models: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("bomb") / "boom"
    code = f"import os\nos.mkdir({str(place)!r})\n"
    bomb = pickle.dumps({"wte.weight": Bomb(place)}, protocol=2)
    put(folder, models["llama"])
    config = json.loads(models["llama"]["config.json"])
    for name in ("modeling_x.py", "configuration_x.py", "tokenization_x.py", "__init__.py"):
        (folder / "m" / name).write_text(code)
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_x.X", "AutoConfig": "configuration_x.C"}
    (folder / "m" / "config.json").write_text(json.dumps(config))
    assert "auto_map" in refused(4, "extract", "m")
    del config["auto_map"]
    (folder / "m" / "config.json").write_text(json.dumps(config))
    (folder / "m" / "model.safetensors").unlink()
    (folder / "m" / "pytorch_model.bin").write_bytes(bomb)
    assert "pickled" in refused(4, "extract", "m")
    (folder / "m" / "pytorch_model.bin").unlink()
    (folder / "m" / "model.safetensors").write_bytes(bomb)
    assert "no whole safetensors file" in refused(4, "extract", "m")
    assert not place.exists()
    exec(code)
    assert place.exists(), "this code leaves no trace, so the test shows nothing"


def test_a_state_dict_with_a_bomb(
    refused, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("bomb") / "boom"
    torch.save({**mingpt(), "bomb": Bomb(place)}, folder / "m.pt")
    assert "could run any code" in refused(4, "extract", "m.pt", "--heads", "3")
    with zipfile.ZipFile(folder / "n.pt", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps({"wte.weight": Bomb(place)}, protocol=2))
    refused(4, "extract", "n.pt", "--heads", "3")
    assert not place.exists()


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: next(iter(w.values())).fill_(float("nan")), "undefined (NaN)"),
        (lambda w: w.pop(next(iter(w))), ""),
        (lambda w: w.update(extra=torch.ones(2)), "also has the weights extra"),
    ],
)
def test_weights_that_make_no_model(
    refused, folder: Path, models: Any, kind: str, change: Callable[[Any], Any], words: str
) -> None:
    put(folder, models[kind])
    tensors = load_file("m/model.safetensors")
    change(tensors)
    save_file(tensors, "m/model.safetensors", metadata={"format": "pt"})
    assert words in refused(4, "extract", "m")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vocab_size": 6}, ""),
        ({"vocab_size": 10**12}, ""),
        ({"n_layer": 3, "num_hidden_layers": 3}, ""),
        ({"n_layer": 10**12, "num_hidden_layers": 10**12}, "1000000000000|1,000,000,000,000"),
        ({"model_type": "mamba2"}, "window chain"),
        ({"model_type": "nobody_knows"}, "nobody_knows"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
    ],
)
def test_a_config_that_disagrees(
    refused, folder: Path, models: Any, kind: str, changes: dict[str, Any], words: str
) -> None:
    put(folder, models[kind])
    config = json.loads(models[kind]["config.json"]) | changes
    (folder / "m" / "config.json").write_text(json.dumps(config))
    said = refused(4, "extract", "m")
    assert any(word in said for word in words.split("|"))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_tokenizer_with_more_entries_than_rows(
    refused, folder: Path, models: Any, kind: str
) -> None:
    put(folder, models[kind])
    found = json.loads(models[kind]["tokenizer.json"])
    found["added_tokens"] = [{"id": 5, "content": "<more>"}]
    (folder / "m" / "tokenizer.json").write_text(json.dumps(found))
    said = refused(4, "extract", "m")
    assert "has 5" in said
    assert "has 6" in said


@pytest.mark.parametrize("kind", ["gpt2", "llama", "llama2c-0"])
def test_a_gpu_where_there_is_none(refused, folder: Path, models: Any, kind: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    put(folder, models[kind])
    assert "PyTorch finds no such device here" in refused(1, "extract", "m", "--device", "cuda")


@pytest.mark.parametrize("kind", ["gpt2", "llama", "llama2c-0"])
def test_a_header_that_claims_a_terabyte(refused, folder: Path, models: Any, kind: str) -> None:
    if kind == "llama2c-0":
        data = b"".join(n.to_bytes(4, "little") for n in (2**14, 2**16, 200, 64, 64, 2**17, 2**14))
    else:
        header = json.dumps({"x": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}})
        data = len(header).to_bytes(8, "little") + header.encode()
    put(folder, {**models[kind], WEIGHTS.get(kind, ""): data + b"\0" * 99})
    refused(4, "extract", "m")


def test_an_extra_that_is_missing(
    refused, folder: Path, models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, models["llama"])
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    assert "pip install 'fsm-gpt[hf]'" in refused(3, "extract", "m")


@pytest.mark.parametrize("kind", ["gguf", "llama2c-0", "llama2c-2", "gpt2", "llama"])
def test_the_capacity_of_a_model_is_read_from_it(
    fsm_gpt, folder: Path, models: Any, kind: str
) -> None:
    """The same vocabulary, context and weights as the model has once it is loaded."""
    put(folder, models[kind])
    model = load_model("m")
    found = capacity(folder / "m")
    assert (found.vocabulary, found.context) == (len(model.vocabulary), model.context)
    assert found.parameters == model.n_parameters
    # Keys and values of 16 bits in 2 layers: GPT-2 of width 8 and Llama of 16 have own heads of
    # keys, llama2.c and GGUF of width 16 share 2 of their 4.
    width = {"gpt2": 8, "llama": 16}.get(kind, 8)
    assert found.cache_bytes == 2 * 2 * width * model.context * 2
    assert fsm_gpt("capacity", "m").code == 0


def test_the_capacity_of_our_own_checkpoint(fsm_gpt, made: Path) -> None:
    model = load_model(made / "model")
    found = capacity(made / "model")
    assert (found.vocabulary, found.context, found.parameters) == (2, 3, model.n_parameters)
    assert found.bits == 3


def test_the_capacity_of_what_does_not_say_it(refused, folder: Path, models: Any) -> None:
    put(folder, models["nanogpt"])
    assert "load_model()" in refused(4, "capacity", "m")
    (folder / "x").write_bytes((folder / "m").read_bytes()[:0] + b"\0" * 99)
    refused(4, "capacity", "x")
    save_file({"a": torch.zeros(3)}, folder / "y")
    assert "does not say the sizes" in refused(4, "capacity", "y")


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("kind", ["gguf", "llama2c-1"])
def test_the_capacity_of_a_file_cut_short(
    refused, fsm_gpt, folder: Path, models: Any, kind: str, tenth: int
) -> None:
    data = models[kind][""]
    put(folder, {"": data[: len(data) * tenth // 10]})
    said = fsm_gpt("capacity", "./m")
    assert said.code == 4, said
    assert said.error
