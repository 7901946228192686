"""Entropy rate of the tokens and of the states, in bits.

The *entropy rate* of a stationary process is the uncertainty of the next token given
everything before it. For a chain whose state is known once its tokens are known,

    h = sum_s pi(s) H(next_token[s]).

It is the entropy of the tokens. That of the states is smaller where two tokens lead to
one state.

*Error.* No term is negative, so relative errors do not grow: that of h is at most that of
pi, plus the rounding of :mod:`fsm_gpt.markov.row_entropy`.

References
----------
Cover & Thomas (2006), Elements of Information Theory, theorem 4.2.4 and section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.classes import communicating_classes
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.limiting import class_weights
from fsm_gpt.markov.row_entropy import Rows, exact_entropy, mean_entropy, with_rounding
from fsm_gpt.markov.stationary import not_unique, stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers, kind_of
from fsm_gpt.storage import Edges

__all__ = ["EntropyRate", "entropy_rate", "gathered", "long_run"]


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
    require_complete(chain, "entropy rate")
    chain = chain.exact() if exact else chain
    pi, pi_bound, reason = long_run(chain, start, "entropy rate")
    merged = _merged(chain)
    bound = pi_bound
    if chain.dtype == object:
        tokens = _exact_rate(pi, chain.raw_edges())
        states = tokens if merged is None else _exact_rate(pi, merged)
    else:
        tokens, safe = mean_entropy(Rows.of_chain(chain), pi)
        states = tokens
        if merged is not None:
            states, states_safe = mean_entropy(
                Rows.of_groups(merged.source, merged.probability), pi
            )
            safe = safe and states_safe
        bound, reason = with_rounding(pi_bound, 6 * chain.n_tokens + 40, safe=safe, reason=reason)
    return EntropyRate(
        chain=chain,
        bits_per_token=tokens,
        state_bits_per_step=states,
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


def _merged(chain: Chain) -> Edges | None:
    """The transitions with those of one state into another added up; None if none are two.

    In a window chain no two tokens lead to one state.
    """
    if chain.is_window:
        return None
    edges = chain.raw_edges()
    order = np.lexsort((edges.target, edges.source))
    source, token, target, probability = (column[order] for column in edges)
    if probability.dtype == np.float32:
        probability = probability.astype(np.float64)
    new = np.append(True, (source[1:] != source[:-1]) | (target[1:] != target[:-1]))
    if new.all():
        return None
    first = np.flatnonzero(new)
    return Edges(source[first], token[first], target[first], np.add.reduceat(probability, first))


def _exact_rate(pi: Numbers, edges: Edges) -> Any:
    import sympy

    total = sympy.Integer(0)
    rows = np.split(edges.probability, np.flatnonzero(np.diff(edges.source)) + 1)
    for mass, row in zip(pi, rows, strict=True):
        total += sympy.sympify(mass) * exact_entropy(row)
    symbolic = "symbolic" in (kind_of(pi), kind_of(edges.probability))
    return sympy.simplify(total) if symbolic else gathered(total)


def gathered(expression: Any) -> Any:
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
