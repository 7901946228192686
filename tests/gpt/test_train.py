"""Training against the article's losses, the laws of the loss, and every bad input."""

import json
import sys
from typing import Any

import numpy as np
import pytest
import torch

from fsm_gpt.errors import Interrupted, InvalidArgument, InvalidText, NotConverged
from fsm_gpt.gpt import train as train_function
from fsm_gpt.gpt.train import TrainingRun, train
from fsm_gpt.space import ContextSpace, Vocabulary

TEXT = "111101111011110"
SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 8}


@pytest.fixture(scope="module")
def run() -> TrainingRun:
    """The article's experiment."""
    return train(TEXT, context=3, steps=50, seed=1337, learning_rate=1e-3, weight_decay=0.1)


def rows(model: Any) -> dict[str, list[float]]:
    """Next-token probabilities of every window."""
    space = ContextSpace(model.vocabulary, model.context)
    with torch.no_grad():
        logits = model(torch.from_numpy(space.contexts()))[:, -1]
    return {space.label(s): row for s, row in enumerate(logits.double().softmax(dim=-1).tolist())}


def test_losses_are_those_of_the_article(run: TrainingRun, article: dict[str, Any]) -> None:
    within = {"rel": 0, "abs": article["tolerances"]["losses"]}
    assert run.losses == pytest.approx(article["losses_f32"], **within)
    assert run.final_loss == pytest.approx(article["loss_after_50_updates"], **within)
    printed = article["printed_2023"]["losses"]
    assert {step: run.losses[int(step)] for step in printed} == pytest.approx(printed, **within)


@pytest.mark.parametrize("step", [0, 50])
def test_rows_are_those_of_the_article(
    run: TrainingRun, article: dict[str, Any], step: int
) -> None:
    found = rows(run.model if step else run.untrained)
    expected = article[f"step{step}"]["probs"]
    tolerance = article["tolerances"][f"step{step}_probs"]
    assert found.keys() == expected.keys()
    for context, row in expected.items():
        assert found[context] == pytest.approx(row, rel=0, abs=tolerance)


def test_a_run_says_what_it_was(run: TrainingRun) -> None:
    assert run.n_windows == 12
    assert run.text == TEXT
    assert run.model.n_parameters == 12656
    assert "50 steps on 12 windows" in str(run)
    told = json.loads(json.dumps(run.to_dict()))
    assert told["losses"] == list(run.losses)
    assert told["config"]["context"] == 3
    assert not {"model", "untrained"} & told.keys()
    assert "seed 1337" in run.model.provenance["weights"]
    assert "random" in run.untrained.provenance["weights"]


def test_the_same_again() -> None:
    first, again = (train(TEXT, context=3, steps=3, **SMALL) for _ in range(2))
    assert first.losses == again.losses
    assert rows(first.model) == rows(again.model)
    assert train(TEXT, context=3, steps=3, seed=7, **SMALL).losses != first.losses


def test_training_leaves_the_random_generator_alone() -> None:
    before = torch.get_rng_state()
    train(TEXT, context=3, steps=2, **SMALL)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_steps_leave_the_model_untrained() -> None:
    run = train(TEXT, context=3, steps=0)
    assert run.losses == ()
    assert rows(run.model) == rows(run.untrained)
    assert "0 steps" in str(run)


@pytest.mark.parametrize("loss_on", ["last", "all"])
def test_the_first_loss_is_the_mean_cross_entropy(loss_on: Any) -> None:
    run = train(TEXT, context=3, steps=1, loss_on=loss_on, **SMALL)
    ids = [int(c) for c in TEXT]
    surprises = []
    for first in range(len(ids) - 3):
        for seen in [3] if loss_on == "last" else [1, 2, 3]:
            context = torch.tensor([ids[first : first + seen]])
            logits = run.untrained(context)[0, -1].detach().double().numpy()
            p = np.exp(logits) / np.exp(logits).sum()
            surprises.append(-np.log(p[ids[first + seen]]))
    assert run.losses[0] == pytest.approx(np.mean(surprises), rel=1e-6)


def test_a_step_may_be_shown_some_windows() -> None:
    """The first loss is over windows of the text, drawn anew each step; the last over all."""
    ids = torch.tensor([int(c) for c in TEXT])
    windows = ids.unfold(0, 4, 1)

    def surprise(model: Any) -> Any:
        with torch.no_grad():
            logits = model(windows[:, :-1])[:, -1].double()
        return -logits.log_softmax(-1)[torch.arange(len(windows)), windows[:, -1]]

    one = train(TEXT, context=3, steps=1, batch=1, **SMALL)
    assert float((surprise(one.untrained) - one.losses[0]).abs().min()) < 1e-6
    assert float((surprise(one.untrained).mean() - one.losses[0]).abs()) > 1e-6
    some = train(TEXT, context=3, steps=6, batch=2, **SMALL)
    assert some.final_loss == pytest.approx(float(surprise(some.model).mean()), rel=1e-6)
    assert "2 of 12 windows in each step" in some.model.provenance["training"]
    again = train(TEXT, context=3, steps=6, batch=2, **SMALL)
    assert again.losses == some.losses
    assert rows(again.model) == rows(some.model)
    # So many windows that each is sure to be among them nearly as often as the others.
    many = train(TEXT, context=3, steps=1, batch=20_000, **SMALL)
    spread = float(surprise(many.untrained).std())
    assert many.losses[0] == pytest.approx(
        float(surprise(many.untrained).mean()), abs=6 * spread / 20_000**0.5
    )


def test_windows_in_pieces_give_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(TEXT, context=3, steps=4, **SMALL)
    monkeypatch.setattr(sys.modules["fsm_gpt.gpt.train"], "PIECE", 5)
    pieces = train(TEXT, context=3, steps=4, **SMALL)
    assert pieces.losses != whole.losses  # the pieces were used: sums are rounded otherwise
    assert pieces.losses == pytest.approx(whole.losses, rel=1e-5)


def test_weights_decay() -> None:
    # One AdamW step moves each weight by at most the learning rate, after shrinking it
    # by 1 - rate * decay (Loshchilov & Hutter 2019, algorithm 2).
    run = train(TEXT, context=3, steps=1, learning_rate=1e-2, weight_decay=50.0, **SMALL)
    for old, new in zip(run.untrained.parameters(), run.model.parameters(), strict=True):
        assert ((new - 0.5 * old).abs() <= 1e-2 * (1 + 1e-4)).all()


def test_words_and_a_given_vocabulary() -> None:
    words = train(["to", "be", "to", "be"], context=2, steps=1, **SMALL)
    assert list(words.model.vocabulary) == ["be", "to"]
    assert words.text == "to be to be"
    wider = train(TEXT, context=3, steps=1, vocabulary="012", **SMALL)
    assert wider.model.vocabulary == Vocabulary.of("012")
    assert wider.config.vocab_size == 3


def test_progress_is_told_each_step() -> None:
    told: list[tuple[int, float]] = []
    run = train(TEXT, context=3, steps=3, progress=lambda i, x: told.append((i, x)), **SMALL)
    assert told == list(enumerate(run.losses))


def test_interrupting_says_so() -> None:
    def stop(step: int, loss: float) -> None:
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="after 2 of 5 steps") as caught:
        train(TEXT, context=3, steps=5, progress=stop, **SMALL)
    assert caught.value.exit_code == 130


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        ("", {}, InvalidText, "the text is empty"),
        ([], {}, InvalidText, "the text is empty"),
        ("1", {"vocabulary": "01"}, InvalidText, "has 1 token, and a context of 3"),
        ("101", {}, InvalidText, "has 3 tokens, and a context of 3 needs at least 4"),
        ("1111", {}, InvalidArgument, "the vocabulary has one token, '1'"),
        ("1", {}, InvalidArgument, "the vocabulary has one token, '1'"),
        ("1012", {"vocabulary": "01"}, InvalidText, "'2' at position 3"),
        (TEXT, {"context": 0}, InvalidArgument, "context is 0"),
        (TEXT, {"context": 15}, InvalidText, "needs at least 16"),
        (TEXT, {"steps": -1}, InvalidArgument, "steps is -1"),
        (TEXT, {"steps": 1.5}, InvalidArgument, r"steps is 1\.5"),
        (TEXT, {"n_embd": 18}, InvalidArgument, "multiple of n_head"),
        (TEXT, {"learning_rate": 0.0}, InvalidArgument, "learning rate is 0"),
        (TEXT, {"learning_rate": float("nan")}, InvalidArgument, "learning rate is nan"),
        (TEXT, {"weight_decay": -0.1}, InvalidArgument, "weight decay is -0.1"),
        (TEXT, {"loss_on": "first"}, InvalidArgument, "'first'"),
        (TEXT, {"seed": -1}, InvalidArgument, "seed -1"),
        (TEXT, {"batch": 0}, InvalidArgument, "batch is 0"),
        (TEXT, {"batch": 2.0}, InvalidArgument, r"batch is 2\.0"),
        (TEXT, {"learning_rate": 1e30, "steps": 5}, NotConverged, "have diverged"),
    ],
)
def test_bad_input_is_explained(
    text: Any, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        train(text, **{"context": 3, "steps": 2, **options})
    assert "\n" not in str(caught.value)


def test_the_package_gives_the_function() -> None:
    assert train_function is train
