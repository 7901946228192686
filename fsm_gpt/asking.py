"""Asking a model for its next-token probabilities.

A model is any callable ``(B, l) ids -> logits``; nothing here knows how it works, and
PyTorch is never imported, only used where a model has already loaded it. Logits become
float64 before the softmax, so that rows sum to one within 1e-15.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import FsmGptError, InvalidArgument, InvalidChain
from fsm_gpt.space import Vocabulary
from fsm_gpt.threads import threads_for

__all__ = ["Model", "Rows", "asking"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Model(Protocol):
    """What can be extracted: token ids (B, l) to logits, of the last position or of all.

    The logits are an array or a tensor of shape (B, V) or (B, l, V); they may come
    first in a tuple, or as the attribute ``logits`` of what is returned.
    """

    def __call__(self, ids: Any, /) -> Any:
        """Logits of the next token."""
        ...


class Rows(NamedTuple):
    """Next-token probabilities, and how many of them are zero, by which cause."""

    probabilities: Floats
    #: The model masks the token, with a logit of minus infinity.
    masked: int
    #: The logit is finite and its softmax is below the smallest float64.
    underflowed: int


@contextmanager
def asking(model: Model, vocabulary: Vocabulary) -> Iterator[Callable[[Ids], Rows]]:
    """A function from contexts of one length, shape (B, l), to their rows, shape (B, V).

    A torch module gets its ids as a tensor on its own device, without gradients and
    with dropout off; afterwards it is as it was found. A plain function gets a numpy
    array, or a torch tensor if it does not take the array.

    Raises
    ------
    InvalidArgument
        The model fails, or returns something else than logits over the vocabulary.
    InvalidChain
        A logit is undefined or infinite; the message names the context.

    Examples
    --------
    >>> after = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> with asking(lambda ids: after[ids[:, -1]], Vocabulary.of("ab")) as rows_of:
    ...     rows_of(np.array([[0, 1]])).probabilities
    array([[0.25, 0.75]])
    """
    call: Callable[[Ids], Any] | None = None

    def rows_of(ids: Ids) -> Rows:
        nonlocal call
        try:
            call = call or _caller(model, ids[:1])
            answer = call(ids)
        except FsmGptError:
            raise
        except Exception as problem:
            raise InvalidArgument(
                f"extract: the model failed on ids of shape {ids.shape} with values from 0 to "
                f"{len(vocabulary) - 1} ({type(problem).__name__}: {problem}). Check that the "
                f"vocabulary and the context are the model's own, and that it takes ids of shape "
                f"(B, l)."
            ) from problem
        logits = _last_position(answer, ids.shape, len(vocabulary))
        _refuse_bad_logits(logits, ids, vocabulary)
        probabilities = softmax(logits)
        hidden = logits == -np.inf
        lost = (probabilities == 0) & ~hidden
        return Rows(probabilities, int(hidden.sum()), int(lost.sum()))

    with _as_found(model), _without_gradients(), _threads(model):
        yield rows_of


def softmax(logits: Floats) -> Floats:
    """Probabilities in float64, shape (B, V).

    >>> softmax(np.array([[0.0, 0.0], [0.0, -np.inf]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _last_position(answer: Any, shape: tuple[int, ...], V: int) -> Floats:
    """The logits of the token after the last position, in float64, shape (B, V)."""
    answer = getattr(answer, "logits", answer)
    if isinstance(answer, (tuple, list)) and answer and getattr(answer[0], "ndim", 0) >= 2:
        answer = answer[0]
    if hasattr(answer, "detach"):  # a torch tensor, of any device and dtype
        answer = answer.detach().cpu().double().numpy()
    try:
        logits = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise InvalidArgument(
            f"extract: the model returned a {type(answer).__name__} that is no array of numbers "
            f"({problem}). It should return logits of shape (B, V) or (B, l, V)."
        ) from None
    B, l = shape  # noqa: E741
    if logits.ndim == 3 and logits.shape[1] in (1, l):
        logits = logits[:, -1]
    if logits.shape != (B, V):
        raise InvalidArgument(
            f"extract: for ids of shape {shape} and a vocabulary of {V} tokens the model returned "
            f"logits of shape {logits.shape}. They should have shape {(B, V)} or {(B, l, V)}: one "
            f"number for each token of the vocabulary."
        )
    return logits


def _refuse_bad_logits(logits: Floats, ids: Ids, vocabulary: Vocabulary) -> None:
    bad = np.isnan(logits) | (logits == np.inf)
    if bad.any():
        row, token = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidChain(
            f"extract: after the context {vocabulary.label(ids[row])} the model gives the token "
            f"{vocabulary.shown[token]!r} the logit {logits[row, token]}, so it has no "
            f"probability. The usual cause is weights that diverged or arithmetic in float16; "
            f"use other weights, or float32."
        )
    nothing = (logits == -np.inf).all(axis=1)
    if nothing.any():
        row = int(np.flatnonzero(nothing)[0])
        raise InvalidChain(
            f"extract: after the context {vocabulary.label(ids[row])} the model gives every token "
            f"a logit of minus infinity, so nothing can follow. Leave one token unmasked."
        )


def loaded_torch() -> Any:
    """PyTorch if it is loaded, as it is wherever a model of it exists; else None."""
    return sys.modules.get("torch")


def _is_module(model: Model) -> bool:
    torch = loaded_torch()
    return torch is not None and isinstance(model, torch.nn.Module)


def _caller(model: Model, one: Ids) -> Callable[[Ids], Any]:
    """The model as a function of a numpy array; ``one`` is a context to try it on."""
    if _is_module(model):
        weight = next(iter(model.parameters()), None)  # type: ignore[attr-defined]
        device = "cpu" if weight is None else weight.device
        return lambda ids: model(loaded_torch().as_tensor(ids, device=device))
    try:
        model(one)
    except (TypeError, AttributeError):
        if loaded_torch() is not None:  # it may want a tensor
            return lambda ids: model(loaded_torch().as_tensor(ids))
    return model


def _without_gradients() -> Any:
    torch = loaded_torch()
    return nullcontext() if torch is None else torch.no_grad()


def _threads(model: Model) -> Any:
    if not _is_module(model):
        return nullcontext()
    weights = model.parameters()  # type: ignore[attr-defined]
    return threads_for(loaded_torch(), sum(weight.numel() for weight in weights))


@contextmanager
def _as_found(model: Model) -> Iterator[None]:
    """Evaluation mode inside; afterwards each part of the model is in the mode it had."""
    if not _is_module(model):
        yield
        return
    parts = list(model.modules())  # type: ignore[attr-defined]
    modes = [part.training for part in parts]
    try:
        model.eval()  # type: ignore[attr-defined]
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
