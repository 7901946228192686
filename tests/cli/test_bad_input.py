"""Whatever is wrong with what is given: one paragraph, the right exit code, nothing left behind."""

import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as read_tensors, save as write_tensors

from fsm_gpt.io.format import KEY, digest


@pytest.fixture
def refused(fsm_gpt, folder: Path) -> Callable[..., str]:
    """Run a command that must fail with a code, and leave the folder as it was."""

    def check(code: int, *args: str) -> str:
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        said = fsm_gpt(*args)
        assert said.code == code, said
        assert said.out == ""
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
        return str(said.error)

    return check


@pytest.mark.parametrize(
    ("code", "args", "words"),
    [
        (1, ["train", ""], "the text is empty"),
        (1, ["train", "1"], "one token"),
        (1, ["train", "11111"], "the vocabulary has one token"),
        (1, ["train", "01", "--vocabulary", "01"], "the text has 2 tokens"),
        (1, ["train", "0110", "--context", "9"], "the text has 4 tokens, and a context of 9"),
        (1, ["train", "0102", "--vocabulary", "01"], "'2' at position 3 is not in the vocabulary"),
        (1, ["train", "0101", "--vocabulary", "0"], "the vocabulary has one token"),
        (1, ["train", "0101", "--vocabulary", "00"], "stands at 0 and again at 1"),
        (1, ["train", "0110", "--context", "0"], "context is 0"),
        (1, ["train", "0110", "--context", "-1"], "context is -1"),
        (1, ["train", "0110", "--steps", "-1"], "steps is -1"),
        (1, ["train", "0110", "--width", "17"], "width of 17"),
        (1, ["train", "0110", "--seed", "-1"], "seed"),
        (1, ["train", "0110", "--learning-rate", "-1"], "learning rate"),
        (1, ["train", "0110", "--learning-rate", "nan"], "learning rate"),
        (6, ["train", "010110", "--learning-rate", "1e30"], "the weights have diverged"),
        (4, ["train", "none.txt"], "there is no such file"),
        (1, ["demo", "--text", ""], "the text is empty"),
        (1, ["demo", "--context", "0"], "context is 0"),
        (1, ["demo", "--text", "0110", "--context", "9"], "the text has 4 tokens"),
    ],
)
def test_a_training_that_cannot_be(refused, code: int, args: list[str], words: str) -> None:
    assert words in refused(code, *args)


VERBS_THAT_READ = [
    "extract",
    "analyze",
    "report",
    "plot",
    "simulate",
    "estimate",
    "compare",
    "minimize",
    "slow",
    "export",
]
NEITHER = "neither a chain file nor a checkpoint"


def reading(verb: str, path: str) -> list[str]:
    """A command line in which a verb reads a file."""
    more = {"compare": [path], "export": ["--output", "new.csv"]}
    return [verb, path, *more.get(verb, [])]


@pytest.mark.parametrize("verb", VERBS_THAT_READ)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", f"{NEITHER} (empty)"),
        (b"\0" * 4096, f"{NEITHER} (4,096 bytes of another kind)"),
        (b"just a text\n", "it is a text, and neither a chain file nor a checkpoint"),
        (b"PK\x03\x04" + b"\0" * 100, ""),
        ((2**62).to_bytes(8, "little") + b'{"a"', f"{NEITHER} (12 bytes of another kind)"),
        ((4).to_bytes(8, "little") + b'{"a"', f"{NEITHER} (a damaged safetensors file)"),
        ((4).to_bytes(8, "little") + b"{}  ", f"{NEITHER} (a safetensors file that says"),
        ((100).to_bytes(8, "little") + b"{" * 100, f"{NEITHER} (a damaged safetensors file)"),
        (write_tensors({"a": np.zeros(1)}), f"{NEITHER} (a safetensors file that says"),
        (write_tensors({"a": np.zeros(1)}, {"format": "pt"}), f"{NEITHER} (a safetensors file"),
    ],
)
def test_a_foreign_file(
    refused, folder: Path, verb: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (folder / "x").write_bytes(content)
    said = refused(4, *reading(verb, "x"))
    if verb != "extract":
        assert words in said
    elif NEITHER in words:
        assert re.search("neither a PyTorch archive nor safetensors|a safetensors file", said)


@pytest.mark.parametrize("verb", VERBS_THAT_READ)
def test_a_folder_in_place_of_a_file(refused, folder: Path, verb: str) -> None:
    (folder / "x").mkdir()
    assert "it is a folder" in refused(4, *reading(verb, "x"))


@pytest.mark.parametrize("verb", VERBS_THAT_READ[1:])
@pytest.mark.parametrize("name", ["chain", "rational", "model"])
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_file(
    refused, made: Path, folder: Path, verb: str, name: str, damage: str
) -> None:
    data = bytearray((made / name).read_bytes())
    if damage == "cut":
        del data[-8:]
    else:
        data[-8] ^= 1
    (folder / "x").write_bytes(data)
    refused(4, *reading(verb, "x"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.full((8, 2), np.nan), "is nan, not a finite number"),
        (np.full((8, 2), -0.5), "below zero"),
        (np.full((8, 2), 0.75), "sums to 1.5"),
        (np.full((8, 3), 1 / 3), "has the shape (8, 3), not (8, 2)"),
    ],
)
def test_rows_that_are_none(
    refused, made: Path, folder: Path, rows: np.ndarray, words: str
) -> None:
    data = (made / "chain").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    header.pop("sha256")
    tensors = {**read_tensors(data), "rows": rows}
    header["sha256"] = digest(header, tensors)
    (folder / "x").write_bytes(write_tensors(tensors, {KEY: json.dumps(header)}))
    assert words in refused(4, "analyze", "x")


class Bomb:
    """What a pickle can do: here it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("verb", VERBS_THAT_READ)
@pytest.mark.parametrize("inside", ["a zip archive", "nothing"])
def test_a_checkpoint_that_would_run_code(
    refused, folder: Path, verb: str, inside: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("bomb") / "boom"
    bomb = pickle.dumps({"model": Bomb(place)}, protocol=2)
    if inside == "nothing":
        (folder / "x").write_bytes(bomb)
    else:
        with zipfile.ZipFile(folder / "x", "w") as archive:
            archive.writestr("x/data.pkl", bomb)
            archive.writestr("x/version", "3\n")
            archive.writestr("x/byteorder", "little")
    refused(4, *reading(verb, "x"))
    assert not place.exists()
    pickle.loads(bomb)
    assert place.exists(), "this pickle is no bomb, so the test shows nothing"


def test_a_vocabulary_that_would_run_code(
    refused, made: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("bomb") / "boom"
    (folder / "meta.pkl").write_bytes(pickle.dumps({"itos": Bomb(place)}))
    refused(4, "extract", str(made / "model"), "--vocabulary", "meta.pkl")
    assert not place.exists()


@pytest.mark.parametrize("verb", ["demo", "train", "extract", "report", "plot", "export"])
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("none/x.png", "its folder does not exist"),
        ("folder.png", "it is a folder"),
        ("file/x.png", "a part of its path is a file"),
        ("x" * 300 + ".png", "the name is too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_found_before_work_begins(
    fsm_gpt, made: Path, folder: Path, verb: str, output: str, words: str
) -> None:
    (folder / "folder.png").mkdir()
    (folder / "file").write_bytes(b"")
    given = {"demo": [], "train": ["0110"]}.get(verb, [str(made / "model")])
    given += ["--format", "csv"] if verb == "export" else []
    said = fsm_gpt(verb, *given, "--output", output)
    assert said.code == 4
    assert words in said.error
    assert said.err.count("\n") == 1, "work had begun"
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder.png"]


def test_a_picture_of_another_kind(refused, made: Path) -> None:
    for name in ("x.gif", "x", "png"):
        said = refused(2, "plot", str(made / "chain"), "--output", name)
        assert "neither in .png nor in .svg" in said


@pytest.mark.parametrize(
    ("code", "args", "words"),
    [
        (1, ["extract", "--truncate-to", "0"], "truncate_to is 0"),
        (1, ["extract", "--truncate-to", "4"], "a context of 4 tokens was asked for"),
        (1, ["extract", "--top-k", "0"], "top-k with k = 0"),
        (1, ["analyze", "--temperature", "-1"], "temperature -1.0"),
        (2, ["analyze", "--top-p", "most"], "--top-p 'most' is not a number"),
        (1, ["report", "--text", "2222"], "is not in the vocabulary"),
        (4, ["report", "--text", "none.txt"], "there is no such file"),
        (4, ["report", "--vocabulary", "none.json"], "there is no such file"),
    ],
)
def test_options_that_do_not_fit_the_checkpoint(
    refused, made: Path, code: int, args: list[str], words: str
) -> None:
    assert words in refused(code, args[0], str(made / "model"), *args[1:])


@pytest.mark.parametrize("verb", ["extract", "analyze", "report"])
def test_a_device_that_is_not_here(refused, made: Path, verb: str) -> None:
    assert "no such device" in refused(1, verb, str(made / "model"), "--device", "nonsense")
    assert list(Path().iterdir()) == []


def test_a_chain_where_a_checkpoint_is_needed(refused, made: Path) -> None:
    assert "it holds a chain already" in refused(4, "extract", str(made / "chain"))


def test_one_answer_is_asked_for_and_there_are_several(refused, made: Path) -> None:
    refused(1, "plot", str(made / "two-classes"), "--kind", "memory")


def test_too_many_states(fsm_gpt, folder: Path) -> None:
    text = "0110" * 20
    assert fsm_gpt("train", text, "--context", "60", "--steps", "0", "-o", "big").code == 0
    for verb in VERBS_THAT_READ:
        if verb in ("estimate", "report"):
            continue  # one makes no list of states, the other takes a cut: see test_whole
        said = fsm_gpt(*reading(verb, "big"))
        assert said.code == 5
        assert "states" in said.error
    assert [path.name for path in folder.iterdir()] == ["big"]
