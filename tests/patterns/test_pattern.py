"""Patterns: cited waiting times and games, brute force against ``re``, and what has no answer."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique, StateSpaceTooLarge
from fsm_gpt.patterns import Pattern
from tests.patterns.texts import EXPRESSIONS, Texts, spelled
from tests.strategies import probability_rows

HALF = Fraction(1, 2)
FAIR = Chain([["1/2", "1/2"]] * 2, vocabulary="HT")
WORDS = ["".join(w) for n in (1, 2, 3, 4) for w in itertools.product("HT", repeat=n)]


def probability(word: str, heads: Fraction) -> Fraction:
    return math.prod((heads if c == "H" else 1 - heads for c in word), start=Fraction(1))


def leading(first: str, second: str, heads: Fraction) -> Fraction:
    """Conway's leading number: of each end of the first that begins the second, 1 / P(it).

    Guibas & Odlyzko (1981), section 1; the correlation of two words at z = 1.
    """
    sizes = range(1, min(len(first), len(second)) + 1)
    overlaps = [second[:k] for k in sizes if first.endswith(second[:k])]
    return sum((1 / probability(word, heads) for word in overlaps), Fraction(0))


@pytest.mark.parametrize("heads", [HALF, Fraction(1, 3)], ids=str)
def test_waiting_times_are_conways(heads: Fraction) -> None:
    for L, words in ((1, WORDS), (3, WORDS[-3:])):
        coin = Chain([[heads, 1 - heads]] * 2**L, vocabulary="HT")
        for word in words:
            found = fg.pattern(coin, word, start=0)
            assert found.mean_tokens == leading(word, word, heads)
            assert found.probability == 1
            assert found.error_bound == 0
            assert found.ends_per_token == probability(word, heads)


def test_the_first_of_two_words() -> None:
    """Guibas & Odlyzko (1981), theorem 3.3; Conway's rule in Gardner, Time Travel, chapter 5.

    With AB the leading number of A over B, the mean time to either is
    (AA BB - AB BA) / (AA + BB - AB - BA), if neither word is in the other.
    """
    for A, B in itertools.combinations([w for w in WORDS if len(w) == 3], 2):
        AA, BB, AB, BA = (leading(*pair, HALF) for pair in ((A, A), (B, B), (A, B), (B, A)))
        expected = (AA * BB - AB * BA) / (AA + BB - AB - BA)
        assert fg.pattern(FAIR, f"{A}|{B}", start=0).mean_tokens == expected


@pytest.mark.parametrize(
    ("regex", "word", "rival", "odds"),
    [
        # Texts that come to the word without the rival before it, written by hand.
        ("HHH", "HHH", "THH", Fraction(1, 8)),
        ("HHH*T", "HHT", "THH", Fraction(1, 4)),
        ("(T|HTT)*HTH", "HTH", "HHT", Fraction(1, 3)),
        ("T*H(TH)*TT", "HTT", "HHT", Fraction(1, 3)),
    ],
)
def test_penneys_game(regex: str, word: str, rival: str, odds: Fraction) -> None:
    """Penney (1969), J. Recreational Math. 2, 241; the table in Gardner, Time Travel, p. 63."""
    found = fg.pattern(FAIR, regex, anchored=True, start=0)
    assert found.probability == odds
    assert found.mean_tokens == math.inf
    AA, BB, AB, BA = (
        leading(*pair, HALF)
        for pair in ((word, word), (rival, rival), (word, rival), (rival, word))
    )
    assert odds == (BB - BA) / (BB - BA + AA - AB)


# ---- brute force against re ----


ROWS = {V: probability_rows(V) for V in (2, 3)}


@st.composite
def small_chains(draw: st.DrawFn) -> Chain:
    """Rational windows over two or three tokens, some with an end, some of longer tokens."""
    characters, pieces, words = ["a", "b"], ["ab", " ", "a"], ["ab", "b"]
    tokens = draw(st.sampled_from([characters, ["", "a", " b"], pieces, words, ["", "a"]]))
    V, L = len(tokens), draw(st.integers(1, 2))
    rows = [draw(ROWS[V]) for _ in range(V**L)]
    chain = Chain(rows, vocabulary=tokens, context=L)
    return chain.with_stop(draw(st.integers(0, V - 1))) if draw(st.booleans()) else chain


def found_and_counted(chain: Chain, regex: str, n: int, *, anchored: bool) -> None:
    """Within n tokens the pattern is found as often as ``re`` finds it in every text."""
    texts = Texts(chain, 0, n)
    found = fg.pattern(chain, regex, within=n, anchored=anchored, start=0, long_run=False)
    assert found.probability_within == texts.matching(regex, anchored=anchored)
    assert found.expected_ends == texts.ends(regex, anchored=anchored)
    assert found.error_bound == 0


@settings(max_examples=120)
@given(small_chains(), EXPRESSIONS, st.integers(0, 3), st.booleans())
def test_texts_match_as_re_says(chain: Chain, expression: str, n: int, anchored: bool) -> None:
    letters = "".join(sorted(set("".join((*chain.vocabulary, chain.vocabulary.separator)))))
    found_and_counted(chain, spelled(expression, letters), n, anchored=anchored)


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize(
    "regex",
    [
        r"\d+",
        r"[a-c]x",
        r"\.",
        r"\w\s",
        "a\nb",
        r"\n",
        r"[^\d\s]",
        r"[-a]",
        r"\\",
        "(a|b){2}c*",
        "",
    ],
)
def test_other_syntax_means_what_re_means(regex: str, anchored: bool) -> None:
    chain = Chain([[Fraction(1, 9)] * 9] * 9, vocabulary="abcx1.\n\\-")
    found_and_counted(chain, regex, 3, anchored=anchored)


@settings(max_examples=20)
@given(st.data())
def test_the_long_run_is_what_a_stationary_text_does(data: st.DataObject) -> None:
    """A word of m tokens ends as often as a stationary text of m tokens is that word."""
    rows = [data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=2)) for _ in range(4)]
    chain = Chain([[Fraction(w, sum(r)) for w in r] for r in rows], vocabulary="ab")
    word = data.draw(st.text("ab", min_size=1, max_size=4))
    pi = fg.stationary_distribution(chain).pi
    m = len(word)
    texts = Texts(chain, pi, m)
    expected = sum(p for said, p, _ in texts.walks if "".join(said) == word)
    found = fg.pattern(chain, word, within=m)
    assert found.ends_per_token == expected
    assert found.probability_within == expected
    assert found.probability == 1


def test_the_long_run_by_hand() -> None:
    """P = [[1-a, a], [b, 1-b]] has pi = (b, a) / (a + b); "xx" ends in a share pi(x) (1 - a)."""
    a, b = Fraction(1, 3), Fraction(1, 5)
    chain = Chain.from_matrix([[1 - a, a], [b, 1 - b]], vocabulary="xy")
    x = b / (a + b)
    for word, share in (("xx", x * (1 - a)), ("xyx", x * a * b), ("x|y", 1), ("x+", x)):
        assert fg.pattern(chain, word).ends_per_token == share


def test_floats_are_right_within_their_bounds() -> None:
    generator = np.random.default_rng(5)
    for rows, stop in itertools.product((2, 8, 9), (None, 1)):
        V = 3 if rows == 9 else 2
        table = generator.dirichlet([0.5] * V, size=rows)
        chain = Chain(table, vocabulary="abc"[:V])
        chain = chain if stop is None else chain.with_stop(stop)
        for regex, anchored in itertools.product(("aba", "a(b|a)*c?a", "ab|ba"), (False, True)):
            if V == 2 and "c" in regex:
                continue
            given: dict[str, Any] = {"within": 7, "anchored": anchored, "start": 0}
            found = fg.pattern(chain, regex, **given)
            truth = fg.pattern(chain, regex, exact=True, **given)
            assert truth.error_bound == 0
            assert found.certified
            close(found, truth)


def close(found: Pattern, truth: Pattern) -> None:
    """Each number is as near to the exact one as is claimed."""
    bound = Fraction(float(found.error_bound))
    assert bound < Fraction(1, 10**9)
    for name in ("probability_within", "probability", "probability_whole", "ends_per_token"):
        one, other = getattr(found, name), getattr(truth, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert abs(Fraction(one) - other) <= bound
    for name in ("mean_tokens", "expected_ends"):
        one, other = getattr(found, name), getattr(truth, name)
        if other == math.inf:
            assert one == math.inf
        else:
            assert abs(Fraction(one) - other) <= bound * other


def test_sums_over_tokens_are_right_within_bounds_of_their_own() -> None:
    """Without the long run the bound is that of the products: tiny, and not too tiny."""
    generator = np.random.default_rng(8)
    wrong = 0
    for seed in range(4):
        chain = Chain(generator.dirichlet([0.6] * 3, size=9), vocabulary="abc")
        given: dict[str, Any] = {"within": 14, "start": seed, "long_run": False}
        found = fg.pattern(chain, "ab+c", **given)
        truth = fg.pattern(chain, "ab+c", exact=True, **given)
        bound = Fraction(float(found.error_bound))
        assert 0 < bound < Fraction(1, 10**12)
        off = abs(Fraction(found.probability_within) - truth.probability_within)
        apart = abs(Fraction(found.expected_ends) - truth.expected_ends) / truth.expected_ends
        assert max(off, apart) <= bound
        wrong += off > 0
    assert wrong


def test_what_is_too_rare_for_floats() -> None:
    """Two of probability 1e-200 in a row are below the least float, and yet not impossible."""
    chain = Chain([[1.0, 1e-200]] * 2, vocabulary="ab")
    found = fg.pattern(chain, "bb", within=2, start="a", long_run=False)
    assert found.probability_within == 0
    assert found.expected_ends == 0
    assert not found.certified
    assert "underflow" in found.error_sentence
    assert fg.pattern(chain, "bb", within=1, start="a", long_run=False).error_bound < 1e-300


def test_the_start_may_be_uncertain() -> None:
    generator = np.random.default_rng(2)
    chain = Chain(generator.dirichlet([1, 1], size=8), vocabulary="ab")
    found, truth = (
        fg.pattern(chain, "abba", within=6),
        fg.pattern(chain, "abba", within=6, exact=True),
    )
    assert found.start == "from the stationary distribution"
    assert found.probability == 1
    close(found, truth)
    near = fg.pattern(chain, "abba", within=6, long_run=False)
    assert float(near.error_bound) > float(fg.stationary_distribution(chain).error_bound) > 0
    mixed = fg.pattern(chain, "abba", within=6, start=np.full(8, 0.125))
    each = [fg.pattern(chain, "abba", within=6, start=s).probability_within for s in range(8)]
    assert mixed.probability_within == pytest.approx(sum(each) / 8, rel=1e-14)


# ---- chains of other kinds ----


def test_a_chain_that_ends() -> None:
    """Each token is a or b with 1/4, or the end with 1/2.

    "ab" is the whole text with 1/4 1/4 1/2; "a" occurs at all with 1/4 / (1 - 1/4) = 1/3.
    """
    machine = Chain([["1/4", "1/4", "1/2"]] * 3, vocabulary="ab.").with_stop(".")
    found = fg.pattern(machine, "ab", anchored=True, start="a")
    assert found.probability_whole == Fraction(1, 32)
    assert found.probability == Fraction(1, 16)
    assert found.ends_per_token == 0
    once = fg.pattern(machine, "a", start="a")
    assert once.probability == Fraction(1, 3)
    assert once.mean_tokens == math.inf
    assert once.probability_whole is None
    # Every second of the texts that go on with a token is over after it.
    assert fg.pattern(machine, "a*", anchored=True, start="a").probability_whole == Fraction(2, 3)
    # The sign of the end is no part of the text.
    assert fg.pattern(machine, "\\.", start="a").probability == 0
    assert fg.pattern(machine, "", start="END").probability == 1
    with pytest.raises(NotDefined, match="the texts of this chain are over"):
        fg.pattern(machine, "a")


def test_a_chain_with_two_closed_classes() -> None:
    """From a to b or c for good, 1/3 and 2/3: long b's or long c's."""
    rows = [[0, "1/3", "2/3"], [0, 1, 0], [0, 0, 1]]
    chain = Chain(rows, vocabulary="abc")
    found = fg.pattern(chain, "bb", start="a", within=3)
    assert (found.probability, found.mean_tokens) == (Fraction(1, 3), math.inf)
    assert found.ends_per_token == Fraction(1, 3)
    assert found.expected_ends == Fraction(2, 3)
    with pytest.raises(NotUnique):
        fg.pattern(chain, "bb")


def test_symbols_are_answered() -> None:
    import sympy

    p = sympy.Symbol("p")
    coin = Chain([[p, 1 - p]] * 2, vocabulary="HT")
    found = fg.pattern(coin, "HH", start=0, within=3)
    assert sympy.simplify(found.mean_tokens - (1 / p + 1 / p**2)) == 0
    assert sympy.simplify(found.ends_per_token - p**2) == 0
    assert sympy.simplify(found.expected_ends - 2 * p**2) == 0
    assert sympy.simplify(fg.pattern(coin, "HH", within=2).probability_within - p**2) == 0


def test_a_part_of_a_chain_bounds_the_whole() -> None:
    from fsm_gpt.explore import explore
    from fsm_gpt.extract import extract
    from tests.explore.models import random_model

    model = random_model(2, 3, 4)
    part = explore(model, [[0, 0, 0]], vocabulary="ab", context=3, max_states=5)
    whole = extract(model, vocabulary="ab", context=3)
    for regex, anchored in (("aba|bbb", False), ("a*b.a|a*bbbb", True)):
        given: dict[str, Any] = {"within": 5, "anchored": anchored}
        found = fg.pattern(part.chain, regex, start=part.start, **given)
        truth = fg.pattern(whole, regex, start="aaa", **given)
        low, high = found.probability_within, found.probability_within + found.unexplored_within
        assert low - 1e-12 <= truth.probability_within <= high + 1e-12
        low, high = found.probability, found.probability + found.unexplored
        assert low - 1e-9 <= truth.probability <= high + 1e-9
        assert found.unexplored_within > 0
        assert found.ends_per_token is None
        assert found.expected_ends is None
        assert any("unexplored" in note for note in found.notes)
        with pytest.raises(NotDefined, match="given_match"):
            found.given_match()


def test_patterns_over_tokens() -> None:
    words = ["the", "cat", "<end>", "sat\n"]
    chain = Chain([["1/4"] * 4] * 4, vocabulary=words)
    found = fg.pattern(chain, "<the> (<cat>|<sat\n>)", by="token", start=0)
    assert found.mean_tokens == 1 / (Fraction(1, 4) * Fraction(1, 2))
    assert fg.pattern(chain, r"[^<the><cat>]", by="token", start=0).mean_tokens == 2
    assert fg.pattern(
        chain, r".<\<end\>>", by="token", anchored=True, start=0
    ).probability == Fraction(1, 4)
    # The same in characters: words with a blank between them.
    assert fg.pattern(chain, "the cat", start=0).mean_tokens == 16
    assert fg.pattern(chain, "the cat", start=0, anchored=True).probability == Fraction(1, 16)


# ---- given that it matches ----


@settings(max_examples=25)
@given(small_chains(), st.data(), st.booleans())
def test_texts_given_that_they_match(chain: Chain, data: st.DataObject, anchored: bool) -> None:
    """P(text | it ever matches) = P(text) / P(ever) for each text that has matched already."""
    letters = "".join(sorted(set("".join(chain.vocabulary))))
    regex = data.draw(st.text(letters, min_size=1, max_size=2))
    found = fg.pattern(chain, regex, anchored=anchored, start=0)
    if found.probability == 0:
        with pytest.raises(NotDefined, match="no text that begins from"):
            found.given_match()
        return
    given_it = found.given_match()
    pairs = given_it.states
    assert isinstance(pairs, Pairs)
    over = frozenset(np.flatnonzero(pairs.first == chain.end).tolist())
    begin = given_it.state((0, 0))
    texts = Texts(chain, 0, 3)
    laws = []
    for some in (texts, Texts(given_it, begin, 3, over=over)):
        law: dict[tuple[tuple[str, ...], int], Any] = {}
        for said, p, state in some.walks:
            if texts.matches(regex, said, anchored=anchored):
                place = state if some is texts else int(pairs.first[state])
                law[said, place] = law.get((said, place), 0) + p
        laws.append(law)
    assert laws[1] == {key: p / found.probability for key, p in laws[0].items()}


# ---- plainly ----


def test_what_never_matches() -> None:
    stuck = Chain([[1, 0], ["1/2", "1/2"]], vocabulary="ab")
    found = fg.pattern(stuck, "ba", start="a", within=4)
    assert (found.probability, found.probability_within) == (0, 0)
    assert found.mean_tokens == math.inf
    assert (found.ends_per_token, found.expected_ends) == (0, 0)
    assert found.error_bound == 0
    said = str(found)
    assert "no text that begins there ever matches" in said
    assert "waiting time: infinite tokens" in said
    with pytest.raises(NotDefined, match="no text that begins from a matches ba"):
        found.given_match()
    # Nothing is both at once.
    assert fg.pattern(FAIR, "H&T", start=0).probability == 0


@pytest.mark.parametrize("anchored", [False, True])
def test_what_matches_the_empty_text(anchored: bool) -> None:
    found = fg.pattern(FAIR, "H*", start=0, within=2, anchored=anchored)
    assert (found.probability, found.probability_within, found.mean_tokens) == (1, 1, 0)
    assert found.matches_empty
    assert "matches the empty text" in str(found)
    assert found.error_bound == 0
    # Anchored, the texts H and HH match; else an empty part ends at each character.
    assert found.expected_ends == (Fraction(3, 4) if anchored else 2)


def test_two_operators_that_re_lacks() -> None:
    """a&b is both at once, a^b the two interleaved; they bind like |, the left one first."""
    both = fg.pattern(FAIR, "(.*HH.*)&(.*TT.*)", anchored=True, within=4, start=0)
    words = [w for w in WORDS if len(w) == 4 and "HH" in w and "TT" in w]
    assert both.probability_within == Fraction(len(words), 16)
    mixed = fg.pattern(FAIR, "HH^T", anchored=True, within=3, start=0)
    assert mixed.probability_within == Fraction(3, 8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"within": -1}, "is not a whole number of 0 or more"),
        ({"within": 2.5}, "is not a whole number of 0 or more"),
        ({"long_run": False}, "nothing is asked for"),
        ({"by": "word"}, "Use 'character' or 'token'"),
    ],
)
def test_wrong_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.pattern(FAIR, "H", start=0, **options)


def test_a_product_that_does_not_fit() -> None:
    with pytest.raises(
        StateSpaceTooLarge, match=r"the product of 2 states and an automaton of .* GiB"
    ):
        fg.pattern(FAIR, "H{40}", start=0, max_memory_gib=1e-6)
    with pytest.raises(StateSpaceTooLarge, match="even to mark"):
        fg.pattern(FAIR, "H{40}", start=0, max_memory_gib=1e-8)
