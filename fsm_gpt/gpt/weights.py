"""From named tensors to a model, with nothing taken on trust.

The shapes that a configuration implies are worked out without allocating anything, so
a file that claims to be huge is refused by its claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import shown
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.space import Vocabulary

__all__ = ["build_model", "own_tensors"]

#: The output matrix is the token embedding; one of the two is stored.
TIED = "lm_head.weight"


def own_tensors(model: GPT) -> dict[str, Tensor]:
    """The weights of a model by name, each once, on the CPU and contiguous."""
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if name != TIED
    }


def build_model(
    config: GPTConfig, weights: Mapping[str, Tensor], *, vocabulary: Vocabulary, path: Path
) -> GPT:
    """A model with these weights, in float64 if the token embedding is, else in float32.

    Raises
    ------
    FileProblem
        A tensor is missing, unknown, of another shape than the configuration implies,
        not of floats, or holds an infinite or undefined number.
    """
    blocks = {name.split(".")[1] for name in weights if name.startswith("h.")}
    if len(blocks) != config.n_layer:
        raise FileProblem(
            f"{shown(path)}: its configuration says {config.n_layer} layers and its weights have "
            f"{len(blocks)}. The file is damaged or was put together from two; get it again."
        )
    with torch.device("meta"):
        expected = {
            name: tuple(tensor.shape)
            for name, tensor in GPT(config).state_dict().items()
            if name != TIED
        }
    _refuse_other_names(set(expected), set(weights), path)
    for name, shape in expected.items():
        _refuse_bad_tensor(name, weights[name], shape, path)
    model = GPT(config, vocabulary=vocabulary)
    if weights["wte.weight"].dtype == torch.float64:
        model.double()
    model.load_state_dict({**weights, TIED: weights["wte.weight"]})
    return model.eval()


def _refuse_other_names(expected: set[str], found: set[str], path: Path) -> None:
    for names, verb, because in (
        (expected - found, "lacks", "A model of its configuration needs them"),
        (found - expected, "also has", "A model of its configuration has no place for them"),
    ):
        if names:
            some = ", ".join(sorted(names)[:4])
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            raise FileProblem(
                f"{shown(path)}: it {verb} the weights {some}{more}. {because}, so the file is "
                f"damaged or belongs to another kind of model; give a checkpoint of this kind of "
                f"GPT."
            )


def _refuse_bad_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], path: Path) -> None:
    if tuple(tensor.shape) != shape:
        raise FileProblem(
            f"{shown(path)}: the weights {name} have shape {tuple(tensor.shape)}, and the file's "
            f"own configuration implies {shape}. The file is damaged or was put together from two; "
            f"get it again."
        )
    if not tensor.is_floating_point():
        raise FileProblem(
            f"{shown(path)}: the weights {name} are of type {tensor.dtype}, not floats. Quantised "
            f"models are not read; give the checkpoint in float32, float16 or bfloat16."
        )
    if not torch.isfinite(tensor).all():
        bad = int((~torch.isfinite(tensor)).sum())
        raise FileProblem(
            f"{shown(path)}: {bad:,} of the {tensor.numel():,} weights {name} are infinite or "
            f"undefined (NaN), so the model computes nothing. Its training diverged or the file is "
            f"damaged; use an earlier checkpoint."
        )
