"""How a chain lies on a disk in the zarr format, version 3, and nothing else that zarr allows.

A store is a folder. Any program that reads zarr reads it; this one takes stores of exactly this
form and refuses every other before it reserves memory for them.

==================  ==========================================================================
file                what it holds
==================  ==========================================================================
zarr.json           a group; its attribute ``fsm_gpt.chain`` says what the chain is
rows/zarr.json      an array of shape (V**L, V), float64 or float32, in chunks of whole rows
rows/c.k.0          chunk k: the rows of the windows k n to (k + 1) n - 1, little-endian, not
                    compressed, and after them their CRC-32C (RFC 3720), four bytes
tied/...            an array of the states where a decoding rule chose between equals, if any
.journal, .lock     while the store is written: which chunks are done, and who writes
==================  ==========================================================================

A chunk holds whole subtrees of contexts: n is a power of V times a divisor of V. The attribute has
the checksum of each chunk once more, so that chunks cannot change places, and a SHA-256 of itself.
It says ``complete`` only when every chunk is there. A chunk that is missing reads as undefined
numbers (NaN) in other programs.

Nothing is compressed: softmax rows hardly shrink, and they are read at the speed of the disk.

References
----------
Zarr core specification, version 3, https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html;
codecs ``bytes`` and ``crc32c`` there.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ARRAYS",
    "CHUNK_BYTES",
    "JOURNAL",
    "LOCK",
    "META",
    "ROWS",
    "STORE_VERSION",
    "TIED",
    "Layout",
    "array_meta",
    "chunk_name",
    "group_meta",
    "in_bytes",
]

META, ROWS, TIED, JOURNAL, LOCK = "zarr.json", "rows", "tied", ".journal", ".lock"
#: The version of what stands in the attribute.
STORE_VERSION = 1
#: Chunks have at most so many bytes, where a row has no more: two of them, with what they meet in
#: vectors, are to stay in a processor's outer cache.
CHUNK_BYTES = 5 * 2**20

#: The numbers that arrays may hold, as zarr and as numpy write them.
ARRAYS = {"float64": "<f8", "float32": "<f4", "int64": "<i8"}


class Layout(NamedTuple):
    """How the rows of all windows are cut."""

    n_states: int
    n_tokens: int
    block: int
    """Rows in a chunk."""
    dtype: str

    @classmethod
    def of(cls, V: int, L: int, dtype: str, chunk_bytes: int = CHUNK_BYTES) -> Layout:
        """Chunks of whole subtrees of contexts, of at most so many bytes or of one row.

        >>> Layout.of(2, 24, "float64").block, Layout.of(27, 5, "float64").block
        (262144, 19683)
        """
        row = V * np.dtype(ARRAYS[dtype]).itemsize
        block = depth = 1
        while V > 1 and depth <= L and block * V * row <= chunk_bytes:
            block, depth = block * V, depth + 1
        if depth <= L:
            fitting = [d for d in range(1, V + 1) if V % d == 0 and block * d * row <= chunk_bytes]
            block *= max(fitting, default=1)
        return cls(V**L, V, block, dtype)

    @property
    def n_chunks(self) -> int:
        """The number of chunks."""
        return self.n_states // self.block

    @property
    def chunk_bytes(self) -> int:
        """Bytes of rows in a chunk; its file has four more."""
        return self.block * self.n_tokens * np.dtype(ARRAYS[self.dtype]).itemsize


def chunk_name(number: int) -> str:
    """The file of a chunk of rows, in its folder."""
    return f"c.{number}.0"


def array_meta(shape: list[int], chunk: list[int], dtype: str) -> dict[str, Any]:
    """What zarr.json of an array says."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0 if dtype == "int64" else "NaN",
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "crc32c"},
        ],
        "attributes": {},
    }


def group_meta(attributes: dict[str, Any]) -> dict[str, Any]:
    """What zarr.json of a group says."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def in_bytes(meta: dict[str, Any]) -> bytes:
    """A document as it is written: always the same bytes for the same content."""
    return json.dumps(meta, sort_keys=True, indent=1).encode("ascii") + b"\n"
