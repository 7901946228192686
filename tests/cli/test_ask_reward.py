"""``fsm-gpt ask reward``."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.io import load, save


def test_the_surprisal(fsm_gpt, made: Path) -> None:
    chain = load(made / "chain")
    said = fsm_gpt("ask", "reward", str(made / "chain"), "--values", "surprisal")
    found = fg.reward(chain, "surprisal")
    assert said.out == f"{found}\n"
    assert f"{fg.entropy_rate(chain).bits_per_token:.6g} bits per token" in said.out


def test_values_in_a_file(fsm_gpt, folder: Path) -> None:
    """Rain with probability 1/2 after sun, 3/4 after rain."""
    weather = Chain.from_matrix([["1/2", "1/2"], ["1/4", "3/4"]], vocabulary=["sun", "rain"])
    save(weather, folder / "weather")
    (folder / "days.json").write_text('{"rain": "1/2"}')
    (folder / "both.json").write_text('[[0, "1/2"], [0, 0.5]]')
    (folder / "list.json").write_text("[0, 0.5]")
    common = ("ask", "reward", "weather", "--from", "sun", "--within", "2", "--json")
    for more in (
        ("--values", "days.json"),
        ("--values", "both.json"),
        ("--values", "list.json", "--of", "token"),
    ):
        said = fsm_gpt(*common, *more, "--distribution")
        document = json.loads(said.out)
        assert document["schema"] == 1
        assert document["mean_per_token"] == "1/3"
        # A quarter of the variance of the number of rainy days, see the docstring of reward().
        assert document["variance_per_token"] == str(Fraction(10, 27) / 4)
        assert document["distribution"]["totals"] == ["0", "1/2", "1"]
        assert document["distribution"]["probabilities"] == ["1/4", "3/8", "3/8"]
    assert "unit" in document


def test_until_the_end(fsm_gpt, folder: Path) -> None:
    save(Chain([["2/3", "1/3"]] * 2, vocabulary="th"), folder / "coin")
    (folder / "one.json").write_text('{"t": 1, "h": 1}')
    said = fsm_gpt("ask", "reward", "coin", "--values", "one.json", "--stop", "h", "--from", "t")
    assert "until the end: mean 3 reward, variance 6" in said.out


@pytest.mark.parametrize(
    ("written", "options", "words"),
    [
        ("[1, 2", (), "no JSON"),
        ('{"x": 1}', (), "'x' is no token"),
        ("[1, 2, 3]", (), "shape (3,)"),
        ("[NaN, 1]", (), "is nan"),
        ("5", (), "shape ()"),
        ("[[[1]]]", (), "shape (1, 1, 1)"),
        ("[1, null]", (), "None"),
        ('[1, {"a": 2}]', (), "{'a': 2}"),
        ("[1, 2]", ("--of", "tokens"), "Did you mean token"),
        ("[1, 2]", ("--within", "-1"), "-1"),
        ("[1, 2]", ("--distribution",), "--within"),
        ("[1, 2]", ("--from", "9"), "9"),
        (
            "[0.1, 0.7, 0.35, 0.2, 0.55, 0.9, 1.3, 3.14]",
            ("--within", "3", "--distribution"),
            "multiples of no number",
        ),
    ],
)
def test_bad_values(
    fsm_gpt, made: Path, written: str, options: tuple[str, ...], words: str
) -> None:
    Path("values.json").write_text(written)
    chain = str(made / "chain")
    assert words in fsm_gpt("ask", "reward", chain, "--values", "values.json", *options).error


def test_two_classes_need_a_start(fsm_gpt, made: Path) -> None:
    two = str(made / "two-classes")
    assert "2 closed classes" in fsm_gpt("ask", "reward", two, "--values", "surprisal").error
    assert "no such file" in fsm_gpt("ask", "reward", two, "--values", "none.json").error
