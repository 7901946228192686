"""Our floats held against our rationals, and both against others, on generated machines.

Every question is asked of the floats and of the rationals that they stand for (each row divided by
its exact sum); the answers may differ by what the floats state as their error, and no more.
Logarithms are taken with four hundred digits (mpmath). Structure is held against networkx, and on
some machines against QuantEcon, whose distributions are floats; probabilities and times against
Storm, which computes in rationals. A refusal in a sentence is no disagreement; whatever else is
raised, a warning included, is one.

    python -m tests.campaign --campaign differential [--chains 10000] [--seed N] [--only INDEX]

A machine is made from the seed and its own index alone, so that a disagreement is seen again.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import mpmath
import networkx as nx
import numpy as np

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError
from fsm_gpt.result import UNCERTIFIED
from tests.campaign import (
    MATRICES,
    Floats,
    Outcome,
    Rng,
    known_by_construction,
    many_tokens,
    relative_error,
)

#: What probabilities are put in place of some: below the normal floats, at their edge, zero.
HARD = (5e-324, 1e-320, 2.2250738585072014e-308, 1e-300, 1e-160, 1e-17, 0.0)


#: A row that holds 1 and 5e-324 has to be told from one that holds 1.
DIGITS = 400


class Machine(NamedTuple):
    """A chain of floats, and how it was made."""

    kind: str
    chain: Chain


# ---- machines ----


def _hardened(rng: Rng, rows: Floats) -> Floats:
    """Some entries at the edge of the floats, some zero, some rows certain; the largest kept."""
    rows = rows / rows.sum(axis=1, keepdims=True)
    hard = rng.random(rows.shape) < rng.choice([0.0, 0.1, 0.4])
    hard[np.arange(len(rows)), rows.argmax(axis=1)] = False
    rows[hard] = rng.choice(HARD, int(hard.sum()))
    certain = rng.random(len(rows)) < rng.choice([0.0, 0.3])
    rows[certain] = np.eye(rows.shape[1])[rows[certain].argmax(axis=1)]
    return rows / rows.sum(axis=1, keepdims=True)


def _windows(rng: Rng) -> Machine:
    """Every window: 2 to 4 tokens, up to 9 states; some rows are equal."""
    V, L = ((2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1))[int(rng.integers(6))]
    rows = 10.0 ** -rng.uniform(0, rng.choice([0.5, 3, 20, 300]), (V**L, V))
    if rng.random() < 0.3:
        rows = rows[rng.integers(0, max(1, V**L // 3), V**L)]
    return Machine("windows", Chain(_hardened(rng, rows), context=L, normalize=True))


def _matrix(rng: Rng) -> Machine:
    """States with names, of every family of the campaign."""
    make = MATRICES[int(rng.integers(len(MATRICES)))]
    weights = make(rng, int(rng.integers(2, 8)))
    weights[~weights.any(axis=1), 0] = 1
    return Machine(make.__name__, Chain.from_matrix(_hardened(rng, weights), normalize=True))


def _reducible(rng: Rng) -> Machine:
    """Up to three closed classes, some periodic, and states that lead to them, in any order."""
    blocks = [
        MATRICES[int(rng.integers(len(MATRICES)))](rng, int(k)) for k in rng.integers(2, 4, 2)
    ]
    if rng.random() < 0.5:
        period = int(rng.integers(1, 4))
        blocks.append(np.roll(np.eye(period), 1, axis=1))
    transient = int(rng.integers(0, 4))
    n = transient + sum(map(len, blocks))
    P = np.zeros((n, n))
    P[:transient] = rng.random((transient, n)) ** rng.choice([1, 30]) * (rng.random(n) < 0.6)
    at = transient
    for block in blocks:
        block[~block.any(axis=1), 0] = 1
        P[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    P[:transient][~P[:transient].any(axis=1), -1] = 1
    order = rng.permutation(n)
    return Machine(
        "reducible", Chain.from_matrix(_hardened(rng, P)[np.ix_(order, order)], normalize=True)
    )


def _edges(rng: Rng) -> Machine:
    """Many tokens that lead to few states."""
    n, source, target, probability = many_tokens(rng)
    return Machine("edges", _edge_chain(n, source, target, probability))


def _large(rng: Rng) -> Machine:
    """Up to three hundred states; the stationary distribution is known by construction."""
    known = known_by_construction(rng, int(rng.integers(40, 300)))
    return Machine("large", _edge_chain(*known.edges))


def _edge_chain(n: int, source: Floats, target: Floats, probability: Floats) -> Chain:
    token = np.arange(len(source)) - np.searchsorted(source, source)
    return Chain.from_edges(source, token, target, probability, n_states=n, normalize=True)


def machine(rng: Rng) -> Machine:
    """A machine of any family."""
    kinds: list[Callable[[Rng], Machine]] = [_windows, _matrix, _reducible, _edges, _large]
    return kinds[int(rng.choice(5, p=[0.34, 0.32, 0.25, 0.08, 0.01]))](rng)


# ---- answers side by side ----


class Side(NamedTuple):
    """What is held: a name, the stated bound, and the error that was found."""

    what: str
    bound: float | str
    error: float | Fraction


def absolute(found: Any, truth: Any) -> float | Fraction:
    """The largest difference of two lists of numbers; infinities have to be the same."""
    return max((_apart(f, t, relative=False) for f, t in _pairs(found, truth)), default=0.0)


def relative(found: Any, truth: Any) -> float | Fraction:
    """The same, of each number relative to the true one."""
    return max((_apart(f, t, relative=True) for f, t in _pairs(found, truth)), default=0.0)


def _pairs(found: Any, truth: Any) -> Iterator[tuple[Any, Any]]:
    return zip(np.ravel(found).tolist(), np.ravel(truth).tolist(), strict=True)


def _apart(found: Any, truth: Any, *, relative: bool) -> float | Fraction:
    found = float(found)
    if truth == math.inf or not math.isfinite(found):
        return 0.0 if found == truth == math.inf else math.inf
    truth = Fraction(truth)
    if relative and truth:
        # The nearest float to a number below the normal ones is not near, relatively.
        room = Fraction(math.ulp(0.0)) if abs(truth) < Fraction(2.3e-308) else 0
        return max(relative_error(found, truth) - room / abs(truth), Fraction(0))
    return abs(Fraction(found) - truth)


def _stationary(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found, truth = fg.stationary_distribution(ours), fg.stationary_distribution(exact)
    error: float | Fraction = 0.0
    for (states, pi), (same, right) in zip(found.classes, truth.classes, strict=True):
        error = max(error, absolute(states, same) and math.inf, relative(pi, right))
    yield Side("stationary", found.error_bound, error)


def _absorption(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found, truth = fg.absorption(ours), fg.absorption(exact)
    error = absolute(found.probabilities, truth.probabilities)
    yield Side("absorption", found.error_bound, error)
    error = relative(found.mean_steps, truth.mean_steps)
    yield Side("absorption times", found.error_bound, error)


def _hitting(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found, truth = fg.hitting(ours, start), fg.hitting(exact, start)
    error = absolute(found.probabilities, truth.probabilities)
    yield Side("hitting", found.error_bound, error)
    yield Side("hitting times", found.error_bound, relative(found.mean_steps, truth.mean_steps))


def _reach(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found, truth = fg.reach(ours, start), fg.reach(exact, start)
    yield Side("reach", found.error_bound, relative(found.probabilities, truth.probabilities))
    if found.mean_steps is None or truth.mean_steps is None:
        return
    yield Side("reach times", found.error_bound, relative(found.mean_steps, truth.mean_steps))
    if found.variance_errors is not None:
        for value, right, bound in zip(
            found.variances.tolist(), truth.variances, found.variance_errors.tolist(), strict=True
        ):
            yield Side("reach variances", bound, absolute([value], [right]))


def _passage(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found, truth = fg.mean_first_passage(ours), fg.mean_first_passage(exact)
    error = relative(found.mean_steps, truth.mean_steps)
    yield Side("first passage", found.error_bound, error)
    kemeny, right = fg.kemeny_constant(ours), fg.kemeny_constant(exact)
    yield Side("Kemeny", kemeny.error_bound, relative([kemeny.mean_steps], [right.mean_steps]))


def _limiting(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    options: dict[str, Any] = {"start": start, "time_average": True}
    found = fg.limiting_distribution(ours, **options)
    truth = fg.limiting_distribution(exact, **options)
    yield Side("limiting", found.error_bound, absolute(found.probabilities, truth.probabilities))


def _steps(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found = fg.distribution_after(ours, 5, start=start)
    truth = fg.distribution_after(exact, 5, start=start)
    yield Side("five steps", found.error_bound, absolute(found.probabilities, truth.probabilities))
    visits, right = fg.expected_visits(ours, start), fg.expected_visits(exact, start)
    error = relative(visits.mean_visits, right.mean_visits)
    yield Side("visits", visits.error_bound, error)


def _mp(value: Any) -> Any:
    fraction = Fraction(value)
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def _row_bits(rows: Any, other: Any = None) -> list[Any]:
    """-sum p log2 p of each exact row; or sum p log2 (p / q)."""
    found = []
    for s, row in enumerate(rows):
        terms = []
        for t, p in enumerate(row):
            if p:
                against = _mp(p) / _mp(other[s][t]) if other is not None else 1 / _mp(p)
                terms.append(_mp(p) * mpmath.log(against, 2))
        found.append(mpmath.fsum(terms))
    return found


def _mp_apart(found: float, truth: Any, *, relative: bool) -> float:
    if not math.isfinite(found):
        return math.inf
    error = abs(mpmath.mpf(found) - truth)
    return float(error / truth if relative and truth else error)


def _entropy(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found = fg.entropy_rate(ours)
    (states, pi), *others = fg.stationary_distribution(exact).classes
    if others:
        return
    source, _, _, probability = exact.edges()
    bits = dict.fromkeys(range(exact.n_states), mpmath.mpf(0))
    for s, p in zip(source.tolist(), probability, strict=True):
        bits[s] -= _mp(p) * mpmath.log(_mp(p), 2)
    truth = mpmath.fsum(_mp(x) * bits[int(s)] for s, x in zip(states, pi, strict=True))
    # A rate below the normal floats cannot be near, relatively.
    error = _mp_apart(found.bits_per_token, truth, relative=truth > 1e-290)
    yield Side("entropy rate", found.error_bound, error)


def _kl(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    if not ours.is_window:
        return
    V = ours.n_tokens
    other = Chain(
        np.asarray(ours.next_token) * 0.75 + 0.25 / V, context=ours.context, normalize=True
    )
    found = fg.compare(ours, other)
    (states, pi), *others = fg.stationary_distribution(exact).classes
    if others:
        return
    per_state = _row_bits(exact.next_token, other.exact().next_token)
    truth = mpmath.fsum(_mp(x) * per_state[int(s)] for s, x in zip(states, pi, strict=True))
    error = _mp_apart(found.kl_bits_per_token, truth, relative=False)
    yield Side("KL rate", found.error_bound, error)


def _spectrum(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    """Each disc has a true eigenvalue; of some machines, since a hundred digits take time."""
    n = ours.n_states
    if n > 6 or (start + n) % 3:
        return
    found = fg.spectrum(ours)
    P = mpmath.matrix(n)
    source, _, target, probability = exact.edges()
    for i, j, p in zip(source.tolist(), target.tolist(), probability, strict=True):
        P[i, j] += _mp(p)
    with mpmath.workdps(100):  # of a defective matrix each one costs its multiplicity in digits
        try:
            true = mpmath.eig(P, left=False, right=False)
        except (RuntimeError, ZeroDivisionError):  # its iteration did not end
            return
    for value, radius in zip(found.eigenvalues.tolist(), found.radius.tolist(), strict=True):
        near = min(abs(mpmath.mpc(value) - mpmath.mpc(other)) for other in true)
        yield Side("eigenvalue", radius, max(float(near) - 1e-25, 0.0))


def _mixing(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    if ours.n_states > 5:
        return
    found = fg.mixing_time(ours)
    if found.error_bound != UNCERTIFIED and found.steps is not None and found.steps <= 16:
        truth = fg.mixing_time(exact)
        yield Side("mixing time", 0.0, float(abs(found.steps - (truth.steps or 0))))


def _machine(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    """Equal float rows are equal rationals; others may become equal once divided by their sums."""
    found, truth = fg.minimize(ours), fg.minimize(exact)
    yield Side("minimal machine", 0.0, float(max(truth.exact_states - found.exact_states, 0)))


def _structure(ours: Chain, exact: Chain, start: int) -> Iterator[Side]:
    found = fg.communicating_classes(ours)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(ours.n_states))
    source, _, target, _ = ours.edges()
    graph.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
    classes = {frozenset(c) for c in nx.strongly_connected_components(graph)}
    closed = {c for c in classes if all(j in c for i in c for j in graph[i])}
    mine = {frozenset(map(int, states)) for states in found.closed}
    same = found.n_classes == len(classes) and mine == closed
    yield Side("classes", 0.0, 0.0 if same else math.inf)
    for states, period in zip(found.closed, found.periods, strict=True):
        part = graph.subgraph(map(int, states))
        depth = nx.single_source_shortest_path_length(part, int(states[0]))
        truth = math.gcd(*(depth[i] + 1 - depth[j] for i, j in part.edges))
        yield Side("period", 0.0, float(abs(period - truth)))


QUESTIONS: tuple[Callable[[Chain, Chain, int], Iterator[Side]], ...] = (
    *(_stationary, _absorption, _hitting, _reach, _passage, _limiting, _steps),
    *(_entropy, _kl, _spectrum, _mixing, _machine, _structure),
)


# ---- others ----


def _by_quantecon(ours: Chain) -> Iterator[Side]:
    """Their floats have no bound; a part in a million, of what is not tiny, is allowed."""
    with contextlib.suppress(ImportError):
        import quantecon

        P = np.asarray(ours.matrix(), dtype=float)
        if P[P > 0].min() < 1e-100:
            return  # their elimination loses such entries, and says nothing of it
        found = fg.communicating_classes(ours)
        other = quantecon.MarkovChain(P / P.sum(axis=1, keepdims=True))
        same = found.irreducible == other.is_irreducible
        if same and found.irreducible:
            same = found.periods[0] == other.period
            pi = fg.stationary_distribution(ours).pi
            theirs = other.stationary_distributions[0]
            apart = float(np.abs(pi - theirs).max())
            yield Side("QuantEcon: stationary", 1e-6, apart)
        yield Side("QuantEcon: structure", 0.0, 0.0 if same else math.inf)


def _by_storm(ours: Chain, exact: Chain, goal: int) -> Iterator[Side]:
    """Storm in rationals: probabilities and times of reaching a state."""
    with contextlib.suppress(ImportError):
        import stormpy  # noqa: F401

        from tests.storm import as_rational, ask, storm_model

        found = fg.hitting(ours, goal)
        model = storm_model(exact, {"goal": [goal]}, {"steps": [Fraction(1)] * exact.n_states})
        h = [as_rational(value) for value in ask(model, 'P=? [F "goal"]')]
        k = [as_rational(value) for value in ask(model, 'R{"steps"}=? [F "goal"]')]
        yield Side("Storm: hitting", found.error_bound, absolute(found.probabilities, h))
        yield Side("Storm: hitting times", found.error_bound, relative(found.mean_steps, k))


def _sides(made: Machine, rng: Rng) -> Iterator[tuple[str, Iterator[Side]]]:
    ours = made.chain
    start = int(rng.integers(ours.n_states))
    if made.kind == "large":
        yield "structure", _structure(ours, ours, start)
        yield "QuantEcon", _by_quantecon(ours)
        return
    exact = ours.exact()
    for question in QUESTIONS:
        yield question.__name__.strip("_"), question(ours, exact, start)
    if rng.random() < 0.1:
        yield "QuantEcon", _by_quantecon(ours)
    if rng.random() < 0.02:
        yield "Storm", _by_storm(ours, exact, start)


def differential(machines: int, *, seed: int, only: int | None = None, first: int = 0) -> Outcome:
    """Holds so many machines, of the indices from ``first`` on, against their rationals."""
    outcome = Outcome(seed)
    with mpmath.workdps(DIGITS):
        for index in range(first, first + machines) if only is None else [only]:
            rng = np.random.default_rng([seed, 2, index])
            made = machine(rng)
            outcome.chains += 1
            story = f"--seed {seed} --only {index} {made.kind}"
            for name, sides in _sides(made, rng):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")
                        for side in sides:
                            outcome.hold(*side, story)
                except FsmGptError as refused:
                    outcome.counts[name, "refused"] += 1
                    if not str(refused).isprintable():
                        outcome.fail(name, f"{story}: {name}: no sentence: {refused}")
                except Exception as problem:
                    outcome.fail(name, f"{story}: {name}: {problem!r}")
    return outcome


def shares(machines: int, workers: int) -> list[tuple[int, int]]:
    """Where each worker begins, and how many machines are its own."""
    cuts = [machines * k // workers for k in range(workers + 1)]
    return [(a, b - a) for a, b in pairwise(cuts)]
