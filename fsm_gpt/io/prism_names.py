"""The labels of states and the values of their variables, as PRISM's files have them."""

from __future__ import annotations

import re

from fsm_gpt.io.prism_lines import IDENTIFIER, Line, Lines

__all__ = ["labels_of", "names_of"]

_LABEL = re.compile(r'([0-9]{1,9})="([^"]*)"(?:\s+|$)')
_VALUE = re.compile(r"-?[0-9]{1,18}|true|false")


def labels_of(said: Lines, N: int) -> dict[str, tuple[int, ...]]:
    """The states of each label."""
    names: dict[str, int] = {}
    text, at = said.head.text, 0
    while at < len(text):
        found = _LABEL.match(text, at)
        if found is None or int(found[1]) != len(names) or not IDENTIFIER.fullmatch(found[2]):
            raise said.head.problem(
                'is not the first line of a file of labels, such as 0="init" 1="deadlock" '
                '2="goal", with names of letters, digits and underscores. Check that this is the '
                "file that was meant."
            )
        if found[2] in names:
            raise said.head.problem(f"has the label {found[2]!r} twice. Rename one of them.")
        names[found[2]] = len(names)
        at = found.end()
    states: list[list[int]] = [[] for _ in names]
    seen: dict[int, int] = {}
    for line in said:
        before, colon, after = line.text.partition(":")
        if not colon or not after.split():
            raise line.problem(
                "is no list of labels: the number of a state, a colon, and the numbers of its "
                "labels. The file is damaged or cut short."
            )
        state = line.whole(before.strip(), "a state", N)
        if seen.setdefault(state, line.number) != line.number:
            raise line.problem(
                f"names the state {state:,} again, after line {seen[state]:,}. Write one line for "
                f"each state."
            )
        for label in sorted({line.whole(one, "a label", len(names)) for one in after.split()}):
            states[label].append(state)
    return {name: tuple(sorted(of)) for name, of in zip(names, states, strict=True)}


def names_of(said: Lines, N: int) -> list[str]:
    """A name for each state: the values of its variables, such as "(1,0)"."""
    head = said.head.text
    variables = head[1:-1].split(",") if head[:1] + head[-1:] == "()" else [""]
    if not all(IDENTIFIER.fullmatch(name.strip()) for name in variables):
        raise said.head.problem(
            "is not the first line of a file of states: the names of variables, such as (x,y). "
            "Check that this is the file that was meant."
        )
    if len(said) != N:
        raise said.head.problem(
            f"has {len(said):,} lines after it, and the chain has {N:,} states. The file is cut "
            f"short, or belongs to another model."
        )
    names: dict[int, str] = {}
    seen: dict[str, Line] = {}
    for line in said:
        before, _, after = line.text.partition(":")
        state = line.whole(before.strip(), "a state", N)
        values = [value.strip() for value in after.strip()[1:-1].split(",")]
        whole = after.strip()[:1] + after.strip()[-1:] == "()" and len(values) == len(variables)
        if not whole or not all(_VALUE.fullmatch(v) for v in values):
            raise line.problem(
                f"is no state: its number, a colon, and {len(variables)} whole numbers or truth "
                f"values in brackets. The file is damaged."
            )
        name = f"({','.join(values)})"
        if state in names:
            raise line.problem(f"is a second line of the state {state:,}. Keep one of them.")
        if name in seen:
            raise line.problem(
                f"has the values of line {seen[name].number:,}, so that two states have one name. "
                f"Read the chain without this file."
            )
        names[state], seen[name] = name, line
    return [names[state] for state in range(N)]
