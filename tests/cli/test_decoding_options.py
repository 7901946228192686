"""Decoding options apply in the order in which they were typed."""

from fractions import Fraction

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st

from fsm_gpt.cli.decoding import DecodingCommand, decoding_options
from fsm_gpt.decoding import Greedy, MinP, Rule, Temperature, TopK, TopP
from fsm_gpt.errors import InvalidArgument

got: list[object] = []


@click.command(cls=DecodingCommand)
@click.argument("word", required=False)
@click.option("--other")
@decoding_options
def probe(word: str | None, other: str | None, decoding: tuple[Rule, ...]) -> None:
    """Keep what it is given."""
    got[:] = [word, other, decoding]


def rules_of(*args: str) -> object:
    probe.main(args, standalone_mode=False)
    return got[2]


def typed(rule: Rule) -> list[str]:
    match rule:
        case Greedy():
            return ["--greedy"]
        case TopK(k):
            return ["--top-k", str(k)]
        case TopP(p):
            return [f"--top-p={p!r}"] if isinstance(p, float) else [f"--top-p={p}"]
        case MinP(p):
            return ["--min-p", repr(p)]
        case Temperature(temperature):
            return ["--temperature", repr(temperature)]
    raise AssertionError(rule)


@given(
    st.lists(
        st.one_of(
            st.just(Greedy()),
            st.builds(TopK, st.integers(1, 99)),
            st.builds(TopP, st.floats(0, 1, exclude_min=True)),
            st.builds(TopP, st.fractions(0, 1).filter(lambda p: 0 < p < 1)),
            st.builds(MinP, st.floats(0, 1)),
            st.builds(Temperature, st.floats(0, 9)),
        )
    )
)
def test_the_order_typed_is_the_order_applied(rules: list[Rule]) -> None:
    assert rules_of(*(word for rule in rules for word in typed(rule))) == tuple(rules)


def test_none_is_none() -> None:
    assert rules_of() == ()
    assert rules_of("word", "--other", "x") == ()
    assert got[:2] == ["word", "x"]


def test_fractions_stay_exact() -> None:
    assert rules_of("--top-p", "9/10") == (TopP(Fraction(9, 10)),)
    assert rules_of("--top-p", "0.9") == (TopP(0.9),)


def test_what_follows_two_dashes_is_no_option() -> None:
    assert rules_of("--top-k", "2", "--", "--greedy") == (TopK(2),)
    assert got[0] == "--greedy"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--top-k", "two"], "--top-k 'two' is not a whole number."),
        (["--top-k", "1.5"], "--top-k '1.5' is not a whole number."),
        (["--top-k", "4/2"], "--top-k '4/2' is not a whole number."),
        (["--top-p", "much"], "--top-p 'much' is not a number such as 0.9 or 9/10."),
        (["--min-p", "1/0"], "--min-p '1/0' is not a number"),
        (["--temperature="], "--temperature '' is not a number"),
        (["--top-k"], "requires an argument"),
        (["--greedy=1"], "does not take a value"),
        (["--decoding", "beam"], "there is no decoding rule 'beam'"),
    ],
)
def test_what_is_no_number_is_a_usage_error(args: list[str], words: str) -> None:
    result = CliRunner().invoke(probe, args)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--top-k", "0"],
        ["--top-p", "1.5"],
        ["--top-p", "nan"],
        ["--min-p", "-1"],
        ["--temperature", "-1"],
        ["--temperature", "inf"],
    ],
)
def test_a_number_out_of_range_is_refused_by_its_rule(args: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="decoding: "):
        rules_of(*args)


def test_the_help_shows_the_options_and_not_how_they_are_passed_on() -> None:
    shown = CliRunner().invoke(probe, ["--help"]).stdout
    assert all(f"  {name}" in shown for name in ("--greedy", "--top-k K", "--top-p P", "--min-p P"))
    assert "--decoding" not in shown
