"""The minimal machine: the fewest states that write the same texts.

Two states are *equivalent* if every text has the same probability from both. Emitting a token
decides the next state, so this is so exactly if their rows are equal and each possible token
leads to equivalent states; the coarsest such partition is found by refining that by rows until
no token tells two states of a block apart (Moore's algorithm; Hopcroft & Ullman 1979, section
3.4). The blocks are the states of the minimal machine: the coarsest token-labelled machine with
the behaviour of the chain, and the unique one (of a stationary process that is known from its
past, its causal states: Shalizi & Crutchfield 2001).

Rows are compared as they are, bit by bit where they are floats. Training leaves hardly two rows
exactly alike; decoding does, and so do texts.

On windows another coarsening is in use: forget the oldest tokens of a context where they do
not matter, but keep so many that the next context is still known (a variable-length Markov
chain: Bühlmann & Wyner 1999). Its contexts are the leaves of a tree of suffixes. A leaf is a
set of windows that end alike, a block any set of windows, so the minimal machine has at most
as many states.

References
----------
Hopcroft & Ullman (1979), Introduction to Automata Theory, section 3.4. Shalizi & Crutchfield
(2001), J. Stat. Phys. 104, 817-879. Bühlmann & Wyner (1999), Annals of Statistics 27, 480-513.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.compound import some_of
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.result import Result, frozen, read_only
from fsm_gpt.rows import Numbers
from fsm_gpt.space import NamedStates, States

__all__ = ["MinimalMachine", "minimize"]

Ids = npt.NDArray[np.int64]

#: From so many values on they are numbered by a compiled loop.
COMPILED_FROM = 2**14
#: Of so many states each is named with the number of its members, of more by its first alone.
COUNTED = 1024


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MinimalMachine(Result):
    """The fewest states that write the same texts with the same probabilities."""

    _hidden = ("chain", "original")

    original: Chain = field(repr=False)
    chain: Chain = field(repr=False)
    """The minimal machine. A state has the name of its first member, and how many more it has
    where there are few; the chain itself where no two states are alike."""
    block: Ids
    """Of each state of the original chain the state of the minimal one, shape (N,)."""
    rounds: int
    """How often the partition was refined."""
    tree_contexts: int | None
    """Contexts of the smallest tree of suffixes with the same law, which is closed under the
    shift; None where the states are not all windows of one length."""

    @property
    def n_states(self) -> int:
        """The number of states of the minimal machine."""
        return self.chain.n_states

    def members(self, state: int | str) -> Ids:
        """The states of the original chain that a state of the minimal one stands for."""
        return np.flatnonzero(self.block == self.chain.state(state))

    def __str__(self) -> str:
        N = self.original.n_states
        lines = [f"minimal machine (partition refinement, {self.rounds} rounds; exact)"]
        lines.append(f"  {self.n_states:,} states of {N:,} can be told apart by their texts")
        if self.tree_contexts is not None:
            lines.append(f"  {self.tree_contexts:,} contexts in the smallest tree of suffixes")
        sizes = np.bincount(self.block)
        largest = np.argsort(-sizes, kind="stable")[:8]
        for state in largest[sizes[largest] > 1]:
            some = ", ".join(self.original.labels(self.members(int(state))[:8]))
            more = f", ... ({sizes[state]:,})" if sizes[state] > 8 else ""
            lines.append(f"  alike: {some}{more}")
        return "\n".join(lines)


def minimize(chain: Chain) -> MinimalMachine:
    """The fewest states that write the same texts with the same probabilities.

    Raises
    ------
    NotDefined
        A part of the chain is unexplored.

    References
    ----------
    Hopcroft & Ullman (1979), section 3.4. Bühlmann & Wyner (1999).

    Examples
    --------
    The golden mean process, no two zeros in a row, written as a chain of three tokens' context:

    >>> zero, one = ["0", "1"], ["1/2", "1/2"]
    >>> golden = Chain([one, zero, one, zero, one, zero, one, zero][::-1])
    >>> found = minimize(golden)
    >>> found.n_states, found.tree_contexts
    (2, 2)
    >>> print(found.chain.listing())
    input [000 and 3 more] ---> [0, 1]
    input [001 and 3 more] ---> [1/2, 1/2]
    """
    require_complete(chain, "minimize")
    by_row = _by_rows(chain)
    refined = _by_suffix(chain) if chain.is_window and _no_zero(chain) else _by_edges(chain)
    block, rounds = by_row, 0
    while True:
        finer = refined(block)
        if finer.max() == block.max():
            break
        block, rounds = finer, rounds + 1
    tree = _tree_contexts(by_row, chain.n_tokens) if chain.is_window else None
    return MinimalMachine(
        original=chain,
        chain=_merged(chain, block),
        block=frozen(block),
        rounds=rounds,
        tree_contexts=tree,
    )


def _numbered(values: Numbers) -> Ids:
    """Equal values get one number, in the order in which they come first."""
    if values.dtype == object:  # rationals and expressions
        numbers: dict[object, int] = {}
        found = (numbers.setdefault(value, len(numbers)) for value in values)
        return np.fromiter(found, dtype=np.int64, count=len(values))
    if len(values) >= COMPILED_FROM:
        from fsm_gpt.kernels.numbering import number_by_value

        # Equal floats have equal bits, but for the two zeros, of which this leaves one.
        bits = values if values.dtype == np.int64 else (values.astype(np.float64) + 0.0)
        return number_by_value(np.ascontiguousarray(bits).view(np.int64))
    _, first, place = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[place.reshape(-1)])


def _joined(one: Ids, other: Ids) -> Ids:
    """Equal pairs get one number."""
    return _numbered(one * (int(other.max(initial=0)) + 1) + other)


def _by_rows(chain: Chain) -> Ids:
    """States with equal rows get one number."""
    block = np.zeros(chain.n_states, dtype=np.int64)
    if chain.is_window:
        for token in range(chain.n_tokens):
            block = _joined(block, _numbered(chain.next_token[:, token]))
        return block
    edges = chain.edges()
    number = _numbered(edges.probability)
    what = edges.token * (int(number.max()) + 1) + number
    return _by_position(edges.source, what, block)


def _by_position(source: Ids, what: Ids, block: Ids) -> Ids:
    """States of a block whose transitions carry the same, one by one, get one number.

    Transitions are sorted by source and token.
    """
    begin = np.searchsorted(source, np.arange(len(block) + 1))
    degree = np.diff(begin)
    for position in range(int(degree.max())):
        there = degree > position
        here = np.zeros(len(block), dtype=np.int64)
        here[there] = 1 + what[begin[:-1][there] + position]
        block = _joined(block, _numbered(here))
    return block


def _by_suffix(chain: Chain) -> Callable[[Ids], Ids]:
    """Splits blocks of windows by the blocks that follow; these depend on L - 1 tokens alone."""
    V = chain.n_tokens
    R = chain.n_states // V

    def refined(block: Ids) -> Ids:
        after = np.zeros(R, dtype=np.int64)
        for token in range(V):
            after = _joined(after, block.reshape(R, V)[:, token])
        return _joined(block, np.tile(after, V))

    return refined


def _by_edges(chain: Chain) -> Callable[[Ids], Ids]:
    """Splits blocks by the blocks that their tokens lead to."""
    edges = chain.raw_edges()
    return lambda block: _by_position(edges.source, block[edges.target], block)


def _no_zero(chain: Chain) -> bool:
    return bool((chain.next_token != 0).all())


def _merged(chain: Chain, block: Ids) -> Chain:
    """The chain of the blocks; each has the transitions of its first member."""
    if int(block.max()) + 1 == chain.n_states:
        return chain
    _, first, sizes = np.unique(block, return_index=True, return_counts=True)
    chosen = np.zeros(chain.n_states, dtype=bool)
    chosen[first] = True
    edges = chain.edges()
    on = chosen[edges.source]
    states: States = some_of(chain.states, first)
    if len(first) <= COUNTED:
        names = [
            chain.label(int(s)) + (f" and {size - 1:,} more" if size > 1 else "")
            for s, size in zip(first, sizes, strict=True)
        ]
        states = NamedStates(tuple(names))
    merged = Chain.from_edges(
        block[edges.source[on]],
        edges.token[on],
        block[edges.target[on]],
        edges.probability[on],
        n_states=len(first),
        vocabulary=chain.vocabulary,
        states=states,
        notes=chain.notes,
        provenance=chain.provenance,
    )
    return merged._with(decoding=chain.decoding, tied=read_only(np.unique(block[chain.tied])))


def _tree_contexts(by_row: Ids, V: int) -> int:
    """Leaves of the smallest tree of suffixes in which a leaf decides row and next leaf.

    A suffix is *inner* if windows that end with it have different rows. For the next leaf to be
    known, what is left of an inner suffix without its last token has to be inner too; so the
    inner words are all parts of the inner suffixes.
    """
    rows = [by_row]  # of each suffix of k tokens the number of its row, -1 where it is inner
    while V > 1 and len(rows[0]) > 1:
        shorter = rows[0].reshape(V, -1)
        alike = (shorter == shorter[0]).all(axis=0)
        rows.insert(0, np.where(alike, shorter[0], -1))
    inner = [row < 0 for row in rows]
    for k in range(len(inner) - 1, 0, -1):
        words = np.flatnonzero(inner[k])
        inner[k - 1][words // V] = True
        inner[k - 1][words % max(V ** (k - 1), 1)] = True
    leaves = 0 if inner[0][0] else 1
    for k in range(1, len(inner)):
        under_inner = np.tile(inner[k - 1], V)
        leaves += int((~inner[k] & under_inner).sum())
    return leaves
