"""What each verb makes and says: the article's numbers, the files, the JSON."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.cli.console import SCHEMA
from fsm_gpt.io import load, save
from fsm_gpt.report.facts import SCHEMA_VERSION
from tests.cli.conftest import TEXT, command, on_a_terminal


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The demo, run once as a user runs it: its folder, what it said, its processor time."""
    folder = tmp_path_factory.mktemp("demo")
    began = os.times()
    done = subprocess.run(
        command("demo"), cwd=folder, capture_output=True, text=True, check=True, timeout=300
    )
    ended = os.times()
    seconds = ended.children_user - began.children_user
    return folder, done, seconds + ended.children_system - began.children_system


def test_the_demo_prints_the_article_and_writes_its_report(demo: Any, article: Any) -> None:
    folder, done, _ = demo
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert done.stdout.splitlines()[-1] == (
        f"report: {folder / 'report.html'} (open it in a browser)"
    )
    rate = article["step50"]["entropy_rate_bits"]
    assert f"{rate:.4g}" in done.stdout
    for state in article["state_order"]:
        assert re.search(rf"^ *{state} ", done.stdout, flags=re.MULTILINE), state
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr.startswith("training ...\n")


def test_the_report_is_one_file_that_asks_for_nothing(demo: Any) -> None:
    page = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Content-Security-Policy" in page
    assert not re.search(r"""(?:src|href)=["']?https?:|url\(\s*["']?https?:|@import""", page)
    assert "fsm-gpt demo" in page
    assert "<script src" not in page


def test_the_demo_as_json_has_the_article_s_numbers(fsm_gpt, article: Any) -> None:
    said = fsm_gpt("demo", "--json", "--output", "r.html")
    document = json.loads(said.out)
    assert document["schema"] == 1
    assert document["report"] == "r.html"
    tolerances = article["tolerances"]
    assert document["losses"] == pytest.approx(article["losses_f32"], abs=tolerances["losses"])
    for state, row in zip(
        document["chain"]["states"], document["chain"]["next_token"], strict=True
    ):
        assert row == pytest.approx(
            article["step50"]["probs"][state], abs=tolerances["step50_probs"]
        )
    ((states, pi),) = document["stationary"]["classes"]
    expected = [article["step50"]["stationary"][document["chain"]["states"][s]] for s in states]
    assert pi == pytest.approx(expected, abs=1e-5)
    assert document["entropy_rate"]["bits_per_token"] == pytest.approx(
        article["step50"]["entropy_rate_bits"], abs=1e-5
    )
    # errata.md, "Further facts": the KL rate from the source and the source's own entropy.
    assert document["comparison"]["kl_bits_per_token"] == pytest.approx(0.207166, abs=1e-5)
    assert document["comparison"]["reference_bits_per_token"] == pytest.approx(0.4, abs=1e-15)
    assert document["coverage"]["unseen"] == ["000", "001", "010", "100"]
    assert document["provenance"]["command"].startswith("fsm-gpt")


def test_a_warm_demo_takes_less_than_fifteen_seconds(demo: Any) -> None:
    """Its processor time, which depends less on what else the machine does."""
    assert 1 < demo[2] < 15


def test_train_then_extract_then_plot(fsm_gpt, folder: Path) -> None:
    (folder / "input.txt").write_text(TEXT + "\n")
    said = fsm_gpt("train", "input.txt", "--steps", "2", "--seed", "7", "--output", "m")
    assert said.code == 0
    assert "15 characters from input.txt" in said.err
    assert "12,656 parameters, seed 7" in said.out
    assert said.out.endswith("checkpoint: m\n")
    said = fsm_gpt("extract", "m", "--short-contexts", "--output", "c")
    assert "14 states" in said.out
    assert said.out.endswith("chain: c\n")
    assert load("c").n_states == 14
    assert fsm_gpt("extract", "m", "--truncate-to", "2", "-o", "c").code == 0
    chain = load("c")
    assert chain.n_states == 4
    assert "note: the model sees 3 tokens and was given the last 2 only" in (
        fsm_gpt("extract", "m", "--truncate-to", "2", "-o", "c").out
    )
    assert fsm_gpt("plot", "c", "-o", "c.svg").out == "picture: c.svg\n"


def test_steps_zero_is_the_untrained_model(fsm_gpt, article: Any) -> None:
    assert fsm_gpt("train", TEXT, "--steps", "0", "-o", "m").code == 0
    assert fsm_gpt("extract", "m", "-o", "c").code == 0
    for state, row in zip(load("c").labels(), load("c").next_token.tolist(), strict=True):
        assert row == pytest.approx(article["step0"]["probs"][state], abs=2e-7)


def test_training_again_makes_the_same_chain(fsm_gpt) -> None:
    rows = []
    for model in "ab":
        assert fsm_gpt("train", TEXT, "--steps", "3", "-o", model).code == 0
        assert fsm_gpt("extract", model, "-o", "c").code == 0
        rows.append(load("c").next_token.tobytes())
    assert rows[0] == rows[1]


def test_the_last_position_or_all(fsm_gpt) -> None:
    losses = {}
    for where in ("last", "all"):
        said = fsm_gpt("train", TEXT, "--steps", "1", "--loss-on", where, "--json", "-o", "m")
        losses[where] = json.loads(said.out)["training"]["losses"]
    assert losses["last"] != losses["all"]


@pytest.mark.parametrize("kind", ["graph", "table", "spectrum", "memory"])
@pytest.mark.parametrize("ending", ["png", "svg", "PNG"])
def test_every_picture(fsm_gpt, made: Path, kind: str, ending: str) -> None:
    said = fsm_gpt("plot", str(made / "chain"), "--kind", kind, "-o", f"x.{ending}")
    assert said.code == 0, said.err
    starts = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}
    assert Path(f"x.{ending}").read_bytes().startswith(starts[ending.lower()])


def test_a_dark_picture_is_another(fsm_gpt, made: Path) -> None:
    for name, option in (("light", []), ("dark", ["--dark"])):
        assert fsm_gpt("plot", str(made / "chain"), "-o", f"{name}.svg", *option).code == 0
    assert Path("light.svg").read_bytes() != Path("dark.svg").read_bytes()


def test_analyze_in_words(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("analyze", str(made / "rational"))
    assert said.code == 0
    assert said.err == ""
    assert "0.4" in said.out
    assert "2/5" in said.out


def test_analyze_exactly(fsm_gpt, made: Path, article: Any) -> None:
    exact = json.loads(fsm_gpt("analyze", str(made / "rational"), "--exact", "--json").out)
    ((_, pi),) = exact["stationary"]["classes"]
    assert pi == article["empirical"]["stationary"]
    floats = json.loads(fsm_gpt("analyze", str(made / "chain"), "--json").out)
    exact = json.loads(fsm_gpt("analyze", str(made / "chain"), "--exact", "--json").out)
    assert all("/" in p for p in exact["stationary"]["classes"][0][1])
    assert all(isinstance(p, float) for p in floats["stationary"]["classes"][0][1])


def test_analyze_compares_with_a_text(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("analyze", str(made / "model"), "--text", TEXT, "--json")
    assert json.loads(said.out)["comparison"]["reference_bits_per_token"] == pytest.approx(0.4)
    said = fsm_gpt("analyze", str(made / "model"), "--json")
    assert json.loads(said.out)["comparison"] is None


def test_a_chain_without_contexts_cannot_be_compared_with_a_text(fsm_gpt, folder: Path) -> None:
    save(Chain.from_edges([0, 1], [0, 0], [1, 0], [1.0, 1.0]), folder / "x")
    said = fsm_gpt("analyze", "x", "--text", "00")
    assert said.code == 1
    assert "the states of this chain are not contexts" in said.error


def test_a_chain_with_two_closed_classes_is_analysed(fsm_gpt, made: Path) -> None:
    document = json.loads(fsm_gpt("analyze", str(made / "two-classes"), "--json").out)
    assert document["classes"]["closed"] == [[0], [1]]
    assert "absent" in document["mixing_time"]


def test_report_of_a_chain_and_of_a_checkpoint(fsm_gpt, made: Path) -> None:
    said = fsm_gpt("report", str(made / "model"), "--text", TEXT, "--title", "A <b> title")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == f"report: {Path.cwd()}/report.html (open it in a browser)"
    page = Path("report.html").read_text(encoding="utf-8")
    assert "A &lt;b&gt; title" in page
    assert 'id="data"' in page
    said = fsm_gpt("report", str(made / "two-classes"), "-o", "two.html")
    assert said.code == 0, said.err
    assert 'id="data"' not in Path("two.html").read_text(encoding="utf-8")


def test_a_nanogpt_checkpoint_s_report(fsm_gpt, shared_model) -> None:
    model = shared_model("gpt_by_hand/nanogpt.pt")
    tokens = shared_model("gpt_by_hand/vocabulary.json")
    given = [str(model), "--vocabulary", str(tokens), "--truncate-to", "1"]
    said = fsm_gpt("report", *given, "--text", "to be or not to be", "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["chain"]["n_states"] == document["chain"]["n_tokens"] == 32
    assert "sees" in document["notes"][0]
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "verb", ["train", "extract", "analyze", "report", "plot", "simulate", "export"]
)
def test_json_is_one_document_and_nothing_else(fsm_gpt, made: Path, verb: str) -> None:
    given = [TEXT, "--steps", "1"] if verb == "train" else [str(made / "model")]
    given += ["--output", "x.csv"] if verb == "export" else []
    said = fsm_gpt(verb, *given, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["schema"] == SCHEMA == SCHEMA_VERSION == 1
    assert next(iter(document)) == "schema"
    assert "schema_version" not in document
    assert "NaN" not in said.out
    assert "Infinity" not in said.out


ESCAPES = re.compile(r"\x1b\[(\d+(?:;\d+)*)?m")


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_colours_on_a_terminal_unless_they_are_not_wanted(folder: Path, made: Path) -> None:
    args = ["analyze", str(made / "chain")]
    assert ESCAPES.search(on_a_terminal(args))
    colours = [codes for codes in ESCAPES.findall(on_a_terminal(args, NO_COLOR="1")) if codes]
    assert not [
        code for code in ";".join(colours).split(";") if code[:1] in "349" and len(code) > 1
    ]
    assert "\x1b[31" in on_a_terminal(["analyze", "none"])
    assert "\x1b" not in on_a_terminal(["analyze", "none"], NO_COLOR="1")


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_a_bar_on_a_terminal(folder: Path) -> None:
    shown = on_a_terminal(["train", TEXT, "--steps", "3", "-o", "m"])
    assert "training" in shown
    assert "3/3" in shown
    assert "loss" in shown
