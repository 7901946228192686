"""Every reader of files and words that come from outside, each an entry of one table.

A reader is given bytes and has to answer or to refuse: anything else is a finding. To add one,
write a function ``read(path)``, which reads the file there and uses what came of it, and a
function that makes small right files; and enter both in :data:`READERS`.

What checksums protect is read with checksums that always hold: whoever forges a file can also
compute its checksum.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np

from fsm_gpt.errors import FsmGptError
from tests.fuzz import seeds
from tests.fuzz.guard import watched

__all__ = ["READERS", "Finding", "Reader", "attack", "warm"]


class Finding(AssertionError):
    """A reader did neither answer nor refuse in one paragraph."""


@dataclass(frozen=True)
class Reader:
    """How bytes become a file, how it is read, and what right ones look like."""

    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    #: Words that mean something to this reader.
    words: tuple[str, ...] = ()
    #: From the bytes to the file that is read, which may be one of several in a folder.
    write: Callable[[Path, bytes], Path] = lambda folder, data: _put(folder / "x", data)


def _put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def attack(name: str, data: bytes, folder: Path) -> str:
    """Have bytes read; "read" or "refused".

    Raises
    ------
    Finding
        It was neither, or more was done than reading.
    """
    reader = READERS[name]
    warm(name, folder)
    path = reader.write(folder, data)
    with watched(folder) as done, np.errstate(all="raise", under="ignore"):
        try:
            reader.read(path)
            outcome = "read"
        except (FsmGptError, click.UsageError) as error:
            outcome, said = "refused", str(getattr(error, "message", None) or error)
            typed = isinstance(error, click.UsageError)  # by the person who reads it
            if not said.isprintable() or not said.strip() or (len(said) > 2000 and not typed):
                raise Finding(f"{name}: what it says is no paragraph: {said[:500]!r}") from error
    if done:
        raise Finding(f"{name}: it did more than read: {done}")
    return outcome


#: Readers whose libraries are loaded.
_warmed: set[str] = set()


def warm(name: str, folder: Path) -> None:
    """Let libraries load, and make their caches, before anything is watched."""
    if name not in _warmed:
        _warmed.add(name)
        reader = READERS[name]
        for data in reader.seeds():
            with contextlib.suppress(FsmGptError):
                reader.read(reader.write(folder, data))


# ---- what is done with what was read ----


class _Anything:
    """A checksum that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def _use(chain: Any) -> None:
    """What any chain has to be: rows that are distributions, and labels."""
    source, token, target, probability = chain.raw_edges()
    for ids, size in ((source, chain.n_states), (target, chain.n_states), (token, chain.n_tokens)):
        if len(ids) and not (0 <= ids.min() and ids.max() < size):
            raise Finding("an id is out of range")
    sums = [0.0] * chain.n_states
    for state, p in zip(source.tolist(), probability, strict=True):
        if not (float(p) >= 0 and math.isfinite(float(p))):
            raise Finding(f"a probability is {p}")
        sums[state] += float(p)
    if any(abs(total - 1) > 1e-4 for total in sums):
        raise Finding(f"rows that sum to {sorted(sums)}")
    str(chain), repr(chain), chain.labels(range(min(4, chain.n_states)))


def _chain(path: Path) -> None:
    from fsm_gpt.io import load

    _use(load(path))


def _forged_chain(path: Path) -> None:
    from fsm_gpt.io import read

    with mock.patch.object(read, "digest", return_value=_Anything()):
        _use(read.load(path))


def _store(path: Path) -> None:
    from fsm_gpt.io import load

    _use(load(path))
    chain = load(path, on_disk=True)
    after = chain.push(np.full(chain.n_states, 1 / chain.n_states))
    if abs(after.sum() - 1) > 1e-4 or not (after >= 0).all():
        raise Finding(f"a distribution becomes {after}")
    str(chain), repr(chain)


def _exploration(path: Path) -> None:
    from fsm_gpt.explore import load_exploration
    from fsm_gpt.io import read

    with mock.patch.object(read, "digest", return_value=_Anything()):
        found = load_exploration(path)
    _use(found.chain)
    str(found), found.to_dict()


def _model(path: Path, **how: Any) -> None:
    from fsm_gpt.gpt import load_model

    model = load_model(path, **how)
    _asked(model)


def _asked(model: Any) -> None:
    """One row of a model: probabilities, or a refusal."""
    import torch

    if model.context * len(model.vocabulary) > 2**20:
        return
    with torch.no_grad():
        logits = np.asarray(model(torch.zeros((1, 1), dtype=torch.long)).detach())
    if logits.shape[-1] < len(model.vocabulary):
        raise Finding(f"logits of the shape {logits.shape} for {len(model.vocabulary)} tokens")
    str(model.provenance), model.vocabulary.shown


def _forged_model(path: Path) -> None:
    from fsm_gpt.gpt import checkpoint

    with mock.patch.object(checkpoint, "_digest", return_value=_Anything()):
        _model(path)


def _mingpt(path: Path) -> None:
    _model(path, n_head=2)


def _capacity(path: Path) -> None:
    from fsm_gpt.capacity import capacity_or_reason

    found = capacity_or_reason(path)
    str(found), found.to_dict()


def _gguf(path: Path) -> None:
    from fsm_gpt.gpt.tokenizer_file import gguf_vocabulary
    from fsm_gpt.headers import read_gguf_header

    header = read_gguf_header(path)
    named = gguf_vocabulary(header, path)
    if named is not None and len(named) != len(header.metadata["tokenizer.ggml.tokens"]):
        raise Finding("tokens were lost")
    _capacity(path)


def _vocabulary(path: Path) -> None:
    from fsm_gpt.gpt.vocabulary_file import read_vocabulary

    found = read_vocabulary(path)
    if len(set(found.tokens)) != len(found):
        raise Finding("a token stands there twice")
    str(found), found.shown
    with contextlib.suppress(FsmGptError):
        found.encode("ab the")


def _prism(path: Path) -> None:
    from fsm_gpt.io import read_prism

    parts = {ending: path.with_suffix(f".{ending}") for ending in seeds.PRISM}
    there = {ending: part for ending, part in parts.items() if part.exists()}
    for exact in (True, False):
        found = read_prism(**there, exact=exact)
        _use(found.chain)
        str(found)


def _write_prism(folder: Path, data: bytes) -> Path:
    """One file after the other, between them a line that PRISM's files never have."""
    for ending, part in zip(seeds.PRISM, data.split(seeds.BREAK), strict=False):
        _put(folder / f"x.{ending}", part)
    for ending in list(seeds.PRISM)[data.count(seeds.BREAK) + 1 :]:
        (folder / f"x.{ending}").unlink(missing_ok=True)
    return folder / "x.tra"


def _text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="surrogateescape")


def _pattern(path: Path, by: Any = "character") -> None:
    import fsm_gpt as fg

    chain = fg.Chain([[0.25, 0.25, 0.5]] * 3, vocabulary=["a", "bc", "\n"])
    found = fg.pattern(chain, _text_of(path), within=3, by=by)
    if not -1e-12 <= float(found.probability_within) <= 1 + 1e-12:
        raise Finding(f"a probability of {found.probability_within}")
    str(found), found.to_dict()


def _pattern_of_tokens(path: Path) -> None:
    _pattern(path, by="token")


def _text(path: Path) -> None:
    from fsm_gpt.chain import Chain
    from fsm_gpt.cli.inputs import read_text

    with contextlib.redirect_stderr(io.StringIO()):
        words = read_text(str(path))
    if len(words) < 2000:
        _use(Chain.from_text(words, context=1))


def _prompts(path: Path) -> None:
    from fsm_gpt.cli.inputs import read_prompt_options

    with contextlib.redirect_stderr(io.StringIO()):
        found = read_prompt_options((), str(path))
    if not all(prompt.strip() for prompt in found):
        raise Finding("an empty prompt")


def _reward(path: Path) -> None:
    import fsm_gpt as fg
    from fsm_gpt.cli.ask import reward

    chain = fg.Chain([[0.25, 0.75], [0.5, 0.5]], vocabulary="ab")
    given, of = reward._read(str(path)), None
    if isinstance(given, dict):
        given, of = reward._of_tokens(chain, given, str(path)), "token"
    found = fg.reward(chain, given, of=of, n=3)
    str(found), found.to_dict()


def _decoding(path: Path) -> None:
    from fsm_gpt.chain import Chain
    from fsm_gpt.cli import decoding

    words = _text_of(path).split()[:6]
    with click.Context(click.Command("x")) as ctx:
        rules = decoding._rules(ctx, tuple(words))
    for chain in (Chain([[0.25, 0.75], [0.5, 0.5]]), Chain([["1/4", "3/4"], ["1/2", "1/2"]])):
        with contextlib.suppress(FsmGptError):
            _use(chain.with_decoding(*rules))


def _options(path: Path) -> None:
    """Words on the command line, as a shell would pass them on."""
    from click.testing import CliRunner

    from fsm_gpt.cli import main

    words = [word for word in _text_of(path).split("\n") if "\0" not in word][:8]
    seeds.chain_file(path.with_name("chain"))
    with contextlib.chdir(path.parent):
        told = CliRunner().invoke(main, ["ask", *words], prog_name="fsm-gpt")
    if "fault of fsm-gpt" in told.stderr or told.exit_code not in (0, 1, 2, 3, 4, 5, 6):
        raise Finding(f"{words}: {told.exit_code}: {told.stderr}")


def _json_words() -> tuple[str, ...]:
    return ("null", "true", "NaN", "-Infinity", "1e999", "[", "]", "{", "}", '"', ":", ",", "\\u")


JSON = _json_words()
TENSORS = (*JSON, "dtype", "shape", "data_offsets", "__metadata__", "F64", "I64", "U8", "BOOL")
CHAIN = (
    *(*TENSORS, "storage", "windows", "edges", "kind", "rational", "float", "states", "type"),
    *("all contexts", "some contexts", "names", "with end", "pairs", "base", "tokens", "first"),
    *("length", "shortest", "vocabulary", "decoding", "TopK", "TopP", "MinP", "Temperature"),
    *("Greedy", "Full", "notes", "provenance", "tied", "contexts", "rationals", "probability"),
)
CONFIG = (
    *(*JSON, "vocab_size", "n_positions", "max_position_embeddings", "n_embd", "n_layer", "n_head"),
    *("sliding_window", "layer_types", "text_config", "is_encoder_decoder", "model_type", "gpt2"),
    *("llama", "mamba", "rope_scaling", "factor", "head_dim", "auto_map", "padded_vocab_size"),
)
PATTERN = (*"abc|*+?&^{}[]().\\-,", "{2,5}", "[^a]", "\\d", "\\W", "{0}", "{,3}", "<a>", "<bc>")

READERS: dict[str, Reader] = {
    "chain": Reader(_chain, seeds.chains, CHAIN),
    "forged chain": Reader(_forged_chain, seeds.chains, CHAIN),
    "exploration": Reader(_exploration, seeds.explorations, (*CHAIN, "exploration", "stopped_by")),
    "store": Reader(_store, seeds.stores, CHAIN, seeds.as_store),
    "forged store": Reader(_store, seeds.stores, CHAIN, seeds.as_forged_store),
    "checkpoint": Reader(_model, seeds.checkpoints, TENSORS),
    "forged checkpoint": Reader(_forged_model, seeds.checkpoints, TENSORS),
    "archive": Reader(_model, seeds.archives),
    "pickle of an archive": Reader(_model, seeds.archive_pickles, write=seeds.as_archive),
    "state dict": Reader(_mingpt, seeds.state_dict_pickles, write=seeds.as_state_dict),
    "llama2.c": Reader(_model, seeds.llama2c),
    "GGUF": Reader(_gguf, seeds.gguf, ("GGUF", "general.architecture", "llama.block_count")),
    "config.json": Reader(_capacity, seeds.configs, CONFIG, lambda f, d: _put(f / "c.json", d)),
    "model file": Reader(_capacity, seeds.model_files, TENSORS),
    "folder: config": Reader(_model, seeds.folder_configs, CONFIG, seeds.as_folder_config),
    "folder: weights": Reader(_model, seeds.folder_weights, TENSORS, seeds.as_folder_weights),
    "folder: index": Reader(_model, seeds.folder_indices, JSON, seeds.as_folder_index),
    "vocabulary": Reader(_vocabulary, seeds.vocabularies, (*JSON, "model", "vocab", "BPE")),
    "PRISM": Reader(_prism, seeds.prism, ("1/3", "1e-300", "#", "init"), _write_prism),
    "pattern": Reader(_pattern, seeds.patterns, PATTERN),
    "pattern of tokens": Reader(_pattern_of_tokens, seeds.patterns, PATTERN),
    "text": Reader(_text, seeds.texts),
    "prompts": Reader(_prompts, seeds.texts),
    "reward": Reader(_reward, seeds.rewards, JSON),
    "decoding": Reader(_decoding, seeds.decodings, ("--top-k=", "--top-p=", "/", "nan", "inf")),
    "options": Reader(_options, seeds.options, ("--within", "--from", "--stop", "--json", "chain")),
}
