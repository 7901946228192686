"""``fsm_gpt.plot``: one function for each kind of picture, and one way to call them."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fsm_gpt as fg
from fsm_gpt import plot
from fsm_gpt.cli.plot import KINDS
from tests.report.chains import AFTER, of_ones
from tests.report.pictures import PICTURES

PLAIN = sorted(name for name in PICTURES if " " not in name)


def test_every_kind_has_a_picture() -> None:
    assert set(PLAIN) == set(plot.__all__) - {"save"}
    assert set(KINDS.values()) <= set(plot.__all__)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(plot.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.asname: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == {n: (f"fsm_gpt.report.{m}", f) for n, (m, f) in plot._HOME.items()}
    assert sorted(plot._HOME) == sorted(plot.__all__) == dir(plot)


@pytest.mark.parametrize("name", PLAIN)
def test_options_are_the_same_everywhere(name: str) -> None:
    parameters = inspect.signature(getattr(plot, name)).parameters
    for option in ("ax", "dark", "title"):
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY, option
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 2


@pytest.mark.parametrize("name", PLAIN)
def test_axes_are_drawn_into_and_returned(name: str) -> None:
    ax = Figure(figsize=(6, 4), layout="constrained").add_subplot()
    assert PICTURES[name](ax=ax) is ax
    own = PICTURES[name]()
    assert isinstance(own, Axes)
    assert own.figure is not ax.figure


def test_a_figure_can_hold_several() -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot.state_graph(of_ones(AFTER), ax=left)
    plot.memory_curve(of_ones(AFTER), ax=right)
    figure.draw_without_rendering()


def test_it_is_the_same_code_everywhere() -> None:
    assert plot.state_graph is fg.state_graph
    for name, (module, function) in plot._HOME.items():
        assert getattr(plot, name) is getattr(import_module(f"fsm_gpt.report.{module}"), function)


def test_naming_it_loads_no_matplotlib() -> None:
    code = "import fsm_gpt as fg, sys; fg.plot; dir(fg.plot); print('matplotlib' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_wrong_name_is_refused() -> None:
    name = "stategraph"
    with pytest.raises(AttributeError, match="no attribute 'stategraph'"):
        getattr(plot, name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_draws_each_kind(kind: str, tmp_path: Path) -> None:
    from fsm_gpt.cli import main

    fg.save(of_ones(AFTER), tmp_path / "chain.safetensors")
    output = tmp_path / "picture.svg"
    arguments = ["plot", str(tmp_path / "chain.safetensors"), "--kind", kind, "-o", str(output)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert output.read_bytes().startswith(b"<?xml")
