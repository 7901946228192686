"""From prompts to the machine of what can be reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fsm_gpt.about_model import own_space, provenance_of, refuse_foreign_device, rules_of
from fsm_gpt.asking import Model, asking
from fsm_gpt.decoding import Rule
from fsm_gpt.errors import Interrupted, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.explore.continued import check_same_model, known_rows
from fsm_gpt.explore.machine import Exploration, ExplorationInterrupted, machine_of
from fsm_gpt.explore.rows import Asker, Floats, Known, batch_of, one_or_more
from fsm_gpt.explore.search import Limits, Progress, Search
from fsm_gpt.explore.windows import Table, Windows
from fsm_gpt.prompts import Prompts, read_prompts
from fsm_gpt.space import Vocabulary

__all__ = ["explore"]


def explore(
    model: Model,
    prompts: Prompts | None = None,
    *,
    decoding: Rule | Sequence[Rule] | None = None,
    max_states: int = 100_000,
    max_depth: int | None = None,
    min_probability: float = 0.0,
    vocabulary: Vocabulary | str | int | Sequence[str] | None = None,
    context: int | None = None,
    resume: Exploration | None = None,
    batch: int | None = None,
    device: str | None = None,
    max_memory_gib: float = 8.0,
    progress: Progress | None = None,
) -> Exploration:
    """The machine of all windows that a model can come to from some prompts.

    Parameters
    ----------
    model
        Any callable from ids of shape (B, l) to logits, as for :func:`fsm_gpt.extract`.
    prompts
        Texts, or lists of token ids, or lists of tokens; one text alone is one prompt. Of a
        long prompt the model sees the last L tokens. Each prompt is as likely as the others
        to be the start.
    decoding
        A rule, or rules in the order in which they apply. Without one every token can follow
        every window, and the machine is soon as large as the limits allow.
    max_states
        At most so many windows are explored.
    max_depth
        Only windows that fewer tokens than this lead to are explored; so probabilities of the
        first ``max_depth - 1`` tokens are known without a gap.
    min_probability
        Only windows are explored to which some path from a prompt leads whose probability,
        the product of its tokens', is at least this.
    vocabulary, context
        The V tokens and L; taken from the model's attributes of these names if it has them.
    resume
        An exploration to continue, in memory or from :func:`load_exploration`, with other
        limits. What it knows is not asked again; the result is that of one go with the new
        limits, for the same ``batch`` to the last bit. Its prompts and its decoding rules
        are taken if none are given.
    batch
        Windows in one call of the model, at most; by default 1,024 or fewer.
    device
        Where a torch module is to compute, such as "cuda"; by default where it is.
    max_memory_gib
        The search stops before it would need more memory, as at the other limits.
    progress
        Called with the number of states explored, of those found and waiting, and with the
        probability that a text has so far met nothing but states that were new.

    Returns
    -------
    Exploration
        Its ``chain`` is the machine. Where a limit was met it has a state ``unexplored``, and
        :func:`bounds_after` and :func:`hitting_bounds` answer from both sides.

    Raises
    ------
    InvalidText
        A prompt has a word that is not in the vocabulary.
    InvalidArgument
        An option is out of range, a prompt is empty, or ``resume`` is of another model or rule.
    InvalidChain
        The model gave an undefined or infinite logit; the message names the context.
    StateSpaceTooLarge
        Not even one row fits into the memory allowed.
    Interrupted
        The user stopped it; ``exploration`` of the error holds what was explored.

    Examples
    --------
    A model that repeats the older of its two tokens, or writes ``b``:

    >>> def model(ids):
    ...     return np.log(0.25 + 0.5 * np.eye(3)[ids[:, 0]] * [1, 0, 1] + 0.25 * np.eye(3)[1])
    >>> from fsm_gpt.decoding import TopK
    >>> print(explore(model, ["a"], decoding=TopK(2), vocabulary="abc", context=2))
    exploration from 1 prompt (decoding top-k 2): 5 states, 10 transitions, found within 2 tokens
      complete: nothing else can be reached
    >>> print(explore(model, ["a"], decoding=TopK(2), vocabulary="abc", context=2, max_states=3))
    exploration from 1 prompt (decoding top-k 2): 3 states, 6 transitions, found within 1 token
      stopped by the limit on states; 2 more states are known to follow, and stand together as \
the state 'unexplored'
      a text of 2 tokens is there with probability 0.4
    """
    refuse_foreign_device(model, device, where="explore")
    rules = rules_of(decoding, where="explore")
    named, own_context, length = own_space(model, vocabulary, context, where="explore")
    if resume is not None:
        rules = rules if decoding is not None else resume.chain.decoding
    elif prompts is None:
        raise InvalidArgument(
            "explore: there is no prompt, and nothing to resume. Give a text, or a list of texts."
        )
    starts = (
        resume.prompts
        if prompts is None and resume is not None
        else read_prompts(prompts or (), named, length, where="explore")
    )
    windows = Windows(len(named), length)
    known = Known() if resume is None else known_rows(resume, windows, named, rules)
    limits = _limits(windows, max_states, max_depth, min_probability, max_memory_gib)
    provenance = provenance_of(model, own_context, length)
    with asking(model, named, device=device) as rows_of:
        ask = Asker(windows, rules, rows_of, batch_of(windows, batch, where="explore"), known)
        if resume is not None:
            check_same_model(resume, ask, provenance)
        search = Search(ask, limits, progress)
        search.run(*_distinct(windows, starts))
    if not len(search.rows):
        if "interrupted" in search.met:
            raise Interrupted("explore: stopped by the user before anything was explored.")
        raise StateSpaceTooLarge(
            f"explore: the rows of the first windows do not fit into {max_memory_gib:g} GiB. Use a "
            f"decoding rule that keeps fewer tokens, or raise max_memory_gib where there is more "
            f"memory."
        )
    found = machine_of(search, starts, named, own_context, limits, provenance)
    if "interrupted" in search.met:
        raise ExplorationInterrupted(
            f"explore: stopped by the user after {found.n_explored:,} states. They are kept in the "
            f"error's attribute exploration, which can be resumed.",
            found,
        )
    return found


def _limits(
    windows: Windows,
    max_states: int,
    max_depth: int | None,
    min_probability: float,
    max_memory_gib: float,
) -> Limits:
    """The limits, checked; memory as a number of transitions."""
    states = one_or_more(max_states, "max_states", where="explore")
    depth = None if max_depth is None else one_or_more(max_depth, "max_depth", where="explore")
    if not 0 <= min_probability <= 1:
        raise InvalidArgument(
            f"explore: min_probability is {min_probability!r}, and a probability lies between 0 "
            f"and 1. With 0 no path is too improbable."
        )
    if not max_memory_gib > 0:
        raise InvalidArgument(f"explore: max_memory_gib is {max_memory_gib!r}; give more than 0.")
    each = 200 + 3 * windows.key_bytes + 12 * windows.length
    room = max_memory_gib * 2**30 / each
    return Limits(states, depth, float(min_probability), int(min(room, 2**62)))


def _distinct(windows: Windows, starts: Sequence[tuple[int, ...]]) -> tuple[Table, Floats]:
    """Each start once, as they come, and the share of the prompts that begin in it."""
    distinct = list(dict.fromkeys(starts))
    place = {start: i for i, start in enumerate(distinct)}
    shares = np.bincount([place[start] for start in starts]) / len(starts)
    return windows.table(distinct), shares
