"""What it costs a model to see fewer tokens, on a given text.

A model cut to its last k tokens sees them at its positions 0 to k - 1. It is another model than
the whole one: its chain can be enumerated where V**L windows cannot, its stationary distribution
is not the law of k tokens in the texts of the whole model, and it predicts a text less well. How
much less is asked here, of the same tokens for both. And how few tokens it has to be, for every
window to be listed and analysed in the memory that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.about_model import own_space, refuse_foreign_device
from fsm_gpt.asking import Model, Rows, asking
from fsm_gpt.counts import encode_text, transitions
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.extract import Precision, extraction_bytes
from fsm_gpt.result import Bounded
from fsm_gpt.space import Vocabulary

__all__ = ["CuttingLoss", "analysis_bytes", "cutting_loss", "largest_cut"]

Ids = npt.NDArray[np.int64]

#: Chains of more states take longer to analyse than a person waits for a page.
MOST_STATES = 2**20
#: Logits of all positions that are held at a time.
BLOCK = 2**23


def analysis_bytes(n_states: int, n_transitions: int) -> int:
    """What the analysis of a large chain takes at its height, estimated.

    Measured were 0.9 GB for 2**20 states of two tokens, and 3.0 GB for 65**3 of 65.
    """
    return 500 * n_states + 170 * n_transitions


def largest_cut(
    V: int, L: int, *, max_memory_gib: float = 8.0, dtype: Precision = "float64"
) -> int:
    """The most tokens whose windows can be enumerated and analysed within the memory allowed.

    >>> largest_cut(65, 256), largest_cut(2, 40)
    (3, 20)
    """
    k = 0
    while k < L:
        states = V ** (k + 1)
        need = max(analysis_bytes(states, states * V), states * extraction_bytes(V, dtype))
        if states > MOST_STATES or need > max_memory_gib * 2**30:
            break
        k += 1
    return k


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CuttingLoss(Bounded):
    """How well a text is predicted by a model, and by the same model cut to its last tokens."""

    error_meaning = "error of the means"

    context: int
    """L, what the whole model sees."""
    truncate_to: int
    """k, what the cut one sees."""
    whole_bits_per_token: float
    """Mean of -log2 p over the tokens that have L others before them, by the whole model."""
    cut_bits_per_token: float
    """The same tokens, by the cut one."""
    n_tokens: int
    """How many tokens these are."""

    @property
    def loss_bits_per_token(self) -> float:
        """What the cut costs; below zero where it helps on this text."""
        return self.cut_bits_per_token - self.whole_bits_per_token

    def __str__(self) -> str:
        return (
            f"cutting the context from {self.context:,} tokens to {self.truncate_to:,} costs "
            f"{self.loss_bits_per_token:.4f} bits per token on this text: "
            f"{self.cut_bits_per_token:.4f} instead of {self.whole_bits_per_token:.4f}, over "
            f"{self.n_tokens:,} tokens ({self.method}; {self.error_sentence})"
        )


def cutting_loss(
    model: Model,
    text: str | Sequence[str] | Sequence[int] | Ids,
    *,
    truncate_to: int,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    device: str | None = None,
) -> CuttingLoss:
    """What predicting a text costs with fewer tokens in sight, in bits per token.

    Parameters
    ----------
    model
        Any callable from ids of shape (B, l) to logits, as for :func:`fsm_gpt.extract`.
    text
        In the model's vocabulary, as a string or a list of tokens, or its token ids.
    truncate_to
        k, the tokens that the cut model sees.
    vocabulary, context, device
        As for :func:`fsm_gpt.extract`.

    Raises
    ------
    InvalidArgument
        An option is out of range.
    InvalidText
        The text has a token that is not in the vocabulary, or none with L others before it.

    Examples
    --------
    A model that repeats the older of its two tokens nine times in ten, and cut to one sees that
    one as the older:

    >>> def model(ids):
    ...     return np.log(np.where(np.arange(2) == ids[:, :1], 0.9, 0.1))
    >>> found = cutting_loss(model, "abababab", truncate_to=1, vocabulary="ab", context=2)
    >>> round(found.whole_bits_per_token, 4), round(found.cut_bits_per_token, 4)
    (0.152, 3.3219)
    """
    refuse_foreign_device(model, device, where="cutting_loss")
    named, own, k = own_space(model, vocabulary, context, truncate_to, where="cutting_loss")
    L = own if context is None else context
    ids = _ids(text, named)
    windows = transitions(ids, L)  # only tokens with L others before them are compared
    with asking(model, named, device=device) as rows_of:
        whole, cut = (_mean_surprise(rows_of, windows, seen, len(named)) for seen in (L, k))
    return CuttingLoss(
        context=L,
        truncate_to=k,
        whole_bits_per_token=whole,
        cut_bits_per_token=cut,
        n_tokens=len(windows),
        method="every window of the text, computed from its first position",
        error_bound="uncertified",
        uncertified_because="the model's own rounding is not bounded",
    )


def _ids(text: Any, vocabulary: Vocabulary) -> Ids:
    """A text as token ids."""
    if isinstance(text, str) or (len(text) and isinstance(text[0], str)):
        return encode_text(text, vocabulary)[0]
    ids, V = np.asarray(text), len(vocabulary)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or not ((ids >= 0) & (ids < V)).all():
        raise InvalidArgument(
            f"cutting_loss: the text is neither a string nor a list of token ids from 0 to "
            f"{V - 1:,}. Give one of the two, or a list of tokens."
        )
    return ids.astype(np.int64)


def _mean_surprise(rows_of: Callable[[Ids], Rows], windows: Ids, seen: int, V: int) -> float:
    """Mean of -log2 p of the last token of windows, given so many tokens before it."""
    step = max(1, min(4096, BLOCK // (seen * V)))
    total = 0.0
    for first in range(0, len(windows), step):
        block = np.ascontiguousarray(windows[first : first + step])
        p = rows_of(block[:, -1 - seen : -1]).probabilities
        with np.errstate(divide="ignore"):  # a token that cannot follow costs infinitely much
            total -= float(np.log2(p[np.arange(len(block)), block[:, -1]]).sum())
    return total / len(windows)
