"""A model whose states are plain names, followed along what a reference writes.

A token decides the next state of both, so the pairs of states are a Markov chain. Where the
model begins is not known. It may be in any state, and one that rules out a token that comes is
out of the question. So a pair counts only if no token leads from it, at once or later, to one
that the model rules out: what is asked for is a closed class of pairs.

The search begins where the tokens have told most: the model reads what the reference writes
until few states are left. Each closed class holds a pair after these tokens, so none is
overlooked.

References
----------
Travers & Crutchfield (2011), J. Stat. Phys. 145, 1181-1201 (how tokens tell the state).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn, overload

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs
from fsm_gpt.errors import NotDefined, NotUnique, StateSpaceTooLarge
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.pairing import joined
from fsm_gpt.rows import Numbers

__all__ = ["MOST_PAIRS", "Product", "product_of"]

Ids = npt.NDArray[np.int64]

#: More pairs are not searched.
MOST_PAIRS = 2**22

#: Tokens read at most until the model's state is known.
_READ = 4096


class Product(NamedTuple):
    """The pairs in which a reference and a model are in the long run."""

    reference: Ids
    """The reference's state in each, ascending."""
    model: Ids
    """The model's."""
    chain: Chain | None
    """The chain of the pairs; None where each state of the reference stands in one pair."""


class _Moves(NamedTuple):
    """Steps of pairs: from where, by which transition of the reference, to where or -1."""

    source: Ids
    edge: Ids
    target: Ids


def product_of(reference: Chain, model: Chain, pi: Numbers, what: str) -> Product:
    """The closed class of pairs.

    Raises
    ------
    NotDefined
        Wherever the model begins, it rules out what the reference does.
    NotUnique
        Several closed classes are left, also where the model is made minimal.
    StateSpaceTooLarge
        There are too many pairs.

    Examples
    --------
    No two zeros in a row, and a model that knows it under other names:

    >>> golden = Chain([["0", "1"], ["1/2", "1/2"]])
    >>> model = Chain.from_edges([0, 1, 1], [1, 0, 1], [1, 0, 1], ["1", "1/2", "1/2"])
    >>> found = product_of(golden, model, np.array([1, 2]), "compare")
    >>> found.reference.tolist(), found.model.tolist()
    ([0, 1], [0, 1])
    """
    found = _product(reference, model, pi, what)
    if found is not None:
        return found
    smaller = minimize(model)  # states that write the same texts need not be told apart
    if smaller.n_states < model.n_states:
        found = _product(reference, smaller.chain, pi, what)
        if found is not None:
            first = np.unique(smaller.block, return_index=True)[1]
            return found._replace(model=first[found.model])
    raise NotUnique(
        f"{what}: the states of the model are plain names, and what the reference writes does not "
        f"tell which of them it is in, however long one reads. So the answer depends on where the "
        f"model begins. Compare chains whose states are contexts."
    )


def _product(reference: Chain, model: Chain, pi: Numbers, what: str) -> Product | None:
    """The same, None where several closed classes are left."""
    N = model.n_states
    edges = reference.raw_edges()
    start = np.searchsorted(edges.source, np.arange(reference.n_states + 1))
    follow = _Follow(model)
    state, may_be = _most_known(reference, start, pi, follow)
    layer = known = state * N + may_be
    parts: list[_Moves] = []
    while len(layer):
        here, there = np.divmod(layer, N)
        which, edge = joined(start, here)
        after = follow(there[which], edges.token[edge])
        target = np.where(after < 0, -1, edges.target[edge] * N + after)
        parts.append(_Moves(layer[which], edge, target))
        layer = _new(target[target >= 0], known)
        known = np.sort(np.concatenate([known, layer]), kind="stable")
        if len(known) > MOST_PAIRS:
            raise StateSpaceTooLarge(
                f"{what}: more than {MOST_PAIRS:,} pairs of a state of the reference and one of "
                f"the model are reached. Compare chains whose states are contexts, or cut them "
                f"(truncate_to)."
            )
    if not len(known):
        raise _infinite(what, "what the reference draws, in whatever state it begins")
    moves = _Moves(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    closed = _closed(known, moves)
    if not closed:
        _refuse_ruled_out(reference, model, moves, what)
    if len(closed) > 1:
        return None
    (kept,) = closed
    first, second = np.divmod(kept, N)
    if (first[1:] != first[:-1]).all():
        return Product(first, second, None)
    at = np.minimum(np.searchsorted(kept, moves.source), len(kept) - 1)
    inside = kept[at] == moves.source
    edge = moves.edge[inside]
    chain = Chain.from_edges(
        np.searchsorted(kept, moves.source[inside]),
        edges.token[edge],
        np.searchsorted(kept, moves.target[inside]),
        edges.probability[edge],
        vocabulary=reference.vocabulary,
        states=Pairs(reference.states, _Names(model), first, second),
    )
    return Product(first, second, chain)


class _Names(Sequence[str]):
    """The names of a chain's states, each made when it is asked for."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def __len__(self) -> int:
        return self.chain.n_states

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return self.chain.labels(range(len(self))[place])
        return self.chain.label(place)


def _new(found: Ids, known: Ids) -> Ids:
    """What of it is not known yet, ascending; ``known`` is too."""
    found = np.sort(found)
    found = found[np.append(True, found[1:] != found[:-1])[: len(found)]]
    place = np.minimum(np.searchsorted(known, found), len(known) - 1)
    return np.asarray(found[known[place] != found])


class _Follow:
    """The state after a state and a token, -1 where the model rules the token out.

    Windows are followed whatever their rows say.
    """

    def __init__(self, model: Chain) -> None:
        self.V, self.n_states = model.n_tokens, model.n_states
        self.rest = max(self.n_states // self.V, 1) if model.is_window else 0
        edges = model.raw_edges()
        self.key, self.target = edges.source * self.V + edges.token, edges.target

    def __call__(self, state: Ids, token: Ids) -> Ids:
        if self.rest:
            return np.asarray(state % self.rest * self.V + token)
        key = state * self.V + token
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, self.target[place], -1)


def _most_known(reference: Chain, start: Ids, pi: Numbers, follow: _Follow) -> tuple[int, Ids]:
    """A state of the reference, and those in which the model may be after what led to it."""
    state = int(np.argmax(pi))
    may_be = np.arange(follow.n_states, dtype=np.int64)
    edges = reference.raw_edges()
    draw = np.random.default_rng(0)
    for _ in range(_READ):
        if len(may_be) <= 1:
            break
        chances = np.cumsum(edges.probability[start[state] : start[state + 1]], dtype=np.float64)
        step = min(int(np.searchsorted(chances, draw.random() * chances[-1])), len(chances) - 1)
        edge = int(start[state]) + step
        after = follow(may_be, np.full(len(may_be), edges.token[edge]))
        may_be, state = np.unique(after[after >= 0]), int(edges.target[edge])
    return state, may_be


def _closed(known: Ids, moves: _Moves) -> list[Ids]:
    """The closed classes of pairs, none of which leads to what is ruled out."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n, on = len(known), moves.target >= 0
    source = np.searchsorted(known, moves.source)
    target = np.searchsorted(known, moves.target)  # 0 where it is ruled out
    graph = csr_array((np.ones(int(on.sum()), np.int8), (source[on], target[on])), shape=(n, n))
    count, member = connected_components(graph, connection="strong")
    left = np.zeros(count, dtype=bool)
    left[member[source[~on | (member[source] != member[target])]]] = True
    order = np.argsort(member, kind="stable")
    begin = np.searchsorted(member[order], np.arange(count + 1))
    return [known[order[begin[c] : begin[c + 1]]] for c in np.flatnonzero(~left).tolist()]


def _refuse_ruled_out(reference: Chain, model: Chain, moves: _Moves, what: str) -> NoReturn:
    at = int(np.flatnonzero(moves.target < 0)[-1])
    first, second = divmod(int(moves.source[at]), model.n_states)
    token = reference.vocabulary.shown[int(reference.raw_edges().token[moves.edge[at]])]
    raise _infinite(
        what,
        f"token {token!r} in its state {model.label(second)!r}, and the reference draws it in "
        f"{reference.label(first)!r}",
    )


def _infinite(what: str, ruled_out: str) -> NotDefined:
    return NotDefined(
        f"{what}: the model rules out {ruled_out}. So KL(reference || model) is infinite, and the "
        f"model's states, which are plain names, do not say what it would be in afterwards. "
        f"Compare with a model that gives each token some probability."
    )
