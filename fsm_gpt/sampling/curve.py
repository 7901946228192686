"""The finite-t curve: how uncertain the next token is at each position of a generated text.

E[H(row at t)] is the entropy of token t given the state it is drawn in. It tends to the entropy
rate where the process forgets its beginning. A reader sees burn-in as a bend at the left, and a
drift (the entropy of generated text that goes on rising or falling with its length) as a running
mean that does not settle.

References
----------
Braverman et al. (2020), Calibration, Entropy Rates, and Memory in Language Models, ICML, arXiv
1906.05664 (entropy rates of generations that drift with their length).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.result import Result, read_only

__all__ = ["EntropyCurve", "entropy_curve"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

#: Positions that are kept: all of the first, then ever fewer.
POSITIONS = 200


@dataclass(frozen=True, eq=False, repr=False)
class EntropyCurve(Result):
    """Entropy of the next token by position, over streams; the first token drawn is at 0."""

    positions: Ids
    bits: Floats
    """Mean over the streams of the entropy at the position, in bits."""
    standard_error: Floats
    running_mean_bits: Floats
    """Mean of all positions up to this one, in bits per token."""
    running_standard_error: Floats

    def __str__(self) -> str:
        """The curve at powers of ten and at its end."""
        shown = {0, len(self.positions) - 1}
        shown |= {int(np.searchsorted(self.positions, 10**k)) for k in range(1, 10)}
        lines = [f"{'position':>10} {'bits':>8} {'+-':>8} {'mean so far':>12} {'+-':>8}"]
        lines += [
            f"{self.positions[i]:>10,} {self.bits[i]:>8.4f} {self.standard_error[i]:>8.4f} "
            f"{self.running_mean_bits[i]:>12.4f} {self.running_standard_error[i]:>8.4f}"
            for i in sorted(i for i in shown if i < len(self.positions))
        ]
        return "\n".join(lines)


def entropy_curve(entropies: Floats) -> EntropyCurve:
    """The curve of streams whose rows have these entropies, shape (K, n).

    >>> curve = entropy_curve(np.array([[1.0, 0.0, 0.75], [1.0, 1.0, 0.75]]))
    >>> curve.bits.tolist(), curve.running_mean_bits.tolist()
    ([1.0, 0.5, 0.75], [1.0, 0.75, 0.75])
    """
    K, n = entropies.shape
    positions = np.unique(np.round(np.geomspace(1, n, POSITIONS)).astype(np.int64)) - 1
    here = entropies[:, positions]
    so_far = np.cumsum(entropies, axis=1)[:, positions] / (positions + 1)
    root = np.sqrt(K)
    return EntropyCurve(
        positions=read_only(positions),
        bits=read_only(here.mean(axis=0)),
        standard_error=read_only(here.std(axis=0, ddof=1) / root),
        running_mean_bits=read_only(so_far.mean(axis=0)),
        running_standard_error=read_only(so_far.std(axis=0, ddof=1) / root),
    )
