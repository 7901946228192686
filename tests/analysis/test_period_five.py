"""Period five: what must come out, from the source itself and not from a training."""

import math
from fractions import Fraction

import pytest

import fsm_gpt as fg
from analysis import period_five
from analysis.study import Study, Table


def row(table: Table, name: str) -> dict[str, object]:
    return next(dict(zip(table.columns, one, strict=True)) for one in table.rows if one[0] == name)


def test_the_source_is_what_it_is(quick: dict[str, Study]) -> None:
    """11110 repeated: five states and no doubt at context 4, two tokens in five at context 3."""
    table = quick["period_five"].tables["contexts"]
    four, three = row(table, "the text, context 4"), row(table, "the text, context 3")
    assert four["entropy rate (bits)"] == 0
    assert four["excess entropy (bits)"] == pytest.approx(math.log2(5), abs=1e-12)
    assert [four[name] for name in ("states", "exact minimal machine", "merged machine")] == [5] * 3
    assert four["its effective states"] == pytest.approx(5, rel=1e-12)
    # 111 is followed by 1 as often as by 0, and by itself in two places of five.
    assert three["entropy rate (bits)"] == pytest.approx(Fraction(2, 5), abs=1e-12)
    exact = period_five.source(3)
    assert exact.next_token[exact.state("111")].tolist() == [Fraction(1, 2)] * 2


def test_context_four_comes_to_five_states_and_log2_5_bits(quick: dict[str, Study]) -> None:
    tables = quick["period_five"].tables
    found = row(tables["contexts"], "GPT, context 4")
    assert found["greedy closed class"] == 5
    assert found["greedy closed class in words"] == "1111 → 1110 → 1101 → 1011 → 0111 → 1111"
    assert found["merged machine"] == 5
    assert math.log2(float(str(found["its effective states"]))) == pytest.approx(
        math.log2(5), abs=1e-3
    )
    assert 0 < float(str(found["its price (bits per token)"])) < 1e-4
    assert set(tables["seeds"].column("merged machine")) == {4, 5}
    for context, size in zip(
        tables["seeds"].column("context"),
        tables["seeds"].column("greedy closed class"),
        strict=True,
    ):
        assert context == 3 or size == 5
    assert tables["prices"].column("context 4") == [5] * 5


def test_five_causal_states_are_remembered_in_log2_5_bits(quick: dict[str, Study]) -> None:
    """Of the source by definition; of the greedy chain exactly; of the merged machine nearly."""
    table, five = quick["period_five"].tables["remembered"], math.log2(5)
    bits = "statistical complexity (bits)"
    for name in ("the text, context 4", "GPT, context 4, greedy"):
        found = row(table, name)
        assert found["causal states"] == 5
        assert found[bits] == pytest.approx(five, abs=1e-12)
        # A cycle is known for good once its phase is: nothing is left to be uncertain of.
        assert found["excess entropy (bits)"] == pytest.approx(five, abs=1e-12)
        assert found["entropy rate (bits)"] == 0
        assert found["Markov order"] == 4
    merged, exact = row(table, "GPT, context 4, merged"), row(table, "GPT, context 4")
    assert merged["causal states"] == 5
    # Of shares that are 1/5 to within e the entropy is log2 5 to within e squared: 3e-6 here.
    assert merged[bits] == pytest.approx(five, abs=1e-5)
    # Training leaves no two rows alike: every window is a causal state of the GPT itself.
    assert exact["causal states"] == 16
    assert five < float(str(exact[bits])) < 4
    # Three tokens show four states, shares 2/5 and thrice 1/5, and of these the first is in doubt.
    three = row(table, "the text, context 3")
    assert three["causal states"] == 4
    assert three[bits] == pytest.approx(math.log2(5) - Fraction(2, 5), abs=1e-12)
    for name in table.column("chain"):
        found = row(table, str(name))
        if isinstance(found[bits], float):
            assert float(str(found["excess entropy (bits)"])) <= float(str(found[bits])) + 1e-12


def test_context_three_cannot_do_better_than_the_text(quick: dict[str, Study]) -> None:
    tables = quick["period_five"].tables
    for rate, away in zip(
        tables["seeds"].column("the text's (bits)"),
        tables["seeds"].column("KL rate from the text (bits)"),
        strict=True,
    ):
        assert rate in (0, pytest.approx(0.4))
        assert float(str(away)) >= 0
    last = tables["training"].rows[-1]
    assert last[1] == pytest.approx(0.4, abs=0.1)
    assert last[2] < 0.1


def test_the_beat_of_the_source_lasts_for_ever(quick: dict[str, Study]) -> None:
    table = quick["period_five"].tables["cycles"]
    kept = {(one[0], one[1]): one[2] for one in table.rows}
    assert kept["the text, context 4", "5.000"] == math.inf
    assert kept["the text, context 4", "2.500"] == math.inf
    longest = max(v for (name, _), v in kept.items() if name == "GPT, context 4")
    assert 100 < longest < math.inf


def test_another_model_is_asked_the_same() -> None:
    ring = fg.Chain([["1/10", "9/10"], ["9/10", "1/10"]])
    found = period_five.run(model=ring.floats(), text="0101")
    table = found.tables["contexts"]
    assert table.column("chain") == ["the text", "model"]
    assert row(table, "model")["greedy closed class"] == 2
    loops = period_five.run(model=fg.Chain([[1.0, 0.0], [0.0, 1.0]]))
    assert row(loops.tables["contexts"], "model")["greedy closed class"] == "2 classes"
    assert loops.tables["cycles"].rows == [["model", "not unique", None, None]]
