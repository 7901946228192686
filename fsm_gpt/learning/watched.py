"""What was watched: every number at every step of every training, and what they have in common.

The numbers are those of :mod:`fsm_gpt.learning.measure`, the bands over several trainings those of
:mod:`fsm_gpt.learning.band`, the moments those of :mod:`fsm_gpt.learning.moments`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, NotDefined
from fsm_gpt.learning.band import Band, band
from fsm_gpt.learning.measure import MEASURES, Change, Snapshot, Yardstick
from fsm_gpt.learning.moments import Moments, moments
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.result import UNCERTIFIED, Bound, Result, format_number, read_only, to_json
from fsm_gpt.space import Vocabulary

__all__ = ["Watched", "gathered"]

Floats = npt.NDArray[np.float64]

#: The columns of the table that is printed.
SHOWN = ("loss", "kl_text", "nearest_order", "entropy_rate", "greedy_cycles", "second_eigenvalue")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Watched(Result):
    """The chains of models in training: their numbers at each step, over one or more trainings."""

    _hidden: ClassVar[tuple[str, ...]] = ("chains", "data", "vocabulary", "decoding")

    steps: tuple[int, ...]
    """The numbers of updates at which was looked."""
    runs: tuple[int | str, ...]
    """The seed of each training, or its name."""
    numbers: Mapping[str, Floats]
    """Every number of ``fsm_gpt.learning.MEASURES``, each of shape (runs, steps)."""
    to_order: Floats
    """KL(n-gram of order k of the text || model) in bits per token, shape (runs, steps, L + 1)."""
    errors: Mapping[str, Bound]
    """The largest absolute error of each number, in its unit."""
    absent: Mapping[str, str]
    """Of numbers that are missing somewhere: why, as it was said first."""
    changes: tuple[tuple[tuple[Change, ...], ...], ...] = field(repr=False)
    """The probabilities that moved most since the watched step before, by run and step."""
    context: int
    vocabulary: Vocabulary
    decoding: tuple[object, ...]
    text: str | None
    data: Chain | None
    """The text's own chain."""
    chains: tuple[tuple[Chain, ...], ...] | None
    """Each chain, by run and step; None where they were not kept."""

    # ---- of one model ----

    def chain(self, step: int, run: int | str | None = None) -> Chain:
        """The chain at a watched step; of the first training if none is named.

        Raises
        ------
        InvalidArgument
            The step or the training was not watched.
        NotDefined
            Chains were not kept.
        """
        r, s = self.place(step, run)
        if self.chains is None:
            raise NotDefined(
                "watched: the chains were not kept (keep_chains=False), only their numbers. Watch "
                "again with keep_chains=True, at fewer steps or with fewer seeds if memory is "
                "short."
            )
        return self.chains[r][s]

    def stationary(self, step: int, run: int | str | None = None) -> Floats:
        """The stationary probability of each state at a watched step, shape (N,).

        Raises
        ------
        InvalidArgument, NotDefined
            As for :meth:`chain`.
        NotUnique
            The chain has several closed classes.
        """
        return np.asarray(stationary_distribution(self.chain(step, run)).pi)

    def place(self, step: int, run: int | str | None = None) -> tuple[int, int]:
        """Where a training and a step stand in the arrays."""
        if step not in self.steps:
            raise InvalidArgument(
                f"watched: step {step!r} was not watched. These were: {_some(self.steps)}."
            )
        if run is not None and run not in self.runs:
            raise InvalidArgument(
                f"watched: there is no training {run!r}. These were watched: {_some(self.runs)}."
            )
        return 0 if run is None else self.runs.index(run), self.steps.index(step)

    # ---- over all of them ----

    def number(self, measure: str) -> Floats:
        """A number at every step of every training, shape (runs, steps).

        Raises
        ------
        InvalidArgument
            There is no number of this name.
        """
        if measure not in self.numbers:
            near = difflib.get_close_matches(str(measure), list(self.numbers), n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise InvalidArgument(
                f"watched: there is no number {measure!r}. {hint}There are "
                f"{', '.join(self.numbers)}."
            )
        return self.numbers[measure]

    def band(self, measure: str, *, low: float = 0.1, high: float = 0.9) -> Band:
        """Median and two quantiles of a number over the trainings, at each step.

        Raises
        ------
        InvalidArgument
            There is no number of this name, or the quantiles are not 0 <= low <= high <= 1.
        """
        values = self.number(measure)
        return band(measure, values, self.steps, low=low, high=high)

    def moments(self, *, lasting: bool = False) -> Moments:
        """When structure appears in each training: see :mod:`fsm_gpt.learning.moments`.

        Parameters
        ----------
        lasting
            Count a step only where it stays so until the last watched one.

        Raises
        ------
        NotDefined
            No text was given.
        """
        if self.data is None:
            raise NotDefined(
                "moments: they are about the n-grams of the text that is learned, and no text was "
                "given. Watch with the text."
            )
        return moments(self.to_order, self.steps, self.runs, lasting=lasting)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the chains, with the units and the moments."""
        return {
            **super().to_dict(),
            "units": {name: MEASURES[name].unit for name in self.numbers},
            "changes": [
                [[change._asdict() for change in step] for step in run] for run in self.changes
            ],
            "decoding": [str(rule) for rule in self.decoding],
            "vocabulary": to_json(list(self.vocabulary.tokens)),
            "moments": None if self.data is None else self.moments().to_dict(),
        }

    def __str__(self) -> str:
        n = len(self.runs)
        many = "1 training" if n == 1 else f"the median of {n:,} trainings"
        tokens = "1 token" if self.context == 1 else f"{self.context} tokens"
        steps = "1 watched step" if len(self.steps) == 1 else f"{len(self.steps):,} watched steps"
        lines = [f"{steps}, {many}, contexts of {tokens}"]
        shown = [name for name in SHOWN if not np.isnan(self.numbers[name]).all()]
        names = ["step", *(name.replace("_", " ") for name in shown)]
        lines.append("  ".join(names))
        middle = [self.band(name).median for name in shown]
        for s, step in enumerate(self.steps):
            cells = [f"{step:,}", *(format_number(float(column[s]), 4) for column in middle)]
            lines.append(
                "  ".join(f"{cell:>{len(name)}}" for cell, name in zip(cells, names, strict=True))
            )
        if self.data is not None:
            lines += str(self.moments()).splitlines()
        reasons: dict[str, list[str]] = {}
        for name, why in self.absent.items():
            if name != "largest_change":
                reasons.setdefault(why, []).append(name.replace("_", " "))
        lines += [f"  no {', '.join(names)}: {why}" for why, names in reasons.items()]
        return "\n".join(lines)


def _some(names: Sequence[object], most: int = 12) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more


def gathered(
    taken: Mapping[int | str, Sequence[tuple[int, Snapshot, Chain | None]]],
    *,
    context: int,
    vocabulary: Vocabulary,
    decoding: tuple[object, ...],
    text: str | None,
    yardstick: Yardstick | None,
) -> Watched:
    """Everything that was taken of each training, at the same steps of each, as one answer."""
    runs = tuple(taken)
    steps = tuple(step for step, _, _ in taken[runs[0]])
    grid = [[snapshot for _, snapshot, _ in taken[run]] for run in runs]
    readings = {name: [[one.readings[name] for one in row] for row in grid] for name in MEASURES}
    absent = {
        name: next(one.absent_because for row in rows for one in row if one.absent_because)
        for name, rows in readings.items()
        if any(one.absent_because for row in rows for one in row)
    }
    chains = [[chain for _, _, chain in taken[run] if chain is not None] for run in runs]
    return Watched(
        steps=steps,
        runs=runs,
        numbers={
            name: read_only([[one.value for one in row] for row in rows], np.float64)
            for name, rows in readings.items()
        },
        to_order=read_only([[one.to_order for one in row] for row in grid], np.float64),
        errors={
            name: _worst([one.error for row in rows for one in row if not one.absent_because])
            for name, rows in readings.items()
        },
        absent=absent,
        changes=tuple(tuple(one.changes for one in row) for row in grid),
        context=context,
        vocabulary=vocabulary,
        decoding=decoding,
        text=text,
        data=None if yardstick is None else yardstick.data,
        chains=tuple(map(tuple, chains)) if any(chains) else None,
    )


def _worst(errors: Sequence[Bound]) -> Bound:
    known = [float(one) for one in errors if one != UNCERTIFIED]
    return max(known) if known and len(known) == len(errors) else UNCERTIFIED
