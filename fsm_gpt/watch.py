"""Watching a chain while it is learned: from trainings to their numbers at each step.

The model is looked at before the first update, after the last one, or in between: its chain is
extracted, decoded and measured, and the training goes on as if nobody had looked. So the chain at
step s is that of a model trained for s steps from the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from fsm_gpt.about_model import own_space, rules_of
from fsm_gpt.album import Album, listed, refuse_too_large
from fsm_gpt.asking import Model
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import InvalidArgument, NotConverged
from fsm_gpt.learning.measure import Yardstick
from fsm_gpt.learning.watched import Watched
from fsm_gpt.space import ContextSpace, Vocabulary

if TYPE_CHECKING:
    from fsm_gpt.gpt.model import GPT
    from fsm_gpt.gpt.train import Penalty

__all__ = ["STEPS", "watch", "watch_models"]

#: Where a training of the article's length is looked at, if nothing is said.
STEPS = (0, 1, 2, 5, 10, 20, 50)

End = Literal["drop", "wrap"]


def watch(
    text: str | Sequence[str],
    *,
    context: int,
    steps: Iterable[int] = STEPS,
    seeds: Iterable[int] = (1337,),
    decoding: Rule | Sequence[Rule] | None = None,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    vocabulary: Vocabulary | str | Sequence[str] | None = None,
    n_layer: int = 4,
    n_head: int = 4,
    n_embd: int = 16,
    bias: bool = False,
    norm_bias: bool = True,
    loss_on: Literal["last", "all"] = "last",
    batch: int | None = None,
    penalty: Penalty | None = None,
    end: End = "drop",
    keep_chains: bool = True,
    max_memory_gib: float = 2.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Watched:
    """Train GPTs on a text and watch the chains that they are, step by step.

    Parameters
    ----------
    text, context, learning_rate, weight_decay, vocabulary, n_layer, n_head, n_embd, bias,
    norm_bias, loss_on, batch, penalty
        As for :func:`fsm_gpt.train`.
    steps
        The numbers of updates at which to look, ascending, such as ``range(0, 51)``; 0 is the
        untrained model. Training goes on to the last of them.
    seeds
        One training for each.
    decoding
        A rule, or several: all but the loss is then of the decoded chains.
    end
        How the text's own chain ends, as for :meth:`fsm_gpt.Chain.from_text`: "drop" leaves out
        transitions into a context that never goes on, "wrap" reads the text as a circle.
    keep_chains
        Whether the chains stay at hand in ``chains``; otherwise their numbers alone are kept.
    max_memory_gib
        More than this is refused before anything is trained.
    progress
        Called with the updates done, of all trainings, and where it is.

    Returns
    -------
    Watched
        Each number at each step, bands over the seeds, the moments at which structure appears.

    Raises
    ------
    InvalidArgument
        Steps or seeds are none, repeated, out of order or negative; or what train() refuses.
    InvalidText
        What train() and the text's own chain refuse.
    StateSpaceTooLarge
        The chains would take more memory than allowed.
    NotConverged
        A training diverged; the message says at which step.
    Interrupted
        The user stopped it.

    References
    ----------
    Edelman et al. (2024), arXiv 2402.11004. Makkuva et al. (2024), arXiv 2402.04161.

    Examples
    --------
    >>> found = watch("0110110", context=2, steps=(0, 3), n_layer=1, n_head=1, n_embd=4)
    >>> found.steps, found.runs, found.number("loss").shape
    ((0, 3), (1337,), (1, 2))
    >>> found.chain(3).n_states
    4
    """
    from fsm_gpt.gpt.train import train, vocabulary_for

    looked = _steps(steps)
    chosen = _seeds(seeds)
    rules = rules_of(decoding, where="watch")
    named = vocabulary_for(text, vocabulary)
    states = ContextSpace(named, context)
    refuse_too_large(
        len(named), context, len(looked) * len(chosen) if keep_chains else 1, max_memory_gib
    )
    yardstick = Yardstick.of(text, context=context, vocabulary=named, end=end)
    album = Album(rules, yardstick, states, keep_chains, max_memory_gib)
    wanted, last = set(looked), looked[-1]
    for number, seed in enumerate(chosen):

        def look(
            step: int, model: GPT, loss: float, seed: int = seed, number: int = number
        ) -> None:
            if step in wanted:
                album.take(seed, step, model)
            if progress is not None:
                done = number * (last + 1) + step + 1
                progress(done, len(chosen) * (last + 1), f"seed {seed}, loss {loss:.4f}")

        try:
            train(
                text,
                context=context,
                steps=last,
                seed=seed,
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                vocabulary=named,
                n_layer=n_layer,
                n_head=n_head,
                n_embd=n_embd,
                bias=bias,
                norm_bias=norm_bias,
                loss_on=loss_on,
                batch=batch,
                penalty=penalty,
                each_step=look,
            )
        except NotConverged as problem:
            raise NotConverged(f"watch, seed {seed}: {problem}") from None
    return album.bound(text if isinstance(text, str) else named.separator.join(text))


def watch_models(
    models: Iterable[tuple[int, Model | Chain]] | Mapping[str, Iterable[tuple[int, Model | Chain]]],
    text: str | Sequence[str] | None = None,
    *,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    truncate_to: int | None = None,
    decoding: Rule | Sequence[Rule] | None = None,
    end: End = "drop",
    keep_chains: bool = True,
    max_memory_gib: float = 2.0,
) -> Watched:
    """Watch models that something else trains, or trained: a loop of your own, a folder of files.

    Parameters
    ----------
    models
        Pairs of a step and a model, or its chain, in the order of the steps. A model is looked at
        when its pair comes, so one that a training loop goes on changing may come again and
        again. Or several such series by name, all at the same steps.
    text
        What is learned. Without it there is no loss, no distance and no moment.
    vocabulary, context, truncate_to
        As for :func:`fsm_gpt.extract`.
    decoding, end, keep_chains, max_memory_gib
        As for :func:`watch`.

    Raises
    ------
    InvalidArgument
        There is no model, steps are not whole numbers in ascending order or differ between the
        series, or the models differ in their tokens or contexts.
    NotConverged
        A model gives an undefined probability; the message says at which step.
    StateSpaceTooLarge
        The chains would take more memory than allowed.

    Examples
    --------
    A loop that makes a table of logits sharper:

    >>> def training():
    ...     for step in range(3):
    ...         after = step * np.array([[0.0, 1.0], [1.0, 0.0]])
    ...         yield step, lambda ids: after[ids[:, -1]]
    >>> found = watch_models(training(), "0101101", vocabulary="01", context=1)
    >>> found.number("entropy_rate").round(3).tolist()
    [[1.0, 0.84, 0.527]]

    Checkpoints of one training, by the numbers in their names:

    >>> from pathlib import Path
    >>> from fsm_gpt.gpt import load_model
    >>> files = {int(path.stem.split("-")[1]): path for path in Path("out").glob("step-*.pt")}
    >>> pairs = ((step, load_model(files[step])) for step in sorted(files))
    """
    rules = rules_of(decoding, where="watch_models")
    series = dict(models) if isinstance(models, Mapping) else {"run": models}
    if not series:
        raise InvalidArgument("watch_models: there is no series of models. Give one.")
    album: Album | None = None
    named: Vocabulary | None = None
    for name, pairs in series.items():
        for step, model in pairs:
            if album is None:
                named, states = _space(model, vocabulary, context, truncate_to)
                refuse_too_large(len(named), states.length, 1, max_memory_gib)
                yardstick = None
                if text is not None:
                    yardstick = Yardstick.of(text, context=states.length, vocabulary=named, end=end)
                album = Album(rules, yardstick, states, keep_chains, max_memory_gib)
            album.take(name, _step(step), model, truncate_to=truncate_to, context=context)
    if album is None or named is None:
        raise InvalidArgument("watch_models: the series of models is empty. Give a model or more.")
    words = text if text is None or isinstance(text, str) else named.separator.join(text)
    return album.bound(words, names=tuple(series))


# ---- what is asked for ----


def _steps(steps: Iterable[int]) -> tuple[int, ...]:
    looked = tuple(_step(step) for step in steps)
    if not looked:
        raise InvalidArgument(
            "watch: there is no step at which to look. Give some, such as (0, 10, 50) or range(51)."
        )
    for before, after in pairwise(looked):
        if after <= before:
            raise InvalidArgument(
                f"watch: step {after} comes after step {before}, and steps have to ascend, each "
                f"once. Sort them."
            )
    return looked


def _step(step: object) -> int:
    if isinstance(step, bool) or not isinstance(step, (int, np.integer)) or step < 0:
        raise InvalidArgument(
            f"watch: step {step!r} is not a whole number of updates of 0 or more. 0 is the "
            f"untrained model."
        )
    return int(step)


def _seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    chosen = tuple(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidArgument(
            f"watch: the seeds are {listed(chosen)}, and each training needs one of its own. Give "
            f"one or more different seeds, such as range(20)."
        )
    return chosen


def _space(
    model: Model | Chain,
    vocabulary: Vocabulary | str | int | Sequence[str] | None,
    context: int | None,
    truncate_to: int | None,
) -> tuple[Vocabulary, ContextSpace]:
    """The tokens and contexts of the first model."""
    if isinstance(model, Chain):
        if not isinstance(model.states, ContextSpace):
            raise InvalidArgument(
                f"watch_models: the first chain is {model!r}, and what is learned is watched over "
                f"all contexts of one length. Give models, or chains that were extracted from them."
            )
        return model.vocabulary, model.states
    named, _, length = own_space(model, vocabulary, context, truncate_to, where="watch_models")
    return named, ContextSpace(named, length)
