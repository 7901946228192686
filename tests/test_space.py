"""Names of tokens and of states."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.errors import InvalidArgument, InvalidText, StateOutOfRange
from fsm_gpt.space import ContextSpace, NamedStates, SomeContexts, Vocabulary, visible

spaces = st.builds(
    lambda V, L, k: ContextSpace(Vocabulary.of(V), L, shortest=min(k, L)),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
)


def listed(space: ContextSpace) -> list[tuple[int, ...]]:
    """Every context, by length, then in the order of a dictionary."""
    V = len(space.vocabulary)
    lengths = range(space.shortest, space.length + 1)
    return [c for k in lengths for c in itertools.product(range(V), repeat=k)]


# ---- sizes ----


def test_fourteen_contexts_of_the_article() -> None:
    # Zekri et al. (2024), arXiv 2410.02724: V (V^L - 1) / (V - 1) states; here 14 = 2 + 4 + 8
    # of which the 2^3 full windows are recurrent.
    every = ContextSpace(Vocabulary.of("01"), 3, shortest=1)
    assert len(every) == 14
    assert [every.offset(k) for k in (1, 2, 3, 4)] == [0, 2, 6, 14]
    assert len(ContextSpace(Vocabulary.of("01"), 3)) == 8


@given(spaces)
def test_sizes(space: ContextSpace) -> None:
    V, L = len(space.vocabulary), space.length
    assert space.size == len(space) == len(listed(space))
    assert space.n_windows == V**L
    if space.shortest == 1 and V > 1:
        assert space.size == V * (V**L - 1) // (V - 1)


def test_sizes_beyond_64_bits_are_python_integers() -> None:
    # GPT-2's released model: 50,257 tokens, a context of 1,024.
    space = ContextSpace(Vocabulary.of(50257), 1024)
    assert space.size == space.n_windows == 50257**1024
    assert space.tokens_of(space.size - 1) == (50256,) * 1024
    assert space.id_of([50256] * 1024) == space.size - 1


# ---- ids, tokens, labels ----


def test_a_window_is_a_base_v_number_oldest_token_first() -> None:
    space = ContextSpace(Vocabulary.of("01"), 3)
    assert [space.label(s) for s in range(8)] == [
        "000", "001", "010", "011", "100", "101", "110", "111",
    ]  # fmt: skip
    assert space.find("110") == space.find([1, 1, 0]) == 0b110


@given(spaces)
def test_ids_count_the_contexts_in_order(space: ContextSpace) -> None:
    contexts = listed(space)
    assert [space.tokens_of(s) for s in range(len(space))] == contexts
    assert [space.id_of(c) for c in contexts] == list(range(len(space)))
    assert [space.find(space.label(s)) for s in range(len(space))] == list(range(len(space)))


@given(spaces)
def test_the_table_of_contexts(space: ContextSpace) -> None:
    table = space.contexts()
    assert table.shape == (len(space), space.length)
    for row, context in zip(table.tolist(), listed(space), strict=True):
        assert row == [-1] * (space.length - len(context)) + list(context)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_successor_law_is_string_shifting(V: int, L: int, data: st.DataObject) -> None:
    space = ContextSpace(Vocabulary.of(V), L)
    s = data.draw(st.integers(0, len(space) - 1))
    t = data.draw(st.integers(0, V - 1))
    shifted = (space.label(s) + str(t))[1:]
    assert space.label((s % V ** (L - 1)) * V + t) == shifted


# ---- a name that is not there ----


@pytest.mark.parametrize("state", [-1, 8, 10**30])
def test_a_state_out_of_range(state: int) -> None:
    space = ContextSpace(Vocabulary.of("01"), 3)
    with pytest.raises(StateOutOfRange, match=f"no state {state}.*go from 0 to 7"):
        space.tokens_of(state)


@pytest.mark.parametrize("tokens", [[0, 1], [0, 1, 1, 1], [], [0, 1, 2], [0, -1, 0]])
def test_tokens_that_name_no_state(tokens: list[int]) -> None:
    with pytest.raises(StateOutOfRange, match=r"the chain has no state \["):
        ContextSpace(Vocabulary.of("01"), 3).find(tokens)


@pytest.mark.parametrize("length", [0, -1])
def test_a_context_of_nothing_is_refused(length: int) -> None:
    with pytest.raises(InvalidArgument, match=f"length {length} is not at least 1.*1 or more"):
        ContextSpace(Vocabulary.of("01"), length)


@pytest.mark.parametrize("shortest", [-1, 4])
def test_a_shortest_length_out_of_range(shortest: int) -> None:
    with pytest.raises(InvalidArgument, match=f"shortest length {shortest} is not between 1 and 3"):
        ContextSpace(Vocabulary.of("01"), 3, shortest=shortest)


def test_some_contexts() -> None:
    table = np.array([[-1, 0, 1], [1, 1, 0], [0, 1, 1]])
    some = SomeContexts(Vocabulary.of("01"), table)
    assert len(some) == 3
    assert [some.label(s) for s in range(3)] == ["01", "110", "011"]
    assert [some.find(name) for name in ("01", "110", [0, 1, 1])] == [0, 1, 2]
    assert some.contexts().tolist() == table.tolist()
    with pytest.raises(StateOutOfRange, match=r"no state '111'.*3 contexts, among them 01, 110"):
        some.find("111")


def test_some_contexts_cannot_be_changed() -> None:
    mine = np.array([[0, 1]])
    some = SomeContexts(Vocabulary.of("01"), mine)
    mine[0, 0] = 1
    assert some.label(0) == "01"
    with pytest.raises(ValueError, match="read-only"):
        some.contexts()[0, 0] = 1


def test_named_states() -> None:
    named = NamedStates(("rain", "nice\n", "snow"))
    assert len(named) == 3
    assert named.label(1) == "nice\\n"
    assert named.find("nice\n") == 1
    assert named.contexts() is None
    with pytest.raises(StateOutOfRange, match=r"no state 'sun'.*3 states, among them rain"):
        named.find("sun")
    with pytest.raises(StateOutOfRange):
        named.find([0])


def test_two_states_with_one_name_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="'rain' stands at 0 and again at 2"):
        NamedStates(("rain", "nice", "rain"))


# ---- vocabulary ----


def test_where_a_vocabulary_comes_from() -> None:
    assert Vocabulary.of("ab").tokens == ("a", "b")
    assert Vocabulary.of(12).tokens[10:] == ("10", "11")
    assert Vocabulary.of(np.int64(2)).tokens == ("0", "1")  # type: ignore[arg-type]
    assert Vocabulary.of(["the", "cat"]).tokens == ("the", "cat")
    assert Vocabulary.of_text("banana").tokens == ("a", "b", "n")
    same = Vocabulary.of("ab")
    assert Vocabulary.of(same) is same
    assert len(same) == 2
    assert list(same) == ["a", "b"]
    assert same[1] == "b"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "it has no token"),
        (0, "it has no token"),
        ([], "it has no token"),
        ("aba", "token 'a' stands at 0 and again at 2"),
        (["a", 1], "token 1 is 1, not a string"),
        ([b"a"], "token 0 is b'a', not a string"),
    ],
)
def test_a_vocabulary_that_is_none(source: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^vocabulary: {message}"):
        Vocabulary.of(source)


def test_an_empty_text_has_no_vocabulary() -> None:
    with pytest.raises(InvalidText, match=r"^text: it is empty"):
        Vocabulary.of_text("")


def test_an_unknown_symbol_is_named_with_its_place() -> None:
    with pytest.raises(InvalidText, match=r"'2' at position 3 is not in the vocabulary \(0 1\)"):
        Vocabulary.of("01").encode("0112")
    with pytest.raises(InvalidText, match=r"'dog' at position 1 .* \(the cat\)"):
        Vocabulary.of(["the", "cat"]).encode("the dog")
    with pytest.raises(InvalidText, match=r"and 5 more\)"):
        Vocabulary.of(25).encode(["25"])


@pytest.mark.parametrize(
    ("tokens", "text", "ids"),
    [
        ("01", "0110", [0, 1, 1, 0]),
        (["the", "cat"], "the cat  the\ncat", [0, 1, 0, 1]),
        (["to", " ", "be"], "to be", [0, 1, 2]),
        (["a", "ab", " "], "aab ab", [0, 1, 2, 1]),  # the longest token that fits
        (["New York", "is", " "], "New York is", [0, 2, 1]),
        (["ab", "\n"], "ab \n ab", [0, 1, 0]),  # a line break that is a token is not swallowed
        (["", "a", " "], "a a", [1, 2, 1]),
        (["(", ".*", "+ "], ".*(+ (", [1, 0, 2, 0]),  # no token is read as a pattern
    ],
)
def test_reading_a_text(tokens: Any, text: str, ids: list[int]) -> None:
    vocabulary = Vocabulary.of(tokens)
    assert vocabulary.encode(text).tolist() == ids
    assert vocabulary.encode([vocabulary[i] for i in ids]).tolist() == ids


#: No token is a part of two others, so that a text can be cut in one way alone.
READABLE = [
    list("01"),
    list("ab \n\t"),
    ["the", "cat", "sat"],
    ["to", "be", " "],
    ["\n", "word", "\r\n"],
    ["a\tb", "c"],
    ["é", "e\u0301", "\U0001f600", "\u202e"],
    [str(i) for i in range(12)],
]


@given(st.sampled_from(READABLE), st.data())
def test_a_text_reads_as_it_was_written(tokens: list[str], data: st.DataObject) -> None:
    vocabulary = Vocabulary.of(tokens)
    ids = data.draw(st.lists(st.integers(0, len(tokens) - 1), max_size=8))
    assert vocabulary.encode(vocabulary.decode(ids)).tolist() == ids


HOSTILE = ["", " ", "\n", "\x00", "\x1b[31m", "\u202e", "\u200b", "<script>", "\ud800", "a\rb"]


def test_labels_are_printable() -> None:
    for token in HOSTILE:
        shown = visible(token)
        assert shown
        assert shown.isprintable()
        shown.encode("utf-8")
    vocabulary = Vocabulary.of(HOSTILE)
    assert vocabulary.label(range(len(HOSTILE))).isprintable()
    assert vocabulary.label([-1, -1, 1]) == "␣"


@given(st.text(max_size=5))
def test_visible_is_printable_and_keeps_plain_text(token: str) -> None:
    assert visible(token).isprintable()
    if token.isprintable() and token.strip() == token and token:
        assert visible(token) == token


def test_labels_of_tokens_with_several_characters_are_kept_apart() -> None:
    digits = Vocabulary.of(12)
    assert digits.label([1, 1]) == "1 1"
    assert digits.label([11]) == "11"
