"""The moves of two common environments: a tool that answers, and another chain that speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument, StateSpaceTooLarge
from fsm_gpt.following import Follower
from fsm_gpt.moves import numbers, place_of
from fsm_gpt.rows import Numbers
from fsm_gpt.space import Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["partner_moves", "reply_moves"]

Ids = npt.NDArray[np.int64]
Moves: TypeAlias = list[tuple[int, int | None, int, int, Any]]
#: Texts as token ids, each with its probability.
Texts: TypeAlias = list[tuple[tuple[int, ...], Any]]

#: Pairs of a state and a token at most, of a chain that is a partner.
MOST_MOVES = 2**20

#: Of states that write an answer only so many tokens are named; a number tells them apart.
LONGEST_NAME = 12
#: The state in which a tool waits.
LISTENS = "listens"


def reply_moves(known: Vocabulary, answers: Mapping[str, Any]) -> tuple[list[str], Moves]:
    """The states and moves of a tool; see ``Environment.replies``."""
    if not isinstance(answers, Mapping):
        raise InvalidArgument(
            f"environment: answers are given as {{token: text}}, and {type(answers).__name__} is "
            f"none. Where no list of its states can be given, an environment is not finite, and "
            f"what it makes with a model is no finite chain."
        )
    names: list[str] = [LISTENS]
    moves: Moves = []
    asked = {int(known.encode([token])[0]): answer for token, answer in answers.items()}
    for token in range(len(known)):
        if token not in asked:
            moves.append((0, token, token, 0, 1))
            continue
        first = len(names)
        moves.append((0, token, token, first, 1))
        _write(known, token, _texts(known, asked[token]), names, moves)
    return names, moves


def _texts(known: Vocabulary, answer: Any) -> Texts:
    """Each possible answer as token ids, with its probability."""
    several = answer if isinstance(answer, Mapping) else {_kept(answer): 1}
    p = numbers([Fraction(one) if isinstance(one, int) else one for one in several.values()])
    if not abs(p.sum() - 1) <= 1e-12 or (p < 0).any():
        raise InvalidArgument(
            f"environment: the answers to one token have probabilities that sum to {p.sum()}. "
            f"Each is 0 or more, and together they are 1."
        )
    found: Texts = []
    for text, probability in zip(several, p.tolist(), strict=True):
        ids = tuple(known.encode(_kept(text)).tolist())
        if not ids:
            raise InvalidArgument(
                "environment: an answer is empty. Leave the token out of the answers where "
                "nothing is to be written."
            )
        if probability:
            found.append((ids, probability))
    return found


def _kept(text: Any) -> Any:
    """A text or a tuple of tokens."""
    if not isinstance(text, (str, list, tuple)):
        raise InvalidArgument(
            f"environment: {text!r} is no answer. Give a text, a list of tokens, or several of "
            f"them with their probabilities."
        )
    return text if isinstance(text, str) else tuple(text)


def _write(
    known: Vocabulary,
    token: int,
    texts: Texts,
    names: list[str],
    moves: Moves,
) -> None:
    """States that write one of the texts: those that begin alike share their states."""
    names.append(_named(known, (token,), names))
    waiting: list[tuple[int, tuple[int, ...], Texts]] = [(len(names) - 1, (token,), texts)]
    while waiting:
        state, before, texts = waiting.pop()
        whole = sum(probability for _, probability in texts)
        for written in dict.fromkeys(ids[0] for ids, _ in texts):
            here = [(ids[1:], p) for ids, p in texts if ids[0] == written]
            over = sum(p for ids, p in here if not ids)
            if over:
                moves.append((state, None, written, 0, _share(over, whole)))
            on = [(ids, p) for ids, p in here if ids]
            if on:
                share = _share(sum(p for _, p in on), whole)
                moves.append((state, None, written, len(names), share))
                waiting.append((len(names), (*before, written), on))
                names.append(_named(known, (*before, written), names))


def _share(part: Any, whole: Any) -> Any:
    """Exactly one where everything goes the same way, whatever rounding makes of it."""
    return 1 if part == whole else part / whole


def _named(known: Vocabulary, ids: tuple[int, ...], names: list[str]) -> str:
    """The name of the state in which a tool has heard a token, and written the others."""
    if len(ids) > LONGEST_NAME:
        return f"{known.label(ids[:LONGEST_NAME])} ... ({len(names)})"
    name = f"{known.label(ids)} ..."
    return name if name not in names else f"{name} ({len(names)})"


def partner_moves(
    chain: Chain, start: Any, turn: Sequence[int | str] | None
) -> tuple[tuple[str, ...], Ids, Ids, Ids, Ids, Numbers]:
    """The states and moves of another chain; see ``Environment.partner``.

    State s listens, and state N + s speaks, with ``start`` in the place of 0.
    """
    if chain.end is not None or chain.unexplored is not None:
        raise InvalidArgument(
            "environment: the partner's chain has an END or a part that is not explored, after "
            "which it cannot follow a text. Give a chain that goes on from every state."
        )
    V, N = chain.n_tokens, chain.n_states
    if N * V > MOST_MOVES:
        raise StateSpaceTooLarge(
            f"environment: a partner of {N:,} states and {V:,} tokens makes {2 * N * V:,} moves, "
            f"above the limit of {2 * MOST_MOVES:,}. Give one with a shorter context."
        )
    gives = np.ones(V, dtype=np.int64)
    if turn is not None:
        gives[:] = 0
        gives[[place_of(token, chain.vocabulary.tokens, "token") for token in turn]] = 1
    edges = chain.edges()
    begin = chain.state(start)
    order = np.append(begin, np.delete(np.arange(N), begin))
    place = np.argsort(order)
    labels = chain.labels(order)
    names = (*(f"{label}, listens" for label in labels), *(f"{label}, speaks" for label in labels))
    state, token = np.divmod(np.arange(N * V), V)
    after = Follower(chain)(state, token)
    ones = np.repeat(edges.probability[:1] * 0 + 1, N * V)  # of the same kind
    return (
        names,
        np.append(place[state], place[edges.source] + N),
        np.append(token, np.full(len(edges.token), -1)),
        np.append(token, edges.token),
        np.append(
            place[after] + N * gives[token],
            place[edges.target] + N * (1 - gives[edges.token]),
        ),
        np.append(ones, edges.probability),
    )
