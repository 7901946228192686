"""The facts: the analyses' own numbers, sentences where there are none, a stable JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fsm_gpt.capacity import Capacity
from fsm_gpt.chain import Chain
from fsm_gpt.markov.compare import compare
from fsm_gpt.markov.convergence import ConvergenceBound
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.memory import memory_curve
from fsm_gpt.markov.mixing import MixingTime
from fsm_gpt.markov.passage import MeanFirstPassage, kemeny_constant
from fsm_gpt.markov.stationary import StationaryDistribution, stationary_distribution
from fsm_gpt.report.facts import SCHEMA_VERSION, Absent, class_in_words, gather
from fsm_gpt.report.shortened import shortened
from fsm_gpt.report.terminal import summary
from fsm_gpt.report.words import decimal, number, structure
from fsm_gpt.result import to_json
from tests.report.chains import AFTER, TEXT, gambler, hostile, of_ones, weather, windows


def printed(chain: Chain, width: int = 100, **options: str) -> str:
    from rich.console import Console

    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(summary(gather(chain, **options)))  # type: ignore[arg-type]
    return capture.get()


def test_facts_are_the_analyses() -> None:
    chain = of_ones(AFTER)
    facts = gather(chain, text=TEXT).to_dict()
    assert facts["schema_version"] == SCHEMA_VERSION == 1
    np.testing.assert_array_equal(
        facts["stationary"]["classes"][0][1], stationary_distribution(chain).pi
    )
    assert facts["entropy_rate"]["bits_per_token"] == entropy_rate(chain).bits_per_token
    assert facts["memory_curve"]["bits_per_token"] == memory_curve(chain).bits_per_token.tolist()
    assert facts["kemeny_constant"]["mean_steps"] == kemeny_constant(chain).mean_steps
    data = Chain.from_text(TEXT, context=3, end="drop")
    assert facts["comparison"]["kl_bits_per_token"] == compare(data, chain).kl_bits_per_token
    assert facts["coverage"]["unseen"] == ["000", "001", "010", "100"]


@pytest.mark.parametrize("make", [gambler, weather, hostile, lambda: windows(2, 4)])
def test_facts_are_json(make: object) -> None:
    facts = gather(make()).to_dict()  # type: ignore[operator]
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_the_articles_cycle_in_words() -> None:
    # The article's greedy decoding after 50 steps goes 111, 110, 101, 011 and round again.
    rules = {rule.name: rule for rule in gather(of_ones(AFTER)).rules}
    assert rules["greedy (top-k 1)"].in_words == ("111 → 110 → 101 → 011 → 111",)
    assert rules["greedy (top-k 1)"].classes.periods == (4,)
    assert rules["full (temperature 1)"].classes.irreducible


def test_what_does_not_exist_is_a_sentence() -> None:
    facts = gather(gambler())
    assert isinstance(facts.entropy_rate, Absent)
    assert str(facts.entropy_rate).startswith("The chain has 2 closed classes")
    assert isinstance(facts.mixing_time, Absent)
    assert facts.pi is None
    assert facts.to_dict()["entropy_rate"] == {"absent": str(facts.entropy_rate)}
    cycle = gather(Chain([[0, 1], [1, 0]]))
    assert isinstance(cycle.mixing_time, Absent)
    assert "period 2" in str(cycle.mixing_time)


def test_costly_questions_stop_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["fsm_gpt.report.facts"]
    monkeypatch.setattr(module, "COSTLIEST_LIMIT", 4)
    facts = gather(of_ones(AFTER))
    assert isinstance(facts.spectrum, Absent)
    assert str(facts.spectrum).endswith("it takes long for 8 states, and a report stops at 4.")
    assert [isinstance(one.mixing_time, Absent) for one in facts.convergence] == [False, True]
    monkeypatch.setattr(module, "COSTLY_LIMIT", 4)
    assert isinstance(gather(of_ones(AFTER)).mixing_time, Absent)


def test_a_chain_of_many_states_asks_for_no_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Chain) -> object:
        raise AssertionError(f"a dense matrix of {self.n_states:,} states")

    chain = windows(2, 13)
    monkeypatch.setattr(Chain, "matrix", refused)
    facts = gather(chain)
    assert isinstance(facts.stationary, StationaryDistribution)
    assert facts.stationary.certified
    left_out = {name for name, answer in vars(facts).items() if isinstance(answer, Absent)}
    assert left_out == {
        *("kemeny_constant", "mean_first_passage", "spectrum", "reversibility", "absorption"),
    }
    assert all(isinstance(one.bound, Absent) for one in facts.convergence)
    assert len(json.dumps(facts.to_dict(most=100))) < 30_000


def test_the_bound_of_zekri_et_al_stands_beside_the_truth() -> None:
    # On the trained baby GPT: epsilon 0.01136, 1,809 steps to 1e-6 by the bound, 29 in truth.
    _, fine = gather(of_ones(AFTER)).convergence
    assert fine.epsilon == 1e-6
    assert isinstance(fine.mixing_time, MixingTime)
    assert isinstance(fine.bound, ConvergenceBound)
    assert (fine.mixing_time.steps, fine.bound.steps) == (29, 1809)
    assert fine.bound.smallest == pytest.approx(0.01136, abs=1e-5)
    lone = gather(Chain([[1.0]], context=1)).convergence[0]
    assert "one absorbing state" in str(lone.bound)


def test_a_first_passage_table_is_for_few_states() -> None:
    # Grinstead & Snell, example 11.19: 4 steps from rain to nice, 10/3 to snow.
    found = gather(weather()).mean_first_passage
    assert isinstance(found, MeanFirstPassage)
    assert [str(value) for value in found.mean_steps[0]] == ["0", "4", "10/3"]
    assert isinstance(gather(windows(2, 4)).mean_first_passage, MeanFirstPassage)
    assert "32 by 32" in str(gather(windows(2, 5)).mean_first_passage)


def test_capacity_takes_the_parameters_from_the_provenance() -> None:
    found = gather(of_ones(AFTER), provenance={"parameters": "12,656"}).capacity
    assert isinstance(found, Capacity)
    assert (found.bits, found.parameters) == (3.0, 12656)
    assert found.bits_per_parameter == 3 / 12656
    unknown = gather(of_ones(AFTER), provenance={"parameters": "a few"}).capacity
    assert isinstance(unknown, Capacity)
    assert unknown.parameters is None
    no_windows = Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0])
    assert isinstance(gather(no_windows).capacity, Absent)


@given(st.integers(0, 3000), st.integers(0, 40))
def test_a_shortened_document_keeps_what_is_short(most: int, n: int) -> None:
    document = {"list": list(range(n)), "array": np.arange(n), "nested": [[1] * n, 2], "x": 1 / 3}
    cut = shortened(document, most)
    assert json.loads(json.dumps(cut)) == cut
    for name, size in (("list", n), ("array", n), ("nested", n + 1)):
        whole = to_json(document[name])
        left_out = {"left_out": f"a list of {size:,} entries"}
        assert cut[name] == (whole if size <= most else left_out)
    assert cut["x"] == 1 / 3


def test_shortened_facts_are_the_facts_where_they_are_short() -> None:
    facts = gather(of_ones(AFTER), text=TEXT)
    assert facts.to_dict(most=10_000) == facts.to_dict()
    few = facts.to_dict(most=7)
    assert few["stationary"]["classes"] == {"left_out": "a list of 16 entries"}
    assert few["stationary"]["error_bound"] == facts.to_dict()["stationary"]["error_bound"]
    assert few["rules"][-1]["classes"]["closed"] == [[3, 5, 6, 7]]
    assert few["rules"][-1]["classes"]["member"] == {"left_out": "a list of 8 entries"}


def test_ties_are_reported() -> None:
    notes = gather(Chain([[0.5, 0.5], [0.25, 0.75]])).notes
    assert any("greedy" in note and "1 of 2 states" in note for note in notes)


def test_classes_in_words() -> None:
    walk = gambler()
    assert class_in_words(walk, np.array([0]), 1) == "0, absorbing"
    ring = Chain.from_matrix(np.roll(np.eye(40), 1, axis=1))
    words = class_in_words(ring, np.arange(40), 40)
    assert words.endswith("… (40 states in turn)")
    assert class_in_words(weather(), np.arange(3), 1) == "all 3 states, no period"


def test_structure_in_words() -> None:
    def of(chain: Chain) -> str:
        return structure(gather(chain).classes)[0]

    assert of(gambler()) == "2 closed classes"
    assert of(weather()) == "one class"
    assert of(Chain([[1.0]], context=1)) == "absorbing"
    assert of(Chain([[0, 1], [1, 0]])) == "cycle of 2"
    assert of(Chain([[0, 1, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]])) == "one closed class"
    bipartite = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]) / 2
    assert of(Chain.from_matrix(bipartite)) == "period 2"


def test_numbers_in_words() -> None:
    assert number(float("inf")) == "infinite"
    assert decimal(1 - 1e-9) == "1.0000"
    assert decimal(1.0) == "1"


def test_the_terminal_says_it_all() -> None:
    said = printed(of_ones(AFTER), text=TEXT)
    for words in ("0.8198", "111 → 110 → 101 → 011 → 111", "000, 001, 010, 100", "proven"):
        assert words in said
    assert "2 closed classes" in printed(gambler(), width=80)
    assert "<script>" in printed(hostile())
    assert "\u202e" not in printed(hostile())


def test_a_token_is_not_markup() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary=["[bold]", "[/red]"])
    assert "[bold]" in printed(chain)
