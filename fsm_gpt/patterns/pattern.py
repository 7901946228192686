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

from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.counting import Number, worst
from fsm_gpt.markov.state_sets import begin, start_in_words
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.patterns.asked import Asked
from fsm_gpt.patterns.automaton import Automaton, automaton
from fsm_gpt.patterns.found import Pattern
from fsm_gpt.patterns.regex import By
from fsm_gpt.result import UNCERTIFIED, Bound
from fsm_gpt.rows import Numbers

__all__ = ["pattern"]


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
        A state, a prompt or a distribution of shape (N,) in which the text begins;
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
    asked = Asked(chain, machine, weights, within, long_run, max_memory_gib)
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
        weights = begin(chain, start)
        return weights, 0.0, f"from {start_in_words(chain, weights)}"
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
