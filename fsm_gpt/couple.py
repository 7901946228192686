"""A model and its environment as one finite chain.

A state of the product is a pair, the model's state and the environment's
(:class:`fsm_gpt.compound.Pairs`); its tokens are what enters the text, whoever wrote it. Where the
environment listens, the model draws v with its own probability and w enters the text with that of
the environment's move; where it speaks, w comes from its move alone. Either way the model's state
goes on with w, which is all that it sees.

In a chain a state and a token decide the next state. Here the token decides the model's next
state, and the environment's too in every common case: noise, tools that answer, another chain. An
environment that also makes random moves which leave no trace in the text gets tokens that tell
them, "w/e" for the token w after which the environment is in state e; without them the product
would be a hidden Markov model, and its texts no chain's.

An environment of one state leaves the model's states as they are: with noise alone, a chain over
windows stays one.

References
----------
Cover & Thomas (2006), Elements of Information Theory, chapter 7 (channels). Baier & Katoen (2008),
Principles of Model Checking, section 10.3 (products of a chain and an automaton).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.build import edge_list, window_rows
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, some_of
from fsm_gpt.environment import Environment
from fsm_gpt.errors import InvalidArgument, StateSpaceTooLarge
from fsm_gpt.pairing import PairMoves, explored
from fsm_gpt.result import read_only
from fsm_gpt.rows import Numbers, as_floats, to_rationals
from fsm_gpt.space import ContextSpace, States, Vocabulary
from fsm_gpt.storage import Edges

__all__ = ["couple"]

Ids = npt.NDArray[np.int64]


def couple(
    chain: Chain, environment: Environment, *, start: Any = None, max_memory_gib: float = 8.0
) -> Chain:
    """The chain of a model together with what answers it, or changes its tokens.

    Parameters
    ----------
    environment
        What hears the model's tokens and writes its own: see :class:`Environment`.
    start
        The model's states to begin in, one or a list of them, each by id, label or a tuple of token
        ids; all where none is named. The environment begins in its first state. The product has
        the pairs that these lead to.
    max_memory_gib
        Refuse a product that takes more while it is made.

    Raises
    ------
    InvalidChain
        The environment's probabilities are symbols and those of the chain are floats.
    InvalidArgument
        The environment is not finite (a function, say), has other tokens, or the chain has an END
        or a part that is not explored.
    StateOutOfRange
        The environment writes a token after which an explored chain has no state.
    StateSpaceTooLarge
        The product takes too much memory.

    References
    ----------
    Baier & Katoen (2008), Principles of Model Checking, section 10.3.

    Examples
    --------
    A model that says a for ever, and one token in ten replaced by a random one:

    >>> stuck = Chain([[1.0, 0.0], [1.0, 0.0]], vocabulary="ab")
    >>> print(couple(stuck, Environment.noise("ab", 0.1)).listing())
    input [a] ---> [0.950, 0.050]
    input [b] ---> [0.950, 0.050]

    A tool that answers each b with another one:

    >>> chain = Chain([["1/2", "1/2"], [1, 0]], vocabulary="ab")
    >>> print(couple(chain, Environment.replies("ab", {"b": "b"}), start="a").listing())
    input [a | listens] ---> [1/2, 1/2]
    input [b | listens] ---> [1, 0]
    input [b | b ...] ---> [0, 1]
    """
    _fits(chain, environment)
    chain, environment = _alike(chain, environment)
    begin = _begin(chain, start)
    noise = len(environment.names) == 1 and not environment.speaking.any()
    if noise and chain.is_window and start is None:
        return _noisy_windows(chain, environment, max_memory_gib)
    moves = explored(chain, environment, begin, max_memory_gib=max_memory_gib)
    return _as_chain(chain, environment, moves)


def _fits(chain: Chain, environment: Environment) -> None:
    """Refuse what makes no finite chain with this one."""
    if not isinstance(environment, Environment):
        what = "a function" if callable(environment) else f"a {type(environment).__name__}"
        hint = " A chain speaks as Environment.partner(chain)." * isinstance(environment, Chain)
        raise InvalidArgument(
            f"couple: the environment is {what}, which has no list of states. What answers by a "
            f"rule of its own may remember everything it has heard; then its states, and those of "
            f"the product, are not finite, and no question about a chain has a meaning. Write its "
            f"states and moves down with Environment.of_moves().{hint}"
        )
    if chain.end is not None:
        raise InvalidArgument(
            "couple: the chain has an END, after which it hears nothing. Couple it first, and call "
            "with_stop() on what comes of it."
        )
    if chain.unexplored is not None:
        raise InvalidArgument(
            "couple: the chain is a part of a larger one, and what the environment writes may lead "
            "to contexts that were not explored. Explore on until nothing is left, or take a "
            "chain over all windows (truncate_to)."
        )
    ours, theirs = chain.vocabulary.tokens, environment.vocabulary.tokens
    if ours != theirs:
        raise InvalidArgument(
            f"couple: the chain has the tokens {' '.join(chain.vocabulary.shown[:12])}, and the "
            f"environment {' '.join(environment.vocabulary.shown[:12])}. Both have to read and "
            f"write the same ones, in the same order."
        )


def _alike(chain: Chain, environment: Environment) -> tuple[Chain, Environment]:
    """Both in one kind of numbers: exact if both are, or where there are symbols."""
    p = environment.probability
    exact = p.dtype == object or bool(((p == 0) | (p == 1)).all())  # no float is rounded there
    if chain.dtype == object and (exact or chain.kind == "symbolic"):
        return chain, _with(environment, to_rationals(p))
    return chain.floats(), _with(environment, as_floats(p, where="couple"))


def _with(environment: Environment, probability: Numbers) -> Environment:
    e = environment
    return Environment(e.vocabulary, e.names, e.state, e.heard, e.written, e.after, probability)


def _begin(chain: Chain, start: Any) -> Ids:
    if start is None:
        return np.arange(chain.n_states, dtype=np.int64)
    several = isinstance(start, (list, np.ndarray))
    return np.unique([chain.state(one) for one in (start if several else [start])])


def _noisy_windows(chain: Chain, environment: Environment, max_memory_gib: float) -> Chain:
    """The rows of a chain over windows behind a channel."""
    space, V = chain.states, chain.n_tokens
    assert isinstance(space, ContextSpace)
    need = 3 * 8 * chain.n_states * V / 2**30  # the new rows, and two of their size on the way
    if need > max_memory_gib:
        raise StateSpaceTooLarge(
            f"couple: new rows for {chain.n_states:,} windows take {need:,.2g} GiB while they are "
            f"made, above the limit of {max_memory_gib:g} GiB. Shorten the context, or raise "
            f"max_memory_gib."
        )
    matrix = np.zeros((V, V), dtype=environment.probability.dtype)
    matrix[environment.heard, environment.written] = environment.probability
    return chain._with(
        storage=window_rows(chain.next_token @ matrix, space, normalize=False),
        notes=(*chain.notes, f"coupled with {environment!r}"),
        tied=read_only([], np.int64),
    )


def _as_chain(chain: Chain, environment: Environment, moves: PairMoves) -> Chain:
    """Moves with one token added up, and pairs numbered."""
    E = len(environment.names)
    code = moves.state * E + moves.beside
    pairs = np.unique(code)
    source = np.searchsorted(pairs, code)
    target = np.searchsorted(pairs, moves.next_state * E + moves.next_beside)
    vocabulary, token = chain.vocabulary, moves.token
    if not environment.tells:
        vocabulary, token = _telling(chain, environment, moves)
    order = np.lexsort((token, source))
    source, token, target = source[order], token[order], target[order]
    new = np.append(True, (source[1:] != source[:-1]) | (token[1:] != token[:-1]))
    at = np.flatnonzero(new)
    probability = np.add.reduceat(moves.probability[order], at)
    first, second = np.divmod(pairs, E)
    if E > 1:
        states: States = Pairs(chain.states, environment.names, first, second)
    else:
        states = chain.states if len(pairs) == chain.n_states else some_of(chain.states, first)
    storage = edge_list(
        Edges(source[at], token[at], target[at], probability), states, vocabulary, normalize=False
    )
    return chain._with(
        storage=storage,
        states=states,
        vocabulary=vocabulary,
        tied=read_only(np.flatnonzero(np.isin(first, chain.tied)), np.int64),
        notes=(*chain.notes, f"coupled with {environment!r}"),
    )


def _telling(chain: Chain, environment: Environment, moves: PairMoves) -> tuple[Vocabulary, Ids]:
    """Tokens that tell the environment's next state too."""
    E = len(environment.names)
    code = moves.token * E + moves.next_beside
    used = np.unique(code)
    names = [f"{chain.vocabulary[int(c) // E]}/{environment.names[int(c) % E]}" for c in used]
    return Vocabulary.of(names), np.searchsorted(used, code)
