"""Strong lumping of plain chains: states seen through a partition are a Markov chain again.

A chain is *(strongly) lumpable* for a partition if the process of its blocks is a Markov chain,
with the same transition probabilities, whatever the start. This is so exactly if for every two
blocks A and B the probability of a step from s into B is the same for all s in A (Kemeny & Snell
1976, definition 6.3.1 and theorem 6.3.2). Here only P counts: tokens are not looked at, as they
are by :func:`fsm_gpt.minimize`, whose machine writes the same texts.

Every partition has a coarsest lumpable one that refines it. It is found by splitting the blocks
by those probabilities until nothing splits any more: of two states in one block of a lumpable
refinement, none is ever split off (Valmari & Franceschinis 2010). All states in one block is
always lumpable, and tells nothing.

*Floats.* A sum of floats is rounded, so equal sums may look different and different ones equal.
Up to 65,536 transitions the binary values are added and compared in exact rationals, each row
divided by its sum; only the lumped chain is rounded to floats again. There 0.1 + 0.2 is not 0.3:
write "1/10" where a tenth is meant. Above, sums in floats are held equal where they differ by less
than their roundings may explain, a proven amount; how far apart the members of a block are at most
is part of the ``error_bound`` of the lumped probabilities.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, section 6.3. Valmari & Franceschinis (2010), TACAS,
Lecture Notes in Computer Science 6015, 38-52.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.algebra import factored
from fsm_gpt.markov.block_names import names_of_blocks
from fsm_gpt.markov.block_sums import BlockSums
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.refinement import numbered, suffix_numbers
from fsm_gpt.result import Bounded, format_number, frozen
from fsm_gpt.space import ContextSpace, Vocabulary
from fsm_gpt.storage import Edges

__all__ = ["Lumping", "Violation", "lumping"]

Ids = npt.NDArray[np.int64]
Blocks = Sequence[Sequence[Any]] | Ids

#: Floats of so many transitions at most are added up in exact rationals.
EXACT_EDGES = 2**16
#: A sum that is put into a float, and divided by its row's sum twice, is right to so much.
ROUNDED = 2.0**-50


class Violation(NamedTuple):
    """Two states of one block that go into a block with different probabilities."""

    state: str
    other: str
    into: tuple[str, ...]
    """The states of the block that they go into, eight at most."""
    probability: Any
    other_probability: Any
    n_into: int
    """How many states that block has."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Lumping(Bounded):
    """Whether a partition is lumpable, and the coarsest lumpable one that refines it."""

    _hidden = ("chain", "original")
    error_meaning = "absolute error of every lumped probability"

    original: Chain = field(repr=False)
    chain: Chain = field(repr=False)
    """The lumped chain: its states, and its tokens, are the blocks."""
    block: Ids
    """Of each state its block in the coarsest lumpable refinement, shape (N,)."""
    given: Ids
    """Of each state its block in the partition that was given, shape (N,)."""
    lumpable: bool
    """Whether the partition that was given is lumpable itself."""
    violation: Violation | None
    """Two states that show that it is not; None if it is."""

    @property
    def n_blocks(self) -> int:
        """Blocks of the coarsest lumpable refinement."""
        return self.chain.n_states

    def members(self, block: int | str) -> Ids:
        """The states of a block."""
        return np.flatnonzero(self.block == self.chain.state(block))

    def __str__(self) -> str:
        n, N = int(self.given.max()) + 1, self.original.n_states
        lines = [f"strong lumping ({self.method}; {self.error_sentence})"]
        if self.violation is None:
            lines.append(f"  {N:,} states are lumpable into the {n:,} blocks given")
        else:
            v = self.violation
            into = ", ".join(v.into) + (", ..." if v.n_into > len(v.into) else "")
            p, q = format_number(v.probability), format_number(v.other_probability)
            if p == q:  # floats that are a rounding apart
                p, q = f"{v.probability:.17g}", f"{v.other_probability:.17g}"
            lines.append(
                f"  not lumpable into the {n:,} blocks given: into {{{into}}} goes {v.state} with "
                f"{p} and {v.other} with {q}"
            )
            lines.append(f"  {self.n_blocks:,} blocks are the coarsest that refine these")
        for b in range(min(self.n_blocks, 8)):
            members = self.members(b)
            some = ", ".join(self.original.labels(members[:8]))
            more = f", ... ({len(members):,})" if len(members) > 8 else ""
            lines.append(f"  {self.chain.label(b)}: {some}{more}")
        if self.n_blocks > 8:
            lines.append(f"  ... and {self.n_blocks - 8:,} more blocks")
        return "\n".join(lines)


def lumping(chain: Chain, *, blocks: Blocks | None = None) -> Lumping:
    """Whether a partition of the states is strongly lumpable, and the coarsest that refines it.

    Parameters
    ----------
    blocks
        The partition: the states of each block, by name or id, or the block of each state as an
        array of shape (N,). Without it, contexts of two tokens or more are parted by their newest
        token, what a reader of the text sees.

    Raises
    ------
    InvalidArgument
        The blocks are no partition of the states; or there are none, and the states have no
        newest token to be parted by.
    NotDefined
        A part of the chain is unexplored.

    References
    ----------
    Kemeny & Snell (1976), section 6.3.

    Examples
    --------
    The Land of Oz, nice weather or bad (Kemeny & Snell, section 6.3):

    >>> oz = Chain.from_matrix(
    ...     [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]],
    ...     vocabulary=["rain", "nice", "snow"],
    ... )
    >>> found = lumping(oz, blocks=[["nice"], ["rain", "snow"]])
    >>> found.lumpable
    True
    >>> print(found.chain.listing())
    input [rain +1] ---> [3/4, 1/4]
    input [nice] ---> [1, 0]
    >>> print(lumping(oz, blocks=[["rain"], ["nice", "snow"]]))
    strong lumping (exact sums; exact)
      not lumpable into the 2 blocks given: into {rain} goes nice with 1/2 and snow with 1/4
      3 blocks are the coarsest that refine these
      rain: rain
      nice: nice
      snow: snow
    """
    require_complete(chain, "lumping")
    given = _newest_tokens(chain) if blocks is None else _partition(chain, blocks)
    small = chain.n_edges <= EXACT_EDGES
    sums = BlockSums(chain.exact() if small else chain)
    block, violation = given, None
    while True:
        finer = sums.refined(block)
        if finer.max() == block.max():
            break
        if violation is None:
            violation = _violation(chain, sums, block, finer)
        block = finer
    in_floats = sums.tolerance > 0
    edges, spread = sums.lumped(block)
    return Lumping(
        original=chain,
        chain=_lumped(chain, block, edges, in_floats=chain.kind == "float"),
        block=frozen(block),
        given=frozen(given),
        lumpable=violation is None,
        violation=violation,
        method="sums in floats, equal within their roundings" if in_floats else "exact sums",
        error_bound=spread + (ROUNDED if chain.kind == "float" else 0.0),
    )


def _newest_tokens(chain: Chain) -> Ids:
    parts = list(zip(range(3), suffix_numbers(chain), strict=False))
    if len(parts) < 3:
        raise InvalidArgument(
            "lumping: without blocks states are parted by their newest token, and here "
            f"{'each state is one token' if len(parts) == 2 else 'states are plain names'}. Every "
            "chain is lumpable into one block, which tells nothing: give blocks=[[...], [...]], "
            "the states that should stay apart."
        )
    return numbered(parts[1][1])


def _partition(chain: Chain, blocks: Blocks) -> Ids:
    """The block of each state, in the order of their first states."""
    N = chain.n_states
    if isinstance(blocks, np.ndarray):
        if blocks.shape != (N,) or blocks.dtype.kind not in "iu":
            raise InvalidArgument(
                f"lumping: blocks is an array of shape {blocks.shape} and type {blocks.dtype}, "
                f"where the block of each of the {N:,} states is needed, a whole number. Or give "
                f"lists of states."
            )
        return numbered(blocks.astype(np.int64))
    found = np.full(N, -1, dtype=np.int64)
    for b, members in enumerate(blocks):
        if isinstance(members, (str, int, np.integer)) or len(members) == 0:
            raise InvalidArgument(
                f"lumping: block {b} is {members!r}, and a block is a list of one state or more. "
                f"Write [['nice'], ['rain', 'snow']]."
            )
        for name in members:
            state = chain.state(name)
            if found[state] >= 0:
                raise InvalidArgument(
                    f"lumping: state {chain.label(state)!r} stands in block {found[state]} and "
                    f"again in block {b}. A partition has each state once; remove one."
                )
            found[state] = b
    missing = np.flatnonzero(found < 0)
    if len(missing):
        some = ", ".join(chain.labels(missing[:8]))
        raise InvalidArgument(
            f"lumping: {len(missing):,} of {N:,} states stand in no block: {some}. A partition has "
            f"each state once; add them, as a block of their own if they belong together."
        )
    return numbered(found)


def _violation(chain: Chain, sums: BlockSums, block: Ids, finer: Ids) -> Violation:
    """Two states that a round of splitting has told apart, and by what."""
    _, first = np.unique(finer, return_index=True)
    home = np.full(int(block.max()) + 1, -1)
    for state in first.tolist():  # the first states of two new blocks of one old block
        if home[block[state]] >= 0:
            break
        home[block[state]] = state
    one, other = int(home[block[state]]), state
    source, into, p = sums.into(block)

    def row(s: int) -> dict[int, Any]:
        here = source == s
        return dict(zip(into[here].tolist(), p[here], strict=True))

    zero = 0 * sums.numbers[0]
    mine, theirs = row(one), row(other)
    differs = min(
        b for b in {*mine, *theirs} if sums.differ(mine.get(b, zero), theirs.get(b, zero))
    )
    values = np.empty(2, dtype=sums.numbers.dtype)
    values[:] = [mine.get(differs, zero), theirs.get(differs, zero)]
    values = factored(sums.back(values))
    shown = [float(v) if chain.kind == "float" else v for v in values]
    members = np.flatnonzero(block == differs)
    names = tuple(chain.labels(members[:8]))
    return Violation(chain.label(one), chain.label(other), names, shown[0], shown[1], len(members))


def _lumped(chain: Chain, block: Ids, edges: Edges, *, in_floats: bool) -> Chain:
    """The chain of the blocks, which are its tokens too."""
    names = names_of_blocks(chain, block)
    K = len(names)
    vocabulary = Vocabulary.of([names.label(b) for b in range(K)])
    probability = edges.probability
    if in_floats and probability.dtype == object:
        probability = probability.astype(np.float64)
    return Chain.from_edges(
        edges.source,
        edges.token,
        edges.target,
        factored(probability),
        n_states=K,
        vocabulary=vocabulary,
        states=ContextSpace(vocabulary, 1),
        normalize=in_floats,
        notes=chain.notes,
        provenance=chain.provenance,
    )
