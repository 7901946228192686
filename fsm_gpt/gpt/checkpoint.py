"""The project's own checkpoint: one safetensors file.

safetensors (https://huggingface.co/docs/safetensors) is a JSON header and raw numbers;
reading one runs no code. Configuration, vocabulary and provenance are JSON too and
stand in the header's metadata rather than in a second file, because two files can be
parted or mixed up and one cannot.

The metadata also holds a SHA-256 of itself and of the weights, which safetensors
lacks: a single changed bit is noticed. (It guards against damage, not against a forger.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.files import atomic_write, read_limited, shown
from fsm_gpt.gpt.archive import first_line
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.weights import build_model, own_tensors
from fsm_gpt.space import Vocabulary

__all__ = ["load_checkpoint", "save_model"]

#: The one key of the header's metadata, and the version of what stands there.
KEY, FORMAT = "fsm_gpt", 1


def save_model(model: GPT, path: str | PathLike[str]) -> None:
    """Write a model with its vocabulary to one safetensors file, whole or not at all.

    Raises
    ------
    FileProblem
        The path cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from fsm_gpt.gpt.load import load_model
    >>> folder = tempfile.TemporaryDirectory()
    >>> save_model(GPT(GPTConfig(vocab_size=2, context=3), vocabulary="ab"), folder.name + "/m")
    >>> "".join(load_model(folder.name + "/m").vocabulary)
    'ab'
    >>> folder.cleanup()
    """
    tensors = own_tensors(model)
    about: dict[str, Any] = {
        "format": FORMAT,
        "config": model.config.to_dict(),
        "vocabulary": list(model.vocabulary),
        "provenance": model.provenance,
    }
    about["sha256"] = _digest(about, tensors)
    content = safetensors.torch.save(tensors, metadata={KEY: json.dumps(about, sort_keys=True)})
    with atomic_write(path) as file:
        file.write(content)


def _digest(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of everything in a checkpoint: what it says of itself, then each tensor by name."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_checkpoint(path: Path, *, vocabulary: Vocabulary | None = None) -> GPT:
    """Read a file that :func:`save_model` wrote.

    Raises
    ------
    FileProblem
        It is damaged, or was written by something else.
    """
    content = read_limited(path, path.stat().st_size)
    header_size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + header_size])
        tensors = safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError, RecursionError) as problem:
        raise FileProblem(
            f"{shown(path)}: it begins like a safetensors file and does not hold together "
            f"({first_line(problem)}). It is damaged or cut short; get it again."
        ) from None
    about = _about(header, path)
    stated = about.pop("sha256", None)
    if stated != _digest(about, tensors):
        raise FileProblem(
            f"{shown(path)}: its bytes do not match the checksum in its header. The file is "
            f"damaged; get it again, or train and save the model anew."
        )
    try:
        config = GPTConfig(**about["config"])
        named = Vocabulary(tuple(about["vocabulary"])) if vocabulary is None else vocabulary
        provenance = {str(k): str(v) for k, v in about["provenance"].items()}
    except (FsmGptError, TypeError, KeyError, AttributeError) as problem:
        raise FileProblem(
            f"{shown(path)}: what its header says of the model makes no sense "
            f"({first_line(problem)}). Write the file with save_model()."
        ) from None
    if len(named) != config.vocab_size:
        raise FileProblem(
            f"{shown(path)}: the model has {config.vocab_size} tokens and the vocabulary has "
            f"{len(named)}. Give a vocabulary of {config.vocab_size} tokens, or none: the file "
            f"has its own."
        )
    model = build_model(config, tensors, vocabulary=named, path=path)
    model.provenance = {
        **provenance,
        "file": path.name,
        "format": "fsm_gpt checkpoint (safetensors)",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return model


def _about(header: Any, path: Path) -> dict[str, Any]:
    """What the header's metadata says of the model."""
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise FileProblem(
            f"{shown(path)}: it is a safetensors file without the configuration and vocabulary "
            f"that save_model() writes, so the model's shape is unknown. Load the model with the "
            f"library that wrote it and pass it to extract(), which takes any callable."
        )
    try:
        about = json.loads(metadata[KEY])
        version = about["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise FileProblem(
            f"{shown(path)}: the description of the model in its header cannot be read "
            f"({first_line(problem)}). The file is damaged; get it again."
        ) from None
    if version != FORMAT:
        raise FileProblem(
            f"{shown(path)}: it has format {version!r} and this version of fsm_gpt reads format "
            f"{FORMAT}. Update fsm_gpt."
        )
    return dict(about)
