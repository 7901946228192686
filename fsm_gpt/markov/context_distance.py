"""How far apart two chains write: the total variation between their laws of n tokens in a row.

With mu and nu the laws of n tokens in the long run of each, the *total variation distance* is

    1/2 sum_w |mu(w) - nu(w)|,

the largest difference that the two give to any set of such texts, between 0 and 1. Where n is
the context of both, mu and nu are the stationary distributions. It falls with n, and a KL rate of
zero one way makes it zero where the model has one closed class.

*Error.* Laws that are right to factors within 1 +- e and 1 +- f change the sum by (e + f) / 2 at
most, as they sum to one.

References
----------
Levin & Peres (2017), Markov Chains and Mixing Times, proposition 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.paired import context_length, of_one_vocabulary
from fsm_gpt.markov.token_blocks import BlockLaw, block_law
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers

__all__ = ["ContextDistance", "context_distance"]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ContextDistance(Bounded):
    """The total variation between two laws of n tokens in a row."""

    _hidden: ClassVar[tuple[str, ...]] = ("chain", "reference")
    error_meaning = "absolute error"

    chain: Chain = field(repr=False)
    """The model."""
    reference: Chain = field(repr=False)
    n_tokens: int
    """n."""
    total_variation: Any
    """Between 0 and 1, no unit: a float, or a Fraction where both chains are rational."""

    def __str__(self) -> str:
        tokens = "1 token" if self.n_tokens == 1 else f"{self.n_tokens} tokens"
        return (
            f"total variation between the laws of {tokens}: "
            f"{format_number(self.total_variation)} ({self.method}; {self.error_sentence})"
        )


def context_distance(
    reference: Chain, model: Chain, *, n_tokens: int | None = None
) -> ContextDistance:
    """The total variation between what the two write in the long run, n tokens at a time.

    Parameters
    ----------
    n_tokens
        n, from 1; the shorter of the two contexts if not given. Where the states are plain names
        they have none, and the other's counts; one token, if there is no other.

    Raises
    ------
    InvalidArgument
        The vocabularies differ, or n is no whole number of 1 or more.
    NotUnique
        One of them has several closed classes.
    NotDefined
        One ends, or holds symbols.
    StateSpaceTooLarge
        There are too many blocks of so many tokens.

    References
    ----------
    Levin & Peres (2017), proposition 4.2.

    Examples
    --------
    >>> one = Chain.from_matrix([["1/2", "1/2"], ["1/4", "3/4"]])
    >>> other = Chain.from_matrix([["1/2", "1/2"], ["1/2", "1/2"]])
    >>> context_distance(one, other).total_variation
    Fraction(1, 6)
    """
    for chain in (reference, model):
        require_complete(chain, "context distance")
        if chain.kind == "symbolic":
            raise NotDefined(
                "context distance: the rows of one of the two hold symbols, which have no value. "
                "Put numbers in for them first."
            )
    of_one_vocabulary(reference, model, "context distance")
    n = _tokens(reference, model, n_tokens)
    mu, nu = (block_law(chain, n, "context distance") for chain in (reference, model))
    difference, terms = _difference(mu, nu)
    exact = difference.dtype == object
    bound: Bound = 0.0 if exact else UNCERTIFIED
    reason = mu.reason or nu.reason
    if not exact and UNCERTIFIED not in (mu.bound, nu.bound):
        bound = (float(mu.bound) + float(nu.bound)) / 2 * (1 + 1e-9) + (terms + 4) * _UNIT
    total = np.abs(difference).sum() / 2
    return ContextDistance(
        chain=model,
        reference=reference,
        n_tokens=n,
        total_variation=total if exact else float(total),
        method="laws of tokens in the long run",
        error_bound=bound,
        uncertified_because=reason if bound == UNCERTIFIED else "",
    )


def _tokens(reference: Chain, model: Chain, given: int | None) -> int:
    if given is None:
        known = [n for n in map(context_length, (reference, model)) if n is not None]
        return max(min(known, default=1), 1)
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or given < 1:
        raise InvalidArgument(
            f"context distance: {given!r} tokens in a row is not a whole number of 1 or more."
        )
    return int(given)


def _difference(mu: BlockLaw, nu: BlockLaw) -> tuple[Numbers, int]:
    """mu(w) - nu(w) for every block that either has, and how many there are."""
    number = np.union1d(mu.number, nu.number)
    rational = mu.weight.dtype == object and nu.weight.dtype == object
    difference = np.zeros(len(number), dtype=object if rational else np.float64)
    difference[np.searchsorted(number, mu.number)] += mu.weight.astype(difference.dtype)
    difference[np.searchsorted(number, nu.number)] -= nu.weight.astype(difference.dtype)
    return difference, len(number)
