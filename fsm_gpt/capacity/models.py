"""Real models and historic memories, and how a name finds its model.

They stand in ``models.json`` beside the package, each with its sources and with how its
numbers were seen. A name is compared without case, blanks, dashes and dots; a vendor may
stand in front of it, as in ``openai-community/gpt2``.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.files import shown
from fsm_gpt.result import Result

__all__ = [
    "CacheShape",
    "Memory",
    "Model",
    "all_memories",
    "all_models",
    "find_model",
    "nearest_memories",
    "table_date",
    "unknown_model",
]

#: Spellings of the organisations in front of a model's name.
_VENDORS = {
    "OpenAI": ("openaicommunity",),
    "Anthropic": ("anthropics",),
    "Google": ("googledeepmind",),
    "EleutherAI": (),
    "Meta": ("metallama", "facebook", "codellama"),
    "BigScience": (),
    "MosaicML": ("databricks",),
    "Mistral": ("mistralai",),
    "Alibaba": ("qwen",),
    "TII": ("tiiuae",),
    "Stability": ("stabilityai",),
    "DeepSeek": ("deepseekai",),
    "Cohere": ("cohereforai", "coherelabs"),
    "AI2": ("allenai",),
    "HuggingFace": ("huggingfacetb",),
    "xAI": ("xaiorg",),
    "Zhipu": ("thudm", "zaiorg"),
    "AI21": ("ai21labs",),
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Memory(Result):
    """The writable memory of an old computer (or a read-only one, where its name says so)."""

    name: str
    year: int
    bytes: int
    source: str

    def __str__(self) -> str:
        return f"{self.name} ({self.year}): {self.bytes:,} bytes"


@dataclass(frozen=True, kw_only=True)
class CacheShape:
    """What a model keeps for each position: a key and a value in each of these."""

    layers: int
    key_value_heads: int
    head_size: int
    source: str

    def cache_bytes(self, context: int) -> int:
        """Keys and values of a full context, in numbers of 16 bits.

        >>> CacheShape(layers=12, key_value_heads=12, head_size=64, source="").cache_bytes(1024)
        37748736
        """
        return 2 * self.layers * self.key_value_heads * self.head_size * context * 2


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is known of a model: from ``models.json``, or from a configuration."""

    name: str
    organisation: str = ""
    year: int | None = None
    vocabulary: int | None = None
    embedding_rows: int | None = None
    context: int | None = None
    parameters: str = ""
    sources: tuple[str, ...] = ()
    grade: str = ""
    verified: str = ""
    notes: tuple[str, ...] = ()
    cache_shape: CacheShape | None = None
    #: Why there is no figure: "" or the kind and the reason.
    no_capacity: str = ""
    reason: str = ""
    aliases: tuple[str, ...] = ()
    #: Every name that begins so means this model.
    family: str = ""
    file: bool = field(default=False, compare=False)


@cache
def _table() -> dict[str, Any]:
    text = (files("fsm_gpt") / "models.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def table_date() -> str:
    """The day on which the table of models was made, as 2026-01-31."""
    return str(_table()["made"])


@cache
def all_models() -> tuple[Model, ...]:
    """Every model of the table, in its order.

    >>> len(all_models()), all_models()[1].name
    (80, 'GPT-2 small')
    """
    grades = _table()["grades"]
    return tuple(_model(entry, grades) for entry in _table()["models"])


def _model(entry: dict[str, Any], grades: dict[str, str]) -> Model:
    shape = entry.get("cache_shape")
    none = entry.get("no_capacity", {})
    return Model(
        name=entry["name"],
        organisation=entry["organisation"],
        year=entry["year"],
        vocabulary=entry["vocabulary"],
        embedding_rows=entry["embedding_rows"],
        context=entry["context"],
        parameters=entry["parameters"] or "",
        sources=tuple(entry["sources"]),
        grade=entry["grade"],
        verified=grades[entry["grade"]],
        notes=(entry["note"],) if entry["note"] else (),
        cache_shape=CacheShape(**shape) if shape else None,
        no_capacity=none.get("kind", ""),
        reason=none.get("reason", ""),
        aliases=tuple(entry["aliases"]),
        family=entry.get("family", ""),
    )


@cache
def all_memories() -> tuple[Memory, ...]:
    """Every historic memory, smallest first.

    >>> [memory.name for memory in all_memories()][:2]
    ['Atari 2600', 'KIM-1']
    """
    found = [Memory(**entry) for entry in _table()["memories"]]
    return tuple(sorted(found, key=lambda memory: (memory.bytes, memory.year, memory.name)))


def nearest_memories(size: float) -> tuple[tuple[Memory, ...], tuple[Memory, ...]]:
    """The largest memories of at most so many bytes, and the smallest ones of more.

    >>> below, above = nearest_memories(1998.981)
    >>> [memory.name for memory in below], [memory.name for memory in above]
    (['KIM-1', 'Sinclair ZX81'], ['NES'])
    """
    memories = all_memories()
    below = max((m.bytes for m in memories if m.bytes <= size), default=None)
    above = min((m.bytes for m in memories if m.bytes > size), default=None)
    return (
        tuple(m for m in memories if m.bytes == below),
        tuple(m for m in memories if m.bytes == above),
    )


def _key(name: str) -> str:
    """A name without case, blanks, dashes, dots and whatever else is no letter or digit."""
    return re.sub(r"[\W_]", "", name.casefold())


@cache
def _keys() -> dict[str, Model]:
    """Each spelling with its model; the names of models before their aliases."""
    found = {_key(model.name): model for model in all_models()}
    for model in all_models():
        for alias in model.aliases:
            found.setdefault(_key(alias), model)
    return found


def find_model(name: str) -> Model | None:
    """The model of this name, written in any usual way, or None.

    Of a model that only its family knows (any Claude, say), nothing but the reason why
    there is no figure is known.

    >>> [find_model(name).name for name in ("gpt2", "Llama-3-8B", "meta-llama/Llama 3 8b")]
    ['GPT-2 small', 'Llama 3 8B', 'Llama 3 8B']
    >>> find_model("claude-sonnet").no_capacity, find_model("gpt-22")
    ('vocabulary not public', None)
    """
    vendor, slash, rest = name.rpartition("/")
    key = _key(rest)
    model = _keys().get(key) or _family(key, shown(rest.strip()[:80]))
    if slash:
        return model if model is not None and _key(vendor) in _vendors(model) else None
    if model is None:
        for candidate in all_models():
            for prefix in _vendors(candidate):
                if key.startswith(prefix) and _keys().get(key[len(prefix) :]) is candidate:
                    return candidate
    return model


def _family(key: str, name: str) -> Model | None:
    """A model of a family none of which has a figure, under the name that was given."""
    one = next((m for m in all_models() if m.family and key.startswith(m.family)), None)
    if one is None:
        return None
    return Model(
        name=name,
        organisation=one.organisation,
        sources=one.sources,
        grade=one.grade,
        verified=one.verified,
        no_capacity=one.no_capacity,
        reason=one.reason,
    )


def _vendors(model: Model) -> tuple[str, ...]:
    return (_key(model.organisation), *_VENDORS.get(model.organisation, ()))


def unknown_model(name: str) -> InvalidArgument:
    """The error for a name that no model has, with the nearest ones.

    >>> print(unknown_model("lama-3-8b"))
    capacity: there is no model 'lama-3-8b' in the table. Did you mean Llama 3 8B, Llama 3.1 8B,
    or Llama 3.2 1B? A model's own config.json can be given in place of a name, or the
    vocabulary and the context as numbers.
    """
    key = _key(name.rpartition("/")[2])[:100]
    near = difflib.get_close_matches(key, _keys(), n=8, cutoff=0.6)
    names = list(dict.fromkeys(_keys()[spelling].name for spelling in near))[:3]
    match names:
        case []:
            hint = "fsm-gpt capacity --all lists those that are there."
        case [one]:
            hint = f"Did you mean {one}?"
        case [one, other]:
            hint = f"Did you mean {one} or {other}?"
        case _:
            hint = f"Did you mean {', '.join(names[:-1])}, or {names[-1]}?"
    return InvalidArgument(
        f"capacity: there is no model {name[:80]!r} in the table. {hint} A model's own config.json "
        f"can be given in place of a name, or the vocabulary and the context as numbers."
    )
