"""The room loads what is asked for, and no more."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

# "import fsm_gpt.report" would give the function of that name.
from fsm_gpt.report import _HOME, __all__ as public, __file__ as home


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(home).read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    declared = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == _HOME
    assert sorted(_HOME) == sorted(public)


def test_a_table_of_capacities_loads_no_analysis() -> None:
    loaded = loaded_after(
        "from fsm_gpt.report.capacity_report import capacity_report; "
        "capacity_report(['gpt2', 'gpt-3']).render('table')"
    )
    assert "fsm_gpt.report.capacity_formats" in loaded
    assert not {"fsm_gpt.markov.spectrum", "fsm_gpt.report.facts", "jinja2"} & loaded


def test_names_come_when_they_are_asked_for() -> None:
    assert "fsm_gpt.report.graph" in loaded_after("from fsm_gpt.report import state_graph")
    assert "fsm_gpt.report.graph" not in loaded_after("from fsm_gpt.report import Facts")
    with pytest.raises(ImportError, match="no_such_name"):
        from fsm_gpt.report import no_such_name  # type: ignore[attr-defined] # noqa: F401
