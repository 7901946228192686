"""Kinds of models whose next token does not follow from a window of tokens."""

from __future__ import annotations

from typing import Any

__all__ = ["no_window"]

#: Their state is carried from the whole past, or partly so.
_RECURRENT = (
    *("rwkv", "mamba", "falcon_mamba", "falcon_h1", "jamba", "zamba", "bamba", "recurrent_gemma"),
    *("nemotron_h", "granitemoehybrid", "xlstm", "qwen3_next", "plamo2", "minimax", "retnet"),
    *("transfo-xl", "xlnet", "reformer", "lfm2", "kimi_linear", "olmo_hybrid", "qwen3_5"),
)
#: They fill gaps or embed texts, and have no next token.
_NO_NEXT_TOKEN = ("bert", "roberta", "xlm-roberta", "distilbert", "albert", "electra", "modernbert")


def no_window(config: dict[str, Any]) -> tuple[str, str] | None:
    """Why log2(V) * L would not be the model's state, if so."""
    kind = config.get("model_type")
    if not isinstance(kind, str):
        return None
    if kind in _RECURRENT or kind.rstrip("0123456789") in _RECURRENT:
        return (
            "state is not a window",
            f"its state is not a window of tokens: a model of type {kind} carries numbers from "
            f"the whole past, and log2(V) * L does not count those",
        )
    if kind in _NO_NEXT_TOKEN:
        return (
            "no next token",
            f"a model of type {kind} fills gaps in a text that is there already and has no next "
            f"token, so it is no chain of windows",
        )
    return None
