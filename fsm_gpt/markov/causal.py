"""Causal states: what has to be remembered of the past to foretell the future as well as can be.

Two pasts are *causally equivalent* if the future has the same law after both; the classes are the
*causal states* of a stationary process (Crutchfield & Young 1989). A chain writes such a process
once it runs in its closed class. Its states there, merged where they are equivalent
(:mod:`fsm_gpt.markov.minimize`), are the causal states: a state and a token decide the next state,
so that the past of almost every text comes ever nearer to telling which one it is, exactly so
where some word synchronises (:mod:`fsm_gpt.markov.synchrony`; Travers & Crutchfield 2011).

- *Statistical complexity* C = H(causal state), the bits of memory that foretelling takes.
- *Entropy rate* h, the bits that stay unforeseen in each token.
- *Excess entropy* E = I(past; future) <= C, the bits that the past tells of the future.
- *Crypticity* C - E, remembered bits that the future does not tell back.
- *Markov order*, how many tokens make the state known in every case.

A model with a context of L tokens has order L at most. Its causal states are those of the process
that the *model* writes. Those of what it was trained on may be of another kind: the even process,
in which ones come in pairs, has two states and no finite order, and a GPT can only come near to
it.

References
----------
Crutchfield & Young (1989), Phys. Rev. Lett. 63, 105-108. Shalizi & Crutchfield (2001), J. Stat.
Phys. 104, 817-879. Crutchfield & Feldman (2003), Chaos 13, 25-54. Travers & Crutchfield (2011), J.
Stat. Phys. 145, 1181-1201.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.excess import excess_of_machine
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.minimize import minimize
from fsm_gpt.markov.stationary import not_unique, stationary_distribution
from fsm_gpt.markov.synchrony import order_of_windows, synchrony
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.subchain import subchain

__all__ = ["CausalStates", "causal_states"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CausalStates(Bounded):
    """The causal states of what a chain writes in the long run."""

    _hidden = ("chain", "original")
    error_meaning = "absolute error in bits of C and h"

    original: Chain = field(repr=False)
    chain: Chain = field(repr=False)
    """The machine of the causal states, also called the epsilon-machine."""
    state_of: Ids
    """Of each state of the original chain its causal state, -1 where it is left for ever."""
    probabilities: Floats
    """Of the causal states, shape (n,)."""
    statistical_complexity_bits: float
    """C, the entropy of the causal states."""
    entropy_rate_bits_per_token: float
    """h."""
    excess_entropy_bits: float
    """E, the mutual information of past and future; where it is a sum without end, from below."""
    excess_entropy_error_bits: Bound
    """A proven bound on how far E is from the truth, which is larger than that of C and h where the
    sum had to be cut off early; or the word ``"uncertified"``."""
    markov_order: float | None
    """How many tokens make the state known in every case; infinite where no number does, None
    where the machine is too large to say."""
    exactly_synchronisable: bool | None
    """Whether some word makes the state known; None where the machine is too large to say."""

    @property
    def n_states(self) -> int:
        """The number of causal states."""
        return self.chain.n_states

    @property
    def crypticity_bits(self) -> float:
        """C - E, what is remembered and never told."""
        return max(self.statistical_complexity_bits - self.excess_entropy_bits, 0.0)

    def __str__(self) -> str:
        order = self.markov_order
        known = "not decided" if order is None else "infinite" if math.isinf(order) else int(order)
        lines = [
            f"causal states ({self.method}; {self.error_sentence})",
            f"  {self.n_states:,} causal state{'s' * (self.n_states != 1)}",
            f"  statistical complexity C  {format_number(self.statistical_complexity_bits)} bits",
            f"  entropy rate h            {format_number(self.entropy_rate_bits_per_token)} "
            f"bits per token",
            f"  excess entropy E          {format_number(self.excess_entropy_bits)} bits"
            f"{self._wide()}",
            f"  Markov order              {known}",
        ]
        heaviest = np.argsort(-self.probabilities, kind="stable")[:8]
        lines += [
            f"  {self.chain.label(int(s))}: {format_number(self.probabilities[s])}"
            for s in heaviest
        ]
        if self.n_states > len(heaviest):
            lines.append(f"  ... and {self.n_states - len(heaviest):,} more")
        return "\n".join(lines)

    def _wide(self) -> str:
        """The error of E, where it is worse than that of the rest."""
        error = self.excess_entropy_error_bits
        if error == UNCERTIFIED:
            return ", uncertified"
        if self.error_bound == UNCERTIFIED or float(error) > max(float(self.error_bound), 1e-9):
            return f", to within {error:.1g}"
        return ""


def causal_states(chain: Chain) -> CausalStates:
    """The causal states of what a chain writes, and what they remember.

    Raises
    ------
    NotUnique
        The chain has several closed classes, so it may write one of several processes.
    NotDefined
        Texts end, a part of the chain is unexplored, or the rows hold symbols.

    References
    ----------
    Shalizi & Crutchfield (2001).

    Examples
    --------
    The golden mean process, no two zeros in a row, seen through windows of two tokens:

    >>> golden = Chain([[0, 1], ["1/2", "1/2"], [0, 1], ["1/2", "1/2"]])
    >>> found = causal_states(golden)
    >>> found.n_states, found.markov_order, round(found.statistical_complexity_bits, 6)
    (2, 1, 0.918296)
    """
    _refuse(chain)
    converted = conversion_error(chain)
    stationary = stationary_distribution(chain)
    if len(stationary.classes) > 1:
        raise not_unique("causal states", [states for states, _ in stationary.classes])
    N, recurrent = chain.n_states, np.asarray(stationary.classes[0][0])
    whole = len(recurrent) == N
    found = minimize(chain if whole else subchain(chain, np.isin(np.arange(N), recurrent)))
    state_of = np.full(N, -1, dtype=np.int64)
    state_of[recurrent] = found.block
    mass = np.asarray(stationary.classes[0][1], dtype=float)
    probabilities = np.bincount(found.block, mass, found.n_states).astype(np.float64)
    machine = found.chain
    rate = entropy_rate(chain.floats())
    seen = probabilities[probabilities > 0]  # others are below 1e-323, and so is what they add
    C = -float(seen @ np.log2(seen))
    order, exact = _order(chain, machine, state_of)
    E, missing, tokens = _excess(chain, machine, probabilities)
    pi_error = stationary.error_bound
    bound: Bound = UNCERTIFIED
    excess_error: Bound = UNCERTIFIED
    reason = stationary.uncertified_because
    if UNCERTIFIED not in (pi_error, rate.error_bound):
        relative = float(pi_error) + (machine.n_states + 8) * 2.0**-52 + converted
        spread = relative * (C + 2) * (1 + relative)  # d(p log p) is at most (|log p| + 1.45) dp
        slope = float(rate.error_bound) * rate.bits_per_token
        bound = max(spread, slope)
        if math.isfinite(missing):
            # Each of its terms is a difference of two entropies of about h.
            excess_error = missing + 2 * relative * (E + 2 + tokens * rate.bits_per_token)
    return CausalStates(
        original=chain,
        chain=machine,
        state_of=read_only(state_of),
        probabilities=read_only(probabilities),
        statistical_complexity_bits=max(C, 0.0) + 0.0,  # and not -0.0 of a single state
        entropy_rate_bits_per_token=float(rate.bits_per_token),
        excess_entropy_bits=min(E, C) if C > 0 else 0.0,
        excess_entropy_error_bits=excess_error,
        markov_order=order,
        exactly_synchronisable=exact,
        method="minimal machine of the closed class",
        error_bound=bound,
        uncertified_because=reason if bound == UNCERTIFIED else "",
    )


def _refuse(chain: Chain) -> None:
    require_complete(chain, "causal states")
    if chain.end is not None:
        raise NotDefined(
            "causal states: the texts of this chain end, and a process without an end is asked "
            "for. Take the chain before with_stop()."
        )
    if chain.kind == "symbolic":
        raise NotDefined(
            "causal states: the rows hold symbols, and which of them are equal is not decided. "
            "Put numbers in for them."
        )


def _order(chain: Chain, machine: Chain, state_of: Ids) -> tuple[float | None, bool | None]:
    if chain.is_window:
        return order_of_windows(state_of, chain.n_tokens), True
    found = synchrony(machine.successors()) if machine.n_states <= 2**12 else None
    return (None, None) if found is None else (found.order, found.exact)


def _excess(chain: Chain, machine: Chain, probabilities: Floats) -> tuple[float, float, int]:
    """E, how far it may be from the truth beside the error of pi, and the terms of its sum."""
    if chain.is_window:
        curve = memory_curve(chain)
        if curve.error_bound == UNCERTIFIED:
            return curve.excess_bits, math.inf, 0
        return curve.excess_bits, 2 * float(curve.error_bound) * float(curve.block_bits[-1]), 0
    rows = np.asarray(machine.next_token, dtype=float)
    rows = rows / rows.sum(axis=1, keepdims=True)
    found = excess_of_machine(machine.successors(), rows, probabilities)
    return found.bits, found.missing, found.tokens
