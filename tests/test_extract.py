"""From a model to its chain: the article's rows, every kind of callable, every refusal."""

import json
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import Greedy, Temperature, TopK
from fsm_gpt.errors import Interrupted, InvalidArgument, InvalidChain, StateSpaceTooLarge
from fsm_gpt.extract import extract, extraction_bytes
from fsm_gpt.gpt.load import load_model
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.train import TrainingRun, train
from fsm_gpt.space import Vocabulary

Ids = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def run() -> TrainingRun:
    """The article's experiment."""
    return train("111101111011110", context=3)


def by_rule(ids: Ids) -> Any:
    """Logits of 3 tokens that depend on every token, its place, and the length."""
    places = 1 + np.arange(ids.shape[1])
    mixed = (np.asarray(ids) * places).sum(axis=1) + 0.3 * ids.shape[1]
    return np.stack([mixed % 2.3, 0.5 * mixed, np.cos(mixed)], axis=1)


def rows_one_by_one(model: Any, contexts: list[tuple[int, ...]]) -> Any:
    """Next-token rows by asking for one context at a time, softmax in plain Python."""
    rows = []
    for context in contexts:
        logits = np.asarray(model(np.array([context])), dtype=float)[0].tolist()
        powers = [math.exp(x) for x in logits]
        rows.append([power / sum(powers) for power in powers])
    return np.array(rows)


# ---- the article ----


@pytest.mark.parametrize("step", [0, 50])
def test_rows_are_those_of_the_article(
    run: TrainingRun, article: dict[str, Any], step: int
) -> None:
    chain = extract(run.model if step else run.untrained)
    expected = article[f"step{step}"]["probs"]
    assert chain.labels() == list(expected) == article["state_order"]
    tolerance = article["tolerances"][f"step{step}_probs"]
    np.testing.assert_allclose(chain.next_token, list(expected.values()), rtol=0, atol=tolerance)


@pytest.mark.parametrize("step", [0, 50])
def test_greedy_successors_are_those_of_the_article(
    run: TrainingRun, article: dict[str, Any], step: int
) -> None:
    chain = extract(run.model if step else run.untrained, decoding=Greedy())
    follow = {
        chain.labels()[edge[0]]: chain.labels()[edge[2]]
        for edge in zip(*chain.edges(), strict=True)
    }
    assert follow == article["greedy"][f"step{step}"]


def test_fourteen_states_with_short_contexts(run: TrainingRun) -> None:
    # errata.md of the article: 14 = 2 + 4 + 8, the empty context is not counted.
    chain = extract(run.model, short_contexts=True)
    assert chain.n_states == 14
    assert chain.labels()[:6] == ["0", "1", "00", "01", "10", "11"]
    windows = extract(run.model)
    np.testing.assert_allclose(chain.next_token[6:], windows.next_token, rtol=0, atol=1e-6)
    # A causal model says the same after "0" whether or not more is to come.
    logits = run.model(torch.tensor([[0, 1, 1]]))[0].double().softmax(-1).detach().numpy()
    for position, label in enumerate(["0", "01", "011"]):
        row = chain.next_token[chain.labels().index(label)]
        np.testing.assert_allclose(row, logits[position], rtol=0, atol=1e-6)
    to = chain.successors()
    assert chain.labels()[to[chain.labels().index("0"), 1]] == "01"
    assert chain.labels()[to[chain.labels().index("01"), 1]] == "011"
    assert chain.labels()[to[chain.labels().index("011"), 0]] == "110"


def test_a_model_cut_to_two_tokens(run: TrainingRun) -> None:
    chain = extract(run.model, truncate_to=2)
    assert chain.labels() == ["00", "01", "10", "11"]
    # Its rows are those of the model for two-token contexts, at positions 0 and 1.
    short = extract(run.model, short_contexts=True)
    np.testing.assert_allclose(chain.next_token, short.next_token[2:6], rtol=0, atol=1e-6)
    assert "last 2 only" in chain.notes[0]
    assert chain.provenance["context"] == "2 of 3"
    assert extract(run.model, context=2).notes == chain.notes
    assert extract(run.model, truncate_to=2, short_contexts=True).n_states == 6


def test_a_published_model_cut_to_two_tokens(shared_model: Callable[[str], Path]) -> None:
    vocabulary = shared_model("gpt_by_hand/vocabulary.json")
    model = load_model(shared_model("gpt_by_hand/nanogpt.pt"), vocabulary=str(vocabulary))
    chain = extract(model, truncate_to=2)
    assert chain.n_states == 1024
    # Entropy rate 2.6211 bits, here by repeated squaring of the averaged chain.
    P = chain.matrix()
    P = (P + np.eye(len(P))) / 2
    for _ in range(30):
        P = P @ P
        P /= P.sum(axis=1, keepdims=True)
    rows = chain.next_token
    rate = P[0] @ -(rows * np.log2(rows)).sum(axis=1)
    assert rate == pytest.approx(2.6211, abs=5e-5)


# ---- laws ----


@given(
    length=st.integers(1, 4),
    batch=st.integers(1, 100),
    short_contexts=st.booleans(),
)
def test_batches_decide_nothing(length: int, batch: int, short_contexts: bool) -> None:
    chain = extract(
        by_rule, vocabulary="abc", context=length, batch=batch, short_contexts=short_contexts
    )
    shortest = 1 if short_contexts else length
    contexts = [
        tuple(int(c) for c in np.base_repr(value, 3).zfill(size))
        for size in range(shortest, length + 1)
        for value in range(3**size)
    ]
    np.testing.assert_allclose(chain.next_token, rows_one_by_one(by_rule, contexts), rtol=1e-13)
    assert chain.labels() == ["".join("abc"[t] for t in context) for context in contexts]


def test_decoding_is_applied_in_order() -> None:
    options: dict[str, Any] = {"vocabulary": "abc", "context": 2}
    chain = extract(by_rule, decoding=[Temperature(0.5), TopK(2)], **options)
    expected = extract(by_rule, **options).with_decoding(Temperature(0.5), TopK(2))
    np.testing.assert_array_equal(chain.next_token, expected.next_token)
    assert chain.decoding == (Temperature(0.5), TopK(2))


class Answer(NamedTuple):
    """What a model of some library returns."""

    logits: Any
    loss: Any = None


ANSWERS: dict[str, Callable[[Any], Any]] = {
    "last position": lambda x: x,
    "one position": lambda x: x[:, None],
    "first in a tuple": lambda x: (x, "cache"),
    "first in a list": lambda x: [x],
    "an attribute": Answer,
    "a list of lists": lambda x: x.tolist(),
    "float32": lambda x: x.astype(np.float32),
    "a tensor": torch.as_tensor,
    "a tensor with gradients": lambda x: torch.tensor(x, requires_grad=True),
    "a bfloat16 tensor": lambda x: torch.as_tensor(x).bfloat16(),
    "(tensor, loss)": lambda x: (torch.as_tensor(x)[:, None], None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_logits_come_in_many_forms(name: str) -> None:
    answer = ANSWERS[name]
    chain = extract(lambda ids: answer(by_rule(ids)), vocabulary="abc", context=2)
    plain = extract(by_rule, vocabulary="abc", context=2)
    tolerance = {"float32": 1e-6, "a bfloat16 tensor": 2e-2}.get(name, 1e-15)
    np.testing.assert_allclose(chain.next_token, plain.next_token, rtol=0, atol=tolerance)


def test_logits_of_all_positions() -> None:
    def everywhere(ids: Ids) -> Any:
        return np.stack([by_rule(ids[:, : i + 1]) for i in range(ids.shape[1])], axis=1)

    chain = extract(everywhere, vocabulary="abc", context=3)
    plain = extract(by_rule, vocabulary="abc", context=3)
    np.testing.assert_array_equal(chain.next_token, plain.next_token)


def test_a_function_that_wants_tensors_gets_them(run: TrainingRun) -> None:
    def wants_tensors(ids: Any) -> Any:
        B, _ = ids.size()
        logits = run.model(ids)
        assert not logits.requires_grad
        return logits.view(B, -1, 2)

    chain = extract(wants_tensors, vocabulary="01", context=3)
    np.testing.assert_array_equal(chain.next_token, extract(run.model, batch=8).next_token)


def test_a_plain_function_needs_no_torch() -> None:
    code = """
import sys
import numpy as np
import fsm_gpt as fg
chain = fg.extract(lambda ids: np.zeros((len(ids), 2)), vocabulary="ab", context=2)
try:
    fg.extract(lambda ids: ids.size(), vocabulary="ab", context=2)
except fg.errors.InvalidArgument as problem:
    print(chain.n_states, "torch" in sys.modules, "torch" in chain.provenance, problem)
"""
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert said.startswith("4 False False extract: the model failed on ids of shape (4, 2)")


def test_a_plain_function_gets_arrays() -> None:
    kinds = set()

    def model(ids: Any) -> Any:
        kinds.add(type(ids))
        return by_rule(ids)

    extract(model, vocabulary="abc", context=2)
    assert kinds == {np.ndarray}


class Noisy(nn.Module):
    """A module with dropout, a part of which its owner keeps in another mode."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(2, 2)
        self.noise = nn.Dropout(0.5)
        self.still = nn.Dropout(0.5)
        self.fails = False

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if self.fails:
            raise RuntimeError("broken inside")
        out: torch.Tensor = self.still(self.noise(self.table(ids)))
        return out


@pytest.mark.parametrize("fails", [False, True])
def test_a_module_is_left_as_it_was_found(fails: bool) -> None:
    model = Noisy()
    model.train()
    model.still.eval()
    model.fails = fails
    if fails:
        with pytest.raises(InvalidArgument, match="broken inside"):
            extract(model, vocabulary="ab", context=2)
    else:
        rows = [extract(model, vocabulary="ab", context=2).next_token for _ in range(2)]
        np.testing.assert_array_equal(*rows)  # no dropout
    assert (model.training, model.noise.training, model.still.training) == (True, True, False)
    assert torch.is_grad_enabled()
    assert all(weight.grad is None for weight in model.parameters())


def test_rows_of_float64_sum_to_one() -> None:
    sums = extract(by_rule, vocabulary="abc", context=4).next_token.sum(axis=1)
    assert np.abs(sums - 1).max() <= 4e-16


def test_progress_counts_contexts() -> None:
    told: list[tuple[int, int]] = []
    extract(
        by_rule,
        vocabulary="abc",
        context=2,
        short_contexts=True,
        batch=5,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(3, 12), (8, 12), (12, 12)]


def test_provenance_names_the_model_and_the_versions(run: TrainingRun) -> None:
    about = extract(run.model).provenance
    assert about["model"] == "GPT"
    assert about["parameters"] == "12,656"
    assert "seed 1337" in about["weights"]
    assert about["torch"] == torch.__version__
    assert about["numpy"] == np.__version__
    assert about["context"] == "3"
    json.dumps(dict(about))
    assert "by_rule" in extract(by_rule, vocabulary="abc", context=1).provenance["model"]


# ---- zeros ----


def fixed(logits: Any) -> Callable[[Ids], Any]:
    """A model of one token of context with these logits."""
    return lambda ids: np.asarray(logits)[ids[:, -1]]


def test_a_mask_is_an_exact_zero_and_is_told() -> None:
    chain = extract(fixed([[0.0, -np.inf], [1.0, 1.0]]), vocabulary="ab", context=1)
    assert chain.next_token.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    (note,) = chain.notes
    assert note.startswith("1 probabilities are exactly zero because the model masks")


def test_underflow_is_told_and_a_tiny_probability_is_not_zero() -> None:
    chain = extract(fixed([[0.0, -746.0], [0.0, -700.0]]), vocabulary="ab", context=1)
    assert chain.next_token[0].tolist() == [1.0, 0.0]
    assert 0 < chain.next_token[1, 1] < 1e-300
    (note,) = chain.notes
    assert note.startswith("1 probabilities are zero by float64 underflow")


def test_large_logits_do_not_overflow() -> None:
    chain = extract(fixed([[1e308, 1e308], [-1e308, -1e308]]), vocabulary="ab", context=1)
    assert chain.next_token.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert chain.notes == ()


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        ([[0, 0], [0, np.nan]], "after the context b the model gives the token 'b' the logit nan"),
        ([[np.inf, 0], [0, 0]], "after the context a the model gives the token 'a' the logit inf"),
        ([[0, 0], [-np.inf, -np.inf]], "after the context b the model gives every token"),
    ],
)
def test_logits_without_a_probability_are_refused(logits: Any, said: str) -> None:
    with pytest.raises(InvalidChain, match=said):
        extract(fixed(logits), vocabulary="ab", context=1)


def test_the_context_of_a_bad_logit_is_named_in_a_later_batch() -> None:
    def model(ids: Ids) -> Any:
        return np.where((ids == [1, 0, 1]).all(axis=1)[:, None], np.nan, np.zeros((len(ids), 2)))

    with pytest.raises(InvalidChain, match="after the context 101"):
        extract(model, vocabulary="01", context=3, batch=2)


def test_diverged_weights_are_refused() -> None:
    model = GPT(GPTConfig(vocab_size=2, context=3))
    with torch.no_grad():
        model.wpe.weight[1] = torch.nan
    with pytest.raises(InvalidChain, match="the logit nan"):
        extract(model)
    assert extract(model, truncate_to=1).n_states == 2  # position 1 is never reached


# ---- sizes and arguments ----


@pytest.mark.parametrize(
    ("V", "L", "short", "states", "need"),
    [
        (32, 8, False, "1,099,511,627,776 states", "294,912.0 GiB"),
        (32, 8, True, "1,134,979,744,800 states", "GiB"),
        (50257, 1024, False, r"about 10\*\*4,814 states", r"about 10\*\*4,811 GiB"),
        (50257, 1024, True, r"about 10\*\*4,814 states", "GiB"),
        (2, 40, False, "1,099,511,627,776 states", "49,152.0 GiB"),
    ],
)
def test_too_many_states_are_refused_before_the_model_is_asked(
    V: int, L: int, short: bool, states: str, need: str
) -> None:
    def never(ids: Ids) -> Any:
        raise AssertionError("the model was asked")

    with pytest.raises(StateSpaceTooLarge, match=states) as caught:
        extract(never, vocabulary=Vocabulary.of(V), context=L, short_contexts=short)
    assert caught.value.exit_code == 5
    caught.match(need)
    caught.match("above the limit of 8 GiB.*truncate_to")


def test_the_limit_can_be_lowered() -> None:
    with pytest.raises(StateSpaceTooLarge, match="limit of 1e-06 GiB"):
        extract(by_rule, vocabulary="abc", context=4, max_memory_gib=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize(
    ("V", "context", "short"), [(3, 10, False), (3, 9, True), (40, 3, False), (300, 2, False)]
)
def test_the_estimate_holds(V: int, context: int, short: bool, decoded: bool, dtype: Any) -> None:
    table = np.random.default_rng(0).normal(size=(V, V))
    tracemalloc.start()
    chain = extract(
        lambda ids: table[ids[:, -1]],
        vocabulary=V,
        context=context,
        short_contexts=short,
        decoding=Temperature(0.5) if decoded else None,
        dtype=dtype,
        batch=64,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    need = chain.n_states * extraction_bytes(V, dtype, short=short)
    assert need / 2 < peak < need * 1.1, peak / (chain.n_states * V)


# ---- float32 ----


def test_narrower_floats_are_the_same_rows_rounded() -> None:
    options: dict[str, Any] = {"vocabulary": "abc", "context": 4}
    wide = extract(by_rule, **options)
    narrow = extract(by_rule, **options, dtype="float32")
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(narrow.next_token, wide.next_token.astype(np.float32))
    assert narrow.notes == wide.notes
    # The chain meant is each row divided by its sum: rounding moves a probability by 2^-24 of it.
    edges = narrow.edges().probability / wide.edges().probability
    assert abs(edges - 1).max() < 2.5 * 2.0**-24
    x = np.random.default_rng(0).dirichlet(np.ones(81))
    np.testing.assert_allclose(narrow.push(x), wide.push(x), rtol=2e-7)


def test_a_rule_is_applied_before_the_rounding() -> None:
    """Two logits that float32 cannot tell apart."""

    def nearly(ids: Ids) -> Any:
        return np.tile([0.0, 1e-9], (len(ids), 1))

    chain = extract(nearly, vocabulary="ab", context=1, decoding=Greedy(), dtype="float32")
    assert chain.next_token.tolist() == [[0, 1], [0, 1]]
    assert chain.tied.tolist() == []
    assert chain.decoding == (Greedy(),)


def test_what_float32_loses_is_told() -> None:
    def steep(ids: Ids) -> Any:
        return np.tile([0.0, -200.0], (len(ids), 1))  # exp(-200) is 1e-87

    assert extract(steep, vocabulary="ab", context=1).notes == ()
    chain = extract(steep, vocabulary="ab", context=1, dtype="float32")
    (note,) = chain.notes
    assert note.startswith("2 probabilities are zero by float32 underflow")
    assert chain.n_edges == 2


def test_another_precision_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="dtype is 'float16'"):
        extract(by_rule, vocabulary="abc", context=1, dtype="float16")  # type: ignore[arg-type]


def test_a_vocabulary_like_that_of_gpt_2_is_refused_with_the_ways_out() -> None:
    """50,257^2 probabilities: 20.2 GB in float64 and 10.1 GB in float32, and a little more."""
    options: dict[str, Any] = {"vocabulary": 50_257, "context": 1}
    for dtype, size in (("float64", 8), ("float32", 4)):
        with pytest.raises(StateSpaceTooLarge) as raised:
            extract(by_rule, **options, dtype=dtype)
        said = str(raised.value)
        need = float(said.split("need ")[1].split(" GiB")[0])
        assert need == pytest.approx(50_257**2 * size / 2**30, rel=0.01)
        assert "top-k 40" in said
        assert ("dtype='float32'" in said) == (dtype == "float64")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": None}, "no attribute 'vocabulary'"),
        ({"context": None}, "no attribute 'context'"),
        ({"context": 0}, "context is 0"),
        ({"context": 2.0}, r"context is 2\.0"),
        ({"context": True}, "context is True"),
        ({"truncate_to": 0}, "truncate_to is 0"),
        ({"truncate_to": 4}, "4 tokens was asked for, and the model sees 3"),
        ({"batch": 0}, "batch is 0"),
        ({"decoding": "greedy"}, "'g', which is no rule"),
        ({"vocabulary": "ab"}, r"logits of shape \(9, 3\)|logits of shape \(8, 3\)"),
        ({"vocabulary": ""}, "it has no token"),
    ],
)
def test_bad_arguments_are_explained(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        extract(by_rule, **{"vocabulary": "abc", "context": 3, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("context", [4, 100])
def test_a_context_that_the_model_does_not_have(run: TrainingRun, context: int) -> None:
    with pytest.raises(
        InvalidArgument, match=f"{context} tokens was asked for, and the model sees 3"
    ):
        extract(run.model, context=context)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda ids: "no", "no array of numbers"),
        (lambda ids: None, "logits of shape|no array"),
        (lambda ids: np.zeros(3), "logits of shape"),
        (lambda ids: np.zeros((len(ids), 5, 2)), "logits of shape"),
        (lambda ids: np.zeros((len(ids) + 1, 2)), "logits of shape"),
        (lambda ids: 1 / 0, "ZeroDivisionError"),
        (lambda ids: ids.nothing, "AttributeError"),
        (lambda ids: [][5], "IndexError"),
        (GPT(GPTConfig(vocab_size=2, context=1)).forward, "reads"),
    ],
)
def test_a_model_that_fails_is_explained(answer: Any, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        extract(answer, vocabulary="ab", context=2)


def test_a_vocabulary_larger_than_the_model(run: TrainingRun) -> None:
    with pytest.raises(InvalidArgument, match="Check that the vocabulary"):
        extract(run.model, vocabulary="012")


def test_interrupting_says_so() -> None:
    def stop(done: int, all_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="there is no chain"):
        extract(by_rule, vocabulary="abc", context=2, progress=stop)


def test_a_vocabulary_of_one_token_has_one_state() -> None:
    chain = extract(lambda ids: np.zeros((len(ids), 1)), vocabulary="a", context=3)
    assert isinstance(chain, Chain)
    assert chain.next_token.tolist() == [[1.0]]
