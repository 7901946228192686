"""The checkpoint that nanoGPT's train.py writes: ckpt.pt.

It is a dictionary with the weights, under 'model', and the sizes, under 'model_args'; see
:mod:`fsm_gpt.gpt.archive` for how it is read. https://github.com/karpathy/nanoGPT

What differs between such files: names begin with ``_orig_mod.`` if the model was
compiled; attention masks are stored by old versions; biases are all there or all
absent (the article's model has them in its norms alone); the vocabulary may be padded
to a multiple of 64, which makes products faster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.files import shown
from fsm_gpt.gpt.archive import Archive, sha256_of, tensors_of
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.weights import TIED, build_model, numbered, without_padding
from fsm_gpt.space import Vocabulary

__all__ = ["load_nanogpt"]

SIZES = {
    "vocab_size": "vocab_size",
    "context": "block_size",
    "n_layer": "n_layer",
    "n_head": "n_head",
    "n_embd": "n_embd",
}


def load_nanogpt(archive: Archive, *, vocabulary: Vocabulary | None = None) -> GPT:
    """Read nanoGPT's checkpoint.

    Where the vocabulary has fewer tokens than the file has rows, and the rows are
    those of a padded vocabulary, the rows without a token are left out:
    probabilities are then those given that a real token follows.

    Raises
    ------
    FileProblem
        It is damaged, or not a checkpoint of nanoGPT.
    UnsafeFile
        Its tensors claim more numbers than the file has bytes for.
    """
    path = archive.path
    weights, arguments = _parts(archive)
    config = _config(arguments, weights, path)
    named = numbered(config, weights, path) if vocabulary is None else vocabulary
    steps = archive.content.get("iter_num")
    steps = steps if type(steps) is int else None
    provenance = {
        "weights": "trained elsewhere" + (f" for {steps} iterations" if steps else ""),
        "file": path.name,
        "format": "nanoGPT checkpoint",
        "sha256": sha256_of(path),
    }
    config, padding = without_padding(config, weights, named, path)
    model = build_model(config, weights, vocabulary=named, path=path)
    model.provenance = provenance | padding
    return model


def _parts(archive: Archive) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights under this project's names, and the model's arguments."""
    path, checkpoint = archive.path, archive.content
    state, arguments = checkpoint.get("model"), checkpoint.get("model_args")
    if not isinstance(state, dict) or not isinstance(arguments, dict):
        found = ", ".join(sorted(key[:80] for key in checkpoint if isinstance(key, str))[:8])
        raise FileProblem(
            f"{shown(path)}: nanoGPT's checkpoints have the dictionaries 'model' and 'model_args', "
            f"and this file has: {found or 'nothing'}. Give the ckpt.pt that its train.py wrote."
        )
    weights = tensors_of(archive, state)
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
