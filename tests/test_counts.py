"""The data's own chain against counts made here with a Counter and strings."""

import itertools
import time
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.counts import context_coverage
from fsm_gpt.errors import FsmGptError, InvalidArgument, InvalidChain, InvalidText

ARTICLE = "111101111011110"

Table = dict[str, dict[str, Fraction]]


def naive(text: str, L: int, end: str | None) -> Table | None:
    """{context: {token: probability}} by slicing strings; None where a context never goes on."""
    read = text + text[:L] if end == "wrap" else text
    counts = Counter((read[i : i + L], read[i + L]) for i in range(len(read) - L))
    while True:
        known = {context for context, _ in counts}
        lost = [key for key in counts if (key[0] + key[1])[1:] not in known]
        if not lost:
            break
        if end != "drop":
            return None
        for key in lost:
            del counts[key]
    if not counts:
        return None
    table: dict[str, dict[str, Fraction]] = defaultdict(dict)
    for (context, token), n in counts.items():
        total = sum(m for (c, _), m in counts.items() if c == context)
        table[context][token] = Fraction(n, total)
    return dict(table)


def as_table(chain: Chain) -> Table:
    labels, tokens = chain.labels(), list(chain.vocabulary)
    return {
        labels[s]: {tokens[t]: p for t, p in enumerate(row) if p}
        for s, row in enumerate(chain.next_token.tolist())
    }


def check(text: str, L: int, end: str | None) -> None:
    """The chain of a text is the naive one, or both have none."""
    expected = naive(text, L, end)
    try:
        chain = Chain.from_text(text, context=L, end=end)
    except InvalidText:
        assert expected is None
        return
    assert expected is not None
    assert as_table(chain) == expected
    assert chain.labels() == sorted(expected)
    assert chain.kind == "rational"
    assert chain.context == L
    for s, row in enumerate(chain.successors().tolist()):
        for t, target in enumerate(row):
            if target >= 0:
                shifted = (chain.label(s) + chain.vocabulary[t])[1:]
                assert chain.label(target) == shifted


# ---- the article ----


def test_the_articles_counts(article: dict[str, Any]) -> None:
    empirical = article["empirical"]
    for end in ("drop", None):
        chain = Chain.from_text(ARTICLE, context=3, end=end)
        assert chain.labels() == empirical["states"]
        assert chain.matrix().tolist() == [[Fraction(p) for p in row] for row in empirical["P"]]
        assert chain.notes == ()
    # The file counts windows after windows; the token is the last symbol of the second.
    counts = {
        context: {window[-1]: n for window, n in row.items()}
        for context, row in empirical["counts"].items()
    }
    by_counts = Chain.from_counts(counts)
    assert as_table(by_counts) == as_table(chain)


def test_a_context_of_four_decides_everything() -> None:
    # The text has period 5, so four tokens always tell where one is: no row has two entries.
    chain = Chain.from_text(ARTICLE, context=4, end="drop")
    assert (chain.n_states, chain.n_edges) == (5, 5)


@given(
    st.text("ab", min_size=1, max_size=14),
    st.integers(1, 4),
    st.sampled_from([None, "drop", "wrap"]),
)
def test_the_chain_of_a_text_is_the_naive_one(text: str, L: int, end: str | None) -> None:
    if len(text) > L:
        check(text, L, end)
    else:
        with pytest.raises(InvalidText):
            Chain.from_text(text, context=L, end=end)


def test_the_check_fails_on_wrong_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    check("aabc", 1, "wrap")
    real = Chain.from_text
    monkeypatch.setattr(Chain, "from_text", lambda text, **o: real(text[::-1], **o))
    with pytest.raises(AssertionError):
        check("aabc", 1, "wrap")


@given(st.text("abc", min_size=4, max_size=20), st.integers(1, 3))
def test_a_circle_visits_each_context_as_often_as_it_leaves_it(text: str, L: int) -> None:
    # The counts of a circle are stationary: each context is entered as often as it is left.
    chain = Chain.from_text(text, context=L, end="wrap")
    circle = text + text[:L]
    visits = Counter(circle[i : i + L] for i in range(len(text)))
    pi = np.array([Fraction(visits[label], len(text)) for label in chain.labels()], dtype=object)
    assert chain.push(pi).tolist() == pi.tolist()


# ---- ends ----


def test_an_end_that_never_goes_on_is_explained() -> None:
    with pytest.raises(InvalidText, match=r"context 'c' is entered and never goes on") as caught:
        Chain.from_text("ababc", context=1)
    assert "end='drop'" in str(caught.value)
    assert "end='wrap'" in str(caught.value)


def test_dropping_goes_on_until_every_context_goes_on() -> None:
    chain = Chain.from_text("ababcd", context=1, end="drop")
    assert chain.labels() == ["a", "b"]
    assert list(chain.vocabulary) == ["a", "b", "c", "d"]
    assert chain.notes == ("2 transitions into contexts that never go on were dropped",)
    with pytest.raises(InvalidText, match="no context is left"):
        Chain.from_text("abcd", context=1, end="drop")


def test_dropping_a_long_tail_takes_no_time() -> None:
    # A long text that never repeats a context unravels token by token.
    rng = np.random.default_rng(0)
    text = "ab" * 50 + "".join(rng.choice(list("abcdefgh"), 20_000))
    begin = time.perf_counter()
    chain = Chain.from_text(text, context=12, end="drop")
    assert chain.n_states == 2
    assert time.perf_counter() - begin < 10


def test_a_text_of_one_symbol() -> None:
    chain = Chain.from_text("aaaa", context=2)
    assert chain.labels() == ["aa"]
    assert chain.next_token.tolist() == [[1]]


def test_words_and_given_vocabularies() -> None:
    words = Chain.from_text(["to", "be", "or", "to", "be"], context=1)
    assert list(words.vocabulary) == ["be", "or", "to"]
    assert as_table(words)["to"] == {"be": 1}
    same = Chain.from_text("to be or to be", context=1, vocabulary=["to", "be", "or", "not"])
    assert as_table(same) == as_table(words)
    assert same.n_tokens == 4
    digits = Chain.from_text("0110", context=1, vocabulary=3)
    assert digits.n_tokens == 3


# ---- counts ----


@given(st.text("ab", min_size=3, max_size=14), st.integers(1, 3))
def test_counts_as_a_table_or_as_a_mapping(text: str, L: int) -> None:
    if len(text) <= L:
        return
    circle = text + text[:L]
    counts = Counter((circle[i : i + L], circle[i + L]) for i in range(len(text)))
    expected = as_table(Chain.from_text(text, context=L, end="wrap", vocabulary="ab"))
    mapping: dict[str, dict[str, int]] = defaultdict(dict)
    table = np.zeros((2**L, 2), dtype=int)
    for (context, token), n in counts.items():
        mapping[context][token] = n
        table[int(context.replace("a", "0").replace("b", "1"), 2), "ab".index(token)] = n
    assert as_table(Chain.from_counts(dict(mapping))) == expected
    assert as_table(Chain.from_counts(table, vocabulary="ab")) == expected
    assert as_table(Chain.from_counts(table.astype(float), vocabulary="ab")) == expected


def test_counts_of_words_and_tuples() -> None:
    counts = {("the", "cat"): {"the": 2}, ("cat", "the"): {"cat": 1}}
    chain = Chain.from_counts(counts)
    assert chain.labels() == ["cat the", "the cat"]
    assert chain.context == 2
    named = Chain.from_counts({"the": {"cat": 3}, "cat": {"the": 1}}, vocabulary=["the", "cat"])
    assert named.next_token.tolist() == [[0, 1], [1, 0]]


def test_counts_drop_what_never_goes_on() -> None:
    counts = {"a": {"b": 2, "c": 5}, "b": {"a": 1}}
    with pytest.raises(InvalidText, match="context 'c' is entered and never goes on"):
        Chain.from_counts(counts)
    chain = Chain.from_counts(counts, end="drop")
    assert chain.labels() == ["a", "b"]
    assert chain.notes == ("5 transitions into contexts that never go on were dropped",)


def test_large_counts_are_exact() -> None:
    # 2^53 + 1 is no float; the rows are the exact shares all the same.
    big = 2**53 + 1
    chain = Chain.from_counts({"a": {"a": big, "b": 2}, "b": {"a": 1}})
    assert chain.next_token[0].tolist() == [Fraction(big, big + 2), Fraction(2, big + 2)]
    most = 2**63 - 1  # the sum is no 64-bit integer
    huge = Chain.from_counts({"a": {"a": most, "b": most}, "b": {"a": 1}})
    assert huge.next_token[0].tolist() == [Fraction(1, 2), Fraction(1, 2)]


# ---- coverage ----


def test_contexts_the_article_never_trains_on() -> None:
    # Errata: contexts never seen in training are 000, 001, 010 and 100.
    found = context_coverage(ARTICLE, context=3)
    assert found.unseen == ("000", "001", "010", "100")
    assert found.possible == (2, 4, 8)
    assert found.seen == (2, 3, 4)  # 0 1; 01 10 11; 011 101 110 111
    assert found.unseen_share == (0, 0.25, 0.5)
    assert "3 tokens: 4 of 8 (50.0%)" in str(found)
    assert "000, 001, 010, 100" in str(found)
    assert found.to_dict()["unseen"] == ["000", "001", "010", "100"]


@given(st.text("abc", min_size=2, max_size=20), st.integers(1, 3))
def test_coverage_is_that_of_slices(text: str, L: int) -> None:
    assume(len(text) > L)
    found = context_coverage(text, context=L, vocabulary="abc")
    for k in range(1, L + 1):
        slices = {text[i : i + k] for i in range(len(text) - k)}
        assert found.seen[k - 1] == len(slices)
        assert found.unseen_share[k - 1] == pytest.approx(1 - len(slices) / 3**k)
    every = {"".join(tokens) for tokens in itertools.product("abc", repeat=L)}
    last = {text[i : i + L] for i in range(len(text) - L)}
    assert list(found.unseen) == sorted(every - last)


def test_coverage_of_a_space_too_large_to_list() -> None:
    found = context_coverage("ab" * 50, context=40)
    assert len(found.unseen) == 1000
    assert found.possible[-1] == 2**40
    assert f"and {2**40 - 2 - 12:,} more" in str(found)
    whole = context_coverage("aabba", context=1)
    assert whole.unseen == ()
    assert "0 of 2 (0.0%)" in str(whole)
    for context in (0, 5, 99):
        with pytest.raises((InvalidText, InvalidArgument)):
            context_coverage("aabba", context=context)


# ---- refusals ----

BAD: list[tuple[Any, type[FsmGptError], str]] = [
    (lambda: Chain.from_text("", context=1), InvalidText, "^text: it is empty"),
    (lambda: Chain.from_text([], context=1), InvalidText, "^text: it is empty"),
    (
        lambda: Chain.from_text("a", context=1),
        InvalidText,
        "it has 1 tokens, and a context of 1 needs at least 2.*shorter context",
    ),
    (lambda: Chain.from_text("aba", context=3), InvalidText, "3 tokens, .* needs at least 4"),
    (lambda: Chain.from_text("aba", context=0), InvalidArgument, "length 0 is not at least 1"),
    (lambda: Chain.from_text("aba", context=-1), InvalidArgument, "length -1 is not"),
    (
        lambda: Chain.from_text("aba", context=1, end="cut"),
        InvalidArgument,
        "end: 'cut' is neither 'drop' nor 'wrap'",
    ),
    (
        lambda: Chain.from_text("abc", context=1, vocabulary="ab"),
        InvalidText,
        "'c' at position 2 is not in the vocabulary",
    ),
    (lambda: Chain.from_text([1, 2, 1], context=1), InvalidArgument, "token 0 is 1, not a string"),
    (
        lambda: Chain.from_counts({"a": {"a": 1}}, end="wrap"),
        InvalidArgument,
        "end: 'wrap' is not 'drop'.*no order to wrap",
    ),
    (lambda: Chain.from_counts({}), FsmGptError, "counts|vocabulary"),
    (lambda: Chain.from_counts({}, vocabulary="ab"), InvalidChain, "or there are none"),
    (
        lambda: Chain.from_counts({"a": {"b": 1}, "bb": {"a": 1}}),
        InvalidChain,
        "contexts have different lengths",
    ),
    (lambda: Chain.from_counts({"": {"a": 1}}), FsmGptError, "at least 1"),
    (lambda: Chain.from_counts({"a": {"a": -1}}), InvalidChain, "not all whole numbers from 0"),
    (lambda: Chain.from_counts({"a": {"a": 1.5}}), InvalidChain, "For probabilities use Chain"),
    (lambda: Chain.from_counts({"a": {"a": float("nan")}}), InvalidChain, "not all whole"),
    (lambda: Chain.from_counts({"a": {"a": float("inf")}}), InvalidChain, "not all whole"),
    (lambda: Chain.from_counts({"a": {"a": "many"}}), InvalidChain, "not all whole"),
    (lambda: Chain.from_counts({"a": {"a": 2**63}}), InvalidChain, r"not all .* to 2\*\*63"),
    (lambda: Chain.from_counts({"a": {"a": 2**64}}), InvalidChain, "not all whole"),
    (lambda: Chain.from_counts({"a": {"a": 2.0**63}}), InvalidChain, "not all whole"),
    (lambda: Chain.from_counts({"a": {"a": 0}}), FsmGptError, "counts: .*zero"),
    (lambda: Chain.from_counts(np.zeros((2, 2), int)), FsmGptError, "counts: .*zero"),
    (lambda: Chain.from_counts(np.zeros((0, 2), int)), InvalidChain, "0 rows of 2 columns"),
    (lambda: Chain.from_counts(np.ones((3, 2), int)), InvalidChain, "3 rows of 2 columns"),
    (lambda: Chain.from_counts(np.ones((2, 0), int)), FsmGptError, "vocabulary: it has no token"),
    (lambda: Chain.from_counts([1, 2]), InvalidChain, r"their shape is \(2,\)"),
    (
        lambda: Chain.from_counts(np.ones((2, 2), int), vocabulary="abc"),
        InvalidChain,
        "2 rows of 2 columns with 3 tokens",
    ),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input_is_explained(case: int) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", ")"))
