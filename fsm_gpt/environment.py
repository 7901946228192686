"""What a model is not alone with: a finite machine that hears its tokens and writes its own.

An environment is in one of E states. In each of them it either *listens* or *speaks*.

- Where it listens, the model draws a token v. With some probability the environment lets w into
  the text, which is v itself unless there is noise, and moves on to a state e'.
- Where it speaks, the model is not asked. The environment writes a token w of its own, with some
  probability, and moves on to a state e'.

Both are a list of *moves* (e, v, w, e', probability), v being -1 where it speaks. What enters
the text is all that the model ever sees.

An environment has to be finite: a function without a list of states, or a world that remembers
everything it has heard, makes no finite chain with any model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import InvalidArgument
from fsm_gpt.moves import check_moves, numbers, place_of
from fsm_gpt.rows import Numbers
from fsm_gpt.space import Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain

__all__ = ["Environment"]

Ids = npt.NDArray[np.int64]
VocabularyLike: TypeAlias = Vocabulary | str | int | Sequence[str]
#: State, token heard (None where it speaks), token written, next state, probability.
Move: TypeAlias = tuple[int | str, int | str | None, int | str, int | str, Any]
#: A text that is written, or several with their probabilities.
Reply: TypeAlias = str | Sequence[str] | Mapping[str | tuple[str, ...], Any]


@dataclass(frozen=True, eq=False)
class Environment:
    """A finite machine beside a model, which listens or speaks: see the module's text.

    Made by :meth:`of_moves` from any list of moves, or for common cases by :meth:`noise`,
    :meth:`channel`, :meth:`replies` and :meth:`partner`.

    >>> Environment.noise("01", "1/100")
    Environment: 1 state over 2 tokens, 4 moves
    """

    vocabulary: Vocabulary
    """The tokens of the text, those of the model."""
    names: tuple[str, ...]
    """Its states; it begins in the first one unless told otherwise."""
    state: Ids
    """Of each move the state it is made in, ascending."""
    heard: Ids
    """The token that the model drew; -1 where the environment speaks."""
    written: Ids
    """The token that enters the text."""
    after: Ids
    """The state that it leads to."""
    probability: Numbers
    """Of the move, given the state and what was heard."""

    def __post_init__(self) -> None:
        order = np.lexsort((self.after, self.written, self.heard, self.state))
        for column in ("state", "heard", "written", "after", "probability"):
            held = np.asarray(getattr(self, column))[order]
            held.setflags(write=False)
            object.__setattr__(self, column, held)
        check_moves(self)

    def key(self, state: Ids, heard: Ids) -> Ids:
        """One number for a state and what is heard in it, -1 for nothing."""
        return np.asarray(state * (len(self.vocabulary) + 1) + heard + 1)

    @property
    def speaking(self) -> npt.NDArray[np.bool_]:
        """In which states it speaks, shape (E,)."""
        spoken = np.zeros(len(self.names), dtype=bool)
        spoken[self.state[self.heard < 0]] = True
        return spoken

    @property
    def tells(self) -> bool:
        """Whether the token that enters the text tells, with the state, which state is next."""
        pairs = {
            (e, w): after
            for e, w, after in zip(
                self.state.tolist(), self.written.tolist(), self.after.tolist(), strict=True
            )
        }
        return all(
            pairs[e, w] == after
            for e, w, after in zip(
                self.state.tolist(), self.written.tolist(), self.after.tolist(), strict=True
            )
        )

    def __repr__(self) -> str:
        E = len(self.names)
        return (
            f"Environment: {E:,} state{'s' if E > 1 else ''} over {len(self.vocabulary):,} tokens, "
            f"{len(self.state):,} moves"
        )

    # ---- ways to make one ----

    @classmethod
    def of_moves(
        cls, vocabulary: VocabularyLike, names: Sequence[str], moves: Iterable[Move]
    ) -> Environment:
        """An environment from its moves, states and tokens by name or by place.

        Parameters
        ----------
        moves
            (state, token heard, token written, next state, probability). The token heard is
            None where the environment speaks. Moves of probability zero are dropped.

        Raises
        ------
        InvalidArgument
            A state listens and speaks, or listens and has no move for some token; or
            probabilities do not sum to one.

        Examples
        --------
        One that lets a token pass, and then writes a b:

        >>> Environment.of_moves("ab", ["hears", "writes"], [
        ...     ("hears", "a", "a", "writes", 1), ("hears", "b", "b", "writes", 1),
        ...     ("writes", None, "b", "hears", 1)])
        Environment: 2 states over 2 tokens, 3 moves
        """
        known = Vocabulary.of(vocabulary)
        named = tuple(str(name) for name in names)
        listed = [tuple(move) for move in moves]
        for move in listed:
            if len(move) != 5:
                raise InvalidArgument(
                    f"environment: the move {move!r} has {len(move)} parts. A move is (state, "
                    f"token heard or None, token written, next state, probability)."
                )
        if not listed:
            raise InvalidArgument("environment: it has no move. Give at least one.")
        p = numbers([move[4] for move in listed])
        kept = p != 0
        places = np.array(
            [
                (
                    place_of(e, named, "state"),
                    -1 if v is None else place_of(v, known.tokens, "token"),
                    place_of(w, known.tokens, "token"),
                    place_of(after, named, "state"),
                )
                for e, v, w, after, _ in listed
            ],
            dtype=np.int64,
        )[kept]
        state, heard, written, after = places.T
        return cls(known, named, state, heard, written, after, p[kept])

    @classmethod
    def channel(cls, vocabulary: VocabularyLike, matrix: Any) -> Environment:
        """Noise: the model's token v enters the text as w with probability matrix[v, w].

        >>> Environment.channel("01", [[0.9, 0.1], [0, 1]])
        Environment: 1 state over 2 tokens, 3 moves
        """
        known = Vocabulary.of(vocabulary)
        V = len(known)
        rows = numbers(matrix)
        if rows.shape != (V, V):
            raise InvalidArgument(
                f"environment: the channel has the shape {rows.shape}, and with {V} tokens it "
                f"needs ({V}, {V}): a row for what is drawn, a column for what enters the text."
            )
        v, w = np.nonzero(rows != 0)
        none = np.zeros(len(v), dtype=np.int64)
        return cls(known, ("channel",), none, v, w, none, rows[v, w])

    @classmethod
    def noise(cls, vocabulary: VocabularyLike, rate: float | str | Fraction) -> Environment:
        """Noise: with this probability a token is replaced by one drawn evenly from all V.

        >>> Environment.noise("01", "1/10").probability.tolist()[0]
        Fraction(19, 20)
        """
        known = Vocabulary.of(vocabulary)
        V = len(known)
        changed = numbers([Fraction(rate) if isinstance(rate, int) else rate])[0]
        if not 0 <= changed <= 1:
            raise InvalidArgument(f"environment: a noise of {rate} is not between 0 and 1.")
        matrix = np.full((V, V), changed / V)
        matrix[np.arange(V), np.arange(V)] += 1 - changed
        return cls.channel(known, matrix)

    @classmethod
    def replies(cls, vocabulary: VocabularyLike, answers: Mapping[str, Reply]) -> Environment:
        """A tool: after some of the model's tokens it writes an answer, then the model goes on.

        Parameters
        ----------
        answers
            For each token that asks for one the answer: a text, a list of tokens, or several
            texts or tuples of tokens with their probabilities. What the environment writes
            itself asks for nothing.

        Raises
        ------
        InvalidArgument, InvalidText
            An answer is empty, or has a sign that is no token.

        >>> Environment.replies("ab?", {"?": "ab"}).names
        ('listens', '? ...', '?a ...')
        """
        from fsm_gpt.replying import reply_moves

        known = Vocabulary.of(vocabulary)
        names, moves = reply_moves(known, answers)
        return cls.of_moves(known, names, moves)

    @classmethod
    def partner(
        cls, chain: Chain, *, start: Any = 0, turn: Sequence[int | str] | None = None
    ) -> Environment:
        """Another chain that hears the model and speaks in its turn.

        Parameters
        ----------
        chain
            The other one, over the same tokens. It follows everything in the text, the model's
            tokens and its own.
        start
            Its state in the beginning, in which it listens.
        turn
            Tokens that give the turn to the other; after every token if none are named.

        Raises
        ------
        StateOutOfRange
            It cannot follow a token, because it has no transition with it.
        StateSpaceTooLarge
            It has more states and tokens than can be listed.

        >>> from fsm_gpt.chain import Chain
        >>> Environment.partner(Chain([[0.5, 0.5], [0.0, 1.0]], vocabulary="ab"))
        Environment: 4 states over 2 tokens, 7 moves
        """
        from fsm_gpt.replying import partner_moves

        return cls(chain.vocabulary, *partner_moves(chain, start, turn))
