r"""The vocabulary in a Hugging Face ``tokenizer.json``, its tokens as text.

The file's model is a list of tokens with their ids; added tokens stand beside it. Tokens are
written in one of three ways, which the file's decoder tells:

- byte level (GPT-2, Llama 3, Qwen): each byte is a printable character, a blank is Ġ.
  Radford et al. (2019), ``bytes_to_unicode`` of https://github.com/openai/gpt-2
- with a sign in place of a blank (Llama 2, Gemma): ▁, and <0x0A> for a byte.
- as they are.

A token that is part of a character is no text: its bytes are shown as \x escapes. What would
be two tokens with one name gets its id behind it.

A text is cut into tokens by the package ``tokenizers`` where it is installed, since merges and
not lengths decide there; else by the longest token that fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import FileProblem, InvalidText
from fsm_gpt.files import shown
from fsm_gpt.headers.gguf import GGUFHeader
from fsm_gpt.space import Vocabulary

__all__ = [
    "TokenizerVocabulary",
    "as_text",
    "distinct",
    "gguf_vocabulary",
    "is_tokenizer",
    "read_tokenizer",
]

#: No vocabulary comes near this; ids above it would be a claim without tokens.
LARGEST = 2**22


@dataclass(frozen=True, eq=False)
class TokenizerVocabulary(Vocabulary):
    """A vocabulary whose texts are cut into tokens by its own tokenizer."""

    source: str = field(default="", repr=False)

    def __eq__(self, other: object) -> bool:
        """Two vocabularies are one if their tokens are."""
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash((self.tokens,))

    @cached_property
    def _tokenizer(self) -> Any:
        """The tokenizer of the package ``tokenizers``, or None without it."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            return None
        try:
            return Tokenizer.from_str(self.source)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # Rust's panics are not Exceptions
            return None

    def encode(self, text: str | Iterable[str]) -> npt.NDArray[np.int64]:
        """Token ids of a text (or of a sequence of tokens), shape (n,); nothing is put in front."""
        if not isinstance(text, str) or self._tokenizer is None:
            return super().encode(text)
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if any(i >= len(self) for i in ids):
            raise InvalidText(
                f"text: its tokenizer gives the id {max(ids)}, and the model has {len(self)} "
                f"tokens. Remove the symbol that it stands for."
            )
        return np.array(ids, dtype=np.int64)


def is_tokenizer(found: dict[str, Any]) -> bool:
    """Whether a JSON object is a tokenizer's and not a map from tokens to ids."""
    model = found.get("model")
    return isinstance(model, dict) and "vocab" in model


def read_tokenizer(found: dict[str, Any], path: Path) -> TokenizerVocabulary:
    """The vocabulary of a tokenizer's JSON object.

    Raises
    ------
    FileProblem
        Its ids are not those of tokens.
    """
    names = _by_id(found, path)
    style = _style(found)
    size = max(names) + 1
    if size > max(2 * len(names), 1024):
        raise FileProblem(
            f"{shown(path)}: it names {len(names):,} tokens, with ids up to {size - 1:,}. Most ids "
            f"would have no token, so it is damaged; get it again."
        )
    texts = [as_text(names[i], style) if i in names else f"<id {i}>" for i in range(size)]
    return TokenizerVocabulary(distinct(texts), json.dumps(found))


def gguf_vocabulary(header: GGUFHeader, path: Path) -> Vocabulary | None:
    """The vocabulary in a GGUF file, or None where it has none.

    Raises
    ------
    FileProblem
        A token is no text.
    """
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if not tokens:
        return None
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise FileProblem(
            f"{shown(path)}: its tokens (tokenizer.ggml.tokens) are no list of texts. It is "
            f"damaged; get it again."
        )
    style = {"gpt2": "bytes", "llama": "sign"}.get(
        str(header.metadata.get("tokenizer.ggml.model")), "plain"
    )
    return Vocabulary(distinct([as_text(token, style) for token in tokens]))


def _by_id(found: dict[str, Any], path: Path) -> dict[int, str]:
    """Tokens by their ids; those that were added win."""
    vocabulary, added = found["model"]["vocab"], found.get("added_tokens") or []
    names: dict[int, str] = {}
    try:
        if isinstance(vocabulary, dict):
            pairs = [(i, token) for token, i in vocabulary.items()]
        else:  # Unigram: [token, score] in the order of ids
            pairs = [(i, entry[0]) for i, entry in enumerate(vocabulary)]
        pairs += [(entry["id"], entry["content"]) for entry in added]
    except (TypeError, KeyError, IndexError):
        pairs = []
    for i, token in pairs:
        if type(i) is not int or not 0 <= i < LARGEST or not isinstance(token, str):
            pairs = []
            break
        names[i] = token
    if not pairs:
        raise FileProblem(
            f"{shown(path)}: it is a tokenizer whose list of tokens cannot be read; a token has a "
            f"text and an id from 0 to {LARGEST - 1:,}. It is damaged; get it again."
        )
    return names


def _style(found: dict[str, Any]) -> str:
    """How tokens are written: "bytes", "sign" or "plain"."""
    parts = json.dumps([found.get("decoder"), found.get("pre_tokenizer"), found.get("normalizer")])
    if '"ByteLevel"' in parts:
        return "bytes"
    return "sign" if '"Metaspace"' in parts or '"\\u2581"' in parts else "plain"


def as_text(token: str, style: str) -> str:
    r"""A token as the text that it stands for.

    >>> as_text("Ġthe", "bytes"), as_text("▁the", "sign"), as_text("<0x0A>", "sign")
    (' the', ' the', '\n')
    >>> as_text("âĤ", "bytes")  # two of the three bytes of €
    '\\xe2\\x82'
    """
    if style == "bytes":
        if all(c in _BYTES for c in token):
            return bytes(_BYTES[c] for c in token).decode("utf-8", errors="backslashreplace")
        return token  # an added token is written as it is
    if style == "sign":
        byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", token)
        if byte:
            return bytes([int(byte[1], 16)]).decode("utf-8", errors="backslashreplace")
        return token.replace("▁", " ")
    return token


def _byte_characters() -> dict[str, int]:
    """GPT-2's character for each byte: itself where it is printable Latin-1, else from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {chr(byte): byte for byte in printable}
    return characters | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTES = _byte_characters()


def distinct(texts: list[str]) -> tuple[str, ...]:
    """The texts, each with its id behind it where an earlier one is the same.

    >>> distinct(["a", "b", "a"])
    ('a', 'b', 'a<2>')
    """
    seen: set[str] = set()
    whole = set(texts)
    for i, text in enumerate(texts):
        name = text
        while name in seen or (name != text and name in whole):
            name += f"<{i}>"
        texts[i] = name
        seen.add(name)
    return tuple(texts)
