"""A model together with an environment, against all texts listed one by one."""

import itertools
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs
from fsm_gpt.environment import Environment
from fsm_gpt.errors import (
    InvalidArgument,
    InvalidChain,
    InvalidText,
    StateOutOfRange,
    StateSpaceTooLarge,
)
from tests.strategies import chains, probability_rows, window_chains


def texts(chain: Chain, start: int, n: int) -> dict[tuple[str, ...], Any]:
    """The probability of every text of n tokens from a state; what a token tells beside is cut."""
    rows, successors = chain.next_token, chain.successors()
    found: dict[tuple[str, ...], Any] = defaultdict(Fraction)
    walks: dict[tuple[tuple[str, ...], int], Any] = {((), start): Fraction(1)}
    for _ in range(n):
        after: dict[tuple[tuple[str, ...], int], Any] = defaultdict(Fraction)
        for (text, state), p in walks.items():
            for token in np.flatnonzero(rows[state]).tolist():
                name = chain.vocabulary[token].split("/")[0]
                after[(*text, name), int(successors[state, token])] += p * rows[state, token]
        walks = after
    for (text, _), p in walks.items():
        found[text] += p
    return dict(found)


def by_hand(
    chain: Chain, environment: Environment, start: int, n: int
) -> dict[tuple[str, ...], Fraction]:
    """The same, by letting both move in turn as the definition says; windows alone."""
    moves = defaultdict(list)
    for e, v, w, after, p in zip(
        environment.state.tolist(), environment.heard.tolist(), environment.written.tolist(),
        environment.after.tolist(), environment.probability.tolist(), strict=True,
    ):  # fmt: skip
        moves[e, v].append((w, after, p))
    V, N = chain.n_tokens, chain.n_states
    walks: dict[Any, Fraction] = {((), start, 0): Fraction(1)}
    for _ in range(n):
        on: dict[Any, Fraction] = defaultdict(Fraction)
        for (text, s, e), p in walks.items():
            draws = [(-1, Fraction(1))] if (e, -1) in moves else enumerate(chain.next_token[s])
            for v, q in draws:
                for w, after, r in moves[e, v]:
                    if q * r:
                        name = chain.vocabulary[w]
                        on[(*text, name), s % (N // V) * V + w, after] += p * q * r
        walks = on
    law: dict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    for (text, _, _), p in walks.items():
        law[text] += p
    return dict(law)


@st.composite
def environments(draw: st.DrawFn, V: int) -> Environment:
    """Up to three states, each listening or speaking, with up to two moves for what is heard."""
    E = draw(st.integers(1, 3))
    places = st.tuples(st.integers(0, V - 1), st.integers(0, E - 1))
    moves = []
    for e in range(E):
        speaks = draw(st.booleans()) and e > 0
        for v in [None] if speaks else range(V):
            targets = draw(st.lists(places, min_size=1, max_size=2, unique=True))
            row = draw(probability_rows(len(targets)))
            moves += [(e, v, w, after, p) for (w, after), p in zip(targets, row, strict=True)]
    return Environment.of_moves(V, [f"e{k}" for k in range(E)], moves)


@settings(max_examples=30)
@given(window_chains(max_tokens=3, max_context=2), st.data())
def test_every_text_is_as_likely_as_by_hand(chain: Chain, data: st.DataObject) -> None:
    environment = data.draw(environments(chain.n_tokens))
    start = data.draw(st.integers(0, chain.n_states - 1))
    product = fg.couple(chain, environment, start=start)
    begin = 0
    if isinstance(product.states, Pairs):
        begin = product.state((start, 0))
        pairs = zip(product.states.first, product.states.second, strict=True)
        assert len(product.states) == len(set(pairs))
    else:
        begin = product.state(chain.states.tokens_of(start))
    assert product.kind == "rational"
    assert texts(product, begin, 3) == by_hand(chain, environment, start, 3)
    near = fg.couple(chain.floats(), environment, start=start)
    assert near.dtype == np.float64
    np.testing.assert_allclose(
        near.matrix(), product.matrix().astype(float), rtol=1e-12, atol=1e-300
    )


@settings(max_examples=20)
@given(chains())
def test_a_channel_that_changes_nothing(chain: Chain) -> None:
    product = fg.couple(chain, Environment.channel(chain.vocabulary, np.eye(chain.n_tokens)))
    assert product.labels() == chain.labels()
    assert (product.next_token == chain.next_token).all()
    assert (product.matrix() == chain.matrix()).all()
    assert product.is_window == chain.is_window


@settings(max_examples=15)
@given(window_chains())
def test_noise_alone_leaves_independent_tokens(chain: Chain) -> None:
    product = fg.couple(chain, Environment.noise(chain.vocabulary, 1))
    assert (product.next_token == Fraction(1, chain.n_tokens)).all()
    assert fg.entropy_rate(product.floats()).bits_per_token == pytest.approx(
        np.log2(chain.n_tokens), rel=1e-12, abs=1e-12
    )


def test_a_little_noise_makes_a_loop_mix() -> None:
    """A model that repeats its token for ever, each replaced one time in a hundred."""
    loop = Chain([[1.0, 0.0], [0.0, 1.0]])
    assert len(fg.communicating_classes(loop).closed) == 2
    noisy = fg.couple(loop, Environment.noise("01", "1/50"))  # half of the noise changes nothing
    assert noisy.is_window
    structure = fg.communicating_classes(noisy)
    assert (structure.irreducible, structure.periods) == (True, (1,))
    expected = -(0.99 * np.log2(0.99) + 0.01 * np.log2(0.01))
    assert fg.entropy_rate(noisy).bits_per_token == pytest.approx(expected, rel=1e-12)


def test_a_channel_over_transitions() -> None:
    """Another window chain, told as transitions, behind the same channel."""
    rows = np.random.default_rng(3).dirichlet(np.ones(3), 9)
    chain = Chain(rows)
    edges = Chain.from_edges(*chain.edges(), states=chain.states)
    channel = Environment.noise(3, 0.25)
    one, other = fg.couple(chain, channel), fg.couple(edges, channel)
    assert not other.is_window
    np.testing.assert_allclose(one.next_token, other.next_token, rtol=1e-14)
    assert one.labels() == other.labels()


@settings(max_examples=20)
@given(window_chains(max_tokens=3, max_context=3, max_states=9), st.data())
def test_two_of_a_kind_write_as_one(chain: Chain, data: st.DataObject) -> None:
    """A partner that draws from the same rows: the text has the law of one of them alone."""
    start = data.draw(st.integers(0, chain.n_states - 1))
    turn = data.draw(st.sampled_from([None, [0]]))
    partner = Environment.partner(chain, start=start, turn=turn)
    product = fg.couple(chain, partner, start=start)
    assert texts(product, product.state((start, 0)), 4) == texts(chain, start, 4)
    assert product.n_states <= 2 * chain.n_states


def test_an_echo() -> None:
    """By hand: the model draws a or b, the other one repeats it. Every second token is free."""
    coin = Chain([["1/3", "2/3"]] * 2, vocabulary="ab")
    echo = Chain([[1, 0], [0, 1]], vocabulary="ab").exact()
    product = fg.couple(coin, Environment.partner(echo), start="a")
    law = texts(product, product.state((0, 0)), 4)
    expected = {
        (x, x, y, y): Fraction(1 + (x == "b"), 3) * Fraction(1 + (y == "b"), 3)
        for x, y in itertools.product("ab", repeat=2)
    }
    assert law == expected
    h = fg.entropy_rate(coin).bits_per_token
    assert sympy.simplify(fg.entropy_rate(product).bits_per_token - h / 2) == 0
    assert fg.communicating_classes(product).periods == (2,)
    marginal = fg.reward(product, [1, 0], of="token").mean_per_token
    assert marginal == Fraction(1, 3)


def test_a_tool_that_answers() -> None:
    """After a question mark the tool writes yes or no, begun alike they share their states."""
    answers = {"?": {("y", "e"): "1/4", ("n", "o"): "1/2", ("n", "e"): "1/4"}}
    environment = Environment.replies("yeno?", answers)
    assert environment.names == ("listens", "? ...", "?y ...", "?n ...")
    asks = Chain([[0, 0, 0, 0, 1]] * 5, vocabulary="yeno?").exact()
    product = fg.couple(asks, environment, start="y")
    law = texts(product, product.state("y | listens"), 4)
    assert law == {
        ("?", "y", "e", "?"): Fraction(1, 4),
        ("?", "n", "o", "?"): Fraction(1, 2),
        ("?", "n", "e", "?"): Fraction(1, 4),
    }


def test_an_answer_may_go_on_or_not() -> None:
    """Whether it does is no part of the text, so the tokens tell it."""
    environment = Environment.replies("ab", {"b": {"a": 0.5, "aa": 0.5}})
    product = fg.couple(Chain([[0.0, 1.0]] * 2, vocabulary="ab"), environment, start="a")
    assert product.vocabulary.tokens == ("a/listens", "a/ba ...", "b/b ...")
    assert texts(product, product.state((0, 0)), 3) == {
        ("b", "a", "b"): 0.5,
        ("b", "a", "a"): 0.5,
    }


def test_a_long_answer() -> None:
    environment = Environment.replies("ab", {"b": "a" * 1500})
    assert len(environment.names) == 1501
    loop = fg.couple(Chain([[0.0, 1.0]] * 2, vocabulary="ab"), environment, start="b")
    assert fg.communicating_classes(loop).periods == (1501,)


def test_who_answers_makes_a_cycle_of_a_mixing_model() -> None:
    chain = Chain([["1/3", "2/3"]] * 4, vocabulary="ab")
    assert fg.communicating_classes(chain).periods == (1,)
    resets = Environment.replies("ab", {"a": "ab", "b": "ab"})
    product = fg.couple(chain, resets, start="ab")
    assert fg.communicating_classes(product).periods == (3,)
    h = fg.entropy_rate(chain).bits_per_token
    assert sympy.simplify(fg.entropy_rate(product).bits_per_token - h / 3) == 0


def test_the_product_may_end() -> None:
    """A coin until heads, each tail answered by another one."""
    coin = Chain([["2/3", "1/3"]] * 2, vocabulary="th")
    machine = fg.couple(coin, Environment.replies("th", {"t": "t"}), start="t").with_stop("h")
    # k tails before heads have 2 k + 1 tokens: 1 + 2 (2/3) / (1/3) = 5.
    assert fg.hitting(machine, "END").mean_steps[machine.state("t | listens")] == 5


def test_symbols_behind_noise() -> None:
    a = sympy.Symbol("a", positive=True)
    chain = Chain.from_matrix([[1 - a, a], [a, 1 - a]])
    for rate in (0.5, "1/2"):
        noisy = fg.couple(chain, Environment.noise(2, rate))
        assert sympy.simplify(noisy.next_token[0, 1] - (a / 2 + sympy.Rational(1, 4))) == 0


def test_symbols_in_the_environment() -> None:
    """The binary symmetric channel (Cover & Thomas 2006, section 7.1.4)."""
    f = sympy.Symbol("f", positive=True)
    channel = Environment.channel(2, [[1 - f, f], [f, 1 - f]])
    sure = Chain([[0, 1], [1, 0]]).exact()
    noisy = fg.couple(sure, channel)
    assert noisy.kind == "symbolic"
    assert sympy.simplify(noisy.next_token[0, 0] - f) == 0
    with pytest.raises(InvalidChain, match="couple: the rows hold symbols"):
        fg.couple(sure.floats(), channel)


def test_a_start_leaves_out_what_is_not_reached() -> None:
    chain = Chain([[1.0, 0.0]] * 4)
    product = fg.couple(chain, Environment.channel(2, np.eye(2)), start=["01", 0])
    assert product.labels() == ["00", "01", "10"]
    assert product.context == 2


def test_an_explored_machine_is_followed_by_its_contexts() -> None:
    """Transitions that were decoded away are found again where the context is a state."""
    rows = np.random.default_rng(5).dirichlet(np.ones(2), 8)
    whole = Chain(rows)
    states = fg.ContextSpace(whole.vocabulary, 3)
    greedy = Chain.from_edges(*whole.with_decoding(fg.Greedy()).edges(), states=states)
    noisy = fg.couple(greedy, Environment.noise(2, 0.5))
    same = fg.couple(whole.with_decoding(fg.Greedy()), Environment.noise(2, 0.5))
    np.testing.assert_allclose(noisy.matrix(), same.matrix(), rtol=1e-15)


# ---- refusals ----


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (lambda token: token, "a function, which has no list of states"),
        (None, "a NoneType"),
        (Chain([[0.5, 0.5]] * 2), "Environment.partner"),
        (Environment.noise("ab", 0.5), "the same ones"),
    ],
)
def test_what_is_no_finite_environment(environment: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.couple(Chain([[0.5, 0.5]] * 2), environment)


def test_what_hears_nothing_more() -> None:
    quiet = Environment.noise("ab", 0)
    with pytest.raises(InvalidArgument, match="with_stop"):
        fg.couple(Chain([[0.5, 0.5]] * 2, vocabulary="ab").with_stop("b"), quiet)
    model = lambda ids: np.zeros((len(ids), 2))  # noqa: E731
    part = fg.explore(model, ["a"], vocabulary="ab", context=4, max_states=5).chain
    with pytest.raises(InvalidArgument, match="Explore on"):
        fg.couple(part, quiet)
    with pytest.raises(InvalidArgument, match="partner's chain has an END"):
        Environment.partner(part)


def test_a_token_that_leads_nowhere() -> None:
    named = Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0], states=["x", "y"])
    with pytest.raises(StateOutOfRange, match="plain names"):
        fg.couple(named, Environment.noise(2, 0.5))
    with pytest.raises(StateOutOfRange, match="in state x"):
        Environment.partner(named)
    seen = Chain.from_text("0101", context=2, end="wrap")
    with pytest.raises(StateOutOfRange, match=r"no state 00|no state 11"):
        fg.couple(seen, Environment.noise("01", 0.5))


def test_too_large_a_product_is_refused_before_it_is_made() -> None:
    with pytest.raises(StateSpaceTooLarge, match="max_memory_gib"):
        fg.couple(
            Chain(np.full((2**12, 2), 0.5)),
            Environment.replies("01", {"1": "0" * 50}),
            max_memory_gib=0.001,
        )
    with pytest.raises(StateSpaceTooLarge, match="4,096 windows"):
        fg.couple(Chain(np.full((2**12, 2), 0.5)), Environment.noise(2, 1), max_memory_gib=1e-5)


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ([(0, 0, 0, 0, 1)], "no move for the token 'b'"),
        ([(0, None, 0, 0, 1), (0, 0, 0, 0, 1), (0, 1, 0, 0, 1)], "it listens and speaks"),
        ([(0, 0, 0, 0, 1), (0, 1, 1, 0, 0.5)], "sum to 0.5"),
        ([(0, 0, 0, 0, 1), (0, 1, 1, 0, 1.5), (0, 1, 0, 0, -0.5)], "environment"),
        ([(0, 0, 0, 0, float("nan")), (0, 1, 1, 0, 1)], "nan"),
        ([(0, 0, 0, 0, "x"), (0, 1, 1, 0, 1)], "not a probability"),
        ([(0, 0, 0, 0), (0, 1, 1, 0, 1)], "has 4 parts"),
        ([(0, "c", 0, 0, 1), (0, 1, 1, 0, 1)], "no token 'c'"),
        ([(0, 0, 0, 1, 1), (0, 1, 1, 0, 1)], "no state 1"),
        ([], "no move"),
    ],
)
def test_moves_that_make_no_environment(moves: list[Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        Environment.of_moves("ab", ["only"], moves)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Environment.noise("ab", 1.5), InvalidArgument, "not between 0 and 1"),
        (lambda: Environment.noise("ab", -0.1), InvalidArgument, "not between 0 and 1"),
        (lambda: Environment.noise("ab", "x"), InvalidArgument, "not a probability"),
        (lambda: Environment.channel("ab", [[1, 0]]), InvalidArgument, r"shape \(1, 2\)"),
        (lambda: Environment.channel("ab", [[1, 0], [1, 1]]), InvalidArgument, "sum to 2"),
        (lambda: Environment.replies("ab", {"b": ""}), InvalidArgument, "is empty"),
        (lambda: Environment.replies("ab", {"c": "a"}), InvalidText, "'c'"),
        (lambda: Environment.replies("ab", {"b": 5}), InvalidArgument, "5 is no answer"),
        (lambda: Environment.replies("ab", {"b": {}}), InvalidArgument, "sum to 0"),
        (lambda: Environment.replies("ab", {"b": {"a": "x"}}), InvalidArgument, "probability"),
        (
            lambda: Environment.partner(Chain([[0.5, 0.5]] * 2), turn=[2]),
            InvalidArgument,
            "no token 2",
        ),
        (lambda: Environment.partner(Chain([[1.0]]), start=3), StateOutOfRange, "3 is not"),
        (lambda: Environment.replies("ab", {"b": {"a": 0.5}}), InvalidArgument, "sum to 0.5"),
        (lambda: Environment.replies("ab", str.upper), InvalidArgument, "not finite"),
        (
            lambda: Environment.of_moves("ab", ["x", "x"], [(0, None, 0, 0, 1)]),
            InvalidArgument,
            "names that differ",
        ),
        (
            lambda: Environment.partner(Chain(np.full((2**20, 2), 0.5))),
            StateSpaceTooLarge,
            "above the limit",
        ),
    ],
)
def test_environments_that_are_none(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
