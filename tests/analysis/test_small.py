"""What the benchmark of small chains says of a tool: held against answers known to be wrong."""

import networkx as nx
import numpy as np
import pytest

from analysis.bench import small
from analysis.bench.results import Part, Results, Row
from analysis.bench.tasks import here, needs


def one(tool: str, chain: str, eps: float) -> Row:
    (row,) = small.ask(tool, chain, eps)
    assert isinstance(row, Row)
    return row


@pytest.mark.parametrize(
    ("chain", "classes"), [("two halves", 1), ("repeating", 1), ("three classes", 3)]
)
def test_the_chains_have_as_many_closed_classes_as_they_say(chain: str, classes: int) -> None:
    P = small.CHAINS[chain](1e-14)
    assert abs(P.sum(axis=1) - 1).max() < 1e-14
    graph = nx.from_numpy_array(P > 0, create_using=nx.DiGraph)
    assert nx.number_attracting_components(graph) == classes


def test_a_wrong_answer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one("fsm_gpt", "two halves", 1e-14).value < 1e-12  # type: ignore[operator]
    # Uniform on 16 states: so wrong that no digit is right somewhere.
    monkeypatch.setitem(small.TOOLS, "fsm_gpt", lambda P: np.full(16, 1 / 16))
    assert one("fsm_gpt", "two halves", 1e-14).value > 0.1  # type: ignore[operator]


def test_a_residual_stops_power_iteration_too_soon() -> None:
    row = one("power iteration to 1e-12", "two halves", 1e-14)
    assert row.value is not None
    assert row.value > 0.5  # the halves are in the ratio 3 : 1, and it stays at 1 : 1
    assert row.note == ""


def test_several_classes_are_told_from_one_answer() -> None:
    assert one("fsm_gpt", "three classes", 1e-14).note == "refuses, and says why"
    assert one("numpy, linear equations", "three classes", 1e-14).note.startswith("one, as if")
    assert small.said(np.eye(3), None) == (None, "3 distributions")


def test_a_tool_that_fails_or_is_absent_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(P: object) -> None:
        raise ValueError("no")

    monkeypatch.setitem(small.TOOLS, "emic", broken)
    assert one("emic", "repeating", 1e-3).note == "fails: ValueError"
    monkeypatch.setitem(small.TOOLS, "emic", lambda P: needs("no_such_package"))
    rows = {row.key: row for row in small.run(here, "tiny") if isinstance(row, Row)}
    assert "not installed" in rows["small/repeating/emic"].note
    parts = {
        "small": Part(
            date="2000-01-01", size="tiny", seconds=1, machine={}, rows=tuple(rows.values())
        )
    }
    table = small.table(Results(parts=parts))
    assert table.column("tool") == list(small.TOOLS)
    assert table.cell("emic", "repeating, 1e-12") == "not measured"
    assert table.cell("fsm_gpt", "three closed classes") == "refuses, and says why"
    assert small.table(Results()).cell("fsm_gpt", "repeating, 1e-12") == "not measured"
