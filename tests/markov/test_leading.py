"""Leading eigenvalues: closed forms, the dense spectrum, and the mixing time they bound."""

import numpy as np
import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.markov import leading_eigenvalues, mixing_time, spectrum
from tests.families import hard_rows


def cycle(n: int) -> Chain:
    """A lazy walk round a ring: eigenvalues 1/2 + cos(2 pi k / n) / 2 (Levin & Peres, 12.3.1)."""
    i = np.arange(n)
    return Chain.from_edges(
        np.repeat(i, 3),
        np.tile([0, 1, 2], n),
        np.column_stack([(i - 1) % n, i, (i + 1) % n]).ravel(),
        np.tile([0.25, 0.5, 0.25], n),
    )


@pytest.mark.parametrize("n", [40, 400])
def test_a_ring(n):
    found = leading_eigenvalues(cycle(n), most=5)
    expected = [0.5 + np.cos(2 * np.pi * k / n) / 2 for k in (0, 1, 1, 2, 2)]
    assert found.eigenvalues == pytest.approx(expected, abs=1e-10)
    assert found.error_bound < 1e-10
    assert "leading eigenvalues" in str(found)


@pytest.mark.parametrize("name", ["random", "sharp", "rotate 1e-3"])
def test_arnoldi_agrees_with_the_dense_spectrum(name):
    chain = Chain(hard_rows(name, 2, 9))
    try:
        found = leading_eigenvalues(chain)
    except NotConverged:
        assert name == "rotate 1e-3"  # whole rings of eigenvalues of nearly the same modulus
        return
    assert "ARPACK" in found.method
    dense = spectrum(chain).eigenvalues
    for value in found.eigenvalues:
        assert np.abs(dense - value).min() < 1e-7


@pytest.mark.parametrize("epsilon", [0.25, 0.01])
@pytest.mark.parametrize("name", ["random", "sharp", "sticky", "near-periodic", "rotate 1e-3"])
def test_never_above_the_mixing_time(name, epsilon):
    chain = Chain(hard_rows(name, 2, 7))
    found = leading_eigenvalues(chain)
    assert found.mixing_steps_at_least(epsilon=epsilon) <= mixing_time(chain, epsilon=epsilon).steps


def test_near_the_mixing_time_of_a_ring():
    chain = cycle(31)
    steps = mixing_time(chain).steps
    assert steps / 4 < leading_eigenvalues(chain).mixing_steps_at_least() <= steps


def test_a_spoiled_residual_proves_less():
    """A residual of one tenth leaves nothing to prove."""
    from dataclasses import replace

    found = leading_eigenvalues(cycle(31))
    assert replace(found, residuals=found.residuals + 0.1).mixing_steps_at_least() == 0


def test_refusals():
    with pytest.raises(InvalidArgument, match="from 1 to 64"):
        leading_eigenvalues(cycle(5), most=0)
    with pytest.raises(InvalidArgument, match="between 0 and 1"):
        leading_eigenvalues(cycle(5)).mixing_steps_at_least(epsilon=2)
