"""What is asked of a model before its rows: its vocabulary, its context, where it comes from.

Everything that makes rows of a model asks here; ``where`` is the name of the function that
asks, for its errors.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence

import numpy as np

from fsm_gpt import __version__
from fsm_gpt.as_found import is_module, loaded_torch, refuse_device
from fsm_gpt.asking import Model
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.space import Vocabulary

__all__ = [
    "fingerprint",
    "notes_on_rows",
    "own_space",
    "provenance_of",
    "refuse_foreign_device",
    "rules_of",
]


def rules_of(decoding: Rule | Sequence[Rule] | None, *, where: str) -> tuple[Rule, ...]:
    """The rules in the order in which they apply; none for the model's own probabilities.

    >>> from fsm_gpt.decoding import Greedy
    >>> rules_of(Greedy(), where="extract"), rules_of(None, where="extract")
    ((Greedy(),), ())
    """
    rules = tuple(decoding) if isinstance(decoding, Sequence) else (decoding,) if decoding else ()
    for rule in rules:
        if not callable(rule):
            raise InvalidArgument(
                f"{where}: decoding has {rule!r}, which is no rule. Give rules such as Greedy() or "
                f"TopK(2)."
            )
    return rules


def refuse_foreign_device(model: Model, device: str | None, *, where: str) -> None:
    """Refuse a device that is not here, or a model that takes none."""
    if device is None:
        return
    if not is_module(model):
        raise InvalidArgument(
            f"{where}: device is {device!r}, and the model is no PyTorch module: where it computes "
            f"is its own affair. Leave device out."
        )
    refuse_device(device, where=where)


def own_space(
    model: Model,
    vocabulary: Vocabulary | str | int | Sequence[str] | None,
    context: int | None,
    truncate_to: int | None = None,
    *,
    where: str,
) -> tuple[Vocabulary, int, int]:
    """The vocabulary, the tokens that the model can see, and those that it is to see."""
    own = getattr(model, "context", None)
    named = getattr(model, "vocabulary", None) if vocabulary is None else vocabulary
    asked = own if context is None else context
    for value, name in ((named, "vocabulary"), (asked, "context")):
        if value is None:
            raise InvalidArgument(
                f"{where}: the model has no attribute {name!r}, and without it the contexts "
                f"cannot be listed. Pass {name}=... to {where}()."
            )
    seen = _whole(asked, "context", where)
    length = seen if truncate_to is None else _whole(truncate_to, "truncate_to", where)
    sees = own if isinstance(own, int) else seen
    if not length <= seen <= sees:
        raise InvalidArgument(
            f"{where}: a context of {max(length, seen)} tokens was asked for, and the model sees "
            f"{min(seen, sees)}. Give a number from 1 to {min(seen, sees)}."
        )
    assert named is not None
    return Vocabulary.of(named), sees, length


def _whole(value: object, name: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidArgument(
            f"{where}: {name} is {value!r}, and it is a whole number of 1 or more. A model that "
            f"sees no token has one state and no chain."
        )
    return value


def notes_on_rows(own_context: int, length: int, *, masked: int, lost: int) -> list[str]:
    """What a reader should know of rows: a cut context, and zeros with their causes."""
    notes = []
    if length < own_context:
        notes.append(
            f"the model sees {own_context} tokens and was given the last {length} only, at "
            f"positions 0 to {length - 1}"
        )
    if masked:
        notes.append(
            f"{masked:,} probabilities are exactly zero because the model masks their token "
            f"(a logit of minus infinity)"
        )
    if lost:
        notes.append(
            f"{lost:,} probabilities are zero by float64 underflow: the model gives them a "
            f"finite logit, so structure there is that of the floats, not of the model"
        )
    return notes


def provenance_of(model: Model, own_context: int, length: int) -> dict[str, str]:
    """What is known of the model, and the versions that computed its rows."""
    known = getattr(model, "provenance", None)
    name = getattr(model, "__qualname__", None) or type(model).__qualname__
    about = {"model": str(name)}
    parameters = getattr(model, "n_parameters", None)
    if isinstance(parameters, int):
        about["parameters"] = f"{parameters:,}"
    if isinstance(known, Mapping):
        about |= {str(key): str(value) for key, value in known.items()}
    about["context"] = str(length) if length == own_context else f"{length} of {own_context}"
    about["python"] = platform.python_version()
    about["fsm_gpt"], about["numpy"] = __version__, np.__version__
    if loaded_torch() is not None:
        about["torch"] = str(loaded_torch().__version__)
    return about


def fingerprint(model: Model) -> str | None:
    """A SHA-256 of a torch module's class and weights; None for what has no weights to look at.

    >>> fingerprint(lambda ids: ids) is None
    True
    """
    if not is_module(model):
        return None
    torch = loaded_torch()
    found = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}\n".encode())
    weights = model.state_dict()  # type: ignore[attr-defined]
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        found.update(f"{name!r} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
