"""The article's experiment: its printed numbers, and how far they carry."""

import math
from fractions import Fraction
from typing import Any

import pytest

from analysis import article
from analysis.claims import HOLDS, judged
from analysis.study import Study, Table
from fsm_gpt.chain import Chain


@pytest.fixture(scope="module")
def ten_seeds() -> Study:
    """Seeds 0 to 9, and the long training."""
    return article.run(seeds=range(10), steps=(0, 50, 2000))


def test_the_listing_is_the_article_s(quick: dict[str, Study], article: dict[str, Any]) -> None:
    table = quick["article"].tables["listing"]
    for step, name, within in (("step0", "before", 2e-7), ("step50", "after", 5e-6)):
        for context, row in article[step]["probs"].items():
            for token in (0, 1):
                found = table.cell(context, f"P({token}) {name} training")
                assert found == pytest.approx(row[token], abs=within)


def test_what_training_never_shows(quick: dict[str, Study], checked: dict[str, Any]) -> None:
    table = quick["article"].tables["listing"]
    seen = dict(zip(table.column("context"), table.column("seen in training"), strict=True))
    assert [context for context, answer in seen.items() if answer == "no"] == checked["unseen"]


def test_the_state_space_is_that_of_zekri(quick: dict[str, Study], checked: dict[str, Any]) -> None:
    share = Fraction(checked["share_of_transitions"]["value"])
    assert share == Fraction(2 - 1, 2**3 - 1)
    assert quick["article"].tables["states"].column("how many") == [
        checked["states"]["windows"],
        checked["states"]["all"],
        checked["states"]["recurrent"],
        checked["states"]["transient"],
        28,  # 14 states, two tokens each
        share,
    ]


def test_the_ranges_over_seeds_are_those_published(
    ten_seeds: Study, checked: dict[str, Any]
) -> None:
    table = ten_seeds.tables["seeds"]
    for transition, (least, greatest) in checked["over_seeds_0_to_9"].items():
        assert table.cell(transition, "least") == pytest.approx(least, abs=6e-4)
        assert table.cell(transition, "greatest") == pytest.approx(greatest, abs=6e-4)
    for transition, printed in checked["printed"].items():
        value = table.cell(transition, "seed 1337")
        assert isinstance(value, float)
        assert round(value, 2) == printed


def test_the_table_of_seeds_is_made_of_every_seed(ten_seeds: Study) -> None:
    every, table = ten_seeds.tables["every_seed"], ten_seeds.tables["seeds"]
    assert every.column("seed") == list(range(10))
    for transition in table.column("transition"):
        values = sorted(float(str(v)) for v in every.column(str(transition)))
        row = [float(str(v)) for v in table.rows[table.column("transition").index(transition)][2:]]
        mean, least, lower, median, upper, greatest = row
        assert (least, greatest) == (values[0], values[-1])
        assert mean == pytest.approx(math.fsum(values) / 10, rel=1e-12)
        assert median == pytest.approx((values[4] + values[5]) / 2, rel=1e-12)
        assert least <= lower <= median <= upper <= greatest


def test_certainty_comes_with_more_training(ten_seeds: Study, checked: dict[str, Any]) -> None:
    table = ten_seeds.tables["steps"]
    share = [float(str(v)) for v in table.column("101 → 011")]
    assert share == sorted(share)
    assert share[-1] > checked["certain_after_2000_steps"]


def test_the_loss_meets_its_floor(ten_seeds: Study, checked: dict[str, Any]) -> None:
    table = ten_seeds.tables["steps"]
    floor = checked["window_loss_floor"]["nats"]
    for nats, bits, above in zip(
        *(table.column(c) for c in ("loss (nats)", "loss (bits)", "above the floor (bits)")),
        strict=True,
    ):
        assert isinstance(nats, float)
        assert bits == pytest.approx(nats / math.log(2), rel=1e-5)  # float32 against float64
        assert above == pytest.approx((nats - floor) / math.log(2), abs=1e-5)
        assert nats > floor


def test_the_bound_beside_the_truth(quick: dict[str, Study], checked: dict[str, Any]) -> None:
    table, true = quick["article"].tables["convergence"], checked["convergence_to_1e-6"]
    assert table.cell("after training", "true") == true["true"]
    assert table.cell("after training", "bound") == true["bound"]
    smallest = table.cell("after training", "least entry of P^L")
    assert smallest == pytest.approx(true["smallest"], abs=5e-6)


def verdict(table: Table, claim: str) -> tuple[str, str]:
    (row,) = (row for row in table.rows if str(row[0]).startswith(claim))
    return str(row[2]), str(row[3])


def test_the_verdicts(ten_seeds: Study, checked: dict[str, Any]) -> None:
    table = ten_seeds.tables["claims"]
    for claim in ("states, as", 'states "in', "parameters", "101", "111 → 111", "111 → 110", "000"):
        assert verdict(table, claim)[1].startswith(HOLDS)
    assert f"{checked['parameters_fixed']} of them" in verdict(table, "parameters")[1]
    assert "39.6% to 77.5%" in verdict(table, "000")[1]
    shown, said = verdict(table, "P(0), P(1) after 010")
    assert [f"{p:.0%}" for p in checked["after_010"]["after"]] == shown.split(", ")
    assert said.startswith("does not hold")
    assert ", ".join(f"{p:.1%}" for p in checked["after_010"]["before"]) in said
    assert verdict(table, "contexts that")[0] == ", ".join(checked["unseen"])


def test_a_wrong_claim_does_not_hold() -> None:
    assert judged("states", "8", "9")[3] == "does not hold"


def test_another_chain_has_no_claims() -> None:
    P = Chain([[0.5, 0.5], [0.25, 0.75]], vocabulary="ab")
    found = article.run(model=P, text="abab")
    assert sorted(found.tables) == ["convergence", "listing", "states"]
    assert found.tables["listing"].column("seen in training") == ["yes", "yes"]
    assert found.inputs["seed"] is None


def test_progress_counts_the_trainings() -> None:
    seen: list[tuple[int, int, str]] = []
    article.run(
        seeds=(0, 1), steps=(0, 10), progress=lambda done, of, what: seen.append((done, of, what))
    )
    assert [done for done, _, _ in seen] == [1, 2, 3, 4]
    assert {of for _, of, _ in seen} == {4}
    assert seen[-1][2] == "seed 1337, 10 steps"
