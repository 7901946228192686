"""``fsm-gpt watch``: numbers in words and JSON, the movie, the figure, and what is refused."""

import json
from pathlib import Path

import click
import pytest
from PIL import Image

import fsm_gpt as fg
from fsm_gpt.cli.watch import read_steps

SMALL = ("--layers", "1", "--heads", "2", "--width", "8")


def test_json_has_every_number(fsm_gpt, folder: Path) -> None:
    said = fsm_gpt("watch", "0110110", "--context", "2", "--steps", "0,2-6:2", *SMALL, "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)["watched"]
    ours = fg.watch("0110110", context=2, steps=(0, 2, 4, 6), n_layer=1, n_head=2, n_embd=8)
    assert told["steps"] == [0, 2, 4, 6]
    assert told["runs"] == [1337]
    for name in ("loss", "kl_text", "entropy_rate", "induction"):
        assert told["numbers"][name] == ours.number(name).tolist()
    assert told["moments"]["bigram_step"] == list(ours.moments().bigram_step)
    assert list(folder.iterdir()) == []


def test_words(fsm_gpt) -> None:
    said = fsm_gpt("watch", "--steps", "0,1", "--seeds", "2", *SMALL)
    assert said.code == 0, said.err
    assert "medians of 2 trainings" in said.out
    assert "first watched step at which the model is nearer to" in said.out
    ours = fg.watch(
        "111101111011110",
        context=3,
        steps=(0, 1),
        seeds=(1337, 1338),
        n_layer=1,
        n_head=2,
        n_embd=8,
    )
    row = next(line for line in said.out.splitlines() if line.strip().startswith("1 "))
    assert row.split()[1] == f"{ours.band('loss').median[1]:.4g}"
    decoded = fsm_gpt("watch", "--steps", "0", "--greedy", *SMALL)
    assert "infinite" in decoded.out


def test_the_movie_and_the_figure(fsm_gpt, folder: Path) -> None:
    for name in ("learning.gif", "learning.html"):
        said = fsm_gpt(
            *("watch", "0110110", "--context", "1", "--steps", "0-3", *SMALL),
            *("--movie", name, "--figure", "numbers.svg"),
        )
        assert said.code == 0, said.err
        assert f"movie: {name}" in said.out
    with Image.open("learning.gif") as gif:
        assert gif.n_frames == 4
    assert Path("learning.html").read_text(encoding="utf-8").count('data-step="') == 4
    assert Path("numbers.svg").read_bytes().startswith(b"<?xml")


def test_steps_as_they_are_typed() -> None:
    ctx = click.Context(click.Command("watch"))
    assert read_steps(ctx, "0, 3-5,10-30:10") == (0, 3, 4, 5, 10, 20, 30)
    for wrong in ("", "a", "-1", "5-3", "0-9:0", "1,,2", "0-", "200000"):
        with pytest.raises(click.UsageError, match="--steps"):
            read_steps(ctx, wrong)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--steps", "5,2"], 1, "step 2 comes after step 5"),
        (["--steps", "x"], 2, "neither a step"),
        (
            ["--steps", "0,5", "--learning-rate", "1e6"],
            6,
            "seed 1337: train: the loss is nan at step 1",
        ),
        (["--context", "40"], 5, "Shorten the context"),
        (["--max-memory", "1e-7", "--steps", "0"], 5, "--max-memory"),
        (["--context", "6", "--movie", "m.gif"], 5, "--figure"),
        (["--movie", "m.png"], 2, "'m.png' ends in none of .gif"),
        (["--figure", "m.gif"], 2, "'m.gif' ends in none of .png"),
        (["--movie", "none/m.gif"], 4, "its folder does not exist"),
        (["--seeds", "0"], 2, "--seeds"),
        (["01", "--context", "1"], 1, "--wrap"),
        ([""], 1, "the text is empty"),
    ],
)
def test_what_is_refused(fsm_gpt, folder: Path, args: list[str], code: int, words: str) -> None:
    said = fsm_gpt("watch", *args)
    assert words in said.error
    assert (said.code, said.out) == (code, "")
    assert list(folder.iterdir()) == []
