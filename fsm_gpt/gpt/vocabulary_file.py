"""A vocabulary from a file: JSON, a tokenizer.json, or the meta.pkl of nanoGPT.

JSON is a list of tokens, or an object {token: id}; a Hugging Face tokenizer is told by what
is in it, see :mod:`fsm_gpt.gpt.tokenizer_file`. nanoGPT's prepare.py pickles a
dictionary with ``itos`` {id: token}, ``stoi`` {token: id} and ``vocab_size``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.files import read_limited, shown
from fsm_gpt.gpt.pickles import read_plain_pickle
from fsm_gpt.gpt.tokenizer_file import is_tokenizer, read_tokenizer
from fsm_gpt.space import Vocabulary

__all__ = ["read_vocabulary"]

LARGEST_JSON = 64 * 2**20


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in a file; JSON and pickle are told apart by content.

    Raises
    ------
    FileProblem
        It cannot be read, or does not give each id from 0 to V - 1 one token.
    UnsafeFile
        It is a pickle of more than plain data.
    """
    content = read_limited(path, LARGEST_JSON)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        try:
            found = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError) as problem:
            raise FileProblem(
                f"{shown(path)}: it begins like JSON and is not ({str(problem)[:200]}). Give a "
                f"list of tokens, or an object that maps each token to its id."
            ) from None
        if isinstance(found, dict) and is_tokenizer(found):
            return read_tokenizer(found, path)
        tokens = found if isinstance(found, list) else _by_id(found, path)
    else:
        tokens = _of_meta(read_plain_pickle(path), path)
    for i, token in enumerate(tokens):
        if not isinstance(token, str):
            raise FileProblem(
                f"{shown(path)}: token {i} is of type {type(token).__name__}, and a token is a "
                f"string. Write the tokens as strings."
            )
    try:
        return Vocabulary(tuple(tokens))
    except InvalidArgument as problem:
        raise FileProblem(f"{shown(path)}: {problem}") from None


def _of_meta(meta: Any, path: Path) -> list[str]:
    """The tokens of nanoGPT's meta dictionary."""
    if isinstance(meta, list):
        return meta
    named = meta if isinstance(meta, dict) else {}
    itos, stoi = named.get("itos"), named.get("stoi")
    if isinstance(itos, list):
        itos = dict(enumerate(itos))
    if isinstance(itos, dict) and not isinstance(stoi, dict):
        stoi = {token: i for i, token in itos.items() if isinstance(token, str)}
    if not isinstance(stoi, dict):
        raise FileProblem(
            f"{shown(path)}: it is a pickle without the dictionaries 'itos' and 'stoi' of "
            f"nanoGPT's meta.pkl, so it names no tokens. Give that file, or a JSON list of tokens."
        )
    tokens = _by_id(stoi, path)
    size = named.get("vocab_size", len(tokens))
    if (isinstance(itos, dict) and itos != dict(enumerate(tokens))) or size != len(tokens):
        raise FileProblem(
            f"{shown(path)}: its 'itos', 'stoi' and 'vocab_size' contradict each other, so the "
            f"names of the tokens are uncertain. Write it anew with nanoGPT's prepare.py."
        )
    return tokens


def _by_id(ids: dict[Any, Any], path: Path) -> list[str]:
    """The tokens in the order of their ids, which are 0 to V - 1."""
    whole = all(isinstance(i, int) and not isinstance(i, bool) for i in ids.values())
    if not whole or sorted(ids.values()) != list(range(len(ids))):
        raise FileProblem(
            f"{shown(path)}: its {len(ids):,} tokens do not have the ids 0 to {len(ids) - 1:,}, "
            f"each once. Give each token one id, without gaps."
        )
    return sorted(ids, key=ids.__getitem__)
