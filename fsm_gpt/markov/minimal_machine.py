"""A machine of merged states, exact or with its price: what :func:`fsm_gpt.minimize` returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.pareto import ParetoCurve, pareto_curve
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number

__all__ = ["MinimalMachine"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MinimalMachine(Bounded):
    """The fewest states that write the same texts, or fewer that write nearly the same."""

    _hidden = ("chain", "original")
    error_meaning = "absolute error of the KL rate in bits per token"

    original: Chain = field(repr=False)
    chain: Chain = field(repr=False)
    """The machine. A state is called "…01" if it stands for all states that end in 01, and
    "…01 +3" if it stands for three more; the chain itself where nothing is merged."""
    block: Ids
    """Of each state of the original chain the state of the machine, shape (N,)."""
    rounds: int
    """How often the partition by rows was refined, for the exact machine."""
    tree_contexts: int | None
    """Contexts of the smallest tree of suffixes with the same law, which is closed under the
    shift; None where the states are not all windows of one length."""
    exact_states: int
    """States of the exact minimal machine."""
    kl_bits_per_token: float = 0.0
    """The price: sum_s pi(s) KL(P_s || Q_block(s)); 0 for the exact machine."""
    mean_total_variation: float = 0.0
    """sum_s pi(s) TV(P_s, Q_block(s)), how much the next tokens' laws differ on average."""
    distance_error: Bound = 0.0
    """A proven bound on the absolute error of ``mean_total_variation``."""

    @property
    def n_states(self) -> int:
        """The number of states of the machine."""
        return self.chain.n_states

    def members(self, state: int | str) -> Ids:
        """The states of the original chain that a state of the machine stands for."""
        return np.flatnonzero(self.block == self.chain.state(state))

    def total_variation_bound(self, n: int) -> float:
        """A bound on the total variation between the laws of n tokens.

        The chain starts from its stationary distribution, the machine in the block of the same
        state. It is the least of n times ``mean_total_variation``, Pinsker's
        sqrt(n K ln 2 / 2) for a KL rate of K, and 1; the errors of both numbers are added. Where
        ``error_bound`` is uncertified, so is this.

        Raises
        ------
        InvalidArgument
            n is no whole number from 0 on.

        >>> from fsm_gpt.markov.minimize import minimize
        >>> coin = minimize(Chain([["1/2", "1/2"], ["1/4", "3/4"]]), max_states=1)
        >>> [round(coin.total_variation_bound(n), 6) for n in (1, 2, 100)]  # 1/9 for one token
        [0.111111, 0.174857, 1.0]
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise InvalidArgument(
                f"total_variation_bound: n is {n!r}, and a text has 0, 1, 2 or more tokens. Give "
                f"a whole number."
            )
        kl, distance = self.kl_bits_per_token, self.mean_total_variation
        if self.error_bound != UNCERTIFIED and self.distance_error != UNCERTIFIED:
            kl, distance = kl + float(self.error_bound), distance + float(self.distance_error)
        return min(1.0, int(n) * distance, math.sqrt(int(n) * kl * math.log(2) / 2))

    def pareto(self) -> ParetoCurve:
        """States against price: the machines that no other found is better than.

        Raises
        ------
        NotUnique
            The chain has several closed classes.
        InvalidChain
            The rows hold symbols.
        """
        return pareto_curve(self.original)

    @property
    def is_exact(self) -> bool:
        """Whether it writes the same texts with the same probabilities."""
        return self.n_states == self.exact_states

    def __str__(self) -> str:
        count = f"{self.n_states:,} state{'s' * (self.n_states > 1)}"
        N = self.original.n_states
        if self.is_exact:
            lines = [f"minimal machine ({self.method}; exact)"]
            lines.append(f"  {count} of {N:,} can be told apart by their texts")
            if self.tree_contexts is not None:
                lines.append(f"  {self.tree_contexts:,} contexts in the smallest tree of suffixes")
        else:
            lines = [f"approximate machine ({self.method}; {self.error_sentence})"]
            told = f"{self.exact_states:,} can be told apart by their texts"
            lines.append(f"  {count} for {N:,}, of which {told}")
            lines.append(f"  KL rate: {format_number(self.kl_bits_per_token)} bits per token")
            bounds = ", ".join(
                f"{self.total_variation_bound(n):.3g} for {n:,}" for n in (1, 10, 100)
            )
            lines.append(f"  total variation of the laws of n tokens, at most: {bounds}")
            lines += self.pareto().lines(self.n_states)
        return "\n".join([*lines, *self._blocks()])

    def _blocks(self) -> list[str]:
        """The largest blocks, a line each."""
        sizes = np.bincount(self.block)
        largest = np.argsort(-sizes, kind="stable")[:8]
        lines = []
        for state in largest[sizes[largest] > 1].tolist():
            some = ", ".join(self.original.labels(self.members(state)[:8]))
            if sizes[state] > 8:
                some = f"{some.split(', ')[0]}, ... ({sizes[state]:,})"
            lines.append(f"  {'alike' if self.is_exact else 'merged'}: {some}")
        return lines
