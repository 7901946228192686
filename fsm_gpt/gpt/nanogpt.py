"""The checkpoint that nanoGPT's train.py writes: ckpt.pt.

It is a zip archive in which a pickle says how its tensors are put together. PyTorch's
``weights_only=True`` reads that pickle with a short list of allowed names; nothing else
is ever used here. https://github.com/karpathy/nanoGPT

What differs between such files: names begin with ``_orig_mod.`` if the model was
compiled; attention masks are stored by old versions; biases are all there or all
absent (the article's model has them in its norms alone); the vocabulary may be padded
to a multiple of 64, which makes products faster.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem, FsmGptError, UnsafeFile
from fsm_gpt.files import shown
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.pickles import deepest_tuple
from fsm_gpt.gpt.weights import TIED, build_model
from fsm_gpt.space import Vocabulary

__all__ = ["load_nanogpt"]

MASKS = (".attn.bias", ".attn.masked_bias")
SIZES = {
    "vocab_size": "vocab_size",
    "context": "block_size",
    "n_layer": "n_layer",
    "n_head": "n_head",
    "n_embd": "n_embd",
}
#: What PyTorch writes nests some five tuples, in a pickle of 200 bytes or so a tensor.
DEEPEST_TUPLE, LARGEST_PICKLE = 16, 64 * 2**20
#: A vocabulary is padded up to a multiple of one of these.
PADDED_TO = (8, 16, 32, 64, 128, 256)


def load_nanogpt(path: Path, *, vocabulary: Vocabulary | None = None) -> GPT:
    """Read nanoGPT's checkpoint.

    Where the vocabulary has fewer tokens than the file has rows, and the rows are
    those of a padded vocabulary, the rows without a token are left out:
    probabilities are then those given that a real token follows.

    Raises
    ------
    FileProblem
        It is damaged, or not a checkpoint of nanoGPT.
    UnsafeFile
        Its pickle asks for a name that ``weights_only=True`` does not allow.
    """
    size = _checked_archive_size(path)
    checkpoint = _read(path)
    weights, arguments = _parts(checkpoint, path)
    _refuse_inflated(weights, size, path)
    config = _config(arguments, weights, path)
    rows = config.vocab_size
    named = Vocabulary.of(rows) if vocabulary is None else vocabulary
    steps = checkpoint.get("iter_num")
    steps = steps if type(steps) is int else None
    provenance = {
        "weights": "trained elsewhere" + (f" for {steps} iterations" if steps else ""),
        "file": path.name,
        "format": "nanoGPT checkpoint",
        "sha256": _sha256_of(path),
    }
    if len(named) != rows:
        if not _is_padding(len(named), rows):
            raise FileProblem(
                f"{shown(path)}: the model has {rows} tokens and the vocabulary has {len(named)}. "
                f"That is no padding; give the vocabulary that the model was trained with."
            )
        table = weights.get("wte.weight")
        if table is not None and len(table) == rows:
            weights["wte.weight"] = table[: len(named)]
        config = GPTConfig(**{**config.to_dict(), "vocab_size": len(named)})  # type: ignore[arg-type]
        provenance["padding"] = (
            f"{rows - len(named)} of the {rows} rows have no token and were left out; "
            f"probabilities are those given that a real token follows"
        )
    model = build_model(config, weights, vocabulary=named, path=path)
    model.provenance = provenance
    return model


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_padding(tokens: int, rows: int) -> bool:
    return tokens < rows and any(-(-tokens // m) * m == rows for m in PADDED_TO)


def _checked_archive_size(path: Path) -> int:
    """The number of bytes in the archive, once its checksums are seen to hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise UnsafeFile(
                    f"{shown(path)}: its parts are compressed, which PyTorch never does; a small "
                    f"file could unpack to any size. It was not loaded; save the model with "
                    f"torch.save."
                )
            if not any(member.filename.endswith("/data.pkl") for member in members):
                raise FileProblem(
                    f"{shown(path)}: it is a zip archive and not a PyTorch checkpoint (it has no "
                    f"data.pkl). Give the ckpt.pt that nanoGPT's train.py wrote."
                )
            damaged = archive.testzip()
            if damaged is not None:
                raise FileProblem(
                    f"{shown(path)}: its part {damaged} does not match its checksum. The file is "
                    f"damaged (or was saved with checksums turned off); get it or save it again."
                )
            _refuse_slow_pickle(archive, path)
            return sum(member.file_size for member in members)
    except FileProblem:
        raise
    except Exception as problem:  # a broken archive can fail in any way at all
        raise FileProblem(
            f"{shown(path)}: it begins like a PyTorch checkpoint and is no whole zip archive "
            f"({_first_line(problem)}). It is damaged or cut short; get it again."
        ) from None


def _refuse_slow_pickle(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a pickle that runs no code and never ends; see :mod:`fsm_gpt.gpt.pickles`."""
    for member in archive.infolist():
        if member.filename.endswith("/data.pkl") and (
            member.file_size > LARGEST_PICKLE or deepest_tuple(archive.read(member)) > DEEPEST_TUPLE
        ):
            raise UnsafeFile(
                f"{shown(path)}: the pickle inside it is larger or more deeply nested than that "
                f"of any checkpoint, and reading it could take for ever. It was not loaded."
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise UnsafeFile(
            f"{shown(path)}: it holds more than weights and plain data ({_reason(problem)}). "
            f"Loading it could run any code, so it was not loaded. If you trust it, load it "
            f"yourself and save again only what a nanoGPT checkpoint has: 'model' and 'model_args'."
        ) from None
    except Exception as problem:  # a broken archive can fail in any way at all
        raise FileProblem(
            f"{shown(path)}: PyTorch cannot read it ({_first_line(problem)}). It is damaged, or "
            f"written by something else than torch.save; get it again."
        ) from None
    if not isinstance(checkpoint, dict):
        raise FileProblem(
            f"{shown(path)}: it holds a {type(checkpoint).__name__}, not the dictionary that "
            f"nanoGPT saves. Give the ckpt.pt that its train.py wrote."
        )
    return checkpoint


def _parts(checkpoint: dict[str, Any], path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights under this project's names, and the model's arguments."""
    state, arguments = checkpoint.get("model"), checkpoint.get("model_args")
    if not isinstance(state, dict) or not isinstance(arguments, dict):
        found = ", ".join(sorted(key[:80] for key in checkpoint if isinstance(key, str))[:8])
        raise FileProblem(
            f"{shown(path)}: nanoGPT's checkpoints have the dictionaries 'model' and 'model_args', "
            f"and this file has: {found or 'nothing'}. Give the ckpt.pt that its train.py wrote."
        )
    weights: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = key if isinstance(key, str) else f"weights with a name of type {type(key).__name__}"
        name = name.removeprefix("_orig_mod.").removeprefix("transformer.")
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise FileProblem(
                f"{shown(path)}: {name} is not a plain tensor. The file is damaged or belongs to "
                f"another kind of model; give the ckpt.pt that nanoGPT's train.py wrote."
            )
        if not name.endswith(MASKS):
            weights[name] = tensor.detach()
    _untie(weights, path)
    return weights, arguments


def _untie(weights: dict[str, Tensor], path: Path) -> None:
    """Keep one of the two names of the matrix that embedding and output share."""
    head = weights.pop(TIED, None)
    if head is None:
        return
    table = weights.setdefault("wte.weight", head)
    if table.shape != head.shape or not torch.equal(table, head):
        raise FileProblem(
            f"{shown(path)}: its output matrix (lm_head.weight) differs from its token embedding "
            f"(wte.weight), and in this kind of GPT they are one matrix. Pass the model to "
            f"extract() as a callable instead."
        )


def _refuse_inflated(weights: dict[str, Tensor], size: int, path: Path) -> None:
    """Refuse tensors that claim more numbers than the file has bytes for."""
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if claimed > size:
        raise UnsafeFile(
            f"{shown(path)}: its tensors claim {claimed:,} bytes and the file holds {size:,}. Such "
            f"tensors repeat a few numbers to fill the memory; the file was not loaded. "
            f"Save the weights as plain tensors."
        )


def _config(arguments: dict[str, Any], weights: dict[str, Tensor], path: Path) -> GPTConfig:
    """The model's arguments, read together with the biases that are there."""
    missing = [key for key in SIZES.values() if key not in arguments]
    if missing:
        raise FileProblem(
            f"{shown(path)}: its 'model_args' lacks {', '.join(missing)}, so the model's shape is "
            f"unknown. Give the ckpt.pt that nanoGPT's train.py wrote."
        )
    for key in [*SIZES.values(), "bias"]:
        # The value itself is not shown: lists that repeat each other print without end.
        if type(arguments.get(key, 0)) not in (int, bool):
            raise FileProblem(
                f"{shown(path)}: its 'model_args' gives {key} as a "
                f"{type(arguments[key]).__name__}, where a whole number is needed (True or False "
                f"for bias). Give the ckpt.pt that nanoGPT's train.py wrote."
            )
    bias = "h.0.attn.c_attn.bias" in weights
    stated = arguments.get("bias", bias)
    if stated is not bias:
        raise FileProblem(
            f"{shown(path)}: its 'model_args' says bias={stated!r}, and its linear layers have "
            f"{'biases' if bias else 'none'}. The file is damaged or was put together from two; "
            f"get it again."
        )
    try:
        return GPTConfig(
            **{ours: arguments[theirs] for ours, theirs in SIZES.items()},
            bias=bias,
            norm_bias="ln_f.bias" in weights,
        )
    except FsmGptError as problem:
        raise FileProblem(
            f"{shown(path)}: its 'model_args' makes no sense ({problem}) Give the ckpt.pt that "
            f"nanoGPT's train.py wrote."
        ) from None


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def _reason(problem: BaseException) -> str:
    """What PyTorch's refusal is about, without its advice to load the file unsafely."""
    name = re.search(r"GLOBAL ([\w.]{1,100})", str(problem))
    return f"it asks for {name[1]}" if name else "its pickle is not one of plain weights"
