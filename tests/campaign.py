"""Proven errors held against known answers, on as many generated chains as one asks for.

A campaign makes a chain whose stationary distribution is known in rationals, spoils it in
many ways, and holds each vector's certificate against its true error: whatever is not
refused has to be a bound. A second one does the same for hitting times and probabilities.

Small chains are solved here by elimination in rationals. Large ones are known by
construction: integers on random cycles are flows that balance, whatever they are; divided
by powers of two they are rows that floats hold exactly; and a state's share is its power of
two times the sum of its row.

    python -m tests.campaign [--campaign NAME] [--chains 10000] [--seed N] [--only INDEX]

A seed makes the same chains each time, and each chain is made from the seed and its own
index alone: a broken bound is seen again with ``--only``.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from multiprocessing import get_context
from types import ModuleType
from typing import NamedTuple

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged
from fsm_gpt.markov import certificate, hitting, stationary_distribution
from fsm_gpt.result import UNCERTIFIED

Floats = np.ndarray
Rng = np.random.Generator

#: Transitions up to which sums are exact: both ways are taken for every chain.
SUMS = {"exact sums": 2**62, "compiled sums": 0}
#: Unknowns up to which hitting times are eliminated: here, too, both ways.
WAYS = {"elimination": 2**62, "reversed time": 0}


class Edges(NamedTuple):
    """The transitions of a chain, by source; a pair of states may have several."""

    n: int
    source: Floats
    target: Floats
    probability: Floats


class Known(NamedTuple):
    """A chain, how it was made, and its stationary distribution."""

    kind: str
    edges: Edges
    pi: list[Fraction]


# ---- chains ----


def dense(rng: Rng, n: int) -> Floats:
    """Rows of any concentration; small ones have entries of 1e-300."""
    weights = rng.gamma(10.0 ** rng.uniform(-2, 1), size=(n, n))
    return np.asarray(np.maximum(weights, 1e-300))


def stiff(rng: Rng, n: int) -> Floats:
    """Entries of every size that a float can have, some zero."""
    weights = 10.0 ** -rng.uniform(0, rng.choice([3, 30, 300]), (n, n))
    return np.asarray(weights * (rng.random((n, n)) < rng.uniform(0.3, 1)))


def tiny(rng: Rng, n: int) -> Floats:
    """A few probabilities below the smallest normal float."""
    weights = dense(rng, n)
    weights[rng.random((n, n)) < 0.2] = rng.choice([5e-324, 1e-310, 1e-300, 1e-160])
    return weights


def decomposable(rng: Rng, n: int) -> Floats:
    """Groups that are seldom left."""
    group = rng.integers(0, rng.integers(2, 4), n)
    apart = group[:, None] != group[None, :]
    eps = 10.0 ** -rng.uniform(1, rng.choice([6, 20, 280]))
    return np.asarray(rng.random((n, n)) * np.where(apart, eps * rng.uniform(0.5, 1.5, (n, n)), 1))


def periodic(rng: Rng, n: int) -> Floats:
    """Layers that follow one another, now and then with a rare way round."""
    period = int(rng.integers(2, n + 1))
    layer = np.arange(n) % period
    next_one = (layer[:, None] + 1) % period == layer[None, :]
    rare = rng.choice([0.0, 1e-9])
    return np.asarray(rng.random((n, n)) * np.where(next_one, 1, rare))


def sticky(rng: Rng, n: int) -> Floats:
    """States that are kept with a probability near one."""
    eps = 10.0 ** -rng.uniform(1, 15, n)
    weights = rng.random((n, n)) * eps[:, None]
    np.fill_diagonal(weights, 1)
    return np.asarray(weights)


def walk(rng: Rng, n: int) -> Floats:
    """One step up or down, with a drift: shares that fall geometrically."""
    i = np.arange(n - 1)
    weights = np.zeros((n, n))
    weights[i, i + 1] = rng.random(n - 1)
    weights[i + 1, i] = rng.random(n - 1) * 10.0 ** rng.uniform(-20, 20)
    return weights


def duplicated(rng: Rng, n: int) -> Floats:
    """A few different rows, each of several states."""
    few = rng.random((int(rng.integers(1, 4)), n)) ** 4
    return np.asarray(few[rng.integers(0, len(few), n)])


MATRICES = (dense, stiff, tiny, decomposable, periodic, sticky, walk, duplicated)


def small_edges(rng: Rng, make: Callable[[Rng, int], Floats]) -> Edges:
    """A chain of 2 to 12 states with one class: each state also leads to the next."""
    n = int(rng.integers(2, 13))
    weights = make(rng, n)
    ring = (np.arange(n), (np.arange(n) + 1) % n)
    missing = weights[ring] == 0
    if make is walk:
        missing[-1] = False  # the last state has its way down
    weights[ring] += np.where(missing, 10.0 ** -rng.uniform(0, 9, n), 0)
    P = weights / weights.sum(axis=1, keepdims=True)
    P[(weights > 0) & (P == 0)] = 5e-324  # the smallest float: a division may lose it
    source, target = np.nonzero(P)
    return Edges(n, source, target, P[source, target])


def window_edges(rng: Rng) -> Edges:
    """All windows over V tokens, up to 27 of them."""
    V, L = ((2, 2), (2, 3), (3, 2), (10, 1), (27, 1))[rng.choice(5, p=[0.3, 0.3, 0.3, 0.08, 0.02])]
    rows = 10.0 ** -rng.uniform(0, rng.choice([1, 8, 60]), (V**L, V))
    source, _, target, probability = Chain(rows, normalize=True).raw_edges()
    return Edges(V**L, source, target, probability)


def many_tokens(rng: Rng) -> Edges:
    """Up to 27 tokens a state, many of which lead to the same next one."""
    n, V = int(rng.integers(2, 8)), int(rng.integers(2, 28))
    source = np.repeat(np.arange(n), V)
    target = rng.integers(0, n, n * V)
    target[::V] = (np.arange(n) + 1) % n
    weights = 10.0 ** -rng.uniform(0, rng.choice([2, 12]), (n, V))
    return Edges(n, source, target, (weights / weights.sum(axis=1, keepdims=True)).ravel())


def stationary_in_rationals(edges: Edges) -> list[Fraction]:
    """Grassmann, Taksar & Heyman (1985), in rationals, for each row divided by its sum."""
    n = edges.n
    A = [[Fraction(0)] * n for _ in range(n)]
    for i, j, p in zip(*(column.tolist() for column in edges[1:]), strict=True):
        A[i][j] += Fraction(p)
    for row in A:
        total = sum(row)
        row[:] = [p / total for p in row]
    for k in range(n - 1, 0, -1):
        leaving = sum(A[k][:k])
        for i in range(k):
            A[i][k] /= leaving
            if A[i][k]:
                for j in range(k):
                    A[i][j] += A[i][k] * A[k][j]
    x = [Fraction(1)]
    for k in range(1, n):
        x.append(sum((x[i] * A[i][k] for i in range(k)), Fraction(0)))
    total = sum(x)
    return [entry / total for entry in x]


def known_by_construction(rng: Rng, n: int) -> Known:
    """Flows of integers on random cycles through all states and through some of them."""
    flow: Counter[tuple[int, int]] = Counter()
    widest = int(rng.choice([8, 40]))
    for k in range(int(rng.integers(1, 4)) + n // 8):
        states = rng.permutation(n)[: n if k == 0 else rng.integers(2, n + 1)].tolist()
        amount = int(rng.integers(1, 2 ** int(rng.integers(1, widest))))
        for i, j in zip(states, states[1:] + states[:1], strict=True):
            flow[i, j] += amount
    outflow = Counter[int]()
    for (i, _), amount in flow.items():
        outflow[i] += amount
    # The smallest power of two above the outflow, and now and then a much larger one.
    extra = rng.integers(0, rng.choice([1, 4, 200]), n, endpoint=True).tolist()
    power = [outflow[i].bit_length() + extra[i] for i in range(n)]
    pairs = sorted(flow)
    source = np.array([i for i, _ in pairs] + list(range(n)))
    target = np.array([j for _, j in pairs] + list(range(n)))
    moving = [flow[i, j] * 2.0 ** -power[i] for i, j in pairs]
    staying = [float(1 - Fraction(outflow[i], 2 ** power[i])) for i in range(n)]
    probability = np.array(moving + staying)
    if rng.random() < 0.3:  # sums that miss one by what the chain still accepts
        probability[len(pairs) :] += rng.uniform(-5e-13, 5e-13, n)
    kept = probability > 0
    order = np.flatnonzero(kept)[np.argsort(source[kept], kind="stable")]
    edges = Edges(n, source[order], target[order], probability[order])
    share = [Fraction(0)] * n
    for i, p in zip(edges.source.tolist(), edges.probability.tolist(), strict=True):
        share[i] += Fraction(p) * 2 ** power[i]
    total = sum(share)
    return Known("integer flows", edges, [entry / total for entry in share])


def known_chain(rng: Rng) -> Known:
    """A chain of some kind."""
    kind = int(rng.integers(0, 12))
    if kind == 11:
        n = int(rng.integers(13, 40)) if rng.random() < 0.9 else int(rng.integers(40, 400))
        return known_by_construction(rng, n)
    if kind >= 8:
        make_edges = (window_edges, many_tokens, many_tokens)[kind - 8]
        edges = make_edges(rng)
        return Known(make_edges.__name__, edges, stationary_in_rationals(edges))
    edges = small_edges(rng, MATRICES[kind])
    return Known(MATRICES[kind].__name__, edges, stationary_in_rationals(edges))


# ---- vectors ----


def vectors(rng: Rng, known: Known) -> Iterator[tuple[str, Floats]]:
    """The right distribution and many wrong ones, each with its name."""
    right = np.array([float(p) for p in known.pi])
    n = len(right)
    yield "right", right
    size = 10.0 ** rng.uniform(-15, -6)
    yield "slightly wrong", right * (1 + size * rng.uniform(-1, 1, n))
    one = right.copy()
    one[rng.integers(n)] *= 1 + size
    yield "slightly wrong", one
    yield "permuted", rng.permutation(right)
    yield "uniform", np.full(n, 1 / n)
    scaled = right.copy()
    scaled[rng.integers(n)] *= 10.0 ** (rng.choice([-1, 1]) * rng.uniform(0.3, 6))
    yield "one entry scaled", scaled / scaled.sum()
    part = np.where(rng.random(n) < 0.5, 10.0 ** rng.uniform(-8, 3), 0)
    mixed = right * (1 + part)
    yield "parts in wrong proportion", mixed / mixed.sum()
    source, target, probability = known.edges[1:]
    x = np.full(n, 1 / n)
    for _ in range(int(rng.integers(1, 30))):
        x = 0.5 * x + 0.5 * np.bincount(target, weights=x[source] * probability, minlength=n)
    yield "after some steps", x / x.sum()
    yield "not summing to one", right * (1 + 10.0 ** rng.uniform(-12, 0))


def true_error(x: Floats, pi: list[Fraction]) -> float | Fraction:
    """The largest relative error of any entry."""
    return max(relative_error(a, b) for a, b in zip(x.tolist(), pi, strict=True))


def relative_error(found: float, truth: Fraction) -> float | Fraction:
    """Of a positive number; infinite where no number was found."""
    return abs(Fraction(found) / truth - 1) if math.isfinite(found) else math.inf


# ---- the campaigns ----


@dataclass
class Outcome:
    """What a campaign saw."""

    seed: int
    chains: int = 0
    #: By (what was held, how it came out): "holds", "refused" or "broken".
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: The smallest bound over true error, where there is an error.
    tightest: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def hold(self, what: str, bound: float | str, error: float | Fraction, story: str) -> None:
        """Counts a bound, and tells the story of one that is broken."""
        if bound == UNCERTIFIED:
            self.counts[what, "refused"] += 1
        elif not bound >= error:
            self.fail(what, f"{story}: {what}: bound {bound:.6e} < error {float(error):.6e}")
        else:
            self.counts[what, "holds"] += 1
            if float(error):
                ratio = float(bound) / float(error)
                self.tightest[what] = min(ratio, self.tightest.get(what, ratio))

    def fail(self, what: str, story: str) -> None:
        """Counts a bound that is broken, or not given at all."""
        self.counts[what, "broken"] += 1
        self.broken.append(story)

    def add(self, other: Outcome) -> None:
        """What another process saw."""
        self.chains += other.chains
        self.counts += other.counts
        self.broken += other.broken
        for what, ratio in other.tightest.items():
            self.tightest[what] = min(ratio, self.tightest.get(what, ratio))

    def share(self, what: str, how: str = "holds") -> float:
        """Which share of what was held came out so."""
        total = sum(count for (name, _), count in self.counts.items() if name == what)
        return self.counts[what, how] / total

    def __str__(self) -> str:
        lines = [f"{self.chains:,} chains from seed {self.seed}"]
        lines.append(f"{'':45} {'holds':>8} {'refused':>8} {'broken':>7}  smallest bound / error")
        for what in sorted({name for name, _ in self.counts}):
            holds, refused, broken = (
                self.counts[what, how] for how in ("holds", "refused", "broken")
            )
            least = f"{self.tightest[what]:.3g}" if what in self.tightest else ""
            lines.append(f"{what:45} {holds:8,} {refused:8,} {broken:7,}  {least}")
        return "\n".join([*lines, *self.broken])


@contextlib.contextmanager
def limit(module: ModuleType, name: str, value: int) -> Iterator[None]:
    """A size limit of a module, set for a while, to take the other way."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def bound_of(edges: Edges, x: Floats) -> float | str:
    """The certificate's bound for a vector."""
    n, source, target, probability = edges
    sums = np.bincount(source, weights=probability, minlength=n)
    bound, reason = certificate.certify(source, target, probability, sums, x)
    assert bound != UNCERTIFIED or reason
    return bound


def hold_certificates(outcome: Outcome, rng: Rng, known: Known, story: str) -> None:
    """Every vector, with both kinds of sums; and the answer of the package with its bound."""
    for name, x in vectors(rng, known):
        error = true_error(x, known.pi)
        for path, most in SUMS.items():
            what = f"{name}, {path}"
            try:
                with limit(certificate, "EXACT_EDGES", most):
                    bound = bound_of(known.edges, x)
            except ArithmeticError as problem:
                outcome.fail(what, f"{story} {known.kind}: {what}: {problem!r}")
            else:
                outcome.hold(what, bound, error, f"{story} {known.kind}")
    n, source, target, probability = known.edges
    first = np.searchsorted(source, source)
    token = np.arange(len(source)) - first
    chain = Chain.from_edges(source, token, target, probability, n_states=n)
    what = "the package's own answer"
    try:
        found = stationary_distribution(chain)
    except NotConverged:
        outcome.counts[what, "refused"] += 1
        return
    error = true_error(found.pi, known.pi)
    if error == math.inf:
        outcome.fail(what, f"{story} {known.kind}: {what} holds no number: {found.pi}")
    outcome.hold(what, found.error_bound, error, f"{story} {known.kind}")


def certificates(chains: int, *, seed: int, only: int | None = None) -> Outcome:
    """Holds the certificate against so many chains with a known answer."""
    outcome = Outcome(seed)
    for index in range(chains) if only is None else [only]:
        rng = np.random.default_rng([seed, index])
        hold_certificates(outcome, rng, known_chain(rng), f"--seed {seed} --only {index}")
        outcome.chains += 1
    return outcome


def reaching_in_rationals(edges: Edges, goal: int) -> tuple[list[Fraction], list[Fraction | None]]:
    """Probabilities of reaching a state and mean steps to it (None: infinite), by elimination."""
    n = edges.n
    P = [[Fraction(0)] * n for _ in range(n)]
    for i, j, p in zip(*(column.tolist() for column in edges[1:]), strict=True):
        P[i][j] += Fraction(p)
    for row in P:
        total = sum(row)
        row[:] = [p / total for p in row]

    def leads_to(ends: set[int], through: set[int]) -> set[int]:
        found = set(ends)
        while more := {i for i in through - found if any(P[i][j] for j in found)}:
            found |= more
        return found

    others = set(range(n)) - {goal}
    some = leads_to({goal}, others)
    never = set(range(n)) - some
    sure = set(range(n)) - leads_to(never, others)
    h = [Fraction(int(i in sure)) for i in range(n)]
    for i, value in solved(P, sorted(some - sure), lambda i: sum(P[i][j] for j in sure)):
        h[i] = value
    k: list[Fraction | None] = [None] * n
    k[goal] = Fraction(0)
    for i, value in solved(P, sorted(sure - {goal}), lambda i: Fraction(1)):
        k[i] = value
    return h, k


def solved(
    P: list[list[Fraction]], states: list[int], b: Callable[[int], Fraction]
) -> Iterator[tuple[int, Fraction]]:
    """(I - Q) x = b among some states, by Gauss and Jordan."""
    A = [[int(i == j) - P[i][j] for j in states] + [b(i)] for i in states]
    for k, pivot in enumerate(A):
        pivot[k:] = [entry / pivot[k] for entry in pivot[k:]]
        for row in A:
            if row is not pivot and row[k]:
                row[k:] = [a - row[k] * c for a, c in zip(row[k:], pivot[k:], strict=True)]
    yield from zip(states, (row[-1] for row in A), strict=True)


def hitting_edges(rng: Rng) -> Edges:
    """A chain of up to 9 states; two in five have absorbing states, one in five is any graph."""
    make = MATRICES[int(rng.integers(len(MATRICES)))]
    edges = small_edges(rng, make)
    n, source, target, probability = edges
    kept = (source < 9) & (target < 9)
    P = np.zeros((min(n, 9),) * 2)
    np.add.at(P, (source[kept], target[kept]), probability[kept])
    kind = rng.random()
    for i in range(len(P)):
        absorbing = kind < 0.4 and rng.random() < 0.3
        if kind > 0.8:
            P[i] *= rng.random(len(P)) < 0.4
        if absorbing or not P[i].any():
            P[i] = np.eye(len(P))[i]
    P /= P.sum(axis=1, keepdims=True)
    source, target = np.nonzero(P)
    return Edges(len(P), source, target, P[source, target])


def hitting_times(chains: int, *, seed: int, only: int | None = None) -> Outcome:
    """Holds the bounds of hitting times and probabilities against as many chains."""
    solver = import_module("fsm_gpt.markov.first_step")
    outcome = Outcome(seed)
    for index in range(chains) if only is None else [only]:
        rng = np.random.default_rng([seed, 1, index])
        edges = hitting_edges(rng)
        goal = int(rng.integers(edges.n))
        chain = Chain.from_edges(
            edges.source, edges.target, edges.target, edges.probability, n_states=edges.n
        )
        outcome.chains += 1
        h, k = reaching_in_rationals(edges, goal)
        for way, most in WAYS.items():
            what = f"hitting, {way}"
            try:
                with limit(solver, "ELIMINATION_LIMIT", most):
                    found = hitting(chain, goal)
            except NotConverged:
                outcome.counts[what, "refused"] += 1
                continue
            errors = [probability_error(a, b) for a, b in zip(found.probabilities, h, strict=True)]
            errors += [time_error(a, b) for a, b in zip(found.mean_steps, k, strict=True)]
            story = f"--seed {seed} --only {index}"
            if max(errors) == math.inf:
                outcome.fail(what, f"{story}: {what}: a number that is none: {found.mean_steps}")
            outcome.hold(what, found.error_bound, max(errors), story)
    return outcome


def probability_error(found: float, truth: Fraction) -> float | Fraction:
    """The absolute error of a probability; infinite where it is no number."""
    return abs(Fraction(found) - truth) if math.isfinite(found) else math.inf


def time_error(found: float, truth: Fraction | None) -> float | Fraction:
    """The relative error of a mean number of steps, which may be infinite."""
    if truth is None:
        return 0 if found == math.inf else math.inf
    return relative_error(found, truth) if truth else abs(Fraction(found))


def differential(chains: int, *, seed: int, only: int | None = None) -> Outcome:
    """Floats against rationals and against others, in two processes; see tests/differential.py."""
    from tests.differential import differential as held, shares

    if only is not None:
        return held(1, seed=seed, only=only)
    parts = shares(chains, 20)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(held, n, seed=seed, first=first) for first, n in parts]
        outcome = Outcome(seed)
        for run in runs:
            outcome.add(run.result())
    return outcome


def questions(chains: int, *, seed: int, only: int | None = None) -> Outcome:
    """Everything, asked of a twentieth as many chains; see tests/every_question.py."""
    from tests.every_question import every_question

    return every_question(max(chains // 20, 1), seed=seed, only=only)


CAMPAIGNS: dict[str, Callable[..., Outcome]] = {
    "stationary": certificates,
    "hitting": hitting_times,
    "differential": differential,
    "questions": questions,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chains", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--only", type=int, help="the index of one chain")
    parser.add_argument("--campaign", choices=list(CAMPAIGNS), help="only this one")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    status = 0
    for title in [asked.campaign] if asked.campaign else CAMPAIGNS:
        begin = time.perf_counter()
        outcome = CAMPAIGNS[title](asked.chains, seed=asked.seed, only=asked.only)
        print(f"{title}: {outcome}\n{time.perf_counter() - begin:.0f} s\n", flush=True)
        status |= bool(outcome.broken)
    return status


if __name__ == "__main__":
    sys.exit(main())
