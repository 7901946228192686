"""A bound on convergence from the literature, beside the truth.

If every entry of P**L on the closed class is at least eps > 0 (Doeblin's condition), then
from every start the distribution after n tokens is within

    (1 - 2 eps)**(floor(n / L) - 1)

of the stationary one in total variation (Zekri et al. 2024). Doeblin's theorem has the
factor 1 - N eps for N states, so this holds wherever N >= 2; one block of L tokens is left
for short contexts to fill up. For window chains L is the context: after L tokens every
window can follow every window. The true time, found by :func:`fsm_gpt.mixing_time`, is often
much shorter.

References
----------
Zekri, Odonnat, Benechehab, Bleistein, Boulle & Redko (2024), Large Language Models as Markov
Chains, arXiv 2410.02724, section 3. Levin & Peres (2017), theorem 4.9 (Doeblin).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.stationary import not_unique
from fsm_gpt.result import Result, format_steps

__all__ = ["ConvergenceBound", "convergence_bound"]


@dataclass(frozen=True, eq=False, repr=False)
class ConvergenceBound(Result):
    """Steps after which Zekri et al.'s bound falls to epsilon."""

    chain: Chain = field(repr=False)
    epsilon: float
    smallest: float
    """The smallest entry of P**L on the closed class."""
    context: int
    """L."""
    steps: int
    """The first n at which the bound is at most epsilon."""

    def at(self, n: int) -> float:
        """The bound on the total variation distance after n tokens."""
        return float((1 - 2 * self.smallest) ** max(n // self.context - 1, 0))

    def __str__(self) -> str:
        return (
            f"convergence bound (Zekri et al. 2024): the smallest entry of P**{self.context} is "
            f"{self.smallest:.4g}, so the distance is at most {self.epsilon:g} after "
            f"{format_steps(self.steps)} steps"
        )


def convergence_bound(chain: Chain, *, epsilon: float = 0.25) -> ConvergenceBound:
    """How long convergence takes at most, by the smallest entry of P**L.

    Raises
    ------
    NotDefined
        The states are not contexts, or some entry of P**L on the closed class is zero, or so
        small that a float cannot hold it in full.
    NotUnique
        Several closed classes.

    Examples
    --------
    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> convergence_bound(chain, epsilon=0.01).steps
    8
    """
    require_complete(chain, "convergence bound")
    if not 0 < epsilon < 1:
        raise InvalidArgument(f"convergence bound: epsilon {epsilon} is not between 0 and 1.")
    L = chain.context
    if L is None:
        raise NotDefined(
            "convergence bound: the states of this chain are not contexts, so there is no "
            "context length L. For any chain there is mixing_time(chain)."
        )
    chain = chain.floats()
    closed = communicating_classes(chain).closed
    if len(closed) > 1:
        raise not_unique("convergence bound", closed)
    if len(closed[0]) == 1:
        raise NotDefined(
            "convergence bound: the closed class is one absorbing state, and the bound is for "
            "classes of two or more. How long it takes to get there, absorption(chain) says."
        )
    power = np.linalg.matrix_power(chain.matrix(), L)[np.ix_(closed[0], closed[0])]
    smallest = float(power.min())
    if smallest == 0:
        raise NotDefined(
            f"convergence bound: after {L} token{'s' if L > 1 else ''} some state of the closed "
            f"class cannot be reached from another, so the smallest entry of P**{L} is 0 and "
            f"bounds nothing. A decoding rule or an underflow has cut tokens off; ask "
            f"mixing_time(chain)."
        )
    if smallest < sys.float_info.min:
        raise NotDefined(
            f"convergence bound: the smallest entry of P**{L} on the closed class is about "
            f"{smallest:.0e}, too small for a float to hold its digits, so the bound would not be "
            f"known to hold. Ask mixing_time(chain)."
        )
    shrink = math.log1p(-min(2 * smallest, 1 - 2.0**-53))
    blocks = math.ceil(math.log(epsilon) / shrink)
    return ConvergenceBound(chain, epsilon, smallest, L, L * (blocks + 1))
