"""The Pareto curve of machines: the fewest states that were found for each price.

The price of a machine of merged states is its KL rate (:mod:`fsm_gpt.markov.merged_rows`).
Candidates come from

- the exact minimal machine, at no price;
- one state, which forgets everything: h_0 - h, with h_0 the entropy of a token by itself;
- the last k tokens, where states are contexts: h_k - h (:mod:`fsm_gpt.markov.memory`);
- trees of suffixes closed under the shift (:mod:`fsm_gpt.markov.suffix_tree`), for windows;
- rows that fall into one cell of a grid, with their blocks split until they are consistent;
- merging two states at a time (:mod:`fsm_gpt.markov.merging`), beginning with the exact machine
  or, where that has too many states, with the best of the machines above.

Each price is worked out from all states of the chain, whichever search found the machine. The
search is greedy: a machine with fewer states at the same price may exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.markov.merged_rows import in_the_long_run, mean_rows, price
from fsm_gpt.markov.merging import merged_step_by_step
from fsm_gpt.markov.partition_families import families
from fsm_gpt.markov.refinement import exact_blocks
from fsm_gpt.markov.remembered import remembered
from fsm_gpt.result import Result, format_number, read_only
from fsm_gpt.rows import Numbers

__all__ = ["Candidate", "ParetoCurve", "pareto_curve"]

Ids = npt.NDArray[np.int64]

#: Pairs are merged where there are so many states at most, and so many of pairs times tokens.
MOST_MERGED, MOST_WORK = 256, 2**18
#: From the exact machine of so many states the others are begun with as well.
QUICKLY_MERGED = 64
#: Lines of the table of a curve.
LINES = 16
#: Prices that differ by less, relatively, are the same.
SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Candidate:
    """A partition, kept as the way to make it."""

    n_states: int
    kl_bits: float
    found_by: str
    make: Callable[[], Ids] = field(repr=False)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ParetoCurve(Result):
    """States against price: each machine is cheaper than all that were found with fewer states."""

    _hidden = ("machines",)

    machines: tuple[Candidate, ...] = field(repr=False)

    @property
    def n_states(self) -> Ids:
        """Of each machine its states, ascending from 1 to those of the exact machine."""
        return read_only([one.n_states for one in self.machines], np.int64)

    @property
    def kl_bits_per_token(self) -> Numbers:
        """Of each machine its KL rate, descending to 0."""
        return read_only([one.kl_bits for one in self.machines], np.float64)

    @property
    def found_by(self) -> tuple[str, ...]:
        """Which search found each machine."""
        return tuple(one.found_by for one in self.machines)

    def to_dict(self) -> dict[str, object]:
        """The curve as plain lists."""
        return {
            "n_states": self.n_states.tolist(),
            "kl_bits_per_token": self.kl_bits_per_token.tolist(),
            "found_by": list(self.found_by),
        }

    def lines(self, marked: int | None = None) -> list[str]:
        """The table, with the machine of so many states marked; long ones are thinned out."""
        n = len(self.machines)
        shown = set(range(n))
        if n > LINES:
            sizes = self.n_states
            wanted = np.geomspace(1, sizes[-1] + 0.5, LINES)
            shown = set((np.searchsorted(sizes, wanted, side="right") - 1).tolist()) | {0, n - 1}
            shown |= {i for i, one in enumerate(self.machines) if one.n_states == marked}
        lines = [f"  {'states':>10}  {'KL bits per token':>17}  found by"]
        for i in sorted(shown):
            one = self.machines[i]
            bits = format_number(one.kl_bits)
            mark = "*" if one.n_states == marked else " "
            lines.append(f"{mark} {one.n_states:>10,}  {bits:>17}  {one.found_by}")
        if len(shown) < n:
            lines.append(f"  ({n - len(shown):,} machines between these are not shown)")
        return lines

    def __str__(self) -> str:
        return "\n".join(["states against price (greedy search)", *self.lines()])


def pareto_curve(chain: Chain) -> ParetoCurve:
    """The machines of a chain that no other found is better than.

    >>> pareto_curve(Chain([[0.5, 0.5], [0.25, 0.75]])).n_states
    array([1, 2])
    """

    def found() -> ParetoCurve:
        floats, pi, _, _ = in_the_long_run(chain)
        candidates = _candidates(floats, pi, exact_blocks(chain)[0])
        return ParetoCurve(machines=tuple(_undominated(candidates)))

    return remembered(chain, "pareto", found)


def _candidates(chain: Chain, pi: Numbers, exact: Ids) -> list[Candidate]:
    """Machines of a chain in floats; ``exact`` is the block of each state in the exact one."""
    M = int(exact.max()) + 1
    found = [Candidate(M, 0.0, "exact", lambda: exact)]
    seen = {M: 0.0}
    starts = [found[0]]
    for family in families(chain, pi, M):
        best = None
        for name, block, make in family:
            one = _priced(chain, pi, block, name, make)
            if one.kl_bits >= seen.get(one.n_states, np.inf):
                continue
            seen[one.n_states] = one.kl_bits
            found.append(one)
            if _mergeable(one.n_states, chain.n_tokens):
                best = one if best is None or one.kl_bits < best.kl_bits else best
        starts += [best] if best else []
    if _mergeable(M, chain.n_tokens) and M > QUICKLY_MERGED:
        starts = starts[:1]
    for start in starts:
        if _mergeable(start.n_states, chain.n_tokens):
            found += _merged_from(chain, pi, start)
    return found


def _mergeable(n_states: int, n_tokens: int) -> bool:
    return 1 < n_states <= MOST_MERGED and n_states**2 * n_tokens <= MOST_WORK


def _undominated(found: list[Candidate]) -> list[Candidate]:
    """The candidates that none with as few states is cheaper than; of equals the first found."""
    best: dict[int, Candidate] = {}
    for one in found:
        known = best.setdefault(one.n_states, one)
        if one.kl_bits < known.kl_bits * (1 - SAME):
            best[one.n_states] = one
    kept: list[Candidate] = []
    for n in sorted(best):
        if not kept or best[n].kl_bits < kept[-1].kl_bits * (1 - SAME):
            kept.append(best[n])
    return kept


def _priced(chain: Chain, pi: Numbers, block: Ids, name: str, make: Callable[[], Ids]) -> Candidate:
    bits = price(chain, pi, block, mean_rows(chain, pi, block)).kl_bits
    return Candidate(int(block.max()) + 1, bits, name, make)


def _merged_from(chain: Chain, pi: Numbers, start: Candidate) -> Iterator[Candidate]:
    """The machines that come of merging the states of one, two at a time."""
    base = start.make()
    K, V = start.n_states, chain.n_tokens
    rows = mean_rows(chain, pi, base)
    mass = np.bincount(base, weights=pi, minlength=K)
    small = Chain.from_edges(*rows, n_states=K, vocabulary=chain.vocabulary)
    successor = np.full((K, V), -1, dtype=np.int64)
    edges = chain.raw_edges()
    successor[base[edges.source], edges.token] = base[edges.target]
    name = "merging pairs" if start.found_by == "exact" else f"{start.found_by}, pairs merged"

    def make(block: Ids) -> Callable[[], Ids]:
        return lambda: block[start.make()]

    for block in merged_step_by_step(successor, mass[:, None] * small.next_token):
        bits = price(small, mass, block, mean_rows(small, mass, block)).kl_bits
        yield Candidate(int(block.max()) + 1, start.kl_bits + bits, name, make(block))
