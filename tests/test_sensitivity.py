"""From rows to weights: each derivative against differences of the whole computation."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

import fsm_gpt as fg
from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, Temperature, TopK
from fsm_gpt.errors import InvalidArgument, NotDefined, NotUnique, StateSpaceTooLarge
from fsm_gpt.extract import extract
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.train import _every_window, _penalize, train
from fsm_gpt.markov.entropy import entropy_rate
from fsm_gpt.markov.functional import (
    Functional,
    HittingTime,
    KLRate,
    StationaryProbability,
    TokenEntropy,
)
from fsm_gpt.sensitivity import ModelSensitivity, Penalty, sensitivity

TEXT = "111101111011110"
ASKED: list[Functional] = [
    TokenEntropy(),
    StationaryProbability("111"),
    HittingTime("000", "110"),
    KLRate(Chain.from_text(TEXT, context=3)),
]


@pytest.fixture(scope="module")
def model() -> GPT:
    """The article's GPT, in float64."""
    return train(TEXT, context=3).model.double()


def lively(config: GPTConfig, seed: int = 0) -> GPT:
    """A GPT with weights large enough that everything matters."""
    made = GPT(config, seed=seed).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=torch.manual_seed(seed))
    return made


def held(
    model: Any, functional: Functional, found: ModelSensitivity, n: int = 8, **options: Any
) -> None:
    """Some derivatives, the largest among them, against differences of fourth order."""
    own = dict(model.named_parameters())
    flat = np.concatenate([g.ravel() for g in found.weights.values()])
    names = [(name, i) for name, g in found.weights.items() for i in range(g.size)]
    rng = np.random.default_rng(1)
    chosen = {int(np.abs(flat).argmax()), *rng.integers(len(flat), size=n).tolist()}
    for place in chosen:
        name, i = names[place]
        weight = own[name].data.view(-1)
        old, step, values = weight[i].item(), 2e-3, []
        for k in (-2, -1, 1, 2):
            weight[i] = old + k * step
            values.append(functional.derivative(extract(model, **options)).value)
        weight[i] = old
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        assert flat[place] == pytest.approx(slope, rel=1e-6, abs=1e-8 * np.abs(flat).max())


@pytest.mark.parametrize("functional", ASKED, ids=str)
def test_every_functional(model: GPT, functional: Functional) -> None:
    found = sensitivity(model, functional)
    assert sum(g.size for g in found.weights.values()) == 12_656
    held(model, functional, found)


def test_shorter_contexts_and_temperature() -> None:
    made = lively(GPTConfig(vocab_size=3, context=2, n_layer=1, n_head=2, n_embd=4))
    for options in (
        {"short_contexts": True},
        {"decoding": Temperature(2.0)},
        {"decoding": [Temperature(0.5), TopK(2)]},
        {"truncate_to": 1},
    ):
        functional = HittingTime("a", "b") if options == {"truncate_to": 1} else TokenEntropy()
        made.vocabulary = fg.Vocabulary.of("abc")
        found = sensitivity(made, functional, **options)  # type: ignore[call-overload]
        held(made, functional, found, **options)


def test_greedy_rows_do_not_change(model: GPT) -> None:
    found = sensitivity(model, TokenEntropy(), decoding=Greedy())
    assert not any(g.any() for g in found.weights.values())


@pytest.mark.parametrize("tied", [True, False])
def test_parts_are_every_weight_once(tied: bool) -> None:
    config = GPTConfig(
        vocab_size=2, context=2, n_layer=2, n_head=2, n_embd=4, bias=True, tied_head=tied
    )
    made = lively(config)
    counted = {name: np.zeros(tuple(w.shape)) for name, w in made.named_parameters()}
    for entries in made.parts().values():
        for name, where in entries:
            counted[name][where] += 1
    assert all((count == 1).all() for count in counted.values())
    found = sensitivity(made, TokenEntropy())
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    assert sum(part.n_weights for part in found.parts) == made.n_parameters
    assert "block 2, head 2" in {part.name for part in found.parts}


def test_other_models_have_their_modules_as_parts() -> None:
    from fsm_gpt.gpt.llama import Llama
    from fsm_gpt.headers.llama2c import Llama2cHeader

    sizes = Llama2cHeader(
        version=1, width=8, hidden=12, layers=1, heads=2, kv_heads=2, vocab_size=2, context=3
    )
    made = Llama(sizes, vocabulary=fg.Vocabulary.of("01")).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=torch.manual_seed(3))
    found = sensitivity(made, TokenEntropy())
    assert sum(part.n_weights for part in found.parts) == made.n_parameters
    held(made, TokenEntropy(), found)


@pytest.mark.parametrize("name", ["block 1, network", "block 1, head 2", "position embedding"])
def test_scaling_a_part_does_what_is_said(name: str) -> None:
    made = lively(GPTConfig(vocab_size=2, context=3, n_layer=1, n_head=2, n_embd=4))
    found = sensitivity(made, TokenEntropy())
    part, step = next(part for part in found.parts if part.name == name), 1e-4
    values = [
        entropy_rate(extract(made.scaled(name, 1 + sign * step))).bits_per_token for sign in (1, -1)
    ]
    expected = part.predicted(1 + step) - part.predicted(1 - step)
    assert values[0] - values[1] == pytest.approx(expected, rel=1e-5)
    assert "times 1.0001" in made.scaled(name, 1 + step).provenance["changed"]


def test_no_such_part() -> None:
    made = lively(GPTConfig(vocab_size=2, context=3, n_layer=1, n_head=1, n_embd=4))
    with pytest.raises(InvalidArgument, match="no part 'block 9'"):
        made.scaled("block 9", 0)


def test_it_prints_what_matters(model: GPT) -> None:
    found = sensitivity(model, TokenEntropy())
    text = str(found)
    assert "12,656 weights" in text
    assert found.parts[0].name in text
    assert found.parts[0].share >= found.parts[-1].share
    assert "weights" not in found.to_dict()
    assert found.gradient_norm == pytest.approx(
        math.sqrt(sum(part.gradient_norm**2 for part in found.parts))
    )


def test_the_model_is_as_it_was(model: GPT) -> None:
    before = copy.deepcopy(model.state_dict())
    gradients = [
        None if weight.grad is None else weight.grad.clone() for weight in model.parameters()
    ]
    model.train()
    sensitivity(model, TokenEntropy())
    assert model.training
    model.eval()
    for weight, gradient in zip(model.parameters(), gradients, strict=True):
        assert gradient is None if weight.grad is None else torch.equal(weight.grad, gradient)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_a_chain_gives_its_rows() -> None:
    chain = Chain([[0.5, 0.5], [0.25, 0.75]])
    assert sensitivity(chain, StationaryProbability(0)).gradient.shape == (2, 2)


# ---- as a term of the loss ----


def test_a_penalty_adds_its_gradient() -> None:
    made = lively(GPTConfig(vocab_size=2, context=2, n_layer=1, n_head=1, n_embd=4))
    penalty = Penalty(TokenEntropy(), -0.3, "01")
    value = _penalize(made, _every_window(made.config), penalty)
    found = sensitivity(made, TokenEntropy())
    assert value == pytest.approx(-0.3 * found.value, rel=1e-12)
    for name, weight in made.named_parameters():
        assert weight.grad is not None
        np.testing.assert_allclose(weight.grad.numpy(), -0.3 * found.weights[name], atol=1e-12)


def test_a_bonus_raises_the_entropy_rate() -> None:
    plain = train(TEXT, context=2, steps=30, n_layer=1)
    bonus = Penalty(TokenEntropy(), -0.5, "01")
    other = train(TEXT, context=2, steps=30, n_layer=1, penalty=bonus)
    rates = [entropy_rate(extract(run.model)).bits_per_token for run in (plain, other)]
    assert rates[1] > rates[0] + 0.02
    assert len(other.penalties) == 30
    assert other.penalties[-1] == pytest.approx(-0.5 * rates[1], abs=0.01)
    assert plain.penalties == ()
    assert "windows" in str(other)


# ---- what is refused ----


def test_refusals(model: GPT) -> None:
    with pytest.raises(InvalidArgument, match="cannot carry a gradient on"):
        sensitivity(lambda ids: ids, TokenEntropy())  # type: ignore[call-overload]
    with pytest.raises(InvalidArgument, match=r"chain\.with_decoding"):
        sensitivity(Chain([[1.0]]), TokenEntropy(), truncate_to=1)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgument, match="finite number of nats"):
        Penalty(TokenEntropy(), math.nan, "01")
    with pytest.raises(StateSpaceTooLarge, match="at all 2\\*\\*17 windows"):
        train("01" * 20, context=17, penalty=Penalty(TokenEntropy(), 1.0, "01"))
    with pytest.raises(NotUnique):
        sensitivity(Chain([[1.0, 0.0], [0.0, 1.0]]), TokenEntropy())
    with pytest.raises(NotDefined, match="no gradient"):
        sensitivity(Chain([[1.0, 0.0], [0.0, 1.0]]), HittingTime(0, 1))
