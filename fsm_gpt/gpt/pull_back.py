"""From a gradient with respect to logits to one with respect to weights, and which part is whose.

With logits z(w), a number F whose gradient g = dF/dz is known has dF/dw = sum g dz/dw: one pass
through the model and one back. The logits of all contexts together are too many to keep, so it is
done in pieces and added up. Gradients are in float64 whatever the model computes in.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fsm_gpt.threads import threads_for

__all__ = ["Part", "parts_by_module", "parts_of_gpt", "pull_back", "weights_of"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Some entries of some weights: the weight's name, and where in it.
Part = tuple[tuple[str, tuple[slice, ...]], ...]

#: Contexts are pushed through the model this many at a time.
PIECE = 2048


def pull_back(model: nn.Module, blocks: Iterable[tuple[Ids, Floats]]) -> dict[str, Floats]:
    """The gradient with respect to every weight, by its name.

    Parameters
    ----------
    blocks
        Contexts of one length, shape (B, l), and the gradient with respect to the logits of the
        token after them, shape (B, V).
    """
    double = copy.deepcopy(model).double().eval()
    names = {weight: name for name, weight in double.named_parameters()}
    device = next(iter(names)).device
    with threads_for(torch, sum(weight.numel() for weight in names)), torch.enable_grad():
        for weight in names:
            weight.requires_grad_(True)
            weight.grad = None
        for ids, gradient in blocks:
            for first in range(0, len(ids), PIECE):
                piece = slice(first, first + PIECE)
                logits = double(torch.from_numpy(ids[piece]).to(device))[:, -1]  # (B, V)
                wanted = torch.from_numpy(np.ascontiguousarray(gradient[piece])).to(device)
                logits.backward(wanted)
    return {
        name: np.zeros(weight.shape) if weight.grad is None else weight.grad.cpu().numpy()
        for weight, name in names.items()
    }


def weights_of(model: nn.Module) -> dict[str, Floats]:
    """Every weight by its name; a matrix that serves twice stands once."""
    return {
        name: weight.detach().double().cpu().numpy() for name, weight in model.named_parameters()
    }


def parts_by_module(model: nn.Module) -> dict[str, Part]:
    """Each module that has weights of its own is a part."""
    found: dict[str, list[tuple[str, tuple[slice, ...]]]] = {}
    for name, _ in model.named_parameters():
        found.setdefault(name.rpartition(".")[0] or name, []).append((name, ()))
    return {name: tuple(entries) for name, entries in found.items()}


def parts_of_gpt(model: nn.Module, n_layer: int, n_head: int, width: int) -> Mapping[str, Part]:
    """Embeddings, and of each block its heads, its network and its norms.

    A head is the rows of the query, key and value matrix that make its own, and the columns of
    the output matrix that read it. What heads share, a bias of the output, is a part by itself.
    """
    own = dict(model.named_parameters())
    size = width // n_head
    tied = "wte.weight" not in own or "lm_head.weight" not in own
    parts: dict[str, Part] = {}

    def add(name: str, *weights: tuple[str, tuple[slice, ...]]) -> None:
        there = tuple(entry for entry in weights if entry[0] in own)
        if there:
            parts[name] = there

    names = ("wte.weight", "lm_head.weight")
    if tied:
        add("token embedding and output", *((name, ()) for name in names))
    else:
        add("token embedding", (names[0], ()))
        add("output", (names[1], ()))
    add("position embedding", ("wpe.weight", ()))
    for i in range(n_layer):
        block = f"h.{i}."
        for head in range(n_head):
            rows = [slice(k * width + head * size, k * width + (head + 1) * size) for k in range(3)]
            add(
                f"block {i + 1}, head {head + 1}",
                *((f"{block}attn.c_attn.weight", (each,)) for each in rows),
                *((f"{block}attn.c_attn.bias", (each,)) for each in rows),
                (
                    f"{block}attn.c_proj.weight",
                    (slice(None), slice(head * size, (head + 1) * size)),
                ),
            )
        add(f"block {i + 1}, output bias", (f"{block}attn.c_proj.bias", ()))
        network = [
            f"{block}mlp.{layer}.{kind}"
            for layer in ("c_fc", "c_proj")
            for kind in ("weight", "bias")
        ]
        add(f"block {i + 1}, network", *((name, ()) for name in network))
        norms = [f"{block}ln_{k}.{kind}" for k in (1, 2) for kind in ("weight", "bias")]
        add(f"block {i + 1}, norms", *((name, ()) for name in norms))
    add("last norm", ("ln_f.weight", ()), ("ln_f.bias", ()))
    return parts
