"""Tables, figures and the files that they become."""

import csv
import hashlib
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest

from analysis.study import Study, Table
from fsm_gpt.errors import FileProblem, InvalidArgument

TABLE = Table(
    "A table",
    ("name", "share", "bits"),
    [("a|b", Fraction(1, 3), 0.1), ("c, d", None, 0.0), ("e", 1234567, 2 / 3)],
    formats={"bits": ".2f"},
    note="A note.",
)


def test_csv_keeps_every_digit() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.to_csv())))
    assert rows[0] == ["name", "share", "bits"]
    assert rows[1:] == [["a|b", "1/3", "0.1"], ["c, d", "", "0.0"], ["e", "1234567", repr(2 / 3)]]


def test_markdown_is_aligned_and_escaped() -> None:
    lines = TABLE.to_markdown().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| ---- | --------: | ---: |"
    assert "a\\|b" in lines[2]
    assert lines[3].split() == ["|", "c,", "d", "|", "–", "|", "0", "|"]
    assert "1,234,567" in lines[4]
    assert "0.67" in lines[4]


def test_html_is_escaped() -> None:
    page = Table("<t>", ("<c>",), [("<x>",)])._repr_html_()
    assert "<x>" not in page
    assert "&lt;x&gt;" in page


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="1 cells and there are 2 columns"):
        Table("t", ("a", "b"), [("only one",)])


def test_a_study_is_written_whole(quick: dict[str, Study], tmp_path: Path) -> None:
    study = quick["stationary"]
    folder = study.save(tmp_path / "deep" / "er", command="the command")
    assert folder == tmp_path / "deep" / "er" / "stationary"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["command"] == "the command"
    assert manifest["inputs"]["seed"] == 1337
    assert manifest["versions"]["fsm_gpt"]
    there = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert there == set(manifest["files"])
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    for name in study.tables:
        assert {f"{name}.csv", f"{name}.md"} <= there
    for name in study.figures:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()
        assert f"({name}.png)" in (folder / "index.md").read_text(encoding="utf-8")


def test_the_same_study_is_the_same_bytes(quick: dict[str, Study], tmp_path: Path) -> None:
    study = quick["capacity"]
    first, second = ((study.save(tmp_path / name) / "manifest.json").read_bytes() for name in "ab")
    assert first == second


def test_a_folder_that_cannot_be_made_is_one_sentence(
    quick: dict[str, Study], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileProblem, match="cannot write it"):
        quick["capacity"].save(tmp_path / "file")


@pytest.mark.parametrize("name", ["article", "structure", "entropy_rate"])
def test_every_figure_draws(quick: dict[str, Study], name: str) -> None:
    for picture in quick[name].figures.values():
        figure = picture.figure()
        assert figure.axes
        assert all(ax.has_data() or ax.patches for ax in figure.axes)
