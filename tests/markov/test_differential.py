"""Floats, rationals and other programs agree on generated machines: others at each run.

``make campaign`` does the same for ten thousand; see tests/differential.py.
"""

import importlib
import secrets

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.markov.row_entropy import log2_ratio
from fsm_gpt.markov.stationary import stationary_distribution
from tests import differential
from tests.every_question import every_question


def test_no_answer_is_farther_off_than_it_says():
    seed = secrets.randbelow(10**9)
    outcome = differential.differential(60, seed=seed)
    again = "python -m tests.campaign --campaign differential"
    assert not outcome.broken, f"{again}\n{outcome}"
    for what in ("stationary", "hitting", "entropy rate", "classes", "period", "reach"):
        assert outcome.counts[what, "holds"] > 10, str(outcome)


@pytest.mark.parametrize(
    ("module", "name", "what"),
    [
        ("fsm_gpt", "entropy_rate", "entropy rate"),
        ("fsm_gpt", "hitting", "hitting times"),
        ("fsm_gpt", "kemeny_constant", "Kemeny"),
    ],
)
def test_an_answer_that_is_wrong_is_seen(monkeypatch, module, name, what):
    """A right question asked of another chain."""
    ask = getattr(importlib.import_module(module), name)

    def wrong(chain, *args):
        if chain.kind == "float" and chain.is_window:
            rows = np.asarray(chain.next_token)
            chain = Chain(rows * (1 - 1e-9) + 1e-9 / rows.shape[1], context=chain.context)
        return ask(chain, *args)

    monkeypatch.setattr(differential.fg, name, wrong, raising=False)
    outcome = differential.differential(25, seed=1)
    assert outcome.counts[what, "broken"], str(outcome)
    assert "--seed 1 --only" in outcome.broken[0]


def test_every_question_is_answered_or_refused():
    outcome = every_question(12, seed=secrets.randbelow(10**9))
    again = "python -m tests.campaign --campaign questions"
    assert not outcome.broken, f"{again}\n{outcome}"


def test_shares_whose_sum_is_no_float():
    """Each is one, and divided by an infinite sum they were all zero."""
    tiny = 2.2250738585072014e-308
    P = np.zeros((5, 5))
    P[[0, 1, 2, 3, 4], [1, 2, 3, 4, 1]] = 1
    P[2, 0], P[2, 2] = tiny, 5e-324
    chain = Chain.from_matrix(P)
    found, exact = stationary_distribution(chain), stationary_distribution(chain.exact())
    (_, pi), (_, right) = found.classes[0], exact.classes[0]
    assert abs(pi[1:] - 0.25).max() < 1e-15
    assert pi[0] == pytest.approx(float(right[0]), rel=1e-12)


def test_logarithms_of_quotients_that_are_no_floats():
    """1 / 5e-324 is infinite, and its logarithm is 1074."""
    a, b = np.array([1.0, 5e-324, 3.0]), np.array([5e-324, 1.0, 2.0])
    assert log2_ratio(a, b).tolist() == [1074.0, -1074.0, np.log2(1.5)]
