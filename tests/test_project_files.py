"""The project's own files agree with each other: versions, commands, dependencies."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fsm_gpt

ROOT = Path(__file__).resolve().parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
NEEDED = [
    Requirement(line)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in group
    if not line.startswith(PROJECT["name"])
]
TESTED = {
    canonicalize_name(requirement.name): requirement.specifier
    for line in read("constraints.txt").splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}
README = read("README.md")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```(?:console|sh|bash)\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_the_version_is_the_installed_one() -> None:
    assert version("fsm_gpt") == fsm_gpt.__version__


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_what_is_needed_was_tested_in_its_range(needed: Requirement) -> None:
    (pin,) = TESTED[canonicalize_name(needed.name)]
    assert pin.operator == "=="
    assert "+" not in pin.version, "a local label exists on one index only"
    assert needed.specifier.contains(pin.version)


def test_every_dependency_is_explained() -> None:
    explained = read("CONTRIBUTING.md")
    runtime = [Requirement(line).name for line in PROJECT["dependencies"]]
    assert [name for name in runtime if f"| {name} |" not in explained] == []


def test_the_readme_names_real_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    named = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_checks_run_the_readme_test_command() -> None:
    assert re.search(r"^step tests .*make test$", read(".ci/run"), flags=re.MULTILINE)


def test_the_readme_names_real_verbs() -> None:
    program = shutil.which("fsm-gpt", path=str(Path(sys.executable).parent))
    assert program, "the package is not installed"
    verbs = {words[1] for c in COMMANDS if (words := c.split())[0].endswith("fsm-gpt")}
    assert {"demo", "report"} <= verbs
    for verb in verbs:
        subprocess.run([program, verb, "--help"], check=True, capture_output=True)
    assert subprocess.run([program, "no-such-verb"], check=False, capture_output=True).returncode


def test_the_readme_python_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


#: What a file of the citation file format 1.2.0 may say, as far as this project says it, and must.
CITATION_NEEDS = {"authors", "cff-version", "message", "title"}
CITATION_KEYS = CITATION_NEEDS | {"abstract", "date-released", "doi", "keywords", "license"}
CITATION_KEYS |= {"references", "repository-code", "type", "url", "version"}


def test_the_citation_file_agrees_with_the_project() -> None:
    text = read("CITATION.cff")
    said = dict(re.findall(r"^([a-z-]+): *(.*)$", text, flags=re.MULTILINE))
    assert CITATION_NEEDS <= set(said) <= CITATION_KEYS
    assert said["cff-version"] == "1.2.0"
    assert said["version"] == fsm_gpt.__version__
    assert said["license"] == PROJECT["license"]
    assert said["title"].strip('"').startswith(PROJECT["name"])
    assert re.search(r"^authors:\n(?:  - .+\n)+", text, flags=re.MULTILINE)
    assert set(re.findall(r"^  - ([^:\n]+)$", text, flags=re.MULTILINE)) == set(PROJECT["keywords"])


def test_the_studies_are_compared_with_what_is_kept() -> None:
    recipe = read("Makefile").partition("\nstudies:")[2].partition("\n\n")[0]
    assert re.search(r"-m analysis --output build/studies$", recipe, flags=re.MULTILINE)
    assert re.search(r"-m analysis\.kept build/studies \$\(ARGS\)$", recipe, flags=re.MULTILINE)


def test_the_checks_build_the_docs() -> None:
    assert re.search(r"^step docs make docs$", read(".ci/run"), flags=re.MULTILINE)
    assert re.search(r"-W\b.* docs build/docs/html$", read("Makefile"), flags=re.MULTILINE)
