"""The section of the report that says how a text ends."""

import json
from fractions import Fraction

import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.report.facts import gather
from tests.markov.endings import knuth_die
from tests.report.chains import HOSTILE, hostile, windows


def test_the_die() -> None:
    """Knuth & Yao (1976): 11/3 flips from the root, each face with 1/6."""
    facts = gather(knuth_die())
    assert facts.ending is not None
    page = fg.report(knuth_die(), facts=facts)
    assert "| s0 | 1 | 11/3 = 3.667 |" in page.markdown
    assert '<section id="ending">' in page.html
    assert '<a href="#ending">' in page.html
    document = json.loads(page.json)["ending"]
    assert document["stop_tokens"] == ["stop"]
    assert document["length"]["probability_of_ending"] == "1"
    named = [name for name, _ in facts.bounded()]
    assert "length of a text" in named


def test_the_rest_is_about_the_chain_that_goes_on() -> None:
    chain = windows(3, 2)
    plain, ended = gather(chain), gather(chain, stop=[2])
    assert plain.ending is None
    assert plain.to_dict()["ending"] is None
    assert "ending" not in dict(fg.report(chain, facts=plain).facts.to_dict()["chain"])
    assert ended.to_dict()["stationary"] == plain.to_dict()["stationary"]
    assert ended.ending is not None
    expected = fg.length_distribution(chain.with_stop(2), start=None)
    assert ended.ending.to_dict()["length"] == expected.to_dict()
    assert '<section id="ending">' not in fg.report(chain, facts=plain).html
    assert "How a text ends" in fg.report(chain, stop=[2]).html


def test_a_text_that_never_ends() -> None:
    page = fg.report(Chain([[0.5, 0.5, 0]] * 3), stop=[2])
    assert "infinite: no text ends" in page.html
    assert "infinite: no text ends" in page.markdown


def test_one_that_may_never_end() -> None:
    trap = Chain([["1/5", "2/5", "2/5"], [0, 1, 0], [1, 0, 0]], vocabulary="ab.")
    facts = gather(trap, stop=".")
    page = fg.report(trap, facts=facts).markdown
    assert "The length of a text, given that it ends" in page
    assert "| a | 1/2 | infinite |" in page
    assert facts.ending is not None
    # From a with 1/2, from b never, from the stop token's context as from a, and one more token.
    assert facts.ending.length.probability_of_ending == Fraction(1, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("token", HOSTILE)
def test_tokens_are_shown_safely(token: str) -> None:
    page = fg.report(hostile(), stop=[token])
    assert "<script>alert" not in page.html
    assert "\u202e" not in page.html
