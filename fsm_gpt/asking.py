"""Asking a model for its next-token probabilities.

A model is any callable ``(B, l) ids -> logits``; nothing here knows how it works, and
PyTorch is never imported, only used where a model has already loaded it. Logits become
float64 before the softmax, so that rows sum to one within 1e-15.

Asked in batches, a model reads each context from its first token. A model that can do
better says so by a method ``prefix_tree``, see :class:`SharesPrefixes`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.as_found import as_found, device_of, is_module, loaded_torch
from fsm_gpt.errors import FsmGptError, InvalidArgument, InvalidChain
from fsm_gpt.space import ContextSpace, Vocabulary
from fsm_gpt.threads import threads_for

__all__ = ["Model", "Rows", "SharesPrefixes", "asking", "batches", "every_row"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Walk: TypeAlias = Generator[tuple[int, int, Any], None, None]


class Model(Protocol):
    """What can be extracted: token ids (B, l) to logits, of the last position or of all.

    The logits are an array or a tensor of shape (B, V) or (B, l, V); they may come
    first in a tuple, or as the attribute ``logits`` of what is returned.
    """

    def __call__(self, ids: Any, /) -> Any:
        """Logits of the next token."""
        ...


class SharesPrefixes(Model, Protocol):
    """A model that computes what contexts have in common only once.

    It is asked for all contexts in this way where its own ``vocabulary`` has as many
    tokens as the chain. The method belongs to its class: one that is passed on from
    inside a wrapper is not used, because the wrapper may compute something else.
    """

    def prefix_tree(self, length: int, *, shorter: bool = False) -> Walk | None:
        """Every context of ``length`` tokens, or None where it would rather be asked in batches.

        Yields (l, first, logits): logits of shape (n, V), an array or a tensor, of the
        contexts of l tokens whose base-V numbers are ``first`` to ``first`` + n - 1,
        oldest token most significant. Those of one l come in order. With ``shorter``
        also the contexts of fewer tokens, from 1.

        A method that takes one more option, ``first``, may leave out blocks that end before
        the context of that number; then an extraction that was stopped goes on without
        walking the whole tree again. The other blocks have to be the same, to the last bit.
        """
        ...


class Rows(NamedTuple):
    """Next-token probabilities, and how many of them are zero, by which cause."""

    probabilities: Floats
    #: The model masks the token, with a logit of minus infinity.
    masked: int
    #: The logit is finite and its softmax is below the smallest float64.
    underflowed: int
    #: The same two numbers of each row, shape (B, 2).
    zeros: Ids


def every_row(
    model: Model, space: ContextSpace, *, batch: int | None = None, begin: int = 0
) -> Generator[tuple[int, Rows], None, None]:
    """The rows of all states: the first state of each block, and its rows.

    From the block that has the state ``begin`` on; blocks are the same wherever it begins.

    By the model's prefix tree where it has one, in batches where it has none or where
    the number of contexts in a batch is given. To be used inside :func:`as_found`.

    >>> after = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> space = ContextSpace(Vocabulary.of("ab"), 1)
    >>> list(every_row(lambda ids: after[ids[:, -1]], space))[0][1].probabilities
    array([[0.5 , 0.5 ],
           [0.25, 0.75]])
    """
    tree = _tree(model, space, begin) if batch is None else None
    if tree is not None:
        yield from _walked(tree, space, begin)
        return
    V, L = len(space.vocabulary), space.length
    with _asked(model, space.vocabulary) as rows_of:
        for first, ids in batches(space, batch or max(1, min(4096, 2**23 // (L * V))), begin):
            yield first, rows_of(ids)


def _tree(model: Model, space: ContextSpace, begin: int) -> Walk | None:
    """The model's own walk of all contexts, if it has one."""
    offers = getattr(type(model), "prefix_tree", None)
    named = getattr(model, "vocabulary", None)
    if offers is None or named is None or len(Vocabulary.of(named)) != len(space.vocabulary):
        return None
    shorter = space.shortest < space.length
    later = {"first": begin} if begin and "first" in inspect.signature(offers).parameters else {}
    walk: Walk | None = offers(model, space.length, shorter=shorter, **later)
    return walk


def _walked(walk: Walk, space: ContextSpace, begin: int) -> Generator[tuple[int, Rows], None, None]:
    with closing(walk):
        while (block := _next(walk)) is not None:
            length, number, answer = block
            first = space.offset(length) + number
            if first + len(answer) <= begin:
                continue
            logits = _last_position(answer, (len(answer), length), len(space.vocabulary))
            yield first, _rows(logits, space.vocabulary, partial(_label, space, first))


def _label(space: ContextSpace, first: int, row: int) -> str:
    return space.label(first + row)


def _next(walk: Walk) -> tuple[int, int, Any] | None:
    try:
        return next(walk, None)
    except FsmGptError:
        raise
    except Exception as problem:
        raise InvalidArgument(
            f"extract: the model failed while it walked the tree of its contexts "
            f"({type(problem).__name__}: {problem}). Give batch=1024, say, to have it asked in "
            f"batches instead."
        ) from problem


def batches(space: ContextSpace, batch: int, begin: int = 0) -> Iterator[tuple[int, Ids]]:
    """The first state and the token ids (B, l) of each batch; all of one length.

    Batches that end before the state ``begin`` are left out.
    """
    V = len(space.vocabulary)
    for length in range(space.shortest, space.length + 1):
        place = V ** np.arange(length - 1, -1, -1, dtype=np.int64)  # of each token, oldest first
        before = max(0, begin - space.offset(length)) // batch * batch
        for first in range(before, V**length, batch):
            values = np.arange(first, min(first + batch, V**length), dtype=np.int64)
            yield space.offset(length) + first, values[:, None] // place % V


@contextmanager
def asking(
    model: Model, vocabulary: Vocabulary, *, device: str | None = None
) -> Iterator[Callable[[Ids], Rows]]:
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
    with as_found(model, device=device), _asked(model, vocabulary) as rows_of:
        yield rows_of


@contextmanager
def _asked(model: Model, vocabulary: Vocabulary) -> Iterator[Callable[[Ids], Rows]]:
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
        return _rows(logits, vocabulary, lambda row: vocabulary.label(ids[row]))

    with _threads(model):
        yield rows_of


def _rows(logits: Floats, vocabulary: Vocabulary, name: Callable[[int], str]) -> Rows:
    """The rows of logits (B, V); ``name`` is the context of one of them, for an error."""
    _refuse_bad_logits(logits, vocabulary, name)
    probabilities = softmax(logits)
    hidden = logits == -np.inf
    lost = (probabilities == 0) & ~hidden
    zeros = np.column_stack([hidden.sum(axis=1), lost.sum(axis=1)]).astype(np.int64)
    return Rows(probabilities, int(zeros[:, 0].sum()), int(zeros[:, 1].sum()), zeros)


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


def _refuse_bad_logits(logits: Floats, vocabulary: Vocabulary, name: Callable[[int], str]) -> None:
    bad = np.isnan(logits) | (logits == np.inf)
    if bad.any():
        row, token = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidChain(
            f"extract: after the context {name(row)} the model gives the token "
            f"{vocabulary.shown[token]!r} the logit {logits[row, token]}, so it has no "
            f"probability. The usual cause is weights that diverged or arithmetic in float16; "
            f"use other weights, or float32."
        )
    nothing = (logits == -np.inf).all(axis=1)
    if nothing.any():
        row = int(np.flatnonzero(nothing)[0])
        raise InvalidChain(
            f"extract: after the context {name(row)} the model gives every token "
            f"a logit of minus infinity, so nothing can follow. Leave one token unmasked."
        )


def _caller(model: Model, one: Ids) -> Callable[[Ids], Any]:
    """The model as a function of a numpy array; ``one`` is a context to try it on."""
    if is_module(model):
        device = device_of(model)
        return lambda ids: model(loaded_torch().as_tensor(ids, device=device))
    try:
        model(one)
    except (TypeError, AttributeError):
        if loaded_torch() is not None:  # it may want a tensor
            return lambda ids: model(loaded_torch().as_tensor(ids))
    return model


def _threads(model: Model) -> Any:
    if not is_module(model):
        return nullcontext()
    weights = model.parameters()  # type: ignore[attr-defined]
    return threads_for(loaded_torch(), sum(weight.numel() for weight in weights))
