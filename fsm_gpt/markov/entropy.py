"""Entropy rate, block entropies and the memory curve, in bits.

The *entropy rate* of a stationary process is the uncertainty of the next token given
everything before it. For a chain whose state is known once its tokens are known,

    h = sum_s pi(s) H(next_token[s]).

It is the entropy of the tokens. That of the states is smaller where two tokens lead to
one state.

The *memory curve* is h_k = H(next token | last k tokens), the entropy rate of the best
guess that looks back k tokens: h_0 >= h_1 >= ... >= h_L = h. The order-k marginals of pi
are sums over the older tokens. The *block entropies* are H(k) = h_0 + ... + h_{k-1}, and
the *excess entropy* E = sum_k (h_k - h) is what the past tells of the future.

*Error.* No term is negative, so relative errors do not grow: that of h is at most that of
pi, plus rounding. The logarithm of the most probable token's p is taken as log1p(-(sum of
the others)), which keeps its digits where p is nearly one. Logarithms are trusted to four
units in the last place.

References
----------
Cover & Thomas (2006), Elements of Information Theory, theorem 4.2.4 and section 4.2.
Crutchfield & Feldman (2003), Chaos 13, 25-54 (block entropies, excess entropy).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.algebra import conversion_error
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.limiting import class_weights
from fsm_gpt.markov.stationary import not_unique, stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.rows import Numbers, kind_of, objects
from fsm_gpt.space import PAD

__all__ = ["EntropyRate", "MemoryCurve", "entropy_rate", "memory_curve", "row_entropies"]

_UNIT = 2.0**-53


def row_entropies(rows: Numbers) -> Numbers:
    """The entropy of each row in bits, shape (n,); rows need not sum to one.

    Rationals and expressions give sympy expressions.

    >>> row_entropies(np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([1., 0.])
    """
    if rows.dtype == object:
        return objects((_expression(row) for row in rows), (len(rows),))
    p = rows.astype(np.float64)
    p = p / p.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(p > 0, p * surprise(p), 0.0).sum(axis=1))


def surprise(p: Numbers) -> Numbers:
    """-log2 of every entry of rows that sum to one, its digits kept where p is nearly one.

    >>> float(surprise(np.array([[1e-20, 1.0]]))[0, 1]) > 0
    True
    """
    with np.errstate(divide="ignore"):
        bits = -np.log2(p)
    top = p.argmax(axis=1)
    every = np.arange(len(p))
    others = p.copy()
    others[every, top] = 0
    sharp = p[every, top] > 0.5
    rest = others.sum(axis=1)
    bits[every[sharp], top[sharp]] = -np.log1p(-rest[sharp]) / np.log(2)
    return np.asarray(bits)


def _expression(row: Numbers) -> Any:
    import sympy

    terms = [sympy.sympify(p) for p in row if p != 0]
    return sum((-p * sympy.log(p) / sympy.log(2) for p in terms), sympy.Integer(0))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EntropyRate(Bounded):
    """The uncertainty of the next token in the long run."""

    error_meaning = "relative error"

    chain: Chain = field(repr=False)
    bits_per_token: Any
    """Bits per token: a float, or an expression where the chain is exact."""
    state_bits_per_step: Any
    """The entropy rate of the states, smaller where two tokens lead to one state."""

    @property
    def perplexity(self) -> float:
        """Two to the power of the entropy rate: the size of a fair die as uncertain."""
        if getattr(self.bits_per_token, "free_symbols", None):
            raise NotDefined(
                "perplexity: the entropy rate holds symbols, which have no value. Put numbers in "
                "for them first."
            )
        return float(2.0 ** float(self.bits_per_token))

    def __str__(self) -> str:
        value = format_number(self.bits_per_token)
        return f"entropy rate: {value} bits per token ({self.method}; {self.error_sentence})"


def entropy_rate(chain: Chain, *, start: Any = None, exact: bool = False) -> EntropyRate:
    """Uncertainty of the next token in the long run, in bits per token.

    H = sum_s pi(s) H(next_token[s]), pi of shape (N,). It is the entropy of the
    tokens; that of the states is smaller where two tokens lead to one state.

    Parameters
    ----------
    start
        A state or a distribution, needed where the chain has several closed classes:
        the answer is then the mean over where the chain ends.
    exact
        Take the binary values of float rows; the answer is a sympy expression.

    Raises
    ------
    NotUnique
        Several closed classes and no ``start``.

    References
    ----------
    Cover & Thomas (2006), Theorem 4.2.4.

    Examples
    --------
    The golden mean process emits no two zeros in a row (2/3 bit):

    >>> golden = Chain.from_matrix([["1/2", "1/2"], [1, 0]])
    >>> print(entropy_rate(golden).bits_per_token)
    2/3
    """
    chain = chain.exact() if exact else chain
    pi, pi_bound, reason = long_run(chain, start, "entropy rate")
    if chain.dtype == object:
        rates = [_exact_rate(pi, rows) for rows in (chain.next_token, _state_rows(chain))]
        bound = pi_bound
    else:
        rates = [
            float(np.dot(pi, row_entropies(rows)))
            for rows in (chain.next_token, _state_rows(chain))
        ]
        bound = _with_rounding(pi_bound, chain.n_states + 3 * chain.n_tokens + 20)
    return EntropyRate(
        chain=chain,
        bits_per_token=rates[0],
        state_bits_per_step=rates[1],
        method="row entropies weighted by the stationary distribution",
        error_bound=bound,
        uncertified_because=reason,
    )


def long_run(chain: Chain, start: Any, what: str) -> tuple[Numbers, Bound, str]:
    """The long-run share of time in each state, with a bound on its relative error.

    From a start, the bound is relative only where the hitting probabilities are exact.
    """
    stationary = stationary_distribution(chain)
    if start is None:
        if len(stationary.classes) > 1:
            raise not_unique(what, [states for states, _ in stationary.classes])
        return stationary.pi, stationary.error_bound, stationary.uncertified_because
    weights, weight_error = class_weights(chain, communicating_classes(chain), start)
    pi = (weights[:, None] * stationary.dense()).sum(axis=0)
    if weight_error == 0.0 or len(stationary.classes) == 1:
        return pi, stationary.error_bound, stationary.uncertified_because
    if UNCERTIFIED in (weight_error, stationary.error_bound):
        return pi, UNCERTIFIED, stationary.uncertified_because
    smallest = float(min(weight for weight in weights if weight > 0))
    relative = float(weight_error) / smallest
    if relative >= 0.5:
        return pi, UNCERTIFIED, "a closed class is reached too rarely to bound its weight"
    return pi, float(stationary.error_bound) + 2 * relative, ""


def _with_rounding(bound: Bound, roundings: int, converted: float = 0.0) -> Bound:
    """A relative bound after so many further roundings of non-negative terms."""
    if bound == UNCERTIFIED:
        return bound
    extra = roundings * _UNIT * (1 + 1e-9) + converted
    return (1 + float(bound)) * (1 + extra) - 1 + _UNIT


def _state_rows(chain: Chain) -> Numbers:
    """Rows in which the tokens that lead to one state are added up, in arbitrary columns."""
    successors = chain.successors()
    rows = np.array(chain.next_token)
    order = np.argsort(successors, axis=1, kind="stable")
    target = np.take_along_axis(successors, order, axis=1)
    if not ((target[:, 1:] == target[:, :-1]) & (target[:, 1:] >= 0)).any():
        return rows
    rows = np.take_along_axis(rows, order, axis=1)
    for column in range(1, rows.shape[1]):
        same = (target[:, column] == target[:, column - 1]) & (target[:, column] >= 0)
        rows[same, column] += rows[same, column - 1]
        rows[same, column - 1] = 0
    return rows


def _exact_rate(pi: Numbers, rows: Numbers) -> Any:
    import sympy

    total = sympy.Integer(0)
    for mass, entropy in zip(pi, row_entropies(rows), strict=True):
        total += sympy.sympify(mass) * entropy
    symbolic = kind_of(pi) == "symbolic" or kind_of(rows) == "symbolic"
    return sympy.simplify(total) if symbolic else _gathered(total)


def _gathered(expression: Any) -> Any:
    """The logarithms of rationals taken apart into those of primes, so that they cancel."""
    import sympy

    return sympy.expand(sympy.expand_log(expression.xreplace(_prime_logs(expression)), force=True))


def _prime_logs(expression: Any) -> dict[Any, Any]:
    import sympy

    replacement = {}
    for logarithm in expression.atoms(sympy.log):
        argument = logarithm.args[0]
        if argument.is_Rational:
            parts = sympy.factorrat(argument)
            replacement[logarithm] = sum(
                (power * sympy.log(prime) for prime, power in parts.items()), sympy.Integer(0)
            )
    return replacement


# ---- memory ----


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MemoryCurve(Bounded):
    """How the uncertainty of the next token falls as more of the past is known."""

    error_meaning = "relative error of every h_k and H(k), not of their differences,"

    chain: Chain = field(repr=False)
    bits_per_token: Numbers
    """h_k = H(next | last k tokens) for k = 0 to L, shape (L + 1,)."""
    block_bits: Numbers
    """H(k), the entropy of k tokens in a row, for k = 0 to L + 1, shape (L + 2,)."""
    excess_bits: float
    """Excess entropy, sum of h_k - h over k < L, in bits."""

    @property
    def entropy_rate(self) -> float:
        """h = h_L, in bits per token."""
        return float(self.bits_per_token[-1])

    def __str__(self) -> str:
        lines = [f"memory curve in bits per token ({self.method}; {self.error_sentence})"]
        lines += [f"  last {k} tokens: {h:.6g}" for k, h in enumerate(self.bits_per_token)]
        lines.append(f"  excess entropy: {self.excess_bits:.6g} bits")
        return "\n".join(lines)


def memory_curve(chain: Chain) -> MemoryCurve:
    """The memory curve h_k, the block entropies and the excess entropy.

    Raises
    ------
    NotDefined
        The states are not contexts.
    NotUnique
        The chain has several closed classes.

    Examples
    --------
    A fair coin remembers nothing:

    >>> memory_curve(Chain([[0.5, 0.5]] * 4)).bits_per_token
    array([1., 1., 1.])
    """
    contexts = chain.states.contexts()
    if contexts is None:
        raise NotDefined(
            "memory curve: the states of this chain are not contexts, so there are no last k "
            "tokens to look at. It is defined for window chains and for the chain of a text."
        )
    converted = conversion_error(chain)
    chain = chain.floats()
    pi, bound, reason = long_run(chain, None, "memory curve")
    inside = pi > 0
    contexts, pi = contexts[inside], pi[inside]
    rows = chain.next_token[inside].astype(np.float64)
    rows = rows / rows.sum(axis=1, keepdims=True)
    L = contexts.shape[1]
    if (contexts == PAD).any():
        raise NotDefined("memory curve: a recurrent state has fewer than L tokens.")
    curve = np.empty(L + 1)
    suffix = np.zeros(len(pi), dtype=np.int64)
    for k in range(L + 1):
        if k:
            # Number the suffixes of k tokens by those of k - 1 and the token before them.
            keys = contexts[:, L - k] * (int(suffix.max()) + 1) + suffix
            suffix = np.unique(keys, return_inverse=True)[1]
        joint = np.zeros((int(suffix.max()) + 1, chain.n_tokens))
        np.add.at(joint, suffix, pi[:, None] * rows)
        curve[k] = np.dot(joint.sum(axis=1), row_entropies(joint))
    h = curve[-1]
    return MemoryCurve(
        chain=chain,
        bits_per_token=read_only(curve),
        block_bits=read_only(np.concatenate([[0.0], np.cumsum(curve)])),
        excess_bits=float(np.maximum(curve[:-1] - h, 0).sum()),
        method="marginals of the stationary distribution",
        error_bound=_with_rounding(
            bound, 2 * chain.n_states + 3 * chain.n_tokens + L + 24, converted
        ),
        uncertified_because=reason,
    )
