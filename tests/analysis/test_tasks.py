"""Copying, parity and majority: the sources against their definitions, the GPTs against bounds."""

import math

import numpy as np
import pytest

import fsm_gpt as fg
from analysis import tasks
from analysis.study import Study
from fsm_gpt.errors import InvalidArgument

#: H(1/10) in bits.
NOISE = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))


@pytest.mark.parametrize("name", tasks.TASKS)
def test_sources_are_the_definitions(name: str) -> None:
    chain = tasks.source(name)
    for window, label in enumerate(chain.labels()):
        x, y, z = (int(token) for token in label[-3:])
        right = {"copy": x, "parity": (x + y + z) % 2, "majority": int(x + y + z >= 2)}[name]
        assert float(chain.next_token[window, right]) == pytest.approx(0.9)


def test_sources_have_the_noise_s_uncertainty(quick: dict[str, Study]) -> None:
    """Every token is a function of three, flipped once in ten: h = H(1/10)."""
    table = quick["tasks"].tables["tasks"]
    for name in tasks.TASKS:
        bits = table.cell(f"{name}, source", "entropy rate (bits)")
        assert bits == pytest.approx(NOISE, abs=1e-12)
    # Copying and parity look like fair coins to who sees two tokens: E = 3 (1 - h).
    for name in ("copy", "parity"):
        excess = table.cell(f"{name}, source", "excess entropy (bits)")
        assert excess == pytest.approx(3 * (1 - NOISE), abs=1e-12)
        curve = quick["tasks"].tables["memory"].column(f"{name}, source")
        assert curve == pytest.approx([1, 1, 1, NOISE, NOISE], abs=1e-12)
        assert table.cell(f"{name}, source", "exact minimal machine") == 8
    # Of majority 000 and 100 are alike, and 111 and 011: what is three back no longer matters.
    assert table.cell("majority, source", "exact minimal machine") == 6


def test_copying_is_learnt_before_parity(quick: dict[str, Study]) -> None:
    table = quick["tasks"].tables["learning"]
    *steps, reached = table.rows
    assert reached[0] == "steps to 0.01"
    copy, parity = (table.columns.index(name) for name in ("copy", "parity"))
    assert steps[-1][copy] < 0.01 < steps[-1][parity]
    assert reached[parity] == "not reached"
    assert int(str(reached[copy])) <= 200
    kl = quick["tasks"].tables["tasks"].cell("copy, GPT", "KL rate from the source (bits)")
    assert kl == steps[-1][copy]


def test_majority_keeps_to_its_side(quick: dict[str, Study]) -> None:
    """By symmetry each half of the time; a side is left when the majority changes."""
    table = quick["tasks"].tables["sets"]
    sides = [row for row in table.rows if row[0] == "majority, source"]
    assert [row[2] for row in sides] == pytest.approx([0.5, 0.5], abs=1e-12)
    assert sides[0][3] == pytest.approx(sides[1][3], rel=1e-9)
    assert [row[1] for row in table.rows if row[0] == "copy, source"] == ["none"]


def test_another_model() -> None:
    found = tasks.run(model=tasks.source("parity", 3, "ab").floats())
    table = found.tables["tasks"]
    assert table.cell("parity, GPT", "KL rate from the source (bits)") == pytest.approx(
        0, abs=1e-12
    )
    assert float(str(table.cell("copy, GPT", "KL rate from the source (bits)"))) > 0.5
    for other in (fg.Chain(np.full((3, 3), 1 / 3)), fg.Chain([[0.5, 0.5]] * 2)):
        with pytest.raises(InvalidArgument, match="tasks: the model has"):
            tasks.run(model=other)
