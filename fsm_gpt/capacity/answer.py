"""The capacity of one model."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from fsm_gpt.capacity.config import LARGEST, config_path, read_config
from fsm_gpt.capacity.figures import Capacity, NoCapacity
from fsm_gpt.capacity.model_file import read_model_file, stored_parameters
from fsm_gpt.capacity.models import Model, find_model, nearest_memories, unknown_model
from fsm_gpt.capacity.size import (
    bits_of_window,
    bytes_of_window,
    digits_of_all_contexts,
    digits_of_windows,
    log10_of_windows,
)
from fsm_gpt.errors import FileProblem, InvalidArgument, NotDefined
from fsm_gpt.files import Pathlike

__all__ = ["capacity", "capacity_or_reason", "figures_of", "parameter_count"]


def capacity(
    name_or_path: Pathlike | None = None,
    *,
    vocabulary: int | None = None,
    context: int | None = None,
) -> Capacity:
    """Bits of state of a model: L log2(V), and what that means.

    Parameters
    ----------
    name_or_path
        A model of the table, written in any usual way ("gpt2", "Llama 3 8B",
        "meta-llama/llama-3-8b"), or a path to a ``config.json`` or its folder, to GGUF,
        to a .bin of llama2.c, or to a checkpoint of this package. Without
        it, ``vocabulary`` and ``context`` are both needed. A name wins over a folder that
        is called the same; "./gpt2" is the folder.
    vocabulary
        V, the number of ids that the model can emit, in place of the model's own.
    context
        L in tokens, in place of the model's own.

    Raises
    ------
    InvalidArgument
        There is no such model, or a number is out of range.
    NotDefined
        The vocabulary is not public, or the state is not a window of tokens.
    FileProblem
        The configuration cannot be read, or holds no sizes.

    References
    ----------
    Zekri et al. (2024), arXiv 2410.02724, section 3, for the number of contexts.

    Examples
    --------
    >>> found = capacity("gpt2")
    >>> found.name, found.bits_text, found.digits_of_windows
    ('GPT-2 small', '15,991.846', 4815)
    >>> capacity(vocabulary=2, context=3).bits
    3.0
    """
    found = capacity_or_reason(name_or_path, vocabulary=vocabulary, context=context)
    if isinstance(found, Capacity):
        return found
    advice = "Ask for a model whose state is its window of tokens."
    if found.kind == "vocabulary not public":
        advice = "It can be worked out for a guess: give the vocabulary and the context as numbers."
    raise NotDefined(f"capacity: {found.name} has no figure, because {found.reason}. {advice}")


def capacity_or_reason(
    name_or_path: Pathlike | None = None,
    *,
    vocabulary: int | None = None,
    context: int | None = None,
) -> Capacity | NoCapacity:
    """As :func:`capacity`, with the reason as a result where there is no figure.

    >>> print(capacity_or_reason("claude").kind)
    vocabulary not public
    """
    return figures_of(_changed(_model(name_or_path), vocabulary, context))


def figures_of(model: Model) -> Capacity | NoCapacity:
    """The figures of a model whose sizes are known, or why there are none.

    >>> found = figures_of(Model(name="baby", vocabulary=2, context=3))
    >>> found.bits
    3.0
    """
    if model.no_capacity:
        return NoCapacity(
            name=model.name,
            organisation=model.organisation,
            year=model.year,
            context=model.context,
            parameters_as_stated=model.parameters,
            kind=model.no_capacity,
            reason=model.reason,
            sources=model.sources,
            grade=model.grade,
            verified=model.verified,
            notes=model.notes,
        )
    return _figure(model)


def _model(name_or_path: Pathlike | None) -> Model:
    if name_or_path is None:
        return Model(name="", verified="as given", grade="given")
    name = os.fspath(name_or_path)
    if not isinstance(name, str) or not name.strip():
        raise InvalidArgument(
            f"capacity: {name!r} is no name of a model. Give one such as 'gpt2', or a config.json."
        )
    path = config_path(name_or_path)
    if path is not None and ("/" in name or os.sep in name or path == name):
        return _of_path(path, name)
    found = find_model(name)
    if found is not None:
        return found
    if path is not None:
        return _of_path(path, name)
    raise unknown_model(name)


def _of_path(path: str, given: str) -> Model:
    """What a file of weights, a configuration, or a folder with both says of its model."""
    model = read_model_file(path) or read_config(path)
    if os.path.isdir(given):
        return replace(model, parameters=stored_parameters(Path(given)))
    return model


def _changed(model: Model, vocabulary: int | None, context: int | None) -> Model:
    """The model with the sizes that were given, checked, and a note where they differ."""
    notes = list(model.notes)
    for name, given, own in (
        ("vocabulary", vocabulary, model.vocabulary),
        ("context", context, model.context),
    ):
        if given is None:
            continue
        if not _is_size(given):
            raise InvalidArgument(
                f"capacity: the {name} {_short(given)} is no whole number from 1 to 10**18. Give "
                f"the number of {'ids' if name == 'vocabulary' else 'tokens'}."
            )
        if own is not None and own != given:
            notes.append(f"{name} {given:,} as given; the model's own is {own:,}")
    rows = model.embedding_rows
    if vocabulary is not None and rows is not None and vocabulary > rows:
        raise InvalidArgument(
            f"capacity: a vocabulary of {vocabulary:,} is more than the {rows:,} embedding rows of "
            f"{model.name}, and an id without a row cannot be emitted. Give at most {rows:,}."
        )
    unknown = model.no_capacity == "vocabulary not public" and vocabulary is not None
    changed = replace(
        model,
        vocabulary=model.vocabulary if vocabulary is None else index(vocabulary),
        context=model.context if context is None else index(context),
        notes=(*notes, "the vocabulary is a guess: the real one is not public")
        if unknown
        else tuple(notes),
        no_capacity="" if unknown else model.no_capacity,
    )
    return changed if changed.no_capacity else _with_sizes(changed)


def _short(value: object) -> str:
    """A value of any kind for a sentence; integers of thousands of digits cannot be printed."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return "given"
    return repr(value)[:60]


def _is_size(given: object) -> bool:
    whole = isinstance(given, SupportsIndex) and not isinstance(given, (bool, np.bool_))
    return whole and 1 <= index(given) <= LARGEST  # type: ignore[arg-type]


def _with_sizes(model: Model) -> Model:
    """The model if it has both sizes, with a name; else the error that says what is missing."""
    missing = [name for name in ("vocabulary", "context") if getattr(model, name) is None]
    if missing and model.file:
        keys = {
            "vocabulary": "vocabulary (vocab_size)",
            "context": "context (n_positions, max_position_embeddings or the like)",
        }
        raise FileProblem(
            f"{model.name}: it names no {' and no '.join(keys[name] for name in missing)}. Give "
            f"the {' and the '.join(missing)} as a number beside it."
        )
    if missing:
        of = f"of {model.name} too little is known" if model.name else "no model is named"
        raise InvalidArgument(
            f"capacity: {of}, so the {' and the '.join(missing)} must be given as a number. "
            f"Give it, or the name of a model in the table."
        )
    return replace(model, name=model.name or f"V = {model.vocabulary:,}, L = {model.context:,}")


def _figure(model: Model) -> Capacity:
    V, L, rows = model.vocabulary, model.context, model.embedding_rows
    assert V is not None
    assert L is not None
    bits, size = bits_of_window(V, L), bytes_of_window(V, L)
    below, above = nearest_memories(size)
    parameters = parameter_count(model.parameters)
    shape = model.cache_shape
    sizes: dict[str, Any] = {
        "bits": bits,
        "bytes": size,
        "bits_with_padding": None if rows is None else bits_of_window(rows, L),
        "log10_windows": log10_of_windows(V, L),
        "digits_of_windows": digits_of_windows(V, L),
        "digits_of_all_contexts": digits_of_all_contexts(V, L),
    }
    return Capacity(
        name=model.name,
        organisation=model.organisation,
        year=model.year,
        vocabulary=V,
        embedding_rows=rows,
        context=L,
        **sizes,
        parameters=parameters,
        parameters_as_stated=model.parameters,
        bits_per_parameter=bits / parameters if parameters else None,
        cache_bytes=None if shape is None else shape.cache_bytes(L),
        cache_source="" if shape is None else shape.source,
        sources=model.sources,
        grade=model.grade,
        verified=model.verified,
        notes=model.notes,
        memories_below=below,
        memories_above=above,
    )


def parameter_count(stated: str) -> int | None:
    """The number in "124M" or "6,864 unique"; None for "8x7B", whose experts share parts.

    >>> [parameter_count(text) for text in ("124M", "1.23B", "12,656", "8x7B", "")]
    [124000000, 1230000000, 12656, None, None]
    """
    found = re.match(r"([\d,]+(?:\.\d+)?)([KMB]?)(?: |$)", stated)
    if found is None:
        return None
    number, unit = found.groups()
    thousands = ["", "K", "M", "B"].index(unit)
    return int(Fraction(number.replace(",", "")) * 1000**thousands)
