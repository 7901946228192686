"""Transitions by their states alone, and what they pay.

A model checker's transition leads from a state to a state, and ours by a token. Where several
tokens t of probability p(t) lead from i to j, the transition has the sum of the p(t), and pays
the mean sum p(t) r(t) / sum p(t). So the reward that is expected of a step stays what it is.
Files of rewards list those that are not zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from numbers import Rational
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.io.prism_lines import Lines
from fsm_gpt.io.prism_table import Table, entries
from fsm_gpt.rows import Numbers, objects

__all__ = [
    "Rewards",
    "Values",
    "name_of",
    "rewards_of",
    "state_rewards",
    "surprisal",
    "transition_rewards",
]

_NAME = re.compile(r'# Reward structure:? "([A-Za-z0-9_]*)"')

#: One for each state, for each state and token, or a function of the probabilities.
Values: TypeAlias = Numbers | Callable[[Numbers], Numbers]


class Rewards(NamedTuple):
    """What is paid; None where nothing is."""

    state: Numbers | None
    """For being in a state, shape (N,)."""
    transition: Numbers | None
    """For each transition, in their order."""


def rewards_of(chain: Chain, values: Values) -> tuple[list[int], list[int], list[Any], Rewards]:
    """Source, target and probability of each transition, tokens added up, and the rewards.

    >>> chain = Chain.from_edges([0, 0], [0, 1], [0, 0], ["1/4", "3/4"])
    >>> source, target, probability, paid = rewards_of(chain, np.array([[4, 8]]))
    >>> print(source, target, *probability, *paid.transition)
    [0] [0] 1 7

    Raises
    ------
    InvalidArgument
        A reward is no finite number, or there is not one for each state or each state and token.
    """
    edges = chain.edges()
    p = edges.probability
    p = p if p.dtype == object else p.astype(np.float64)
    order = np.lexsort((edges.target, edges.source))
    source, target = edges.source[order], edges.target[order]
    new = (np.diff(source) != 0) | (np.diff(target) != 0)
    first = np.flatnonzero(np.append(True, new))
    summed = np.add.reduceat(p[order], first)
    paid = Rewards(None, None)
    if callable(values):
        paid = Rewards(None, values(p))
    else:
        numbers = _checked(chain, values)
        if numbers.ndim == 1:
            paid = Rewards(numbers, None)
        else:
            paid = Rewards(None, numbers[edges.source, edges.token])
    if paid.transition is not None:
        each = paid.transition[order]
        tokens = np.diff(np.append(first, len(source)))
        share = p[order] / np.repeat(summed, tokens)  # a ratio, which does not underflow
        paid = Rewards(None, np.add.reduceat(share * each, first))
    return source[first].tolist(), target[first].tolist(), summed.tolist(), paid


def _checked(chain: Chain, values: Any) -> Numbers:
    numbers = np.asarray(values)
    N, V = chain.n_states, chain.n_tokens
    if numbers.shape not in ((N,), (N, V)):
        raise InvalidArgument(
            f"export: the rewards have shape {numbers.shape}. Give one for each state, shape "
            f"({N},), or one for each state and token, shape ({N}, {V})."
        )
    if numbers.dtype.kind in "iu":
        return objects(map(Fraction, numbers.ravel().tolist()), numbers.shape)
    rational = numbers.dtype == object and all(isinstance(v, Rational) for v in numbers.flat)
    if rational:
        return objects(map(Fraction, numbers.flat), numbers.shape)
    if numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
        raise InvalidArgument(
            "export: a reward is no finite number. Give floats, whole numbers or Fractions; what "
            "is infinite or undefined has no place in a model checker's files."
        )
    return numbers.astype(np.float64)


def surprisal(p: Numbers) -> Numbers:
    """-log2 p of each probability, in bits, as floats.

    Near one the logarithm is taken of what is missing to one, so that it keeps its digits.

    >>> surprisal(np.array([0.5, 1.0])).tolist()
    [1.0, 0.0]
    """
    if p.dtype == object:
        return np.array([_surprisal(value) for value in p])
    with np.errstate(divide="ignore"):
        return np.abs(np.where(p >= 0.5, np.log1p(p - 1) / math.log(2), np.log2(p)))


def _surprisal(p: Fraction) -> float:
    if 2 * p >= 1:
        return abs(math.log1p(float(p - 1)) / math.log(2))
    small = float(p)
    if small > 1e-300:
        return -math.log2(small)
    return math.log2(p.denominator) - math.log2(p.numerator)


# ---- read from files ----


def name_of(said: Lines) -> str:
    """The name of the reward structure; empty where it has none."""
    found = [match[1] for text in said.comments if (match := _NAME.fullmatch(text))]
    return found[0] if found else ""


def _check_head(said: Lines, N: int) -> None:
    fields = said.head.text.split()
    if len(fields) != 2:
        raise said.head.problem(
            "is not the first line of a file of rewards: the number of states and that of rewards. "
            "Check that this is the file that was meant."
        )
    states, count = (said.head.whole(field, "a count") for field in fields)
    if states != N or count != len(said):
        raise said.head.problem(
            f"promises {count:,} rewards in a chain of {states:,} states. There are {len(said):,} "
            f"lines, and the chain has {N:,} states: the file is cut short, or of another model."
        )


def state_rewards(said: Lines, N: int, *, exact: bool) -> Numbers:
    """The reward of each state; zero where the file has none."""
    _check_head(said, N)
    rewards: Numbers = objects([Fraction(0)] * N, (N,)) if exact else np.zeros(N)
    seen: dict[int, int] = {}
    for line in said:
        fields = line.text.split()
        if len(fields) != 2:
            raise line.problem("is no reward of a state: its number and a number. Mend the line.")
        state = line.whole(fields[0], "a state", N)
        if seen.setdefault(state, line.number) != line.number:
            raise line.problem(
                f"has a second reward of the state {state:,}; line {seen[state]:,} has the first. "
                f"Keep one of them."
            )
        rewards[state] = line.value(fields[1], exact)
    return rewards


def transition_rewards(said: Lines, table: Table, *, exact: bool) -> Numbers:
    """The reward of each transition, in their order; zero where the file has none."""
    N = table.n_states
    _check_head(said, N)
    paid = entries(said, N, exact=exact, kind="reward")
    of_pair: dict[tuple[int, int], Any] = {}
    known = set(zip(table.source.tolist(), table.target.tolist(), strict=True))
    for i, pair in enumerate(zip(paid.source.tolist(), paid.target.tolist(), strict=True)):
        if pair not in known:
            raise paid.lines[int(paid.line[i])].problem(
                "is the reward of a transition that the chain does not have. The file is damaged "
                "or belongs to another model."
            )
        of_pair[pair] = paid.values[i]
    zero = Fraction(0) if exact else 0.0
    pairs = zip(table.source.tolist(), table.target.tolist(), strict=True)
    values = [of_pair.get(pair, zero) for pair in pairs]
    return objects(values, (len(values),)) if exact else np.array(values)
