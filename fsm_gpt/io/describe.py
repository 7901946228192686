"""What a chain is besides its numbers, from a header that a stranger may have written."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.decoding import Rule, TopK
from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.io.format import DEEPEST, LONGEST_NUMBER, PARAMETER, RULES, Tensors
from fsm_gpt.result import read_only
from fsm_gpt.space import ContextSpace, NamedStates, SomeContexts, States, Vocabulary

__all__ = [
    "Described",
    "described",
    "ids_of",
    "json_of",
    "rational_of",
    "require",
    "size_of",
    "tensor_of",
    "text_of",
    "wrong",
]

#: A context cannot be longer than this, however small the vocabulary.
LONGEST_CONTEXT = 100_000


class Described(NamedTuple):
    """A chain without its numbers."""

    vocabulary: Vocabulary
    states: States
    decoding: tuple[Rule, ...]
    notes: list[str]
    provenance: dict[str, str]


def described(header: dict[str, Any], tensors: Tensors) -> Described:
    """What a header says a chain is; the names of states may stand in tensors.

    Raises
    ------
    FileProblem
        It says something else, or nothing.
    """
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
    rules = tuple(_rule(item) for item in decoding or [])
    return Described(vocabulary, states, rules, notes or [], provenance or {})


def size_of(states: States) -> int:
    """The number of states, without making anything of that size."""
    if isinstance(states, WithEnd):
        return size_of(states.base) + 1
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
            names = json_of(text_of("names", tensors), "the list of state names")
            require(_texts(names), "the states' names are not a list of texts")
            return NamedStates(tuple(names))
    raise wrong(f"states of type {header.get('type')!r} are unknown")


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
    for which, size in (("first", size_of(base)), ("second", len(names or []))):
        column = ids_of(f"{which} {depth}", tensors)
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
        return rule(rational_of(value) if isinstance(value, str) else value)  # type: ignore[no-any-return]
    except InvalidArgument as error:
        raise wrong(str(error).rstrip(".")) from None


def rational_of(line: str) -> Fraction:
    """A rational as it is written in a file."""
    try:
        require(len(line) <= 2 * LONGEST_NUMBER, "a rational has too many digits")
        numerator, denominator = line.split("/")
        return Fraction(int(numerator, 16), int(denominator, 16))
    except (ValueError, ZeroDivisionError):
        raise wrong(f"{line[:40]!r} is no rational number") from None


def ids_of(name: str, tensors: Tensors) -> npt.NDArray[np.int64]:
    """A tensor of ids."""
    tensor = tensor_of(name, tensors)
    require(tensor.dtype == np.int64 and tensor.ndim == 1, f"{name} is not a list of ids")
    return tensor


def text_of(name: str, tensors: Tensors) -> str:
    """A tensor of ASCII."""
    tensor = tensor_of(name, tensors)
    require(tensor.dtype == np.uint8 and tensor.ndim == 1, f"{name} is not text")
    try:
        return tensor.tobytes().decode("ascii")
    except UnicodeDecodeError:
        raise wrong(f"{name} is not text") from None


def tensor_of(name: str, tensors: Tensors) -> npt.NDArray[Any]:
    """A tensor of a file that must have it."""
    require(name in tensors, f"the tensor {name!r} is missing")
    return tensors[name]


def json_of(text: str, what: str) -> Any:
    """What JSON says."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise wrong(f"{what} is not JSON") from None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def require(condition: Any, what: str) -> None:
    """Refuse a file of which this does not hold; ``what`` is wrong with it otherwise."""
    if not condition:
        raise wrong(what)


def wrong(what: str) -> FileProblem:
    """The error for a file that is damaged or foreign."""
    return FileProblem(f"{what}. The file is damaged or was not written by save().")
