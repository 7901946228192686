"""A report of a text of one's own: a GPT is trained on it, and its chain is reported.

The recipe is one that a person waits for: a context of three tokens as in the article, or fewer
where the vocabulary is so large that not every window of three could be listed soon; and a
thousand steps, each shown some windows. ``fsm-gpt train`` has every option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_gpt.cli.console import say
from fsm_gpt.cli.onlooker import Onlooker
from fsm_gpt.cli.train import run_training
from fsm_gpt.errors import StateSpaceTooLarge

if TYPE_CHECKING:
    from fsm_gpt.chain import Chain
    from fsm_gpt.learning.watched import Watched

__all__ = ["OwnText", "chosen_context", "of_text", "refuse_too_large"]

#: The context of the article, and the most probabilities that a short wait has room for.
CONTEXT, MOST_PROBABILITIES = 3, 2**20
#: Steps, windows in each, and the learning rate that makes them enough.
STEPS, BATCH, RATE = 1000, 256, 3e-3
#: Above so many states the untrained model is not shown beside the trained one.
MOST_BESIDE = 4096


@dataclass(frozen=True)
class OwnText:
    """The chain of a model that was trained on a text, and what came before."""

    chain: Chain
    before: Chain | None
    losses: tuple[float, ...]
    watched: Watched | None


def chosen_context(V: int, length: int) -> int:
    """How many tokens a model of V tokens sees, to be listed soon and trained on the text.

    >>> chosen_context(2, 15), chosen_context(65, 10**6), chosen_context(1000, 10**6)
    (3, 2, 1)
    """
    fits = [L for L in range(1, CONTEXT + 1) if V ** (L + 1) <= MOST_PROBABILITIES and L < length]
    return max(fits, default=1)


def of_text(
    text: str, *, context: int | None, steps: int | None, seed: int, max_memory: float
) -> OwnText:
    """Train on a text, and extract the chain of every window of the model.

    Raises
    ------
    InvalidText
        The text is empty or too short.
    InvalidArgument
        It has one symbol alone.
    StateSpaceTooLarge
        The context that was asked for has too many windows to list.
    """
    from fsm_gpt.cutting import largest_cut

    V = len(set(text))
    L = chosen_context(V, len(text)) if context is None else context
    steps = STEPS if steps is None else steps
    refuse_too_large(V, L, max_memory)
    most = min(CONTEXT, len(text) - 1, largest_cut(V, CONTEXT, max_memory_gib=max_memory))
    batch = BATCH if len(text) - L > BATCH else None
    few = f" of {BATCH} windows each" if batch else ""
    if V > 1:  # else the training says what is wrong
        say(
            f"a GPT of {V:,} tokens, one for each character of the text, and a context of {L}, in "
            f"{steps:,} steps{few}"
        )
    if context is None and L < most:
        say(f"(a context of {L + 1} has {V ** (L + 1):,} windows: --context {L + 1} takes longer)")
    onlooker = Onlooker(text, L, steps)
    run = run_training(
        text,
        each_step=onlooker,
        context=L,
        steps=steps,
        seed=seed,
        loss_on="last",
        learning_rate=RATE,
        batch=batch,
    )
    from fsm_gpt.extract import extract

    chain = extract(run.model, max_memory_gib=max_memory)
    before = extract(run.untrained) if chain.n_states <= MOST_BESIDE else None
    return OwnText(chain, before, run.losses, onlooker.watched())


def refuse_too_large(V: int, L: int, max_memory: float) -> None:
    """Refuse a vocabulary and a context with too many windows, before the training."""
    from fsm_gpt.cutting import largest_cut

    most = largest_cut(V, max(L, 1), max_memory_gib=max_memory)
    if 0 < L and most < L and V > 1:
        shorter = (
            f"a context of {most} fits" if most else "a text of fewer different characters fits"
        )
        raise StateSpaceTooLarge(
            f"the text has {V:,} different characters, and a context of {L} would make "
            f"{V:,}**{L} = {V**L:,} states, too many to analyse within {max_memory:g} GiB; "
            f"{shorter}. Give a shorter --context (fsm-gpt report --text chooses one), or train a "
            f"model with fsm-gpt train: fsm-gpt report cuts what is too large."
        )
