"""Tables that are kept are those that studies give; the manifest over all says from what."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import STUDIES
from analysis.kept import KEPT, LARGEST, differences, keep, objections
from analysis.manifest import MANIFEST, data_files, source_digest, write_manifest
from analysis.study import Study
from fsm_gpt.result import to_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return dict(json.loads((KEPT / MANIFEST).read_bytes()))


@pytest.fixture
def results(quick: dict[str, Study], tmp_path: Path) -> Path:
    """What two studies write, with the manifest over both."""
    folder = tmp_path / "studies"
    written = {name: quick[name].save(folder) for name in ("stationary", "capacity")}
    write_manifest(folder, written, command="the command", quick=True)
    return folder


# ---- what is kept in the repository ----


def test_every_study_is_kept(kept: dict[str, Any]) -> None:
    """Where a study is new: make studies ARGS=--write."""
    assert set(kept["studies"]) == set(STUDIES)
    assert kept["quick"] is False
    for name in STUDIES:
        assert list((KEPT / name).glob("*.csv")), name


def test_the_kept_files_are_those_of_their_manifest(kept: dict[str, Any]) -> None:
    listed = {
        name: digest for one in kept["studies"].values() for name, digest in one["tables"].items()
    }
    there = {path.relative_to(KEPT).as_posix(): path for path in KEPT.glob("*/*.csv")}
    assert set(there) == set(listed)
    for name, path in there.items():
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == listed[name], name
        assert len(content) <= LARGEST


def test_the_inputs_are_those_of_the_kept_tables(kept: dict[str, Any]) -> None:
    """A text, weights or the table of models that changes wants make studies ARGS=--write."""
    assert kept["data"] == data_files()


def test_quick_studies_that_are_whole_give_what_is_kept(
    kept: dict[str, Any], quick: dict[str, Study]
) -> None:
    compared = []
    for name, study in quick.items():
        now, then = to_json(dict(study.inputs)), kept["studies"][name]["inputs"]
        for inputs in (now, then):
            inputs.pop("provenance", None)  # versions, which may be others
        if now != then:
            continue  # fewer seeds or steps; make studies runs it whole
        compared.append(name)
        for table, found in study.tables.items():
            path = KEPT / name / f"{table}.csv"
            assert list(differences(path.read_text(encoding="utf-8"), found.to_csv())) == [], path
    assert {"stationary", "capacity"} <= set(compared)


# ---- two tables held against each other ----

TABLE = 'name,bits,steps,words\na,0.123456789,12,"at 0.79, after 3"\nb,1e-13,,none\n'


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("0.123456789", "0.123456788"),
        ("0.123456789", "0.12346"),
        ("1e-13", "3e-12"),
        ("0.79", "0.80"),  # rounded within a sentence
    ],
)
def test_what_another_processor_rounds_is_the_same(was: str, is_now: str) -> None:
    assert list(differences(TABLE, TABLE.replace(was, is_now))) == []


@pytest.mark.parametrize(
    ("was", "is_now", "words"),
    [
        ("0.123456789", "0.1235", "bits of a: kept 0.123456789, found 0.1235"),
        ("1e-13", "3e-7", "bits of b: kept 1e-13, found 3e-7"),
        (",12,", ",13,", "steps of a: kept 12, found 13"),
        ("after 3", "after 4", "words of a"),
        ("0.79", "0.81", "words of a"),
        ("at 0.79", "to 0.79", "words of a"),
        ("none", "", "words of b: kept none, found nothing"),
        ("1e-13,,", "1e-13,5,", "steps of b: kept nothing, found 5"),
        ("b,1e-13,,none\n", "", "kept 2 rows, found 1"),
        ("name,bits", "name,nats", "columns: kept name, bits, steps, words, found name, nats"),
    ],
)
def test_what_changed_is_seen(was: str, is_now: str, words: str) -> None:
    changed = TABLE.replace(was, is_now)
    assert changed != TABLE
    (said,) = differences(TABLE, changed)
    assert words in said


def test_a_sample_may_fall_elsewhere_in_its_interval() -> None:
    table = "rule,bits,low,high\nx,1.50,1.4,1.6\n"
    assert list(differences(table, table.replace("1.50", "1.58"))) == []
    assert list(differences(table, table.replace("1.50", "1.78"))) != []


# ---- from a folder of results to what is kept ----


def test_what_was_kept_is_what_is_found(results: Path, tmp_path: Path) -> None:
    store = tmp_path / "kept"
    written = keep(results, store)
    assert {path.name for path in written} >= {"contexts.csv", "models.csv"}
    assert list(objections(results, store)) == []
    (results / "stationary" / "new.csv").write_text("a\n1\n")
    (results / "capacity" / "claims.csv").unlink()
    table = results / "capacity" / "memories.csv"
    table.write_text(table.read_text().replace("65536", "65537"))
    assert [line.partition(":")[0] for line in objections(results, store)] == [
        "capacity/claims.csv",
        "stationary/new.csv",
        "capacity/memories.csv",
    ]


def test_large_tables_are_not_kept(results: Path, tmp_path: Path) -> None:
    (results / "capacity" / "large.csv").write_text("a\n" + "1\n" * LARGEST)
    keep(results, tmp_path / "kept")
    assert not (tmp_path / "kept" / "capacity" / "large.csv").exists()
    assert list(objections(results, tmp_path / "kept")) == []


def test_the_command_says_what_differs(results: Path) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "analysis.kept", *args]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    said = run(str(results))
    assert said.returncode != 0
    assert "article/claims.csv: kept, and no study gives it" in said.stdout
    assert "make studies ARGS=--write" in said.stderr
    none = run(str(results / "nowhere"))
    assert none.returncode == 4
    assert "there is no manifest.json of the studies in it" in none.stderr


# ---- the manifest over all ----


def test_the_manifest_names_everything(results: Path) -> None:
    manifest = json.loads((results / MANIFEST).read_bytes())
    assert manifest["command"] == "the command"
    assert manifest["versions"]["numpy"]
    assert manifest["data"] == data_files()
    assert manifest["sources"] == source_digest()
    for name, study in manifest["studies"].items():
        for file, digest in study["files"].items():
            assert hashlib.sha256((results / name / file).read_bytes()).hexdigest() == digest
        own = hashlib.sha256((results / name / MANIFEST).read_bytes()).hexdigest()
        assert study["manifest"] == own


def test_digests_see_a_change(tmp_path: Path) -> None:
    for folder in ("analysis", "fsm_gpt"):
        (tmp_path / folder).mkdir()
    source, data = tmp_path / "analysis" / "a.py", tmp_path / "fsm_gpt" / "b.json"
    source.write_text("x = 1\n")
    data.write_text("{}")
    before = source_digest(tmp_path), data_files(tmp_path)
    assert set(before[1]) == {"fsm_gpt/b.json"}
    source.write_text("x = 2\n")
    data.write_text("[]")
    after = source_digest(tmp_path), data_files(tmp_path)
    assert before[0] != after[0]
    assert before[1] != after[1]
    shutil.move(source, tmp_path / "analysis" / "c.py")
    assert source_digest(tmp_path) != after[0]
