"""What the writer and the reader of chain files agree on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.decoding import Full, Greedy, MinP, Temperature, TopK, TopP

__all__ = ["DEEPEST", "KEY", "LONGEST_NUMBER", "PARAMETER", "RULES", "VERSION", "Tensors", "digest"]

Tensors = dict[str, npt.NDArray[Any]]

#: The one key of the header's metadata (several would be written in changing order), and
#: the version of what stands there.
KEY, VERSION = "fsm_gpt.chain", 1

#: Numerators and denominators have at most this many hexadecimal digits: 400,000 bits.
LONGEST_NUMBER = 100_000

#: States may be made of states so many times, such as pairs of pairs.
DEEPEST = 4

#: The decoding rules that a file can name, and the field that holds their number.
RULES: dict[str, type[Any]] = {
    rule.__name__: rule for rule in (Full, Greedy, MinP, Temperature, TopK, TopP)
}
PARAMETER = {MinP: "p", Temperature: "temperature", TopK: "k", TopP: "p"}


def digest(header: dict[str, Any], tensors: Tensors) -> str:
    """SHA-256 of everything in a file, which safetensors lacks: a changed bit is noticed.

    It guards against damage, not against a forger.
    """
    found = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        found.update(f"{name!r} {tensor.dtype} {tensor.shape}\n".encode())
        found.update(tensor.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
