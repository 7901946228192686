"""Textbook and third-party chains: every expected value, in floats and exactly.

The values and their sources stand in tests/reference/. Floats are held to a relative
1e-12; rationals are compared exactly. A question that a case has an answer to and that no
test here asks is an error.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from tests.conftest import read_reference

CASES = {case["name"]: case for case in read_reference("chains.json")["cases"]}

Check = Callable[[Chain, Any, bool], None]


def chain_of(case: dict[str, Any], exact: bool) -> Chain:
    """The case's chain, in rationals or in floats."""
    rational = Chain.from_matrix(case["P"])
    return rational if exact else rational.floats()


def same(found: Any, expected: Any, exact: bool) -> None:
    """Numbers are equal: exactly, or to a relative 1e-12 with zeros exact."""
    assert np.shape(found) == np.shape(expected)
    pairs = list(zip(np.ravel(found).tolist(), np.ravel(expected).tolist(), strict=True))
    for ours, theirs in pairs:
        value = Fraction(theirs)
        if exact:
            assert isinstance(ours, (int, Fraction)), f"{ours!r} is not a rational"
            assert ours == value
        else:
            assert isinstance(ours, float)
            assert abs(ours - float(value)) <= 1e-12 * abs(float(value)), (ours, theirs)


def test_the_comparison_fails_on_wrong_numbers() -> None:
    same([0.4, 0.0], ["2/5", "0"], False)
    same([Fraction(2, 5)], ["2/5"], True)
    for found, exact in (
        ([0.4 + 1e-12, 0.0], False),
        ([0.4, 1e-300], False),
        ([0.4], False),
        ([0.4, 0.0], True),
        ([Fraction(2, 5), Fraction(1, 10**30)], True),
    ):
        with pytest.raises(AssertionError):
            same(found, ["2/5", "0"], exact)


def sets(classes: Any) -> list[list[int]]:
    return [sorted(int(s) for s in states) for states in classes]


def check_communicating(chain: Chain, expected: Any, exact: bool) -> None:
    assert sorted(sets(fg.communicating_classes(chain).classes)) == sorted(expected)


def check_closed(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.communicating_classes(chain)
    assert sets(found.closed) == expected
    assert found.absorbing.tolist() == [states[0] for states in expected if len(states) == 1]


def check_class_periods(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.communicating_classes(chain)
    assert list(found.periods) == expected
    for states, cyclic, period in zip(
        found.closed, found.cyclic_classes, found.periods, strict=True
    ):
        assert len(cyclic) == period
        assert sorted(s for part in sets(cyclic) for s in part) == sorted(states.tolist())


def check_period(chain: Chain, expected: Any, exact: bool) -> None:
    # The chain's period is that of its return: the least common multiple of the classes'.
    assert np.lcm.reduce(fg.communicating_classes(chain).periods) == expected


def check_transient(chain: Chain, expected: Any, exact: bool) -> None:
    assert fg.communicating_classes(chain).transient.tolist() == expected


def check_stationary(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.stationary_distribution(chain)
    same(found.dense(), expected, exact)
    if exact:
        assert found.error_bound == 0
    else:
        assert found.certified
        truth = np.array([[float(Fraction(p)) for p in row] for row in expected])
        worst = np.abs(found.dense() - truth)[truth > 0] / truth[truth > 0]
        assert worst.max() <= float(found.error_bound) + 1e-15
    if len(expected) == 1:
        same(found.pi, expected[0], exact)
    else:
        with pytest.raises(fg.errors.NotUnique, match=f"{len(expected)} closed classes"):
            _ = found.pi


def check_entropy_rate(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.entropy_rate(chain).bits_per_token
    if exact:
        assert isinstance(found, sympy.Expr)
        assert not found.atoms(sympy.Float)
        assert abs(sympy.N(found, 30) - expected) <= 1e-15
        nearest = Fraction(expected).limit_denominator(100)
        if abs(float(nearest) - expected) < 1e-15:  # the sources state these as rationals
            assert found == sympy.Rational(nearest.numerator, nearest.denominator)
    else:
        assert found == pytest.approx(expected, rel=1e-12, abs=0)


def check_first_passage(chain: Chain, expected: Any, exact: bool) -> None:
    same(fg.mean_first_passage(chain).mean_steps, expected, exact)


def check_recurrence(chain: Chain, expected: Any, exact: bool) -> None:
    same(fg.mean_first_passage(chain).recurrence, expected, exact)


def check_kemeny(chain: Chain, expected: Any, exact: bool) -> None:
    same(fg.kemeny_constant(chain).mean_steps, expected, exact)


def check_trace(chain: Chain, expected: Any, exact: bool) -> None:
    same(fg.kemeny_constant(chain).trace_Z, expected, exact)
    Z = fg.fundamental_matrix(chain).Z
    if exact:
        assert np.trace(Z) == Fraction(expected)
    else:
        assert float(np.trace(Z)) == pytest.approx(float(Fraction(expected)), rel=1e-12)


def check_reversible(chain: Chain, expected: Any, exact: bool) -> None:
    assert fg.reversibility(chain).reversible is expected


def check_absorption_steps(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.absorption(chain)
    assert [str(s) for s in found.transient] == list(expected)
    same(found.mean_steps, list(expected.values()), exact)


def check_absorption_probabilities(chain: Chain, expected: Any, exact: bool) -> None:
    found = fg.absorption(chain)
    assert [str(s) for s in found.transient] == list(expected)
    same(found.probabilities, list(expected.values()), exact)


QUESTIONS: dict[str, Check] = {
    "communicating_classes": check_communicating,
    "recurrent_classes": check_closed,
    "class_periods": check_class_periods,
    "period": check_period,
    "transient_states": check_transient,
    "stationary": check_stationary,
    "entropy_rate_bits": check_entropy_rate,
    "mean_first_passage": check_first_passage,
    "mean_recurrence": check_recurrence,
    "kemeny_K0": check_kemeny,
    "kemeny_K1_trace_Z": check_trace,
    "reversible": check_reversible,
    "expected_absorption_steps": check_absorption_steps,
    "absorption_probabilities": check_absorption_probabilities,
}

ASKED = [(name, question) for name, case in CASES.items() for question in case["expected"]]


def test_no_expected_value_goes_untested() -> None:
    assert len(CASES) == 12
    assert {question for _, question in ASKED} == set(QUESTIONS)


@pytest.mark.parametrize("exact", [False, True], ids=["floats", "exact"])
@pytest.mark.parametrize(("name", "question"), ASKED, ids=[f"{n}-{q}" for n, q in ASKED])
def test_expected_value(name: str, question: str, exact: bool) -> None:
    case = CASES[name]
    QUESTIONS[question](chain_of(case, exact), case["expected"][question], exact)


@pytest.mark.parametrize(("name", "question"), ASKED, ids=[f"{n}-{q}" for n, q in ASKED])
def test_each_check_can_fail(name: str, question: str) -> None:
    """Every check refuses the expected value of a chain that is another one."""
    case = CASES[name]
    expected = case["expected"][question]
    wrong = next(
        (
            other["expected"][question]
            for other in CASES.values()
            if question in other["expected"] and other["expected"][question] != expected
        ),
        None,
    )
    assert wrong is not None
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        QUESTIONS[question](chain_of(case, True), wrong, True)


def numbers(value: Any) -> Any:
    """Nested lists and dictionaries with every rational in lowest terms."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return Fraction(value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", CASES)
def test_what_the_sources_claim_is_what_is_tested(name: str) -> None:
    case = CASES[name]
    for question, claimed in case["claimed_by_source"].items():
        expected = numbers(case["expected"][question])
        if isinstance(claimed, dict):  # of some states
            expected = {state: expected[state] for state in claimed}
        if isinstance(claimed, float):
            assert claimed == pytest.approx(expected, rel=1e-15)
        else:
            assert numbers(claimed) == expected


def test_closed_forms() -> None:
    # Ehrenfest: Binomial(4, 1/2), mean recurrence 2^4 / C(4, i) (Grinstead & Snell, 11.23).
    ehrenfest = chain_of(CASES["ehrenfest_4"], True)
    binomial = [Fraction(c, 16) for c in (1, 4, 6, 4, 1)]
    assert fg.stationary_distribution(ehrenfest).pi.tolist() == binomial
    # i.i.d. tokens with P(1) = 3/10: product law, and K0 + 1 = V^L.
    window = Chain([["7/10", "3/10"]] * 8)
    assert window.matrix().tolist() == chain_of(CASES["deBruijn_V2_L3_bernoulli_3_10"], True
                                                ).matrix().tolist()  # fmt: skip
    law = [
        Fraction(3, 10) ** bin(s).count("1") * Fraction(7, 10) ** (3 - bin(s).count("1"))
        for s in range(8)
    ]
    assert fg.stationary_distribution(window).pi.tolist() == law
    # The float chain asked for exact answers is the chain of the binary values.
    floats = window.floats()
    answer = fg.stationary_distribution(floats, exact=True).pi
    q = Fraction(0.3) / (Fraction(0.3) + Fraction(0.7))
    assert answer[7] == q**3


# ---- the article's data ----


@pytest.fixture(scope="module")
def data() -> Chain:
    return Chain.from_text("111101111011110", context=3, end="drop")


def test_the_articles_data(data: Chain, article: dict[str, Any]) -> None:
    expected = article["empirical"]
    assert data.labels() == expected["states"]
    for chain, exact in ((data, True), (data.floats(), False)):
        same(fg.stationary_distribution(chain).pi, expected["stationary"], exact)
        # Conventions of the file: mean recurrence times on the diagonal.
        times = fg.mean_first_passage(chain)
        with_recurrence = times.mean_steps + np.diag(times.recurrence)
        assert (np.diag(times.mean_steps) == 0).all()
        same(with_recurrence, expected["mean_first_passage"], exact)
        same(fg.kemeny_constant(chain).trace_Z, expected["kemeny_trace_Z"], exact)
        classes = fg.communicating_classes(chain)
        assert classes.irreducible
        assert classes.periods == (expected["period"],)
        bits = fg.entropy_rate(chain).bits_per_token
        if exact:
            assert bits == sympy.Rational(expected["entropy_rate_bits"])
        else:
            assert bits == pytest.approx(0.4, rel=1e-12)


def test_the_spectrum_of_the_articles_data(data: Chain, article: dict[str, Any]) -> None:
    expected = article["empirical"]
    lam = sympy.Symbol("lam")
    rows = data.matrix().tolist()
    P = sympy.Matrix(4, 4, lambda i, j: sympy.Rational(str(rows[i][j])))
    ours = P.charpoly(lam).as_expr()
    assert sympy.expand(ours - sympy.sympify(expected["charpoly"])) == 0
    found = fg.spectrum(data)
    theirs = np.array([complex(*pair) for pair in expected["eigenvalues"]])
    assert found.n_zero == 0
    distance = np.abs(found.eigenvalues[:, None] - theirs[None, :])
    assert (distance.min(axis=0) < 1e-13).all()
    assert (distance.min(axis=1) < 1e-13).all()
    moduli = np.abs(found.eigenvalues)
    assert (np.diff(moduli) <= 1e-12).all()
    assert found.gap == pytest.approx(1 - np.sort(np.abs(theirs))[-2], abs=1e-13)


def test_the_trained_model_on_the_articles_data(data: Chain, article: dict[str, Any]) -> None:
    # Errata: the model's cross-entropy under the data is 0.607166 bits a token, its KL rate
    # 0.207166; the stationary law and the entropy rate of step 50.
    step50 = article["step50"]
    rows = [step50["probs"][label] for label in article["state_order"]]
    chain = Chain(np.array(rows, dtype=np.float32), vocabulary="01")
    pi = fg.stationary_distribution(chain).pi
    expected = [step50["stationary"][label] for label in article["state_order"]]
    np.testing.assert_allclose(pi, expected, rtol=1e-9)
    assert fg.entropy_rate(chain).bits_per_token == pytest.approx(
        step50["entropy_rate_bits"], abs=1e-9
    )
    against = fg.compare(data, chain)
    bits = article["empirical"]["cross_entropy_of_step50_under_empirical_stationary_bits"]
    # Printed float32 rows sum to one within 6e-8; what is missing is not divided out there.
    assert against.cross_entropy_bits_per_token == pytest.approx(bits, abs=1e-7)
    assert against.kl_bits_per_token == pytest.approx(bits - 0.4, abs=1e-7)
    assert against.reference_bits_per_token == pytest.approx(0.4, rel=1e-14)


def test_greedy_decoding_of_the_article(article: dict[str, Any]) -> None:
    for step in ("step0", "step50"):
        rows = [article[step]["probs"][label] for label in article["state_order"]]
        chain = Chain(np.array(rows, dtype=np.float32), vocabulary="01").with_decoding(fg.Greedy())
        successors = chain.successors().max(axis=1)
        found = dict(zip(chain.labels(), chain.labels(successors), strict=True))
        assert found == article["greedy"][step]
        classes = fg.communicating_classes(chain)
        assert len(classes.closed) == 1
    # Before training 111 stays for ever; after it the greedy chain goes round 1110 1101 1011 0111.
    assert classes.periods == (4,)
    assert sorted(chain.labels(classes.closed[0])) == ["011", "101", "110", "111"]
