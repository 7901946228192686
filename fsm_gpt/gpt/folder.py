"""A Hugging Face model's folder: its configuration, and the files that hold its weights.

``config.json`` says the kind and the sizes. The weights are in ``model.safetensors``, or in
several such files that ``model.safetensors.index.json`` lists. Nothing in a folder is
trusted: no code in it is run, no pickle is opened, and no name in the index leads out of it.
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors import SafetensorError
from torch import Tensor

from fsm_gpt.capacity.config import parse_config, text_part
from fsm_gpt.capacity.kinds import no_window
from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.files import read_limited, shown
from fsm_gpt.gpt.archive import first_line

__all__ = ["Folder", "open_folder", "refuse_no_window"]

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"

#: An index has a line for each tensor.
LARGEST_INDEX = 64 * 2**20

#: What a configuration may name that would fetch or run something, or read other weights.
_FOREIGN = ("auto_map", "transformers_weights", "kernel_config", "custom_pipelines")


@dataclass(frozen=True)
class Folder:
    """What stands in a folder, seen to hold together."""

    path: Path
    config: dict[str, Any]
    files: tuple[Path, ...]
    #: Shape of each tensor by name.
    shapes: dict[str, tuple[int, ...]]

    @property
    def n_weights(self) -> int:
        """All numbers in all files."""
        total = 0
        for shape in self.shapes.values():
            count = 1
            for size in shape:
                count *= size
            total += count
        return total

    @property
    def config_path(self) -> Path:
        """The configuration."""
        return self.path / "config.json"

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, read into memory."""
        tensors: dict[str, Tensor] = {}
        for file in self.files:
            try:
                with safetensors.safe_open(file, framework="pt") as opened:
                    tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            except (SafetensorError, OSError, ValueError, RuntimeError) as problem:
                raise _damaged(file, problem) from None
        return tensors

    def sha256(self) -> str:
        """The SHA-256 of the configuration and the files of weights, in their order."""
        digest = hashlib.sha256()
        for file in (self.config_path, *self.files):
            with file.open("rb") as opened:
                while piece := opened.read(2**22):
                    digest.update(piece)
        return digest.hexdigest()


def open_folder(path: Path) -> Folder:
    """A folder's configuration and the names and shapes of its tensors; no weights are read.

    Raises
    ------
    FileProblem
        Something is missing or damaged, or the model has no window.
    UnsafeFile
        Its model needs code of its own, its weights are pickled, or its index leads elsewhere.
    """
    if not (path / "config.json").is_file():
        raise FileProblem(
            f"{shown(path)}: cannot read it, it is a folder, and one without a config.json. "
            f"Name a file in it, or the folder of a Hugging Face model, which has config.json and "
            f"model.safetensors."
        )
    config = parse_config(str(path / "config.json"))
    _refuse_foreign(config, path)
    refuse_no_window(config, path)
    files = _files(path)
    return Folder(path, config, files, _shapes(path, files))


def refuse_no_window(config: dict[str, Any], path: Path) -> None:
    """Refuse a model whose next token does not follow from a window of tokens."""
    why = no_window(config) or no_window(text_part(config) or {})
    if why is not None:
        kind, reason = why
        ending = (
            "A recurrent model is no window chain"
            if kind == "state is not a window"
            else "Give a causal model"
        )
        raise FileProblem(
            f"{shown(path)}: {reason}. {ending}: the states of one are its last L tokens, from "
            f"which the next token follows."
        )


def _refuse_foreign(config: dict[str, Any], path: Path) -> None:
    for name in _FOREIGN:
        if config.get(name):
            raise UnsafeFile(
                f"{shown(path)}: its config.json has {name!r}, which asks for code or files beside "
                f"the weights. Running code from a model's folder can do anything, so it was not "
                f"loaded. If its kind is one that transformers knows by itself, remove {name!r} "
                f"from config.json; else load it yourself and pass it to extract()."
            )
    if config.get("quantization_config"):
        raise FileProblem(
            f"{shown(path)}: its config.json says that its weights are quantised "
            f"('quantization_config'), and quantised folders are not read. Give the checkpoint in "
            f"float32, float16 or bfloat16, or a GGUF file."
        )
    if (path / "adapter_config.json").exists():
        raise FileProblem(
            f"{shown(path)}: it holds an adapter (adapter_config.json), a change of another model "
            f"and not a model. Merge the two with the library that wrote it, and save that."
        )


def _files(path: Path) -> tuple[Path, ...]:
    if (path / WHOLE).is_file():
        return (path / WHOLE,)
    if (path / INDEX).is_file():
        return _listed(path)
    named = ("pytorch_model.bin", "pytorch_model.bin.index.json")
    pickled = next((name for name in named if (path / name).is_file()), None)
    if pickled:
        raise UnsafeFile(
            f"{shown(path)}: its weights are pickled ({pickled}), and a pickle can run any code "
            f"when it is opened, so they were not loaded. If you trust them, load the model with "
            f"transformers and save it again with save_pretrained(), which writes {WHOLE}."
        )
    raise FileProblem(
        f"{shown(path)}: it has a config.json and neither {WHOLE} nor {INDEX}, so there are no "
        f"weights. Get the files that are missing."
    )


def _listed(path: Path) -> tuple[Path, ...]:
    """The files that an index names, each once, in order."""
    index = path / INDEX
    try:
        found = json.loads(read_limited(index, LARGEST_INDEX).decode())
        names = sorted(set(found["weight_map"].values()))
        whole = all(isinstance(name, str) and name for name in names)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise FileProblem(
            f"{shown(index)}: it is no list of files that can be read ({first_line(problem)}). It "
            f"is damaged; get it again."
        ) from None
    if not names or not whole:
        raise FileProblem(f"{shown(index)}: it names no files. It is damaged; get it again.")
    return tuple(_inside(path, name) for name in names)


def _inside(path: Path, name: str) -> Path:
    """The file of that name in a folder, which nothing in the name may lead out of."""
    file = path / name
    try:
        target = file.resolve()
        home = path.resolve()
    except (OSError, ValueError, RuntimeError) as problem:
        raise FileProblem(
            f"{shown(path)}: its index names the file {name[:80]!r}, which cannot be found "
            f"({first_line(problem)}). Get the folder again."
        ) from None
    # In huggingface_hub's cache the files of snapshots/REVISION are links to ../../blobs.
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if Path(name).name != name or not (target.is_relative_to(home) or target.parent == blobs):
        raise UnsafeFile(
            f"{shown(path)}: its index names the file {name[:80]!r}, which is outside the folder. "
            f"A model's weights stand beside its config.json; it was not loaded. Get the folder "
            f"again from where it was published."
        )
    if not file.is_file():
        raise FileProblem(
            f"{shown(path)}: its index names the file {name[:80]!r}, and there is none. The "
            f"folder is incomplete; get the file that is missing."
        )
    return file


def _shapes(path: Path, files: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        try:
            with safetensors.safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118
                    if name in shapes:
                        raise ValueError(f"{name[:80]} stands in two files")
                    shapes[name] = tuple(opened.get_slice(name).get_shape())
        except (SafetensorError, OSError, ValueError, RuntimeError) as problem:
            raise _damaged(file, problem) from None
    if not shapes:
        raise FileProblem(f"{shown(path)}: its files hold no weights. Get the folder again.")
    return shapes


def _damaged(file: Path, problem: Exception) -> FileProblem:
    return FileProblem(
        f"{shown(file)}: it is no whole safetensors file ({first_line(problem)}). It is damaged or "
        f"cut short; get it again."
    )
