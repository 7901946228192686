"""Reading a store that a stranger may have written.

Its two documents say how large it is, and nothing is reserved for that before the files of that
size are seen to be there. They have to say exactly what this program writes: no other codec, type
or grid, and no name of a file is taken from them. Links out of the folder are not followed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FileProblem, FsmGptError, StateSpaceTooLarge
from fsm_gpt.files import Pathlike, file_problem, read_stream, shown
from fsm_gpt.io.chunk_files import ChunkFiles, checksum, open_inside
from fsm_gpt.io.describe import Described, described, require
from fsm_gpt.io.format import KEY, digest
from fsm_gpt.io.zarr_format import (
    ARRAYS,
    META,
    ROWS,
    STORE_VERSION,
    TIED,
    Layout,
    array_meta,
    chunk_name,
    group_meta,
)
from fsm_gpt.result import read_only
from fsm_gpt.space import ContextSpace
from fsm_gpt.streamed import StreamedRows

__all__ = ["is_store", "open_store", "rows_bytes"]

#: Larger documents, and chunks, are refused.
LARGEST_META, LARGEST_CHUNK = 2**27, 2**31


def is_store(path: Pathlike) -> bool:
    """Whether a folder says that it holds a chain; nothing is said of whether it is whole.

    >>> is_store("no-such-folder")
    False
    """
    try:
        return KEY in _document(Path(path), META)["attributes"]
    except (OSError, FsmGptError, KeyError, TypeError):
        return False


def rows_bytes(path: Pathlike) -> int:
    """How much memory the rows of a store take, by what it says."""
    layout = _layout_of(_header(Path(path)))[0]
    return layout.n_chunks * layout.chunk_bytes


def open_store(path: Pathlike, *, max_memory_gib: float = 8.0, on_disk: bool = False) -> Chain:
    """The chain of a store: its rows in memory if they take half of what is allowed, or on disk.

    Raises
    ------
    FileProblem
        It cannot be read, is not complete, or does not hold a chain.
    StateSpaceTooLarge
        The memory is not enough for two vectors.
    """
    root = Path(path)
    try:
        header = _header(root)
        layout, about = _layout_of(header)
        _refuse_incomplete(root, header, layout)
        files = ChunkFiles(root, layout, _checksums(header, layout))
        _check_rows(root, files)
        chain = _chain(files, about, int(max_memory_gib * 2**30), on_disk)
        tied = _tied(root, header, layout)
    except (FileProblem, StateSpaceTooLarge):
        raise
    except FsmGptError as error:
        said = str(error)
        raise FileProblem(
            f"{shown(path)}: it holds no chain that can be used. {said[:1].upper()}{said[1:]}"
        ) from None
    return chain._with(decoding=about.decoding, tied=read_only(tied))


def _chain(files: ChunkFiles, about: Described, budget: int, on_disk: bool) -> Chain:
    space = about.states
    assert isinstance(space, ContextSpace)
    said: dict[str, Any] = {"notes": about.notes, "provenance": about.provenance}
    layout = files.layout
    size = layout.n_chunks * layout.chunk_bytes
    if 2 * size <= budget and not on_disk:
        rows = np.empty(files.shape, files.dtype)
        for number, block in enumerate(files.blocks(range(layout.n_chunks))):
            rows[number * layout.block : (number + 1) * layout.block] = block
        return Chain._of_own_rows(rows, space, **said)
    if 16 * layout.n_states > budget:
        raise StateSpaceTooLarge(
            f"{shown(files.root)}: its {layout.n_states:,} states make vectors of "
            f"{8 * layout.n_states / 2**30:,.2g} GiB, two of which are needed at least, and "
            f"{budget / 2**30:.2g} GiB of memory are allowed. Allow more with max_memory_gib, or "
            f"--max-memory."
        )
    shown_tokens = space.vocabulary.shown
    storage = StreamedRows(files, budget, space.label, lambda token: shown_tokens[token])
    return Chain._of_storage(storage, space, **said)


# ---- what the documents say ----


def _document(root: Path, *parts: str) -> dict[str, Any]:
    """A document of a store, in which nothing is executed and which is not long."""
    path = root.joinpath(*parts)
    try:
        with os.fdopen(open_inside(root, *parts), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_META:
                raise FileProblem(
                    f"{shown(path)}: it is no plain file of {LARGEST_META:,} bytes at most, as the "
                    f"description of a store is. Check that this is the folder that was meant."
                )
            data = read_stream(file, LARGEST_META, expected=about.st_size)
    except FileProblem:
        raise
    except OSError as error:
        raise file_problem(path, error, "read") from None
    try:
        require(len(data) <= LARGEST_META, f"it is longer than {LARGEST_META:,} bytes")
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise FileProblem(
            f"{shown(path)}: it is not JSON, as the description of a store is. The store is "
            f"damaged; get it again."
        ) from None
    if not isinstance(found, dict):
        raise FileProblem(f"{shown(path)}: it is no JSON object. The store is damaged.")
    return found


def _header(root: Path) -> dict[str, Any]:
    if not os.path.lexists(root / META):
        raise FileProblem(
            f"{shown(root)}: it is a folder, and without a {META} not one of a chain. Name a file, "
            f"or a folder that fsm-gpt extract or save() wrote."
        )
    meta = _document(root, META)
    attributes = meta.get("attributes")
    header = attributes.get(KEY) if isinstance(attributes, dict) else None
    if not isinstance(header, dict):
        raise FileProblem(
            f"{shown(root)}: it is a folder without a chain: its {META} lacks the attribute "
            f"{KEY!r}. Give a folder that fsm-gpt extract or save() wrote."
        )
    try:
        require(
            meta == group_meta({KEY: header}),
            f"{META} of the folder says more than that of a chain's store",
        )
    except FileProblem as error:
        raise _unusable(root, error) from None
    if header.get("version") != STORE_VERSION or type(header.get("version")) is not int:
        raise FileProblem(
            f"{shown(root)}: it has format version {str(header.get('version'))[:20]!r}, and this "
            f"program reads version {STORE_VERSION}. A newer fsm_gpt may read it."
        )
    return header


def _unusable(root: Path, error: Exception) -> FileProblem:
    said = str(error)
    return FileProblem(
        f"{shown(root)}: it holds no chain that can be used. {said[:1].upper()}{said[1:]}"
    )


def _layout_of(header: dict[str, Any]) -> tuple[Layout, Described]:
    """How the rows are cut, after what the header says of the chain; nothing is reserved."""
    about = described(header, {})
    space = about.states
    require(isinstance(space, ContextSpace), "its states are not contexts")
    assert isinstance(space, ContextSpace)
    require(space.shortest == space.length, "its windows have several lengths")
    require(space.vocabulary == about.vocabulary, "its states are of another vocabulary")
    require(header.get("storage") == "windows", "its storage is not windows")
    require(header.get("kind") == "float", "its kind is not float")
    dtype, block = header.get("dtype"), header.get("block")
    require(dtype in ("float64", "float32"), f"its numbers are {str(dtype)[:40]!r}")
    V, N = len(space.vocabulary), space.size
    require(type(block) is int and 0 < block <= N, f"its chunks have {str(block)[:40]} rows")
    assert isinstance(dtype, str)
    assert isinstance(block, int)
    R = max(N // V, 1)
    require(N % block == 0 and (R % block == 0 or block % R == 0), "its chunks do not fit")
    layout = Layout(N, V, block, dtype)
    require(layout.chunk_bytes <= LARGEST_CHUNK, "its chunks are larger than 2 GiB")
    return layout, about


def _refuse_incomplete(root: Path, header: dict[str, Any], layout: Layout) -> None:
    if header.get("complete") is True:
        sha = header.get("sha256")
        rest = {key: value for key, value in header.items() if key != "sha256"}
        if sha != digest(rest, {}):
            raise FileProblem(
                f"{shown(root / META)}: it does not match the checksum in it, so it is damaged. "
                f"Get the store again, or extract it anew."
            )
        return
    try:
        with os.scandir(root / ROWS) as entries:
            there = sum(bool(re.fullmatch(r"c\.\d+\.0", entry.name)) for entry in entries)
    except OSError:
        there = 0
    raise FileProblem(
        f"{shown(root)}: its extraction was not finished: {there:,} of {layout.n_chunks:,} chunks "
        f"are there. Go on with it by fsm-gpt extract MODEL --output {shown(root)} --resume, with "
        f"the options of the start, or by resume=True in Python."
    )


def _checksums(header: dict[str, Any], layout: Layout) -> list[int]:
    said = header.get("chunks")
    right = (
        isinstance(said, list)
        and len(said) == layout.n_chunks
        and all(isinstance(one, str) and re.fullmatch("[0-9a-f]{8}", one) for one in said)
    )
    require(right, f"it does not have the checksums of {layout.n_chunks:,} chunks")
    return [int(one, 16) for one in said or []]


def _check_rows(root: Path, files: ChunkFiles) -> None:
    """Refuse an array that is described otherwise, and chunks that are not there."""
    layout = files.layout
    expected = array_meta(
        [layout.n_states, layout.n_tokens], [layout.block, layout.n_tokens], layout.dtype
    )
    found = _document(root, ROWS, META)
    if found != expected or json.dumps(found, sort_keys=True) != json.dumps(
        expected, sort_keys=True
    ):
        different = sorted(
            key for key in {*found, *expected} if found.get(key) != expected.get(key)
        )
        raise FileProblem(
            f"{shown(root / ROWS / META)}: the rows are described otherwise than in a chain's "
            f"store ({', '.join(key[:40] for key in different[:4]) or 'types'}): other codecs, "
            f"types and grids are not read. Write the store with save() or fsm-gpt extract."
        )
    for number in range(layout.n_chunks):
        name = chunk_name(number)
        try:
            about = os.lstat(root / ROWS / name)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise FileProblem(
                    f"{shown(root / ROWS / name)}: this chunk of the store is missing, so "
                    f"{layout.block:,} states have no rows. Get the whole store again, or extract "
                    f"it anew."
                ) from None
            raise file_problem(root / ROWS / name, error, "read") from None
        files.refuse_other_size(root / ROWS / name, about)


def _tied(root: Path, header: dict[str, Any], layout: Layout) -> Any:
    """The states where a rule chose between equals."""
    count = header.get("tied")
    require(
        type(count) is int and 0 <= count <= layout.n_states, "its number of tied states is wrong"
    )
    assert isinstance(count, int)
    if not count:
        return np.zeros(0, np.int64)
    require(
        _document(root, TIED, META) == array_meta([count], [count], "int64"),
        "its tied states are described otherwise than in a chain's store",
    )
    path = root / TIED / "c.0"
    try:
        with os.fdopen(open_inside(root, TIED, "c.0"), "rb") as file:
            require(os.fstat(file.fileno()).st_size == 8 * count + 4, "its tied states are cut")
            data = file.read(8 * count + 4)
    except FileProblem:
        raise
    except OSError as error:
        raise file_problem(path, error, "read") from None
    raw = np.frombuffer(data[:-4], np.uint8)
    right = checksum(raw) == int.from_bytes(data[-4:], "little")
    require(right, "its tied states do not match their checksum")
    tied = raw.view(ARRAYS["int64"]).astype(np.int64)
    inside = ((0 <= tied) & (tied < layout.n_states)).all() and (np.diff(tied) > 0).all()
    require(inside, "its tied states are out of range or order")
    return tied
