"""What a page embeds for its script: the chain's own rows, and nothing that markup could take."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.report import walk_rows
from fsm_gpt.report.facts import gather
from fsm_gpt.report.page import report
from fsm_gpt.report.walk import embedded_json, rule_sentences, walk_document
from fsm_gpt.report.walk_rows import coded
from tests.report.chains import (
    AFTER,
    HOSTILE,
    TEXT,
    article_with_short_contexts,
    gambler,
    hostile,
    of_ones,
    weather,
    windows,
)


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def unpacked(document: dict[str, Any], which: int) -> dict[tuple[int, int], float]:
    """The probability of each embedded transition, read as the script reads it."""
    rule, V = document["rules"][which], len(document["tokens"])
    ids = numbers(document["ids"], "<u4") if "ids" in document else np.arange(document["n"])
    whole = "<u1" if V <= 256 else "<u2"
    if "tokens" in rule:
        counts = numbers(rule["counts"], "<u1" if V < 256 else "<u2").astype(int)
        tokens = numbers(rule["tokens"], whole)
    else:
        counts, tokens = np.full(len(ids), V), np.tile(np.arange(V), len(ids))
    if document["coding"] == "float64":
        p = numbers(rule["probability"], "<f8")
    else:
        p = 2.0 ** (-numbers(rule["probability"], "<u2").astype(float) / document["steps"])
    sources = np.repeat(ids, counts)
    return dict(zip(zip(sources.tolist(), tokens.tolist(), strict=True), p.tolist(), strict=True))


CHAINS = {
    "article": lambda: of_ones(AFTER),
    "weather": weather,
    "gambler": gambler,
    "short contexts": article_with_short_contexts,
    "27 tokens": lambda: windows(27, 1),
    "one state": lambda: Chain([[1.0]], vocabulary="a", context=1),
    "data": lambda: Chain.from_text(TEXT, context=3, end="drop"),
    "stops": lambda: of_ones(AFTER).with_stop("1"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_small_chains_are_embedded_with_all_digits(name: str) -> None:
    chain = CHAINS[name]()
    facts = gather(chain)
    document = walk_document(facts)
    assert document is not None
    assert document["coding"] == "float64"
    assert "ids" not in document
    for which, rule in enumerate(facts.rules):
        edges = rule.chain.edges()
        truth = {
            (int(s), int(t)): float(p)
            for s, t, p in zip(edges.source, edges.token, edges.probability, strict=True)
        }
        assert unpacked(document, which) == truth
    edges = facts.rules[0].chain.edges()
    if not chain.is_window:
        assert numbers(document["targets"], "<u4").tolist() == edges.target.tolist()
        assert document["labels"] == chain.labels()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3, 1.0]))
def test_rounded_rows_are_near_and_sum_to_one(seed: int, sharp: float) -> None:
    """Off by 2^(1/1000) - 1 at most; after the division by the sum by twice that."""
    row = np.random.default_rng(seed).dirichlet(np.full(5, sharp))
    row = row[row > 2.0**-130]
    values = 2.0 ** (-coded(row, "surprise").astype(float) / walk_rows.STEPS)
    step = 2 ** (1 / 1000) - 1
    assert (abs(values / row - 1) <= step * 1.001).all()
    assert abs(values.sum() - row.sum()) <= step * 1.001
    assert (abs(values / values.sum() * row.sum() / row - 1) <= 2.01 * step).all()


def test_zero_stays_zero_and_nothing_else_becomes_it() -> None:
    """The least probability of a float is no zero: the transition is there."""
    found = coded(np.array([0.0, 5e-324, 1.0]), "surprise").tolist()
    assert found == [walk_rows.ZERO, walk_rows.LARGEST, 0]
    chain = Chain([[1.0, 0.0], [5e-324, 1.0]], vocabulary="ab")
    document = walk_document(gather(chain))
    assert document is not None
    assert set(unpacked(document, 0)) == {(0, 0), (1, 0), (1, 1)}


def test_what_does_not_fit_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_rows, "EXACT_BYTES", 100)
    monkeypatch.setattr(walk_rows, "MOST_BYTES", 4000)
    facts = gather(windows(2, 8))
    document = walk_document(facts)
    assert document is not None
    assert facts.pi is not None
    ids = numbers(document["ids"], "<u4")
    assert 10 < len(ids) < 256
    assert f"{len(ids)} of 256 states" in document["embedded"]
    assert f"{facts.pi[ids].sum():.1%} of the time" in document["embedded"]
    assert document["start"] in ids
    greedy = facts.rules[-1].classes
    assert set(np.concatenate(greedy.closed).tolist()) <= set(ids.tolist()), "cycles come first"
    rows = facts.chain.next_token
    for (s, t), p in unpacked(document, 0).items():
        assert p == pytest.approx(float(rows[s, t]), rel=0.0015)
    size = len(embedded_json(document))
    assert size < 4000 * 4 / 3 + 4000


@pytest.mark.parametrize("size", [(2, 7), (5, 3)])
def test_estimated_sizes_are_the_sizes(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is embedded of a large chain stays below the limit, and near it."""
    monkeypatch.setattr(walk_rows, "EXACT_BYTES", 100)
    monkeypatch.setattr(walk_rows, "MOST_BYTES", 3000)
    document = walk_document(gather(windows(*size)))
    assert document is not None
    values = [document.get("ids", "")]
    for rule in document["rules"]:
        values += [
            rule.get(k) or "" for k in ("probability", "counts", "tokens", "classes", "mass")
        ]
    written = sum(len(base64.b64decode(value)) for value in values)
    assert 0.8 * walk_rows.MOST_BYTES < written <= walk_rows.MOST_BYTES


def test_it_begins_where_the_text_does() -> None:
    document = walk_document(gather(of_ones(AFTER), text="0111"))
    assert document is not None
    assert document["start"] == 0b011
    without = walk_document(gather(of_ones(AFTER)))
    assert without is not None
    assert without["start"] == 0b111  # where most time is spent


def test_a_text_that_has_ended_is_over() -> None:
    chain = of_ones(AFTER).with_stop("1")
    document = walk_document(gather(chain))
    assert document is not None
    assert document["ends"] == {str(chain.end): "The text has ended."}


def test_rules_in_words() -> None:
    """The greedy cycle of the article's GPT."""
    facts = gather(of_ones(AFTER))
    words = rule_sentences(facts.rules[-1], 16)
    assert words[:5] == [
        "1 closed class: 111 → 110 → 101 → 011 → 111.",
        "Period 4.",
        "No state is absorbing.",
        "4 states are transient.",
        "8 of 16 transitions are left.",
    ]
    ruin = rule_sentences(gather(gambler()).rules[0], 8)
    assert ruin[0] == "2 closed classes: 0, absorbing; 4, absorbing."
    assert ruin[2] == "Absorbing: 0, 4."
    assert not any("long run" in sentence for sentence in ruin)


def test_symbols_cannot_be_drawn_from() -> None:
    sympy = pytest.importorskip("sympy")
    a = sympy.symbols("a")
    page = report(Chain.from_matrix([[1 - a, a], [1, 0]])).html
    assert "<script" not in page
    assert 'id="walk"' not in page


def test_hostile_names_stay_data() -> None:
    page = report(hostile()).html
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, flags=re.DOTALL)
    assert [kind for kind, _ in scripts] == [' type="application/json" id="walk-data"', ""]
    data = scripts[0][1]
    assert data.isascii()
    assert not set("<>&\x00") & set(data)
    document = json.loads(data)
    assert document["tokens"][0] == HOSTILE[0]
    assert "\u202e" not in "".join(document["tokens"])
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert word not in scripts[1][1]


def test_a_page_without_its_script_is_whole() -> None:
    """What the script adds is hidden until it runs, and the static graph is not."""
    page = report(of_ones(AFTER).with_decoding(Greedy())).html
    assert re.search(r'<div class="walk" id="walk" hidden>', page)
    assert re.search(r'<div class="single" data-replaced>\s*<figure><svg', page)
    for tag in re.findall(r"<[^>]*data-walk[^>]*>", page):
        assert tag.endswith("hidden>")
