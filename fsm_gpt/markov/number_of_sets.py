"""How many metastable sets a chain has: the largest gap between its slow time scales.

Let t_2 >= t_3 >= ... be the slow time scales in tokens (:mod:`fsm_gpt.markov.time_scales`). n sets
are told apart by the gap t_n / max(t_{n+1}, 1), and the n with the largest gap is taken. A walk
along a line, with no barrier anywhere, has a gap of 4, for its time scales fall like 1 / k^2; so
there is said to be no slow structure where the largest gap is below 5. A pair of complex
eigenvalues belongs to one time scale and two functions, and is not cut in two.

References
----------
Deuflhard & Weber (2005), Linear Algebra and its Applications 398, 161-184 (the spectral gap). Levin
& Peres (2017), Markov Chains and Mixing Times, section 12.3 (the walk on a path).
"""

from __future__ import annotations

import math

from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.mode import Mode
from fsm_gpt.markov.time_scales import TimeScales
from fsm_gpt.result import format_number

__all__ = ["GAP_NEEDED", "MOST_SETS", "number_of_sets"]

#: Above what a walk along a line has: see the module's text.
GAP_NEEDED = 5
MOST_SETS = 64


def number_of_sets(scales: TimeScales, wanted: int | None) -> tuple[int, float]:
    """The number of sets, the one wanted or the best, and the gap below their time scales.

    Raises
    ------
    NotDefined
        There is no slow structure, or there are not so many sets.
    """
    slow = scales.slow
    possible: dict[int, float] = {}
    n = 1
    for place, mode in enumerate(slow[:MOST_SETS]):
        n += mode.dimension
        after = slow[place + 1].tokens if place + 1 < len(slow) else scales.longer_left_out
        possible[n] = mode.tokens / max(after, 1.0) if after < math.inf else 1.0
    if wanted is not None:
        if wanted not in possible:
            raise _no_such_number(slow, possible, wanted)
        return wanted, possible[wanted]
    best = max(possible, key=lambda k: possible[k], default=0)
    if not best or possible[best] < GAP_NEEDED or best > MOST_SETS:
        raise _nothing_slow(scales, possible.get(best, 0.0))
    return best, possible[best]


def _no_such_number(slow: tuple[Mode, ...], possible: dict[int, float], wanted: int) -> NotDefined:
    if wanted > 1 + sum(mode.dimension for mode in slow):
        why = (
            f"{wanted} sets need {wanted - 1} functions that fade slower than within a token, and "
            f"{sum(mode.dimension for mode in slow)} were found"
        )
    else:
        why = f"{wanted} sets would cut a pair of complex eigenvalues in two"
    able = ", ".join(str(k) for k in list(possible)[:12]) or "none"
    return NotDefined(
        f"metastable sets: {why}. Numbers of sets that can be asked for: {able}. "
        f"time_scales(chain) lists what is slow."
    )


def _nothing_slow(scales: TimeScales, gap: float) -> NotDefined:
    if not scales.slow:
        said = "no eigenvalue but 1 is slow"
    else:
        said = (
            f"the slowest time scale is {format_number(scales.slow[0].tokens, 4)} tokens and no "
            f"gap between time scales is above {format_number(gap, 3)}; it takes {GAP_NEEDED}"
        )
    beside = ""
    if scales.cycles:
        turn = format_number(scales.cycles[0].turn_tokens, 4)
        beside = f" There is a cycle, of {turn} tokens: long-lived, but it keeps a text nowhere."
    return NotDefined(
        f"metastable sets: there is no slow structure: {said}.{beside} Ask time_scales(chain) for "
        f"the time scales, or for sets all the same with n_sets=2."
    )
