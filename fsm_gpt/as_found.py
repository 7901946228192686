"""A PyTorch module while it is asked: no dropout, no gradients, on the device that is wanted.

Afterwards it is as it was found. PyTorch is never imported here, only used where a model
has already loaded it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsm_gpt.errors import InvalidArgument

__all__ = ["as_found", "device_of", "is_module", "loaded_torch", "refuse_device"]


def loaded_torch() -> Any:
    """PyTorch if it is loaded, as it is wherever a model of it exists; else None."""
    return sys.modules.get("torch")


def is_module(model: Any) -> bool:
    """Whether the model is a PyTorch module.

    >>> is_module(lambda ids: ids)
    False
    """
    torch = loaded_torch()
    return torch is not None and isinstance(model, torch.nn.Module)


def device_of(module: Any) -> Any:
    """The device of a module's weights."""
    weight = next(iter(module.parameters()), None)
    return "cpu" if weight is None else weight.device


def refuse_device(device: str, *, where: str = "extract") -> None:
    """Refuse a device that is not here.

    Raises
    ------
    InvalidArgument
        PyTorch knows no such device, or finds none.
    """
    torch = loaded_torch()
    try:
        held = torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as problem:
        why = str(problem).split("\n", maxsplit=1)[0].rstrip(".")
        raise InvalidArgument(
            f"{where}: device is {device!r}, and PyTorch finds no such device here ({why}). Leave "
            f"it out to compute where the model is, or run on a machine that has one with a "
            f"PyTorch built for it."
        ) from None
    if held.is_meta:
        raise InvalidArgument(
            f"{where}: device is {device!r}, which holds shapes and no numbers. Leave it out, or "
            f"name a device that computes, such as cpu or cuda."
        )


@contextmanager
def as_found(model: Any, *, device: str | None = None) -> Iterator[None]:
    """Evaluation mode without gradients inside, on the device if one is named.

    Afterwards each part of the model is in the mode it had, and its weights are the same
    memory as before.
    """
    torch = loaded_torch()
    if torch is None:
        yield
        return
    parts = list(model.modules()) if is_module(model) else []
    modes = [part.training for part in parts]
    tensors = [*model.parameters(), *model.buffers()] if parts and device is not None else []
    held = [tensor.data for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.data = tensor.data.to(device)
        if parts:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for tensor, data in zip(tensors, held, strict=True):
            tensor.data = data
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
