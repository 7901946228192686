"""n-grams of a chain, distances to them, and the total variation between two laws of tokens."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from tests.markov.test_compare import (
    dense,
    divergence,
    even_process,
    law_of_texts,
    two_contexts,
    under_plain_names,
)
from tests.strategies import window_chains


def rows_by_name(chain: Chain) -> dict[str, list[object]]:
    return dict(zip(chain.labels(), chain.next_token.tolist(), strict=True))


# ---- n-grams ----


@given(st.text("abc", min_size=5, max_size=30), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=40)
def test_the_n_gram_of_a_text_is_the_n_gram_of_its_chain(text: str, L: int, k: int) -> None:
    """A text read as a circle has each block as often as its chain of any longer context."""
    assume(k <= L)
    chain = Chain.from_text(text, context=L, end="wrap")
    found = fg.n_gram(chain, k)
    assert rows_by_name(found) == rows_by_name(Chain.from_text(text, context=k, end="wrap"))
    assert found.vocabulary == chain.vocabulary
    unigram = fg.n_gram(chain, 0)
    assert unigram.n_states == 1
    assert unigram.next_token[0].tolist() == [
        Fraction(text.count(c), len(text)) for c in sorted(set(text))
    ]


@given(window_chains(max_states=16, max_tokens=3), st.integers(0, 3))
@settings(max_examples=40)
def test_an_n_gram_has_the_law_of_one_token_more(chain: Chain, k: int) -> None:
    """Cover & Thomas, section 6.4: the approximation has the source's law of k + 1 tokens."""
    assume(len(fg.communicating_classes(chain).closed) == 1)
    wanted = {text: p for text, p in law_of_texts(chain, k + 1).items() if p}
    for source in (chain, under_plain_names(chain)):
        found = fg.n_gram(source, k)
        assert found.kind == "rational"
        assert {text: p for text, p in law_of_texts(found, k + 1).items() if p} == wanted
    floats = fg.n_gram(chain.floats(), k)
    assert floats.labels() == found.labels()
    np.testing.assert_allclose(
        floats.next_token, found.next_token.astype(float), rtol=1e-9, atol=1e-300
    )


def test_the_n_gram_of_a_process_without_a_context() -> None:
    """The even process with p = 1/2: pi = (2/3, 1/3), and 0 is drawn with 2/3 * 1/2."""
    assert fg.n_gram(even_process(), 0).next_token[0].tolist() == [Fraction(1, 3), Fraction(2, 3)]
    # After 0 the state is even: 1/2. After 1, twice as often: 1/6 of 2/3 are 0s.
    bigram = fg.n_gram(even_process(), 1)
    assert rows_by_name(bigram) == {
        "0": [Fraction(1, 2), Fraction(1, 2)],
        "1": [Fraction(1, 4), Fraction(3, 4)],
    }
    assert bigram.context == 1
    assert bigram.is_window
    # 010 never occurs.
    assert rows_by_name(fg.n_gram(even_process(), 2))["01"] == [0, 1]


def test_what_has_no_n_gram() -> None:
    coin = Chain([[0.5, 0.5]] * 2)
    for order in (-1, 1.5, "1", True):
        with pytest.raises(InvalidArgument, match="is not a whole number of 0 or more"):
            fg.n_gram(coin, order)  # type: ignore[arg-type]
    with pytest.raises(NotUnique, match="2 closed classes"):
        fg.n_gram(Chain.from_matrix(np.eye(2)), 0)
    import sympy

    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="hold symbols"):
        fg.n_gram(Chain([[1 - a, a], [a, 1 - a]]), 1)
    with pytest.raises(NotDefined, match="hold symbols"):
        fg.context_distance(Chain([[1 - a, a], [a, 1 - a]]), coin)


# ---- distances to n-grams ----


@given(two_contexts())
@settings(max_examples=25)
def test_distances_are_differences_of_laws(pair: tuple[Chain, Chain]) -> None:
    """KL of k + 1 tokens less that of k, each from the list of all texts."""
    P, Q = pair
    orders = (0, 1, 2)
    found = fg.n_gram_distances(P, Q, orders=orders)
    assert found.error_bound < 1e-9
    for i, k in enumerate(orders):
        p, q = (fg.n_gram(chain, k) for chain in pair)
        n = max(P.context or 0, Q.context or 0, k)
        for reference, model, values in (
            (P, p, found.reference_to_its_own_bits),
            (Q, q, found.model_to_its_own_bits),
            (p, Q, found.reference_n_gram_to_model_bits),
            (Q, p, found.model_to_reference_n_gram_bits),
        ):
            longer, shorter = (
                divergence(law_of_texts(reference, m), law_of_texts(model, m)) for m in (n + 1, n)
            )
            assert abs(values[i] - (longer - shorter)) <= found.error_bound
        # The one leg and the other (Cover & Thomas, theorem 2.5.3 for the two conditionals).
        leg = fg.compare(q, p).kl_bits_per_token
        assert found.model_to_reference_n_gram_bits[i] == pytest.approx(
            found.model_to_its_own_bits[i] + leg, abs=1e-11
        )


@given(window_chains(max_states=16, max_tokens=3))
@settings(max_examples=30)
def test_a_source_is_as_far_from_its_n_grams_as_its_memory_curve_falls(chain: Chain) -> None:
    assume(len(fg.communicating_classes(chain).closed) == 1)
    assert chain.context is not None
    curve = fg.memory_curve(chain).bits_per_token
    orders = tuple(range(chain.context + 1))
    found = fg.n_gram_distances(chain, chain, orders=orders)
    assert found.reference_to_its_own_bits == pytest.approx(curve - curve[-1], abs=1e-11)
    assert found.model_to_its_own_bits == pytest.approx(curve - curve[-1], abs=1e-11)
    for k in orders:
        rate = fg.compare(chain, fg.n_gram(chain, k)).kl_bits_per_token
        assert rate == pytest.approx(curve[k] - curve[-1], abs=1e-11)


def test_a_model_that_does_what_a_bigram_never_does() -> None:
    data = Chain.from_text("111101111011110", context=3)  # no two zeros in a row
    coin = Chain([[0.5, 0.5]] * 8)
    found = fg.n_gram_distances(data, coin)
    assert math.isinf(found.model_to_reference_n_gram_bits[1])
    assert math.isfinite(found.model_to_reference_n_gram_bits[0])
    assert found.model_to_its_own_bits == pytest.approx([0, 0], abs=1e-14)
    # A fifth of the tokens are 0: the coin misses the unigram by 1 - H(1/5).
    entropy = -0.2 * math.log2(0.2) - 0.8 * math.log2(0.8)
    assert found.reference_n_gram_to_model_bits[0] == pytest.approx(1 - entropy, rel=1e-12)
    assert found.reference_to_its_own_bits[0] == pytest.approx(entropy - 0.4, rel=1e-12)
    assert found.certified
    assert "infinite" in str(found)
    with pytest.raises(InvalidArgument, match="no order"):
        fg.n_gram_distances(data, coin, orders=())
    with pytest.raises(NotUnique):
        fg.n_gram_distances(data, Chain.from_matrix(np.eye(2), vocabulary="01"))


def test_a_distance_from_machines_with_plain_names() -> None:
    """The even process against a coin: a unigram of (1/3, 2/3), and h = 2/3 bit."""
    found = fg.n_gram_distances(even_process(), Chain([[0.5, 0.5]] * 2))
    unigram = -math.log2(1 / 3) / 3 - 2 * math.log2(2 / 3) / 3
    assert found.reference_to_its_own_bits[0] == pytest.approx(unigram - 2 / 3, rel=1e-12)
    assert found.reference_n_gram_to_model_bits[0] == pytest.approx(1 - unigram, rel=1e-11)
    turned = fg.n_gram_distances(Chain([[0.5, 0.5]] * 2), even_process_with_errors())
    assert turned.certified
    assert turned.reference_n_gram_to_model_bits[1] == pytest.approx(
        fg.compare(Chain([[0.5, 0.5]] * 2), even_process_with_errors()).kl_bits_per_token, abs=1e-13
    )


def even_process_with_errors() -> Chain:
    """The even process, but that after an odd one a zero may come."""
    return Chain.from_edges([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 0], [0.5, 0.5, 0.125, 0.875])


# ---- total variation ----


@given(two_contexts(), st.integers(1, 4))
@settings(max_examples=30)
def test_total_variation_is_half_the_sum_over_all_texts(pair: tuple[Chain, Chain], n: int) -> None:
    """Levin & Peres (2017), proposition 4.2, in rationals."""
    P, Q = pair
    mu, nu = (law_of_texts(chain, n) for chain in pair)
    true = sum(abs(mu.get(w, 0) - nu.get(w, 0)) for w in mu.keys() | nu.keys()) / 2
    found = fg.context_distance(P, Q, n_tokens=n)
    assert found.total_variation == true
    assert found.error_bound == 0
    for one, other in ((P.floats(), Q.floats()), (under_plain_names(P).floats(), Q)):
        close = fg.context_distance(one, other, n_tokens=n)
        assert abs(close.total_variation - true) <= close.error_bound < 1e-10
    assert fg.context_distance(Q, P, n_tokens=n).total_variation == true
    assert fg.context_distance(P, Q, n_tokens=n + 1).total_variation >= true
    assert fg.context_distance(P, P, n_tokens=n).total_variation == 0
    shorter = min(P.context or 0, Q.context or 0)
    assert fg.context_distance(P, Q).n_tokens == shorter


@given(st.data())
@settings(max_examples=20)
def test_total_variation_of_contexts_is_that_of_pi(data: st.DataObject) -> None:
    P, Q = data.draw(dense(2, 2)), data.draw(dense(2, 2))
    pi, rho = (fg.stationary_distribution(chain).pi for chain in (P, Q))
    assert fg.context_distance(P, Q).total_variation == np.abs(pi - rho).sum() / 2
    # Pinsker (Cover & Thomas, lemma 11.6.1) on one token after the context.
    kl = sum(float(p) * math.log2(p / r) for p, r in zip(pi, rho, strict=True))
    assert 2 * fg.context_distance(P, Q).total_variation ** 2 / math.log(2) <= kl + 1e-12


def test_what_never_meets_is_at_distance_one() -> None:
    zeros, ones = Chain([[1.0, 0.0]] * 2), Chain([[0.0, 1.0]] * 2)
    assert fg.context_distance(zeros, ones).total_variation == 1
    assert fg.context_distance(even_process(), fg.n_gram(even_process(), 0)).n_tokens == 1
    for n in (0, 1.5, True):
        with pytest.raises(InvalidArgument, match="not a whole number of 1 or more"):
            fg.context_distance(zeros, ones, n_tokens=n)  # type: ignore[arg-type]
