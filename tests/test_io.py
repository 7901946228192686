"""A chain that was saved is the chain that is loaded; anything else is refused."""

import json
import os
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from safetensors.numpy import load as read_tensors, save as write_tensors

from fsm_gpt.chain import Chain
from fsm_gpt.compound import Pairs, WithEnd
from fsm_gpt.decoding import Full, Greedy, MinP, Temperature, TopK, TopP
from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.io import load, save
from fsm_gpt.io.format import KEY, digest
from fsm_gpt.io.read import is_chain_file
from fsm_gpt.space import NamedStates, SomeContexts, Vocabulary
from tests.strategies import chains

TEXT = "111101111011110"


def everything(chain: Chain) -> tuple[Any, ...]:
    """All that a chain is, as values that can be compared; floats by their bits."""
    edges = chain.raw_edges()
    probability = edges.probability
    bits = probability.tolist() if probability.dtype == object else probability.tobytes()
    return (
        (chain.kind, chain.is_window, str(chain.dtype), chain.n_states, chain.context),
        tuple(column.tolist() for column in edges[:3]),
        bits,
        (type(chain.states), chain.labels(), chain.vocabulary),
        None if chain.states.contexts() is None else chain.states.contexts().tolist(),
        (chain.decoding, [str(rule) for rule in chain.decoding], chain.tied.tolist()),
        (chain.notes, dict(chain.provenance)),
    )


def through_a_file(chain: Chain, folder: Path) -> Chain:
    save(chain, folder / "chain.safetensors")
    return load(folder / "chain.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("io")


rules = st.one_of(
    st.sampled_from([Full(), Greedy(), Temperature(1), Temperature(1.0), Temperature(0)]),
    st.builds(TopK, st.integers(1, 5)),
    st.builds(TopP, st.one_of(st.floats(0.01, 1), st.fractions(Fraction(1, 99), 1))),
    st.builds(MinP, st.one_of(st.floats(0, 1), st.fractions(0, 1))),
    st.builds(Temperature, st.sampled_from([Fraction(1, 2), Fraction(1, 3)])),
)


@given(
    chain=st.one_of(chains(), chains(floats=True)),
    decoding=st.lists(rules, max_size=3),
    notes=st.lists(st.text(), max_size=2),
    provenance=st.dictionaries(st.text(), st.text(), max_size=2),
)
def test_any_chain_comes_back_whole(
    folder: Path, chain: Chain, decoding: list[Any], notes: list[str], provenance: dict[str, str]
) -> None:
    chain = chain.with_decoding(*decoding)._with(notes=tuple(notes), provenance=provenance)
    assert everything(through_a_file(chain, folder)) == everything(chain)


@given(words=st.lists(st.text(), min_size=2, max_size=4, unique=True))
def test_any_names_come_back(folder: Path, words: list[str]) -> None:
    V = len(words)
    named = Chain(np.full((V, V), 1 / V), vocabulary=words, normalize=True)
    assert everything(through_a_file(named, folder)) == everything(named)
    states = Chain.from_edges(range(V), [0] * V, range(V), [1.0] * V, states=words)
    assert everything(through_a_file(states, folder)) == everything(states)


SINGLES: dict[str, Callable[[], Chain]] = {
    "float32": lambda: Chain(np.array([[0.1, 0.9], [0.7, 0.3]], dtype=np.float32)),
    "short contexts": lambda: Chain(np.full((14, 2), 0.5), short_contexts=True),
    "a text": lambda: Chain.from_text(TEXT, context=3),
    "a text, dropped": lambda: Chain.from_text("aab", context=1, end="drop"),
    "one token": lambda: Chain([[1.0]], context=7),
    "subnormal": lambda: Chain([[5e-324, 1.0], [1.0, 0.0]]),
    "not quite one": lambda: Chain([[0.1, 0.9 + 5e-13], [0.3, 0.7]]),
    "large rationals": lambda: Chain([[0.1, 0.9 + 5e-13], [1e-300, 1.0]]).exact(),
    "more digits than Python prints": lambda: Chain(
        [[Fraction(1, 3**12000), 1 - Fraction(1, 3**12000)], [1, 0]]
    ),
    "edges in float32": lambda: Chain.from_edges(
        [0, 0, 1], [0, 1, 1], [0, 1, 0], np.array([0.1, 0.9, 1], dtype=np.float32)
    ),
    "states with a vocabulary of their own": lambda: Chain.from_edges(
        [0, 1], [0, 0], [1, 0], [1, 1],
        states=SomeContexts(Vocabulary.of("xy"), np.array([[0], [1]])),
    ),
    "column-major rows": lambda: Chain(np.asfortranarray(np.full((9, 3), 1 / 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLES)
def test_every_storage_comes_back(tmp_path: Path, name: str) -> None:
    chain = SINGLES[name]()
    back = through_a_file(chain, tmp_path)
    assert everything(back) == everything(chain)
    x = np.arange(chain.n_states) + 1
    if chain.kind == "float" and name != "column-major rows":
        assert back.push(x).tobytes() == chain.push(x).tobytes()


def test_the_comparison_sees_every_change() -> None:
    chain = Chain([[0.25, 0.75], [0.5, 0.5]], notes=["n"], provenance={"p": "q"})
    changed = [
        Chain([[0.25, np.nextafter(0.75, 1)], [0.5, 0.5]], notes=["n"], provenance={"p": "q"}),
        Chain([[0.25, 0.75], [0.5, 0.5]], notes=["m"], provenance={"p": "q"}),
        Chain([[0.25, 0.75], [0.5, 0.5]], notes=["n"], provenance={"p": "r"}),
        Chain([[0.25, 0.75], [0.5, 0.5]], vocabulary="ab", notes=["n"], provenance={"p": "q"}),
        chain.exact(),
        chain._with(tied=np.array([1])),
        chain._with(decoding=(Temperature(1),)),
    ]
    assert all(everything(other) != everything(chain) for other in changed)
    assert everything(chain._with(decoding=(Temperature(1),))) != everything(
        chain._with(decoding=(Temperature(1.0),))
    )


def test_the_same_chain_makes_the_same_file(tmp_path: Path) -> None:
    for name in "ab":
        save(Chain.from_text(TEXT, context=3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_loaded_is_read_only(tmp_path: Path) -> None:
    back = through_a_file(Chain([[0.5, 0.5], [0.5, 0.5]]), tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        back.next_token[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        back.tied[:] = 0


# ---- what cannot be saved ----


class Mirror:
    def __call__(self, rows: Any) -> Any:
        return Full()(rows[:, ::-1])


class Numbered:
    def __len__(self) -> int:
        return 1


Greedy_ = type("Greedy", (Greedy,), {})


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (Chain([[(a := sympy.Symbol("a")), 1 - a], [1, 0]]), "hold symbols"),
        (Chain([[0.5, 0.5], [1, 0]]).with_decoding(Mirror()), "none of Full"),
        (Chain([[0.5, 0.5], [1, 0]]).with_decoding(Greedy_()), "none of Full"),
        (Chain([[1.0]])._with(states=Numbered()), "states of type Numbered"),
        (Chain([[1.0]], notes=["\ud83d\ude00"]), "surrogate"),
        (Chain([[1.0]], provenance={"seed": 1337})._with(provenance={1: "x"}), "is not text"),
        (
            Chain([[1 - Fraction(1, 2**400_001), Fraction(1, 2**400_001)], [1, 0]]),
            "more than 100,000 hexadecimal digits",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_refused(tmp_path: Path, chain: Chain, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        save(chain, tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ---- what cannot be loaded ----


def refused(path: Path, words: str = "") -> str:
    """The message, after checking that it is one paragraph that names the file."""
    with pytest.raises(FileProblem) as caught:
        load(path)
    message = str(caught.value)
    assert re.search(words, message, flags=re.IGNORECASE), message
    assert message.startswith(str(path))
    assert "\n" not in message
    assert message.endswith(".")
    assert caught.value.exit_code == 4
    return message


@pytest.fixture(params=["windows", "edges", "rationals"])
def good(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of each storage."""
    made = {
        "windows": Chain([[0.25, 0.75], [0.5, 0.5]] * 4).with_decoding(TopK(1)),
        "edges": Chain(np.full((14, 2), 0.5), short_contexts=True),
        "rationals": Chain.from_text(TEXT, context=3),
    }
    save(made[request.param], tmp_path / "good")
    return tmp_path / "good"


@pytest.mark.parametrize("tenth", range(11))
@pytest.mark.parametrize("damage", ["cut", "flip", "zeros", "insert"])
def test_damage_is_noticed_wherever_it_is(good: Path, tenth: int, damage: str) -> None:
    data = bytearray(good.read_bytes())
    at = min(len(data) * tenth // 10, len(data) - 1)
    match damage:
        case "cut":
            del data[at:]
        case "flip":
            data[at] ^= 1
        case "zeros":
            data[at : at + 16] = bytes(len(data[at : at + 16]))
        case "insert":
            data[at:at] = b"\0" * 8
    if bytes(data) == good.read_bytes():
        pytest.skip("these bytes were zeros before")
    good.write_bytes(data)
    refused(good)


def test_every_single_bit_counts(good: Path) -> None:
    data = good.read_bytes()
    passed = []
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        good.write_bytes(changed)
        try:
            load(good)
        except FileProblem:
            continue
        passed.append(at)
    assert passed == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no whole safetensors file of 0 bytes"),
        (b"\0" * 1000, "no whole safetensors file"),
        (b"0110\n", "no whole safetensors file"),
        (b"\xff" * 100, "no whole safetensors file"),
        ((2**62).to_bytes(8, "little") + b"{}", "no whole safetensors file"),
        ((2).to_bytes(8, "little") + b"{}", "without the entry"),
        (write_tensors({"a": np.zeros(1)}), "without the entry"),
        (write_tensors({"a": np.zeros(1)}, {"format": "pt"}), "without the entry"),
        (pickle.dumps({"a": 1}), "a zip archive or a pickle"),
        (b"PK\x03\x04" + bytes(100), "a zip archive or a pickle"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", words)
    assert not is_chain_file(tmp_path / "x")


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "boom"),)

    (tmp_path / "x").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path / "x", "a zip archive or a pickle")
    assert not (tmp_path / "boom").exists()


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    refused(tmp_path / "none", "there is no such file")
    refused(tmp_path, "it is a folder")


def test_a_chain_file_is_recognised(good: Path) -> None:
    assert is_chain_file(good)
    assert not is_chain_file(good.parent)


def forge(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
    """Change what a file says, and its checksum with it."""
    data = path.read_bytes()
    tensors = read_tensors(data)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    header.pop("sha256")
    text = change(header, tensors)
    if not isinstance(text, str):
        text = json.dumps({**header, "sha256": digest(header, tensors)})
    path.write_bytes(write_tensors(tensors, {KEY: text}))


def test_a_forged_file_that_is_right_is_accepted(good: Path) -> None:
    before = everything(load(good))
    forge(good, lambda header, tensors: None)
    assert everything(load(good)) == before


def setter(*path: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        place = {"header": header, "tensors": tensors}
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def put(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return setter("tensors", name, value=value)


NAN, LONG = np.full((8, 2), np.nan), np.full((8, 2), 0.75)

#: What is wrong, in which file, and what is said of it.
FORGERIES = [
    ("windows", put("rows", NAN), "is nan, not a finite number"),
    ("windows", put("rows", LONG), "sums to 1.5"),
    ("windows", put("rows", -LONG), "below zero"),
    ("windows", put("rows", np.full((4, 2), 0.5)), r"shape \(4, 2\), not \(8, 2\)"),
    ("windows", put("rows", np.full((8, 2), 0.5, dtype=np.float16)), "rows holds float16"),
    ("windows", put("rows", np.ones((8, 2), dtype=np.int64)), "rows holds int64"),
    ("windows", lambda h, t: t.pop("rows"), "the tensor 'rows' is missing"),
    ("windows", lambda h, t: t.pop("tied"), "the tensor 'tied' is missing"),
    ("windows", put("tied", np.array([8])), "a tied state is out of range"),
    ("windows", put("tied", np.array([-1])), "a tied state is out of range"),
    ("windows", put("tied", np.array([0.0])), "tied is not a list of ids"),
    ("windows", setter("header", "kind", value="symbolic"), "kind is not float or rational"),
    ("windows", setter("header", "storage", value=None), "storage is not windows or edges"),
    ("windows", setter("header", "notes", value="note"), "notes are not a list"),
    ("windows", setter("header", "provenance", value={"a": 1}), "provenance does not map"),
    ("windows", setter("header", "provenance", value=None), "provenance does not map"),
    ("windows", setter("header", "vocabulary", value="01"), "vocabulary is not a list"),
    ("windows", setter("header", "vocabulary", value=["0", "0"]), "stands at 0 and again at 1"),
    ("windows", setter("header", "vocabulary", value=[]), "has no token"),
    ("windows", setter("header", "vocabulary", value=["0", 1]), "not a list of texts"),
    ("windows", setter("header", "states", value=[]), "states are not described"),
    ("windows", setter("header", "states", "type", value="x"), "states of type 'x' are unknown"),
    ("windows", setter("header", "states", "length", value=10**9), "1000000000 tokens"),
    ("windows", setter("header", "states", "length", value=3.0), "tokens are not possible"),
    ("windows", setter("header", "states", "length", value=0), "tokens are not possible"),
    ("windows", setter("header", "states", "vocabulary", value=list("abc")), "rows has the shape"),
    ("windows", setter("header", "version", value=2), "format version '2'"),
    ("windows", setter("header", "states", "shortest", value=1), "windows have one length"),
    ("windows", setter("header", "states", "vocabulary", value=["x"]), "rows has the shape"),
    ("windows", setter("header", "states", value={"type": "names"}), "tensor 'names' is missing"),
    ("windows", setter("header", "decoding", value={}), "decoding rules are not a list"),
    ("windows", setter("header", "decoding", value=["Greedy"]), "rule 'Greedy' is unknown"),
    ("windows", setter("header", "decoding", value=[["os.system", "x"]]), "is unknown"),
    ("windows", setter("header", "decoding", value=[[["Greedy"]]]), "is unknown"),
    ("windows", setter("header", "decoding", value=[[]]), "is unknown"),
    ("windows", setter("header", "decoding", value=[["TopK"]]), "has 0 parameters"),
    ("windows", setter("header", "decoding", value=[["Greedy", 1]]), "has 1 parameters"),
    ("windows", setter("header", "decoding", value=[["TopK", 1.5]]), "has the parameter '1.5'"),
    ("windows", setter("header", "decoding", value=[["TopK", True]]), "has the parameter 'True'"),
    ("windows", setter("header", "decoding", value=[["TopK", 0]]), "keeps no token"),
    ("windows", setter("header", "decoding", value=[["TopP", "1/0"]]), "'1/0' is no rational"),
    ("windows", setter("header", "decoding", value=[["TopP", "1e999999999"]]), "is no rational"),
    ("windows", setter("header", "decoding", value=[["TopP", "x"]]), "'x' is no rational"),
    ("windows", setter("header", "decoding", value=[["TopP", float("nan")]]), r"not in \(0, 1\]"),
    ("windows", lambda h, t: "[" * 100_000, "the header is not JSON"),
    ("windows", lambda h, t: "9" * 100_000, "the header is not JSON"),
    ("windows", lambda h, t: "[]", "the header is not a JSON object"),
    ("edges", put("source", np.full(28, 99)), "state 99 is out of range"),
    ("edges", put("target", np.full(28, -1)), "state -1 is out of range"),
    ("edges", put("token", np.full(28, 2)), "token 2 is out of range"),
    ("edges", put("token", np.zeros(28, dtype=np.int64)), "has two transitions with token"),
    ("edges", put("source", np.arange(3)), r"shape \(28,\), not \(3,\)"),
    ("edges", put("target", np.arange(3)), "need one entry for each transition"),
    ("edges", put("source", np.zeros((28, 1), dtype=np.int64)), "source is not a list of ids"),
    ("edges", put("probability", np.full(28, 0.25)), "sums to 0.5"),
    ("edges", setter("header", "states", "length", value=60), "fewer transitions than states"),
    ("edges", setter("header", "storage", value="windows"), "windows have one length"),
    ("rationals", put("rationals", np.zeros(3, dtype=np.uint8)), "1 rationals where 5"),
    ("rationals", put("rationals", np.full(3, 255, dtype=np.uint8)), "rationals is not text"),
    ("rationals", put("rationals", np.zeros(3)), "rationals is not text"),
    ("rationals", lambda h, t: t.update(rationals=_bytes("1/0\n" * 4 + "1/1")), "'1/0' is no ra"),
    ("rationals", lambda h, t: t.update(rationals=_bytes("x\n" * 4 + "1/1")), "'x' is no ration"),
    ("rationals", lambda h, t: t.update(rationals=_bytes("1/2\n" * 4 + "1/1")), "sums to 1/2"),
    ("rationals", lambda h, t: t.update(rationals=_bytes("f" * 300_000 + "\n" * 4)), "too many"),
    ("rationals", lambda h, t: t.pop("contexts"), "the tensor 'contexts' is missing"),
    ("rationals", put("contexts", np.zeros((0, 3), dtype=np.int64)), "its contexts are empty"),
    ("rationals", put("contexts", np.full((4, 3), 2)), "a foreign token"),
    ("rationals", put("contexts", np.full((4, 3), -2)), "a foreign token"),
    ("rationals", put("contexts", np.zeros((4, 3))), "contexts are not a table of ids"),
    ("rationals", put("contexts", np.zeros((3, 3), dtype=np.int64)), "is out of range"),
    ("rationals", setter("header", "storage", value="windows"), "windows need a space of contexts"),
    ("stopped", setter("header", "states", "tokens", value=[2]), "end a text are not tokens"),
    ("stopped", setter("header", "states", "tokens", value=[]), "end a text are not tokens"),
    ("stopped", setter("header", "states", "tokens", value=[True]), "end a text are not tokens"),
    ("stopped", setter("header", "states", "tokens", value="1"), "end a text are not tokens"),
    ("stopped", setter("header", "states", "base", value=None), "states are not described"),
    ("stopped", setter("header", "states", "base", "length", value=60), "fewer transitions"),
    ("pairs", put("first 0", np.array([0, 9])), "a first state of a pair is out of range"),
    ("pairs", put("second 0", np.array([0, -1])), "a second state of a pair is out of range"),
    ("pairs", put("second 0", np.array([0])), "pairs have first and second states"),
    ("pairs", put("first 0", np.array([], dtype=np.int64)), "a first state of a pair is out"),
    ("pairs", lambda h, t: t.pop("first 0"), "the tensor 'first 0' is missing"),
    ("pairs", setter("header", "states", "names", value=[1]), "not a list of texts"),
    ("pairs", lambda h, t: nest(h), "states are nested too deep"),
]  # fmt: skip


def nest(header: dict[str, Any]) -> None:
    """States of states of states."""
    for _ in range(9):
        header["states"] = {"type": "with end", "tokens": [0], "base": header["states"]}


def pairs_of_weather() -> Chain:
    """Two states that are pairs, which follow each other."""
    weather = NamedStates(("rain", "sun"))
    pairs = Pairs(weather, ("in", "out"), first=np.array([0, 1]), second=np.array([1, 0]))
    return Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=pairs)


def _bytes(text: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


@pytest.mark.parametrize(("file", "change", "words"), FORGERIES)
def test_a_forged_file_is_refused(
    tmp_path: Path, file: str, change: Callable[..., Any], words: str
) -> None:
    made = {
        "windows": lambda: Chain(np.full((8, 2), 0.5)).with_decoding(TopK(1)),
        "edges": lambda: Chain(np.full((14, 2), 0.5), short_contexts=True),
        "rationals": lambda: Chain.from_text(TEXT, context=3),
        "stopped": lambda: Chain(np.full((8, 2), 0.5)).with_stop("1"),
        "pairs": pairs_of_weather,
    }
    save(made[file](), tmp_path / "x")
    forge(tmp_path / "x", change)
    refused(tmp_path / "x", words)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Chain(np.full((8, 2), 0.5)).with_stop(1),
        lambda: Chain(np.full((14, 2), 0.5), short_contexts=True).with_stop("0", "1"),
        lambda: Chain.from_text(TEXT, context=3).with_stop("0"),
        pairs_of_weather,
        lambda: pairs_of_weather().with_stop(0),
    ],
)
def test_states_made_of_states_are_kept(tmp_path: Path, make: Callable[[], Chain]) -> None:
    chain = make()
    again = through_a_file(chain, tmp_path)
    assert everything(again) == everything(chain)
    assert (again.end, type(again.states)) == (chain.end, type(chain.states))
    if isinstance(chain.states, WithEnd):
        assert again.states.tokens == chain.states.tokens


@pytest.mark.parametrize("names", ["[1, 2]", "{}", "[", '"ab"', '["only one"]'])
def test_forged_names_are_refused(tmp_path: Path, names: str) -> None:
    chain = Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0], states=["a", "b"])
    save(chain, tmp_path / "x")
    forge(tmp_path / "x", put("names", _bytes(names)))
    refused(tmp_path / "x")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_save_leaves_the_older_file(
    good: Path, monkeypatch: pytest.MonkeyPatch, stop: Any
) -> None:
    before = good.read_bytes()

    def fail(*_: Any) -> None:
        raise stop

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((KeyboardInterrupt, FileProblem)):
        save(Chain([[1.0]]), good)
    assert good.read_bytes() == before
    assert list(good.parent.iterdir()) == [good]
