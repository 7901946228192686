"""What a pattern does in the text of a chain.

The text is what is emitted after the start: a prompt is no part of it. A regular expression R
*matches* a text, searched for anywhere, once some part of it is in the language of R; anchored,
once the whole text so far is. Python's ``re.search`` and ``re.fullmatch`` mean the same. Searched
for anywhere, an *occurrence ends* at each character with which some part of the text in the
language of R ends; anchored, with each token after which the whole text so far is in it.

The chain and the automaton of R side by side are a finite Markov chain, so that every question is
one about hitting, about steps, or about the long run (:mod:`fsm_gpt.patterns.answers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import (
    FsmGptError,
    InvalidArgument,
    NotConverged,
    NotDefined,
    StateSpaceTooLarge,
)
from fsm_gpt.markov.complete import require_complete
from fsm_gpt.markov.conditioned import conditioned
from fsm_gpt.markov.limiting import start_distribution
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.patterns.answers import (
    Number,
    ends_of,
    ever,
    expected_ends,
    frequency,
    within as matched_within,
    worst,
)
from fsm_gpt.patterns.automaton import Automaton, automaton
from fsm_gpt.patterns.product import LEFT, MATCHED, WHOLE, product
from fsm_gpt.patterns.regex import By
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number
from fsm_gpt.rows import Numbers
from fsm_gpt.space import visible

__all__ = ["Pattern", "pattern"]


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
            ("in the long run", self.ends_per_token, "{} occurrences end a token"),
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


def pattern(
    chain: Chain,
    regex: str,
    *,
    within: int | None = None,
    anchored: bool = False,
    start: Any = None,
    by: By = "character",
    exact: bool = False,
    long_run: bool = True,
    max_memory_gib: float = 8.0,
) -> Pattern:
    r"""When, how often and with what probability the text of a chain matches a pattern.

    Parameters
    ----------
    regex
        A regular expression over the characters of the tokens' texts, such as ``"the (cat|dog)"``;
        its operators are listed in :mod:`fsm_gpt.patterns.regex`.
    within
        Also ask for so many tokens.
    anchored
        The whole text from its first token on has to match; otherwise any part of it.
    start
        A state (id, label or token ids) or a distribution of shape (N,) in which the text begins;
        what led there is no part of the text. The stationary distribution, if not given.
    by
        "token": the expression's signs are tokens, each by its name in angle brackets, such as
        ``"<the> (<cat>|<dog>)"``.
    exact
        Take the binary values of float rows and answer in rationals.
    long_run
        Also ask for what happens ever: the probability of matching, the waiting time and the
        frequency, which take longer than a number of tokens.
    max_memory_gib
        Refuse a product that would take more.

    Raises
    ------
    InvalidArgument
        The pattern cannot be read or names what the chain has not, or an option is out of range.
    StateSpaceTooLarge
        The automaton or the product does not fit.
    NotUnique, NotDefined
        No start is given, and there is no stationary distribution to begin in.

    References
    ----------
    Guibas & Odlyzko (1981), Journal of Combinatorial Theory A 30, 183-208.

    Examples
    --------
    A fair coin takes 20 throws to show HTHT and 18 to show HTHH: Conway's 16 + 4 and 16 + 2.

    >>> coin = Chain([["1/2", "1/2"]] * 2, vocabulary="HT")
    >>> print(*(pattern(coin, word).mean_tokens for word in ("HTHT", "HTHH")))
    20 18
    >>> print(pattern(coin, "HTHT", within=6).probability_within)
    11/64
    """
    if within is not None and (not isinstance(within, (int, np.integer)) or within < 0):
        raise InvalidArgument(
            f"pattern: within={within!r} is not a whole number of 0 or more. It is a number of "
            f"tokens."
        )
    if within is None and not long_run:
        raise InvalidArgument(
            "pattern: nothing is asked for. Give a number of tokens as within, or leave long_run "
            "as it is."
        )
    chain = chain.exact() if exact else chain
    machine = automaton(
        regex, chain.vocabulary, anchored=anchored, by=by, used=np.unique(chain.raw_edges().token)
    )
    weights, error, said = _start(chain, start)
    asked = _Asked(chain, machine, weights, within, long_run, max_memory_gib)
    numbers = {name: _with(number, error) for name, number in asked.numbers().items()}
    values = {name: number.value for name, number in numbers.items()}
    bound, reason = worst(list(numbers.values()))
    methods = dict.fromkeys(part for n in numbers.values() for part in n.method.split("; ") if part)
    return Pattern(
        chain=chain,
        regex=regex,
        by=by,
        anchored=anchored,
        start=said,
        matches_empty=machine.matches_empty,
        within=None if within is None else int(within),
        probability_within=values.get("within"),
        probability=values.get("ever"),
        mean_tokens=values.get("mean"),
        probability_whole=values.get("whole") if anchored else None,
        ends_per_token=values.get("frequency"),
        expected_ends=values.get("ends"),
        unexplored_within=values.get("left within"),
        unexplored=values.get("left"),
        automaton_states=machine.n_states,
        pairs=asked.first.n_pairs,
        notes=(*_plainly(machine, values), *asked.notes),
        method="; ".join(methods) or "by the graph alone",
        error_bound=bound,
        uncertified_because=reason,
        _machine=machine,
        _starts=weights,
        _max_memory_gib=max_memory_gib,
    )


def _start(chain: Chain, start: Any) -> tuple[Numbers, Bound, str]:
    """The distribution of the first state, its relative error, and what it is in words."""
    if start is not None:
        weights = start_distribution(chain, start)
        some = np.flatnonzero(weights != 0)
        one = f"from {chain.label(int(some[0]))}" if len(some) == 1 else None
        return weights, 0.0, one or f"from a distribution over {len(some):,} states"
    if chain.end is not None:
        raise NotDefined(
            "pattern: in the long run the texts of this chain are over, so there is no text to "
            "begin with. Give the state or the distribution that a text begins in as start."
        )
    found = stationary_distribution(chain)
    return found.pi, found.error_bound, "from the stationary distribution"


def _with(number: Number, error: Bound) -> Number:
    """A number with the error of the start, relative to every weight, added to its own."""
    if error == 0 or number.certain:
        return number
    if UNCERTIFIED in (error, number.bound):
        reason = number.reason or "the stationary distribution that it begins in is uncertified"
        return Number(number.value, UNCERTIFIED, reason, number.method)
    bound = (float(number.bound) + float(error)) * (1 + float(error))
    return Number(number.value, bound, number.reason, number.method)


def _plainly(machine: Automaton, values: dict[str, Any]) -> list[str]:
    """What numbers alone do not say."""
    said = []
    if machine.matches_empty:
        said.append("the pattern matches the empty text, so every text matches before any token")
    left = values.get("left", values.get("left within", 0))
    if values.get("ever") == 0 and not left:
        said.append("no text that begins there ever matches")
    return said


@dataclass(eq=False)
class _Asked:
    """The questions, asked one by one; one that has no answer leaves a note."""

    chain: Chain
    machine: Automaton
    weights: Numbers
    steps: int | None
    long_run: bool
    max_memory_gib: float
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = np.flatnonzero(self.weights != 0)
        self.first = product(
            self.chain,
            self.machine,
            self.states,
            until_match=True,
            max_memory_gib=self.max_memory_gib,
        )

    def numbers(self) -> dict[str, Number]:
        """Every number that there is."""
        found: dict[str, Number] = {}
        x = self.first.start(self.weights[self.states])
        matched, left = self.first.places[MATCHED], self.first.places[LEFT]
        if self.steps is not None:
            found["within"] = matched_within(self.first, x, self.steps, matched)
            if left is not None:
                found["left within"] = matched_within(self.first, x, self.steps, left)
        if self.long_run:
            self._try(found, ("ever", "mean"), lambda: ever(self.first, x, [matched]))
            if left is not None and "ever" in found:
                self._try(found, ("left",), lambda: (self._beyond(found["ever"], x),))
                if found["ever"].value != 1:
                    del found["mean"]
        if left is None:
            self._count(found)
        else:
            self.notes.append(
                "a part of the chain is unexplored: the probabilities are lower bounds, and how "
                "often the pattern occurs is not known"
            )
        return found

    def _beyond(self, lower: Number, x: Numbers) -> Number:
        """How much higher the probability of ever matching may be."""
        places = self.first.places
        upper = ever(self.first, x, [places[MATCHED], places[LEFT]])[0]
        bound, reason = worst([lower, upper])
        wide = bound if bound == UNCERTIFIED else 2 * float(bound)
        return Number(upper.value - lower.value, wide, reason, upper.method)

    def _count(self, found: dict[str, Number]) -> None:
        """What goes on after the first match."""
        made = product(
            self.chain,
            self.machine,
            self.states,
            until_match=False,
            max_memory_gib=self.max_memory_gib,
        )
        x = made.start(self.weights[self.states])
        r = ends_of(made, self.machine)
        if self.steps is not None:
            found["ends"] = expected_ends(made, x, r, self.steps)
        if self.long_run:
            self._try(found, ("frequency",), lambda: (frequency(made, x, r),))
            if self.chain.end is not None:
                whole = made.places[WHOLE]
                self._try(found, ("whole",), lambda: ever(made, x, [whole])[:1])

    def _try(
        self,
        found: dict[str, Number],
        names: tuple[str, ...],
        ask: Callable[[], tuple[Number, ...]],
    ) -> None:
        """Ask; what is too large or does not settle is said and left out."""
        try:
            found.update(zip(names, ask(), strict=False))
        except (StateSpaceTooLarge, NotConverged) as problem:
            self._refused(problem)

    def _refused(self, problem: FsmGptError) -> None:
        note = f"not known: {problem}"
        if note not in self.notes:
            self.notes.append(note)
