"""A chain in a store is the chain that was written, for us and for the package zarr."""

import json
import multiprocessing
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.errors import FileProblem, InvalidArgument, StateSpaceTooLarge
from fsm_gpt.io import load, save
from fsm_gpt.io.chunk_files import checksum
from fsm_gpt.io.read import is_chain_file
from fsm_gpt.io.zarr_format import Layout, chunk_name
from tests.stores import digests, random_rows, write_store


@pytest.mark.parametrize(
    ("data", "sum_"),
    [
        (b"\0" * 32, "aa36918a"),
        (b"\xff" * 32, "43aba862"),
        (bytes(range(32)), "4e79dd46"),
        (bytes(range(31, -1, -1)), "5cdb3f11"),
    ],
    ids=["zeros", "ones", "ascending", "descending"],
)
def test_checksums_are_those_of_rfc_3720(data: bytes, sum_: str) -> None:
    """RFC 3720, appendix B.4, which writes the four bytes in the order in which they are sent."""
    found = checksum(np.frombuffer(data, np.uint8))
    assert struct.pack("<I", found).hex() == sum_


@given(V=st.integers(1, 30), L=st.integers(1, 6), size=st.integers(1, 10_000))
def test_chunks_are_whole_subtrees(V: int, L: int, size: int) -> None:
    layout = Layout.of(V, L, "float64", size)
    assert layout.n_states == V**L
    assert layout.n_states % layout.block == 0
    assert layout.chunk_bytes <= size or layout.block == 1
    R = max(V**L // V, 1)
    assert R % layout.block == 0 or layout.block % R == 0
    larger = [b for b in range(layout.block + 1, layout.n_states + 1) if layout.n_states % b == 0]
    fits = [b for b in larger if b * V * 8 <= size and (R % b == 0 or b % R == 0)]
    subtrees = {V**k * d for k in range(L) for d in range(1, V + 1) if V % d == 0}
    assert not subtrees & set(fits), "a larger chunk of whole subtrees would do"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_zarr_reads_the_same_numbers(tmp_path: Path, dtype: str) -> None:
    rows = random_rows(3, 5).astype(dtype)
    store = write_store(tmp_path / "c.zarr", rows, tied=[3, 17])
    group = zarr.open_group(store, mode="r")
    array: Any = group["rows"]
    assert (array[:] == rows).all()
    assert str(array.dtype) == dtype
    assert array.nchunks_initialized == array.nchunks == (27 if dtype == "float64" else 9)
    tied: Any = group["tied"]
    assert tied[:].tolist() == [3, 17]
    assert group.attrs["fsm_gpt.chain"]["complete"] is True


def test_a_chunk_that_is_not_there_is_undefined_in_zarr_and_refused_here(tmp_path: Path) -> None:
    store = write_store(tmp_path / "c.zarr", random_rows(2, 6))
    (store / "rows" / chunk_name(1)).unlink()
    array: Any = zarr.open_group(store, mode="r")["rows"]
    assert np.isnan(array[:]).any()
    with pytest.raises(FileProblem, match=r"c\.1\.0: this chunk of the store is missing"):
        load(store)


def test_what_zarr_writes_in_our_form_is_read(tmp_path: Path) -> None:
    """The chunks are zarr's own: they are put in place of ours, byte for byte the same."""
    rows = random_rows(2, 6)
    store = write_store(tmp_path / "c.zarr", rows)
    ours = digests(store / "rows")
    meta = json.loads((store / "rows" / "zarr.json").read_text())
    shutil.rmtree(store / "rows")
    array = zarr.create_array(
        store / "rows",
        shape=meta["shape"],
        chunks=meta["chunk_grid"]["configuration"]["chunk_shape"],
        dtype="float64",
        fill_value=float("nan"),
        compressors=[zarr.codecs.Crc32cCodec()],
        filters=[],
        chunk_key_encoding={"name": "default", "separator": "."},
    )
    array[:] = rows
    theirs = digests(store / "rows")
    del ours["zarr.json"], theirs["zarr.json"]
    assert ours == theirs


@pytest.mark.parametrize("ending", ["zarr", "safetensors"])
def test_both_open_through_one_call(tmp_path: Path, ending: str) -> None:
    chain = Chain(random_rows(3, 3), vocabulary="abc", notes=["a note"], provenance={"of": "x"})
    chain = chain.with_decoding(TopK(2))
    save(chain, tmp_path / f"c.{ending}")
    assert is_chain_file(tmp_path / f"c.{ending}")
    found = load(tmp_path / f"c.{ending}")
    assert (found.next_token == chain.next_token).all()
    assert (found.vocabulary, found.context) == (chain.vocabulary, 3)
    assert (found.decoding, found.notes) == (chain.decoding, ("a note",))
    assert found.tied.tolist() == chain.tied.tolist()
    assert dict(found.provenance) == {"of": "x"}
    assert not found.on_disk


def test_the_tied_states_come_back(tmp_path: Path) -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]]).with_decoding(TopK(1))
    save(chain, tmp_path / "c.zarr")
    assert load(tmp_path / "c.zarr").tied.tolist() == [0]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_store_on_disk_is_written_again_the_same(tmp_path: Path, on_disk: bool) -> None:
    save(Chain(random_rows(2, 5)), tmp_path / "a.zarr")
    save(load(tmp_path / "a.zarr", on_disk=on_disk), tmp_path / "b.zarr")
    assert digests(tmp_path / "a.zarr") == digests(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    "chain",
    [
        Chain([["1/2", "1/2"], ["1/4", "3/4"]]),
        Chain([[0.5, 0.5], [0.25, 0.75]]).with_stop("1"),
        Chain([[0.5, 0.5]] * 6, short_contexts=True),
    ],
    ids=["rational", "END", "short contexts"],
)
def test_other_chains_stay_in_one_file(tmp_path: Path, chain: Chain) -> None:
    with pytest.raises(InvalidArgument, match=r"safetensors"):
        save(chain, tmp_path / "c.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["a file", "a link", "another folder", "a store"])
def test_nothing_is_written_over(tmp_path: Path, what: str) -> None:
    path = tmp_path / "c.zarr"
    match what:
        case "a file":
            path.write_text("mine")
        case "a link":
            (tmp_path / "d").mkdir()
            path.symlink_to(tmp_path / "d")
        case "another folder":
            path.mkdir()
            (path / "thesis.tex").write_text("mine")
        case _:
            save(Chain([[0.5, 0.5]] * 4), path)
    before = digests(tmp_path)
    with pytest.raises(FileProblem, match=r"c\.zarr"):
        save(Chain([[0.5, 0.5]] * 2), path)
    assert digests(tmp_path) == before


# ---- damage ----


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.mktemp("flip")
    rows = random_rows(2, 7)
    store = write_store(folder / "c.zarr", rows, chunk_bytes=256)
    files = sorted(file for file in store.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    raw = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    file.write_bytes(raw)
    for on_disk in (False, True):
        with pytest.raises(FileProblem) as told:
            load(store, on_disk=on_disk).push(np.full(128, 1 / 128))
        assert str(store) in str(told.value)


def test_chunks_that_changed_places_are_found(tmp_path: Path) -> None:
    store = write_store(tmp_path / "c.zarr", random_rows(2, 6))
    one, two = (store / "rows" / chunk_name(k) for k in (0, 1))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    with pytest.raises(FileProblem, match="do not match its checksum"):
        load(store)


def test_rows_that_are_none_are_refused_when_they_are_read(tmp_path: Path) -> None:
    """The checksums are right; the numbers are not."""
    for k, (bad, said) in enumerate(
        [(-0.5, "below zero"), (np.nan, "not a finite"), (np.inf, "not a finite"), (0.7, "sums to")]
    ):
        rows = random_rows(2, 6)
        rows[5, 1] = bad
        store = write_store(tmp_path / f"{k}.zarr", rows)
        chain = load(store, on_disk=True)
        with pytest.raises(ValueError, match=said):
            chain.push(np.full(64, 1 / 64))
        with pytest.raises(FileProblem, match=said):
            load(store)


# ---- memory, and several readers ----


def test_too_little_memory_for_vectors(tmp_path: Path) -> None:
    store = write_store(tmp_path / "c.zarr", random_rows(2, 8))
    with pytest.raises(StateSpaceTooLarge, match="two of which are needed"):
        load(store, max_memory_gib=1e-6)
    with pytest.raises(InvalidArgument, match="max_memory_gib"):
        load(store, max_memory_gib=0)


def _ask(path: str, answers: Any) -> None:
    from fsm_gpt.markov.entropy import entropy_rate

    chain = load(path, on_disk=True)
    answers.put([float(entropy_rate(chain).bits_per_token) for _ in range(3)])


def test_several_processes_read_one_store(tmp_path: Path) -> None:
    from fsm_gpt.markov.entropy import entropy_rate

    rows = random_rows(2, 8)
    store = write_store(tmp_path / "c.zarr", rows)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    readers = [context.Process(target=_ask, args=(str(store), answers)) for _ in range(3)]
    for reader in readers:
        reader.start()
    found = [answers.get(timeout=120) for _ in readers]
    for reader in readers:
        reader.join()
    assert [reader.exitcode for reader in readers] == [0, 0, 0]
    assert {rate for rates in found for rate in rates} == {found[0][0]}
    assert found[0][0] == pytest.approx(entropy_rate(Chain(rows)).bits_per_token, rel=1e-12)


# ---- going on ----


def table_model(seed: int) -> Any:
    logits = np.random.default_rng(seed).normal(size=(2, 2))
    return lambda ids: logits[ids[:, -1]] + 0.1 * ids[:, :1]


def begun(path: Path, model: Any, chunks: int = 3, *, resume: bool = False) -> None:
    """An extraction that is stopped after some chunks."""
    from fsm_gpt.errors import Interrupted
    from fsm_gpt.extract_to_store import extract_to_store

    def stop(done: int, total: int) -> None:
        if done >= chunks * 16:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=f"{chunks} of 8 chunks"):
        extract_to_store(
            model,
            path,
            resume=resume,
            vocabulary="ab",
            context=7,
            batch=16,
            chunk_bytes=256,
            progress=stop,
        )


def gone_on(path: Path, model: Any, **more: Any) -> Chain:
    from fsm_gpt.extract_to_store import extract_to_store

    options: dict[str, Any] = {"vocabulary": "ab", "context": 7, "batch": 16, "chunk_bytes": 256}
    return extract_to_store(model, path, resume=True, **(options | more))


def test_another_model_is_not_gone_on_with(tmp_path: Path) -> None:
    begun(tmp_path / "c.zarr", table_model(0))
    with pytest.raises(InvalidArgument, match="another model"):
        gone_on(tmp_path / "c.zarr", table_model(1))
    for more, word in (
        ({"context": 6}, "states"),
        ({"vocabulary": "xy"}, "vocabulary"),
        ({"decoding": TopK(1)}, "decoding"),
        ({"dtype": "float32"}, "dtype"),
        ({"batch": 32}, r"batch \(16, now 32\)"),
    ):
        with pytest.raises(FileProblem, match=f"of another chain.*{word}"):
            gone_on(tmp_path / "c.zarr", table_model(0), **more)
    gone_on(tmp_path / "c.zarr", table_model(0))


def test_a_torn_line_of_the_journal(tmp_path: Path) -> None:
    begun(tmp_path / "c.zarr", table_model(0))
    journal = tmp_path / "c.zarr" / ".journal"
    journal.write_bytes(journal.read_bytes()[:-1])  # all but the end of the line
    begun(tmp_path / "c.zarr", table_model(0), 5, resume=True)
    before = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "c.zarr/rows").glob("c.*")}
    gone_on(tmp_path / "c.zarr", table_model(0))
    after = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "c.zarr/rows").glob("c.*")}
    assert sum(after[name] != before[name] for name in before) <= 1
    gone_on(tmp_path / "d.zarr", table_model(0))
    assert digests(tmp_path / "c.zarr") == digests(tmp_path / "d.zarr")


def test_a_chunk_that_is_damaged_before_going_on(tmp_path: Path) -> None:
    begun(tmp_path / "c.zarr", table_model(0))
    file = tmp_path / "c.zarr" / "rows" / chunk_name(1)
    file.write_bytes(file.read_bytes()[:-9] + bytes(9))
    gone_on(tmp_path / "c.zarr", table_model(0))
    gone_on(tmp_path / "d.zarr", table_model(0))
    assert digests(tmp_path / "c.zarr") == digests(tmp_path / "d.zarr")


@pytest.mark.parametrize("walks", [True, False])
@pytest.mark.parametrize("decoding", [None, TopK(2)])
def test_a_store_is_the_extracted_chain(tmp_path: Path, walks: bool, decoding: Any) -> None:
    """To the last bit, whether the model walks the tree of its contexts or is asked in batches."""
    from fsm_gpt.extract import extract
    from fsm_gpt.extract_to_store import extract_to_store
    from fsm_gpt.gpt.model import GPT, GPTConfig

    model = GPT(GPTConfig(vocab_size=3, context=6, n_layer=1, n_head=2, n_embd=8))
    how: dict[str, Any] = {"batch": None if walks else 50, "decoding": decoding}
    known = extract(model, **how)
    found = extract_to_store(model, tmp_path / "c.zarr", chunk_bytes=1000, **how)
    assert found.next_token.tobytes() == known.next_token.tobytes()
    assert (found.notes, found.decoding) == (known.notes, known.decoding)
    assert found.tied.tolist() == known.tied.tolist()
    assert len(found.provenance["model_sha256"]) == 64
    same = {key: value for key, value in found.provenance.items() if key != "model_sha256"}
    assert same == dict(known.provenance)


@pytest.mark.parametrize("begin", [0, 1, 100, 364, 728])
def test_a_walk_begins_in_the_middle_with_the_same_numbers(begin: int) -> None:
    from fsm_gpt.gpt.model import GPT, GPTConfig
    from fsm_gpt.gpt.prefix_tree import prefix_tree

    model = GPT(GPTConfig(vocab_size=3, context=6, n_layer=1, n_head=2, n_embd=8))
    whole = list(prefix_tree(model, 6, budget=2000))
    assert len(whole) > 5
    part = list(prefix_tree(model, 6, budget=2000, first=begin))
    assert part[0].first <= begin < part[0].first + len(part[0].logits)
    kept = [block for block in whole if block.first >= part[0].first]
    assert [block.first for block in part] == [block.first for block in kept]
    for one, other in zip(part, kept, strict=True):
        assert one.logits.numpy().tobytes() == other.logits.numpy().tobytes()
