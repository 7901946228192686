"""Reaching a set of states or a text: how likely, how soon, and how sure that time is.

The first time T at which the chain is in a set A, X_0 counting: P(T <= n), P(T < infinity), both
also before another set is entered, and the mean and variance of T. The probabilities are those of
"until" (:mod:`fsm_gpt.markov.until`), the times are :mod:`fsm_gpt.markov.reaching_time`.

Where A is not reached for certain the mean time is infinite. The time *given that A is reached* is
another question, and finite.

References
----------
Norris (1997), Markov Chains, section 1.3. Kemeny & Snell (1976), Finite Markov Chains, chapter 3.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, StateSpaceTooLarge
from fsm_gpt.markov.constrained import reaching
from fsm_gpt.markov.first_step import FirstStep, decided, indicator
from fsm_gpt.markov.reaching_time import Times, times
from fsm_gpt.markov.state_sets import StateSet, begin, in_words, mean_of, state_set, summing_error
from fsm_gpt.markov.until import Until, answered
from fsm_gpt.result import UNCERTIFIED, Bound, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Reach", "reach"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Reach(Until):
    """How likely a set is reached, and how soon, from every state and from a start."""

    error_meaning = "relative error of every probability and mean"

    target: Ids
    """The set, ascending."""
    avoid: Ids
    """What must not be entered before, ascending; empty where nothing is."""
    given_reached: bool = False
    """Whether the times are those given that the set is reached."""
    mean_steps: Numbers | None = None
    """Until the set is reached, shape (N,), infinite where that is not certain; None where no
    time was asked for or found."""
    variances: Numbers | None = None
    """Of that time in steps squared, shape (N,)."""
    variance_errors: Numbers | None = None
    """The proven absolute error of each variance, shape (N,); None where there is no proof."""
    mean: Any = None
    """The mean number of steps from the start."""
    variance: Any = None
    """Of the time from the start, in steps squared."""
    variance_error: Any = None
    """Of that variance, absolute and proven; None where there is no proof."""
    no_times_because: str = ""
    """Why there are no times, where some were asked for."""

    def __str__(self) -> str:
        head = f"{self.formula} ({self.method}; {self.error_sentence})"
        tail = [f"  no times: {self.no_times_because}"] if self.no_times_because else []
        return "\n".join([head, *self.lines(), *tail])

    def lines(self) -> list[str]:
        """Probabilities and times, a line each: from the start, or from the first states."""
        lines = super().lines()
        if self.mean_steps is None:
            return lines
        if self.start is not None:
            return [lines[0] + self._time(self.mean, self.variance, self.variance_error)]
        errors = self.variance_errors
        assert self.variances is not None
        with_times = [
            line
            + self._time(
                self.mean_steps[s], self.variances[s], errors if errors is None else errors[s]
            )
            for s, line in enumerate(lines[:16])
        ]
        return with_times + lines[16:]

    def _time(self, mean: Any, variance: Any, error: Any) -> str:
        given = " if it is reached" if self.given_reached else ""
        text = f", {format_number(mean)} steps{given}"
        if mean == np.inf:
            return text
        return f"{text}, variance {format_number(variance)}{_known(variance, error)}"


def _known(variance: Any, error: Any) -> str:
    """How far a variance can be trusted, where that is less than what is shown."""
    if error is None:
        return " (uncertified)"
    if error == 0 or error <= 1e-6 * variance:
        return ""
    return f" (error at most {format_number(float(error), 2)})"


def reach(
    chain: Chain,
    target: StateSet,
    *,
    within: int | None = None,
    avoid: StateSet | None = None,
    start: Any = None,
    given_reached: bool = False,
    exact: bool = False,
) -> Reach:
    """The probability of reaching a set of states or a text, and the time until then.

    Parameters
    ----------
    target
        What is to be reached: a state by id or label, several, a mask of shape (N,), a function
        that says of a label whether its state belongs; or a text, which is reached when the
        context ends with it. A start in the set has reached it.
    within
        In so many steps at most; without it, ever.
    avoid
        A set that must not be entered before, named in the same ways.
    start
        A state, a prompt, or a distribution of shape (N,), for one number.
    given_reached
        The times given that the target is reached, instead of infinite ones.
    exact
        Take the binary values of float rows and answer in rationals.

    Returns
    -------
    Probabilities; with neither ``within`` nor ``avoid`` also mean and variance of the time. Of a
    chain with a state ``unexplored``, the probabilities from both sides.

    Raises
    ------
    StateOutOfRange, InvalidText, InvalidArgument
        A set or the start names what is not there, a text is longer than the context, or
        ``within`` is no number of steps.
    NotConverged
        Without ``within``: the chain is too large to eliminate and too stiff for the iteration.

    References
    ----------
    Norris (1997), theorems 1.3.2 and 1.3.5. Kemeny & Snell (1976), theorem 3.3.5.

    Examples
    --------
    A fair coin until HH from TT: 6 throws on average, with a variance of 22 (Feller 1968, XIII.7):

    >>> coin = Chain([["1/2", "1/2"]] * 4, vocabulary="HT")
    >>> print(reach(coin, "HH", start="TT"))
    reaching HH (elimination without subtraction; exact)
      from TT: probability 1, 6 steps, variance 22
    >>> print(*reach(coin, "HH", within=2).probabilities)
    1 1/4 1/2 1/4
    """
    inside = state_set(chain, target, "reach")
    shunned = np.zeros(chain.n_states, dtype=bool)
    if avoid is not None:
        shunned = state_set(chain, avoid, "reach") & ~inside
    timed = within is None and avoid is None
    if given_reached and not timed:
        raise InvalidArgument(
            "reach: given_reached=True is about the time until the target, which is worked out "
            "where neither within nor avoid is given. Leave these out, or it."
        )

    def ask(part: Chain, unexplored: Mask) -> Any:
        return reaching(part, ~shunned, inside | unexplored, within)

    words = f"reaching {_named(chain, inside, target)}"
    if within is not None:
        words += f" within {within} step{'' if within == 1 else 's'}"
    words += "" if avoid is None else f" before {_named(chain, shunned, avoid)}"
    found = answered(chain, ask, within, start, exact, words, "reach")
    part = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    part |= {"target": np.flatnonzero(inside), "avoid": np.flatnonzero(shunned)}
    if timed:
        part |= {"given_reached": given_reached} | _timed(found, inside, start, given_reached)
    return Reach(**part)


def _named(chain: Chain, inside: Mask, given: StateSet) -> str:
    """The states by name; those named by a text by the text, and by name too where they are few."""
    count = np.count_nonzero(inside)
    if not isinstance(given, str) or count == 1:
        return in_words(chain, inside)
    return (
        f"{given!r}: {in_words(chain, inside)}" if count <= 8 else f"{given!r} ({count:,} states)"
    )


def _timed(found: Until, inside: Mask, start: Any, given_reached: bool) -> dict[str, Any]:
    """The fields that tell of times, and the bound and method with them."""
    chain = found.chain
    if chain.unexplored is not None:
        return {"no_times_because": "a part of the chain is unexplored, and it may take any time"}
    steps = FirstStep(chain)
    try:
        if given_reached:
            h, h_error = found.probabilities, found.error_bound
            took = times(steps, inside, h, h_error, (h != 0) & ~inside)
        else:
            sure = decided(chain, inside)[1]
            took = times(steps, inside, indicator(chain, sure), 0.0, sure & ~inside)
    except (NotConverged, StateSpaceTooLarge) as problem:
        return {"no_times_because": str(problem)}
    bound: Bound = UNCERTIFIED
    if UNCERTIFIED not in (found.error_bound, took.mean_error):
        bound = max(float(found.error_bound), float(took.mean_error))
    methods = dict.fromkeys(m for m in (found.method, steps.method) if m != "by the graph alone")
    fields = {
        "mean_steps": read_only(took.mean),
        "variances": read_only(took.variance),
        "variance_errors": None if took.variance_error is None else read_only(took.variance_error),
        "method": "; ".join(methods) or found.method,
        "error_bound": bound,
        "uncertified_because": found.uncertified_because or took.uncertified_because,
    }
    if start is None:
        return fields
    weights = begin(chain, start)
    if given_reached:
        weights = _given(weights, found.probabilities)
    alone = _from_start(weights, took)
    if bound != UNCERTIFIED:
        weighed = 3 * float(bound) * (1 + float(bound)) if given_reached else float(bound)
        fields["error_bound"] = weighed + summing_error(weights)
    return fields | alone._asdict()


def _given(weights: Numbers, h: Numbers) -> Numbers:
    """The distribution of the start given that the set is reached."""
    both = weights * h
    total = both.sum()
    return both if total == 0 else both / total


class _Alone(NamedTuple):
    mean: Any
    variance: Any
    variance_error: Any


def _from_start(weights: Numbers, took: Times) -> _Alone:
    """Mean and variance of the time from a distribution over the states.

    The variance is that of the time from each, and of what is expected from each.
    """
    some = np.flatnonzero(weights != 0)
    if not len(some):
        return _Alone(np.inf, np.inf, None)
    if len(some) == 1:
        s = some[0]
        error = None if took.variance_error is None else float(took.variance_error[s])
        return _Alone(took.mean[s], took.variance[s], error)
    mean = mean_of(weights, took.mean)
    if mean == np.inf:
        return _Alone(mean, np.inf, 0.0)
    apart = took.mean[some] - mean
    variance = (weights[some] * (took.variance[some] + apart**2)).sum()
    if took.mean.dtype == object:
        return _Alone(mean, variance, 0.0)
    if took.variance_error is None or took.mean_error == UNCERTIFIED:
        return _Alone(mean, float(variance), None)
    room = 2 * float(took.mean_error) + (len(some) + 8) * _UNIT
    off = room * (took.mean[some] + mean)
    error = took.variance_error[some] + 2 * np.abs(apart) * off + off**2
    total = float((weights[some] * error).sum()) + room * float(variance)
    return _Alone(mean, float(variance), total * (1 + 1e-6))
