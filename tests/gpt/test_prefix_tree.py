"""The prefix tree against the forward pass, which reads each context from its first token."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from fsm_gpt.chain import Chain
from fsm_gpt.decoding import TopK
from fsm_gpt.errors import Interrupted, InvalidArgument, InvalidChain
from fsm_gpt.extract import extract
from fsm_gpt.gpt import prefix_tree as module
from fsm_gpt.gpt.model import GPT, GPTConfig
from fsm_gpt.gpt.prefix_tree import prefix_tree


def wide(V=2, L=5, *, layers=2, heads=2, bias=True, norm_bias=True, seed=0, **variant):
    """A model whose weights are large, so that its rows differ from one another."""
    config = GPTConfig(
        vocab_size=V,
        context=L,
        n_layer=layers,
        n_head=heads,
        n_embd=8,
        bias=bias,
        norm_bias=norm_bias,
        **variant,
    )
    model = GPT(config, seed=seed)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for weight in model.parameters():
            weight += 0.4 * torch.randn_like(weight)
    return model


def both(model, **options):
    """The rows by the tree, and by the forward pass in batches."""
    tree = extract(model, **options).next_token
    return tree, extract(model, batch=64, **options).next_token


@pytest.mark.parametrize(("V", "L"), [(2, 1), (2, 2), (2, 6), (3, 4), (5, 3)])
@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 4), (3, 2)])
def test_the_tree_gives_the_rows_of_the_forward_pass(V, L, layers, heads):
    """To the roundings of the model's float32 (Pope et al. 2022: cached keys are the same keys)."""
    tree, batched = both(wide(V, L, layers=layers, heads=heads))
    np.testing.assert_allclose(tree, batched, rtol=1e-4, atol=2e-6)
    assert np.ptp(batched, axis=0).max() > 0.05 or L == 1


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("options", [{}, {"short_contexts": True}, {"truncate_to": 3}])
def test_in_float64_they_are_the_same_to_its_roundings(bias, options):
    tree, batched = both(wide(3, 4, bias=bias, norm_bias=bias).double(), **options)
    np.testing.assert_allclose(tree, batched, rtol=1e-12)


@pytest.mark.parametrize("variant", [{"gelu": "tanh"}, {"tied_head": False}])
def test_variants_of_the_model_have_their_tree(variant):
    tree, batched = both(wide(3, 4, **variant).double())
    np.testing.assert_allclose(tree, batched, rtol=1e-12)
    usual = extract(wide(3, 4).double()).next_token
    assert np.abs(tree - usual).max() > 1e-4, "the variant changes nothing, so nothing is shown"


@pytest.mark.parametrize("shorter", [False, True])
@pytest.mark.parametrize("budget", [1, 3_000, 100_000])
def test_pieces_of_any_size_give_the_same(budget, shorter):
    """Also pieces of one node, and of some of their siblings."""
    model = wide(3, 5).double()
    whole = {(b.length, b.first + i): row for b in prefix_tree(model, 5, shorter=shorter)
             for i, row in enumerate(b.logits)}  # fmt: skip
    pieces = list(prefix_tree(model, 5, shorter=shorter, budget=budget))
    cut = {(b.length, b.first + i): row for b in pieces for i, row in enumerate(b.logits)}
    assert len(pieces) > (5 if shorter else 1) or budget == 100_000
    assert cut.keys() == whole.keys()
    assert len(cut) == (3**6 - 3) // 2 if shorter else 3**5
    for place, row in cut.items():
        torch.testing.assert_close(row, whole[place], rtol=1e-12, atol=1e-13)
    for length in {b.length for b in pieces}:
        firsts = [b.first for b in pieces if b.length == length]
        assert firsts == sorted(firsts)


def test_columns_in_parts(monkeypatch):
    """A level wider than a block is computed some columns at a time."""
    model = wide(2, 6).double()
    expected = both(model)[1]
    monkeypatch.setattr(module, "BLOCK", 8 * 4)
    np.testing.assert_allclose(extract(model).next_token, expected, rtol=1e-12)


def test_the_model_is_left_as_it_was():
    model = wide().train()
    threads, workers = torch.get_num_threads(), threading.active_count()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    extract(model)
    assert model.training
    assert all(part.training for part in model.modules())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())
    assert (torch.get_num_threads(), threading.active_count()) == (threads, workers)


class Cold(GPT):
    """Another function of the same weights."""

    def forward(self, ids):
        return 0.5 * super().forward(ids)


class Doubled(nn.Linear):
    """A layer that is not the one it stands in for."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_a_subclass_with_its_own_forward_is_asked_in_batches():
    model = wide()
    cold = Cold(model.config)
    cold.load_state_dict(model.state_dict())
    assert cold.prefix_tree(5) is None
    np.testing.assert_array_equal(*both(cold))
    assert np.abs(extract(cold).next_token - extract(model).next_token).max() > 0.01


def _replaced(model):
    model.forward = Cold.forward.__get__(model)


def _hooked(model):
    model.ln_f.register_forward_hook(lambda part, given, result: 2 * result)


def _hooked_before(model):
    model.h[0].register_forward_pre_hook(lambda part, given: (2 * given[0],))


def _exchanged(model):
    model.h[1].mlp.c_fc = Doubled(8, 32)


def _half(model):
    model.bfloat16()


@pytest.mark.parametrize("change", [_replaced, _hooked, _hooked_before, _exchanged, _half])
def test_a_model_that_was_changed_is_asked_in_batches(change):
    model = wide()
    assert model.prefix_tree(5) is not None
    change(model)
    assert model.prefix_tree(5) is None


def test_progress_counts_every_context(monkeypatch):
    monkeypatch.setattr(prefix_tree, "__kwdefaults__", {"shorter": False, "budget": 2_000})
    told = []
    extract(wide(), short_contexts=True, progress=lambda done, total: told.append((done, total)))
    assert len(told) > 2
    assert told[-1] == (62, 62)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_stopping_leaves_no_thread_behind():
    def stop(done, total):
        raise KeyboardInterrupt

    threads, workers = torch.get_num_threads(), threading.active_count()
    with pytest.raises(Interrupted, match="no chain"):
        extract(wide(), progress=stop)
    assert (torch.get_num_threads(), threading.active_count()) == (threads, workers)


def test_a_weight_that_is_no_number_is_traced_to_a_context():
    model = wide()
    with torch.no_grad():
        model.wpe.weight[4] = torch.nan
    with pytest.raises(InvalidChain, match=r"0.*0.*0.*0.*0"):
        extract(model)


def test_decoding_applies():
    model = wide()
    chain = extract(model, decoding=TopK(1))
    assert isinstance(chain, Chain)
    assert (np.count_nonzero(chain.next_token, axis=1) == 1).all()
    np.testing.assert_array_equal(
        chain.next_token.argmax(axis=1), extract(model).next_token.argmax(axis=1)
    )


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(InvalidArgument, match="no such device"):
        extract(wide(), device="nonsense")
    with pytest.raises(InvalidArgument, match="no PyTorch module"):
        extract(lambda ids: np.zeros((len(ids), 2)), vocabulary="ab", context=1, device="cpu")
    with pytest.raises(InvalidArgument, match="no numbers"):
        extract(wide(), device="meta")


def test_a_device_is_a_place_to_compute_and_no_more():
    model = wide()
    held = [weight.data_ptr() for weight in model.parameters()]
    np.testing.assert_array_equal(
        extract(model, device="cpu").next_token, extract(model).next_token
    )
    assert [weight.data_ptr() for weight in model.parameters()] == held


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_on_a_gpu_the_rows_are_the_same():
    model = wide(2, 8)
    found = extract(model, device="cuda").next_token
    np.testing.assert_allclose(found, extract(model).next_token, rtol=1e-4, atol=2e-6)
    assert next(model.parameters()).device.type == "cpu"
