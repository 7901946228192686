"""Bits of state of real models: each row anew in exact integers, names, and foreign files.

`tests/reference/capacity.json` holds the sizes and their bits as they were worked out once
outside this package.
"""

import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

import fsm_gpt as fg
from fsm_gpt.capacity import Capacity, Model, NoCapacity, all_memories, all_models, capacity
from fsm_gpt.capacity.answer import capacity_or_reason, parameter_count
from fsm_gpt.capacity.models import find_model, nearest_memories
from fsm_gpt.capacity.size import (
    _log_of_sum,
    bits_of_window,
    bits_text,
    bytes_of_window,
    bytes_text,
    digits_of_all_contexts,
    digits_of_windows,
    log10_of_windows,
)
from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument, NotDefined
from tests.conftest import read_reference

REFERENCE = read_reference("capacity.json")["models"]
WITH_FIGURE = [m for m in all_models() if not m.no_capacity]
#: More digits than Python prints.
HUGE = 10**5000
sizes = st.tuples(st.integers(1, 300), st.integers(1, 400))


def short(value: Any) -> str:
    """The name of a parameter."""
    return "huge" if isinstance(value, int) and value > 10**18 else repr(value)[:24]


def bits_between(V: int, L: int) -> tuple[Fraction, Fraction]:
    """L log2(V) between two rationals 2**-60 L apart, from squarings of integers alone.

    Each squaring of x in [1, 2) reads one binary digit of log2(x).
    """
    whole = V.bit_length() - 1
    low, high, width = V << (200 - whole), V << (200 - whole), 200
    digits = 0
    for _ in range(60):
        low, high = (low * low) >> width, ((high * high) >> width) + 1
        carry = low >> (width + 1)
        assert carry == high >> (width + 1), "more guard bits are needed"
        digits = 2 * digits + carry
        if carry:
            low, high = low >> 1, (high >> 1) + 1
    step = Fraction(1, 2**60)
    return L * (whole + digits * step), L * (whole + (digits + 1) * step)


def number_of_digits(n: int) -> int:
    """Decimal digits of an integer, without writing it."""
    digits = max(1, int((n.bit_length() - 1) * math.log10(2)))
    while 10**digits <= n:
        digits += 1
    return digits


def test_the_check_itself() -> None:
    assert bits_between(2, 3) == (3, 3 + Fraction(3, 2**60))
    low, high = bits_between(10, 1)
    assert low < Fraction("3.321928094887362347870319429489") < high
    assert [number_of_digits(n) for n in (1, 9, 10, 999, 1000, 10**50 - 1, 10**50)] == [
        *(1, 1, 2, 3, 4, 50, 51)
    ]


# The quoted numbers


def test_gpt2_as_quoted() -> None:
    """log2(50257) * 1024 = 15,991.846 bits."""
    found = capacity("gpt2")
    assert found.bits_text == "15,991.846"
    assert round(found.bytes) == 1999
    assert (found.vocabulary, found.context, found.parameters) == (50257, 1024, 124_000_000)


@pytest.mark.parametrize(
    ("name", "vocabulary", "context", "size"),
    [
        ("gpt-2", None, 2048, 3998),
        ("gpt-3", None, None, 3998),
        ("gpt-3", None, 4096, 7996),
        ("gpt-4-32k", 50257, None, 63967),
        ("gpt-4-32k", None, None, 68049),
    ],
)
def test_bytes_of_the_article_and_their_corrections(
    name: str, vocabulary: int | None, context: int | None, size: int
) -> None:
    assert round(capacity(name, vocabulary=vocabulary, context=context).bytes) == size


def test_the_articles_bits() -> None:
    """log2(50257) * 2048 = 31,983.69 bits = 3.998 kB."""
    found = capacity(vocabulary=50257, context=2048)
    assert f"{found.bits:.2f}" == "31983.69"
    assert f"{found.bytes / 1000:.3f}" == "3.998"


def test_the_baby_gpt_has_8_windows_and_14_contexts() -> None:
    found = capacity("baby gpt")
    assert (found.bits, found.bytes, found.bits_text) == (3, 0.375, "3")
    assert (found.digits_of_windows, found.digits_of_all_contexts) == (len("8"), len("14"))
    assert found.parameters == 12656


def test_apollo() -> None:
    (apollo,) = (m for m in all_memories() if "erasable" in m.name)
    assert apollo.bytes == 2048 * 15 / 8


# Every row of the table


@pytest.mark.parametrize("name", REFERENCE)
def test_every_model_against_the_reference(name: str) -> None:
    expected, found = REFERENCE[name], capacity_or_reason(name)
    assert found.name == name
    assert found.context == expected["context"]
    if expected["state_bits"] is None:
        assert isinstance(found, NoCapacity)
        with pytest.raises(NotDefined, match="has no figure, because"):
            capacity(name)
        return
    assert isinstance(found, Capacity)
    assert found.vocabulary == expected["vocab_tokens"]
    assert found.embedding_rows == expected["embedding_rows"]
    assert found.bits == pytest.approx(expected["state_bits"], abs=5.1e-4)
    assert found.bytes == pytest.approx(expected["state_bytes"], abs=5.1e-3)
    assert found.log10_windows == pytest.approx(expected["log10_states"], abs=5.1e-4)
    assert found.bits_with_padding is not None
    padded = expected["state_bytes_if_embedding_rows"]
    assert found.bits_with_padding / 8 == pytest.approx(padded, abs=5.1e-3)


@pytest.mark.parametrize("model", WITH_FIGURE, ids=lambda m: m.name)
def test_every_model_in_exact_integers(model: Model) -> None:
    V, L = model.vocabulary, model.context
    assert V is not None
    assert L is not None
    low, high = bits_between(V, L)
    found = capacity(model.name)
    assert abs(Fraction(found.bits) - low) <= high - low + Fraction(math.ulp(found.bits))
    shown = Fraction(found.bits_text.replace(",", ""))
    assert low - Fraction(1, 2000) <= shown <= high + Fraction(1, 2000)
    shown = Fraction(found.bytes_text.replace(",", "")) * 8
    assert low - Fraction(8, 2000) <= shown <= high + Fraction(8, 2000)
    if low < 20_000:
        assert found.digits_of_windows == number_of_digits(V**L)
        every = V * (V**L - 1) // (V - 1)
        assert found.digits_of_all_contexts == number_of_digits(every)


def test_the_table_is_complete_and_sourced() -> None:
    assert len(all_models()) == len(REFERENCE) == 80
    assert len(all_memories()) == 14
    for model in all_models():
        assert model.sources
        assert model.verified
        assert model.organisation
        assert 2018 <= (model.year or 0) <= 2026
        if model.vocabulary is not None:
            assert model.embedding_rows is not None
            assert 2 <= model.vocabulary <= model.embedding_rows
        if model.cache_shape is not None:
            assert model.cache_shape.source
    assert all(memory.source for memory in all_memories())


# Any size


@given(sizes)
@example((2, 3))
@example((10, 5))
@example((1, 1))
@example((1, 400))
@example((1000, 7))
def test_sizes_of_small_chains(size: tuple[int, int]) -> None:
    V, L = size
    every = sum(V**k for k in range(1, L + 1))
    assert digits_of_windows(V, L) == number_of_digits(V**L)
    assert digits_of_all_contexts(V, L) == number_of_digits(every)
    low, high = bits_between(V, L)
    assert low <= Fraction(bits_of_window(V, L)) + Fraction(math.ulp(float(high)))
    assert Fraction(bits_of_window(V, L)) <= high + Fraction(math.ulp(float(high)))
    assert bytes_of_window(V, L) * 8 == bits_of_window(V, L)
    assert log10_of_windows(V, L) == pytest.approx(bits_of_window(V, L) * math.log10(2))


@pytest.mark.parametrize(("V", "L"), [(2, 2), (2, 3), (3, 2), (10, 4), (50, 30), (257, 40)])
def test_the_logarithm_of_all_contexts(V: int, L: int) -> None:
    """To 45 digits, so that the -1 in V**L - 1 is seen."""
    every = sum(V**k for k in range(1, L + 1))
    with localcontext() as context:
        context.prec = 50
        assert abs(_log_of_sum(V, L, context) - Decimal(every).log10()) < Decimal("1e-44")


@pytest.mark.parametrize("k", [1, 2, 5, 40, 300])
def test_next_to_a_power_of_ten(k: int) -> None:
    """Where logarithms of few digits cannot tell how many digits there are."""
    assert [digits_of_windows(10**k + d, 1) for d in (-1, 0, 1)] == [k, k + 1, k + 1]
    assert digits_of_windows(10**k - 1, 7) == 7 * k
    assert digits_of_windows(10**k, 7) == 7 * k + 1
    assert digits_of_windows(10**k + 1, 7) == 7 * k + 1


@given(st.integers(1, 60), st.integers(1, 10**18))
def test_powers_of_two_are_exact(k: int, L: int) -> None:
    assert bits_text(2**k, L) == f"{k * L:,}"
    assert Fraction(bytes_text(2**k, L).replace(",", "")) == Fraction(k * L, 8)


@given(st.integers(2, 10**18), st.integers(1, 10**18))
def test_shown_digits_are_right(V: int, L: int) -> None:
    """A second way: Python's decimal at 120 digits."""
    with localcontext() as context:
        context.prec = 120
        exact = L * Decimal(V).ln() / Decimal(2).ln()
        assert abs(Decimal(bits_text(V, L).replace(",", "")) - exact) <= Decimal("0.0005")
        assert abs(Decimal(bytes_text(V, L).replace(",", "")) - exact / 8) <= Decimal("0.0005")
        assert bits_of_window(V, L) == float(exact)
        digits = int(L * Decimal(V).log10()) + 1
    assert digits_of_windows(V, L) == digits
    assert digits_of_all_contexts(V, L) in (digits, digits + 1)


@pytest.mark.parametrize(
    "bad", [0, -1, 10**18 + 1, HUGE, 1.5, "7", True, math.nan, None], ids=short
)
def test_impossible_sizes_are_refused(bad: Any) -> None:
    for sizes in ({"vocabulary": bad, "context": 3}, {"vocabulary": 3, "context": bad}):
        with pytest.raises(InvalidArgument, match=r"^capacity: .*\.$"):
            capacity(**sizes)


def test_numpy_sizes_are_numbers() -> None:
    found = capacity(vocabulary=np.int64(32), context=np.int32(8))  # type: ignore[arg-type]
    assert found.bits == 40
    assert type(found.vocabulary) is type(found.context) is int


def test_nothing_given() -> None:
    with pytest.raises(InvalidArgument, match="the vocabulary and the context must be given"):
        capacity()
    for empty in ("", "  "):
        with pytest.raises(InvalidArgument, match="is no name"):
            capacity(empty)


# Names


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gpt2", "GPT-2 small"),
        ("GPT 2", "GPT-2 small"),
        (" gpt_2 ", "GPT-2 small"),
        ("openai-community/gpt2", "GPT-2 small"),
        ("openai gpt-2 xl", "GPT-2 XL"),
        ("openai-gpt", "GPT-1 (openai-gpt)"),
        ("GPT-3", "GPT-3 175B"),
        ("gpt-35-turbo", "gpt-3.5-turbo (2023)"),
        ("gpt-4", "GPT-4 8k"),
        ("llama-3-8b", "Llama 3 8B"),
        ("meta-llama/Llama-3.1-8B", "Llama 3.1 8B"),
        ("Meta Llama 3 8B", "Llama 3 8B"),
        ("meta-llama/Llama-2-7b-hf", "Llama 2 7B"),
        ("mistralai/Mistral-7B-v0.1", "Mistral 7B v0.1"),
        ("Qwen/Qwen3-8B", "Qwen3 8B"),
        ("microsoft/phi-2", "phi-2"),
        ("EleutherAI/pythia-70m", "Pythia 70M"),
    ],
)
def test_a_name_in_any_usual_way(written: str, name: str) -> None:
    assert capacity(written).name == name


def test_every_model_is_found_by_its_own_name_and_aliases() -> None:
    for model in all_models():
        for name in (model.name, model.name.upper(), *model.aliases):
            assert find_model(name) is model, name
            assert find_model(f"{model.organisation}/{name}") is model, name


@pytest.mark.parametrize(
    ("written", "meant"),
    [("lama-3-8b", "Llama 3 8B"), ("gtp2", "GPT-2 small"), ("mistrl 7b v0.1", "Mistral 7B v0.1")],
)
def test_a_near_miss_suggests(written: str, meant: str) -> None:
    with pytest.raises(InvalidArgument, match="Did you mean") as caught:
        capacity(written)
    assert meant in str(caught.value)


@pytest.mark.parametrize(
    "written",
    ["zzzzzzzz", "somebody/gpt2", "-", "\x00\x1b[31m", "x" * 100_000, "gpt2/", "🦙" * 50],
    ids=short,
)
def test_an_unknown_name_is_refused_in_one_printable_line(written: str) -> None:
    with pytest.raises(InvalidArgument, match="there is no model") as caught:
        capacity(written)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["claude", "Claude-3.5-Sonnet", "anthropic/claude-2", "gemini"])
def test_no_public_vocabulary(name: str) -> None:
    with pytest.raises(NotDefined, match="its vocabulary is not public"):
        capacity(name)


@pytest.mark.parametrize("name", ["rwkv", "RWKV-7 1.5B", "jamba", "ai21labs/Jamba-v0.1"])
def test_no_window(name: str) -> None:
    with pytest.raises(NotDefined, match="not a window of tokens"):
        capacity(name, vocabulary=100, context=10)


def test_a_guess_of_a_vocabulary() -> None:
    found = capacity("claude", vocabulary=2**16)
    assert found.bits == 16 * 10**6
    assert any("guess" in note for note in found.notes)
    with pytest.raises(InvalidArgument, match="the context must be given"):
        capacity("claude-nine", vocabulary=2**16)
    assert capacity("claude-nine", vocabulary=2**16, context=4).bits == 64


def test_sizes_in_place_of_a_models_own() -> None:
    found = capacity("gpt-j", vocabulary=50400, context=10)
    assert found.bits == bits_of_window(50400, 10)
    assert len([note for note in found.notes if "as given" in note]) == 2
    with pytest.raises(InvalidArgument, match="50,400 embedding rows"):
        capacity("gpt-j", vocabulary=50401)


# What stands beside the bits


def test_padded_rows() -> None:
    found = capacity("gpt-j")
    assert found.padded_rows == 50400 - 50257 == 143
    assert found.bits_with_padding == bits_of_window(50400, 2048)
    assert "143 of them padding" in str(found)
    assert "padding" not in str(capacity("gpt2"))


@pytest.mark.parametrize(
    ("stated", "number"),
    [
        ("117M", 117_000_000),
        ("134.5M", 134_500_000),
        ("314B (unverified)", 314 * 10**9),
        ("6,864 unique (7,376 incl. tied head)", 6864),
        ("260K", 260_000),
        ("8x22B", None),
        ("", None),
        ("many", None),
    ],
)
def test_parameters_as_stated(stated: str, number: int | None) -> None:
    assert parameter_count(stated) == number


def test_bits_per_parameter() -> None:
    found = capacity("gpt2")
    assert found.bits_per_parameter == found.bits / 124e6
    assert capacity("mixtral 8x7b").bits_per_parameter is None


def test_the_cache_of_gpt2() -> None:
    """12 layers, width 768, a key and a value, two bytes a number."""
    assert capacity("gpt2").cache_bytes == 2 * 12 * 768 * 1024 * 2
    assert capacity("gpt-4").cache_bytes is None


def test_nearest_memories_are_nearest() -> None:
    everything = [m.bytes for m in all_memories()]
    for size in (0, 0.375, 128, 1999, 4096, 65536, 69120, 1e9):
        below, above = nearest_memories(size)
        assert all(m.bytes <= size for m in below)
        assert all(m.bytes > size for m in above)
        between = {b for b in everything if b <= size} | {b for b in everything if b > size}
        assert len(below) == everything.count(max((b for b in between if b <= size), default=-1))
        assert len(above) == everything.count(min((b for b in between if b > size), default=-1))


def test_it_explains_itself() -> None:
    said = str(capacity("gpt2"))
    for words in ("15,991.846 bits", "upper bound on state", "not the knowledge stored", "4,815"):
        assert words in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 100
    assert "a number of 1 digit" in str(capacity("baby"))
    assert "more than the largest listed" in str(capacity("gpt-5"))
    assert "as much as 128 bytes" in str(capacity(vocabulary=2, context=1024))
    document = json.loads(json.dumps(capacity("gpt2").to_dict(), allow_nan=False))
    assert document["memories_above"][0]["name"] == "NES"


# Configurations


Writer = Callable[..., str]


@pytest.fixture
def config(tmp_path: Path) -> Writer:
    """Write a config.json and give its path."""

    def write(**entries: Any) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(entries))
        return str(path)

    return write


@pytest.mark.parametrize(
    "key", ["n_positions", "max_position_embeddings", "n_ctx", "max_seq_len", "block_size"]
)
def test_a_configuration(config: Writer, tmp_path: Path, key: str) -> None:
    path = config(vocab_size=50257, **{key: 1024})
    for where in (path, Path(path), tmp_path, str(tmp_path)):
        found = capacity(where)
        assert found.bits == capacity("gpt2").bits
        assert found.grade == "configuration"
    assert not any("padding" in note for note in found.notes)


def test_a_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text('{"vocab_size": 2, "n_ctx": 5}')
    assert capacity("gpt2").context == 1024
    assert capacity("./gpt2").bits == 5
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"vocab_size": 2, "n_ctx": 6}')
    assert capacity("mine").bits == 6


def test_padding_in_a_configuration(config: Writer) -> None:
    path = config(vocab_size=50304, n_positions=1024)
    assert any("may be padding" in note for note in capacity(path).notes)
    found = capacity(path, vocabulary=50257)
    assert (found.bits, found.padded_rows) == (capacity("gpt2").bits, 47)
    found = capacity(config(vocab_size=50254, padded_vocab_size=50304, block_size=8))
    assert (found.vocabulary, found.embedding_rows) == (50254, 50304)


def test_notes_of_a_configuration(config: Writer) -> None:
    path = config(
        vocab_size=32001,
        max_position_embeddings=8192,
        model_max_length=131072,
        sliding_window=4096,
        num_hidden_layers=32,
        rope_scaling={"factor": 8.0},
    )
    notes = " ".join(capacity(path).notes)
    assert "model_max_length says 131,072" in notes
    assert "looks back over 4,096 tokens" in notes
    assert f"over {32 * 4095 + 1:,} positions" in notes
    assert "rope_scaling" in notes
    off = config(vocab_size=9, n_ctx=9, sliding_window=4, use_sliding_window=False)
    assert "slides" not in " ".join(capacity(off).notes)


def test_a_part_for_text(config: Writer) -> None:
    path = config(text_config={"vocab_size": 32, "max_position_embeddings": 8}, vision_config={})
    assert capacity(path).bits == 40


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"model_type": "mamba2"}, "not a window of tokens"),
        ({"model_type": "rwkv7"}, "not a window of tokens"),
        ({"model_type": "bert"}, "no next token"),
        ({"model_type": "t5", "is_encoder_decoder": True}, "input text beside the window"),
    ],
)
def test_configurations_without_a_figure(
    config: Writer, entries: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotDefined, match=reason):
        capacity(config(vocab_size=100, n_positions=10, **entries))


def test_the_cache_from_a_configuration(config: Writer) -> None:
    sizes = {"vocab_size": 11, "n_ctx": 100}
    llama = {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}
    grouped = capacity(config(**sizes, **llama, num_key_value_heads=8))
    assert grouped.cache_bytes == 2 * 32 * 8 * 128 * 100 * 2
    assert capacity(config(**sizes, **llama)).cache_bytes is None
    own = capacity(config(**sizes, **llama, model_type="llama"))
    assert own.cache_bytes == 2 * 32 * 32 * 128 * 100 * 2
    grouped_sliding = config(**sizes, **llama, num_key_value_heads=8, sliding_window=10)
    assert capacity(grouped_sliding).cache_bytes is None
    mixed = config(**sizes, **llama, num_key_value_heads=8, layer_types=["full_attention", "x"])
    assert capacity(mixed).cache_bytes is None
    assert capacity(config(**sizes, num_hidden_layers="many")).cache_bytes is None


@pytest.mark.parametrize(
    "bad", [0, -5, 1.5, 1024.0, "1024", True, [1], {"a": 1}, 10**19, 10**4000], ids=short
)
@pytest.mark.parametrize("key", ["vocab_size", "n_positions"])
def test_impossible_numbers_in_a_configuration(config: Writer, key: str, bad: Any) -> None:
    with pytest.raises(FileProblem, match=f"its {key} is .*a whole number") as caught:
        capacity(config(**{"vocab_size": 5, "n_positions": 5, key: bad}))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no JSON"),
        (b"vocab_size: 5", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b'{"vocab_size": NaN, "n_ctx": 5}', "NaN is no number"),
        (b'{"vocab_size": -Infinity}', "no number"),
        (b'{"vocab_size": 1' + b"0" * 5000 + b"}", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b'{"vocab_size": ' + b"[" * 400 + b"]" * 400 + b', "n_ctx": 5}', "vocab_size is a list"),
        (b"[1, 2]", "it holds a list"),
        (b"7", "it holds a number"),
        (b"null", "it holds nothing"),
        (b'"gpt2"', "it holds a text"),
        (b"true", "it holds true or false"),
        (b"{}", "no vocabulary (vocab_size) and no context"),
        (b'{"vocab_size": 5}', "no context"),
        (b'{"n_ctx": 5, "vocab_size": null}', "no vocabulary"),
    ],
    ids=short,
)
def test_hostile_configurations(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(FileProblem) as caught:
        capacity(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))


def test_missing_sizes_can_be_given(config: Writer) -> None:
    assert capacity(config(vocab_size=2), context=7).bits == 7
    assert capacity(config(n_ctx=7), vocabulary=2).bits == 7


def test_a_configuration_of_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(FileProblem, match="104,857,600 bytes or more"):
        capacity(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no such file"):
        capacity(tmp_path / "config.json")
    with pytest.raises(FileProblem, match="it is a folder"):
        capacity(tmp_path)
    with pytest.raises(FsmGptError):
        capacity("a\x00b.json")


def test_names_of_bytes_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="no name of a model"):
        capacity(b"gpt2")  # type: ignore[arg-type]


def test_the_public_name() -> None:
    assert fg.capacity is capacity
    assert sys.modules["fsm_gpt.capacity"].__doc__
