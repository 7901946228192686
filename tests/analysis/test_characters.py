"""The study of the character GPT, against answers found another way."""

import math

import numpy as np
import pytest
import torch

from analysis.characters import CONTEXT, PROMPTS, own_model, run, tales
from analysis.study import Study
from fsm_gpt.chain import Chain
from fsm_gpt.errors import InvalidArgument


def test_the_weights_are_those_of_the_tales() -> None:
    """It predicts its text far better than the frequencies of characters do."""
    model, text = own_model(), tales()
    assert "".join(model.vocabulary) == "".join(sorted(set(text)))
    assert model.context == CONTEXT
    ids = torch.tensor([model.vocabulary.ids[c] for c in text[:4000]])
    windows = ids.unfold(0, CONTEXT + 1, 1)
    with torch.no_grad():
        logits = model(windows[:, :-1])[:, -1]
    loss = float(torch.nn.functional.cross_entropy(logits, windows[:, -1]))
    share = np.unique(list(text), return_counts=True)[1] / len(text)
    assert loss < -(share * np.log(share)).sum() / 2


def test_the_cuts_are_bigrams_and_trigrams(quick: dict[str, Study]) -> None:
    """H = sum pi H(row), pi by powers of a matrix made by asking the model directly."""
    model, table = own_model(), quick["characters"].tables["cuts"]
    V = len(model.vocabulary)
    with torch.no_grad():
        one = model(torch.arange(V)[:, None])[:, -1].double().softmax(-1).numpy()
        pairs = torch.cartesian_prod(torch.arange(V), torch.arange(V))
        two = model(pairs)[:, -1].double().softmax(-1).numpy()
    pi = np.linalg.matrix_power(one, 4096)[0]
    rate = -(pi @ (one * np.log2(one)).sum(axis=1))
    column = "entropy rate (bits per token)"
    assert table.cell("its last 1", column) == pytest.approx(rate, rel=1e-6)
    x = np.full(V * V, 1 / V**2)
    for _ in range(2000):
        x = (x.reshape(V, V, 1) * two.reshape(V, V, V)).sum(axis=0).ravel()
    rate = -(x @ (two * np.log2(two)).sum(axis=1))
    assert table.cell("its last 2", column) == pytest.approx(rate, rel=1e-6)
    assert table.cell("its last 2", "states") == V**2
    low, high = (table.cell(f"all {CONTEXT}, by sampling", name) for name in ("low", "high"))
    assert 0 < float(str(low)) < float(str(high)) < math.log2(V)


def test_its_loops(quick: dict[str, Study]) -> None:
    """By writing greedy text out until a window comes again."""
    model, lengths = own_model(), []
    for prompt in PROMPTS:
        ids = model.vocabulary.encode(prompt).tolist()
        seen: dict[tuple[int, ...], int] = {}
        with torch.no_grad():
            while (window := tuple(ids[-CONTEXT:])) not in seen:
                seen[window] = len(ids)
                ids.append(int(model(torch.tensor([window]))[0, -1].argmax()))
        lengths.append(len(ids) - seen[window])
    table = quick["characters"].tables["loops"]
    assert set(table.column("tokens")) == set(lengths)
    assert math.fsum(float(str(s)) for s in table.column("share of the prompts")) == pytest.approx(
        1
    )


def test_the_text_is_short_and_plain() -> None:
    assert 10_000 < len(tales()) < 50_000
    assert set(tales()) <= set("abcdefghijklmnopqrstuvwxyz ,.?\n")


def test_a_chain_has_nothing_left_to_find() -> None:
    with pytest.raises(InvalidArgument, match="all of whose states are known"):
        run(model=Chain([[0.5, 0.5], [0.25, 0.75]]))
