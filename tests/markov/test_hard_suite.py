"""The large-chain solver on every family of the hard suite, against exact elimination.

The oracles are two: GTH elimination written out here in extended precision, for some
hundred states, and the package's own in rationals, for a few dozen. Cycles go down to 256
states and eliminate there; ``tiny_bottom`` lowers that to 4, so that chains small enough
for exact answers are solved by cycles on many levels.
"""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from fsm_gpt.markov import communicating_classes, multilevel, stationary_distribution
from fsm_gpt.result import UNCERTIFIED
from tests.families import HARD, TRAINED, ZEROS, hard_chain, trained_chain
from tests.strategies import chains

#: What an answer of the large-chain solver may be wrong by, in any entry.
WRONG = 1e-11

#: "period 4" and "three classes" have four times V**L states.
FOURFOLD = ("period 4", "three classes")


@pytest.fixture
def tiny_bottom(monkeypatch):
    """Lets cycles go down to 4 states before they eliminate."""
    monkeypatch.setattr(multilevel, "BOTTOM", 4)


def gth(P):
    """Grassmann, Taksar & Heyman (1985), Operations Research 33, 1107-1116, in long doubles."""
    A = np.array(P, dtype=np.longdouble)
    n = len(A)
    for k in range(n - 1, 0, -1):
        A[:k, k] /= A[k, :k].sum()
        A[:k, :k] += np.outer(A[:k, k], A[k, :k])
    x = np.zeros(n, dtype=np.longdouble)
    x[0] = 1
    for k in range(1, n):
        x[k] = x[:k] @ A[:k, k]
    return x / x.sum()


def transition_matrix(chain, states):
    """P among these states in long doubles; GTH does not read what rounding does to row sums."""
    source, _, target, probability = chain.raw_edges()
    P = np.zeros((chain.n_states, chain.n_states), dtype=np.longdouble)
    np.add.at(P, (source, target), probability.astype(np.longdouble))
    P = P[np.ix_(states, states)]
    return P / P.sum(axis=1, keepdims=True)


def worst(x, truth):
    """The largest relative error of any entry."""
    return float(np.abs(x.astype(np.longdouble) / truth - 1).max())


def agrees_with_gth(chain, found):
    """Every class, every entry; and the bound, which must be a proof, holds."""
    assert found.error_bound != UNCERTIFIED
    for states, x in found.classes:
        error = worst(x, gth(transition_matrix(chain, states)))
        assert error <= WRONG
        assert error <= found.error_bound + 1e-17  # what the oracle itself may be wrong by


def needs_long_doubles():
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("long doubles are no longer than doubles here")


def test_the_oracle_is_exact_elimination():
    chain = hard_chain("dirichlet 0.01", 2, 4)
    exact = stationary_distribution(chain, exact=True).pi
    P = transition_matrix(chain, np.arange(16))
    for x, y in zip(gth(P), exact, strict=True):
        assert abs(Fraction(*x.as_integer_ratio()) / y - 1) < Fraction(1, 10**17)
    assert worst(np.roll(gth(P), 1), gth(P)) > 1


@pytest.mark.parametrize("name", [*HARD, *ZEROS])
@pytest.mark.parametrize(("V", "L"), [(2, 8), (3, 5), (4, 4)])
@pytest.mark.usefixtures("tiny_bottom")
def test_every_entry_of_every_family(name, V, L):
    needs_long_doubles()
    chain = hard_chain(name, V, L - 1 if name in FOURFOLD else L)
    agrees_with_gth(chain, stationary_distribution(chain, method="multilevel"))


@pytest.mark.parametrize("name", ["sharp", "rotate 1e-3", "nearly decomposable", "period 4"])
def test_every_entry_with_the_bottom_as_it_is(name):
    """At 512 states; test_multilevel compares all families with elimination at 1,024."""
    needs_long_doubles()
    chain = hard_chain(name, 2, 7 if name == "period 4" else 9)
    agrees_with_gth(chain, stationary_distribution(chain, method="multilevel"))


def test_more_tokens_than_the_bottom_has_states():
    """One token of context is left, and backing off leaves none."""
    needs_long_doubles()
    chain = hard_chain("dirichlet 0.01", 300, 1)
    agrees_with_gth(chain, stationary_distribution(chain, method="multilevel"))


@pytest.mark.parametrize("name", [*HARD, *ZEROS])
@pytest.mark.parametrize(("V", "L"), [(2, 5), (3, 3)])
@pytest.mark.usefixtures("tiny_bottom")
def test_every_entry_against_rationals(name, V, L):
    chain = hard_chain(name, V, L - 1 if name in FOURFOLD else L)
    found = stationary_distribution(chain, method="multilevel")
    exact = stationary_distribution(chain, exact=True)
    assert found.certified
    for (states, x), (same, y) in zip(found.classes, exact.classes, strict=True):
        assert states.tolist() == same.tolist()
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            error = abs(Fraction(a) / b - 1)
            assert error <= Fraction(WRONG)
            assert error <= Fraction(found.error_bound)


@given(chain=chains(floats=True))
@settings(
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
)
@pytest.mark.usefixtures("tiny_bottom")
def test_every_entry_of_generated_chains(chain):
    found = stationary_distribution(chain, method="multilevel")
    exact = stationary_distribution(chain, exact=True)
    for (states, x), (same, y) in zip(found.classes, exact.classes, strict=True):
        assert states.tolist() == same.tolist()
        error = max(abs(Fraction(a) / b - 1) for a, b in zip(x.tolist(), y.tolist(), strict=True))
        assert error <= Fraction(WRONG)
        if found.certified:
            assert error <= Fraction(found.error_bound)


# ---- the families are what their names say ----


@pytest.mark.parametrize("V", [2, 3])
def test_four_phases_are_one_class_of_period_four(V):
    chain = hard_chain("period 4", V, 3)
    found = communicating_classes(chain)
    assert found.irreducible
    assert found.periods == (4,)
    phases = [part // V**3 for part in found.cyclic_classes[0]]
    assert [np.unique(part).tolist() for part in phases] == [[0], [1], [2], [3]]


@pytest.mark.parametrize("V", [2, 3])
def test_three_closed_classes_and_transient_states(V):
    found = communicating_classes(hard_chain("three classes", V, 3))
    assert [part.tolist() for part in found.closed] == [
        list(range(k * V**3, (k + 1) * V**3)) for k in range(3)
    ]
    assert found.transient.tolist() == list(range(3 * V**3, 4 * V**3))


def test_unknown_family():
    with pytest.raises(ValueError, match="rotten"):
        hard_chain("rotten", 2, 3)


# ---- trained GPTs ----

trained = cache(trained_chain)  # two tests ask for the same ones


@pytest.mark.parametrize(
    ("name", "context"), [("period-15 text", 8), ("two modes", 8), ("English letters", 2)]
)
@pytest.mark.usefixtures("tiny_bottom")
def test_every_entry_of_trained_chains(name, context):
    needs_long_doubles()
    chain = trained(name, context=context)
    agrees_with_gth(chain, stationary_distribution(chain, method="multilevel"))


@pytest.mark.parametrize("name", TRAINED)
def test_trained_chains_at_their_own_size(name):
    """Too large for exact elimination: proven, and one more step changes nothing."""
    chain = trained(name)
    assert chain.n_states == {"period-15 text": 2**12, "two modes": 2**14}.get(name, 27**3)
    found = stationary_distribution(chain, method="multilevel")
    assert found.error_bound <= 1e-8
    assert worst(chain.push(found.pi), found.pi) <= 2 * found.error_bound


def test_the_two_modes_mix_slowly():
    """A chain that forgets quickly would not belong to the suite."""
    chain = trained("two modes", context=8)
    after_a, after_b = np.zeros((2, 2**8))
    after_a[chain.state("01010101")] = after_b[chain.state("00110011")] = 1
    for _ in range(30):
        after_a, after_b = chain.push(after_a), chain.push(after_b)
    assert np.abs(after_a - after_b).sum() / 2 > 0.5


def test_training_is_the_same_each_time():
    one, two = (trained_chain("period-15 text", context=4).next_token for _ in range(2))
    assert (one == two).all()
