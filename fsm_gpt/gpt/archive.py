"""The zip archive of torch.save, read without running what is in it.

It is a zip archive in which a pickle says how its tensors are put together. PyTorch's
``weights_only=True`` reads that pickle with a short list of allowed names; nothing else
is ever used here. Checksums are seen to hold first, and a pickle that would take for ever
is refused; see :mod:`fsm_gpt.gpt.pickles`.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.files import shown
from fsm_gpt.gpt.pickles import deepest_tuple
from fsm_gpt.gpt.weights import TIED

__all__ = ["Archive", "first_line", "read_archive", "sha256_of", "tensors_of"]

#: What PyTorch writes nests some five tuples, in a pickle of 200 bytes or so a tensor.
DEEPEST_TUPLE, LARGEST_PICKLE = 16, 64 * 2**20

#: Attention masks are constants that old versions store beside the weights.
MASKS = (".attn.bias", ".attn.masked_bias")


class Archive(NamedTuple):
    """What an archive holds."""

    path: Path
    #: Bytes of its parts.
    size: int
    content: dict[Any, Any]


def read_archive(path: Path) -> Archive:
    """The dictionary that torch.save wrote to a file.

    Raises
    ------
    FileProblem
        It is damaged, no archive of PyTorch, or holds no dictionary.
    UnsafeFile
        Its pickle asks for a name that ``weights_only=True`` does not allow.
    """
    return Archive(path, _checked_size(path), _read(path))


def tensors_of(archive: Archive, state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The weights of a state dict by name, without the prefixes that say nothing.

    Raises
    ------
    FileProblem
        Something in it is no plain tensor.
    UnsafeFile
        The tensors claim more numbers than the file has bytes for.
    """
    path = archive.path
    weights: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = key if isinstance(key, str) else f"weights with a name of type {type(key).__name__}"
        name = name.removeprefix("_orig_mod.").removeprefix("transformer.")
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise FileProblem(
                f"{shown(path)}: {name[:80]} is not a plain tensor. The file is damaged or belongs "
                f"to another kind of model; give the checkpoint of a GPT."
            )
        if not name.endswith(MASKS):
            weights[name] = tensor.detach()
    _refuse_inflated(weights, archive)
    return weights


def _refuse_inflated(weights: dict[str, Tensor], archive: Archive) -> None:
    """Refuse tensors that claim more numbers than the file has bytes for."""
    head, table = weights.get(TIED), weights.get("wte.weight")
    shared = (
        head is not None
        and table is not None
        and head.data_ptr() == table.data_ptr()
        and head.shape == table.shape
    )
    claimed = sum(
        tensor.numel() * tensor.element_size()
        for name, tensor in weights.items()
        if not (shared and name == TIED)
    )
    if claimed > archive.size:
        raise UnsafeFile(
            f"{shown(archive.path)}: its tensors claim {claimed:,} bytes and the file holds "
            f"{archive.size:,}. Such tensors repeat a few numbers to fill the memory; the file was "
            f"not loaded. Save the weights as plain tensors."
        )


def _checked_size(path: Path) -> int:
    """The number of bytes in the archive, once its checksums are seen to hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise UnsafeFile(
                    f"{shown(path)}: its parts are compressed, which PyTorch never does; a small "
                    f"file could unpack to any size. It was not loaded; save the model with "
                    f"torch.save."
                )
            if not any(member.filename.endswith("/data.pkl") for member in members):
                raise FileProblem(
                    f"{shown(path)}: it is a zip archive and not a PyTorch checkpoint (it has no "
                    f"data.pkl). Give the checkpoint of a GPT."
                )
            damaged = archive.testzip()
            if damaged is not None:
                raise FileProblem(
                    f"{shown(path)}: its part {damaged} does not match its checksum. The file is "
                    f"damaged (or was saved with checksums turned off); get it or save it again."
                )
            _refuse_slow_pickle(archive, path)
            return sum(member.file_size for member in members)
    except FileProblem:
        raise
    except Exception as problem:  # a broken archive can fail in any way at all
        raise FileProblem(
            f"{shown(path)}: it begins like a PyTorch checkpoint and is no whole zip archive "
            f"({first_line(problem)}). It is damaged or cut short; get it again."
        ) from None


def _refuse_slow_pickle(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a pickle that runs no code and never ends; see :mod:`fsm_gpt.gpt.pickles`."""
    for member in archive.infolist():
        if member.filename.endswith("/data.pkl") and (
            member.file_size > LARGEST_PICKLE or deepest_tuple(archive.read(member)) > DEEPEST_TUPLE
        ):
            raise UnsafeFile(
                f"{shown(path)}: the pickle inside it is larger or more deeply nested than that "
                f"of any checkpoint, and reading it could take for ever. It was not loaded."
            )


def _read(path: Path) -> dict[Any, Any]:
    try:
        with warnings.catch_warnings():  # of protocols that PyTorch does not write itself
            warnings.simplefilter("ignore")
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise UnsafeFile(
            f"{shown(path)}: it holds more than weights and plain data ({_reason(problem)}). "
            f"Loading it could run any code, so it was not loaded. If you trust it, load it "
            f"yourself and save again only its weights and sizes, such as nanoGPT's 'model' and "
            f"'model_args'."
        ) from None
    except Exception as problem:  # a broken archive can fail in any way at all
        raise FileProblem(
            f"{shown(path)}: PyTorch cannot read it ({first_line(problem)}). It is damaged, or "
            f"written by something else than torch.save; get it again."
        ) from None
    if not isinstance(checkpoint, dict):
        raise FileProblem(
            f"{shown(path)}: it holds a {type(checkpoint).__name__}, not the dictionary that "
            f"nanoGPT and minGPT save. Give the checkpoint that they wrote."
        )
    return checkpoint


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_line(problem: BaseException) -> str:
    """The first line of what an error says, or its name."""
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def _reason(problem: BaseException) -> str:
    """What PyTorch's refusal is about, without its advice to load the file unsafely."""
    name = re.search(r"GLOBAL ([\w.]{1,100})", str(problem))
    return f"it asks for {name[1]}" if name else "its pickle is not one of plain weights"
