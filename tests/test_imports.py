"""Who may import whom, what importing costs, and what the public names promise.

The direction of imports is the one drawn in CONTRIBUTING.md: from the command line down to
the errors. It is read from the source with ``ast``, so that an import inside a function counts.
"""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fsm_gpt as fg

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(fg.__file__).parent

#: The parts of a room that is spread over several files.
SAME_ROOM = {
    "file_sets": "files",
    "display": "result",
    "progress": "result",
    "storage": "chain",
    "streamed": "chain",
    "build": "chain",
    "counts": "chain",
    "listing": "chain",
    "stopping": "chain",
    "couple": "chain",
    "environment": "chain",
    "following": "chain",
    "moves": "chain",
    "pairing": "chain",
    "replying": "chain",
    "subchain": "chain",
    "compound": "space",
    "asking": "extract",
    "as_found": "extract",
    "about_model": "extract",
    "prompts": "extract",
    "collected": "extract",
    "cutting": "extract",
    "album": "watch",
    "plot": "report",
}

#: Room -> the rooms it uses. It may use what these use, too.
USES = {
    "errors": set(),
    "result": set(),
    "rows": {"errors"},
    "files": {"errors"},
    "space": {"errors"},
    "decoding": {"rows"},
    "kernels": {"errors"},
    "headers": {"files"},
    "capacity": {"files", "result", "headers"},
    "chain": {"space", "decoding", "kernels", "result"},
    "simulate": {"chain"},
    "io": {"chain", "files"},
    "threads": set(),
    "extract": {"chain", "threads"},
    "explore": {"extract", "io", "files"},
    "extract_to_store": {"extract", "io", "files"},
    "series": {"errors"},
    "sampling": {"extract", "simulate", "markov", "series"},
    "gpt": {"space", "files", "result", "threads", "headers", "capacity"},
    "markov": {"chain"},
    "patterns": {"markov"},
    "sensitivity": {"extract", "markov"},
    "learning": {"markov"},
    "watch": {"learning", "extract", "gpt"},
    "report": {"markov", "capacity", "files", "learning", "explore"},
    "cli": {
        "report",
        "gpt",
        "extract",
        "extract_to_store",
        "explore",
        "io",
        "simulate",
        "headers",
        "sampling",
    }
    | {"patterns", "sensitivity", "watch"},
    "__main__": {"cli"},
}

#: The only files in which torch is imported.
TORCH = re.compile(r"gpt/|kernels/cuda\.py$")

#: Too slow to be imported before somebody needs them.
HEAVY = {"torch", "numba", "sympy", "matplotlib", "transformers", "tokenizers", "automata"}


def below(room: str) -> set[str]:
    """Every room that a room may use, directly or not."""
    return USES[room].union(*(below(used) for used in USES[room]))


def imported(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each thing that a file imports, wherever it does so."""
    package = (root.name, *path.relative_to(root).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module, names, level):
                parts = [*package[: len(package) - level + 1]] if level else []
                source = ".".join([*parts, *([module] if module else [])])
                yield from ((node.lineno, f"{source}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(str(name)), *_],
            ):
                yield node.lineno, name


def objection(file: str, name: str) -> str | None:
    """Why a file (its path inside the package) may not import a name, or None if it may."""
    first, *rest = name.split(".")
    if first == "analysis" or first == "tests":
        return f"nothing imports {first}"
    if first == "torch" and not TORCH.match(file):
        return "torch lives in gpt"
    if first != PACKAGE.name or rest == ["__version__"]:
        return None
    room = file.split("/")[0].removesuffix(".py")
    room = SAME_ROOM.get(room, room)
    if room == "__init__":
        return None  # the public names; what they load and when is tested below
    if room not in USES:
        return f"the room {room} is not in the table"
    target = SAME_ROOM.get(rest[0], rest[0]) if rest else ""
    if target not in USES:
        return "a name is imported from the module that defines it"
    if target != room and target not in below(room):
        return f"{room} does not use {target}"
    return None


def violations(root: Path) -> list[str]:
    """Each import under a package that goes against the table."""
    found = []
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root).as_posix()
        for line, name in imported(path, root):
            why = objection(file, name)
            if why:
                found.append(f"{file}:{line} imports {name}: {why}")
    return found


def test_imports_go_one_way() -> None:
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("space.py", "import fsm_gpt.chain", "space does not use chain"),
        ("chain.py", "from fsm_gpt.markov.classes import period", "chain does not use markov"),
        ("storage.py", "from fsm_gpt import markov", "chain does not use markov"),
        ("extract.py", "def f():\n    from fsm_gpt.gpt import GPT", "extract does not use gpt"),
        ("extract.py", "from .gpt.model import GPT", "extract does not use gpt"),
        ("gpt/model.py", "from ..chain import Chain", "gpt does not use chain"),
        ("gpt/model.py", "from .. import chain", "gpt does not use chain"),
        ("result.py", "from fsm_gpt.errors import NotDefined", "result does not use errors"),
        ("markov/exact.py", "from fsm_gpt.report.html import page", "markov does not use report"),
        (
            "io.py",
            "import importlib\nimportlib.import_module('fsm_gpt.cli')",
            "io does not use cli",
        ),
        ("markov/exact.py", "from fsm_gpt import Chain", "from the module that defines it"),
        ("markov/exact.py", "import fsm_gpt as fg", "from the module that defines it"),
        ("cli/main.py", "from analysis.article import run", "nothing imports analysis"),
        ("markov/exact.py", "import torch", "torch lives in gpt"),
        ("kernels/cpu.py", "from torch import Tensor", "torch lives in gpt"),
        ("attic.py", "from fsm_gpt.errors import NotDefined", "attic is not in the table"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    path = tmp_path / "fsm_gpt" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = violations(tmp_path / "fsm_gpt")
    assert complaint in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("cli/main.py", "from fsm_gpt.errors import FsmGptError\nfrom fsm_gpt import __version__"),
        ("markov/classes.py", "import fsm_gpt.chain\nfrom .periods import period"),
        ("gpt/model.py", "import torch\nfrom torch import nn\nfrom ..errors import InvalidText"),
        ("kernels/cuda.py", "import torch"),
    ],
)
def test_a_right_import_passes(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / "fsm_gpt" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert violations(tmp_path / "fsm_gpt") == []


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = set(fresh(f"import fsm_gpt as fg; dir(fg); {LOADED}").split())
    assert "fsm_gpt" in loaded
    assert not loaded & HEAVY


def test_what_is_not_a_model_needs_no_torch() -> None:
    names = [name for name, home in fg._HOME.items() if home != "fsm_gpt.gpt"]
    loaded = set(fresh(f"from fsm_gpt import {', '.join(names)}; {LOADED}").split())
    assert "fsm_gpt" in loaded
    assert not loaded & HEAVY


def test_heavy_imports_would_be_seen() -> None:
    assert "sympy" in fresh(f"import sympy; {LOADED}").split()


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    declared = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == fg._HOME


def test_dir_and_star_list_the_public_names() -> None:
    assert set(fg._HOME) <= set(dir(fg))
    assert set(fg._HOME) <= set(vars(fg)["__all__"])


def test_a_wrong_name_is_refused() -> None:
    name = "stationery"
    with pytest.raises(AttributeError, match="has no attribute 'stationery'"):
        getattr(fg, name)


@pytest.mark.parametrize("name", sorted(fg._HOME))
def test_a_public_name_explains_itself(name: str) -> None:
    thing = getattr(fg, name)
    written = thing.__doc__ or ""
    assert written.strip(), f"{name} has no docstring"
    assert not written.startswith(f"{name}("), f"{name} has only the docstring of a dataclass"
    if inspect.isfunction(thing):
        assert ">>>" in written, f"{name} has no example"


SHADOWED = sorted(name for name, home in fg._HOME.items() if home == f"fsm_gpt.{name}")


def test_some_names_are_modules_and_functions() -> None:
    assert {"extract", "report", "simulate"} <= set(SHADOWED)


@pytest.mark.parametrize(
    "code",
    [
        "import fsm_gpt.{0}; thing = fsm_gpt.{0}",
        "import fsm_gpt; fsm_gpt.{0}; import fsm_gpt.{0}; thing = fsm_gpt.{0}",
        "import fsm_gpt.{0} as thing",
        "from fsm_gpt import {0} as thing",
        "from fsm_gpt.{0} import {0}; from fsm_gpt import {0} as thing; assert thing is {0}",
    ],
)
def test_a_function_is_not_hidden_by_its_module(code: str) -> None:
    check = "import inspect, sys; print(inspect.isfunction(thing), sys.modules['fsm_gpt.{0}'])"
    said = fresh("\n".join(f"{code}; {check}".format(name) for name in SHADOWED))
    assert [line.startswith("True <module") for line in said.splitlines()] == [True] * len(SHADOWED)


#: Somebody's home or workspace, written out: it would mean nothing on another machine.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:root|work|workspace|home/\w+|Users/\w+)/\w|\b[A-Z]:\\Users\\"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see " + "/ro" + "ot/x", True),
        ('open("' + "/wo" + 'rk/main")', True),
        ("/ho" + "me/ada/x", True),
        ("C:" + "\\Users\\ada", True),
        ("https://example.org/home/ada/x", False),
        ("framework/main and ./wo" + "rk/x and ~/wo" + "rk/x", False),
    ],
)
def test_a_machine_path_is_recognised(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is found


def test_no_tracked_file_names_a_machine_path() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    found = []
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            lines = data.decode("utf-8", errors="replace").splitlines()
            found += [f"{name}:{i}" for i, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert found == []
