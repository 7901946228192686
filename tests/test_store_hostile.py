"""Stores that a stranger wrote: refused in a sentence, before memory is reserved for them."""

import copy
import json
import os
import resource
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.errors import FileProblem, FsmGptError
from fsm_gpt.io import load
from fsm_gpt.io.format import KEY, digest
from fsm_gpt.io.zarr_format import chunk_name
from tests.stores import digests, random_rows, write_store

ROWS = random_rows(2, 6)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("good") / "c.zarr", ROWS)


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "c.zarr"))


def rewritten(store: Path, change: Callable[[dict[str, Any]], None], *, sign: bool = True) -> None:
    """Change the description of the chain, with a right checksum: a forger has one, too."""
    meta = json.loads((store / "zarr.json").read_text())
    header = meta["attributes"][KEY]
    change(header)
    if sign:
        header.pop("sha256", None)
        header["sha256"] = digest(header, {})
    (store / "zarr.json").write_text(json.dumps(meta))


def refused(store: Path, most: int = 2**23) -> str:
    """The sentence, after checking that little memory was taken and nothing was written."""
    before = digests(store)
    tracemalloc.start()
    try:
        with pytest.raises(FsmGptError) as told:
            load(store, on_disk=True).rows(0, 1)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert digests(store) == before
    message = str(told.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_the_checker_of_this_file_minds_a_good_store(store: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refused(store)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", "float64", "object", "../../etc", "windows", "regular"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "configuration", "shape"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return document


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return [path]
    return [p for key, item in inner for p in [(*path, key), *places(item, (*path, key))]]


@settings(max_examples=150)
@given(data=st.data())
def test_any_other_description_of_the_rows(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    store = Path(shutil.copytree(good, tmp_path_factory.mktemp("h") / "c.zarr"))
    file = store / "rows" / "zarr.json"
    meta = json.loads(file.read_text())
    path = data.draw(st.sampled_from(sorted(set(places(meta)), key=str)))
    changed = put(meta, path, data.draw(json_values))
    if json.dumps(changed, sort_keys=True) == json.dumps(meta, sort_keys=True):
        return
    file.write_text(json.dumps(changed))
    assert "described otherwise" in refused(store)


@settings(max_examples=150)
@given(data=st.data())
def test_any_other_description_of_the_chain(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """With a right checksum. What is said may be another chain, and then it is that."""
    store = Path(shutil.copytree(good, tmp_path_factory.mktemp("h") / "c.zarr"))
    meta = json.loads((store / "zarr.json").read_text())["attributes"][KEY]
    path = data.draw(st.sampled_from(sorted(set(places(meta)), key=str)))
    changed = put(meta, path, data.draw(json_values))

    def change(header: dict[str, Any]) -> None:
        header.clear()
        header.update(changed)

    rewritten(store, change)
    try:
        chain = load(store, on_disk=True)
    except FsmGptError:
        return
    assert (chain.rows(0, 64) == ROWS).all()


@pytest.mark.parametrize(
    "change",
    [
        {"codecs": [{"name": "bytes"}, {"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "vlen-utf8"}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {}}]},
        {"data_type": "object"},
        {"data_type": {"name": "numpy.datetime64", "configuration": {}}},
        {"shape": [2**62, 2]},
        {"shape": [True, 2]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**62, 2]}}},
        {"chunk_key_encoding": {"name": "../../default"}},
        {"storage_transformers": [{"name": "indirect", "configuration": {"path": "/etc"}}]},
        {"zarr_format": 2},
    ],
    ids=str,
)
def test_what_zarr_may_say_and_this_program_does_not_read(
    store: Path, change: dict[str, Any]
) -> None:
    file = store / "rows" / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert "described otherwise" in refused(store)


def huge(header: dict[str, Any]) -> None:
    header["states"] = {"type": "all contexts", "vocabulary": None, "length": 60, "shortest": 60}


def huge_chunks(header: dict[str, Any]) -> None:
    huge(header)
    header["block"] = 2**59
    header["chunks"] = ["00000000"] * 2


def large(header: dict[str, Any]) -> None:
    """Sixteen times the states, and everything that says so agrees but for the files."""
    header["states"]["length"] = header["states"]["shortest"] = 26
    header["block"] = 2**25
    header["chunks"] = ["00000000"] * 2


@pytest.mark.parametrize("change", [huge, huge_chunks, large])
def test_nothing_is_reserved_for_what_is_only_said(
    store: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    rewritten(store, change)
    header = json.loads((store / "zarr.json").read_text())["attributes"][KEY]
    N, block = 2 ** header["states"]["length"], header["block"]
    file = store / "rows" / "zarr.json"
    meta = json.loads(file.read_text())
    meta["shape"] = [N, 2]
    meta["chunk_grid"]["configuration"]["chunk_shape"] = [block, 2]
    file.write_text(json.dumps(meta))
    refused(store)


def test_a_description_without_end_and_one_without_bottom(store: Path) -> None:
    (store / "zarr.json").write_text("[" * 100_000)
    assert "JSON" in refused(store)
    with (store / "zarr.json").open("wb") as file:
        file.truncate(2**40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileProblem):
        load(store)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


@pytest.mark.parametrize("name", ["zarr.json", "rows/zarr.json", f"rows/{chunk_name(1)}"])
def test_a_link_out_of_the_folder(store: Path, name: str) -> None:
    outside = store.parent / "outside"
    (store / name).rename(outside)
    (store / name).symlink_to(outside)
    with pytest.raises(FileProblem):
        load(store)


def test_a_link_to_other_rows(store: Path) -> None:
    outside = store.parent / "outside"
    (store / "rows").rename(outside)
    (store / "rows").symlink_to(outside)
    with pytest.raises(FileProblem, match="symbolic links"):
        load(store)


@pytest.mark.parametrize("name", ["zarr.json", "rows/zarr.json"])
def test_a_pipe_holds_nobody_up(store: Path, name: str) -> None:
    (store / name).unlink()
    os.mkfifo(store / name)
    with pytest.raises(FileProblem):
        load(store)


def test_tied_states_out_of_range(tmp_path: Path) -> None:
    store = write_store(tmp_path / "c.zarr", ROWS, tied=[3, 4])
    rewritten(store, lambda header: header.update(tied=1))
    assert "tied states" in refused(store)
    rewritten(store, lambda header: header.update(tied=2**60))
    assert "tied states" in refused(store)
