"""The size of a model from the file or folder that holds its weights.

Headers alone are read; a model of a hundred gigabytes takes as long as one of a hundred
kilobytes. What a header claims was held against the size of its file before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsm_gpt.capacity.config import LARGEST
from fsm_gpt.capacity.kinds import no_window
from fsm_gpt.capacity.models import CacheShape, Model
from fsm_gpt.errors import FileProblem
from fsm_gpt.files import shown
from fsm_gpt.headers import kind_of, read_gguf_header, read_llama2c_header, start_of

__all__ = ["read_model_file", "stored_parameters"]

#: What safetensors itself allows a header.
LARGEST_HEADER = 100_000_000

#: Tensors of weights have at most so many axes.
MOST_AXES = 8

_SHAPE = ("vocab_size", "context", "n_layer", "n_head", "n_embd")


def read_model_file(path: str) -> Model | None:
    """What a file says of the size of its model, or None where it is no file of weights.

    Raises
    ------
    FileProblem
        It is damaged, or says its sizes only where loading it would find them.
    """
    file = Path(path)
    if not file.is_file():
        return None
    match kind_of(*start_of(file)):
        case "gguf":
            return _of_gguf(file)
        case "llama2c":
            return _of_llama2c(file)
        case "safetensors":
            return _of_checkpoint(file)
        case "archive" | "pickle":
            raise FileProblem(
                f"{shown(path)}: it is a checkpoint of PyTorch, which says its sizes only inside a "
                f"pickle. Read it with load_model(), and give len(model.vocabulary) as the "
                f"vocabulary (--vocab) and model.context as the context (--context)."
            )
        case "unknown":
            return None


def _of_gguf(path: Path) -> Model:
    header = read_gguf_header(path)
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    rows = (header.shapes.get("token_embd.weight") or (None,))[-1] or None
    named = len(tokens) if isinstance(tokens, list) and tokens else None
    layers, heads = header.number("block_count"), header.number("attention.head_count")
    kept = header.number("attention.head_count_kv") or heads
    size = header.number("attention.key_length")
    width = header.number("embedding_length")
    if size is None and width and heads and width % heads == 0:
        size = width // heads
    slides = header.number("attention.sliding_window")
    note = f"attention slides: a layer looks back over {slides:,} tokens" if slides else ""
    kind = no_window({"model_type": header.architecture}) or ("", "")
    model = _model(
        path,
        vocabulary=named or header.number("vocab_size") or rows,
        embedding_rows=rows,
        context=header.number("context_length"),
        parameters=header.n_weights,
        cache=(layers, kept, size) if not slides else None,
        notes=(note,) if note else (),
    )
    return replace(model, no_capacity=kind[0], reason=kind[1])


def _of_llama2c(path: Path) -> Model:
    header = read_llama2c_header(path)
    return _model(
        path,
        vocabulary=header.vocab_size,
        embedding_rows=header.vocab_size,
        context=header.context,
        parameters=header.n_parameters,
        cache=(header.layers, header.kv_heads, header.head_size),
    )


def _of_checkpoint(path: Path) -> Model:
    """A file of this package's save_model(): its sizes stand in the header."""
    header = _safetensors_header(path)
    try:
        about = json.loads(header["__metadata__"]["fsm_gpt"])
        sizes = [about["config"][name] for name in _SHAPE]
        whole = all(type(size) is int and 1 <= size <= LARGEST for size in sizes)
    except (KeyError, TypeError, ValueError, RecursionError):
        whole, sizes = False, []
    if not whole:
        raise FileProblem(
            f"{shown(path)}: it is a safetensors file that does not say the sizes of its model. "
            f"Give the folder that it stands in, with its config.json, or the vocabulary and the "
            f"context as numbers."
        )
    vocabulary, context, layers, heads, width = sizes
    return _model(
        path,
        vocabulary=vocabulary,
        embedding_rows=vocabulary,
        context=context,
        parameters=_count(header),
        cache=(layers, heads, width // heads),
    )


def _model(
    path: Path,
    *,
    vocabulary: int | None,
    embedding_rows: int | None,
    context: int | None,
    parameters: int,
    cache: tuple[int | None, int | None, int | None] | None,
    notes: tuple[str, ...] = (),
) -> Model:
    shape = None
    if cache is not None and None not in cache:
        layers, kept, size = (int(number or 0) for number in cache)
        shape = CacheShape(layers=layers, key_value_heads=kept, head_size=size, source="header")
    return Model(
        name=shown(path),
        vocabulary=vocabulary,
        embedding_rows=embedding_rows,
        context=context,
        parameters=f"{parameters:,}" if parameters else "",
        sources=(f"header of {shown(path)}",),
        grade="configuration",
        verified="read from the file that was given",
        notes=notes,
        cache_shape=shape,
        file=True,
    )


def stored_parameters(folder: Path) -> str:
    """The numbers in the safetensors files of a folder, as text; nothing where there are none.

    A matrix that serves twice is stored once.
    """
    files = sorted(folder.glob("model*.safetensors"))
    try:
        total = sum(_count(_safetensors_header(file)) for file in files)
    except (FileProblem, OSError):
        return ""  # the weights are damaged, and the configuration is what was asked for
    return f"{total:,}" if total else ""


def _safetensors_header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            found = json.loads(file.read(length)) if length <= min(size, LARGEST_HEADER) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FileProblem(
            f"{shown(path)}: it begins like a safetensors file and does not hold together. It is "
            f"damaged or cut short; get it again."
        )
    return found


def _count(header: Mapping[str, Any]) -> int:
    """The numbers in all tensors that a header lists, as far as it can be read."""
    total = 0
    for name, entry in header.items():
        shape = entry.get("shape") if isinstance(entry, dict) and name != "__metadata__" else None
        if not isinstance(shape, list) or len(shape) > MOST_AXES:
            continue
        if all(type(n) is int and 0 <= n < 2**40 for n in shape):
            total += math.prod(shape)
    return total
