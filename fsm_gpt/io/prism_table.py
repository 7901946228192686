"""The transitions in a file of PRISM's, checked as if a stranger had written it.

Nothing is made for what a file declares before that many lines are seen to be there: a chain of
N states needs a line for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fsm_gpt.io.prism_lines import IDENTIFIER, Line, Lines
from fsm_gpt.rows import Numbers, bad_sums, objects

__all__ = ["Table", "entries", "table_of"]

Ids = npt.NDArray[np.int64]

_KIND = re.compile(r"# Transitions \((\w+)\)")

#: How other models show, and what they are.
_OTHER_HEADS = {3: "a decision process (MDP)", 4: "a partially observed process (POMDP)"}


@dataclass(frozen=True, eq=False)
class Table:
    """The transitions of a file, sorted by source, then target."""

    n_states: int
    source: Ids
    target: Ids
    values: Numbers
    actions: bool
    """Whether some transitions have the name of an action."""
    line: Ids
    """The place of each transition in ``lines``."""
    lines: list[Line]

    @property
    def token(self) -> Ids:
        """The place of each transition among those of its state."""
        first = np.searchsorted(self.source, np.arange(self.n_states))
        return np.arange(len(self.source), dtype=np.int64) - first[self.source]


def table_of(said: Lines, *, exact: bool, normalize: bool) -> Table:
    """The transitions of a discrete-time Markov chain.

    Raises
    ------
    FileProblem
        It is another kind of model, the counts are wrong, a state has no transition or a row does
        not sum to one.
    """
    N = _head(said)
    table = entries(said, N, exact=exact, kind="transition")
    counts = np.bincount(table.source, minlength=N)
    if not counts.all():
        hole = int(np.argmin(counts))
        raise said.problem(
            f"no transition leaves the state {hole:,}, one of {N:,}, so that nothing can follow "
            f"it. Give it a transition to itself, if it is to be absorbing; PRISM writes that with "
            f"its option -fixdl."
        )
    if not normalize:
        _check_sums(said, table)
    return table


def _head(said: Lines) -> int:
    """The number of states, which is no larger than the file allows."""
    for comment in said.comments:
        kind = _KIND.match(comment)
        if kind and kind[1].upper() != "DTMC":
            raise said.problem(
                f"its first line says that it is of kind {kind[1]!r}. A discrete-time Markov chain "
                f"(DTMC) can be read, and no other model."
            )
    head, fields = said.head, said.head.text.split()
    if len(fields) in _OTHER_HEADS and all(field.isdigit() for field in fields):
        raise head.problem(
            f"has {len(fields)} numbers, as the file of {_OTHER_HEADS[len(fields)]} begins. A "
            f"discrete-time Markov chain can be read, which has none to choose."
        )
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        hint = " Storm's own files begin so; PRISM's do not." if fields[0].isalpha() else ""
        raise head.problem(
            f"is not the first line of a file of transitions: the number of states and that of "
            f"transitions.{hint} Check that this is the file that was meant."
        )
    N, M = (head.whole(field, "a count") for field in fields)
    if M != len(said):
        raise head.problem(
            f"promises {M:,} transitions, and {len(said):,} lines follow. The file is cut short or "
            f"damaged; get a whole copy."
        )
    if not 0 < N <= M:
        raise head.problem(
            f"promises {N:,} states and {M:,} transitions, and each state needs one at least. "
            f"The file is damaged, or states without a way on were left out."
        )
    return N


def entries(said: Lines, N: int, *, exact: bool, kind: str) -> Table:
    """The lines "state state number", sorted; each pair of states once."""
    lines = list(said)
    source, target, values, actions = [], [], [], []
    for line in lines:
        fields = line.text.split()
        named = len(fields) == 4 and IDENTIFIER.fullmatch(fields[3])
        if ":" in line.text or not (named or len(fields) == 3):
            hint = ""
            if ":" in line.text:
                hint = " It has the transitions of a whole row; PRISM's -exportrows writes that."
            elif len(fields) in (4, 5):
                hint = " An MDP has lines of that length."
            raise line.problem(
                f"is not a {kind} of a Markov chain: two states and a number.{hint} Check that "
                f"this is the file that was meant."
            )
        source.append(line.whole(fields[0], "a state", N))
        target.append(line.whole(fields[1], "a state", N))
        values.append(line.value(fields[2], exact))
        actions.append(fields[3] if len(fields) == 4 else "")
        if kind == "transition":
            _check_probability(line, fields[2], values[-1])
    s, t = np.array(source, dtype=np.int64), np.array(target, dtype=np.int64)
    names = np.array(actions, dtype=object)
    order = np.lexsort((np.unique(names, return_inverse=True)[1], t, s))
    s, t, names = s[order], t[order], names[order]
    twice = (np.diff(s) == 0) & (np.diff(t) == 0) & (names[1:] == names[:-1])
    if twice.any():
        places = order[[int(np.argmax(twice)), int(np.argmax(twice)) + 1]]
        first, second = (lines[int(place)] for place in sorted(places))
        raise second.problem(
            f"is the second {kind} between the same states; line {first.number:,} has the first. "
            f"Keep one of them, or their sum."
        )
    numbers = objects(values, (len(values),)) if exact else np.array(values, dtype=np.float64)
    return Table(N, s, t, numbers[order], any(actions), order, lines)


def _check_probability(line: Line, text: str, value: Fraction | float) -> None:
    if value > 1:
        raise line.problem(
            f"has {text[:40]}, which is above one: a rate, and no probability. Chains in "
            f"continuous time (CTMC) are not read here; read their embedded chain."
        )
    if value <= 0:
        below = "below zero" if value < 0 or text.startswith("-") else "zero"
        hint = " Read it with exact=True if it is too small for a float." if not value else ""
        raise line.problem(
            f"has the probability {text[:40]}, which is {below}, and what cannot happen is left "
            f"out of such a file.{hint}"
        )


def _check_sums(said: Lines, table: Table) -> None:
    values, N = table.values, table.n_states
    if values.dtype == object:
        sums = np.full(N, Fraction(0), dtype=object)
        np.add.at(sums, table.source, values)
    else:
        sums = np.bincount(table.source, weights=values, minlength=N)
    bad = bad_sums(sums, values.dtype)
    if len(bad):
        state = int(bad[0])
        place = int(np.searchsorted(table.source, state))
        exact = values.dtype == object
        total = float(sums[state])
        shown = f"{total:.17g}" if total != 1 else f"1 {float(sums[state] - 1):+.1e}"
        advice = (
            "If its numbers are rounded, read them as floats with exact=False"
            if exact and abs(total - 1) < 1e-12
            else "In continuous time there would be rates, which are not read here. Mend the row"
        )
        raise table.lines[int(table.line[place])].problem(
            f"begins the row of state {state:,}, which sums to {shown}, where "
            f"{'exactly 1' if exact else '1 within 1e-12'} is needed. {advice}, or divide each row "
            f"by its sum with normalize=True."
        )
