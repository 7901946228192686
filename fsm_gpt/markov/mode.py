"""One eigenvalue as something that fades, in tokens, and may go round as it does.

What a start has of a function f with P f = lambda f is |lambda|^t of it after t tokens, so a
factor of e is gone in -1 / ln |lambda| tokens; lambda = r e^(i theta) turns once in
2 pi / |theta|. See :mod:`fsm_gpt.markov.time_scales`.

References
----------
Swope, Pitera & Suits (2004), J. Phys. Chem. B 108, 6571-6581 (implied time scales).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fsm_gpt.result import Result, format_number

__all__ = ["Mode", "mode_of", "tokens_of"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Mode(Result):
    """Something that a start has and that fades."""

    eigenvalue: complex
    """The one with a positive imaginary part, of a pair."""
    tokens: float
    """Until a factor of e of it is gone; infinite for a chain that is exactly periodic."""
    at_least_tokens: float
    """A proven lower bound on that; 0 where nothing is proven."""
    at_most_tokens: float
    """A proven upper bound on that; infinite where nothing is proven."""
    turn_tokens: float
    """In so many it goes round once; infinite where it does not turn."""

    @property
    def is_cycle(self) -> bool:
        """Whether it goes round at least once before it fades."""
        return self.turn_tokens < math.inf and self.turn_tokens <= self.tokens

    @property
    def dimension(self) -> int:
        """How many real functions belong to it: 2 for a pair of complex eigenvalues."""
        return 2 if self.eigenvalue.imag else 1

    def __str__(self) -> str:
        said = f"{format_number(self.tokens)} tokens"
        if self.at_least_tokens > 0 and self.at_least_tokens < self.tokens < math.inf:
            if self.at_most_tokens <= self.at_least_tokens * (1 + 1e-6):
                said += " (proven)"
            else:
                low, high = self.at_least_tokens, self.at_most_tokens
                said += f" (proven: {format_number(low)} to {format_number(high)})"
        if self.turn_tokens < math.inf:
            said += f", one turn in {format_number(self.turn_tokens)}"
        return said


def tokens_of(modulus: float) -> float:
    """-1 / ln of a modulus, whose digits are kept where it is nearly one.

    >>> round(tokens_of(0.5), 6), tokens_of(0.0), tokens_of(1.0)
    (1.442695, 0.0, inf)
    """
    if modulus <= 0:
        return 0.0
    if modulus >= 1:
        return math.inf
    return -1 / (math.log1p(modulus - 1) if modulus > 0.5 else math.log(modulus))


def mode_of(value: complex, radius: float, *, exact: bool) -> Mode:
    """The mode of a computed eigenvalue, a true one being within ``radius``.

    With ``exact`` it is a root of one, of a chain with that period, and lasts for ever.

    >>> print(mode_of(0.5j, 0.01, exact=False))
    1.4427 tokens (proven: 1.40184 to 1.48512), one turn in 4
    """
    modulus = abs(value)
    angle = abs(math.atan2(value.imag, value.real))
    if exact:
        return Mode(
            eigenvalue=value,
            tokens=math.inf,
            at_least_tokens=math.inf,
            at_most_tokens=math.inf,
            turn_tokens=2 * math.pi / angle,
        )
    widened = radius + 2.0**-52
    return Mode(
        eigenvalue=value,
        tokens=tokens_of(modulus),
        at_least_tokens=tokens_of(modulus - widened) * (1 - 1e-12),
        at_most_tokens=tokens_of(modulus + widened) * (1 + 1e-12),
        turn_tokens=2 * math.pi / angle if angle else math.inf,
    )
