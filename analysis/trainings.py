"""The baby GPT trained many times: other seeds, other numbers of steps."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from analysis.study import Progress
from analysis.subject import SEED, STEPS, TEXT, baby
from fsm_gpt.chain import Chain
from fsm_gpt.counts import encode_text, transitions
from fsm_gpt.extract import extract
from fsm_gpt.markov.row_entropy import row_entropies, surprise

if TYPE_CHECKING:
    from fsm_gpt.gpt import GPT, TrainingRun

__all__ = [
    "Trained",
    "arrow",
    "gpt_chains",
    "probability",
    "train_all",
    "window_bits",
    "window_floor",
]


@dataclass(frozen=True, eq=False)
class Trained:
    """One training of the baby GPT, and its chain."""

    run: TrainingRun
    chain: Chain

    @classmethod
    def of(cls, *, seed: int = SEED, steps: int = STEPS) -> Trained:
        """Train it, unless that was done before."""
        found = baby(seed=seed, steps=steps)
        return cls(found, extract(found.model))

    def probability(self, context: str, token: str) -> float:
        """P(token | context)."""
        return probability(self.chain, context, token)


def probability(chain: Chain, context: str, token: str) -> float:
    """P(token | context) of a chain.

    >>> probability(Chain([[0.5, 0.5], [0.25, 0.75]]), "1", "0")
    0.25
    """
    return float(chain.next_token[chain.state(context), chain.vocabulary.ids[token]])


def arrow(context: str, token: str) -> str:
    """A transition as the article writes it.

    >>> arrow("101", "1")
    '101 → 011'
    """
    return f"{context} → {context[1:]}{token}"


def train_all(
    wanted: Sequence[tuple[int, int]], progress: Progress | None, *, done: int = 0, of: int = 0
) -> list[Trained]:
    """The trainings with these seeds and steps; ``done`` of ``of`` were there before."""
    found = []
    for place, (seed, steps) in enumerate(wanted, start=done + 1):
        found.append(Trained.of(seed=seed, steps=steps))
        if progress is not None:
            progress(place, of or len(wanted), f"seed {seed}, {steps:,} steps")
    return found


@lru_cache(maxsize=128)
def gpt_chains(
    text: str,
    *,
    context: int,
    seed: int,
    steps: tuple[int, ...],
    learning_rate: float,
    vocabulary: str | None = None,
    batch: int | None = None,
    n_layer: int = 4,
    n_embd: int = 16,
) -> dict[int, Chain]:
    """The chains of a GPT after each of these steps of one training on another text.

    The same training is done once.
    """
    from fsm_gpt.gpt import train

    found: dict[int, Chain] = {}

    def look(step: int, model: GPT, loss: float) -> None:
        if step in steps:
            found[step] = extract(model)

    train(
        text,
        context=context,
        seed=seed,
        steps=max(steps),
        learning_rate=learning_rate,
        vocabulary=vocabulary,
        batch=batch,
        n_layer=n_layer,
        n_embd=n_embd,
        each_step=look,
    )
    return found


def window_bits(chain: Chain) -> float:
    """The training loss of a chain in bits: the mean surprise over the training windows."""
    bits = surprise(chain.next_token)
    return statistics.fmean(float(bits[state, token]) for state, token in _windows(chain))


def window_floor(data: Chain) -> float:
    """The least training loss in bits: the mean uncertainty of the data's own rows.

    >>> window_floor(Chain.from_text(TEXT, context=3, end="drop"))
    0.5
    """
    bits = row_entropies(data.floats().next_token)
    return statistics.fmean(float(bits[state]) for state, _ in _windows(data))


def _windows(chain: Chain) -> list[tuple[int, int]]:
    """The windows that training shows: the state of each, and the token that follows."""
    ids, _ = encode_text(TEXT, chain.vocabulary)
    found = transitions(ids, chain.context or 0).tolist()
    return [(chain.state(window[:-1]), window[-1]) for window in found]
