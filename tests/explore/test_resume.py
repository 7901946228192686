"""Continuing: the same as in one go, in memory and from a file, and never with another model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from safetensors.numpy import load as read_tensors, save as write_tensors

import fsm_gpt as fg
from fsm_gpt.decoding import Greedy, MinP, TopK, TopP
from fsm_gpt.errors import FileProblem, FsmGptError, Interrupted, InvalidArgument
from fsm_gpt.explore import (
    Exploration,
    ExplorationInterrupted,
    explore,
    load_exploration,
    save_exploration,
)
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.io.format import KEY, digest
from tests.explore.models import counting, random_model

V, L = 3, 4
SHAPE: dict[str, Any] = {"vocabulary": V, "context": L}


def same(one: Exploration, other: Exploration) -> None:
    """Everything is equal, to the last bit."""
    assert one.to_dict() == other.to_dict()
    assert one.chain.notes == other.chain.notes
    assert one.chain.decoding == other.chain.decoding
    assert one.chain.provenance == other.chain.provenance
    assert one.chain.tied.tolist() == other.chain.tied.tolist()
    assert one.chain.vocabulary == other.chain.vocabulary
    assert one.chain.labels() == other.chain.labels()
    for mine, theirs in zip(one.chain.raw_edges(), other.chain.raw_edges(), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    assert one._facts.tobytes() == other._facts.tobytes()
    assert str(one) == str(other)


def test_a_difference_would_be_seen() -> None:
    model = random_model(V, L, 0)
    one = explore(model, "0", decoding=TopK(2), max_states=5, **SHAPE)
    for other in (
        explore(model, "0", decoding=TopK(2), max_states=6, **SHAPE),
        explore(random_model(V, L, 1), "0", decoding=TopK(2), max_states=5, **SHAPE),
        explore(model, "0", decoding=TopK(1), max_states=5, **SHAPE),
    ):
        with pytest.raises(AssertionError):
            same(one, other)


limits = st.fixed_dictionaries(
    {
        "max_states": st.sampled_from([1, 2, 5, 9, 17, 40, 200]),
        "max_depth": st.sampled_from([None, 1, 2, 3, 6]),
        "min_probability": st.sampled_from([0.0, 0.3, 0.05, 1e-3]),
    }
)


@given(
    seed=st.integers(0, 2**32 - 1),
    rule=st.sampled_from([TopK(2), TopP(0.8), MinP(0.2), Greedy()]),
    stops=st.lists(limits, min_size=1, max_size=3),
    last=limits,
    batch=st.integers(1, 8),
)
def test_however_it_was_stopped_it_is_as_in_one_go(
    seed: int, rule: Any, stops: list[dict[str, Any]], last: dict[str, Any], batch: int
) -> None:
    options: dict[str, Any] = {"decoding": rule, "batch": batch, **SHAPE}
    model, prompts = random_model(V, L, seed), ["0", "12", "2120", "0"]
    found = explore(model, prompts, **stops[0], **options)
    for stop in [*stops[1:], last]:
        found = explore(model, resume=found, **stop, **options)
    same(found, explore(model, prompts, **last, **options))


def test_what_is_known_is_not_asked_again() -> None:
    model, asked = counting(random_model(V, L, 3))
    options: dict[str, Any] = {"decoding": TopK(2), "batch": 4, **SHAPE}
    half = explore(model, "0", max_states=20, **options)
    first = sum(asked)
    whole = explore(model, resume=half, **options)
    # Once more: what is tried to see that it is the same model, and one batch cut by the limit.
    assert sum(asked) - first <= (whole.n_explored - 20) + 20 + 4 + 1
    asked.clear()
    again = explore(model, resume=whole, **options)
    assert sum(asked) <= 256 + 1
    same(whole, again)


def test_a_trained_model_in_float32_gives_the_same_bits(tmp_path: Path) -> None:
    model = GPT(GPTConfig(vocab_size=5, context=6), seed=7)
    options: dict[str, Any] = {"decoding": TopP(0.7), "batch": 64}
    whole = explore(model, ["0", "123"], max_states=1500, **options)
    part = explore(model, ["0", "123"], max_states=777, **options)
    save_exploration(part, tmp_path / "part")
    held = load_exploration(tmp_path / "part")
    same(explore(model, resume=held, max_states=1500, **options), whole)


@pytest.mark.parametrize("most", [4, 100_000])
def test_a_file_holds_all_of_it(tmp_path: Path, most: int) -> None:
    model = random_model(V, L, 1)
    found = explore(model, ["01", "2"], decoding=TopK(2), max_states=most, **SHAPE)
    path = tmp_path / "machine.safetensors"
    save_exploration(found, path)
    again = load_exploration(path)
    same(again, found)
    chain = fg.load(path)
    assert repr(chain) == repr(found.chain)
    assert chain.unexplored == found.chain.unexplored
    assert [p.name for p in tmp_path.iterdir()] == ["machine.safetensors"]


def test_a_whole_machine_in_a_file_is_a_chain_like_any_other(tmp_path: Path) -> None:
    model = random_model(V, L, 1)
    found = explore(model, ["01", "2"], decoding=TopK(2), **SHAPE)
    save_exploration(found, tmp_path / "machine")
    one = fg.stationary_distribution(fg.load(tmp_path / "machine"))
    other = fg.stationary_distribution(found.chain)
    for (mine, p), (theirs, q) in zip(one.classes, other.classes, strict=True):
        assert mine.tolist() == theirs.tolist()
        assert p.tolist() == q.tolist()


def test_ctrl_c_keeps_what_was_explored(tmp_path: Path) -> None:
    model = random_model(V, L, 1)
    options: dict[str, Any] = {"decoding": TopK(2), "batch": 3, **SHAPE}

    def press(states: int, waiting: int, left: float) -> None:
        if states >= 10:
            raise KeyboardInterrupt

    with pytest.raises(ExplorationInterrupted, match="stopped by the user after") as stopped:
        explore(model, "0", progress=press, **options)
    part = stopped.value.exploration
    assert isinstance(stopped.value, Interrupted)
    assert stopped.value.exit_code == 130
    assert part.stopped_by == ("interrupted",)
    assert 10 <= part.n_explored < 14
    save_exploration(part, tmp_path / "part")
    whole = explore(model, resume=load_exploration(tmp_path / "part"), **options)
    same(whole, explore(model, "0", **options))


def test_ctrl_c_before_anything_was_explored() -> None:
    def press(ids: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="before anything was explored") as stopped:
        explore(press, "0", **SHAPE)
    assert not hasattr(stopped.value, "exploration")


@pytest.mark.parametrize("batch", [1, 3])
def test_ctrl_c_at_any_moment_leaves_whole_rows(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    from fsm_gpt.explore.windows import Growing

    model = random_model(V, L, 1)
    options: dict[str, Any] = {"decoding": TopK(2), "batch": batch, **SHAPE}
    whole = explore(model, "0", **options)
    extend = Growing.extend
    for moment in range(8, 120, 7):
        left = [moment]

        def pressed(self: Growing, values: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            extend(self, values)

        monkeypatch.setattr(Growing, "extend", pressed)
        try:
            explore(model, "0", **options)
        except ExplorationInterrupted as stopped:
            part = stopped.exploration
        except Interrupted:
            continue
        else:
            continue
        finally:
            monkeypatch.setattr(Growing, "extend", extend)
        names = part.chain.labels()[: part.n_explored]
        assert names == whole.chain.labels()[: part.n_explored]
        same(explore(model, resume=part, **options), whole)


# ---- what cannot be continued ----


def a_part(**changes: Any) -> Exploration:
    options = {"decoding": TopK(2), "max_states": 12, **SHAPE, **changes}
    return explore(random_model(V, L, 1), "0", **options)


@pytest.mark.parametrize("rule", [TopK(2), Greedy()], ids=str)
def test_another_model_is_refused(rule: Any) -> None:
    found = a_part(decoding=rule)
    with pytest.raises(InvalidArgument, match="is of another model: asked again"):
        explore(random_model(V, L, 2), resume=found, **SHAPE)


def test_a_slightly_different_model_is_refused() -> None:
    found = a_part()
    model = random_model(V, L, 1)
    with pytest.raises(InvalidArgument, match="other probabilities"):
        explore(lambda ids: model(ids) * 1.001, resume=found, **SHAPE)


def test_another_file_of_weights_is_refused() -> None:
    class Model:
        vocabulary, context = "012", L
        provenance = {"sha256": "a" * 64}  # noqa: RUF012

        def __call__(self, ids: Any) -> Any:
            return random_model(V, L, 1)(ids)

    other = Model()
    other.provenance = {"sha256": "b" * 64}
    found = explore(Model(), "0", decoding=TopK(2), max_states=5)
    with pytest.raises(InvalidArgument, match=r"SHA-256 a{16}\.\.\., and this one has b"):
        explore(other, resume=found)


def test_another_rule_vocabulary_or_context_is_refused() -> None:
    found, model = a_part(), random_model(V, L, 1)
    with pytest.raises(InvalidArgument, match=r"decoding top-k 2, and top-k 1 is asked for"):
        explore(model, resume=found, decoding=TopK(1), **SHAPE)
    with pytest.raises(InvalidArgument, match="or other names for them"):
        explore(model, resume=found, vocabulary="abc", context=L)
    with pytest.raises(InvalidArgument, match="has 3 tokens and a context of 4, and the model"):
        explore(model, resume=found, vocabulary=3, context=3)


def test_other_prompts_may_use_what_is_known() -> None:
    model, asked = counting(random_model(V, L, 1))
    options: dict[str, Any] = {"decoding": TopK(2), **SHAPE}
    whole = explore(model, ["0"], **options)
    asked.clear()
    longer = explore(model, ["0", "00"], resume=whole, **options)
    same(longer, explore(model, ["0", "00"], **options))


# ---- files ----


def damaged(path: Path) -> list[bytes]:
    """The file cut, and with a bit turned, at every tenth of its length."""
    data = path.read_bytes()
    made = []
    for tenth in range(10):
        at = len(data) * tenth // 10
        made.append(data[:at])
        made.append(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return made


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    save_exploration(a_part(), tmp_path / "part")
    for content in damaged(tmp_path / "part"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(FileProblem, match="bad: it holds no exploration that can be used"):
            load_exploration(tmp_path / "bad")


def test_a_chain_that_was_not_explored_is_refused(tmp_path: Path) -> None:
    fg.save(a_part().chain, tmp_path / "chain")
    with pytest.raises(FileProblem, match="not one that was explored"):
        load_exploration(tmp_path / "chain")


def forged(path: Path, change: Any) -> None:
    """The file with its header and tensors changed and the checksum made right again."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    tensors = read_tensors(data)
    header.pop("sha256")
    change(header, tensors)
    header["sha256"] = digest(header, tensors)
    path.write_bytes(write_tensors(tensors, metadata={KEY: json.dumps(header, sort_keys=True)}))


def set_in(name: str, value: Any) -> Any:
    return lambda header, tensors: header["exploration"].__setitem__(name, value)


def swap_targets(header: Any, tensors: Any) -> None:
    tensors["target"] = tensors["target"].copy()
    tensors["target"][:2] = tensors["target"][:2][::-1]


def repeat_window(header: Any, tensors: Any) -> None:
    tensors["contexts"] = tensors["contexts"].copy()
    tensors["contexts"][1] = tensors["contexts"][0]


def gap_in_window(header: Any, tensors: Any) -> None:
    tensors["contexts"] = tensors["contexts"].copy()
    tensors["contexts"][6, -2] = -1


def reshape(name: str, values: Any) -> Any:
    return lambda header, tensors: tensors.__setitem__(name, values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header, tensors: None, None),
        (set_in("prompts", []), "the prompts are not"),
        (set_in("prompts", [[]]), "the prompts are not"),
        (set_in("prompts", [[7]]), "the prompts are not"),
        (set_in("prompts", [[True]]), "the prompts are not"),
        (set_in("prompts", [[0] * 5]), "the prompts are not"),
        (set_in("prompts", "0"), "the prompts are not"),
        (set_in("max_states", 0), "max_states is '0'"),
        (set_in("max_states", "9"), "max_states is '9'"),
        (set_in("max_depth", 0.5), "max_depth is '0.5'"),
        (set_in("min_probability", 2), "the least probability"),
        (set_in("min_probability", float("nan")), "the least probability"),
        (set_in("stopped_by", []), "what ended the search"),
        (set_in("stopped_by", [[]]), "what ended the search"),
        (set_in("stopped_by", ["fate"]), "what ended the search"),
        (set_in("frontier", -1), "frontier is '-1'"),
        (swap_targets, "a token does not lead to the window that it makes"),
        (repeat_window, "a window stands there twice"),
        (gap_in_window, "a window has a gap"),
        (reshape("exploration.depth", np.zeros(3, np.int32)), "the depths are not one a window"),
        (reshape("exploration.depth", np.full(12, -1, np.int32)), "is negative"),
        (reshape("exploration.facts", np.zeros((12, 3), np.int64)), "four a window"),
        (lambda header, tensors: tensors.pop("exploration.facts"), "'exploration.facts' is miss"),
        (lambda header, tensors: header.__setitem__("exploration", 7), "not one that was explored"),
    ],
)
def test_a_forged_file_is_refused(tmp_path: Path, change: Any, words: str | None) -> None:
    path = tmp_path / "part"
    save_exploration(a_part(), path)
    forged(path, change)
    if words is None:
        same(load_exploration(path), a_part())
        return
    with pytest.raises(FileProblem) as raised:
        load_exploration(path)
    assert words.lower() in str(raised.value).lower()


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def full(_: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FsmGptError, match="the disk or the quota is full"):
        save_exploration(a_part(), tmp_path / "part")
    assert list(tmp_path.iterdir()) == []


def test_a_rule_of_ones_own_cannot_be_written(tmp_path: Path) -> None:
    def evens(rows: Any) -> Any:
        from fsm_gpt.decoding import Decoded

        return Decoded(rows, *np.zeros((2, len(rows)), dtype=bool))

    found = a_part(decoding=evens)
    with pytest.raises(InvalidArgument, match="a file cannot name it"):
        save_exploration(found, tmp_path / "part")
