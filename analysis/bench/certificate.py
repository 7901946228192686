"""Is the certificate ever wrong? Small chains with a known answer, and spoiled vectors.

Each chain of the hard suite with two to eight states is solved in rationals; the certificate
is shown the right vector, one slightly wrong and one badly wrong, and each bound that it
proves is held against the exact error.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from analysis.bench.oracle import exact
from analysis.bench.results import Found, Row, Size
from analysis.bench.tasks import Call, Task
from analysis.families import HARD, hard_chain
from fsm_gpt.chain import Chain
from fsm_gpt.markov.certificate import certify
from fsm_gpt.result import UNCERTIFIED

__all__ = ["broken", "run"]

SHAPES = ((2, 1), (2, 2), (2, 3), (3, 1), (4, 1), (5, 1), (7, 1))
CHAINS: dict[Size, int] = {"full": 10_000, "quick": 500, "tiny": 20}


def broken(chains: int) -> list[Found]:
    """How many proven bounds did not hold."""
    rng = np.random.default_rng(0)
    wrong = proven = 0
    for number in range(chains):
        V, L = SHAPES[number % len(SHAPES)]
        chain = hard_chain(HARD[number // len(SHAPES) % len(HARD)], V, L, seed=number)
        truth = _exactly(chain)
        x = np.array([float(p) for p in truth])
        small = 10.0 ** rng.uniform(-16, -2)
        spoiled = (
            x,
            x * (1 + small * rng.uniform(-1, 1, len(x))),
            rng.dirichlet(np.ones(len(x))) + 1e-300,
        )
        for vector in spoiled:
            bound = _bound(chain, vector / vector.sum())
            if bound is not None:
                proven += 1
                wrong += not _holds(vector / vector.sum(), truth, Fraction(bound))
    at = f"{chains:,} chains"
    note = f"{proven:,} of {3 * chains:,} vectors were given a bound"
    return [Row(key="certificate/broken", value=wrong, unit="bounds", at=at, note=note)]


def _exactly(chain: Chain) -> list[Fraction]:
    edges = chain.raw_edges()
    n = chain.n_states
    rows = [[Fraction(0)] * n for _ in range(n)]
    columns = (edges.source.tolist(), edges.target.tolist(), edges.probability.tolist())
    for i, j, p in zip(*columns, strict=True):
        rows[i][j] += Fraction(p)
    return exact([[p / sum(row) for p in row] for row in rows])


def _bound(chain: Chain, x: np.ndarray) -> float | None:
    edges = chain.raw_edges()
    sums = np.bincount(edges.source, weights=edges.probability, minlength=chain.n_states)
    bound, _ = certify(edges.source, edges.target, edges.probability, sums, x)
    return None if bound == UNCERTIFIED else float(bound)


def _holds(x: np.ndarray, truth: list[Fraction], bound: Fraction) -> bool:
    """Whether no entry is off by more than the bound, relative to the true entry."""
    return all(
        abs(Fraction(entry) - p) <= bound * p for entry, p in zip(x.tolist(), truth, strict=True)
    )


def run(call: Call, size: Size) -> list[Found]:
    """Ten thousand chains, three vectors each."""
    return call(Task("certificate/broken", broken, {"chains": CHAINS[size]}, limit=240))
