"""How a chain moves between sets of states, in the long run, and by which tokens.

The *flux* from a set A to a set B is pi(A, B) = sum over s in A, and tokens that lead from s into
B, of pi(s) next_token[s, t]: the share of all tokens that take the text from A to B. What leaves
A is pi(A, not A); what comes in is as much. Given that the text is in A,

    P(leave at the next token) = pi(A, not A) / pi(A),     mean stay = pi(A) / pi(A, not A)

tokens (Kac's formula for visits to a set). The *coarse chain* moves from A to B with probability
pi(A, B) / pi(A); it has the fluxes and shares of the chain, though the sets of a text that moves
on are no Markov chain in general.

Nothing is subtracted, so relative errors do not grow: those of pi, counted twice in quotients.

References
----------
Kemeny & Snell (1976), Finite Markov Chains, section 6.3 (lumped processes). Meyer (1989), SIAM
Review 31, 240-272 (stochastic complementation, the coupling matrix). Aldous & Fill (2002),
Reversible Markov Chains and Random Walks on Graphs, section 2.3 (Kac's formula).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.result import Result, format_number, read_only

__all__ = ["Flux", "SetMove", "flux_between"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Transitions looked at a time, and the contexts kept of each move.
BLOCK, KEPT = 2**20, 8


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SetMove(Result):
    """What takes the text from one set to another."""

    source: int
    target: int
    flux_per_token: float
    """The share of all tokens that do it."""
    tokens: tuple[str, ...]
    """Those that can, the largest share first."""
    token_shares: Floats
    """Each token's share of the flux, in that order."""
    contexts: tuple[str, ...] = field(default=())
    """States from which most of the flux comes, the largest first."""
    context_tokens: tuple[str, ...] = field(default=())
    """The token drawn in each of these."""
    context_shares: Floats
    """The share of each in the flux."""

    def __str__(self) -> str:
        some = zip(self.tokens[:4], self.token_shares[:4], strict=True)
        tokens = ", ".join(f"{token} {share:.1%}" for token, share in some)
        more = f" and {len(self.tokens) - 4:,} more" if len(self.tokens) > 4 else ""
        best = zip(self.contexts, self.context_tokens, self.context_shares, strict=True)
        contexts = ", ".join(f"{c} → {t} {share:.1%}" for c, t, share in list(best)[:3])
        return (
            f"{self.source} to {self.target}: {format_number(self.flux_per_token)} of all tokens, "
            f"by {tokens}{more}; from {contexts}"
        )


class Flux(NamedTuple):
    """What goes from set to set."""

    share: Floats
    """pi of each set, shape (n,)."""
    flux: Floats
    """pi(A, B) per token, shape (n, n); what stays is on the diagonal."""
    leaving: Floats
    """pi(A, not A) per token, added up and not subtracted, shape (n,)."""
    moves: tuple[SetMove, ...]
    """Of each ordered pair with a flux, the largest first."""
    smallest: float
    """The smallest product of pi and a probability."""


def flux_between(chain: Chain, pi: Floats, sets: Ids) -> Flux:
    """What goes from set to set under a distribution that is stationary.

    Parameters
    ----------
    sets
        The set of each state, from 0 on; -1 for states without weight. Shape (N,).

    >>> coins = Chain([[0.5, 0.5]] * 2, vocabulary="ab")
    >>> found = flux_between(coins, np.array([0.5, 0.5]), np.array([0, 1]))
    >>> found.flux.tolist(), found.leaving.tolist()
    ([[0.25, 0.25], [0.25, 0.25]], [0.25, 0.25])
    """
    n, V = int(sets.max()) + 1, chain.n_tokens
    table = np.zeros(n * n)
    by_token: dict[int, Floats] = {}
    best: dict[int, tuple[Floats, Ids, Ids]] = {}
    smallest = np.inf
    for source, token, target, flow in _flows(chain, pi, sets):
        pair = sets[source] * n + sets[target]
        table += np.bincount(pair, flow, n * n)
        smallest = min(smallest, float(flow.min(initial=np.inf)))
        across = sets[source] != sets[target]
        source, token, flow, pair = source[across], token[across], flow[across], pair[across]
        for one in np.unique(pair).tolist():
            here = pair == one
            counted = by_token.setdefault(one, np.zeros(V))
            counted += np.bincount(token[here], flow[here], V)
            best[one] = _largest(best.get(one), flow[here], source[here], token[here])
    flux = table.reshape(n, n)
    apart = flux.copy()
    np.fill_diagonal(apart, 0)
    moves = sorted(
        (_move(chain, one, n, by_token[one], best[one]) for one in by_token),
        key=lambda move: (-move.flux_per_token, move.source, move.target),
    )
    inside = sets >= 0
    return Flux(
        share=np.bincount(sets[inside], pi[inside], n).astype(np.float64),
        flux=flux,
        leaving=apart.sum(axis=1),
        moves=tuple(moves),
        smallest=smallest,
    )


def _flows(chain: Chain, pi: Floats, sets: Ids) -> Iterator[tuple[Ids, Ids, Ids, Floats]]:
    """Source, token, target and pi(s) next_token[s, t] of the sets' transitions, some at a time."""
    if not chain.is_window:
        source, token, target, probability = chain.edges()
        some = sets[source] >= 0
        flow = pi[source[some]] * probability[some].astype(np.float64)
        yield source[some], token[some], target[some], flow
        return
    N, V = chain.n_states, chain.n_tokens
    rows, R = chain.next_token, max(N // V, 1)
    step = max(1, BLOCK // V)
    for first in range(0, N, step):
        block = rows[first : first + step].astype(np.float64)
        flow = (pi[first : first + step] / block.sum(axis=1))[:, None] * block
        place, token = np.nonzero((block != 0) & (sets[first : first + step, None] >= 0))
        source = place + first
        yield source, token, source % R * V + token, flow[place, token]


def _largest(
    before: tuple[Floats, Ids, Ids] | None, flow: Floats, source: Ids, token: Ids
) -> tuple[Floats, Ids, Ids]:
    """The transitions with the largest flows, those found before among them."""
    if before is not None:
        flow, source, token = (
            np.concatenate(pair) for pair in zip(before, (flow, source, token), strict=True)
        )
    order = np.lexsort((source, -flow))[:KEPT]
    return flow[order], source[order], token[order]


def _move(
    chain: Chain, pair: int, n: int, by_token: Floats, best: tuple[Floats, Ids, Ids]
) -> SetMove:
    total = float(by_token.sum())
    order = np.argsort(-by_token, kind="stable")[: int(np.count_nonzero(by_token))]
    shown = chain.vocabulary.shown
    flow, source, token = best
    return SetMove(
        source=pair // n,
        target=pair % n,
        flux_per_token=total,
        tokens=tuple(shown[t] for t in order),
        token_shares=read_only(by_token[order] / total if total else by_token[order]),
        contexts=tuple(chain.labels(source)),
        context_tokens=tuple(shown[t] for t in token),
        context_shares=read_only(flow / total if total else flow),
    )
