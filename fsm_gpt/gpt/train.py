"""Training a GPT on one sequence: every window of it in every step, or some drawn anew.

AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) on the mean
cross-entropy of the next token, in nats. One text, one seed and one version of PyTorch
on one kind of machine give the same weights each time; elsewhere sums are rounded
differently and the last digits of float32 move.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from fsm_gpt.errors import (
    Interrupted,
    InvalidArgument,
    InvalidText,
    NotConverged,
    StateSpaceTooLarge,
)
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.result import Result
from fsm_gpt.space import Vocabulary
from fsm_gpt.threads import threads_for

__all__ = ["TrainingRun", "train", "vocabulary_for"]

LossOn = Literal["last", "all"]
Floats = npt.NDArray[np.float64]
#: From the next-token probabilities of all V**L windows, shape (V**L, V), to a number in nats and
#: its gradient in their logits, of the same shape.
Penalty: TypeAlias = Callable[[Floats], tuple[float, Floats]]

#: Windows are pushed through the model this many at a time, which bounds the memory.
PIECE = 4096
#: A penalty asks for all windows at each step, and refuses more than this many.
MOST_WINDOWS = 2**16


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TrainingRun(Result):
    """A trained model and how it came about."""

    #: The model after the last step, and a copy of it from before the first.
    model: GPT
    untrained: GPT
    #: Mean loss before each update, in nats a token, over the windows of that step; and after
    #: the last one over all windows.
    losses: tuple[float, ...]
    final_loss: float
    n_windows: int
    text: str
    config: GPTConfig
    seed: int
    steps: int
    learning_rate: float
    weight_decay: float
    loss_on: LossOn
    #: Windows in each step; None for every one.
    batch: int | None = None
    #: What the penalty was before each update, in nats; empty where there was none.
    penalties: tuple[float, ...] = ()

    _hidden: ClassVar[tuple[str, ...]] = ("model", "untrained")

    def __str__(self) -> str:
        first = self.losses[0] if self.losses else self.final_loss
        return (
            f"TrainingRun: {self.steps} steps on {self.n_windows:,} windows of "
            f"{self.config.context} tokens, {self.model.n_parameters:,} parameters, seed "
            f"{self.seed}: loss {first:.4f} -> {self.final_loss:.4f} nats a token"
        )


def train(
    text: str | Sequence[str],
    *,
    context: int,
    steps: int = 50,
    seed: int = 1337,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    vocabulary: Vocabulary | str | Sequence[str] | None = None,
    n_layer: int = 4,
    n_head: int = 4,
    n_embd: int = 16,
    bias: bool = False,
    norm_bias: bool = True,
    loss_on: LossOn = "last",
    batch: int | None = None,
    penalty: Penalty | None = None,
    each_step: Callable[[int, GPT, float], None] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> TrainingRun:
    """Train a GPT on a text; the defaults are the article's experiment.

    Parameters
    ----------
    text
        The sequence: characters, or a sequence of tokens.
    context
        L, the number of tokens that the model sees.
    steps
        The number of updates; 0 leaves the model untrained.
    seed
        Decides the initial weights, and with ``batch`` which windows a step is shown; nothing
        else is random.
    learning_rate, weight_decay
        Of AdamW.
    vocabulary
        The tokens; the distinct ones of the text, sorted, if not given.
    n_layer, n_head, n_embd, bias, norm_bias
        As in :class:`GPTConfig`.
    loss_on
        "last": only the token after each full window counts, so that shorter contexts
        get no training. "all": the token after each position of the window counts.
    batch
        Windows in each step, drawn anew with replacement. Without it every window is in every
        step, as in the article, which takes long for a text of more than some thousand tokens.
    penalty
        A number of the model's own chain that is added to the loss, such as
        ``fsm_gpt.sensitivity.Penalty(TokenEntropy(), -0.1, "01")``: a function from the rows of all
        windows to the number, in nats, and its gradient in their logits.
    each_step
        Called before each update and after the last one with the number of updates so far, the
        model as it then is, and its loss as in ``losses`` and ``final_loss``. It may look at the
        model and must leave it as it is.
    progress
        Called with the step (0 is the first) and its loss.

    Raises
    ------
    InvalidText
        The text is empty, has no window with a token after it, or has a symbol that
        the vocabulary lacks.
    InvalidArgument
        An option is out of range, or the vocabulary has one token.
    StateSpaceTooLarge
        A penalty asks for more than 65,536 windows.
    NotConverged
        The loss became infinite or undefined.
    Interrupted
        The user stopped it.

    Examples
    --------
    >>> run = train("111101111011110", context=3, steps=0)
    >>> run.model.n_parameters, run.n_windows, run.losses
    (12656, 12, ())
    """
    _check_options(steps, learning_rate, weight_decay, loss_on, batch)
    named = vocabulary_for(text, vocabulary)
    config = GPTConfig(
        vocab_size=len(named),
        context=context,
        n_layer=n_layer,
        n_head=n_head,
        n_embd=n_embd,
        bias=bias,
        norm_bias=norm_bias,
    )
    windows, following = _windows(named, text, context)
    model = GPT(config, vocabulary=named, seed=seed)
    untrained = copy.deepcopy(model)

    losses: list[float] = []
    penalties: list[float] = []
    every = None if penalty is None else _every_window(config)
    drawing = torch.Generator().manual_seed(seed)
    try:
        with threads_for(torch, model.n_parameters):
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=learning_rate, weight_decay=weight_decay
            )
            for step in range(steps):
                optimizer.zero_grad()
                shown: Tensor | slice = slice(None)
                if batch is not None:
                    shown = torch.randint(len(windows), (batch,), generator=drawing)
                loss = _mean_loss(model, windows[shown], following[shown], loss_on, learn=True)
                _refuse_divergence(loss, step, learning_rate)
                losses.append(loss)
                if penalty is not None and every is not None:
                    penalties.append(_penalize(model, every, penalty))
                    _refuse_divergence(penalties[-1], step, learning_rate)
                if each_step is not None:
                    each_step(step, model, loss)
                optimizer.step()
                if progress is not None:
                    progress(step, loss)
            final_loss = _mean_loss(model, windows, following, loss_on, learn=False)
            _refuse_divergence(final_loss, steps, learning_rate)
            if each_step is not None:
                each_step(steps, model, final_loss)
    except KeyboardInterrupt:
        raise Interrupted(
            f"train: stopped by the user after {len(losses)} of {steps} steps. Nothing was "
            f"written and no model is kept; ask for fewer steps to have one sooner."
        ) from None

    model.eval()
    untrained.eval()
    step_of = f"{len(windows):,}" if batch is None else f"{batch:,} of {len(windows):,}"
    model.provenance = {
        "weights": f"trained here for {steps} steps from seed {seed}",
        "training": f"AdamW, learning rate {learning_rate:g}, weight decay {weight_decay:g}, "
        f"loss on {loss_on} position{'s' if loss_on == 'all' else ''}, "
        f"{step_of} windows in each step",
    }
    return TrainingRun(
        model=model,
        untrained=untrained,
        losses=tuple(losses),
        final_loss=final_loss,
        n_windows=len(windows),
        text=text if isinstance(text, str) else named.separator.join(text),
        config=config,
        seed=seed,
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        loss_on=loss_on,
        batch=batch,
        penalties=tuple(penalties),
    )


def _mean_loss(
    model: GPT, windows: Tensor, following: Tensor, loss_on: LossOn, *, learn: bool
) -> float:
    """Mean cross-entropy over all windows, in nats; with ``learn``, its gradient is added up."""
    total = 0.0
    with torch.set_grad_enabled(learn):
        for first in range(0, len(windows), PIECE):
            ids, targets = windows[first : first + PIECE], following[first : first + PIECE]
            logits = model(ids)  # (B, L, V)
            if loss_on == "last":
                logits, targets = logits[:, -1:], targets[:, -1:]  # (B, 1, V), (B, 1)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            loss = loss * (len(ids) / len(windows))  # this piece's share
            if learn:
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
    return total


def _every_window(config: GPTConfig) -> Tensor:
    """All V**L windows, in the order of their base-V numbers."""
    V, L = config.vocab_size, config.context
    if L * math.log2(V) > math.log2(MOST_WINDOWS):
        raise StateSpaceTooLarge(
            f"train: a penalty looks at all {V}**{L} windows at each step, and it stops at "
            f"{MOST_WINDOWS:,}. Shorten the context, or train without it."
        )
    return torch.cartesian_prod(*[torch.arange(V)] * L).reshape(-1, L)


def _penalize(model: GPT, windows: Tensor, penalty: Penalty) -> float:
    """The penalty; its gradient in the weights is added up."""
    logits = model(windows)[:, -1]  # (V**L, V)
    rows = logits.detach().double().softmax(dim=-1).numpy()
    value, gradient = penalty(rows)
    logits.backward(torch.from_numpy(np.ascontiguousarray(gradient)).to(logits.dtype))
    return value


def _windows(
    vocabulary: Vocabulary, text: str | Sequence[str], context: int
) -> tuple[Tensor, Tensor]:
    """Every window of L tokens that a token follows, and the tokens one place later: (n, L)."""
    ids = torch.from_numpy(vocabulary.encode(text))
    if len(ids) <= context:
        tokens = "token" if len(ids) == 1 else "tokens"
        raise InvalidText(
            f"train: the text has {len(ids)} {tokens}, and a context of {context} needs at least "
            f"{context + 1}: a full window and the token that follows it. Give a longer text or "
            f"a shorter context."
        )
    return ids[:-1].unfold(0, context, 1), ids[1:].unfold(0, context, 1)


def vocabulary_for(
    text: str | Sequence[str], vocabulary: Vocabulary | str | Sequence[str] | None
) -> Vocabulary:
    """The tokens that a model of this text has: those given, or the text's own, sorted.

    Raises
    ------
    InvalidText
        The text is empty.
    InvalidArgument
        There is one token alone.

    >>> vocabulary_for("0110", None).tokens
    ('0', '1')
    """
    if len(text) == 0:
        raise InvalidText("train: the text is empty, so there is nothing to learn. Give some text.")
    if vocabulary is not None:
        named = Vocabulary.of(vocabulary)
    elif isinstance(text, str):
        named = Vocabulary.of_text(text)
    else:
        named = Vocabulary(tuple(sorted(set(text))))
    if len(named) < 2:
        raise InvalidArgument(
            f"train: the vocabulary has one token, {named.shown[0]!r}. It would follow itself with "
            f"probability 1 whatever the weights, so there is nothing to learn; give a text with "
            f"two different symbols, or a vocabulary of two or more."
        )
    return named


def _check_options(
    steps: int, learning_rate: float, weight_decay: float, loss_on: LossOn, batch: int | None
) -> None:
    if not isinstance(steps, int) or steps < 0:
        raise InvalidArgument(
            f"train: steps is {steps!r}, and a number of updates is a whole number of 0 or more."
        )
    if not 0 < learning_rate < math.inf:
        raise InvalidArgument(
            f"train: the learning rate is {learning_rate!r}, and it must be positive and finite. "
            f"1e-3 is usual."
        )
    if not 0 <= weight_decay < math.inf:
        raise InvalidArgument(
            f"train: the weight decay is {weight_decay!r}, and it must be 0 or more and finite. "
            f"0.1 is usual."
        )
    if loss_on not in get_args(LossOn):
        raise InvalidArgument(f"train: loss_on is {loss_on!r}; it is 'last' or 'all'.")
    if batch is not None and not (type(batch) is int and batch >= 1):
        raise InvalidArgument(
            f"train: batch is {batch!r}, and a step is shown a whole number of windows of 1 or "
            f"more. Leave it out to show it every window."
        )


def _refuse_divergence(loss: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise NotConverged(
            f"train: the loss is {loss} at step {step}, so the weights have diverged. The usual "
            f"cause is a learning rate that is too large; it is {learning_rate:g}, try a tenth."
        )
