"""The chain run backwards, and whether it looks the same.

Run backwards in its stationary state, an irreducible chain is the chain with
probabilities P*[i, j] = pi(j) P[j, i] / pi(i) (Norris, theorem 1.9.1). It is *reversible*
if P* = P, that is if the flows pi(i) P[i, j] and pi(j) P[j, i] are equal. How far from it
a chain is, is measured by its *entropy production*,

    sum_{i, j} pi(i) P[i, j] log2(pi(i) P[i, j] / (pi(j) P[j, i]))   bits per step,

zero for reversible chains and infinite where some transition cannot be undone, as in every
window chain with L >= 2 and more than one token.

References
----------
Norris (1997), Markov Chains, section 1.9. Kelly (1979), Reversibility and Stochastic
Networks, section 1.2. Gaspard (2004), J. Stat. Phys. 117, 599-615 (entropy production).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, NotDefined
from fsm_gpt.markov.algebra import dense_block, workable
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.row_entropy import log2_ratio
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bounded
from fsm_gpt.rows import Numbers
from fsm_gpt.space import NamedStates, Vocabulary

__all__ = ["Reversibility", "reversibility", "time_reversal"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Reversibility(Bounded):
    """Whether the chain run backwards is the chain itself."""

    error_meaning = "relative error of the flows compared"

    chain: Chain = field(repr=False)
    reversible: bool
    """For floats: equal flows up to the proven error of the flows."""
    imbalance: float
    """The largest |F[i, j] - F[j, i]| / max(F[i, j], F[j, i]) over pairs of states."""
    entropy_production_bits_per_step: float

    def __str__(self) -> str:
        word = "reversible" if self.reversible else "not reversible"
        production = self.entropy_production_bits_per_step
        rate = "infinite" if math.isinf(production) else f"{production:.6g} bits per step"
        return f"{word}: entropy production {rate} ({self.method}; {self.error_sentence})"


def _flows(chain: Chain) -> tuple[Numbers, Numbers]:
    """Pi and the flows pi(i) P[i, j] of an irreducible chain, ready to compute with."""
    structure = communicating_classes(chain)
    if not structure.irreducible:
        raise NotDefined(
            f"time reversal: the chain has {len(structure.classes)} communicating classes, and a "
            f"state that is left for ever has no past to return to. It is defined for chains in "
            f"which every state can be reached from every state."
        )
    P = dense_block(chain, np.arange(chain.n_states))
    pi = stationary_distribution(chain).pi
    return pi, pi[:, None] * P


def reversibility(chain: Chain, *, exact: bool = False) -> Reversibility:
    """Whether the flows between every two states are equal both ways.

    Raises
    ------
    NotDefined
        Not every state can be reached from every state.

    Examples
    --------
    >>> oz = Chain.from_matrix([["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]])
    >>> reversibility(oz).reversible
    True
    """
    require_complete(chain, "reversibility")
    chain = chain.exact() if exact else chain
    _, F = _flows(chain)
    bound = stationary_distribution(chain).error_bound
    if chain.kind == "symbolic":
        F, _ = workable(F)
        same = bool((F == F.T).all())
        imbalance = 0.0 if same else math.nan
        production = 0.0 if same else math.nan
    else:
        larger = np.maximum(F, F.T)
        larger[larger == 0] = 1
        worst = (np.abs(F - F.T) / larger).max()
        imbalance, production = float(worst), _production(F)
        allowed = Fraction(0) if chain.dtype == object else _flow_error(bound)
        same = bool(worst <= allowed)
    return Reversibility(
        chain=chain,
        reversible=same,
        imbalance=imbalance,
        entropy_production_bits_per_step=0.0 if same else production,
        method="stationary flows compared pair by pair",
        error_bound=bound,
        uncertified_because="" if bound != UNCERTIFIED else "the stationary distribution is",
    )


def _flow_error(pi_bound: object) -> float:
    """How far two equal flows may come out apart, relative to the larger."""
    known = 1e-9 if pi_bound == UNCERTIFIED else float(str(pi_bound))
    return 2 * known + 8 * 2.0**-53


def _production(F: Numbers) -> float:
    """Entropy production in bits per step; infinite where a flow has none against it."""
    flows = F.astype(np.float64)
    there = flows > 0
    if (there & (flows.T == 0)).any():
        return math.inf
    ratio = log2_ratio(flows[there], flows.T[there])
    return float((flows[there] * ratio).sum())


def time_reversal(chain: Chain, *, exact: bool = False) -> Chain:
    """The chain run backwards: P*[i, j] = pi(j) P[j, i] / pi(i).

    Its tokens are its states, since the token that leads back is not unique in general.

    Raises
    ------
    NotDefined
        Not every state can be reached from every state.

    Examples
    --------
    >>> cycle = Chain.from_matrix([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> time_reversal(cycle).next_token[0]
    array([0., 0., 1.])
    """
    require_complete(chain, "time reversal")
    chain = chain.exact() if exact else chain
    _, F = _flows(chain)
    F, back = workable(F)
    if F.dtype != object and (lost := np.flatnonzero(F.sum(axis=0) == 0)).size:
        raise NotConverged(
            f"time reversal: the flow into {chain.label(int(lost[0]))} is below 1e-323 and becomes "
            f"zero in floats, so it cannot be divided. Ask for exact=True."
        )
    backwards = F.T / F.T.sum(axis=1)[:, None]
    source, target = np.nonzero(backwards != 0)
    labels = tuple(chain.labels())
    return Chain.from_edges(
        source,
        target,
        target,
        back(backwards[source, target]),
        vocabulary=Vocabulary(labels),
        states=NamedStates(labels),
        notes=(*chain.notes, "time reversal: tokens are states"),
        provenance=chain.provenance,
    )
