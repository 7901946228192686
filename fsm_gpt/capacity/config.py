"""The size of a model from its ``config.json``, in the manner of Hugging Face.

The file is somebody else's: it is read up to a size, nothing in it is executed, and each
number is checked. What it cannot say is said: ``vocab_size`` counts rows of the
embedding, some of which may be padding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from fsm_gpt.capacity.kinds import no_window
from fsm_gpt.capacity.models import CacheShape, Model
from fsm_gpt.errors import FileProblem
from fsm_gpt.files import Pathlike, read_limited, shown

__all__ = [
    "CONTEXT_KEYS",
    "LARGEST",
    "VOCABULARY_KEYS",
    "attention_notes",
    "config_path",
    "context_of",
    "parse_config",
    "read_config",
    "sliding_window",
    "text_part",
]

#: Configurations are a few kilobytes; those with long lists of names stay below this.
LARGEST_FILE = 4 * 2**20

#: No vocabulary and no context comes near this.
LARGEST = 10**18

#: The first that is there counts; the others are noted where they differ.
CONTEXT_KEYS = (
    "n_positions",
    "max_position_embeddings",
    "n_ctx",
    "seq_length",
    "max_seq_len",
    "max_seq_length",
    "max_sequence_length",
    "block_size",
    "model_max_length",
)
VOCABULARY_KEYS = ("vocab_size", "n_vocab", "padded_vocab_size")

#: Where models of several kinds keep the part that writes text.
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "decoder")

#: Each head has a key and a value of its own, unless num_key_value_heads says otherwise.
_OWN_KEYS = ("gpt2", "openai-gpt", "gptj", "gpt_neox", "opt", "bloom", "codegen", "ctrl", "llama")


def config_path(given: Pathlike) -> str | None:
    """The path of the configuration that is meant, or None where no path is.

    >>> config_path("gpt2"), config_path("some/where/config.json")
    (None, 'some/where/config.json')
    """
    text = os.fspath(given)
    if os.path.isdir(text) and os.path.exists(inside := os.path.join(text, "config.json")):
        return inside
    is_path = not isinstance(given, str) or text.lower().endswith(".json") or os.path.isfile(text)
    return text if is_path else None


def read_config(path: str) -> Model:
    """What a configuration says of the size of its model.

    Raises
    ------
    FileProblem
        It cannot be read, is no configuration, or holds an impossible number.
    """
    config = parse_config(path)
    whole, part = config, text_part(config)
    if part is not None:
        config = part
    vocabulary, rows, notes = _vocabulary(config, path)
    context, more = context_of(config, path)
    kind = no_window(config)
    if _flag(whole, "is_encoder_decoder"):
        kind = kind or (
            "no window",
            "it is an encoder and a decoder: its next token depends on an input text beside the "
            "window of its own tokens, and log2(V) * L does not count that text",
        )
    return Model(
        name=shown(path),
        vocabulary=vocabulary,
        embedding_rows=rows,
        context=context,
        sources=(f"configuration {shown(path)}",),
        grade="configuration",
        verified="read from the configuration that was given",
        notes=(*notes, *more, *attention_notes(config)),
        cache_shape=_cache_shape(config),
        no_capacity=kind[0] if kind else "",
        reason=kind[1] if kind else "",
        file=True,
    )


def parse_config(path: str) -> dict[str, Any]:
    """The object in a configuration, read up to a size."""
    data = read_limited(path, LARGEST_FILE)

    def no_number(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number of JSON")

    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=no_number)
    except (ValueError, RecursionError) as problem:
        raise FileProblem(
            f"{shown(path)}: it is no JSON that can be read ({str(problem)[:160]}). Give the "
            f"config.json of a model."
        ) from None
    if not isinstance(found, dict):
        raise FileProblem(
            f"{shown(path)}: it holds {_article(found)}, and a configuration is an object with "
            f"keys such as vocab_size. Give the config.json of a model."
        )
    return found


def _article(value: Any) -> str:
    names = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}
    names[type(None)] = "nothing"
    return names.get(type(value), "a number")


def text_part(config: dict[str, Any]) -> dict[str, Any] | None:
    """The part for text, where the sizes do not stand at the top."""
    if any(key in config for key in VOCABULARY_KEYS):
        return None
    parts = (config.get(name) for name in _TEXT_PARTS)
    return next((part for part in parts if isinstance(part, dict)), None)


def _count(config: dict[str, Any], key: str, path: str) -> int | None:
    """The whole number under a key; None where the key or its value is missing."""
    value = config.get(key)
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= LARGEST:
        written = repr(value) if isinstance(value, (int, float, str)) else _article(value)
        raise FileProblem(
            f"{shown(path)}: its {key} is {written[:60]}{'...' * (len(written) > 60)}, and a whole "
            f"number from 1 to 10**18 is needed. Check that this is the file that was meant."
        )
    return value


def _vocabulary(
    config: dict[str, Any], path: str
) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Ids that can be emitted, rows of the embedding, and what is uncertain about them."""
    found = [value for key in VOCABULARY_KEYS if (value := _count(config, key, path)) is not None]
    if not found:
        return None, None, ()
    padded = _count(config, "padded_vocab_size", path)
    if padded is not None and padded >= found[0]:
        return found[0], padded, ()
    if found[0] % 64 == 0:
        return (
            found[0],
            found[0],
            (
                f"vocab_size counts the rows of the embedding; {found[0]:,} is a multiple of 64, "
                f"so some of them may be padding that stands for no token. The tokenizer's own "
                f"count can be given as the vocabulary",
            ),
        )
    return found[0], found[0], ()


def context_of(config: dict[str, Any], path: str) -> tuple[int | None, tuple[str, ...]]:
    """L, and a note where the configuration says two things of it."""
    found = {key: value for key in CONTEXT_KEYS if (value := _count(config, key, path)) is not None}
    if not found:
        return None, ()
    (key, context), *others = found.items()
    different = [f"{other} says {value:,}" for other, value in others if value != context]
    if not different:
        return context, ()
    return context, (f"the context is {key}; {_listed(different)}",)


def attention_notes(config: dict[str, Any]) -> tuple[str, ...]:
    """What of the attention is not plain: sliding windows, scaled positions, no positions."""
    notes = []
    sliding = sliding_window(config)
    if sliding:
        notes.append(
            f"{sliding}. The bits are those of the whole context, of which they remain an upper "
            f"bound"
        )
    scaling = config.get("rope_scaling")
    if isinstance(scaling, dict) and isinstance(scaling.get("factor"), (int, float)):
        notes.append("rope_scaling is set: the context stated may be the one before or after it")
    if config.get("alibi") is True:
        notes.append("ALiBi: the context is no hard limit")
    return tuple(notes)


def sliding_window(config: dict[str, Any]) -> str:
    """How far back a layer looks where that is less than the whole context, else nothing.

    >>> sliding_window({"sliding_window": 3, "num_hidden_layers": 2})
    'attention slides: a layer looks back over 3 tokens; through 2 layers a token can act over
    5 positions'
    """
    width, layers = _small(config, "sliding_window"), _first(config, _LAYERS)
    if width is None or config.get("use_sliding_window") is False:
        return ""
    kinds = config.get("layer_types")
    if isinstance(kinds, list) and kinds and not any("sliding" in str(kind) for kind in kinds):
        return ""
    if isinstance(kinds, list) and any("sliding" not in str(kind) for kind in kinds):
        some = sum("sliding" in str(kind) for kind in kinds)
        return (
            f"attention slides in {some} of {len(kinds)} layers, which look back over {width:,} "
            f"tokens; the others see the whole context"
        )
    if layers is None or config.get("model_type") in _SOME_SLIDE:
        return f"attention slides: a layer looks back over {width:,} tokens"
    return (
        f"attention slides: a layer looks back over {width:,} tokens; through {layers} layers a "
        f"token can act over {layers * (width - 1) + 1:,} positions"
    )


#: Some of their layers see the whole context, even where the configuration does not say which.
_SOME_SLIDE = ("gemma2", "gemma3", "gemma3_text", "cohere2", "gpt_oss", "olmo3", "exaone4")

_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_WIDTH = ("hidden_size", "n_embd", "d_model")


def _cache_shape(config: dict[str, Any]) -> CacheShape | None:
    """Keys and values of each position, where the configuration leaves no doubt."""
    kinds = config.get("layer_types")
    if _small(config, "kv_lora_rank") or _small(config, "sliding_window"):
        return None  # compressed, or not every layer keeps the whole context
    if isinstance(kinds, list) and any(kind != "full_attention" for kind in kinds):
        return None
    layers, heads, width = (_first(config, keys) for keys in (_LAYERS, _HEADS, _WIDTH))
    kept = _small(config, "num_key_value_heads")
    if kept is None and config.get("model_type") in _OWN_KEYS:
        kept = heads
    size = _small(config, "head_dim")
    if size is None and heads and width and width % heads == 0:
        size = width // heads
    if layers is None or kept is None or size is None:
        return None
    return CacheShape(layers=layers, key_value_heads=kept, head_size=size, source="configuration")


def _small(config: dict[str, Any], key: str) -> int | None:
    """A number that only a note depends on: None where it is not a plausible one."""
    value = config.get(key)
    return value if type(value) is int and 1 <= value <= 10**9 else None


def _first(config: dict[str, Any], keys: Sequence[str]) -> int | None:
    return next((value for key in keys if (value := _small(config, key)) is not None), None)


def _flag(config: dict[str, Any], key: str) -> bool:
    return config.get(key) is True


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
