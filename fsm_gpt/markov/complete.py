"""What may be asked of a part of a chain.

A search that stops early leaves one absorbing state, ``unexplored``, for all that it did not
look at. Such a chain follows the whole one until it enters that state. So it bounds what
happens before that (:mod:`fsm_gpt.markov.bounds`), and it says nothing of the long run:
every closed class, every stationary distribution and every limit of it may be an artefact
of where the search stopped.
"""

from __future__ import annotations

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined

__all__ = ["require_complete"]


def require_complete(chain: Chain, what: str) -> None:
    """Refuse a question about the long run of a chain that is a part of another.

    Raises
    ------
    NotDefined
        The chain has a state ``unexplored``.

    >>> require_complete(Chain([[0.5, 0.5], [0.25, 0.75]]), "entropy rate")
    """
    if chain.unexplored is None:
        return
    raise NotDefined(
        f"{what}: this chain is a part of a larger one, whose other states stand together in its "
        f"state {chain.unexplored:,}, {chain.label(chain.unexplored)!r}. What happens after that "
        f"is entered is not known, so there is no answer for the long run. Explore on with larger "
        f"limits until nothing is left, or ask for bounds: bounds_after() and hitting_bounds()."
    )
