"""One manifest over all studies: what went in, which versions, and every file that came out.

It stands beside the folders of the studies. With the same inputs, the same sources and the same
versions on one kind of machine, the same files come out, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fsm_gpt.files import Pathlike, atomic_write
from fsm_gpt.report.about import installed_versions

__all__ = ["MANIFEST", "data_files", "source_digest", "write_manifest"]

MANIFEST = "manifest.json"
#: The version of the manifest over all; it changes when a key changes its meaning or goes.
SCHEMA = 1

ROOT = Path(__file__).resolve().parent.parent
#: Folders whose sources and data decide what a study finds.
FOLDERS = ("analysis", "fsm_gpt")
#: Endings of files that are no input.
_NO_INPUT = (".py", ".pyc", ".md", ".css", ".js", ".j2", ".typed", ".nbi", ".nbc")


def data_files(root: Path = ROOT) -> dict[str, str]:
    """Every file that a study can read, with its SHA-256: texts, weights, the table of models.

    >>> sorted(data_files())[0]
    'analysis/prompts.txt'
    """
    return {
        path.relative_to(root).as_posix(): _digest(path)
        for path in _below(root)
        if not path.name.endswith(_NO_INPUT)
    }


def source_digest(root: Path = ROOT) -> str:
    """One SHA-256 of all Python sources of the package and of the studies, by name and content.

    >>> len(source_digest())
    64
    """
    total = hashlib.sha256()
    for path in _below(root):
        if path.suffix == ".py":
            total.update(f"{path.relative_to(root).as_posix()} {_digest(path)}\n".encode())
    return total.hexdigest()


def _below(root: Path) -> Iterable[Path]:
    found = (
        path for folder in FOLDERS for path in root.joinpath(folder).rglob("*") if path.is_file()
    )
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(
    folder: Pathlike, studies: Mapping[str, Path], *, command: str, quick: bool
) -> Path:
    """Write what all studies came from and what came of them, after the last of them.

    Raises
    ------
    FileProblem
        The manifest cannot be written.
    """
    found: dict[str, Any] = {}
    for name, place in studies.items():
        one = json.loads(place.joinpath(MANIFEST).read_bytes())
        found[name] = {
            "question": one["question"],
            "inputs": one["inputs"],
            "files": one["files"],
            "manifest": _digest(place.joinpath(MANIFEST)),
        }
    manifest = {
        "schema": SCHEMA,
        "command": command,
        "quick": quick,
        "versions": installed_versions(),
        "machine": platform.machine(),
        "sources": source_digest(),
        "data": data_files(),
        "studies": found,
    }
    target = Path(folder).joinpath(MANIFEST)
    with atomic_write(target) as stream:
        stream.write(json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode())
        stream.write(b"\n")
    return target
