"""The study of the loop: what is predicted happens, and the bonus does its work."""

import pytest

from analysis.loop import FAR, LOOP, run
from analysis.study import Study
from fsm_gpt.errors import InvalidArgument


def test_the_gradient_foresees_small_changes(quick: dict[str, Study]) -> None:
    table = quick["loop"].tables["parts"]
    stay = float(table.title.split(" for ")[1].split()[0])
    for predicted, seen in zip(
        table.column("predicted"), table.column("a thousandth less"), strict=True
    ):
        assert abs(predicted - seen) < 0.02 * max(abs(seen - stay), 0.05 * stay)
    assert FAR < 1
    assert len(table.rows) == 10


def test_the_contexts_that_matter_are_the_loop_s_own(quick: dict[str, Study]) -> None:
    contexts = quick["loop"].tables["rows"].column("context")
    assert set(contexts[:3]) < set(LOOP)


def test_the_bonus_shortens_the_loop(quick: dict[str, Study]) -> None:
    table = quick["loop"].tables["bonus"]
    stay, bits = table.column("tokens in the loop"), table.column("bits per token")
    assert table.column("nats for each bit") == [0.0, 0.4]
    assert stay[0] > 2 * stay[1]
    assert bits[0] < bits[1]


def test_it_has_models_of_its_own() -> None:
    with pytest.raises(InvalidArgument, match="fsm-gpt sensitivity asks a model of yours"):
        run(text="01")
