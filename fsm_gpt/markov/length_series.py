"""Probabilities of each length, one product after the other, and a tail that is proven.

With f_0 = s, the probabilities of stopping at once, and f_(n+1) = Q f_n, the probability of n
tokens before the stop token is x f_n. Everything is positive, so after n products each number is
right to a factor as in :mod:`fsm_gpt.markov.steps`: a row of D transitions costs D products,
D - 1 sums and the division by its own sum, 2 D + 1 roundings in all.

*The tail.* Let a f_c <= f_(c+d) <= b f_c in every state. Q is non-negative, so

    a^k f_(c+j) <= f_(c+j+kd) <= b^k f_(c+j)    for all k, j >= 0

(by applying Q again; this is the argument of Collatz and Wielandt). Once a and b differ by no
more than rounding, all later probabilities, and every sum of them, are known as well as if they
had been worked out one by one. So the number of products is that after which the start is
forgotten, however long the texts are. Before that they still bound all that is left out. c is a
power of two and d runs through multiples of eight, which finds every period.

References
----------
Seneta (1981), Non-negative Matrices and Markov Chains, section 1.1 (Collatz and Wielandt).
Neuts (1981), Matrix-Geometric Solutions in Stochastic Models, chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import NotConverged
from fsm_gpt.markov.before_end import BeforeEnd
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.first_step import ACCURACY
from fsm_gpt.markov.length_sums import Near, Sums, from_start
from fsm_gpt.markov.length_tail import Tail
from fsm_gpt.markov.steps import SMALLEST, least_positive, rounded
from fsm_gpt.rows import Numbers

__all__ = ["MOST_LISTED", "Series", "by_products"]

Floats = npt.NDArray[np.float64]

#: Products over so many transitions in all; more are worked out only where a length is asked for.
MOST_WORK = 10**11
#: And so many products, where a chain is small.
MOST_PRODUCTS = 100_000
#: Probabilities that are listed one by one.
MOST_LISTED = 2**22
#: A tail is looked for during so many products at least.
_PATIENCE = 128
#: And so many are made before equations are solved for the probability that a text ends.
_WAIT = 1024


@dataclass(frozen=True, eq=False)
class Series:
    """Probabilities of the lengths 0, 1, ..., each that and the end."""

    listed: Numbers
    """Those that were asked for."""
    found: Numbers
    """Those that were worked out one by one."""
    relative: float
    """A bound on the relative error of every one of them."""
    tail: Tail | None = None
    """What comes after them, as exactly as if it had been worked out."""
    bounds: Tail | None = None
    """What comes after them, between bounds that may be far apart."""
    finished: bool = False
    """Whether longer texts are impossible."""
    refused: str = ""
    """Why there is no such bound."""

    @property
    def method(self) -> str:
        """How they were found."""
        how = f"{len(self.found) - 1 + int(self.finished):,} products"
        if self.tail is not None:
            return f"{how} and a proven geometric tail"
        return how if self.bounds is None else f"{how}, the tail between geometric bounds"

    def beyond(self, ending: Near) -> tuple[Any, float]:
        """The probability of more tokens than are listed, and the end; and what it is at most."""
        n, tail = len(self.listed), self.tail or self.bounds
        if tail is None:
            total = self.listed.sum()
            left = max(ending.value - total, ending.value * 0)
            if self.finished:
                later = self.found[n:].sum()
                return later, float(later) * (1 + self.relative + rounded(len(self.found)))
            room = float(total) * (self.relative + rounded(n)) if self.relative else 0.0
            return left, float(left) + ending.error + room
        first = max(n, tail.first)
        head = float(self.found[n:first].sum())
        middle, high = (head + tail.from_length(first, q) for q in (None, tail.high))
        return middle, high * (1 + self.relative + rounded(len(self.found) + 40))

    def sums(self) -> Sums | None:
        """P(it ends) and the first two moments, where all lengths are known."""
        tail = self.tail or self.bounds
        if self.refused or not (tail or self.finished):
            return None
        head = self.found if tail is None else self.found[: tail.first]
        n = np.arange(len(head), dtype=np.float64)
        before = np.array([head.sum(), (n * head).sum(), (n * n * head).sum()])
        sides = [before] * 3
        if tail is not None:
            sides = [before + tail.sums(q) for q in (tail.low, tail.factor, tail.high)]
        room = self.relative + rounded(len(head) + 40 + (tail.period if tail else 0))
        low, middle, high = sides
        spread = np.maximum(high - middle, middle - low) + high * room
        p, first, square = (Near(float(v), float(e)) for v, e in zip(middle, spread, strict=True))
        # n (n - 1) = n^2 - n, which loses nothing that the variance would not lose as well.
        second = Near(max(square.value - first.value, 0.0), square.error + first.error)
        return Sums(p, first, second, self.method)


def by_products(
    known: BeforeEnd, *, quantile: float, upto: int | None, ending: Callable[[], Near]
) -> Series:
    """Probabilities until a share ``quantile`` of what ends has ended, or up to a length.

    Parameters
    ----------
    ending
        The probability that the text ends; asked for only where it is needed.

    Raises
    ------
    NotConverged
        That takes too many products, or rounding hides where it is.
    """
    work = _Products(known)
    edges = len(known.part.raw_edges().target)
    most = max(1, min(MOST_PRODUCTS, MOST_WORK // edges))
    large = not known.exact and int(known.live.sum()) > ELIMINATION_LIMIT
    soon = known.sure or not large
    reached: int | None = None
    while not work.finished and work.tail is None:
        n = len(work.found) - 1
        patient = 0 if known.exact else max(_PATIENCE, 4 * (reached or 0))
        if upto is not None:
            if n >= upto:
                break
        else:
            if reached is None and large and work.bounds is not None:
                reached = n if work.surely_reaches(quantile) else None
            elif reached is None and (soon or n >= _WAIT):
                reached = n if work.reaches(quantile, ending(), hiding=n >= patient) else None
            if reached is not None and (n >= patient or (large and work.known_well())):
                break
            if n >= most:
                raise NotConverged(
                    f"length: after {n:,} tokens a share of {float(work.total):.6g} of all texts "
                    f"has ended, and no geometric tail is proven. Give upto=..., the largest "
                    f"length to be worked out, or a smaller quantile than {float(quantile):.12g}."
                )
        work.step()
    found = np.array(work.found, dtype=object if known.exact else np.float64)
    listed = found if reached is None else found[: reached + 1]
    if work.tail is not None:
        listed = _continued(found, work.tail, quantile, upto)
    return work.series(listed)


def _continued(found: Floats, tail: Tail, quantile: float, upto: int | None) -> Floats:
    """The list, made longer or shorter, as far as was asked."""
    if upto is None:
        before, later = found[: tail.first], tail.from_length(tail.first)
        at_least = np.cumsum(before[::-1])[::-1] + later  # P(N >= n)
        most = (1 - quantile) * float(at_least[0])
        upto = int((at_least > most).sum()) - 1 if later <= most else tail.length_with(most)
        upto = min(upto, MOST_LISTED)
    if upto < len(found):
        return found[: upto + 1]
    return np.concatenate([found, tail.at(np.arange(len(found), upto + 1))])


class _Products:
    """The vectors f_n, one after the other, and what they say of the tail."""

    def __init__(self, known: BeforeEnd) -> None:
        self.known = known
        self.f = known.stopping()
        self.found: list[Any] = [from_start(known.start, self.f).value]
        self.total = self.found[0]
        self.finished = False
        self.tail: Tail | None = None
        self.bounds: Tail | None = None
        self.refused = ""
        self.roundings = 2 * known.longest + 1
        self._spare: Numbers | None = None
        self._kept: tuple[int, Numbers, npt.NDArray[np.bool_]] | None = None
        self._smallest = math.inf
        if not known.exact:
            self._smallest = least_positive(known.part.raw_edges().probability)
            self._watch()

    def step(self) -> None:
        """One token more."""
        if self.known.exact:
            self.f = self.known.within(self.f)
        else:
            self.f, self._spare = self.known.part.expect(self.f, out=self._spare), self.f
        if not (self.f != 0).any():
            self.finished = True
            return
        self.found.append(from_start(self.known.start, self.f).value)
        self.total += self.found[-1]
        if not self.known.exact:
            self._watch()
            self._look_for_tail()

    def error(self, lengths: int) -> float:
        """A bound on the relative error of so many probabilities."""
        if self.known.exact:
            return 0.0
        n = min(lengths, len(self.found))
        start = int(np.count_nonzero(self.known.start))
        own = rounded(n * self.roundings + start)
        if self.tail is None or lengths <= n:
            return own
        blocks = (lengths - self.tail.first) // self.tail.period + 1
        return math.expm1(math.log1p(own) + blocks * self.tail.drift)

    def series(self, listed: Numbers | None = None) -> Series:
        """What is known by now."""
        found = np.array(self.found, dtype=object if self.known.exact else np.float64)
        listed = found if listed is None else listed
        error = self.error(max(len(listed), len(found)))
        tails = self.tail, self.bounds
        return Series(listed, found, error, *tails, self.finished, self.refused)

    def known_well(self) -> bool:
        """Whether bounds on the tail are enough for the moments."""
        if (len(self.found) - 1) % 8 or self.bounds is None:
            return False
        sums = self.series().sums()
        return sums is not None and bool(sums.worst <= ACCURACY)

    def surely_reaches(self, quantile: float) -> bool:
        """Whether bounds on the tail show that this share has ended."""
        assert self.bounds is not None
        n = len(self.found)
        room = 2 * (self.error(n) + rounded(n + 40))
        later = self.bounds.from_length(n, self.bounds.high) * (1 + room)
        return bool(later <= (1 - quantile) * self.total * (1 - room))

    def reaches(self, quantile: float, ending: Near, *, hiding: bool) -> bool:
        """Whether this share of what ends has surely ended by now.

        Where rounding hides that it has, this is an error or, unless ``hiding``, a no.
        """
        left = ending.value - self.total
        if self.known.exact:
            return bool(left <= (1 - Fraction(quantile)) * ending.value)
        most = (1 - quantile) * ending.value
        n = len(self.found)
        unsure = ending.error + self.total * (self.error(n) + rounded(n))
        if hiding and unsure > most / 2 and left <= most + unsure:
            raise NotConverged(
                f"length: a share of {quantile:.17g} is so near to one that rounding, here "
                f"{unsure:.1e}, hides after which length it has ended. Ask for a smaller quantile, "
                f"for upto=..., or for exact=True where the chain is small."
            )
        return bool(left + unsure <= most)

    def _watch(self) -> None:
        """Notice products that lose digits by underflow."""
        if least_positive(self.f) * self._smallest < SMALLEST:
            self.refused = f"products below {SMALLEST:g} lose digits by underflow"

    def _look_for_tail(self) -> None:
        n = len(self.found) - 1
        if n % 8:
            return
        if self._kept is not None:
            self.tail = self._tail(n, *self._kept)
        if n & (n - 1) == 0:
            self._kept = (n, self.f.copy(), self.f > 0)

    def _tail(self, n: int, c: int, before: Numbers, held: npt.NDArray[np.bool_]) -> Tail | None:
        """The tail, if one is proven between c and n tokens."""
        d = n - c
        if ((self.f > 0) != held).any():
            return None
        ratio = self.f[held] / before[held]
        a, b = float(ratio.min()), float(ratio.max())
        room = d * self.roundings
        low, high = a * (1 - rounded(room + 2)), b * (1 + rounded(room + 2))
        block = np.array(self.found[c:n])
        if not (high < 1 and block.any()):
            return None
        self.bounds = Tail(c, block, low, high)
        return self.bounds if b <= a * (1 + rounded(4 * room)) else None
