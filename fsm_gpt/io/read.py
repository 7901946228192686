"""Reading a chain from a file that a stranger may have written.

Every problem is raised without the path; :func:`load` adds it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of

from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.decoding import Rule, TopK
from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument
from fsm_gpt.files import Pathlike, read_limited, shown
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
from fsm_gpt.result import read_only
from fsm_gpt.rows import Numbers, objects
from fsm_gpt.space import ContextSpace, NamedStates, SomeContexts, States, Vocabulary

__all__ = ["described", "is_chain_file", "load", "load_with", "require", "tensor_of"]

T = TypeVar("T")

#: Larger files and headers are refused; the header's limit is that of safetensors.
LARGEST_FILE, LARGEST_HEADER = 2**33, 100_000_000
#: A context cannot be longer than this, however small the vocabulary.
LONGEST_CONTEXT = 100_000


def load(path: Pathlike) -> Chain:
    """Read a chain that :func:`save` wrote.

    The file is checked as if a stranger had written it, and nothing in it is executed.

    Raises
    ------
    FileProblem
        It cannot be read, or does not hold a chain.

    >>> load("no-such-chain.safetensors")
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: no-such-chain.safetensors: cannot read it, there is no such file.
    Check the name and the folder.
    """
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
    """Whether a file says that it holds a chain; nothing is said of whether it is whole.

    >>> is_chain_file("no-such-chain.safetensors")
    False
    """
    return _metadata(path) is not None


def described(path: Pathlike) -> dict[str, Any]:
    """What a file says of the chain in it, unchecked; empty where it holds none.

    >>> described("no-such-chain.safetensors")
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
    header = _json(metadata[KEY], "the header")
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
    vocabulary = _vocabulary(header.get("vocabulary"))
    states = _states(header.get("states"), vocabulary, tensors)
    notes, provenance = header.get("notes"), header.get("provenance")
    decoding = header.get("decoding")
    require(_texts(notes), "the notes are not a list of texts")
    require(
        isinstance(provenance, dict) and _texts(list(provenance.values())),
        "the provenance does not map texts to texts",
    )
    require(isinstance(decoding, list), "the decoding rules are not a list")
    windows = header.get("storage") == "windows"
    require(windows or header.get("storage") == "edges", "its storage is not windows or edges")
    rational = header.get("kind") == "rational"
    require(rational or header.get("kind") == "float", "its kind is not float or rational")
    said: dict[str, Any] = {"notes": notes, "provenance": provenance}
    if windows:
        require(isinstance(states, ContextSpace), "windows need a space of contexts")
        assert isinstance(states, ContextSpace)
        require(states.shortest == states.length, "windows have one length")
        rows = _numbers("rows", (states.size, len(vocabulary)), tensors, rational=rational)
        chain = Chain(rows, vocabulary=vocabulary, context=states.length, **said)
    else:
        source, token, target = (_ids(name, tensors) for name in ("source", "token", "target"))
        numbers = _numbers("probability", source.shape, tensors, rational=rational)
        require(_size(states) <= len(numbers), "it has fewer transitions than states")
        chain = Chain.from_edges(
            source, token, target, numbers, vocabulary=vocabulary, states=states, **said
        )
    tied = np.unique(_ids("tied", tensors))
    require(((0 <= tied) & (tied < chain.n_states)).all(), "a tied state is out of range")
    rules = tuple(_rule(item) for item in decoding or [])
    return chain._with(decoding=rules, tied=read_only(tied))


def _size(states: States) -> int:
    if isinstance(states, WithEnd):
        return _size(states.base) + 1
    return states.size if isinstance(states, ContextSpace) else len(states)  # which may overflow


def _vocabulary(tokens: Any) -> Vocabulary:
    require(_texts(tokens), "the vocabulary is not a list of texts")
    return Vocabulary(tuple(tokens))


def _states(header: Any, vocabulary: Vocabulary, tensors: Tensors, depth: int = 0) -> States:
    require(isinstance(header, dict), "its states are not described")
    if header.get("type") in ("with end", "pairs"):
        require(depth < DEEPEST, "its states are nested too deep")
        base = _states(header.get("base"), vocabulary, tensors, depth + 1)
        if header["type"] == "with end":
            return _with_end(header, base, vocabulary)
        return _pairs(header, base, tensors, depth)
    own = header.get("vocabulary")
    named = vocabulary if own is None else _vocabulary(own)
    match header.get("type"):
        case "all contexts":
            length, shortest = header.get("length"), header.get("shortest")
            longest = 64 if len(named) > 1 else LONGEST_CONTEXT
            require(
                type(length) is int
                and type(shortest) is int
                and 1 <= shortest <= length <= longest,
                f"contexts of {shortest!r} to {length!r} tokens are not possible",
            )
            return ContextSpace(named, length, shortest)
        case "some contexts":
            table = tensor_of("contexts", tensors)
            require(table.dtype == np.int64 and table.ndim == 2, "contexts are not a table of ids")
            require(table.size > 0, "its contexts are empty")
            require(-1 <= table.min() and table.max() < len(named), "a context has a foreign token")
            return SomeContexts(named, read_only(table))
        case "names":
            names = _json(_text("names", tensors), "the list of state names")
            require(_texts(names), "the states' names are not a list of texts")
            return NamedStates(tuple(names))
    raise _wrong(f"states of type {header.get('type')!r} are unknown")


def _with_end(header: dict[str, Any], base: States, vocabulary: Vocabulary) -> States:
    stop = header.get("tokens")
    known = isinstance(stop, list) and stop
    require(
        known and all(type(t) is int and 0 <= t < len(vocabulary) for t in stop or []),
        "the tokens that end a text are not tokens",
    )
    return WithEnd(base, tuple(stop or ()))


def _pairs(header: dict[str, Any], base: States, tensors: Tensors, depth: int) -> States:
    names = header.get("names")
    require(_texts(names) and names, "the states beside the chain's are not a list of texts")
    columns = []
    for which, size in (("first", _size(base)), ("second", len(names or []))):
        column = _ids(f"{which} {depth}", tensors)
        inside = len(column) and 0 <= column.min() and column.max() < size
        require(inside, f"a {which} state of a pair is out of range")
        columns.append(column)
    require(len(columns[0]) == len(columns[1]), "pairs have first and second states")
    return Pairs(base, tuple(names or ()), *columns)


def _rule(item: Any) -> Rule:
    known = isinstance(item, list) and item and isinstance(item[0], str) and item[0] in RULES
    require(known, f"the decoding rule {str(item)[:80]!r} is unknown")
    rule, values = RULES[item[0]], item[1:]
    require(len(values) == (rule in PARAMETER), f"rule {item[0]} has {len(values)} parameters")
    if not values:
        return rule()  # type: ignore[no-any-return]
    (value,) = values
    require(
        type(value) is int or (rule is not TopK and type(value) in (float, str)),
        f"rule {item[0]} has the parameter {str(value)[:80]!r}",
    )
    try:
        return rule(_rational(value) if isinstance(value, str) else value)  # type: ignore[no-any-return]
    except InvalidArgument as error:
        raise _wrong(str(error).rstrip(".")) from None


def _numbers(name: str, shape: tuple[int, ...], tensors: Tensors, *, rational: bool) -> Numbers:
    if not rational:
        numbers = tensor_of(name, tensors)
        require(numbers.dtype in (np.float64, np.float32), f"{name} holds {numbers.dtype}")
        require(numbers.shape == shape, f"{name} has the shape {numbers.shape}, not {shape}")
        return numbers
    lines = _text("rationals", tensors).split("\n")
    n = math.prod(shape)
    require(len(lines) == n, f"it has {len(lines)} rationals where {n} are needed")
    return objects(map(_rational, lines), shape)


def _rational(line: str) -> Fraction:
    try:
        require(len(line) <= 2 * LONGEST_NUMBER, "a rational has too many digits")
        numerator, denominator = line.split("/")
        return Fraction(int(numerator, 16), int(denominator, 16))
    except (ValueError, ZeroDivisionError):
        raise _wrong(f"{line[:40]!r} is no rational number") from None


def _ids(name: str, tensors: Tensors) -> npt.NDArray[np.int64]:
    tensor = tensor_of(name, tensors)
    require(tensor.dtype == np.int64 and tensor.ndim == 1, f"{name} is not a list of ids")
    return tensor


def _text(name: str, tensors: Tensors) -> str:
    tensor = tensor_of(name, tensors)
    require(tensor.dtype == np.uint8 and tensor.ndim == 1, f"{name} is not text")
    try:
        return tensor.tobytes().decode("ascii")
    except UnicodeDecodeError:
        raise _wrong(f"{name} is not text") from None


def tensor_of(name: str, tensors: Tensors) -> npt.NDArray[Any]:
    """A tensor of a file that must have it."""
    require(name in tensors, f"the tensor {name!r} is missing")
    return tensors[name]


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong(f"{what} is not JSON") from None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def require(condition: Any, what: str) -> None:
    """Refuse a file of which this does not hold; ``what`` is wrong with it otherwise."""
    if not condition:
        raise _wrong(what)


def _wrong(what: str) -> FileProblem:
    return FileProblem(f"{what}. The file is damaged or was not written by save().")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
