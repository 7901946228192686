"""The answer to a pattern: its numbers, in words, and the chain given that it matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.conditioned import conditioned
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.patterns.product import product
from fsm_gpt.patterns.regex import By
from fsm_gpt.result import Bounded, format_number
from fsm_gpt.rows import Numbers
from fsm_gpt.space import visible

__all__ = ["Pattern"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Pattern(Bounded):
    """What a pattern does in the text of a chain, from a start."""

    error_meaning = (
        "absolute error of the probabilities and of the frequency, relative error of the waiting "
        "time and of the expected ends"
    )

    chain: Chain = field(repr=False)
    regex: str
    by: By
    anchored: bool
    """Whether the whole text has to match, rather than any part of it."""
    start: str
    """Where the text begins, in words."""
    matches_empty: bool
    """Whether a text of no token matches, so that everything matches at once."""
    within: int | None
    """How many tokens were asked for."""
    probability_within: Any
    """Of matching within so many tokens; None where none were asked for."""
    probability: Any
    """Of ever matching: before the end, where the chain has an END."""
    mean_tokens: Any
    """Expected number of tokens until it matches; infinite where that is not certain."""
    probability_whole: Any
    """That the text ends and then, as a whole, matches; None without an END or not anchored."""
    ends_per_token: Any
    """In the long run, how many occurrences end a token."""
    expected_ends: Any
    """How many occurrences are expected to end within so many tokens."""
    unexplored_within: Any
    """What the probability within so many tokens may be higher by, where a part is unexplored."""
    unexplored: Any
    """What the probability of ever matching may be higher by, where a part is unexplored."""
    automaton_states: int
    pairs: int
    """States of the product in which the text goes on until it matches."""
    notes: tuple[str, ...]
    """What a reader should know."""

    _machine: Automaton = field(repr=False)
    _starts: Numbers = field(repr=False)
    _max_memory_gib: float = field(repr=False)

    def given_match(self) -> Chain:
        """The chain given that its text ever matches.

        Its states are pairs: a state of the chain, and what the automaton has read, from "0" to
        "matched". A text that begins in state s begins in the pair "s | 0", or "s | matched" if
        the empty text matches. After the match the chain goes on as it would.

        Raises
        ------
        NotDefined
            No text matches, or a part of the chain is unexplored.

        Examples
        --------
        >>> from fsm_gpt.patterns import pattern
        >>> coin = Chain([[0.5, 0.5]] * 2, vocabulary="ht")
        >>> print(pattern(coin, "ht", anchored=True, start="h").given_match().listing())
        input [h | 0] ---> [1.000, 0.000]
        input [h | 1] ---> [0.000, 1.000]
        input [h | matched] ---> [0.500, 0.500]
        input [t | matched] ---> [0.500, 0.500]
        """
        require_complete(self.chain, "given_match")
        made = product(
            self.chain,
            self._machine,
            np.flatnonzero(self._starts != 0),
            until_match=True,
            follow=True,
            max_memory_gib=self._max_memory_gib,
        )
        goal = np.flatnonzero(made.second == self._machine.n_states)
        if not len(goal):
            raise NotDefined(
                f"given_match: no text that begins {self.start} matches {visible(self.regex)}, and "
                f"what cannot happen cannot be given. Use another pattern or another start."
            )
        return conditioned(made.chain, goal.tolist())

    def __str__(self) -> str:
        where = "the whole text" if self.anchored else "anywhere in the text"
        lines = [f"pattern {visible(self.regex)}, {where}, {self.start}"]
        tokens = "1 token" if self.within == 1 else f"{self.within or 0:,} tokens"
        rows = (
            (f"matches within {tokens}", self.probability_within, "probability {}"),
            ("ever matches", self.probability, "probability {}"),
            ("waiting time", self.mean_tokens, "{} tokens expected"),
            ("ends, and matches as a whole", self.probability_whole, "probability {}"),
            ("in the long run", self.ends_per_token, "{} occurrences end per token"),
            (f"within {tokens}", self.expected_ends, "{} occurrences expected to end"),
            (f"not explored within {tokens}", self.unexplored_within, "probability {}"),
            ("not explored", self.unexplored, "probability {}"),
        )
        lines += [
            f"  {name}: {said.format(format_number(value))}"
            for name, value, said in rows
            if value is not None
        ]
        lines += [f"  {note}" for note in self.notes]
        lines.append(
            f"  automaton of {self.automaton_states:,} states, {self.pairs:,} pairs "
            f"({self.method}; {self.error_sentence})"
        )
        return "\n".join(lines)
