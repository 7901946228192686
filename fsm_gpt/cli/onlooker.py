"""Looking at a training while it runs, for the slider of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.gpt.model import GPT
    from fsm_gpt.learning.watched import Watched

__all__ = ["Onlooker", "looked_at"]

#: Where a training is looked at, and at its last step.
LOOKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def looked_at(steps: int) -> list[int]:
    """The steps at which a training of so many is looked at.

    >>> looked_at(50), looked_at(3)
    ([0, 1, 2, 5, 10, 20, 50], [0, 1, 2, 3])
    """
    return [*(step for step in LOOKS if step < steps), steps]


class Onlooker:
    """Takes the chain of a model in training, where its graph can be read."""

    def __init__(self, text: str, context: int, steps: int) -> None:
        from fsm_gpt.report.graph import GRAPH_LIMIT

        self.text = text
        small = len(set(text)) ** max(context, 0) <= GRAPH_LIMIT
        self.wanted = set(looked_at(steps)) if small and steps > 0 else set()
        self.chains: list[tuple[int, Chain]] = []

    def __call__(self, step: int, model: GPT, loss: float) -> None:
        """The model after so many updates."""
        if step in self.wanted:
            from fsm_gpt.extract import extract

            self.chains.append((step, extract(model)))

    def watched(self) -> Watched | None:
        """What was seen; None where nothing was looked at."""
        if not self.chains:
            return None
        from fsm_gpt.watch import watch_models

        return watch_models(self.chains, self.text)
