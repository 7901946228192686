"""From a language model to its chain: every context is asked for its next-token row.

A causal model with a vocabulary of V tokens that sees the last L of them is a function
from V**L windows to rows of V probabilities, and those rows are a Markov chain. The
window is recomputed from its first position: token k of a window stands at position k
of the model. (A sampler that keeps old keys and values in a cache remembers tokens that
have left the window; that is another process.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Literal, TypeAlias, get_args

from fsm_gpt.about_model import (
    notes_on_rows,
    own_space,
    provenance_of,
    refuse_foreign_device,
    rules_of,
)
from fsm_gpt.as_found import as_found
from fsm_gpt.asking import Model, every_row
from fsm_gpt.chain import Chain
from fsm_gpt.collected import BYTES_OF_A_TRANSITION, Dense, Sparse
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import Interrupted, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.space import ContextSpace, Vocabulary

__all__ = ["Precision", "extract", "extraction_bytes"]

Precision: TypeAlias = Literal["float64", "float32"]

#: Bytes for each probability beside its own while a chain over short contexts is made: the
#: columns of the transition list while it is sorted.
BYTES_OF_SHORT = 136
#: Bytes for each state while a chain is made: its row's sum, and what checking that takes.
BYTES_OF_A_STATE = 32


def extract(
    model: Model,
    *,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    short_contexts: bool = False,
    truncate_to: int | None = None,
    decoding: Rule | Sequence[Rule] | None = None,
    dtype: Precision = "float64",
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
        :meth:`fsm_gpt.Chain.with_decoding`. Where all rows do not fit into memory and what
        the rule keeps of them does, that alone is kept.
    dtype
        How the probabilities are kept. "float32" takes half the memory: rows are computed and
        decoded in float64 and rounded then, and the chain meant is each of them divided by its
        sum, so that a probability is off by 6e-8 of itself. Sums over states stay in float64.
        What is kept sparsely is float64 always.
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
        Its ``notes`` say where a probability became zero by underflow, of float64 or of
        float32, or by a mask of the model; its ``provenance`` says which model and which
        versions made it.

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
    >>> import numpy as np
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
    refuse_foreign_device(model, device, where="extract")
    rules = rules_of(decoding, where="extract")
    if batch is not None and batch < 1:
        raise InvalidArgument(f"extract: batch is {batch}; give a whole number of 1 or more.")
    if dtype not in get_args(Precision):
        raise InvalidArgument(
            f"extract: dtype is {dtype!r}, and probabilities are kept as 'float64' or 'float32'. "
            f"Give one of the two."
        )
    named, own_context, length = own_space(model, vocabulary, context, truncate_to, where="extract")
    space = ContextSpace(named, length, shortest=1 if short_contexts else 0)
    problem = _too_large(space, dtype, max_memory_gib)
    sparse = problem is not None and _may_be_sparse(space, rules, max_memory_gib)
    if problem is not None and not sparse:
        raise problem
    kept = Sparse(space, rules, max_memory_gib) if sparse else Dense(space, rules, dtype)
    done = masked = lost = 0
    try:
        with (
            as_found(model, device=device),
            closing(every_row(model, space, batch=batch)) as blocks,
        ):
            for first, block in blocks:
                kept.add(first, block.probabilities)
                done += len(block.probabilities)
                masked += block.masked
                lost += block.underflowed
                if progress is not None:
                    progress(done, space.size)
    except KeyboardInterrupt:
        raise Interrupted(
            "extract: stopped by the user before every context had its row, so there is no "
            "chain. Nothing was written."
        ) from None
    return kept.chain(
        notes=notes_on_rows(own_context, length, masked=masked, lost=lost),
        provenance=provenance_of(model, own_context, length),
    )


# ---- the size, before anything is computed ----


def extraction_bytes(V: int, dtype: Precision = "float64", *, short: bool = False) -> int:
    """What a state takes while a chain is made, in bytes.

    >>> extraction_bytes(2), extraction_bytes(50_257, "float32")
    (48, 201060)
    """
    size = {"float64": 8, "float32": 4}[dtype]
    return V * (size + (BYTES_OF_SHORT if short else 0)) + BYTES_OF_A_STATE


def _too_large(
    space: ContextSpace, dtype: Precision, max_memory_gib: float
) -> StateSpaceTooLarge | None:
    """Why all rows do not fit, or None if they do."""
    V, L = len(space.vocabulary), space.length
    short = space.shortest < L
    each = extraction_bytes(V, dtype, short=short)
    log2_bytes = L * math.log2(V) + math.log2(each)  # V**L may have thousands of digits
    if log2_bytes < 60:
        need = space.size * each / 2**30
        if need <= max_memory_gib:
            return None
        states, gib = f"{space.size:,}", f"{need:,.1f} GiB"
    else:
        states = _power_of_ten(L * math.log10(V))
        gib = f"{_power_of_ten((log2_bytes - 30) * math.log10(2))} GiB"
    what = f"contexts of 1 to {L} tokens over {V:,}" if short else f"{V:,}**{L:,} contexts"
    half = "" if dtype == "float32" or short else ", halve that with dtype='float32'"
    few = "" if short else ", keep few tokens of each row by a rule such as top-k 40"
    return StateSpaceTooLarge(
        f"extract: the {what} are {states} states and need {gib} in {dtype}, above the limit of "
        f"{max_memory_gib:g} GiB. Shorten the context with truncate_to{half}{few}, explore() the "
        f"part that prompts lead to, or raise max_memory_gib where there is more memory."
    )


def _may_be_sparse(space: ContextSpace, rules: Sequence[Rule], max_memory_gib: float) -> bool:
    """Whether a rule might keep so few tokens of full windows that the transitions fit."""
    if not rules or space.shortest < space.length:
        return False
    log2_states = space.length * math.log2(len(space.vocabulary))
    return log2_states + math.log2(2 * BYTES_OF_A_TRANSITION) <= math.log2(max_memory_gib) + 30


def _power_of_ten(log10: float) -> str:
    return f"about 10**{log10:,.0f}"
