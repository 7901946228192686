"""Vocabularies out of a tokenizer.json, against the package that wrote it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fsm_gpt.errors import FileProblem, InvalidText
from fsm_gpt.gpt.tokenizer_file import TokenizerVocabulary, as_text, distinct
from fsm_gpt.gpt.vocabulary_file import read_vocabulary
from fsm_gpt.space import Vocabulary

TEXT = "the cat sat on the mat, the café — 10 € — was closed.\n"


def byte_level(folder: Path) -> tuple[Any, Path]:
    """A byte-level BPE as GPT-2's, trained by the package."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra hf")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>"],
        show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator([TEXT] * 10, trainer)
    path = folder / "tokenizer.json"
    made.save(str(path))
    return made, path


def test_byte_level_tokens_are_shown_as_text(tmp_path: Path) -> None:
    made, path = byte_level(tmp_path)
    vocabulary = read_vocabulary(path)
    assert len(vocabulary) == made.get_vocab_size()
    for i, token in enumerate(vocabulary):
        decoded = made.decode([i], skip_special_tokens=False)
        if "\N{REPLACEMENT CHARACTER}" not in decoded:  # it is text by itself
            assert token == decoded
    assert "<|end|>" in vocabulary.ids
    assert " the" in vocabulary.ids
    assert r"\xe2" in vocabulary.ids


def test_a_text_is_cut_as_the_package_cuts_it(tmp_path: Path) -> None:
    made, path = byte_level(tmp_path)
    vocabulary = read_vocabulary(path)
    for text in (TEXT, "that hat", "€", ""):
        expected = made.encode(text, add_special_tokens=False).ids
        np.testing.assert_array_equal(vocabulary.encode(text), np.array(expected, dtype=np.int64))
    np.testing.assert_array_equal(
        vocabulary.encode([" the", "<|end|>"]), [vocabulary.ids[" the"], vocabulary.ids["<|end|>"]]
    )


def test_it_equals_a_vocabulary_of_the_same_tokens(tmp_path: Path) -> None:
    _, path = byte_level(tmp_path)
    found = read_vocabulary(path)
    plain = Vocabulary(found.tokens)
    assert isinstance(found, TokenizerVocabulary)
    assert found == plain
    assert plain == found
    assert hash(found) == hash(plain)
    assert found != Vocabulary.of(3)
    assert Vocabulary.of(found) is found


def of(model: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "1.0", "model": model, **more}


def written(path: Path, found: Any) -> Path:
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("found", "tokens"),
    [
        (of({"type": "WordLevel", "vocab": {"b": 1, "a": 0}}), ["a", "b"]),
        (
            of(
                {"type": "Unigram", "vocab": [["▁a", -1.0], ["<0x0A>", 0]]},
                decoder={"type": "Metaspace"},
            ),
            [" a", "\n"],
        ),
        (
            of(
                {"type": "BPE", "vocab": {"▁a": 0, "<0xE2>": 1}},
                decoder={
                    "type": "Sequence",
                    "decoders": [
                        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                        {"type": "ByteFallback"},
                    ],
                },
            ),
            [" a", r"\xe2"],
        ),
        (
            of({"type": "BPE", "vocab": {"a": 0}}, added_tokens=[{"id": 1, "content": "<s>"}]),
            ["a", "<s>"],
        ),
        (of({"type": "BPE", "vocab": {"a": 0, "b": 3}}), ["a", "<id 1>", "<id 2>", "b"]),
        (of({"type": "WordPiece", "vocab": {"a": 0, "##b": 1}}), ["a", "##b"]),
    ],
)
def test_other_ways_to_write_tokens(
    tmp_path: Path, found: dict[str, Any], tokens: list[str]
) -> None:
    assert list(read_vocabulary(written(tmp_path / "x", found))) == tokens


def test_without_the_package_the_longest_token_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    found = of({"type": "BPE", "vocab": {"Ġa": 0, "a": 1, "ab": 2}}, decoder={"type": "ByteLevel"})
    vocabulary = read_vocabulary(written(tmp_path / "x", found))
    np.testing.assert_array_equal(vocabulary.encode("ab aa"), [2, 0, 1])
    with pytest.raises(InvalidText):
        vocabulary.encode("z")


def test_names_stay_distinct() -> None:
    assert distinct(["a", "a<1>", "a", "a"]) == ("a", "a<1>", "a<2>", "a<3>")
    assert distinct(["a", "a", "a<1>"]) == ("a", "a<1><1>", "a<1>")
    # A byte that is no text, and a token that spells out its escape.
    assert as_text("â", "bytes") == r"\xe2" == as_text(r"\xe2", "bytes")


@pytest.mark.parametrize(
    "found",
    [
        of({"type": "BPE", "vocab": {}}),
        of({"type": "BPE", "vocab": 3}),
        of({"type": "BPE", "vocab": {"a": -1}}),
        of({"type": "BPE", "vocab": {"a": 2**40}}),
        of({"type": "BPE", "vocab": {"a": "0"}}),
        of({"type": "BPE", "vocab": {"a": 4_000_000}}),
        of({"type": "Unigram", "vocab": [3]}),
        of({"type": "BPE", "vocab": {"a": 0}}, added_tokens=[{"id": 1}]),
        of({"type": "BPE", "vocab": {"a": 0}}, added_tokens=3),
    ],
)
def test_a_tokenizer_that_names_no_tokens(tmp_path: Path, found: dict[str, Any]) -> None:
    with pytest.raises(FileProblem) as caught:
        read_vocabulary(written(tmp_path / "x", found))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tenth", range(10))
def test_a_tokenizer_cut_short(tmp_path: Path, tenth: int) -> None:
    path = written(tmp_path / "x", of({"type": "BPE", "vocab": {"a": 0, "b": 1}}))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenth // 10])
    with pytest.raises(FileProblem):
        read_vocabulary(path)
