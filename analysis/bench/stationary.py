"""The stationary distribution of every family: how right, how many cycles, how long, how large.

A run asks :func:`fsm_gpt.stationary_distribution` for a proven accuracy and watches its
cycles; there are none where products alone are proven to be enough. Time and cycles are
counted up to the first cycle that leaves a residual, sum |x P - x|, of 1e-12 at most, and up
to the proof, the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analysis.bench.chains import family, in_words
from analysis.bench.measure import Spread, peak, timed
from analysis.bench.oracle import extended, has_extended_precision
from analysis.bench.results import Found, Row, Size
from analysis.bench.tasks import Call, Task
from analysis.families import HARD, TRAINED, ZEROS
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov import StationaryDistribution, stationary_distribution
from fsm_gpt.markov.certificate import certify

__all__ = ["entries", "run", "solving"]

#: The residual to reach.
RESIDUAL = 1e-12
#: The largest chain that the reference in extended precision is worked out for.
ORACLE_STATES = 4096
#: Families with zeros whose classes are large; the rest are cycles of a map.
LARGE_ZEROS = tuple(name for name in ZEROS if not name.startswith("greedy"))
#: The accuracy asked for at millions of states.
ACCURACY = 1e-6


class _Cycle(NamedTuple):
    """When it ended, and what it left."""

    seconds: float
    residual: float


@dataclass
class _Watch:
    """Notes every cycle, class by class."""

    begun: float = field(default_factory=time.perf_counter)
    classes: list[list[_Cycle]] = field(default_factory=list)

    def __call__(self, count: int, change: float, residual: float) -> None:
        if count == 0:  # what comes before the first cycle
            self.classes.append([])
        self.classes[-1].append(_Cycle(time.perf_counter() - self.begun, residual))

    @property
    def cycles(self) -> int:
        """The most cycles that a class took."""
        return max((len(cycles) - 1 for cycles in self.classes), default=0)

    def reached(self) -> tuple[int, float] | None:
        """Cycles and seconds until the residual was small enough in every class.

        What products reach before the first cycle counts only where they were proven to be
        enough: a chain may look solved to them and not be.
        """
        counts, seconds = [0], [0.0]
        for cycles in self.classes:
            begin = min(1, len(cycles) - 1)
            small = (cycle.residual <= RESIDUAL for cycle in cycles[begin:])
            done = next((i for i, enough in enumerate(small, begin) if enough), None)
            if done is None:
                return None
            counts.append(done)
            seconds.append(cycles[done].seconds)
        return max(counts), max(seconds)


def entries(name: str, bits: int) -> list[Found]:
    """The largest relative error of any entry against extended precision, and the bound."""
    chain = family(name, bits)
    found = stationary_distribution(chain, method="multilevel", accuracy=1e-12)
    at = in_words(chain.n_states)
    rows: list[Found] = [_bound_row(f"stationary/entries/{name}/bound", found, at)]
    if chain.n_states <= ORACLE_STATES:
        if not has_extended_precision():
            raise NotDefined("numpy's long double is a double here, so there is no reference.")
        error = max(_error(chain, states, x) for states, x in found.classes)
        smallest = min(float(x.min()) for _, x in found.classes)
        note = f"smallest entry {smallest:.0e}"
        key = f"stationary/entries/{name}/error"
        rows.insert(0, Row(key=key, value=error, unit="relative", at=at, note=note))
    return rows


def _error(chain: Chain, states: np.ndarray, x: np.ndarray) -> float:
    """Of one class: against elimination on the rows divided by their sums."""
    place = np.full(chain.n_states, -1)
    place[states] = np.arange(len(states))
    edges = chain.raw_edges()
    inside = place[edges.source] >= 0
    source, target = place[edges.source[inside]], place[edges.target[inside]]
    weight = edges.probability[inside].astype(np.longdouble)
    sums = np.zeros(len(states), dtype=np.longdouble)
    np.add.at(sums, source, weight)
    if len(states) == 1:
        return 0.0
    truth = extended(source, target, weight / sums[source], len(states))
    return float(np.abs(x.astype(np.longdouble) / truth - 1).max())


def _bound_row(key: str, found: StationaryDistribution, at: str) -> Row:
    if not found.certified:
        return Row(key=key, value=None, unit="relative", at=at, note=found.error_sentence)
    return Row(key=key, value=float(found.error_bound), unit="relative", at=at)


def solving(name: str, bits: int, proof: bool) -> list[Found]:
    """One chain: cycles, seconds, memory and the proven bound; the certificate's own time."""
    stationary_distribution(family(name, 9), method="multilevel")  # compiles, or loads
    chain = family(name, bits)
    watch = _Watch()
    found, most = peak(lambda: stationary_distribution(chain, accuracy=ACCURACY, progress=watch))
    total = time.perf_counter() - watch.begun
    at = in_words(chain.n_states)
    key = f"stationary/2^{bits}/{name}"
    count, seconds = watch.reached() or (None, None)
    note = f"not reached in {watch.cycles} cycles" if count is None else ""
    rows: list[Found] = [
        Row(key=f"{key}/cycles", value=count, unit="cycles", at=at, note=note),
        Row(key=f"{key}/seconds", value=seconds, unit="s", at=at, note=note),
        Row(key=f"{key}/seconds to proof", value=total, unit="s", at=at),
        Row(key=f"{key}/cycles to proof", value=watch.cycles, unit="cycles", at=at),
        _bound_row(f"{key}/bound", found, at),
        Row(key=f"{key}/residual", value=_residual(chain, found), unit="l1", at=at),
        Row(key=f"{key}/memory", value=most.whole / 1e9, unit="GB", at=at),
        Row(key=f"{key}/extra memory", value=most.extra / 1e9, unit="GB", at=at),
    ]
    if proof:
        rows.append(_proof_seconds(f"{key}/certificate", chain, found.pi, at))
    return rows


def _residual(chain: Chain, found: StationaryDistribution) -> float:
    """The largest sum of |x P - x| of a class."""
    worst = 0.0
    for states, probabilities in found.classes:
        x = np.zeros(chain.n_states)
        x[states] = probabilities
        worst = max(worst, float(np.abs(chain.push(x) - x).sum()))
    return worst


def _proof_seconds(key: str, chain: Chain, x: np.ndarray, at: str) -> Row:
    """How long the certificate alone takes, the list of transitions included."""

    def prove() -> object:
        edges = chain.raw_edges()
        sums = np.bincount(edges.source, weights=edges.probability, minlength=chain.n_states)
        return certify(edges.source, edges.target, edges.probability, sums, x)

    return Spread.of([timed(prove)[1] for _ in range(3)]).row(key, unit="s", at=at)


def run(call: Call, size: Size) -> list[Found]:
    """Every family at some thousand states, at 2^18 and at 2^20; two of them at 2^24."""
    found: list[Found] = []
    small = {"full": 12, "quick": 10, "tiny": 8}[size]
    every = {"full": (*HARD, *ZEROS, *TRAINED), "quick": (*HARD, *LARGE_ZEROS), "tiny": HARD[:2]}
    for name in every[size]:
        task = {"name": name, "bits": small}
        found += call(Task(f"stationary/entries/{name}", entries, task, limit=120))
    large: Sequence[int] = {"full": (18, 20), "quick": (14,), "tiny": (9, 10)}[size]
    families = {"full": (*HARD, *LARGE_ZEROS), "quick": HARD, "tiny": ("random", "period 4")}[size]
    for bits in large:
        for name in families:
            proof = bits == large[-1] and name not in LARGE_ZEROS
            found += _solve(call, name, bits, proof=proof)
    if size == "full":
        for name in ("random", "sharp"):
            found += _solve(call, name, 24, proof=False, limit=560)
    return found


def _solve(call: Call, name: str, bits: int, *, proof: bool, limit: float = 150) -> list[Found]:
    arguments = {"name": name, "bits": bits, "proof": proof}
    return call(Task(f"stationary/2^{bits}/{name}", solving, arguments, limit=limit))
