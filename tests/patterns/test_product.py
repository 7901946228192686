"""The product of a chain and an automaton: only what is reached, and large chains."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.patterns.automaton import automaton
from fsm_gpt.patterns.product import LEFT, MATCHED, OVER, WHOLE, product


def by_hand(chain: Chain, regex: str, start: int, *, until_match: bool) -> dict[object, dict]:
    """The reachable pairs and where they lead, one by one."""
    machine = automaton(regex, chain.vocabulary)
    after = chain.successors()
    found: dict[object, dict] = {}
    todo: list[tuple[int, int]] = [(start, 0)]
    while todo:
        s, q = todo.pop()
        if (s, q) in found:
            continue
        row = found[s, q] = {}
        for t in np.flatnonzero(chain.next_token[s]):
            there: object = (int(after[s, t]), int(machine.next[q, t]))
            if until_match and machine.ends[q, t]:
                there = "matched"
            else:
                todo.append(there)  # type: ignore[arg-type]
            row[int(t)] = (there, chain.next_token[s, t])
    return found


@pytest.mark.parametrize("until_match", [False, True])
def test_the_pairs_are_those_of_a_search(until_match: bool) -> None:
    generator = np.random.default_rng(3)
    for V, L in ((2, 3), (3, 2)):
        rows = generator.dirichlet([1] * V, size=V**L)
        rows[generator.random(rows.shape) < 0.3] = 0
        rows[rows.sum(axis=1) == 0, 0] = 1
        chain = Chain(rows / rows.sum(axis=1, keepdims=True), vocabulary="abc"[:V])
        for regex in ("aab", "a(a|b)", "(ab)+"):
            made = product(
                chain, automaton(regex, chain.vocabulary), np.array([1]), until_match=until_match
            )
            expected = by_hand(chain, regex, 1, until_match=until_match)
            states = made.chain.states
            name = dict(enumerate(zip(states.first.tolist(), states.second.tolist(), strict=True)))
            if made.places[MATCHED] is not None:
                name[made.places[MATCHED]] = "matched"
            edges = made.chain.edges()
            found: dict[object, dict] = {}
            for source, token, target, p in zip(*edges, strict=True):
                if source < made.n_pairs:
                    row = found.setdefault(name[int(source)], {})
                    row[int(token)] = (name[int(target)], pytest.approx(p))
            assert {k: dict(sorted(v.items())) for k, v in expected.items()} == found
            assert made.places[OVER] is made.places[WHOLE] is made.places[LEFT] is None


def test_windows_by_the_ten_thousand() -> None:
    """The window knows what was read, so that there are hardly more pairs than windows."""
    L = 16
    generator = np.random.default_rng(0)
    heads = generator.uniform(0.2, 0.8, size=2**L)
    chain = Chain(np.column_stack([heads, 1 - heads]), vocabulary="HT")
    found = fg.pattern(chain, "HTHT", within=100, start=0, long_run=False)
    assert found.pairs < 2 * 2**L
    # The same without an automaton: windows that end in HTHT, once four tokens have come.
    x = np.zeros(2**L)
    x[0] = 1.0
    windows = np.arange(2**L)
    matched = np.zeros(2**L, dtype=bool)
    for k in range(1, 101):
        x = chain.push(x)
        if k >= 4:
            matched = windows % 16 == 0b0101
            x[matched] = 0.0
    assert found.probability_within == pytest.approx(1 - x.sum(), rel=1e-12)


def test_products_of_products() -> None:
    """A chain of pairs is a chain: what matches two patterns in turn is found in two steps."""
    coin = Chain([["1/2", "1/2"]] * 2, vocabulary="HT")
    for first, second in itertools.product(("HH", "HT"), ("TT", "TH")):
        made = product(coin, automaton(first, coin.vocabulary), np.array([0]), until_match=False)
        found = fg.pattern(made.chain, second, start=int(made.begins[0]), within=4)
        alone = fg.pattern(coin, second, start=0, within=4)
        assert found.probability_within == alone.probability_within
        assert found.mean_tokens == alone.mean_tokens
