"""How long a chain remembers, by eigenvalue: what fades slowly, and what goes round.

An eigenvalue lambda of P with its function f, P f = lambda f, is something that a start has and
that fades: after t tokens |lambda|^t of it is left, a factor of e in

    -1 / ln |lambda|    tokens,

its *implied time scale*. A complex lambda = r e^(i theta), or a negative one, turns as it fades,
once in 2 pi / |theta| tokens. Two things that are long-lived are told apart by that:

- a *cycle* goes round at least once before it fades: a near-periodic text. A long-lived cycle
  tells where in the round the text is and keeps it from no place;
- what is *slow* fades before it has gone round, and most often never turns: the eigenvalue is
  near 1 itself and not only near the unit circle. That is the mark of sets of states that are
  seldom left (:mod:`fsm_gpt.markov.metastable`).

The eigenvalues are those of the one closed class, for what happens before it is entered does
not come back. A class of period d has the d-th roots of one among them, exactly.

*Why not the reversibilisation.* (P + P*) / 2, with P* the chain run backwards, is symmetric, and
many take its eigenvalues instead. In a window chain it is a walk that shifts the window to
either side: that of independent fair tokens has the eigenvalue cos(pi / (L + 1)), near 1, though
the chain forgets everything in L tokens. It tells of the window's length and not of the text.

*Error.* Up to 1,024 states each eigenvalue is proven to be near a true one, by discs or
one by one (:mod:`fsm_gpt.markov.eigenvalue_proof`), and a time scale lies between those of the
ends of the disc. That no other eigenvalue lies in between is not proven. Above, eigenvalues are
found by Arnoldi's method, and their time scales are not proven.

References
----------
Deuflhard & Weber (2005), Linear Algebra and its Applications 398, 161-184. Swope, Pitera & Suits
(2004), J. Phys. Chem. B 108, 6571-6581 (implied time scales). Delorme & Tillich (1998), European
J. Combinatorics 19, 307-312 (the spectrum of de Bruijn graphs, for the reversibilisation).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.classes import CommunicatingClasses, communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.eigenvalue_proof import distance_to_an_eigenvalue
from fsm_gpt.markov.leading import arnoldi
from fsm_gpt.markov.mode import Mode, mode_of, tokens_of
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.markov.spectrum import eigenpairs
from fsm_gpt.markov.stationary import not_unique, stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bounded
from fsm_gpt.subchain import subchain

__all__ = ["Modes", "TimeScales", "modes_of", "time_scales"]

Floats = npt.NDArray[np.float64]

#: Up to so many states all eigenvalues are worked out, and up to so many some are proven.
DENSE, PROVEN = 512, 1024
#: Of a larger chain so many are asked for, or so many where the first are all about as long-lived:
#: the second time scale is not so many times the last.
ASKED, SEEN = (6, 16), 10
#: The relative accuracy of the fastest ones.
ROUGH = 1e-6


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TimeScales(Bounded):
    """What fades slowly and what goes round, each longest first."""

    error_meaning = "distance of each eigenvalue from a true one"

    chain: Chain = field(repr=False)
    slow: tuple[Mode, ...]
    """What fades before it has gone round; what fades within a token is left out."""
    cycles: tuple[Mode, ...]
    """What goes round before it fades."""
    longer_left_out: float
    """No eigenvalue that is left out has a longer time scale than this, in tokens."""

    @property
    def slowest_tokens(self) -> float:
        """The longest time scale of what is slow; 0 where nothing is.

        >>> time_scales(Chain([[0.5, 0.5]] * 4)).slowest_tokens
        0.0
        """
        return self.slow[0].tokens if self.slow else 0.0

    def __str__(self) -> str:
        lines = [f"time scales ({self.method}; {self.error_sentence})"]
        for title, modes in (("slow", self.slow), ("cycles", self.cycles)):
            lines += [f"  {title}: none"] if not modes else [f"  {title}, until 1/e is left:"]
            lines += [f"    {mode}" for mode in modes[:8]]
            if len(modes) > 8:
                lines.append(f"    ... and {len(modes) - 8:,} more")
        return "\n".join(lines)


class Modes(NamedTuple):
    """The modes of the closed class, and the functions of the slow ones."""

    scales: TimeScales
    states: npt.NDArray[np.int64]
    """The states of the closed class, ascending."""
    functions: Floats
    """Real functions of these states that span those of the slow modes, in their order."""


def time_scales(chain: Chain) -> TimeScales:
    """How long what a start has lasts: time scales of what is slow, and of cycles.

    Raises
    ------
    NotUnique
        The chain has several closed classes.
    NotDefined
        A part of the chain is unexplored.
    NotConverged
        Arnoldi's method does not settle on a large chain.

    References
    ----------
    Deuflhard & Weber (2005), section 2. Swope, Pitera & Suits (2004).

    Examples
    --------
    Two states that are left with probability 1/100, and a ring that is seldom held up:

    >>> print(time_scales(Chain.from_matrix([[0.99, 0.01], [0.01, 0.99]])).slow[0])
    49.4983 tokens (proven)
    >>> ring = Chain.from_matrix([[0.01, 0.99, 0], [0, 0.01, 0.99], [0.99, 0, 0.01]])
    >>> found = time_scales(ring)
    >>> found.slow, round(found.cycles[0].turn_tokens, 2), round(found.cycles[0].tokens)
    ((), 3.01, 66)
    """
    return modes_of(chain, "time scales").scales


def modes_of(chain: Chain, what: str) -> Modes:
    """The time scales, with the functions of what is slow; ``what`` is the question asked."""
    require_complete(chain, what)
    structure = communicating_classes(chain)
    if len(structure.closed) > 1:
        raise not_unique(what, structure.closed)
    return remembered(chain, "modes", lambda: _find(chain, structure))


def _find(chain: Chain, structure: CommunicatingClasses) -> Modes:
    (states,), (period,) = structure.closed, structure.periods
    converted = conversion_error(chain)
    closed = chain.floats()
    if len(states) < chain.n_states:
        kept = np.zeros(chain.n_states, dtype=bool)
        kept[states] = True
        closed = subchain(closed, kept)
    found = _pairs(closed)
    values, radius = found.values.copy(), found.radius + converted
    for k in range(period):  # these are known
        root = -1 + 0j if 2 * k == period else complex(np.exp(2j * np.pi * k / period))
        nearest = int(np.argmin(np.abs(values - root)))
        if k == 0:
            one = nearest
        values[nearest], radius[nearest] = root, 0.0
    slow, cycles, columns = [], [], []
    used: list[float] = []
    for place in np.argsort(-np.abs(values), kind="stable"):
        value = complex(values[place])
        if place == one or value.imag < 0:
            continue
        mode = mode_of(value, float(radius[place]), exact=bool(radius[place] == 0 and period > 1))
        if mode.tokens <= 1:
            continue
        used.append(float(radius[place]))
        if mode.is_cycle:
            cycles.append(mode)
            continue
        slow.append(mode)
        columns.append(found.functions[:, place].real)
        if mode.dimension == 2:
            columns.append(found.functions[:, place].imag)
    worst = max(used, default=0.0 if len(states) == 1 else math.inf)
    proven = math.isfinite(worst)
    scales = TimeScales(
        chain=chain,
        slow=tuple(slow),
        cycles=tuple(cycles),
        longer_left_out=found.left_out,
        method=found.method,
        error_bound=worst if proven else UNCERTIFIED,
        uncertified_because="" if proven else _why(len(states), bool(used)),
    )
    functions = np.column_stack(columns) if columns else np.empty((len(states), 0))
    return Modes(scales, states, functions)


def _why(n: int, any_found: bool) -> str:
    if not any_found:
        return "that nothing lasts for a token is not proven"
    if n > PROVEN:
        return f"eigenvalues are proven up to {PROVEN:,} states"
    return "eigenvalues nearly meet"


class _Pairs(NamedTuple):
    values: npt.NDArray[np.complex128]
    functions: Any
    radius: Floats
    left_out: float
    method: str


def _pairs(chain: Chain) -> _Pairs:
    """Eigenvalues of a closed class, their functions, and how far true ones are."""
    P: Floats | None
    if chain.n_states <= DENSE:
        P = chain.matrix()
        values, functions, _, radius = eigenpairs(P)
        left_out, method = 1.0, "dense eigenvalues"  # all of those that last for a token
    else:
        values, functions = _arnoldi(chain)
        radius = np.full(len(values), np.inf)
        left_out, method = tokens_of(float(np.abs(values).min())), "Arnoldi's method (ARPACK)"
        P = chain.matrix() if chain.n_states <= PROVEN else None
    if P is not None:
        lasting = np.abs(values) > math.exp(-1)
        pi = stationary_distribution(chain).pi
        lasting[np.argmin(np.abs(values - 1))] = False
        for k in np.flatnonzero(lasting & ~(radius < 1e-9) & (values.imag >= 0)):
            alone = distance_to_an_eigenvalue(P, pi, complex(values[k]), functions[:, k])
            radius[k] = min(radius[k], alone)
    return _Pairs(values, functions, radius, left_out, method)


def _arnoldi(chain: Chain) -> tuple[Any, Any]:
    """The leading eigenvalues: few where these show a gap, which is much faster, else more."""
    few, more = ASKED
    try:
        found = _accurate(chain, few)
    except NotConverged:
        return _accurate(chain, more)
    sizes = np.sort(np.abs(found[0]))
    if tokens_of(float(sizes[-2])) >= SEEN * tokens_of(float(sizes[0])):
        return found
    with suppress(NotConverged):
        return _accurate(chain, more)
    return found


def _accurate(chain: Chain, most: int) -> tuple[Any, Any]:
    """Eigenvalues of which those near the unit circle have accurate time scales.

    The last of a crowd are of no interest to many digits, and would cost most of the time.
    """
    if chain.n_states <= PROVEN:
        return arnoldi(chain, most)
    values, functions = arnoldi(chain, most, accuracy=ROUGH)
    one = int(np.argmin(np.abs(values - 1)))
    for k in range(len(values)):
        f = functions[:, k].astype(np.complex128) / np.abs(functions[:, k]).max()
        r = chain.expect(f.real.copy()) + 1j * chain.expect(f.imag.copy()) - values[k] * f
        if k != one and np.abs(r).max() > 1e-3 * abs(1 - abs(values[k])):
            return arnoldi(chain, most)
    return values, functions
