"""Vocabularies from files, and pickles that are more than data."""

import io
import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.errors import FileProblem, UnsafeFile
from fsm_gpt.gpt.pickles import _NoNames, deepest_tuple, read_plain_pickle
from fsm_gpt.gpt.vocabulary_file import read_vocabulary

TOKENS = ["\n", " ", "a", "é", "漢"]
STOI = {token: i for i, token in enumerate(TOKENS)}
META = {"vocab_size": 5, "itos": dict(enumerate(TOKENS)), "stoi": STOI}


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nanogpts_meta_is_read(tmp_path: Path, protocol: int) -> None:
    path = written(tmp_path / "meta.pkl", pickle.dumps(META, protocol))
    assert read_plain_pickle(path) == META
    assert list(read_vocabulary(path)) == TOKENS


@pytest.mark.parametrize(
    "meta",
    [
        {"stoi": STOI},
        {"itos": dict(enumerate(TOKENS))},
        {"itos": TOKENS, "stoi": STOI, "extra": [1.5, None, True, {"a": []}, 2**70]},
        TOKENS,
    ],
)
def test_parts_of_a_meta_are_enough(tmp_path: Path, meta: Any) -> None:
    path = written(tmp_path / "meta.pkl", pickle.dumps(meta))
    assert list(read_vocabulary(path)) == TOKENS


@pytest.mark.parametrize("content", [TOKENS, STOI])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_json_is_read(tmp_path: Path, content: Any, start: bytes) -> None:
    path = written(tmp_path / "v", start + json.dumps(content, ensure_ascii=False).encode())
    assert list(read_vocabulary(path)) == TOKENS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1, 2]", "token 0 is of type int"),
        (b'["a", "a"]', "stands at 0 and again at 1"),
        (b"[]", "it has no token"),
        (b"{}", "it has no token"),
        (b'{"a": 0, "b": 2}', "each once"),
        (b'{"a": 0, "b": 0}', "each once"),
        (b'{"a": true, "b": 0}', "each once"),
        (b'{"a": "0"}', "each once"),
        (b'["a", ', "begins like JSON"),
        (b"[" * 100_000, "begins like JSON"),
        (b'["\xff"]', "begins like JSON"),
        (b"", "not a readable pickle"),
        (b"a b c", "not a readable pickle"),
        (pickle.dumps(META)[:-10], "not a readable pickle"),
        (pickle.dumps({"vocab_size": 2}), "names no tokens"),
        (pickle.dumps(7), "names no tokens"),
        (pickle.dumps(META | {"vocab_size": 6}), "contradict each other"),
        (pickle.dumps(META | {"itos": {0: "b"}}), "contradict each other"),
        (pickle.dumps({"itos": {0: [1], 1: "a"}}), "each once"),
        (pickle.dumps({"stoi": {1: 0}}), "token 0 is of type int"),
        (pickle.dumps([["a"]]), "token 0 is of type list"),
    ],
)
def test_what_is_no_vocabulary_is_explained(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as caught:
        read_vocabulary(written(tmp_path / "v", content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, protocol: int) -> None:
    bomb = pickle.dumps(META | {"more": Touch(tmp_path / "ran")}, protocol)
    with pytest.raises(UnsafeFile, match="was not loaded"):
        read_vocabulary(written(tmp_path / "meta.pkl", bomb))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "value",
    [OrderedDict(a=0), {1, 2}, (1, 2), b"bytes", bytearray(3), Path("x"), len, int, 1j, ...],
)
def test_only_plain_data_passes(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UnsafeFile):
        read_plain_pickle(written(tmp_path / "p", pickle.dumps([value])))


def test_memory_cannot_be_asked_for(tmp_path: Path) -> None:
    # LONG_BINPUT with slot 2**31 - 1: the unpickler would make room for 2**32 of them.
    with pytest.raises(UnsafeFile, match="memo slot 2147483647"):
        read_plain_pickle(written(tmp_path / "p", b"\x80\x02]r\xff\xff\xff\x7f."))


def test_nested_tuples_cannot_take_forever(tmp_path: Path) -> None:
    key: Any = ()
    for _ in range(60):
        key = (key, key)
    body = pickle.dumps(key)[:-1]
    with pytest.raises(UnsafeFile, match="TUPLE"):
        read_plain_pickle(written(tmp_path / "p", b"\x80\x04}" + body[2:] + b"K\x00s."))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("value", "depth"),
    [
        (1, 0),
        ([[], {}], 0),
        ((1, 2, 3, 4, 5), 1),
        ([(1,), (1, 2), (1, 2, 3)], 1),
        ({"a": [(1, [(2, [3])])], "b": ()}, 2),
        (((((("x",),),),),), 5),
    ],
)
def test_nested_tuples_are_counted(value: Any, depth: int, protocol: int) -> None:
    assert deepest_tuple(pickle.dumps(value, protocol)) == depth


def test_a_large_pickle_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(FileProblem):
        read_plain_pickle(path)


def test_the_unpickler_resolves_no_name_by_itself() -> None:
    for asked in (b"cos\nsystem\n.", b"Pname\n."):
        with pytest.raises(UnsafeFile, match="asks for"):
            _NoNames(io.BytesIO(asked)).load()
