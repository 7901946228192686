"""Reports of models with more windows than fit: a cut, and what is known of the whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from fsm_gpt.cutting import largest_cut
from fsm_gpt.gpt import GPT, GPTConfig, save_model

#: So much that 5**4 states can be analysed and 5**5 cannot.
MEMORY = "0.003"


@pytest.fixture
def large(folder: Path) -> str:
    model = GPT(GPTConfig(vocab_size=5, context=6, n_layer=1, n_head=1, n_embd=8))
    with_strong_weights(model)
    save_model(model, folder / "large.safetensors")
    return "large.safetensors"


def with_strong_weights(model: GPT) -> None:
    for weight in model.parameters():
        weight.data *= 8


def test_the_largest_cut_that_fits(fsm_gpt, large: str, folder: Path) -> None:
    said = fsm_gpt("report", large, "--max-memory", MEMORY, "--output", "r.json")
    assert said.code == 0, said.err
    assert "5**6 contexts do not fit" in said.err
    document = json.loads((folder / "r.json").read_text())
    assert document["chain"]["n_states"] == 5**4
    (beside,) = document["beside"]
    assert beside["numbers"]["truncate_to"] == 4
    assert "cut to its last 4 of 6 tokens" in beside["sentences"][0]
    sampled = beside["numbers"]["sampled"]
    assert sampled["low"] < sampled["bits_per_token"] < sampled["high"]
    assert np.sum(sampled["token_frequencies"]) == pytest.approx(1)
    assert sum(cycle["share"] for cycle in beside["numbers"]["loops"]["cycles"]) == pytest.approx(1)


def test_on_the_page_and_in_markdown(fsm_gpt, large: str, folder: Path) -> None:
    text = "".join(str(i) for i in np.random.default_rng(0).integers(0, 5, 60))
    for output in ("r.html", "r.md"):
        said = fsm_gpt("report", large, "--truncate-to", "2", "--text", text, "--output", output)
        assert said.code == 0, said.err
        page = (folder / output).read_text()
        assert "The whole model, all 6 tokens of context" in page
        assert "Loops of greedy decoding" in page
        assert "Its entropy rate, by sampling" in page
        assert "Cutting the context from 6 tokens to 2 costs" in page
        assert "do not fit" not in said.err


def test_what_fits_has_nothing_beside_it(fsm_gpt, large: str, folder: Path) -> None:
    assert fsm_gpt("report", large, "--output", "r.json").code == 0
    assert json.loads((folder / "r.json").read_text())["beside"] == []


def test_not_even_one_token_fits(fsm_gpt, large: str) -> None:
    said = fsm_gpt("report", large, "--max-memory", "0.000001")
    assert said.code != 0
    assert "5**6 contexts are 15,625 states" in said.err
    assert "Traceback" not in said.err


def test_the_largest_cut_in_closed_form() -> None:
    """500 bytes a state and 170 a transition: fsm_gpt.cutting.analysis_bytes."""
    for gib in (0.001, 0.1, 8.0):
        k = largest_cut(10, 9, max_memory_gib=gib)
        assert 10**k * (500 + 1700) <= gib * 2**30 or k == 0
        assert k == 9 or 10 ** (k + 1) * (500 + 1700) > gib * 2**30 or 10 ** (k + 1) > 2**20
