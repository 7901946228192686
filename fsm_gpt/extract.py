"""From a language model to its chain: every context is asked for its next-token row.

A causal model with a vocabulary of V tokens that sees the last L of them is a function
from V**L windows to rows of V probabilities, and those rows are a Markov chain. The
window is recomputed from its first position: token k of a window stands at position k
of the model. (A sampler that keeps old keys and values in a cache remembers tokens that
have left the window; that is another process.)
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

import numpy as np

from fsm_gpt import __version__
from fsm_gpt.as_found import as_found, is_module, loaded_torch, refuse_device
from fsm_gpt.asking import Model, every_row
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import Interrupted, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.space import ContextSpace, Vocabulary

__all__ = ["extract"]

#: Bytes for each probability while a chain is made, by (short contexts, decoding): the
#: rows and their checked copies, or the columns of the transition list while it is sorted.
BYTES = {
    (False, False): 32,
    (False, True): 52,
    (True, False): 136,
    (True, True): 180,
}


def extract(
    model: Model,
    *,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    short_contexts: bool = False,
    truncate_to: int | None = None,
    decoding: Rule | Sequence[Rule] | None = None,
    batch: int | None = None,
    device: str | None = None,
    max_memory_gib: float = 8.0,
    progress: Callable[[int, int], None] | None = None,
) -> Chain:
    """The Markov chain of a language model, all of it.

    Parameters
    ----------
    model
        Any callable from ids of shape (B, l) to logits; see :class:`fsm_gpt.asking.Model`. A torch
        module gets its ids as a tensor on its own device, without gradients and with
        dropout off, and is left as it was found. A plain function gets a numpy array,
        or a torch tensor if it does not take the array.
    vocabulary, context
        The V tokens and L; taken from the model's attributes of these names if it has
        them.
    short_contexts
        The states are all contexts of 1 to L tokens, V (V**L - 1) / (V - 1) in number;
        otherwise the V**L full windows.
    truncate_to
        k: the chain of the model that sees only the last k tokens, at its positions
        0 to k - 1. It is another model than the full one, and not a summary of it.
    decoding
        A rule, or rules in the order in which they apply: see
        :meth:`fsm_gpt.Chain.with_decoding`.
    batch
        Contexts in one call of the model. Without it a model that can walk the tree of
        its contexts does so (:class:`fsm_gpt.asking.SharesPrefixes`; a
        :class:`fsm_gpt.gpt.model.GPT` whose parts are unchanged can), and any other gets
        at most 4,096 at once.
    device
        Where a torch module is to compute, such as "cuda"; by default where it is.
    max_memory_gib
        More than this is refused before the model is called.
    progress
        Called with the number of contexts done and the number of all.

    Returns
    -------
    Chain
        Its ``notes`` say where a probability became zero by underflow or by a mask of
        the model; its ``provenance`` says which model and which versions made it.

    Raises
    ------
    StateSpaceTooLarge
        The rows would take more memory than the limit.
    InvalidChain
        The model gave an undefined or infinite logit; the message names the context.
    InvalidArgument
        An option is out of range, the logits have another shape than expected, or the
        device is not here.
    Interrupted
        The user stopped it.

    Examples
    --------
    >>> after = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> chain = extract(lambda ids: after[ids[:, -1]], vocabulary="ab", context=2)
    >>> print(chain.listing())
    input [a, a] ---> [0.500, 0.500]
    input [a, b] ---> [0.250, 0.750]
    input [b, a] ---> [0.500, 0.500]
    input [b, b] ---> [0.250, 0.750]

    References
    ----------
    Zekri et al. (2024), arXiv 2410.02724, section 3.
    """
    _refuse_device(model, device)
    rules = tuple(decoding) if isinstance(decoding, Sequence) else (decoding,) if decoding else ()
    for rule in rules:
        if not callable(rule):
            raise InvalidArgument(
                f"extract: decoding has {rule!r}, which is no rule. Give rules such as Greedy() or "
                f"TopK(2)."
            )
    if batch is not None and batch < 1:
        raise InvalidArgument(f"extract: batch is {batch}; give a whole number of 1 or more.")
    named, own_context, length = _own(model, vocabulary, context, truncate_to)
    space = ContextSpace(named, length, shortest=1 if short_contexts else 0)
    _refuse_too_large(space, bool(rules), max_memory_gib)
    rows = np.empty((space.size, len(named)))
    done = masked = lost = 0
    try:
        with (
            as_found(model, device=device),
            closing(every_row(model, space, batch=batch)) as blocks,
        ):
            for first, block in blocks:
                size = len(block.probabilities)
                rows[first : first + size] = block.probabilities
                done += size
                masked += block.masked
                lost += block.underflowed
                if progress is not None:
                    progress(done, space.size)
    except KeyboardInterrupt:
        raise Interrupted(
            "extract: stopped by the user before every context had its row, so there is no "
            "chain. Nothing was written."
        ) from None

    notes = []
    if length < own_context:
        notes.append(
            f"the model sees {own_context} tokens and was given the last {length} only, at "
            f"positions 0 to {length - 1}"
        )
    if masked:
        notes.append(
            f"{masked:,} probabilities are exactly zero because the model masks their token "
            f"(a logit of minus infinity)"
        )
    if lost:
        notes.append(
            f"{lost:,} probabilities are zero by float64 underflow: the model gives them a "
            f"finite logit, so structure there is that of the floats, not of the model"
        )
    chain = Chain(
        rows,
        vocabulary=named,
        context=length,
        short_contexts=short_contexts,
        notes=notes,
        provenance=_provenance(model, own_context, length),
    )
    return chain.with_decoding(*rules) if rules else chain


def _refuse_device(model: Model, device: str | None) -> None:
    if device is None:
        return
    if not is_module(model):
        raise InvalidArgument(
            f"extract: device is {device!r}, and the model is no PyTorch module: where it computes "
            f"is its own affair. Leave device out."
        )
    refuse_device(device)


def _own(
    model: Model,
    vocabulary: Vocabulary | str | int | Sequence[str] | None,
    context: int | None,
    truncate_to: int | None,
) -> tuple[Vocabulary, int, int]:
    """The vocabulary, the tokens that the model can see, and those that it is to see."""
    own = getattr(model, "context", None)
    named = getattr(model, "vocabulary", None) if vocabulary is None else vocabulary
    asked = own if context is None else context
    for value, name in ((named, "vocabulary"), (asked, "context")):
        if value is None:
            raise InvalidArgument(
                f"extract: the model has no attribute {name!r}, and without it the contexts "
                f"cannot be listed. Pass {name}=... to extract()."
            )
    seen = _whole(asked, "context")
    length = seen if truncate_to is None else _whole(truncate_to, "truncate_to")
    sees = own if isinstance(own, int) else seen
    if not length <= seen <= sees:
        raise InvalidArgument(
            f"extract: a context of {max(length, seen)} tokens was asked for, and the model sees "
            f"{min(seen, sees)}. Give a number from 1 to {min(seen, sees)}."
        )
    assert named is not None
    return Vocabulary.of(named), sees, length


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidArgument(
            f"extract: {name} is {value!r}, and it is a whole number of 1 or more. A model that "
            f"sees no token has one state and no chain."
        )
    return value


# ---- the size, before anything is computed ----


def _refuse_too_large(space: ContextSpace, decoded: bool, max_memory_gib: float) -> None:
    V, L = len(space.vocabulary), space.length
    short = space.shortest < L
    each = BYTES[short, decoded]
    log2_bytes = L * math.log2(V) + math.log2(V * each)  # V**L may have thousands of digits
    if log2_bytes < 60:
        need = space.size * V * each / 2**30
        if need <= max_memory_gib:
            return
        states, gib = f"{space.size:,}", f"{need:,.1f} GiB"
    else:
        states = _power_of_ten(L * math.log10(V))
        gib = f"{_power_of_ten((log2_bytes - 30) * math.log10(2))} GiB"
    what = f"contexts of 1 to {L} tokens over {V:,}" if short else f"{V:,}**{L:,} contexts"
    raise StateSpaceTooLarge(
        f"extract: the {what} are {states} states and need {gib}, above the limit of "
        f"{max_memory_gib:g} GiB. Shorten the context with truncate_to, or raise max_memory_gib "
        f"where there is more memory."
    )


def _power_of_ten(log10: float) -> str:
    return f"about 10**{log10:,.0f}"


# ---- where the rows come from ----


def _provenance(model: Model, own_context: int, length: int) -> dict[str, str]:
    """What is known of the model, and the versions that computed its rows."""
    known = getattr(model, "provenance", None)
    name = getattr(model, "__qualname__", None) or type(model).__qualname__
    about = {"model": str(name)}
    parameters = getattr(model, "n_parameters", None)
    if isinstance(parameters, int):
        about["parameters"] = f"{parameters:,}"
    if isinstance(known, Mapping):
        about |= {str(key): str(value) for key, value in known.items()}
    about["context"] = str(length) if length == own_context else f"{length} of {own_context}"
    about["python"] = platform.python_version()
    about["fsm_gpt"], about["numpy"] = __version__, np.__version__
    if loaded_torch() is not None:
        about["torch"] = str(loaded_torch().__version__)
    return about
