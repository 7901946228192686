"""The loop that each of many prompts ends in under greedy decoding.

Always taking the most probable token is a map of windows to windows, so every prompt comes,
after a *tail*, to a *cycle* of windows and repeats one text for ever. Where several tokens are
the most probable the lowest id is taken, as by :class:`fsm_gpt.decoding.Greedy`. The cycles are
found for all prompts at once by Brent's algorithm (:mod:`fsm_gpt.explore.brent`); no trajectory
is stored. For models that can be enumerated :func:`fsm_gpt.greedy_map` says the same of every
window.

References
----------
Holtzman et al. (2020), The curious case of neural text degeneration, arXiv 1904.09751, section 3
(the repetition loops of greedy decoding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fsm_gpt.about_model import own_space, refuse_foreign_device
from fsm_gpt.asking import Model, asking
from fsm_gpt.errors import Interrupted, InvalidArgument
from fsm_gpt.explore.escape import Escape, escape
from fsm_gpt.explore.rounds import Loop, Run
from fsm_gpt.explore.rows import Asker, batch_of, one_or_more
from fsm_gpt.explore.windows import Ids, Windows
from fsm_gpt.prompts import Prompts, read_prompts
from fsm_gpt.result import Result, frozen, read_only
from fsm_gpt.space import Vocabulary

__all__ = ["GreedyCycle", "GreedyCycles", "greedy_cycles"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GreedyCycle(Result):
    """A loop of greedy decoding, from its lowest window on."""

    windows: Ids
    """The token ids of its windows in the order of visit, shape (length, L)."""
    tokens: Ids
    """The token written in each, shape (length,)."""
    probabilities: Floats
    """The model's own probability of that token, shape (length,)."""
    text: str
    """What is written on one round."""
    shown: str
    """The same in printable form."""
    n_prompts: int
    """How many of the prompts end in it."""
    share: float
    """The same as a share of all prompts."""
    tied: bool
    """Whether in some window several tokens are the most probable; the lowest id was taken."""
    escapes: tuple[Escape, ...]
    """How long a sampler stays in it, for each temperature asked for."""

    @property
    def length(self) -> int:
        """The number of tokens on one round."""
        return len(self.tokens)

    def __str__(self) -> str:
        tokens = "1 token" if self.length == 1 else f"{self.length:,} tokens"
        text = self.shown if len(self.shown) <= 120 else f"{self.shown[:117]}..."
        tie = ", tied" if self.tied else ""
        lines = [f"{self.share:.1%} of the prompts end in a cycle of {tokens}{tie}: {text}"]
        lines += [f"  {one}" for one in self.escapes]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GreedyCycles(Result):
    """The cycle that each prompt ends in when the most probable token is always taken."""

    prompts: tuple[tuple[int, ...], ...]
    """The last L token ids of each prompt."""
    cycles: tuple[GreedyCycle, ...]
    """The cycle of the most prompts first; of equal ones that of the lowest window."""
    cycle_of: Ids
    """The number of each prompt's cycle, shape (prompts,); -1 where it was not closed."""
    tail_tokens: Ids
    """How many tokens until the cycle is entered; 0 on the cycle, -1 where it was not closed."""
    max_steps: int
    """How many tokens each prompt was followed at most while its cycle was looked for."""

    @property
    def not_closed(self) -> Ids:
        """The prompts whose cycle was not noticed within ``max_steps`` tokens.

        Their tail or their cycle is longer than a third of that, less one.
        """
        return np.flatnonzero(self.cycle_of < 0)

    def __str__(self) -> str:
        n, k, left = len(self.prompts), len(self.cycles), len(self.not_closed)
        lines = [
            f"greedy cycles: {n:,} prompt{'' if n == 1 else 's'}, {k:,} cycle"
            f"{'' if k == 1 else 's'}, longest tail {int(self.tail_tokens.max()):,} tokens"
            if k
            else f"greedy cycles: {n:,} prompt{'' if n == 1 else 's'}, no cycle closed"
        ]
        for cycle in self.cycles[:8]:
            lines += [f"  {line}" for line in str(cycle).splitlines()]
        if k > 8:
            lines.append(f"  ... and {k - 8:,} more cycles")
        if left:
            lines.append(
                f"  {left:,} of the prompts did not close a cycle within {self.max_steps:,} tokens"
            )
        return "\n".join(lines)


def greedy_cycles(
    model: Model,
    prompts: Prompts,
    *,
    max_steps: int = 10_000,
    temperatures: Sequence[float] = (1.0, 0.5, 0.2),
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    batch: int | None = None,
    remember: int = 0,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GreedyCycles:
    """The cycle that each prompt ends in under greedy decoding, its text, and its tail.

    Parameters
    ----------
    model
        Any callable from ids of shape (B, l) to logits, as for :func:`fsm_gpt.extract`.
    prompts
        Texts, or lists of token ids, or lists of tokens; one text alone is one prompt. Of a
        long prompt the model sees the last L tokens.
    max_steps
        How many tokens a prompt is followed while its cycle is looked for. A cycle is noticed
        after 3 max(tail + 1, length) tokens at the latest; a prompt whose cycle was not is
        reported as that.
    temperatures
        For each the mean time until the cycle is left is given, see
        :mod:`fsm_gpt.explore.escape`.
    vocabulary, context
        The V tokens and L; taken from the model's attributes of these names if it has them.
    batch
        Windows in one call of the model, at most; by default 1,024 or fewer.
    remember
        The choices in so many windows are kept, which are then not asked about again and again:
        for a slow model. By default nothing is stored.
    device
        Where a torch module is to compute, such as "cuda"; by default where it is.
    progress
        Called with the number of tokens followed and of prompts whose cycle is not noticed yet.

    Raises
    ------
    InvalidText
        A prompt has a word that is not in the vocabulary.
    InvalidArgument
        An option is out of range, a prompt is empty, or the model is not deterministic.
    InvalidChain
        The model gave an undefined or infinite logit; the message names the context.
    Interrupted
        The user stopped it.

    References
    ----------
    Brent (1980), BIT 20, 176-184.

    Examples
    --------
    A model that most probably repeats the older of the two tokens that it sees:

    >>> def model(ids):
    ...     return np.log(0.1 + 0.7 * np.eye(3)[ids[:, 0]])
    >>> found = greedy_cycles(model, ["ab", "cc"], vocabulary="abc", context=2, temperatures=[1])
    >>> [(cycle.text, cycle.share) for cycle in found.cycles], found.tail_tokens
    ([('ab', 0.5), ('c', 0.5)], array([0, 0]))
    >>> round(found.cycles[1].escapes[0].mean_tokens, 9)  # the token c has probability 0.8
    5.0
    """
    where = "greedy_cycles"
    refuse_foreign_device(model, device, where=where)
    named, _, length = own_space(model, vocabulary, context, where=where)
    starts = read_prompts(prompts, named, length, where=where)
    steps = one_or_more(max_steps, "max_steps", where=where)
    kept = 0 if remember == 0 else one_or_more(remember, "remember", where=where)
    for temperature in temperatures:
        if not 0 < temperature < float("inf"):
            raise InvalidArgument(
                f"greedy_cycles: temperature {temperature!r} is not a finite number above 0. At 0 "
                f"a sampler is greedy and never leaves its cycle."
            )
    windows = Windows(len(named), length)
    distinct = list(dict.fromkeys(starts))
    try:
        with asking(model, named, device=device) as rows_of:
            ask = Asker(windows, (), rows_of, batch_of(windows, batch, where=where), where=where)
            run = Run(ask, windows.table(distinct), kept)
            run.close(steps, progress)
            run.describe(tuple(map(float, temperatures)))
    except KeyboardInterrupt:
        raise Interrupted("greedy_cycles: stopped by the user. Nothing was written.") from None
    place = {start: i for i, start in enumerate(distinct)}
    mine = np.array([place[start] for start in starts])
    return _in_order(run, starts, mine, named, steps)


def _in_order(
    run: Run,
    starts: tuple[tuple[int, ...], ...],
    place: Ids,
    vocabulary: Vocabulary,
    max_steps: int,
) -> GreedyCycles:
    """The result, cycles of many prompts first."""
    number, tail = run.cycle[place], run.tail[place]
    counts = np.bincount(number[number >= 0], minlength=len(run.loops))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return GreedyCycles(
        prompts=starts,
        cycles=tuple(_cycle(run.loops[i], int(counts[i]), len(starts), vocabulary) for i in order),
        cycle_of=frozen(rank[number]),
        tail_tokens=frozen(tail),
        max_steps=max_steps,
    )


def _cycle(loop: Loop, n_prompts: int, of: int, vocabulary: Vocabulary) -> GreedyCycle:
    return GreedyCycle(
        windows=read_only(loop.windows, np.int64),
        tokens=read_only(loop.tokens),
        probabilities=read_only(loop.probabilities),
        text=vocabulary.decode(loop.tokens.tolist()),
        shown=vocabulary.label(loop.tokens.tolist()),
        n_prompts=n_prompts,
        share=n_prompts / of,
        tied=loop.tied,
        escapes=tuple(escape(odds, t) for t, odds in loop.odds.items()),
    )
