"""A chain given that it comes to a set that it never leaves."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.space import SomeContexts
from tests.strategies import chains

GAMBLER = [[1, 0, 0, 0], ["1/2", 0, "1/2", 0], [0, "1/2", 0, "1/2"], [0, 0, 0, 1]]


def paths(P: np.ndarray, start: int, n: int) -> dict[tuple[int, ...], Fraction]:
    """Every path of n steps, with its probability."""
    found = {(start,): Fraction(1)}
    for _ in range(n):
        found = {
            (*path, j): p * P[path[-1], j]
            for path, p in found.items()
            for j in np.flatnonzero(P[path[-1]])
        }
    return found


@given(chains())
def test_paths_are_those_that_end_there_reweighed(chain: Chain) -> None:
    """From the definition: P(path | A is entered) = P(path) h(its end) / h(its start)."""
    closed = fg.communicating_classes(chain).closed[0]
    target = [int(s) for s in closed]
    h = fg.hitting(chain, target).probabilities
    given_it = fg.conditioned(chain, target)
    kept = np.flatnonzero(h != 0)
    start = int(kept[0])
    P = chain.matrix()
    expected = {
        path: p * h[path[-1]] / h[start] for path, p in paths(P, start, 3).items() if h[path[-1]]
    }
    found = {tuple(kept[list(p)]): q for p, q in paths(given_it.matrix(), 0, 3).items()}
    assert found == expected
    assert sum(found.values()) == 1


def test_floats_agree_with_rationals() -> None:
    walk = Chain.from_matrix(GAMBLER)
    exact = fg.conditioned(walk, 3).matrix().astype(float)
    assert fg.conditioned(walk.floats(), 3).matrix() == pytest.approx(exact, abs=1e-15)
    single = Chain.from_matrix(np.array(walk.floats().matrix(), dtype=np.float32))
    assert fg.conditioned(single, 3).matrix() == pytest.approx(exact, abs=1e-15)


def test_texts_that_end() -> None:
    """A loop that never ends drops out, and with it every state that always comes to it."""
    rows = [[0, 0.5, 0.5], [0, 1, 0], [0.5, 0, 0.5]]
    machine = Chain(rows, vocabulary="abc").with_stop("c")
    ended = fg.conditioned(machine, "END")
    assert ended.labels() == ["a", "c", "END"]
    # h(a) = 1/2 and h(c) = 1/2 h(a) + 1/2 = 3/4: from c to a 1/4 of 3/4, to the end 1/2 of 3/4.
    assert ended.next_token.ravel() == pytest.approx([0, 0, 1, 1 / 3, 0, 2 / 3, 0, 0, 1])
    assert isinstance(ended.states.base, SomeContexts)
    assert (ended.end, ended.context) == (2, 1)


def test_a_set_that_is_left_is_refused() -> None:
    with pytest.raises(NotDefined, match="the set is left again, from 1"):
        fg.conditioned(Chain.from_matrix(GAMBLER), [1])
