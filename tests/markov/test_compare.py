"""Two chains that read the same tokens, of one context, of different ones, or of none."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mpmath import mp, mpf

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique, StateSpaceTooLarge
from fsm_gpt.markov import paired, product_of_two, token_blocks
from fsm_gpt.result import UNCERTIFIED
from fsm_gpt.space import SomeContexts, Vocabulary


def dense_rows(draw: st.DrawFn, n: int, V: int) -> list[list[Fraction]]:
    weights = st.lists(st.integers(1, 9), min_size=V, max_size=V)
    return [[Fraction(w, sum(row)) for w in row] for row in (draw(weights) for _ in range(n))]


@st.composite
def dense(draw: st.DrawFn, V: int, L: int, vocabulary: str | None = None) -> Chain:
    """A rational window chain without zeros."""
    return Chain(dense_rows(draw, V**L, V), context=L, vocabulary=vocabulary)


@st.composite
def two_contexts(draw: st.DrawFn) -> tuple[Chain, Chain]:
    """Two chains over one vocabulary, their contexts of any lengths."""
    V = draw(st.integers(2, 3))
    lengths = st.integers(1, 3 if V == 2 else 2)
    return draw(dense(V, draw(lengths))), draw(dense(V, draw(lengths)))


def unrolled(chain: Chain, L: int) -> Chain:
    """The same source, its context as long as is asked for: the older tokens do not matter."""
    assert chain.context is not None
    rows = np.tile(chain.next_token, (chain.n_tokens ** (L - chain.context), 1))
    return Chain(rows, context=L)


def under_plain_names(chain: Chain) -> Chain:
    edges = chain.edges()
    return Chain.from_edges(
        edges.source,
        edges.token,
        edges.target,
        edges.probability,
        n_states=chain.n_states,
        vocabulary=chain.vocabulary,
    )


def law_of_texts(chain: Chain, n: int) -> dict[tuple[int, ...], Fraction]:
    """Every text of n tokens with its probability, by walking all paths of a rational chain."""
    edges = chain.edges()
    ways: dict[int, list[tuple[int, int, Fraction]]] = {}
    for s, t, to, p in zip(*(column.tolist() for column in edges), strict=True):
        ways.setdefault(s, []).append((t, to, p))
    texts = {((), s): p for s, p in enumerate(fg.stationary_distribution(chain).pi) if p}
    for _ in range(n):
        longer: dict[Any, Fraction] = {}
        for (text, s), mass in texts.items():
            for t, to, p in ways[s]:
                key = ((*text, t), to)
                longer[key] = longer.get(key, Fraction(0)) + mass * p
        texts = longer
    law: dict[tuple[int, ...], Fraction] = {}
    for (text, _), mass in texts.items():
        law[text] = law.get(text, Fraction(0)) + mass
    return law


def divergence(one: dict[Any, Fraction], other: dict[Any, Fraction]) -> Any:
    """KL(one || other) in bits to forty digits."""
    with mp.workdps(40):
        return mp.fsum(
            mpf(p.numerator)
            / p.denominator
            * mp.log(
                mpf(p.numerator) * other[x].denominator / (p.denominator * other[x].numerator), 2
            )
            for x, p in one.items()
        )


# ---- sources ----


@pytest.mark.parametrize(
    ("a", "b", "c", "d"), [("1/4", "1/2", "1/3", "1/5"), ("1/100", "9/10", "1/2", "1/2")]
)
def test_the_rate_of_two_states(a: str, b: str, c: str, d: str) -> None:
    """Rached et al. (2004), theorem 1: sum_s pi(s) sum_t p(t|s) log p(t|s) / q(t|s).

    pi = (b, a) / (a + b) is Cover & Thomas, equation 4.33.
    """
    a, b, c, d = map(Fraction, (a, b, c, d))  # type: ignore[assignment]
    P, Q = Chain([[1 - a, a], [b, 1 - b]]), Chain([[1 - c, c], [d, 1 - d]])

    def kl(p: Any, q: Any) -> float:
        return float(p) * math.log2(p / q) + float(1 - p) * math.log2((1 - p) / (1 - q))

    rate = float(b / (a + b)) * kl(a, c) + float(a / (a + b)) * kl(b, d)
    found = fg.compare(P, Q)
    assert found.kl_bits_per_token == pytest.approx(rate, rel=1e-13)
    assert found.kl_by_state == pytest.approx([kl(a, c), kl(b, d)], rel=1e-13)
    assert found.error_bound < 1e-13
    # A coin beside the chain, as a machine of one state: what is above the unigram.
    coin = Chain.from_edges([0, 0], [0, 1], [0, 0], [Fraction(1, 3), Fraction(2, 3)])
    rate = sum(
        float(p) * kl(row, Fraction(2, 3))
        for p, row in zip((b / (a + b), a / (a + b)), (a, 1 - b), strict=True)
    )
    assert fg.compare(P, coin).kl_bits_per_token == pytest.approx(rate, rel=1e-13)


# ---- laws ----


@given(two_contexts())
@settings(max_examples=25)
def test_the_rate_is_what_one_token_more_adds(pair: tuple[Chain, Chain]) -> None:
    """Cover & Thomas, theorem 2.5.3: once all context is known, KL grows by the rate."""
    P, Q = pair
    n = max(P.context or 0, Q.context or 0)
    laws = [[law_of_texts(chain, n + k) for chain in (P, Q)] for k in (0, 1)]
    true = divergence(*laws[1]) - divergence(*laws[0])
    for reference, model in itertools.product((P, under_plain_names(P)), (Q, under_plain_names(Q))):
        found = fg.compare(reference, model)
        assert found.error_bound != UNCERTIFIED
        assert abs(found.kl_bits_per_token - true) <= found.error_bound
        assert found.error_bound < 1e-10
        assert found.pi.sum() == pytest.approx(1, abs=1e-13)
        assert found.share_by_state.sum() == pytest.approx(float(true), abs=1e-12)


@given(two_contexts())
@settings(max_examples=25)
def test_a_shorter_context_is_a_longer_one_that_forgets(pair: tuple[Chain, Chain]) -> None:
    P, Q = pair
    L = max(P.context or 0, Q.context or 0)
    wanted = fg.compare(unrolled(P, L), unrolled(Q, L))
    for reference, model in ((P, Q), (P.floats(), Q), (P, Q.floats())):
        found = fg.compare(reference, model)
        assert found.kl_bits_per_token == pytest.approx(wanted.kl_bits_per_token, abs=1e-13)
        assert found.cross_entropy_bits_per_token == pytest.approx(
            wanted.cross_entropy_bits_per_token, abs=1e-13
        )
        if (P.context or 0) >= (Q.context or 0):
            assert found.states == tuple(P.labels())
        else:
            assert found.states == tuple(unrolled(P, L).labels())
            assert found.pi == pytest.approx(wanted.pi, rel=1e-12)
        by_name = dict(zip(found.states, found.kl_by_state, strict=True))
        for name, kl in zip(wanted.states, wanted.kl_by_state, strict=True):
            assert by_name[name[-len(found.states[0]) :]] == pytest.approx(kl, abs=1e-13)


@given(st.data(), st.integers(1, 3))
@settings(max_examples=25)
def test_nothing_is_wasted_only_on_the_source_itself(data: st.DataObject, L: int) -> None:
    P = data.draw(dense(2, L))
    machine = fg.minimize(P).chain
    for model in (P, unrolled(P, L + 1), machine, under_plain_names(P)):
        assert fg.compare(P, model).kl_bits_per_token == pytest.approx(0, abs=1e-14)
        assert fg.compare(model, P).kl_bits_per_token == pytest.approx(0, abs=1e-14)
    Q = data.draw(dense(2, L))
    same = (P.next_token == Q.next_token).all()
    assert (fg.compare(P, Q).kl_bits_per_token > 1e-13) == (not same)


@given(st.text("ab", min_size=6, max_size=40), st.integers(1, 3), st.data())
@settings(max_examples=25)
def test_a_text_against_models_of_every_context(text: str, L: int, data: st.DataObject) -> None:
    """A text read as a circle: its cross-entropy is the mean over its own tokens."""
    reference = Chain.from_text(text, context=L, end="wrap", vocabulary="ab")
    for M in (1, 2):
        model = data.draw(dense(2, M, "ab"))
        if M <= L:
            ids = ["ab".index(c) for c in text]
            n = len(ids)
            true = math.fsum(
                -math.log2(model.next_token[model.state([ids[i - k] for k in range(M, 0, -1)])][t])
                for i, t in enumerate(ids)
            )
            found = fg.compare(reference, model)
            assert found.cross_entropy_bits_per_token == pytest.approx(true / n, rel=1e-12)
            assert sum(found.pi) == pytest.approx(1)


def test_a_text_as_the_model_of_longer_contexts() -> None:
    """Where it has all that the reference does, and where it lacks some."""
    model = Chain.from_text("aabbaababb", context=3, end="wrap", vocabulary="ab")
    reference = Chain.from_text("aabb", context=2, end="wrap", vocabulary="ab")
    found = fg.compare(reference, model)
    assert found.states == ("aab", "abb", "baa", "bba")
    # From the circle aabbaababb: aab is followed by b and a, abb by a twice, baa by b, bba by a.
    assert found.kl_bits_per_token == pytest.approx(0.25, abs=1e-13)
    lacking = Chain.from_text("ab", context=1, end="wrap", vocabulary="ab")
    with pytest.raises(InvalidArgument, match="visits context 'aba', which the model does not"):
        fg.compare(lacking, Chain.from_text("aabb", context=3, end="wrap", vocabulary="ab"))


# ---- machines whose states are plain names ----


def even_process(p: str = "1/2") -> Chain:
    """Ones in even numbers between zeros: no number of tokens tells the state of them all."""
    return Chain.from_edges([0, 0, 1], [0, 1, 1], [0, 1, 0], [Fraction(p), 1 - Fraction(p), 1])


def test_a_machine_without_a_context() -> None:
    """Two even processes, after Weiss (1973): only the state without a half pair chooses."""
    found = fg.compare(even_process("1/2"), even_process("1/4"))
    # pi = (2/3, 1/3) for p = 1/2.
    kl = 0.5 * math.log2(0.5 / 0.25) + 0.5 * math.log2(0.5 / 0.75)
    assert found.kl_bits_per_token == pytest.approx(2 / 3 * kl, rel=1e-13)
    assert fg.compare(even_process(), even_process()).kl_bits_per_token == 0
    # Against a bigram: the law of (state, last token) is a chain of three pairs.
    bigram = Chain([["1/2", "1/2"], ["1/4", "3/4"]])
    found = fg.compare(even_process(), bigram)
    # (even, 0), (odd, 1), (even, 1) have 1/3 each: from the flow 1/2 x + 1/2 z = x, y = z.
    cross = (1 + -math.log2(0.75) + 0.5 * (-math.log2(0.25) - math.log2(0.75))) / 3
    assert found.cross_entropy_bits_per_token == pytest.approx(cross, rel=1e-13)
    assert sorted(found.states) == ["0 | 0", "0 | 1", "1 | 1"]
    assert found.pi == pytest.approx([1 / 3] * 3, rel=1e-13)


def test_a_machine_that_no_token_tells_the_state_of() -> None:
    """Two loops that write the same tokens with other probabilities, never joined."""
    two = Chain.from_edges([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0.5, 0.5, 0.25, 0.75])
    with pytest.raises(NotUnique, match="does not tell which of them it is in"):
        fg.compare(Chain([[0.5, 0.5]] * 2), two)
    # Where the two write alike, it does not matter.
    alike = Chain.from_edges([0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0], [0.25, 0.75, 0.25, 0.75])
    wasted = 0.5 * math.log2(0.5 / 0.25) + 0.5 * math.log2(0.5 / 0.75)
    assert fg.compare(Chain([[0.5, 0.5]] * 2), alike).kl_bits_per_token == pytest.approx(wasted)


def test_a_machine_that_rules_out_what_happens() -> None:
    golden = Chain.from_edges([0, 1, 1], [1, 0, 1], [1, 0, 1], [1.0, 0.5, 0.5])
    assert fg.compare(Chain([[0.0, 1.0], [0.5, 0.5]]), golden).kl_bits_per_token == 0
    with pytest.raises(NotDefined, match=r"rules out token '0' in its state .* infinite"):
        fg.compare(Chain([[0.25, 0.75], [0.5, 0.5]]), golden)
    with pytest.raises(NotDefined, match="infinite"):
        fg.compare(Chain([[1.0, 0.0], [1.0, 0.0]]), golden)
    # Contexts say what comes after what is ruled out, so that the rest is still told.
    found = fg.compare(Chain([[0.25, 0.75], [0.5, 0.5]]), Chain([[0.0, 1.0], [0.5, 0.5]]))
    assert math.isinf(found.kl_bits_per_token)
    assert found.missing == ("0",)
    assert "ruled out by the model, yet seen: 0" in str(found)


# ---- what cannot be compared ----


def test_what_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    coin = Chain([[0.5, 0.5]] * 2)
    with pytest.raises(InvalidArgument, match="the vocabularies differ: a b in the reference, 0 1"):
        fg.compare(Chain([[0.5, 0.5]] * 2, vocabulary="ab"), coin)
    with pytest.raises(NotUnique, match="compare: the chain has 2 closed classes"):
        fg.compare(Chain.from_matrix(np.eye(2)), coin)
    with pytest.raises(NotDefined, match="the texts of the reference end"):
        fg.compare(coin.with_stop("1"), coin)
    with pytest.raises(NotDefined, match="the texts of the model end"):
        fg.compare(coin, coin.with_stop("1"))
    with pytest.raises(InvalidArgument, match="contexts of 2 tokens and the model of 1"):
        paired.matching_states(Chain([[0.5, 0.5]] * 4), coin, np.arange(4))
    with pytest.raises(InvalidArgument, match="plain names cannot be matched by context"):
        paired.matching_states(under_plain_names(coin), coin, np.arange(2))
    monkeypatch.setattr(product_of_two, "MOST_PAIRS", 1)
    with pytest.raises(StateSpaceTooLarge, match="more than 1 pairs"):
        fg.compare(under_plain_names(Chain([[0.5, 0.5], [0.25, 0.75]])), coin)
    monkeypatch.setattr(token_blocks, "MOST_BLOCKS", 3)
    with pytest.raises(StateSpaceTooLarge, match="more than 3 blocks of 2 tokens"):
        fg.context_distance(even_process(), even_process(), n_tokens=2)


def test_a_recurrent_context_that_is_not_full() -> None:
    """It is compared with what is no longer than it; what a longer one would be is not known."""
    states = SomeContexts(Vocabulary.of("01"), np.array([[-1, 0], [-1, 1]]))
    turns = Chain.from_edges([0, 1], [1, 0], [1, 0], [1.0, 1.0], states=states)
    found = fg.compare(turns, Chain([[0.5, 0.5], [0.25, 0.75]]))
    assert found.kl_bits_per_token == pytest.approx((1 + 2) / 2, abs=1e-14)
    with pytest.raises(NotDefined, match="is in '0', which has fewer tokens than the 2"):
        fg.compare(turns, Chain([[0.5, 0.5]] * 8))
    with pytest.raises(InvalidArgument, match="visits context '0', which the model does not"):
        fg.compare(turns, Chain([[0.5, 0.5]] * 4))


def test_states_are_named_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million names take longer than the comparison."""
    P = Chain(np.full((2**12, 2), 0.5))
    monkeypatch.setattr(type(P.states), "label", lambda *_: pytest.fail("a name was made"))
    found = fg.compare(P, P)
    assert len(found.pi) == 2**12
