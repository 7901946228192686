"""The package as others get it: built, installed outside the clone, and used there.

Nothing is fetched: the build runs with the backend that is installed, and what the package needs
is lent to the new environment from the one that runs the tests.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import fsm_gpt
from fsm_gpt.cli.program import VERBS

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; a failure shows what it said."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP", "COV"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the sdist, as installers make it."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a new environment that has the wheel."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    (site,) = folder.rglob("site-packages")
    # Their paths alone: the clone, which stands in a .pth file in one of them, is not found so.
    lent = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "lent.pth").write_text("\n".join(lent) + "\n", encoding="utf-8")
    python = commands / Path(sys.executable).name
    run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python),
        *("install", "--quiet", "--no-deps", "--no-index", wheel),
        cwd=folder.parent,
    )
    return commands


def test_the_version_comes_from_one_place(sdist: Path, wheel: Path) -> None:
    assert sdist.name == f"fsm_gpt-{fsm_gpt.__version__}.tar.gz"
    assert wheel.name == f"fsm_gpt-{fsm_gpt.__version__}-py3-none-any.whl"
    written = re.compile(rf"(?<![\d.]){re.escape(fsm_gpt.__version__)}(?![\d.])")
    places = [
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("*.toml"), *(ROOT / "fsm_gpt").rglob("*.py")]
        if written.search(path.read_text(encoding="utf-8"))
    ]
    assert places == ["fsm_gpt/__init__.py"]


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (n for n in names if n.endswith("METADATA"))
        about = Parser().parsestr(archive.read(metadata).decode())
        (points,) = (n for n in names if n.endswith("entry_points.txt"))
        entries = archive.read(points).decode()
    assert {name.split("/")[0] for name in names} == {
        "fsm_gpt",
        f"fsm_gpt-{fsm_gpt.__version__}.dist-info",
    }
    there = {p.relative_to(ROOT).as_posix() for p in (ROOT / "fsm_gpt").rglob("*") if p.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert {name for name in names if name.startswith("fsm_gpt/")} == there
    assert {"fsm_gpt/py.typed", "fsm_gpt/models.json", "fsm_gpt/report/page.css"} <= there
    assert about["Name"] == "fsm_gpt"
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    assert str(about.get_payload()).startswith("# fsm_gpt")
    assert "[console_scripts]\nfsm-gpt = fsm_gpt.cli:main" in entries
    assert "[pipx.run]\nfsm_gpt = fsm_gpt.cli:main" in entries


def test_the_sdist_has_what_a_clone_has(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("Makefile", "constraints.txt", "CITATION.cff", "CHANGELOG.md", "LICENSE"):
        assert wanted in names
    for folder in ("analysis", "docs", "tests", "fsm_gpt"):
        assert any(name.startswith(f"{folder}/") for name in names)
    made = re.compile(r"(^|/)(__pycache__|\.venv|build|dist|\.git|node_modules)/|\.html$")
    assert [name for name in names if made.search(name)] == []


def test_it_works_outside_the_clone(installed: Path, tmp_path: Path) -> None:
    python, program = installed / Path(sys.executable).name, installed / "fsm-gpt"
    where = run(python, "-c", "import fsm_gpt; print(fsm_gpt.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert run(program, "--version", cwd=tmp_path) == f"fsm-gpt, version {fsm_gpt.__version__}\n"
    assert "15,991.846 bits" in run(program, "capacity", "gpt2", cwd=tmp_path)
    run(program, "capacity", "gpt2", "gpt-3", "-o", "capacity.html", cwd=tmp_path)
    assert "<script>" in (tmp_path / "capacity.html").read_text(encoding="utf-8")
    (tmp_path / "my.txt").write_text("ab ba " * 10, encoding="utf-8")
    run(program, "report", "--text", "my.txt", "--steps", "2", cwd=tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    names = run(
        python, "-c", "import fsm_gpt, json; print(json.dumps(fsm_gpt.__all__))", cwd=tmp_path
    )
    assert json.loads(names) == fsm_gpt.__all__


# ---- what is said of a release ----

CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_changelog_has_every_version_and_kind() -> None:
    versions = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGES, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(date for _, date in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", CHANGES, re.MULTILINE)) <= kinds
    if len(versions) > 1:
        assert versions[1][0] == fsm_gpt.__version__


def test_the_changelog_names_every_verb() -> None:
    quoted = " ".join(re.findall(r"`([^`]+)`", CHANGES))
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", quoted)] == []


def test_the_deprecation_policy_is_written_down() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    part = contributing.partition("## Releases, and what stays as it is")[2].partition("\n## ")[0]
    for word in ("Semantic Versioning", "DeprecationWarning", "fsm_gpt.__all__", "second minor"):
        assert word in " ".join(part.split())
