"""Which kind of model a path leads to, told by content and never by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from fsm_gpt.errors import FileProblem
from fsm_gpt.files import file_problem, shown
from fsm_gpt.headers.gguf import GGUF
from fsm_gpt.headers.llama2c import MAGIC as LLAMA2C, looks_like_legacy

__all__ = ["Kind", "kind_of", "looks_like_safetensors", "start_of"]

Kind: TypeAlias = Literal[
    "archive",  # of torch.save
    "safetensors",
    "gguf",
    "llama2c",
    "pickle",  # bare, or of PyTorch before version 1.6
    "unknown",
]

#: Bytes from which the kind is told.
START = 32


def start_of(path: Path) -> tuple[bytes, int]:
    """The first bytes of a file, and its size.

    Raises
    ------
    FileProblem
        It cannot be read, or can be read only once.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise FileProblem(
                f"{shown(path)}: this is a pipe or a device, and a checkpoint must be a file that "
                f"can be read more than once. Copy it to a file first."
            )
        with path.open("rb") as file:
            return file.read(START), path.stat().st_size
    except FileProblem:
        raise
    except (OSError, ValueError) as problem:
        raise file_problem(path, problem, "read") from None


def kind_of(start: bytes, size: int) -> Kind:
    r"""The kind of a file that begins so and has this many bytes.

    >>> kind_of(b"PK\x03\x04", 1000), kind_of(b"GGUF", 1000), kind_of(b"hello", 5)
    ('archive', 'gguf', 'unknown')
    """
    if start.startswith(b"PK\x03\x04"):
        return "archive"
    if start.startswith(GGUF):
        return "gguf"
    # Before pickles: a legacy header of width 128 begins with their first byte.
    if start.startswith(LLAMA2C) or looks_like_legacy(start):
        return "llama2c"
    if looks_like_safetensors(start, size):
        return "safetensors"
    return "pickle" if start.startswith(b"\x80") else "unknown"


def looks_like_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of this size that starts so is safetensors: a length, then JSON."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and 2 <= length <= size - 8
