"""``python -m analysis.kept``: the small tables of docs/data/studies, held against the studies.

A reader of the repository sees the numbers without running anything, and a change that moves a
number is seen in its diff. ``make studies`` makes every table and figure anew and then asks here
whether the kept tables are what came of it; with ``--write`` they are written instead.

Whole numbers and words must be the same. Other numbers may differ as another processor rounds
them: by a ten-thousandth, within a sentence by one in the last digit that is written, or within the
interval where a row has one (``low`` and ``high``), since it may draw another sample.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from analysis.commands import FOLDER, One
from analysis.manifest import MANIFEST
from fsm_gpt.errors import FileProblem, NotConverged
from fsm_gpt.files import read_limited, shown

__all__ = ["KEPT", "LARGEST", "differences", "keep"]

#: Where tables are kept.
KEPT = Path(__file__).resolve().parent.parent / "docs" / "data" / "studies"
#: A table of more bytes is not small, and is not kept.
LARGEST = 16_384

#: How far a number may be from the one kept: relatively, and where both are next to nothing.
RELATIVE, ABSOLUTE = 1e-4, 1e-9

_NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")


def differences(kept: str, found: str) -> Iterator[str]:
    r"""Each cell in which two tables differ, in words.

    >>> list(differences("a,b\nx,0.25\n", "a,b\nx,0.250001\n"))
    []
    >>> list(differences("a,b\nx,0.25\n", "a,b\nx,0.26\n"))
    ['b of x: kept 0.25, found 0.26']
    """
    old, new = (list(csv.reader(io.StringIO(text))) for text in (kept, found))
    if old[:1] != new[:1]:
        yield f"columns: kept {', '.join(old[0])}, found {', '.join(new[0])}"
        return
    if len(old) != len(new):
        yield f"kept {len(old) - 1} rows, found {len(new) - 1}"
        return
    heads = old[0]
    for before, after in zip(old[1:], new[1:], strict=True):
        noise = _interval(dict(zip(heads, before, strict=True)))
        for head, was, is_now in zip(heads, before, after, strict=True):
            if not _same(was, is_now, noise):
                yield f"{head} of {before[0]}: kept {was or 'nothing'}, found {is_now or 'nothing'}"


def _interval(row: dict[str, str]) -> float:
    """How wide the interval of a row is, if it has one."""
    try:
        return float(row["high"]) - float(row["low"])
    except (KeyError, ValueError):
        return 0.0


def _same(was: str, is_now: str, noise: float) -> bool:
    """Whether two cells say the same, their numbers as near as another processor makes them."""
    if was == is_now:
        return True
    if _NUMBER.sub("#", was) != _NUMBER.sub("#", is_now):
        return False
    in_words = _NUMBER.sub("", was) != ""  # and so rounded, where a cell of its own has every digit
    pairs = zip(_NUMBER.findall(was), _NUMBER.findall(is_now), strict=True)
    return all(_near(old, new, noise, rounded=in_words) for old, new in pairs)


def _near(old: str, new: str, noise: float, *, rounded: bool) -> bool:
    """Whether two numbers are near; whole numbers have to be the same."""
    old, new = old.replace(",", ""), new.replace(",", "")
    if old == new:
        return True
    if not any(sign in old + new for sign in ".eE"):
        return False
    a, b = float(old), float(new)
    places = (int(Decimal(text).as_tuple().exponent) for text in (old, new))
    last = 1.000001 * 10.0 ** max(places) if rounded else 0.0
    return abs(a - b) <= max(ABSOLUTE, noise, last) or math.isclose(a, b, rel_tol=RELATIVE)


def keep(results: Path, kept: Path = KEPT) -> list[Path]:
    """Write the small tables of every study, and what they came from, in place of those kept."""
    tables = list(_small(results))
    manifest = _manifest(results)
    del manifest["sources"]  # they change daily, and most changes move no number
    if kept.exists():
        shutil.rmtree(kept)
    for path in tables:
        target = kept / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    named = {path.relative_to(results).as_posix(): path for path in tables}
    manifest["studies"] = {
        name: {
            **{key: study[key] for key in ("question", "inputs") if key in study},
            "tables": {
                file: hashlib.sha256(path.read_bytes()).hexdigest()
                for file, path in named.items()
                if file.startswith(f"{name}/")
            },
        }
        for name, study in manifest["studies"].items()
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (kept / MANIFEST).write_text(text, encoding="utf-8")
    return tables


def _small(results: Path) -> Iterator[Path]:
    """The tables of every study that are small enough to be kept."""
    for path in sorted(results.glob("*/*.csv")):
        if path.stat().st_size <= LARGEST:
            yield path


def _manifest(results: Path) -> dict[str, Any]:
    return dict(json.loads(read_limited(results / MANIFEST, 2**24)))


def objections(results: Path, kept: Path = KEPT) -> Iterator[str]:
    """Everything in which the kept tables are not those of the studies, a line each."""
    there = {path.relative_to(kept).as_posix() for path in kept.glob("*/*.csv")}
    found = {path.relative_to(results).as_posix() for path in _small(results)}
    for name in sorted(there - found):
        yield f"{name}: kept, and no study gives it"
    for name in sorted(found - there):
        yield f"{name}: a study gives it, and it is not kept"
    for name in sorted(there & found):
        for words in differences(
            (kept / name).read_text(encoding="utf-8"), (results / name).read_text(encoding="utf-8")
        ):
            yield f"{name}: {words}"


@click.command("analysis.kept")
@click.argument("folder", default=FOLDER, metavar="[FOLDER]")
@click.option("--write", is_flag=True, help="Keep the tables of FOLDER in place of those kept.")
def command(folder: str, write: bool) -> None:
    """Hold the small tables that are kept in docs/data/studies against those in FOLDER.

    FOLDER is what ``python -m analysis`` wrote.
    """
    results = Path(folder)
    if not (results / MANIFEST).is_file():
        raise FileProblem(
            f"{shown(folder)}: there is no {MANIFEST} of the studies in it. Run python -m analysis "
            f"--output {shown(folder)} first."
        )
    if write:
        click.echo(f"kept: {len(keep(results)):,} tables in {KEPT}")
        return
    wrong = list(objections(results))
    for line in wrong:
        click.echo(line)
    if wrong:
        raise NotConverged(
            f"the kept tables are not what the studies give, in the {len(wrong):,} places above."
            f"{_other_versions(results)} If the change is meant, make studies ARGS=--write keeps "
            f"the new ones."
        )
    click.echo(f"kept: {len(list(_small(results))):,} tables are what the studies give")


def _other_versions(results: Path) -> str:
    """Which versions are others than those that made the kept tables, in a sentence."""
    made = _manifest(KEPT)["versions"] if (KEPT / MANIFEST).is_file() else {}
    now = _manifest(results)["versions"]
    others = [
        f"{name} {v} (was {made.get(name)})" for name, v in now.items() if made.get(name) != v
    ]
    return f" Versions are others: {', '.join(others)}." if others else ""


if __name__ == "__main__":
    One(command).run()
