"""Small chains on which an answer can be wrong without a word: what each tool says.

Sixteen states, so that the truth is had in exact rationals (:mod:`analysis.bench.oracle`) and time
does not matter. Two chains have one stationary distribution that is hard to come by: two halves
that hardly know of each other, and windows that repeat their last token but for a small chance.
The third has three closed classes and so no such thing as *the* stationary distribution: a tool
can say so, give all three, or give one vector as if it were the only one.

PyDTMC, deeptime and emic are not needed for anything else and are asked where they are installed:
``pip install pydtmc deeptime emic``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.bench import storm
from analysis.bench.oracle import exact
from analysis.bench.peers import PEERS
from analysis.bench.results import Found, Results, Row, Size
from analysis.bench.tasks import Call, Task, needs
from analysis.study import Table
from fsm_gpt.chain import Chain
from fsm_gpt.errors import FsmGptError, MissingExtra
from fsm_gpt.markov import stationary_distribution
from fsm_gpt.result import format_number

__all__ = ["CHAINS", "TOOLS", "absorbing", "ask", "run", "said", "table"]

Floats = npt.NDArray[np.float64]

#: How small the small probabilities are. Storm iterates for minutes on the full ones.
EPS: dict[Size, tuple[float, float]] = {
    "full": (1e-14, 1e-12),
    "quick": (1e-14, 1e-12),
    "tiny": (1e-3, 1e-3),
}
LIMIT = 30.0


def _halves(eps: float) -> Floats:
    rng = np.random.default_rng(0)
    P = np.zeros((16, 16))
    P[:8, :8], P[8:, 8:] = (rng.dirichlet(np.ones(8), 8) for _ in range(2))
    P[:8, 8], P[8:, 0] = eps, 3 * eps
    return np.asarray(P / P.sum(axis=1, keepdims=True))


def _repeating(eps: float) -> Floats:
    rows = np.random.default_rng(0).uniform(0.5, 1.5, (16, 2)) * eps
    rows[np.arange(16), np.arange(16) % 2] = 1
    return np.asarray(Chain(rows, normalize=True).matrix())


def _three(eps: float) -> Floats:
    rng = np.random.default_rng(1)
    P = np.zeros((16, 16))
    for first, last in ((0, 4), (4, 9), (9, 14)):
        P[first:last, first:last] = rng.dirichlet(np.ones(last - first), last - first)
    P[14:] = rng.dirichlet(np.ones(16), 2)
    return P


CHAINS: dict[str, Callable[[float], Floats]] = {
    "two halves": _halves,
    "repeating": _repeating,
    "three classes": _three,
}


def _textbook(P: Floats) -> Any:
    A = np.eye(len(P)) - P
    A[:, -1] = 1
    return np.linalg.solve(A.T, np.eye(len(P))[-1])


def _eigenvector(P: Floats) -> Any:
    values, vectors = np.linalg.eig(P.T)
    x = vectors[:, np.argmin(abs(values - 1))].real
    return x / x.sum()


def _extra(package: str) -> Any:
    """The package of a tool that the benchmark does without."""
    try:
        return needs(package)
    except MissingExtra:
        name = package.partition(".")[0]
        raise MissingExtra(
            f"{name} is not installed, so it was not measured. To ask it too: pip install {name}."
        ) from None


def _pydtmc(P: Floats) -> Any:
    return np.array(_extra("pydtmc").MarkovChain(P).steady_states)


def _deeptime(P: Floats) -> Any:
    return _extra("deeptime.markov.tools.analysis").stationary_distribution(P)


def _emic(P: Floats) -> Any:
    builder = _extra("emic").EpsilonMachineBuilder()
    for i, j in np.argwhere(P):
        builder = builder.add_transition(str(i), int(j), str(j), float(P[i, j]))
    law = builder.with_start_state("0").build().stationary_distribution
    return np.array([law.probs.get(str(i), 0.0) for i in range(len(P))])


def _quantecon(P: Floats) -> Any:
    return np.array(needs("quantecon").MarkovChain(P).stationary_distributions)


TOOLS: dict[str, Callable[[Floats], Any]] = {
    "fsm_gpt": lambda P: stationary_distribution(Chain.from_matrix(P)).pi,
    "QuantEcon": _quantecon,
    "PyDTMC": _pydtmc,
    "deeptime": _deeptime,
    "emic": _emic,
    "Storm": lambda P: storm.stationary(storm.model(Chain.from_matrix(P))),
    "numpy, linear equations": _textbook,
    "numpy, eigenvector": _eigenvector,
    "scipy, ARPACK": lambda P: PEERS["ARPACK"](Chain.from_matrix(P))(),
    "power iteration to 1e-12": lambda P: PEERS["power iteration"](Chain.from_matrix(P))(),
}


def said(answer: npt.ArrayLike, truth: Floats | None) -> tuple[float | None, str]:
    """The largest relative error of an answer, and what is to be said of it.

    >>> said([0.5, 0.5], np.array([0.25, 0.75]))
    (1.0, '')
    >>> said([[1.0, 0.0], [0.0, 1.0]], None)
    (None, '2 distributions')
    >>> said([0.5, 0.5], None), said([1.5, -0.5], np.array([0.5, 0.5]))
    ((None, 'one, as if it were the only one'), (2.0, 'a negative probability'))
    """
    x = np.atleast_2d(np.asarray(answer, dtype=np.float64))
    if truth is None or len(x) > 1:
        several = f"{len(x)} distributions" if len(x) > 1 else "one, as if it were the only one"
        return None, several
    note = "a negative probability" if x.min() < 0 else ""
    return float(np.abs(x[0] / truth - 1).max()), note


def ask(tool: str, chain: str, eps: float) -> list[Found]:
    """One tool about one chain."""
    P = CHAINS[chain](eps)
    truth = None
    if chain != "three classes":
        truth = np.array([float(x) for x in exact([[Fraction(p) for p in row] for row in P])])
    key = f"small/{chain}/{tool}"
    with warnings.catch_warnings(record=True) as heard, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            value, note = said(TOOLS[tool](P), truth)
        except MissingExtra:
            raise
        except FsmGptError:
            value, note = None, "refuses, and says why"
        except Exception as error:
            value, note = None, f"fails: {type(error).__name__}"
    warned = [w for w in heard if issubclass(w.category, (RuntimeWarning, UserWarning))]
    note = ", ".join(filter(None, [note, "with a warning" if warned else ""]))
    return [Row(key=key, value=value, unit="relative", at="16 states", note=note)]


def absorbing() -> list[Found]:
    """How many states PyDTMC calls absorbing, of a chain that leaves the first in one of 1e6."""
    P = np.array([[1 - 1e-6, 1e-6], [0.5, 0.5]])
    states = _extra("pydtmc").MarkovChain(P).absorbing_states
    return [Row(key="small/absorbing/PyDTMC", value=len(states), unit="states", at="2 states")]


def run(call: Call, size: Size) -> list[Found]:
    """Every tool about every chain."""
    found = call(Task("small/absorbing/PyDTMC", absorbing, limit=LIMIT))
    for chain in CHAINS:
        eps = EPS[size][list(CHAINS).index(chain) % 2]
        for tool in TOOLS:
            if size == "tiny" and tool == "Storm":
                continue  # it would not come back, and a test has no process to stop
            arguments = {"tool": tool, "chain": chain, "eps": eps}
            found += call(Task(f"small/{chain}/{tool}", ask, arguments, limit=LIMIT))
    return found


def table(results: Results) -> Table:
    """A line for each tool, a column for each chain."""
    heads = ("two halves, 1e-14", "repeating, 1e-12", "three closed classes")

    def cell(chain: str, tool: str) -> str:
        row = results.rows.get(f"small/{chain}/{tool}")
        if row is None or (row.value is None and "not installed" in row.note):
            return "not measured"
        number = "" if row.value is None else format_number(row.value, 2)
        return ", ".join(filter(None, [number, row.note])) or "no answer"

    return Table(
        "Stationary distributions of small chains",
        ("tool", *heads),
        [[tool, *(cell(chain, tool) for chain in CHAINS)] for tool in TOOLS],
        note="A number is the largest relative error of an entry: 1 is an entry without a right "
        "digit. The third chain has no single answer.",
    )
