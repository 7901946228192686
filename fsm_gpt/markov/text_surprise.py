"""What a text costs a chain: the mean surprise of its tokens.

Where the states are contexts of L tokens, each token with L others before it has a probability,
and the mean of -log2 of it is the chain's *empirical cross-entropy* on the text. It weighs
contexts as the text has them, and not as its chain visits them in the long run
(:mod:`fsm_gpt.markov.compare`).

*Error.* A surprise is right to the roundings of :mod:`fsm_gpt.markov.row_entropy`, relatively, and
no term is negative.

References
----------
Cover & Thomas (2006), Elements of Information Theory, section 11.2 (types and code lengths).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument
from fsm_gpt.markov.row_entropy import surprise
from fsm_gpt.space import ContextSpace

__all__ = ["text_surprise"]

Ids = npt.NDArray[np.int64]

_UNIT = 2.0**-53
#: So many probabilities are read at a time.
_BLOCK = 2**22


def text_surprise(chain: Chain, windows: Ids, counts: Ids | None = None) -> tuple[float, float]:
    """Mean of -log2 p over windows with the token after each, and a bound on its absolute error.

    Parameters
    ----------
    chain
        Over all windows of L tokens.
    windows
        Of L tokens and the next, shape (n, L + 1); see :func:`fsm_gpt.counts.transitions`.
    counts
        How often each stands in the text, shape (n,); once each if not given.

    Raises
    ------
    InvalidArgument
        The states are not all windows of L tokens.

    Examples
    --------
    >>> chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    >>> text_surprise(chain, np.array([[0, 1], [1, 0], [0, 0]]))[0]
    1.3333333333333333
    """
    space = chain.states
    if not isinstance(space, ContextSpace) or windows.shape[1] != space.length + 1:
        raise InvalidArgument(
            f"text: its windows have {windows.shape[1] - 1} tokens and the token after them, and "
            f"the chain's states are not all contexts of so many. Cut the text by the chain's "
            f"context."
        )
    if counts is None:
        counts = np.ones(len(windows), dtype=np.int64)
    V, L = chain.n_tokens, space.length
    chain = chain.floats()
    state = space.offset(L) + windows[:, :-1] @ V ** np.arange(L - 1, -1, -1, dtype=np.int64)
    total = 0.0
    step = max(1, _BLOCK // V)
    for first in range(0, len(state), step):
        here = slice(first, first + step)
        rows = np.asarray(chain.next_token[state[here]], dtype=np.float64)
        rows = rows / rows.sum(axis=1, keepdims=True)
        bits = surprise(rows)[np.arange(len(rows)), windows[here, -1]]
        total += float(counts[here] @ bits)
    mean = total / float(counts.sum())
    roundings = len(state) + 5 * V + 24
    # -log2 of a probability that is right to V u moves by V u / log 2, however small it is.
    return mean, roundings * _UNIT * (mean + 1 / math.log(2)) if math.isfinite(mean) else 0.0
