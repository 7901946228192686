"""Answers as JSON of a bounded length: a long list becomes a sentence that says so."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np

from fsm_gpt.result import Bounded, Result, to_json

__all__ = ["as_json", "json_text", "shortened"]


def as_json(value: Any, most: int | None) -> Any:
    """A value as JSON has it: whole, or without lists of more than ``most`` entries."""
    return to_json(value) if most is None else shortened(value, most)


def shortened(value: Any, most: int) -> Any:
    """A value as JSON has it, without any list of more than ``most`` entries in all.

    Nothing long is turned into lists on the way, so that millions of states cost nothing.

    >>> shortened({"pi": np.ones(9), "steps": 3}, most=4)
    {'pi': {'left_out': 'a list of 9 entries'}, 'steps': 3}
    """
    if isinstance(value, dict):
        return {str(key): shortened(item, most) for key, item in value.items()}
    if isinstance(value, (np.ndarray, list, tuple)):
        size = _entries(value)
        if size > most:
            return {"left_out": f"a list of {size:,} entries"}
        if isinstance(value, np.ndarray):
            return to_json(value)
        return [shortened(item, most) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return shortened(_fields(value, most), most)
    return to_json(value)


def _fields(value: Any, most: int) -> dict[str, Any]:
    """What ``to_dict`` would say, before anything long is written out."""
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "to_dict") and not any(_entries(item) > most for item in fields.values()):
        return dict(value.to_dict())
    hidden = value._hidden if isinstance(value, Result) else ()
    found = {name: item for name, item in fields.items() if name not in hidden}
    if isinstance(value, Bounded):
        found["error_meaning"] = value.error_meaning
    return found


def _entries(value: Any) -> int:
    """How many entries a list has, those of the lists in it included."""
    if isinstance(value, np.ndarray):
        return int(value.size)
    if isinstance(value, (list, tuple)):
        return sum(_entries(item) for item in value)
    return 1


def json_text(document: Any, *, indent: int | None = None) -> str:
    r"""JSON whose strings can be read as they are, but for signs that nobody sees.

    Half of a surrogate pair, which no file can hold, and marks that turn a line round are escaped.

    >>> print(json_text(["ä", "\u202e", "\ud800"]))
    ["ä", "\u202e", "\ud800"]
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub(
        r"[^\x00-\x7e]",
        lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1],
        text,
    )
