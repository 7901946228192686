"""Calibration by state and in bins, and the drift of the entropy of a model's own texts."""

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from tests.markov.test_compare import (
    dense,
    even_process,
    two_contexts,
    under_plain_names,
    unrolled,
)

# ---- calibration ----


def test_a_reliability_diagram_by_hand() -> None:
    """Guo et al. (2017), equations 2 and 3: |B| / n times |acc(B) - conf(B)|, summed."""
    data = Chain([["3/4", "1/4"], ["1/4", "3/4"]])  # pi = (1/2, 1/2)
    model = Chain([[0.9, 0.1], [0.35, 0.65]])
    found = fg.calibration(data, model)
    # Both say what happens with 3/4, one with 0.9, in (0.8, 0.9], one with 0.65, in (0.6, 0.7].
    assert found.confidence_by_state == pytest.approx([0.9, 0.65])
    assert found.accuracy_by_state.tolist() == [0.75, 0.75]
    assert found.bin_mass.tolist() == [0, 0, 0, 0, 0, 0, 0.5, 0, 0.5, 0]
    assert found.bin_confidence[[6, 8]] == pytest.approx([0.65, 0.9])
    assert found.bin_accuracy[[6, 8]] == pytest.approx([0.75, 0.75])
    assert found.binned == pytest.approx(0.5 * 0.15 + 0.5 * 0.1)
    assert fg.calibration(data, model, bins=1).binned == pytest.approx(0.025)
    assert fg.calibration(data, model, bins=2).binned == pytest.approx(0.025)
    stated, true = found.rows(1)[1], found.rows(1)[0]
    assert (true.tolist(), stated.tolist()) == ([0.25, 0.75], [0.35, 0.65])
    assert found.label(1) == "1"
    assert "0: stated 0.9, happens 0.75" in str(found)


@given(two_contexts(), st.integers(1, 12))
@settings(max_examples=30)
def test_calibration_against_the_definition(pair: tuple[Chain, Chain], bins: int) -> None:
    P, Q = pair
    found = fg.calibration(P, Q, bins=bins)
    L = max(P.context or 0, Q.context or 0)
    p, q = unrolled(P, L), unrolled(Q, L)
    sums: dict[int, Fraction] = defaultdict(Fraction)
    levels: dict[Fraction, Fraction] = defaultdict(Fraction)
    by_state = rows = Fraction(0)
    for mass, true, stated in zip(
        fg.stationary_distribution(p).pi, p.next_token.tolist(), q.next_token.tolist(), strict=True
    ):
        confidence = max(stated)
        gap = mass * (true[stated.index(confidence)] - confidence)
        which = next(b for b in range(bins) if confidence <= Fraction(b + 1, bins))
        sums[which] += gap
        levels[confidence] += gap
        by_state += abs(gap)
        rows += mass * sum(abs(a - b) for a, b in zip(true, stated, strict=True)) / 2
    edge = any(float(c * bins).is_integer() for c in levels)
    if not edge:  # where rounding does not say on which side of an edge a confidence is
        total = sum(map(abs, sums.values()))
        assert abs(found.binned - total) <= found.error_bound
    assert abs(found.by_state - by_state) <= found.error_bound
    assert abs(found.total_variation - rows) <= found.error_bound < 1e-10
    assert found.binned <= found.by_confidence + 1e-12
    assert found.by_confidence <= found.by_state + 1e-12
    assert found.by_state <= found.total_variation + 1e-12
    assert found.bin_mass.sum() == pytest.approx(1)
    assert found.binned == pytest.approx(
        float(found.bin_mass @ np.abs(found.bin_accuracy - found.bin_confidence)), abs=1e-12
    )
    same = fg.calibration(P, P, bins=bins)
    assert (same.binned, same.by_state, same.total_variation) == (0, 0, 0)


def test_calibration_of_what_cannot_be() -> None:
    coin = Chain([[0.5, 0.5]] * 2)
    for bins in (0, 2.5, True):
        with pytest.raises(InvalidArgument, match="bins is not a whole number of 1 or more"):
            fg.calibration(coin, coin, bins=bins)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="calibration: the vocabularies differ"):
        fg.calibration(coin, Chain([[0.5, 0.5]] * 2, vocabulary="ab"))
    # A model that is certain and always wrong has the largest error there is.
    wrong = fg.calibration(Chain([[1.0, 0.0]] * 2), Chain([[0.0, 1.0]] * 2))
    assert (wrong.binned, wrong.by_confidence, wrong.by_state) == (1, 1, 1)


# ---- drift ----


@given(two_contexts(), st.integers(0, 5))
@settings(max_examples=25)
def test_drift_against_powers_of_the_matrix(pair: tuple[Chain, Chain], steps: int) -> None:
    """Braverman et al. (2020): entropies of generations, from the reference's contexts on."""
    P, Q = pair
    L = max(P.context or 0, Q.context or 0)
    mu = fg.stationary_distribution(unrolled(P, L)).pi
    q = unrolled(Q, L)
    entropies = [-math.fsum(float(p) * math.log2(p) for p in row) for row in q.next_token.tolist()]
    for reference, model in ((P, Q), (P.floats(), Q.floats()), (P, under_plain_names(Q))):
        found = fg.entropy_drift(reference, model, steps=steps)
        assert found.steps == steps
        assert found.error_bound < 1e-10
        law = mu
        for bits in found.bits_by_step:
            true = math.fsum(float(m) * h for m, h in zip(law, entropies, strict=True))
            assert bits == pytest.approx(true, rel=1e-12)
            law = law @ q.matrix()
        assert found.cross_entropy_bits_per_token == pytest.approx(
            fg.compare(P, Q).cross_entropy_bits_per_token, rel=1e-12
        )
        assert found.long_run_bits_per_token == pytest.approx(
            fg.entropy_rate(Q.floats()).bits_per_token, rel=1e-12
        )


@given(st.data())
@settings(max_examples=15)
def test_drift_ends_at_the_model_s_own_rate(data: st.DataObject) -> None:
    P, Q = data.draw(dense(2, 2)), data.draw(dense(2, 2))
    found = fg.entropy_drift(P, Q, steps=2000)
    assert found.bits_by_step[-1] == pytest.approx(found.long_run_bits_per_token, abs=1e-9)
    itself = fg.entropy_drift(Q, Q, steps=4)
    rate = fg.entropy_rate(Q.floats()).bits_per_token
    assert itself.bits_by_step == pytest.approx([rate] * 5, rel=1e-12)
    assert itself.drift_bits_per_token == pytest.approx(0, abs=1e-12)


def test_drift_into_one_of_two_classes() -> None:
    """From 0 the model goes to a loop of two coins or to silence, 1/2 each: 1/2 bit."""
    model = Chain.from_matrix([[0, 0.5, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 1, 0], [0, 0.5, 0, 0.5]])
    data = Chain.from_edges(
        [0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 0], [1.0] * 4,
        vocabulary=4, states=model.states,
    )  # fmt: skip
    found = fg.entropy_drift(data, model, steps=3)
    assert found.bits_by_step.tolist() == [1, 0.5, 0.5, 0.5]
    assert found.long_run_bits_per_token == 0.5
    assert math.isinf(found.cross_entropy_bits_per_token)
    assert "in the long run: 0.5" in str(found)
    assert found.to_dict()["cross_entropy_bits_per_token"] == "inf"


def test_drift_of_what_cannot_be() -> None:
    coin = Chain([[0.5, 0.5]] * 2)
    for steps in (-1, 0.5, True):
        with pytest.raises(InvalidArgument, match="steps is not a whole number of 0 or more"):
            fg.entropy_drift(coin, coin, steps=steps)  # type: ignore[arg-type]
    with pytest.raises(NotDefined, match="infinite"):
        fg.entropy_drift(coin, even_process())
    with pytest.raises(NotDefined, match="texts of the model end"):
        fg.entropy_drift(coin, coin.with_stop("1"))
