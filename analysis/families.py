"""Chains that are hard on numerical methods: stiff, nearly reducible, nearly periodic.

Three groups, made anew from a seed:

- ``HARD``: every window has a row without zeros. Each eps is scaled entry by entry by a
  uniform number from 0.5 to 1.5 before rows are divided by their sums.
- ``ZEROS``: chains with zeros, and so with a period, transient states or several closed
  classes. Two keep something beside the window: a phase, or the class they are in.
- ``TRAINED``: GPTs, each at its own size, trained in seconds on a text.

State s is a window over V tokens, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, TopK

__all__ = ["HARD", "TRAINED", "ZEROS", "Training", "hard_chain", "hard_rows", "trained_chain"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

HARD = (
    "random",
    "sharp",
    "dirichlet 0.01",
    "sticky",
    "near-periodic",
    "rotate 1e-3",
    "rotate 1e-6",
    "nearly decomposable",
)
ZEROS = ("period 4", "three classes", "top-2", *(f"greedy {name}" for name in HARD))

#: The rows of the three closed classes of the family of that name, and of its transient states.
_CLASSES = ("random", "sharp", "rotate 1e-3", "random")


def _near(V: int, L: int, follows: Ids, eps: float, seed: int) -> Floats:
    """Rows that emit the given token, and any other with probability about eps."""
    rows = np.random.default_rng(seed).uniform(0.5, 1.5, (V**L, V)) * eps
    rows[np.arange(V**L), follows] = 1.0
    return rows


def hard_rows(name: str, V: int, L: int, *, seed: int = 0) -> Floats:
    """Next-token rows of shape (V**L, V) of one of the families of ``HARD``."""
    rng = np.random.default_rng(seed)
    N = V**L
    s = np.arange(N)
    if name == "random":
        rows = rng.dirichlet(np.ones(V), N)
    elif name == "sharp":
        logits = 10 * rng.standard_normal((N, V))
        rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    elif name == "dirichlet 0.01":
        rows = np.maximum(rng.dirichlet(np.full(V, 0.01), N), 1e-12)
    elif name == "sticky":
        rows = _near(V, L, s % V, 1e-6, seed)
    elif name == "near-periodic":
        rows = _near(V, L, (s + 1) % V, 1e-6, seed)
    elif name == "rotate 1e-3":
        rows = _near(V, L, s // V ** (L - 1), 1e-3, seed)
    elif name == "rotate 1e-6":
        rows = _near(V, L, s // V ** (L - 1), 1e-6, seed)
    elif name == "nearly decomposable":
        digits = np.array([s // V**k % V for k in range(L)])
        high = (digits >= V / 2).sum(axis=0) * 2 > L
        other = high[:, None] != (np.arange(V) >= V / 2)[None, :]
        scale = np.where(other, 1e-6 * rng.uniform(0.5, 1.5, (N, V)), 1.0)
        rows = rng.dirichlet(np.ones(V), N) * scale
    else:
        raise ValueError(name)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def hard_chain(name: str, V: int, L: int, *, seed: int = 0) -> Chain:
    """The chain of a family of ``HARD`` or ``ZEROS``.

    It has V**L states, but for "period 4" and "three classes", which have four times as many.

    >>> print(hard_chain("top-2", 4, 3))
    Chain: 64 states (every window of 3 tokens over 4), 128 transitions, decoding top-k 2
    """
    if name == "period 4":
        return _four_phases(V, L, seed)
    if name == "three classes":
        return _three_classes(V, L, seed)
    if name == "top-2":
        return Chain(hard_rows("random", V, L, seed=seed)).with_decoding(TopK(2))
    if name.startswith("greedy "):
        rows = hard_rows(name.removeprefix("greedy "), V, L, seed=seed)
        return Chain(rows).with_decoding(Greedy())
    return Chain(hard_rows(name, V, L, seed=seed))


def _beside(V: int, L: int, rows: Floats, follows: Ids) -> Chain:
    """A window chain that keeps a number beside its window; both decide the row.

    State number * V**L + window; ``follows`` is the number that comes next, shape (states, V).
    """
    N = V**L
    source = np.repeat(np.arange(len(rows)), V)
    token = np.tile(np.arange(V), len(rows))
    target = follows.ravel() * N + source % (N // V) * V + token
    return Chain.from_edges(source, token, target, rows.ravel(), n_states=len(rows))


def _four_phases(V: int, L: int, seed: int) -> Chain:
    """A table of rows over four phases that follow one another: one class, of period 4."""
    N = V**L
    phase = np.arange(4 * N) // N
    rows = np.random.default_rng(seed).dirichlet(np.ones(V), 4 * N)
    return _beside(V, L, rows, np.repeat((phase + 1) % 4, V))


def _three_classes(V: int, L: int, seed: int) -> Chain:
    """Three closed classes, and as many transient states as each has.

    From a transient window token 0 leads into one of the classes, drawn at random, and any
    other token to a transient window.
    """
    N = V**L
    rows = np.concatenate([hard_rows(name, V, L, seed=seed + k) for k, name in enumerate(_CLASSES)])
    number = np.repeat(np.arange(4)[:, None], N, axis=0).repeat(V, axis=1)
    number[3 * N :, 0] = np.random.default_rng(seed).integers(0, 3, N)
    return _beside(V, L, rows, number)


# ---- trained GPTs ----


@dataclass(frozen=True)
class Training:
    """A text and a GPT that is trained on it."""

    text: Callable[[], str]
    context: int
    steps: int
    n_layer: int = 1
    n_embd: int = 16
    vocabulary: str = "01"


def _two_modes() -> str:
    """Long stretches of 01 and of 0011 in turn: which pattern it is seldom changes."""
    return ("01" * 100 + "0011" * 50) * 2


_ENGLISH = (
    "the river rises in the hills above the old mill and runs between two rows of willows down "
    "to the sea in spring the water is high and brown and carries branches and leaves past the "
    "village by the end of summer it is so low that children cross it on the stones without "
    "wetting their feet every year someone says that the bridge should be rebuilt and every "
    "year there is something more urgent a roof that leaks a road that has washed away or a "
    "school that needs a teacher so the bridge stays as it is with its one wide arch and its "
    "worn steps and people who have left the village remember it better than anything else "
    "they remember how the evening light came through the arch and lay on the water and how "
    "still it was when the mill had stopped and how far away the rest of the world seemed then "
)

#: What each trained chain of the suite learned from; its V**L states are its own size.
TRAINED = {
    # The maximal-length sequence of x**4 + x + 1: every window of four tokens but 0000 once.
    "period-15 text": Training(lambda: "000100110101111" * 4, context=12, steps=200, n_layer=2),
    "two modes": Training(_two_modes, context=14, steps=150),
    "English letters": Training(
        lambda: _ENGLISH, context=3, steps=300, n_embd=32, vocabulary=" abcdefghijklmnopqrstuvwxyz"
    ),
}


def trained_chain(name: str, *, context: int | None = None, seed: int = 0) -> Chain:
    """The chain of a GPT trained on the text of that name in ``TRAINED``.

    Its context is the suite's, or a shorter one for an answer that can be checked exactly.
    """
    from fsm_gpt.extract import extract
    from fsm_gpt.gpt import train

    training = TRAINED[name]
    run = train(
        training.text(),
        context=training.context if context is None else context,
        steps=training.steps,
        seed=seed,
        learning_rate=1e-2,
        vocabulary=training.vocabulary,
        n_layer=training.n_layer,
        n_embd=training.n_embd,
    )
    return extract(run.model)
