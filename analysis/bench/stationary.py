"""The stationary distribution of every family: how right, how many cycles, how long, how large.

A run asks :func:`fsm_gpt.stationary_distribution` for a proven accuracy and watches its
cycles; there are none where products alone are proven to be enough. Time and cycles are
counted up to the first cycle that changes no entry by more than 1e-12 of itself, which is
more than a residual of 1e-12 asks for, and once more up to the proof. Where that takes more
than 50 cycles, the residual after 50 is a row of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.bench.chains import family, in_words
from analysis.bench.measure import Spread, peak, timed
from analysis.bench.oracle import extended, has_extended_precision
from analysis.bench.results import Found, Row, Size
from analysis.bench.solver import residual_within
from analysis.bench.tasks import Call, Task
from analysis.families import HARD, TRAINED, ZEROS
from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotDefined
from fsm_gpt.markov import StationaryDistribution, stationary_distribution
from fsm_gpt.markov.certificate import certify

__all__ = ["entries", "run", "solving"]

#: What a cycle changes when the solver has done its work.
SETTLED = 1e-12
#: Cycles that a residual of 1e-12 may take.
MOST_CYCLES = 50
#: The largest chain that the reference in extended precision is worked out for.
ORACLE_STATES = 4096
#: Families with zeros whose classes are large; the rest are cycles of a map.
LARGE_ZEROS = tuple(name for name in ZEROS if not name.startswith("greedy"))
#: The accuracy asked for at millions of states; 1e-6 where nothing is said.
ACCURACY = {"rotate 1e-3": 1e-2, "rotate 1e-6": 1e-2, "nearly decomposable": 1e-2}


@dataclass
class _Watch:
    """Notes when each cycle ended and what it changed, class by class."""

    begun: float = field(default_factory=time.perf_counter)
    classes: list[list[tuple[float, float]]] = field(default_factory=list)

    def __call__(self, count: int, change: float) -> None:
        if count == 0:  # what comes before the first cycle
            self.classes.append([])
        self.classes[-1].append((time.perf_counter() - self.begun, change))

    @property
    def cycles(self) -> int:
        """The most cycles that a class took."""
        return max((len(cycles) - 1 for cycles in self.classes), default=0)

    def settled(self) -> tuple[int, float] | None:
        """Cycles and seconds until no entry of any class changed by more than SETTLED."""
        counts, seconds = [0], [0.0]
        for cycles in self.classes:
            done = [i for i, (_, change) in enumerate(cycles) if change < SETTLED]
            if not done:
                return None
            counts.append(done[0])
            seconds.append(cycles[done[0]][0])
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


def solving(name: str, bits: int, accuracy: float, proof: bool) -> list[Found]:
    """One chain: cycles, seconds, memory and the proven bound; the certificate's own time."""
    stationary_distribution(family(name, 9), method="multilevel")  # compiles, or loads
    chain = family(name, bits)
    watch = _Watch()
    found, most = peak(lambda: stationary_distribution(chain, accuracy=accuracy, progress=watch))
    total = time.perf_counter() - watch.begun
    at = in_words(chain.n_states)
    key = f"stationary/2^{bits}/{name}"
    settled = watch.settled()
    note = "" if settled else f"after {watch.cycles} cycles an entry still changed by more"
    count, seconds = settled or (None, None)
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
    if _slow(count) and chain.is_window and len(found.pi) == len(found.classes[0][0]):
        left = residual_within(chain, MOST_CYCLES)
        key_after = f"{key}/residual after {MOST_CYCLES}"
        rows.append(Row(key=key_after, value=left, unit="l1", at=at))
    if proof:
        rows.append(_proof_seconds(f"{key}/certificate", chain, found.pi, at))
    return rows


def _slow(cycles: int | None) -> bool:
    return cycles is None or cycles > MOST_CYCLES


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
            found += _solve(call, name, bits, ACCURACY.get(name, 1e-6), proof=proof)
    if size == "full":
        for name in ("random", "sharp"):
            found += _solve(call, name, 24, 1e-4, proof=False, limit=420)
    return found


def _solve(
    call: Call, name: str, bits: int, accuracy: float, *, proof: bool, limit: float = 150
) -> list[Found]:
    arguments = {"name": name, "bits": bits, "accuracy": accuracy, "proof": proof}
    return call(Task(f"stationary/2^{bits}/{name}", solving, arguments, limit=limit))
