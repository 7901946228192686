"""Confidence intervals of sampled entropy rates held against exact ones, seed by seed.

An interval of 95% has to cover the exact rate in 95 of 100 runs, whichever chain it is, and a
chain that mixes slowly has to widen it. Each chain here is small enough for its exact rate;
seeds go from 0 on, so that a run is seen again by its seed. The last chains mix too slowly for
their runs, and there an answer has to be wide or refused: what counts is how often one is
confident and wrong.

    python -m tests.coverage_campaign [--runs 1000] [--only NAME]

Of the chains that are too slow, a fifth of the runs is made.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binom

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged
from fsm_gpt.markov import entropy_rate
from fsm_gpt.sampling import sample_entropy_rate
from tests.families import hard_chain

CONFIDENCE = 0.95


def land_of_oz() -> Chain:
    """Kemeny & Snell (1976); Grinstead & Snell (1997), example 11.1."""
    return Chain.from_matrix([[0.5, 0.25, 0.25], [0.5, 0, 0.5], [0.25, 0.25, 0.5]])


def windows() -> Chain:
    """Every window of four tokens over four, random rows."""
    return hard_chain("random", 4, 4)


def hidden_trap() -> Chain:
    """Every window of 8 bits, sharp rows, with a loop that few starts lead to and few leave.

    Its relaxation time is some 50,000 tokens. In many runs no stream meets it, and no statistic of
    these runs can know of it: it stands here as the limit of what sampling can say.
    """
    return hard_chain("sharp", 2, 8)


def two_regimes(relaxation: float, share: float = 1 / 3) -> Chain:
    """Two pairs of tokens, seldom left: fair coins in one, 19 to 1 in the other.

    The chain of regimes has the eigenvalue 1 - leaving the one - leaving the other, so that its
    relaxation time is one over their sum; ``share`` is the long-run share of the fair one.
    """
    leaving = np.array([1 - share, share]) / relaxation
    rows = np.zeros((4, 4))
    for regime, inside in enumerate(([0.5, 0.5], [0.95, 0.05])):
        mine, others = slice(2 * regime, 2 * regime + 2), slice(2 - 2 * regime, 4 - 2 * regime)
        rows[mine, mine] = (1 - leaving[regime]) * np.array(inside)
        rows[mine, others] = leaving[regime] / 2
    return Chain(rows)


@dataclass(frozen=True)
class Case:
    """A chain, and how much of it is sampled."""

    chain: Callable[[], Chain]
    streams: int
    n_tokens: int


#: The interval has to cover as often as it says.
HONEST = {
    "Land of Oz": Case(land_of_oz, 32, 500),
    "windows of four tokens": Case(windows, 32, 500),
    "slow: 20 relaxation times": Case(lambda: two_regimes(100), 32, 2000),
}
#: Runs too short for the chain: confident and wrong is what must not happen.
TOO_SHORT = {
    "slow: 10 relaxation times": Case(lambda: two_regimes(200), 32, 2000),
    "slow: 5 relaxation times": Case(lambda: two_regimes(400), 32, 2000),
    "slow: 1 relaxation time": Case(lambda: two_regimes(2000, 0.1), 32, 2000),
    "stuck": Case(lambda: two_regimes(1e7, 0.1), 32, 2000),
    "a hidden trap": Case(hidden_trap, 32, 1000),
}


@dataclass
class Outcome:
    """How often what was claimed came true."""

    runs: int = 0
    covered: int = 0
    refused: int = 0
    #: The same of the second opinion, where there was one.
    cycles_covered: int = 0
    cycles: int = 0
    widths: list[float] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """Intervals that do not hold the exact rate."""
        return self.runs - self.covered - self.refused


def limits(runs: int, chance: float = 1e-3) -> tuple[int, int]:
    """Numbers of covering intervals outside which an honest method falls with this chance.

    >>> limits(1000)
    (926, 971)
    """
    low, high = binom.ppf([chance / 2, 1 - chance / 2], runs, CONFIDENCE)
    return int(low), int(high)


def coverage(case: Case, runs: int) -> Outcome:
    """Holds the intervals of seeds 0 to ``runs`` - 1 against the exact rate."""
    chain = case.chain()
    exact = entropy_rate(chain)
    assert exact.certified, exact.error_sentence
    h = exact.bits_per_token
    outcome = Outcome()
    for seed in range(runs):
        outcome.runs += 1
        try:
            found = sample_entropy_rate(
                chain,
                streams=case.streams,
                n_tokens=case.n_tokens,
                confidence=CONFIDENCE,
                seed=seed,
            )
        except NotConverged:
            outcome.refused += 1
            continue
        if found.low <= h <= found.high:
            outcome.covered += 1
        else:
            outcome.missed.append(seed)
        outcome.widths.append(found.high - found.low)
        if found.regenerative is not None:
            outcome.cycles += 1
            outcome.cycles_covered += found.regenerative.low <= h <= found.regenerative.high
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", help="the name of one chain")
    asked = parser.parse_args()
    low, high = limits(asked.runs)
    status = 0
    print(f"seeds from 0; of {asked.runs:,} runs an honest method covers {low} to {high}")
    print(
        f"{'chain':28} {'runs':>6} {'covered':>8} {'wrong':>7} {'refused':>8} {'width':>8}  "
        f"by cycles"
    )
    for name, case in {**HONEST, **TOO_SHORT}.items():
        if asked.only not in (None, name):
            continue
        begin = time.perf_counter()
        found = coverage(case, asked.runs if name in HONEST else max(1, asked.runs // 5))
        broken = name in HONEST and not low <= found.covered <= high
        status |= broken
        print(
            f"{name:28} {found.runs:6,} {found.covered:8,} {found.wrong:7,} {found.refused:8,} "
            f"{np.median(found.widths) if found.widths else np.nan:8.4f}  "
            f"{found.cycles_covered} of {found.cycles}  {time.perf_counter() - begin:.0f} s"
            f"{'  BROKEN' if broken else ''}",
            flush=True,
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
