"""The chain: how one is made, what is refused, and that it never changes."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sympy
from hypothesis import given, strategies as st

from fsm_gpt.chain import DENSE_LIMIT, Chain
from fsm_gpt.decoding import Greedy, TopK
from fsm_gpt.errors import (
    FsmGptError,
    InvalidArgument,
    InvalidChain,
    StateOutOfRange,
    StateSpaceTooLarge,
)
from fsm_gpt.space import NamedStates, Vocabulary
from tests.strategies import chains, window_chains

HALF = np.full((8, 2), 0.5)

# ---- window chains ----


def test_the_article_has_eight_windows_and_fourteen_contexts() -> None:
    # Zekri et al. (2024), section 3: V (V^L - 1) / (V - 1) contexts of 1 to L tokens; the article:
    # 14 = 2 + 4 + 8.
    windows = Chain(HALF, vocabulary="01")
    assert (windows.n_states, windows.n_tokens, windows.context) == (8, 2, 3)
    every = Chain(np.full((14, 2), 0.5), vocabulary="01", short_contexts=True)
    assert (every.n_states, every.n_tokens, every.context) == (14, 2, 3)
    assert every.labels()[:7] == ["0", "1", "00", "01", "10", "11", "000"]
    # Short contexts grow by one token until they are full; only windows are entered twice.
    table = every.successors().tolist()
    assert table[0] == [every.state("00"), every.state("01")]
    assert table[every.state("11")] == [every.state("110"), every.state("111")]
    assert table[every.state("110")] == [every.state("100"), every.state("101")]
    entered = {target for row in table for target in row}
    assert entered == set(range(2, 14))


@given(st.integers(1, 3), st.integers(1, 3))
def test_short_contexts_grow_and_then_shift(V: int, L: int) -> None:
    sizes = [V**k for k in range(1, L + 1)]
    chain = Chain(np.full((sum(sizes), V), 1 / V), context=L, short_contexts=True)
    labels = chain.labels()
    for s, row in enumerate(chain.successors().tolist()):
        assert [labels[target] for target in row] == [
            (labels[s] + str(t))[-L:] if L > 0 else "" for t in range(V)
        ]
    full = chain.matrix()[-sizes[-1] :, -sizes[-1] :]
    windows = Chain(np.full((sizes[-1], V), 1 / V), context=L).matrix()
    assert full.tolist() == windows.tolist()


def test_one_token_has_one_window_of_any_length() -> None:
    chain = Chain([[1.0]], context=5)
    assert (chain.n_states, chain.context, chain.label(0)) == (1, 5, "00000")
    assert Chain([[1.0]]).context == 1
    assert chain.push(np.array([1.0])).tolist() == [1.0]


def test_rows_may_hold_symbols() -> None:
    a, b = sympy.symbols("a b", positive=True)
    chain = Chain([[1 - a, a], [b, 1 - b]])
    assert chain.kind == "symbolic"
    assert chain.n_edges == 4
    x = np.array([b / (a + b), a / (a + b)], dtype=object)
    moved = chain.push(x)
    assert [sympy.simplify(p - q) for p, q in zip(moved, x, strict=True)] == [0, 0]
    assert "symbolic" in repr(chain)
    assert "1 - a" in chain.listing()
    zero = Chain([[a - a, 1], [b, 1 - b]])
    assert zero.n_edges == 3


# ---- refusals: each says what, the value, why and what to do ----

BAD: list[tuple[Callable[[], object], type[FsmGptError], str]] = [
    (lambda: Chain([]), InvalidChain, r"their shape is \(0,\)\. A window chain has one row"),
    (lambda: Chain([0.5, 0.5]), InvalidChain, r"their shape is \(2,\)"),
    (lambda: Chain(np.zeros((2, 0))), InvalidChain, r"their shape is \(2, 0\)"),
    (lambda: Chain(np.zeros((0, 2))), InvalidChain, "0 rows of 2 columns are no window chain"),
    (lambda: Chain(np.ones((1, 1, 1))), InvalidChain, r"their shape is \(1, 1, 1\)"),
    (
        lambda: Chain(np.full((3, 2), 0.5)),
        InvalidChain,
        r"3 rows of 2 columns .* 4 contexts\. For a transition matrix use Chain\.from_matrix",
    ),
    (
        lambda: Chain(HALF, context=2),
        InvalidChain,
        "8 rows of 2 columns .* with 2 tokens and a context of 2 there are 4 contexts",
    ),
    (
        lambda: Chain(HALF, short_contexts=True),
        InvalidChain,
        "8 rows of 2 columns .* there are 14 contexts",
    ),
    (lambda: Chain(HALF, context=0), InvalidArgument, "length 0 is not at least 1"),
    (lambda: Chain(HALF, context=-2), InvalidArgument, "length -2 is not at least 1"),
    (
        lambda: Chain(HALF, vocabulary="abc"),
        InvalidChain,
        "they have 2 columns and the vocabulary has 3 tokens. Each row needs one",
    ),
    (lambda: Chain(HALF, vocabulary="aa"), InvalidArgument, "token 'a' stands at 0 and again at 1"),
    (lambda: Chain(np.tile([0.5, np.nan], (2, 1))), InvalidChain, "is nan, not a finite number"),
    (lambda: Chain([[2, -1], [0, 1]]), InvalidChain, r"is -1\.0, below zero"),
    (lambda: Chain([[1, 1], [0, 1]]), InvalidChain, "state 0 sums to 2, .* normalize=True"),
    (
        lambda: Chain(np.tile([0.5, 0.6], (14, 1)), short_contexts=True),
        InvalidChain,
        r"rows: the row of state 0 sums to 1\.1",
    ),
    (
        lambda: Chain(np.tile([0.5, np.nan], (14, 1)), short_contexts=True, vocabulary="ab"),
        InvalidChain,
        "rows: the probability of token 'b' in state a is nan",
    ),
    (lambda: Chain.from_matrix(np.ones((2, 3))), InvalidChain, r"shape is \(2, 3\).* is square"),
    (lambda: Chain.from_matrix([1.0]), InvalidChain, r"matrix: its shape is \(1,\)"),
    (
        lambda: Chain.from_matrix(sp.csr_array((2, 3))),
        InvalidChain,
        r"matrix: its shape is \(2, 3\), and a transition matrix is square",
    ),
    (lambda: Chain.from_matrix(sp.csr_array((2, 2))), InvalidChain, "at least one transition"),
    (
        lambda: Chain.from_matrix(sp.csr_array([[1.0, 0], [0, 0]])),
        InvalidChain,
        "the row of state 1 is all zero",
    ),
    (
        lambda: Chain.from_matrix(sp.csr_array([[1.0, 0], [0.5, 0.6]])),
        InvalidChain,
        r"the row of state 1 sums to 1\.1",
    ),
    (
        lambda: Chain.from_matrix(sp.csr_array([[1.0, 0], [0.5, 0.5]]), vocabulary="abc"),
        InvalidChain,
        "2 columns and the vocabulary has 3 tokens",
    ),
    (
        lambda: Chain.from_matrix(sp.csr_array([[1.0, 0], [0.5, 0.5]]), vocabulary="a"),
        InvalidChain,
        "2 columns and the vocabulary has 1 tokens",
    ),
    (lambda: Chain.from_edges([], [], [], []), InvalidChain, "at least one transition"),
    (
        lambda: Chain.from_edges([0, 0], [0], [0], [1.0]),
        InvalidChain,
        "2, 1, 1 and 1 entries. They need one entry for each",
    ),
    (
        lambda: Chain.from_edges([0.0], [0], [0], [1.0]),
        InvalidChain,
        r"source is not a list of whole numbers \(shape \(1,\), float64\)",
    ),
    (
        lambda: Chain.from_edges([0], [[0]], [0], [1.0]),
        InvalidChain,
        r"token is not a list of whole numbers \(shape \(1, 1\)",
    ),
    (
        lambda: Chain.from_edges([-1], [0], [0], [1.0]),
        InvalidChain,
        "state -1 is out of range; the chain has 1 states, from 0 to 0",
    ),
    (
        lambda: Chain.from_edges([0], [0], [2], [1.0], n_states=2),
        InvalidChain,
        "state 2 is out of range; the chain has 2 states",
    ),
    (
        lambda: Chain.from_edges([0], [2], [0], [1.0], vocabulary="ab"),
        InvalidChain,
        "token 2 is out of range; the chain has 2 tokens",
    ),
    (lambda: Chain.from_edges([0], [-1], [0], [1.0], vocabulary="ab"), InvalidChain, "token -1 is"),
    (
        lambda: Chain.from_edges([0, 0], [1, 1], [0, 1], [0.5, 0.5], states=["x", "y"]),
        InvalidChain,
        "state x has two transitions with token '1', to x and to y. A state and a token decide",
    ),
    (
        lambda: Chain.from_edges([0, 0], [0, 1], [0, 0], [0.5, -0.5]),
        InvalidChain,
        r"the probability of edge 1 \(from state 0\) is -0\.5, below zero",
    ),
    (
        lambda: Chain.from_edges([0, 0], [0, 1], [0, 0], [0.5, np.inf]),
        InvalidChain,
        r"edge 1 \(from state 0\) is inf, not a finite",
    ),
    (
        lambda: Chain.from_edges([0], [0], [1], [1.0]),
        InvalidChain,
        "the row of state 1 is all zero, so nothing can follow it. .*absorbing",
    ),
    (
        lambda: Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=["x", "y"], n_states=3),
        InvalidChain,
        "2 names and n_states is 3",
    ),
    (
        lambda: Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=["x", "x"]),
        InvalidArgument,
        "name 'x' stands at 0 and again at 1",
    ),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input_is_named_with_what_to_do(case: int) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error, match=message) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text
    assert re.match(r"(rows|matrix|edges|context|vocabulary|states): ", text)
    assert text.endswith(".")
    assert caught.value.__cause__ is None


# ---- from a matrix ----


def test_the_states_of_a_matrix_are_its_tokens() -> None:
    # Grinstead & Snell, Introduction to Probability, Example 11.1: the Land of Oz.
    P = [["1/2", "1/4", "1/4"], ["1/2", 0, "1/2"], ["1/4", "1/4", "1/2"]]
    oz = Chain.from_matrix(P, vocabulary=["rain", "nice", "snow"])
    assert oz.is_window
    assert oz.context == 1
    assert oz.labels() == ["rain", "nice", "snow"]
    assert oz.state("nice") == 1
    assert oz.successors()[1].tolist() == [0, -1, 2]
    # P^2 as printed there: from rain to snow in two days 0.375.
    assert oz.push(oz.push(np.array([Fraction(1), 0, 0], dtype=object)))[2] == Fraction(3, 8)


@given(st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from(["csr", "csc", "coo", "lil"]))
def test_dense_and_sparse_matrices_give_one_chain(N: int, seed: int, layout: str) -> None:
    rng = np.random.default_rng(seed)
    P = rng.random((N, N)) * (rng.random((N, N)) < 0.5)
    P[np.arange(N), rng.integers(0, N, N)] += 0.5
    P /= P.sum(axis=1, keepdims=True)
    dense = Chain.from_matrix(P)
    sparse = Chain.from_matrix(sp.coo_array(P).asformat(layout))
    assert sparse.next_token.tolist() == dense.next_token.tolist()
    assert sparse.successors().tolist() == dense.successors().tolist()
    assert sparse.labels() == dense.labels()
    np.testing.assert_allclose(dense.matrix(), P, rtol=1e-15)
    np.testing.assert_allclose(sparse.sparse().toarray(), P, rtol=1e-15)


def test_sparse_entries_given_twice_are_added_and_zeros_dropped() -> None:
    P = sp.coo_array(([0.25, 0.75, 1.0, 0.0], ([0, 0, 1, 1], [1, 1, 0, 1])), shape=(2, 2))
    chain = Chain.from_matrix(P)
    assert chain.next_token.tolist() == [[0, 1], [1, 0]]
    assert chain.n_edges == 2
    assert P.nnz == 4, "the caller's matrix is left alone"


# ---- from transitions ----


def test_transitions_in_any_order_and_zeros_dropped() -> None:
    chain = Chain.from_edges(
        [1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1], ["1", "1/3", "2/3", 0], vocabulary="ab"
    )
    assert chain.raw_edges().source.tolist() == [0, 0, 1]
    assert chain.raw_edges().token.tolist() == [0, 1, 0]
    assert chain.next_token.tolist() == [[Fraction(2, 3), Fraction(1, 3)], [1, 0]]
    assert chain.successors().tolist() == [[0, 1], [0, -1]]
    assert not chain.is_window
    assert chain.context is None


def test_two_tokens_may_lead_to_one_state() -> None:
    chain = Chain.from_edges([0, 0, 1], [0, 1, 0], [1, 1, 0], [0.5, 0.5, 1.0])
    assert chain.n_edges == 3
    assert chain.matrix().tolist() == [[0, 1], [1, 0]]
    assert chain.sparse().toarray().tolist() == [[0, 1], [1, 0]]


def test_a_chain_of_one_state() -> None:
    chain = Chain.from_edges([0], [0], [0], [1])
    assert (chain.n_states, chain.n_edges) == (1, 1)
    assert chain.matrix().tolist() == [[1.0]]


# ---- names ----


def test_states_by_id_label_and_tokens() -> None:
    chain = Chain(HALF, vocabulary="ab")
    assert chain.state(5) == chain.state(np.int64(5)) == chain.state("bab") == 5
    assert chain.state([1, 0, 1]) == chain.state(np.array([1, 0, 1])) == 5
    assert chain.label(5) == "bab"
    assert chain.labels([5, 0]) == ["bab", "aaa"]


@pytest.mark.parametrize(
    "name", [8, -1, 10**20, "ba", "baba", "xyz", "", [0, 2, 0], [0], 1.5, None]
)
def test_a_state_that_is_not_there(name: Any) -> None:
    windows = Chain(HALF, vocabulary="ab")
    plain = Chain.from_edges([0], [0], [0], [1.0], states=["only"])
    some = Chain.from_text("abab", context=1)
    for chain in (windows, plain, some):
        if name == [0] and chain is some:
            continue
        with pytest.raises(StateOutOfRange, match=r"^state: "):
            chain.state(name)


@pytest.mark.parametrize("state", [-1, 3, 99])
def test_labels_of_states_that_are_not_there(state: int) -> None:
    windows = Chain(np.full((2, 2), 0.5), vocabulary="ab")
    plain = Chain.from_edges([0], [0], [0], [1.0], states=["only"])
    some = Chain.from_text("abab", context=1)
    for chain in (windows, plain, some):
        for ask in (lambda c: c.labels([state]), lambda c: c.label(state)):
            with pytest.raises(StateOutOfRange, match=f"state: {state} is not a state id"):
                ask(chain)
        with pytest.raises(StateOutOfRange):
            chain.listing(states=[state])


def test_hostile_names_do_not_reach_a_terminal() -> None:
    names = ["\x1b[2J", "\u202egnp", "a\nb"]
    chain = Chain.from_edges([0, 1, 2], [0, 1, 2], [1, 2, 0], [1.0] * 3, states=names,
                             vocabulary=["\n", "<b>", "\x00"])  # fmt: skip
    for text in (chain.listing(), repr(chain), *chain.labels()):
        assert all(line.isprintable() for line in text.split("\n"))
    assert "<b>" not in chain._repr_html_()
    for name in names:
        assert chain.labels()[chain.state(name)]


# ---- the article's listing ----


def test_the_listing_of_the_article() -> None:
    # The notebook prints "input [0, 0, 0] ---> [0.268, 0.732]" at three decimals.
    rows = np.tile([0.26836538, 0.73163462], (8, 1))
    lines = Chain(rows, vocabulary="01").listing().split("\n")
    assert lines[0] == "input [0, 0, 0] ---> [0.268, 0.732]"
    assert len(lines) == 8
    every = Chain(np.full((14, 2), 0.5), short_contexts=True).listing().split("\n")
    assert every[0] == "input [0] ---> [0.500, 0.500]"
    assert every[13] == "input [1, 1, 1] ---> [0.500, 0.500]"


def test_long_and_wide_listings_are_cut() -> None:
    chain = Chain(np.full((256, 2), 0.5))
    text = chain.listing()
    assert text.endswith("... and 192 more states")
    assert chain.listing(states=[3, 2], limit=1).split("\n")[1] == "... and 1 more states"
    wide = Chain(np.tile(np.arange(10) / 45, (10, 1)))
    assert wide.listing(states=[0]) == (
        "input [0] ---> [9 0.200, 8 0.178, 7 0.156, 6 0.133, 5 0.111, ...]"
    )


def test_what_a_chain_says_of_itself() -> None:
    assert str(Chain(HALF)) == "Chain: 8 states (every window of 3 tokens over 2), 16 transitions"
    every = Chain(np.full((14, 2), 0.5), short_contexts=True)
    assert "(every context of 1 to 3 tokens over 2)" in str(every)
    data = Chain.from_text("aab", context=2, end="wrap")
    assert "3 states (contexts of 2 tokens over 2), 3 transitions, rational" in repr(data)
    plain = Chain.from_edges([0], [0], [0], [1.0])
    assert str(plain) == "Chain: 1 states over 1 tokens, 1 transitions"
    assert ", decoding top-k 1" in repr(Chain(HALF).with_decoding(TopK(1)))


def test_notes_and_provenance_are_kept() -> None:
    where = {"source": "a checkpoint"}
    for chain in (
        Chain(HALF, notes=["cut"], provenance=where),
        Chain.from_edges([0], [0], [0], [1.0], notes=["cut"], provenance=where),
    ):
        assert chain.notes == ("cut",)
        assert dict(chain.provenance) == where
        with pytest.raises(TypeError):
            chain.provenance["source"] = "another"  # type: ignore[index]
        for made in (chain.with_decoding(Greedy()), chain.exact(), chain.exact().floats()):
            assert made.notes == ("cut",)
            assert dict(made.provenance) == where
    where["source"] = "changed"
    assert chain.provenance["source"] == "a checkpoint"


# ---- it never changes ----


@given(st.one_of(chains(), chains(floats=True)))
def test_nothing_that_a_chain_hands_out_changes_it(chain: Chain) -> None:
    before = (chain.next_token.tolist(), chain.successors().tolist(), chain.labels())
    handed = [chain.next_token, chain.tied, chain.successors(), chain.matrix()]
    handed += [*chain.edges(), *chain.raw_edges(), chain.sparse().data]
    handed += [] if chain.states.contexts() is None else [chain.states.contexts()]
    for array in handed:
        if array.flags.writeable and array.size:
            array.flat[0] = array.flat[0] + 1
    assert (chain.next_token.tolist(), chain.successors().tolist(), chain.labels()) == before
    N = chain.n_states
    mass = chain.push(np.full(N, 1 / N)).sum()
    assert abs(mass - 1) < 1e-14


def test_the_arrays_of_a_chain_are_read_only() -> None:
    for chain in (Chain(HALF), Chain.from_edges([0], [0], [0], [1.0])):
        for array in (chain.next_token, chain.tied):
            assert not array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        Chain(HALF).next_token[0, 0] = 1
    edges = Chain.from_edges([0], [0], [0], [1.0])
    for column in edges.raw_edges():
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
    with pytest.raises(AttributeError):
        Chain(HALF).tied = np.zeros(1)  # type: ignore[misc]


# ---- exact and floats ----


@given(chains(floats=True))
def test_exact_rows_are_the_binary_values_divided_by_their_sum(chain: Chain) -> None:
    exact = chain.exact()
    assert exact.kind == "rational"
    for row, given_row in zip(exact.next_token.tolist(), chain.next_token.tolist(), strict=True):
        total = sum(map(Fraction, given_row))
        assert row == [Fraction(p) / total for p in given_row]
    assert exact.successors().tolist() == chain.successors().tolist()
    assert exact.exact() is exact


@given(chains())
def test_floats_are_the_nearest_ones(chain: Chain) -> None:
    floats = chain.floats()
    assert floats.dtype == np.float64
    assert floats.floats() is floats
    assert floats.next_token.tolist() == [[float(p) for p in row] for row in chain.next_token]
    assert floats.successors().tolist() == chain.successors().tolist()
    assert floats.labels() == chain.labels()


def test_a_rational_too_small_for_a_float_is_not_dropped_silently() -> None:
    tiny = Fraction(1, 10**400)
    windows = Chain([[1 - tiny, tiny], [1, 0]])
    edges = Chain.from_edges(*windows.raw_edges(), states=windows.states)
    for chain in (windows, edges):
        with pytest.raises(InvalidChain, match=r"floats: .*underflow"):
            chain.floats()


def test_symbols_have_no_floats() -> None:
    a = sympy.Symbol("a", positive=True)
    chain = Chain([[a, 1 - a], [1, 0]])
    with pytest.raises(InvalidChain, match="the rows hold symbols, which have no value"):
        chain.floats()
    with pytest.raises(InvalidChain, match="the rows hold symbols, which have no value"):
        chain.sparse()
    assert chain.exact() is chain


# ---- limits ----


def test_a_dense_matrix_has_a_limit_that_says_so() -> None:
    chain = Chain(np.full((2**13, 2), 0.5))
    assert chain.n_states > DENSE_LIMIT
    with pytest.raises(StateSpaceTooLarge, match=r"8,192 states .* 0\.5 GiB, .* 4,096 states") as e:
        chain.matrix()
    assert e.value.exit_code == 5
    assert chain.sparse().shape == (2**13, 2**13)
    assert abs(chain.push(np.full(2**13, 2.0**-13)).sum() - 1) < 1e-12


@given(window_chains(max_states=16))
def test_names_of_every_kind(chain: Chain) -> None:
    edges = chain.raw_edges()
    by_label = Chain.from_edges(*edges, states=chain.labels(), n_states=chain.n_states)
    assert by_label.labels() == chain.labels()
    assert isinstance(by_label.states, NamedStates)
    assert [by_label.state(name) for name in chain.labels()] == list(range(chain.n_states))
    assert by_label.context is None
    assert Vocabulary.of(chain.vocabulary) is chain.vocabulary
