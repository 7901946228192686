"""Statistics of correlated samples against sums written out, scipy's, and chance itself."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binom, t as student, ttest_1samp

from fsm_gpt.errors import NotConverged
from fsm_gpt.series import replications
from fsm_gpt.series.agreement import (
    BATCHES,
    disagreement,
    in_batches,
    memory,
    relaxation,
    variance_of_mean,
)
from fsm_gpt.series.burn_in import (
    BIAS_ALLOWED,
    DRIFT_LEVEL,
    START,
    bias_left,
    burn_in_for,
    drift,
    drift_burn_in,
)
from fsm_gpt.series.recurrence import numbered_windows
from fsm_gpt.series.regeneration import FEWEST_CYCLES, mean_of_cycles
from fsm_gpt.series.replications import mean_of_streams

#: A test of chance that is right fails with this probability for a random seed; they are fixed.
LEVEL = 1e-6


def forgetting(tau: float, K: int, n: int, seed: int) -> Any:
    """Gaussian streams whose correlation falls as exp(-t / tau), begun in their stationary law."""
    rng = np.random.default_rng(seed)
    decay = math.exp(-1 / tau)
    noise = rng.normal(size=(K, n)) * math.sqrt(1 - decay**2)
    noise[:, 0] = rng.normal(size=K)
    for t in range(1, n):
        noise[:, t] += decay * noise[:, t - 1]
    return noise


def covariance(tau: float, n: int) -> Any:
    t = np.arange(n)
    return np.exp(-np.abs(t[:, None] - t[None, :]) / tau)


# ---- agreement ----


@pytest.mark.parametrize("m", [0.1, 1.0, 5.0, 40.0])
def test_the_variance_of_a_mean(m: float) -> None:
    n = 2000
    assert variance_of_mean(m) == pytest.approx(covariance(n / m, n).mean(), rel=1e-3)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 2.0])
def test_a_disagreement_is_a_relaxation_time(share: float) -> None:
    """Expected variances between and within streams, from the whole covariance matrix."""
    n = 2000
    C = covariance(share * n, n).reshape(BATCHES, n // BATCHES, BATCHES, n // BATCHES)
    of_batches = C.mean(axis=(1, 3))
    S2 = of_batches.mean()
    W = (np.trace(of_batches) - BATCHES * S2) / (BATCHES - 1)
    assert relaxation(BATCHES * S2 / W) == pytest.approx(share, rel=1e-2)


def test_streams_that_have_mixed_agree() -> None:
    """The ratio of two estimates of one variance is F distributed with mean near 1."""
    ratios = [
        disagreement(in_batches(np.random.default_rng(seed).normal(size=(32, 100))))
        for seed in range(200)
    ]
    # F of 31 and 288 degrees of freedom: mean 1.007, standard deviation 0.28.
    assert np.mean(ratios) == pytest.approx(1.007, abs=5 * 0.28 / math.sqrt(200))


def test_a_slow_mode_under_fast_noise_is_seen() -> None:
    """Single values would give a ratio of 1 + 0.1**2: batch means show what is stuck."""
    rng = np.random.default_rng(0)
    streams = rng.normal(size=(32, 2000)) + 0.1 * rng.normal(size=(32, 1))
    assert disagreement(in_batches(streams)) > 10


def test_variances_of_several_quantities_add() -> None:
    rng = np.random.default_rng(1)
    batches = rng.normal(size=(12, BATCHES, 3))
    between = sum(batches[:, :, j].mean(axis=1).var(ddof=1) for j in range(3))
    within = sum(np.mean([row[:, j].var(ddof=1) for row in batches]) for j in range(3))
    assert disagreement(batches) == pytest.approx(BATCHES * between / within)


def test_nothing_disagrees_with_nothing() -> None:
    assert disagreement(np.full((4, BATCHES), 0.3)) == 0.0
    assert disagreement(np.full((4, BATCHES), 0.3) + 1e-17, rounding=1e-12) == 0.0
    assert disagreement(np.repeat(np.arange(4.0)[:, None], BATCHES, axis=1)) == math.inf
    assert relaxation(math.inf) == math.inf


def test_memory_is_a_level() -> None:
    """Under independence its values below 5% are 5 in 100."""
    runs = 1000
    below = sum(
        memory(np.random.default_rng(seed).normal(size=(16, BATCHES))) < 0.05
        for seed in range(runs)
    )
    assert binom.ppf(LEVEL, runs, 0.05) <= below <= binom.isf(LEVEL, runs, 0.05)


def test_memory_knows_stuck_streams_from_slow_ones() -> None:
    slow = in_batches(forgetting(100, 32, 2000, seed=0))
    stuck = in_batches(np.random.default_rng(0).normal(size=(32, 2000)))
    stuck[0] += 3
    assert memory(slow) > 0.001
    assert memory(stuck) < 1e-6
    assert memory(np.zeros((8, BATCHES))) == 1.0


def test_a_phase_is_no_memory() -> None:
    """Cycles of three values from three phases: each stream keeps its own; all have one mean."""
    for n in (997, 1000, 1003, 1010, 1018):
        turns = ((np.arange(n) + np.arange(12)[:, None]) % 3).astype(float)
        found = mean_of_streams(turns, turns.astype(int), confidence=0.95)
        assert abs(found.mean - 1) <= 2 / n
        assert found.half_width < 2 / n


def test_what_turns_into_its_opposite_is_no_memory() -> None:
    swing = np.linspace(1, -1, BATCHES) * np.arange(8)[:, None]
    assert memory(swing) == pytest.approx(1.0)
    assert memory(np.abs(swing)) == 0.0


# ---- burn-in ----


@pytest.mark.parametrize("tau", [10.0, 100.0, 500.0, 5000.0])
@pytest.mark.parametrize("burn_in", [0, 100, 400])
def test_the_bias_left(tau: float, burn_in: int) -> None:
    """A mode that starts so many deviations away, summed up token by token."""
    n, K = 2000, 32
    bias = START * np.exp(-(burn_in + np.arange(n)) / tau).mean()
    error = math.sqrt(covariance(tau, n).mean() / K)
    assert bias_left(burn_in, tau, n, K) == pytest.approx(bias / error, rel=0.06)


@pytest.mark.parametrize("tau", [0.0, 1.0, 50.0, 800.0])
def test_burn_in_leaves_what_is_allowed(tau: float) -> None:
    wanted = burn_in_for(tau, 2000, 32)
    assert bias_left(wanted, tau, 2000, 32) <= BIAS_ALLOWED * (1 + 1e-9)
    assert wanted == 0 or bias_left(wanted - 1, tau, 2000, 32) > BIAS_ALLOWED


def test_a_process_without_a_beginning_is_seldom_cut() -> None:
    runs = 400
    cut = sum(
        drift_burn_in(np.random.default_rng(seed).normal(size=(16, 400))) > 0
        for seed in range(runs)
    )
    assert cut <= binom.isf(LEVEL, runs, DRIFT_LEVEL)


@pytest.mark.parametrize("length", [3, 20, 150, 900])
def test_a_beginning_is_cut_off(length: int) -> None:
    """A transient of a given length, high enough to bias the mean by more than its error."""
    streams = np.random.default_rng(2).normal(size=(32, 2000))
    streams[:, :length] += 4 / math.sqrt(length)
    assert length / 2 <= drift_burn_in(streams) <= length + max(length, 100)


def test_a_short_beginning_costs_little() -> None:
    streams = np.random.default_rng(2).normal(size=(32, 2000))
    streams[:, :3] += 2
    assert drift_burn_in(streams) == 4


def test_drift_is_student_s_for_all_scales_together() -> None:
    streams = np.random.default_rng(8).normal(size=(16, 400))
    streams[:, :8] += 0.4
    late = streams[:, 200:]
    pieces = np.array([[row[i : i + 8].mean() for i in range(0, 200, 8)] for row in late])
    spread = math.sqrt(pieces.var() + late.mean(axis=1).var(ddof=1))
    off = streams[:, :8].mean() - late.mean()
    alone = 2 * student.sf(abs(off) / spread * 4, 15)
    assert drift(streams, [8]) == pytest.approx(alone)
    assert drift(streams, [1, 8]) == pytest.approx(2 * min(alone, drift(streams, [1])))


def test_a_rare_value_is_no_drift() -> None:
    """Where most streams begin with the usual value, their spread there says nothing."""
    cut = 0
    for seed in range(200):
        rare = (np.random.default_rng(seed).random((32, 1000)) < 0.01).astype(float)
        cut += drift_burn_in(rare) > 0
    assert cut <= binom.isf(LEVEL, 200, 5 * DRIFT_LEVEL)


# ---- windows ----


@given(
    st.lists(st.lists(st.integers(-1, 2), min_size=12, max_size=12), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_equal_windows_have_equal_numbers(rows: list[list[int]], length: int) -> None:
    numbers = numbered_windows(np.array(rows), length)
    assert numbers.shape == (len(rows), 12 - length + 1)
    known: dict[tuple[int, ...], int] = {}
    for row, numbered in zip(rows, numbers.tolist(), strict=True):
        for i, number in enumerate(numbered):
            assert known.setdefault(tuple(row[i : i + length]), len(known)) == number


# ---- cycles ----


def test_cycles_written_out() -> None:
    rng = np.random.default_rng(3)
    states = rng.integers(0, 4, (10, 300))
    values = rng.random((10, 300))
    found = mean_of_cycles(values, states)
    assert found is not None
    most = max(range(4), key=lambda s: (states == s).sum())
    assert states[found.visit] == most
    visits = [[t for t in range(300) if states[k, t] == most] for k in range(10)]
    each = min(map(len, visits)) - 1
    Y, T = [], []
    for k, times in enumerate(visits):
        for a, b in pairwise(times[: each + 1]):
            Y.append(values[k, a:b].sum())
            T.append(b - a)
    mean = sum(Y) / sum(T)
    assert (found.mean, found.n_cycles) == (pytest.approx(mean), 10 * each)
    assert found.mean_length == pytest.approx(np.mean(T))
    variance = sum((y - mean * t) ** 2 for y, t in zip(Y, T, strict=True)) / (len(Y) - 1)
    assert found.standard_error == pytest.approx(math.sqrt(variance / len(Y)) / np.mean(T))


def test_too_few_or_too_uneven_cycles_say_nothing() -> None:
    few = np.tile(np.arange(50), (8, 10))  # nine cycles a stream
    assert 8 * 9 < FEWEST_CYCLES
    assert mean_of_cycles(few * 1.0, few) is None
    often = np.arange(8 * 500).reshape(8, 500)
    often[:, ::2] = -1
    assert mean_of_cycles(often * 1.0, often) is not None
    for away in (slice(0, 102), slice(200, 302), slice(398, None)):
        states = often.copy()
        states[3, away] = 9999
        assert mean_of_cycles(often * 1.0, states) is None


# ---- the interval ----


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_student_s(confidence: float) -> None:
    streams = np.random.default_rng(4).normal(size=(20, 500))
    found = mean_of_streams(streams, np.zeros((20, 500), dtype=int), confidence=confidence)
    means = streams[:, found.burn_in :].mean(axis=1)
    theirs = ttest_1samp(means, 0.0).confidence_interval(confidence)
    assert found.bias_allowed == 0.0
    assert found.mean - found.half_width == pytest.approx(theirs.low)
    assert found.mean + found.half_width == pytest.approx(theirs.high)


def test_slow_streams_widen_it() -> None:
    none = np.zeros((32, 2000), dtype=int)
    fast, slow = (
        mean_of_streams(forgetting(tau, 32, 2000, seed=5), none, confidence=0.95)
        for tau in (1.0, 80.0)
    )
    # The standard error of the mean of n values is sqrt(2 tau / n) for slow ones.
    assert 5 < slow.half_width / fast.half_width < 12
    assert slow.burn_in > fast.burn_in
    assert slow.batch_means_error < slow.standard_error
    assert slow.effective_size < 32 * 2000 / 80


def test_a_bias_that_may_be_left_is_added() -> None:
    """Half of the run is a burn-in of less than two relaxation times."""
    streams = forgetting(600, 32, 2000, seed=9)
    found = mean_of_streams(streams, np.zeros(streams.shape, dtype=int), confidence=0.95)
    assert found.burn_in == 1000
    left = bias_left(1000, found.relaxation, 1000, 32)
    assert BIAS_ALLOWED < left < 2
    assert found.bias_allowed == pytest.approx(left * found.standard_error)
    sampled = student.isf(0.025, 31) * found.standard_error
    assert found.half_width == pytest.approx(sampled + found.bias_allowed)


def test_labels_that_are_slow_lengthen_the_burn_in() -> None:
    noise = np.random.default_rng(10).normal(size=(32, 2000))
    slow = (forgetting(80, 32, 2000, seed=10) > 0).astype(int)
    none, some = (mean_of_streams(noise, labels, confidence=0.95) for labels in (0 * slow, slow))
    assert some.relaxation > 2 * none.relaxation
    assert some.relaxation == pytest.approx(80, rel=0.5)
    assert some.burn_in > none.burn_in


def test_one_stuck_stream_is_found_by_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = np.random.default_rng(11).normal(size=(32, 1000))
    streams[5] += 0.5
    none = np.zeros(streams.shape, dtype=int)
    with pytest.raises(NotConverged, match="disagree"):
        mean_of_streams(streams, none, confidence=0.95)
    monkeypatch.setattr(replications, "REFUSED_BELOW", 0.0)
    mean_of_streams(streams, none, confidence=0.95)  # by its disagreement alone it is not


def test_streams_slower_than_their_length_are_found_without_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replications, "memory", lambda *_, **__: 1.0)
    streams = forgetting(3000, 32, 2000, seed=12)
    with pytest.raises(NotConverged, match="disagree"):
        mean_of_streams(streams, np.zeros(streams.shape, dtype=int), confidence=0.95)


def test_labels_show_what_values_hide() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(32, 1000))
    stuck = rng.integers(0, 2, (32, 1000)) + 2 * (np.arange(32)[:, None] % 2)
    mean_of_streams(values, stuck % 2, confidence=0.95)
    with pytest.raises(NotConverged, match="32 streams disagree"):
        mean_of_streams(values, stuck, confidence=0.95)


def test_what_has_no_honest_interval_is_refused() -> None:
    none = np.zeros((16, 1000), dtype=int)
    noise = np.random.default_rng(7).normal(size=(16, 1000))
    apart = noise + np.arange(16)[:, None]
    with pytest.raises(NotConverged, match="Their means go from"):
        mean_of_streams(apart, none, confidence=0.95)
    with pytest.raises(NotConverged, match="still drifts"):
        mean_of_streams(noise + np.arange(1000) / 50, none, confidence=0.95)
    with pytest.raises(NotConverged, match="in step"):
        mean_of_streams(np.tile(np.arange(1000) % 3, (16, 1)) * 1.0, none, confidence=0.95)


def test_a_constant_is_known() -> None:
    found = mean_of_streams(np.full((8, 200), 0.7), np.zeros((8, 200), int), confidence=0.9)
    assert (found.mean, found.half_width, found.burn_in) == (pytest.approx(0.7), 0.0, 0)
