"""The sections on what the machine remembers: their numbers, and when they are there."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy
from fsm_gpt.markov.condition import ConditionNumber
from fsm_gpt.markov.context_use import ContextUse
from fsm_gpt.markov.minimal_machine import MinimalMachine
from fsm_gpt.markov.sensitivity import RowSensitivity
from fsm_gpt.report.absent import Absent
from fsm_gpt.report.facts import gather
from fsm_gpt.report.machine import context_section, drawn, machine_section
from fsm_gpt.report.moving import sensitivity_section, slow_section
from fsm_gpt.report.remembered import what_is_remembered
from tests.report.chains import AFTER, TEXT, gambler, hostile, of_ones, weather, windows

room = sys.modules["fsm_gpt.report.remembered"]

KEYS = (
    *("context_use", "minimal_machine", "small_machine", "pareto", "causal_states"),
    *("sensitivity", "condition_number", "time_scales", "metastable_sets"),
)
SECTIONS = (context_section, machine_section, slow_section, sensitivity_section)


def copy() -> Chain:
    """The next token is the one two places back, with probability 9/10."""
    return Chain([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])


def golden() -> Chain:
    """The golden mean process, no two zeros in a row, through windows of three tokens."""
    return Chain([[0, 1], ["1/2", "1/2"]] * 4)


def test_the_golden_mean_is_drawn_as_its_two_states() -> None:
    # Crutchfield & Feldman (2003), section V: two causal states of mass 1/3 and 2/3, so that
    # C = log2 3 - 2/3; h = 2/3; order 1, so that E = C - h.
    facts = gather(golden())
    small = drawn(facts)
    assert small is not None
    assert small.is_exact
    assert small.n_states == 2
    page = fg.report(golden(), facts=facts)
    assert "2 states write exactly the same texts as the 8 of the chain." in page.html
    C = np.log2(3) - 2 / 3
    assert f"| Statistical complexity C, bits | {C:.4g} |" in page.markdown
    assert f"| Excess entropy E, bits | {C - 2 / 3:.4g} |" in page.markdown
    assert "| Markov order, tokens | 1 |" in page.markdown
    assert "| …0 | 4 | 1 100% | 1 → …1 |" in page.markdown
    assert "small machine" not in [name for name, _ in facts.bounded()]  # it is the minimal one


def test_what_a_copy_uses_of_its_context() -> None:
    # Two places back: 1 - H(1/10) bits (Cover & Thomas 2006, section 7.1.4); the newest: nothing.
    told = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
    page = fg.report(copy())
    assert f"| 2 | {told:.4f} | {told:.4f} | {told:.4f} |" in page.markdown
    assert "It takes all 2 to tell 99% of it." in page.markdown
    found = page.facts.remembered.context_use
    assert isinstance(found, ContextUse)
    assert found.effective_order == 2
    assert found.tolerance_bits == pytest.approx(told / 100)
    first = fg.report(Chain([[0.9, 0.1], [0.1, 0.9]] * 2)).markdown
    assert "The newest tells 100%." in first


def test_each_column_of_the_context_is_its_own() -> None:
    """I(X_-i; Y) from the joint law of windows and next tokens, by its definition."""
    chain = of_ones(AFTER)
    section = context_section(gather(chain))
    assert section is not None
    pi = np.asarray(fg.stationary_distribution(chain).pi)
    J = (pi[:, None] * chain.next_token).reshape(2, 2, 2, 2)  # oldest, middle, newest, next

    def H(*axes: int) -> float:
        p = J.sum(axis=tuple(a for a in range(4) if a not in axes)).ravel()
        return float(-(p * np.log2(p)).sum())

    for i, row in enumerate(section["tables"][0].rows):
        here, newer = 2 - i, tuple(range(3 - i, 3))
        others = tuple(a for a in range(3) if a != here)
        alone = H(here) + H(3) - H(here, 3)
        after = H(here, *newer) + H(3, *newer) - H(here, 3, *newer) - H(*newer)
        beside = H(0, 1, 2) + H(3, *others) - H(0, 1, 2, 3) - H(*others)
        assert row == (f"{i + 1}", f"{alone:.4f}", f"{after:.4f}", f"{beside:.4f}")


def test_the_small_machine_costs_less_than_a_part_in_a_hundred() -> None:
    found = what_is_remembered(of_ones(AFTER))
    assert isinstance(found.small, MinimalMachine)
    curve = fg.minimize(of_ones(AFTER)).pareto()
    cheap = [one for one in curve.machines if one.kl_bits < 0.01 * curve.machines[0].kl_bits]
    assert found.small.n_states == cheap[0].n_states < 8
    # h_0 - h is what a single state loses.
    curve_bits = fg.memory_curve(of_ones(AFTER)).bits_per_token
    assert curve.machines[0].kl_bits == pytest.approx(curve_bits[0] - curve_bits[-1], rel=1e-9)
    # Where none is cheap, the cheapest that can be drawn; of noise it is worth nothing.
    noise = gather(windows(2, 6))
    assert isinstance(noise.remembered.small, MinimalMachine)
    assert noise.remembered.small.n_states == 12
    assert drawn(noise) is None
    section = machine_section(noise)
    assert section is not None
    assert section["sentences"][1].startswith("No machine of at most 12 states was found")
    assert section["tables"][1].rows[-1] == ("64", "0", "0%", "exact")
    assert len(section["tables"][1].rows) <= 12


def test_the_rows_that_move_the_entropy_rate() -> None:
    facts = gather(of_ones(AFTER))
    found = facts.remembered.sensitivity
    assert isinstance(found, RowSensitivity)
    section = sensitivity_section(facts)
    assert section is not None
    assert [row[0] for row in section["tables"][0].rows] == [label for label, _ in found.top(8)]
    # By differences: a nat more for the likeliest token of one row moves the rate as stated.
    z = np.log(np.array(of_ones(AFTER).next_token))
    e, moved = 1e-6, 0.0
    for s, t in zip(found.source, found.token, strict=True):
        rates = []
        for sign in (e, -e):
            changed = z.copy()
            changed[s, t] += sign
            rows = np.exp(changed)
            rows /= rows.sum(axis=1, keepdims=True)
            rates.append(fg.entropy_rate(Chain(rows, normalize=True)).bits_per_token)
        moved += abs(rates[0] - rates[1]) / (2 * e)
    said = facts.to_dict()["sensitivity"]
    assert said["float32_error_bar"] == pytest.approx(moved * 2.0**-24, rel=1e-4)
    assert isinstance(facts.remembered.condition, ConditionNumber)


def test_sets_that_are_seldom_left() -> None:
    # Two pairs of states, left with probability 1/250 a token: mean stay 250, half of the time.
    stays, goes = 0.498, 0.002
    P = np.kron([[stays, goes], [goes, stays]], np.ones((2, 2)))
    page = fg.report(Chain.from_matrix(P)).markdown
    assert "The states fall into 2 sets that a text seldom leaves: it stays 250 tokens" in page
    assert "| 0 | 2 | 0.5000 | 250 | 0, 1 |" in page
    assert "| 0 → 1 | 0.0020 |" in page
    refused = slow_section(gather(of_ones(AFTER)))
    assert refused is not None
    assert len(refused["sentences"]) == 1
    assert refused["sentences"][0].startswith("There is no slow structure")


def test_a_section_with_nothing_to_say_is_not_there() -> None:
    one = gather(Chain([[1.0]], vocabulary="a", context=3))
    assert [section(one) for section in SECTIONS] == [None] * 4
    assert context_section(gather(weather())) is None  # no windows
    assert context_section(gather(windows(3, 1))) is None  # one position
    assert sensitivity_section(gather(golden().with_decoding(Greedy()))) is None  # all is certain
    coin = gather(Chain([[0.5, 0.5]] * 4))
    even = context_section(coin)
    assert even is not None
    assert even["tables"] == []
    assert drawn(coin) is None
    html = fg.report(Chain([[1.0]], vocabulary="a", context=3)).html
    for name in ("context-use", "machine", "slow", "sensitivity"):
        assert f'id="{name}"' not in html
        assert f'href="#{name}"' not in html


def test_symbols_have_no_such_sections() -> None:
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    facts = gather(Chain.from_matrix([[1 - a, a], [b, 1 - b]]))
    assert [section(facts) for section in SECTIONS] == [None] * 4


def test_several_closed_classes_are_said_in_words() -> None:
    document = gather(gambler()).to_dict()
    for key in ("sensitivity", "time_scales", "pareto"):
        assert "closed classes" in document[key]["absent"], key
    assert document["minimal_machine"]["n_states"] >= 2
    page = fg.report(gambler())
    assert 'id="slow"' in page.html
    assert 'id="context-use"' not in page.html


def test_what_costs_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    large = what_is_remembered(windows(2, 11))
    left_out = {name for name, answer in vars(large).items() if isinstance(answer, Absent)}
    assert left_out == {"pareto", "small", "condition", "time_scales", "sets"}
    monkeypatch.setattr(room, "MOST_TRANSITIONS", 100)
    wide = what_is_remembered(windows(2, 6)).sensitivity
    assert isinstance(wide, Absent)
    assert "128 transitions" in str(wide)
    monkeypatch.setattr(room, "LARGEST", 32)
    for name in ("context_use", "minimal", "causal", "sensitivity"):
        assert "stops at 32" in str(getattr(what_is_remembered(windows(2, 6)), name))


@pytest.mark.parametrize("make", [gambler, weather, hostile, copy, lambda: windows(2, 5)])
def test_the_json_has_every_answer_under_its_own_key(make: object) -> None:
    facts = gather(make())  # type: ignore[operator]
    document = facts.to_dict()
    assert set(KEYS) <= set(document)
    assert document["against_data"] is None
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(facts.to_dict(most=5)) == set(document)
    named = [name for name, _ in facts.bounded()]
    assert len(named) == len(set(named))


def test_a_large_document_names_no_block() -> None:
    document = gather(windows(2, 11)).to_dict()
    assert "block" not in document["minimal_machine"]
    assert "state_of" not in document["causal_states"]
    assert "per_nat_by_state" not in document["sensitivity"]
    assert len(document["sensitivity"]["rows"]) == 8


def test_the_model_beside_its_data() -> None:
    chain = of_ones(AFTER)
    data = Chain.from_text(TEXT, context=3, end="drop")
    facts = gather(chain, text=TEXT)
    against = facts.to_dict()["against_data"]
    apart = fg.context_distance(data, chain).total_variation
    assert against["context_distance"]["total_variation"] == apart
    # The distance of a model from its n-gram is what its memory curve is above the entropy rate.
    h = fg.memory_curve(chain).bits_per_token
    own = against["n_gram_distances"]["model_to_its_own_bits"]
    np.testing.assert_allclose(own, h[:2] - h[-1], atol=1e-12)
    drift = fg.entropy_drift(data, chain)
    assert against["drift"]["bits_by_step"] == drift.bits_by_step.tolist()
    page = fg.report(chain, facts=facts)
    assert f"are {apart:.4g} apart in total variation" in page.html
    assert f"| model from its own n-gram | {own[0]:.4f} | {own[1]:.4f} |" in page.markdown
    assert {"calibration", "distances to n-grams"} <= {name for name, _ in facts.bounded()}


def test_a_model_that_is_its_data_is_at_no_distance() -> None:
    data = Chain.from_text("0110100110010110" * 4, context=2)
    facts = gather(data, data=data)
    page = fg.report(data, facts=facts).markdown
    assert "are 0 apart in total variation" in page
    assert "The likeliest token" not in page  # no state is stated wrongly
