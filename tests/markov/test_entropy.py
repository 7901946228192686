"""Entropy rate and memory curve."""

import itertools
import math

import numpy as np
import pytest
import sympy
from hypothesis import given
from mpmath import mp, mpf

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.errors import NotDefined, NotUnique
from fsm_gpt.extract import extract
from fsm_gpt.kernels.entropy import row_entropies as compiled_row_entropies
from fsm_gpt.markov import entropy_rate, memory_curve, row_entropy, stationary_distribution
from fsm_gpt.markov.memory import token_law
from fsm_gpt.markov.row_entropy import Rows, mean_entropy, row_entropies, surprise
from fsm_gpt.simulate import simulate
from fsm_gpt.space import ContextSpace, SomeContexts, Vocabulary
from tests.families import HARD, hard_rows
from tests.strategies import irreducible_chains


def precise_rate(chain):
    """The entropy rate in 60 digits from the exact distribution, straight from the definition."""
    exact = chain.exact()
    pi = stationary_distribution(exact).pi
    with mp.workdps(60):
        total = mpf(0)
        for mass, row in zip(pi, exact.next_token, strict=True):
            for p in row:
                if p:
                    q = mpf(p.numerator) / p.denominator
                    total -= mpf(mass.numerator) / mass.denominator * q * mp.log(q, 2)
        return total


@pytest.mark.parametrize("name", HARD)
def test_hard_chains_within_the_bound(name):
    chain = Chain(hard_rows(name, 2, 4))
    found, truth = entropy_rate(chain), precise_rate(chain)
    assert abs(mpf(found.bits_per_token) - truth) / truth <= found.error_bound < 1e-11


@given(irreducible_chains())
def test_any_irreducible_chain_within_the_bound(chain):
    found, truth = entropy_rate(chain.floats()), precise_rate(chain.floats())
    assert abs(mpf(found.bits_per_token) - truth) <= mpf(found.error_bound) * truth


def test_a_nearly_sure_token_keeps_its_digits():
    """Cover & Thomas (2006), equation 2.5: H(p) = -p log p - (1 - p) log(1 - p)."""
    p = 1e-18
    expected = (-p * math.log(p) + p) / math.log(2)  # log(1 - p) is -p to the last digit
    assert row_entropies(np.array([[p, 1.0]]))[0] == pytest.approx(expected, rel=1e-15)
    assert surprise(np.array([[p, 1.0]]))[0, 1] == pytest.approx(p / math.log(2), rel=1e-15)


def test_a_rational_answer_is_exact():
    """The golden mean process: 2/3 bit; Crutchfield & Feldman (2003)."""
    golden = Chain.from_matrix([["1/2", "1/2"], [1, 0]])
    assert entropy_rate(golden).bits_per_token == sympy.Rational(2, 3)
    thirds = Chain.from_matrix([["1/3", "2/3"], ["1/3", "2/3"]])
    expected = sympy.log(3, 2) - sympy.Rational(2, 3)
    assert sympy.simplify(entropy_rate(thirds).bits_per_token - expected) == 0


def test_two_states_with_symbols():
    """Cover & Thomas (2006), example 4.2.1: H = b/(a+b) H(a) + a/(a+b) H(b)."""
    a, b = sympy.symbols("a b", positive=True)
    found = entropy_rate(Chain.from_matrix([[1 - a, a], [b, 1 - b]])).bits_per_token

    def h(p):
        return -(p * sympy.log(p) + (1 - p) * sympy.log(1 - p)) / sympy.log(2)

    difference = found - (b * h(a) + a * h(b)) / (a + b)
    assert abs(difference.subs({a: 0.3, b: 0.2}).evalf(30)) < 1e-15


def test_tokens_that_lead_to_one_state():
    chain = Chain.from_edges([0, 0, 1], [0, 1, 0], [1, 1, 0], [0.5, 0.5, 1.0])
    found = entropy_rate(chain)
    assert found.bits_per_token == 0.5
    assert found.state_bits_per_step == 0
    three = Chain.from_edges([0, 0, 0, 1], [0, 1, 2, 0], [1, 0, 1, 0], ["1/4", "1/2", "1/4", 1])
    rates = entropy_rate(three)
    assert rates.bits_per_token == sympy.Rational(3, 2) * sympy.Rational(2, 3)
    assert rates.state_bits_per_step == sympy.Rational(2, 3)


def test_several_closed_classes_need_a_start():
    chain = Chain.from_matrix(
        [["1/2", "1/2", 0, 0], ["1/2", "1/2", 0, 0], ["1/4", 0, "1/4", "1/2"], [0, 0, 0, 1]]
    )
    with pytest.raises(NotUnique, match="2 closed classes"):
        entropy_rate(chain)
    assert entropy_rate(chain, start=0).bits_per_token == 1
    assert entropy_rate(chain, start=2).bits_per_token == sympy.Rational(1, 3)
    assert entropy_rate(chain.floats(), start=2).bits_per_token == pytest.approx(1 / 3, rel=1e-14)


def block_entropy(chain, k):
    """Entropy of k tokens in a row, by listing all of them."""
    pi = stationary_distribution(chain).pi
    total = 0.0
    successors, rows = chain.successors(), chain.next_token
    for word in itertools.product(range(chain.n_tokens), repeat=k):
        probability = 0.0
        for state in range(chain.n_states):
            p, s = pi[state], state
            for token in word:
                p *= rows[s, token]
                s = successors[s, token]
            probability += p
        if probability > 0:
            total -= probability * math.log2(probability)
    return total


@pytest.mark.parametrize(("V", "L"), [(2, 1), (2, 3), (3, 2)])
def test_memory_curve_against_all_words(V, L):
    rows = np.random.default_rng(V * L).dirichlet(np.ones(V), V**L)
    chain = Chain(rows)
    found = memory_curve(chain)
    blocks = [block_entropy(chain, k) for k in range(L + 2)]
    np.testing.assert_allclose(found.block_bits, blocks, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.bits_per_token, np.diff(blocks), rtol=1e-11)
    h = entropy_rate(chain).bits_per_token
    assert found.entropy_rate == pytest.approx(h, rel=1e-12)
    assert found.excess_bits == pytest.approx(blocks[L] - L * h, rel=1e-9)


def test_the_period_of_a_text_is_its_memory():
    """11110 repeated: with four tokens of context nothing is left to guess, and E = log2 5."""
    chain = Chain.from_text("11110" * 3, context=4, end="wrap")
    found = memory_curve(chain)
    assert found.entropy_rate == 0
    assert found.excess_bits == pytest.approx(math.log2(5), rel=1e-12)


def test_rationals_rounded_to_floats_are_charged_for_it():
    """Thirds are no floats: the bound is for the rational chain, not for its rounded one."""
    chain = Chain([["1/3", "2/3"], ["1/7", "6/7"]])
    found, rounded = memory_curve(chain), memory_curve(chain.floats())
    assert found.error_bound > rounded.error_bound
    truth = precise_rate(chain)
    assert abs(mpf(found.entropy_rate) - truth) <= mpf(found.error_bound) * truth


def test_no_memory_curve_without_contexts():
    chain = Chain.from_edges([0, 1], [0, 1], [1, 0], [1.0, 1.0])
    with pytest.raises(NotDefined, match="not contexts"):
        memory_curve(chain)


def test_greedy_has_no_entropy():
    chain = Chain(hard_rows("random", 2, 4)).with_decoding(Greedy())
    assert entropy_rate(chain, start=0).bits_per_token == 0


# ---- many states: blocks, compiled loops, edges ----


@pytest.mark.parametrize("name", HARD)
def test_the_compiled_loop_on_hard_rows(name):
    """Every row within the 5 V + 12 roundings that are claimed, against 50 digits."""
    rows = hard_rows(name, 3, 4)
    found = compiled_row_entropies(np.arange(len(rows) + 1) * 3, rows.ravel())
    with mp.workdps(50):
        for row, bits in zip(rows.tolist(), found.tolist(), strict=True):
            total = mp.fsum(row)
            truth = -mp.fsum(mpf(p) / total * mp.log(mpf(p) / total, 2) for p in row if p)
            assert abs(bits - truth) <= 27 * 2.0**-53 * truth


def test_the_compiled_loop_on_odd_rows():
    """A sure token, no token at all, an even choice, and rows of different lengths."""
    weight = np.array([3.0, 0.0, 0.0, 0.0, 2.0, 2.0, 1e-20, 1.0, 5.0])
    found = compiled_row_entropies(np.array([0, 2, 4, 6, 8, 9]), weight)
    assert found[[0, 1, 2, 4]].tolist() == [0, 0, 1, 0]
    assert found[3] == pytest.approx(1e-20 * (1 + 20 * math.log(10)) / math.log(2), rel=1e-14)


def test_blocks_give_the_same_mean(monkeypatch):
    chain = Chain(hard_rows("sharp", 3, 5))
    pi = stationary_distribution(chain).pi
    windows, listed = Rows.of_table(chain.next_token), Rows.of_groups(*chain.edges()[::3])
    whole = float(pi @ row_entropies(chain.next_token))
    for compiled_from in (10**9, 1):
        for block in (2**18, 64, 1):
            monkeypatch.setattr(row_entropy, "COMPILED_FROM", compiled_from)
            monkeypatch.setattr(row_entropy, "BLOCK", block)
            assert mean_entropy(windows, pi).bits == pytest.approx(whole, rel=1e-14)
            assert mean_entropy(listed, pi).bits == pytest.approx(whole, rel=1e-14)


def test_as_edges_or_in_short_contexts_a_chain_has_the_same_memory():
    rows = hard_rows("sharp", 2, 5)
    windows = memory_curve(Chain(rows))
    short = np.concatenate([hard_rows("random", 2, L) for L in range(1, 5)] + [rows])
    made = Chain(rows)
    edges = Chain.from_edges(*made.edges(), states=made.states)
    shuffled = np.random.default_rng(0).permutation(32)
    place = np.argsort(shuffled)
    source, token, target, probability = made.edges()
    contexts = SomeContexts(made.vocabulary, made.states.contexts()[shuffled])
    some = Chain.from_edges(place[source], token, place[target], probability, states=contexts)
    for other in (Chain(short, short_contexts=True), edges, some):
        found = memory_curve(other)
        np.testing.assert_allclose(found.bits_per_token, windows.bits_per_token, rtol=1e-12)
        assert found.excess_bits == pytest.approx(windows.excess_bits, rel=1e-9)


def test_a_recurrent_short_context_has_no_memory_curve():
    stuck = Chain.from_edges([0, 1], [0, 0], [0, 0], [1.0, 1.0], states=ContextSpace(
        Vocabulary.of(1), 2, shortest=1))  # fmt: skip
    with pytest.raises(NotDefined, match="fewer than L tokens"):
        memory_curve(stuck)
    table = np.array([[-1, 0], [0, 0]])
    some = Chain.from_edges([0, 1], [0, 0], [0, 0], [1.0, 1.0], states=SomeContexts(
        Vocabulary.of(1), table))  # fmt: skip
    with pytest.raises(NotDefined, match="fewer than L tokens"):
        memory_curve(some)


def test_the_memory_curve_of_a_reducible_chain_with_one_closed_class():
    """Windows that are never seen again have no part in it: 01 repeated has H(0) = 1, h_1 = 0."""
    chain = Chain([[0, 1], [1, 0], [0, 1], [1, 0]])  # 00 leads to 01, 11 to 10
    found = memory_curve(chain.with_decoding(Greedy()))
    np.testing.assert_allclose(found.bits_per_token, [1, 0, 0], atol=0)
    assert found.excess_bits == 1


def test_digits_lost_to_underflow_are_not_certified():
    """The rate is about 1e-297, and the roundings of such a number reach below all floats."""
    p = 1e-300
    rare = Chain([[1.0 - p, p], [0.5, 0.5]])
    assert entropy_rate(rare).error_bound == "uncertified"
    assert "underflow" in entropy_rate(rare).uncertified_because
    assert memory_curve(rare).error_bound == "uncertified"
    sure = Chain([[0.0, 1.0], [1.0, 0.0]])
    assert entropy_rate(sure).bits_per_token == 0
    assert entropy_rate(sure).error_bound != "uncertified"


def test_an_average_over_many_states():
    """A chain that ignores its context: the entropy of its one row, Cover & Thomas eq. 2.5."""
    chain = Chain(np.tile([0.25, 0.75], (2**17, 1)))
    found = entropy_rate(chain)
    expected = 2 - 0.75 * math.log2(3)
    assert found.bits_per_token == pytest.approx(expected, rel=1e-13)
    curve = memory_curve(chain)
    np.testing.assert_allclose(curve.bits_per_token, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["window", "edges", "short", "rational"])
def test_the_law_of_one_token_is_that_of_a_long_walk(name: str) -> None:
    """sum_s pi(s) P(t | s), pi by a power of the matrix; and of a walk's tokens."""
    rows = np.random.default_rng(3).dirichlet(np.ones(3), size=27)
    chains = {
        "window": Chain(rows),
        "edges": Chain.from_edges([0, 0, 1, 2], [0, 1, 1, 2], [1, 2, 0, 0], [0.25, 0.75, 1, 1]),
        "short": extract(
            lambda ids: np.log(rows)[(ids[:, -1] * 7 + ids.shape[1]) % 27],
            vocabulary=3,
            context=3,
            short_contexts=True,
        ),
        "rational": Chain([["1/2", "1/2"], ["1/4", "3/4"]]),
    }
    chain = chains[name]
    P = np.asarray(chain.matrix(), dtype=float)
    pi = np.linalg.matrix_power((P + np.eye(len(P))) / 2, 4096)[-1]
    expected = pi @ np.asarray(chain.next_token, dtype=float)
    assert np.asarray(token_law(chain), dtype=float) == pytest.approx(expected, abs=1e-12)
    walk = simulate(chain, 20_000, start=0, seed=1).tokens
    shares = np.bincount(walk, minlength=chain.n_tokens) / len(walk)
    assert abs(shares - expected).max() < 0.02
