"""What a report says of the size of the whole model, beside the chain that was made of it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fsm_gpt.capacity import Capacity
from fsm_gpt.cli.model_sizes import sizes_of
from fsm_gpt.extract import extract
from fsm_gpt.gpt.load import load_model
from tests.cli.test_model_files import GPT2, MADE, SMALL, models as models, put

#: Numbers that a sampler keeps of each position: a key and a value of each layer and head.
CACHED = {
    "gpt2": 2 * GPT2["n_layer"] * GPT2["n_embd"],
    "llama": 2 * SMALL["num_hidden_layers"] * SMALL["hidden_size"],
}


@pytest.mark.parametrize("kind", MADE)
def test_sizes_are_those_of_the_file(folder: Path, models: Any, kind: str) -> None:
    put(folder, models[kind])
    model = load_model("m", n_head=3 if kind == "mingpt" else None)
    sizes = sizes_of("m", model)
    assert isinstance(sizes, Capacity)
    assert sizes.vocabulary == len(model.vocabulary)
    assert sizes.context == model.context
    assert sizes.parameters == sum(weight.numel() for weight in model.parameters())
    if kind in CACHED:
        assert sizes.cache_bytes == CACHED[kind] * 2 * model.context  # two bytes each


def test_both_stand_side_by_side(fsm_gpt, folder: Path, models: Any) -> None:
    put(folder, models["nanogpt"])
    assert fsm_gpt("report", "m", "--truncate-to", "1", "--output", "r.md").code == 0
    page, model = (folder / "r.md").read_text(), load_model("m")
    (line,) = (line for line in page.splitlines() if line.startswith("| Context, in tokens"))
    assert [cell.strip() for cell in line.split("|")[2:4]] == [str(model.context), "1"]
    (line,) = (
        line for line in page.splitlines() if line.startswith("| Effective number of states,")
    )
    whole, own = (cell.strip() for cell in line.split("|")[2:4])
    assert whole.startswith("not known")
    # Two to the entropy of pi, by a power of the matrix.
    pi = np.linalg.matrix_power(extract(model, truncate_to=1).matrix(), 4096)[0]
    assert float(own) == pytest.approx(math.exp(-(pi * np.log(pi)).sum()), rel=1e-3)


def test_a_model_that_fits_is_one_with_its_chain(fsm_gpt, folder: Path, models: Any) -> None:
    put(folder, models["llama"])
    assert fsm_gpt("report", "m", "--output", "r.html").code == 0
    page = (folder / "r.html").read_text()
    assert "The model, and the chain that was made of it" in page
    assert "not known: too many windows" not in page


def test_a_chain_file_is_no_model(fsm_gpt, made: Path) -> None:
    assert fsm_gpt("report", str(made / "chain"), "--output", "r.json").code == 0
    assert json.loads(Path("r.json").read_text())["model"] is None
