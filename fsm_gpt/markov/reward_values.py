"""What is earned at each transition: values by state, by token, by both, or the surprisal.

A reward r(s, t) is a number for each state s and token t. By state it is earned whenever the
state emits, by token whenever the token is emitted. One reward has a name: the *surprisal*
-log2 next_token[s, t], which adds up to minus the log-likelihood of the text, in bits.

A chain with a stop token emits nothing in END: whatever a reward says of END, it is zero there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, NotDefined
from fsm_gpt.markov.entropy import gathered
from fsm_gpt.markov.row_entropy import surprise_in_groups
from fsm_gpt.rows import Numbers, fraction_of, objects

__all__ = ["SURPRISAL", "Earning", "Of", "Values", "earning", "simplified"]

Ids = npt.NDArray[np.int64]
Of: TypeAlias = Literal["state", "token"]
Values: TypeAlias = Any

#: The name of the reward -log2 p.
SURPRISAL = "surprisal"

_UNIT = 2.0**-53
#: Larger whole numbers are not all floats.
_WHOLE = 2**53
#: Below this a probability has lost digits, and its logarithm with it.
_SMALLEST = 1e-300
#: Squares of larger values, times some powers of a number of tokens, are no floats.
_LARGEST = 1e140


@dataclass(frozen=True, eq=False)
class Earning:
    """The transitions of states that are never left, by source, and what each earns."""

    start: Ids
    """Where the transitions of each state begin, shape (n + 1,)."""
    target: Ids
    probability: Numbers
    """Each divided by its row's sum."""
    value: Numbers
    given: Numbers
    """The values as they were given, before they were made floats."""
    value_error: float
    """How far the value of a transition may be from the one that is meant."""
    product: Callable[[Numbers], Numbers] | None = None
    """P f, where the states are all of a chain that has it compiled."""

    @property
    def n(self) -> int:
        """The number of states."""
        return len(self.start) - 1

    @cached_property
    def lengths(self) -> Ids:
        """The number of transitions of each state."""
        return np.diff(self.start)

    @property
    def rounding(self) -> float:
        """The relative error of a state's sum of products with its probabilities."""
        return (2 * int(self.lengths.max()) + 8) * _UNIT * (1 + 1e-9)

    def sum(self, terms: Numbers) -> Numbers:
        """The sum of a number for each transition over those of each state, shape (n,)."""
        return np.asarray(np.add.reduceat(terms, self.start[:-1]))

    def expect(self, f: Numbers) -> Numbers:
        """The mean of f after a step, shape (n,)."""
        if self.product is not None:
            return self.product(f)
        return self.sum(self.probability * f[self.target])

    def step(self, after: Numbers) -> tuple[Numbers, Numbers]:
        """Mean and variance of what a step earns and what its target is worth, shapes (n,)."""
        worth = self.value + after[self.target]
        mean = self.sum(self.probability * worth)
        away = worth - np.repeat(mean, self.lengths)
        if away.dtype != object and not (most := float(np.abs(away).max())) <= _LARGEST:
            raise NotConverged(
                f"reward: what is still to be earned differs by {most:.1e} between states, and the "
                f"square of that is beyond the floats. Ask for exact=True."
            )
        return mean, self.sum(self.probability * (away * away))

    def zeros(self) -> Numbers:
        """Nothing, for each state."""
        return np.zeros(self.n, dtype=self.value.dtype)

    def inside(self, states: Ids) -> Earning:
        """Of some states, ascending, that are never left, numbered from 0."""
        if len(states) == self.n:
            return self
        place = np.full(self.n, -1, dtype=np.int64)
        place[states] = np.arange(len(states))
        here = np.repeat(place, self.lengths) >= 0
        start = np.append(0, np.cumsum(self.lengths[states]))
        return Earning(
            start,
            place[self.target[here]],
            self.probability[here],
            self.value[here],
            self.given[here],
            self.value_error,
        )


def earning(chain: Chain, values: Values, of: Of | None) -> Earning:
    """Every transition of a chain with what it earns.

    Raises
    ------
    InvalidArgument
        The values have no shape that fits, fit states and tokens alike, or one is no number.
    """
    edges = chain.edges()
    start = np.searchsorted(edges.source, np.arange(chain.n_states + 1)).astype(np.int64)
    p = edges.probability
    p = p if p.dtype == object else p.astype(np.float64, copy=False)
    if isinstance(values, str):
        given, error = _surprisal(chain, values, start, p)
    else:
        given, error = _given(chain, values, of, edges.source, edges.token), 0.0
    if chain.end is not None:
        given = np.where(edges.source == chain.end, given.dtype.type(0), given)
    value = given
    if p.dtype == object and given.dtype != object:
        value = objects(map(Fraction, given.tolist()), given.shape)
    elif p.dtype != object and given.dtype == object:
        value = _floats(given)
        error = _UNIT * float(np.abs(value).max(initial=0.0))
    if value.dtype != object and (most := float(np.abs(value).max(initial=0.0))) > _LARGEST:
        raise InvalidArgument(
            f"reward: a value is {most:.3g}, and squares of values above {_LARGEST:.0e} are beyond "
            f"the floats. Divide all values by one number, or take a chain of rationals."
        )
    return Earning(start, edges.target, p, value, given, error, chain.expect)


def _surprisal(chain: Chain, name: str, start: Ids, p: Numbers) -> tuple[Numbers, float]:
    """-log2 p of every transition, and the error of each."""
    if name != SURPRISAL:
        raise InvalidArgument(
            f"reward: there is no reward {name!r}. The one with a name is {SURPRISAL!r}; others "
            f"are arrays of shape (N, V), (N,) or (V,), or a function of state and token."
        )
    if chain.kind == "symbolic":
        raise NotDefined(
            "reward: the surprisal of rows with symbols holds logarithms of them, and its variance "
            "is not worked out. Put numbers in for the symbols, or ask entropy_rate() for the mean."
        )
    if p.dtype == object:
        import sympy

        exact = (gathered(-sympy.log(sympy.sympify(one)) / sympy.log(2)) for one in p)
        return objects(exact, p.shape), 0.0
    bits = surprise_in_groups(start, p)
    longest = int(np.diff(start).max())
    error = (3 * longest + 8) * _UNIT * float(bits.max())
    return bits + 0.0, error if float(p.min()) >= _SMALLEST else float("inf")


def _given(chain: Chain, values: Values, of: Of | None, source: Ids, token: Ids) -> Numbers:
    """The value of every transition, from a table, a column or a function."""
    if callable(values):
        return _checked(_asked(chain, values, source, token), chain, source, token)
    try:
        table = np.asarray(values)
    except ValueError:
        raise InvalidArgument(
            "reward: the values have rows of different lengths. Give each state a value for each "
            "token."
        ) from None
    whole = table.dtype.kind in "iu" and table.size and int(np.abs(table).max()) > _WHOLE
    if whole or table.dtype.kind not in "fiub":
        table = np.asarray(values, dtype=object)
    N, V = chain.n_states, chain.n_tokens
    kind = _kind(table.shape, N, V, of)
    if kind == "both":
        states, tokens = np.divmod(np.arange(table.size), V)
        return _checked(table.ravel(), chain, states, tokens).reshape(N, V)[source, token]
    ids, none = np.arange(len(table)), np.full(len(table), -1)
    if kind == "state":
        return _checked(table, chain, ids, none)[source]
    return _checked(table, chain, none, ids)[token]


def _kind(shape: tuple[int, ...], N: int, V: int, of: Of | None) -> str:
    """Whether values are by state, by token or by both."""
    if of not in (None, "state", "token"):
        raise InvalidArgument(f'reward: of={of!r} is neither "state" nor "token".')
    if shape == (N, V) and of is None:
        return "both"
    fits = [kind for kind, n in (("state", N), ("token", V)) if shape == (n,)]
    if of in fits:
        return str(of)
    if of is None and len(fits) == 1:
        return fits[0]
    if of is None and fits:
        raise InvalidArgument(
            f"reward: {N} values fit the {N} states and the {V} tokens alike. Say which are meant "
            f'with of="state" or of="token".'
        )
    wanted = {"state": f"({N:,},)", "token": f"({V:,},)"}
    expected = wanted[of] if of else f"({N:,}, {V:,}), {wanted['state']} or {wanted['token']}"
    raise InvalidArgument(
        f"reward: the values have the shape {shape}, and {expected} is needed: one for each "
        f"{of or 'state and token, each state, or each token'}."
    )


def _asked(chain: Chain, f: Callable[[str, str], Any], source: Ids, token: Ids) -> Numbers:
    """What a function of the names of state and token says of each transition."""
    names, tokens = chain.labels(np.unique(source)), chain.vocabulary.tokens
    found = [f(names[s], tokens[t]) for s, t in zip(source.tolist(), token.tolist(), strict=True)]
    plain = all(isinstance(one, (int, float, np.number)) for one in found)
    return np.array(found) if plain else objects(found, (len(found),))


def _checked(values: Numbers, chain: Chain, states: Ids, tokens: Ids) -> Numbers:
    """The values as floats or rationals, each of them a finite number."""

    def place(i: int) -> str:
        state = "" if states[i] < 0 else f" in state {chain.label(int(states[i]))}"
        token = "" if tokens[i] < 0 else f" of token {chain.vocabulary.shown[int(tokens[i])]!r}"
        return f"the value{token}{state}"

    if values.dtype != object:
        bad = ~np.isfinite(values)
        if bad.any():
            i = int(np.argmax(bad))
            raise InvalidArgument(
                f"reward: {place(i)} is {values[i]}, and a reward is a finite number. Replace it, "
                f"or take away what leads to it with a decoding rule."
            )
        return values.astype(np.float64)
    found = []
    for i, value in enumerate(values.tolist()):
        try:
            found.append(fraction_of(value))
        except (TypeError, ValueError, OverflowError, ZeroDivisionError):
            raise InvalidArgument(
                f"reward: {place(i)} is {value!r}, and a reward is a finite number: a float, a "
                f"whole number, a Fraction, or a string such as '1/3'."
            ) from None
    return objects(found, values.shape)


def _floats(given: Numbers) -> Numbers:
    try:
        return given.astype(np.float64)
    except OverflowError:
        raise InvalidArgument(
            "reward: a value is beyond the floats, above 1e308. Ask for exact=True."
        ) from None


def simplified(value: Any) -> Any:
    """A rational as it is, logarithms gathered, an expression in symbols factored.

    >>> simplified(2), simplified(Fraction(1, 3))
    (Fraction(2, 1), Fraction(1, 3))
    """
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    import sympy

    return sympy.factor(value) if value.free_symbols else gathered(value)
