"""The stationary distribution of a closed class whose rows stay on a disk.

A class that is small beside the chain, such as the cycles that greedy decoding leaves, is read into
memory and solved there (:mod:`fsm_gpt.markov.closed_class`). A class of all windows is solved by
products x P and backoff cycles (:mod:`fsm_gpt.markov.backoff`), each a pass over the rows: products
as long as they shrink the change fast enough, and a cycle where they do not. The hierarchy by
strength would take more memory than the rows, so chains in which the oldest token decides a long
time may not settle; then there is no answer rather than a wrong one.

That no entry changes any more proves nothing by itself. The proof is the flow certificate
(:mod:`fsm_gpt.markov.streamed_certificate`), where it has the memory that it takes; the answer says
so where it has not.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, StateSpaceTooLarge
from fsm_gpt.markov.closed_class import Method, Progress, Solved, solve_class
from fsm_gpt.markov.streamed_certificate import certify_windows

__all__ = ["solve_streamed"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Changes of an entry that are rounding: always, and once they no longer halve.
_ROUNDING, _NEARLY = 5e-15, 1e-12
#: Products between two looks at the change, and between two backoff cycles.
_LOOK, _BETWEEN = 8, 2
#: Passes over the rows at most.
MOST_PASSES = 2000
#: Products alone are gone on with while they need no more than so many.
_FEW = 400
#: What a transition of a class takes while it is solved in memory.
_BYTES_OF_A_TRANSITION = 200


def solve_streamed(
    chain: Chain,
    states: Ids,
    *,
    method: Method = "auto",
    accuracy: float = 1e-8,
    progress: Progress | None = None,
) -> Solved:
    """The stationary distribution of a closed class; see ``stationary_distribution``.

    Raises
    ------
    StateSpaceTooLarge
        The class is neither small nor all windows, or two vectors do not fit.
    NotConverged
        Entries still change.
    """
    if len(states) < chain.n_states:
        inside = _read(chain, states)
        every = np.arange(len(states))
        options = {"method": method, "accuracy": accuracy, "progress": progress}
        found = solve_class(inside, every, **options)  # type: ignore[arg-type]
        return Solved(states, found.probabilities, found.method, found.bound, found.refused)
    if method == "elimination":
        raise InvalidArgument(
            "stationary distribution: elimination needs the rows in memory, and they stay on disk. "
            "Leave method out."
        )
    chain.require_memory(16 * chain.n_states, "stationary distribution")
    x, how = _by_passes(chain, progress)
    return Solved(states, x, how, *certify_windows(chain, x))


def _read(chain: Chain, states: Ids) -> Chain:
    """The chain of a closed class in memory, its states numbered from 0."""
    V, R = chain.n_tokens, chain.n_states // chain.n_tokens
    chain.require_memory(
        8 * chain.n_states + len(states) * V * _BYTES_OF_A_TRANSITION, "stationary distribution"
    )
    place = np.full(chain.n_states, -1, np.int64)
    place[states] = np.arange(len(states))
    found = []
    for first, rows in chain.row_blocks():
        here = states[np.searchsorted(states, first) : np.searchsorted(states, first + len(rows))]
        row, token = np.nonzero(rows[here - first])
        source = here[row]
        target = place[source % R * V + token]
        found.append((place[source], token, target, rows[here - first][row, token]))
    source, token, target, probability = (
        np.concatenate(column) for column in zip(*found, strict=True)
    )
    return Chain.from_edges(
        source, token, target, probability, n_states=len(states), vocabulary=V, states=None
    )


def _by_passes(chain: Chain, progress: Progress | None) -> tuple[Floats, str]:
    """A vector that passes over the rows no longer change, and how it was found."""
    N, V = chain.n_states, chain.n_tokens
    x, y = np.full(N, 1.0 / N), np.empty(N)
    products = cycles = 0
    changes: list[float] = []

    def push(x: Floats, into: Floats) -> Floats:
        return chain.push(x, out=into)

    while products + cycles < MOST_PASSES:
        count = _BETWEEN if cycles else _LOOK
        for _ in range(count):
            x, y = push(x, y), x
        products += count
        change, residual = _change(x, y)
        x /= x.sum()
        changes.append(change)
        if progress is not None:
            progress(cycles, change, residual)
        if not math.isfinite(change):
            raise NotConverged(
                f"stationary distribution: an entry of {N:,} left the range of floats (below "
                f"1e-308). Some states are too rare to be told from impossible ones; extract the "
                f"chain with a decoding rule such as MinP(1e-12), which removes what leads to them."
            )
        if _settled(changes):
            how = f"power iteration from disk, {products:,} products"
            if cycles:
                how = f"{products:,} products and {cycles:,} backoff cycles from disk"
            return x, f"{how}, last change {change:.0e}"
        if (cycles or not _soon(changes)) and _room(chain):
            from fsm_gpt.markov.backoff import backoff_by_product

            x, y = backoff_by_product(push, V, x, y), x
            x /= x.sum()
            cycles += 1
    without = "" if _room(chain) else ", and for backoff cycles there is not enough memory"
    raise NotConverged(
        f"stationary distribution: after {products:,} products and {cycles:,} backoff cycles over "
        f"the rows on disk an entry of {N:,} still changes by {changes[-1]:.1e} of itself. The "
        f"chain mixes too slowly for what is possible from disk{without}. Open it with more "
        f"memory, by max_memory_gib of load(), where the solver has more ways, or take a "
        f"shorter context."
    )


def _settled(changes: list[float]) -> bool:
    if changes[-1] <= _ROUNDING:
        return True
    return len(changes) > 2 and changes[-1] <= _NEARLY and changes[-1] > max(changes[-3:-1]) / 2


def _soon(changes: list[float]) -> bool:
    """Whether products alone will do, by how the change shrank from one look to the next."""
    if len(changes) < 3:
        return True
    shrinks = changes[-1] / changes[-2]
    if shrinks >= 1:
        return changes[-1] <= _NEARLY
    return _LOOK * math.log(_ROUNDING / changes[-1]) / math.log(shrinks) <= _FEW


def _room(chain: Chain) -> bool:
    """Whether a backoff cycle has the memory that it takes beside two vectors."""
    V = chain.n_tokens
    try:
        chain.require_memory(8 * chain.n_states * (2 + 4 / (V - 1)), "a backoff cycle")
    except StateSpaceTooLarge:
        return False
    return True


def _change(x: Floats, before: Floats, part: int = 2**18) -> tuple[float, float]:
    """The largest relative change of an entry, and sum |x - before|; little memory is taken."""
    largest, total = 0.0, []
    with np.errstate(all="ignore"):
        for first in range(0, len(x), part):
            new, old = x[first : first + part], before[first : first + part]
            apart = np.abs(new - old)
            total.append(float(apart.sum()))
            largest = max(largest, float((apart / old).max()))
            if math.isnan(total[-1]) or not (new > 0).all():
                return math.inf, math.inf
    return largest, math.fsum(total)
