"""What is known of a context when only its last tokens are.

In the long run, k tokens c and the next token t come one after the other with probability

    J_k[c, t] = sum of pi(s) P[s, t] over the contexts s that end in c.

J_{k-1} is J_k summed over its oldest token. In a window chain pi is itself the law of L tokens
in a row, so J_{L-1} is pi.

References
----------
Crutchfield & Feldman (2003), Chaos 13, 25-54 (laws of blocks).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.rows import Numbers

__all__ = ["shortened", "suffix_laws"]


def suffix_laws(chain: Chain, pi: Numbers, longest: int) -> Iterator[Numbers]:
    """J_k for k = ``longest``, ..., 1, 0: each of shape (V**k, V), a suffix by its base-V number.

    Parameters
    ----------
    pi
        A law of the states, shape (N,); J is what it and one step give.
    longest
        At most L.

    Raises
    ------
    NotDefined
        The states are not all windows of one length.
    InvalidArgument
        ``longest`` is more than a window has.

    Examples
    --------
    >>> from fsm_gpt.markov.stationary import stationary_distribution
    >>> chain = Chain([["1/2", "1/2"], ["1/4", "3/4"]])
    >>> pairs, single = suffix_laws(chain, stationary_distribution(chain).pi, 1)
    >>> single.tolist()
    [[Fraction(1, 3), Fraction(2, 3)]]
    """
    L, V = chain.context, chain.n_tokens
    if L is None or not chain.is_window:
        raise NotDefined(
            "suffixes: the states of this chain are not all the windows of one length, so its "
            "last tokens have no numbers. They have in chains of extract() and Chain(rows)."
        )
    if not 0 <= longest <= L:
        raise InvalidArgument(
            f"suffixes: the last {longest} tokens of windows of {L} tokens were asked for. Ask "
            f"for 0 to {L}."
        )
    if longest == L:
        rows = chain.next_token
        joint = pi[:, None] * (rows / rows.sum(axis=1, keepdims=True))
    else:
        joint = pi.reshape(-1, V ** (longest + 1)).sum(axis=0).reshape(-1, V)
    yield from shortened(joint, V, longest)


def shortened(joint: Numbers, V: int, k: int) -> Iterator[Numbers]:
    """J_k and, one after the other, what it is without its oldest token, down to J_0.

    >>> import numpy as np
    >>> [J.tolist() for J in shortened(np.array([[0.1, 0.2], [0.3, 0.4]]), 2, 1)][1]
    [[0.4, 0.6000000000000001]]
    """
    yield joint
    for _ in range(k):
        joint = joint.reshape(V, -1, V).sum(axis=0)
        yield joint
