"""Numbers of visits: the fundamental matrix, sums over steps, and what is infinite."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.explore import explore
from tests.explore.models import random_model
from tests.families import hard_rows
from tests.strategies import chains

DRUNKARD = [
    [1, 0, 0, 0, 0],
    ["1/2", 0, "1/2", 0, 0],
    [0, "1/2", 0, "1/2", 0],
    [0, 0, "1/2", 0, "1/2"],
    [0, 0, 0, 0, 1],
]


def test_the_drunkard() -> None:
    """Grinstead & Snell, example 11.22: the fundamental matrix of the walk on 0 to 4."""
    walk = Chain.from_matrix(DRUNKARD)
    N = [["3/2", 1, "1/2"], [1, 2, 1], ["1/2", 1, "3/2"]]
    for j in (1, 2, 3):
        found = fg.expected_visits(walk, j).mean_visits
        assert found[1:4].tolist() == [Fraction(row[j - 1]) for row in N]
        assert (found[0], found[4]) == (0, 0)
    assert fg.expected_visits(walk, [1, 2, 3], start=2).mean == 4  # all steps, m = 4
    ends = fg.expected_visits(walk, 4)
    assert ends.mean_visits.tolist() == [0] + [math.inf] * 4
    assert fg.expected_visits(walk, 4, before=4, start=3).mean == 0
    once = fg.expected_visits(walk, 4, before=0, start=3)
    assert once.mean == math.inf


@settings(max_examples=50)
@given(chains(), st.data())
def test_one_visit_and_those_after(chain: Chain, data: st.DataObject) -> None:
    """G = f / (1 - r): reached before the end, and each time returned to with probability r."""
    n = chain.n_states
    j = data.draw(st.integers(0, n - 1))
    over = [s for s in range(n) if s != j and data.draw(st.booleans())]
    found = fg.expected_visits(chain, j, before=np.isin(np.arange(n), over)).mean_visits
    f = fg.reach(chain, j, avoid=np.isin(np.arange(n), over)).probabilities
    r = (chain.matrix()[j] * f).sum()
    for i in range(n):
        if f[i] == 0:
            assert found[i] == 0
        else:
            assert found[i] == (math.inf if r == 1 else f[i] / (1 - r))


@settings(max_examples=30)
@given(chains(floats=True), st.data())
def test_floats_within_the_bound(chain: Chain, data: st.DataObject) -> None:
    n = chain.n_states
    inside = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    over = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    found, exact = (fg.expected_visits(chain, inside, before=over, exact=e) for e in (False, True))
    for ours, truth in zip(found.mean_visits.tolist(), exact.mean_visits.tolist(), strict=True):
        if truth == math.inf:
            assert ours == math.inf
        elif found.certified:
            assert abs(Fraction(ours) - truth) <= Fraction(found.error_bound) * truth


def test_a_sum_over_steps() -> None:
    """The definition, on windows, until a word is written."""
    chain = Chain(hard_rows("random", 2, 5), vocabulary="ab")
    states = np.arange(32)
    over, inside = states % 4 == 3, states % 4 == 1
    start = 0
    x, total = np.eye(32)[start], 0.0
    for _ in range(3000):
        x = x * ~over
        total += x[inside].sum()
        x = chain.push(x)
    found = fg.expected_visits(chain, "ab", before="bb", start="aaaaa")
    assert found.mean == pytest.approx(total, rel=1e-12)
    assert found.error_bound < 1e-10
    assert "visits to aaaab, aabab, abaab, ababb" not in str(found)
    assert f"from aaaaa: {total:.6g} on average" in str(found)


def test_a_drawn_start_and_words() -> None:
    walk = Chain.from_matrix(DRUNKARD).floats()
    found = fg.expected_visits(walk, 2, start=[0.5, 0, 0.25, 0.25, 0])
    assert found.mean == pytest.approx(0.25 * 2 + 0.25 * 1)
    assert "from a distribution over 3 states: 0.75 on average" in str(found)
    every = str(fg.expected_visits(walk, 2, before=1)).splitlines()
    assert every[0].startswith("visits to 2 before 1 (")
    assert len(every) == 6


def test_a_part_is_refused() -> None:
    part = explore(random_model(2, 6, 0), ["000000"], vocabulary="01", context=6, max_states=20)
    with pytest.raises(NotDefined, match="part of a larger one"):
        fg.expected_visits(part.chain, "010")
