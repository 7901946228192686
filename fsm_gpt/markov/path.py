"""The most likely path from one state to a set of states.

A path's probability is the product of its transitions' probabilities, so the most likely path is
the shortest one where a transition is as long as -log p (Viterbi's observation; Dijkstra's
algorithm serves, since no length is negative). Transitions of probability zero are no transitions.
Where several tokens lead from one state to another, the likeliest of them is the one written.

In rationals, products are compared as they are. In floats, lengths are sums of rounded logarithms.
A step's probability has up to D + 1 roundings, D being the number of its state's transitions, and a
sum of n steps of length l is within n u (D + 4 + l) of the truth. No shortest path has more than
N - 1 steps, so no other path is more likely than the one found by more than a factor exp of this
for both.

References
----------
Dijkstra (1959), Numerische Mathematik 1, 269-271. Viterbi (1967), IEEE Transactions on Information
Theory 13, 260-269.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.markov.state_sets import StateSet, begin, in_words, state_set
from fsm_gpt.markov.steps import SMALLEST
from fsm_gpt.result import UNCERTIFIED, Bound, Bounded, format_number, read_only
from fsm_gpt.storage import Edges

__all__ = ["MostLikelyPath", "most_likely_path"]

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MostLikelyPath(Bounded):
    """The likeliest way from a state into a set; nothing where there is none."""

    error_meaning = "relative error of the probability, also beside every other path's,"

    chain: Chain = field(repr=False)
    start: int
    target: Ids
    """The set, ascending."""
    reachable: bool
    """Whether any path leads from the start to the set."""
    states: Ids
    """Of the path, the start first; empty where there is none."""
    tokens: Ids
    """Written on the way, one a step."""
    probability: Any
    """Of the path: a Fraction where the chain is rational."""
    bits: float
    """-log2 of the probability; infinite where there is no path."""

    @property
    def steps(self) -> int:
        """The number of tokens."""
        return len(self.tokens)

    @property
    def text(self) -> str:
        """What is written on the way."""
        return self.chain.vocabulary.decode(self.tokens.tolist())

    def to_dict(self) -> dict[str, Any]:
        """The path as plain lists and numbers, with its text and the names of its states."""
        labels = self.chain.labels(self.states)
        return {**super().to_dict(), "text": self.text, "labels": labels}

    def __str__(self) -> str:
        inside = np.zeros(self.chain.n_states, dtype=bool)
        inside[self.target] = True
        begins = self.chain.label(self.start)
        if not self.reachable:
            return f"no path leads from {begins} to {in_words(self.chain, inside)}"
        lines = [
            f"the likeliest of all paths from {begins} to {in_words(self.chain, inside)} "
            f"({self.method}; {self.error_sentence})",
            f"  probability {format_number(self.probability)}, {format_number(self.bits)} bits, "
            f"{self.steps:,} step{'' if self.steps == 1 else 's'}",
        ]
        shown = self.chain.vocabulary.shown
        for token, state in list(zip(self.tokens, self.states[1:], strict=True))[:32]:
            lines.append(f"  {shown[int(token)]} to {self.chain.label(int(state))}")
        if self.steps > 32:
            lines.append(f"  ... and {self.steps - 32:,} more steps")
        return "\n".join(lines)


def most_likely_path(chain: Chain, start: Any, target: StateSet) -> MostLikelyPath:
    """The most likely path from a state to a set of states, and what is written on it.

    Parameters
    ----------
    start
        A state by id, label or token ids, or a prompt, whose last L tokens count.
    target
        A state, several, a text that the context shall end with, a mask, or a function of labels;
        see :func:`fsm_gpt.markov.reach.reach`. A start in the set is a path of no step.

    Returns
    -------
    The path, its tokens and its probability; equal ones are decided the same way each time, in
    rationals for the path of fewest steps. Where no path leads there, ``reachable`` is False and
    the probability 0.

    Raises
    ------
    NotDefined
        The rows hold symbols, which cannot be compared, or a likelier path may lead through what
        is unexplored.
    StateOutOfRange, InvalidText, InvalidArgument
        The start or the target names what is not there.

    Examples
    --------
    >>> walk = Chain.from_matrix([["1/2", "1/3", "1/6"], [0, "1/4", "3/4"], [0, 0, 1]])
    >>> found = most_likely_path(walk, 0, 2)
    >>> found.states.tolist(), found.probability, found.text
    ([0, 1, 2], Fraction(1, 4), '12')
    """
    inside = state_set(chain, target, "most_likely_path")
    weights = begin(chain, start)
    if np.count_nonzero(weights) != 1:
        raise InvalidArgument(
            "most_likely_path: the start is a distribution over several states, and a path starts "
            "in one. Name a state or a prompt."
        )
    s = int(np.flatnonzero(weights)[0])
    if chain.kind == "symbolic":
        raise NotDefined(
            "most_likely_path: the rows hold symbols, and which of two products is larger depends "
            "on their values. Put numbers in for them."
        )
    exact = chain.dtype == object
    edges, ends = chain.edges(), inside.copy()
    if chain.unexplored is not None:
        ends[chain.unexplored] = True
    if inside[s]:
        places: list[int] | None = []
    elif exact:
        places = _by_products(edges, s, ends)
    else:
        places = _by_logarithms(edges, s, ends)
    if places and not inside[edges.target[places[-1]]]:
        raise NotDefined(
            "most_likely_path: the likeliest path out of what was explored is likelier than any to "
            "the target inside, and where it leads is not known. Explore on with larger limits."
        )
    on = np.array(places or [], dtype=np.int64)
    p = edges.probability[on].tolist()
    probability = math.prod(p, start=Fraction(1) if exact else 1.0)
    if places is None:
        probability = Fraction(0) if exact else 0.0
    bits = math.inf if places is None else 0.0 - sum(_log2(value) for value in p)
    wrong: Bound = 0.0
    if not exact and len(on):
        wrong = _error(chain, len(on), bits) if probability > SMALLEST else UNCERTIFIED
    return MostLikelyPath(
        chain=chain,
        start=s,
        target=np.flatnonzero(inside),
        reachable=places is not None,
        states=read_only([] if places is None else [s, *edges.target[on]], np.int64),
        tokens=read_only(edges.token[on], np.int64),
        probability=probability,
        bits=bits,
        method="Dijkstra's algorithm on products" if exact else "Dijkstra's algorithm on -log p",
        error_bound=wrong,
        uncertified_because="" if wrong != UNCERTIFIED else "it is too small for a float",
    )


def _log2(p: Any) -> float:
    """The logarithm of a float or of a rational of any size."""
    if isinstance(p, Fraction):
        return math.log2(p.numerator) - math.log2(p.denominator)
    return math.log2(p)


def _error(chain: Chain, steps: int, bits: float) -> float:
    """The relative error of a path's probability, and by how much another may exceed it."""
    most = chain.n_tokens if chain.is_window else int(np.bincount(chain.raw_edges().source).max())
    length = bits * math.log(2)
    return math.expm1((steps + chain.n_states) * _UNIT * (most + 4 + length) * (1 + 1e-4))


def _by_products(edges: Edges, start: int, inside: Mask) -> list[int] | None:
    """The transitions of the path, by their places; of equal paths one of fewest steps."""
    first = np.searchsorted(edges.source, np.arange(len(inside) + 1))
    came: dict[int, int] = {}
    best = {start: (Fraction(-1), 0)}
    done: set[int] = set()
    heap = [(Fraction(-1), 0, start)]
    while heap:
        negative, n, s = heapq.heappop(heap)
        if s in done:
            continue
        if inside[s]:
            return _walked_back(edges, came, start, s)
        done.add(s)
        for e in range(first[s], first[s + 1]):
            t = int(edges.target[e])
            reached = (negative * edges.probability[e], n + 1)
            if t not in done and (t not in best or reached < best[t]):
                best[t], came[t] = reached, e
                heapq.heappush(heap, (*reached, t))
    return None


def _by_logarithms(edges: Edges, start: int, inside: Mask) -> list[int] | None:
    """The same for floats, compiled."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    N = len(inside)
    # Of the transitions between two states the likeliest, and of equal ones that of lowest token.
    order = np.lexsort((edges.token, -edges.probability, edges.target, edges.source))
    pairs = edges.source[order] * N + edges.target[order]
    first = np.concatenate([[True], pairs[1:] != pairs[:-1]])
    kept, pairs = order[first], pairs[first]
    length = -np.log(np.minimum(edges.probability[kept].astype(np.float64), 1.0)) + 0.0
    graph = csr_array((length, (edges.source[kept], edges.target[kept])), shape=(N, N))
    far, before = dijkstra(graph, indices=np.array([start]), return_predecessors=True)
    far, before = far[0], before[0]
    ends = np.flatnonzero(inside)
    if not len(ends) or not np.isfinite(far[ends]).any():
        return None
    end = int(ends[np.argmin(far[ends])])
    places: list[int] = []
    while end != start:
        came = int(before[end])
        places.append(int(kept[np.searchsorted(pairs, came * N + end)]))
        end = came
    return places[::-1]


def _walked_back(edges: Edges, came: dict[int, int], start: int, end: int) -> list[int]:
    places: list[int] = []
    while end != start:
        places.append(came[end])
        end = int(edges.source[came[end]])
    return places[::-1]
