"""What is watched is a training of so many steps; its numbers are those of the single functions."""

import json
import math
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, TopK
from fsm_gpt.errors import (
    InvalidArgument,
    InvalidText,
    NotConverged,
    NotDefined,
    StateSpaceTooLarge,
)
from fsm_gpt.learning import MEASURES, Watched
from fsm_gpt.result import UNCERTIFIED

TEXT = "111101111011110"
SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 8}
STEPS = (0, 3, 40)


@pytest.fixture(scope="module")
def watched() -> Watched:
    return fg.watch(TEXT, context=3, steps=STEPS, seeds=(1337, 5), **SMALL)


@pytest.mark.parametrize("seed", [1337, 5])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_a_training_of_so_many_steps(watched: Watched, seed: int, step: int) -> None:
    run = fg.train(TEXT, context=3, steps=step, seed=seed, **SMALL)
    alone = fg.extract(run.model)
    assert (watched.chain(step, seed).next_token == alone.next_token).all()
    r, s = watched.place(step, seed)
    # The loss is that of the training but for float32.
    assert watched.number("loss")[r, s] == pytest.approx(run.final_loss, abs=1e-6)


@pytest.mark.parametrize("batch", [None, 4])
def test_other_options_reach_the_training(batch: int | None) -> None:
    options = {"learning_rate": 3e-3, "weight_decay": 0.0, "batch": batch, "loss_on": "all"}
    options |= {"bias": True, "norm_bias": False, "vocabulary": "01", **SMALL}
    found = fg.watch(TEXT, context=2, steps=(4,), seeds=(7,), **options)
    run = fg.train(TEXT, context=2, steps=4, seed=7, **options)
    assert (found.chain(4).next_token == fg.extract(run.model).next_token).all()


def test_the_first_step_is_the_untrained_model(watched: Watched) -> None:
    untrained = fg.train(TEXT, context=3, steps=1, seed=5, **SMALL).untrained
    assert (watched.chain(0, 5).next_token == fg.extract(untrained).next_token).all()


def test_looking_does_not_disturb_a_training() -> None:
    run = fg.train(TEXT, context=3, steps=6, **SMALL)
    seen: list[tuple[int, float]] = []
    again = fg.train(
        TEXT,
        context=3,
        steps=6,
        each_step=lambda step, model, loss: (
            seen.append((step, loss)),
            fg.extract(model),
        ),
        **SMALL,
    )
    assert again.losses == run.losses
    assert seen == [*enumerate(run.losses), (6, run.final_loss)]
    for one, other in zip(run.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("place", [(r, s) for r in range(2) for s in range(3)])
def test_the_numbers_are_those_of_the_single_functions(
    watched: Watched, place: tuple[int, int]
) -> None:
    r, s = place
    chain = watched.chain(STEPS[s], watched.runs[r])
    data = Chain.from_text(TEXT, context=3, end="drop")
    compared = fg.compare(data, chain)
    grams = fg.n_gram_distances(data, chain, orders=range(4)).reference_n_gram_to_model_bits
    greedy = fg.greedy_map(chain)
    induction = fg.induction_score(chain)
    expected = {
        "cross_entropy": compared.cross_entropy_bits_per_token,
        "kl_text": compared.kl_bits_per_token,
        "kl_unigram": grams[0],
        "kl_bigram": grams[1],
        "nearest_order": int(np.argmin(grams)),
        "entropy_rate": fg.entropy_rate(chain).bits_per_token,
        "excess_entropy": fg.memory_curve(chain).excess_bits,
        "greedy_cycles": len(greedy.cycles),
        "greedy_longest": max(greedy.cycle_lengths),
        "second_eigenvalue": abs(fg.spectrum(chain).eigenvalues[1]),
        "induction": induction.probability,
        "induction_gain": induction.gain,
    }
    for name, value in expected.items():
        assert watched.number(name)[r, s] == pytest.approx(value, rel=1e-12, abs=1e-13), name
    assert watched.to_order[r, s] == pytest.approx(grams, abs=1e-13)
    pi = fg.stationary_distribution(chain).pi
    assert (watched.stationary(STEPS[s], watched.runs[r]) == pi).all()


def test_the_loss_is_the_mean_over_the_windows(watched: Watched) -> None:
    """Twelve windows of three, and what follows each."""
    chain = watched.chain(40)
    losses = [
        -math.log(chain.next_token[chain.state(TEXT[i : i + 3]), int(TEXT[i + 3])])
        for i in range(12)
    ]
    assert watched.number("loss")[0, 2] == pytest.approx(math.fsum(losses) / 12, rel=1e-14)
    assert watched.errors["loss"] < 1e-12


def test_changes_are_between_watched_steps(watched: Watched) -> None:
    before, after = (watched.chain(step).next_token for step in (3, 40))
    moved = np.abs(after - before)
    changes = watched.changes[0][2]
    assert watched.number("largest_change")[0, 2] == pytest.approx(moved.max(), abs=1e-15)
    assert len(changes) == 5
    first = changes[0]
    s, t = watched.chain(3).state(first.context), int(first.token)
    assert (first.before, first.after) == (before[s, t], after[s, t])
    assert abs(first.after - first.before) == moved.max()
    assert math.isnan(watched.number("largest_change")[0, 0])
    assert watched.changes[0][0] == ()


def test_errors_are_said(watched: Watched) -> None:
    assert watched.errors["second_eigenvalue"] == UNCERTIFIED
    assert watched.errors["greedy_cycles"] == 0
    for name in ("entropy_rate", "kl_text", "excess_entropy", "induction_gain", "kl_bigram"):
        assert 0 < watched.errors[name] < 1e-12


def test_decoding_comes_before_everything_but_the_loss(watched: Watched) -> None:
    greedy = fg.watch(TEXT, context=3, steps=STEPS, decoding=Greedy(), **SMALL)
    assert (greedy.number("loss") == watched.number("loss")[:1]).all()
    assert (greedy.number("kl_text") == math.inf).all()
    assert greedy.band("kl_text").median.tolist() == [math.inf] * 3
    for s, step in enumerate(STEPS):
        chain = watched.chain(step).with_decoding(Greedy())
        assert (greedy.chain(step).next_token == chain.next_token).all()
        if len(fg.communicating_classes(chain).closed) > 1:
            assert math.isnan(greedy.number("entropy_rate")[0, s])
            assert "closed classes" in greedy.absent["entropy_rate"]
        else:
            assert greedy.number("entropy_rate")[0, s] == 0
    assert np.isnan(greedy.number("nearest_order")).all()
    assert greedy.moments().first_of_order == ((None,) * 4,)
    top = fg.watch(TEXT, context=3, steps=(0,), decoding=[TopK(2)], **SMALL)
    assert (top.chain(0).next_token == watched.chain(0).next_token).all()


def test_a_watching_is_told_whole(watched: Watched) -> None:
    told = json.loads(json.dumps(watched.to_dict()))
    assert told["steps"] == list(STEPS)
    assert told["units"] == {name: measure.unit for name, measure in MEASURES.items()}
    assert told["numbers"]["loss"] == watched.number("loss").tolist()
    assert told["moments"]["runs"] == [1337, 5]
    assert told["changes"][0][1][0]["token"] in "01"
    assert not {"chains", "data"} & told.keys()
    words = str(watched)
    assert "the median of 2 trainings" in words
    assert "first watched step at which the model is nearer to" in words


def test_progress_counts_all_trainings() -> None:
    said: list[tuple[int, int, str]] = []
    fg.watch(
        TEXT,
        context=2,
        steps=(0, 2),
        seeds=(1, 2),
        progress=lambda *args: said.append(args),
        **SMALL,
    )
    assert [done for done, _, _ in said] == [1, 2, 3, 4, 5, 6]
    assert {total for _, total, _ in said} == {6}
    assert said[-1][2].startswith("seed 2, loss ")


def test_chains_need_not_be_kept(watched: Watched) -> None:
    lean = fg.watch(TEXT, context=3, steps=STEPS, keep_chains=False, **SMALL)
    assert (lean.number("kl_text") == watched.number("kl_text")[:1]).all()
    with pytest.raises(NotDefined, match="keep_chains=True"):
        lean.chain(0)


def test_a_chain_that_is_put_away_keeps_no_answers(watched: Watched) -> None:
    assert watched.chains is not None
    found = fg.watch(TEXT, context=2, steps=(0,), **SMALL)
    assert "_answers" not in found.chain(0).__dict__


def test_a_text_may_be_tokens() -> None:
    words = ["so", "it", "goes", "so", "it", "went", "so", "it", "goes"]
    found = fg.watch(words, context=1, steps=(0, 1), end="wrap", **SMALL)
    assert found.vocabulary.tokens == ("goes", "it", "so", "went")
    assert found.text == " ".join(words)
    assert "two tokens or more" in found.absent["induction"]
    assert "with one token of context they are the same" in str(found.moments())


# ---- what is refused ----


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"steps": ()}, InvalidArgument, "no step"),
        ({"steps": (-1, 2)}, InvalidArgument, "step -1 is not a whole number"),
        ({"steps": (1.5,)}, InvalidArgument, "step 1.5 is not a whole number"),
        ({"steps": (True,)}, InvalidArgument, "step True"),
        ({"steps": (5, 2)}, InvalidArgument, "step 2 comes after step 5"),
        ({"steps": (5, 5)}, InvalidArgument, "step 5 comes after step 5"),
        ({"seeds": ()}, InvalidArgument, "the seeds are none"),
        ({"seeds": (3, 3)}, InvalidArgument, "the seeds are 3, 3"),
        ({"seeds": (-1,)}, InvalidArgument, "seed -1"),
        ({"context": 0}, InvalidArgument, "at least 1"),
        ({"context": 14}, InvalidText, "end='wrap'"),
        ({"learning_rate": -1.0}, InvalidArgument, "learning rate"),
        ({"decoding": ["greedy"]}, InvalidArgument, "no rule"),
        ({"context": 30}, StateSpaceTooLarge, "Shorten the context"),
        ({"max_memory_gib": 1e-5, "steps": range(100)}, StateSpaceTooLarge, "keep_chains=False"),
    ],
)
def test_what_cannot_be_watched(options: dict, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        fg.watch(TEXT, **{"context": 3, "steps": (0,), **SMALL, **options})


def test_nothing_is_trained_before_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["fsm_gpt.gpt.train"], "train", None)
    with pytest.raises(StateSpaceTooLarge):
        fg.watch(TEXT, context=40, steps=(0,))
    with pytest.raises(StateSpaceTooLarge, match="1,020 chains"):
        fg.watch(TEXT, context=9, steps=range(51), seeds=range(20), max_memory_gib=0.004)


@pytest.mark.parametrize("steps", [(0, 1, 5), (5,), range(6)])
def test_a_training_that_diverges_says_when(steps) -> None:
    with pytest.raises(NotConverged, match=r"seed 1337: train: the loss is nan at step 1,.*try a"):
        fg.watch(TEXT, context=3, steps=steps, learning_rate=1e6)


def test_weights_that_are_infinite_say_when() -> None:
    def diverging() -> Iterator[tuple[int, object]]:
        for step in range(4):
            with np.errstate(invalid="ignore", over="ignore"):
                after = np.array([[0.0, 1.0], [1.0, 0.0]]) * np.exp(step * 400.0)
            yield step, lambda ids, after=after: after[ids[:, -1]]

    with pytest.raises(NotConverged, match="after 2 steps the model has no chain"):
        fg.watch_models(diverging(), vocabulary="01", context=1)


def test_what_was_not_watched(watched: Watched) -> None:
    with pytest.raises(InvalidArgument, match=r"step 41 was not watched. These were: 0, 3, 40"):
        watched.chain(41)
    with pytest.raises(InvalidArgument, match="no training 9"):
        watched.chain(3, 9)
    with pytest.raises(InvalidArgument, match="Did you mean 'entropy_rate'"):
        watched.band("entropy")


# ---- models of other people's loops ----


def test_a_loop_of_one_s_own_is_watched_as_it_goes() -> None:
    """The same training written out in PyTorch, as a stranger would."""
    untrained = fg.train(TEXT, context=3, steps=0, **SMALL).model
    ids = torch.tensor([int(t) for t in TEXT])
    X, y = ids[:-1].unfold(0, 3, 1), ids[3:]

    def loop() -> Iterator[tuple[int, torch.nn.Module]]:
        optimizer = torch.optim.AdamW(untrained.parameters(), lr=1e-3, weight_decay=0.1)
        for step in range(6):
            yield step, untrained
            optimizer.zero_grad()
            F.cross_entropy(untrained(X)[:, -1], y).backward()
            optimizer.step()

    found = fg.watch_models(loop(), TEXT)
    ours = fg.watch(TEXT, context=3, steps=range(6), **SMALL)
    assert found.runs == ("run",)
    for name in MEASURES:
        assert found.number(name) == pytest.approx(ours.number(name), abs=1e-5, nan_ok=True), name


def test_checkpoints_are_watched(tmp_path) -> None:
    for step in (0, 2, 10):
        run = fg.train(TEXT, context=2, steps=step, **SMALL)
        fg.save_model(run.model, tmp_path / f"step-{step}.safetensors")
    files = {int(path.stem.split("-")[1]): path for path in tmp_path.iterdir()}
    found = fg.watch_models(((step, fg.load_model(files[step])) for step in sorted(files)), TEXT)
    ours = fg.watch(TEXT, context=2, steps=(0, 2, 10), **SMALL)
    assert (found.number("entropy_rate") == ours.number("entropy_rate")).all()


def test_chains_and_several_series() -> None:
    def series(p: float) -> list[tuple[int, Chain]]:
        return [(0, Chain([[0.5, 0.5]] * 2)), (7, Chain([[0.5, 0.5], [p, 1 - p]]))]

    found = fg.watch_models({"soft": series(0.4), "sharp": series(0.1)})
    assert (found.steps, found.runs) == ((0, 7), ("soft", "sharp"))
    assert found.number("second_eigenvalue") == pytest.approx(np.array([[0, 0.1], [0, 0.4]]))
    assert found.chain(7, "sharp").next_token[1, 0] == 0.1
    assert found.absent["loss"] == "no text was given"
    assert np.isnan(found.number("kl_text")).all()
    with pytest.raises(NotDefined, match="no text was given"):
        found.moments()
    assert "nearer" not in str(found)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([], "the series of models is empty"),
        ({}, "no series"),
        ([(0, Chain([[0.5, 0.5]] * 2)), (0, Chain([[0.5, 0.5]] * 2))], "step 0 comes after step 0"),
        ([(-1, Chain([[0.5, 0.5]] * 2))], "step -1"),
        (
            [(0, Chain([[0.5, 0.5]] * 2)), (1, Chain([[0.5, 0.5]] * 4))],
            "one vocabulary and context",
        ),
        ([(0, Chain.from_text("0110", context=2, end="wrap"))], "all contexts of one length"),
        (
            {"a": [(0, Chain([[0.5, 0.5]] * 2))], "b": [(1, Chain([[0.5, 0.5]] * 2))]},
            "different numbers of steps, 0 and 1",
        ),
        ({"a": [(0, Chain([[0.5, 0.5]] * 2))], "b": []}, "different numbers of steps"),
    ],
)
def test_series_that_do_not_fit(models, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        fg.watch_models(models)
