"""Studies ask and lay out; what is worked out is worked out in fsm_gpt.

Read from the source: a study imports nothing that computes, calls nothing of that name, and
neither multiplies nor divides. ``drawing.py`` may, because it places ink, ``families.py``,
because it makes the chains that questions are asked of, and ``kept.py``, because it holds numbers
against numbers. ``bench/`` times what others compute beside ``fsm_gpt``; it is no study.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis

FOLDER = Path(analysis.__file__).parent
ROOT = FOLDER.parent

#: Packages that a study may use, besides those of the standard library listed below.
PACKAGES = {"fsm_gpt", "analysis", "click", "matplotlib", "torch"}
#: Of the standard library: files, text, types; and means and quantiles of a list.
LIBRARY = frozenset(
    (
        *("__future__", "collections", "csv", "dataclasses", "fractions", "functools", "hashlib"),
        *(
            "html",
            "importlib",
            "io",
            "json",
            "operator",
            "pathlib",
            "platform",
            "shlex",
            "statistics",
        ),
        *("sys", "typing"),
    )
)
#: Methods and functions that compute, whatever they belong to.
COMPUTES = re.compile(
    r"^(log|log2|log10|log1p|exp|exp2|expm1|sqrt|pow|sum|fsum|prod|dot|matmul|einsum|inv|solve|eig\w*|svd|norm|cumsum|"
    r"var|std|average|round|backward|softmax|cross_entropy)$"
)
OPERATORS = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
DRAWS = "drawing.py"
#: What makes the chains of the hard suite.
GENERATES = "families.py"
#: What holds tables against those that are kept.
KEEPS = "kept.py"


def objections(source: str, file: str) -> Iterator[str]:
    tree = ast.parse(source)
    typing_only = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                modules = []
        for module in modules:
            first = module.split(".")[0]
            if first not in PACKAGES and first not in LIBRARY:
                yield f"{file}:{node.lineno} imports {module}"  # type: ignore[attr-defined]
            if first in ("torch", "matplotlib") and id(node) not in typing_only:
                drawing = first == "matplotlib" and file in (DRAWS, "study.py")
                if not drawing:
                    yield f"{file}:{node.lineno} imports {module}"  # type: ignore[attr-defined]
        if file == DRAWS:
            continue
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, OPERATORS):
            yield f"{file}:{node.lineno} computes {ast.unparse(node)}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if COMPUTES.match(called):
                yield f"{file}:{node.lineno} calls {called}"


STUDIED = sorted(path for path in FOLDER.glob("*.py") if path.name not in (GENERATES, KEEPS))


@pytest.mark.parametrize("path", STUDIED, ids=lambda path: path.name)
def test_a_study_computes_nothing(path: Path) -> None:
    assert list(objections(path.read_text(encoding="utf-8"), path.name)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import math",
        "from math import log",
        "import numpy as np",
        "from scipy.sparse import csr_array",
        "import torch",
        "def f():\n    import sympy",
        "from random import random",
        "h = p * q",
        "p /= 2",
        "x = 2**h",
        "y = P @ Q",
        "total = sum(row)",
        "total = row.sum()",
        "x = rows.log2()",
    ],
)
def test_a_computation_is_found(source: str) -> None:
    assert len(list(objections(source, "article.py"))) == 1


def test_type_hints_and_places_of_ink_are_allowed() -> None:
    hints = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import nn"
    assert list(objections(hints, "claims.py")) == []
    assert list(objections("width = 0.8 / n", DRAWS)) == []
    assert list(objections("import math", DRAWS)) == ["drawing.py:1 imports math"]


def test_the_wheel_does_not_hold_the_studies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["fsm_gpt"]


def test_the_readme_lists_every_study_and_what_it_makes(
    quick: dict[str, analysis.study.Study],
) -> None:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split("|")[1].strip(" `"): line for line in lines if line.startswith("| `")}
    assert tuple(rows) == analysis.STUDIES
    for name, study in quick.items():
        assert f"python -m analysis.{name}`" in rows[name]
        output = rows[name].split("|")[4]
        for made in (*study.tables, *study.figures):
            assert f"`{made}`" in output


def test_the_makefile_runs_them() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^studies:.*\n\t\$\(BIN\)/python -m analysis ", makefile, flags=re.MULTILINE)
