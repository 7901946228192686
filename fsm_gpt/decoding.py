"""Decoding rules: what a sampler does to the next-token probabilities before it draws.

The softmax of a language model is never exactly zero, so the undecoded chain can go
anywhere; absorbing and periodic structure comes from the rule. The rule is therefore
part of the chain and is recorded in it.

Each rule maps rows of probabilities to rows of probabilities. Where a choice falls
between equal probabilities the lowest token id wins, and the row is reported as tied.
Comparisons are decided on the exact values of the numbers given: where rounding could
change one, rationals settle it.

References
----------
Fan, Lewis & Dauphin (2018), arXiv 1805.04833 (top-k). Holtzman et al. (2020), arXiv
1904.09751 (top-p, "nucleus"). Nguyen et al. (2024), arXiv 2407.01082 (min-p).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.rows import Numbers, kind_of

__all__ = ["Decoded", "Full", "Greedy", "MinP", "Rule", "Temperature", "TopK", "TopP"]

Mask = npt.NDArray[np.bool_]


class Decoded(NamedTuple):
    """Rows after a rule; which rows were tied; which lost an entry to underflow."""

    rows: Numbers
    tied: Mask
    underflowed: Mask


class Rule(Protocol):
    """A map from rows of next-token probabilities, shape (n, V), to the like."""

    def __call__(self, rows: Numbers) -> Decoded:
        """The decoded rows."""
        ...


def _none(rows: Numbers) -> Mask:
    return np.zeros(len(rows), dtype=bool)


def _keep(rows: Numbers, kept: Mask, tied: Mask) -> Decoded:
    """The rows with all but the kept entries zero, divided by what is left."""
    left = rows.copy()
    left[~kept] = Fraction(0) if rows.dtype == object else 0
    return Decoded(left / left.sum(axis=1)[:, None], tied, _none(rows))


#: Powers of rationals may have so many bits: those of a chain file (io/format.py).
LARGEST_POWER = 400_000


def _by_probability(rows: Numbers) -> npt.NDArray[np.int64]:
    """Token ids of each row, most probable first, equal ones by id."""
    return np.argsort(-rows, axis=1, kind="stable")


def _sorted(rows: Numbers, order: npt.NDArray[np.int64]) -> Numbers:
    return np.take_along_axis(rows, order, axis=1)


def _numeric(rows: Numbers, rule: object) -> None:
    if kind_of(rows) == "symbolic":
        raise InvalidArgument(
            f"decoding: {rule} compares probabilities, and these rows hold symbols. "
            f"Put numbers in for the symbols first."
        )


@dataclass(frozen=True)
class Full:
    """Sample from the model's own probabilities."""

    def __call__(self, rows: Numbers) -> Decoded:
        """The same rows."""
        return Decoded(rows, _none(rows), _none(rows))

    def __str__(self) -> str:
        return "full"


@dataclass(frozen=True)
class Greedy:
    """Always the most probable token, the lowest id where several are.

    >>> Greedy()(np.array([[0.2, 0.4, 0.4]])).rows
    array([[0., 1., 0.]])
    """

    def __call__(self, rows: Numbers) -> Decoded:
        """Rows with a single 1."""
        _numeric(rows, self)
        return TopK(1)(rows)

    def __str__(self) -> str:
        return "greedy"


@dataclass(frozen=True)
class Temperature:
    """Probabilities to the power 1/T, normalised; T = 0 is greedy.

    Rationals stay rational where 1/T is a whole number.

    >>> Temperature(0.5)(np.array([[0.25, 0.75]])).rows
    array([[0.1, 0.9]])
    """

    temperature: float | Fraction

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise InvalidArgument(
                f"decoding: temperature {self.temperature} is not a finite number of 0 or more."
            )

    def __call__(self, rows: Numbers) -> Decoded:
        """The tempered rows; entries that become zero by underflow are reported."""
        _numeric(rows, self)
        if self.temperature == 0:
            return Greedy()(rows)
        if self.temperature == 1:
            return Full()(rows)
        if rows.dtype == object:
            return self._exactly(rows)
        with np.errstate(divide="ignore", over="ignore"):
            logs = np.log(rows.astype(np.float64))
            powers = np.exp((logs - logs.max(axis=1, keepdims=True)) / self._as_float())
        tempered = powers / powers.sum(axis=1)[:, None]
        underflowed = ((tempered == 0) & (rows > 0)).any(axis=1)
        return Decoded(tempered, _none(rows), underflowed)

    def _as_float(self) -> float:
        """The temperature, or the float nearest to zero or farthest from it."""
        try:
            return max(float(self.temperature), math.ulp(0.0))
        except OverflowError:
            return sys.float_info.max

    def _exactly(self, rows: Numbers) -> Decoded:
        power = 1 / Fraction(self.temperature)
        if power.denominator != 1:
            raise InvalidArgument(
                f"decoding: temperature {self.temperature} takes rationals to the power {power}, "
                f"which is no rational. Use a temperature 1/n, or a chain of floats."
            )
        longest = max(max(p.numerator, p.denominator).bit_length() for p in rows.flat)
        if power * longest > LARGEST_POWER:
            raise InvalidArgument(
                f"decoding: temperature {self.temperature} takes rationals to a power in which "
                f"they have more than {LARGEST_POWER:,} bits. Use greedy, or a chain of floats."
            )
        powers = rows ** int(power)
        return Decoded(powers / powers.sum(axis=1)[:, None], _none(rows), _none(rows))

    def __str__(self) -> str:
        return f"temperature {self.temperature}"


@dataclass(frozen=True)
class TopK:
    """Only the k most probable tokens.

    >>> TopK(2)(np.array([[0.5, 0.125, 0.375]])).rows.round(3)
    array([[0.571, 0.   , 0.429]])
    """

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InvalidArgument(f"decoding: top-k with k = {self.k} keeps no token; k >= 1.")

    def __call__(self, rows: Numbers) -> Decoded:
        """The rows with at most k entries each."""
        _numeric(rows, self)
        if self.k >= rows.shape[1]:
            return Full()(rows)
        # The k-th most probable; to find it takes less than to sort, where tokens are many.
        part = np.sort if rows.dtype == object else partial(np.partition, kth=-self.k)
        edge = part(rows, axis=1)[:, [-self.k]]
        kept, at = rows > edge, rows == edge
        room = self.k - kept.sum(axis=1)
        crowded = at.sum(axis=1) > room
        at[crowded] &= np.cumsum(at[crowded], axis=1) <= room[crowded, None]  # the first by id
        return _keep(rows, kept | at, crowded & (edge[:, 0] > 0).astype(bool))

    def __str__(self) -> str:
        return f"top-k {self.k}"


@dataclass(frozen=True)
class TopP:
    """The smallest set of most probable tokens whose mass is at least p.

    >>> TopP(0.75)(np.array([[0.5, 0.125, 0.25, 0.125]])).rows.round(3)
    array([[0.667, 0.   , 0.333, 0.   ]])
    """

    p: float | Fraction

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1:
            raise InvalidArgument(f"decoding: top-p with p = {self.p} is not in (0, 1].")

    def __call__(self, rows: Numbers) -> Decoded:
        """The rows with the tail cut off."""
        _numeric(rows, self)
        order = _by_probability(rows)
        ranked = _sorted(rows, order)
        count = self._sizes(ranked)
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(rows.shape[1])[None, :], axis=1)
        padded = np.concatenate([ranked, np.zeros_like(ranked[:, :1])], axis=1)
        last = np.take_along_axis(padded, count[:, None] - 1, axis=1)[:, 0]
        following = np.take_along_axis(padded, count[:, None], axis=1)[:, 0]
        tied = (last == following).astype(bool)
        return _keep(rows, ranks < count[:, None], tied)

    def _sizes(self, ranked: Numbers) -> npt.NDArray[np.int64]:
        """How many of the ranked tokens each row keeps."""
        if self.p == 1:
            return np.asarray((ranked > 0).sum(axis=1), dtype=np.int64)
        if ranked.dtype == object:
            return np.array([self._exact_size(row) for row in ranked], dtype=np.int64)
        masses = np.cumsum(ranked, axis=1, dtype=np.float64)
        masses /= masses[:, -1:]
        sizes = (masses < float(self.p)).sum(axis=1) + 1
        doubtful = np.abs(masses - float(self.p)) <= 4 * ranked.shape[1] * np.finfo(float).eps
        for i in np.flatnonzero(doubtful.any(axis=1)):
            sizes[i] = self._exact_size(ranked[i])
        return np.asarray(sizes, dtype=np.int64)

    def _exact_size(self, ranked: Numbers) -> int:
        masses = [Fraction(value) for value in ranked.tolist()]
        needed = Fraction(self.p) * sum(masses)
        total = Fraction(0)
        for i, mass in enumerate(masses):
            total += mass
            if total >= needed:
                return i + 1
        return len(masses)

    def __str__(self) -> str:
        return f"top-p {self.p}"


@dataclass(frozen=True)
class MinP:
    """Only tokens at least p times as probable as the most probable one.

    >>> MinP(0.5)(np.array([[0.5, 0.125, 0.375]])).rows.round(3)
    array([[0.571, 0.   , 0.429]])
    """

    p: float | Fraction

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise InvalidArgument(f"decoding: min-p with p = {self.p} is not in [0, 1].")

    def __call__(self, rows: Numbers) -> Decoded:
        """The rows without the improbable tokens."""
        _numeric(rows, self)
        top = rows.max(axis=1)[:, None]
        if rows.dtype == object:
            return _keep(rows, (rows >= top * Fraction(self.p)).astype(bool), _none(rows))
        bar = top.astype(np.float64) * float(self.p)
        kept = rows >= bar
        for i, t in np.argwhere(np.abs(rows - bar) <= 4 * np.finfo(float).eps * bar):
            kept[i, t] = Fraction(float(rows[i, t])) >= Fraction(float(top[i, 0])) * Fraction(
                self.p
            )
        return _keep(rows, kept, _none(rows))

    def __str__(self) -> str:
        return f"min-p {self.p}"


def in_words(rules: tuple[Any, ...]) -> str:
    """A composition of rules in words, in the order in which they are applied.

    >>> in_words((Temperature(0.7), TopK(2))), in_words(())
    ('temperature 0.7, then top-k 2', 'full')
    """
    return ", then ".join(str(rule) for rule in rules) or "full"


def underflow_note(rules: tuple[Any, ...], n_states: int) -> str:
    """What a reader should know where a rule made probabilities too small for floats."""
    return (
        f"{in_words(rules)}: in {n_states:,} states a probability became zero by underflow, so "
        f"structure there is that of the floats, not of the rule"
    )
