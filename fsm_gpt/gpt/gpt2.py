"""GPT-2 from a Hugging Face folder, as this project's own GPT.

The names are nanoGPT's, with ``transformer.`` in front or not. Matrices are stored the other
way round, (in, out): OpenAI wrote them as convolutions of width one. The output matrix is
the token embedding, the GELU its tanh approximation ("gelu_new").
https://github.com/openai/gpt-2
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.files import shown
from fsm_gpt.gpt.archive import MASKS
from fsm_gpt.gpt.folder import Folder
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.weights import TIED, build_model, numbered, without_padding
from fsm_gpt.space import Vocabulary

__all__ = ["is_gpt2", "load_gpt2"]

TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")

GELU: dict[object, Literal["exact", "tanh"]] = {
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu": "exact",
}

#: Variants that this project's GPT does not have, with GPT-2's own values.
USUAL = {
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}

SIZES = {
    "vocab_size": ("vocab_size", 50257),
    "context": ("n_positions", 1024),
    "n_layer": ("n_layer", 12),
    "n_head": ("n_head", 12),
    "n_embd": ("n_embd", 768),
}


def is_gpt2(config: dict[str, Any]) -> bool:
    """Whether a configuration is that of a GPT-2 without the variants of its later relatives."""
    width = config.get("n_embd", 768)
    return (
        config.get("model_type") == "gpt2"
        and str(config.get("activation_function", "gelu_new")) in GELU
        and config.get("n_inner") in (None, 4 * width if isinstance(width, int) else None)
        and all(config.get(key, usual) == usual for key, usual in USUAL.items())
    )


def load_gpt2(folder: Folder, *, vocabulary: Vocabulary | None, own: bool = False) -> GPT:
    """Read GPT-2's folder; ``own`` says that the vocabulary is the folder's own tokenizer.

    Raises
    ------
    FileProblem
        The weights are not those that the configuration implies.
    """
    config = _config(folder)
    weights = _weights(folder)
    head, table = weights.get(TIED), weights.get("wte.weight")
    if config.tied_head and head is not None:
        if table is None or head.shape != table.shape or not head.equal(table):
            raise FileProblem(
                f"{shown(folder.path)}: its config.json says that output matrix and token "
                f"embedding are one, and they differ. The folder was put together from two; get "
                f"it again."
            )
        del weights[TIED]
    named = numbered(config, weights, folder.path) if vocabulary is None else vocabulary
    config, padding = without_padding(config, weights, named, folder.path, any_number=own)
    model = build_model(config, weights, vocabulary=named, path=folder.path)
    model.provenance = {
        "weights": "trained elsewhere",
        "file": folder.path.name,
        "format": "GPT-2, Hugging Face folder",
        "sha256": folder.sha256(),
    } | padding
    return model


def _config(folder: Folder) -> GPTConfig:
    config = folder.config
    try:
        return GPTConfig(
            **{ours: config.get(theirs, usual) for ours, (theirs, usual) in SIZES.items()},
            bias=True,
            norm_bias=True,
            gelu=GELU[config.get("activation_function", "gelu_new")],
            tied_head=config.get("tie_word_embeddings", True),
        )
    except FsmGptError as problem:
        raise FileProblem(
            f"{shown(folder.config_path)}: it makes no sense ({problem}) Get the folder again."
        ) from None


def _weights(folder: Folder) -> dict[str, Tensor]:
    """The weights under this project's names and with its orientation."""
    weights = {}
    for key, tensor in folder.tensors().items():
        name = key.removeprefix("transformer.")
        if not name.endswith(MASKS):
            turned = name.endswith(TRANSPOSED) and tensor.dim() == 2
            weights[name] = tensor.T.contiguous() if turned else tensor
    return weights
