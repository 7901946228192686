"""Known processes, block entropies by brute force, and what a window model can and cannot be."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique
from fsm_gpt.markov import synchrony as synchrony_room
from fsm_gpt.markov.causal import causal_states
from fsm_gpt.markov.context_use import context_use
from fsm_gpt.markov.excess import excess_of_machine
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.markov.synchrony import synchrony
from tests.markov.processes import (
    coin,
    even,
    golden_mean,
    nemo,
    noisy_period_two,
    period,
    random_random_xor,
)


def H(*p: float) -> float:
    """Entropy in bits."""
    return -sum(x * math.log2(x) for x in p if x > 0)


#: Process, causal states, C, h, E, Markov order. In closed form, from pi by hand:
#: golden mean and even process with parameter p are in their states in the ratio 1 : 1 - p. The
#: golden mean has order 1, so E = H(1) - h = C - h; the even process's future tells its state, so
#: E = C (Crutchfield & Feldman 2003, section VI; emic 0.5.4 prints 0.2516 and 0.9183 for p = 1/2).
#: Of random random xor they give h = 2/3 and E = C = 2.252.
KNOWN = {
    "coin": (coin(0.3), 1, 0.0, H(0.3, 0.7), 0.0, 0),
    "golden mean": (golden_mean(), 2, H(2 / 3, 1 / 3), 2 / 3, H(2 / 3, 1 / 3) - 2 / 3, 1),
    "golden mean 0.3": (
        golden_mean(0.3),
        2,
        H(1 / 1.7, 0.7 / 1.7),
        H(0.3, 0.7) / 1.7,
        H(1 / 1.7, 0.7 / 1.7) - H(0.3, 0.7) / 1.7,
        1,
    ),
    "even": (even(), 2, H(2 / 3, 1 / 3), 2 / 3, H(2 / 3, 1 / 3), math.inf),
    "even 0.3": (
        even(0.3),
        2,
        H(1 / 1.7, 0.7 / 1.7),
        H(0.3, 0.7) / 1.7,
        H(1 / 1.7, 0.7 / 1.7),
        math.inf,
    ),
    "period 5": (period("11110"), 5, math.log2(5), 0.0, math.log2(5), 4),
    "period 2": (period("01"), 2, 1.0, 0.0, 1.0, 1),
    "noisy period 2": (noisy_period_two(), 2, 1.0, 0.5, 1.0, math.inf),
    "random random xor": (
        random_random_xor(),
        5,
        H(1 / 3, *[1 / 6] * 4),
        2 / 3,
        H(1 / 3, *[1 / 6] * 4),
        math.inf,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_processes(name: str) -> None:
    chain, n, C, h, E, order = KNOWN[name]
    found = causal_states(chain)
    assert found.n_states == n
    assert found.statistical_complexity_bits == pytest.approx(C, abs=1e-12)
    assert found.entropy_rate_bits_per_token == pytest.approx(h, abs=1e-12)
    assert found.excess_entropy_bits == pytest.approx(E, abs=1e-12)
    assert found.markov_order == order
    assert found.exactly_synchronisable
    assert found.certified
    assert float(found.error_bound) < 1e-11
    assert float(found.excess_entropy_error_bits) < 1e-11
    assert found.crypticity_bits == pytest.approx(C - E, abs=1e-12)


def test_nemo_keeps_a_secret() -> None:
    """Mahoney, Ellison & Crutchfield (2009), J. Phys. A 42, 362002: it is infinitely cryptic.

    In states in the ratio 1 : 1 - p : 1 - p, so C is by hand; E from blocks of 16 tokens.
    """
    found = causal_states(nemo())
    assert found.statistical_complexity_bits == pytest.approx(1.5, abs=1e-12)
    lower, upper = blocks(nemo(), 16)
    assert lower - 1e-12 <= found.excess_entropy_bits <= upper
    assert found.crypticity_bits > 0.9
    assert found.markov_order == math.inf


def blocks(chain: Chain, n: int) -> tuple[float, float]:
    """H(n) - n h, from below; and with the doubt about the state after n tokens, from above."""
    pi = np.asarray(stationary_distribution(chain).pi, dtype=float)
    successors, rows = chain.successors(), np.asarray(chain.next_token, dtype=float)
    h = sum(p * H(*row) for p, row in zip(pi, rows, strict=True))
    laws, entropy, doubt = {(): pi}, 0.0, 0.0
    for _ in range(n):
        after: dict[tuple[int, ...], np.ndarray] = {}
        for word, law in laws.items():
            for token in range(chain.n_tokens):
                into = np.zeros(len(pi))
                for s in range(len(pi)):
                    if rows[s, token] > 0:
                        into[successors[s, token]] += law[s] * rows[s, token]
                if into.sum() > 0:
                    after[(*word, token)] = into
        laws = after
    for law in laws.values():
        entropy += -law.sum() * math.log2(law.sum())
        doubt += law.sum() * H(*(law / law.sum()))
    return entropy - n * h, entropy - n * h + doubt


@settings(max_examples=12)
@given(st.data())
def test_excess_entropy_lies_between_block_entropies(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    n = data.draw(st.integers(2, 4))
    next_state = rng.permuted(np.tile(np.arange(n), (2, 1)), axis=1).T  # strongly connected enough
    next_state[:, 0] = (np.arange(n) + 1) % n
    p = rng.uniform(0.1, 0.9, size=n)
    p[0] = data.draw(st.sampled_from([p[0], 1.0]))
    rows = np.stack([p, 1 - p], axis=1)
    source, token = np.nonzero(rows)
    chain = Chain.from_edges(source, token, next_state[source, token], rows[source, token])
    found = causal_states(chain)
    lower, upper = blocks(chain, 9)
    slack = float(found.excess_entropy_error_bits)
    assert lower - 1e-9 <= found.excess_entropy_bits + slack
    assert found.excess_entropy_bits <= upper + 1e-9
    assert float(found.error_bound) < 1e-9
    assert found.excess_entropy_bits <= found.statistical_complexity_bits + 1e-12


def test_an_early_end_is_in_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsm_gpt.markov import excess

    monkeypatch.setattr(excess, "MOST_TOKENS", 6)
    pi = np.array([2, 1]) / 3
    args = np.array([[0, 1], [-1, 0]]), np.array([[0.5, 0.5], [0.0, 1.0]]), pi
    found = excess_of_machine(*args)
    E = H(2 / 3, 1 / 3)
    assert found.tokens == 6
    assert found.bits < E <= found.bits + found.missing
    assert found.missing < 0.5


# ---- Markov order and synchronisation ----


def brute_order(chain: Chain, most: int) -> float:
    """The least R such that every word of R tokens that occurs leaves one state."""
    successors = chain.successors()
    for R in range(most + 1):
        left = set()
        for word in product(range(chain.n_tokens), repeat=R):
            states = set(range(chain.n_states))
            for token in word:
                states = {int(successors[s, token]) for s in states if successors[s, token] >= 0}
            left.add(len(states))
        if max(left) <= 1:
            return R
    return math.inf


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), density=st.sampled_from([0.5, 0.8, 1.0]))
def test_orders_by_words(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((n, 2)) < density, rng.integers(n, size=(n, 2)), -1)
    table[:, 0] = np.where((table < 0).all(axis=1), rng.integers(n, size=n), table[:, 0])
    source, token = np.nonzero(table >= 0)
    chain = Chain.from_edges(
        source,
        token,
        table[source, token],
        np.ones(len(source)),
        n_states=n,
        normalize=True,
        vocabulary="01",
    )
    found = synchrony(chain.successors())
    assert found is not None
    # Pairs of n states: a path without a cycle has n (n - 1) / 2 of them at most.
    assert found.order == brute_order(chain, n * (n - 1) // 2 + 1)


def test_a_permutation_is_never_known() -> None:
    # Both tokens swap or keep the states, so no word makes them one.
    found = synchrony(np.array([[0, 1], [1, 0]]))
    assert found == (math.inf, False)
    assert synchrony(np.zeros((synchrony_room.MOST_STATES + 1, 1), dtype=np.int64)) is None


# ---- chains of windows ----


def test_windows_and_their_machine_agree() -> None:
    rng = np.random.default_rng(3)
    rows = np.repeat(rng.dirichlet(np.ones(2), size=4), 1, axis=0)
    chain = Chain(np.tile(rows, (4, 1)))  # the oldest two of four tokens do not matter
    found = causal_states(chain)
    assert (found.n_states, found.markov_order) == (4, 2)
    as_machine = causal_states(found.chain)  # of edges, so E comes from mixed states
    assert as_machine.markov_order == 2
    assert as_machine.excess_entropy_bits == pytest.approx(found.excess_entropy_bits, abs=1e-12)
    assert found.excess_entropy_bits == pytest.approx(memory_curve(chain).excess_bits)


def test_a_window_model_of_the_even_process_is_another_process() -> None:
    """Its order is finite, and its entropy rate comes down to that of the source with L."""
    rates = []
    for L in (2, 4, 8):
        text = "".join("110"[:3] if k % 3 else "0" for k in range(60))
        model = Chain.from_text(text, context=L, end="wrap")
        found = causal_states(model)
        assert found.markov_order is not None
        assert found.markov_order <= L
        rates.append(found.entropy_rate_bits_per_token)
    assert rates == sorted(rates, reverse=True)


def test_transient_states_are_not_causal() -> None:
    chain = Chain.from_edges([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [1, 2, 1, 2, 1], [0.5] * 4 + [1.0])
    found = causal_states(chain)
    assert found.n_states == 2
    assert found.state_of.tolist() == [-1, 0, 1]
    assert found.probabilities.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_what_is_refused() -> None:
    with pytest.raises(NotUnique):
        causal_states(Chain([[1, 0], [0, 1]]))
    with pytest.raises(NotDefined, match="texts of this chain end"):
        causal_states(Chain([[0.5, 0.5], [0.5, 0.5]], vocabulary="a.").with_stop("."))
    import sympy

    a = sympy.Symbol("a")
    with pytest.raises(NotDefined, match="symbols"):
        causal_states(Chain([[a, 1 - a], [1, 0]]))


def test_one_state_remembers_nothing() -> None:
    found = causal_states(coin())
    assert "1 causal state\n  statistical complexity C  0 bits" in str(found)
    assert not math.copysign(1, found.statistical_complexity_bits) < 0


def test_it_prints_its_numbers() -> None:
    text = str(causal_states(even()))
    for words in ("2 causal states", "0.918296 bits", "0.666667 bits per token", "infinite"):
        assert words in text


# ---- what of the context is used ----


def information(law: dict[tuple[int, ...], float], kept: list[int], given: list[int]) -> float:
    """I(X_kept; last | X_given), by the definition, from the law of L + 1 tokens."""

    def entropy(places: list[int]) -> float:
        sums: dict[tuple[int, ...], float] = {}
        for word, p in law.items():
            key = tuple(word[i] for i in places)
            sums[key] = sums.get(key, 0.0) + p
        return H(*sums.values())

    y = len(next(iter(law))) - 1
    return (
        entropy([*kept, *given])
        + entropy([*given, y])
        - entropy([*kept, *given, y])
        - entropy(given)
    )


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), V=st.integers(2, 3), sharp=st.sampled_from([0.2, 1.0, 5.0]))
def test_information_by_the_definition(seed: int, V: int, sharp: float) -> None:
    L = 3
    rng = np.random.default_rng(seed)
    chain = Chain(rng.dirichlet(np.full(V, sharp), size=V**L))
    pi = np.asarray(stationary_distribution(chain).pi)
    law = {
        (*word, t): float(pi[s] * chain.next_token[s, t])
        for s, word in enumerate(product(range(V), repeat=L))
        for t in range(V)
    }
    found = context_use(chain, tolerance=0.0)
    for i in range(1, L + 1):
        place, others = L - i, [k for k in range(L) if k != L - i]
        newer = list(range(L - i + 1, L))
        assert found.alone_bits[i - 1] == pytest.approx(information(law, [place], []), abs=1e-12)
        assert found.after_newer_bits[i - 1] == pytest.approx(
            information(law, [place], newer), abs=1e-12
        )
        assert found.beside_others_bits[i - 1] == pytest.approx(
            information(law, [place], others), abs=1e-12
        )
    told = dict(found.oldest_matters)
    assert sum(told.values()) <= found.after_newer_bits[-1] + 1e-12
    word, part = found.oldest_matters[0]
    parts = {
        rest: sum(
            p * math.log2(p / (pi_of(law, (a, *rest)) * mean(law, rest, t)))
            for (a, *rest_, t), p in law.items()
            if tuple(rest_) == rest and p > 0
        )
        for rest in product(range(V), repeat=L - 1)
    }
    best = max(parts, key=lambda rest: parts[rest])
    assert word == chain.vocabulary.label(best)
    assert part == pytest.approx(parts[best], abs=1e-12)


def pi_of(law: dict[tuple[int, ...], float], word: tuple[int, ...]) -> float:
    return sum(p for key, p in law.items() if key[:-1] == word)


def mean(law: dict[tuple[int, ...], float], rest: tuple[int, ...], t: int) -> float:
    both = sum(p for key, p in law.items() if key[1:-1] == rest and key[-1] == t)
    return both / sum(p for key, p in law.items() if key[1:-1] == rest)


def test_a_position_that_does_not_matter_has_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(2), size=(2, 1, 2)).repeat(2, axis=1).reshape(8, 2)
    found = context_use(Chain(rows))  # the middle token of three does not matter
    assert found.beside_others_bits[1] <= float(found.error_bound)
    assert found.beside_others_bits[0] > 0.01
    assert found.beside_others_bits[2] > 0.01
    assert found.after_newer_bits.sum() == pytest.approx(
        float(found.memory_bits[0] - found.memory_bits[-1])
    )


def test_effective_order_by_tolerance() -> None:
    chain = Chain([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    assert context_use(chain).effective_order == 2
    assert context_use(Chain([[0.2, 0.8]] * 4)).effective_order == 0
    one = Chain([[0.9, 0.1], [0.1, 0.9], [0.899, 0.101], [0.101, 0.899]])
    assert context_use(one).effective_order == 1
    assert context_use(one, tolerance=1e-9).effective_order == 2


def test_what_context_use_refuses() -> None:
    chain = Chain([[0.9, 0.1], [0.1, 0.9]])
    with pytest.raises(InvalidArgument, match="no token would be needed"):
        context_use(chain, tolerance=0.9)
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(InvalidArgument, match="tolerance is"):
            context_use(chain, tolerance=wrong)
    with pytest.raises(NotDefined, match="all windows of one length"):
        context_use(golden_mean())
    with pytest.raises(NotUnique):
        context_use(Chain([[1, 0], [0, 1]]))
