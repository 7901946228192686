"""The study of a model too large to enumerate, against answers found another way."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.commands import main
from analysis.reachable import CONTEXT, PROMPTS, own_model, run, sentences
from analysis.study import Study
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument


def greedy_windows(model, prompt: str) -> list[tuple[int, ...]]:
    """Every window on the way of greedy decoding, until one comes again; one at a time."""
    ids = [model.vocabulary.ids[word] for word in prompt.split()]
    seen: list[tuple[int, ...]] = []
    while tuple(ids[-CONTEXT:]) not in seen:
        seen.append(tuple(ids[-CONTEXT:]))
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids[-CONTEXT:]]))[0, -1].argmax()))
    return [*seen, tuple(ids[-CONTEXT:])]


def test_the_weights_are_those_of_the_sentences() -> None:
    model = own_model()
    assert set(model.vocabulary) == set(sentences())
    assert model.context == CONTEXT
    ids = torch.tensor([model.vocabulary.ids[word] for word in sentences()])
    windows = ids.unfold(0, CONTEXT + 1, 1)
    with torch.no_grad():
        logits = model(windows[:, :-1])[:, -1]
    loss = torch.nn.functional.cross_entropy(logits, windows[:, -1])
    assert float(loss) < np.log(len(model.vocabulary)) / 2


def test_the_greedy_machine_and_its_loops(quick: dict[str, Study]) -> None:
    model, study = own_model(), quick["reachable"]
    walks = [greedy_windows(model, prompt) for prompt in PROMPTS]
    assert study.tables["machines"].cell("greedy", "states") == len(set().union(*walks))
    loops = {}
    for walk in walks:
        first = walk.index(walk[-1])
        loop = frozenset(walk[first:])
        loops[loop] = loops.get(loop, 0) + 1
    table = study.tables["loops"]
    shares = sorted(count / len(PROMPTS) for count in loops.values())
    assert sorted(table.column("share of the prompts")) == pytest.approx(shares)
    assert sorted(table.column("tokens")) == sorted(len(loop) for loop in loops)


def test_the_cut_of_one_word_is_a_bigram(quick: dict[str, Study]) -> None:
    """H = sum pi H(row), pi by a power of the matrix, rows asked one at a time."""
    model = own_model()
    with torch.no_grad():
        rows = model(torch.arange(len(model.vocabulary))[:, None])[:, -1].double().softmax(-1)
    P = rows.numpy()
    pi = np.linalg.matrix_power(P, 4096)[0]
    rate = float(-(pi @ (P * np.log2(P)).sum(axis=1)))
    table = quick["reachable"].tables["entropy"]
    assert table.cell("cut to its last 1, exactly", "bits per token") == pytest.approx(
        rate, rel=1e-6
    )


def test_a_model_that_others_trained(
    shared_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line: 32 words and a context of 8."""
    arguments = ["--model", str(shared_model("gpt_by_hand/nanogpt.pt")), "--quick"]
    arguments += ["--vocabulary", str(shared_model("gpt_by_hand/vocabulary.json"))]
    with pytest.raises(SystemExit) as left:
        main(
            "analysis.reachable",
            {"reachable": run},
            about="",
            args=[*arguments, "-o", str(tmp_path)],
        )
    assert left.value.code == 0
    assert "closed classes" in capsys.readouterr().out
    made = {path.name for path in (tmp_path / "reachable").iterdir()}
    assert {"machines.csv", "loops.csv", "entropy.csv", "sentences.csv", "manifest.json"} <= made
    with (tmp_path / "reachable" / "entropy.csv").open(newline="") as file:
        rates = {row["model"]: row for row in csv.DictReader(file)}
    # 2.6211: tests/test_extract.py finds it by squaring a matrix.
    cut = float(rates["cut to its last 2, exactly"]["bits per token"])
    assert cut == pytest.approx(2.6211, abs=5e-5)


def test_a_chain_has_nothing_left_to_find() -> None:
    with pytest.raises(InvalidArgument, match="all of whose states are known"):
        run(model=Chain([[0.5, 0.5], [0.25, 0.75]]))
