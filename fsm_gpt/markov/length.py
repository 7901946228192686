"""How long a text gets before its stop token.

The length N of a text is the number of tokens emitted before the stop token, which is not
counted: a text that ends at once has the length 0, and the machine has made N + 1 steps when it
is in END. With x the start, Q among the states from which END can be reached, and s(i) the
probability of stopping in i,

    P(N = n) = x Q^n s,

a phase-type distribution in discrete time (Neuts 1981, chapter 2). Its sum is the probability
that the text ends at all, which a decoding rule can make less than one: under top-k or top-p the
stop token may never be among those that are left (Welleck et al. 2020). All that is said of the
length is said given that the text ends.

In the long run P(N > n) goes down by a factor r a token, the *tail rate*: the largest eigenvalue
of Q (:mod:`fsm_gpt.markov.quasi_stationary`).

References
----------
Neuts (1981), Matrix-Geometric Solutions in Stochastic Models, chapter 2. Welleck et al. (2020),
Consistency of a Recurrent Language Model With Respect to Incomplete Decoding, arXiv 2002.02492.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov.before_end import BeforeEnd, before_end
from fsm_gpt.markov.closed_class import ELIMINATION_LIMIT
from fsm_gpt.markov.decay import decay
from fsm_gpt.markov.first_step import ACCURACY
from fsm_gpt.markov.length_result import LengthDistribution
from fsm_gpt.markov.length_series import MOST_LISTED, Series, by_products
from fsm_gpt.markov.length_sums import Near, Sums, by_equations
from fsm_gpt.markov.length_tail import Tail
from fsm_gpt.markov.quasi_stationary import live_classes, rounding_of
from fsm_gpt.markov.steps import rounded
from fsm_gpt.result import UNCERTIFIED, read_only
from fsm_gpt.rows import Numbers

__all__ = ["length_distribution"]


def length_distribution(
    machine: Chain,
    *,
    start: Any,
    upto: int | None = None,
    quantile: float = 1 - 1e-9,
    exact: bool = False,
) -> LengthDistribution:
    """The distribution of the number of tokens before the stop token, from a start.

    The stop token itself is not counted: a text that ends at once has the length 0.

    Parameters
    ----------
    machine
        A chain with END (:meth:`fsm_gpt.Chain.with_stop`).
    start
        A state (id, label or token ids), a distribution of shape (N,), or None for every state
        before the end, each as likely.
    upto
        The largest length that is listed. Left out, the list ends where a share ``quantile`` of
        the texts that end has ended; of many states, where that is proven, which may be a few
        tokens later.
    exact
        Take the binary values of float rows and answer in rationals; the tail rate, which is no
        rational, stays a float.

    Raises
    ------
    InvalidArgument
        The chain has no END, the start is END, or an option is outside its range.
    NotDefined
        The rows hold symbols, or the start leads to what was not explored.
    NotConverged
        The quantile is further away than is worked out without being told how far.

    References
    ----------
    Neuts (1981), chapter 2. Welleck et al. (2020), arXiv 2002.02492.

    Examples
    --------
    A coin thrown until heads, which is the stop token: N tails with (1/2)^(N + 1).

    >>> coin = Chain([["1/2", "1/2"]] * 2, vocabulary="th").with_stop("h")
    >>> found = length_distribution(coin, start="t", upto=3)
    >>> print(*found.pmf, found.beyond, found.mean_tokens, found.variance)
    1/2 1/4 1/8 1/16 1/16 1 2
    >>> length_distribution(coin.floats(), start="t").quantile(0.999)
    9
    """
    _check(upto, quantile)
    machine = machine.exact() if exact else machine
    known = before_end(machine, start, "length_distribution")
    if known.end is None:
        return _never(machine, known)
    equations = _Once(known)
    series = by_products(known, quantile=quantile, upto=upto, ending=equations.ending)
    sums = _best(known, series, equations)
    return _answer(machine, known, series, sums)


def _check(upto: Any, quantile: Any) -> None:
    if upto is not None and not (isinstance(upto, (int, np.integer)) and 0 <= upto <= MOST_LISTED):
        raise InvalidArgument(
            f"length_distribution: upto is {upto!r}. Give a whole number from 0 to "
            f"{MOST_LISTED:,}, or leave it out."
        )
    if not 0 < quantile < 1:
        raise InvalidArgument(
            f"length_distribution: quantile is {quantile!r}, and a share of the texts lies between "
            f"0 and 1, both excluded. For a list up to a length use upto."
        )


class _Once:
    """The sums by equations, solved when they are first needed."""

    def __init__(self, known: BeforeEnd) -> None:
        self.known = known

    @cached_property
    def sums(self) -> Sums:
        """All three."""
        return by_equations(self.known)

    def ending(self) -> Near:
        """The probability of ending."""
        return Near(1.0, 0.0) if self.known.sure and not self.known.exact else self.sums.ending


def _best(known: BeforeEnd, series: Series, equations: _Once) -> Sums:
    """The sums with the smaller proven error."""
    found = [one] if (one := series.sums()) is not None else []
    small = known.exact or int(known.live.sum()) <= ELIMINATION_LIMIT
    if small or not found or not found[0].worst <= ACCURACY:
        try:
            found.insert(0, equations.sums)
        except NotConverged:
            if not found:
                raise
    best = min(found, key=lambda sums: sums.worst)
    if not known.sure:
        return best
    certain = Near(Fraction(1) if known.exact else 1.0, 0.0)
    return Sums(certain, best.first, best.second, best.method, best.refused)


def _answer(machine: Chain, known: BeforeEnd, series: Series, sums: Sums) -> LengthDistribution:
    ending, mean, variance = sums.ending, sums.mean(), sums.variance()
    beyond, at_most = series.beyond(ending)
    relative = ending.relative
    listed = math.expm1(math.log1p(series.relative) + math.log1p(relative)) + rounded(2)
    bound = 0.0 if known.exact else max(listed, relative, mean.relative)
    refused = series.refused or sums.refused
    if not refused and not bound < 1:
        refused = "the equations of the mean hold too poorly to bound it"
    low = ending.ends[0]
    proven = at_most / low * (1 + rounded(4)) if not refused and low else 1.0
    rate, between = _tail_rate(machine, known, series)
    tail = series.tail
    if tail is not None:
        tail = Tail(tail.first, tail.block / float(ending.value), tail.low, tail.high)
    both = dict.fromkeys((series.method, sums.method))
    return LengthDistribution(
        chain=machine,
        start=known.words,
        probability_of_ending=ending.value,
        pmf=read_only(series.listed / ending.value),
        beyond=beyond / ending.value,
        beyond_at_most=min(1.0, proven),
        mean_tokens=mean.value,
        variance=variance.value,
        variance_error=variance.error if math.isfinite(variance.error) else UNCERTIFIED,
        tail_rate=rate,
        tail_rate_between=between,
        method="; ".join(both),
        error_bound=UNCERTIFIED if refused else bound,
        uncertified_because=refused,
        _tail=tail,
    )


def _tail_rate(
    machine: Chain, known: BeforeEnd, series: Series
) -> tuple[float, tuple[float, float] | None]:
    if series.tail is not None:
        low, high = series.tail.rate_between
        return low + (high - low) / 2, None if series.refused else (low, high)
    classes = [] if series.finished else live_classes(known)
    if not classes:
        return (_last_factor(series.found), None) if series.refused else (0.0, (0.0, 0.0))
    if int(known.live.sum()) > ELIMINATION_LIMIT:
        if series.bounds is not None and not series.refused:
            low, high = series.bounds.rate_between
            return min(max(_last_factor(series.found), low), high), (low, high)
        return _last_factor(series.found), None
    before, part = rounding_of(machine), known.part.floats()
    found = [decay(part, states, before=before) for states in classes]
    low, high = max(one.low for one in found), max(one.high for one in found)
    rate = max(one.rate for one in found)
    return rate, None if any(one.refused for one in found) else (low, min(high, 1.0))


def _last_factor(found: Numbers) -> float:
    """By what the last probabilities went down a token."""
    held = np.flatnonzero(found)
    if not len(held):
        return math.nan
    first, last = held[len(held) // 2], held[-1]
    if first == last:
        return math.nan
    return float((found[last] / found[first]) ** (1 / (last - first)))


def _never(machine: Chain, known: BeforeEnd) -> LengthDistribution:
    """No text ends."""
    zero = Fraction(0) if known.exact else 0.0
    return LengthDistribution(
        chain=machine,
        start=known.words,
        probability_of_ending=zero,
        pmf=read_only([], object if known.exact else np.float64),
        beyond=zero,
        beyond_at_most=0.0,
        mean_tokens=math.inf,
        variance=math.inf,
        variance_error=0.0,
        tail_rate=0.0,
        tail_rate_between=None,
        method="by the graph alone",
        error_bound=0.0,
    )
