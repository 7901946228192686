"""Every question of a pattern, asked one by one; what has no answer is said and left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import NotConverged, StateSpaceTooLarge
from fsm_gpt.markov.counting import Number, long_run_mean, worst
from fsm_gpt.patterns.answers import ends_of, ever, expected_ends, within
from fsm_gpt.patterns.automaton import Automaton
from fsm_gpt.patterns.product import LEFT, MATCHED, WHOLE, product
from fsm_gpt.result import UNCERTIFIED
from fsm_gpt.rows import Numbers

__all__ = ["Asked"]


@dataclass(eq=False)
class Asked:
    """The questions, asked one by one; one that has no answer leaves a note."""

    chain: Chain
    machine: Automaton
    weights: Numbers
    steps: int | None
    long_run: bool
    max_memory_gib: float
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = np.flatnonzero(self.weights != 0)
        self.first = product(
            self.chain,
            self.machine,
            self.states,
            until_match=True,
            max_memory_gib=self.max_memory_gib,
        )

    def numbers(self) -> dict[str, Number]:
        """Every number that there is."""
        found: dict[str, Number] = {}
        x = self.first.start(self.weights[self.states])
        matched, left = self.first.places[MATCHED], self.first.places[LEFT]
        if self.steps is not None:
            found["within"] = within(self.first, x, self.steps, matched)
            if left is not None:
                found["left within"] = within(self.first, x, self.steps, left)
        if self.long_run:
            self._try(found, ("ever", "mean"), lambda: ever(self.first, x, [matched]))
            if left is not None and "ever" in found:
                self._try(found, ("left",), lambda: (self._beyond(found["ever"], x),))
                if found["ever"].value != 1:
                    del found["mean"]
        if left is not None:
            self.notes.append(
                "a part of the chain is unexplored, so that probabilities are lower bounds"
            )
        self._count(found)
        return found

    def _beyond(self, lower: Number, x: Numbers) -> Number:
        """How much higher the probability of ever matching may be."""
        places = self.first.places
        upper = ever(self.first, x, [places[MATCHED], places[LEFT]])[0]
        bound, reason = worst([lower, upper])
        wide = bound if bound == UNCERTIFIED else 2 * float(bound)
        return Number(upper.value - lower.value, wide, reason, upper.method)

    def _count(self, found: dict[str, Number]) -> None:
        """What goes on after the first match."""
        made = product(
            self.chain,
            self.machine,
            self.states,
            until_match=False,
            max_memory_gib=self.max_memory_gib,
        )
        if made.places[LEFT] is not None:
            self.notes.append(
                "how often the pattern occurs is not known, as a part of the chain is unexplored"
            )
            return
        x = made.start(self.weights[self.states])
        r = ends_of(made, self.machine)
        if self.steps is not None:
            found["ends"] = expected_ends(made, x, r, self.steps)
        if self.long_run:
            self._try(found, ("frequency",), lambda: (long_run_mean(made.chain, x, r),))
            if self.chain.end is not None:
                whole = made.places[WHOLE]
                self._try(found, ("whole",), lambda: ever(made, x, [whole])[:1])

    def _try(
        self,
        found: dict[str, Number],
        names: tuple[str, ...],
        ask: Callable[[], tuple[Number, ...]],
    ) -> None:
        """Ask; what is too large or does not settle is said and left out."""
        try:
            found.update(zip(names, ask(), strict=False))
        except (StateSpaceTooLarge, NotConverged) as problem:
            note = f"not known: {problem}"
            if note not in self.notes:
                self.notes.append(note)
