"""Two chains that read the same tokens: what both are in, in the long run of the first.

A reference writes and a model reads along. Where the states of both are contexts, the tokens
say what both are in:

- The model looks back as far as the reference, or less: its context is the end of the
  reference's.
- The model looks back further: it is in a context of L tokens as often as the reference writes
  these in a row, pi(first ones) times the steps to the others.

A machine of one state has contexts of no tokens. Other machines, whose states are plain names,
are followed step by step, and the pairs of states are a Markov chain of their own (the product
of two unifilar machines). Where the model begins is not known: it may be in any state, and a
state is out of the question once a token comes that it rules out. If one closed class of
pairs is left, the long run does not depend on the beginning.

References
----------
Rached, Alajaji & Campbell (2004), IEEE Trans. Inf. Theory 50, 917-921 (rates of two Markov
sources of any orders). Travers & Crutchfield (2011), J. Stat. Phys. 145, 1181-1201 (how tokens
tell the state of a unifilar machine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, StateOutOfRange
from fsm_gpt.markov.entropy import long_run
from fsm_gpt.markov.product_of_two import product_of
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded
from fsm_gpt.markov.token_blocks import Words, extended
from fsm_gpt.pairing import joined
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers
from fsm_gpt.space import PAD, ContextSpace, States

__all__ = [
    "Law",
    "Paired",
    "context_length",
    "matching_states",
    "of_one_vocabulary",
    "pair",
    "rows_of",
]

Ids = npt.NDArray[np.int64]


class Law(NamedTuple):
    """The long run of a chain: a share of time for each state, and what is proven of it."""

    pi: Numbers
    bound: Bound
    reason: str


@dataclass(frozen=True, eq=False)
class Paired:
    """What a reference and a model are in, and how often."""

    states: States
    """Names of what both are in."""
    ids: Ids
    """Which of them occur, shape (n,)."""
    weight: Numbers
    """The share of time of each, shape (n,)."""
    reference: Ids
    """The reference's state in each."""
    model: Ids
    """The model's."""
    bound: Bound
    """Of every share, relative."""
    reason: str


def context_length(chain: Chain) -> int | None:
    """How many tokens decide the state: none where there is one state; None of plain names.

    >>> context_length(Chain([[0.5, 0.5]] * 4))
    2
    """
    return 0 if chain.n_states == 1 else chain.context


def of_one_vocabulary(reference: Chain, model: Chain, what: str) -> None:
    """Refuse two chains that do not read the same tokens for ever.

    Raises
    ------
    InvalidArgument
        The vocabularies differ.
    NotDefined
        One of the two has an END.
    """
    if reference.vocabulary.tokens != model.vocabulary.tokens:
        raise InvalidArgument(
            f"{what}: the vocabularies differ: {' '.join(reference.vocabulary.shown[:12])} in the "
            f"reference, {' '.join(model.vocabulary.shown[:12])} in the model. Give the text's "
            f"chain the model's vocabulary: Chain.from_text(..., vocabulary=model.vocabulary)."
        )
    for chain, name in ((reference, "reference"), (model, "model")):
        if chain.end is not None:
            raise NotDefined(
                f"{what}: the texts of the {name} end, and the two are compared on texts that go "
                f"on for ever. Compare the chains as they are before with_stop()."
            )


def pair(reference: Chain, model: Chain, what: str, *, law: Law | None = None) -> Paired:
    """What both are in while the reference goes on for ever.

    Parameters
    ----------
    law
        The long run of the reference, where it is known already.

    Raises
    ------
    InvalidArgument
        The vocabularies differ, or the model lacks a context that the reference visits.
    NotUnique
        The reference has several closed classes, or the tokens do not tell what a model whose
        states are plain names is in.
    NotDefined
        One of the two ends, or such a model rules out what the reference does.
    StateSpaceTooLarge
        There are too many contexts or pairs.
    """
    of_one_vocabulary(reference, model, what)
    law = Law(*long_run(reference, None, what)) if law is None else law
    L, M = context_length(reference), context_length(model)
    by_blocks = M is not None and (M + 1) * np.log2(max(model.n_tokens, 2)) < 62
    seen = np.flatnonzero(law.pi != 0)
    if M == 0:
        return _alike(reference, seen, law, np.zeros(len(seen), dtype=np.int64))
    if L is not None and M is not None and M <= L:
        return _alike(reference, seen, law, _by_suffix(reference, model, seen, M, what))
    if L is not None and M is not None and by_blocks:
        return _by_blocks(reference, model, law, seen, L, M, what)
    both = product_of(reference, model, law.pi, what)
    if both.chain is None:
        return _alike(reference, both.reference, law, both.model)
    pi, bound, reason = long_run(both.chain, None, what)
    ids = np.arange(both.chain.n_states, dtype=np.int64)
    return Paired(both.chain.states, ids, pi, both.reference, both.model, bound, reason)


def _alike(reference: Chain, seen: Ids, law: Law, model: Ids) -> Paired:
    """Where the reference's state says what the model's is."""
    return Paired(reference.states, seen, law.pi[seen], seen, model, law.bound, law.reason)


def _by_suffix(reference: Chain, model: Chain, seen: Ids, M: int, what: str) -> Ids:
    """The model's contexts of M tokens, with which some of the reference's end."""
    here, there = reference.states, model.states
    if isinstance(here, ContextSpace) and isinstance(there, ContextSpace):
        number = seen - here.offset(here.length)
        if (number >= 0).all():
            return np.asarray(number % len(here.vocabulary) ** M + there.offset(M))
    table = here.contexts()
    assert table is not None
    return _found(model, table[seen][:, -M:], reference, what)


def _by_blocks(
    reference: Chain, model: Chain, law: Law, seen: Ids, L: int, M: int, what: str
) -> Paired:
    """Where the model looks back further, on M tokens."""
    V = reference.n_tokens
    number = _numbered(reference, seen, L, what)
    order = np.argsort(number, kind="stable")
    begin = Words(number[order], seen[order], law.pi[seen[order]])
    words = extended(reference, begin, M - L, what)
    space = ContextSpace(reference.vocabulary, M)
    if isinstance(model.states, ContextSpace):
        model_state = words.number + model.states.offset(M)
    else:
        powers = V ** np.arange(M - 1, -1, -1, dtype=np.int64)
        model_state = _found(model, words.number[:, None] // powers % V, reference, what)
    bound, reason = law.bound, law.reason
    if bound != UNCERTIFIED and reference.dtype != object:
        bound = float(bound) + rounded((M - L) * (V + 3))
        if least_positive(words.weight) < SMALLEST:
            bound, reason = UNCERTIFIED, "contexts so rare lose digits by underflow"
    return Paired(space, words.number, words.weight, words.state, model_state, bound, reason)


def _numbered(reference: Chain, seen: Ids, L: int, what: str) -> Ids:
    """The contexts of some states as base-V numbers."""
    if L == 0:
        return np.zeros(len(seen), dtype=np.int64)
    here, V = reference.states, reference.n_tokens
    if isinstance(here, ContextSpace):
        number = seen - here.offset(L)
    else:
        table = here.contexts()
        assert table is not None
        number = table[seen] @ V ** np.arange(L - 1, -1, -1, dtype=np.int64)
        number = np.where(table[seen, 0] == PAD, -1, number)
    if (number < 0).any():
        label = reference.label(int(seen[np.argmin(number)]))
        raise NotDefined(
            f"{what}: in the long run the reference is in {label!r}, which has fewer tokens than "
            f"the {L} of its full contexts, so what a longer context would be is not known. "
            f"Compare with a model of at most as many tokens."
        )
    return np.asarray(number, dtype=np.int64)


def _found(model: Chain, contexts: Ids, reference: Chain, what: str) -> Ids:
    """The model's states with these contexts, padded in front."""
    find = model.states.find
    places = np.empty(len(contexts), dtype=np.int64)
    for i, row in enumerate(contexts.tolist()):
        context = [t for t in row if t != PAD]
        try:
            places[i] = find(context)
        except StateOutOfRange:
            label = reference.vocabulary.label(context)
            raise InvalidArgument(
                f"{what}: the reference visits context {label!r}, which the model does not have, "
                f"so its prediction there is unknown. Compare with a model of every context."
            ) from None
    return places


def matching_states(reference: Chain, model: Chain, states: Ids, what: str = "compare") -> Ids:
    """The model's states for the same contexts as some of the reference's, in their order.

    Raises
    ------
    InvalidArgument
        The two have different vocabularies or contexts, or the model lacks one of the contexts.
    """
    of_one_vocabulary(reference, model, what)
    if reference.context is None or model.context is None:
        raise InvalidArgument(
            f"{what}: a chain whose states are plain names cannot be matched by context. Take "
            "chains over contexts: a model's, or a text's."
        )
    if reference.context != model.context:
        raise InvalidArgument(
            f"{what}: the reference has contexts of {reference.context} tokens and the model of "
            f"{model.context}. Make both with the same context (truncate_to=k for a model)."
        )
    return _by_suffix(reference, model, states, reference.context, what)


def rows_of(chain: Chain, states: Ids) -> Numbers:
    """The rows of some states in float64, each divided by its sum, shape (n, V).

    >>> rows_of(Chain([[0.5, 0.5], [0.25, 0.75]]), np.array([1, 0]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    if chain.is_window:
        rows = chain.next_token[states].astype(np.float64)
    else:
        edges = chain.raw_edges()
        start = np.searchsorted(edges.source, np.arange(chain.n_states + 1))
        which, edge = joined(start, states)
        rows = np.zeros((len(states), chain.n_tokens))
        rows[which, edges.token[edge]] = edges.probability[edge]
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))
