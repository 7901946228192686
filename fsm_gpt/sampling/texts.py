"""Many texts of a chain, drawn side by side, and means over them.

What is worked out of a chain can be watched to happen: draw texts, look at each, take the mean. The
texts are independent, so by the central limit theorem the mean of n of them lies within
z s / sqrt(n) of the true one in a known share of cases, s^2 the variance between texts and z the
normal quantile (Asmussen & Glynn 2007, section III.1). Of a share that was never or always seen the
variance says nothing; then the interval ends where a true share would still show so with the
probability left over, at 1 - alpha^(1/n): the rule of three (Hanley & Lippman-Hand 1983, JAMA 249,
1743-1745).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.result import Result, frozen
from fsm_gpt.simulate import draw, follower
from fsm_gpt.space import PAD

__all__ = ["SampledMean", "SampledTexts", "sample_texts"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SampledMean(Result):
    """A mean over independent samples, with a confidence interval."""

    mean: float
    low: float
    """The interval's lower end."""
    high: float
    """Its upper end."""
    confidence: float
    standard_error: float
    samples: int

    def standard_errors_from(self, value: float) -> float:
        """How far a value lies from the mean, in standard errors; infinite where there are none."""
        off = abs(float(value) - self.mean)
        if off == 0:
            return 0.0
        return off / self.standard_error if self.standard_error > 0 else math.inf

    def __str__(self) -> str:
        return (
            f"{self.mean:.5g}, interval {self.low:.5g} to {self.high:.5g} "
            f"({100 * self.confidence:g}%, {self.samples:,} samples)"
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SampledTexts(Result):
    """Texts of a chain, drawn independently of each other."""

    _hidden = ("chain", "tokens", "lengths", "ended")

    chain: Chain = field(repr=False)
    start: int
    """The state they began in; what led there is no part of a text."""
    seed: int
    most_tokens: int
    """So many were drawn of a text that had not ended."""
    tokens: Ids
    """Token ids, shape (n, longest), padded behind with -1."""
    lengths: Ids
    """How many tokens, the one that ends a text not counted, shape (n,)."""
    ended: npt.NDArray[np.bool_]
    """Which texts have ended, shape (n,)."""

    @property
    def samples(self) -> int:
        """The number of texts."""
        return len(self.lengths)

    def mean(self, f: Callable[[tuple[str, ...]], Any], *, confidence: float = 0.95) -> SampledMean:
        """The mean of a number, or the share of a property, over the texts.

        Parameters
        ----------
        f
            From a text, as the tuple of its tokens, to a number or a truth value. It is asked
            once of each different text.
        confidence
            The share of cases in which the interval holds the true mean.

        Raises
        ------
        InvalidArgument
            f is not a finite number, or the confidence is not between 0 and 1.
        """
        rows, place = np.unique(self.tokens, axis=0, return_inverse=True)
        names = self.chain.vocabulary.tokens
        texts = (tuple(names[t] for t in row if t != PAD) for row in rows.tolist())
        values = np.array([_number(f(text), text) for text in texts], dtype=np.float64)
        return _mean(values[place.reshape(-1)], confidence)

    def share_ended(self, *, confidence: float = 0.95) -> SampledMean:
        """The share of the texts that have ended."""
        return _mean(self.ended.astype(np.float64), confidence)

    def __str__(self) -> str:
        some = [
            self.chain.vocabulary.decode(row[:length])
            for row, length in zip(self.tokens[:8].tolist(), self.lengths[:8], strict=True)
        ]
        ends = "" if self.chain.end is None else f", {int(self.ended.sum()):,} of them ended"
        lines = [
            f"{self.samples:,} texts from state {self.chain.label(self.start)}, seed "
            f"{self.seed}{ends}",
            *(f"  {text}" for text in some),
        ]
        return "\n".join(lines)


def sample_texts(
    chain: Chain,
    n: int,
    *,
    start: int | str | Sequence[int],
    most_tokens: int = 1000,
    seed: int = 0,
) -> SampledTexts:
    """Draw texts of a chain, until its END or for so many tokens.

    Parameters
    ----------
    n
        How many texts.
    start
        The state that each begins in, by id, label or token ids.
    most_tokens
        A text that has not ended by then is left there; without END that is every text.
    seed
        The same seed gives the same texts.

    Raises
    ------
    StateOutOfRange
        There is no such start.
    InvalidChain
        The rows hold symbols.
    InvalidArgument
        A number is not what it should be.

    References
    ----------
    Asmussen & Glynn (2007), Stochastic Simulation, section III.1.

    Examples
    --------
    A coin until heads takes one throw of tails on average:

    >>> coin = Chain([[0.5, 0.5]] * 2, vocabulary="th").with_stop("h")
    >>> found = sample_texts(coin, 10_000, start="t")
    >>> found.mean(len).standard_errors_from(1.0) < 4
    True
    """
    for value, what, least in (
        (n, "number of texts", 2),
        (most_tokens, "most_tokens", 1),
        (seed, "seed", 0),
    ):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidArgument(
                f"sample_texts: the {what} is {value!r}. Give a whole number of {least} or more."
            )
    first = chain.state(start)
    table, lengths, ended = _drawn(chain, int(n), first, int(most_tokens), int(seed))
    return SampledTexts(
        chain=chain,
        start=first,
        seed=int(seed),
        most_tokens=int(most_tokens),
        tokens=frozen(table),
        lengths=frozen(lengths),
        ended=frozen(ended),
    )


def _drawn(
    chain: Chain, n: int, first: int, most_tokens: int, seed: int
) -> tuple[Ids, Ids, npt.NDArray[np.bool_]]:
    """Tokens, lengths, and which texts have ended."""
    after, generator = follower(chain), np.random.default_rng(seed)
    state, lengths = np.full(n, first), np.zeros(n, dtype=np.int64)
    going = np.arange(n) if first != chain.end else np.arange(0)
    columns: list[Ids] = []
    while len(going) and len(columns) < most_tokens:
        following = after(state[going])
        place, each = draw(following.weights, generator.random(len(going))), np.arange(len(going))
        state[going] = following.targets[each, place]
        goes_on = state[going] != (-1 if chain.end is None else chain.end)
        going = going[goes_on]
        column = np.full(n, PAD, dtype=np.int64)
        column[going] = following.tokens[each, place][goes_on]
        lengths[going] += 1
        columns.append(column)
    table = np.stack(columns, axis=1) if columns else np.empty((n, 0), dtype=np.int64)
    ended = np.ones(n, dtype=bool)
    ended[going] = False
    return table, lengths, ended


def _number(value: Any, text: tuple[str, ...]) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidArgument(
            f"mean: of the text {' '.join(text)[:60]!r} the value is {value!r}, and a mean is over "
            f"finite numbers. Return a number or a truth value."
        )
    return number


def _mean(values: Floats, confidence: float) -> SampledMean:
    from scipy.stats import norm

    if not 0 < confidence < 1:
        raise InvalidArgument(
            f"mean: the confidence {confidence!r} is not between 0 and 1, both excluded."
        )
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(n)
    reach = float(norm.isf((1 - confidence) / 2)) * error
    low, high = mean - reach, mean + reach
    if error == 0 and mean in (0.0, 1.0):  # a share that was never or always seen
        unseen = -math.expm1(math.log1p(-confidence) / n)
        low, high = (0.0, unseen) if mean == 0 else (1.0 - unseen, 1.0)
    return SampledMean(
        mean=mean, low=low, high=high, confidence=confidence, standard_error=error, samples=n
    )
