"""An exploration in a file: a chain's file (:mod:`fsm_gpt.io`) that also says how far it went.

So :func:`fsm_gpt.load` opens it as the chain that it is. Beside the chain stand, in the header
under ``exploration``, the prompts, the limits and what ended the search; and two tensors, the
depth of each window and what is known of the zeros and ties of its row. Its transitions are all
that is needed to go on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import FileProblem
from fsm_gpt.explore.machine import REASONS, Exploration, start_of
from fsm_gpt.explore.windows import Ids, Index, Windows
from fsm_gpt.files import Pathlike, atomic_write
from fsm_gpt.io.format import Tensors
from fsm_gpt.io.read import header_of, load_with, require, tensor_of
from fsm_gpt.io.write import content_of
from fsm_gpt.result import read_only
from fsm_gpt.space import SomeContexts

__all__ = ["is_exploration_file", "load_exploration", "save_exploration"]

KEY, DEPTH, FACTS = "exploration", "exploration.depth", "exploration.facts"


def save_exploration(exploration: Exploration, path: Pathlike) -> None:
    """Write an exploration to a file, whole or not at all.

    Raises
    ------
    FileProblem
        The file cannot be written.
    InvalidArgument
        Its decoding rule is of a foreign type, which a file cannot name.

    >>> import tempfile
    >>> from fsm_gpt.explore import explore
    >>> found = explore(lambda ids: np.zeros((len(ids), 2)), "a", vocabulary="ab", context=3,
    ...                 max_states=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_exploration(found, folder + "/machine.safetensors")
    ...     again = load_exploration(folder + "/machine.safetensors")
    >>> str(again) == str(found)
    True
    """
    about = {
        "prompts": [list(prompt) for prompt in exploration.prompts],
        "max_states": exploration.max_states,
        "max_depth": exploration.max_depth,
        "min_probability": exploration.min_probability,
        "stopped_by": list(exploration.stopped_by),
        "frontier": exploration.frontier,
    }
    tensors: Tensors = {DEPTH: exploration.depth, FACTS: exploration._facts}
    content = content_of(exploration.chain, more={KEY: about}, more_tensors=tensors)
    with atomic_write(path) as file:
        file.write(content)


def load_exploration(path: Pathlike) -> Exploration:
    """Read an exploration that :func:`save_exploration` wrote.

    The file is checked as if a stranger had written it, and nothing in it is executed.

    Raises
    ------
    FileProblem
        It cannot be read, or does not hold an exploration.

    >>> load_exploration("no-such-machine.safetensors")
    Traceback (most recent call last):
    ...
    fsm_gpt.errors.FileProblem: no-such-machine.safetensors: cannot read it, there is no such file.
    Check the name and the folder.
    """
    return load_with(path, _exploration, what="exploration")


def is_exploration_file(path: Pathlike) -> bool:
    """Whether a file says that it holds an exploration; nothing is said of whether it is whole.

    >>> is_exploration_file("no-such-machine.safetensors")
    False
    """
    return KEY in header_of(path)


def _exploration(chain: Chain, header: dict[str, Any], tensors: Tensors) -> Exploration:
    about = header.get(KEY)
    if not isinstance(about, dict):
        raise FileProblem(
            "It is a chain, and not one that was explored: nothing says how to go on. Give a file "
            "of save_exploration() or fsm-gpt explore."
        )
    states = chain.states
    require(isinstance(states, SomeContexts), "the states are no windows")
    require(chain.dtype == np.float64, "the probabilities are not of float64")
    assert isinstance(states, SomeContexts)
    windows = Windows(len(states.vocabulary), states.table.shape[1])
    n = chain.n_states - (chain.unexplored is not None)
    require(n >= 1 and chain.unexplored in (None, n), "the unexplored state is not the last")
    depth, facts = tensor_of(DEPTH, tensors), tensor_of(FACTS, tensors)
    require(depth.dtype == np.int32 and depth.shape == (n,), "the depths are not one a window")
    require(facts.dtype == np.int64 and facts.shape == (n, 4), "the facts are not four a window")
    require((depth >= 0).all() and (facts >= 0).all(), "a depth or a fact is negative")
    require(depth.max() < n, "a window is deeper than there are windows on the way")
    index = _checked_windows(chain, states, windows, n)
    prompts = _prompts(about.get("prompts"), windows)
    reasons = about.get("stopped_by")
    require(
        isinstance(reasons, list)
        and all(isinstance(reason, str) and reason in REASONS for reason in reasons)
        and bool(reasons) == (chain.unexplored is not None),
        "what ended the search is unknown",
    )
    first = index.find(windows.keys(windows.table(prompts)))
    require(
        chain.unexplored is not None or (first >= 0).all(), "a prompt is no state of the machine"
    )
    return Exploration(
        chain=chain,
        prompts=prompts,
        start=start_of(first, chain.n_states),
        depth=read_only(depth),
        max_states=_whole(about, "max_states", 1),
        max_depth=None if about.get("max_depth") is None else _whole(about, "max_depth", 1),
        min_probability=_probability(about.get("min_probability")),
        stopped_by=tuple(reasons or ()),
        frontier=_whole(about, "frontier", 0),
        _facts=read_only(facts),
    )


def _checked_windows(chain: Chain, states: SomeContexts, windows: Windows, n: int) -> Index:
    """Where each window stands, after checking that every token leads to the window it makes."""
    table = states.table[:n].astype(np.int32)
    keys = windows.keys(table)
    require(len(np.unique(keys)) == n, "a window stands there twice")
    padded = (np.diff((table >= 0).astype(np.int8), axis=1) >= 0).all()
    require(padded, "a window has a gap")
    index = Index()
    index.add(keys, np.arange(n))
    source, token, target, _ = chain.raw_edges()
    mine = source < n
    require((token[mine] < windows.n_tokens).all(), "a token is not one of the model")
    place = index.find(windows.keys(windows.follow(table[source[mine]], token[mine])))
    expected: Ids = np.where(place < 0, n, place)
    require((target[mine] == expected).all(), "a token does not lead to the window that it makes")
    require((target[~mine] == n).all(), "the unexplored state can be left")
    return index


def _prompts(value: Any, windows: Windows) -> tuple[tuple[int, ...], ...]:
    whole = isinstance(value, list) and all(
        isinstance(prompt, list)
        and 1 <= len(prompt) <= windows.length
        and all(type(t) is int and 0 <= t < windows.n_tokens for t in prompt)
        for prompt in value
    )
    require(value and whole, "the prompts are not lists of token ids")
    return tuple(tuple(prompt) for prompt in value)


def _whole(about: dict[str, Any], name: str, least: int) -> int:
    value = about.get(name)
    require(type(value) is int and value >= least, f"{name} is {str(value)[:40]!r}")
    assert isinstance(value, int)
    return value


def _probability(value: Any) -> float:
    require(type(value) in (int, float) and 0 <= value <= 1, "the least probability is none")
    return float(value)
