"""Writing a chain to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as bytes_of

from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import Pathlike, atomic_write
from fsm_gpt.io.format import (
    DEEPEST,
    KEY,
    LONGEST_NUMBER,
    PARAMETER,
    RULES,
    VERSION,
    Tensors,
    digest,
)
from fsm_gpt.io.zarr_format import Layout
from fsm_gpt.rows import Numbers
from fsm_gpt.space import ContextSpace, NamedStates, SomeContexts, States, Vocabulary

__all__ = [
    "content_of",
    "described_header",
    "is_store_name",
    "refuse_no_text",
    "save",
    "store_header",
]


def save(chain: Chain, path: Pathlike) -> None:
    """Write a chain to a file, whole or not at all.

    Everything is kept, every float to its last bit: states, vocabulary, decoding rules,
    ties, notes and provenance. A path that ends in ``.zarr`` is that of a store, a folder
    whose rows need not fit into memory when they are read; it holds windows of floats.

    Raises
    ------
    FileProblem
        The file cannot be written.
    InvalidArgument
        The chain holds symbols, or states or a rule of a foreign type; or it is to be a store
        and does not consist of windows of floats.

    >>> import tempfile
    >>> from fsm_gpt.io import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Chain([[0.5, 0.5], [0.25, 0.75]]), folder + "/chain.safetensors")
    ...     print(load(folder + "/chain.safetensors"))
    Chain: 2 states (every window of 1 token over 2), 4 transitions
    """
    if is_store_name(path):
        _save_store(chain, path)
        return
    content = content_of(chain)
    with atomic_write(path) as file:
        file.write(content)


def content_of(
    chain: Chain, *, more: Mapping[str, Any] | None = None, more_tensors: Tensors | None = None
) -> bytes:
    """The bytes of a chain's file, with more in its header and more tensors beside the chain's.

    A reader of chains passes over what is added; the checksum covers it.
    """
    if chain.kind == "symbolic":
        raise InvalidArgument(
            "save: the rows hold symbols, and reading expressions back from a file would mean "
            "running code from it. Put numbers in for the symbols, or keep the Python "
            "code that makes the chain."
        )
    tensors: Tensors = {"tied": chain.tied, **(more_tensors or {})}
    header = {
        **(more or {}),
        "version": VERSION,
        "kind": chain.kind,
        "storage": "windows" if chain.is_window else "edges",
        **described_header(chain.states, chain.vocabulary, chain.decoding, tensors),
        "notes": list(chain.notes),
        "provenance": dict(chain.provenance),
    }
    edges = chain.raw_edges()
    numbers = chain.next_token if chain.is_window else edges.probability
    if not chain.is_window:
        tensors |= {"source": edges.source, "token": edges.token, "target": edges.target}
    if chain.kind == "rational":
        tensors["rationals"] = _rationals_to_bytes(numbers)
    else:
        tensors["rows" if chain.is_window else "probability"] = numbers
    refuse_no_text(header)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header["sha256"] = digest(header, tensors)
    return bytes_of(tensors, metadata={KEY: json.dumps(header, sort_keys=True)})


def described_header(
    states: States, vocabulary: Vocabulary, decoding: Sequence[Rule], tensors: Tensors
) -> dict[str, Any]:
    """What a chain is besides its numbers; the names of states may go into tensors."""
    return {
        "vocabulary": list(vocabulary),
        "states": _states_header(states, vocabulary, tensors),
        "decoding": [_rule_header(rule) for rule in decoding],
    }


def refuse_no_text(header: Mapping[str, Any]) -> None:
    """Refuse what JSON does not give back."""
    if json.loads(json.dumps(header, allow_nan=False)) != header:
        raise InvalidArgument(
            "save: a name, note or provenance entry of this chain is not text that survives "
            "a file (half a surrogate pair, or no string at all). Write it as plain text."
        )


def is_store_name(path: Pathlike) -> bool:
    """Whether a path means a store.

    >>> is_store_name("chain.zarr"), is_store_name("chain.safetensors")
    (True, False)
    """
    return PurePath(os.fspath(path)).suffix == ".zarr"


def store_header(
    space: ContextSpace, decoding: Sequence[Rule], layout: Layout, **more: Any
) -> dict[str, Any]:
    """What a store says of its chain from the start on; ``more`` is written beside it."""
    header = {
        "kind": "float",
        "storage": "windows",
        **described_header(space, space.vocabulary, decoding, {}),
        "notes": [],
        "provenance": {},
        "dtype": layout.dtype,
        "block": layout.block,
        **more,
    }
    refuse_no_text(header)
    return header


def _save_store(chain: Chain, path: Pathlike) -> None:
    from fsm_gpt.io.store_write import writing_store

    space = chain.states
    if not chain.is_window or chain.kind != "float" or not isinstance(space, ContextSpace):
        raise InvalidArgument(
            f"save: a store (.zarr) holds a row of floats for every window, and this chain is of "
            f"another kind ({chain!r}). Give a name that ends in .safetensors."
        )
    layout = Layout.of(chain.n_tokens, space.length, str(chain.dtype))
    header = store_header(space, chain.decoding, layout)
    refuse_no_text({"notes": list(chain.notes), "provenance": dict(chain.provenance)})
    with writing_store(path, layout, header, resume=False) as store:
        tied = np.zeros(chain.n_states, bool)
        tied[chain.tied] = True
        for first, rows in chain.row_blocks():
            counts = np.zeros((len(rows), 4), np.int64)
            store.add(rows, counts, tied[first : first + len(rows)])
        store.finish(notes=chain.notes, provenance=chain.provenance)


def _states_header(
    states: States, vocabulary: Vocabulary, tensors: Tensors, depth: int = 0
) -> dict[str, Any]:
    if isinstance(states, (WithEnd, Pairs)) and depth < DEEPEST:
        base = _states_header(states.base, vocabulary, tensors, depth + 1)
        if isinstance(states, WithEnd):
            return {"type": "with end", "base": base, "tokens": list(states.tokens)}
        tensors[f"first {depth}"], tensors[f"second {depth}"] = states.first, states.second
        return {"type": "pairs", "base": base, "names": list(states.names)}
    if isinstance(states, NamedStates):
        names = json.dumps(list(states.names)).encode("ascii")
        tensors["names"] = np.frombuffer(names, dtype=np.uint8)
        return {"type": "names"}
    if not isinstance(states, (ContextSpace, SomeContexts)):
        raise InvalidArgument(
            f"save: states of type {type(states).__name__} cannot be written. "
            f"Use contexts or names."
        )
    own = None if states.vocabulary == vocabulary else list(states.vocabulary)
    if isinstance(states, ContextSpace):
        lengths = {"length": states.length, "shortest": states.shortest}
        return {"type": "all contexts", "vocabulary": own, **lengths}
    tensors["contexts"] = states.table
    return {"type": "some contexts", "vocabulary": own}


def _rule_header(rule: Rule) -> list[Any]:
    if type(rule).__name__ not in RULES or type(rule) is not RULES[type(rule).__name__]:
        raise InvalidArgument(
            f"save: the decoding rule {rule} is none of {', '.join(RULES)}, and a file "
            f"cannot name it. Save the undecoded chain and apply the rule after loading."
        )
    if type(rule) not in PARAMETER:
        return [type(rule).__name__]
    value = getattr(rule, PARAMETER[type(rule)])
    if isinstance(value, (int, np.integer)):
        value = int(value)
    else:
        value = _hexadecimal(value) if isinstance(value, Fraction) else float(value)
    return [type(rule).__name__, value]


def _rationals_to_bytes(numbers: Numbers) -> npt.NDArray[np.uint8]:
    lines = [_hexadecimal(p) for p in numbers.flat]
    if max(len(line) for line in lines) > 2 * LONGEST_NUMBER:
        raise InvalidArgument(
            f"save: a probability has a numerator or denominator of more than "
            f"{LONGEST_NUMBER:,} hexadecimal digits. Save chain.floats() instead."
        )
    return np.frombuffer("\n".join(lines).encode("ascii"), dtype=np.uint8)


def _hexadecimal(value: Fraction) -> str:
    """In decimal, Python writes no number of more than 4,300 digits."""
    return f"{value.numerator:x}/{value.denominator:x}"
