"""The files inside a page: what they hold is what the analyses say, and they stay small."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.markov.row_entropy import row_entropies
from fsm_gpt.markov.stationary import stationary_distribution
from fsm_gpt.report.downloads import Download, downloads
from fsm_gpt.report.facts import gather
from fsm_gpt.report.page import report
from fsm_gpt.report.tables import csv_text, markdown_table
from tests.report.chains import AFTER, HOSTILE, gambler, hostile, of_ones, weather, windows

room = sys.modules["fsm_gpt.report.downloads"]


def of(chain: Chain) -> dict[str, Download]:
    return {file.name: file for file in downloads(gather(chain))}


def rows(file: Download) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.content, newline="")))


def test_the_states_are_those_of_the_chain() -> None:
    chain = of_ones(AFTER)
    found = rows(of(chain)["states.csv"])
    assert [row["label"] for row in found] == chain.labels()
    np.testing.assert_array_equal(
        [float(row["pi"]) for row in found], stationary_distribution(chain).pi
    )
    P = chain.next_token / chain.next_token.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal([[float(row[f"p({t})"]) for t in "01"] for row in found], P)
    np.testing.assert_array_equal(
        [float(row["row_entropy_bits"]) for row in found], row_entropies(P)
    )


def test_the_transitions_make_the_matrix_again() -> None:
    chain = windows(3, 2)
    P = np.zeros((9, 9))
    for row in rows(of(chain)["transitions.csv"]):
        P[int(row["source"]), int(row["target"])] += float(row["p"])
        assert row["source_label"] == chain.label(int(row["source"]))
    np.testing.assert_array_equal(P, chain.matrix())


def test_rationals_and_several_classes() -> None:
    found = rows(of(weather())["states.csv"])
    assert [row["pi"] for row in found] == ["2/5", "1/5", "2/5"]  # Kemeny & Snell
    ends = rows(of(gambler())["states.csv"])
    assert [(row["closed_class"], row["pi"]) for row in ends] == [
        *(("1", "1"), ("", "0"), ("", "0"), ("", "0"), ("2", "1")),
    ]


def test_the_json_is_the_facts() -> None:
    facts = gather(of_ones(AFTER))
    (file, *_) = downloads(facts)
    assert json.loads(file.content) == facts.to_dict()
    assert "left out" not in file.words


def test_symbols_are_written_as_they_are() -> None:
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    found = of(Chain.from_matrix([[1 - a, a], [b, 1 - b]]))
    assert rows(found["states.csv"])[0]["pi"] == "b/(a + b)"
    assert [row["p"] for row in rows(found["transitions.csv"])][1] == "a"


def test_a_large_chain_gives_its_heaviest_states_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MOST_ROWS", 16)
    monkeypatch.setattr(room, "LIST_LENGTHS", (40,))
    chain = windows(3, 4)
    files = of(chain)
    found = rows(files["states.csv"])
    pi = stationary_distribution(chain).pi
    assert len(found) == 16
    assert min(float(row["pi"]) for row in found) == np.sort(pi)[-16]
    assert files["states.csv"].words.endswith("; the 16 states of greatest mass, of 81")
    assert files["facts.json"].words.endswith(
        "lists of more than 40 entries are left out, and said to be"
    )
    flows = [float(row["p"]) * pi[int(row["source"])] for row in rows(files["transitions.csv"])]
    assert len(flows) == 32
    assert "the 32 that happen most often, of 243" in files["transitions.csv"].words
    heaviest = np.sort((pi[:, None] * chain.next_token)[np.argsort(-pi)[:16]], axis=None)
    np.testing.assert_allclose(sorted(flows), heaviest[-32:], rtol=1e-12)


def test_many_tokens_do_not_make_a_large_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_COLUMNS", 26)
    monkeypatch.setattr(room, "MOST_BYTES", 8000)
    files = of(windows(27, 1))
    assert len(files["facts.json"].content.encode()) <= 8000
    assert "p(" not in files["states.csv"].content.splitlines()[0]
    assert len(rows(files["states.csv"])) == 27


def test_without_one_stationary_distribution_the_first_states_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MOST_ROWS", 2)
    files = of(gambler())
    assert [row["id"] for row in rows(files["states.csv"])] == ["0", "1"]
    assert files["states.csv"].words.endswith("; the first 2 states, of 5")


def test_the_page_carries_the_files() -> None:
    page = report(of_ones(AFTER))
    links = dict(re.findall(r'<a download="([^"]+)" href="data:[^,]+;base64,([^"]+)"', page.html))
    assert list(links) == ["facts.json", "states.csv", "transitions.csv"]
    for file in downloads(page.facts):
        assert base64.b64decode(links[file.name]).decode() == file.content


def test_hostile_names_do_not_leave_their_cells() -> None:
    found = rows(of(hostile())["states.csv"])
    assert next(row["label"] for row in found) == HOSTILE[0]
    assert all("\u202e" not in row["label"] and "\x00" not in row["label"] for row in found)
    formula = Chain([[0.5, 0.5], [0.5, 0.5]], vocabulary=["=1+1", 'a,"b"'])
    assert [row["label"] for row in rows(of(formula)["states.csv"])] == ["'=1+1", 'a,"b"']


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=5))
def test_what_is_written_as_csv_is_read_as_it_was(cells: list[list[str]]) -> None:
    read: list[Any] = list(csv.reader(io.StringIO(csv_text(("a", "b"), cells), newline="")))
    assert read == [["a", "b"], *cells]


@given(st.text(max_size=20))
def test_a_cell_of_markdown_stays_one_cell(text: str) -> None:
    (*_, line) = markdown_table(("a", "b"), [(text, "x")])
    assert "\n" not in line
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    assert "<" not in line
