"""Reading a chain from a file that a stranger may have written.

Every problem is raised without the path; :func:`load` adds it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument
from fsm_gpt.files import Pathlike, read_limited, shown
from fsm_gpt.io.describe import (
    described,
    ids_of,
    json_of,
    rational_of,
    require,
    size_of,
    tensor_of,
    text_of,
)
from fsm_gpt.io.format import KEY, VERSION, Tensors, digest
from fsm_gpt.result import read_only
from fsm_gpt.rows import Numbers, objects
from fsm_gpt.space import ContextSpace

__all__ = ["header_of", "is_chain_file", "load", "load_with", "require", "tensor_of"]

T = TypeVar("T")

#: Larger files and headers are refused; the header's limit is that of safetensors.
LARGEST_FILE, LARGEST_HEADER = 2**33, 100_000_000


def load(path: Pathlike, *, max_memory_gib: float = 8.0, on_disk: bool = False) -> Chain:
    """Read a chain that :func:`save` or :func:`fsm_gpt.extract_to_store` wrote.

    The file is checked as if a stranger had written it, and nothing in it is executed.

    Parameters
    ----------
    path
        A file, or the folder of a store.
    max_memory_gib
        How much memory answers about a store may take. Its rows are read into memory if they take
        half of that at most, and stay on the disk otherwise (``chain.on_disk``): what can be asked
        then is read from there block by block, and the rest is refused.
    on_disk
        Leave the rows of a store on the disk even where they would fit.

    Raises
    ------
    FileProblem
        It cannot be read, or does not hold a chain.
    StateSpaceTooLarge
        The memory is not enough for two vectors over a store's states.

    >>> load("no-such-chain.safetensors")
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: no-such-chain.safetensors: cannot read it, there is no such file.
    Check the name and the folder.
    """
    if not max_memory_gib > 0:
        raise InvalidArgument(
            f"load: max_memory_gib is {max_memory_gib!r}; give a number of GiB above zero."
        )
    if os.path.isdir(path):
        from fsm_gpt.io.store_read import open_store

        return open_store(path, max_memory_gib=max_memory_gib, on_disk=on_disk)
    return load_with(path, lambda chain, header, tensors: chain)


def load_with(
    path: Pathlike, make: Callable[[Chain, dict[str, Any], Tensors], T], *, what: str = "chain"
) -> T:
    """What is made of a chain and of what else its file holds: its header and its tensors.

    ``what`` is made, for an error.

    Raises
    ------
    FileProblem
        It cannot be read, does not hold a chain, or ``make`` found it wrong.
    """
    data = read_limited(path, LARGEST_FILE)
    try:
        tensors, header = _open(data)
        del data  # the tensors are copies
        _check_header(header, tensors)
        return make(_chain_of(header, tensors), header, tensors)
    except FsmGptError as error:
        raise FileProblem(
            f"{shown(path)}: it holds no {what} that can be used. {_capital(str(error))}"
        ) from None


def is_chain_file(path: Pathlike) -> bool:
    """Whether a file or a store says that it holds a chain; nothing is said of whether it is whole.

    >>> is_chain_file("no-such-chain.safetensors")
    False
    """
    return _metadata(path) is not None


def header_of(path: Pathlike) -> dict[str, Any]:
    """What a file says of the chain in it, unchecked; empty where it holds none.

    >>> header_of("no-such-chain.safetensors")
    {}
    """
    try:
        header = json.loads(_metadata(path) or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _metadata(path: Pathlike) -> Any:
    """The entry on the chain in the header of a file; None where there is none."""
    try:
        if os.path.isdir(path):
            from fsm_gpt.io.store_read import is_store

            return is_store(path)
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: Any = json.loads(file.read(size)) if size <= LARGEST_HEADER else None
        return header["__metadata__"][KEY]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _open(data: bytes) -> tuple[Tensors, dict[str, Any]]:
    """The tensors of a safetensors file, and what it says of the chain."""
    try:
        tensors = tensors_of(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        if data.startswith((b"PK\x03\x04", b"\x80")):
            raise FileProblem(
                "it is a zip archive or a pickle, as PyTorch writes checkpoints. "
                "load_model() reads those; extract() makes the chain."
            ) from None
        raise FileProblem(
            f"it is no whole safetensors file of {len(data):,} bytes ({error}). It may be cut "
            f"short or of another kind; save the chain again with save()."
        ) from None
    if KEY not in metadata:
        raise FileProblem(
            f"it is a safetensors file without the entry {KEY!r} that describes a chain. "
            f"Chains are written by save(); load_model() reads models."
        )
    header = json_of(metadata[KEY], "the header")
    require(isinstance(header, dict), "the header is not a JSON object")
    return tensors, header


def _check_header(header: dict[str, Any], tensors: Tensors) -> None:
    if header.get("version") != VERSION:
        raise FileProblem(
            f"it has format version {str(header.get('version'))[:20]!r}, and this program reads "
            f"version {VERSION}. A newer fsm_gpt may read it."
        )
    if header.pop("sha256", None) != digest(header, tensors):
        raise FileProblem(
            "its bytes do not match the checksum in its header. The file is damaged; get it "
            "again, or save the chain anew with save()."
        )


def _chain_of(header: dict[str, Any], tensors: Tensors) -> Chain:
    about = described(header, tensors)
    vocabulary, states = about.vocabulary, about.states
    windows = header.get("storage") == "windows"
    require(windows or header.get("storage") == "edges", "its storage is not windows or edges")
    rational = header.get("kind") == "rational"
    require(rational or header.get("kind") == "float", "its kind is not float or rational")
    said: dict[str, Any] = {"notes": about.notes, "provenance": about.provenance}
    if windows:
        require(isinstance(states, ContextSpace), "windows need a space of contexts")
        assert isinstance(states, ContextSpace)
        require(states.shortest == states.length, "windows have one length")
        rows = _numbers("rows", (states.size, len(vocabulary)), tensors, rational=rational)
        chain = Chain(rows, vocabulary=vocabulary, context=states.length, **said)
    else:
        source, token, target = (ids_of(name, tensors) for name in ("source", "token", "target"))
        numbers = _numbers("probability", source.shape, tensors, rational=rational)
        require(size_of(states) <= len(numbers), "it has fewer transitions than states")
        chain = Chain.from_edges(
            source, token, target, numbers, vocabulary=vocabulary, states=states, **said
        )
    tied = np.unique(ids_of("tied", tensors))
    require(((0 <= tied) & (tied < chain.n_states)).all(), "a tied state is out of range")
    return chain._with(decoding=about.decoding, tied=read_only(tied))


def _numbers(name: str, shape: tuple[int, ...], tensors: Tensors, *, rational: bool) -> Numbers:
    if not rational:
        numbers = tensor_of(name, tensors)
        require(numbers.dtype in (np.float64, np.float32), f"{name} holds {numbers.dtype}")
        require(numbers.shape == shape, f"{name} has the shape {numbers.shape}, not {shape}")
        return numbers
    lines = text_of("rationals", tensors).split("\n")
    n = math.prod(shape)
    require(len(lines) == n, f"it has {len(lines)} rationals where {n} are needed")
    return objects(map(rational_of, lines), shape)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
