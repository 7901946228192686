"""The stationary distribution of one closed class: which method, and its proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.certificate import certify_class
from fsm_gpt.markov.class_rates import ClassRates
from fsm_gpt.markov.elimination import eliminate
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["ELIMINATION_LIMIT", "Method", "Progress", "Solved", "solve_class"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Method: TypeAlias = Literal["auto", "elimination", "multilevel"]
#: Cycles, the largest relative change of an entry, the residual.
Progress: TypeAlias = Callable[[int, float, float], None]

#: Up to so many states elimination is at least as fast as loading the compiled cycles.
ELIMINATION_LIMIT = 1500


@dataclass(frozen=True, eq=False)
class Solved:
    """One closed class, its distribution, and what is known of its error."""

    states: Ids
    probabilities: Numbers
    method: str
    bound: Bound
    refused: str = ""
    """Why there is no bound."""


@dataclass(frozen=True, eq=False)
class _Transitions:
    """The transitions of a closed class, its states numbered from 0, as given and sorted."""

    rates: ClassRates
    sums: Floats
    longest: int
    """The most transitions of a row, which its sum was added up from."""

    @classmethod
    def of(cls, chain: Chain, states: Ids) -> _Transitions:
        edges = chain.raw_edges()
        source, target, probability = edges.source, edges.target, edges.probability
        n = len(states)
        if n < chain.n_states:
            place = np.full(chain.n_states, -1, dtype=np.int64)
            place[states] = np.arange(n)
            inside = place[source] >= 0
            source, target = place[source[inside]], place[target[inside]]
            probability = probability[inside]
        probability = probability.astype(np.float64, copy=False)
        return cls(
            ClassRates.of(source, target, probability, n),
            np.asarray(np.bincount(source, weights=probability, minlength=n), dtype=np.float64),
            int(np.bincount(source).max()),
        )

    def certify(self, x: Numbers) -> tuple[Bound, str]:
        """A proven bound on the relative error of every entry of x."""
        return certify_class(self.rates, self.sums, self.longest, x)


def solve_class(
    chain: Chain,
    states: Ids,
    *,
    method: Method = "auto",
    accuracy: float = 1e-8,
    progress: Progress | None = None,
) -> Solved:
    """The stationary distribution of a closed class; see ``stationary_distribution``."""
    if method not in ("auto", "elimination", "multilevel"):
        raise InvalidArgument(
            f"stationary distribution: method {method!r} is none of 'auto', 'elimination' and "
            f"'multilevel'."
        )
    if len(states) == 1:
        one = np.array([Fraction(1)]) if chain.dtype == object else np.ones(1)
        return Solved(states, one, "GTH elimination", 0.0)
    if chain.dtype == object:
        return Solved(states, _by_elimination(chain, states), "GTH elimination", 0.0)
    transitions = _Transitions.of(chain, states)
    if method == "elimination" or (method == "auto" and len(states) <= ELIMINATION_LIMIT):
        x = _by_elimination(chain, states)
        return Solved(states, x, "GTH elimination", *transitions.certify(x))
    return _by_cycles(chain, states, transitions, accuracy, progress, first=method == "auto")


def _by_elimination(chain: Chain, states: Ids) -> Numbers:
    P, back = workable(dense_block(chain, states))
    x = eliminate(P).left_null_vector()
    if x.dtype != object and not np.isfinite(x).all():
        # The first state is too rare to measure the others by: let the heaviest lead.
        order = np.argsort(-np.nan_to_num(x, posinf=np.inf), kind="stable")
        x = np.empty_like(x)
        x[order] = eliminate(P[np.ix_(order, order)]).left_null_vector()
        if not np.isfinite(x).all():
            raise NotConverged(
                f"stationary distribution: among {len(x):,} states some transitions are so rare "
                f"that shares of time leave the range of floats (below 1e-308). Ask for "
                f"exact=True, which has no smallest number, or remove what leads to such states "
                f"with a decoding rule such as MinP(1e-12)."
            )
    if x.dtype != object:  # each may be a float where their sum is none
        x = np.ldexp(x, -int(np.frexp(x.max())[1]))
    return back(x / x.sum())


def _by_cycles(
    chain: Chain,
    states: Ids,
    transitions: _Transitions,
    accuracy: float,
    progress: Progress | None,
    *,
    first: bool,
) -> Solved:
    """Multilevel cycles until the certificate proves what was asked, or nothing changes.

    ``first`` says whether products alone are tried before.
    """
    from fsm_gpt.markov.multilevel import solve

    proofs: list[tuple[Bound, str]] = []

    def enough(x: Numbers) -> bool:
        proofs.append(transitions.certify(x))
        bound = proofs[-1][0]
        return bound != UNCERTIFIED and float(bound) <= accuracy

    def push(x: Numbers, into: Numbers) -> Numbers:
        if len(states) == chain.n_states:
            return chain.push(x, out=into)
        everywhere = np.zeros(chain.n_states)
        everywhere[states] = x
        return np.take(chain.push(everywhere), states, out=into)

    found = solve(
        transitions.rates.divided(transitions.sums),
        enough=enough,
        # Bounds are some hundred to some thousand times the last change.
        ask_at=max(1e-12, accuracy / 1e4),
        push=push,
        products_first=first,
        window=(chain.next_token, transitions.sums) if _whole_window(chain, states) else None,
        progress=progress,
    )
    return Solved(states, found.x, str(found), *proofs[-1])


def _whole_window(chain: Chain, states: Ids) -> bool:
    return chain.is_window and len(states) == chain.n_states
