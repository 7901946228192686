"""The state dict of minGPT's GPT, as ``torch.save(model.state_dict(), path)`` writes it.

Names and shapes are nanoGPT's. What differs: the output matrix is another one than the
token embedding, every layer has a bias, and the GELU is its tanh approximation. A state
dict does not say how many heads there are, and no shape depends on it, so it is asked for.
https://github.com/karpathy/minGPT (``mingpt/model.py``)
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument
from fsm_gpt.files import shown
from fsm_gpt.gpt.archive import Archive, sha256_of, tensors_of
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.weights import TIED, build_model, without_padding
from fsm_gpt.space import Vocabulary

__all__ = ["is_state_dict", "load_mingpt"]


def is_state_dict(archive: Archive) -> bool:
    """Whether an archive holds weights by name, and nothing beside them."""
    content = archive.content
    if "model" in content or "model_args" in content:
        return False
    return any(isinstance(value, Tensor) for value in content.values()) and all(
        isinstance(key, str) for key in content
    )


def load_mingpt(
    archive: Archive, *, vocabulary: Vocabulary | None = None, n_head: int | None = None
) -> GPT:
    """Read a state dict of minGPT.

    Raises
    ------
    FileProblem
        It belongs to another kind of model.
    InvalidArgument
        The number of heads is not given, or does not divide the width.
    """
    path = archive.path
    weights = tensors_of(archive, archive.content)
    config = _config(weights, n_head, path)
    _refuse_another_kind(weights, path)
    named = Vocabulary.of(config.vocab_size) if vocabulary is None else vocabulary
    config, padding = without_padding(config, weights, named, path)
    model = build_model(config, weights, vocabulary=named, path=path)
    model.provenance = {
        "weights": "trained elsewhere",
        "file": path.name,
        "format": "minGPT state dict",
        "heads": f"{config.n_head}, as given; the file does not say",
        "sha256": sha256_of(path),
    } | padding
    return model


def _config(weights: dict[str, Tensor], n_head: int | None, path: Path) -> GPTConfig:
    """The sizes that the shapes show, and the number of heads that was given."""
    tables = [weights.get(name) for name in ("wte.weight", "wpe.weight")]
    missing = [
        name
        for name, table in zip(("wte.weight", "wpe.weight"), tables, strict=True)
        if table is None or table.dim() != 2 or not table.numel()
    ]
    if missing:
        found = ", ".join(sorted(name[:80] for name in weights)[:4])
        raise FileProblem(
            f"{shown(path)}: it holds weights by name, as minGPT saves them, and among them no "
            f"matrix {' and no matrix '.join(missing)} (there are {found} and others). It belongs "
            f"to another kind of model; load it with the code that wrote it and pass the model to "
            f"extract(), which takes any callable."
        )
    wte, wpe = tables
    assert wte is not None
    assert wpe is not None
    rows, width = wte.shape
    divisors = [str(n) for n in range(1, width + 1) if width % n == 0]
    if n_head is None or str(n_head) not in divisors:
        said = (
            "minGPT's files do not say how many attention heads the model has"
            if n_head is None
            else f"a width of {width} does not divide into {n_head} heads"
        )
        raise InvalidArgument(
            f"{shown(path)}: {said}. Give n_head (--heads on the command line), one of "
            f"{', '.join(divisors)}: the one that the model was trained with, since another gives "
            f"other probabilities."
        )
    layers = {name.split(".")[1] for name in weights if name.startswith("h.")}
    try:
        return GPTConfig(
            vocab_size=rows,
            context=len(wpe),
            n_layer=len(layers),
            n_head=n_head,
            n_embd=width,
            bias=True,
            norm_bias=True,
            gelu="tanh",
            tied_head=False,
        )
    except FsmGptError as problem:
        raise FileProblem(
            f"{shown(path)}: the shapes of its weights make no GPT ({problem}) Give a state dict "
            f"of minGPT."
        ) from None


def _refuse_another_kind(weights: dict[str, Tensor], path: Path) -> None:
    """Refuse what has minGPT's names and would be computed in another way."""
    head, table = weights.get(TIED), weights["wte.weight"]
    if head is None or (head.shape == table.shape and torch.equal(head, table)):
        raise FileProblem(
            f"{shown(path)}: its output matrix is its token embedding, which minGPT keeps apart; "
            f"they may be nanoGPT's weights without their 'model_args'. What they compute cannot "
            f"be told from the weights alone; give the whole ckpt.pt."
        )
    width = table.shape[1]
    merged = weights.get("h.0.attn.c_attn.weight")
    if merged is not None and tuple(merged.shape) == (width, 3 * width):
        raise FileProblem(
            f"{shown(path)}: its matrices are stored the other way round, as Hugging Face's GPT-2 "
            f"does. Give the folder of that model, with its config.json and model.safetensors."
        )
