"""The deterministic automaton of a pattern, over the tokens of a chain.

The library automata-lib makes a nondeterministic automaton of the pattern and, once that is made
deterministic, the smallest one that is equal to it. In between stands the subset construction
(Hopcroft, Motwani & Ullman 2007, section 2.3.5), which may double with each character of a
pattern: (a|b)*a(a|b){20} has 2^20 states. It is done here, because the library's has no limit.

Over the whole text the automaton is that of the pattern R; where R may stand anywhere it is that
of .*R, which is in an accepting state whenever an occurrence ends. A token moves it by all
characters of its text, and by the separator before it where a vocabulary of words has one: the
text is what :meth:`fsm_gpt.space.Vocabulary.decode` writes. So an occurrence may end inside of a
token.

References
----------
Hopcroft, Motwani & Ullman (2007), Introduction to Automata Theory, Languages, and Computation,
chapters 2 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.errors import StateSpaceTooLarge
from fsm_gpt.patterns.lexing import refusal
from fsm_gpt.patterns.regex import By, Signs, signs_of
from fsm_gpt.space import Vocabulary

__all__ = ["Automaton", "automaton"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Deterministic states that are built at most.
MOST_STATES = 4096
#: Members of sets of states that are looked at while building them.
MOST_WORK = 20_000_000
#: Entries of the table of states and tokens.
MOST_ENTRIES = 2**24


@dataclass(frozen=True, eq=False)
class Automaton:
    """A pattern's automaton over tokens; it begins in state 0."""

    next: Ids
    """The state after each state and token, shape (Q, T)."""
    ends: Ids
    """How many occurrences end inside of the token, shape (Q, T)."""
    accepting: Mask
    """Whether the text so far matches (or, searched for anywhere, ends in a match), shape (Q,)."""
    column: Ids
    """The column of each token of the vocabulary, shape (V,); -1 where it was left out."""

    @property
    def n_states(self) -> int:
        """Q."""
        return len(self.next)

    @property
    def matches_empty(self) -> bool:
        """Whether a text of no token matches."""
        return bool(self.accepting[0])

    def hopeless(self) -> Mask:
        """The states from which no occurrence ends any more, shape (Q,)."""
        Q = self.n_states
        leads = np.zeros((Q, Q), dtype=bool)
        leads[np.arange(Q)[:, None], self.next] = True
        hope = new = (self.ends > 0).any(axis=1)
        while new.any():
            new = leads[:, new].any(axis=1) & ~hope
            hope = hope | new
        return np.asarray(~hope)


def automaton(
    pattern: str,
    vocabulary: Vocabulary,
    *,
    anchored: bool = False,
    by: By = "character",
    used: Ids | None = None,
) -> Automaton:
    """The automaton of a pattern over the tokens of a vocabulary.

    Parameters
    ----------
    pattern
        A regular expression; see :mod:`fsm_gpt.patterns.regex`.
    anchored
        The whole text has to match; otherwise any part of it.
    by
        Whether the pattern's signs are characters, or tokens by their names.
    used
        The tokens that can be emitted; all, if not given.

    Raises
    ------
    InvalidArgument
        It is no pattern, or it names what the chain has not.
    StateSpaceTooLarge
        The deterministic automaton, or its table over tokens, is too large.

    >>> found = automaton("ab", Vocabulary.of("ab"))
    >>> found.next.tolist(), found.ends.tolist()
    ([[1, 0], [1, 2], [1, 0]], [[0, 0], [0, 1], [0, 0]])
    """
    signs = signs_of(pattern, vocabulary, by=by)
    step, accepting, place = _deterministic(pattern, signs, anchored)
    tokens = np.arange(len(vocabulary)) if used is None else used
    names = [vocabulary.tokens[int(t)] for t in tokens]
    separator = "" if by == "token" else vocabulary.separator
    if by == "token":
        spelled = [[place[signs.of.get(name, signs.other)]] for name in names]
    else:
        spelled = [[place[signs.of[c]] for c in separator + name] for name in names]
    _check_table(pattern, len(step), spelled)
    moves, ends = _spell(step, accepting, spelled, np.arange(len(step)), anchored)
    if separator:  # nothing stands before the first token: a state of its own
        first = [word[len(separator) :] for word in spelled]
        begin, also = _spell(step, accepting, first, np.arange(1), anchored)
        moves, ends = np.vstack([begin, moves]) + 1, np.vstack([also, ends])
        accepting = np.append(accepting[:1], accepting)
    column = np.full(len(vocabulary), -1, dtype=np.int64)
    column[tokens] = np.arange(len(tokens))
    return Automaton(moves, ends, accepting, column)


def _deterministic(
    pattern: str, signs: Signs, anchored: bool
) -> tuple[Ids, Mask, Mapping[str, int]]:
    """The smallest automaton: its moves, its accepting states, and the column of each sign.

    It begins in state 0. Where a sign leads nowhere, it leads to one more state, the last.
    """
    from automata.fa.dfa import DFA
    from automata.fa.nfa import NFA

    text = signs.pattern if anchored else f".*({signs.pattern})"
    found = NFA.from_regex(text, input_symbols=signs.alphabet)
    moves, final = _subsets(pattern, found)
    smallest = DFA(
        states=set(moves),
        input_symbols=signs.alphabet,
        transitions=moves,
        initial_state=0,
        final_states=final,
        allow_partial=True,
    ).minify()
    place = {sign: i for i, sign in enumerate(sorted(signs.alphabet))}
    order = {smallest.initial_state: 0}
    queue = [smallest.initial_state]
    for state in queue:
        for sign in place:
            target = smallest.transitions[state].get(sign)
            if target is not None and target not in order:
                order[target] = len(order)
                queue.append(target)
    step = np.full((len(order), len(place)), -1, dtype=np.int64)
    for state, number in order.items():
        for sign, target in smallest.transitions[state].items():
            step[number, place[sign]] = order[target]
    accepting = np.array([state in smallest.final_states for state in queue])
    if (step < 0).any():
        step = np.vstack([np.where(step < 0, len(step), step), np.full(len(place), len(step))])
        accepting = np.append(accepting, False)
    return step, accepting, place


def _subsets(pattern: str, nfa: Any) -> tuple[dict[int, dict[str, int]], set[int]]:
    """The subset construction, with its limits."""
    closures: dict[int, frozenset[int]] = {}

    def closure(state: int) -> frozenset[int]:
        if state not in closures:
            reached, stack = {state}, [state]
            while stack:
                silent = nfa.transitions.get(stack.pop(), {}).get("", ())
                new = [s for s in silent if s not in reached]
                reached.update(new)
                stack += new
            closures[state] = frozenset(reached)
        return closures[state]

    begin = closure(nfa.initial_state)
    number = {begin: 0}
    queue, moves, work = [begin], {0: {}}, 0  # type: ignore[var-annotated]
    for here in queue:
        onward: dict[str, set[int]] = {}
        for state in here:
            for sign, targets in nfa.transitions.get(state, {}).items():
                if sign:
                    into = onward.setdefault(sign, set())
                    for target in targets:
                        into |= closure(target)
                        work += len(closure(target))
        for sign, targets in onward.items():
            there = frozenset(targets)
            if there not in number:
                number[there] = len(number)
                moves[number[there]] = {}
                queue.append(there)
            moves[number[here]][sign] = number[there]
        if len(number) > MOST_STATES or work > MOST_WORK:
            raise StateSpaceTooLarge(
                f"{refusal(pattern, '')}its deterministic automaton has more than the "
                f"{MOST_STATES:,} states, or takes more than the {MOST_WORK:,} steps, that are "
                f"allowed here. Counts after a choice, as in (a|b)*a(a|b){{20}}, double it each "
                f"time: make them smaller."
            )
    return moves, {n for states, n in number.items() if not states.isdisjoint(nfa.final_states)}


def _check_table(pattern: str, n_states: int, spelled: list[list[int]]) -> None:
    entries = n_states * (len(spelled) + sum(map(len, spelled)))
    if entries > MOST_ENTRIES:
        raise StateSpaceTooLarge(
            f"{refusal(pattern, '')}its automaton has {n_states:,} states and the chain emits "
            f"{len(spelled):,} tokens, whose characters make {entries:,} moves, above the "
            f"{MOST_ENTRIES:,} that are worked out. Use a shorter pattern, or a decoding rule that "
            f"keeps fewer tokens."
        )


def _spell(
    step: Ids, accepting: Mask, spelled: list[list[int]], states: Ids, anchored: bool
) -> tuple[Ids, Ids]:
    """Where each token leads from some states, and how many occurrences end inside of it."""
    longest = max(map(len, spelled), default=0)
    now = np.repeat(states[:, None], len(spelled), axis=1)
    ends = np.zeros(now.shape, dtype=np.int64)
    for position in range(longest):
        here = np.array([t for t, word in enumerate(spelled) if len(word) > position])
        column = np.array([spelled[t][position] for t in here])
        now[:, here] = step[now[:, here], column]
        ends[:, here] += accepting[now[:, here]]
    if anchored:  # the whole text is looked at after each token, not inside of it
        ends = accepting[now].astype(np.int64)
    return now, ends
