"""Intervals hold the exact rate as often as they say.

``make intervals`` does the same for a thousand seeds; see tests/coverage_campaign.py.
"""

import numpy as np
import pytest
from scipy.stats import binom

from fsm_gpt.markov import entropy_rate
from fsm_gpt.series import replications
from tests.coverage_campaign import CONFIDENCE, HONEST, TOO_SHORT, coverage, limits, two_regimes

RUNS = 150


@pytest.mark.parametrize("name", HONEST)
def test_the_interval_covers(name: str) -> None:
    low, high = limits(RUNS)
    found = coverage(HONEST[name], RUNS)
    assert low <= found.covered <= high, found


@pytest.mark.parametrize("name", [name for name in TOO_SHORT if name != "a hidden trap"])
def test_what_is_too_short_is_wide_or_refused(name: str) -> None:
    """No more intervals are wrong than an honest method has."""
    runs = 20
    found = coverage(TOO_SHORT[name], runs)
    assert found.wrong <= binom.isf(1e-3, runs, 1 - CONFIDENCE), found
    if name in ("slow: 1 relaxation time", "stuck"):
        assert found.refused == runs


# ---- the check sees what is wrong ----


def test_a_narrow_interval_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replications, "student_quantile", lambda *_: 1.0)
    assert coverage(HONEST["Land of Oz"], 60).covered < limits(60)[0]


def test_a_wide_interval_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replications, "student_quantile", lambda *_: 4.0)
    assert coverage(HONEST["Land of Oz"], RUNS).covered > limits(RUNS)[1]


def test_the_regimes_are_what_they_are_said_to_be() -> None:
    """Eigenvalue 1 - 1 / relaxation, and the entropies mixed by the share."""
    chain = two_regimes(100)
    values = np.sort(np.abs(np.linalg.eigvals(chain.matrix())))
    assert values[-2] == pytest.approx(1 - 1 / 100)
    pi = np.array([1 / 6, 1 / 6, 2 / 3 * 0.95, 2 / 3 * 0.05])
    assert chain.push(pi)[:2].sum() == pytest.approx(1 / 3)
    assert entropy_rate(chain).certified
