"""A chain in the explicit files of the model checker PRISM.

========== =====================================================================================
file       what it holds
========== =====================================================================================
``.tra``   "N M", then a line for each transition: state, state, probability; tokens that lead to
           one state are added up
``.sta``   the names of variables, then their values in each state: the token ids of a context,
           oldest first, -1 where a context is shorter; of states with plain names their number
``.lab``   numbered labels, then the labels of each state that has one
``.srew``  a reward for being in a state, those that are not zero
``.trew``  a reward for each transition, those that are not zero
========== =====================================================================================

The state rewards and the transition rewards together are one reward structure, of the name in
their first line. Unless another is given it is ``bits``: each transition pays the surprisal
-log2 p of its token, so that R{"bits"}=? [ LRA ] is the entropy rate; where several tokens lead to
one state, their mean, weighted with their probabilities.

Rationals are written as "1/3" and floats with all their digits. PRISM reads both. Names of tokens
and states have no place in these files: PRISM's variables are whole numbers.

References
----------
PRISM manual, appendix "Explicit Model Files",
https://www.prismmodelchecker.org/manual/Appendices/ExplicitModelFiles. Kwiatkowska, Norman &
Parker (2011), PRISM 4.0: Verification of probabilistic real-time systems, CAV'11.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from os import fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument, InvalidChain
from fsm_gpt.file_sets import write_together
from fsm_gpt.files import Pathlike, shown
from fsm_gpt.io.prism_lines import IDENTIFIER, LONGEST_NUMBER
from fsm_gpt.io.prism_rewards import Rewards, rewards_of, surprisal
from fsm_gpt.io.prism_variables import variables
from fsm_gpt.io.transitions import require_numbers

__all__ = ["COMPANIONS", "Asked", "companions", "write_prism"]

#: A state or several, by id or label.
Asked: TypeAlias = int | str | Sequence[int | str]

#: What is written beside the transitions.
COMPANIONS = (".sta", ".lab", ".srew", ".trew")

_LONGEST_BITS = int(LONGEST_NUMBER * math.log2(10))


def companions(path: Pathlike) -> list[Path]:
    """The five files of a chain, that of the transitions first.

    >>> [str(file) for file in companions("chain.tra")]
    ['chain.tra', 'chain.sta', 'chain.lab', 'chain.srew', 'chain.trew']

    Raises
    ------
    InvalidArgument
        The path has the ending of one of the other four.
    """
    tra = Path(fspath(path))
    if tra.suffix.lower() in COMPANIONS:
        raise InvalidArgument(
            f"export: {shown(path)} ends like one of the files that are written beside the "
            f"transitions. Name the file of the transitions, which ends in .tra."
        )
    stem = tra.with_suffix("") if tra.suffix else tra
    return [tra, *(stem.with_name(stem.name + ending) for ending in COMPANIONS)]


def write_prism(
    chain: Chain,
    path: Pathlike,
    *,
    labels: Mapping[str, Asked] | None = None,
    start: Asked | None = None,
    rewards: Mapping[str, Any] | None = None,
) -> None:
    """Write the five files, all or none; see :func:`fsm_gpt.export` for the options."""
    require_numbers(chain)
    files = companions(path)
    named = _labels(chain, labels or {}, 0 if start is None else start)
    name, values = _asked_reward(rewards)
    source, target, probability, paid = rewards_of(chain, values)
    parts = (
        _transitions(chain.n_states, zip(source, target, probability, strict=True)),
        _states(chain),
        _label_lines(named),
        _state_rewards(name, chain.n_states, paid),
        _transition_rewards(name, chain.n_states, source, target, paid),
    )
    with write_together(files) as opened:
        for file, lines in zip(opened, parts, strict=True):
            while block := "".join(islice(lines, 2**16)):
                file.write(block.encode("ascii"))


def _asked_reward(rewards: Mapping[str, Any] | None) -> tuple[str, Any]:
    if rewards is None:
        return "bits", surprisal
    if len(rewards) != 1:
        raise InvalidArgument(
            f"export: {len(rewards)} reward structures are given, and the files hold one. Give "
            f"one, or write several sets of files."
        )
    ((name, values),) = rewards.items()
    return _identifier(name, "reward structure"), values


def _identifier(name: str, what: str) -> str:
    if not (isinstance(name, str) and IDENTIFIER.fullmatch(name)):
        raise InvalidArgument(
            f"export: {name!r} is no name of a {what} in PRISM, where names are made of letters, "
            f"digits and underscores and do not begin with a digit. Choose such a name."
        )
    return name


# ---- labels ----


def _labels(chain: Chain, labels: Mapping[str, Asked], start: Asked) -> dict[str, list[int]]:
    """The states of each label, those that the files always have first."""
    named = {"init": _states_of(chain, start), "deadlock": []}  # a chain's states all go on
    for name, state in (("end", chain.end), ("unexplored", chain.unexplored)):
        if state is not None:
            named[name] = [state]
    for name, states in labels.items():
        if _identifier(name, "label") in named:
            hint = "Give it as start." if name == "init" else "Choose another name."
            raise InvalidArgument(
                f"export: the label {name!r} has its own meaning here and is written without "
                f"being asked for. {hint}"
            )
        named[name] = _states_of(chain, states)
    if not named["init"]:
        raise InvalidArgument("export: start names no state, and PRISM begins in one. Name one.")
    return named


def _states_of(chain: Chain, asked: Asked) -> list[int]:
    several = isinstance(asked, (list, tuple, set, frozenset, range, np.ndarray))
    return sorted({chain.state(one) for one in (asked if several else [asked])})  # type: ignore[union-attr, arg-type]


def _label_lines(named: Mapping[str, list[int]]) -> Iterator[str]:
    yield " ".join(f'{i}="{name}"' for i, name in enumerate(named)) + "\n"
    of_state: dict[int, list[str]] = {}
    for i, states in enumerate(named.values()):
        for state in states:
            of_state.setdefault(state, []).append(str(i))
    for state in sorted(of_state):
        yield f"{state}: {' '.join(of_state[state])}\n"


# ---- the other files ----


def _transitions(N: int, entries: Iterable[tuple[int, int, Any]]) -> Iterator[str]:
    """Both kinds of files that have a number for each transition."""
    lines = [f"{source} {target} {_written(x)}\n" for source, target, x in entries]
    yield f"{N} {len(lines)}\n"
    yield from lines


def _states(chain: Chain) -> Iterator[str]:
    columns = variables(chain.states)
    yield f"({','.join(columns)})\n"
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    for state, row in enumerate(rows):
        yield f"{state}:({','.join(map(_value, row))})\n"


def _value(value: bool | int) -> str:
    return str(value).lower()  # true, false, or digits


def _state_rewards(name: str, N: int, paid: Rewards) -> Iterator[str]:
    values = [] if paid.state is None else paid.state.tolist()
    lines = [f"{state} {_written(x)}\n" for state, x in enumerate(values) if x != 0]
    yield f'# Reward structure "{name}"\n# State rewards\n{N} {len(lines)}\n'
    yield from lines


def _transition_rewards(
    name: str, N: int, source: list[int], target: list[int], paid: Rewards
) -> Iterator[str]:
    values = [] if paid.transition is None else paid.transition.tolist()
    entries = zip(source, target, values, strict=False)
    yield f'# Reward structure "{name}"\n# Transition rewards\n'
    yield from _transitions(N, ((s, t, x) for s, t, x in entries if x != 0))


def _written(value: Any) -> str:
    """A number: a rational whole, a float with all its digits."""
    if not isinstance(value, Fraction):
        return repr(float(value))
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _LONGEST_BITS:
        raise InvalidChain(
            f"export: a number has a numerator or denominator of more than {LONGEST_NUMBER:,} "
            f"digits, which other programs do not read. Export chain.floats() instead."
        )
    return str(value)
