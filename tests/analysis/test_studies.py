"""The other studies, each against cited numbers and against answers asked for directly."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fsm_gpt as fg
from analysis import STUDIES, capacity, entropy_rate, stationary, structure
from analysis.study import Study, Table
from fsm_gpt.errors import NotDefined
from tests.analysis.conftest import RUNS


def numbers(table: Table, column: str) -> list[float]:
    return [float(value) for value in table.column(column) if isinstance(value, int | float)]


def test_every_study_is_listed_and_named(quick: dict[str, Study]) -> None:
    assert tuple(RUNS) == STUDIES
    for name, study in quick.items():
        assert study.name == name
        assert study.question.endswith("?")
        assert study.tables
        assert study.figures


# ---- stationary ----


def test_stationary_is_the_article_s(quick: dict[str, Study], article: dict[str, Any]) -> None:
    table = quick["stationary"].tables["contexts"]
    for context, share in article["step50"]["stationary"].items():
        assert table.cell(context, "after training") == pytest.approx(share, abs=1e-5)
    empirical = article["empirical"]
    for context, exact in zip(empirical["states"], empirical["stationary"], strict=True):
        assert table.cell(context, "data") == Fraction(exact)
    assert table.cell("000", "data") == 0


def test_stationary_distance_from_the_data(
    quick: dict[str, Study], checked: dict[str, Any]
) -> None:
    table, true = quick["stationary"].tables["chains"], checked["against_the_data"]
    kl = table.cell("after training", "KL rate from the data (bits)")
    cross = table.cell("after training", "cross-entropy (bits)")
    assert kl == pytest.approx(true["kl"], abs=5e-6)
    assert cross == pytest.approx(true["cross_entropy"], abs=5e-6)
    assert table.cell("data", "error bound") == 0
    before, after = numbers(table, "KL rate from the data (bits)")
    assert before > after
    for less, whole in zip((before, after), numbers(table, "cross-entropy (bits)"), strict=True):
        assert whole - less == pytest.approx(true["floor"], abs=1e-12)


def test_floats_are_within_their_bounds(quick: dict[str, Study]) -> None:
    table = quick["stationary"].tables["exact"]
    assert len(table.rows) == 16
    floats, away, bounds = (numbers(table, c) for c in ("float", "difference", "bound"))
    for near, difference, bound in zip(floats, away, bounds, strict=True):
        assert 0 <= difference <= bound * near < 1e-13


def test_stationary_of_several_closed_classes_says_so() -> None:
    found = stationary.run(model=fg.Chain.from_matrix([[1, 0], [0, 1]]))
    assert found.tables["chains"].cell("model", "effective states") == "not unique"
    assert "contexts" not in found.tables


# ---- structure ----


def test_greedy_is_the_article_s_cycle(article: dict[str, Any]) -> None:
    found = structure.run()
    for step, name in (("step0", "before_training"), ("step50", "after_training")):
        table = found.tables[name]
        after, cycle = article["greedy"][step], ["111"]
        while after[cycle[-1]] not in cycle:
            cycle.append(after[cycle[-1]])
        words = " → ".join([*cycle, "111"]) if len(cycle) > 1 else "111, absorbing"
        for rule in ("greedy", "top-k 1", "temperature 0"):
            assert table.cell(rule, "closed classes in words") == words
            assert table.cell(rule, "periods") == str(len(cycle))
            assert table.cell(rule, "entropy rate (bits)") == 0
            assert table.cell(rule, "transient states") == 8 - len(cycle)


def test_a_softmax_leaves_every_way_open(quick: dict[str, Study]) -> None:
    for name in ("before_training", "after_training"):
        table = quick["structure"].tables[name]
        for rule in ("full", "temperature 0.5"):
            assert table.cell(rule, "transitions") == 16
            assert table.cell(rule, "transient states") == 0
            assert table.cell(rule, "absorbing states") == "none"


def test_the_data_has_a_row(quick: dict[str, Study], article: dict[str, Any]) -> None:
    table = quick["structure"].tables["after_training"]
    assert table.cell("the data itself", "periods") == str(article["empirical"]["period"])
    assert table.cell("the data itself", "entropy rate (bits)") == pytest.approx(0.4, abs=1e-12)


def test_structure_counts_ties_and_shortens_lists() -> None:
    loops = structure.run(model=fg.Chain.from_matrix(np.eye(9)), rules=[fg.Greedy()])
    words = loops.tables["model"].cell("greedy", "closed classes in words")
    assert str(words).endswith("and 3 more")
    coin = structure.run(model=fg.Chain([[0.5, 0.5]] * 2), rules=[fg.Greedy()])
    assert coin.tables["model"].cell("greedy", "notes") == "2 ties"


# ---- entropy rate ----


def test_temperatures_are_those_published(quick: dict[str, Study], checked: dict[str, Any]) -> None:
    table = quick["entropy_rate"].tables["temperature"]
    for temperature, true in checked["temperature"].items():
        T = float(temperature)
        bits = table.cell(T, "entropy rate (bits)")
        assert bits == pytest.approx(true["bits"], abs=5.1e-4)
        assert table.cell(T, "tokens to 1e-6, mean over starts") == true["average"]
        assert table.cell(T, "tokens to 1e-6") == true.get("worst", true["average"])


def test_rates_are_the_article_s(quick: dict[str, Study], article: dict[str, Any]) -> None:
    table = quick["entropy_rate"].tables["rates"]
    rate = table.cell("after training", "bits per token")
    assert rate == pytest.approx(article["step50"]["entropy_rate_bits"], abs=1e-5)
    exact = Fraction(article["empirical"]["entropy_rate_bits"])
    assert table.cell("data", "bits per token") == pytest.approx(float(exact), abs=1e-15)


def test_memory_falls_to_the_rate(quick: dict[str, Study]) -> None:
    tables = quick["entropy_rate"].tables
    for name in ("before training", "after training", "data"):
        *curve, excess = numbers(tables["memory"], name)
        assert all(later <= earlier + 1e-12 for earlier, later in pairwise(curve))
        assert curve[-1] == pytest.approx(tables["rates"].cell(name, "bits per token"), abs=1e-12)
        assert excess == pytest.approx(sum(h - curve[-1] for h in curve), abs=1e-12)


def test_training_brings_the_model_to_the_data(quick: dict[str, Study]) -> None:
    table = quick["entropy_rate"].tables["training"]
    kl = numbers(table, "KL rate from the data (bits)")
    assert kl == sorted(kl, reverse=True)
    for cross, less in zip(numbers(table, "cross-entropy (bits)"), kl, strict=True):
        assert cross - less == pytest.approx(0.4, abs=1e-12)


def test_a_chain_without_one_answer_says_why() -> None:
    found = entropy_rate.run(model=fg.Chain([[1, 0], [0, 1]]), temperatures=(1,))
    assert found.tables["rates"].cell("model", "bits per token") == "not unique"
    assert found.tables["memory"].cell("0", "model") == "not unique"
    assert found.tables["temperature"].cell(1, "tokens to 1e-6") == "not unique"
    assert found.figures == {}


# ---- capacity ----


def test_capacity_is_the_table_s(quick: dict[str, Study], checked: dict[str, Any]) -> None:
    tables = quick["capacity"].tables
    bits = tables["models"].cell("GPT-2 small", "bits")
    assert bits == pytest.approx(checked["gpt2_bits"], abs=5e-4)
    report = fg.capacity_report()
    assert len(tables["models"].rows) + len(tables["without_a_figure"].rows) == len(report.rows)
    assert tables["claims"].column("verdict") == [claim.verdict for claim in report.claims]


def test_capacity_of_a_given_chain() -> None:
    found = capacity.run(model=fg.Chain(np.full((8, 2), 0.5)))
    assert found.tables["model"].rows[0][1:] == [2, 3, 3.0, 0.375, 1]
    with pytest.raises(NotDefined, match="plain names"):
        capacity.run(model=fg.Chain.from_edges([0], [0], [0], [1.0], states=["a"]))
