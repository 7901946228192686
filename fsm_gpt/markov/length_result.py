"""What is said of the length of a text: a list, its moments, and what lies beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.length_tail import Tail
from fsm_gpt.result import Bound, Bounded, format_number
from fsm_gpt.rows import Numbers

__all__ = ["LengthDistribution"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LengthDistribution(Bounded):
    """The number of tokens before the stop token, which is not counted."""

    error_meaning = "relative error of the mean and of every probability"

    chain: Chain = field(repr=False)
    start: str
    """Where the text begins, in words."""
    probability_of_ending: Any
    """That the text ends at all; 1 where the graph says so, and 0."""
    pmf: Numbers
    """Of 0, 1, ... n tokens given that the text ends, shape (n + 1,); empty where none does."""
    beyond: Any
    """Of more than n tokens, given that it ends."""
    beyond_at_most: float
    """What that is at most, proven."""
    mean_tokens: Any
    """Given that it ends; infinite where it never does."""
    variance: Any
    """Given that it ends, in tokens squared; infinite where it never does."""
    variance_error: Bound
    """What the variance may be off, proven."""
    tail_rate: float
    """By which P(N > n) goes down a token in the long run; 0 where lengths are limited."""
    tail_rate_between: tuple[float, float] | None
    """Two numbers between which it lies, proven; None where that is not."""
    _tail: Tail | None = field(default=None, repr=False)

    @property
    def standard_deviation(self) -> float:
        """The root of the variance, in tokens."""
        return math.sqrt(self.variance)

    @cached_property
    def _more(self) -> Numbers:
        """P(N > n) for each n that is listed, given that it ends."""
        zero = self.pmf[:1] * 0
        later = np.concatenate([self.pmf[1:], zero])
        return np.asarray(np.cumsum(later[::-1])[::-1] + self.beyond)

    def survival(self, n: int) -> Any:
        """P(N > n), given that the text ends.

        Raises
        ------
        NotDefined
            n is not listed in ``pmf`` and no geometric tail is proven, or no text ends.
        """
        self._ends("survival")
        if n < 0:
            return self.pmf[0] * 0 + 1
        if n < len(self.pmf):
            return self._more[n]
        return self._continued("survival").from_length(n + 1)

    def quantile(self, p: float) -> int:
        """The smallest n with P(N <= n) of at least p, given that the text ends.

        Where p lies within the error of P(N <= n), n may be told as n + 1 or the other way
        round; in rationals it is exact.

        Raises
        ------
        InvalidArgument
            p is not between 0 and 1.
        NotDefined
            It is beyond what is listed and no geometric tail is proven, or no text ends.
        """
        self._ends("quantile")
        if not 0 < p < 1:
            raise InvalidArgument(f"quantile: {p!r} is not between 0 and 1, both excluded.")
        most = 1 - (Fraction(p) if self.pmf.dtype == object else p)
        if self._more[-1] <= most:
            return int((self._more > most).sum())
        return self._continued("quantile").length_with(float(most))

    def _ends(self, what: str) -> None:
        if not len(self.pmf):
            raise NotDefined(f"{what}: from {self.start} no text ends, so none has a length.")

    def _continued(self, what: str) -> Tail:
        if self._tail is None:
            raise NotDefined(
                f"{what}: it lies beyond the {len(self.pmf):,} lengths that were worked out, and "
                f"no geometric tail is proven. Ask length_distribution() for more, with a larger "
                f"upto or quantile."
            )
        return self._tail

    def __str__(self) -> str:
        lines = [
            f"tokens before the stop token, from {self.start} ({self.method}; "
            f"{self.error_sentence})"
        ]
        if not len(self.pmf):
            return "\n".join(
                [
                    *lines,
                    "  never ends: the probability of ending is 0, and the mean length is infinite",
                ]
            )
        p = self.probability_of_ending
        ends = "surely" if p == 1 else f"with probability {format_number(p)}; given that it does:"
        lines.append(f"  ends {ends}")
        if self.variance >= 0:
            deviation = format_number(self.standard_deviation)
            lines.append(
                f"  mean {format_number(self.mean_tokens)}, standard deviation {deviation}"
            )
        shown = []
        for share, name in ((0.5, "median"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%")):
            if self._tail is not None or self._more[-1] <= 1 - share:
                shown.append(f"{name} {self.quantile(share):,}")
        if shown:
            lines.append(f"  at most: {', '.join(shown)}")
        lines.append(
            f"  more than {len(self.pmf) - 1:,}: {format_number(self.beyond)}"
            f" (at most {format_number(self.beyond_at_most)})"
        )
        lines.append(
            f"  tail rate {format_number(self.tail_rate)} per token"
            + (
                ""
                if self.tail_rate_between is None
                else ", proven between "
                + " and ".join(format_number(r, 12) for r in self.tail_rate_between)
            )
        )
        return "\n".join(lines)
