"""Other people's programs asked the same questions: QuantEcon and Storm, where installed.

QuantEcon: communicating classes, periods, cyclic classes and stationary distributions, up to
2,000 states. Storm, in its exact mode, which computes in rationals: hitting probabilities,
expected times and long-run shares of small machines, where our rationals have to be the
same numbers; and in floats, with its own sound bounds, for larger ones.

References
----------
Sargent & Stachurski, QuantEcon.py, quantecon.org. Hensel, Junges, Katoen, Quatmann & Volk
(2022), The probabilistic model checker Storm, STTT 24, 589-610.
"""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.markov import (
    communicating_classes,
    hitting,
    limiting_distribution,
    stationary_distribution,
)
from tests.families import HARD, ZEROS, hard_chain
from tests.storm import as_rational, ask, storm_model
from tests.strategies import chains

# ---- QuantEcon ----


def markov_chain(chain):
    """The same chain for QuantEcon."""
    quantecon = pytest.importorskip("quantecon.markov", reason="QuantEcon is not installed")
    return quantecon.MarkovChain(chain.sparse().toarray())


def agrees_with_quantecon(chain):
    other = markov_chain(chain)
    found = communicating_classes(chain)

    def names(parts):
        return sorted(sorted(part.tolist()) for part in parts)

    assert names(found.classes) == names(other.communication_classes)
    assert names(found.closed) == names(other.recurrent_classes)
    assert found.irreducible == other.is_irreducible
    if found.irreducible:
        (period,) = found.periods
        assert period == other.period
        if period > 1:
            assert names(found.cyclic_classes[0]) == names(other.cyclic_classes)
    theirs = {np.flatnonzero(x)[0]: x for x in other.stationary_distributions}
    found = stationary_distribution(chain, method="multilevel")
    assert len(theirs) == len(found.classes)
    for states, x in found.classes:
        y = theirs[states[0]]
        np.testing.assert_array_equal(np.flatnonzero(y), states)
        # Both err by little in every entry: ours is proven, theirs is GTH, too.
        np.testing.assert_allclose(x, y[states], rtol=1e-11)


@pytest.mark.parametrize("name", [*HARD, *ZEROS])
def test_quantecon_agrees_at_hundreds_of_states(name):
    V, L = (4, 4) if name == "top-2" else (2, 7 if name == "period 4" else 8)
    agrees_with_quantecon(hard_chain(name, V, L))


def test_quantecon_agrees_at_2000_states():
    """Two closed classes, one of period 3, and what leads to them, in any order."""
    rng = np.random.default_rng(7)
    N, a, b = 2000, 900, 600  # states from 0 to a, from a to a + b, and transient ones
    s = np.arange(N)
    first = np.where(s < a, (s + 1) % a, np.where(s < a + b, a + (s - a + 1) % b, s - 1))
    jump = np.where(s < a, rng.integers(0, a, N), rng.integers(0, N, N))
    step = 1 + 3 * rng.integers(0, b // 3, N)
    jump = np.where((s >= a) & (s < a + b), a + (s - a + step) % b, jump)
    name = rng.permutation(N)
    chain = Chain.from_edges(
        name[np.tile(s, 2)],
        np.repeat([0, 1], N),
        name[np.concatenate([first, jump])],
        rng.uniform(0.1, 1, 2 * N),
        normalize=True,
    )
    found = communicating_classes(chain)
    assert sorted(map(len, found.closed)) == [b, a]
    assert dict(zip(map(len, found.closed), found.periods, strict=True)) == {a: 1, b: 3}
    agrees_with_quantecon(chain)


# ---- Storm ----


def storm_gives_the_same_rationals(chain, goal):
    exact = chain.exact()
    model = storm_model(exact, {"goal": [goal]})
    found = hitting(exact, goal)
    assert list(map(as_rational, ask(model, 'P=? [F "goal"]'))) == found.probabilities.tolist()
    assert list(map(as_rational, ask(model, 'T=? [F "goal"]'))) == found.mean_steps.tolist()
    long_run = list(map(as_rational, ask(model, 'LRA=? ["goal"]')))
    for start, share in enumerate(long_run):
        assert (
            limiting_distribution(exact, start=start, time_average=True).probabilities[goal]
            == share
        )
    for states, x in stationary_distribution(exact).classes:
        if goal in states:
            assert x[states.tolist().index(goal)] == long_run[goal]


@pytest.mark.parametrize("name", [*HARD, *ZEROS])
@pytest.mark.parametrize("goal", [0, 5, 13])
def test_exact_storm_gives_the_same_rationals(name, goal):
    storm_gives_the_same_rationals(hard_chain(name, 2, 2 if name in ZEROS[:2] else 4), goal)


@given(chain=chains(), seed=st.integers(0, 10**6))
@settings(max_examples=20)
def test_exact_storm_gives_the_same_rationals_for_generated_chains(chain, seed):
    storm_gives_the_same_rationals(chain, seed % chain.n_states)


@pytest.mark.parametrize("name", ["random", "sharp"])
def test_times_lie_within_storms_sound_bounds(name):
    """Storm's floats, sound to its default precision of 1e-6; ours to what they prove.

    On the sticky family Storm's iteration takes over ten minutes for as many states.
    """
    chain = hard_chain(name, 2, 9)
    model = storm_model(chain, {"goal": [5]})
    import stormpy

    theirs = stormpy.model_checking(model, stormpy.parse_property('T=? [F "goal"]'))
    found = hitting(chain, 5)
    assert found.error_bound < 1e-6
    for state in range(0, 512, 37):
        bounds = theirs[state]
        steps = found.mean_steps[state]
        assert bounds.lower <= steps * (1 + 2 * found.error_bound)
        assert bounds.upper >= steps * (1 - 2 * found.error_bound)
        assert bounds.upper <= bounds.lower * (1 + 1e-5)
