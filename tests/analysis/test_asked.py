"""The study that asks: what a text shows is looked at by hand, answers lie where texts say."""

import math

import pytest

from analysis.asked import before, endless, first, occurrences, run, sentence
from analysis.study import Study
from fsm_gpt.errors import InvalidArgument

TEXT = ("waits", "and", "the", "old", "dog", "waits", "and", "the", "cat")


def test_what_a_text_shows() -> None:
    assert first(TEXT, ("and", "the")) == 3
    assert first(TEXT, ("the", "cat")) == 9
    assert first(TEXT, ("cat", "the")) is None
    assert first((), ("cat",)) is None
    assert occurrences(TEXT, ("and", "the")) == 2
    assert occurrences(TEXT, ("waits",)) == 2
    assert occurrences(TEXT, ("cat", "and")) == 0
    assert before(TEXT, "dog", "cat")
    assert not before(TEXT, "cat", "dog")
    assert before(TEXT, "cat", "bird")
    assert not before(TEXT, "bird", "fish")


def test_answers_lie_where_texts_say(quick: dict[str, Study]) -> None:
    """Right answers lie 4.5 standard errors off in seven of a million cases."""
    table = quick["asked"].tables["answers"]
    assert len(table.rows) == 12
    for question, apart in zip(
        table.column("question"), table.column("standard errors apart"), strict=True
    ):
        assert apart < 4.5, question
    # Questions that every text answers alike would show nothing.
    seen = [value for value in table.column("seen") if value not in (0.0, 1.0)]
    assert len(seen) >= 11


def test_the_machine_ends_and_the_chain_does_not() -> None:
    chain = endless()
    assert chain.end is None
    assert chain.unexplored is None
    machine = sentence(chain)
    assert machine.end == chain.n_states
    # Two tokens at most follow each state.
    rows = machine.edges()
    assert math.isclose(rows.probability.sum(), machine.n_states)
    assert len(rows.source) <= 2 * machine.n_states


def test_another_model_has_other_words() -> None:
    with pytest.raises(InvalidArgument, match="the words of the project's own model"):
        run(text="abc")
