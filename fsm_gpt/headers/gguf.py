"""The header of a GGUF file: what it says of its model, and where its tensors lie.

A magic number, a version, the number of tensors and of entries; then entries of a name, a
type and a value, and for each tensor its name, shape, type and place. Everything is read with
an eye on the end of the file, so that a length that claims a terabyte is refused where
it stands.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import file_problem, shown

__all__ = ["GGUF", "GGUFHeader", "read_gguf_header"]

GGUF = b"GGUF"

#: Headers hold the tokens of a vocabulary; a million of them take some 30 MB.
LARGEST_HEADER = 2**28

#: Bytes and struct code of each type of number, by its id.
_NUMBERS = {
    **{0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"},
    **{10: "Q", 11: "q", 12: "d"},
}
_STRING, _ARRAY = 8, 9

#: Weights and bytes of a block, by the id of the tensor's type: plain numbers, Q4_0 to Q8_0,
#: and the K-quants, Q2_K to Q8_K.
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 30: (1, 2), 28: (1, 8), 24: (1, 1), 25: (1, 2), 26: (1, 4)},
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210)},
    **{15: (256, 292)},
}
#: No other type takes fewer bytes than one for eight weights.
_SMALLEST = (8, 1)


@dataclass(frozen=True, kw_only=True)
class GGUFHeader:
    """What a GGUF file says of its model."""

    metadata: dict[str, Any]
    #: Shape of each tensor by name.
    shapes: dict[str, tuple[int, ...]]

    @property
    def architecture(self) -> str:
        """Such as "llama"."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def n_weights(self) -> int:
        """All numbers in all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def n_layers(self) -> int:
        """Layers of which there are tensors, such as blk.0.attn_q.weight."""
        names = (name.split(".") for name in self.shapes)
        return len({parts[1] for parts in names if parts[0] == "blk" and len(parts) > 2})

    def number(self, name: str) -> int | None:
        """A whole number of the architecture, such as ``context_length``."""
        found = self.metadata.get(f"{self.architecture}.{name}")
        return found if type(found) is int and found > 0 else None


class _Reader:
    """Bytes read in order, never past the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.place:
            raise ValueError(
                f"at byte {self.place:,} it claims {length:,} bytes and "
                f"{len(self.data) - self.place:,} are left"
            )
        self.place += length
        return self.data[self.place - length : self.place]

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", errors="backslashreplace")

    def value(self, kind: int, *, nested: bool = False) -> Any:
        if kind == _STRING:
            return self.text()
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind != _ARRAY or nested:
            raise ValueError(f"before byte {self.place:,} it has a value of unknown type {kind}")
        inner, length = self.number("I"), self.number("Q")
        if inner in _NUMBERS:
            code = _NUMBERS[inner]
            data = self.take(length * struct.calcsize(f"<{code}"))
            return list(struct.unpack(f"<{length}{code}", data))
        if length > len(self.data) - self.place:  # a string takes eight bytes or more
            raise ValueError(f"at byte {self.place:,} it claims a list of {length:,} values")
        return [self.value(inner, nested=True) for _ in range(length)]


def read_gguf_header(path: Path) -> GGUFHeader:
    """The header of a GGUF file.

    Raises
    ------
    FileProblem
        It is damaged, or claims more than the file holds.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            reader = _Reader(file.read(min(size, LARGEST_HEADER)))
    except OSError as problem:
        raise file_problem(path, problem, "read") from None
    try:
        return _parsed(reader, size)
    except (ValueError, struct.error, MemoryError, OverflowError) as problem:
        raise FileProblem(
            f"{shown(path)}: it begins like GGUF and its header does not hold together "
            f"({str(problem)[:200]}). It is damaged or cut short; get it again."
        ) from None


def _parsed(reader: _Reader, size: int) -> GGUFHeader:
    reader.take(len(GGUF))
    version = reader.number("I")
    if version not in (2, 3):
        raise ValueError(f"its version is {version}, and 2 and 3 are read")
    n_tensors, entries = reader.number("Q"), reader.number("Q")
    if n_tensors + entries > size:
        raise ValueError(f"it claims {n_tensors:,} tensors and {entries:,} entries")
    metadata = {}
    for _ in range(entries):
        name = reader.text()
        metadata[name] = reader.value(reader.number("I"))
    shapes = {}
    end = 0  # of the last tensor, from where the data begins
    for _ in range(n_tensors):
        name = reader.text()
        rank = reader.number("I")
        if rank > 8:
            raise ValueError(f"its tensor {name[:60]!r} has {rank} axes")
        shapes[name] = tuple(reader.number("Q") for _ in range(rank))
        weights, stored = _BLOCKS.get(reader.number("I"), _SMALLEST)
        length = math.prod(shapes[name]) // weights * stored
        end = max(end, reader.number("Q") + length)
    room = size - reader.place
    if end > room:
        raise ValueError(f"its tensors claim {end:,} bytes and {room:,} are left")
    return GGUFHeader(metadata=metadata, shapes=shapes)
