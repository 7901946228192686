"""How long texts get: closed forms, brute force in rationals, and floats within their bounds."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st
from scipy.sparse import eye_array
from scipy.sparse.linalg import splu

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged, NotDefined
from fsm_gpt.markov.length_tail import Tail
from fsm_gpt.simulate import draw, follower
from tests.markov.endings import (
    dies_faster,
    knuth_die,
    live_block,
    machines,
    phase_type,
    truth,
    two_heads,
)

# ---- closed forms ----


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 3), Fraction(99, 100)])
def test_a_coin_until_heads(p: Fraction) -> None:
    """The geometric distribution: (1 - p)^n p, mean (1 - p) / p, variance (1 - p) / p^2."""
    coin = Chain([[1 - p, p]] * 2, vocabulary="th").with_stop("h")
    found = fg.length_distribution(coin, start="t", upto=9)
    assert found.pmf.tolist() == [(1 - p) ** n * p for n in range(10)]
    assert (found.probability_of_ending, found.beyond) == (1, (1 - p) ** 10)
    assert (found.mean_tokens, found.variance) == ((1 - p) / p, (1 - p) / p**2)
    assert found.error_bound == 0
    low, high = found.tail_rate_between
    assert low <= 1 - p <= high < low + 1e-14
    for share in (0.25, 0.5, 0.9):
        # The smallest n with (1 - p)^(n + 1) <= 1 - share.
        expected = next(n for n in range(10) if (1 - p) ** (n + 1) <= 1 - Fraction(share))
        assert found.quantile(share) == expected


def test_two_phases() -> None:
    expected = [Fraction(3, 4) ** n / 3 - Fraction(1, 2) ** n / 6 for n in range(30)]
    found = fg.length_distribution(phase_type(), start="a", upto=29)
    assert found.pmf.tolist() == expected
    # The mean of sum c q^n is c q / (1 - q)^2: 4 - 1/3; E[N (N - 1)] is 2 c q^2 / (1 - q)^3.
    assert found.mean_tokens == Fraction(11, 3)
    second = 2 * (Fraction(9, 16) * 64 / 3 - Fraction(1, 4) * 8 / 6)
    assert found.variance == second + Fraction(11, 3) - Fraction(121, 9)
    floats = fg.length_distribution(phase_type().floats(), start="a")
    longer = [float(Fraction(3, 4) ** n / 3 - Fraction(1, 2) ** n / 6) for n in range(72)]
    assert floats.pmf[:72] == pytest.approx(longer, rel=floats.error_bound, abs=0)
    assert 0 < floats.error_bound < 1e-12
    low, high = floats.tail_rate_between
    assert low <= 0.75 <= high < low + 1e-13


def test_knuth_and_yao() -> None:
    """3 + 2 G flips, G failures with 1/4 each: the mean is 11/3, the variance 4 (1/4) / (9/16)."""
    found = fg.length_distribution(knuth_die(), start="s0", upto=8)
    shares = [0, 0, 0, Fraction(3, 4), 0, Fraction(3, 16), 0, Fraction(3, 64), 0]
    assert found.pmf.tolist() == shares
    assert (found.mean_tokens, found.variance) == (Fraction(11, 3), Fraction(16, 9))
    floats = fg.length_distribution(knuth_die().floats(), start="s0")
    assert floats.mean_tokens == pytest.approx(11 / 3, rel=1e-14)
    # Its lengths are odd: the tail goes down by 1/4 every two tokens, and a period is found.
    low, high = floats.tail_rate_between
    assert low <= 0.5 <= high < low + 1e-13
    k = np.arange(13)
    assert floats.pmf[3:29:2] == pytest.approx(0.75 * 0.25**k, rel=floats.error_bound, abs=0)
    assert not floats.pmf[4::2].any()


def test_a_text_of_one_length() -> None:
    """ab and nothing else: the variance is 0, and no tail is left."""
    chain = Chain([[0, 1, 0], [0, 0, 1], [1, 0, 0]], vocabulary="ab.")
    found = fg.length_distribution(chain.with_stop(".").floats(), start=".")
    assert found.pmf.tolist() == [0, 0, 1]
    assert (found.mean_tokens, found.beyond, found.beyond_at_most) == (2, 0, 0)
    assert found.variance <= found.variance_error < 1e-12
    assert found.tail_rate_between == (0, 0)
    assert found.quantile(1 - 1e-12) == 2


# ---- brute force ----


@given(machines())
def test_every_text_counted(machine_and_start: tuple[Chain, int]) -> None:
    """The definition: P(N = n) is a sum over texts of n tokens that go on, then stop."""
    machine, start = machine_and_start
    rows, successors, end = machine.next_token, machine.successors(), machine.end
    expected = [Fraction(0)] * 4
    for n in range(4):
        for text in itertools.product(range(machine.n_tokens), repeat=n + 1):
            state, p = start, Fraction(1)
            for k, token in enumerate(text):
                p *= rows[state, token]
                state = successors[state, token] if p else state
                if not p or (state == end) != (k == n):
                    break
            else:
                expected[n] += p
    found = fg.length_distribution(machine, start=start, upto=3)
    total = found.probability_of_ending
    listed = [q * total for q in found.pmf]
    assert listed == expected[: len(listed)]
    assert not any(expected[len(listed) :])
    if total:
        assert total * (1 - found.beyond) == sum(expected)


@given(machines())
def test_moments_in_rationals(machine_and_start: tuple[Chain, int]) -> None:
    machine, start = machine_and_start
    found = fg.length_distribution(machine, start=start, upto=2)
    expected = truth(machine, start, 3)
    assert found.probability_of_ending == expected.ending
    if expected.ending:
        assert (found.mean_tokens, found.variance) == (expected.mean, expected.variance)
    else:
        assert math.isinf(found.mean_tokens)
        assert "never ends" in str(found)


@given(machines(floats=True))
def test_floats_within_their_bounds(machine_and_start: tuple[Chain, int]) -> None:
    machine, start = machine_and_start
    found = fg.length_distribution(machine, start=start, upto=40)
    true = truth(machine, start, 41)
    if not true.ending:
        assert found.probability_of_ending == 0
        return
    if found.error_bound == "uncertified":
        assert found.uncertified_because
        return
    e = Fraction(found.error_bound)
    pairs = [(found.probability_of_ending, true.ending), (found.mean_tokens, true.mean)]
    pairs += [(q, p / true.ending) for q, p in zip(found.pmf, true.joint, strict=False)]
    for ours, exact in pairs:
        assert abs(Fraction(float(ours)) - exact) <= e * exact
    assert not any(true.joint[len(found.pmf) :])
    assert abs(Fraction(float(found.variance)) - true.variance) <= Fraction(found.variance_error)
    left = 1 - sum(true.joint[: len(found.pmf)]) / true.ending
    assert left <= Fraction(found.beyond_at_most)
    if found.tail_rate_between is not None:
        low, high = (Fraction(rate) for rate in found.tail_rate_between)
        Q = live_block(machine, start)
        assert dies_faster(Q, max(high, Fraction(1, 10**9)) * (1 + Fraction(1, 10**15)))
        assert low == 0 or not dies_faster(Q, low)


def test_the_check_of_rates_sees_a_wrong_one() -> None:
    half = [[Fraction(1, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(1, 4)]]
    assert [dies_faster(half, Fraction(r, 100)) for r in (49, 50, 51)] == [False, False, True]


# ---- the tail ----


def test_a_tail_is_as_the_products_would_be() -> None:
    """Against the powers of Q in rationals, far beyond the products that were made."""
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 9)
    machine = Chain(rows).with_stop(2)
    found = fg.length_distribution(machine, start="00", upto=400)
    assert "geometric tail" in found.method
    exact = fg.length_distribution(machine, start="00", upto=60, exact=True)
    for ours, true in zip(found.pmf, exact.pmf, strict=False):
        assert abs(Fraction(ours) - true) <= Fraction(found.error_bound) * true
    P = machine.matrix()
    Q, x = P[:-1, :-1], np.eye(9)[0]
    far = x @ np.linalg.matrix_power(Q, 400) @ P[:-1, -1]
    assert found.pmf[400] == pytest.approx(far, rel=1e-10)
    assert found.survival(1000) == pytest.approx(
        x @ np.linalg.matrix_power(Q, 1001) @ np.linalg.solve(np.eye(9) - Q, P[:-1, -1]), rel=1e-10
    )
    for n in (0, 1, 7, 20):  # further on, floats near one are too far apart
        assert found.quantile(1 - found.survival(n) * (1 - 1e-9)) == n + 1
        assert found.quantile(1 - found.survival(n) * (1 + 1e-9)) == n


def test_rare_ends_take_few_products() -> None:
    """With 1e-9 a token the quantile is 2e10 tokens away, and its logarithm is known."""
    p = 1e-9
    machine = Chain([[0.5 * (1 - p), 0.5 * (1 - p), p]] * 3).with_stop(2)
    found = fg.length_distribution(machine, start="0")
    assert len(found.pmf) == 2**22 + 1
    assert found.mean_tokens == pytest.approx((1 - p) / p, rel=1e-8)
    # The stop token's probability is 1 less the others', each rounded: 1e-16 of 1e-9.
    assert found.quantile(0.5) == pytest.approx(math.log(0.5) / math.log1p(-p), rel=1e-6)
    assert found.beyond <= found.beyond_at_most < 1


def test_a_class_that_dies_faster_behind_a_slower_one() -> None:
    """No ratio settles in both, so that every length is worked out: 1/2 a token, then 1/4."""
    rows = [["1/2", "1/4", "1/4"], [0, "1/4", "3/4"], [0, 0, 1]]
    machine = Chain(rows, vocabulary="ab.").with_stop(".")
    found = fg.length_distribution(machine.floats(), start="a")
    assert "geometric tail" not in found.method
    n = np.arange(len(found.pmf))
    # (1/4) (1/2)^n + (3/16) sum_k (1/2)^k (1/4)^(n - 1 - k) = (1/2)^n - (3/4) (1/4)^n.
    assert found.pmf == pytest.approx(0.5**n - 0.75 * 0.25**n, rel=found.error_bound)
    left = float(
        1 - sum(Fraction(1, 2) ** k - Fraction(3, 4) * Fraction(1, 4) ** k for k in n.tolist())
    )
    assert 0.1e-9 < left <= found.beyond_at_most < 1.001e-9
    low, high = found.tail_rate_between
    assert low <= 0.5 <= high < low + 1e-14
    with pytest.raises(NotConverged, match="hides after which length"):
        fg.length_distribution(machine.floats(), start="a", quantile=1 - 1e-15)
    with pytest.raises(NotDefined, match="no geometric tail is proven"):
        found.quantile(1 - 1e-12)


def test_a_block_that_is_repeated() -> None:
    tail = Tail(3, np.array([0.375, 0.125]), 0.5 - 1e-16, 0.5 + 1e-16)
    every = [tail.at([n])[0] for n in range(3, 120)]
    assert every[:5] == pytest.approx([0.375, 0.125, 0.1875, 0.0625, 0.09375])
    n = np.arange(3, 120)
    for power in range(3):
        assert tail.sums(0.5)[power] == pytest.approx((n**power * every).sum(), rel=1e-12)
    for first in (3, 4, 9):
        assert tail.from_length(first) == pytest.approx(sum(every[first - 3 :]), rel=1e-12)
        assert tail.length_with(tail.from_length(first + 1) * 1.0001) == first


# ---- whether it ends at all ----


def test_top_k_can_make_it_endless() -> None:
    """Welleck et al. (2020): under top-k the stop token may be ruled out."""
    rows = [["3/10", "1/2", "1/5"], ["1/2", "3/10", "1/5"], [1, 0, 0]]
    chain = Chain(rows, vocabulary="ab.")
    endless = fg.length_distribution(chain.with_decoding(fg.TopK(2)).with_stop("."), start="a")
    assert (endless.probability_of_ending, len(endless.pmf)) == (0, 0)
    assert math.isinf(endless.mean_tokens)
    assert "never ends" in str(endless)
    for question in (endless.quantile, endless.survival):
        with pytest.raises(NotDefined, match="no text ends"):
            question(0.5)  # type: ignore[operator]
    assert fg.length_distribution(chain.with_stop("."), start="a").probability_of_ending == 1
    # Where b goes on with b alone, a text ends only before the first b.
    trap = Chain([["1/5", "2/5", "2/5"], [0, 1, 0], [1, 0, 0]], vocabulary="ab.").with_stop(".")
    found = fg.length_distribution(trap, start="a", upto=2)
    assert found.probability_of_ending == Fraction(1, 2)
    # Given that it ends, a repeats itself with 1/5.
    assert found.pmf.tolist() == [Fraction(4, 5) / 5**n for n in range(3)]
    assert found.mean_tokens == Fraction(1, 4)
    floats = fg.length_distribution(trap.floats(), start="a")
    assert floats.probability_of_ending == pytest.approx(0.5, rel=1e-15)
    assert floats.pmf == pytest.approx(0.8 * 0.2 ** np.arange(len(floats.pmf)), rel=1e-13)


def test_a_stop_token_of_probability_zero() -> None:
    machine = Chain([[0.5, 0.5, 0]] * 3).with_stop(2)
    assert fg.length_distribution(machine, start=0).probability_of_ending == 0


# ---- starts ----


@given(machines(), st.data())
def test_a_distribution_as_start_is_a_mixture(
    machine_and_start: tuple[Chain, int], data: st.DataObject
) -> None:
    machine, start = machine_and_start
    other = data.draw(st.integers(0, machine.n_states - 2))
    x = [Fraction(0)] * machine.n_states
    x[start] += Fraction(1, 3)
    x[other] += Fraction(2, 3)
    both = fg.length_distribution(machine, start=x, upto=3)
    parts = [fg.length_distribution(machine, start=s, upto=3) for s in (start, other)]
    shares = (Fraction(1, 3), Fraction(2, 3))

    def joint(found: Any, n: int) -> Any:
        return found.pmf[n] * found.probability_of_ending if n < len(found.pmf) else Fraction(0)

    for n in range(4):
        mixed = sum(w * joint(part, n) for w, part in zip(shares, parts, strict=True))
        assert joint(both, n) == mixed


def test_every_start_alike() -> None:
    machine = phase_type()
    even = [Fraction(1, 3)] * 3 + [Fraction(0)]
    assert fg.length_distribution(machine, start=None, upto=5).pmf.tolist() == (
        fg.length_distribution(machine, start=even, upto=5).pmf.tolist()
    )
    floats = fg.length_distribution(machine.floats(), start=None)
    assert floats.mean_tokens == pytest.approx((11 / 3 + 3 + 0) / 3, rel=1e-14)


def test_contexts_with_the_stop_token_drop_out() -> None:
    rows = np.random.default_rng(1).dirichlet(np.ones(3), 27)
    machine = Chain(rows).with_stop(2)
    plain = fg.length_distribution(machine, start="000", upto=9)
    spoiled = rows.copy()
    spoiled[[s for s in range(27) if 2 in (s // 9, s // 3 % 3, s % 3)]] = [0.2, 0.3, 0.5]
    again = fg.length_distribution(Chain(spoiled).with_stop(2), start="000", upto=9)
    assert plain.pmf.tolist() == again.pmf.tolist()


# ---- many states ----


def large() -> Chain:
    """2,187 live windows: more than are eliminated."""
    rows = np.random.default_rng(5).dirichlet(np.ones(3), 4**7)
    stop = np.full((4**7, 1), 0.01)
    return Chain(np.hstack([rows * 0.99, stop]), normalize=True).with_stop(3)


def test_many_states_against_a_sparse_factorization() -> None:
    machine = large()
    found = fg.length_distribution(machine, start="0000000")
    # The stop token has 1/100 everywhere: the length is geometric.
    assert found.mean_tokens == pytest.approx(99, rel=1e-9)
    assert found.variance == pytest.approx(9900, rel=1e-9)
    assert found.certified
    n = np.arange(len(found.pmf))
    assert found.pmf == pytest.approx(0.01 * 0.99**n, rel=1e-10)
    assert len(found.pmf) == math.ceil(math.log(1e-9) / math.log(0.99))


def test_many_states_that_end_unevenly() -> None:
    rows = np.random.default_rng(6).dirichlet(np.full(4, 0.3), 4**7)
    machine = Chain(rows).with_stop(3)
    found = fg.length_distribution(machine, start="0120120")
    P = machine.sparse().tocsc()
    live = np.flatnonzero([3 not in tokens for tokens in machine.states.contexts()[:-1].tolist()])
    Q, s = P[live][:, live].tocsc(), P[live][:, [machine.end]].toarray().ravel()
    solve = splu(eye_array(len(live), format="csc") - Q).solve
    at = int(np.searchsorted(live, machine.state("0120120")))
    h = solve(s)
    m = solve(Q @ h)
    square = 2 * solve(Q @ m)[at] + m[at]
    assert found.probability_of_ending == 1
    assert h[at] == pytest.approx(1, rel=1e-10)
    assert found.mean_tokens == pytest.approx(m[at], rel=1e-9)
    assert found.variance == pytest.approx(square - m[at] ** 2, rel=1e-8)
    assert found.certified
    f = s
    for n in range(20):
        assert found.pmf[n] == pytest.approx(f[at], rel=1e-11)
        f = Q @ f


# ---- beside simulation ----


def test_a_million_texts() -> None:
    """Each share of a million is within five standard deviations, and so is the mean."""
    rows = np.random.default_rng(2).dirichlet(np.ones(4), 4**3)
    machine = Chain(rows).with_stop(3)
    found = fg.length_distribution(machine, start="012")
    K, generator, after = 10**6, np.random.default_rng(3), follower(machine)
    here = np.full(K, machine.state("012"))
    counts: list[int] = []
    while len(here):
        following = after(here)
        place = draw(following.weights, generator.random(len(here)))
        here = following.targets[np.arange(len(here)), place]
        going = here != machine.end
        counts.append(int((~going).sum()))
        here = here[going]
    shares = np.zeros(len(found.pmf))
    shares[: len(counts)] = np.array(counts[: len(found.pmf)]) / K
    assert (np.abs(shares - found.pmf) <= 5 * np.sqrt(found.pmf / K) + 5 / K).all()
    n = np.arange(len(counts))
    mean = (n * counts).sum() / K
    assert abs(mean - found.mean_tokens) <= 5 * found.standard_deviation / math.sqrt(K)


# ---- questions without an answer ----


def test_bad_questions() -> None:
    machine = two_heads()
    with pytest.raises(InvalidArgument, match=r"with_stop\(token\)"):
        fg.length_distribution(Chain([[0.5, 0.5]] * 2), start=0)
    with pytest.raises(InvalidArgument, match="the text is over"):
        fg.length_distribution(machine, start="END")
    with pytest.raises(InvalidArgument, match="upto is -1"):
        fg.length_distribution(machine, start="t", upto=-1)
    with pytest.raises(InvalidArgument, match=r"upto is 1\.5"):
        fg.length_distribution(machine, start="t", upto=1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="quantile is 1"):
        fg.length_distribution(machine, start="t", quantile=1.0)
    with pytest.raises(InvalidArgument, match="between 0 and 1"):
        fg.length_distribution(machine, start="t").quantile(0)
    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="hold symbols"):
        fg.length_distribution(Chain([[a, 1 - a]] * 2).with_stop(1), start=0)


def test_what_was_not_explored() -> None:
    model = lambda ids: np.zeros((len(ids), 3))  # noqa: E731
    part = fg.explore(model, ["a"], vocabulary="abc", context=4, max_states=5).chain.with_stop("c")
    with pytest.raises(NotDefined, match="part of a larger one"):
        fg.length_distribution(part, start="a")


def test_products_that_underflow_are_not_certified() -> None:
    p = 1e-160
    rows = [[0.5, p, 0.5], [1, 0, p], [1, 0, 0]]
    rare = fg.length_distribution(Chain(rows).with_stop(2), start=0, upto=5)
    assert rare.pmf == pytest.approx(0.5 ** np.arange(1, 7))
    assert rare.error_bound == "uncertified"
    assert "underflow" in rare.uncertified_because
    with pytest.raises(NotConverged, match="beyond the floats"):  # the variance, 1e320
        fg.length_distribution(Chain([[1 - p, p]] * 2).with_stop(1), start=0, upto=5)


def test_answers_print_themselves() -> None:
    found = fg.length_distribution(two_heads(), start="t", upto=2)
    assert "ends surely" in str(found)
    document = found.to_dict()
    assert document["pmf"] == ["0", "1/4", "1/8"]
    assert "_tail" not in document
    assert document["error_meaning"].startswith("relative error")


@settings(max_examples=10)
@given(machines())
def test_the_chain_given_that_it_ends(machine_and_start: tuple[Chain, int]) -> None:
    """Doob's chain has the same lengths and ends surely."""
    machine, start = machine_and_start
    found = fg.length_distribution(machine, start=start, upto=4)
    if found.probability_of_ending == 0:
        return
    given_it = fg.conditioned(machine, "END")
    again = given_it.state(machine.label(start))
    if machine.label(start) == "END":
        return
    surely = fg.length_distribution(given_it, start=again, upto=4)
    assert surely.probability_of_ending == 1
    assert surely.pmf.tolist() == found.pmf.tolist()
    assert (surely.mean_tokens, surely.variance) == (found.mean_tokens, found.variance)
