"""Reading patterns: what is refused, with which words, and that hostile ones cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fsm_gpt.errors import FsmGptError, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.patterns.automaton import automaton
from fsm_gpt.patterns.regex import signs_of
from fsm_gpt.space import Vocabulary

AB = Vocabulary.of("ab")


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("c", "no token of this chain has 'c' in its text. The 2 characters of its tokens are a b"),
        ("a$", "use anchored"),
        ("[x-z]", "has '[x-z]' in its text"),
        ("[b-a]", "has '[b-a]' in its text"),
        ("(a", "it cannot be read"),
        ("a)", "it cannot be read"),
        ("*a", "'*' cannot appear at the start"),
        ("a|", "'|' cannot appear at the end"),
        ("(?:a)", "'(' cannot appear immediately before '?'"),
        ("^a", "'^' cannot appear at the start"),
        ("[]", "Empty character class"),
        ("[^]", "Empty negated character class"),
        ("a{2,1}", "cannot be greater"),
        ("a{-1}", "negative"),
        ("a{0}", "{0} asks for nothing"),
        ("a{,0}", "asks for nothing"),
        ("a{}", "asks for nothing"),
        ("a\\", "it ends in a backslash"),
        (r"\bab", "\\b means nothing here"),
        (r"\1", "\\1 means nothing here"),
        (r"a\Z", "\\Z means nothing here"),
        (r"[\S]", "a backslash stands before S, D, W or ]"),
        (r"[a\]b]", "a backslash stands before S, D, W or ]"),
    ],
)
def test_what_is_no_pattern(regex: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        automaton(regex, AB)
    assert words in str(raised.value)


def test_what_is_no_pattern_over_tokens() -> None:
    words = Vocabulary.of(["the", "cat", "a>b"])
    for regex, said in (
        ("<the> cat", "'c' stands outside of angle brackets"),
        ("<dog>", "'dog' is no token of this chain, whose 3 tokens are the cat a>b"),
        ("<the", "'<' stands outside"),
        (r"\d", "stands outside"),
        ("2", "'2' stands outside"),
        ("[<the>2]", "a class of tokens holds names"),
        ("[0]", "stands outside"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            automaton(regex, words, by="token")
    assert automaton(r"<a\>b>{2}", words, by="token").n_states == 3


def test_only_a_text_is_a_pattern() -> None:
    with pytest.raises(InvalidArgument, match="is no text"):
        signs_of(["a"], AB)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("a" * 1001, "it has 1,001 characters"),
        ("[\\t-\U0010ffff]", "its ranges span 1,11"),
        ("a{2001}", "an automaton of about 4,"),
        ("((((a{10}){10}){10}){10}){10}", "about 2"),
        ("a{" + "9" * 900 + "}", "an automaton of about 1"),
        ("^".join(["(ab)"] * 9), "an automaton of about"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_built(regex: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        automaton(regex, AB)


def test_what_doubles_is_refused_while_it_grows() -> None:
    with pytest.raises(StateSpaceTooLarge, match="more than the 4,096 states"):
        automaton("(a|b)*a(a|b){20}", AB)
    assert automaton("a(a|b){5}", AB).n_states == 2**6


def test_a_large_vocabulary_costs_no_more() -> None:
    tokens = Vocabulary.of([chr(0x4E00 + i) for i in range(20_000)])
    made = automaton("一[^二三]*丁.", tokens)
    assert made.next.shape == (made.n_states, 20_000)
    assert made.n_states < 10
    few = np.array([0, 5])
    assert automaton("一", tokens, used=few).next.shape[1] == 2
    with pytest.raises(StateSpaceTooLarge, match="the chain emits 20,000 tokens"):
        automaton(".{600}一", tokens)


def refusal_of(regex: str, by: Any) -> str:
    try:
        automaton(regex, AB, by=by)
    except FsmGptError as problem:
        return str(problem)
    return ""


def test_garbage_is_refused_in_words() -> None:
    """Whatever a pattern is made of, it is answered or refused with one of our errors."""
    generator = np.random.default_rng(1)
    signs = [*"ab()|*+?{}[]^&.\\-,012<> \n\t$\u2028\U000f0000é"]
    answered = 0
    for by in ("character", "token"):
        for _ in range(1500):
            regex = "".join(generator.choice(signs, size=generator.integers(1, 9)))
            said = refusal_of(regex, by)
            answered += not said
            if said:
                assert said.startswith("pattern "), regex
                assert said.endswith("."), (regex, said)
                assert "Token" not in said
    assert answered > 50


def test_blanks_of_every_kind_are_read() -> None:
    blanks = Vocabulary.of(" \n\t\r\u00a0\u2028x")
    for sign in blanks:
        made = automaton(sign, blanks, anchored=True)
        assert made.ends[0].tolist() == [int(other == sign) for other in blanks]
        if sign != "x":
            assert automaton(f"\\{sign}[{sign}]", blanks, anchored=True).n_states == 4
