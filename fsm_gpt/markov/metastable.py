"""Metastable sets: parts of a chain that a text stays in for long, and what moves it on.

A chain is *nearly decomposable* if its states fall into sets of which each is seldom left: within
a set the text comes to a balance soon, between sets it moves on a longer scale of time. Such
sets are *almost invariant*, or *metastable*. The eigenvalues near 1 say how many there are,
one less than sets, and how long the slow scales are (:mod:`fsm_gpt.markov.time_scales`); their
functions say which states belong together (:mod:`fsm_gpt.markov.slow_split`: PCCA+ on the leading
invariant subspace of P itself, which is GenPCCA, and needs no reversibility). Complex or negative
eigenvalues near the unit circle are cycles and make no sets; they are reported beside.

*How many.* As many as the largest gap between slow time scales says, unless a number is given
(:mod:`fsm_gpt.markov.number_of_sets`).

*What is proven.* The split is a heuristic. Given the sets, their shares of time, the fluxes
between them, by token and by context, and the mean stays are those of the chain, with a proven
bound (:mod:`fsm_gpt.markov.set_flux`).

References
----------
Simon & Ando (1961), Econometrica 29, 111-138. Courtois (1977), Decomposability. Meyer (1989), SIAM
Review 31, 240-272. Deuflhard & Weber (2005), Linear Algebra and its Applications 398, 161-184.
Reuter, Weber, Fackeldey, Roeblitz & Garcia (2018), J. Chem. Theory Comput. 14, 3579-3594. Dellnitz
& Junge (1999), SIAM J. Numer. Anal. 36, 491-515 (almost invariant sets and almost cycles).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.number_of_sets import MOST_SETS, number_of_sets
from fsm_gpt.markov.set_flux import Flux, SetMove, flux_between
from fsm_gpt.markov.slow_split import split
from fsm_gpt.markov.stationary import heaviest, stationary_distribution
from fsm_gpt.markov.time_scales import TimeScales, modes_of
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only

__all__ = ["MetastableSets", "metastable_sets"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Sums below this have lost digits to underflow.
_SMALLEST = 1e-280

METHOD = "GenPCCA on the slow functions of P, a heuristic; what is said of the sets is not"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MetastableSets(Bounded):
    """Sets of states that are seldom left, and the moves between them."""

    error_meaning = "relative error of every share, flux, probability and stay, given the sets,"

    chain: Chain = field(repr=False)
    set_of: Ids
    """The set of each state, -1 for transient states, shape (N,)."""
    sizes: Ids
    """How many states each set has, shape (n,)."""
    shares: Floats
    """The share of tokens after which the text is in each set, pi(A), shape (n,)."""
    leave_per_token: Floats
    """The probability to leave a set at the next token, given the text is in it, shape (n,)."""
    mean_stay_tokens: Floats
    """Tokens from entering a set to leaving it, on average, shape (n,)."""
    flux_per_token: Floats
    """The share of all tokens that take the text from A to B, or leave it in A, shape (n, n)."""
    moves: tuple[SetMove, ...]
    """What takes the text from set to set, by token and context, the largest flux first."""
    coarse: Chain = field(repr=False)
    """The chain of the sets, P(A to B) = pi(A, B) / pi(A)."""
    scales: TimeScales
    """The time scales of the chain, slow ones and cycles."""
    gap: float
    """The last time scale that these sets are made of, in units of the next one or of a token."""
    heaviest: tuple[tuple[str, ...], ...]
    """The states of each set with most of its share."""

    _hidden = ("chain", "coarse")

    @property
    def n_sets(self) -> int:
        """How many sets there are."""
        return len(self.sizes)

    def members(self, number: int) -> Ids:
        """The states of a set."""
        if not 0 <= number < self.n_sets:
            raise InvalidArgument(
                f"metastable sets: {number} is no set; there are {self.n_sets}, from 0 on."
            )
        return np.flatnonzero(self.set_of == number)

    @property
    def time_scales_tokens(self) -> Floats:
        """The time scales that the sets are made of, each of a pair twice, shape (n - 1,)."""
        each = [mode.tokens for mode in self.scales.slow for _ in range(mode.dimension)]
        return np.array(each[: self.n_sets - 1])

    def __str__(self) -> str:
        times = ", ".join(format_number(t) for t in self.time_scales_tokens[:8])
        lines = [
            f"metastable sets ({self.method}; {self.error_sentence})",
            f"  {self.n_sets} sets: time scales {times} tokens, {self.gap:.3g} times the next",
        ]
        for k in range(min(self.n_sets, 16)):
            states = "1 state" if self.sizes[k] == 1 else f"{self.sizes[k]:,} states"
            some = ", ".join(self.heaviest[k][:5]) + (", ..." if self.sizes[k] > 5 else "")
            lines.append(
                f"  set {k}: {self.shares[k]:.1%} of the time, left with probability "
                f"{format_number(self.leave_per_token[k], 4)} a token, mean stay "
                f"{format_number(self.mean_stay_tokens[k])} tokens; {states}: {some}"
            )
        lines += [f"  {move}" for move in self.moves[:8]]
        if len(self.moves) > 8:
            lines.append(f"  ... and {len(self.moves) - 8:,} more pairs of sets")
        lines += [f"  beside them a cycle: {mode}" for mode in self.scales.cycles[:3]]
        return "\n".join(lines)


def metastable_sets(chain: Chain, *, n_sets: int | None = None) -> MetastableSets:
    """Sets of states that a text seldom leaves, how long it stays, and what moves it on.

    Parameters
    ----------
    chain
        Any chain with one closed class. Up to 512 states all eigenvalues are looked at, above
        the 6 or 16 of largest modulus. Rationals are turned into floats, at a cost that is charged.
    n_sets
        How many sets; where it is left out, as many as the largest gap between slow time scales
        says.

    Raises
    ------
    NotUnique
        The chain has several closed classes: these are its sets that are never left.
    NotDefined
        There is no slow structure, no such number of sets, or a part is unexplored.
    InvalidArgument
        ``n_sets`` is not a whole number from 2 to 64.
    NotConverged
        Arnoldi's method does not settle on a large chain.

    References
    ----------
    Deuflhard & Weber (2005). Reuter et al. (2018). Courtois (1977).

    Examples
    --------
    A text that keeps to one of two topics, and is at a loss in each:

    >>> stays, goes = 0.498, 0.002
    >>> topics = Chain.from_matrix([[stays, stays, goes, goes], [stays, stays, goes, goes],
    ...                             [goes, goes, stays, stays], [goes, goes, stays, stays]])
    >>> found = metastable_sets(topics)
    >>> found.set_of.tolist(), found.mean_stay_tokens.round(6).tolist()
    ([0, 0, 1, 1], [250.0, 250.0])
    >>> print(found.moves[0])
    0 to 1: 0.002 of all tokens, by 2 50.0%, 3 50.0%; from 0 → 2 25.0%, 0 → 3 25.0%, 1 → 2 25.0%
    """
    what = "metastable sets"
    require_complete(chain, what)
    wrong_kind = n_sets is not None and (not isinstance(n_sets, int) or isinstance(n_sets, bool))
    if wrong_kind or (n_sets is not None and not 2 <= n_sets <= MOST_SETS):
        raise InvalidArgument(
            f"{what}: n_sets is {n_sets!r}; give a whole number from 2 to {MOST_SETS}, or leave it "
            f"out, and the largest gap decides."
        )
    closed = communicating_classes(chain).closed
    if len(closed) > 1:
        raise _never_left(closed)
    converted = conversion_error(chain)
    found = modes_of(chain, what)
    chain = chain.floats()
    n, gap = number_of_sets(found.scales, n_sets)
    stationary = stationary_distribution(chain)
    pi = np.asarray(stationary.pi)
    sets = _sets(chain, pi, found.states, found.functions[:, : n - 1])
    if sets is None:
        raise NotDefined(
            f"{what}: the {n - 1} slow functions do not split the states into {n} sets; each "
            f"attempt leaves one without a state. Ask for fewer, n_sets={max(2, n - 1)}."
        )
    flux = flux_between(chain, pi, sets)
    bound, reason = _bound(chain, flux, stationary.error_bound, converted)
    with np.errstate(divide="ignore", over="ignore"):  # more than 1e308 tokens are infinite
        leave, stay = flux.leaving / flux.share, flux.share / flux.leaving
    return MetastableSets(
        chain=chain,
        set_of=read_only(sets),
        sizes=read_only(np.bincount(sets[sets >= 0], minlength=n), np.int64),
        shares=read_only(flux.share),
        leave_per_token=read_only(leave),
        mean_stay_tokens=read_only(stay),
        flux_per_token=read_only(flux.flux),
        moves=flux.moves,
        coarse=Chain.from_matrix(flux.flux / flux.share[:, None], normalize=True),
        scales=found.scales,
        gap=gap,
        heaviest=tuple(_heaviest(chain, pi, sets == k) for k in range(n)),
        method=METHOD,
        error_bound=bound,
        uncertified_because=reason or stationary.uncertified_because,
    )


def _never_left(closed: tuple[Ids, ...]) -> NotUnique:
    sizes = ", ".join(str(len(states)) for states in closed[:6])
    return NotUnique(
        f"metastable sets: the chain has {len(closed)} closed classes (of {sizes}"
        f"{', ...' if len(closed) > 6 else ''} states), and never moves between them. They are its "
        f"sets, and are never left: communicating_classes(chain).closed lists them, and "
        f"absorption(chain) says which of them a start comes to."
    )


def _sets(chain: Chain, pi: Floats, states: Ids, functions: Floats) -> Ids | None:
    """The set of each state, -1 for transient ones."""

    def everywhere(sets: Ids) -> Ids:
        every = np.full(chain.n_states, -1, dtype=np.int64)
        every[states] = sets
        return every

    def stay(sets: Ids) -> float:
        every, kept = everywhere(sets), 0.0
        for k in range(int(sets.max()) + 1):
            inside = every == k
            goes_on = chain.expect(inside.astype(np.float64))
            mass = float(pi[inside].sum())
            kept += float(pi[inside] @ goes_on[inside]) / mass if mass else 0.0
        return kept

    found = split(functions, pi[states], stay)
    return None if found is None else everywhere(found)


def _bound(chain: Chain, flux: Flux, pi_bound: Bound, converted: float) -> tuple[Bound, str]:
    """Of a quotient of two sums, each as wrong as pi and its own additions."""
    if pi_bound == UNCERTIFIED:
        return UNCERTIFIED, ""
    positive = flux.flux[flux.flux > 0]
    if flux.smallest == 0 or (flux.leaving == 0).any() or positive.min() < _SMALLEST:
        return UNCERTIFIED, "flows between the sets underflow"
    one = float(pi_bound) + converted + (chain.n_edges + 2 * chain.n_tokens + 16) * 2.0**-53
    if one >= 0.5:
        return UNCERTIFIED, "the stationary distribution is hardly known"
    return 2 * one / (1 - one) * (1 + 1e-9), ""


def _heaviest(chain: Chain, pi: Floats, inside: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    states = np.flatnonzero(inside)
    return tuple(chain.labels(states[heaviest(pi[states], 8)]))
