"""When structure appears: which n-gram of the text a model in training is nearest to.

Let d_k be the KL rate from the text's n-gram of order k to the model, KL(G_k || model) in bits per
token (:mod:`fsm_gpt.learning.measure`), k = 0 to L. At each watched step the *nearest order* is
the k of the least d_k, the smallest where several are least; none where all are infinite. A model
of even rows is nearest to the unigram, since of all G_k that has the largest entropy. Two moments
are defined:

- the *bigram step*, the first watched step with d_1 < d_0: the model is nearer to the text's
  bigram than to its unigram;
- the *text step*, the first watched step with d_L < d_1: it is nearer to the text's own chain
  than to its bigram. Where L = 1 the two are the same chain, and there is no such moment.

Each is the first *watched* step of its kind. In between nothing is known, so watch densely where
the moment matters. That a model stays so is not said either; ``lasting`` asks for the first step
from which on it does at all watched steps.

References
----------
Edelman, Edelman, Goel, Malach & Tsilivis (2024), arXiv 2402.11004, section 3 (phases: uniform,
unigram, bigram). Makkuva et al. (2024), arXiv 2402.04161 (unigram and bigram solutions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.result import Result

__all__ = ["Moments", "moments"]

Floats = npt.NDArray[np.float64]
Steps = tuple[int | None, ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Moments(Result):
    """The watched steps at which structure appears, for each training; None where it never did."""

    runs: tuple[int | str, ...]
    """The seed or the name of each training."""
    bigram_step: Steps
    """The first watched step nearer to the text's bigram than to its unigram."""
    text_step: Steps
    """The first watched step nearer to the text's own chain than to its bigram."""
    first_of_order: tuple[Steps, ...]
    """For each training, the first watched step at which the nearest order is k, k = 0 to L."""
    lasting: bool
    """Whether steps count only where it stays so until the last watched one."""

    def __str__(self) -> str:
        kind = "from which on" if self.lasting else "at which"
        lines = [f"first watched step {kind} the model is nearer to"]
        for words, steps in (
            ("the text's bigram than to its unigram", self.bigram_step),
            ("the text's own chain than to its bigram", self.text_step),
        ):
            same = steps is self.text_step and len(self.first_of_order[0]) == 2
            said = "not defined, as with one token of context they are the same"
            lines.append(f"  {words}: {said if same else _in_words(steps)}")
        return "\n".join(lines)


def _in_words(steps: Steps) -> str:
    found = [step for step in steps if step is not None]
    if not found:
        return "never"
    never = len(steps) - len(found)
    span = f"{min(found):,}" if min(found) == max(found) else f"{min(found):,} to {max(found):,}"
    if len(steps) == 1:
        return span
    middle = float(np.median(found))
    said = f"{span}, median {middle:g}" if min(found) != max(found) else span
    return said + (f", and never in {never} of {len(steps)} trainings" if never else "")


def moments(
    to_order: Floats, steps: tuple[int, ...], runs: tuple[int | str, ...], *, lasting: bool = False
) -> Moments:
    """The moments of trainings with these distances, shape (runs, steps, L + 1).

    >>> away = np.array([[[0.1, 0.3, 0.6], [0.2, 0.1, 0.3], [0.6, 0.4, 0.1]]])
    >>> found = moments(away, (0, 10, 50), ("a run",))
    >>> found.bigram_step, found.text_step, found.first_of_order
    ((10,), (50,), ((0, 10, 50),))
    """
    orders = to_order.shape[2]
    reached = np.isfinite(to_order.min(axis=2))
    nearest = np.where(reached, to_order.argmin(axis=2), -1)
    bigram = to_order[:, :, 1] < to_order[:, :, 0]
    text = to_order[:, :, -1] < to_order[:, :, 1]
    return Moments(
        runs=runs,
        bigram_step=tuple(_first(row, steps, lasting) for row in bigram),
        text_step=tuple(_first(row, steps, lasting) for row in text),
        first_of_order=tuple(
            tuple(_first(row == k, steps, lasting) for k in range(orders)) for row in nearest
        ),
        lasting=lasting,
    )


def _first(holds: npt.NDArray[np.bool_], steps: tuple[int, ...], lasting: bool) -> int | None:
    """The first step at which it holds, or from which on it does."""
    if lasting:
        holds = np.logical_and.accumulate(holds[::-1])[::-1]
    return steps[int(np.argmax(holds))] if holds.any() else None
