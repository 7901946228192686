"""The induction score against its definition, by hand, by rationals and by laws."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.extract import extract
from fsm_gpt.gpt import train
from fsm_gpt.markov import induction_score, stationary_distribution
from fsm_gpt.result import UNCERTIFIED


def by_hand(chain: Chain) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The definition of Olsson et al. (2022), context by context, in rationals."""
    chain = chain.exact()
    pi = stationary_distribution(chain).pi
    contexts = chain.states.contexts()
    V = chain.n_tokens
    joint = [[Fraction(0)] * V for _ in range(V)]
    for s, context in enumerate(contexts.tolist()):
        for t in range(V):
            joint[context[-1]][t] += pi[s] * chain.next_token[s, t]
    law = [sum(joint[a][t] for a in range(V)) for t in range(V)]
    share = score = bigram = unigram = Fraction(0)
    for s, context in enumerate(contexts.tolist()):
        *earlier, newest = context
        if newest not in earlier or pi[s] == 0:
            continue
        last = max(j for j, token in enumerate(earlier) if token == newest)
        copied = context[last + 1]
        share += pi[s]
        score += pi[s] * chain.next_token[s, copied]
        bigram += pi[s] * joint[newest][copied] / sum(joint[newest])
        unigram += pi[s] * law[copied]
    return score / share, bigram / share, unigram / share, share


def numbers(found) -> tuple:
    return (
        found.probability,
        found.bigram_probability,
        found.unigram_probability,
        found.repeat_share,
    )


def rational(V: int, L: int, seed: int, *, zeros: float = 0.0) -> Chain:
    """A window chain of small whole numbers over their sum; one token of each row is never zero."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 9, size=(V**L, V)) * (rng.random((V**L, V)) >= zeros)
    rows[:, 0] = np.maximum(rows[:, 0], 1)
    total = rows.sum(axis=1)
    return Chain(
        [[Fraction(int(n), int(m)) for n in row] for row, m in zip(rows, total, strict=True)],
        vocabulary=V,
        context=L,
    )


def test_two_modes_by_hand() -> None:
    """It repeats a token, or alternates, and goes over one time in ten.

    By symmetry all four contexts have probability 1/4; aa and bb hold their newest token
    before, and copy it with 9/10; a follows a as often as b does.
    """
    rows = [["9/10", "1/10"], ["9/10", "1/10"], ["1/10", "9/10"], ["1/10", "9/10"]]
    found = induction_score(Chain(rows))
    assert numbers(found) == (Fraction(9, 10), Fraction(1, 2), Fraction(1, 2), Fraction(1, 2))
    assert found.gain == Fraction(2, 5)
    assert found.error_bound == 0


def test_a_cycle_copies_with_certainty_and_gains_nothing() -> None:
    found = induction_score(Chain.from_text("abc" * 4, context=4, end="wrap"))
    assert numbers(found) == (1, 1, Fraction(1, 3), 1)


@pytest.mark.parametrize(("V", "L"), [(2, 2), (2, 4), (3, 3), (4, 2)])
@pytest.mark.parametrize("zeros", [0.0, 0.4])
def test_the_definition_in_rationals(V: int, L: int, zeros: float) -> None:
    chain = rational(V, L, seed=V * L, zeros=zeros)
    exact = by_hand(chain)
    assert numbers(induction_score(chain)) == exact
    floats = induction_score(chain.floats())
    assert floats.error_bound != UNCERTIFIED
    for near, true in zip(numbers(floats), exact, strict=True):
        assert abs(near - true) <= floats.error_bound * max(true, Fraction(0))


@pytest.mark.parametrize("text", ["0110100110010110", "aabbaabb", "abracadabraabracadabra"])
def test_a_text_s_chain(text: str) -> None:
    chain = Chain.from_text(text, context=3, end="wrap")
    assert numbers(induction_score(chain)) == by_hand(chain)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 3), st.integers(2, 4), st.integers(0, 10**6))
def test_one_token_of_memory_gains_nothing(V: int, L: int, seed: int) -> None:
    first = rational(V, 1, seed)
    rows = [first.next_token[s % V].tolist() for s in range(V**L)]
    found = induction_score(Chain(rows, vocabulary=V, context=L))
    assert found.gain == 0


def test_no_memory_is_the_unigram() -> None:
    found = induction_score(Chain([["1/3", "2/3"]] * 8))
    assert found.probability == found.bigram_probability == found.unigram_probability


def test_a_trained_gpt_in_floats_and_rationals() -> None:
    chain = extract(train("0110110", context=3, steps=3, n_layer=1, n_head=1, n_embd=4).model)
    found = induction_score(chain)
    for near, true in zip(numbers(found), by_hand(chain), strict=True):
        assert near == pytest.approx(float(true), rel=1e-13)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = rational(2, 5, 3)
    whole = numbers(induction_score(chain))
    monkeypatch.setattr("fsm_gpt.markov.induction._BLOCK", 4)
    assert numbers(induction_score(chain)) == whole


def test_transient_contexts_take_no_part() -> None:
    """Under greedy decoding one cycle is left, whose contexts alone count."""
    chain = Chain([["1/4", "3/4"], ["3/4", "1/4"], ["1/4", "3/4"], ["3/4", "1/4"]]).with_decoding(
        Greedy()
    )
    with pytest.raises(NotDefined, match="nothing to copy"):
        induction_score(chain)  # 0101 at a context of 2


@pytest.mark.parametrize(
    ("chain", "kind", "words"),
    [
        (Chain([[0.5, 0.5]] * 2), NotDefined, "two tokens or more"),
        (Chain.from_matrix([[0.5, 0.5], [0.5, 0.5]]), NotDefined, "two tokens or more"),
        (Chain([[1, 0], [0, 1], [1, 0], [0, 1]]), NotUnique, "closed classes"),
    ],
)
def test_what_is_refused(chain: Chain, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        induction_score(chain)


def test_symbols_are_refused() -> None:
    import sympy

    p = sympy.Symbol("p", positive=True)
    with pytest.raises(InvalidArgument, match="symbols"):
        induction_score(Chain([[p, 1 - p]] * 4))


def test_it_says_what_it_is() -> None:
    """A coin of 3/4: 00 is copied with 3/4 and 11 with 1/4, (27 + 1) / 64 over (9 + 1) / 16."""
    found = induction_score(Chain([[0.75, 0.25]] * 4))
    assert str(found).startswith("induction score: 0.7 ")
    told = found.to_dict()
    assert told["gain"] == pytest.approx(0, abs=1e-15)
    assert told["error_meaning"].startswith("relative error")
