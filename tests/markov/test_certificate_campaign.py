"""No proven error is ever smaller than the true one: other chains at each run.

``make campaign`` does the same for ten thousand chains; see tests/campaign.py.
"""

import secrets
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from fsm_gpt.markov import certificate
from tests import campaign
from tests.campaign import Edges, Outcome

CHAINS = 200


def test_no_certificate_is_broken():
    outcome = campaign.certificates(CHAINS, seed=secrets.randbelow(10**9))
    assert not outcome.broken, str(outcome)
    # To refuse everything would be no proof of anything, and to accept anything none either.
    for sums in campaign.SUMS:
        assert outcome.share(f"right, {sums}") > 0.7, str(outcome)
        assert outcome.share(f"permuted, {sums}", "refused") > 0.3, str(outcome)
    assert outcome.share("the package's own answer") > 0.7, str(outcome)


def test_no_bound_of_a_hitting_time_is_broken():
    outcome = campaign.hitting_times(CHAINS, seed=secrets.randbelow(10**9))
    assert not outcome.broken, str(outcome)
    for way in campaign.WAYS:
        assert outcome.share(f"hitting, {way}") > 0.7, str(outcome)


# ---- the campaign notices ----


@pytest.mark.parametrize("name", ["_log_factor", "_compiled_log_factor"])
def test_a_certificate_that_proves_too_much_is_seen(name, monkeypatch):
    """Half the true sum; what is right up to rounding has room for that, what is wrong has not."""
    honest = getattr(certificate, name)
    monkeypatch.setattr(certificate, name, lambda *args: honest(*args) / 2)
    outcome = campaign.certificates(60, seed=1)
    seen = {what for (what, how) in outcome.counts if how == "broken"}
    sums = "exact" if name == "_log_factor" else "compiled"
    assert f"one entry scaled, {sums} sums" in seen
    assert {what.partition(", ")[2] for what in seen if "sums" in what} == {f"{sums} sums"}
    assert f"--seed {outcome.seed} --only" in str(outcome)


def test_a_certificate_that_forgets_the_total_is_seen(monkeypatch):
    def forgetful(*edges_and_vector):
        *edges, x = edges_and_vector
        return certify(*edges, x / x.sum())

    certify = certificate.certify
    monkeypatch.setattr(certificate, "certify", forgetful)
    outcome = campaign.certificates(30, seed=1)
    assert outcome.share("not summing to one, exact sums", "broken") > 0.5


def test_a_certificate_that_raises_is_seen(monkeypatch):
    def raising(*edges_and_vector):
        raise OverflowError

    monkeypatch.setattr(certificate, "certify", raising)
    assert campaign.certificates(1, seed=1).share("right, exact sums", "broken") == 1


def test_hitting_times_proven_too_well_are_seen(monkeypatch):
    solver = import_module("fsm_gpt.markov.first_step")
    honest = solver.residual
    monkeypatch.setattr(solver, "residual", lambda *args: honest(*args) / 1e3)
    assert campaign.hitting_times(100, seed=1).broken


def test_a_bound_is_held_exactly():
    outcome = Outcome(seed=0)
    third = Fraction(1, 3)
    outcome.hold("vector", float(third), third, "story")  # the float is a little less than 1/3
    outcome.hold("vector", np.nextafter(1 / 3, 1), third, "story")
    outcome.hold("vector", "uncertified", third, "story")
    assert {how for _, how in outcome.counts} == {"broken", "holds", "refused"}
    assert outcome.broken == ["story: vector: bound 3.333333e-01 < error 3.333333e-01"]


# ---- its known answers ----


def edges_of(P):
    """The transitions of a small dense matrix."""
    P = np.array(P)
    source, target = np.nonzero(P)
    return Edges(len(P), source, target, P[source, target])


def test_rationals_of_the_land_of_oz():
    """Kemeny & Snell (1976); Grinstead & Snell (1997), example 11.1."""
    P = [[0.5, 0.25, 0.25], [0.5, 0, 0.5], [0.25, 0.25, 0.5]]
    assert campaign.stationary_in_rationals(edges_of(P)) == [
        Fraction(2, 5),
        Fraction(1, 5),
        Fraction(2, 5),
    ]


def test_rationals_of_the_gamblers_ruin():
    """Norris (1997), example 1.3.3, with fair bets."""
    walk = edges_of([[1, 0, 0, 0], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 0, 1]])
    probabilities, times = campaign.reaching_in_rationals(walk, 3)
    assert probabilities == [0, Fraction(1, 3), Fraction(2, 3), 1]
    assert times == [None, None, None, 0]
    one_end = edges_of([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1]])
    assert campaign.reaching_in_rationals(one_end, 2) == ([1, 1, 1], [6, 4, 0])


@pytest.mark.parametrize("seed", range(20))
def test_integer_flows_are_the_flows_of_their_distribution(seed):
    known = campaign.known_by_construction(np.random.default_rng(seed), 9)
    assert campaign.stationary_in_rationals(known.edges) == known.pi


def test_every_kind_of_chain_is_made():
    kinds = {campaign.known_chain(np.random.default_rng(seed)).kind for seed in range(200)}
    assert kinds == {
        *(make.__name__ for make in campaign.MATRICES),
        "window_edges",
        "many_tokens",
        "integer flows",
    }
