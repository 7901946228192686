"""The distribution of what some tokens earn, where values are multiples of one number.

If every value is a whole multiple of c, beyond a least one a, then n tokens earn n a + k c with
k from 0 to some largest. The probability of being in state s having earned so much is carried
from token to token: a table of shape (N, number of totals).

*Error.* No number is negative; each token multiplies every entry by a factor within
1 +- (V + d + 3) u, as in :mod:`fsm_gpt.markov.steps`, d the most transitions into one state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined, StateSpaceTooLarge
from fsm_gpt.markov.reward_values import Earning
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers, objects

__all__ = ["ENTRIES", "RewardDistribution", "reward_distribution"]

#: Entries of the table of states and totals at most: in floats 256 MiB, twice.
ENTRIES = 2**25
#: Different values at most; their totals are more.
MOST_VALUES = 10_000
#: Entries of it at most where they are rationals, which grow.
EXACT_ENTRIES = 2**18

Ids = npt.NDArray[np.int64]
#: Adds to the second table what the first one's probabilities move to.
Move: TypeAlias = Callable[[Numbers, Numbers], None]

_UNIT = 2.0**-53
_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RewardDistribution(Bounded):
    """How likely each total is."""

    error_meaning = "relative error of every probability"

    chain: Chain = field(repr=False)
    tokens: int
    totals: Numbers
    """The totals that are possible, ascending: whole numbers or fractions, shape (n,)."""
    probabilities: Numbers
    """Shape (n,)."""

    def __str__(self) -> str:
        lines = [f"total over {self.tokens:,} tokens ({self.method}; {self.error_sentence})"]
        for total, p in list(zip(self.totals, self.probabilities, strict=True))[:32]:
            short = total if total.denominator < 10**6 else format_number(float(total))
            lines.append(f"  {short}  {format_number(p)}")
        if len(self.totals) > 32:
            lines.append(f"  ... and {len(self.totals) - 32:,} more totals")
        return "\n".join(lines)


def reward_distribution(
    chain: Chain, earning: Earning, start: Numbers, tokens: int | None
) -> RewardDistribution:
    """The distribution over so many tokens; see :meth:`TotalReward.distribution`."""
    if tokens is None:
        raise NotDefined(
            "reward: the total until the end has no largest value, so its distribution is not "
            "listed. Ask for that over n tokens: END earns nothing, so a large n comes close."
        )
    least, step, places = _lattice(earning.given)
    width = tokens * int(places.max()) + 1
    exact = start.dtype == object
    most = EXACT_ENTRIES if exact else ENTRIES
    if chain.n_states * width > most:
        raise StateSpaceTooLarge(
            f"reward: {tokens:,} tokens can earn {width:,} totals, multiples of {step}, and with "
            f"{chain.n_states:,} states that is a table of {chain.n_states * width:,} numbers, "
            f"above the limit of {most:,}. Round the values to fewer digits, ask for fewer tokens, "
            f"or take the mean and the variance, which are always there."
        )
    table = np.zeros((chain.n_states, width), dtype=start.dtype)
    table[:, 0] = start
    moves = (_exact_moves if exact else _float_moves)(earning, places)
    smallest, rarest = math.inf, math.inf if exact else float(earning.probability.min())
    for _ in range(tokens):
        if not exact:
            smallest = min(smallest, float(np.min(table, where=table > 0, initial=1.0)) * rarest)
        after = np.zeros_like(table)
        for k, move in moves:
            move(table[:, : width - k], after[:, k:])
        table = after
    masses = table.sum(axis=0)
    kept = np.flatnonzero(masses != 0)
    totals = objects([tokens * least + int(k) * step for k in kept], (len(kept),))
    bound, reason = _bound(chain, earning, tokens, smallest)
    return RewardDistribution(
        chain=chain,
        tokens=tokens,
        totals=read_only(totals),
        probabilities=read_only(masses[kept]),
        method="states and totals a token at a time",
        error_bound=0.0 if exact else bound,
        uncertified_because="" if exact else reason,
    )


def _lattice(given: Numbers) -> tuple[Fraction, Fraction, Ids]:
    """The least value a, the step c, and for each transition the k of its value a + k c."""
    values = given.tolist()
    few = set(values)
    if given.dtype == object and not all(isinstance(value, (int, Fraction)) for value in few):
        raise NotDefined(
            "reward: the values are logarithms, which are multiples of no one number, so totals "
            "cannot be listed. The mean and the variance are there."
        )
    refusal = (
        "so there are too many totals to list. Give whole numbers, Fractions such as '1/10', or "
        "floats rounded to halves or quarters; the mean and the variance are there."
    )
    if len(few) > MOST_VALUES:
        raise StateSpaceTooLarge(f"reward: there are {len(few):,} different values, {refusal}")
    distinct = sorted(map(Fraction, few))
    least = distinct[0]
    scale = math.lcm(*((value - least).denominator for value in distinct))
    whole = [int((value - least) * scale) for value in distinct]
    common = math.gcd(*whole) or 1
    if max(whole) // common > ENTRIES:  # before the table of totals is thought of
        raise StateSpaceTooLarge(
            f"reward: the values are multiples of no number larger than "
            f"{float(Fraction(common, scale)):.1e}, as floats with many digits are, {refusal}"
        )
    place = dict(zip(distinct, (w // common for w in whole), strict=True))
    return least, Fraction(common, scale), np.array([place[Fraction(v)] for v in values])


def _float_moves(earning: Earning, places: Ids) -> list[tuple[int, Move]]:
    """For each k the transitions that earn it, as something that adds their part to a table."""
    from scipy.sparse import csr_array

    source = np.repeat(np.arange(earning.n), earning.lengths)
    moves: list[tuple[int, Move]] = []
    for k in np.unique(places).tolist():
        at = places == k
        into = csr_array(
            (earning.probability[at], (earning.target[at], source[at])),
            shape=(earning.n, earning.n),
        )

        def move(before: Numbers, after: Numbers, into: csr_array = into) -> None:
            after += into @ before

        moves.append((k, move))
    return moves


def _exact_moves(earning: Earning, places: Ids) -> list[tuple[int, Move]]:
    """The same, one transition at a time."""
    source = np.repeat(np.arange(earning.n), earning.lengths)
    edges = zip(source.tolist(), earning.target.tolist(), earning.probability, strict=True)
    moves: list[tuple[int, Move]] = []
    for k, (s, t, p) in zip(places.tolist(), edges, strict=True):

        def move(before: Numbers, after: Numbers, s: int = s, t: int = t, p: Any = p) -> None:
            on = before[s] != 0
            after[t, on] += p * before[s, on]

        moves.append((k, move))
    return moves


def _bound(chain: Chain, earning: Earning, tokens: int, smallest: float) -> tuple[Bound, str]:
    if tokens == 0:
        return 0.0, ""
    if smallest < _SMALLEST:
        return UNCERTIFIED, f"products below {_SMALLEST:g} lose digits by underflow"
    into = int(np.bincount(earning.target).max())
    each = chain.n_tokens + into + 3
    # The last sum, over the states, rounds once a state at most.
    return math.expm1((tokens * each + chain.n_states) * _UNIT * (1 + 1e-4)), ""
